//! The command line of those who look into the books, and of issuers' actions.

use super::look::instant;
use super::operator::{ActArgs, reason};
use crate::run_folder::Until;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use mts_foundation::{ActorId, CorporateActionKind, Currency, Decimal, FundId, Symbol};
use smol_str::SmolStr;
use std::path::PathBuf;

/// Which books.
#[derive(Debug, Args)]
pub(crate) struct OfRunArgs {
    /// Folder of the run; another process may be writing it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Only this fund.
    #[arg(long, value_name = "ID")]
    pub(crate) fund: Option<FundId>,
    /// As they stood at this instant: ISO-8601, or a date, which means its midnight UTC [default: the end of the journal].
    #[arg(long, value_name = "TIME", value_parser = |text: &str| instant(text).map(Until::Time))]
    pub(crate) until: Option<Until>,
    /// File of picked lots, columns fill_id,lot_id,quantity: these closing fills consume them, whatever the fund's method.
    #[arg(long, value_name = "FILE")]
    pub(crate) picks: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BooksArgs {
    #[command(flatten)]
    pub(crate) run: OfRunArgs,
    /// Shows every open tax lot.
    #[arg(long)]
    pub(crate) lots: bool,
    /// Shows the cash ledger: every fill, fee, dividend, transfer, with the cash after it.
    #[arg(long)]
    pub(crate) postings: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) run: OfRunArgs,
    /// Folder for report.html, report.json and the tables; made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TaxArgs {
    #[command(flatten)]
    pub(crate) run: OfRunArgs,
    /// Calendar year of the closing trades.
    #[arg(long, value_name = "YEAR")]
    pub(crate) year: i32,
    /// Writes the rows as CSV to this file, instead of showing them.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// Folder of the run; another process may be writing it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The broker's statement.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How it is written.
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    pub(crate) format: StatementFormat,
    /// The fund that the account belongs to [default: the run's].
    #[arg(long, value_name = "ID")]
    pub(crate) fund: Option<FundId>,
    /// First day of the period, where the file does not say [default: the first day that it names].
    #[arg(long, value_name = "DATE", requires = "to")]
    pub(crate) from: Option<NaiveDate>,
    /// Last day of the period.
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) to: Option<NaiveDate>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What writes statements.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum StatementFormat {
    /// The table of docs/portfolio.md: kind,date,symbol,side,quantity,price,fees,amount,currency,id.
    Csv,
    /// Interactive Brokers' Activity Statement as CSV.
    InteractiveBrokers,
    /// Alpaca's account activities as JSON.
    Alpaca,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActionCommand {
    /// New units for old ones, such as 4:1, or 1:10 in a reverse split.
    Split {
        /// Which instrument.
        symbol: Symbol,
        /// Units after, and the units before that they replace.
        #[arg(value_name = "NEW:OLD", value_parser = ratio)]
        ratio: Ratio,
        #[command(flatten)]
        args: ActionArgs,
    },
    /// Cash for every unit; who is short pays it. Only where the venue does not tell the payment itself.
    Dividend {
        /// Which instrument.
        symbol: Symbol,
        /// Cash per unit.
        #[arg(allow_negative_numbers = true)]
        amount: Decimal,
        /// Its currency.
        #[arg(long, default_value = "USD")]
        currency: Currency,
        #[command(flatten)]
        args: ActionArgs,
    },
    /// The instrument goes on under another symbol.
    Rename {
        /// Its old symbol.
        symbol: Symbol,
        /// Its new symbol, which is in the instrument table.
        to: Symbol,
        #[command(flatten)]
        args: ActionArgs,
    },
    /// The instrument ends, and cash takes its place: a merger, a liquidation, or nothing (0).
    Delist {
        /// Which instrument.
        symbol: Symbol,
        /// Cash per unit.
        #[arg(allow_negative_numbers = true)]
        amount: Decimal,
        /// Its currency.
        #[arg(long, default_value = "USD")]
        currency: Currency,
        #[command(flatten)]
        args: ActionArgs,
    },
}

/// What all issuers' actions have.
#[derive(Debug, Args)]
pub(crate) struct ActionArgs {
    /// First trade date without the right to it.
    #[arg(long, value_name = "DATE")]
    pub(crate) ex: NaiveDate,
    /// Name of the action; booked twice under one name it takes effect once [default: made of symbol, kind and ex-date].
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<SmolStr>,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// Where it is announced; kept in the journal.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

/// New units for old ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratio {
    new: Decimal,
    old: Decimal,
}

fn ratio(text: &str) -> Result<Ratio, String> {
    let wanted = || format!("{text} is no ratio; write new units, a colon and old units, such as 4:1");
    let (new, old) = text.split_once(':').ok_or_else(wanted)?;
    let (new, old) = (new.parse().map_err(|_| wanted())?, old.parse().map_err(|_| wanted())?);
    if new <= Decimal::ZERO || old <= Decimal::ZERO {
        return Err(wanted());
    }
    Ok(Ratio { new, old })
}

impl ActionCommand {
    /// The instrument, what happens to it, a word for that, and the rest.
    pub(crate) fn parts(&self) -> (&Symbol, CorporateActionKind, &'static str, &ActionArgs) {
        match self {
            Self::Split { symbol, ratio: Ratio { new, old }, args } => {
                (symbol, CorporateActionKind::Split { new_units: *new, old_units: *old }, "split", args)
            }
            Self::Dividend { symbol, amount, currency, args } => {
                let kind = CorporateActionKind::CashDividend { amount: *amount, currency: *currency };
                (symbol, kind, "dividend", args)
            }
            Self::Rename { symbol, to, args } => {
                (symbol, CorporateActionKind::SymbolChange { to: to.clone() }, "rename", args)
            }
            Self::Delist { symbol, amount, currency, args } => {
                let kind = CorporateActionKind::Delisting { amount: *amount, currency: *currency };
                (symbol, kind, "delist", args)
            }
        }
    }
}
