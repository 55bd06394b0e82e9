//! Exchange calendars: which days a market trades and when it opens and closes.
//!
//! A calendar is a small text table in the market's local time, expanded once into a sorted list of [`Session`]s in
//! UTC. The tables were generated from the Python package `exchange_calendars` 4.13.2 (Apache-2.0) and list every
//! session they know of; an answer that would need a day outside the table is [`CalendarError::OutOfRange`], never a
//! guess. What a table does not know, such as a closure by storm, is an [`Override`]; hours outside the session, such as
//! the pre-market, are [`Window`]s.
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

mod builtin;
mod overrides;
mod roll;
mod table;
mod windows;

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeDelta, TimeZone, Utc, WeekdaySet};
use chrono_tz::Tz;
pub use overrides::{Change, LocalHours, Override, read_overrides};
pub use roll::{DayRoll, InvalidDayRoll};
use table::Table;
use windows::WindowRule;
pub use windows::{Window, WindowKind};

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
    /// An override cannot take effect.
    #[error("override of calendar {calendar} on {date}: {fault}")]
    Override {
        /// The calendar's name.
        calendar: String,
        /// The day.
        date: NaiveDate,
        /// What is wrong and what to do.
        fault: &'static str,
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
    /// What the session itself is called.
    session_kind: WindowKind,
    windows: Vec<WindowRule>,
}

impl MarketCalendar {
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
            return self.outside_all_sessions(at, self.overnight).map(|()| None);
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

    /// The trading day that an instant belongs to: the date of the session under way, and after its close that of the next
    /// one.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`], as for [`session_at`](Self::session_at), and when that session is not covered.
    pub fn trading_day(&self, at: DateTime<Utc>) -> Result<NaiveDate, CalendarError> {
        self.session_at(at)?;
        let index = self.sessions.partition_point(|session| session.close <= at);
        let found = self.sessions.get(index).map(|session| session.date);
        found.ok_or_else(|| self.beyond(self.last.succ_opt().unwrap_or(self.last)))
    }

    /// The date of the session that a bar with this end belongs to: a bar excludes its end (decision M1), so one that ends
    /// at midnight is of the day before. Where no session is under way, also outside of the table, it is the local date, which
    /// says nothing of whether the market trades: ask [`session_on`](Self::session_on).
    #[must_use]
    pub fn bar_date(&self, end: DateTime<Utc>) -> NaiveDate {
        let within = end.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(end);
        match self.session_at(within) {
            Ok(Some(session)) => session.date,
            _ => within.with_timezone(&self.zone).date_naive(),
        }
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
    fn outside_all_sessions(&self, at: DateTime<Utc>, overnight: bool) -> Result<(), CalendarError> {
        let utc = at.naive_utc();
        let local = utc.checked_add_offset(self.zone.offset_from_utc_datetime(&utc).fix());
        let day = local.map_or(utc.date(), |local| local.date());
        self.covers(day)?;
        // Where sessions cross midnight, this may be the evening of one whose own day is not covered.
        let other = if at < self.first_session.open { day.pred_opt() } else { day.succ_opt() };
        match other.filter(|other| overnight && self.may_trade(*other)) {
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

#[cfg(test)]
mod tests;
