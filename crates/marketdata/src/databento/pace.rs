//! When a recorded event is due.

use mts_foundation::Timestamp;
use std::time::Duration;

/// A schedule of absolute times: what one event is late by is not passed on to the next.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// Recorded time per time that passes; `None` = as fast as possible.
    speed: Option<f64>,
    longest_pause: Option<Duration>,
    /// The first event, and when it was handed out.
    began: Option<(Timestamp, Duration)>,
    last: Option<Timestamp>,
    /// Recorded time that was passed over.
    skipped: Duration,
}

impl Pace {
    /// Speed 0 and infinity are as fast as possible.
    pub(super) fn new(speed: f64, longest_pause: Option<Duration>) -> Result<Self, String> {
        if speed.is_nan() || speed < 0.0 {
            return Err(format!(
                "a replay_speed of {speed}: give 1 for real time, 10 for ten times as fast, 0 for as fast as possible"
            ));
        }
        let speed = (speed > 0.0 && speed.is_finite()).then_some(speed);
        Ok(Self { speed, longest_pause, began: None, last: None, skipped: Duration::ZERO })
    }

    /// The schedule begins with the next event.
    pub(super) fn restart(&mut self) {
        (self.began, self.last, self.skipped) = (None, None, Duration::ZERO);
    }

    fn skipped(&self, time: Timestamp) -> Duration {
        let pause = self.last.map_or(Duration::ZERO, |last| time.since(last));
        let over = self.longest_pause.map_or(Duration::ZERO, |longest| pause.saturating_sub(longest));
        self.skipped.saturating_add(over)
    }

    /// How long an event has to wait yet, by a monotonic clock; `None` = it is due.
    pub(super) fn wait(&self, time: Timestamp, now: Duration) -> Option<Duration> {
        /// Waiting is not more exact than that.
        const LEAST: Duration = Duration::from_millis(1);
        let (speed, (first, began)) = (self.speed?, self.began?);
        let recorded = time.since(first).saturating_sub(self.skipped(time));
        let due = Duration::try_from_secs_f64(recorded.as_secs_f64() / speed).unwrap_or(Duration::MAX);
        let wait = began.saturating_add(due).saturating_sub(now);
        (wait > LEAST).then_some(wait)
    }

    /// An event is handed out.
    pub(super) fn take(&mut self, time: Timestamp, now: Duration) {
        self.began.get_or_insert((time, now));
        self.skipped = self.skipped(time);
        self.last = self.last.max(Some(time));
    }
}
