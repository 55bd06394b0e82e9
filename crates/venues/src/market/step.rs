//! The lengths of bars.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use mts_foundation::Timestamp;

/// What a length is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
}

/// The length of a bar, and where its days begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) unit: Unit,
    /// How many; of days and longer ones always one.
    pub(crate) count: u32,
    pub(crate) zone: Tz,
}

impl Step {
    /// A length: of seconds to hours those that divide the next larger unit, of the others one.
    pub(crate) fn new(unit: Unit, count: u32, zone: Tz) -> Option<Self> {
        let is_known = count > 0
            && match unit {
                Unit::Second | Unit::Minute => 60_u32.is_multiple_of(count),
                Unit::Hour => 24_u32.is_multiple_of(count),
                Unit::Day | Unit::Week | Unit::Month => count == 1,
            };
        is_known.then_some(Self { unit, count, zone })
    }

    /// So many minutes, where that is one of the lengths.
    pub(crate) fn minutes(minutes: u32, zone: Tz) -> Option<Self> {
        match minutes {
            1..60 => Self::new(Unit::Minute, minutes, zone),
            60..1_440 if minutes.is_multiple_of(60) => Self::new(Unit::Hour, minutes / 60, zone),
            1_440 => Self::new(Unit::Day, 1, zone),
            10_080 => Self::new(Unit::Week, 1, zone),
            _ => None,
        }
    }

    fn nanos(self) -> Option<i64> {
        let one = match self.unit {
            Unit::Second => 1_000_000_000,
            Unit::Minute => 60_000_000_000,
            Unit::Hour => 3_600_000_000_000,
            Unit::Day | Unit::Week | Unit::Month => return None,
        };
        Some(one * i64::from(self.count))
    }

    /// The first day of the day, week or month of a day.
    fn first_day(self, day: NaiveDate) -> NaiveDate {
        let back = match self.unit {
            Unit::Week => day.weekday().num_days_from_monday(),
            Unit::Month => day.day0(),
            _ => 0,
        };
        day.checked_sub_days(Days::new(u64::from(back))).unwrap_or(day)
    }

    fn midnight(self, day: NaiveDate) -> Timestamp {
        let local = self.zone.from_local_datetime(&day.and_time(chrono::NaiveTime::MIN)).earliest();
        let instant: DateTime<Utc> =
            local.map_or_else(|| day.and_time(chrono::NaiveTime::MIN).and_utc(), |at| at.to_utc());
        Timestamp::from_nanos(instant.timestamp_nanos_opt().unwrap_or_default())
    }

    /// When the bar of an instant starts.
    pub(crate) fn start(self, time: Timestamp) -> Timestamp {
        match self.nanos() {
            Some(nanos) => Timestamp::from_nanos(time.nanos().div_euclid(nanos) * nanos),
            None => {
                let day = time.to_datetime().with_timezone(&self.zone).date_naive();
                self.midnight(self.first_day(day))
            }
        }
    }

    /// When it ends.
    pub(crate) fn end(self, time: Timestamp) -> Timestamp {
        let start = self.start(time);
        if let Some(nanos) = self.nanos() {
            return Timestamp::from_nanos(start.nanos().saturating_add(nanos));
        }
        let day = start.to_datetime().with_timezone(&self.zone).date_naive();
        let next = match self.unit {
            Unit::Month => day.checked_add_months(Months::new(1)),
            Unit::Week => day.checked_add_days(Days::new(7)),
            _ => day.checked_add_days(Days::new(1)),
        };
        self.midnight(next.unwrap_or(day))
    }
}
