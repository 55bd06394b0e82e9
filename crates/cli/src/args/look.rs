//! The command line of those who look at a run from its folder.

use crate::run_folder::Until;
use clap::Args;
use mts_foundation::{FundId, Order, OrderState, StrategyId, Symbol, Timestamp};
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Folder of the run; another process may be writing it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Fails with exit code 8 when something needs a person: an unknown order, a fill that cannot be booked, a position
    /// that the books do not explain, a halt, the kill switch.
    #[arg(long)]
    pub(crate) check: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What all lists take.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Folder of the run; another process may be writing it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Shows at most so many: the last ones.
    #[arg(long, value_name = "N", default_value = "50")]
    pub(crate) limit: NonZeroUsize,
    /// Prints one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// From when on.
#[derive(Debug, Args)]
pub(crate) struct SinceArgs {
    /// Only what happened at this instant or later: ISO-8601, or a date, which means its midnight UTC.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Timestamp>,
}

impl SinceArgs {
    /// Whether they ask for something of this time.
    pub(crate) fn want(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since)
    }
}

/// Which orders and fills.
#[derive(Debug, Args)]
pub(crate) struct TradesArgs {
    /// Only of this fund.
    #[arg(long, value_name = "ID")]
    fund: Option<FundId>,
    /// Only of this strategy.
    #[arg(long, value_name = "ID")]
    strategy: Option<StrategyId>,
    /// Only in this instrument.
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    #[command(flatten)]
    since: SinceArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

impl TradesArgs {
    /// Whether they ask for an order, or a fill of it, of this time.
    pub(crate) fn want(&self, order: &Order, time: Timestamp) -> bool {
        self.fund.as_ref().is_none_or(|wanted| *wanted == order.fund_id)
            && self.strategy.as_ref().is_none_or(|wanted| *wanted == order.strategy_id)
            && self.symbol.as_ref().is_none_or(|wanted| *wanted == order.symbol)
            && self.since.want(time)
    }
}

#[derive(Debug, Args)]
#[group(id = "of_state", multiple = false)]
pub(crate) struct StateArgs {
    /// Only orders that have not ended.
    #[arg(long)]
    open: bool,
    /// Only orders of which nobody knows whether the venue has them.
    #[arg(long)]
    unknown: bool,
    /// Only orders in this state, such as rejected.
    #[arg(long, value_name = "STATE")]
    state: Option<OrderState>,
}

impl StateArgs {
    /// Whether they ask for orders in this state.
    pub(crate) fn want(&self, state: OrderState) -> bool {
        (!self.open || !state.is_terminal())
            && (!self.unknown || state == OrderState::Unknown)
            && self.state.is_none_or(|wanted| wanted == state)
    }
}

#[derive(Debug, Args)]
pub(crate) struct OrdersArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) trades: TradesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PositionsArgs {
    /// Only of this fund.
    #[arg(long, value_name = "ID")]
    pub(crate) fund: Option<FundId>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Debug, Args)]
pub(crate) struct IncidentsArgs {
    /// Only of this code, such as ORDER_UNKNOWN.
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) since: SinceArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Folder of the run; another process may be writing it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Where to end: after the input of this number, or before the first that is later than this instant (ISO-8601; a
    /// date means its midnight UTC) [default: the end of the journal].
    #[arg(long, value_name = "SEQ|TIME", value_parser = until)]
    pub(crate) until: Option<Until>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(date) = text.parse::<chrono::NaiveDate>() {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc().into());
    }
    text.parse().map_err(|error: mts_foundation::time::InvalidTimestamp| error.to_string())
}

fn until(text: &str) -> Result<Until, String> {
    text.parse().map(Until::Sequence).or_else(|_| instant(text).map(Until::Time))
}
