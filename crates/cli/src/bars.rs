//! `data.bars`: bars of what a feed gives.

use crate::app::FeedParts;
use crate::config::{BarsOf, LiveSection, RunConfig};
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::SystemClock;
use mts_foundation::calendar::MarketCalendar;
use mts_foundation::{InstrumentTable, Interval};
use mts_marketdata::aggregate::{Aggregator, Hours, Patience, Trading};
use mts_marketdata::feeds::{AggregatedFeed, Passing, Prices};
use mts_transport::TokioSleep;
use std::sync::Arc;

/// The feed's bars, where the configuration wants some; otherwise the feed as it is.
pub(crate) fn of(
    config: &RunConfig,
    table: &InstrumentTable,
    mut parts: FeedParts,
) -> Result<FeedParts, CliError> {
    let Some(interval) = config.data.bars else { return Ok(parts) };
    let mut aggregator = Aggregator::new(hours(&config.run.calendar, interval)?, Patience::default(), []);
    for symbol in &parts.symbols {
        if let Some(instrument) = table.get(symbol) {
            aggregator = aggregator.with_hours(symbol.clone(), hours(&instrument.calendar, interval)?);
        }
    }
    let passing = if config.live.as_ref().is_some_and(LiveSection::is_real_time) {
        Passing::Live { clock: Arc::new(SystemClock), sleep: Arc::new(TokioSleep) }
    } else {
        Passing::Events
    };
    let prices = match config.data.bars_of {
        BarsOf::Trades => Prices::Trades,
        BarsOf::Mids => Prices::Mids,
    };
    let feed = AggregatedFeed::new(parts.feed, aggregator).passing(passing).of(prices).whole_bars_only();
    parts.feed = Box::new(feed);
    Ok(parts)
}

fn hours(calendar: &str, interval: Interval) -> Result<Hours, CliError> {
    if calendar == "24/7" {
        return Ok(Hours::always(interval));
    }
    let calendar = MarketCalendar::builtin(calendar).or_exit(ExitKind::Config)?;
    Ok(Hours::of(calendar, interval, Trading::Regular))
}
