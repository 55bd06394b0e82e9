//! The command line of operators and of those who look at limits.

use clap::{Args, Subcommand};
use mts_foundation::risk::{HaltMode, HaltScope, SessionPhase};
use mts_foundation::{ActorId, Decimal, FundId, StrategyId, Symbol};
use std::path::PathBuf;

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

#[derive(Debug, Subcommand)]
pub(crate) enum RiskCommand {
    /// Asks the gates about one order; nothing is sent and nothing is written.
    Check(CheckArgs),
    /// Shows the limits in force and how much of each is used, halts and the kill switch.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration whose gates are asked.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The order, as `mts schema Order` describes it; - reads standard input. Ids, fund, strategy, broker, actor and
    /// created_at may be missing.
    #[arg(long, value_name = "FILE")]
    pub(crate) order: PathBuf,
    /// Folder of a run whose state is asked [default: the configuration at its first open].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// A price that enters before the order is asked about, as a close would; may be given again.
    #[arg(long = "price", value_name = "SYMBOL=PRICE", value_parser = price)]
    pub(crate) prices: Vec<(Symbol, Decimal)>,
    /// Where the market stands when the order is asked about: no_calendar, regular, extended or closed.
    #[arg(long, value_name = "PHASE", default_value = "regular")]
    pub(crate) session: SessionPhase,
    /// Asks as `close_position` would, which passes what getting out must pass.
    #[arg(long)]
    pub(crate) closing: bool,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Folder of a run whose state is shown [default: the configuration at its first open].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What all acts need.
#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    /// Folder of the run; its engine may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[group(id = "halted", required = true, multiple = false)]
pub(crate) struct HaltedArgs {
    /// One fund.
    #[arg(long, value_name = "ID")]
    fund: Option<FundId>,
    /// One strategy.
    #[arg(long, value_name = "ID")]
    strategy: Option<StrategyId>,
    /// Everything.
    #[arg(long)]
    firm: bool,
}

impl HaltedArgs {
    /// What is named; nothing else than the firm is left where neither fund nor strategy is.
    pub(crate) fn scope(&self) -> HaltScope {
        scope(self.fund.as_ref(), self.strategy.as_ref())
    }
}

fn scope(fund: Option<&FundId>, strategy: Option<&StrategyId>) -> HaltScope {
    match (fund, strategy) {
        (Some(fund), _) => HaltScope::Fund(fund.clone()),
        (None, Some(strategy)) => HaltScope::Strategy(strategy.clone()),
        (None, None) => HaltScope::Firm,
    }
}

#[derive(Debug, Args)]
pub(crate) struct HaltArgs {
    #[command(flatten)]
    pub(crate) what: HaltedArgs,
    /// Why; kept in the journal.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
    /// Who asks.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// What still passes: reduce-only lets positions shrink, full only closing and cancelling.
    #[arg(long, default_value = "reduce-only", value_parser = mode)]
    pub(crate) mode: HaltMode,
    /// Halts the firm without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
#[group(id = "resumed", required = true, multiple = false)]
pub(crate) struct ResumedArgs {
    /// One fund.
    #[arg(long, value_name = "ID")]
    fund: Option<FundId>,
    /// One strategy.
    #[arg(long, value_name = "ID")]
    strategy: Option<StrategyId>,
    /// Everything.
    #[arg(long)]
    firm: bool,
    /// The kill switch.
    #[arg(long)]
    kill: bool,
}

impl ResumedArgs {
    /// What is named; `None` = the kill switch.
    pub(crate) fn scope(&self) -> Option<HaltScope> {
        (!self.kill).then(|| scope(self.fund.as_ref(), self.strategy.as_ref()))
    }
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) what: ResumedArgs,
    /// Who agrees, a name of operator.operators; funds, the firm and the kill switch need two.
    #[arg(long = "operator", value_name = "NAME", required = true)]
    pub(crate) operators: Vec<ActorId>,
    /// Why the danger is over; kept in the journal.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// Why; kept in the journal.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
    /// Who asks.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// Does not ask. Without a terminal nothing is asked anyway.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct LimitsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LimitsCommand>,
    /// Folder of the run.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) out: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// Shows the envelope in force, its versions and the further limits.
    Show(ActArgs),
    /// Puts a new version of the envelope in force.
    Update(UpdateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// The new envelope, as `mts schema RiskEnvelope` describes it, with the version in force plus one.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Who changes it.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// Why [default: the envelope's notes].
    #[arg(long, value_parser = reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

pub(super) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("it is empty; say why, the journal keeps it".to_owned()),
        long if long > MAX_REASON => Err(format!("it has {long} characters; {MAX_REASON} are enough")),
        _ => Ok(text.to_owned()),
    }
}

fn mode(text: &str) -> Result<HaltMode, String> {
    text.replace('-', "_").parse().map_err(|_| format!("{text:?} is unknown; use reduce-only or full"))
}

fn price(text: &str) -> Result<(Symbol, Decimal), String> {
    let (symbol, price) = text.split_once('=').ok_or("write it as SYMBOL=PRICE")?;
    let symbol = Symbol::new(symbol).map_err(|error| error.to_string())?;
    let price: Decimal = price.trim().parse().map_err(|_| format!("{price:?} is no decimal number"))?;
    if price <= Decimal::ZERO {
        return Err(format!("{price} is no price; it must be above zero"));
    }
    Ok((symbol, price))
}
