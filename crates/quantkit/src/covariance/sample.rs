//! The sample's covariance, and what the other estimators begin with.

use super::EstimateError;
use crate::linalg::gram;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// YᵀY / (T − ddof), Y the returns less their means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sample {
    /// What is taken off the number of rows: 1 (the default, unbiased) or 0 (maximum likelihood).
    pub ddof: usize,
}

impl Default for Sample {
    fn default() -> Self {
        Self { ddof: 1 }
    }
}

impl Sample {
    /// Shape (A, A).
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        let rows = returns.nrows();
        if self.ddof >= rows {
            let problem = format!("{} is not less than the {rows} rows; use 0 or 1", self.ddof);
            return Err(EstimateError::new("ddof", problem));
        }
        let mut out = gram(centred(returns).view());
        out /= (rows - self.ddof) as f64;
        Ok(out)
    }
}

/// Means, shape (A); `returns` has rows.
pub(super) fn means(returns: ArrayView2<'_, f64>) -> Array1<f64> {
    let mut means = returns.sum_axis(Axis(0));
    means /= returns.nrows() as f64;
    means
}

/// The returns less their means, row after row in memory whatever the layout of the returns is.
pub(super) fn centred(returns: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = returns.as_standard_layout().into_owned();
    out -= &means(returns);
    out
}

/// Σ of squares of all elements, in eight parts: a compiler makes wide instructions of them.
pub(super) fn squares(matrix: &Array2<f64>) -> f64 {
    let Some(values) = matrix.as_slice() else { return matrix.iter().map(|value| value * value).sum() };
    sum_of_squares(values)
}

/// Σ of squares.
pub(super) fn sum_of_squares(values: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let mut groups = values.chunks_exact(8);
    for group in &mut groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane += value * value;
        }
    }
    lanes.iter().sum::<f64>() + groups.remainder().iter().map(|value| value * value).sum::<f64>()
}

/// Fills a symmetric matrix anew from itself: `next(i, j, value)`.
pub(super) fn alter(matrix: &mut Array2<f64>, next: impl Fn(usize, usize, f64) -> f64) {
    for (i, mut row) in matrix.outer_iter_mut().enumerate() {
        for (j, place) in row.iter_mut().enumerate() {
            *place = next(i, j, *place);
        }
    }
}

/// Makes exactly symmetric what is so but for rounding: the mean with its transpose.
pub(super) fn symmetric(matrix: &Array2<f64>) -> Array2<f64> {
    let mut out = matrix + &matrix.t();
    out *= 0.5;
    out
}
