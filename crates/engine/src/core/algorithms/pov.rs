//! Percentage of volume: a share of what the market trades, as it becomes known.

use super::plan::{Moment, Plan, minutes};
use mts_foundation::algorithm::{ChildType, Pov};
use mts_foundation::{Decimal, Timestamp, num};
use std::time::Duration;

impl Plan for Pov {
    fn horizon(&self) -> Option<Duration> {
        Some(minutes(u64::from(self.max_horizon_minutes)))
    }

    /// The share of all volume since the start; but what could not be had in time is not made up for beyond the share of
    /// the volume within the look-back.
    fn released(&self, moment: &Moment<'_>) -> Decimal {
        let share = num::as_written(self.target_participation).unwrap_or_default();
        let of = |units: Decimal| units.checked_mul(share).unwrap_or_default();
        of(moment.traded).min(moment.filled.saturating_add(of(moment.lately)))
    }

    fn next(&self, _: &Moment<'_>) -> Option<Timestamp> {
        None
    }

    fn child_type(&self) -> ChildType {
        self.child_order_type
    }

    fn participation(&self) -> Option<f64> {
        Some(self.target_participation)
    }

    fn lookback(&self) -> Option<Duration> {
        Some(minutes(u64::from(self.volume_lookback_minutes)))
    }
}
