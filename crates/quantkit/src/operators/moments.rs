//! Central moments over a window, each row added and two runs joined without cancellation (Welford 1962; Chan, Golub &
//! LeVeque 1979; Pébay 2008). A window whose values are all the same has deviations of exactly zero.

use super::wide::Wide;
use super::window::{Count, Kernel};

/// Standard deviation or variance.
pub(crate) struct Spread {
    /// Taken off the number of rows.
    pub(crate) ddof: f64,
    pub(crate) root: bool,
}

impl Kernel<1> for Spread {
    /// Mean and sum of squared deviations.
    type State = [Wide; 2];
    fn one(&self, [x]: [Wide; 1]) -> [Wide; 2] {
        // Zero, but NaN for what is no finite number.
        [x, x.zero()]
    }
    #[inline(always)]
    fn newer(&self, [mean, squares]: [Wide; 2], [x]: [Wide; 1], count: Count) -> [Wide; 2] {
        let off = x - mean;
        let mean = mean + off * count.inverse;
        [mean, squares + off * (x - mean)]
    }
    #[inline(always)]
    fn older(&self, state: [Wide; 2], row: [Wide; 1], count: Count) -> [Wide; 2] {
        self.newer(state, row, count)
    }
    #[inline(always)]
    fn join(
        &self,
        first: [Wide; 2],
        first_rows: f64,
        second: [Wide; 2],
        second_rows: f64,
        count: Count,
    ) -> [Wide; 2] {
        let ([mean, squares], [newer_mean, newer_squares]) = (first, second);
        let off = newer_mean - mean;
        let share = second_rows * count.inverse;
        [mean + off * share, squares + newer_squares + off * off * (first_rows * share)]
    }
    #[inline(always)]
    fn finish(&self, [_, squares]: [Wide; 2], _: [Wide; 1], count: Count) -> Wide {
        let variance = squares * (1.0 / (count.rows - self.ddof));
        if self.root { variance.sqrt() } else { variance }
    }
}

/// Which of the higher moments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Skew,
    Kurtosis,
}

/// Skewness, or kurtosis above the normal's.
pub(crate) struct Higher {
    pub(crate) shape: Shape,
    /// Corrected for the size of the sample (as pandas does), or the plain moments.
    pub(crate) unbiased: bool,
}

impl Kernel<1> for Higher {
    /// Mean and sums of the second, third and fourth powers of deviations.
    type State = [Wide; 4];
    fn one(&self, [x]: [Wide; 1]) -> [Wide; 4] {
        let zero = x.zero();
        [x, zero, zero, zero]
    }
    #[inline(always)]
    fn newer(&self, [mean, second, third, fourth]: [Wide; 4], [x]: [Wide; 1], count: Count) -> [Wide; 4] {
        let n = count.rows;
        let off = x - mean;
        let part = off * count.inverse;
        let part_squared = part * part;
        let term = off * part * (n - 1.0);
        [
            mean + part,
            second + term,
            third + term * part * (n - 2.0) - part * second * 3.0,
            fourth + term * part_squared * (n * n - 3.0 * n + 3.0) + part_squared * second * 6.0
                - part * third * 4.0,
        ]
    }
    fn older(&self, state: [Wide; 4], row: [Wide; 1], count: Count) -> [Wide; 4] {
        self.newer(state, row, count)
    }
    fn join(&self, first: [Wide; 4], a: f64, second: [Wide; 4], b: f64, count: Count) -> [Wide; 4] {
        let ([mean, m2, m3, m4], [other_mean, o2, o3, o4]) = (first, second);
        let inverse = count.inverse;
        let off = other_mean - mean;
        let part = off * inverse;
        let squared = off * part * (a * b);
        [
            mean + part * b,
            m2 + o2 + squared,
            m3 + o3 + squared * part * (a - b) + part * (o2 * a - m2 * b) * 3.0,
            m4 + o4
                + squared * part * part * (a * a - a * b + b * b)
                + part * part * (o2 * (a * a) + m2 * (b * b)) * 6.0
                + part * (o3 * a - m3 * b) * 4.0,
        ]
    }
    fn finish(&self, [_, second, third, fourth]: [Wide; 4], _: [Wide; 1], count: Count) -> Wide {
        let n = count.rows;
        let variance = second * count.inverse;
        match self.shape {
            Shape::Skew => {
                let plain = third * count.inverse / (variance * variance.sqrt());
                if self.unbiased { plain * ((n * (n - 1.0)).sqrt() / (n - 2.0)) } else { plain }
            }
            Shape::Kurtosis => {
                let excess = fourth * count.inverse / (variance * variance) - 3.0;
                if self.unbiased {
                    (excess * (n + 1.0) + 6.0) * ((n - 1.0) / ((n - 2.0) * (n - 3.0)))
                } else {
                    excess
                }
            }
        }
    }
}
