//! Feeds of vendors that want a key: Alpaca and Polygon.

use super::MergedFeed;
use super::world::FeedWorld;
use crate::stream::venues;
use crate::stream::{Options, Patience, Protocol, StreamFeed, Topic, World};
use crate::{alpaca, polygon};
use mts_foundation::calendar::MarketCalendar;
use mts_foundation::market_data::{
    DataFeed, DynDataFeed, DynMarketData, FeedStats, MarketDataError, MarketEvent,
};
use mts_foundation::symbology::SymbolKind;
use mts_foundation::{Interval, Symbol};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// What a vendor streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VendorData {
    /// Bars of a minute, and their corrections.
    Bars,
    /// Best bid and offer.
    Quotes,
    /// Prints.
    Trades,
}

/// What is wanted of a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorConfig {
    /// Instruments: shares such as `AAPL`; at Alpaca also crypto such as `BTC-USD`.
    pub symbols: Vec<Symbol>,
    /// What of them.
    pub data: Vec<VendorData>,
    /// How long an instrument may be silent while its market is open until its prices are stale; for bars it is two minutes at
    /// least.
    pub silence: Duration,
}

impl VendorConfig {
    /// Bars, stale after five minutes of silence.
    #[must_use]
    pub fn new(symbols: impl IntoIterator<Item = Symbol>) -> Self {
        Self {
            symbols: symbols.into_iter().collect(),
            data: vec![VendorData::Bars],
            silence: Duration::from_secs(300),
        }
    }

    fn topics<'a>(&'a self, symbols: &'a [Symbol]) -> impl Iterator<Item = Topic> + 'a {
        let data: std::collections::BTreeSet<_> = self.data.iter().copied().collect();
        let topic = |data: VendorData, symbol: &Symbol| match data {
            VendorData::Bars => Topic::bars(symbol.clone(), Interval::MINUTE),
            VendorData::Quotes => Topic::quotes(symbol.clone()),
            VendorData::Trades => Topic::trades(symbol.clone()),
        };
        data.into_iter().flat_map(move |data| symbols.iter().map(move |symbol| topic(data, symbol)))
    }

    fn patience(&self, calendar: Option<Arc<MarketCalendar>>) -> impl Fn(&Topic) -> Patience {
        let silence = self.silence;
        move |topic| {
            let of_bars = matches!(topic.channel, crate::stream::Channel::Bars(_));
            let least = if of_bars { Duration::from_secs(120) } else { Duration::ZERO };
            Patience { silence: silence.max(least), calendar: calendar.clone() }
        }
    }
}

/// Bars, quotes and prints of a vendor's streams.
///
/// What a stream misses of prints and bars is asked of the vendor. Shares and crypto are different streams, whose events come
/// as they come; shares are stale in sessions alone.
#[doc(alias = "AlpacaDataFeed")]
pub struct VendorFeed {
    name: &'static str,
    feed: Box<dyn DynDataFeed>,
    symbols: u64,
}

impl std::fmt::Debug for VendorFeed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("VendorFeed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl VendorFeed {
    /// Alpaca's, of shares and of crypto; the key is its id and its secret.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what Alpaca does not have, and for nothing; [`MarketDataError::Source`] for a key
    /// or an address that cannot be used.
    pub fn alpaca(
        config: &VendorConfig,
        settings: &alpaca::Settings,
        key: &(SecretString, SecretString),
        world: &FeedWorld,
    ) -> Result<Self, MarketDataError> {
        let (http, clock) = (Arc::clone(&world.http), Arc::clone(&world.clock));
        let past = alpaca::Alpaca::new(settings.clone(), key.clone(), http, clock)?;
        let past: Arc<dyn DynMarketData> = Arc::new(past);
        let is_crypto =
            |symbol: &Symbol| symbol.parts().is_ok_and(|parts| parts.kind() == SymbolKind::Crypto);
        let (crypto, shares): (Vec<_>, Vec<_>) = sorted(config).into_iter().partition(is_crypto);
        let mut feeds = Vec::new();
        for (symbols, path, calendar) in [
            (shares, format!("/v2/{}", settings.feed.word()), Some(crate::vendor::new_york()?)),
            (crypto, "/v1beta3/crypto/us".to_owned(), None),
        ] {
            if !symbols.is_empty() {
                let url = format!("{}{path}", settings.stream_url);
                let protocol = venues::Alpaca::at(config.topics(&symbols), &url, key.clone())?;
                let protocol = protocol.with_quote_lot(settings.quote_lot);
                feeds.push(follow(protocol, config.patience(calendar), Arc::clone(&past), world));
            }
        }
        Self::of("alpaca", config, feeds)
    }

    /// Polygon's, of shares.
    ///
    /// # Errors
    /// As [`VendorFeed::alpaca`].
    pub fn polygon(
        config: &VendorConfig,
        settings: &polygon::Settings,
        key: &SecretString,
        world: &FeedWorld,
    ) -> Result<Self, MarketDataError> {
        let (http, clock) = (Arc::clone(&world.http), Arc::clone(&world.clock));
        let past = polygon::Polygon::new(settings.clone(), key.clone(), http, clock)?;
        let symbols = sorted(config);
        let mut feeds = Vec::new();
        if !symbols.is_empty() {
            let protocol = venues::Polygon::at(config.topics(&symbols), &settings.stream_url, key.clone())?;
            let protocol = protocol.with_quote_lot(settings.quote_lot);
            let patience = config.patience(Some(crate::vendor::new_york()?));
            feeds.push(follow(protocol, patience, Arc::new(past), world));
        }
        Self::of("polygon", config, feeds)
    }

    fn of(
        name: &'static str,
        config: &VendorConfig,
        feeds: Vec<Box<dyn DynDataFeed>>,
    ) -> Result<Self, MarketDataError> {
        if feeds.is_empty() || config.data.is_empty() {
            let what = "a feed of nothing; name instruments, and ask for bars, quotes or trades".to_owned();
            return Err(MarketDataError::Unsupported { source_name: name.to_owned(), what });
        }
        let feed = match <[_; 1]>::try_from(feeds) {
            Ok([feed]) => feed,
            Err(feeds) => Box::new(MergedFeed::as_they_come(feeds)?),
        };
        Ok(Self { name, feed, symbols: sorted(config).len() as u64 })
    }
}

/// The instruments, each once.
fn sorted(config: &VendorConfig) -> Vec<Symbol> {
    let mut symbols = config.symbols.clone();
    symbols.sort();
    symbols.dedup();
    symbols
}

fn follow(
    protocol: impl Protocol + 'static,
    patience: impl Fn(&Topic) -> Patience,
    history: Arc<dyn DynMarketData>,
    world: &FeedWorld,
) -> Box<dyn DynDataFeed> {
    let parts = World {
        connector: Arc::clone(&world.sockets),
        sleep: Arc::clone(&world.sleep),
        clock: Arc::clone(&world.clock),
        history: Some(history),
    };
    // What has just happened is in the history a little later.
    let options = Options { history_after: Duration::from_secs(2), ..Options::default() };
    Box::new(StreamFeed::new(protocol, patience, options, parts, world.random))
}

impl DataFeed for VendorFeed {
    fn name(&self) -> &str {
        self.name
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.feed.start().await
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        self.feed.next().await
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.feed.stop().await
    }

    fn stats(&self) -> FeedStats {
        FeedStats { symbols: self.symbols, ..self.feed.stats() }
    }
}
