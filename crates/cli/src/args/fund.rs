//! The command line of funds over funds.

use super::operator::reason;
use chrono::NaiveDate;
use clap::{ArgAction, Args, Subcommand};
use mts_foundation::{
    AccountId, ActorId, AssetClass, BrokerName, Currency, Decimal, FundId, StrategyId, TaxLotMethod,
};
use mts_portfolio::funds::{AllocationMethod, Constraints, PlanId};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum FundCommand {
    /// Registers a fund, with its first allocation as capital.
    Create(CreateArgs),
    /// Lists the funds, what each is worth, and the firm's value.
    List(RegistryArgs),
    /// Shows a fund with every movement of its capital.
    Show(ShowArgs),
    /// Lists everything that was done: what, when, by whom and why.
    History(RegistryArgs),
    /// Changes a fund's target, whether it trades, or where its run is.
    Change(ChangeArgs),
    /// Records capital that came into a fund.
    Deposit(MoveArgs),
    /// Records capital that went out of a fund.
    Withdraw(MoveArgs),
    /// Divides the firm's capital between its funds and says what would move; nothing moves.
    Plan(PlanArgs),
    /// Puts a plan in force, which takes two operators, and says which transfers are to be made.
    Execute(ExecuteArgs),
}

/// What all of them need.
#[derive(Debug, Args)]
pub(crate) struct RegistryArgs {
    /// Folder of the registry of funds.
    #[arg(long, value_name = "DIR", default_value = "funds")]
    pub(crate) registry: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its id; where it has a run, that of the run.
    #[arg(long, value_name = "ID")]
    pub(crate) fund_id: FundId,
    /// Its allocation, in money; its capital begins with it.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_negative_numbers = true)]
    pub(crate) nav: Decimal,
    /// Currency of its books; that of all other funds of the registry.
    #[arg(long, value_name = "CODE", default_value = "USD", value_parser = currency)]
    pub(crate) base_currency: Currency,
    /// Its broker.
    #[arg(long, value_name = "NAME")]
    pub(crate) broker: BrokerName,
    /// Folder of its run: what the fund is worth and has earned is read there.
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// Its account at the broker.
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<AccountId>,
    /// Which lots a closing trade consumes: fifo, lifo, hifo, loifo or specid.
    #[arg(long, value_name = "METHOD", default_value = "fifo")]
    pub(crate) lot_method: TaxLotMethod,
    /// A strategy that may write into it; may be given again [default: any].
    #[arg(long = "strategy", value_name = "ID")]
    pub(crate) strategies: Vec<StrategyId>,
    /// An asset class that it may hold; may be given again [default: any].
    #[arg(long = "asset-class", value_name = "CLASS")]
    pub(crate) asset_classes: Vec<AssetClass>,
    #[command(flatten)]
    pub(crate) of: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Which fund.
    #[arg(value_name = "ID")]
    pub(crate) fund_id: FundId,
    #[command(flatten)]
    pub(crate) of: RegistryArgs,
}

/// Who does something, and why.
#[derive(Debug, Args)]
pub(crate) struct ByArgs {
    /// Who.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// Why; kept in the registry.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Which fund.
    #[arg(value_name = "ID")]
    pub(crate) fund_id: FundId,
    /// Its new allocation, which method manual divides by; no capital moves.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_negative_numbers = true)]
    pub(crate) nav: Option<Decimal>,
    /// Whether it trades and takes part in allocations.
    #[arg(long, value_name = "BOOL")]
    pub(crate) active: Option<bool>,
    /// Folder of its run.
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) by: ByArgs,
    #[command(flatten)]
    pub(crate) of: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// Which fund.
    #[arg(value_name = "ID")]
    pub(crate) fund_id: FundId,
    /// How much, above zero, at most two decimals.
    #[arg(value_parser = amount, allow_negative_numbers = true)]
    pub(crate) amount: Decimal,
    /// Day on which it counts [default: today, UTC].
    #[arg(long, value_name = "DATE")]
    pub(crate) date: Option<NaiveDate>,
    /// What the bank calls it: the same reference is booked once, however often the command is repeated.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    #[command(flatten)]
    pub(crate) by: ByArgs,
    #[command(flatten)]
    pub(crate) of: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// How capital is divided: risk_parity (the same part of the firm's volatility to each), equal, kelly, or manual (by the
    /// funds' targets).
    #[arg(long, value_name = "METHOD", default_value = "risk_parity")]
    pub(crate) method: AllocationMethod,
    /// Least capital of a fund that trades.
    #[arg(long, value_name = "AMOUNT", default_value = "25000", value_parser = amount, allow_negative_numbers = true)]
    pub(crate) min_per_fund_usd: Decimal,
    /// Most of the firm's value that one fund may have: 0.50 = half.
    #[arg(long, value_name = "FRACTION", default_value = "0.50", value_parser = amount, allow_negative_numbers = true)]
    pub(crate) max_per_fund_pct: Decimal,
    /// Two funds whose daily returns have a higher correlation may together have no more than one; 1 switches it off.
    #[arg(long, value_name = "CORRELATION", default_value = "0.7", value_parser = amount, allow_negative_numbers = true)]
    pub(crate) max_sleeve_correlation: Decimal,
    /// Funds that do not trade keep their capital; with false they give it to those that do.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) preserve_capital_dnt: bool,
    /// Only looks: the plan is not kept and cannot be executed.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) of: RegistryArgs,
}

impl PlanArgs {
    /// What the plan must keep.
    pub(crate) fn constraints(&self) -> Constraints {
        Constraints {
            min_per_fund: self.min_per_fund_usd,
            max_per_fund_pct: self.max_per_fund_pct,
            max_sleeve_correlation: self.max_sleeve_correlation,
            preserve_capital_dnt: self.preserve_capital_dnt,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExecuteArgs {
    /// Which plan, as `mts fund plan` has named it.
    #[arg(value_name = "PLAN")]
    pub(crate) plan_id: PlanId,
    /// The word REBALANCE, so that no slip of the hand executes a plan.
    #[arg(long, value_name = "WORD")]
    pub(crate) confirm: Option<String>,
    /// Who executes it.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<ActorId>,
    /// Another operator, who agrees.
    #[arg(long, value_name = "NAME")]
    pub(crate) cosigned_by: Option<ActorId>,
    #[command(flatten)]
    pub(crate) of: RegistryArgs,
}

/// A number as it is written, to its last digit.
fn amount(text: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(text.trim()).map_err(|_| {
        "it is no decimal number; write it with digits and at most one point, as 112400.50".to_owned()
    })
}

fn currency(text: &str) -> Result<Currency, String> {
    Currency::new(text).map_err(|error| error.to_string())
}
