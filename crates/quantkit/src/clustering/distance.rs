//! Distances of assets, from their correlations.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// Which distance two assets have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistanceRule {
    /// d = √((1 − ρ)/2), as PyPortfolioOpt, skfolio and Riskfolio use it.
    #[default]
    Correlation,
    /// The Euclidean distance of the columns of the matrix of d: what SciPy makes of the square matrix that the code of López
    /// de Prado (2016) passes, and mlfinlab with it.
    EuclideanOfColumns,
}

/// The correlations of a covariance, shape (N, N); the diagonal is 1, the rest lies within −1 and 1. A variance of 0 gives NaN.
#[must_use]
pub fn correlations(covariance: ArrayView2<'_, f64>) -> Array2<f64> {
    let inverse: Vec<f64> = covariance.diag().iter().map(|variance| 1.0 / variance.sqrt()).collect();
    let mut out = covariance.as_standard_layout().into_owned();
    for ((i, mut row), own) in out.outer_iter_mut().enumerate().zip(&inverse) {
        for (place, other) in row.iter_mut().zip(&inverse) {
            *place = (*place * own * other).clamp(-1.0, 1.0);
        }
        if let Some(place) = row.get_mut(i) {
            *place = if own.is_finite() { 1.0 } else { f64::NAN };
        }
    }
    out
}

/// The distances of assets with this covariance, shape (N, N), 0 on the diagonal.
#[must_use]
pub fn distances(covariance: ArrayView2<'_, f64>, rule: DistanceRule) -> Array2<f64> {
    let inverse: Vec<f64> = covariance.diag().iter().map(|variance| 1.0 / variance.sqrt()).collect();
    let mut out = covariance.as_standard_layout().into_owned();
    for ((i, mut row), own) in out.outer_iter_mut().enumerate().zip(&inverse) {
        let half = 0.5 * own;
        for (place, other) in row.iter_mut().zip(&inverse) {
            // Not `max`, which would hide a NaN.
            let squared = 0.5 - *place * (half * other);
            *place = if squared < 0.0 { 0.0 } else { squared.sqrt() };
        }
        if let Some(place) = row.get_mut(i) {
            *place = 0.0;
        }
    }
    match rule {
        DistanceRule::Correlation => out,
        DistanceRule::EuclideanOfColumns => of_columns(&out),
    }
}

/// Differences are formed before they are squared: near assets have near columns.
fn of_columns(near: &Array2<f64>) -> Array2<f64> {
    let mut out = Array2::zeros(near.raw_dim());
    for (i, left) in near.outer_iter().enumerate() {
        for (j, right) in near.outer_iter().enumerate().take(i) {
            let squares = left.iter().zip(right).map(|(left, right)| (left - right) * (left - right));
            let distance = squares.sum::<f64>().sqrt();
            for place in [(i, j), (j, i)] {
                if let Some(place) = out.get_mut(place) {
                    *place = distance;
                }
            }
        }
    }
    out
}

/// The part above the diagonal, row by row, n(n − 1)/2 numbers.
#[must_use]
pub fn condensed(square: ArrayView2<'_, f64>) -> Vec<f64> {
    let rows = square.outer_iter().enumerate();
    rows.flat_map(|(i, row)| row.into_iter().skip(i + 1).copied().collect::<Vec<_>>()).collect()
}

/// The symmetric matrix of a condensed form; `None` where so many numbers are not those of all pairs.
#[must_use]
pub fn square(condensed: &[f64]) -> Option<Array2<f64>> {
    let count = (1..).find(|count: &usize| count * (count - 1) / 2 >= condensed.len())?;
    if count * (count - 1) / 2 != condensed.len() {
        return None;
    }
    let mut out = Array2::zeros((count, count));
    let mut values = condensed.iter();
    for i in 0..count {
        for j in i + 1..count {
            let value = *values.next()?;
            *out.get_mut((i, j))? = value;
            *out.get_mut((j, i))? = value;
        }
    }
    Some(out)
}
