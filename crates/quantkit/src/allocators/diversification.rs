//! The most diversified portfolio and the least correlated one.

use super::constraints::Constraints;
use super::mean_variance::Markowitz;
use super::{Allocation, AllocationError};
use ndarray::{Array1, Array2, ArrayView2};

fn deviations(covariance: ArrayView2<'_, f64>) -> Result<Array1<f64>, AllocationError> {
    let deviations: Array1<f64> = covariance.diag().mapv(f64::sqrt);
    match deviations.iter().position(|deviation| !deviation.is_normal()) {
        Some(asset) => {
            let problem = format!("asset {asset} does not move; leave it out");
            Err(AllocationError::input("covariance", problem))
        }
        None => Ok(deviations),
    }
}

/// The largest ratio of the mean of the volatilities, weighted, to the volatility of the whole (Choueifaty and Coignard 2008). It looks at
/// no expected returns. The certificate's objective is that ratio.
///
/// # Errors
/// [`AllocationError`]: an asset without variance, constraints in conflict.
pub fn maximum_diversification(
    covariance: ArrayView2<'_, f64>,
    constraints: &Constraints,
) -> Result<Allocation, AllocationError> {
    let deviations = deviations(covariance)?;
    Markowitz::new(covariance, constraints).largest_ratio(&deviations, 0.0)
}

/// The least variance on the correlations instead of the covariance (Christoffersen, Errunza, Jacobs and Jin 2010). The certificate's
/// objective is wᵀCw.
///
/// # Errors
/// As [`maximum_diversification`].
pub fn maximum_decorrelation(
    covariance: ArrayView2<'_, f64>,
    constraints: &Constraints,
) -> Result<Allocation, AllocationError> {
    let inverse = deviations(covariance)?.mapv(f64::recip);
    let mut correlations: Array2<f64> = &covariance * &inverse;
    for (mut row, inverse) in correlations.outer_iter_mut().zip(&inverse) {
        row *= *inverse;
    }
    correlations.diag_mut().fill(1.0);
    Markowitz::new(correlations.view(), constraints).minimum_variance()
}
