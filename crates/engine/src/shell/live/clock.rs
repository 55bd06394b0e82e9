//! The engine's time: the machine's, except that it never goes back, also not over a restart; and whether somebody moved the
//! machine's clock.

use mts_foundation::{Clock, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the machine's clock may be off by before a person is told: a leap second is no reason.
pub(super) const TOLERATED: Duration = Duration::from_secs(1);

/// Where the engine is ahead of the machine's clock, it leaves out one part in so many of what passes until it is not any
/// more: what is due comes a tenth late at most, and an hour is made good in ten.
const SLOWER_BY: u32 = 10;

/// Attempts to read both clocks of the machine at one moment, and how far apart that may be: a process that is stopped in
/// between sees a difference that is none.
const ATTEMPTS: u32 = 3;
const ONE_MOMENT: Duration = Duration::from_millis(100);

/// A clock that goes on evenly where the machine's steps back, so that what is due stays due in time (R8). Steps forward are
/// taken.
pub(super) struct SteadyClock {
    machine: Arc<dyn Clock>,
    /// An instant of this clock, and when that was on the monotonic one.
    base: Mutex<(Timestamp, Duration)>,
}

impl SteadyClock {
    /// Begins with the present instant of the machine, or with `least` where that is later.
    pub(super) fn new(machine: Arc<dyn Clock>, least: Timestamp) -> Self {
        let base = Mutex::new((machine.now().max(least), machine.monotonic()));
        Self { machine, base }
    }

    /// How far it is ahead of the machine's clock.
    pub(super) fn ahead(&self) -> Duration {
        self.now().since(self.machine.now())
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, monotonic) = (self.machine.now(), self.machine.monotonic());
        let passed = monotonic.saturating_sub(base.1);
        let ahead = base.0.plus(passed).since(wall);
        let left_out = ahead.min(passed / SLOWER_BY);
        *base = (base.0.plus(passed.saturating_sub(left_out)).max(wall), monotonic);
        base.0
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

/// Compares the machine's wall clock with its monotonic one.
pub(super) struct JumpWatch {
    machine: Arc<dyn Clock>,
    /// Both at the last look.
    last: (Timestamp, Duration),
}

impl JumpWatch {
    /// Begins with the present.
    pub(super) fn new(machine: Arc<dyn Clock>) -> Self {
        let last = both(&*machine);
        Self { machine, last }
    }

    /// By how many milliseconds the wall clock was moved since the last look, forward above zero; `None` within what is
    /// tolerated.
    pub(super) fn look(&mut self) -> Option<i64> {
        let present = both(&*self.machine);
        let (last, passed) = (self.last, present.1.saturating_sub(self.last.1));
        self.last = present;
        let wall = present.0.nanos().saturating_sub(last.0.nanos());
        let by = wall.saturating_sub(i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX));
        (Duration::from_nanos(by.unsigned_abs()) > TOLERATED).then_some(by / 1_000_000)
    }
}

/// Wall and monotonic clock at one moment.
fn both(machine: &dyn Clock) -> (Timestamp, Duration) {
    let mut before = machine.monotonic();
    let mut read = (machine.now(), machine.monotonic());
    for _ in 1..ATTEMPTS {
        if read.1.saturating_sub(before) <= ONE_MOMENT {
            break;
        }
        before = machine.monotonic();
        read = (machine.now(), machine.monotonic());
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    const SECOND: i64 = 1_000_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    /// A machine whose clocks are set by hand: nanoseconds.
    #[derive(Default)]
    struct Machine {
        wall: AtomicI64,
        passed: AtomicI64,
    }

    impl Machine {
        fn at(wall: i64) -> Arc<Self> {
            Arc::new(Self { wall: AtomicI64::new(wall), passed: AtomicI64::new(0) })
        }
        fn run(&self, nanos: i64) {
            self.passed.fetch_add(nanos, Ordering::SeqCst);
            self.step(nanos);
        }
        fn step(&self, nanos: i64) {
            self.wall.fetch_add(nanos, Ordering::SeqCst);
        }
    }

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.wall.load(Ordering::SeqCst))
        }
        fn monotonic(&self) -> Duration {
            Duration::from_nanos(self.passed.load(Ordering::SeqCst).unsigned_abs())
        }
    }

    #[test]
    fn a_step_back_is_ridden_out_and_one_forward_is_taken() {
        let machine = Machine::at(10 * HOUR);
        let clock = SteadyClock::new(machine.clone(), Timestamp::from_nanos(i64::MIN));
        assert_eq!(clock.now().nanos(), 10 * HOUR);
        machine.step(-HOUR);
        assert_eq!(clock.now().nanos(), 10 * HOUR);
        machine.run(100 * SECOND);
        assert_eq!(clock.now().nanos(), 10 * HOUR + 90 * SECOND, "it goes on, a tenth slower");
        machine.step(3 * HOUR);
        assert_eq!(clock.now(), machine.now());
    }

    #[test]
    fn a_restart_goes_on_from_the_last_time_and_comes_back_to_the_wall() {
        let machine = Machine::at(10 * HOUR);
        let clock = SteadyClock::new(machine.clone(), Timestamp::from_nanos(11 * HOUR));
        assert_eq!(clock.ahead(), Duration::from_secs(3_600));
        let mut before = clock.now();
        for _ in 0..9 {
            machine.run(HOUR);
            let now = clock.now();
            assert_eq!(now.since(before), Duration::from_secs(3_240), "time never stands still");
            before = now;
        }
        machine.run(HOUR);
        assert_eq!((clock.now(), clock.ahead()), (machine.now(), Duration::ZERO));
        machine.run(HOUR);
        assert_eq!(clock.now(), machine.now());
    }

    #[test]
    fn only_what_moves_the_wall_clock_by_more_than_a_second_is_a_jump() {
        let machine = Machine::at(10 * HOUR);
        let mut watch = JumpWatch::new(machine.clone());
        machine.run(60 * SECOND);
        assert_eq!(watch.look(), None);
        machine.step(-SECOND);
        assert_eq!(watch.look(), None);
        machine.step(-SECOND - 1);
        assert_eq!(watch.look(), Some(-1_000));
        machine.step(HOUR);
        machine.run(SECOND);
        assert_eq!((watch.look(), watch.look()), (Some(3_600_000), None));
    }

    /// A process that is stopped between two readings, once.
    struct Stopped(Machine, AtomicI64);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            let now = self.0.now();
            if self.1.fetch_sub(1, Ordering::SeqCst) == 0 {
                self.0.run(5 * SECOND);
            }
            now
        }
        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }
    }

    #[test]
    fn a_process_that_is_stopped_while_it_reads_the_clocks_sees_no_jump() {
        let mut watch = JumpWatch::new(Arc::new(Stopped(Machine::default(), AtomicI64::new(1))));
        assert_eq!((watch.look(), watch.look()), (None, None));
    }
}
