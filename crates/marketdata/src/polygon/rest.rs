//! Requests.

use super::wire::{Aggregate, Currencies, Nbbo, PastQuote, Print, Reply};
use super::{Polygon, SYMBOLS, kind};
use crate::stream::venues::polygon::trade_id;
use crate::stream::venues::read::{millis, number, parse};
use crate::vendor::bars::{Gathering, Row, Span, divides};
use crate::vendor::quote::Sides;
use crate::vendor::rest::encoded;
use bytes::Bytes;
use mts_foundation::market::IntervalUnit;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::{SymbolKind, SymbolParts};
use mts_foundation::{Bar, Decimal, Interval, Quote, Symbol, Timestamp, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

/// Most requests of one call.
const MAX_PAGES: usize = 1_000;

impl Polygon {
    fn native(&self, symbol: &Symbol) -> Result<SmolStr, MarketDataError> {
        SYMBOLS.to_native(symbol).map_err(|error| self.rest.lacks(error.to_string()))
    }

    /// A reply that is one, and no error in disguise.
    fn read<'a, T: Deserialize<'a>>(&self, body: &'a Bytes) -> Result<Reply<'a, T>, MarketDataError> {
        // Errors may have results of another shape.
        let said: Reply<'_, serde::de::IgnoredAny> =
            parse(body).map_err(|error| self.rest.fault(&error.to_string()))?;
        let status = said.status.as_deref().unwrap_or("OK");
        // DELAYED: the plan has data that is 15 minutes old. Its time says so.
        if !["OK", "DELAYED", "success"].iter().any(|fine| fine.eq_ignore_ascii_case(status)) {
            let why = said.error.or(said.message).unwrap_or_default();
            let remedy = match status {
                "NOT_AUTHORIZED" => "; check the key, and that its plan has this data",
                "NOT_FOUND" => "; check the symbol",
                _ => "",
            };
            return Err(self.rest.fault(&format!("{status}: {why}{remedy}")));
        }
        parse(body).map_err(|error| self.rest.fault(&error.to_string()))
    }

    fn named(&self, told: Option<&str>, native: &str) -> Result<(), MarketDataError> {
        match told {
            Some(told) if told != native => {
                Err(self.rest.fault(&format!("it was asked for {native} and answers with {told}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn newest_quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        let native = self.native(symbol)?;
        let none = || self.rest.fault(&format!("it has no quote of {symbol}; check the symbol"));
        match kind(symbol) {
            Some(SymbolKind::Equity) => {
                let body = self.rest.get(&format!("/v2/last/nbbo/{}", encoded(&native)), symbol).await?;
                let best = self.read::<Nbbo<'_>>(&body)?.results.ok_or_else(none)?;
                self.named(best.ticker.as_deref(), &native)?;
                let time = Timestamp::from_nanos(best.time);
                let (prices, sizes) = ([best.bid, best.ask], [best.bid_size, best.ask_size]);
                self.rest.quote(symbol, &Sides { prices, sizes, time }, self.settings.quote_lot)
            }
            Some(SymbolKind::Option) => {
                let path = format!("/v3/quotes/{}?order=desc&sort=timestamp&limit=1", encoded(&native));
                let body = self.rest.get(&path, symbol).await?;
                let newest = self.read::<Vec<PastQuote<'_>>>(&body)?.results;
                let newest = newest.and_then(|quotes| quotes.into_iter().next()).ok_or_else(none)?;
                let time = Timestamp::from_nanos(newest.sip_timestamp);
                let prices = [newest.bid_price, newest.ask_price];
                let sizes = [newest.bid_size, newest.ask_size];
                self.rest.quote(symbol, &Sides { prices, sizes, time }, Decimal::ONE)
            }
            Some(SymbolKind::Fx) => {
                let parts = symbol.parts();
                let Ok(SymbolParts::Pair(pair)) = parts else { return Err(none()) };
                let path = format!("/v1/last_quote/currencies/{}/{}", pair.base(), pair.quote());
                let body = self.rest.get(&path, symbol).await?;
                let last = self.read::<Currencies<'_>>(&body)?.last.ok_or_else(none)?;
                let (prices, time) = ([last.bid, last.ask], millis(last.timestamp));
                self.rest.quote(symbol, &Sides { prices, sizes: [None; 2], time }, Decimal::ONE)
            }
            _ => Err(self.rest.lacks(format!("a best bid and offer of {symbol}; take its prints"))),
        }
    }

    pub(super) async fn all_bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let native = self.native(symbol)?;
        let timespan = match interval.unit() {
            _ if !divides(interval) => None,
            IntervalUnit::Second => Some("second"),
            IntervalUnit::Minute => Some("minute"),
            IntervalUnit::Hour => Some("hour"),
            IntervalUnit::Day => Some("day"),
            IntervalUnit::Week => Some("week"),
        };
        let timespan = timespan.ok_or_else(|| {
            let have = "seconds and minutes that divide 60, hours that divide 24, 1d and 1w";
            self.rest.lacks(format!("bars of {interval}; it has {have}"))
        })?;
        let span = Span::new(start, end, self.rest.clock().now());
        let has_sessions = matches!(kind(symbol), Some(SymbolKind::Equity | SymbolKind::Option));
        let calendar = has_sessions.then_some(&*self.calendar);
        let mut bars = Gathering::new(symbol, interval, span, calendar);
        if span.is_empty() {
            return Ok(bars.done());
        }
        let mut path = format!(
            "/v2/aggs/ticker/{}/range/{}/{timespan}/{}/{}?adjusted={}&sort=asc&limit={}",
            encoded(&native),
            interval.count(),
            span.from(interval).nanos().div_euclid(1_000_000),
            span.until.nanos().div_euclid(1_000_000),
            self.settings.adjusted,
            self.settings.page.clamp(1, 50_000),
        );
        for _page in 0..MAX_PAGES {
            let body = self.rest.get(&path, symbol).await?;
            let page = self.read::<Vec<Aggregate<'_>>>(&body)?;
            self.named(page.ticker.as_deref(), &native)?;
            for row in page.results.unwrap_or_default() {
                let row = Row {
                    start: millis(row.start),
                    prices: [row.open, row.high, row.low, row.close],
                    volume: row.volume,
                    vwap: row.vwap,
                    trades: row.trades,
                };
                bars.take(&row).map_err(|error| self.rest.fault(&format!("{symbol}: {error}")))?;
            }
            // A page may have few rows, or none, and another after it: the link alone says whether there is one.
            let Some(link) = page.next_url.filter(|link| !link.is_empty()) else { return Ok(bars.done()) };
            let next = self.rest.inside(&link)?;
            if next == path {
                return Err(self.rest.fault("its next page is the one before; refused"));
            }
            path = next;
        }
        Err(self.rest.fault(&format!("more than {MAX_PAGES} pages; ask for a shorter span")))
    }

    pub(super) async fn newest_trades(
        &self,
        symbol: &Symbol,
        asof: Timestamp,
    ) -> Result<Vec<Trade>, MarketDataError> {
        let native = self.native(symbol)?;
        if kind(symbol) == Some(SymbolKind::Fx) {
            return Err(self.rest.lacks("prints of currencies; they have none"));
        }
        let path = format!(
            "/v3/trades/{}?timestamp.lte={}&order=desc&sort=timestamp&limit={}",
            encoded(&native),
            asof.nanos(),
            self.settings.prints.clamp(1, 50_000),
        );
        let body = self.rest.get(&path, symbol).await?;
        let mut trades = Vec::new();
        for print in self.read::<Vec<Print<'_>>>(&body)?.results.unwrap_or_default() {
            let fault = |what: &str| self.rest.fault(&format!("a print of {symbol}: {what}"));
            let read = |raw: &RawValue| number(raw).map_err(|error| fault(&error.to_string()));
            let time = print.sip_timestamp.or(print.participant_timestamp).ok_or_else(|| fault("no time"))?;
            let (price, timestamp) = (read(print.price)?, Timestamp::from_nanos(time));
            let size = print.decimal_size.or(print.size).map(read).transpose()?.unwrap_or_default();
            let is_print = price > Decimal::ZERO && size > Decimal::ZERO && !print.is_void();
            if is_print && timestamp <= asof {
                let id = print.id.as_deref().unwrap_or_default();
                let trade_id = trade_id(print.exchange, print.trf_id, id);
                let venue = self.rest.venue().clone();
                trades.push(Trade { trade_id, symbol: symbol.clone(), price, size, venue, timestamp });
            }
        }
        trades.reverse();
        // The newest first of one instant is not always the newest.
        trades.sort_by_key(|trade| trade.timestamp);
        Ok(trades)
    }
}
