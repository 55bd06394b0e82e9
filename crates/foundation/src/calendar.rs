//! Exchange calendars: which days a market trades and when it opens and closes.
//!
//! A calendar is a small text table in the market's local time, expanded once into a sorted list of [`Session`]s in
//! UTC. The tables were generated from the Python package `exchange_calendars` 4.13.2 (Apache-2.0) and list every
//! session they know of; an answer that would need a day outside the table is [`CalendarError::OutOfRange`], never a
//! guess. A closure announced after a table was generated needs a new table.
//!
//! ```text
//! [XNYS]                                     the name, on the first line
//! tz America/New_York                        the zone of every time below
//! week 01234                                 weekdays which trade, 0 = Monday
//! range 19900102 20271231                    the days the table covers, both included
//! regime 19900102 09:30 16:00 - -            from that day on: open, close, break start, break end
//! holidays 19900219 19900413                 days of the week mask without a session
//! extra 20150905                             sessions off the week mask
//! special 09:30 13:00 - - : 19931126         other times, on these days only
//! ```
//! `-1/17:00` is 17:00 on the day before the session's date and `+1/00:00` midnight at its end.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc, Weekday, WeekdaySet,
};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// One trading day: [`open`](Self::open) included, [`close`](Self::close) excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session {
    /// The trading date in the market's own reckoning; a market which opens the evening before names the next day.
    pub date: NaiveDate,
    /// The first instant of trading.
    pub open: DateTime<Utc>,
    /// The first instant after trading.
    pub close: DateTime<Utc>,
    /// When the midday break starts, for a market which has one.
    pub break_start: Option<DateTime<Utc>>,
    /// When trading resumes after the break.
    pub break_end: Option<DateTime<Utc>>,
}

impl Session {
    /// Whether the market trades at `at`: within the session and not in its break.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        let paused =
            matches!((self.break_start, self.break_end), (Some(start), Some(end)) if start <= at && at < end);
        self.open <= at && at < self.close && !paused
    }
}

/// Why a calendar gives no answer, or a calendar text is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// No calendar of that name is built in.
    #[error("calendar {name:?} is not built in: use one of {known}, or parse its table")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// The answer depends on a day the table does not cover.
    #[error(
        "date {date} is outside calendar {calendar}, {first} to {last}: use a date within it or a newer table"
    )]
    OutOfRange {
        /// The calendar's name.
        calendar: String,
        /// The day that is not covered.
        date: NaiveDate,
        /// The first day covered.
        first: NaiveDate,
        /// The last day covered.
        last: NaiveDate,
    },
    /// A calendar text cannot be used.
    #[error("calendar line {line}: {field} {value:?} {fault}")]
    Malformed {
        /// The number of the line, from 1; that of the last line when one is missing.
        line: usize,
        /// The part of the line at fault.
        field: &'static str,
        /// The offending text.
        value: String,
        /// What is wrong and what to write instead.
        fault: &'static str,
    },
}

/// The sessions of one market over the years its table covers.
#[derive(Clone)]
pub struct MarketCalendar {
    name: String,
    zone: Tz,
    week: WeekdaySet,
    overnight: bool,
    first: NaiveDate,
    last: NaiveDate,
    first_session: Session,
    last_session: Session,
    sessions: Vec<Session>,
}

type Builtin = (&'static str, &'static str, OnceLock<Result<MarketCalendar, CalendarError>>);

static BUILTIN: [Builtin; 1] = [("XNYS", include_str!("../data/calendars/XNYS.cal"), OnceLock::new())];

impl MarketCalendar {
    /// The built-in calendar of that name (an ISO 10383 market code, in any case), expanded at its first use.
    ///
    /// # Errors
    /// [`CalendarError::Unknown`], listing the names there are.
    pub fn builtin(name: &str) -> Result<&'static Self, CalendarError> {
        match BUILTIN.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name.trim())) {
            Some((_, text, cell)) => cell.get_or_init(|| Self::parse(text)).as_ref().map_err(Clone::clone),
            None => Err(CalendarError::Unknown {
                name: excerpt(name),
                known: BUILTIN.each_ref().map(|(known, ..)| *known).join(", "),
            }),
        }
    }

    /// Reads a calendar text (its form: see the [module](self)) and expands every session.
    ///
    /// # Errors
    /// [`CalendarError::Malformed`] naming the line. Besides wrong syntax this covers dates which contradict the
    /// table, sessions which overlap, and local times which a clock change skips.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        Table::read(text)?.expand()
    }

    /// The name in the table's first line, such as `XNYS`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone in which the market states its times.
    #[must_use]
    pub fn time_zone(&self) -> Tz {
        self.zone
    }

    /// The earliest session.
    #[must_use]
    pub fn first_session(&self) -> Session {
        self.first_session
    }

    /// The latest session.
    #[must_use]
    pub fn last_session(&self) -> Session {
        self.last_session
    }

    /// The last day about which this calendar says anything.
    #[must_use]
    pub fn valid_through(&self) -> NaiveDate {
        self.last
    }

    /// The sessions from `from` to `to`, both included; none when `from` is after `to`.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when either date is not covered.
    pub fn sessions(&self, from: NaiveDate, to: NaiveDate) -> Result<&[Session], CalendarError> {
        self.covers(from)?;
        self.covers(to)?;
        let start = self.sessions.partition_point(|session| session.date < from);
        let end = self.sessions.partition_point(|session| session.date <= to);
        Ok(self.sessions.get(start..end).unwrap_or_default())
    }

    /// The session of that date, `None` on a day without trading.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the date is not covered.
    pub fn session_on(&self, date: NaiveDate) -> Result<Option<Session>, CalendarError> {
        self.covers(date)?;
        let index = self.sessions.partition_point(|session| session.date < date);
        Ok(self.sessions.get(index).copied().filter(|session| session.date == date))
    }

    /// The first session dated strictly after `after`.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the days up to that session are not all covered.
    pub fn next_session(&self, after: NaiveDate) -> Result<Session, CalendarError> {
        self.covers(after.succ_opt().unwrap_or(after))?;
        let index = self.sessions.partition_point(|session| session.date <= after);
        let found = self.sessions.get(index).copied();
        found.ok_or_else(|| self.beyond(self.last.succ_opt().unwrap_or(self.last)))
    }

    /// The last session dated strictly before `before`.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the days back to that session are not all covered.
    pub fn previous_session(&self, before: NaiveDate) -> Result<Session, CalendarError> {
        self.covers(before.pred_opt().unwrap_or(before))?;
        let index = self.sessions.partition_point(|session| session.date < before).checked_sub(1);
        let found = index.and_then(|index| self.sessions.get(index)).copied();
        found.ok_or_else(|| self.beyond(self.first.pred_opt().unwrap_or(self.first)))
    }

    /// The session under way at `at`, from its open to its close, its break included (see [`Session::contains`]);
    /// `None` between sessions.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the instant, in local time, falls on a day that is not covered, or may
    /// belong to the session of such a day.
    pub fn session_at(&self, at: DateTime<Utc>) -> Result<Option<Session>, CalendarError> {
        if at < self.first_session.open || at >= self.last_session.close {
            return self.outside_all_sessions(at).map(|()| None);
        }
        let index = self.sessions.partition_point(|session| session.open <= at).checked_sub(1);
        Ok(index.and_then(|index| self.sessions.get(index)).copied().filter(|session| at < session.close))
    }

    /// Whether the market trades at `at`.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`], as for [`session_at`](Self::session_at).
    pub fn is_open(&self, at: DateTime<Utc>) -> Result<bool, CalendarError> {
        Ok(self.session_at(at)?.is_some_and(|session| session.contains(at)))
    }

    /// Whether the date is a session and no later one falls in its calendar month.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the date is not covered, or a later day of its month which may trade is not.
    pub fn is_last_session_of_month(&self, date: NaiveDate) -> Result<bool, CalendarError> {
        self.is_last(date, |day| (day.year(), day.month()) == (date.year(), date.month()))
    }

    /// Whether the date is a session and no later one falls in its week, Monday to Sunday.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the date is not covered, or a later day of its week which may trade is not.
    pub fn is_last_session_of_week(&self, date: NaiveDate) -> Result<bool, CalendarError> {
        self.is_last(date, |day| day.iso_week() == date.iso_week())
    }

    fn is_last(&self, date: NaiveDate, same: impl Fn(NaiveDate) -> bool) -> Result<bool, CalendarError> {
        if self.session_on(date)?.is_none() {
            return Ok(false);
        }
        let index = self.sessions.partition_point(|session| session.date <= date);
        if let Some(next) = self.sessions.get(index) {
            return Ok(!same(next.date));
        }
        let mut later = date.iter_days().skip(1).take_while(|day| same(*day));
        later.find(|day| self.may_trade(*day)).map_or(Ok(true), |day| Err(self.beyond(day)))
    }

    /// Whether a day is outside the table and not ruled out by the weekdays the market keeps.
    fn may_trade(&self, day: NaiveDate) -> bool {
        self.covers(day).is_err() && self.week.contains(day.weekday())
    }

    /// Accepts an instant before the first or after the last session which still is on a covered day.
    fn outside_all_sessions(&self, at: DateTime<Utc>) -> Result<(), CalendarError> {
        let utc = at.naive_utc();
        let local = utc.checked_add_offset(self.zone.offset_from_utc_datetime(&utc).fix());
        let day = local.map_or(utc.date(), |local| local.date());
        self.covers(day)?;
        // Where sessions cross midnight, this may be the evening of one whose own day is not covered.
        let other = if at < self.first_session.open { day.pred_opt() } else { day.succ_opt() };
        match other.filter(|other| self.overnight && self.may_trade(*other)) {
            Some(other) => Err(self.beyond(other)),
            None => Ok(()),
        }
    }

    fn covers(&self, date: NaiveDate) -> Result<(), CalendarError> {
        if self.first <= date && date <= self.last { Ok(()) } else { Err(self.beyond(date)) }
    }

    fn beyond(&self, date: NaiveDate) -> CalendarError {
        CalendarError::OutOfRange { calendar: self.name.clone(), date, first: self.first, last: self.last }
    }
}

impl std::fmt::Debug for MarketCalendar {
    /// Names the calendar and its range; the sessions are thousands.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, zone, first, last, sessions, .. } = self;
        write!(out, "MarketCalendar({name} {zone} {first}..={last}, {} sessions)", sessions.len())
    }
}

type Dated<T> = BTreeMap<NaiveDate, T>;

/// Days after the session's date, and the time of day.
type Clock = (TimeDelta, NaiveTime);

/// The times of one `regime` or `special` line.
#[derive(Clone, Copy)]
struct Hours {
    line: usize,
    open: Clock,
    close: Clock,
    pause: Option<(Clock, Clock)>,
}

impl Hours {
    fn read(line: usize, [open, close, start, end]: [&str; 4]) -> Result<Self, CalendarError> {
        let fault = "is not a time: write HH:MM, with -1/ or +1/ before it for the day before or after";
        let clock = |text| read_clock(text).ok_or_else(|| malformed(line, "time", text, fault));
        let pause = if (start, end) == ("-", "-") { None } else { Some((clock(start)?, clock(end)?)) };
        Ok(Self { line, open: clock(open)?, close: clock(close)?, pause })
    }

    fn on(&self, date: NaiveDate, zone: Tz) -> Result<Session, CalendarError> {
        let utc = |(days, time): Clock| {
            let local = date.checked_add_signed(days).unwrap_or(date).and_time(time);
            // A time which a clock change repeats means its first occurrence.
            zone.from_local_datetime(&local).earliest().map(|at| at.with_timezone(&Utc)).ok_or_else(|| {
                let fault = "does not exist, the clocks skip it: give that day special times";
                malformed(self.line, "local time", &local.to_string(), fault)
            })
        };
        let (open, close) = (utc(self.open)?, utc(self.close)?);
        let (break_start, break_end) = match self.pause {
            Some((start, end)) => (Some(utc(start)?), Some(utc(end)?)),
            None => (None, None),
        };
        let steps = [Some(open), break_start, break_end, Some(close)];
        if !steps.iter().flatten().is_sorted_by(|earlier, later| earlier < later) {
            let fault = "has times out of order: write open, close, break start, break end, the break within";
            return Err(malformed(self.line, "session", &date.to_string(), fault));
        }
        Ok(Session { date, open, close, break_start, break_end })
    }
}

/// A calendar text, read but not expanded; a date leads to the number of its line.
#[derive(Default)]
struct Table<'a> {
    lines: usize,
    name: Option<&'a str>,
    zone: Option<Tz>,
    week: Option<WeekdaySet>,
    range: Option<(NaiveDate, NaiveDate)>,
    regimes: Dated<Hours>,
    holidays: Dated<usize>,
    extra: Dated<usize>,
    special: Dated<Hours>,
}

impl<'a> Table<'a> {
    fn read(text: &'a str) -> Result<Self, CalendarError> {
        let mut table = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            table.lines = number;
            let fail = |field, value: &str, fault| malformed(number, field, value, fault);
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let repeated = match *words.as_slice() {
                [] => false,
                ["tz", zone] => {
                    let fault = "is not a time zone: write its IANA name, such as America/New_York";
                    table.zone.replace(zone.parse().map_err(|_| fail("time zone", zone, fault))?).is_some()
                }
                ["week", days] => {
                    let fault = "is not a week: write the digits of the trading days, 0 for Monday to 6";
                    let day = |digit: u8| Weekday::try_from(digit.wrapping_sub(b'0')).ok();
                    let week = days.bytes().map(day).collect::<Option<_>>();
                    table.week.replace(week.ok_or_else(|| fail("week", days, fault))?).is_some()
                }
                ["range", first, last] => {
                    let range = (read_date(number, first)?, read_date(number, last)?);
                    table.range.replace(range).is_some()
                }
                ["regime", from, open, close, start, end] => {
                    let hours = Hours::read(number, [open, close, start, end])?;
                    insert_all(&mut table.regimes, &[from], number, hours)?
                }
                ["holidays", ref days @ ..] => insert_all(&mut table.holidays, days, number, number)?,
                ["extra", ref days @ ..] => insert_all(&mut table.extra, days, number, number)?,
                ["special", open, close, start, end, ":", ref days @ ..] => {
                    let hours = Hours::read(number, [open, close, start, end])?;
                    insert_all(&mut table.special, days, number, hours)?
                }
                [header] if header.starts_with('[') && header.ends_with(']') => {
                    table.name.replace(header.trim_matches(['[', ']'])).is_some()
                }
                _ => {
                    let fault = "is not understood: write [NAME] or one of tz, week, range, regime, holidays, \
                                 extra and special, with all its parts";
                    return Err(fail("text", line, fault));
                }
            };
            if repeated {
                return Err(fail("text", line, "repeats an earlier line or date: keep one of the two"));
            }
        }
        Ok(table)
    }

    fn expand(mut self) -> Result<MarketCalendar, CalendarError> {
        let lines = self.lines;
        let missing = |field, value: &str| {
            let fault = "is missing: write [NAME], tz, week and range lines, and a regime from the start";
            malformed(lines, field, value, fault)
        };
        let name = self.name.filter(|name| !name.is_empty()).ok_or_else(|| missing("name", ""))?;
        let zone = self.zone.ok_or_else(|| missing("tz", ""))?;
        let week = self.week.ok_or_else(|| missing("week", ""))?;
        let (first, last) = self.range.ok_or_else(|| missing("range", ""))?;
        let has_extra = !self.extra.is_empty();
        let overnight = |hours: &Hours| !hours.open.0.is_zero() || !hours.close.0.is_zero();
        let overnight = self.regimes.values().chain(self.special.values()).any(overnight);
        let mut sessions: Vec<Session> = Vec::new();
        for day in first.iter_days().take_while(|day| *day <= last) {
            let regular = week.contains(day.weekday());
            let exceptions = if regular { &mut self.holidays } else { &mut self.extra };
            if exceptions.remove(&day).is_some() == regular {
                continue;
            }
            let regime = self.regimes.range(..=day).next_back().map(|(_, hours)| *hours);
            let hours = self.special.remove(&day).or(regime);
            let hours = hours.ok_or_else(|| missing("regime", &day.to_string()))?;
            let session = hours.on(day, zone)?;
            if sessions.last().is_some_and(|before| session.open < before.close) {
                let fault = "opens before the session before it closes: correct the times of either";
                return Err(malformed(hours.line, "session", &day.to_string(), fault));
            }
            sessions.push(session);
        }
        let (Some(&first_session), Some(&last_session)) = (sessions.first(), sessions.last()) else {
            let (range, fault) =
                (format!("{first} to {last}"), "holds no session: give its first day, then its last");
            return Err(malformed(lines, "range", &range, fault));
        };
        let special = self.special.iter().map(|(date, hours)| (date, &hours.line));
        if let Some((date, line)) = self.holidays.iter().chain(&self.extra).chain(special).next() {
            let fault = "has no effect, by the range, the week or another line: correct or remove it";
            return Err(malformed(*line, "date", &date.to_string(), fault));
        }
        // Where there are sessions off the week mask, any day beyond the range may be one.
        let week = if has_extra { WeekdaySet::ALL } else { week };
        let name = name.to_owned();
        Ok(MarketCalendar { name, zone, week, overnight, first, last, first_session, last_session, sessions })
    }
}

/// Files a value under each of the dates; whether one of them was there before.
fn insert_all<T: Copy>(
    into: &mut Dated<T>,
    days: &[&str],
    line: usize,
    value: T,
) -> Result<bool, CalendarError> {
    let mut repeated = false;
    for day in days {
        repeated |= into.insert(read_date(line, day)?, value).is_some();
    }
    Ok(repeated)
}

fn read_date(line: usize, text: &str) -> Result<NaiveDate, CalendarError> {
    let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8);
    date.ok_or_else(|| malformed(line, "date", text, "is not a date: write YYYYMMDD, such as 20261225"))
}

fn read_clock(text: &str) -> Option<Clock> {
    let (days, time) = match text.split_once('/') {
        Some(("-1", time)) => (TimeDelta::days(-1), time),
        Some(("+1", time)) => (TimeDelta::days(1), time),
        Some(_) => return None,
        None => (TimeDelta::zero(), text),
    };
    NaiveTime::parse_from_str(time, "%H:%M").ok().filter(|_| time.len() == 5).map(|time| (days, time))
}

fn malformed(line: usize, field: &'static str, value: &str, fault: &'static str) -> CalendarError {
    CalendarError::Malformed { line, field, value: excerpt(value), fault }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "[TEST]\ntz America/New_York\nweek 01234\nrange 20260302 20260313\n\
                         regime 20260302 09:30 16:00 12:00 13:00\nholidays 20260304\nextra 20260307\n\
                         special 09:30 13:00 - - : 20260306\n";

    fn nyse() -> &'static MarketCalendar {
        MarketCalendar::builtin("xnys").unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn nyse_has_its_sessions_and_closures() {
        let nyse = nyse();
        assert_eq!((nyse.name(), nyse.time_zone()), ("XNYS", Tz::America__New_York));
        assert_eq!(nyse.sessions(day("1990-01-02"), nyse.valid_through()).unwrap().len(), 9_569);
        let ends = (nyse.first_session().date, nyse.last_session().date);
        assert_eq!(ends, (day("1990-01-02"), day("2027-12-31")));
        let closed =
            "2001-09-11 2001-09-12 2001-09-13 2001-09-14 2012-10-29 2012-10-30 2018-12-05 2025-01-09";
        for date in closed.split(' ') {
            assert_eq!(nyse.session_on(day(date)).unwrap(), None, "{date}");
        }
        assert_eq!(nyse.next_session(day("2001-09-10")).unwrap().date, day("2001-09-17"));
        assert_eq!(nyse.next_session(day("1990-01-01")).unwrap().date, ends.0);
        assert_eq!(nyse.previous_session(day("2012-10-31")).unwrap().date, day("2012-10-26"));
        assert_eq!(nyse.previous_session(day("2028-01-01")).unwrap().date, ends.1);
        let week = nyse.sessions(day("2012-10-27"), day("2012-11-04")).unwrap();
        assert_eq!(week.iter().map(|session| session.date.day()).collect::<Vec<_>>(), [31, 1, 2]);
        assert!(nyse.sessions(ends.1, ends.0).unwrap().is_empty());
    }

    #[test]
    fn local_times_follow_the_clock_changes() {
        let open = |date| nyse().session_on(day(date)).unwrap().unwrap().open;
        assert_eq!(open("2020-03-06"), at("2020-03-06T14:30:00Z"));
        assert_eq!(open("2020-03-09"), at("2020-03-09T13:30:00Z"));
        let half = nyse().session_on(day("2019-11-29")).unwrap().unwrap();
        assert_eq!(half.close, at("2019-11-29T18:00:00Z"));
        assert!(nyse().is_open(half.open).unwrap() && !nyse().is_open(half.close).unwrap());
        assert_eq!(nyse().session_at(at("2019-11-29T17:59:59.999Z")).unwrap(), Some(half));
        assert_eq!(nyse().session_at(half.close).unwrap(), None);
        let one_day = |open: &str, date: &str| {
            let head = format!("[T]\ntz America/New_York\nweek 0123456\nrange {date} {date}");
            MarketCalendar::parse(&format!("{head}\nregime {date} {open} 16:00 - -"))
        };
        assert_eq!(one_day("01:30", "20261101").unwrap().first_session().open, at("2026-11-01T05:30:00Z"));
        let skipped = one_day("02:30", "20260308").unwrap_err().to_string();
        assert!(skipped.contains("line 5: local time \"2026-03-08 02:30:00\" does not exist"), "{skipped}");
    }

    #[test]
    fn month_and_week_ends_are_sessions() {
        let month = |date| MarketCalendar::is_last_session_of_month(nyse(), day(date));
        let week = |date| MarketCalendar::is_last_session_of_week(nyse(), day(date));
        for (date, of_month, of_week) in [
            ("2024-03-28", true, true),   // Good Friday is the 29th
            ("2024-03-29", false, false), // no session
            ("2024-06-27", false, false),
            ("2024-06-28", true, true), // the 30th is a Sunday
            ("2024-07-31", true, false),
            ("2027-12-31", true, true), // only a week-end is beyond the table
        ] {
            assert_eq!((month(date), week(date)), (Ok(of_month), Ok(of_week)), "{date}");
        }
        let small = MarketCalendar::parse(SMALL).unwrap();
        assert_eq!(small.is_last_session_of_week(day("2026-03-06")), Ok(false));
        assert_eq!(small.is_last_session_of_week(day("2026-03-07")), Ok(true));
        assert!(
            small.is_last_session_of_week(day("2026-03-13")).is_err(),
            "Saturday may be an extra session"
        );
        assert!(small.is_last_session_of_month(day("2026-03-13")).is_err());
    }

    #[test]
    fn nothing_is_guessed_outside_the_table() {
        let (calendar, first, last) = ("XNYS".to_owned(), day("1990-01-02"), day("2027-12-31"));
        let date = day("2028-01-01");
        let error = CalendarError::OutOfRange { calendar, date, first, last };
        assert!(error.to_string().contains("2028-01-01 is outside calendar XNYS, 1990-01-02 to 2027-12-31"));
        assert_eq!(nyse().session_on(date), Err(error.clone()));
        assert_eq!(nyse().next_session(last), Err(error.clone()));
        assert_eq!(nyse().is_last_session_of_month(date), Err(error.clone()));
        assert_eq!(nyse().session_at(at("2028-01-01T05:00:00Z")), Err(error));
        assert_eq!(nyse().is_open(at("2028-01-01T04:59:59Z")), Ok(false));
        assert!(nyse().sessions(last, date).is_err() && nyse().previous_session(first).is_err());
        assert!(nyse().next_session(day("1989-12-30")).is_err());
        for far in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let day = far.date_naive();
            assert!(nyse().is_open(far).is_err() && nyse().session_on(day).is_err());
            assert!(nyse().next_session(day).is_err() && nyse().previous_session(day).is_err());
        }
        let unknown = MarketCalendar::builtin("XMAD").unwrap_err().to_string();
        assert!(unknown.contains("\"XMAD\" is not built in: use one of XNYS"), "{unknown}");
    }

    #[test]
    fn breaks_and_overnight_sessions_are_kept() {
        let small = MarketCalendar::parse(SMALL).unwrap();
        let noon = at("2026-03-03T17:00:00Z");
        assert_eq!(small.is_open(noon), Ok(false));
        assert_eq!(small.session_at(noon).unwrap().unwrap().break_end, Some(at("2026-03-03T18:00:00Z")));
        assert_eq!(small.session_on(day("2026-03-06")).unwrap().unwrap().break_start, None);
        let night = "[NIGHT]\ntz America/Chicago\nweek 01234\nrange 20260302 20260305\n\
                     regime 20260302 -1/17:00 16:00 - -";
        let night = MarketCalendar::parse(night).unwrap();
        assert_eq!(night.session_at(at("2026-03-02T23:00:00Z")).unwrap().unwrap().date, day("2026-03-03"));
        assert_eq!(night.first_session().open, at("2026-03-01T23:00:00Z"));
        assert!(night.is_open(at("2026-03-05T23:00:00Z")).is_err(), "Friday's session is not in the table");
    }

    #[test]
    fn malformed_text_is_refused_by_line() {
        for (from, to, expected) in [
            ("tz America/New_York", "tz Mars/Base", "line 2: time zone \"Mars/Base\" is not a time zone"),
            ("week 01234", "week 01237", "line 3: week \"01237\""),
            ("20260302 20260313", "20260314 20260313", "range \"2026-03-14 to 2026-03-13\" holds no"),
            ("20260313\n", "2026031x\n", "line 4: date \"2026031x\" is not a date"),
            ("20260313\n", "+2026313\n", "line 4: date \"+2026313\" is not a date"),
            ("09:30 16:00", "9:30 16:00", "line 5: time \"9:30\" is not a time"),
            ("09:30 16:00", "+2/09:30 16:00", "line 5: time \"+2/09:30\""),
            ("12:00 13:00", "12:00 -", "line 5: time \"-\""),
            ("16:00 12:00", "16:00 17:00", "line 5: session \"2026-03-02\" has times out of order"),
            ("09:30 13:00 - -", "-1/09:30 13:00 - -", "line 8: session \"2026-03-06\" opens before"),
            ("regime 20260302", "regime 20260303", "line 8: regime \"2026-03-02\" is missing"),
            ("regime", "regine", "line 5: text \"regine 20260302"),
            ("holidays 20260304", "holidays 20260308", "line 6: date \"2026-03-08\" has no effect"),
            ("extra 20260307", "extra 20260309", "line 7: date \"2026-03-09\" has no effect"),
            (": 20260306", ": 20260304", "line 8: date \"2026-03-04\" has no effect"),
            ("extra 20260307", "holidays 20260304", "line 7: text \"holidays 20260304\" repeats"),
            ("extra 20260307", "[OTHER]", "line 7: text \"[OTHER]\" repeats"),
            ("[TEST]", "[]", "line 8: name \"\" is missing"),
            ("week 01234\n", "", "line 7: week \"\" is missing"),
            (SMALL, "", "line 0: name \"\" is missing"),
        ] {
            let error = MarketCalendar::parse(&SMALL.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.ends_with('.'), "{to}: {error}");
        }
    }

    #[test]
    #[allow(clippy::print_stderr)]
    fn every_generated_table_parses() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/calendars");
        if !folder.is_dir() {
            eprintln!("skipped: no folder {}", folder.display());
            return;
        }
        // As many sessions as the Python package itself gives.
        let counts = "24_5=9915 24_7=13879 CMES=9801 IEPA=9800 XAMS=9690 XASX=9620 XBOM=7417 XCBF=9573 \
                      XETR=9661 XHKG=9376 XKRX=9351 XLON=9604 XNAS=9569 XNYS=9569 XPAR=9702 XSES=9291 \
                      XSHG=8809 XSWX=9547 XTKS=7593 XTSE=9551 us_futures=9806";
        for (name, count) in counts.split(' ').filter_map(|entry| entry.split_once('=')) {
            let text = std::fs::read_to_string(folder.join(format!("{name}.cal"))).unwrap();
            assert_eq!(MarketCalendar::parse(&text).unwrap().sessions.len().to_string(), count, "{name}");
        }
    }
}
