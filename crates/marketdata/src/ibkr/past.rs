//! Bars of the past: what TWS gives at once, how often it may be asked, and from its bars to ours. Pure.

use super::level::{exact, seconds};
use crate::vendor::bars::{MAX_BARS, Span, minus, session_end};
use chrono::NaiveDate;
use ibapi::market_data::historical::{Bar as Told, BarSize, BarTimestamp, Duration as Reach};
use mts_foundation::market::IntervalUnit;
use mts_foundation::{Bar, Decimal, Interval, MarketCalendar, Symbol, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const DAY: u64 = 86_400;

/// What is asked for at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Page {
    pub(super) size: BarSize,
    pub(super) reach: Reach,
    /// The same, at least so long.
    pub(super) span: Duration,
}

/// The most that TWS gives of bars of a length; `None` = it has none of that length, or nobody knows where they begin.
pub(super) fn page(interval: Interval) -> Option<Page> {
    let of = |size, reach, seconds| Some(Page { size, reach, span: Duration::from_secs(seconds) });
    let week = |size| of(size, Reach::weeks(1), 7 * DAY);
    match (interval.unit(), interval.count()) {
        (IntervalUnit::Second, 1) => of(BarSize::Sec, Reach::seconds(1_800), 1_800),
        (IntervalUnit::Second, 5) => of(BarSize::Sec5, Reach::seconds(3_600), 3_600),
        (IntervalUnit::Second, 10) => of(BarSize::Sec10, Reach::seconds(14_400), 14_400),
        (IntervalUnit::Second, 15) => of(BarSize::Sec15, Reach::seconds(14_400), 14_400),
        (IntervalUnit::Second, 30) => of(BarSize::Sec30, Reach::seconds(28_800), 28_800),
        (IntervalUnit::Minute, 1) => of(BarSize::Min, Reach::days(1), DAY),
        (IntervalUnit::Minute, 2) => of(BarSize::Min2, Reach::days(2), 2 * DAY),
        (IntervalUnit::Minute, 3) => week(BarSize::Min3),
        (IntervalUnit::Minute, 5) => week(BarSize::Min5),
        (IntervalUnit::Minute, 10) => week(BarSize::Min10),
        (IntervalUnit::Minute, 15) => week(BarSize::Min15),
        (IntervalUnit::Minute, 20) => week(BarSize::Min20),
        (IntervalUnit::Minute, 30) => of(BarSize::Min30, Reach::months(1), 28 * DAY),
        (IntervalUnit::Hour, 1) => of(BarSize::Hour, Reach::months(1), 28 * DAY),
        (IntervalUnit::Day, 1) => of(BarSize::Day, Reach::years(1), 365 * DAY),
        (IntervalUnit::Week, 1) => of(BarSize::Week, Reach::years(1), 365 * DAY),
        _ => None,
    }
}

/// Whether bars of this length are asked for seldom, and forgotten after half a year.
pub(super) fn is_short(interval: Interval) -> bool {
    interval.duration() <= Duration::from_secs(30)
}

/// How far back short bars reach.
pub(super) const SHORT_REACH: Duration = Duration::from_secs(180 * DAY);

/// When was asked, so that TWS is not asked too often: five times in two seconds, and for short bars sixty times in
/// ten minutes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    all: VecDeque<Duration>,
    short: VecDeque<Duration>,
}

impl Pace {
    /// How long to wait before the next question, which counts as asked then.
    pub(super) fn wait(&mut self, now: Duration, short: bool) -> Duration {
        let mut at = now;
        let mut windows = vec![(&mut self.all, 5, Duration::from_secs(2))];
        if short {
            windows.push((&mut self.short, 60, Duration::from_secs(600)));
        }
        for (asked, most, window) in &mut windows {
            if asked.len() >= *most
                && let Some(first) = asked.pop_front()
            {
                at = at.max(first.saturating_add(*window));
            }
        }
        windows.into_iter().for_each(|(asked, ..)| asked.push_back(at));
        at.saturating_sub(now)
    }
}

/// When a bar begins: of days and weeks at midnight in UTC of the date that labels them.
pub(super) fn start_of(told: &Told) -> Result<Timestamp, String> {
    match told.date {
        BarTimestamp::DateTime(at) => Ok(seconds(at.unix_timestamp())),
        BarTimestamp::Date(_) => {
            let date = NaiveDate::parse_from_str(&told.date.to_string(), "%Y%m%d");
            let midnight = date.ok().and_then(|date| date.and_hms_opt(0, 0, 0));
            let midnight = midnight.ok_or_else(|| format!("a bar of {}, which is no date", told.date))?;
            Ok(Timestamp::from(midnight.and_utc()))
        }
    }
}

/// Bars on their way, by their start.
#[derive(Default)]
pub(super) struct Rows(BTreeMap<Timestamp, Told>);

impl Rows {
    /// Takes an answer; the start of its first bar.
    pub(super) fn take(&mut self, page: Vec<Told>) -> Result<Option<Timestamp>, String> {
        if self.0.len().saturating_add(page.len()) > MAX_BARS {
            return Err(format!("more than {MAX_BARS} bars; ask for a shorter span"));
        }
        let mut first: Option<Timestamp> = None;
        for told in page {
            let start = start_of(&told)?;
            first = Some(first.map_or(start, |first| first.min(start)));
            self.0.insert(start, told);
        }
        Ok(first)
    }

    /// The bars that are wanted, oldest first. An intraday bar that the next one cuts short is partial: the first one of a
    /// session that begins at half past ends at the full hour.
    pub(super) fn done(
        self,
        symbol: &Symbol,
        interval: Interval,
        span: Span,
        calendar: &MarketCalendar,
    ) -> Result<Vec<Bar>, String> {
        let sessions = matches!(interval.unit(), IntervalUnit::Day | IntervalUnit::Week);
        let mut bars = Vec::new();
        let mut rows = self.0.into_iter().peekable();
        while let Some((start, told)) = rows.next() {
            let whole = start.plus(interval.duration());
            let next = rows.peek().map_or(whole, |(next, _)| *next);
            let end = if sessions {
                session_end(calendar, interval, start.to_datetime().date_naive())?
            } else {
                whole.min(next)
            };
            if end <= span.after || end > span.until {
                continue;
            }
            let fault = |what: &str| format!("the bar of {start}: {what}");
            let price = |value: f64| exact(value).ok_or_else(|| fault("a price that is no number"));
            let units = |value: f64| exact(value).filter(|value| *value >= Decimal::ZERO);
            let bar = Bar {
                symbol: symbol.clone(),
                interval,
                open: price(told.open)?,
                high: price(told.high)?,
                low: price(told.low)?,
                close: price(told.close)?,
                // -1 where there is none.
                volume: units(told.volume).unwrap_or_default(),
                vwap: units(told.wap).filter(|vwap| *vwap > Decimal::ZERO),
                n_trades: u64::try_from(told.count).ok(),
                timestamp: end,
                close_only: false,
                partial: !sessions && end < whole,
            };
            if !bar.is_sane() {
                return Err(fault("prices that cannot be"));
            }
            bars.push(bar);
        }
        bars.dedup_by_key(|bar| bar.timestamp);
        Ok(bars)
    }
}

/// Where the next page ends: where this one began, or a page earlier where there was nothing.
pub(super) fn before(until: Timestamp, first: Option<Timestamp>, page: &Page) -> Timestamp {
    first.filter(|first| *first < until).unwrap_or_else(|| minus(until, page.span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start: &str, close: f64) -> Told {
        let date = match start.parse::<Timestamp>() {
            Ok(at) => (at.nanos() / 1_000_000_000).to_string(),
            Err(_) => start.to_owned(),
        };
        let (open, high, low) = (close, close, close);
        Told { date: date.parse().unwrap(), open, high, low, close, volume: -1.0, wap: -1.0, count: -1 }
    }

    fn done(interval: &str, rows: &[(&str, f64)], until: &str) -> Vec<(String, bool)> {
        let mut page = Rows::default();
        page.take(rows.iter().map(|(start, close)| told(start, *close)).collect()).unwrap();
        let span = Span { after: Timestamp::EPOCH, until: until.parse().unwrap() };
        let calendar = crate::vendor::new_york().unwrap();
        let symbol = Symbol::new("AAPL").unwrap();
        let bars = page.done(&symbol, interval.parse().unwrap(), span, &calendar).unwrap();
        bars.iter().map(|bar| (bar.timestamp.to_string(), bar.partial)).collect()
    }

    #[test]
    fn bars_have_their_end_and_the_short_first_one_of_a_session_says_so() {
        let rows =
            [("2026-03-02T14:30:00Z", 1.0), ("2026-03-02T15:00:00Z", 2.0), ("2026-03-02T16:00:00Z", 3.0)];
        let wanted = [("2026-03-02T15:00:00Z", true), ("2026-03-02T16:00:00Z", false)];
        let wanted = wanted.map(|(end, partial)| (end.to_owned(), partial));
        assert_eq!(done("1h", &rows, "2026-03-02T16:30:00Z"), wanted, "the last one is still forming");
        // Days and weeks end with their last session.
        let day = done("1d", &[("20260302", 1.0)], "2026-03-09T00:00:00Z");
        assert_eq!(day, [("2026-03-02T21:00:00Z".to_owned(), false)]);
        for label in ["20260302", "20260306"] {
            let week = done("1w", &[(label, 1.0)], "2026-03-09T00:00:00Z");
            assert_eq!(week, [("2026-03-06T21:00:00Z".to_owned(), false)], "{label}");
        }
    }

    #[test]
    fn no_answer_is_asked_for_that_is_longer_than_tws_gives() {
        let page = |text: &str| page(text.parse().unwrap()).map(|page| page.reach.to_string());
        let known = [("1s", "1800 S"), ("5s", "3600 S"), ("30s", "28800 S"), ("1m", "1 D"), ("5m", "1 W")];
        for (interval, reach) in known {
            assert_eq!(page(interval).as_deref(), Some(reach), "{interval}");
        }
        for interval in ["2s", "4m", "45m", "2h", "2d", "2w"] {
            assert_eq!(page(interval), None, "{interval}");
        }
    }

    #[test]
    fn tws_is_not_asked_too_often() {
        let mut pace = Pace::default();
        let waits: Vec<u64> = (0..70).map(|_| pace.wait(Duration::ZERO, true).as_secs()).collect();
        assert_eq!(waits[..12], [0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 4, 4]);
        assert_eq!(waits[59], 22);
        assert!(waits[60..].iter().all(|wait| *wait >= 600), "{:?}", &waits[60..]);
        let mut pace = Pace::default();
        let waits: Vec<u64> = (0..70).map(|_| pace.wait(Duration::ZERO, false).as_secs()).collect();
        assert_eq!(waits[69], 26, "long bars have no second limit");
    }
}
