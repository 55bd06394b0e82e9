//! One feed for all crypto exchanges: by stream where we speak it, by asking everywhere else.

use super::aggregated::AggregatedFeed;
use super::history;
use super::merged::MergedFeed;
use super::passing::Passing;
use super::polling::{Asked, PollingFeed, PollingOptions};
use super::world::FeedWorld;
use crate::aggregate::{self, Aggregator, Hours};
use crate::exchanges::{DescribedExchange, Descriptor, find};
use crate::stream::venues::{Binance, Bybit, Coinbase, Kraken, Okx};
use crate::stream::{Options, Patience, Protocol, StreamFeed, Topic, World, is_perpetual};

use mts_foundation::market_data::{
    DataFeed, DynDataFeed, DynMarketData, FeedStats, MarketDataError, MarketEvent,
};
use mts_foundation::{Interval, Symbol};
use std::sync::Arc;
use std::time::Duration;

/// What is wanted of which exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoConfig {
    /// Its name, as `mts exchanges` lists it.
    pub exchange: String,
    /// Instruments: `BTC-USDT`, `BTC-USDT-PERP`.
    pub symbols: Vec<Symbol>,
    /// Length of the bars.
    pub timeframe: Interval,
    /// Whether prints are wanted.
    pub stream_trades: bool,
    /// Whether bars are wanted.
    pub stream_ohlcv: bool,
    /// How long an instrument may be silent until prices are stale; for bars it is two of them at least.
    pub silence: Duration,
}

impl CryptoConfig {
    /// Bars of a minute, no prints, stale after five minutes of silence.
    #[must_use]
    pub fn new(exchange: &str, symbols: impl IntoIterator<Item = Symbol>) -> Self {
        Self {
            exchange: exchange.to_owned(),
            symbols: symbols.into_iter().collect(),
            timeframe: Interval::MINUTE,
            stream_trades: false,
            stream_ohlcv: true,
            silence: Duration::from_secs(300),
        }
    }
}

/// Bars and prints of a crypto exchange.
///
/// Binance, Kraken, OKX, Coinbase Exchange and Bybit by their streams, one connection for bars and one for prints, spot and
/// perpetual futures apart; every other exchange of [`crate::exchanges`] by asking. Where an exchange has no bars of that
/// length, they are made of its prints, whole ones only. Public data needs no key.
pub struct CryptoFeed {
    name: String,
    feed: Box<dyn DynDataFeed>,
    symbols: u64,
}

impl std::fmt::Debug for CryptoFeed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CryptoFeed").field("exchange", &self.name).finish_non_exhaustive()
    }
}

impl CryptoFeed {
    /// A feed that does not run yet.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for an exchange that is not known, and what it does not have.
    pub fn new(config: &CryptoConfig, world: &FeedWorld) -> Result<Self, MarketDataError> {
        let name = config.exchange.trim().to_ascii_lowercase();
        let mut symbols = config.symbols.clone();
        symbols.sort();
        symbols.dedup();
        let source = match name.as_str() {
            "binance" | "kraken" | "okx" | "bybit" => Source::Stream(&name),
            "coinbase" | "coinbaseexchange" | "coinbasepro" => Source::Stream("coinbase"),
            _ => Source::Exchange(described(&name, find(&name).map(|found| found.text), world)?),
        };
        let make = Make { config, world, source };
        // They are other markets, with addresses of their own; equal names must not meet.
        let (perpetuals, spot): (Vec<_>, Vec<_>) = symbols.iter().cloned().partition(is_perpetual);
        let mut feeds = Vec::new();
        for (group, perpetual) in [(spot, false), (perpetuals, true)] {
            if group.is_empty() {
                continue;
            }
            if config.stream_trades {
                feeds.push(make.prints(&group, perpetual)?);
            }
            if config.stream_ohlcv {
                feeds.push(make.bars(&group, perpetual)?);
            }
        }
        let feed = match <[_; 1]>::try_from(feeds) {
            Ok([feed]) => feed,
            Err(feeds) if feeds.is_empty() => {
                let what = "a feed of nothing; name instruments, and ask for bars or prints".to_owned();
                return Err(MarketDataError::Unsupported { source_name: name, what });
            }
            Err(feeds) => Box::new(MergedFeed::as_they_come(feeds)?),
        };
        Ok(Self { name, feed, symbols: symbols.len() as u64 })
    }
}

/// An exchange by its descriptor.
fn described(
    name: &str,
    text: Option<&str>,
    world: &FeedWorld,
) -> Result<DescribedExchange, MarketDataError> {
    let fault = |what: String| MarketDataError::Unsupported { source_name: name.to_owned(), what };
    let text = text.ok_or_else(|| {
        fault("data: there is no exchange of that name; `mts exchanges` lists them".to_owned())
    })?;
    let descriptor = Descriptor::read(name, text).map_err(|error| fault(error.to_string()))?;
    DescribedExchange::new(Arc::new(descriptor), Arc::clone(&world.http), Arc::clone(&world.clock))
        .map_err(|error| fault(error.to_string()))
}

/// Where data comes from.
enum Source<'a> {
    Stream(&'a str),
    Exchange(DescribedExchange),
}

struct Make<'a> {
    config: &'a CryptoConfig,
    world: &'a FeedWorld,
    source: Source<'a>,
}

type Made = Result<Box<dyn DynDataFeed>, MarketDataError>;

impl Make<'_> {
    fn prints(&self, symbols: &[Symbol], perpetual: bool) -> Made {
        match &self.source {
            Source::Stream(venue) => {
                let topics = symbols.iter().cloned().map(Topic::trades).collect();
                self.stream(venue, topics, perpetual, self.config.silence)
            }
            Source::Exchange(exchange) => self.polling(exchange, symbols, Asked::Trades),
        }
    }

    fn bars(&self, symbols: &[Symbol], perpetual: bool) -> Made {
        let interval = self.config.timeframe;
        let bars = match &self.source {
            Source::Stream(venue) => {
                let topics = symbols.iter().map(|symbol| Topic::bars(symbol.clone(), interval)).collect();
                let silence = self.config.silence.max(interval.duration().saturating_mul(2));
                self.stream(venue, topics, perpetual, silence)
            }
            Source::Exchange(exchange) => self.polling(exchange, symbols, Asked::Bars(interval)),
        };
        let Err(MarketDataError::Unsupported { .. }) = bars else { return bars };
        // What it has no bars of has prints, or nothing; then the prints say why.
        let passing =
            Passing::Live { clock: Arc::clone(&self.world.clock), sleep: Arc::clone(&self.world.sleep) };
        let aggregator =
            Aggregator::new(Hours::always(interval), aggregate::Patience::default(), symbols.iter().cloned());
        let prints = self.prints(symbols, perpetual)?;
        Ok(Box::new(AggregatedFeed::new(prints, aggregator).passing(passing).whole_bars_only()))
    }

    fn polling(&self, exchange: &DescribedExchange, symbols: &[Symbol], asked: Asked) -> Made {
        let options = PollingOptions { silence: self.config.silence, ..PollingOptions::default() };
        let questions = symbols.iter().map(|symbol| (symbol.clone(), asked));
        let (clock, sleep) = (Arc::clone(&self.world.clock), Arc::clone(&self.world.sleep));
        Ok(Box::new(PollingFeed::new(exchange.clone(), questions, options, clock, sleep)?))
    }

    fn stream(&self, venue: &str, topics: Vec<Topic>, perpetual: bool, silence: Duration) -> Made {
        let history = history::of(venue, perpetual)
            .map(|text| described(venue, Some(text), self.world))
            .transpose()?
            .map(|exchange| Arc::new(exchange) as Arc<dyn DynMarketData>);
        Ok(match (venue, perpetual) {
            ("binance", false) => self.follow(Binance::spot(topics)?, history, silence),
            ("binance", true) => self.follow(Binance::futures(topics)?, history, silence),
            ("bybit", false) => self.follow(Bybit::spot(topics)?, history, silence),
            ("bybit", true) => self.follow(Bybit::linear(topics)?, history, silence),
            ("kraken", _) => self.follow(Kraken::new(topics)?, history, silence),
            ("okx", _) => self.follow(Okx::new(topics)?, history, silence),
            _ => self.follow(Coinbase::new(topics)?, history, silence),
        })
    }

    fn follow(
        &self,
        protocol: impl Protocol + 'static,
        history: Option<Arc<dyn DynMarketData>>,
        silence: Duration,
    ) -> Box<dyn DynDataFeed> {
        let world = World {
            connector: Arc::clone(&self.world.sockets),
            sleep: Arc::clone(&self.world.sleep),
            clock: Arc::clone(&self.world.clock),
            history,
        };
        // A candle that has just ended may still change when it is asked for.
        let options = Options { history_after: Duration::from_secs(2), ..Options::default() };
        let patience = move |_: &Topic| Patience::always(silence);
        Box::new(StreamFeed::new(protocol, patience, options, world, self.world.random))
    }
}

impl DataFeed for CryptoFeed {
    fn name(&self) -> &str {
        &self.name
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
