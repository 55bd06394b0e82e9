//! Equal weights.

use super::{Allocation, AllocationError, exact};
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

/// 1/A of each. What others are to be measured against (DeMiguel, Garlappi and Uppal 2009).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uniform {}

impl Uniform {
    /// Registry name.
    pub const NAME: &'static str = "equal_weight";

    /// Weights of so many assets.
    ///
    /// # Errors
    /// [`AllocationError`] for none.
    pub fn of(self, assets: usize) -> Result<Allocation, AllocationError> {
        if assets == 0 {
            return Err(AllocationError::input("returns", "they are of no assets; give at least one"));
        }
        let mut weights = Array1::from_elem(assets, 1.0 / assets as f64);
        exact::to_one(&mut weights);
        Ok(exact::closed_form(weights, 0.0))
    }

    /// Weights for a covariance, of which only the shape matters.
    ///
    /// # Errors
    /// As [`Uniform::of`].
    pub fn solve(self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        self.of(covariance.ncols())
    }
}

impl Allocator for Uniform {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        Ok(self.of(returns.ncols()).map_err(|error| error.of(Self::NAME))?.weights)
    }
}
