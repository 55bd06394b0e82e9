//! Volume-weighted average price: a slice a minute, as large as the volume that is expected in it.

use super::plan::{Moment, Plan, minutes};
use mts_foundation::algorithm::{ChildType, VolumeProfile, Vwap};
use mts_foundation::{Decimal, Timestamp, num};
use std::time::Duration;

/// Minutes of a regular session.
const SESSION: f64 = 390.0;

/// Volume of the first and last minute of a session, as a multiple of that in its middle.
const EDGE: f64 = 3.0;

impl Plan for Vwap {
    fn horizon(&self) -> Option<Duration> {
        Some(minutes(u64::from(self.horizon_minutes)))
    }

    fn released(&self, moment: &Moment<'_>) -> Decimal {
        let slices = u64::from(self.horizon_minutes);
        let done = moment.minute().saturating_add(1).min(slices);
        if done == slices {
            return moment.quantity;
        }
        let first = moment.session_opened.filter(|_| self.volume_profile == VolumeProfile::IntradayEstimated);
        let expected = |minute: u64| match first {
            Some(opened) => weight(moment.started.since(opened).as_secs_f64() / 60.0 + minute as f64),
            None => 1.0,
        };
        let sum = |end: u64| (0..end).map(expected).sum::<f64>();
        let share = num::quantise(sum(done) / sum(slices)).unwrap_or_default();
        moment.quantity.checked_mul(share).unwrap_or_default()
    }

    fn next(&self, moment: &Moment<'_>) -> Option<Timestamp> {
        Some(moment.next_minute())
    }

    fn child_type(&self) -> ChildType {
        self.child_order_type
    }

    fn participation(&self) -> Option<f64> {
        Some(self.max_participation)
    }

    fn knows_earlier_volume(&self) -> bool {
        true
    }
}

/// Volume expected in a minute of the session: a parabola with its lowest point in the middle.
fn weight(minute: f64) -> f64 {
    let from_middle = (2.0 * minute / SESSION - 1.0).clamp(-1.0, 1.0);
    1.0 + (EDGE - 1.0) * from_middle * from_middle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_a_u() {
        assert_eq!((weight(0.0), weight(195.0), weight(390.0), weight(500.0)), (3.0, 1.0, 3.0, 3.0));
        assert!(weight(30.0) > weight(60.0) && weight(300.0) < weight(360.0));
    }
}
