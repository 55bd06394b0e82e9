//! The windows of a trading day: pre-market, regular session, post-market, overnight.

use super::table::{Clock, malformed, read_clock};
use super::{CalendarError, MarketCalendar, Session};
use crate::order::wire_enum;
use crate::trading_session::SessionPhase;
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};

wire_enum! {
    /// What a stretch of trading is called, as portfolios do.
    WindowKind {
        /// Before the regular session.
        Pre = "pre",
        /// The regular session (regular trading hours).
        Regular = "RTH",
        /// After the regular session.
        Post = "post",
        /// Overnight, in the night that leads to a session (Interactive Brokers' overnight trading).
        Overnight = "IBEOS",
        /// A session of a market that trades around the clock.
        AroundTheClock = "24h",
    }
}

impl WindowKind {
    /// The phase that a gate sees.
    #[must_use]
    pub const fn phase(self) -> SessionPhase {
        match self {
            Self::Regular | Self::AroundTheClock => SessionPhase::Regular,
            Self::Pre | Self::Post | Self::Overnight => SessionPhase::Extended,
        }
    }
}

/// One stretch of trading: [`open`](Self::open) included, [`close`](Self::close) excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// What it is called.
    pub kind: WindowKind,
    /// The trading date it belongs to; an overnight window belongs to the session it leads to.
    pub date: NaiveDate,
    /// The first instant of trading.
    pub open: DateTime<Utc>,
    /// The first instant after trading.
    pub close: DateTime<Utc>,
}

impl Window {
    fn contains(&self, at: DateTime<Utc>) -> bool {
        self.open <= at && at < self.close
    }
}

/// Where a window begins or ends.
#[derive(Debug, Clone, Copy)]
enum Edge {
    /// At a local time.
    At(Clock),
    /// At the open of the session.
    Open,
    /// So long after the close of the session.
    AfterClose(TimeDelta),
}

impl Edge {
    fn read(text: &str) -> Option<Self> {
        let time = |text| read_clock(text).filter(|(days, _)| days.is_zero());
        match text.split_once('+') {
            None if text == "open" => Some(Self::Open),
            None if text == "close" => Some(Self::AfterClose(TimeDelta::zero())),
            Some(("close", after)) => {
                let (_, after) = time(after)?;
                Some(Self::AfterClose(after.signed_duration_since(chrono::NaiveTime::MIN)))
            }
            _ => read_clock(text).map(Self::At),
        }
    }
}

/// A window that every session of a market has.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowRule {
    kind: WindowKind,
    start: Edge,
    end: Edge,
}

/// What a market calls its sessions and which windows it has besides, from lines like these:
///
/// ```text
/// XNYS pre 04:00 open              # kind, start, end: a local time (-1/ = the day before), open, close, close+HH:MM
/// 24/7 24h open close              # a window from open to close names the session itself
/// ```
pub(super) fn read_hours(text: &str, market: &str) -> Result<(WindowKind, Vec<WindowRule>), CalendarError> {
    let mut session = WindowKind::Regular;
    let mut rules = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, kind, start, end] = *words.as_slice() else {
            if words.is_empty() {
                continue;
            }
            let fault = "is no window: write MARKET, kind, start and end";
            return Err(malformed(number, "text", line, fault));
        };
        let kind: WindowKind = kind.parse().map_err(|_| {
            malformed(number, "kind", kind, "is no kind of window: write pre, RTH, post, IBEOS or 24h")
        })?;
        let edge = |text| {
            let fault = "is no edge: write a local time, open, close or close+HH:MM";
            Edge::read(text).ok_or_else(|| malformed(number, "edge", text, fault))
        };
        let (first, last) = (edge(start)?, edge(end)?);
        if name != market {
            continue;
        }
        if (start, end) == ("open", "close") {
            session = kind;
        } else {
            rules.push(WindowRule { kind, start: first, end: last });
        }
    }
    Ok((session, rules))
}

impl MarketCalendar {
    /// The windows of a session, the session itself included, in the order in which they open.
    pub fn windows(&self, session: &Session) -> impl Iterator<Item = Window> {
        let itself = self.itself(session);
        let (before, after) = (self.around(&itself, false), self.around(&itself, true));
        before.chain([itself]).chain(after).filter(|window| window.open < window.close)
    }

    /// The session as a window.
    fn itself(&self, session: &Session) -> Window {
        let Session { date, open, close, .. } = *session;
        Window { kind: self.session_kind, date, open, close }
    }

    /// The windows before, or after, a session.
    fn around(&self, session: &Window, after: bool) -> impl Iterator<Item = Window> + use<'_> {
        let session = *session;
        let side = move |rule: &&WindowRule| matches!(rule.start, Edge::AfterClose(_)) == after;
        self.windows.iter().filter(side).map(move |rule| self.window(rule, &session))
    }

    fn window(&self, rule: &WindowRule, session: &Window) -> Window {
        let at = |edge: Edge| match edge {
            Edge::At(clock) => self.local(session.date, clock),
            Edge::Open => session.open,
            Edge::AfterClose(after) => session.close + after,
        };
        Window { kind: rule.kind, date: session.date, open: at(rule.start), close: at(rule.end) }
    }

    /// A local time as an instant; one that a clock change skips means the same time an hour later.
    fn local(&self, date: NaiveDate, (days, time): Clock) -> DateTime<Utc> {
        let local = date.checked_add_signed(days).unwrap_or(date).and_time(time);
        let found = |local| self.zone.from_local_datetime(&local).earliest();
        let found = found(local).or_else(|| found(local + TimeDelta::hours(1)));
        found.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
    }

    /// The window that is open at an instant; `None` between windows and in the session's break.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the instant, in local time, falls on a day that is not covered, or may belong to
    /// a window of such a day.
    pub fn window_at(&self, at: DateTime<Utc>) -> Result<Option<Window>, CalendarError> {
        let next = self.sessions.partition_point(|session| session.open <= at);
        let before = next.checked_sub(1).and_then(|index| self.sessions.get(index));
        if let Some(session) = before {
            let itself = self.itself(session);
            if itself.contains(at) {
                return Ok(session.contains(at).then_some(itself));
            }
            if let Some(window) = self.around(&itself, true).find(|window| window.contains(at)) {
                return Ok(Some(window));
            }
        }
        // No window begins more than a day before the date of its session.
        if let Some(session) = self.sessions.get(next).filter(|next| next.open - at <= TimeDelta::days(2))
            && let Some(window) = self.around(&self.itself(session), false).find(|window| window.contains(at))
        {
            return Ok(Some(window));
        }
        if at < self.first_session.open || at >= self.last_session.close {
            let overnight = self.overnight || self.windows.iter().any(WindowRule::is_of_the_eve);
            self.outside_all_sessions(at, overnight)?;
        }
        Ok(None)
    }

    /// The first window of a kind that opens after an instant; `None` when this market has no such window.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when the days up to that window are not all covered.
    pub fn next_window(
        &self,
        after: DateTime<Utc>,
        kind: WindowKind,
    ) -> Result<Option<Window>, CalendarError> {
        if kind != self.session_kind && !self.windows.iter().any(|rule| rule.kind == kind) {
            return Ok(None);
        }
        if after < self.first_session.open {
            self.covers(after.with_timezone(&self.zone).date_naive())?;
        }
        // The session before may still have a window to come.
        let first = self.sessions.partition_point(|session| session.close <= after);
        let from = self.sessions.get(first.saturating_sub(1)..).unwrap_or_default();
        let rule = self.windows.iter().find(|rule| rule.kind == kind);
        let of = |session| {
            let itself = self.itself(session);
            rule.map_or(itself, |rule| self.window(rule, &itself))
        };
        let found = from.iter().map(of).find(|window| window.open > after && window.open < window.close);
        found.map(Some).ok_or_else(|| self.beyond(self.last.succ_opt().unwrap_or(self.last)))
    }

    /// What a gate must know of an instant: regular, extended, or closed.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`], as for [`window_at`](Self::window_at).
    pub fn phase_at(&self, at: DateTime<Utc>) -> Result<SessionPhase, CalendarError> {
        Ok(self.window_at(at)?.map_or(SessionPhase::Closed, |window| window.kind.phase()))
    }
}

impl WindowRule {
    /// Whether the window begins on the day before its session.
    fn is_of_the_eve(&self) -> bool {
        matches!(self.start, Edge::At((days, _)) if days < TimeDelta::zero())
    }
}
