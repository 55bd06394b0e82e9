//! Candles and funding rates of OKX's perpetual futures.

use super::history;
use super::polling::{Asked, PollingFeed, PollingOptions};
use crate::exchanges::{DescribedExchange, Descriptor};
use mts_foundation::io::{DynHttpClient, Sleep};
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Clock, Interval, Symbol};
use std::sync::Arc;
use std::time::Duration;

/// What is wanted of OKX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OkxFundingConfig {
    /// Perpetual futures, such as `BTC-USDT-PERP`.
    pub symbols: Vec<Symbol>,
    /// Length of the candles.
    pub timeframe: Interval,
    /// How often funding rates are asked for.
    pub poll_interval: Duration,
}

impl OkxFundingConfig {
    /// Candles of an hour, funding rates every minute.
    #[must_use]
    pub fn new(symbols: impl IntoIterator<Item = Symbol>) -> Self {
        Self {
            symbols: symbols.into_iter().collect(),
            timeframe: Interval::HOUR,
            poll_interval: Duration::from_secs(60),
        }
    }
}

/// Bars of OKX's perpetual futures, and what is paid for holding them.
///
/// A bar comes once, when OKX says that its candle is closed, stamped at its end, volume in units of the base; those missed
/// are asked for, back to the last that was handed on. A funding rate comes when it has changed, with the times of the next
/// two payments. The first rate comes before the first bar.
#[doc(alias = "OKXFundingFeed")]
#[derive(Debug)]
pub struct OkxFundingFeed(PollingFeed);

impl OkxFundingFeed {
    /// A feed that does not run yet.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what is no perpetual future, a length of candles that OKX does not have, and for
    /// no instrument.
    pub fn new(
        config: OkxFundingConfig,
        http: Arc<dyn DynHttpClient>,
        clock: Arc<dyn Clock>,
        sleep: Arc<dyn Sleep>,
    ) -> Result<Self, MarketDataError> {
        let fault = |message: String| MarketDataError::Venue { source_name: "okx".to_owned(), message };
        let descriptor =
            Descriptor::read("okx", history::OKX_SWAPS).map_err(|error| fault(error.to_string()))?;
        let exchange = DescribedExchange::new(Arc::new(descriptor), http, Arc::clone(&clock))
            .map_err(|error| fault(error.to_string()))?;
        let bars = Asked::Bars(config.timeframe);
        let questions =
            config.symbols.into_iter().flat_map(|symbol| [(symbol.clone(), bars), (symbol, Asked::Funding)]);
        // OKX says itself when a candle is closed.
        let options = PollingOptions {
            settle: Duration::ZERO,
            funding_every: config.poll_interval,
            ..PollingOptions::default()
        };
        Ok(Self(PollingFeed::new(exchange, questions, options, clock, sleep)?))
    }

    /// The feed that asks.
    #[must_use]
    pub const fn polling(&self) -> &PollingFeed {
        &self.0
    }
}

impl DataFeed for OkxFundingFeed {
    fn name(&self) -> &str {
        DataFeed::name(&self.0)
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        DataFeed::start(&mut self.0).await
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        DataFeed::next(&mut self.0).await
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        DataFeed::stop(&mut self.0).await
    }

    fn stats(&self) -> FeedStats {
        DataFeed::stats(&self.0)
    }
}
