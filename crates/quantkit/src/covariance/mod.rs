//! Covariances and means of returns, by name and parameters.
//!
//! Returns have shape (T, A), oldest row first. Everything is per period: multiply by the periods of a year to annualise.

mod ewma;
mod factor_model;
mod gerber;
mod ledoit_wolf;
pub mod means;
mod missing;
pub mod nearest;
mod nonlinear;
mod online;
mod sample;
mod semi;
mod shrinkage;
mod spectral;

pub use ewma::{Centre, Decay, Ewma};
pub use factor_model::{FactorModel, PrincipalComponents};
pub use gerber::{Gerber, GerberStatistic};
pub use ledoit_wolf::{LedoitWolf, Target, Variant};
pub use missing::{Missing, complete_rows, pairwise};
pub use nonlinear::Nonlinear;
pub use online::{Online, Window};
pub use sample::Sample;
pub use semi::Semi;
pub use shrinkage::{Fixed, Oas};
pub use spectral::{Denoised, Detoned};

use crate::allocators::AllocationError;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// An estimator of the covariance of returns, with its parameters. In configuration: `{name = "ledoit_wolf", …}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Covariance {
    /// The sample's.
    Sample(Sample),
    /// Younger rows weigh more.
    Ewma(Ewma),
    /// Linear shrinkage by Ledoit and Wolf.
    LedoitWolf(LedoitWolf),
    /// Oracle approximating shrinkage.
    Oas(Oas),
    /// Linear shrinkage by a given part.
    Fixed(Fixed),
    /// Nonlinear shrinkage by Ledoit and Wolf.
    Nonlinear(Nonlinear),
    /// The eigenvalues of noise made equal.
    Denoised(Denoised),
    /// Without the market's component.
    Detoned(Detoned),
    /// Counts of large moves together and apart.
    Gerber(Gerber),
    /// Of returns below a level.
    Semi(Semi),
    /// Principal components and what they leave.
    PrincipalComponents(PrincipalComponents),
}

impl Default for Covariance {
    /// The sample's, T − 1 in the denominator.
    fn default() -> Self {
        Self::Sample(Sample::default())
    }
}

impl Covariance {
    /// The covariance, shape (A, A), exactly symmetric, of returns of shape (T, A), all finite: see [`Missing`] for others.
    ///
    /// # Errors
    /// [`EstimateError`] for too few rows, a return that is not finite, or a parameter out of its range.
    pub fn estimate(&self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        check(returns)?;
        match self {
            Self::Sample(one) => one.estimate(returns),
            Self::Ewma(one) => one.estimate(returns),
            Self::LedoitWolf(one) => one.estimate(returns).map(|(covariance, _)| covariance),
            Self::Oas(one) => one.estimate(returns).map(|(covariance, _)| covariance),
            Self::Fixed(one) => one.estimate(returns),
            Self::Nonlinear(one) => one.estimate(returns),
            Self::Denoised(one) => one.estimate(returns),
            Self::Detoned(one) => one.estimate(returns),
            Self::Gerber(one) => one.estimate(returns),
            Self::Semi(one) => one.estimate(returns),
            Self::PrincipalComponents(one) => one.estimate(returns).map(|model| model.dense()),
        }
    }

    /// The same where returns may be missing (NaN).
    ///
    /// # Errors
    /// As [`Covariance::estimate`]; pairs for an estimator other than the sample's.
    pub fn estimate_with(
        &self,
        returns: ArrayView2<'_, f64>,
        missing: Missing,
    ) -> Result<Array2<f64>, EstimateError> {
        match (missing, self) {
            (Missing::Refuse, _) => self.estimate(returns),
            (Missing::CompleteRows, _) => self.estimate(complete_rows(returns).view()),
            (Missing::Pairwise, Self::Sample(sample)) => {
                pairwise(returns, sample.ddof).map(|(covariance, _)| covariance)
            }
            (Missing::Pairwise, _) => Err(EstimateError::new(
                "missing",
                "\"pairwise\" fits the sample's covariance alone; use \"complete_rows\" with the others",
            )),
        }
    }
}

/// Why there is no estimate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct EstimateError {
    /// Which argument or parameter.
    pub field: &'static str,
    /// Its value, what is wrong and the remedy.
    pub problem: String,
}

impl EstimateError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

impl From<EstimateError> for AllocationError {
    fn from(error: EstimateError) -> Self {
        Self::input(error.field, error.problem)
    }
}

/// Whether there are returns at all, and all of them numbers.
fn check(returns: ArrayView2<'_, f64>) -> Result<(), EstimateError> {
    let (rows, assets) = returns.dim();
    if rows < 2 || assets == 0 {
        let problem = format!("{rows} rows of {assets} assets; give at least two rows");
        return Err(EstimateError::new("returns", problem));
    }
    for (row, values) in returns.outer_iter().enumerate() {
        if let Some((asset, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            let problem = format!(
                "the return of asset {asset} in row {row} is {value}; leave rows out that lack one, or say how (missing)"
            );
            return Err(EstimateError::new("returns", problem));
        }
    }
    Ok(())
}
