//! Holding periods (26 U.S.C. § 1222, § 1223(3)).

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// Whether a gain or loss is short-term or long-term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Held for one year or less, and every short sale.
    Short,
    /// Held for more than one year.
    Long,
}

impl Term {
    /// The wire spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
        }
    }

    /// The term of units acquired and sold on these days.
    #[must_use]
    pub fn of(acquired: NaiveDate, sold: NaiveDate) -> Self {
        if sold >= long_term_from(acquired) { Self::Long } else { Self::Short }
    }
}

impl std::fmt::Display for Term {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(self.as_str())
    }
}

/// First day on which a sale is long-term: the day of the purchase does not count and that of the sale does (Rev. Rul.
/// 66-97), and a year of calendar months begins on the day after the purchase (Rev. Rul. 66-7). What was bought on 28
/// February 2023 is therefore held since 1 March and long-term from 1 March 2024, not on the leap day before it.
#[must_use]
pub fn long_term_from(acquired: NaiveDate) -> NaiveDate {
    let begins = acquired.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    let Some(year) = begins.year().checked_add(1) else { return NaiveDate::MAX };
    // A year that begins on a leap day is over with the 28th of the next February.
    let anniversary = begins.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1));
    anniversary.unwrap_or(NaiveDate::MAX)
}

/// `date`, earlier by as many days as units were held that are replaced: tacking (§ 1223(3)).
pub(super) fn tacked(date: NaiveDate, held_from: NaiveDate, held_until: NaiveDate) -> NaiveDate {
    let held = held_until.signed_duration_since(held_from).num_days();
    let days = u64::try_from(held).unwrap_or(0);
    date.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn more_than_one_year_is_long_term() {
        for (acquired, last_short, first_long) in [
            ("2023-03-01", "2024-03-01", "2024-03-02"),
            ("2025-03-01", "2026-03-01", "2026-03-02"),
            ("2024-02-29", "2025-02-28", "2025-03-01"),
            ("2024-02-28", "2025-02-28", "2025-03-01"),
            ("2023-02-28", "2024-02-29", "2024-03-01"),
            ("2023-02-27", "2024-02-27", "2024-02-28"),
            ("2022-12-31", "2023-12-31", "2024-01-01"),
            ("2023-01-31", "2024-01-31", "2024-02-01"),
        ] {
            let (acquired, last_short, first_long) = (day(acquired), day(last_short), day(first_long));
            assert_eq!(long_term_from(acquired), first_long, "{acquired}");
            assert_eq!(Term::of(acquired, last_short), Term::Short, "{acquired}");
            assert_eq!(Term::of(acquired, first_long), Term::Long, "{acquired}");
        }
    }

    #[test]
    fn days_that_units_were_held_are_tacked_on() {
        assert_eq!(tacked(day("2013-02-02"), day("2013-01-12"), day("2013-01-20")), day("2013-01-25"));
        let same = day("2013-02-02");
        assert_eq!(tacked(same, same, same), same);
        assert_eq!(tacked(same, day("2014-01-01"), day("2013-01-01")), same, "no period is less than none");
    }

    #[test]
    fn no_date_is_out_of_range() {
        assert_eq!(long_term_from(NaiveDate::MAX), NaiveDate::MAX);
        assert_eq!(tacked(NaiveDate::MIN, day("2013-01-01"), day("2014-01-01")), NaiveDate::MIN);
    }
}
