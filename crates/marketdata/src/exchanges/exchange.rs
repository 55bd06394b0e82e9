//! An exchange that is asked by its descriptor, over an HTTP client that is given.

use super::descriptor::{Descriptor, MarketForm, Method};
use super::json::Json;
use super::read::{Candle, Funding, Ticker, failure};
use super::url::Asked;
use crate::stream::venues::{Binance, Bybit, Coinbase, Kraken, Okx};
use crate::stream::{Patience, Topic, is_perpetual};
use crate::vendor::stream::{Streams, refused};
use bytes::Bytes;
use mts_foundation::ids::InvalidId;
use mts_foundation::io::{DynHttpClient, RequestOptions};
use mts_foundation::market_data::{MarketDataError, QuoteStream};
use mts_foundation::{Bar, Clock, Decimal, Interval, MarketData, Quote, Symbol, Timestamp, Trade, VenueName};
use std::sync::Arc;
use std::time::Duration;

/// Most requests for one call of [`MarketData::bars`].
const MAX_PAGES: usize = 2_000;
/// Rows that are asked for where the descriptor says nothing.
const ROWS: u32 = 100;
/// How much of a refusal is told.
const MAX_TOLD: usize = 200;
/// How long a stream of quotes may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Public data of one exchange.
#[derive(Clone)]
pub struct DescribedExchange {
    descriptor: Arc<Descriptor>,
    venue: VenueName,
    http: Arc<dyn DynHttpClient>,
    clock: Arc<dyn Clock>,
    streams: Option<Streams>,
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
        Ok(Self { descriptor, venue, http, clock, streams: None })
    }

    /// With what streams of quotes need. Binance, Bybit, Coinbase Exchange, Kraken and OKX have some that are spoken here.
    #[must_use]
    pub fn with_streams(mut self, streams: Streams) -> Self {
        self.streams = Some(streams);
        self
    }

    /// What it is described by.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Its name.
    #[must_use]
    pub fn venue(&self) -> &VenueName {
        &self.venue
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

    /// Closed candles as bars with ends in (start, end], as far back as the exchange has them.
    ///
    /// # Errors
    /// As [`DescribedExchange::ticker`].
    pub async fn candles(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Candles, MarketDataError> {
        let (form, mut asked) = self.market(symbol)?;
        let method = self.method(&self.descriptor.candles, form, "candles")?;
        let timeframe = self.descriptor.timeframes.get(&interval);
        asked.timeframe = Some(timeframe.ok_or_else(|| self.lacks(&format!("{interval} candles")))?.clone());
        let (now, step) = (self.clock.now(), interval.duration());
        let span = Span { step, after: start, until: end.unwrap_or(now).min(now), now };
        let limit = method.limit.unwrap_or(ROWS);
        // What the exchange does not keep is asked for in vain, and it does not say so.
        let oldest = method.keeps.map(|keeps| minus(now, step.saturating_mul(keeps)));
        let mut since = oldest.map_or(start, |oldest| oldest.max(start));
        let (has_start, has_end) = (method.has_start(), method.has_end());
        let mut cursor = minus(since, step);
        let mut candles: Vec<Candle> = Vec::new();
        for _page in 0..MAX_PAGES {
            if cursor.plus(step) > span.until {
                return Ok(Candles { bars: bars(symbol, interval, candles), since });
            }
            let window = cursor.plus(step.saturating_mul(limit)).min(span.until);
            asked.start = Some(cursor);
            // Whether the exchange takes the end in or not: the candle that starts there belongs to the next page.
            asked.end = Some(minus(window, Duration::from_millis(1)));
            asked.limit = (!method.limit_alone).then_some(limit);
            let reply = self.ask(method, &asked).await?;
            let rows = method.candles(&reply, &asked.id).map_err(|error| self.fault(&error.message))?;
            let (first, last) = (rows.first().map(|row| row.start), rows.last().map(|row| row.start));
            // The newest page although an older one was asked for: what lies between would be missing unsaid. Fewer rows than a
            // page has are all that there are.
            let newest = last.is_some_and(|last| last.plus(step) >= minus(now, step));
            let late = first.is_some_and(|first| first > cursor.plus(step));
            let full = method
                .limit
                .is_none_or(|limit| usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit));
            let cut = late && full && !has_end && (newest || !has_start);
            let elsewhere = has_end && first.is_some_and(|first| first > window);
            if let Some(first) = first.filter(|_| cut || elsewhere) {
                candles.clear();
                since = first;
            }
            candles.extend(rows.into_iter().filter(|row| span.wants(row)));
            cursor = match last.map(|last| last.plus(step)).filter(|next| *next > cursor) {
                Some(next) if has_start => next,
                // A page that ends there holds all of the window.
                _ if has_end && window > cursor => window,
                _ => return Ok(Candles { bars: bars(symbol, interval, candles), since }),
            };
        }
        Err(self.fault(&format!("more than {MAX_PAGES} requests would be needed: ask for a shorter span")))
    }

    /// Whether there are candles of that length of a market.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] when there are none.
    pub fn has_candles(&self, symbol: &Symbol, interval: Interval) -> Result<(), MarketDataError> {
        let (form, _) = self.market(symbol)?;
        self.method(&self.descriptor.candles, form, "candles")?;
        let timeframe = self.descriptor.timeframes.get(&interval).map(|_| ());
        timeframe.ok_or_else(|| self.lacks(&format!("{interval} candles")))
    }

    /// Whether there are trades of a market.
    ///
    /// # Errors
    /// As [`DescribedExchange::has_candles`].
    pub fn has_trades(&self, symbol: &Symbol) -> Result<(), MarketDataError> {
        let (form, _) = self.market(symbol)?;
        self.method(&self.descriptor.trades, form, "trades").map(|_| ())
    }

    /// Whether there is a funding rate of a market.
    ///
    /// # Errors
    /// As [`DescribedExchange::has_candles`].
    pub fn has_funding(&self, symbol: &Symbol) -> Result<(), MarketDataError> {
        let (form, _) = self.market(symbol)?;
        self.method(&self.descriptor.funding, form, "funding rates").map(|_| ())
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

/// Closed candles, and how far back they go.
#[derive(Debug, Clone, PartialEq)]
pub struct Candles {
    /// The bars, by their ends.
    pub bars: Vec<Bar>,
    /// Bars that end after this are all there. Later than what was asked for when the exchange has no older ones.
    pub since: Timestamp,
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
        let Candles { bars, since } = self.candles(symbol, interval, start, end).await?;
        if since > start {
            return Err(self.fault("its candles do not reach back to the start: ask for fewer"));
        }
        Ok(bars)
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

    /// Of the exchanges whose streams are spoken here, spot or perpetual futures. Prices are stale after a minute of silence.
    fn stream_quotes(&self, symbols: &[Symbol]) -> QuoteStream<'_> {
        let Some(streams) = &self.streams else {
            return refused(self.lacks("streams, or none were given to it (with_streams)"));
        };
        let topics = symbols.iter().cloned().map(Topic::quotes);
        let are_perpetual = symbols.first().is_some_and(is_perpetual);
        if symbols.iter().any(|symbol| is_perpetual(symbol) != are_perpetual) {
            return refused(
                self.lacks("spot and perpetual futures in one stream; give each a stream of its own"),
            );
        }
        let (patience, clock) = (Patience::always(SILENCE), &self.clock);
        match (self.descriptor.id.as_str(), are_perpetual) {
            ("binance", false) => streams.quotes(Binance::spot(topics), &patience, clock),
            ("binance" | "binanceusdm", true) => streams.quotes(Binance::futures(topics), &patience, clock),
            ("bybit", false) => streams.quotes(Bybit::spot(topics), &patience, clock),
            ("bybit", true) => streams.quotes(Bybit::linear(topics), &patience, clock),
            ("coinbaseexchange", _) => streams.quotes(Coinbase::new(topics), &patience, clock),
            ("kraken", false) => streams.quotes(Kraken::new(topics), &patience, clock),
            ("okx", _) => streams.quotes(Okx::new(topics), &patience, clock),
            _ => refused(self.lacks("streams that are spoken here")),
        }
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
