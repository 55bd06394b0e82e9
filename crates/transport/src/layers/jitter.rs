//! Pauses that differ, so that many clients that fell out at once do not come back at once.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where pauses get their spread from; the same seed gives the same ones.
#[derive(Debug)]
pub struct Jitter(AtomicU64);

impl Jitter {
    /// From this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// From a seed of the system's, different in every process.
    #[must_use]
    pub fn of_system() -> Self {
        Self::new(RandomState::new().build_hasher().finish())
    }

    /// The next number (SplitMix64; Steele, Lea and Flood, 2014).
    pub(crate) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between three quarters of a pause and five.
    pub(crate) fn spread(&self, pause: Duration) -> Duration {
        let part = u32::try_from(self.next() % 513).unwrap_or(0).saturating_add(768);
        pause.saturating_mul(part) / 1024
    }
}

/// The next of pauses that grow by a factor of 1.5 up to a longest one.
pub(super) fn longer(pause: Duration, longest: Duration) -> Duration {
    (pause.saturating_mul(3) / 2).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_spread_around_their_mean_and_grow_to_a_bound() {
        let (jitter, same) = (Jitter::new(7), Jitter::new(7));
        let second = Duration::from_secs(1);
        let pauses: Vec<Duration> = (0..1000).map(|_| jitter.spread(second)).collect();
        assert!(pauses.iter().all(|pause| (750..=1250).contains(&pause.as_millis())));
        let mean = pauses.iter().sum::<Duration>() / 1000;
        assert!((980..1020).contains(&mean.as_millis()), "{mean:?}");
        assert!(pauses.iter().all(|pause| *pause == same.spread(second)));
        assert_ne!(Jitter::of_system().next(), Jitter::of_system().next());
        assert_eq!(longer(second, Duration::from_secs(30)), Duration::from_millis(1500));
        assert_eq!(longer(Duration::from_secs(29), Duration::from_secs(30)), Duration::from_secs(30));
        assert_eq!(longer(Duration::MAX, second), second);
    }
}
