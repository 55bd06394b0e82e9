//! Alpaca: quotes, bars and prints of shares and crypto on request, and quotes as they change.
//!
//! | what | from | units |
//! |---|---|---|
//! | quote | `/v2/stocks/quotes/latest`, `/v1beta3/crypto/us/latest/quotes` | an unknown symbol is absent |
//! | bars | `/v2/stocks/bars`, `/v1beta3/crypto/us/bars`, pages | `t` is the START; ours have the end |
//! | prints | `/v2/stocks/trades`, `/v1beta3/crypto/us/trades`, one page | times have nanoseconds |
//! | stream | [`stream::venues::Alpaca`](crate::stream::venues::Alpaca) | |
//!
//! Crypto has bars also of minutes without prints, made of quotes, with no volume. Options are not offered. Nothing of this was
//! run against Alpaca; see docs/marketdata/alpaca.md.

mod rest;
mod wire;

use crate::stream::{Patience, Topic, venues};
use crate::vendor::rest::Rest;
use crate::vendor::stream::refused;
use crate::vendor::{Streams, venue};
use mts_foundation::io::DynHttpClient;
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::symbology::{EquityForm, Form, PairForm, SymbolKind};
use mts_foundation::{
    Bar, Clock, Decimal, Interval, MarketCalendar, MarketData, Quote, Symbol, Timestamp, Trade,
    VenueSymbology,
};
use secrecy::SecretString;
use smol_str::{SmolStr, format_smolstr};
use std::sync::Arc;
use std::time::Duration;

/// How instruments are named: `BRK.B`, `BTC/USD`.
pub const SYMBOLS: VenueSymbology = VenueSymbology::new(
    "alpaca",
    &[
        Form::Equity(EquityForm::PLAIN),
        Form::Crypto(PairForm { separator: "/", quotes: &["USD", "USDT", "USDC", "BTC"], ..PairForm::PLAIN }),
    ],
);

/// The id of a print: the exchange's letter, where there is one, and the id there.
#[must_use]
pub fn trade_id(exchange: Option<&str>, id: Option<u64>) -> SmolStr {
    match (exchange, id) {
        (_, None) => SmolStr::default(),
        (Some(exchange), Some(id)) => format_smolstr!("{exchange}-{id}"),
        (None, Some(id)) => format_smolstr!("{id}"),
    }
}

/// Where the data of shares comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// The exchange IEX alone, a few percent of the volume; what the free plan has.
    #[default]
    Iex,
    /// All exchanges of the United States.
    Sip,
    /// The same, 15 minutes late.
    DelayedSip,
    /// Over the counter.
    Otc,
    /// Blue Ocean, overnight.
    Boats,
    /// Alpaca's own overnight prices.
    Overnight,
}

impl Feed {
    /// Alpaca's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Iex => "iex",
            Self::Sip => "sip",
            Self::DelayedSip => "delayed_sip",
            Self::Otc => "otc",
            Self::Boats => "boats",
            Self::Overnight => "overnight",
        }
    }
}

/// What bars of shares are adjusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adjustment {
    /// Nothing: prices as they were paid.
    #[default]
    Raw,
    /// Splits.
    Split,
    /// Dividends.
    Dividend,
    /// Both.
    All,
}

impl Adjustment {
    const fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Split => "split",
            Self::Dividend => "dividend",
            Self::All => "all",
        }
    }
}

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to ask.
    pub base_url: String,
    /// Where to stream from; the path of the feed is appended.
    pub stream_url: String,
    /// Where the data of shares comes from.
    pub feed: Feed,
    /// What bars of shares are adjusted for.
    pub adjustment: Adjustment,
    /// How many bars make a page; 10,000 at the most.
    pub page: u32,
    /// How many prints are asked for; 10,000 at the most.
    pub prints: u32,
    /// How far back prints are looked for.
    pub prints_within: Duration,
    /// Shares that one unit of a quote's size is. Tapes count shares since 2025-11-03, before that lots of mostly 100.
    pub quote_lot: Decimal,
    /// How long a quote of the stream may be silent while its market is open, before it is stale.
    pub silence: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://data.alpaca.markets".to_owned(),
            stream_url: "wss://stream.data.alpaca.markets".to_owned(),
            feed: Feed::default(),
            adjustment: Adjustment::default(),
            page: 10_000,
            prints: 5_000,
            prints_within: Duration::from_secs(7 * 86_400),
            quote_lot: Decimal::ONE,
            silence: Duration::from_secs(60),
        }
    }
}

/// Market data of Alpaca.
#[derive(Debug)]
pub struct Alpaca {
    rest: Rest,
    settings: Settings,
    key: (SecretString, SecretString),
    calendar: Arc<MarketCalendar>,
    streams: Option<Streams>,
}

impl Alpaca {
    /// With a key, its id and its secret, over a client. Keeping the pace of the plan (200 requests a minute in the free one)
    /// is the client's part.
    ///
    /// # Errors
    /// [`MarketDataError::Source`] for a key or an address that cannot be used.
    pub fn new(
        settings: Settings,
        key: (SecretString, SecretString),
        http: Arc<dyn DynHttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MarketDataError> {
        let keys = vec![("apca-api-key-id", "", key.0.clone()), ("apca-api-secret-key", "", key.1.clone())];
        let rest = Rest::new(venue("alpaca")?, &settings.base_url, keys, http, clock)?;
        let calendar = crate::vendor::new_york()?;
        Ok(Self { rest, settings, key, calendar, streams: None })
    }

    /// With another calendar for the ends of the days and weeks of shares than the built-in `XNYS`.
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

/// Whether it is crypto: by what it is, not by what it is quoted in, for `ETH/BTC` is.
fn is_crypto(symbol: &Symbol) -> bool {
    symbol.parts().is_ok_and(|parts| parts.kind() == SymbolKind::Crypto)
}

impl MarketData for Alpaca {
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

    /// The newest [`Settings::prints`] prints that are not later than `asof`, oldest first, and not older than
    /// [`Settings::prints_within`]: one page, asked for from the newest back. What was cancelled or replaced is left out.
    async fn trades(&self, symbol: &Symbol, asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        self.newest_trades(symbol, asof).await
    }

    /// Of shares or of crypto, not of both. That quotes are stale is an error after which the stream goes on.
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_> {
        let Some(streams) = &self.streams else {
            return refused(self.rest.lacks("streams without sockets: give it some with with_streams"));
        };
        let is_crypto = symbols.first().is_some_and(is_crypto);
        let path = if is_crypto {
            "v1beta3/crypto/us".to_owned()
        } else {
            format!("v2/{}", self.settings.feed.word())
        };
        let url = format!("{}/{path}", self.settings.stream_url.trim_end_matches('/'));
        let lot = if is_crypto { Decimal::ONE } else { self.settings.quote_lot };
        let topics = symbols.iter().cloned().map(Topic::quotes);
        let protocol = venues::Alpaca::at(topics, &url, self.key.clone());
        let protocol = protocol.map(|protocol| protocol.with_quote_lot(lot));
        let patience = if is_crypto {
            Patience::always(self.settings.silence)
        } else {
            Patience::in_sessions(self.settings.silence, Arc::clone(&self.calendar))
        };
        streams.quotes(protocol, &patience, self.rest.clock())
    }
}
