//! An exchange that is asked by its descriptor, over an HTTP client that is given.

use super::descriptor::{Descriptor, MarketForm, Method};
use super::json::Json;
use super::read::{Candle, Funding, Ticker, failure};
use super::url::Asked;
use bytes::Bytes;
use futures_core::Stream;
use mts_foundation::ids::InvalidId;
use mts_foundation::io::{DynHttpClient, RequestOptions};
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::{Bar, Clock, Decimal, Interval, MarketData, Quote, Symbol, Timestamp, Trade, VenueName};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Most requests for one call of [`MarketData::bars`].
const MAX_PAGES: usize = 2_000;
/// Rows that are asked for where the descriptor says nothing.
const ROWS: u32 = 100;
/// How much of a refusal is told.
const MAX_TOLD: usize = 200;

/// Public data of one exchange.
#[derive(Clone)]
pub struct DescribedExchange {
    descriptor: Arc<Descriptor>,
    venue: VenueName,
    http: Arc<dyn DynHttpClient>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for DescribedExchange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("DescribedExchange").field("venue", &self.venue).finish_non_exhaustive()
    }
}

impl DescribedExchange {
    /// An exchange. Keeping [`Descriptor::pace_ms`] between requests is the client's part; each request carries its weight.
    ///
    /// # Errors
    /// [`InvalidId`] when the descriptor's id is no name of a venue.
    pub fn new(
        descriptor: Arc<Descriptor>,
        http: Arc<dyn DynHttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidId> {
        let venue = VenueName::new(&descriptor.id)?;
        Ok(Self { descriptor, venue, http, clock })
    }

    /// What it is described by.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The day's figures of a market.
    ///
    /// # Errors
    /// [`MarketDataError`]: not offered, or the call failed.
    pub async fn ticker(&self, symbol: &Symbol) -> Result<Ticker, MarketDataError> {
        let (form, asked) = self.market(symbol)?;
        let method = self.method(&self.descriptor.ticker, form, "tickers")?;
        let reply = self.ask(method, &asked).await?;
        method.ticker(&reply, &asked.id).map_err(|error| self.fault(&error.message))
    }

    /// The funding rate of a perpetual future.
    ///
    /// # Errors
    /// As [`DescribedExchange::ticker`].
    pub async fn funding(&self, symbol: &Symbol) -> Result<Funding, MarketDataError> {
        let (form, asked) = self.market(symbol)?;
        let method = self.method(&self.descriptor.funding, form, "funding rates")?;
        let reply = self.ask(method, &asked).await?;
        method.funding(&reply, &asked.id).map_err(|error| self.fault(&error.message))
    }

    fn market(&self, symbol: &Symbol) -> Result<(&MarketForm, Asked), MarketDataError> {
        let (form, asked) = self.descriptor.market(symbol).ok_or_else(|| self.lacks(symbol.as_str()))?;
        Ok((form, Asked { now: Some(self.clock.now()), ..asked }))
    }

    fn method<'a, R>(
        &self,
        methods: &'a [Method<R>],
        form: &MarketForm,
        what: &str,
    ) -> Result<&'a Method<R>, MarketDataError> {
        Method::of(methods, &form.name).ok_or_else(|| self.lacks(&format!("{what} of {} markets", form.name)))
    }

    fn lacks(&self, what: &str) -> MarketDataError {
        MarketDataError::Unsupported { source_name: self.venue.to_string(), what: what.to_owned() }
    }

    fn fault(&self, message: &str) -> MarketDataError {
        let message = message.chars().take(MAX_TOLD).collect();
        MarketDataError::Venue { source_name: self.venue.to_string(), message }
    }

    async fn ask<R: Sync>(&self, method: &Method<R>, asked: &Asked) -> Result<Json, MarketDataError> {
        let blank = |name: String| self.fault(&format!("the descriptor needs {name} here: mend its address"));
        let address = method.get.fill(asked).map_err(blank)?;
        let body = method.body.as_ref().map(|body| body.fill_plain(asked)).transpose().map_err(blank)?;
        let request = http::Request::builder().uri(&address).header("accept", "application/json");
        let request = match body {
            None => request.method("GET").body(Bytes::new()),
            Some(body) => {
                request.method("POST").header("content-type", "application/json").body(Bytes::from(body))
            }
        };
        let request = request.map_err(|error| self.fault(&format!("{address}: {error}")))?;
        let options = RequestOptions { weight: method.weight, ..RequestOptions::read() };
        let reply = self.http.send(request, &options).await.map_err(|error| self.fault(&error.message))?;
        let text = String::from_utf8_lossy(reply.body());
        let read = Json::parse(&text);
        if !reply.status().is_success() {
            let said = read.ok().and_then(|reply| failure(&self.descriptor, &reply));
            let said = said.unwrap_or_else(|| text.chars().take(MAX_TOLD).collect());
            return Err(self.fault(&format!("HTTP {}: {said}", reply.status().as_u16())));
        }
        let read = read.map_err(|error| self.fault(&error.message))?;
        failure(&self.descriptor, &read).map_or(Ok(read), |said| Err(self.fault(&said)))
    }
}

/// What is wanted of the candles of a market.
struct Span {
    /// Length of a candle.
    step: Duration,
    /// Candles that end after this.
    after: Timestamp,
    /// And not later than this.
    until: Timestamp,
    /// The present.
    now: Timestamp,
}

impl Span {
    fn wants(&self, candle: &Candle) -> bool {
        let end = candle.start.plus(self.step);
        end > self.after && end <= self.until && end <= self.now && candle.closed != Some(false)
    }
}

fn minus(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

impl MarketData for DescribedExchange {
    fn name(&self) -> &str {
        self.venue.as_str()
    }

    /// Of the ticker. Its time is the exchange's, or that of the request where the exchange says none.
    async fn quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        let ticker = self.ticker(symbol).await?;
        let (Some(bid), Some(ask)) = (ticker.bid, ticker.ask) else {
            return Err(self.lacks(&format!("best prices in the ticker of {symbol}")));
        };
        Ok(Quote {
            symbol: symbol.clone(),
            bid,
            ask,
            bid_size: ticker.bid_size.unwrap_or(Decimal::ZERO),
            ask_size: ticker.ask_size.unwrap_or(Decimal::ZERO),
            venue: self.venue.clone(),
            timestamp: ticker.time.unwrap_or_else(|| self.clock.now()),
        })
    }

    /// Closed candles only, stamped at their end (decision M1).
    async fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let (form, mut asked) = self.market(symbol)?;
        let method = self.method(&self.descriptor.candles, form, "candles")?;
        let timeframe = self.descriptor.timeframes.get(&interval);
        asked.timeframe = Some(timeframe.ok_or_else(|| self.lacks(&format!("{interval} candles")))?.clone());
        let (now, step) = (self.clock.now(), interval.duration());
        let span = Span { step, after: start, until: end.unwrap_or(now).min(now), now };
        let limit = method.limit.unwrap_or(ROWS);
        let mut cursor = minus(start, step);
        let mut candles: Vec<Candle> = Vec::new();
        for _page in 0..MAX_PAGES {
            if cursor.plus(step) > span.until {
                return Ok(bars(symbol, interval, candles));
            }
            let window = cursor.plus(step.saturating_mul(limit)).min(span.until);
            asked.start = Some(cursor);
            // Whether the exchange takes the end in or not: the candle that starts there belongs to the next page.
            asked.end = Some(minus(window, Duration::from_millis(1)));
            asked.limit = Some(limit);
            let reply = self.ask(method, &asked).await?;
            let rows = method.candles(&reply, &asked.id).map_err(|error| self.fault(&error.message))?;
            let (first, last) = (rows.first().map(|row| row.start), rows.last().map(|row| row.start));
            // The newest page although an older one was asked for: what lies between would be missing unsaid.
            let newest = last.is_some_and(|last| last.plus(step) >= minus(now, step));
            let late = first.is_some_and(|first| first > cursor.plus(step)) && newest;
            let full = usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit);
            let cut = late && !method.get.has_end() && (full || !method.get.has_start());
            let elsewhere = method.get.has_end() && first.is_some_and(|first| first > window);
            if cut || elsewhere {
                return Err(self.fault("its candles do not reach back to the start: ask for fewer"));
            }
            candles.extend(rows.into_iter().filter(|row| span.wants(row)));
            cursor = match last.map(|last| last.plus(step)).filter(|next| *next > cursor) {
                Some(next) if method.get.has_start() => next,
                None if method.get.has_end() && window > cursor => window,
                _ => return Ok(bars(symbol, interval, candles)),
            };
        }
        Err(self.fault(&format!("more than {MAX_PAGES} requests would be needed: ask for a shorter span")))
    }

    /// The newest page of trades, as far as it is not later than `asof`.
    async fn trades(&self, symbol: &Symbol, asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        let (form, asked) = self.market(symbol)?;
        let method = self.method(&self.descriptor.trades, form, "trades")?;
        let asked = Asked { limit: method.limit, ..asked };
        let reply = self.ask(method, &asked).await?;
        let rows = method.trades(&reply, &asked.id).map_err(|error| self.fault(&error.message))?;
        if rows.first().is_some_and(|first| first.time > asof) {
            return Err(
                self.fault(&format!("its recent trades do not reach back to {asof}: ask for a later time"))
            );
        }
        let trade = |row: super::read::TradeRow| Trade {
            trade_id: row.id.unwrap_or_default().into(),
            symbol: symbol.clone(),
            price: row.price,
            size: row.size,
            venue: self.venue.clone(),
            timestamp: row.time,
        };
        Ok(rows.into_iter().filter(|row| row.time <= asof).map(trade).collect())
    }

    /// Not offered: descriptors are of requests.
    fn stream_quotes(&self, _symbols: &[Symbol]) -> QuoteStream<'_> {
        Box::pin(Once(Some(self.lacks("streams"))))
    }
}

fn bars(symbol: &Symbol, interval: Interval, mut candles: Vec<Candle>) -> Vec<Bar> {
    candles.sort_by_key(|candle| candle.start);
    candles.dedup_by_key(|candle| candle.start);
    let bar = |candle: Candle| Bar {
        symbol: symbol.clone(),
        interval,
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
        volume: candle.volume.unwrap_or(Decimal::ZERO),
        vwap: None,
        n_trades: None,
        timestamp: candle.start.plus(interval.duration()),
        close_only: false,
        partial: false,
    };
    candles.into_iter().map(bar).collect()
}

/// A stream of one refusal.
struct Once(Option<MarketDataError>);

impl Stream for Once {
    type Item = Result<Quote, MarketDataError>;
    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
