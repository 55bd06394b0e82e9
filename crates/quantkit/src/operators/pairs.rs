//! Two series over a window: covariance, correlation, and the line of one on the other or on time.

use super::wide::Wide;
use super::window::{Count, Kernel};
use serde::Deserialize;

/// Which figure of a regression line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Change of the first series per unit of the other.
    Slope,
    /// The line's value where the other series is zero.
    Intercept,
    /// How far the newest row lies above the line.
    Residual,
    /// The share of the variance that the line explains, 0 to 1.
    Fit,
}

/// What is asked of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pair {
    Covariance { ddof: f64 },
    Correlation,
    Line(Line),
}

impl Kernel<2> for Pair {
    /// Means, sums of squared deviations, sum of their products.
    type State = [Wide; 5];
    fn one(&self, [x, y]: [Wide; 2]) -> [Wide; 5] {
        [x, y, x.zero(), y.zero(), x.zero() + y.zero()]
    }
    #[inline(always)]
    fn newer(&self, state: [Wide; 5], [x, y]: [Wide; 2], count: Count) -> [Wide; 5] {
        let [mean_x, mean_y, xx, yy, xy] = state;
        let (off_x, off_y) = (x - mean_x, y - mean_y);
        let (mean_x, mean_y) = (mean_x + off_x * count.inverse, mean_y + off_y * count.inverse);
        let rest_y = y - mean_y;
        [mean_x, mean_y, xx + off_x * (x - mean_x), yy + off_y * rest_y, xy + off_x * rest_y]
    }
    #[inline(always)]
    fn older(&self, state: [Wide; 5], row: [Wide; 2], count: Count) -> [Wide; 5] {
        self.newer(state, row, count)
    }
    #[inline(always)]
    fn join(&self, first: [Wide; 5], a: f64, second: [Wide; 5], b: f64, count: Count) -> [Wide; 5] {
        let [mean_x, mean_y, xx, yy, xy] = first;
        let [other_x, other_y, oxx, oyy, oxy] = second;
        let (off_x, off_y) = (other_x - mean_x, other_y - mean_y);
        let share = b * count.inverse;
        let weight = a * share;
        [
            mean_x + off_x * share,
            mean_y + off_y * share,
            xx + oxx + off_x * off_x * weight,
            yy + oyy + off_y * off_y * weight,
            xy + oxy + off_x * off_y * weight,
        ]
    }
    #[inline(always)]
    fn finish(&self, state: [Wide; 5], [x, y]: [Wide; 2], count: Count) -> Wide {
        let [mean_x, mean_y, xx, yy, xy] = state;
        match self {
            Self::Covariance { ddof } => xy / (count.rows - ddof),
            Self::Correlation => (xy / (xx.sqrt() * yy.sqrt())).map(|value| value.clamp(-1.0, 1.0)),
            // Zero over zero where the other series does not vary: no line.
            Self::Line(Line::Slope) => xy / yy,
            Self::Line(Line::Intercept) => mean_x - xy / yy * mean_y,
            Self::Line(Line::Residual) => (x - mean_x) - xy / yy * (y - mean_y),
            Self::Line(Line::Fit) => ((xy / xx) * (xy / yy)).map(|value| value.clamp(0.0, 1.0)),
        }
    }
}

/// The line of a series on the rows of its window, 0 = the oldest.
pub(crate) struct Trend(pub(crate) Line);

impl Kernel<1> for Trend {
    /// Mean, sum of squared deviations, sum of their products with the rows'.
    type State = [Wide; 3];
    fn one(&self, [x]: [Wide; 1]) -> [Wide; 3] {
        [x, x.zero(), x.zero()]
    }
    fn newer(&self, [mean, xx, xt]: [Wide; 3], [x]: [Wide; 1], count: Count) -> [Wide; 3] {
        let off = x - mean;
        let mean = mean + off * count.inverse;
        // The newest row lies (n - 1) / 2 above the middle of all n.
        [mean, xx + off * (x - mean), xt + off * ((count.rows - 1.0) / 2.0)]
    }
    fn older(&self, [mean, xx, xt]: [Wide; 3], [x]: [Wide; 1], count: Count) -> [Wide; 3] {
        let off = x - mean;
        let mean = mean + off * count.inverse;
        [mean, xx + off * (x - mean), xt - off * ((count.rows - 1.0) / 2.0)]
    }
    fn join(&self, first: [Wide; 3], a: f64, second: [Wide; 3], b: f64, count: Count) -> [Wide; 3] {
        let ([mean, xx, xt], [other, oxx, oxt]) = (first, second);
        let off = other - mean;
        let share = b * count.inverse;
        // The middles of the two runs lie (a + b) / 2 apart.
        [
            mean + off * share,
            xx + oxx + off * off * (a * share),
            xt + oxt + off * (a * share * count.rows / 2.0),
        ]
    }
    fn finish(&self, [mean, xx, xt]: [Wide; 3], [x]: [Wide; 1], count: Count) -> Wide {
        let n = count.rows;
        let tt = n * (n * n - 1.0) / 12.0;
        let middle = (n - 1.0) / 2.0;
        match self.0 {
            Line::Slope => xt / tt,
            Line::Intercept => mean - xt / tt * middle,
            Line::Residual => (x - mean) - xt / tt * middle,
            Line::Fit => ((xt / xx) * (xt / tt)).map(|value| value.clamp(0.0, 1.0)),
        }
    }
}
