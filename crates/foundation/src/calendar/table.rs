//! The text form of a calendar.

use super::{CalendarError, MarketCalendar, Session, WindowKind};
use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday, WeekdaySet};
use chrono_tz::Tz;
use std::collections::BTreeMap;

type Dated<T> = BTreeMap<NaiveDate, T>;

/// Days after the session's date, and the time of day.
pub(super) type Clock = (TimeDelta, NaiveTime);

/// The times of one `regime` or `special` line.
#[derive(Clone, Copy)]
pub(super) struct Hours {
    pub(super) line: usize,
    pub(super) open: Clock,
    pub(super) close: Clock,
    pub(super) pause: Option<(Clock, Clock)>,
}

impl Hours {
    pub(super) fn read(line: usize, [open, close, start, end]: [&str; 4]) -> Result<Self, CalendarError> {
        let fault = "is not a time: write HH:MM, with -1/ or +1/ before it for the day before or after";
        let clock = |text| read_clock(text).ok_or_else(|| malformed(line, "time", text, fault));
        let pause = if (start, end) == ("-", "-") { None } else { Some((clock(start)?, clock(end)?)) };
        Ok(Self { line, open: clock(open)?, close: clock(close)?, pause })
    }

    pub(super) fn on(&self, date: NaiveDate, zone: Tz) -> Result<Session, CalendarError> {
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
pub(super) struct Table<'a> {
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
    pub(super) fn read(text: &'a str) -> Result<Self, CalendarError> {
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

    pub(super) fn expand(mut self) -> Result<MarketCalendar, CalendarError> {
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
        let (session_kind, windows) = (WindowKind::Regular, Vec::new());
        Ok(MarketCalendar {
            name,
            zone,
            week,
            overnight,
            first,
            last,
            first_session,
            last_session,
            sessions,
            session_kind,
            windows,
        })
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

pub(super) fn read_date(line: usize, text: &str) -> Result<NaiveDate, CalendarError> {
    let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8);
    date.ok_or_else(|| malformed(line, "date", text, "is not a date: write YYYYMMDD, such as 20261225"))
}

pub(super) fn read_clock(text: &str) -> Option<Clock> {
    let (days, time) = match text.split_once('/') {
        Some(("-1", time)) => (TimeDelta::days(-1), time),
        Some(("+1", time)) => (TimeDelta::days(1), time),
        Some(_) => return None,
        None => (TimeDelta::zero(), text),
    };
    NaiveTime::parse_from_str(time, "%H:%M").ok().filter(|_| time.len() == 5).map(|time| (days, time))
}

pub(super) fn malformed(line: usize, field: &'static str, value: &str, fault: &'static str) -> CalendarError {
    CalendarError::Malformed { line, field, value: excerpt(value), fault }
}

pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
