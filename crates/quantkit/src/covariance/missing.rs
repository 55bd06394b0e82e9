//! Returns that are missing.

use super::nearest::{self, Moved};
use super::{EstimateError, sample};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// What becomes of returns that are missing (NaN).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They are refused: an error names the first.
    #[default]
    Refuse,
    /// Rows that lack one are left out.
    CompleteRows,
    /// Each pair of assets by the rows that have both, then the nearest positive semidefinite matrix.
    Pairwise,
}

/// The rows that lack nothing, shape (≤ T, A).
#[must_use]
pub fn complete_rows(returns: ArrayView2<'_, f64>) -> Array2<f64> {
    let complete =
        |(_, row): &(usize, ndarray::ArrayView1<'_, f64>)| row.iter().all(|value| value.is_finite());
    let rows: Vec<usize> = returns.outer_iter().enumerate().filter(complete).map(|(row, _)| row).collect();
    returns.select(Axis(0), &rows)
}

/// The sample's covariance of each pair by the rows that have both, about their means over these rows; then the nearest positive
/// semidefinite matrix, and how far it is from that.
///
/// # Errors
/// [`EstimateError`] where a pair has no more than `ddof` rows, or a return is infinite.
pub fn pairwise(returns: ArrayView2<'_, f64>, ddof: usize) -> Result<(Array2<f64>, Moved), EstimateError> {
    if returns.iter().any(|value| value.is_infinite()) {
        return Err(EstimateError::new("returns", "one is infinite; give NaN for a missing one"));
    }
    if returns.iter().all(|value| !value.is_nan()) {
        super::check(returns)?;
        return Ok((sample::Sample { ddof }.estimate(returns)?, Moved::default()));
    }
    let columns: Vec<Vec<f64>> = returns.columns().into_iter().map(|column| column.to_vec()).collect();
    let mut out = Array2::zeros((columns.len(), columns.len()));
    for (i, left) in columns.iter().enumerate() {
        for (j, right) in columns.iter().enumerate().take(i + 1) {
            let value = pair(left, right, ddof).ok_or_else(|| {
                let problem =
                    format!("assets {j} and {i} have too few rows in common; leave one of them out");
                EstimateError::new("returns", problem)
            })?;
            for place in [(i, j), (j, i)] {
                if let Some(place) = out.get_mut(place) {
                    *place = value;
                }
            }
        }
    }
    nearest::clipped(out.view(), 0.0)
}

fn pair(left: &[f64], right: &[f64], ddof: usize) -> Option<f64> {
    let both = || left.iter().zip(right).filter(|(left, right)| !left.is_nan() && !right.is_nan());
    let count = both().count();
    if count <= ddof.max(1) {
        return None;
    }
    let mean = |sum: f64| sum / count as f64;
    let (left, right) = (mean(both().map(|pair| pair.0).sum()), mean(both().map(|pair| pair.1).sum()));
    let sum: f64 = both().map(|pair| (pair.0 - left) * (pair.1 - right)).sum();
    Some(sum / (count - ddof) as f64)
}
