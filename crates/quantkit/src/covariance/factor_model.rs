//! A factor model: few components that all share, and what is each asset's own.

use super::{EstimateError, sample};
use crate::linalg::{Eigen, eigen, product};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Σ = B F Bᵀ + D.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorModel {
    /// B, shape (A, K): how much of each factor an asset takes.
    pub loadings: Array2<f64>,
    /// F, shape (K, K): the factors' covariance.
    pub factors: Array2<f64>,
    /// The diagonal of D, shape (A): variance that is an asset's own, not negative.
    pub specific: Array1<f64>,
}

impl FactorModel {
    /// Σ itself, shape (A, A).
    #[must_use]
    pub fn dense(&self) -> Array2<f64> {
        let left = product(self.loadings.view(), self.factors.view());
        let mut out = sample::symmetric(&product(left.view(), self.loadings.t()));
        for (place, own) in out.diag_mut().iter_mut().zip(&self.specific) {
            *place += own;
        }
        out
    }

    /// wᵀ Σ w without Σ: O(A K).
    #[must_use]
    pub fn variance(&self, weights: ArrayView1<'_, f64>) -> f64 {
        let exposure = weights.dot(&self.loadings);
        let own: f64 = weights.iter().zip(&self.specific).map(|(weight, own)| weight * weight * own).sum();
        exposure.dot(&self.factors.dot(&exposure)) + own
    }
}

/// A factor model whose factors are the largest principal components of the sample's covariance. The variances of the assets are
/// the sample's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalComponents {
    /// K, from 1 to the number of assets.
    pub factors: usize,
    /// What is taken off the number of rows; 1.
    #[serde(default = "one")]
    pub ddof: usize,
}

const fn one() -> usize {
    1
}

impl PrincipalComponents {
    /// The model.
    ///
    /// # Errors
    /// [`EstimateError`] for returns that are none, or no such number of factors.
    pub fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<FactorModel, EstimateError> {
        super::check(returns)?;
        let assets = returns.ncols();
        if self.factors == 0 || self.factors > assets {
            let problem = format!("{} of {assets} assets; use 1 to {assets}", self.factors);
            return Err(EstimateError::new("factors", problem));
        }
        let covariance = sample::Sample { ddof: self.ddof }.estimate(returns)?;
        let refused =
            || EstimateError::new("returns", "their covariance has no eigenvalues; look for huge values");
        let Eigen { values, vectors } = eigen(covariance.view()).ok_or_else(refused)?;
        let first = assets - self.factors;
        let loadings = vectors.slice_axis(Axis(1), (first..).into()).to_owned();
        let kept: Array1<f64> = values.iter().skip(first).map(|value| value.max(0.0)).collect();
        let explained =
            loadings.outer_iter().map(|row| row.iter().zip(&kept).map(|(b, value)| b * b * value).sum());
        let explained: Vec<f64> = explained.collect();
        let own = covariance.diag().iter().zip(explained).map(|(all, part)| (all - part).max(0.0)).collect();
        Ok(FactorModel { loadings, factors: Array2::from_diag(&kept), specific: own })
    }
}
