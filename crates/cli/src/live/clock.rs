//! The clock of the machine, as it is and as an engine needs it.

use mts_foundation::{Clock, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The time of day of this machine. It may step back; the engine's time does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters a live run")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Within range until the year 2262.
        Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// A clock that goes on evenly where another one steps back, so that what is due stays due in time (R8): it is that of
/// the wall plus all its steps back since the process began. Steps forward are taken.
#[derive(Debug)]
pub(crate) struct SteadyClock<C> {
    wall: C,
    /// An instant of this clock, and when it was on the monotonic one.
    base: Mutex<(Timestamp, Instant)>,
}

impl<C: Clock> SteadyClock<C> {
    /// Begins with the present instant of `wall`.
    pub(crate) fn new(wall: C) -> Self {
        let base = Mutex::new((wall.now(), monotonic()));
        Self { wall, base }
    }
}

impl<C: Clock> Clock for SteadyClock<C> {
    fn now(&self) -> Timestamp {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, present) = (self.wall.now(), monotonic());
        let steady = base.0.plus(present.saturating_duration_since(base.1));
        *base = (steady.max(wall), present);
        base.0
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters a live run")]
fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    /// A wall clock that somebody sets; it does not run.
    #[derive(Clone)]
    struct Set(Arc<AtomicI64>);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn a_step_back_is_ridden_out_and_one_forward_is_taken() {
        let hour = 3_600_000_000_000;
        let wall = Set(Arc::new(AtomicI64::new(10 * hour)));
        let clock = SteadyClock::new(wall.clone());
        let before = clock.now();
        assert!(before.since(Timestamp::from_nanos(10 * hour)) < Duration::from_secs(60));
        wall.0.store(9 * hour, Ordering::SeqCst);
        let after = clock.now();
        let waits = Duration::from_millis(5);
        std::thread::sleep(waits);
        let later = clock.now();
        assert!(after >= before && later.since(after) >= waits, "{before}, {after}, {later}");
        assert!(later.since(before) < Duration::from_secs(60), "{before}, {later}");
        wall.0.store(12 * hour, Ordering::SeqCst);
        assert_eq!(clock.now(), Timestamp::from_nanos(12 * hour));
    }
}
