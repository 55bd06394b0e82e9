//! Weights from returns or from their moments.
//!
//! Each allocator has two faces: `solve`, from a covariance (and what else it needs) to an [`Allocation`] with its certificate,
//! and foundation's `Allocator`, from returns of shape (T, A) to weights, with an estimator as parameter.

pub mod black_litterman;
mod conic;
pub mod constraints;
pub mod diversification;
mod exact;
pub mod hierarchical;
pub mod inverse_variance;
pub mod mean_variance;
pub mod nested_clusters;
pub mod optimised;
pub mod quadratic;
mod registry;
pub mod risk_budget;
pub mod risk_parity;
pub mod tail_risk;
pub mod uniform;

pub use hierarchical::{HierarchicalEqualRiskContribution, HierarchicalRiskParity};
pub use inverse_variance::InverseVariance;
pub use nested_clusters::NestedClusters;
pub use optimised::{
    MaximumDecorrelation, MaximumDiversification, MaximumSharpe, MinimumCvar, MinimumVariance,
};
pub use registry::builtin;
pub use risk_budget::RiskBudgeting;
pub use risk_parity::RiskParity;
pub use uniform::Uniform;

use crate::linalg::gram;
use mts_foundation::sizing::ComputeError;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::Serialize;

/// Weights, and the proof that they are the ones that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Shape (A), in the order of the input.
    pub weights: Array1<f64>,
    /// How far they are from what defines them.
    pub certificate: Certificate,
}

/// How far an answer is from what defines it, computed from the answer alone after the solver has ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Certificate {
    /// What `residual` measures.
    pub measure: Measure,
    /// Largest violation, scaled so that 1 is as wrong as can be; 0 for formulas without a solver.
    pub residual: f64,
    /// Value of what was minimised (variance, conditional value at risk, …) at the weights, per period; 0 where nothing was.
    pub objective: f64,
    /// Steps of the solver.
    pub iterations: u32,
}

/// What a certificate measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A formula: there is nothing to solve.
    ClosedForm,
    /// Violation of the conditions of Karush, Kuhn and Tucker: stationarity, feasibility, complementarity.
    KarushKuhnTucker,
    /// Largest difference of a part of the risk from its budget.
    RiskContribution,
    /// Difference of the objectives of a linear or conic program and its dual, as a part of them.
    DualityGap,
}

/// Why there are no weights.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AllocationError {
    /// The input is no such problem.
    #[error("{field}: {problem}")]
    Input {
        /// Which argument or parameter.
        field: &'static str,
        /// Its value, what is wrong and the remedy.
        problem: String,
    },
    /// No weights satisfy the constraints.
    #[error("{constraint} cannot be satisfied: {problem}")]
    Infeasible {
        /// The constraint that conflicts with the others.
        constraint: String,
        /// With what it conflicts, and what to relax.
        problem: String,
    },
    /// Nothing earns more than the risk-free rate, so that no portfolio has a largest ratio.
    #[error("no asset has an expected return above the risk-free rate {rate}: minimise the variance instead")]
    NoPositiveExcessReturn {
        /// The rate, per period.
        rate: f64,
    },
    /// The solver did not get there.
    #[error("{solver} stopped after {iterations} steps with a residual of {residual:e}: {remedy}")]
    NoConvergence {
        /// Which solver.
        solver: &'static str,
        /// Steps made.
        iterations: u32,
        /// How far it was from the answer.
        residual: f64,
        /// What may help.
        remedy: &'static str,
    },
}

impl AllocationError {
    /// An error of an argument.
    #[must_use]
    pub fn input(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Input { field, problem: problem.into() }
    }

    /// As an error of the allocator `name`.
    #[must_use]
    pub fn of(self, name: &str) -> ComputeError {
        ComputeError::new(name, self.to_string())
    }
}

/// The sample's covariance (n − 1), shape (A, A), of returns of shape (T, A).
fn sample_covariance(returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, AllocationError> {
    let rows = returns.nrows();
    check_returns(returns)?;
    let mean = returns.sum_axis(Axis(0)) / rows as f64;
    Ok(gram((&returns - &mean).view()) / (rows as f64 - 1.0))
}

/// At least two rows and one asset, and every number finite.
fn check_returns(returns: ArrayView2<'_, f64>) -> Result<(), AllocationError> {
    let (rows, columns) = returns.dim();
    if rows < 2 || columns == 0 {
        let problem = format!("{rows} rows of {columns} assets; give at least two rows");
        return Err(AllocationError::input("returns", problem));
    }
    match returns.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), value)) => {
            let problem =
                format!("that of asset {column} in row {row} is {value}; leave rows out that lack one");
            Err(AllocationError::input("returns", problem))
        }
        None => Ok(()),
    }
}
