//! Numbers and instants as the venue writes them.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::America::New_York;
use mts_foundation::{Decimal, Timestamp, num};

/// A decimal as the nearest floating-point number: prices are those on the wire.
pub(super) fn float(value: Decimal) -> f64 {
    // A decimal's text is always a number.
    value.to_string().parse().unwrap_or_default()
}

/// A number as text: quantities are text on the wire.
pub(super) fn text(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A price above zero as a client sends it; what is not set is absent, zero, or the largest number there is.
pub(super) fn price(value: Option<f64>) -> Option<Decimal> {
    let set = value.filter(|value| value.is_finite() && *value < f64::MAX && *value > 0.0)?;
    num::as_written(set).map(|value| value.normalize())
}

/// An instant in New York with its zone: `20260302 10:00:00 US/Eastern`.
pub(super) fn local(at: Timestamp) -> String {
    format!("{} US/Eastern", at.to_datetime().with_timezone(&New_York).format("%Y%m%d %H:%M:%S"))
}

/// The instant with which the venue greets: `20260302 10:00:00 EST`.
pub(super) fn greeting(at: Timestamp) -> String {
    at.to_datetime().with_timezone(&New_York).format("%Y%m%d %H:%M:%S %Z").to_string()
}

/// The beginning of the day in New York, so many days back.
pub(super) fn day(at: Timestamp, back: i64) -> DateTime<Utc> {
    let local = at.to_datetime().with_timezone(&New_York).date_naive() - chrono::TimeDelta::days(back);
    let midnight = local.and_time(chrono::NaiveTime::MIN);
    New_York.from_local_datetime(&midnight).earliest().map_or(at.to_datetime(), |at| at.to_utc())
}

/// An instant as clients write it: `20260302 10:00:00`, with a zone of New York or without one, or in UTC with a dash.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let parsed = |text: &str, format| NaiveDateTime::parse_from_str(text, format).ok();
    if let Some(utc) = parsed(text, "%Y%m%d-%H:%M:%S") {
        return Some(utc.and_utc());
    }
    let mut words = text.split_whitespace();
    let (day, time) = (words.next()?, words.next()?);
    let local = parsed(&format!("{day} {time}"), "%Y%m%d %H:%M:%S")?;
    match words.next() {
        Some("UTC" | "GMT") => Some(local.and_utc()),
        Some("US/Eastern" | "America/New_York" | "EST" | "EDT") | None => {
            New_York.from_local_datetime(&local).earliest().map(|at| at.to_utc())
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_of_new_york() {
        let at: Timestamp = "2026-03-02T15:00:00Z".parse().unwrap();
        assert_eq!(local(at), "20260302 10:00:00 US/Eastern");
        assert_eq!(greeting(at), "20260302 10:00:00 EST");
        for text in
            ["20260302 10:00:00", "20260302  10:00:00", "20260302 10:00:00 US/Eastern", "20260302-15:00:00"]
        {
            assert_eq!(instant(text), Some(at.to_datetime()), "{text}");
        }
        assert_eq!(instant("20260302 10:00:00 Mars"), None);
        assert_eq!(day(at, 1).to_string(), "2026-03-01 05:00:00 UTC");
    }

    #[test]
    fn prices_that_are_not_set_are_none() {
        let unset = [None, Some(0.0), Some(f64::MAX), Some(f64::NAN), Some(f64::INFINITY)];
        assert!(unset.into_iter().all(|value| price(value).is_none()));
        assert_eq!(price(Some(150.0)), Some(Decimal::from(150)));
        assert_eq!(price(Some(0.1)).map(float), Some(0.1));
    }
}
