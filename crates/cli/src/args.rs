//! The command line.

pub(crate) mod books;
pub(crate) mod brokers;
pub(crate) mod data;
pub(crate) mod fund;
pub(crate) mod journal;
pub(crate) mod look;
pub(crate) mod operator;
pub(crate) mod order;
pub(crate) mod quant;
pub(crate) mod venue;

use crate::alerts::Severity;
use crate::config::{LogFormat, LogLevel};
use crate::error::exit_codes;
use books::{ActionCommand, BooksArgs, ReportArgs, StatementArgs, TaxArgs};
use brokers::BrokersCommand;
use clap::{Args, Parser, Subcommand};
use data::DataCommand;
use fund::FundCommand;
use journal::JournalCommand;
use look::{IncidentsArgs, OrdersArgs, PositionsArgs, ReplayArgs, StatusArgs, TradesArgs};
use operator::{HaltArgs, KillArgs, LimitsArgs, ResumeArgs, RiskCommand};
use order::{AllArgs, OrderCommand, ReconcileArgs};
use quant::QuantCommand;
use std::path::PathBuf;
use venue::VenueCommand;

/// A trading system: the same strategy from back-test to live, every order through the gates, nothing lost.
#[derive(Debug, Parser)]
#[command(
    name = "mts",
    version,
    about,
    after_help = exit_codes()
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a configuration, or goes on with an interrupted run.
    Run(RunArgs),
    /// Shows on one screen how a run stands and what needs a person.
    Status(StatusArgs),
    /// Lists the orders of a run.
    Orders(OrdersArgs),
    /// Lists the fills of a run.
    Fills(TradesArgs),
    /// Lists the positions of a run.
    Positions(PositionsArgs),
    /// Lists the incidents of a run.
    Incidents(IncidentsArgs),
    /// Shows the books of a run: value, profits by strategy, exposures, tax lots, cash.
    Books(BooksArgs),
    /// Writes the tear sheet of a fund: returns, drawdowns, attribution, costs, as a page with charts, JSON and tables.
    Report(ReportArgs),
    /// Research: weights from returns, factors and what they are worth, figures of returns.
    #[command(subcommand)]
    Quant(QuantCommand),
    /// Shows what a fund closed in a year as Form 8949 has it: holding periods, wash sales, totals.
    Tax(TaxArgs),
    /// Compares a broker's statement with the books and explains what differs; exit code 8 where something does.
    Statement(StatementArgs),
    /// Rebuilds the state of a run from its journal, at its end or at any input before.
    Replay(ReplayArgs),
    /// Tells the whole story of one order.
    Explain(ExplainArgs),
    /// Asks the gates, and shows limits.
    #[command(subcommand)]
    Risk(RiskCommand),
    /// Halts a fund, a strategy or everything; only mts resume ends it.
    Halt(HaltArgs),
    /// Ends a halt, or switches the kill switch off.
    Resume(ResumeArgs),
    /// Switches the kill switch on: nothing new leaves, everything working is cancelled, only closing passes.
    Kill(KillArgs),
    /// Trades by hand, through the running engine.
    #[command(subcommand)]
    Order(OrderCommand),
    /// Cancels everything that works.
    CancelAll(AllArgs),
    /// Cancels and closes everything at the market.
    Flatten(AllArgs),
    /// Books what an issuer did to an instrument: a split, a dividend, a new symbol, its end.
    #[command(subcommand)]
    Action(ActionCommand),
    /// Compares accounts with the books, shows what differs, or takes it over.
    Reconcile(ReconcileArgs),
    /// Shows the limits of a run, or puts a new version in force.
    Limits(LimitsArgs),
    /// The funds of a firm: their capital, and how it is divided between them.
    #[command(subcommand)]
    Fund(FundCommand),
    /// The brokers that this program can trade with.
    #[command(subcommand)]
    Brokers(BrokersCommand),
    /// Lists the exchanges whose public market data is described, with the evidence behind each.
    Exchanges(ExchangesArgs),
    /// Bars on disk: brings them in, shows, checks and draws them.
    #[command(subcommand)]
    Data(DataCommand),
    /// A venue to rehearse with.
    #[command(subcommand)]
    Venue(VenueCommand),
    /// Looks into the journal of a run.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Checks and explains configurations.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Writes the beginning of something of one's own.
    #[command(subcommand)]
    New(NewCommand),
    /// The same as `mts new broker`.
    #[command(hide = true)]
    NewBroker(NewArgs),
    /// Prints the JSON Schema of what mts writes and reads; without a type it lists them.
    Schema(SchemaArgs),
    /// Writes a commented configuration by asking; every question has a default.
    Init(InitArgs),
    /// Looks whether this machine and a configuration are fit to trade; the exit code says so.
    Doctor(DoctorArgs),
    /// Alerts of a configuration.
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Prints the completions of a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page, or writes one of every command.
    Man {
        /// Folder for the pages of all commands.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExchangesArgs {
    /// Only this one, with its markets and timeframes.
    pub(crate) name: Option<String>,
    /// Writes JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The file to write.
    #[arg(default_value = "mts.toml")]
    pub(crate) file: PathBuf,
    /// Asks nothing and takes every default.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Writes over a file that exists.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Sends one alert to every hook of a configuration and says how it went.
    Test {
        /// The configuration.
        config: PathBuf,
        /// Only the hook of this severity.
        #[arg(long)]
        severity: Option<Severity>,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The configuration; without it only the machine is looked at.
    pub(crate) config: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The configuration, a TOML file.
    pub(crate) config: PathBuf,
    /// Folder of the journal and the reports [default: runs/<the file's name>].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Prints one JSON object instead of a summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Stops after this session; the same command without it goes on.
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<chrono::NaiveDate>,
    /// Starts anew, in an empty or new folder; never touches an existing run.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Real orders may leave: needed where live.mode is live.
    #[arg(long)]
    pub(crate) live: bool,
    /// Writes a tape of what goes to the real broker and comes back into this folder, without secrets: for a report of a fault.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// What is logged to the error stream [default: $MTS_LOG, else off]; the file of [log] has its own.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// How lines on the error stream look.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The order, as orders.jsonl names it.
    pub(crate) order_id: String,
    /// Folder of the run.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Prints one JSON object instead of a story.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Checks a configuration with its files, and says what it will do.
    Check {
        /// The configuration.
        config: PathBuf,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lists every key.
    Keys {
        /// Prints a JSON list.
        #[arg(long)]
        json: bool,
        /// Prints the tables of docs/configuration.md.
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// A type such as Order, or `config` for the configuration file; several with --openapi.
    #[arg(value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Prints an OpenAPI 3.1 document of these types and what they refer to, or of all.
    #[arg(long)]
    pub(crate) openapi: bool,
    /// Writes to this file instead.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Prints the list of types as JSON; schemas are JSON anyway.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NewCommand {
    /// A crate with a strategy of one's own, which compiles and runs on the example's data.
    Strategy(NewArgs),
    /// A crate with a broker of one's own: it compiles, and the suite of brokers names what is missing.
    Broker(NewArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Name of the crate and of what is in it: small letters, digits and underscores.
    pub(crate) name: String,
    /// Folder to make [default: the name].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Folder of the mts workspace, for the path dependency [default: found from here upward].
    #[arg(long, value_name = "DIR")]
    pub(crate) mts: Option<PathBuf>,
}
