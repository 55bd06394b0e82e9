//! Tradier: quotes and bars of shares and options on request.
//!
//! | what | from | units |
//! |---|---|---|
//! | quote | `/markets/quotes` | times in milliseconds; sizes in hundreds of shares |
//! | bars of days and weeks | `/markets/history` | labelled by a date; prices are adjusted for splits, always |
//! | bars of 1, 5 and 15 minutes | `/markets/timesales`, of the last days alone | `timestamp` is the START, in seconds |
//!
//! There are no prints: `/markets/timesales` by tick has neither ids nor times below a second. Its stream is not read. One of
//! a list comes without the list, and nothing may come as the text `"null"`. Nothing of this was run against Tradier; see
//! docs/marketdata/tradier.md.

mod rest;
mod wire;

use crate::vendor::rest::Rest;
use crate::vendor::stream::refused;
use crate::vendor::venue;
use mts_foundation::io::DynHttpClient;
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::symbology::{EquityForm, Form, OptionForm};
use mts_foundation::{
    Bar, Clock, Decimal, Interval, MarketCalendar, MarketData, Quote, Symbol, Timestamp, Trade,
    VenueSymbology,
};
use secrecy::SecretString;
use std::sync::Arc;

/// How instruments are named: `BRK/B`, and options as in the canonical form.
pub const SYMBOLS: VenueSymbology = VenueSymbology::new(
    "tradier",
    &[
        Form::Equity(EquityForm { class_separator: Some("/"), ..EquityForm::PLAIN }),
        Form::Option(OptionForm::PLAIN),
    ],
);

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to ask; `https://sandbox.tradier.com/v1` is 15 minutes late.
    pub base_url: String,
    /// Whether intraday bars hold what is traded before and after the session. They then reach back half as far.
    pub extended_hours: bool,
    /// Shares that one unit of a quote's size is.
    pub quote_lot: Decimal,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://api.tradier.com/v1".to_owned(),
            extended_hours: false,
            quote_lot: Decimal::ONE_HUNDRED,
        }
    }
}

/// Market data of Tradier.
#[derive(Debug)]
pub struct Tradier {
    rest: Rest,
    settings: Settings,
    calendar: Arc<MarketCalendar>,
}

impl Tradier {
    /// With a token, over a client. Keeping the pace (120 requests a minute, 60 in the sandbox) is the client's part.
    ///
    /// # Errors
    /// [`MarketDataError::Source`] for a token or an address that cannot be used.
    pub fn new(
        settings: Settings,
        token: SecretString,
        http: Arc<dyn DynHttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MarketDataError> {
        let keys = vec![("authorization", "Bearer ", token)];
        let rest = Rest::new(venue("tradier")?, &settings.base_url, keys, http, clock)?;
        Ok(Self { rest, settings, calendar: crate::vendor::new_york()? })
    }

    /// With another calendar for the ends of days and weeks than the built-in `XNYS`.
    #[must_use]
    pub fn with_calendar(mut self, calendar: Arc<MarketCalendar>) -> Self {
        self.calendar = calendar;
        self
    }
}

impl MarketData for Tradier {
    fn name(&self) -> &str {
        self.rest.venue().as_str()
    }

    async fn quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        self.newest_quote(symbol).await
    }

    /// Bars that are over. Minutes reach back a few weeks only; a start before that is an error.
    async fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        self.all_bars(symbol, interval, start, end).await
    }

    /// Not offered.
    async fn trades(&self, _symbol: &Symbol, _asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        Err(self.rest.lacks("prints with ids"))
    }

    /// Not offered.
    fn stream_quotes(&self, _symbols: &[Symbol]) -> QuoteStream<'_> {
        refused(self.rest.lacks("a stream here; ask for quotes"))
    }
}
