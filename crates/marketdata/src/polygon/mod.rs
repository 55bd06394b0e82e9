//! Polygon, now Massive: quotes, bars and prints on request, and quotes as they change.
//!
//! | what | from | units |
//! |---|---|---|
//! | quote of a share | `/v2/last/nbbo/{ticker}` | small `p`, `s` are the BID, capitals the ASK; `t` in nanoseconds |
//! | quote of an option | `/v3/quotes/{ticker}`, the newest | nanoseconds |
//! | quote of currencies | `/v1/last_quote/currencies/{base}/{quote}` | milliseconds; no sizes: zero |
//! | bars | `/v2/aggs/ticker/{ticker}/range/…`, pages | `t` is the START in milliseconds; ours have the end |
//! | prints | `/v3/trades/{ticker}`, one page | nanoseconds; `decimal_size` is the exact size |
//! | stream | [`stream::venues::Polygon`](crate::stream::venues::Polygon), of shares | milliseconds |
//!
//! Crypto has bars and prints, and no quote: Polygon has none of several exchanges together. Nothing of this was run against
//! Polygon; see docs/marketdata/polygon.md.

mod rest;
pub mod symbols;
mod wire;

pub use symbols::SYMBOLS;

use crate::stream::{Patience, Topic, venues};
use crate::vendor::rest::Rest;
use crate::vendor::stream::refused;
use crate::vendor::{Streams, venue};
use mts_foundation::io::DynHttpClient;
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::symbology::SymbolKind;
use mts_foundation::{
    Bar, Clock, Decimal, Interval, MarketCalendar, MarketData, Quote, Symbol, Timestamp, Trade,
};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// Names of Polygon's host: a link of one may lead to the other.
const HOSTS: &[&str] = &["api.massive.com", "api.polygon.io"];

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to ask.
    pub base_url: String,
    /// Where to stream shares from; `wss://delayed.massive.com/stocks` is 15 minutes late.
    pub stream_url: String,
    /// Whether prices and volumes of bars before a split are divided by it. Otherwise they are as they were paid.
    pub adjusted: bool,
    /// How many bars of the smallest kind make a page; 50,000 at the most.
    pub page: u32,
    /// How many prints are asked for; 50,000 at the most.
    pub prints: u32,
    /// Shares that one unit of a quote's size is. Tapes count shares since 2025-11-03, before that lots of mostly 100.
    pub quote_lot: Decimal,
    /// How long a quote of the stream may be silent while its market is open, before it is stale.
    pub silence: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://api.massive.com".to_owned(),
            stream_url: "wss://socket.massive.com/stocks".to_owned(),
            adjusted: false,
            page: 50_000,
            prints: 5_000,
            quote_lot: Decimal::ONE,
            silence: Duration::from_secs(60),
        }
    }
}

/// Market data of Polygon.
#[derive(Debug)]
pub struct Polygon {
    rest: Rest,
    settings: Settings,
    key: SecretString,
    calendar: Arc<MarketCalendar>,
    streams: Option<Streams>,
}

impl Polygon {
    /// With a key, over a client. Keeping the pace of the plan is the client's part.
    ///
    /// # Errors
    /// [`MarketDataError::Source`] for a key or an address that cannot be used.
    pub fn new(
        settings: Settings,
        key: SecretString,
        http: Arc<dyn DynHttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MarketDataError> {
        let keys = vec![("authorization", "Bearer ", key.clone())];
        let rest = Rest::new(venue("polygon")?, &settings.base_url, keys, http, clock)?.with_aliases(HOSTS);
        let calendar = crate::vendor::new_york()?;
        Ok(Self { rest, settings, key, calendar, streams: None })
    }

    /// With another calendar for the ends of the days and weeks of shares and options than the built-in `XNYS`.
    #[must_use]
    pub fn with_calendar(mut self, calendar: Arc<MarketCalendar>) -> Self {
        self.calendar = calendar;
        self
    }

    /// With what streams of quotes need.
    #[must_use]
    pub fn with_streams(mut self, streams: Streams) -> Self {
        self.streams = Some(streams);
        self
    }
}

fn kind(symbol: &Symbol) -> Option<SymbolKind> {
    symbol.parts().ok().map(|parts| parts.kind())
}

impl MarketData for Polygon {
    fn name(&self) -> &str {
        self.rest.venue().as_str()
    }

    async fn quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        self.newest_quote(symbol).await
    }

    /// Bars that are over, in pages until there is no further one.
    async fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        self.all_bars(symbol, interval, start, end).await
    }

    /// The newest [`Settings::prints`] prints that are not later than `asof`, oldest first: one page, asked for from the
    /// newest back. Prints that were cancelled or replaced are left out.
    async fn trades(&self, symbol: &Symbol, asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        self.newest_trades(symbol, asof).await
    }

    /// Of shares alone. That quotes are stale is an error after which the stream goes on.
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_> {
        let Some(streams) = &self.streams else {
            return refused(self.rest.lacks("streams without sockets: give it some with with_streams"));
        };
        let topics = symbols.iter().cloned().map(Topic::quotes);
        let protocol = venues::Polygon::at(topics, &self.settings.stream_url, self.key.clone())
            .map(|protocol| protocol.with_quote_lot(self.settings.quote_lot));
        let patience = Patience::in_sessions(self.settings.silence, Arc::clone(&self.calendar));
        streams.quotes(protocol, &patience, self.rest.clock())
    }
}
