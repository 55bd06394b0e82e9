//! Implementation shortfall: the trajectory of Almgren and Chriss against the price at arrival, faster when the price runs
//! away.

use super::almgren_chriss::{Trajectory, YEAR};
use super::plan::{Moment, Plan, minutes};
use mts_foundation::algorithm::{ChildType, ImplementationShortfall};
use mts_foundation::{Decimal, Timestamp};
use rust_decimal::prelude::ToPrimitive;
use std::time::Duration;

impl Plan for ImplementationShortfall {
    fn horizon(&self) -> Option<Duration> {
        Some(minutes(u64::from(self.max_horizon_minutes)))
    }

    fn released(&self, moment: &Moment<'_>) -> Decimal {
        let trajectory = Trajectory {
            slices: self.max_horizon_minutes,
            risk_aversion: self.risk_aversion * urgency(self, moment),
            volatility: self.volatility,
            permanent_impact: self.permanent_impact,
            temporary_impact: self.temporary_impact,
        };
        trajectory.released(moment)
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

/// By how much the aversion to risk is multiplied: `(1 + m)²`, where `m` is how far the price has run away since arrival,
/// in standard deviations of the whole horizon; a price that came closer changes nothing.
fn urgency(shortfall: &ImplementationShortfall, moment: &Moment<'_>) -> f64 {
    let arrival = shortfall.arrival_price.or(moment.arrival);
    let moved = match (moment.price, arrival) {
        (Some(price), Some(arrival)) => {
            (price - arrival).checked_div(arrival).and_then(|moved| moved.to_f64())
        }
        _ => None,
    };
    let against = moved.unwrap_or_default() * f64::from(moment.side.sign());
    let deviation = shortfall.volatility * (f64::from(shortfall.max_horizon_minutes) / YEAR).sqrt();
    if against <= 0.0 || deviation <= 0.0 {
        return 1.0;
    }
    (1.0 + against / deviation).powi(2).min(1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{IdempotencyKey, Side};

    #[test]
    fn it_hurries_when_the_price_runs_away() {
        let shortfall = ImplementationShortfall::default();
        let key = IdempotencyKey::new("k").unwrap();
        let released = |side: Side, price: i64| {
            shortfall.released(&Moment {
                now: Timestamp::EPOCH.plus(minutes(10)),
                started: Timestamp::EPOCH,
                key: &key,
                side,
                quantity: Decimal::from(1_000),
                filled: Decimal::ZERO,
                open: Decimal::ZERO,
                traded: Decimal::ZERO,
                lately: Decimal::ZERO,
                price: Some(Decimal::from(price)),
                arrival: Some(Decimal::from(100)),
                session_opened: None,
            })
        };
        let calm = released(Side::Buy, 100);
        assert!(released(Side::Buy, 103) > calm && released(Side::Cover, 103) > calm);
        assert_eq!(released(Side::Buy, 97), calm);
        assert_eq!(released(Side::Sell, 103), calm);
        assert!(released(Side::Sell, 97) > calm);
        // One deviation of the horizon, 0.18·√(120/98280) = 0.629 %, makes it fourfold.
        let moment = |price: &str| Moment {
            now: Timestamp::EPOCH,
            started: Timestamp::EPOCH,
            key: &key,
            side: Side::Buy,
            quantity: Decimal::ONE,
            filled: Decimal::ZERO,
            open: Decimal::ZERO,
            traded: Decimal::ZERO,
            lately: Decimal::ZERO,
            price: Some(price.parse().unwrap()),
            arrival: Some(Decimal::from(100)),
            session_opened: None,
        };
        assert!((urgency(&shortfall, &moment("100.628970902")) - 4.0).abs() < 1e-6);
    }
}
