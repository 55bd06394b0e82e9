//! Time-weighted average price: equal slices, each moved a little within its interval.

use super::plan::{Moment, Plan, minutes};
use mts_foundation::algorithm::{ChildType, Twap};
use mts_foundation::{Decimal, IdempotencyKey, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;

impl Plan for Twap {
    fn horizon(&self) -> Option<Duration> {
        Some(minutes(u64::from(self.horizon_minutes)))
    }

    fn released(&self, moment: &Moment<'_>) -> Decimal {
        let due = Decimal::from(due(self, moment));
        let slices = Decimal::from(self.n_slices);
        moment.quantity.checked_mul(due).and_then(|units| units.checked_div(slices)).unwrap_or_default()
    }

    fn next(&self, moment: &Moment<'_>) -> Option<Timestamp> {
        let due = due(self, moment);
        (due < self.n_slices).then(|| instant(self, moment.key, moment.started, due))
    }

    fn child_type(&self) -> ChildType {
        self.child_order_type
    }
}

fn interval(twap: &Twap) -> Duration {
    minutes(u64::from(twap.horizon_minutes)) / twap.n_slices.max(1)
}

/// Slices whose instant has come. A slice lies at most half an interval from its place, so only those beside the present
/// one are in doubt.
fn due(twap: &Twap, moment: &Moment<'_>) -> u32 {
    let place = moment.elapsed().as_nanos().checked_div(interval(twap).as_nanos()).unwrap_or_default();
    let place = u32::try_from(place).unwrap_or(u32::MAX).min(twap.n_slices);
    let last = place.saturating_add(1).min(twap.n_slices.saturating_sub(1));
    let beside = (place..=last).filter(|slice| *slice < twap.n_slices);
    let come = beside.filter(|slice| instant(twap, moment.key, moment.started, *slice) <= moment.now);
    place.saturating_add(u32::try_from(come.count()).unwrap_or_default())
}

/// When a slice leaves; the first at once.
fn instant(twap: &Twap, key: &IdempotencyKey, started: Timestamp, slice: u32) -> Timestamp {
    let interval = interval(twap);
    let place = interval.saturating_mul(slice);
    if slice == 0 {
        return started;
    }
    let share = twap.jitter_pct * unit(key, slice);
    let moved = interval.mul_f64(share.abs().min(0.5));
    let place = if share < 0.0 { place.saturating_sub(moved) } else { place.saturating_add(moved) };
    started.plus(place)
}

/// A number in −1..1 that is always the same for the same slice of the same parent.
fn unit(key: &IdempotencyKey, slice: u32) -> f64 {
    let digest = Sha256::digest(format!("{key}#{slice}").as_bytes());
    let bits = digest.iter().take(4).fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_keep_their_order_and_stay_near_their_places() {
        let twap = Twap { jitter_pct: 0.5, ..Twap::default() };
        let instants = |text: &str| {
            let key = IdempotencyKey::new(text).unwrap();
            (0..30).map(|slice| instant(&twap, &key, Timestamp::EPOCH, slice)).collect::<Vec<_>>()
        };
        let (one, other) = (instants("a"), instants("b"));
        assert_ne!(one, other, "the key is the seed");
        assert!(one.is_sorted() && other.is_sorted());
        let moved: Vec<f64> = (0_u32..)
            .zip(&one)
            .map(|(slice, at)| at.since(Timestamp::EPOCH).as_secs_f64() - 60.0 * f64::from(slice))
            .collect();
        assert!(moved.iter().all(|seconds| seconds.abs() <= 30.0), "{moved:?}");
        assert!(moved.iter().any(|seconds| *seconds < -5.0) && moved.iter().any(|seconds| *seconds > 5.0));
        assert!(one.last().unwrap().since(Timestamp::EPOCH) < minutes(30));
    }
}
