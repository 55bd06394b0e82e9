//! Weights in inverse proportion to risk.

use super::{Allocation, AllocationError, exact};
use crate::covariance::Covariance;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

/// What weights are in inverse proportion to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverse {
    /// σ²: the smallest variance that assets without correlation can have.
    #[default]
    Variance,
    /// σ: equal parts of the risk where all correlations are the same.
    Volatility,
}

/// wᵢ ∝ 1/σᵢ² or 1/σᵢ. Correlations do not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InverseVariance {
    /// How the variances are estimated.
    pub covariance: Covariance,
    /// σ² or σ.
    pub inverse: Inverse,
}

impl InverseVariance {
    /// Registry name.
    pub const NAME: &'static str = "inverse_variance";

    /// Weights for a covariance, shape (A, A).
    ///
    /// # Errors
    /// [`AllocationError`] for a variance that is not above 0.
    pub fn solve(&self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        let variances = exact::variances(covariance)?;
        let mut weights = variances.mapv(|variance| match self.inverse {
            Inverse::Variance => variance.recip(),
            Inverse::Volatility => variance.sqrt().recip(),
        });
        exact::to_one(&mut weights);
        let variance = weights.dot(&covariance.dot(&weights));
        Ok(exact::closed_form(weights, variance))
    }
}

impl Allocator for InverseVariance {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let covariance = self.covariance.estimate(returns).map_err(AllocationError::from);
        let solved = covariance.and_then(|covariance| self.solve(covariance.view()));
        Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
    }
}
