//! When sessions open and close.

use crate::core::{Progress, State};
use crate::input::Input;
use mts_foundation::calendar::CalendarError;
use mts_foundation::{MarketCalendar, Session, Timestamp};

/// What the calendar wants the core to be told, and when it wants to be asked again.
pub(super) struct Sessions {
    calendar: Option<&'static MarketCalendar>,
}

impl Sessions {
    pub(super) fn new(calendar: Option<&'static MarketCalendar>) -> Self {
        Self { calendar }
    }

    /// The session that contains an instant, or the last before it.
    fn current(&self, now: Timestamp) -> Result<Option<Session>, CalendarError> {
        let Some(calendar) = self.calendar else { return Ok(None) };
        let day = calendar.bar_date(now.to_datetime());
        // A session of tomorrow may have opened this evening.
        for date in [day.succ_opt().unwrap_or(day), day] {
            if let Some(session) = calendar.session_on(date)?
                && Timestamp::from(session.open) <= now
            {
                return Ok(Some(session));
            }
        }
        calendar.previous_session(day).map(Some)
    }

    /// The session of the calendar that trades now.
    pub(super) fn open_now(&self, now: Timestamp) -> Result<Option<Session>, CalendarError> {
        Ok(self.current(now)?.filter(|session| now < Timestamp::from(session.close)))
    }

    /// The input that is due, if one is.
    pub(super) fn due(&self, state: &State, now: Timestamp) -> Result<Option<Input>, CalendarError> {
        let Some(session) = self.current(now)? else { return Ok(None) };
        let closed = Timestamp::from(session.close) <= now;
        // The last session may still be open here: a market that never rests, or a process that was down at its close.
        if let Some(date) = state.session().filter(|date| *date != session.date)
            && !matches!(state.progress(), Progress::Idle | Progress::Closed)
        {
            return Ok(Some(Input::SessionClose { date, time: now }));
        }
        let (date, same) = (session.date, state.session() == Some(session.date));
        Ok(match (same, closed) {
            // A session that began and ended while nothing ran is not traded.
            (false, true) => None,
            (false, false) => Some(Input::SessionOpen { date, time: now }),
            (true, true) if state.progress() != Progress::Closed => {
                Some(Input::SessionClose { date, time: now })
            }
            (true, _) => None,
        })
    }

    /// The next opening or close after an instant.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let calendar = self.calendar?;
        let current = self.current(now).ok()??;
        let close = Timestamp::from(current.close);
        if now < close {
            return Some(close);
        }
        calendar.next_session(current.date).ok().map(|session| session.open.into())
    }

    /// The calendar.
    pub(super) fn calendar(&self) -> Option<&'static MarketCalendar> {
        self.calendar
    }
}
