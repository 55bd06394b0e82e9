//! Days that went otherwise than a table says: closures by storm, late opens, extra sessions.

use super::table::{Clock, Hours, malformed, read_date};
use super::{CalendarError, MarketCalendar, Session};
use chrono::{NaiveDate, NaiveTime, TimeDelta};

/// One day that is otherwise than a table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Override {
    /// The session's date.
    pub date: NaiveDate,
    /// What is otherwise.
    pub change: Change,
}

/// What is otherwise on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// There is no session.
    Closed,
    /// There is a session with these hours, on a day with or without one in the table.
    Hours(LocalHours),
}

/// Hours of one session in the market's local time, all on the session's date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalHours {
    /// The first instant of trading.
    pub open: NaiveTime,
    /// The first instant after trading.
    pub close: NaiveTime,
    /// Start and end of a break within.
    pub pause: Option<(NaiveTime, NaiveTime)>,
}

/// Reads overrides, one a line, each with the market it is of:
///
/// ```text
/// XHKG 20230901 closed                 # what stands behind the sign is for people
/// XHKG 20210628 13:30 16:00 - -        # open, close, start and end of a break or two dashes
/// ```
///
/// # Errors
/// [`CalendarError::Malformed`], naming the line.
pub fn read_overrides(text: &str) -> Result<Vec<(String, Override)>, CalendarError> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (market, date, change) = match *words.as_slice() {
            [] => continue,
            [market, date, "closed"] => (market, date, Change::Closed),
            [market, date, open, close, start, end] => {
                let hours = Hours::read(number, [open, close, start, end])?;
                (market, date, Change::Hours(local(number, line, &hours)?))
            }
            _ => {
                let fault = "is no override: write MARKET YYYYMMDD, then closed, or open, close and the break's start and \
                             end (HH:MM, or - -)";
                return Err(malformed(number, "text", line, fault));
            }
        };
        found.push((market.to_owned(), Override { date: read_date(number, date)?, change }));
    }
    Ok(found)
}

fn local(number: usize, line: &str, hours: &Hours) -> Result<LocalHours, CalendarError> {
    let pause = hours.pause.map(|(start, end)| [start, end]).into_iter().flatten();
    if [hours.open, hours.close].into_iter().chain(pause).any(|(days, _)| !days.is_zero()) {
        let fault = "reaches into another day: an override is of times on its own date";
        return Err(malformed(number, "text", line, fault));
    }
    let time = |(_, time): Clock| time;
    let pause = hours.pause.map(|(start, end)| (time(start), time(end)));
    Ok(LocalHours { open: time(hours.open), close: time(hours.close), pause })
}

impl MarketCalendar {
    /// This calendar with days changed; of two changes of a day the later one counts.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] for a day that is not covered; [`CalendarError::Override`] for a closure of a day
    /// without a session, for hours that overlap with another session's or that a clock change skips, and when no session
    /// is left.
    pub fn with_overrides(&self, overrides: &[Override]) -> Result<Self, CalendarError> {
        let mut changed = self.clone();
        for Override { date, change } in overrides {
            changed.covers(*date)?;
            let fault = |fault| CalendarError::Override { calendar: self.name.clone(), date: *date, fault };
            let index = changed.sessions.partition_point(|session| session.date < *date);
            let there = changed.sessions.get(index).is_some_and(|session| session.date == *date);
            if there {
                changed.sessions.remove(index);
            }
            match change {
                Change::Closed if !there => {
                    return Err(fault("there is no session to close; remove the line"));
                }
                Change::Closed => {}
                Change::Hours(hours) => {
                    let session = hours.on(*date, self).ok_or_else(|| {
                        fault("its times are out of order or skipped by a clock change; write open, break, close")
                    })?;
                    let before = index.checked_sub(1).and_then(|index| changed.sessions.get(index));
                    let after = changed.sessions.get(index);
                    if before.is_some_and(|before| before.close > session.open)
                        || after.is_some_and(|after| after.open < session.close)
                    {
                        return Err(fault("its session overlaps with another; correct the times"));
                    }
                    changed.sessions.insert(index, session);
                    // Off the week mask, any day beyond the range may now be a session.
                    if !there {
                        changed.week = chrono::WeekdaySet::ALL;
                    }
                }
            }
        }
        let (Some(first), Some(last)) = (changed.sessions.first(), changed.sessions.last()) else {
            let (calendar, date) = (self.name.clone(), self.first);
            return Err(CalendarError::Override { calendar, date, fault: "no session is left; remove some" });
        };
        (changed.first_session, changed.last_session) = (*first, *last);
        Ok(changed)
    }
}

impl LocalHours {
    fn on(&self, date: NaiveDate, calendar: &MarketCalendar) -> Option<Session> {
        let clock = |time| (TimeDelta::zero(), time);
        let pause = self.pause.map(|(start, end)| (clock(start), clock(end)));
        let hours = Hours { line: 0, open: clock(self.open), close: clock(self.close), pause };
        hours.on(date, calendar.zone).ok()
    }
}
