//! Axes with readable ticks: values (linear or logarithmic), time, and categories.

use super::model::{ValueFormat, number};
use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime};
use plotters::coord::ranged1d::{KeyPointHint, KeyPointWeight, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// An axis with the ticks that the charts ask of it; plotters draws the mesh and labels from these.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis that covers both values, widened to whole ticks, of which there are about `target`.
    pub(super) fn linear(lo: f64, hi: f64, target: u32, format: ValueFormat) -> Self {
        let (lo, hi) = apart(lo, hi);
        let step = nice_step((hi - lo) / f64::from(target.max(2)));
        let first = (lo / step + 1e-9).floor();
        let last = (hi / step - 1e-9).ceil();
        let values = multiples(step, first, last);
        Self { lo: first * step, hi: last * step, log: false, ticks: labelled(&values, format, true) }
    }

    /// A logarithmic axis that covers both values, which are above zero.
    pub(super) fn log(lo: f64, hi: f64, format: ValueFormat) -> Self {
        let (lo, hi) = if hi / lo < 1.02 { (lo / 1.05, hi * 1.05) } else { (lo, hi) };
        let margin = (hi / lo).powf(0.03);
        let (lo, hi) = (lo / margin, hi * margin);
        let step = nice_step((hi - lo) / 6.0);
        let mut values = if hi / lo < 6.0 {
            multiples(step, (lo / step).ceil(), (hi / step).floor())
        } else {
            log_ticks(lo, hi)
        };
        values.retain(|value| *value >= lo && *value <= hi);
        Self { lo, hi, log: true, ticks: labelled(&values, format, false) }
    }

    /// A time axis over seconds since 1970, as [`seconds`] gives them, with ticks on calendar boundaries; on a
    /// `daily` one, no closer than days.
    pub(super) fn time(lo: f64, hi: f64, daily: bool) -> Self {
        let pad = if daily { 4.0 * DAY } else { DAY / 24.0 };
        let (lo, hi) = if hi - lo < 1.0 { (lo - pad, hi + pad) } else { (lo, hi) };
        Self { lo, hi, log: false, ticks: time_ticks(lo, hi, daily) }
    }

    /// An axis for categories, top to bottom; the middle of the first is at [`Axis::row`] 0.
    pub(super) fn categories(labels: Vec<String>) -> Self {
        let rows = labels.len();
        let ticks =
            labels.into_iter().enumerate().map(|(row, label)| (Self::row(rows, row), label)).collect();
        Self { lo: 0.0, hi: rows.max(1) as f64, log: false, ticks }
    }

    /// Middle of a category on an axis of `rows` categories.
    pub(super) fn row(rows: usize, row: usize) -> f64 {
        rows as f64 - row as f64 - 0.5
    }

    /// Width of the widest label, by a measure for text.
    pub(super) fn widest(&self, width: impl Fn(&str) -> u32) -> u32 {
        self.ticks.iter().map(|(_, label)| width(label)).max().unwrap_or(0)
    }

    /// Labels in order, for tests.
    #[cfg(test)]
    fn labels(&self) -> Vec<&str> {
        self.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let fraction = if self.log {
            (value / self.lo).ln() / (self.hi / self.lo).ln()
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        whole(f64::from(limit.0) + f64::from(limit.1.saturating_sub(limit.0)) * fraction)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight() {
            KeyPointWeight::Bold => self.ticks.iter().map(|(value, _)| *value).collect(),
            KeyPointWeight::Any => Vec::new(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.lo..self.hi
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick.total_cmp(value).is_eq());
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// Nearest whole number, kept within what both `i32` and further additions can hold.
#[expect(clippy::cast_possible_truncation, reason = "clamped to a range that i32 holds; NaN becomes zero")]
fn whole(value: f64) -> i32 {
    value.clamp(-1e6, 1e6).round() as i32
}

/// Seconds since 1970 to the millisecond.
pub(super) fn seconds(time: NaiveDateTime) -> f64 {
    time.and_utc().timestamp_millis() as f64 / 1_000.0
}

/// Whether all instants are at midnight: data by day.
pub(super) fn is_daily(times: &[NaiveDateTime]) -> bool {
    times.iter().all(|time| time.time() == NaiveTime::MIN)
}

/// The two ends of a linear axis, moved apart when they are the same or nearly so.
fn apart(lo: f64, hi: f64) -> (f64, f64) {
    let size = lo.abs().max(hi.abs());
    if hi - lo > size * 1e-9 {
        return (lo, hi);
    }
    let pad = if size > 0.0 { size * 0.05 } else { 0.5 };
    (lo - pad, hi + pad)
}

/// The smallest of 1, 2, 2.5, 5 and 10, times a power of ten, that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0];
    factors.iter().map(|factor| factor * power).find(|step| *step >= rough * 0.999).unwrap_or(power * 10.0)
}

/// `step` times every whole number from `first` to `last`, at most fifty of them.
fn multiples(step: f64, first: f64, last: f64) -> Vec<f64> {
    let values = (0..50_u32).map(|index| first + f64::from(index)).take_while(|factor| *factor <= last + 0.5);
    values.map(|factor| factor * step).collect()
}

/// Powers of ten between both values, with their doubles and halves as long as there is room; across many decades,
/// only every second, third, fifth power and so on.
fn log_ticks(lo: f64, hi: f64) -> Vec<f64> {
    const MOST: usize = 9;
    let (first, last) = (lo.log10().floor(), hi.log10().ceil());
    let ticks = |mantissas: &[f64], stride: f64| -> Vec<f64> {
        let powers = (0..400_u32).map(|decade| first + f64::from(decade)).take_while(|power| *power <= last);
        let powers = powers.filter(|power| power.rem_euclid(stride) < 0.5).map(|power| 10_f64.powf(power));
        let values = powers.flat_map(|power| mantissas.iter().map(move |mantissa| mantissa * power));
        values.filter(|value| *value >= lo && *value <= hi).collect()
    };
    let dense: [&[f64]; 2] = [&[1.0, 2.0, 5.0], &[1.0, 3.0]];
    let dense = dense.into_iter().map(|mantissas| ticks(mantissas, 1.0));
    let sparse = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0].into_iter().map(|stride| ticks(&[1.0], stride));
    dense.chain(sparse).find(|ticks| ticks.len() <= MOST).unwrap_or_default()
}

/// Labels for tick values: as few decimals as show them exactly, on a linear axis the same for all; large numbers in
/// millions (M) or billions (B), all or, where ticks are orders of magnitude apart, each by itself.
fn labelled(values: &[f64], format: ValueFormat, linear: bool) -> Vec<(f64, String)> {
    let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let smallest = values.iter().fold(f64::INFINITY, |least, value| least.min(value.abs()));
    let shared = unit(largest, format);
    let together = linear || smallest * shared.0 >= 0.1;
    let most = values.iter().map(|value| decimals(value * shared.0)).max().unwrap_or(0);
    let label = |value: f64| {
        let (factor, suffix) = if together { shared } else { unit(value, format) };
        let suffix = if value == 0.0 && suffix != "%" { "" } else { suffix };
        let scaled = value * factor;
        if !linear && scaled.abs() < 1e-4 {
            return format!("{scaled:.0e}{suffix}");
        }
        format!("{}{suffix}", number(scaled, if linear { most } else { decimals(scaled) }))
    };
    values.iter().map(|value| (*value, label(*value))).collect()
}

/// Factor and suffix that keep a number of this size short.
fn unit(size: f64, format: ValueFormat) -> (f64, &'static str) {
    match format {
        ValueFormat::Percent(_) => (100.0, "%"),
        ValueFormat::Number(_) if size >= 1e17 => (1.0, ""),
        ValueFormat::Number(_) if size >= 1e11 => (1e-9, "B"),
        ValueFormat::Number(_) if size >= 1e8 => (1e-6, "M"),
        ValueFormat::Number(_) => (1.0, ""),
    }
}

/// Decimals that show a tick value without error, at most ten.
fn decimals(value: f64) -> usize {
    let exact = |digits: &i32| {
        let scaled = value * 10_f64.powi(*digits);
        (scaled - scaled.round()).abs() <= scaled.abs().max(1.0) * 1e-9
    };
    (0..10_i32).find(exact).map_or(10, |digits| usize::try_from(digits).unwrap_or(0))
}

/// Distance between the ticks of a time axis.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Minutes(i64),
    Days(i64),
    Months(u32),
}

impl Pace {
    /// Average length in seconds.
    fn length(self) -> f64 {
        match self {
            Self::Minutes(minutes) => minutes as f64 * 60.0,
            Self::Days(days) => days as f64 * DAY,
            Self::Months(months) => f64::from(months) * 2_629_746.0,
        }
    }

    /// Labels of this kind that fit next to each other.
    fn most(self) -> f64 {
        match self {
            Self::Months(months) if months >= 12 => 14.0,
            _ => 9.0,
        }
    }

    /// The last boundary at or before `time`.
    fn floor(self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Minutes(minutes) => {
                let into = seconds(time).rem_euclid(minutes as f64 * 60.0);
                instant(seconds(time) - into)
            }
            Self::Days(7) => {
                let back = i64::from(time.weekday().num_days_from_monday());
                time.date().and_time(NaiveTime::MIN).checked_sub_signed(Duration::try_days(back)?)
            }
            Self::Days(_) => {
                Some(NaiveDate::from_ymd_opt(time.year(), time.month(), 1)?.and_time(NaiveTime::MIN))
            }
            Self::Months(months) if months < 12 => {
                let month = time.month0() - time.month0() % months.max(1);
                Some(NaiveDate::from_ymd_opt(time.year(), month + 1, 1)?.and_time(NaiveTime::MIN))
            }
            Self::Months(months) => {
                let years = i32::try_from(months / 12).ok()?.max(1);
                let year = time.year() - time.year().rem_euclid(years);
                Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_time(NaiveTime::MIN))
            }
        }
    }

    fn next(self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Minutes(minutes) => time.checked_add_signed(Duration::try_minutes(minutes)?),
            Self::Days(days) => time.checked_add_signed(Duration::try_days(days)?),
            Self::Months(months) => time.checked_add_months(Months::new(months)),
        }
    }

    fn label(self, time: NaiveDateTime, one_day: bool) -> String {
        let pattern = match self {
            Self::Minutes(_) if one_day => "%H:%M",
            Self::Minutes(_) => "%m-%d %H:%M",
            Self::Days(_) => "%Y-%m-%d",
            Self::Months(months) if months < 12 => "%b %Y",
            Self::Months(_) => "%Y",
        };
        time.format(pattern).to_string()
    }
}

/// The instant of a position on a time axis; `None` outside of what a date can hold.
fn instant(seconds: f64) -> Option<NaiveDateTime> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates, and the calendar checks it"
    )]
    let millis = (seconds * 1_000.0).round() as i64;
    DateTime::from_timestamp_millis(millis).map(|time| time.naive_utc())
}

/// Calendar boundaries between two positions: about as many as their labels leave room for.
fn time_ticks(lo: f64, hi: f64, daily: bool) -> Vec<(f64, String)> {
    let (Some(first), Some(last)) = (instant(lo), instant(hi)) else { return Vec::new() };
    let minutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map(Pace::Minutes);
    let days = [1, 2, 7].map(Pace::Days);
    let months =
        [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 6_000, 12_000, 120_000, 600_000].map(Pace::Months);
    let paces = || minutes.iter().filter(|_| !daily).chain(&days).chain(&months).copied();
    let enough = paces().find(|pace| (hi - lo) / pace.length() <= pace.most());
    let Some(pace) = enough.or_else(|| paces().last()) else { return Vec::new() };
    let one_day = first.date() == last.date();
    let boundaries = std::iter::successors(pace.floor(first), |time| pace.next(*time));
    let inside = boundaries.take(64).map(|time| (time, seconds(time)));
    let inside = inside.skip_while(|(_, at)| *at < lo).take_while(|(_, at)| *at <= hi);
    inside.map(|(time, at)| (at, pace.label(time, one_day))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> f64 {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
        seconds(date.and_time(NaiveTime::MIN))
    }

    #[test]
    fn linear_ticks_are_round_and_cover_the_values() {
        let axis = Axis::linear(-0.234, 0.0, 5, ValueFormat::Percent(1));
        assert_eq!(axis.labels(), ["-25%", "-20%", "-15%", "-10%", "-5%", "0%"]);
        let axis = Axis::linear(948_000.0, 1_912_345.0, 5, ValueFormat::Number(2));
        assert_eq!(
            axis.labels(),
            ["800,000", "1,000,000", "1,200,000", "1,400,000", "1,600,000", "1,800,000", "2,000,000"]
        );
        let axis = Axis::linear(0.0, 3.1e9, 4, ValueFormat::Number(0));
        assert_eq!(axis.labels(), ["0", "1,000M", "2,000M", "3,000M", "4,000M"]);
        for flat in [0.0, 5.0, -1e-12, 1e99] {
            let axis = Axis::linear(flat, flat, 5, ValueFormat::Number(2));
            assert!(axis.lo < flat && axis.hi > flat && axis.ticks.len() >= 2, "{flat}: {axis:?}");
        }
    }

    #[test]
    fn log_ticks_fit_narrow_and_wide_ranges() {
        let axis = Axis::log(900_000.0, 9_500_000.0, ValueFormat::Number(0));
        assert_eq!(axis.labels(), ["1,000,000", "2,000,000", "5,000,000", "10,000,000"]);
        let axis = Axis::log(1.0, 2.0, ValueFormat::Number(2));
        assert!((4..=8).contains(&axis.ticks.len()), "{axis:?}");
        let axis = Axis::log(2e-9, 1e13, ValueFormat::Number(0));
        assert_eq!(axis.labels(), ["1e-9", "1e-6", "0.001", "1", "1,000", "1,000,000", "1,000M", "1,000B"]);
        let axis = Axis::log(4e7, 9e8, ValueFormat::Number(0));
        assert_eq!(axis.labels(), ["50M", "100M", "200M", "500M"]);
        for (lo, hi) in [(1e-90, 1e90), (1.0, 1e12), (3.0, 3.0)] {
            let axis = Axis::log(lo, hi, ValueFormat::Number(0));
            assert!((2..=9).contains(&axis.ticks.len()), "{axis:?}");
        }
    }

    #[test]
    fn time_ticks_follow_the_calendar() {
        let axis = Axis::time(day(2001, 1, 2), day(2024, 12, 31), true);
        assert_eq!(
            axis.labels(),
            ["2002", "2004", "2006", "2008", "2010", "2012", "2014", "2016", "2018", "2020", "2022", "2024"]
        );
        let axis = Axis::time(day(2015, 3, 1), day(2024, 2, 1), true);
        assert_eq!(axis.labels().first(), Some(&"2016"));
        let axis = Axis::time(day(2024, 1, 2), day(2024, 7, 31), true);
        assert_eq!(axis.labels(), ["Feb 2024", "Mar 2024", "Apr 2024", "May 2024", "Jun 2024", "Jul 2024"]);
        let axis = Axis::time(day(2024, 3, 4), day(2024, 3, 6), true);
        assert_eq!(axis.labels(), ["2024-03-04", "2024-03-05", "2024-03-06"]);
        let axis = Axis::time(day(2024, 3, 4), day(2024, 3, 6), false);
        assert_eq!(axis.labels().first(), Some(&"03-04 00:00"));
        let axis = Axis::time(day(2024, 3, 4) + 34_200.0, day(2024, 3, 4) + 57_600.0, false);
        assert_eq!(axis.labels().first(), Some(&"10:00"));
        assert!(!Axis::time(day(2024, 3, 4), day(2024, 3, 4), true).ticks.is_empty());
        assert!(Axis::time(-8e12, 8e12, true).ticks.len() <= 20);
        assert!(Axis::time(-1e300, 1e300, true).ticks.is_empty());
    }

    #[test]
    fn mapping_never_leaves_what_pixels_can_hold() {
        let axis = Axis::linear(0.0, 10.0, 5, ValueFormat::Number(0));
        assert_eq!(axis.map(&5.0, (600, 0)), 300);
        assert_eq!(axis.map(&f64::NAN, (600, 0)), 0);
        assert_eq!(axis.map(&f64::INFINITY, (0, 600)), 1_000_000);
        assert_eq!(Axis::log(1.0, 100.0, ValueFormat::Number(0)).map(&10.0, (0, 600)), 300);
    }
}
