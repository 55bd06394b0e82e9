//! Denoising and detoning: what random matrices say of eigenvalues (López de Prado 2020).

use super::{EstimateError, sample};
use crate::clustering::correlations;
use crate::linalg::{Eigen, eigen, product};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The eigenvalues of the sample's correlations that noise would have are replaced by their mean, then the diagonal is made 1
/// again; the sample's variances stay. Noise ends at σ²(1 + √(N/T))², with σ² such that the density of Marchenko and Pastur is
/// nearest to that of the eigenvalues (Gaussian kernel), as skfolio has it. For more assets than rows as well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Denoised {
    /// Width of the kernel; .01.
    pub bandwidth: f64,
    /// What is taken off the number of rows in the variances; 1.
    pub ddof: usize,
}

impl Default for Denoised {
    fn default() -> Self {
        Self { bandwidth: 0.01, ddof: 1 }
    }
}

/// The sample's correlations without their largest components, which belong to the whole market; the diagonal is made 1 again,
/// the sample's variances stay. The result is singular: use it to form clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detoned {
    /// So many components go; 1.
    pub markets: usize,
    /// What is taken off the number of rows in the variances; 1.
    pub ddof: usize,
}

impl Default for Detoned {
    fn default() -> Self {
        Self { markets: 1, ddof: 1 }
    }
}

/// Points at which two densities are compared.
const POINTS: u32 = 1000;

impl Denoised {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        if !(self.bandwidth > 0.0 && self.bandwidth.is_finite()) {
            let problem = format!("{} is no width; use a number above 0, such as 0.01", self.bandwidth);
            return Err(EstimateError::new("bandwidth", problem));
        }
        let (covariance, Eigen { mut values, vectors }) = decomposed(returns, self.ddof)?;
        let ratio = returns.nrows() as f64 / returns.ncols() as f64;
        let variance = noise(values.as_slice().unwrap_or_default(), ratio, self.bandwidth);
        let end = variance * (1.0 + ratio.recip().sqrt()).powi(2);
        let noisy = values.iter().filter(|value| **value < end).count();
        let mean = values.iter().take(noisy).sum::<f64>() / noisy.max(1) as f64;
        values.iter_mut().take(noisy).for_each(|value| *value = mean);
        let scaled = &vectors * &values;
        rescaled(&product(scaled.view(), vectors.t()), &covariance)
    }
}

impl Detoned {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        if self.markets >= returns.ncols() {
            let problem =
                format!("{} of {} components leave nothing; take fewer", self.markets, returns.ncols());
            return Err(EstimateError::new("markets", problem));
        }
        let (covariance, Eigen { mut values, vectors }) = decomposed(returns, self.ddof)?;
        values.iter_mut().rev().take(self.markets).for_each(|value| *value = 0.0);
        let scaled = &vectors * &values;
        rescaled(&product(scaled.view(), vectors.t()), &covariance)
    }
}

/// The sample's covariance, and its correlations in components.
fn decomposed(returns: ArrayView2<'_, f64>, ddof: usize) -> Result<(Array2<f64>, Eigen), EstimateError> {
    let covariance = sample::Sample { ddof }.estimate(returns)?;
    if let Some(asset) = covariance.diag().iter().position(|variance| !variance.is_normal()) {
        return Err(EstimateError::new("returns", format!("asset {asset} does not move; leave it out")));
    }
    let refused =
        || EstimateError::new("returns", "their correlations have no eigenvalues; look for huge values");
    let eigen = eigen(correlations(covariance.view()).view()).ok_or_else(refused)?;
    Ok((covariance, eigen))
}

/// A matrix with the diagonal of another.
fn rescaled(matrix: &Array2<f64>, like: &Array2<f64>) -> Result<Array2<f64>, EstimateError> {
    if let Some(asset) = matrix.diag().iter().position(|value| *value < 1e-12) {
        let problem = format!("nothing of asset {asset} is left; take fewer components away");
        return Err(EstimateError::new("markets", problem));
    }
    let scale = (&like.diag() / &matrix.diag()).mapv(f64::sqrt);
    let column = scale.view().insert_axis(Axis(1));
    let mut out = sample::symmetric(&(matrix * &column * &scale));
    out.diag_mut().assign(&like.diag());
    Ok(out)
}

/// σ² of the noise within 0 and 1: the minimum of the squared differences of both densities over the support of Marchenko's and
/// Pastur's, on a grid and then around its best point.
fn noise(values: &[f64], ratio: f64, bandwidth: f64) -> f64 {
    /// Where the search may go, and its step.
    const LIMITS: (f64, f64) = (1e-5, 1.0 - 1e-5);
    const STEP: f64 = 0.01;
    let off = |variance: f64| difference(values, ratio, bandwidth, variance);
    let grid = (1..=100).map(|point| (f64::from(point) * STEP).min(LIMITS.1));
    let best =
        grid.map(|variance| (variance, off(variance))).min_by(|left, right| left.1.total_cmp(&right.1));
    let at = best.map_or(LIMITS.1, |best| best.0);
    // The golden section of what lies around.
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = ((at - STEP).max(LIMITS.0), (at + STEP).min(LIMITS.1));
    let mut inner = (high - golden * (high - low), low + golden * (high - low));
    let mut found = (off(inner.0), off(inner.1));
    while high - low > 1e-9 {
        if found.0 < found.1 {
            high = inner.1;
            inner = (high - golden * (high - low), inner.0);
            found = (off(inner.0), found.0);
        } else {
            low = inner.0;
            inner = (inner.1, low + golden * (high - low));
            found = (found.1, off(inner.1));
        }
    }
    0.5 * (low + high)
}

fn difference(values: &[f64], ratio: f64, bandwidth: f64, variance: f64) -> f64 {
    let root = ratio.recip().sqrt();
    let (low, high) = (variance * (1.0 - root).powi(2), variance * (1.0 + root).powi(2));
    let scale = 1.0 / (values.len() as f64 * bandwidth * (2.0 * PI).sqrt());
    let mut sum = 0.0;
    for point in 0..POINTS {
        let x = low + (high - low) * f64::from(point) / f64::from(POINTS - 1);
        let inside = (high - x) * (x - low);
        let law = if inside > 0.0 { ratio / (2.0 * PI * variance * x) * inside.sqrt() } else { 0.0 };
        let kernel = |value: &f64| (-0.5 * ((x - value) / bandwidth).powi(2)).exp();
        let seen = scale * values.iter().map(kernel).sum::<f64>();
        sum += (seen - law).powi(2);
    }
    sum
}
