//! Requests.

use super::{SYMBOLS, Tradier, wire};
use crate::stream::venues::read::{Text, millis, parse};
use crate::vendor::bars::{Gathering, Row, Span, minus};
use crate::vendor::quote::Sides;
use crate::vendor::rest::encoded;
use bytes::Bytes;
use chrono::NaiveDate;
use mts_foundation::market::IntervalUnit;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Bar, Decimal, Interval, Quote, Symbol, Timestamp};
use smol_str::SmolStr;
use std::time::Duration;

/// How it has bars of an interval.
#[derive(Clone, Copy)]
enum Kind {
    /// Its word for days or weeks.
    Dated(&'static str),
    /// Its word for minutes, and how many days back they reach in the session and with the hours around it.
    Intraday(&'static str, u64, u64),
}

impl Tradier {
    fn native(&self, symbol: &Symbol) -> Result<SmolStr, MarketDataError> {
        SYMBOLS.to_native(symbol).map_err(|error| self.rest.lacks(error.to_string()))
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> MarketDataError {
        self.rest.fault(&format!("the reply cannot be read: {error}"))
    }

    /// A reply that is one, and no error in disguise.
    fn read<'a>(&self, body: &'a Bytes) -> Result<wire::Reply<'a>, MarketDataError> {
        let reply: wire::Reply<'_> = parse(body).map_err(|error| self.unreadable(&error))?;
        match reply.errors.or(reply.fault) {
            None => Ok(reply),
            Some(said) => Err(self.rest.fault(said.get())),
        }
    }

    pub(super) async fn newest_quote(&self, symbol: &Symbol) -> Result<Quote, MarketDataError> {
        let native = self.native(symbol)?;
        let path = format!("/markets/quotes?symbols={}&greeks=false", encoded(&native));
        let body = self.rest.get(&path, symbol).await?;
        let quotes = wire::there::<wire::Quotes<'_>>(self.read(&body)?.quotes);
        let quotes = quotes.map_err(|error| self.unreadable(&error))?.and_then(|quotes| quotes.quote);
        let quotes: Vec<wire::Quote<'_>> = wire::many(quotes).map_err(|error| self.unreadable(&error))?;
        let quote = quotes.into_iter().find(|quote| quote.symbol == native.as_str());
        let quote = quote
            .ok_or_else(|| self.rest.fault(&format!("it has no quote of {symbol}; check the symbol")))?;
        // Options are counted in contracts.
        let is_share =
            symbol.parts().is_ok_and(|parts| matches!(parts, mts_foundation::SymbolParts::Equity(_)));
        let lot = if is_share { self.settings.quote_lot } else { Decimal::ONE };
        // Each side has its own time; the quote is as it is since the later one.
        let time = quote.bid_date.max(quote.ask_date).filter(|time| *time > 0);
        let time = time.ok_or_else(|| self.rest.fault(&format!("the quote of {symbol} has no time")))?;
        let (prices, sizes) = ([quote.bid, quote.ask], [quote.bidsize, quote.asksize]);
        self.rest.quote(symbol, &Sides { prices, sizes, time: millis(time) }, lot)
    }

    pub(super) async fn all_bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let native = self.native(symbol)?;
        let kind = match (interval.count(), interval.unit()) {
            (1, IntervalUnit::Day) => Kind::Dated("daily"),
            (1, IntervalUnit::Week) => Kind::Dated("weekly"),
            (1, IntervalUnit::Minute) => Kind::Intraday("1min", 20, 10),
            (5, IntervalUnit::Minute) => Kind::Intraday("5min", 40, 18),
            (15, IntervalUnit::Minute) => Kind::Intraday("15min", 40, 18),
            _ => return Err(self.rest.lacks(format!("bars of {interval}; it has 1m, 5m, 15m, 1d and 1w"))),
        };
        let now = self.rest.clock().now();
        let span = Span::new(start, end, now);
        let mut bars = Gathering::new(symbol, interval, span, Some(&*self.calendar));
        if span.is_empty() {
            return Ok(bars.done());
        }
        let local = |time: Timestamp, form: &str| {
            time.to_datetime().with_timezone(&self.calendar.time_zone()).format(form).to_string()
        };
        let (from, until) = (span.from(interval), span.until);
        let native = encoded(&native);
        let path = match kind {
            Kind::Dated(word) => {
                let (from, until) = (local(from, "%Y-%m-%d"), local(until, "%Y-%m-%d"));
                format!("/markets/history?symbol={native}&interval={word}&start={from}&end={until}")
            }
            Kind::Intraday(word, in_session, with_hours) => {
                let extended = self.settings.extended_hours;
                let days = if extended { with_hours } else { in_session };
                // Further back it answers with less than was asked for, and does not say so.
                if start < minus(now, Duration::from_secs(days * 86_400)) {
                    let what =
                        format!("bars of {interval} of more than {days} days ago; ask for a later start");
                    return Err(self.rest.lacks(what));
                }
                let (from, until) = (local(from, "%Y-%m-%d%%20%H:%M"), local(until, "%Y-%m-%d%%20%H:%M"));
                let filter = if extended { "all" } else { "open" };
                format!(
                    "/markets/timesales?symbol={native}&interval={word}&start={from}&end={until}\
                     &session_filter={filter}"
                )
            }
        };
        let body = self.rest.get(&path, symbol).await?;
        let reply = self.read(&body)?;
        let mut take =
            |row: &Row<'_>| bars.take(row).map_err(|error| self.rest.fault(&format!("{symbol}: {error}")));
        if let Kind::Dated(_) = kind {
            let days =
                wire::there::<wire::History<'_>>(reply.history).map_err(|error| self.unreadable(&error))?;
            let days: Vec<wire::Day<'_>> =
                wire::many(days.and_then(|days| days.day)).map_err(|error| self.unreadable(&error))?;
            for day in days {
                let start = self.noon(&day.date)?;
                let prices = [day.open, day.high, day.low, day.close];
                take(&Row { start, prices, volume: day.volume, vwap: None, trades: None })?;
            }
        } else {
            let rows =
                wire::there::<wire::Series<'_>>(reply.series).map_err(|error| self.unreadable(&error))?;
            let rows: Vec<wire::Minute<'_>> =
                wire::many(rows.and_then(|rows| rows.data)).map_err(|error| self.unreadable(&error))?;
            for row in rows {
                let start = millis(row.timestamp.saturating_mul(1_000));
                let prices = [row.open, row.high, row.low, row.close];
                take(&Row { start, prices, volume: row.volume, vwap: row.vwap, trades: None })?;
            }
        }
        Ok(bars.done())
    }

    /// An instant that is on this date in New York.
    fn noon(&self, date: &Text<'_>) -> Result<Timestamp, MarketDataError> {
        let noon = date.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(17, 0, 0));
        let noon = noon.ok_or_else(|| self.unreadable(&format!("{date:?} is no date")))?;
        Ok(Timestamp::from(noon.and_utc()))
    }
}
