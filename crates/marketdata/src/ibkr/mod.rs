//! Interactive Brokers: quotes, bars and prints on request, and ticks as they come, over a TWS or an IB Gateway that
//! somebody has logged in.
//!
//! | what | from | |
//! |---|---|---|
//! | quote | `reqMktData`, until both sides are there | its time is our clock's: TWS tells none |
//! | bars | `reqHistoricalData`, page by page from the newest back | TWS labels by the START; ours have the end |
//! | prints | `reqHistoricalTicks`, one answer | times are whole seconds, there are no ids |
//! | ticks | [`IbTicksFeed`], over `reqMktData` or `reqTickByTickData` | |
//!
//! Nothing of this was run against Interactive Brokers; see docs/marketdata/ibkr.md.

mod asks;
mod contracts;
mod gateway;
mod health;
mod level;
mod line;
mod past;
mod ticks;

pub use gateway::{IbkrGateway, IbkrSettings, Prices};
pub use ticks::{IbTicksConfig, IbTicksFeed};

use crate::vendor::bars::Span;
use crate::vendor::stream::{quotes_of, refused};
use futures_util::StreamExt;
use ibapi::Error;
use ibapi::contracts::{Contract, SecurityType};
use ibapi::market_data::TradingHours;
use ibapi::market_data::historical::{BarTimestamp, TickLast, WhatToShow};
use ibapi::subscriptions::SubscriptionItem;
use level::{Level, exact, seconds};
use line::{Line, Wanted};
use mts_foundation::market::IntervalUnit;
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::symbology::SymbolParts;
use mts_foundation::{Bar, Decimal, Interval, MarketCalendar, MarketData, Quote, Symbol, Timestamp, Trade};
use smol_str::SmolStr;
use std::sync::Arc;

/// Most answers of one request for bars.
const MAX_PAGES: usize = 1_000;
/// How many prints are asked for; TWS gives no more at once.
const PRINTS: i32 = 1_000;
/// Most prints of one answer: those of the last second come whole.
const MAX_PRINTS: usize = 100_000;

/// The prints, as price, size and time, that words of prints (`RTVolume`) come to, of which those after an instant count.
/// For the fuzz target alone: a feed takes them from a TWS.
#[doc(hidden)]
pub fn prints_of_words<'a>(
    since: Timestamp,
    words: impl IntoIterator<Item = &'a str>,
) -> Vec<(Decimal, Decimal, Timestamp)> {
    let mut level = Level::new(since);
    let prints = words.into_iter().filter_map(|words| level.print(words));
    prints.map(|print| (print.price, print.size, print.time)).collect()
}

/// Market data of Interactive Brokers.
#[derive(Debug)]
pub struct Ibkr {
    gateway: Arc<IbkrGateway>,
    calendar: Arc<MarketCalendar>,
}

/// An instant as the library has it, in whole seconds.
macro_rules! library_time {
    ($at:expr) => {
        // The library takes times of a crate that is not ours; reading one from text does without it.
        match ($at.nanos().div_euclid(1_000_000_000)).to_string().parse::<BarTimestamp>() {
            Ok(BarTimestamp::DateTime(at)) => Ok(at),
            _ => Err(Error::InvalidArgument(format!("{} is out of range", $at))),
        }
    };
}

impl Ibkr {
    /// Over a gateway.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn new(gateway: Arc<IbkrGateway>) -> Result<Self, MarketDataError> {
        Ok(Self { gateway, calendar: crate::vendor::new_york()? })
    }

    /// With another calendar for the ends of days and weeks of shares in the United States than the built-in `XNYS`.
    #[must_use]
    pub fn with_calendar(mut self, calendar: Arc<MarketCalendar>) -> Self {
        self.calendar = calendar;
        self
    }

    fn hours(&self) -> TradingHours {
        TradingHours::from_use_rth(!self.gateway.settings.extended_hours)
    }

    async fn touch(&self, symbol: &Symbol, contract: &Contract) -> Result<Quote, Error> {
        let client = self.gateway.client().await?;
        let mut ticks = client.market_data(contract).subscribe().await?;
        let mut level = Level::new(Timestamp::EPOCH);
        let delayed = self.gateway.settings.prices == Prices::Delayed;
        while let Some(tick) = StreamExt::next(&mut ticks).await {
            if let SubscriptionItem::Data(tick) = tick? {
                level.take(&tick, delayed);
            }
            if let Some([bid, ask]) = level.news() {
                return Ok(line::quote_of(&self.gateway, symbol, [bid, ask], self.gateway.clock.now()));
            }
        }
        Err(Error::UnexpectedEndOfStream)
    }

    async fn page(
        &self,
        contract: &Contract,
        page: &past::Page,
        until: Timestamp,
    ) -> Result<Vec<ibapi::market_data::historical::Bar>, Error> {
        let what = match contract.security_type {
            SecurityType::ForexPair => WhatToShow::MidPoint,
            SecurityType::Crypto => WhatToShow::AggTrades,
            _ => WhatToShow::Trades,
        };
        let client = self.gateway.client().await?;
        let asked = client.historical_data(contract, page.size).duration(page.reach).what_to_show(what);
        let asked = asked.trading_hours(self.hours()).ending(library_time!(until)?);
        match self.gateway.within(asked.fetch()).await {
            Ok(data) => Ok(data.bars),
            Err(Error::Notice(notice)) if notice.code == 162 && notice.message.contains("no data") => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    async fn past_prints(&self, contract: &Contract, asof: Timestamp) -> Result<Vec<TickLast>, Error> {
        let client = self.gateway.client().await?;
        let asked = client.historical_ticks(contract, PRINTS).ending(library_time!(asof)?);
        let mut ticks = asked.trading_hours(self.hours()).trade().await?;
        let mut prints = Vec::new();
        while let Some(tick) = StreamExt::next(&mut ticks).await {
            match tick? {
                SubscriptionItem::Data(tick) if prints.len() < MAX_PRINTS => prints.push(tick),
                SubscriptionItem::Data(_) => break,
                // Some of the answer was dropped.
                SubscriptionItem::Notice(notice) if notice.code < 0 => return Err(Error::Notice(notice)),
                SubscriptionItem::Notice(_) => {}
            }
        }
        Ok(prints)
    }

    /// Whether its days and weeks are those of the calendar.
    fn has_calendar(symbol: &Symbol) -> bool {
        match symbol.parts() {
            Ok(SymbolParts::Equity(share)) => share.market().is_none(),
            Ok(SymbolParts::Option(_)) => true,
            _ => false,
        }
    }
}

impl MarketData for Ibkr {
    fn name(&self) -> &str {
        self.gateway.venue.as_str()
    }

    /// The best prices, as soon as both sides are there.
    async fn quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        let contract = self.gateway.contract(symbol)?;
        self.gateway.within(self.touch(symbol, &contract)).await.map_err(|error| match error {
            Error::Timeout => self.gateway.fault(format!("{symbol} has no bid and ask now")),
            error => self.gateway.failed(&error),
        })
    }

    /// Bars that are over, of trades; of currencies of the middle, without volume. TWS adjusts them for splits.
    async fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let lacks = |what: String| self.gateway.lacks(what);
        let contract = self.gateway.contract(symbol)?;
        let page = past::page(interval).ok_or_else(|| {
            lacks(format!(
                "bars of {interval}; it has 1s, 5s, 10s, 15s, 30s, 1m, 2m, 3m, 5m, 10m, 15m, 20m, 30m, 1h, 1d and 1w"
            ))
        })?;
        let sessions = matches!(interval.unit(), IntervalUnit::Day | IntervalUnit::Week);
        if sessions && !Self::has_calendar(symbol) {
            return Err(lacks(format!("days and weeks of {symbol}, whose sessions are not known here")));
        }
        let now = self.gateway.clock.now();
        let (span, short) = (Span::new(start, end, now), past::is_short(interval));
        if short && now.since(start) > past::SHORT_REACH {
            return Err(lacks(format!("bars of {interval} of before the last 180 days")));
        }
        let mut rows = past::Rows::default();
        // Bars are asked for by where they begin; the last one of a session may be over before its length is.
        let mut until = span.until;
        for _ in 0..MAX_PAGES {
            if until <= span.after {
                let bars = rows.done(symbol, interval, span, &self.calendar);
                return bars.map_err(|why| self.gateway.fault(why));
            }
            let wait = self.gateway.pace.lock().await.wait(self.gateway.clock.monotonic(), short);
            if !wait.is_zero() {
                self.gateway.sleep.sleep(wait).await;
            }
            let told = self.page(&contract, &page, until).await;
            let told = told.map_err(|error| self.gateway.failed(&error))?;
            let first = rows.take(told).map_err(|why| self.gateway.fault(why))?;
            until = past::before(until, first, &page);
        }
        Err(self.gateway.fault(format!("more than {MAX_PAGES} pages of bars; ask for a shorter span")))
    }

    /// The last 1,000 prints that are not later than `asof`, with the others of the second of the first of them,
    /// oldest first. What was not reported to the tape is left out.
    async fn trades(&self, symbol: &Symbol, asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        let contract = self.gateway.contract(symbol)?;
        let told = self.gateway.within(self.past_prints(&contract, asof)).await;
        let told = told.map_err(|error| self.gateway.failed(&error))?;
        let mut trades = Vec::with_capacity(told.len());
        for told in told.into_iter().filter(|told| !told.tick_attribute_last.unreported) {
            let timestamp = seconds(told.timestamp.unix_timestamp());
            let (price, size) = (exact(told.price), told.size.and_then(exact));
            let (Some(price), Some(size)) = (price, size.filter(|size| *size >= Decimal::ZERO)) else {
                return Err(self
                    .gateway
                    .fault(format!("a print of {symbol} of {timestamp} has no price or size")));
            };
            if timestamp <= asof {
                let (symbol, venue) = (symbol.clone(), self.gateway.venue.clone());
                trades.push(Trade { trade_id: SmolStr::default(), symbol, price, size, venue, timestamp });
            }
        }
        Ok(trades)
    }

    /// That quotes are stale is an error after which the stream goes on.
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_> {
        match Line::new(Arc::clone(&self.gateway), symbols, Wanted::Quotes) {
            Ok(line) => quotes_of(line),
            Err(error) => refused(error),
        }
    }
}
