//! Iceberg: a peak at a limit price, filled up when little is left of it.

use super::plan::{Moment, Plan};
use mts_foundation::algorithm::{ChildType, Iceberg};
use mts_foundation::{Decimal, Timestamp};
use std::time::Duration;

impl Plan for Iceberg {
    fn horizon(&self) -> Option<Duration> {
        None
    }

    fn released(&self, moment: &Moment<'_>) -> Decimal {
        let shown = if moment.open < self.refill_threshold { self.display_qty } else { moment.open };
        moment.filled.saturating_add(shown)
    }

    fn next(&self, _: &Moment<'_>) -> Option<Timestamp> {
        None
    }

    fn child_type(&self) -> ChildType {
        ChildType::Limit
    }

    fn refills(&self) -> bool {
        true
    }

    fn fixed_price(&self) -> Option<Decimal> {
        Some(self.limit_price)
    }
}
