//! Sums and products over a window.

use super::wide::Wide;
use super::window::{Count, Kernel};

/// The sum of a window, or its mean.
pub(crate) struct Sum {
    pub(crate) mean: bool,
}

impl Kernel<1> for Sum {
    type State = Wide;
    fn one(&self, [x]: [Wide; 1]) -> Wide {
        x
    }
    #[inline(always)]
    fn newer(&self, sum: Wide, [x]: [Wide; 1], _: Count) -> Wide {
        sum + x
    }
    #[inline(always)]
    fn older(&self, sum: Wide, [x]: [Wide; 1], _: Count) -> Wide {
        sum + x
    }
    #[inline(always)]
    fn join(&self, first: Wide, _: f64, second: Wide, _: f64, _: Count) -> Wide {
        first + second
    }
    #[inline(always)]
    fn finish(&self, sum: Wide, _: [Wide; 1], count: Count) -> Wide {
        if self.mean { sum / count.rows } else { sum }
    }
}

/// The product of a window.
pub(crate) struct Product;

impl Kernel<1> for Product {
    type State = Wide;
    fn one(&self, [x]: [Wide; 1]) -> Wide {
        x
    }
    fn newer(&self, product: Wide, [x]: [Wide; 1], _: Count) -> Wide {
        product * x
    }
    fn older(&self, product: Wide, [x]: [Wide; 1], _: Count) -> Wide {
        product * x
    }
    fn join(&self, first: Wide, _: f64, second: Wide, _: f64, _: Count) -> Wide {
        first * second
    }
    fn finish(&self, product: Wide, _: [Wide; 1], _: Count) -> Wide {
        product
    }
}

/// The mean with weights 1, 2, … from the oldest row to the newest.
pub(crate) struct DecayLinear;

impl Kernel<1> for DecayLinear {
    /// Sum, and sum with weights from one.
    type State = [Wide; 2];
    fn one(&self, [x]: [Wide; 1]) -> [Wide; 2] {
        [x, x]
    }
    fn newer(&self, [sum, weighted]: [Wide; 2], [x]: [Wide; 1], count: Count) -> [Wide; 2] {
        [sum + x, weighted + x * count.rows]
    }
    fn older(&self, [sum, weighted]: [Wide; 2], [x]: [Wide; 1], _: Count) -> [Wide; 2] {
        [sum + x, weighted + sum + x]
    }
    fn join(&self, first: [Wide; 2], rows: f64, second: [Wide; 2], _: f64, _: Count) -> [Wide; 2] {
        let ([sum, weighted], [newer_sum, newer_weighted]) = (first, second);
        [sum + newer_sum, weighted + newer_weighted + newer_sum * rows]
    }
    fn finish(&self, [_, weighted]: [Wide; 2], _: [Wide; 1], count: Count) -> Wide {
        weighted / (count.rows * (count.rows + 1.0) / 2.0)
    }
}
