//! Holding buckets: how long a book is meant to be held, and so when it is decided anew.

use chrono::NaiveDate;
use mts_foundation::calendar::CalendarError;
use mts_foundation::{Decimal, MarketCalendar, Symbol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long positions are meant to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldingBucket {
    /// Within a session: decided at any time, flat at its end.
    Intraday,
    /// From session to session.
    Daily,
    /// From the last session of a week to that of the next.
    Weekly,
    /// From the last session of a month to that of the next.
    Monthly,
}

impl HoldingBucket {
    /// All of them, the shortest first.
    pub const ALL: &'static [Self] = &[Self::Intraday, Self::Daily, Self::Weekly, Self::Monthly];

    /// The bucket of a mean holding period, in sessions: below one intraday, below five daily, below 21 weekly.
    #[must_use]
    pub fn of_sessions(sessions: f64) -> Self {
        match sessions {
            sessions if sessions < 1.0 => Self::Intraday,
            sessions if sessions < 5.0 => Self::Daily,
            sessions if sessions < 21.0 => Self::Weekly,
            // Not a number is held longest: it trades least.
            _ => Self::Monthly,
        }
    }

    /// Whether its book is decided anew at the end of this session; on a day without a session no book is.
    ///
    /// # Errors
    /// [`CalendarError`] for a date that the calendar does not cover.
    pub fn is_due(self, calendar: &MarketCalendar, date: NaiveDate) -> Result<bool, CalendarError> {
        match self {
            Self::Intraday | Self::Daily => Ok(calendar.session_on(date)?.is_some()),
            Self::Weekly => calendar.is_last_session_of_week(date),
            Self::Monthly => calendar.is_last_session_of_month(date),
        }
    }
}

/// One book of weights for each bucket; together they are the fund's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HoldingBuckets {
    books: BTreeMap<HoldingBucket, BTreeMap<Symbol, Decimal>>,
}

impl HoldingBuckets {
    /// Takes new weights of a bucket, if its book is due at the end of this session; else the old ones stay. Says which.
    ///
    /// # Errors
    /// [`CalendarError`]; nothing has changed then.
    pub fn decide(
        &mut self,
        bucket: HoldingBucket,
        weights: BTreeMap<Symbol, Decimal>,
        (calendar, date): (&MarketCalendar, NaiveDate),
    ) -> Result<bool, CalendarError> {
        let due = bucket.is_due(calendar, date)?;
        if due {
            self.books.insert(bucket, weights);
        }
        Ok(due)
    }

    /// The session ends: what is held within it ends with it.
    pub fn session_ends(&mut self) {
        self.books.remove(&HoldingBucket::Intraday);
    }

    /// The weights of a bucket.
    #[must_use]
    pub fn weights(&self, bucket: HoldingBucket) -> Option<&BTreeMap<Symbol, Decimal>> {
        self.books.get(&bucket)
    }

    /// The weights of all buckets together, fractions of the fund's net asset value; what one holds long and another short is
    /// netted, and what nets to nothing is left out.
    #[must_use]
    pub fn together(&self) -> BTreeMap<Symbol, Decimal> {
        let mut all: BTreeMap<Symbol, Decimal> = BTreeMap::new();
        for (symbol, weight) in self.books.values().flatten() {
            let sum = all.entry(symbol.clone()).or_default();
            *sum = sum.saturating_add(*weight);
        }
        all.retain(|_, weight| !weight.is_zero());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(of: &[(&str, i64)]) -> BTreeMap<Symbol, Decimal> {
        of.iter().map(|(name, weight)| (name.parse().unwrap(), Decimal::new(*weight, 2))).collect()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_book_is_decided_when_its_period_ends() {
        let calendar = MarketCalendar::builtin("XNYS").unwrap();
        // Good Friday 2026 is 3 April: the week ends on Thursday. April ends on a Thursday.
        for (date, due) in [
            ("2026-04-01", "intraday daily"),
            ("2026-04-02", "intraday daily weekly"),
            ("2026-04-03", ""),
            ("2026-04-30", "intraday daily monthly"),
            ("2026-05-01", "intraday daily weekly"),
        ] {
            let found: Vec<String> = HoldingBucket::ALL
                .iter()
                .filter(|bucket| bucket.is_due(calendar, day(date)).unwrap())
                .map(|bucket| serde_json::to_value(bucket).unwrap().as_str().unwrap().to_owned())
                .collect();
            assert_eq!(found.join(" "), due, "{date}");
        }
        assert!(HoldingBucket::Weekly.is_due(calendar, day("1800-01-01")).is_err());
        let of = [0.2, 1.0, 4.9, 5.0, 21.0, f64::NAN].map(HoldingBucket::of_sessions);
        use HoldingBucket::{Daily, Intraday, Monthly, Weekly};
        assert_eq!(of, [Intraday, Daily, Daily, Weekly, Monthly, Monthly]);
    }

    #[test]
    fn books_of_all_periods_are_one_and_netted() {
        let calendar = MarketCalendar::builtin("XNYS").unwrap();
        let mut buckets = HoldingBuckets::default();
        let mut decide = |bucket, of: &[(&str, i64)], date: &str| {
            buckets.decide(bucket, weights(of), (calendar, day(date))).unwrap()
        };
        assert!(decide(HoldingBucket::Monthly, &[("A", 10), ("B", 20)], "2026-04-30"));
        assert!(!decide(HoldingBucket::Monthly, &[("C", 50)], "2026-05-01"), "it is held on");
        assert!(decide(HoldingBucket::Weekly, &[("A", -4), ("B", -20)], "2026-05-01"));
        assert!(decide(HoldingBucket::Intraday, &[("D", 3)], "2026-05-01"));
        assert_eq!(buckets.together(), weights(&[("A", 6), ("D", 3)]));
        buckets.session_ends();
        assert_eq!(buckets.together(), weights(&[("A", 6)]));
        assert_eq!(buckets.weights(HoldingBucket::Intraday), None);
    }
}
