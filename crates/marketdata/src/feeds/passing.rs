//! How time passes for a feed that holds something back.

use futures_util::future::{Either, select};
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{DynDataFeed, MarketDataError, MarketEvent, StaleCause};
use mts_foundation::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Least time that is waited: a clock that was set back must not make a loop of it.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How far a stamp may be ahead of the clock.
const AHEAD: Duration = Duration::from_secs(5);

/// What makes time pass when nothing comes.
#[derive(Clone, Default)]
pub enum Passing {
    /// The events of the source, as in a replay.
    #[default]
    Events,
    /// These clocks, in live trading. Time is that of the newest event plus what has passed since it came, and never later than
    /// the clock: a source that lags is not cut, and one that falls silent holds nothing back for ever.
    Live {
        /// The time of day.
        clock: Arc<dyn Clock>,
        /// Who waits.
        sleep: Arc<dyn Sleep>,
    },
}

impl std::fmt::Debug for Passing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Events => "Events",
            Self::Live { .. } => "Live",
        })
    }
}

/// What time it is at a source.
#[derive(Debug, Default)]
pub(super) struct SourceTime {
    pub(super) passing: Passing,
    /// That of the newest event and, live, the clock's monotonic reading when it came.
    newest: Option<(Timestamp, Duration)>,
    /// What time it was when the source said that it is stale: it stands still until the source has recovered. What is
    /// missing may yet be told, and what is held back for it must not go as if nothing were.
    stood: Option<Timestamp>,
}

impl SourceTime {
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.passing, Passing::Live { .. })
    }

    /// An event of the source, whatever it says.
    pub(super) fn hear(&mut self, event: &MarketEvent) {
        match event {
            MarketEvent::Stale { cause: StaleCause::Interrupted, .. } => self.stood = self.now(),
            // Time goes on where some instruments have nothing to say.
            MarketEvent::Stale { cause: StaleCause::Silent, .. } | MarketEvent::Recovered { .. } => {
                self.stood = None
            }
            _ => {}
        }
        if let Some(time) = event.priced_at() {
            self.has_come(time);
        }
    }

    /// Something that has a price has come.
    fn has_come(&mut self, time: Timestamp) {
        if self.newest.is_none_or(|(newest, _)| newest < time) {
            let came = match &self.passing {
                Passing::Events => Duration::ZERO,
                Passing::Live { clock, .. } => clock.monotonic(),
            };
            self.newest = Some((time, came));
        }
    }

    /// Whether a stamp is of a time that cannot be yet; in a replay nobody knows.
    pub(super) fn is_ahead(&self, time: Timestamp) -> bool {
        let Passing::Live { clock, .. } = &self.passing else { return false };
        time.since(clock.now()) > AHEAD
    }

    /// The earlier of an instant and the present.
    pub(super) fn at_most_now(&self, time: Timestamp) -> Timestamp {
        match &self.passing {
            Passing::Events => time,
            Passing::Live { clock, .. } => time.min(clock.now()),
        }
    }

    /// What time it is; `None` = nothing has come.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let (newest, came) = self.newest?;
        let Passing::Live { clock, .. } = &self.passing else { return Some(newest) };
        let goes_on = || newest.plus(clock.monotonic().saturating_sub(came)).min(clock.now());
        Some(self.stood.unwrap_or_else(goes_on))
    }

    /// The next event of the source, if it has not ended; `None` = it is `due` before there is one.
    pub(super) async fn next(
        &self,
        source: &mut dyn DynDataFeed,
        due: Option<Timestamp>,
    ) -> Result<Option<Option<MarketEvent>>, MarketDataError> {
        // Who stands still waits for the source alone.
        let due = due.filter(|_| self.stood.is_none());
        let (Passing::Live { sleep, .. }, Some(due), Some(now)) = (&self.passing, due, self.now()) else {
            return source.next().await.map(Some);
        };
        let wait = sleep.sleep(due.since(now).max(SHORTEST_WAIT));
        match select(source.next(), wait).await {
            Either::Left((event, _)) => event.map(Some),
            Either::Right(_) => Ok(None),
        }
    }
}
