//! The optimal trajectory of Almgren and Chriss (2000), §2.2 of the paper, in slices of a minute.

use super::plan::{Moment, Plan, minutes};
use mts_foundation::algorithm::{AlmgrenChriss, ChildType};
use mts_foundation::{Decimal, Timestamp, num};
use std::time::Duration;

/// Trading minutes of a year: 252 sessions of 390.
pub(crate) const YEAR: f64 = 252.0 * 390.0;

/// One hundredth of a percent.
const BASIS_POINT: f64 = 1e-4;

impl Plan for AlmgrenChriss {
    fn horizon(&self) -> Option<Duration> {
        Some(minutes(u64::from(self.horizon_minutes)))
    }

    fn released(&self, moment: &Moment<'_>) -> Decimal {
        let trajectory = Trajectory {
            slices: self.horizon_minutes,
            risk_aversion: self.risk_aversion,
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
}

/// How a parent is spread over slices of a minute. Quantities are shares of the parent, costs shares of its value.
pub(crate) struct Trajectory {
    pub(crate) slices: u32,
    pub(crate) risk_aversion: f64,
    pub(crate) volatility: f64,
    pub(crate) permanent_impact: f64,
    pub(crate) temporary_impact: f64,
}

impl Trajectory {
    /// Units that have left with the slice of the present minute; all of them with the last.
    pub(crate) fn released(&self, moment: &Moment<'_>) -> Decimal {
        let done = u32::try_from(moment.minute().saturating_add(1)).unwrap_or(u32::MAX);
        if done >= self.slices {
            return moment.quantity;
        }
        let share = num::quantise(1.0 - self.left(done)).unwrap_or_default();
        moment.quantity.checked_mul(share.clamp(Decimal::ZERO, Decimal::ONE)).unwrap_or_default()
    }

    /// The urgency κ, in 1/minute: `cosh(κτ) = 1 + κ̃²τ²/2` with `κ̃² = λσ²/η̃` and `η̃ = η − γτ/2`, where τ is one minute.
    pub(crate) fn urgency(&self) -> f64 {
        let variance = self.volatility * self.volatility / YEAR;
        let passing = (self.temporary_impact - self.permanent_impact / 2.0) * BASIS_POINT;
        (1.0 + self.risk_aversion * variance / passing / 2.0).acosh()
    }

    /// The share that is left after that many slices: `sinh(κ(T − t)) / sinh(κT)`.
    pub(crate) fn left(&self, done: u32) -> f64 {
        let (all, left) = (f64::from(self.slices), f64::from(self.slices.saturating_sub(done)));
        let urgency = self.urgency();
        // Without urgency the limit: a straight line. Beyond what sinh can hold, its quotient as a power of e.
        if self.slices <= done {
            0.0
        } else if urgency.is_nan() || urgency * all < 1e-6 {
            left / all
        } else if urgency * all > 700.0 {
            (urgency * (left - all)).exp()
        } else {
            (urgency * left).sinh() / (urgency * all).sinh()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trajectory(risk_aversion: f64) -> Trajectory {
        let AlmgrenChriss { horizon_minutes, volatility, permanent_impact, temporary_impact, .. } =
            AlmgrenChriss::default();
        Trajectory { slices: horizon_minutes, risk_aversion, volatility, permanent_impact, temporary_impact }
    }

    /// By tests/independent/almgren_chriss.py, which minimises mean plus λ times variance over all trajectories by solving
    /// the linear equations of its first-order conditions, and knows no sinh.
    #[test]
    fn it_is_the_minimum_of_the_costs() {
        for (risk_aversion, done, left) in WANTED {
            let found = trajectory(risk_aversion).left(done);
            assert!((found - left).abs() < 1e-9, "λ {risk_aversion}, slice {done}: {found} for {left}");
        }
    }

    include!("almgren_chriss_values.rs");

    #[test]
    fn its_limits() {
        let all = |risk_aversion: f64| {
            (0..=30).map(|done| trajectory(risk_aversion).left(done)).collect::<Vec<_>>()
        };
        for (done, left) in (0_u32..).zip(all(0.0)) {
            assert!((left - (1.0 - f64::from(done) / 30.0)).abs() < 1e-12, "no aversion is a straight line");
        }
        for risk_aversion in [0.0, 1.0, 10.0, 1e6] {
            let left = all(risk_aversion);
            assert!(left.is_sorted_by(|a, b| a >= b) && left.iter().all(|left| (0.0..=1.0).contains(left)));
            assert_eq!((left[0], left[30]), (1.0, 0.0));
        }
        assert!(all(10.0)[5] < all(1.0)[5] && all(1.0)[5] < all(0.0)[5], "aversion trades earlier");
    }
}
