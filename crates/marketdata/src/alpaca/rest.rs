//! Requests.

use super::{Alpaca, SYMBOLS, is_crypto, trade_id, wire};
use crate::stream::venues::read::{instant, number, parse};
use crate::vendor::bars::{Gathering, Row, Span, divides, minus};
use crate::vendor::quote::Sides;
use crate::vendor::rest::encoded;
use bytes::Bytes;
use mts_foundation::market::IntervalUnit;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Bar, Decimal, Interval, Quote, Symbol, Timestamp, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

/// Most requests of one call.
const MAX_PAGES: usize = 1_000;

impl Alpaca {
    fn native(&self, symbol: &Symbol) -> Result<SmolStr, MarketDataError> {
        SYMBOLS.to_native(symbol).map_err(|error| self.rest.lacks(error.to_string()))
    }

    fn read<'a, T: Deserialize<'a>>(&self, body: &'a Bytes) -> Result<T, MarketDataError> {
        parse(body).map_err(|error| self.rest.fault(&error.to_string()))
    }

    /// The address of what is asked of an instrument, with its feed.
    fn path(&self, symbol: &Symbol, native: &str, what: [&str; 2]) -> String {
        let [of_shares, of_crypto] = what;
        let native = encoded(native);
        if is_crypto(symbol) {
            format!("/v1beta3/crypto/us/{of_crypto}?symbols={native}")
        } else {
            format!("/v2/stocks/{of_shares}?symbols={native}&feed={}", self.settings.feed.word())
        }
    }

    pub(super) async fn newest_quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        let native = self.native(symbol)?;
        let path = self.path(symbol, &native, ["quotes/latest", "latest/quotes"]);
        let body = self.rest.get(&path, symbol).await?;
        let mut quotes = self.read::<wire::Quotes<'_>>(&body)?.quotes.unwrap_or_default();
        let quote = quotes.remove(native.as_str());
        let quote = quote.ok_or_else(|| {
            self.rest.fault(&format!("it has no quote of {symbol}; check the symbol, or choose another feed"))
        })?;
        let time = instant(&quote.t).map_err(|error| self.rest.fault(&error.to_string()))?;
        let (prices, sizes) = ([quote.bp, quote.ap], [quote.bs, quote.asks]);
        let lot = if is_crypto(symbol) { Decimal::ONE } else { self.settings.quote_lot };
        self.rest.quote(symbol, &Sides { prices, sizes, time }, lot)
    }

    pub(super) async fn all_bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let native = self.native(symbol)?;
        let unit = match interval.unit() {
            _ if !divides(interval) => None,
            IntervalUnit::Second => None,
            IntervalUnit::Minute if interval.count() == 60 => None,
            IntervalUnit::Minute => Some("Min"),
            IntervalUnit::Hour if interval.count() == 24 => None,
            IntervalUnit::Hour => Some("Hour"),
            IntervalUnit::Day => Some("Day"),
            IntervalUnit::Week => Some("Week"),
        };
        let unit = unit.ok_or_else(|| {
            let have = "minutes below 60 that divide it, hours below 24 that divide it, 1d and 1w";
            self.rest.lacks(format!("bars of {interval}; it has {have}"))
        })?;
        let span = Span::new(start, end, self.rest.clock().now());
        let is_crypto = is_crypto(symbol);
        let calendar = (!is_crypto).then_some(&*self.calendar);
        let mut bars = Gathering::new(symbol, interval, span, calendar);
        if span.is_empty() {
            return Ok(bars.done());
        }
        let mut path = self.path(symbol, &native, ["bars", "bars"]);
        path.push_str(&format!(
            "&timeframe={}{unit}&start={}&end={}&limit={}&sort=asc",
            interval.count(),
            span.from(interval),
            span.until,
            self.settings.page.clamp(1, 10_000),
        ));
        if !is_crypto {
            path.push_str(&format!("&adjustment={}", self.settings.adjustment.word()));
        }
        let mut token = String::new();
        for _page in 0..MAX_PAGES {
            let body = if token.is_empty() {
                self.rest.get(&path, symbol).await?
            } else {
                self.rest.get(&format!("{path}&page_token={}", encoded(&token)), symbol).await?
            };
            let mut page = self.read::<wire::Bars<'_>>(&body)?;
            let rows = page.bars.as_mut().and_then(|bars| bars.remove(native.as_str())).flatten();
            for row in rows.unwrap_or_default() {
                let row = Row {
                    start: instant(&row.t).map_err(|error| self.rest.fault(&error.to_string()))?,
                    prices: [row.o, row.h, row.l, row.c],
                    volume: row.v,
                    vwap: row.vw,
                    trades: row.n,
                };
                bars.take(&row).map_err(|error| self.rest.fault(&format!("{symbol}: {error}")))?;
            }
            // A page may have few rows, or none, and another after it: the token alone says whether there is one.
            let Some(next) = page.next_page_token.filter(|next| !next.is_empty()) else {
                return Ok(bars.done());
            };
            if next == token {
                return Err(self.rest.fault("its next page is the one before; refused"));
            }
            token = next.into_owned();
        }
        Err(self.rest.fault(&format!("more than {MAX_PAGES} pages; ask for a shorter span")))
    }

    pub(super) async fn newest_trades(
        &self,
        symbol: &Symbol,
        asof: Timestamp,
    ) -> Result<Vec<Trade>, MarketDataError> {
        let native = self.native(symbol)?;
        let mut path = self.path(symbol, &native, ["trades", "trades"]);
        path.push_str(&format!(
            "&start={}&end={asof}&limit={}&sort=desc",
            minus(asof, self.settings.prints_within),
            self.settings.prints.clamp(1, 10_000),
        ));
        let body = self.rest.get(&path, symbol).await?;
        let page = self.read::<wire::Prints<'_>>(&body)?.trades;
        let rows = page.and_then(|mut trades| trades.remove(native.as_str())).flatten().unwrap_or_default();
        let mut trades = Vec::with_capacity(rows.len());
        for print in rows {
            let fault = |what: String| self.rest.fault(&format!("a print of {symbol}: {what}"));
            let read = |raw: &RawValue| number(raw).map_err(|error| fault(error.to_string()));
            let (price, size) = (read(print.p)?, read(print.s)?);
            let timestamp = instant(&print.t).map_err(|error| fault(error.to_string()))?;
            let is_void = matches!(print.u.as_deref(), Some("canceled" | "incorrect"));
            if price > Decimal::ZERO && size > Decimal::ZERO && !is_void && timestamp <= asof {
                let trade_id = trade_id(print.x.as_deref(), print.i);
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
