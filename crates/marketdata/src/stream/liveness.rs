//! When a silent topic is stale.

use chrono::{DateTime, Utc};
use mts_foundation::calendar::MarketCalendar;
use std::sync::Arc;
use std::time::Duration;

/// How long a topic may be silent, and when.
#[derive(Debug, Clone)]
pub struct Patience {
    /// The longest silence while its market is open.
    pub silence: Duration,
    /// Its market's sessions; `None` = always open.
    pub calendar: Option<Arc<MarketCalendar>>,
}

impl Patience {
    /// Of an instrument that trades around the clock.
    #[must_use]
    pub const fn always(silence: Duration) -> Self {
        Self { silence, calendar: None }
    }

    /// Of an instrument with sessions.
    #[must_use]
    pub const fn in_sessions(silence: Duration, calendar: Arc<MarketCalendar>) -> Self {
        Self { silence, calendar: Some(calendar) }
    }

    /// Whether a topic that is silent for so long is stale now. Silence counts from the open of the session. A day that the
    /// calendar does not know counts as open: better stale for nothing than trusted for nothing.
    #[must_use]
    pub fn is_over(&self, silent: Duration, now: DateTime<Utc>) -> bool {
        if silent < self.silence {
            return false;
        }
        let Some(calendar) = &self.calendar else { return true };
        match calendar.session_at(now) {
            Ok(Some(session)) => {
                let resumed = session.break_end.filter(|end| *end <= now).unwrap_or(session.open);
                let open_for = now.signed_duration_since(resumed).to_std().unwrap_or_default();
                session.contains(now) && open_for >= self.silence
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }
}
