//! What the venue does wrong on purpose.

use crate::random::Xorshift;
use std::time::Duration;

/// How often what goes wrong, in so many of a thousand requests.
#[derive(Debug, Clone)]
pub(super) struct Faults {
    /// A request waits for so long before the venue sees it.
    pub(super) latency: Duration,
    /// The venue does what it is asked and never answers.
    pub(super) drop_acks: u32,
    /// The connection is cut: half the time before the venue sees the request, half the time after.
    pub(super) cut: u32,
    /// Where the chances come from.
    pub(super) seed: u64,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    NeverAnswered,
    CutBefore,
    CutAfter,
}

impl Faults {
    /// The chances of one connection.
    pub(super) fn of_connection(&self, number: u64) -> Xorshift {
        Xorshift::new(self.seed.wrapping_add(number).wrapping_add(1))
    }

    /// Draws what becomes of the next request.
    pub(super) fn fate(&self, random: &mut Xorshift) -> Fate {
        if random.chance(self.cut) {
            return if random.chance(500) { Fate::CutBefore } else { Fate::CutAfter };
        }
        if random.chance(self.drop_acks) { Fate::NeverAnswered } else { Fate::Answered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_comes_about_as_often_as_was_asked_and_in_the_same_order() {
        let faults = Faults { latency: Duration::ZERO, drop_acks: 100, cut: 100, seed: 7 };
        let fates = |faults: &Faults| {
            let mut random = faults.of_connection(0);
            (0..10_000).map(|_| faults.fate(&mut random)).collect::<Vec<_>>()
        };
        let drawn = fates(&faults);
        let count = |fate| drawn.iter().filter(|other| **other == fate).count();
        assert!((800..1_000).contains(&count(Fate::NeverAnswered)), "{}", count(Fate::NeverAnswered));
        assert!((400..600).contains(&count(Fate::CutBefore)), "{}", count(Fate::CutBefore));
        assert!((400..600).contains(&count(Fate::CutAfter)), "{}", count(Fate::CutAfter));
        assert_eq!(drawn, fates(&faults));
        let never = Faults { drop_acks: 0, cut: 0, ..faults };
        assert!(fates(&never).iter().all(|fate| *fate == Fate::Answered));
    }
}
