//! The least and the greatest of a window, and where they are.

use super::wide::Wide;
use super::window::{Count, Kernel};

/// The least or greatest value.
pub(crate) struct Extreme {
    pub(crate) greatest: bool,
}

impl Extreme {
    #[inline(always)]
    fn better(&self, left: Wide, right: Wide) -> Wide {
        if self.greatest { left.greatest(right) } else { left.least(right) }
    }
}

impl Kernel<1> for Extreme {
    type State = Wide;
    fn one(&self, [x]: [Wide; 1]) -> Wide {
        x
    }
    #[inline(always)]
    fn newer(&self, best: Wide, [x]: [Wide; 1], _: Count) -> Wide {
        self.better(best, x)
    }
    #[inline(always)]
    fn older(&self, best: Wide, [x]: [Wide; 1], _: Count) -> Wide {
        self.better(best, x)
    }
    #[inline(always)]
    fn join(&self, first: Wide, _: f64, second: Wide, _: f64, _: Count) -> Wide {
        self.better(first, second)
    }
    fn finish(&self, best: Wide, _: [Wide; 1], _: Count) -> Wide {
        best
    }
}

/// The place of the first least or greatest value, from 1 = the oldest row.
pub(crate) struct Place {
    pub(crate) greatest: bool,
}

impl Place {
    /// The earlier one wins a tie; NaN wins always, as the window has no extreme then.
    fn better(&self, earlier: [Wide; 2], later: [Wide; 2]) -> [Wide; 2] {
        let ([mut best, mut place], [value, later_place]) = (earlier, later);
        for (((best, place), value), later) in
            best.0.iter_mut().zip(&mut place.0).zip(value.0).zip(later_place.0)
        {
            let beaten = if self.greatest { value > *best } else { value < *best };
            if beaten || value.is_nan() {
                (*best, *place) = (value, later);
            }
        }
        [best, place]
    }
}

impl Kernel<1> for Place {
    /// Value and place, from zero.
    type State = [Wide; 2];
    fn one(&self, [x]: [Wide; 1]) -> [Wide; 2] {
        [x, Wide::ZERO]
    }
    fn newer(&self, state: [Wide; 2], [x]: [Wide; 1], count: Count) -> [Wide; 2] {
        self.better(state, [x, Wide::of(count.rows - 1.0)])
    }
    fn older(&self, [best, place]: [Wide; 2], [x]: [Wide; 1], _: Count) -> [Wide; 2] {
        self.better([x, Wide::ZERO], [best, place + 1.0])
    }
    fn join(&self, first: [Wide; 2], rows: f64, second: [Wide; 2], _: f64, _: Count) -> [Wide; 2] {
        let [value, place] = second;
        self.better(first, [value, place + rows])
    }
    fn finish(&self, [value, place]: [Wide; 2], _: [Wide; 1], _: Count) -> Wide {
        // NaN where the value is.
        value.with(place, |value, place| if value.is_nan() { f64::NAN } else { place + 1.0 })
    }
}
