//! Market data: request/response adapters and feeds.

use crate::broker::BoxFuture;
use crate::ids::VenueName;
use crate::market::{Bar, FundingRate, Interval, Quote, Trade};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed stream of quotes.
pub type QuoteStream<'a> = Pin<Box<dyn Stream<Item = Result<Quote, MarketDataError>> + Send + 'a>>;

/// Why market data is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketDataError {
    /// The source cannot be read.
    #[error("{path}: {message}")]
    Source {
        /// File or host.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A record of the source is not usable.
    #[error("{path}, line {line}: {message}")]
    Record {
        /// File or host.
        path: String,
        /// Line or record number, from 1.
        line: u64,
        /// What is wrong and what to do.
        message: String,
    },
    /// The source does not offer this.
    #[error("{source_name} does not offer {what}")]
    Unsupported {
        /// Which source.
        source_name: String,
        /// What was asked for.
        what: String,
    },
    /// The call failed at the venue.
    #[error("{source_name}: {message}")]
    Venue {
        /// Which source.
        source_name: String,
        /// What was seen, free of secrets.
        message: String,
    },
}

/// Quotes, bars and trades on request. Symbols are canonical on this side.
#[doc(alias = "MarketDataProtocol")]
pub trait MarketData: Send + Sync {
    /// Stable name.
    fn name(&self) -> &str;
    /// Best bid and offer now.
    fn quote(&self, symbol: &Symbol) -> impl Future<Output = Result<Quote, MarketDataError>> + Send;
    /// Bars whose end lies in (start, end]; `end` absent = up to the newest.
    fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> impl Future<Output = Result<Vec<Bar>, MarketDataError>> + Send;
    /// Prints up to an instant.
    fn trades(
        &self,
        symbol: &Symbol,
        asof: Timestamp,
    ) -> impl Future<Output = Result<Vec<Trade>, MarketDataError>> + Send;
    /// Quotes as they change.
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_>;
}

/// The object-safe twin of [`MarketData`], implemented for every adapter.
pub trait DynMarketData: Send + Sync {
    /// See [`MarketData::name`].
    fn name(&self) -> &str;
    /// See [`MarketData::quote`].
    fn quote<'a>(&'a self, symbol: &'a Symbol) -> BoxFuture<'a, Result<Quote, MarketDataError>>;
    /// See [`MarketData::bars`].
    fn bars<'a>(
        &'a self,
        symbol: &'a Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Vec<Bar>, MarketDataError>>;
    /// See [`MarketData::trades`].
    fn trades<'a>(
        &'a self,
        symbol: &'a Symbol,
        asof: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Trade>, MarketDataError>>;
    /// See [`MarketData::stream_quotes`].
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_>;
}

impl<M: MarketData> DynMarketData for M {
    fn name(&self) -> &str {
        MarketData::name(self)
    }
    fn quote<'a>(&'a self, symbol: &'a Symbol) -> BoxFuture<'a, Result<Quote, MarketDataError>> {
        Box::pin(MarketData::quote(self, symbol))
    }
    fn bars<'a>(
        &'a self,
        symbol: &'a Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Vec<Bar>, MarketDataError>> {
        Box::pin(MarketData::bars(self, symbol, interval, start, end))
    }
    fn trades<'a>(
        &'a self,
        symbol: &'a Symbol,
        asof: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Trade>, MarketDataError>> {
        Box::pin(MarketData::trades(self, symbol, asof))
    }
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_> {
        MarketData::stream_quotes(self, symbols)
    }
}

/// Why prices are stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleCause {
    /// The stream is interrupted, or what it missed is still asked for: events of the past may follow.
    Interrupted,
    /// The stream is there and says nothing of these instruments.
    Silent,
}

/// One step of a feed.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketEvent {
    /// Bars that end at one instant, at most one per symbol, in symbol order. Where each instrument has a clock of its own,
    /// others of the same instant may follow.
    Bars {
        /// Their end.
        time: Timestamp,
        /// The bars.
        bars: Arc<[Bar]>,
    },
    /// A bar that was handed on was not right; this one takes its place. Who acted on the first has acted.
    Revised(Bar),
    /// A quote.
    Quote(Quote),
    /// A print.
    Trade(Trade),
    /// The stream was interrupted.
    Gap {
        /// Where.
        venue: VenueName,
        /// Last instant that is certainly covered.
        from: Timestamp,
        /// First instant that is covered again.
        to: Timestamp,
    },
    /// Prices have not come for too long and are not to be trusted until `Recovered`. Said again when `symbols` change: those
    /// that it leaves out flow again.
    Stale {
        /// Where.
        venue: VenueName,
        /// Since when the first of them has been missing.
        since: Timestamp,
        /// Whose prices, sorted; never empty.
        symbols: Arc<[Symbol]>,
        /// What is wrong.
        cause: StaleCause,
    },
    /// Data of all instruments flows again.
    Recovered {
        /// Where.
        venue: VenueName,
        /// When.
        time: Timestamp,
    },
    /// What was missed while the stream was interrupted follows, taken from the history: the events of the symbol up to `to`
    /// are late.
    Backfilled {
        /// Where.
        venue: VenueName,
        /// Whose.
        symbol: Symbol,
        /// The last instant that was covered before.
        from: Timestamp,
        /// The last instant that the history covers.
        to: Timestamp,
    },
    /// What holders of a perpetual future pay or get; it comes when it has changed.
    Funding(FundingRate),
    /// The stream has ended for a reason that trying again does not mend. Nothing follows.
    Fatal {
        /// Where.
        venue: VenueName,
        /// Why, and what to do.
        message: String,
    },
}

impl MarketEvent {
    /// The time of what has a new price: a quote's, a print's, the end of bars. `None` = it says something about the stream, or
    /// about what came before.
    #[must_use]
    pub const fn priced_at(&self) -> Option<Timestamp> {
        match self {
            Self::Bars { time, .. } => Some(*time),
            Self::Quote(quote) => Some(quote.timestamp),
            Self::Trade(trade) => Some(trade.timestamp),
            Self::Revised(_)
            | Self::Gap { .. }
            | Self::Stale { .. }
            | Self::Recovered { .. }
            | Self::Backfilled { .. }
            | Self::Funding(_)
            | Self::Fatal { .. } => None,
        }
    }
}

/// What a feed has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeedStats {
    /// Started and not stopped.
    pub running: bool,
    /// Events handed out.
    pub ticks: u64,
    /// Events held back by throttling.
    pub throttled: u64,
    /// Instruments followed.
    pub symbols: u64,
    /// The last event's time.
    pub last_time: Option<Timestamp>,
}

/// A source of market events in time order.
#[doc(alias = "DataFeedProtocol")]
pub trait DataFeed: Send {
    /// Stable name.
    fn name(&self) -> &str;
    /// Begins; does nothing when running.
    fn start(&mut self) -> impl Future<Output = Result<(), MarketDataError>> + Send;
    /// The next event; `None` = the feed has ended. Safe to drop: no event is lost by it.
    fn next(&mut self) -> impl Future<Output = Result<Option<MarketEvent>, MarketDataError>> + Send;
    /// Ends; does nothing when stopped.
    fn stop(&mut self) -> impl Future<Output = Result<(), MarketDataError>> + Send;
    /// What it has done so far.
    fn stats(&self) -> FeedStats;
}

/// The object-safe twin of [`DataFeed`], implemented for every feed.
pub trait DynDataFeed: Send {
    /// See [`DataFeed::name`].
    fn name(&self) -> &str;
    /// See [`DataFeed::start`].
    fn start(&mut self) -> BoxFuture<'_, Result<(), MarketDataError>>;
    /// See [`DataFeed::next`].
    fn next(&mut self) -> BoxFuture<'_, Result<Option<MarketEvent>, MarketDataError>>;
    /// See [`DataFeed::stop`].
    fn stop(&mut self) -> BoxFuture<'_, Result<(), MarketDataError>>;
    /// See [`DataFeed::stats`].
    fn stats(&self) -> FeedStats;
}

impl<F: DataFeed> DynDataFeed for F {
    fn name(&self) -> &str {
        DataFeed::name(self)
    }
    fn start(&mut self) -> BoxFuture<'_, Result<(), MarketDataError>> {
        Box::pin(DataFeed::start(self))
    }
    fn next(&mut self) -> BoxFuture<'_, Result<Option<MarketEvent>, MarketDataError>> {
        Box::pin(DataFeed::next(self))
    }
    fn stop(&mut self) -> BoxFuture<'_, Result<(), MarketDataError>> {
        Box::pin(DataFeed::stop(self))
    }
    fn stats(&self) -> FeedStats {
        DataFeed::stats(self)
    }
}
