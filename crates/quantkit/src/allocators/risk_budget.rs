//! Risk budgeting: weights at which each asset contributes a given part of the volatility of the whole.

use super::{Allocation, AllocationError, Certificate, Measure, exact};
use crate::clustering::correlations;
use crate::covariance::Covariance;
use crate::linalg::Cholesky;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Sweeps before Newton's method takes over. Real covariances need a dozen.
const SWEEPS: u32 = 60;

/// Steps of Newton's method before giving up.
const STEPS: u32 = 100;

/// wᵢ (Σw)ᵢ / w′Σw = bᵢ, all weights above 0 and 1 in sum (Maillard, Roncalli and Teïletche 2010; Bruder and Roncalli 2012).
///
/// The minimum of ½x′Cx − Σ bᵢ ln xᵢ on the correlations C (Spinu 2013), by cyclical coordinate descent (Griveau-Billion,
/// Richard and Roncalli 2013), and by Newton's method where that is slow. It needs no inverse: there may be fewer rows than
/// assets, as long as no portfolio of them is without risk. An asset with a budget of 0 has the weight 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskBudgeting {
    /// How the covariance is estimated.
    pub covariance: Covariance,
    /// Parts of the risk, shape (A), none below 0; they are scaled to a sum of 1. None at all: equal ones.
    pub budgets: Vec<f64>,
    /// Largest difference of a part from its budget, as a part of the whole.
    pub tolerance: f64,
}

impl Default for RiskBudgeting {
    fn default() -> Self {
        Self { covariance: Covariance::default(), budgets: Vec::new(), tolerance: 1e-10 }
    }
}

impl RiskBudgeting {
    /// Registry name.
    pub const NAME: &'static str = "risk_budgeting";

    /// With these budgets.
    #[must_use]
    pub fn with_budgets(budgets: impl Into<Vec<f64>>) -> Self {
        Self { budgets: budgets.into(), ..Self::default() }
    }

    /// Weights for a covariance, shape (A, A), 1 in sum within one unit of the last place. The certificate's residual is the
    /// largest difference of a part of the risk from its budget.
    ///
    /// # Errors
    /// [`AllocationError`] for a variance that is not above 0, budgets that are none, or assets that together carry no risk, which
    /// have no such weights.
    pub fn solve(&self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        self.solve_from(covariance, None)
    }

    /// The same from weights of the day before, shape (A), which saves sweeps. The answer is the same within the tolerance.
    ///
    /// # Errors
    /// As [`RiskBudgeting::solve`]; a start of another length.
    pub fn solve_from(
        &self,
        covariance: ArrayView2<'_, f64>,
        start: Option<ArrayView1<'_, f64>>,
    ) -> Result<Allocation, AllocationError> {
        let variances = exact::variances(covariance)?;
        let budgets = self.parts(variances.len())?;
        if let Some(start) = start.filter(|start| start.len() != variances.len()) {
            let problem = format!("{} weights for {} assets", start.len(), variances.len());
            return Err(AllocationError::input("start", problem));
        }
        let held: Vec<usize> =
            (0..).zip(&budgets).filter(|(_, part)| **part > 0.0).map(|(asset, _)| asset).collect();
        let chosen;
        let covariance_of_held = if held.len() == variances.len() {
            covariance
        } else {
            chosen = covariance.select(Axis(0), &held).select(Axis(1), &held);
            chosen.view()
        };
        let deviations = variances.select(Axis(0), &held).mapv(f64::sqrt);
        let parts = budgets.select(Axis(0), &held);
        let problem = Problem { correlations: correlations(covariance_of_held), parts };
        let start = start.map(|start| &start.select(Axis(0), &held) * &deviations);
        let (x, iterations) = problem.solve(start, self.tolerance)?;
        let mut weights = Array1::zeros(variances.len());
        for (asset, weight) in held.iter().zip(&(x / &deviations)) {
            if let Some(place) = weights.get_mut(*asset) {
                *place = *weight;
            }
        }
        exact::to_one(&mut weights);
        let marginal = covariance.dot(&weights);
        let objective = weights.dot(&marginal);
        let residual = largest_difference(&(&weights * &marginal / objective), &budgets);
        let certificate = Certificate { measure: Measure::RiskContribution, residual, objective, iterations };
        Ok(Allocation { weights, certificate })
    }

    /// Budgets, 1 in sum.
    fn parts(&self, assets: usize) -> Result<Array1<f64>, AllocationError> {
        if self.budgets.is_empty() {
            return Ok(Array1::from_elem(assets, 1.0 / assets as f64));
        }
        if self.budgets.len() != assets {
            let problem = format!("{} of them for {assets} assets; give one for each", self.budgets.len());
            return Err(AllocationError::input("budgets", problem));
        }
        if let Some((asset, part)) =
            self.budgets.iter().enumerate().find(|(_, part)| !(part.is_finite() && **part >= 0.0))
        {
            let problem = format!("asset {asset} has {part}; use 0 or more");
            return Err(AllocationError::input("budgets", problem));
        }
        let total: f64 = self.budgets.iter().sum();
        if !total.is_normal() {
            return Err(AllocationError::input("budgets", "all are 0; give one asset some"));
        }
        Ok(self.budgets.iter().map(|part| part / total).collect())
    }
}

fn largest_difference(left: &Array1<f64>, right: &Array1<f64>) -> f64 {
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
}

/// x with xᵢ (Cx)ᵢ = bᵢ, all b above 0 and 1 in sum.
struct Problem {
    correlations: Array2<f64>,
    parts: Array1<f64>,
}

impl Problem {
    fn solve(
        &self,
        start: Option<Array1<f64>>,
        tolerance: f64,
    ) -> Result<(Array1<f64>, u32), AllocationError> {
        let usable = |start: &Array1<f64>| start.iter().all(|value| value.is_normal() && *value > 0.0);
        let mut x = start.filter(usable).unwrap_or_else(|| self.parts.mapv(f64::sqrt));
        let scale = x.dot(&self.correlations.dot(&x)).sqrt();
        if scale.is_normal() {
            x /= scale;
        }
        for sweep in 1..=SWEEPS {
            // What a sweep finds on its way is no less than what it leaves, so that no product is spent on asking.
            if self.sweep(&mut x) < tolerance && self.off(&x) < tolerance {
                return Ok((x, sweep));
            }
        }
        self.newton(x, tolerance)
    }

    /// Largest difference of a part from its budget.
    fn off(&self, x: &Array1<f64>) -> f64 {
        let parts = x * &self.correlations.dot(x);
        let total = parts.sum();
        if total.is_normal() { largest_difference(&(parts / total), &self.parts) } else { f64::INFINITY }
    }

    /// Each coordinate to its minimum; the largest difference met before.
    fn sweep(&self, x: &mut Array1<f64>) -> f64 {
        let mut met = 0.0_f64;
        for (asset, (row, part)) in self.correlations.outer_iter().zip(&self.parts).enumerate() {
            let all = row.dot(x);
            let Some(place) = x.get_mut(asset) else { continue };
            met = met.max((*place * all - part).abs());
            let others = all - *place;
            let root = (others * others + 4.0 * part).sqrt();
            // The positive root of x² + others·x = part, in the form that loses no digits.
            *place = if others > 0.0 { 2.0 * part / (others + root) } else { 0.5 * (root - others) };
        }
        met
    }

    /// Newton's method with halved steps, for correlations on which sweeps are slow.
    fn newton(&self, mut x: Array1<f64>, tolerance: f64) -> Result<(Array1<f64>, u32), AllocationError> {
        let mut left = f64::INFINITY;
        for step in 0..STEPS {
            left = self.off(&x);
            if left < tolerance {
                return Ok((x, SWEEPS + step));
            }
            let mut hessian = self.correlations.clone();
            for ((place, part), x) in hessian.diag_mut().iter_mut().zip(&self.parts).zip(&x) {
                *place += part / (x * x);
            }
            let gradient = self.correlations.dot(&x) - &self.parts / &x;
            let Some(cholesky) = Cholesky::of(hessian.view()) else { break };
            let direction = cholesky.solve(gradient.view());
            let slope = gradient.dot(&direction);
            let before = self.value(&x);
            let mut length = 1.0;
            let next = loop {
                let next = &x - &(&direction * length);
                if next.iter().all(|value| *value > 0.0)
                    && self.value(&next) <= before - 1e-4 * length * slope
                {
                    break Some(next);
                }
                length *= 0.5;
                if length < 1e-10 {
                    break None;
                }
            };
            let Some(next) = next else { break };
            x = next;
        }
        Err(AllocationError::NoConvergence {
            solver: "coordinate descent",
            iterations: SWEEPS + STEPS,
            residual: left,
            remedy: "the assets have no weights of such risks: some of them together carry none; leave one of them out",
        })
    }

    fn value(&self, x: &Array1<f64>) -> f64 {
        let logs: f64 = self.parts.iter().zip(x).map(|(part, x)| part * x.ln()).sum();
        0.5 * x.dot(&self.correlations.dot(x)) - logs
    }
}

impl Allocator for RiskBudgeting {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let covariance = self.covariance.estimate(returns).map_err(AllocationError::from);
        let solved = covariance.and_then(|covariance| self.solve(covariance.view()));
        Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
    }
}
