//! One exchange through ccxt.

use crate::read::{self, Candle, failure, fault, lacks};
use crate::table::{self, EXCHANGES, Facts};
use ccxt::{TypedExchange, Value};
use futures_util::FutureExt;
use mts_foundation::ids::InvalidId;
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::{
    Bar, Clock, Interval, MarketData, Quote, Symbol, SymbolParts, Timestamp, Trade, VenueName,
};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Candles that are asked for at once: as many as every exchange gives.
const ROWS: u32 = 100;
/// Most requests for one call of [`MarketData::bars`].
const MAX_PAGES: usize = 2_000;
/// So many candles before the first that is wanted are asked for too: they prove that the answer reaches back.
const BEFORE: u32 = 10;
/// What is said of an answer without rows.
const NOTHING: &str = "it gave no rows; ccxt does not tell an answer that it cannot read from an empty one: look at the \
                       exchange's site";
/// What may be set. Neither keys, which have no use here, nor `verbose`, which prints.
const SETTINGS: &[&str] = &["enableRateLimit", "hostname", "options", "rateLimit", "timeout", "urls"];
/// Exchanges whose candles ccxt hands on with their ends where all others have their starts, by the sample in its own source.
const STAMPED_AT_END: &[&str] = &["ndax"];

/// Why there is no such exchange.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CcxtError {
    /// No exchange of this crate.
    #[error(
        "{id:?} is no exchange of mts-marketdata-ccxt: EXCHANGES lists them; those that mts describes itself are in \
         mts-marketdata (`mts exchanges`)"
    )]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// An exchange whose feature is off.
    #[error("{id} is not built in: turn on the feature `{id}` of mts-marketdata-ccxt")]
    NotBuilt {
        /// Which.
        id: &'static str,
    },
    /// A setting that is none, or none that this crate takes.
    #[error("settings: {message}")]
    Settings {
        /// What is wrong and what to do.
        message: String,
    },
    /// ccxt failed to make the exchange.
    #[error("{id}: ccxt could not make it: {message}")]
    Failed {
        /// Which.
        id: &'static str,
        /// What ccxt says.
        message: String,
    },
    /// The id is no name of a venue.
    #[error(transparent)]
    Name(#[from] InvalidId),
}

type Make = Box<dyn Fn() -> ccxt::Result<Box<dyn TypedExchange>> + Send + Sync>;

/// Public data of one exchange, asked through ccxt, one request at a time and at ccxt's pace for it. The list of markets is
/// read once.
pub struct CcxtExchange {
    venue: VenueName,
    facts: Facts,
    make: Make,
    /// Absent while it is asked, and when the last call did not come to its end.
    exchange: Mutex<Option<Box<dyn TypedExchange>>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for CcxtExchange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CcxtExchange").field("venue", &self.venue).finish_non_exhaustive()
    }
}

impl CcxtExchange {
    /// The exchange of that id, one of [`EXCHANGES`]. The clock says which candle is still forming.
    ///
    /// # Errors
    /// [`CcxtError`]: no such exchange, or its feature is off.
    pub fn new(id: &str, clock: Arc<dyn Clock>) -> Result<Self, CcxtError> {
        Self::with_settings(id, "{}", clock)
    }

    /// The same with settings as ccxt knows them, a JSON object of `enableRateLimit`, `hostname`, `options`, `rateLimit`,
    /// `timeout` (both in milliseconds) and `urls`: `{"urls": {"api": {"public": "http://127.0.0.1:8080"}}}`.
    ///
    /// # Errors
    /// [`CcxtError`], also for any other setting.
    pub fn with_settings(id: &str, settings: &str, clock: Arc<dyn Clock>) -> Result<Self, CcxtError> {
        let known = EXCHANGES.iter().copied().find(|known| *known == id);
        let id = known.ok_or_else(|| CcxtError::Unknown { id: id.chars().take(40).collect() })?;
        let settings = checked(settings)?;
        let build = move || ccxt::runtime::catch_typed(|| table::build(id, Some(settings.clone())));
        let built = build().map_err(|error| CcxtError::Failed { id, message: error.to_string() })?;
        let (exchange, facts) = built.ok_or(CcxtError::NotBuilt { id })?;
        let gone = || ccxt::ExchangeError::new("ExchangeError", "it cannot be made again");
        let make = move || build()?.map(|(exchange, _)| exchange).ok_or_else(gone);
        Ok(Self::of(VenueName::new(id)?, facts, exchange, Box::new(make), clock))
    }

    fn of(
        venue: VenueName,
        facts: Facts,
        exchange: Box<dyn TypedExchange>,
        make: Make,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { venue, facts, make, exchange: Mutex::new(Some(exchange)), clock }
    }

    /// Its name.
    #[must_use]
    pub fn venue(&self) -> &VenueName {
        &self.venue
    }

    fn lacks(&self, what: &str) -> MarketDataError {
        lacks(self.venue.as_str(), what)
    }

    fn fault(&self, message: &str) -> MarketDataError {
        fault(self.venue.as_str(), message)
    }

    /// Calls a method of ccxt. The exchange is taken out for it and put back after it: what a panic, or a caller who went
    /// away, left half done goes with them, and the next call makes a new one.
    async fn call(&self, method: &str, arguments: Vec<Value>) -> Result<Value, MarketDataError> {
        let mut place = self.exchange.lock().await;
        let failed = |error: ccxt::ExchangeError| failure(self.venue.as_str(), &error);
        let mut exchange = place.take().map_or_else(|| (self.make)().map_err(failed), Ok)?;
        let called = AssertUnwindSafe(exchange.call_raw(method, arguments)).catch_unwind().await;
        let answer =
            called.map_err(|_| self.fault(&format!("ccxt panicked in {method}: report it to ccxt")))?;
        *place = Some(exchange);
        answer.map_err(failed)
    }

    /// ccxt's name of a market that the exchange has.
    async fn market(&self, symbol: &Symbol) -> Result<Value, MarketDataError> {
        let names = names(symbol).ok_or_else(|| self.lacks(symbol.as_str()))?;
        let markets = self.call("load_markets", vec![Value::Bool(false)]).await?;
        let markets = markets.as_map().filter(|markets| !markets.is_empty());
        let Some(markets) = markets else {
            // ccxt would keep the empty list.
            self.exchange.lock().await.take();
            return Err(self.fault("its list of markets came empty: try again later"));
        };
        let name = names.into_iter().find(|name| markets.contains_key(name));
        name.map(|name| Value::Str(name.into())).ok_or_else(|| self.lacks(symbol.as_str()))
    }

    /// A page of candles that start at `since` or later, by their starts.
    async fn page(
        &self,
        market: &Value,
        interval: Interval,
        since: Timestamp,
    ) -> Result<Vec<(Timestamp, Candle)>, MarketDataError> {
        let millis = since.nanos().div_euclid(1_000_000).max(0);
        let timeframe = Value::Str(interval.to_string().into());
        let arguments = vec![market.clone(), timeframe, Value::Int(millis), Value::Int(ROWS.into())];
        let answer = self.call("fetch_ohlcv", arguments).await?;
        let mut rows = read::candles(self.venue.as_str(), &answer)?;
        if STAMPED_AT_END.contains(&self.venue.as_str()) {
            for (time, _) in &mut rows {
                *time = minus(*time, interval.duration());
            }
        }
        rows.sort_by_key(|(start, _)| *start);
        Ok(rows)
    }

    /// Candles with starts from `start` less their length to `until` less their length, as far as they go.
    async fn candles(
        &self,
        market: &Value,
        interval: Interval,
        start: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<Timestamp, Candle>, MarketDataError> {
        let step = interval.duration();
        let mut cursor = minus(start, step.saturating_mul(BEFORE));
        let mut candles = BTreeMap::new();
        for _page in 0..MAX_PAGES {
            if cursor.plus(step) > until {
                return if candles.is_empty() { Err(self.fault(NOTHING)) } else { Ok(candles) };
            }
            let rows = self.page(market, interval, cursor).await?;
            // Whether an exchange heeds the time that it is asked from is not known. What lies before the first candle may be a
            // market that had no trades, or a page of the newest candles whatever was asked for: that would be a gap unsaid.
            if let Some((first, _)) = rows.first().filter(|(first, _)| candles.is_empty() && *first > start) {
                return Err(self.fault(&format!("its candles begin at {first}: ask for them from then on")));
            }
            let next = rows.last().map(|(last, _)| last.plus(step)).filter(|next| *next > cursor);
            // An empty page may be a window without trades: the next one is asked for.
            cursor = next.unwrap_or_else(|| cursor.plus(step.saturating_mul(ROWS)));
            candles.extend(rows);
        }
        Err(self.fault(&format!("more than {MAX_PAGES} requests would be needed: ask for a shorter span")))
    }
}

impl MarketData for CcxtExchange {
    fn name(&self) -> &str {
        self.venue.as_str()
    }

    /// The top of the order book; of the ticker where the exchange has no book. Its time is the exchange's, or that of the answer
    /// where the exchange says none.
    async fn quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        let has_book = self.facts.offers("fetchOrderBook");
        if !has_book && !self.facts.offers("fetchTicker") {
            return Err(self.lacks("best prices"));
        }
        let (venue, market) = (self.venue.as_str(), vec![self.market(symbol).await?]);
        let top = if has_book {
            read::book(venue, &self.call("fetch_order_book", market).await?)?
        } else {
            read::ticker(venue, &self.call("fetch_ticker", market).await?)?
        };
        Ok(Quote {
            symbol: symbol.clone(),
            bid: top.bid,
            ask: top.ask,
            bid_size: top.bid_size,
            ask_size: top.ask_size,
            venue: self.venue.clone(),
            timestamp: top.time.unwrap_or_else(|| self.clock.now()),
        })
    }

    /// Closed candles only, stamped at their end (decision M1). An error where the answer does not reach back to the start, and
    /// where there is no candle at all.
    async fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let (now, step) = (self.clock.now(), interval.duration());
        if !self.facts.offers("fetchOHLCV") || !self.facts.has_timeframe(&interval.to_string()) {
            return Err(self.lacks(&format!("{interval} candles")));
        }
        let until = end.unwrap_or(now).min(now);
        if until <= start {
            return Ok(Vec::new());
        }
        let market = self.market(symbol).await?;
        let candles = self.candles(&market, interval, start, until).await?;
        let starts: Vec<Timestamp> = candles.keys().copied().collect();
        if starts.windows(2).any(|two| matches!(two, [one, next] if one.plus(step) > *next)) {
            return Err(
                self.fault(&format!("its candles are shorter than {interval}: ask for another interval"))
            );
        }
        let bar = |(began, candle): (Timestamp, Candle)| Bar {
            symbol: symbol.clone(),
            interval,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.volume,
            vwap: None,
            n_trades: None,
            timestamp: began.plus(step),
            close_only: false,
            partial: false,
        };
        let wanted = |bar: &Bar| bar.timestamp > start && bar.timestamp <= until;
        Ok(candles.into_iter().map(bar).filter(wanted).collect())
    }

    /// The newest page of trades, as far as it is not later than `asof`. An error where there is none.
    async fn trades(&self, symbol: &Symbol, asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        if !self.facts.offers("fetchTrades") {
            return Err(self.lacks("trades"));
        }
        let market = self.market(symbol).await?;
        let rows = read::trades(self.venue.as_str(), &self.call("fetch_trades", vec![market]).await?)?;
        let Some(first) = rows.first() else { return Err(self.fault(NOTHING)) };
        if first.time > asof {
            let message = format!("its recent trades do not reach back to {asof}: ask for a later time");
            return Err(self.fault(&message));
        }
        let trade = |row: read::Print| Trade {
            trade_id: row.id.into(),
            symbol: symbol.clone(),
            price: row.price,
            size: row.size,
            venue: self.venue.clone(),
            timestamp: row.time,
        };
        Ok(rows.into_iter().filter(|row| row.time <= asof).map(trade).collect())
    }

    /// Not offered: ccxt streams in another crate, `ccxt-pro`.
    fn stream_quotes(&self, _symbols: &[Symbol]) -> QuoteStream<'_> {
        Box::pin(futures_util::stream::once(std::future::ready(Err(self.lacks("streams")))))
    }
}

/// The settings as ccxt takes them.
fn checked(settings: &str) -> Result<Value, CcxtError> {
    let parsed = ccxt::runtime::json_parse(&Value::Str(settings.to_owned().into()));
    let Some(map) = parsed.as_map() else {
        return Err(CcxtError::Settings {
            message: "they are no JSON object: write such as {\"timeout\": 5000}".into(),
        });
    };
    if let Some(other) = map.keys().find(|key| !SETTINGS.contains(&key.as_str())) {
        let other: String = other.chars().take(40).collect();
        let message = format!("{other:?} cannot be set: use {}; keys have no use here", SETTINGS.join(", "));
        return Err(CcxtError::Settings { message });
    }
    Ok(parsed)
}

/// ccxt's names for a canonical symbol, the likelier first. A perpetual future is settled in its quote, or else in its base.
fn names(symbol: &Symbol) -> Option<Vec<String>> {
    match symbol.parts().ok()? {
        SymbolParts::Pair(pair) => Some(vec![format!("{}/{}", pair.base(), pair.quote())]),
        SymbolParts::Perpetual(perpetual) => {
            let (base, quote) = (perpetual.underlying().base(), perpetual.underlying().quote());
            Some(vec![format!("{base}/{quote}:{quote}"), format!("{base}/{quote}:{base}")])
        }
        _ => None,
    }
}

fn minus(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests;
