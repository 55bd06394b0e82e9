//! Ticks as a feed.

use super::gateway::IbkrGateway;
use super::line::{Complaints, Line, Wanted};
use crate::feeds::{Passing, ThrottledFeed};
use mts_foundation::Symbol;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What an [`IbTicksFeed`] follows. Exchange and currency are the gateway's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IbTicksConfig {
    /// The instruments.
    pub symbols: Vec<Symbol>,
    /// Least time between two quotes, and two prints, of an instrument, in milliseconds; 0 = all are handed out.
    #[serde(default = "default_throttle")]
    pub tick_throttle_ms: u64,
    /// Each print and each change of the best prices (`reqTickByTickData`), of which TWS allows few instruments;
    /// otherwise what it sums up several times a second (`reqMktData`).
    #[serde(default)]
    pub tick_by_tick: bool,
}

const fn default_throttle() -> u64 {
    100
}

impl IbTicksConfig {
    /// These instruments, summed up, at most ten times a second.
    #[must_use]
    pub fn of(symbols: Vec<Symbol>) -> Self {
        Self { symbols, tick_throttle_ms: default_throttle(), tick_by_tick: false }
    }
}

/// Quotes and prints of Interactive Brokers.
///
/// Each instrument is held back by itself: of its quotes the last counts, its prints become one with the sum of their
/// sizes. A lost connection is made again with all instruments, for ever. What was missed meanwhile is a
/// [`Gap`](MarketEvent::Gap); it is not asked for. An instrument that TWS refuses is left out and the others go on;
/// when none is left, the feed ends.
#[derive(Debug)]
pub struct IbTicksFeed {
    feed: ThrottledFeed,
    complaints: Complaints,
    symbols: u64,
}

impl IbTicksFeed {
    /// A feed that does not run yet.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for no instrument, and for one that has no name there.
    pub fn new(config: &IbTicksConfig, gateway: Arc<IbkrGateway>) -> Result<Self, MarketDataError> {
        let wanted = if config.tick_by_tick { Wanted::TickByTick } else { Wanted::Level };
        let passing = Passing::Live { clock: Arc::clone(&gateway.clock), sleep: Arc::clone(&gateway.sleep) };
        let line = Line::new(gateway, &config.symbols, wanted)?;
        let (complaints, symbols) = (line.complaints(), DataFeed::stats(&line).symbols);
        let every = Duration::from_millis(config.tick_throttle_ms);
        let feed = ThrottledFeed::new(Box::new(line), every).passing(passing);
        Ok(Self { feed, complaints, symbols })
    }

    /// What TWS complained about without ending the feed, such as instruments that it refused; the first of it.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.all()
    }
}

impl DataFeed for IbTicksFeed {
    fn name(&self) -> &str {
        DataFeed::name(&self.feed)
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        DataFeed::start(&mut self.feed).await
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        DataFeed::next(&mut self.feed).await
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        DataFeed::stop(&mut self.feed).await
    }

    fn stats(&self) -> FeedStats {
        FeedStats { symbols: self.symbols, ..DataFeed::stats(&self.feed) }
    }
}
