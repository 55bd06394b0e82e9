//! Where bars begin and end: at multiples of their length, counted from an origin that is a matter of the market.
//!
//! A market that never closes counts from 1970, and its weeks begin on Monday. A market with sessions counts from each opening, and
//! a bar ends with its stretch of trading at the latest; a day is a session, a week ends with its last session (decision M1).

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use mts_foundation::Timestamp;
use mts_foundation::calendar::{CalendarError, MarketCalendar, Session, WindowKind};
use mts_foundation::market::{Interval, IntervalUnit};

/// Monday, 5 January 1970.
const FIRST_MONDAY: i64 = 4 * 86_400 * 1_000_000_000;

/// Which hours of a market have bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trading {
    /// Its sessions, without their breaks.
    #[default]
    Regular,
    /// Sessions and what is traded before and after them; each stretch counts from its own beginning. Days and weeks stay
    /// those of the sessions.
    Extended,
}

/// The bars of one length on one market.
#[derive(Clone)]
pub struct Hours {
    interval: Interval,
    /// Nanoseconds.
    length: i64,
    market: Market,
}

#[derive(Clone)]
enum Market {
    Always,
    Sessions(&'static MarketCalendar, Trading),
}

impl std::fmt::Debug for Hours {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match &self.market {
            Market::Always => "always",
            Market::Sessions(calendar, _) => calendar.name(),
        };
        write!(out, "Hours({} of {name})", self.interval)
    }
}

impl Hours {
    /// A market that never closes.
    #[must_use]
    pub fn always(interval: Interval) -> Self {
        Self { interval, length: length(interval), market: Market::Always }
    }

    /// A market with sessions.
    #[must_use]
    pub fn of(calendar: &'static MarketCalendar, interval: Interval, trading: Trading) -> Self {
        Self { interval, length: length(interval), market: Market::Sessions(calendar, trading) }
    }

    /// The same market with bars of another length.
    #[must_use]
    pub fn with_interval(self, interval: Interval) -> Self {
        Self { interval, length: length(interval), market: self.market }
    }

    /// The length of the bars.
    #[must_use]
    pub const fn interval(&self) -> Interval {
        self.interval
    }

    /// Beginning and end of the bar that an instant belongs to, in nanoseconds since 1970; `None` = the market is closed.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] for a day that the calendar does not cover.
    pub fn bar_at(&self, time: i64) -> Result<Option<(i64, i64)>, CalendarError> {
        match &self.market {
            Market::Always => Ok(Some(self.always_at(time))),
            Market::Sessions(calendar, trading) => {
                let at = Timestamp::from_nanos(time).to_datetime();
                match self.interval.unit() {
                    IntervalUnit::Day => self.days(calendar, at),
                    IntervalUnit::Week => self.weeks(calendar, at),
                    _ => self.within(calendar, *trading, at),
                }
            }
        }
    }

    /// Whether a session ends at an instant, and no other begins there.
    #[must_use]
    pub fn is_close(&self, time: i64) -> bool {
        let Market::Sessions(calendar, _) = &self.market else { return false };
        let session = |time: i64| {
            let at = Timestamp::from_nanos(time).to_datetime();
            calendar.session_at(at).ok().flatten().filter(|session| session.contains(at))
        };
        session(time.saturating_sub(1)).is_some_and(|session| nanos(session.close) == time)
            && session(time).is_none()
    }

    fn always_at(&self, time: i64) -> (i64, i64) {
        let origin = if self.interval.unit() == IntervalUnit::Week { FIRST_MONDAY } else { 0 };
        let past = time.saturating_sub(origin).rem_euclid(self.length);
        let start = time.saturating_sub(past);
        (start, start.saturating_add(self.length))
    }

    /// Within a stretch of trading, counted from its beginning.
    fn within(
        &self,
        calendar: &MarketCalendar,
        trading: Trading,
        at: DateTime<Utc>,
    ) -> Result<Option<(i64, i64)>, CalendarError> {
        let Some((open, close)) = stretch(calendar, trading, at)? else { return Ok(None) };
        let (open, close, time) = (nanos(open), nanos(close), nanos(at));
        let start = time.saturating_sub(time.saturating_sub(open).rem_euclid(self.length));
        Ok(Some((start, start.saturating_add(self.length).min(close))))
    }

    /// So many sessions, counted from the first of the calendar.
    fn days(
        &self,
        calendar: &MarketCalendar,
        at: DateTime<Utc>,
    ) -> Result<Option<(i64, i64)>, CalendarError> {
        let Some(session) = calendar.session_at(at)?.filter(|session| session.contains(at)) else {
            return Ok(None);
        };
        if self.interval.count() == 1 {
            return Ok(Some(whole(&session, &session)));
        }
        let all = calendar.sessions(calendar.first_session().date, session.date)?;
        let (count, place) = (u64::from(self.interval.count()), all.len().saturating_sub(1) as u64);
        let (before, after) = (place % count, count - 1 - place % count);
        let mut ends = (session, session);
        for _ in 0..before {
            ends.0 = calendar.previous_session(ends.0.date)?;
        }
        for _ in 0..after {
            ends.1 = calendar.next_session(ends.1.date)?;
        }
        Ok(Some(whole(&ends.0, &ends.1)))
    }

    /// The sessions of so many weeks from Monday to Sunday, counted from the first Monday of 1970.
    fn weeks(
        &self,
        calendar: &MarketCalendar,
        at: DateTime<Utc>,
    ) -> Result<Option<(i64, i64)>, CalendarError> {
        let Some(session) = calendar.session_at(at)?.filter(|session| session.contains(at)) else {
            return Ok(None);
        };
        let count = i64::from(self.interval.count());
        let monday = session.date - TimeDelta::days(session.date.weekday().num_days_from_monday().into());
        let week = monday.signed_duration_since(NaiveDate::default()).num_days().div_euclid(7);
        let first = monday - TimeDelta::weeks(week.rem_euclid(count));
        let last = first + TimeDelta::weeks(count) - TimeDelta::days(1);
        let sessions = calendar.sessions(first, last)?;
        Ok(sessions.first().zip(sessions.last()).map(|(first, last)| whole(first, last)))
    }
}

/// Open and close.
type Stretch = (DateTime<Utc>, DateTime<Utc>);

/// The stretch of trading without a break that an instant lies in.
fn stretch(
    calendar: &MarketCalendar,
    trading: Trading,
    at: DateTime<Utc>,
) -> Result<Option<Stretch>, CalendarError> {
    if let Some(session) = calendar.session_at(at)? {
        let Session { open, close, break_start, break_end, .. } = session;
        return Ok(match (break_start, break_end) {
            (Some(pause), _) if at < pause => Some((open, pause)),
            (_, Some(resumes)) if at >= resumes => Some((resumes, close)),
            (None, None) => Some((open, close)),
            _ => None,
        });
    }
    if trading == Trading::Regular {
        return Ok(None);
    }
    let window = calendar.window_at(at)?.filter(|window| window.kind != WindowKind::Regular);
    Ok(window.map(|window| (window.open, window.close)))
}

fn whole(first: &Session, last: &Session) -> (i64, i64) {
    (nanos(first.open), nanos(last.close))
}

fn nanos(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(i64::MAX)
}

fn length(interval: Interval) -> i64 {
    i64::try_from(interval.duration().as_nanos()).unwrap_or(i64::MAX)
}
