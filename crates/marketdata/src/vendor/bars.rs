//! From a vendor's bars, labelled by their start, to ours, stamped at their end (decision M1).

use crate::stream::venues::read::number;
use chrono::{NaiveDate, Weekday};
use mts_foundation::market::IntervalUnit;
use mts_foundation::{Bar, Decimal, Interval, MarketCalendar, Symbol, Timestamp};
use serde_json::value::RawValue;
use std::time::Duration;

/// Most bars of one call.
pub(crate) const MAX_BARS: usize = 1_000_000;

/// Which bars are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Those that end after this.
    pub(crate) after: Timestamp,
    /// And not later than this, which is not later than now: what is still forming is not wanted.
    pub(crate) until: Timestamp,
}

impl Span {
    pub(crate) fn new(start: Timestamp, end: Option<Timestamp>, now: Timestamp) -> Self {
        Self { after: start, until: end.unwrap_or(now).min(now) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.until <= self.after
    }

    /// From when on bars are asked for: a whole bar before the one that may end first, so that a vendor which cuts its first
    /// bar at the start of the request cuts one that is not wanted.
    pub(crate) fn from(&self, interval: Interval) -> Timestamp {
        let step = interval.duration();
        let nanos = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
        let floor = self.after.nanos().div_euclid(nanos).saturating_mul(nanos);
        minus(Timestamp::from_nanos(floor), step).max(Timestamp::EPOCH)
    }
}

pub(crate) fn minus(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

/// Whether bars of an interval have the same places on every day.
pub(crate) fn divides(interval: Interval) -> bool {
    match interval.unit() {
        IntervalUnit::Second | IntervalUnit::Minute => 60_u32.is_multiple_of(interval.count()),
        IntervalUnit::Hour => 24_u32.is_multiple_of(interval.count()),
        IntervalUnit::Day | IntervalUnit::Week => interval.count() == 1,
    }
}

/// A bar as a vendor tells it.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) start: Timestamp,
    /// Open, high, low, close.
    pub(crate) prices: [&'a RawValue; 4],
    pub(crate) volume: Option<&'a RawValue>,
    pub(crate) vwap: Option<&'a RawValue>,
    pub(crate) trades: Option<&'a RawValue>,
}

/// Bars on their way.
pub(crate) struct Gathering<'a> {
    symbol: &'a Symbol,
    interval: Interval,
    span: Span,
    /// Sessions end days and weeks; `None` = an instrument that trades around the clock.
    calendar: Option<&'a MarketCalendar>,
    bars: Vec<Bar>,
}

impl<'a> Gathering<'a> {
    pub(crate) fn new(
        symbol: &'a Symbol,
        interval: Interval,
        span: Span,
        calendar: Option<&'a MarketCalendar>,
    ) -> Self {
        Self { symbol, interval, span, calendar, bars: Vec::new() }
    }

    /// Takes a bar if it is wanted.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn take(&mut self, row: &Row<'_>) -> Result<(), String> {
        let end = self.end(row.start)?;
        if end <= self.span.after || end > self.span.until {
            return Ok(());
        }
        if self.bars.len() >= MAX_BARS {
            return Err(format!("more than {MAX_BARS} bars; ask for a shorter span"));
        }
        let fault = |what: String| format!("the bar of {}: {what}", row.start);
        let read = |raw: &RawValue| number(raw).map_err(|error| fault(error.to_string()));
        let [open, high, low, close] = row.prices;
        let trades = row.trades.map(read).transpose()?;
        let bar = Bar {
            symbol: self.symbol.clone(),
            interval: self.interval,
            open: read(open)?,
            high: read(high)?,
            low: read(low)?,
            close: read(close)?,
            volume: row.volume.map(read).transpose()?.unwrap_or_default(),
            vwap: row.vwap.map(read).transpose()?.filter(|vwap| *vwap > Decimal::ZERO),
            n_trades: trades.and_then(|trades| u64::try_from(trades).ok()),
            timestamp: end,
            close_only: false,
            partial: false,
        };
        if !bar.is_sane() {
            return Err(fault("prices that cannot be".to_owned()));
        }
        self.bars.push(bar);
        Ok(())
    }

    /// When a bar ends: an intraday bar after its length, a day at its session's close, a week at that of its last session.
    fn end(&self, start: Timestamp) -> Result<Timestamp, String> {
        let unit = self.interval.unit();
        let (Some(calendar), IntervalUnit::Day | IntervalUnit::Week) = (self.calendar, unit) else {
            return Ok(start.plus(self.interval.duration()));
        };
        let date = start.to_datetime().with_timezone(&calendar.time_zone()).date_naive();
        session_end(calendar, self.interval, date)
    }

    /// The bars, oldest first, each once.
    pub(crate) fn done(mut self) -> Vec<Bar> {
        self.bars.sort_by_key(|bar| bar.timestamp);
        self.bars.dedup_by_key(|bar| bar.timestamp);
        self.bars
    }
}

/// When the day or week that a date labels ends: at the close of its last session.
pub(crate) fn session_end(
    calendar: &MarketCalendar,
    interval: Interval,
    date: NaiveDate,
) -> Result<Timestamp, String> {
    let session = if interval.unit() == IntervalUnit::Day {
        calendar.session_on(date).map_err(|error| error.to_string())?
    } else {
        // Labelled by its Monday, by the Sunday before, or by its last day.
        let week = date.week(Weekday::Sun);
        let sessions = calendar.sessions(week.first_day(), week.last_day());
        sessions.map_err(|error| error.to_string())?.last().copied()
    };
    let session = session.ok_or_else(|| {
        format!("a bar of {date}, which {} has no session for; mend the calendar", calendar.name())
    })?;
    Ok(Timestamp::from(session.close))
}
