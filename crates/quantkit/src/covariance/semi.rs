//! Semi-covariance.

use super::EstimateError;
use crate::linalg::gram;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// Σ min(rᵢ − B, 0) min(rⱼ − B, 0) / T: of returns below a level, about that level (Estrada 2007).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Semi {
    /// B, per period; 0. PyPortfolioOpt's default is .000079 for days, a rate of 2 % a year.
    pub benchmark: f64,
}

impl Semi {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        if !self.benchmark.is_finite() {
            return Err(EstimateError::new("benchmark", format!("{} is no return", self.benchmark)));
        }
        let below = returns.mapv(|value| (value - self.benchmark).min(0.0));
        let mut out = gram(below.view());
        out /= returns.nrows() as f64;
        Ok(out)
    }
}
