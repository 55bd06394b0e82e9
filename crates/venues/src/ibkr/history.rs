//! Bars of the past, by their length, an end and a span.

use super::contracts::find;
use super::message::Said;
use super::price_messages::{HistoricalData, HistoricalDataBar, HistoricalDataEnd};
use super::read::{float, instant, local, text};
use super::render::error;
use super::requests::HistoricalDataRequest;
use crate::desk::Desk;
use chrono_tz::America::New_York;
use mts_foundation::market::IntervalUnit;
use mts_foundation::{Bar, Interval, Timestamp};

const DAY: i64 = 86_400;

/// The venue's words for lengths, ours, and the most seconds of one answer.
const SIZES: &[(&str, &str, i64)] = &[
    ("1 secs", "1s", 1_800),
    ("5 secs", "5s", 3_600),
    ("10 secs", "10s", 14_400),
    ("15 secs", "15s", 14_400),
    ("30 secs", "30s", 28_800),
    ("1 min", "1m", DAY),
    ("2 mins", "2m", 2 * DAY),
    ("3 mins", "3m", 7 * DAY),
    ("5 mins", "5m", 7 * DAY),
    ("10 mins", "10m", 7 * DAY),
    ("15 mins", "15m", 7 * DAY),
    ("20 mins", "20m", 7 * DAY),
    ("30 mins", "30m", 31 * DAY),
    ("1 hour", "1h", 31 * DAY),
    ("2 hours", "2h", 31 * DAY),
    ("3 hours", "3h", 31 * DAY),
    ("4 hours", "4h", 31 * DAY),
    ("8 hours", "8h", 31 * DAY),
    ("1 day", "1d", 366 * DAY),
    ("1 week", "1w", 366 * DAY),
];

/// The seconds of a span such as `2 D`.
fn span(text: &str) -> Option<i64> {
    let (count, unit) = text.split_once(' ')?;
    let unit = match unit {
        "S" => 1,
        "D" => DAY,
        "W" => 7 * DAY,
        "M" => 31 * DAY,
        "Y" => 366 * DAY,
        _ => return None,
    };
    count.parse::<i64>().ok().filter(|count| *count > 0)?.checked_mul(unit)
}

/// When a bar begins; days and weeks on the day on which they end.
fn label(bar: &Bar, format: Option<i32>) -> String {
    let end = bar.timestamp;
    if matches!(bar.interval.unit(), IntervalUnit::Day | IntervalUnit::Week) {
        return end.to_datetime().with_timezone(&New_York).format("%Y%m%d").to_string();
    }
    let start = begin(bar);
    if format == Some(2) { (start.nanos() / 1_000_000_000).to_string() } else { local(start) }
}

fn begin(bar: &Bar) -> Timestamp {
    let length = i64::try_from(bar.interval.duration().as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(bar.timestamp.nanos().saturating_sub(length))
}

fn told(bar: &Bar, format: Option<i32>) -> HistoricalDataBar {
    HistoricalDataBar {
        date: Some(label(bar, format)),
        open: Some(float(bar.open)),
        high: Some(float(bar.high)),
        low: Some(float(bar.low)),
        close: Some(float(bar.close)),
        volume: Some(text(bar.volume)),
        wap: Some(text(bar.vwap.unwrap_or(bar.close))),
        bar_count: Some(bar.n_trades.and_then(|count| i32::try_from(count).ok()).unwrap_or_default()),
    }
}

/// Bars that begin within the span before the end.
pub(super) fn bars(desk: &Desk, asked: &HistoricalDataRequest) -> Vec<Said> {
    let request = asked.req_id.unwrap_or_default();
    let refused = |code, message: String| vec![error(request, code, message, desk)];
    let service =
        |message: &str| refused(162, format!("Historical Market Data Service error message:{message}"));
    let contract = asked.contract.clone().unwrap_or_default();
    let Some(instrument) = find(desk, &contract) else {
        return refused(200, "No security definition has been found for the request".to_owned());
    };
    let size = asked.bar_size_setting.as_deref().unwrap_or_default();
    let known = SIZES.iter().find(|(word, ..)| *word == size);
    let Some((interval, most)) =
        known.and_then(|(_, ours, most)| Some((ours.parse::<Interval>().ok()?, *most)))
    else {
        let message = "Error validating request.-'bX' : cause - Historical data bar size setting is invalid.";
        return refused(321, message.to_owned());
    };
    if asked.keep_up_to_date == Some(true) {
        let message = "Error validating request.-'bX' : cause - this double keeps no bars up to date";
        return refused(321, message.to_owned());
    }
    let Some(seconds) = span(asked.duration.as_deref().unwrap_or_default()) else {
        let message = "Error validating request.-'bX' : cause - Historical data request duration is invalid";
        return refused(321, message.to_owned());
    };
    if seconds > most {
        return service("Time length exceed max.");
    }
    let end = match asked.end_date_time.as_deref().unwrap_or_default() {
        "" => desk.clock(),
        text => match instant(text) {
            Some(end) => Timestamp::from(end),
            None => {
                let message = "End Date/Time: The date, time, or time-zone entered is invalid.";
                return refused(10_314, message.to_owned());
            }
        },
    };
    let from = Timestamp::from_nanos(end.nanos().saturating_sub(seconds.saturating_mul(1_000_000_000)));
    let bars: Vec<HistoricalDataBar> = desk
        .kept_bars(&instrument.symbol, interval)
        .filter(|bar| (from..end).contains(&begin(bar)))
        .map(|bar| told(bar, asked.format_date))
        .collect();
    if bars.is_empty() {
        let (name, what) =
            (contract.symbol.unwrap_or_default(), asked.what_to_show.clone().unwrap_or_default());
        return service(&format!("HMDS query returned no data: {name}@{} {what}", instrument.primary()));
    }
    let window = HistoricalDataEnd { req_id: Some(request), start: Some(local(from)), end: Some(local(end)) };
    let data = HistoricalData { req_id: Some(request), bars };
    vec![Said::HistoricalData(data, window.clone()), Said::HistoricalDataEnd(window)]
}
