//! Linear shrinkage to the mean variance times the identity.

use super::{EstimateError, sample};
use crate::linalg::gram;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// Oracle approximating shrinkage (Chen, Wiesel, Eldar and Hero 2010), in scikit-learn's form. T in the denominator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oas {}

impl Oas {
    /// The covariance, shape (A, A), and the part of the target in it.
    ///
    /// # Errors
    /// [`EstimateError`] for returns that are none.
    pub fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<(Array2<f64>, f64), EstimateError> {
        super::check(returns)?;
        let (rows, assets) = (returns.nrows() as f64, returns.ncols() as f64);
        let mut covariance = gram(sample::centred(returns).view());
        covariance /= rows;
        let mean = covariance.diag().sum() / assets;
        let square = sample::squares(&covariance) / (assets * assets);
        let below = (rows + 1.0) * (square - mean * mean / assets);
        let part = if below > 0.0 { ((square + mean * mean) / below).min(1.0) } else { 1.0 };
        pull(&mut covariance, part, mean);
        Ok((covariance, part))
    }
}

/// Shrinkage by a part that is given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fixed {
    /// The part of the target, within 0 and 1; .1 unless said otherwise, as scikit-learn and skfolio.
    pub shrinkage: f64,
    /// What is taken off the number of rows; 0 as scikit-learn.
    pub ddof: usize,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { shrinkage: 0.1, ddof: 0 }
    }
}

impl Fixed {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        if !(0.0..=1.0).contains(&self.shrinkage) {
            let problem = format!("{} is not within 0 and 1", self.shrinkage);
            return Err(EstimateError::new("shrinkage", problem));
        }
        let mut covariance = sample::Sample { ddof: self.ddof }.estimate(returns)?;
        let mean = covariance.diag().sum() / covariance.nrows() as f64;
        pull(&mut covariance, self.shrinkage, mean);
        Ok(covariance)
    }
}

fn pull(covariance: &mut Array2<f64>, part: f64, mean: f64) {
    *covariance *= 1.0 - part;
    covariance.diag_mut().mapv_inplace(|variance| variance + part * mean);
}
