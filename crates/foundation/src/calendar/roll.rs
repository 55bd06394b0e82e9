//! When a trading day ends and the next begins.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The local time at which the trading day rolls (decision R8). An instant at or after it belongs to the next day: with
/// `17:00 America/New_York`, Sunday evening is Monday. `00:00` is the plain calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "SmolStr", into = "SmolStr")]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = crate::schema::DAY_ROLL, "examples" = ["17:00 America/New_York"])))]
pub struct DayRoll {
    time: NaiveTime,
    zone: Tz,
}

/// A text that is no time of roll.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no time of roll: write HH:MM and a time zone, such as 17:00 America/New_York")]
pub struct InvalidDayRoll {
    /// The text.
    pub value: String,
}

impl DayRoll {
    /// Midnight, UTC.
    pub const MIDNIGHT_UTC: Self = Self { time: NaiveTime::MIN, zone: Tz::UTC };

    /// Rolls at a time of a zone.
    #[must_use]
    pub const fn new(time: NaiveTime, zone: Tz) -> Self {
        Self { time, zone }
    }

    /// The trading day of an instant.
    #[must_use]
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        let local = at.with_timezone(&self.zone);
        let date = local.date_naive();
        let rolled = self.time != NaiveTime::MIN && local.time() >= self.time;
        if rolled { date.checked_add_days(Days::new(1)).unwrap_or(date) } else { date }
    }

    /// The instant at which a trading day begins. A time that a clock change skips means the same time an hour later, one
    /// that it repeats its first occurrence.
    #[must_use]
    pub fn start_of(&self, day: NaiveDate) -> DateTime<Utc> {
        let eve = if self.time == NaiveTime::MIN { day } else { day.pred_opt().unwrap_or(day) };
        let local = eve.and_time(self.time);
        let found = |local| self.zone.from_local_datetime(&local).earliest();
        let found = found(local).or_else(|| found(local + chrono::TimeDelta::hours(1)));
        found.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
    }

    /// The first roll after an instant.
    #[must_use]
    pub fn next_after(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let day = self.day_of(at);
        // Where the clocks go back over the roll, its time comes twice; only the first is the roll.
        day.iter_days().skip(1).map(|day| self.start_of(day)).find(|start| *start > at).unwrap_or(at)
    }
}

impl std::str::FromStr for DayRoll {
    type Err = InvalidDayRoll;
    fn from_str(text: &str) -> Result<Self, InvalidDayRoll> {
        let read = || {
            let (time, zone) = text.trim().split_once(' ')?;
            let time = NaiveTime::parse_from_str(time, "%H:%M").ok().filter(|_| time.len() == 5)?;
            Some(Self { time, zone: zone.trim().parse().ok()? })
        };
        read().ok_or_else(|| InvalidDayRoll { value: text.chars().take(60).collect() })
    }
}

impl std::fmt::Display for DayRoll {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.time.format("%H:%M"), self.zone)
    }
}

impl TryFrom<SmolStr> for DayRoll {
    type Error = InvalidDayRoll;
    fn try_from(text: SmolStr) -> Result<Self, InvalidDayRoll> {
        text.parse()
    }
}

impl From<DayRoll> for SmolStr {
    fn from(roll: DayRoll) -> SmolStr {
        smol_str::format_smolstr!("{roll}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_rolls_at_its_local_time() {
        let roll: DayRoll = "17:00 America/New_York".parse().unwrap();
        for (instant, day, start) in [
            ("2026-01-04T21:59:59.999Z", "2026-01-04", "2026-01-03T22:00:00Z"),
            ("2026-01-04T22:00:00Z", "2026-01-05", "2026-01-04T22:00:00Z"),
            ("2026-07-01T20:59:59Z", "2026-07-01", "2026-06-30T21:00:00Z"),
            ("2026-07-01T21:00:00Z", "2026-07-02", "2026-07-01T21:00:00Z"),
        ] {
            let day: NaiveDate = day.parse().unwrap();
            assert_eq!((roll.day_of(at(instant)), roll.start_of(day)), (day, at(start)), "{instant}");
        }
        assert_eq!(roll.next_after(at("2026-07-01T21:00:00Z")), at("2026-07-02T21:00:00Z"));
        assert_eq!(DayRoll::MIDNIGHT_UTC.day_of(at("2026-07-01T00:00:00Z")).to_string(), "2026-07-01");
        assert_eq!(DayRoll::MIDNIGHT_UTC.next_after(at("2026-07-01T00:00:00Z")), at("2026-07-02T00:00:00Z"));
    }

    #[test]
    fn clock_changes_neither_lose_nor_repeat_a_day() {
        // In New York the clocks skip 02:30 on 8 March 2026 and repeat 01:30 on 1 November 2026.
        for (text, days) in
            [("02:30 America/New_York", "2026-03-05"), ("01:30 America/New_York", "2026-10-29")]
        {
            let roll: DayRoll = text.parse().unwrap();
            let mut now = roll.start_of(days.parse().unwrap());
            for _ in 0..6 {
                let day = roll.day_of(now);
                let next = roll.next_after(now);
                assert!(next > now && roll.day_of(next) >= day.succ_opt().unwrap(), "{text} {now}");
                now = next;
            }
        }
    }

    #[test]
    fn texts_come_back_and_bad_ones_name_the_form() {
        let roll: DayRoll = serde_json::from_str("\"17:00 America/New_York\"").unwrap();
        assert_eq!(serde_json::to_string(&roll).unwrap(), "\"17:00 America/New_York\"");
        for text in ["", "17:00", "5pm UTC", "7:00 UTC", "17:00 Mars", "24:00 UTC"] {
            let error = text.parse::<DayRoll>().unwrap_err().to_string();
            assert!(error.contains("write HH:MM and a time zone"), "{error}");
        }
    }
}
