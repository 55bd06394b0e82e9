//! The nearest covariance that is positive semidefinite, its variances kept.

use super::{EstimateError, sample};
use crate::clustering::correlations;
use crate::linalg::{Eigen, eigen, product};
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};

/// How far a matrix was moved.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moved {
    /// The smallest eigenvalue of the correlations before.
    pub least_eigenvalue: f64,
    /// Frobenius norm of the difference of the correlations, as a part of that of the correlations before; 0 where nothing was done.
    pub distance: f64,
    /// The largest change of a correlation.
    pub largest: f64,
    /// Steps.
    pub iterations: u32,
}

/// Eigenvalues of the correlations below `floor` (≥ 0) are lifted to it, then the diagonal is made 1 again (Rebonato and Jäckel
/// 2000). One decomposition; not the nearest, but near.
///
/// # Errors
/// [`EstimateError`] for a variance that is not above 0, or a covariance that is not finite.
pub fn clipped(covariance: ArrayView2<'_, f64>, floor: f64) -> Result<(Array2<f64>, Moved), EstimateError> {
    let (before, deviations) = split(covariance)?;
    let Eigen { values, vectors } = decompose(&before)?;
    let least = values.first().copied().unwrap_or_default();
    if least >= floor {
        return Ok((covariance.to_owned(), Moved { least_eigenvalue: least, ..Moved::default() }));
    }
    let after = unit_diagonal(&rebuilt(&values, &vectors, floor));
    Ok(joined(
        &before,
        &after,
        &deviations,
        Moved { least_eigenvalue: least, iterations: 1, ..Moved::default() },
    ))
}

/// The nearest correlation matrix in Frobenius norm by alternating projections with Dykstra's correction (Higham 2002), until
/// no eigenvalue is below `tolerance` under 0, then [`clipped`] at 0.
///
/// # Errors
/// As [`clipped`]; also where so many steps do not suffice.
pub fn higham(
    covariance: ArrayView2<'_, f64>,
    tolerance: f64,
    steps: u32,
) -> Result<(Array2<f64>, Moved), EstimateError> {
    let (before, deviations) = split(covariance)?;
    let mut at = before.clone();
    let mut correction = Array2::<f64>::zeros(before.raw_dim());
    let mut least_before = None;
    for step in 0..steps {
        let Eigen { values, .. } = decompose(&at)?;
        let least = values.first().copied().unwrap_or_default();
        let first = *least_before.get_or_insert(least);
        if least >= -tolerance {
            if step == 0 {
                return Ok((covariance.to_owned(), Moved { least_eigenvalue: first, ..Moved::default() }));
            }
            let Eigen { values, vectors } = decompose(&at)?;
            let after = unit_diagonal(&rebuilt(&values, &vectors, 0.0));
            let moved = Moved { least_eigenvalue: first, iterations: step, ..Moved::default() };
            return Ok(joined(&before, &after, &deviations, moved));
        }
        let from = &at - &correction;
        let Eigen { values, vectors } = decompose(&from)?;
        at = rebuilt(&values, &vectors, 0.0);
        correction = &at - &from;
        at.diag_mut().fill(1.0);
    }
    let problem = format!("{steps} steps do not reach a tolerance of {tolerance:e}; allow more, or clip");
    Err(EstimateError::new("steps", problem))
}

fn split(covariance: ArrayView2<'_, f64>) -> Result<(Array2<f64>, Array1<f64>), EstimateError> {
    if let Some((asset, variance)) =
        covariance.diag().iter().enumerate().find(|(_, variance)| !(variance.is_normal() && **variance > 0.0))
    {
        let problem = format!("the variance of asset {asset} is {variance}; leave it out");
        return Err(EstimateError::new("covariance", problem));
    }
    let deviations = covariance.diag().mapv(f64::sqrt);
    // Not `correlations`, which keeps them within −1 and 1: how far they are beyond is to be seen.
    let column = deviations.view().insert_axis(Axis(1));
    let mut before = &covariance / &column / &deviations;
    before.diag_mut().fill(1.0);
    Ok((before, deviations))
}

fn decompose(matrix: &Array2<f64>) -> Result<Eigen, EstimateError> {
    let refused = || EstimateError::new("covariance", "it has no eigenvalues: an element is not finite");
    eigen(matrix.view()).ok_or_else(refused)
}

fn rebuilt(values: &Array1<f64>, vectors: &Array2<f64>, floor: f64) -> Array2<f64> {
    let scaled = vectors * &values.mapv(|value| value.max(floor));
    sample::symmetric(&product(scaled.view(), vectors.t()))
}

fn unit_diagonal(matrix: &Array2<f64>) -> Array2<f64> {
    correlations(matrix.view())
}

fn joined(
    before: &Array2<f64>,
    after: &Array2<f64>,
    deviations: &Array1<f64>,
    mut moved: Moved,
) -> (Array2<f64>, Moved) {
    let (mut squares, mut largest) = (0.0_f64, 0.0_f64);
    Zip::from(before).and(after).for_each(|before, after| {
        squares += (before - after).powi(2);
        largest = largest.max((before - after).abs());
    });
    moved.distance = (squares / sample::squares(before)).sqrt();
    moved.largest = largest;
    let column = deviations.view().insert_axis(Axis(1));
    (sample::symmetric(&(after * &column * deviations)), moved)
}
