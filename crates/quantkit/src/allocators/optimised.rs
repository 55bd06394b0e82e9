//! The optimisers as allocators: moments are estimated from the returns that they are given.

use super::constraints::Constraints;
use super::diversification::{maximum_decorrelation, maximum_diversification};
use super::mean_variance::Markowitz;
use super::tail_risk::minimum_cvar;
use super::{Allocation, AllocationError};
use crate::covariance::{Covariance, means};
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, ArrayView2};
use serde::Deserialize;

/// What an allocator that needs a covariance and obeys constraints makes of them.
macro_rules! of_covariance {
    ($(#[$doc:meta])* $name:ident, $text:literal, $solve:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// How the covariance is estimated.
            pub covariance: Covariance,
            /// What the weights must satisfy.
            pub constraints: Constraints,
        }

        impl $name {
            /// Registry name.
            pub const NAME: &'static str = $text;

            /// Weights for a covariance, shape (A, A).
            ///
            /// # Errors
            /// [`AllocationError`]: no such input, constraints in conflict.
            pub fn solve(&self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
                let solve: fn(ArrayView2<'_, f64>, &Constraints) -> Result<Allocation, AllocationError> = $solve;
                solve(covariance, &self.constraints)
            }
        }

        impl Allocator for $name {
            fn name(&self) -> &str {
                Self::NAME
            }

            fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
                let covariance = self.covariance.estimate(returns).map_err(AllocationError::from);
                let solved = covariance.and_then(|covariance| self.solve(covariance.view()));
                Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
            }
        }
    };
}

of_covariance!(
    /// The least variance; see [`Markowitz::minimum_variance`].
    MinimumVariance,
    "min_variance",
    |covariance, constraints| Markowitz::new(covariance, constraints).minimum_variance()
);

of_covariance!(
    /// The most diversified portfolio; see [`maximum_diversification`].
    MaximumDiversification,
    "max_diversification",
    maximum_diversification
);

of_covariance!(
    /// The least correlated portfolio; see [`maximum_decorrelation`].
    MaximumDecorrelation,
    "max_decorrelation",
    maximum_decorrelation
);

/// The largest ratio of Sharpe of the sample: arithmetic means stand for what is expected. A picture of the past; means are the
/// least certain of all moments (Merton 1980).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaximumSharpe {
    /// How the covariance is estimated.
    pub covariance: Covariance,
    /// What the weights must satisfy.
    pub constraints: Constraints,
    /// Risk-free rate of one period.
    pub rate: f64,
}

impl MaximumSharpe {
    /// Registry name.
    pub const NAME: &'static str = "max_sharpe";

    /// Weights for returns, shape (T, A).
    ///
    /// # Errors
    /// [`AllocationError`]: no such input, constraints in conflict, nothing earns more than the rate.
    pub fn solve(&self, returns: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        let covariance = self.covariance.estimate(returns)?;
        let expected = means::arithmetic(returns)?;
        Markowitz::new(covariance.view(), &self.constraints).maximum_sharpe(expected.view(), self.rate)
    }
}

impl Allocator for MaximumSharpe {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        Ok(self.solve(returns).map_err(|error| error.of(Self::NAME))?.weights)
    }
}

/// The least conditional value at risk; see [`minimum_cvar()`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinimumCvar {
    /// The part of the periods that is no tail.
    pub level: f64,
}

impl Default for MinimumCvar {
    fn default() -> Self {
        Self { level: 0.95 }
    }
}

impl MinimumCvar {
    /// Registry name.
    pub const NAME: &'static str = "min_cvar";
}

impl Allocator for MinimumCvar {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        Ok(minimum_cvar(returns, self.level).map_err(|error| error.of(Self::NAME))?.weights)
    }
}
