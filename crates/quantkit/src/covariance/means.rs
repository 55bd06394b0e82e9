//! Expected returns.

use super::{Decay, EstimateError, ewma, sample};
use crate::linalg::eigen;
use ndarray::{Array1, ArrayView2, Axis};

/// The sample's means, shape (A), per period.
///
/// # Errors
/// [`EstimateError`] for returns that are none.
pub fn arithmetic(returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, EstimateError> {
    super::check(returns)?;
    Ok(sample::means(returns))
}

/// (∏ (1 + r))^(P/T) − 1, shape (A): what simple returns compounded to, a year of P periods.
///
/// # Errors
/// [`EstimateError`] for returns that are none, or one below −1.
pub fn compounded(returns: ArrayView2<'_, f64>, periods_per_year: f64) -> Result<Array1<f64>, EstimateError> {
    super::check(returns)?;
    let exponent = periods_per_year / returns.nrows() as f64;
    if let Some(value) = returns.iter().find(|value| **value < -1.0) {
        let problem = format!("{value} loses more than all there is; give simple returns");
        return Err(EstimateError::new("returns", problem));
    }
    let growth =
        |column: ndarray::ArrayView1<'_, f64>| column.iter().map(|value| 1.0 + value).product::<f64>();
    Ok(returns.map_axis(Axis(0), |column| growth(column).powf(exponent) - 1.0))
}

/// (1 + m)^P − 1, shape (A), m the exponentially weighted mean of simple returns: PyPortfolioOpt's.
///
/// # Errors
/// [`EstimateError`] for returns that are none, or a decay that is none.
pub fn weighted_compounded(
    returns: ArrayView2<'_, f64>,
    decay: Decay,
    periods_per_year: f64,
) -> Result<Array1<f64>, EstimateError> {
    super::check(returns)?;
    let weights = ewma::weights(decay.factor()?, returns.nrows());
    Ok(weights.dot(&returns).mapv(|mean| (1.0 + mean).powf(periods_per_year) - 1.0))
}

/// Means pulled to their own mean m̄ (James and Stein 1961): the part of m̄ is (tr Σ − 2 λ₁)/(T Σ(mᵢ − m̄)²), with λ₁ the largest
/// eigenvalue of Σ, the sample's covariance (T − 1). Not kept within 0 and 1, as in skfolio. Gives the part as well.
///
/// # Errors
/// [`EstimateError`] for returns that are none.
pub fn james_stein(returns: ArrayView2<'_, f64>) -> Result<(Array1<f64>, f64), EstimateError> {
    let means = arithmetic(returns)?;
    let covariance = sample::Sample::default().estimate(returns)?;
    let middle = means.sum() / means.len() as f64;
    let squares: f64 = means.iter().map(|mean| (mean - middle).powi(2)).sum();
    let refused =
        || EstimateError::new("returns", "their covariance has no eigenvalues; look for huge values");
    let largest =
        eigen(covariance.view()).and_then(|eigen| eigen.values.last().copied()).ok_or_else(refused)?;
    let part = (covariance.diag().sum() - 2.0 * largest) / squares / returns.nrows() as f64;
    if !part.is_finite() {
        return Ok((means, 0.0));
    }
    Ok((means.mapv(|mean| (1.0 - part) * mean + part * middle), part))
}
