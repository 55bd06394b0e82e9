//! A store as a feed.

use super::error::StoreError;
use super::rows::Rows;
use mts_foundation::Bar;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use std::iter::Peekable;
use std::path::Path;

/// Bars of a store in the order of their ends; those that end together are one event. It reads files while it is asked, so
/// it belongs into back-tests.
#[derive(Debug)]
pub struct StoreFeed {
    path: String,
    rows: Peekable<Rows>,
    stats: FeedStats,
}

impl StoreFeed {
    /// A feed of these bars; `path` names the store in messages.
    #[must_use]
    pub fn new(path: &Path, rows: Rows) -> Self {
        Self { path: path.display().to_string(), rows: rows.peekable(), stats: FeedStats::default() }
    }

    fn fault(&self, error: &StoreError) -> MarketDataError {
        MarketDataError::Source { path: self.path.clone(), message: error.to_string() }
    }
}

impl DataFeed for StoreFeed {
    fn name(&self) -> &str {
        "store"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = true;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if !self.stats.running {
            return Ok(None);
        }
        let Some(first) = self.rows.next() else { return Ok(None) };
        let first = first.map_err(|error| self.fault(&error))?;
        let time = first.timestamp;
        let mut bars: Vec<Bar> = vec![first];
        while let Some(bar) = self.rows.next_if(|bar| bar.as_ref().is_ok_and(|bar| bar.timestamp == time)) {
            bars.push(bar.map_err(|error| self.fault(&error))?);
        }
        self.stats.ticks = self.stats.ticks.saturating_add(bars.len() as u64);
        self.stats.symbols = self.stats.symbols.max(bars.len() as u64);
        self.stats.last_time = Some(time);
        Ok(Some(MarketEvent::Bars { time, bars: bars.into() }))
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        self.stats
    }
}
