//! Markowitz: minimum variance, the largest ratio of Sharpe, utility, a target of return or risk, and the frontier.
//!
//! Returns, rates and variances are of one period, whichever the covariance is of.

mod frontier;

pub use frontier::Frontier;

use super::constraints::{Constraints, largest, reach};
use super::quadratic::{Program, Row, Solved, nonnegative, pivoting::Place, settle};
use super::{Allocation, AllocationError};
use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::Deserialize;

/// What stands before the variance in a utility.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskTerm {
    /// μᵀw − γ/2 wᵀΣw (`PyPortfolioOpt`, most textbooks).
    #[default]
    Half,
    /// μᵀw − γ wᵀΣw (skfolio).
    Whole,
}

/// Moments of one period and what weights have to satisfy.
#[derive(Debug, Clone, Copy)]
pub struct Markowitz<'a> {
    /// Σ, shape (A, A).
    pub covariance: ArrayView2<'a, f64>,
    /// Constraints on the weights.
    pub constraints: &'a Constraints,
}

/// Divides nonnegative numbers by their sum.
fn normalised(x: &Array1<f64>) -> (Array1<f64>, f64) {
    let total = x.sum();
    let mut weights = x / total;
    settle(&mut weights);
    (weights, total)
}

impl<'a> Markowitz<'a> {
    /// Of a covariance under constraints.
    #[must_use]
    pub fn new(covariance: ArrayView2<'a, f64>, constraints: &'a Constraints) -> Self {
        Self { covariance, constraints }
    }

    fn program(&self, linear: Array1<f64>) -> Result<Program<'a>, AllocationError> {
        self.constraints.program(self.covariance, linear)
    }

    /// The answer of a program with its certificate, whose objective is `objective` of the weights.
    fn answer(
        &self,
        program: &Program<'_>,
        mut solved: Solved,
        objective: impl Fn(&Array1<f64>) -> f64,
    ) -> Allocation {
        if (self.constraints.budget - 1.0).abs() < f64::EPSILON {
            settle_within(program, &mut solved.weights);
        }
        let mut certificate = program.certificate(&solved);
        certificate.objective = objective(&solved.weights);
        Allocation { weights: solved.weights, certificate }
    }

    fn variance(&self, weights: &Array1<f64>) -> f64 {
        weights.dot(&self.covariance.dot(weights))
    }

    fn expected(&self, expected: ArrayView1<'_, f64>) -> Result<(), AllocationError> {
        let count = self.covariance.nrows();
        if expected.len() != count || expected.iter().any(|value| !value.is_finite()) {
            let problem = format!("give one finite number for each of the {count} assets");
            return Err(AllocationError::input("expected returns", problem));
        }
        Ok(())
    }

    /// The least variance. With costs, ½ of the variance plus them.
    ///
    /// # Errors
    /// [`AllocationError`]: no such input, constraints in conflict, a covariance that is singular where the weights are.
    pub fn minimum_variance(&self) -> Result<Allocation, AllocationError> {
        let count = self.covariance.nrows();
        if self.constraints.is_plain() {
            let ones = Array1::ones(count);
            if let Ok(found) = nonnegative(self.covariance, ones.view(), &[]) {
                let (weights, total) = normalised(&found.solution);
                let program = Program::long_only(self.covariance, Array1::zeros(count));
                let solved = Solved {
                    weights,
                    multipliers: vec![1.0 / total],
                    iterations: found.iterations,
                    places: Vec::new(),
                };
                let allocation = self.answer(&program, solved, |weights| self.variance(weights));
                if allocation.certificate.residual < 1e-10 {
                    return Ok(allocation);
                }
            }
        }
        let program = self.program(Array1::zeros(count))?;
        let solved = program.solve(&[])?;
        Ok(self.answer(&program, solved, |weights| self.variance(weights)))
    }

    /// The largest ratio of excess return to volatility, both of one period; the certificate's objective is that ratio.
    ///
    /// # Errors
    /// [`AllocationError::NoPositiveExcessReturn`] where no weights earn more than `rate`; as [`Self::minimum_variance`].
    pub fn maximum_sharpe(
        &self,
        expected: ArrayView1<'_, f64>,
        rate: f64,
    ) -> Result<Allocation, AllocationError> {
        self.expected(expected)?;
        let excess = &expected - rate;
        if excess.iter().all(|excess| *excess <= 0.0) && self.constraints.is_plain() || !rate.is_finite() {
            return Err(AllocationError::NoPositiveExcessReturn { rate });
        }
        self.largest_ratio(&excess, rate)
    }

    /// The largest ratio of `excess` to volatility.
    pub(crate) fn largest_ratio(
        &self,
        excess: &Array1<f64>,
        rate: f64,
    ) -> Result<Allocation, AllocationError> {
        let ratio = |weights: &Array1<f64>| excess.dot(weights) / self.variance(weights).sqrt();
        if self.constraints.is_plain()
            && let Ok(found) = nonnegative(self.covariance, excess.view(), &[])
        {
            let (weights, total) = normalised(&found.solution);
            let program = Program::long_only(self.covariance, excess / total);
            let solved =
                Solved { weights, multipliers: vec![0.0], iterations: found.iterations, places: Vec::new() };
            let allocation = self.answer(&program, solved, ratio);
            if allocation.certificate.residual < 1e-10 {
                return Ok(allocation);
            }
        }
        if self.constraints.cost.is_some() {
            return Err(AllocationError::input("cost", "a ratio has no costs of trading; use the utility"));
        }
        let program = self.program(Array1::zeros(excess.len()))?;
        let most = excess.dot(&largest(&program, excess.view())?);
        if most <= 0.0 {
            return Err(AllocationError::NoPositiveExcessReturn { rate });
        }
        // Where λ = variance / excess return, the utility with λ has the same conditions as the ratio. Their difference is linear
        // in λ as long as the same assets are at their bounds.
        let (program, solved) = self.tilt(excess, |lambda, weights| {
            (lambda, (self.variance(weights) - lambda * excess.dot(weights)) / lambda.max(f64::MIN_POSITIVE))
        })?;
        Ok(self.answer(&program, solved, ratio))
    }

    /// The weights of min ½ wᵀΣw − λ·eᵀw for the λ at which `off` is 0; it falls as λ rises.
    fn tilt(
        &self,
        wanted: &Array1<f64>,
        off: impl Fn(f64, &Array1<f64>) -> (f64, f64),
    ) -> Result<(Program<'a>, Solved), AllocationError> {
        const MAX_STEPS: u32 = 200;
        let mut warm: Vec<Place> = Vec::new();
        let mut iterations = 0;
        let mut at = |lambda: f64| -> Result<(Program<'a>, Solved, f64), AllocationError> {
            let program = self.program(wanted * lambda)?;
            let mut solved = program.solve(&warm)?;
            warm.clone_from(&solved.places);
            iterations += solved.iterations;
            solved.iterations = iterations;
            let (_, off) = off(lambda, &solved.weights);
            Ok((program, solved, off))
        };
        let size = |values: &Array1<f64>| values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let unit = size(&self.covariance.diag().to_owned()) / size(wanted).max(f64::MIN_POSITIVE);
        let (mut low, mut high) = (unit * 1e-6, unit);
        let mut low_off = at(low)?.2;
        let mut high_off = at(high)?.2;
        for _ in 0..60 {
            if high_off <= 0.0 {
                break;
            }
            (low, low_off) = (high, high_off);
            high *= 4.0;
            high_off = at(high)?.2;
        }
        let mut best = at(high)?;
        let mut side = 0;
        for _ in 0..MAX_STEPS {
            // Regula falsi with the halving of Illinois, which never leaves the bracket.
            let part = low_off / (low_off - high_off);
            let next =
                if part.is_finite() { low + (high - low) * part.clamp(0.0, 1.0) } else { 0.5 * (low + high) };
            best = at(next)?;
            if best.2.abs() <= 1e-15 * low_off.abs().max(high_off.abs()).max(f64::MIN_POSITIVE)
                || (high - low) <= 4.0 * f64::EPSILON * high
            {
                break;
            }
            if best.2 > 0.0 {
                if next <= low {
                    break;
                }
                (low, low_off) = (next, best.2);
                if side == 1 {
                    high_off *= 0.5;
                }
                side = 1;
            } else {
                if next >= high {
                    break;
                }
                (high, high_off) = (next, best.2);
                if side == -1 {
                    low_off *= 0.5;
                }
                side = -1;
            }
        }
        Ok((best.0, best.1))
    }

    /// The largest utility: expected return minus the risk term with the risk aversion γ, minus costs. The certificate's objective
    /// is the utility.
    ///
    /// # Errors
    /// As [`Self::minimum_variance`]; a γ that is not above 0.
    pub fn utility(
        &self,
        expected: ArrayView1<'_, f64>,
        risk_aversion: f64,
        term: RiskTerm,
    ) -> Result<Allocation, AllocationError> {
        self.expected(expected)?;
        if !risk_aversion.is_normal() || risk_aversion < 0.0 {
            return Err(AllocationError::input(
                "risk_aversion",
                format!("{risk_aversion}; it must be above 0"),
            ));
        }
        let factor = risk_aversion * if term == RiskTerm::Half { 1.0 } else { 2.0 };
        let scaled = &self.covariance * factor;
        let program = self.constraints.program(scaled.view(), expected.to_owned())?;
        let solved = program.solve(&[])?;
        let mut allocation = self.answer(&program, solved, |_| 0.0);
        allocation.certificate.objective = -program
            .certificate(&Solved {
                weights: allocation.weights.clone(),
                multipliers: Vec::new(),
                iterations: 0,
                places: Vec::new(),
            })
            .objective;
        Ok(allocation)
    }

    /// The least variance at an expected return of at least `target`.
    ///
    /// # Errors
    /// [`AllocationError::Infeasible`] where the constraints leave no such return; as [`Self::minimum_variance`].
    pub fn target_return(
        &self,
        expected: ArrayView1<'_, f64>,
        target: f64,
    ) -> Result<Allocation, AllocationError> {
        self.with_return(expected, target, &mut Vec::new())
    }

    fn with_return(
        &self,
        expected: ArrayView1<'_, f64>,
        target: f64,
        warm: &mut Vec<Place>,
    ) -> Result<Allocation, AllocationError> {
        self.expected(expected)?;
        let mut program = self.program(Array1::zeros(expected.len()))?;
        let values = expected.to_owned();
        let refuse = |most: f64| AllocationError::Infeasible {
            constraint: "target return".to_owned(),
            problem: format!(
                "{target} is above the largest return {most} that the constraints leave; lower it or widen them"
            ),
        };
        let (_, mut most) = reach(&values, &program.lower, &program.upper, self.constraints.budget);
        let slack = 1e-9 * values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        if program.rows.len() > 1 && target <= most + slack {
            most = values.dot(&largest(&program, expected)?);
        }
        if !target.is_finite() || target > most + slack {
            return Err(refuse(most));
        }
        let minimum = target.min(most);
        program.rows.push(Row {
            name: "target return".to_owned(),
            coefficients: values,
            minimum,
            maximum: f64::INFINITY,
        });
        let solved = program.solve(warm)?;
        warm.clone_from(&solved.places);
        Ok(self.answer(&program, solved, |weights| self.variance(weights)))
    }

    /// The largest expected return at a volatility of at most `target`; the certificate's objective is that return.
    ///
    /// # Errors
    /// [`AllocationError::Infeasible`] where the least volatility is above `target`; as [`Self::minimum_variance`].
    pub fn target_volatility(
        &self,
        expected: ArrayView1<'_, f64>,
        target: f64,
    ) -> Result<Allocation, AllocationError> {
        self.expected(expected)?;
        if self.constraints.cost.is_some() {
            return Err(AllocationError::input(
                "cost",
                "a target of volatility has no costs of trading; use the utility",
            ));
        }
        let values = expected.to_owned();
        let least = self.minimum_variance()?;
        let bottom = self.variance(&least.weights).sqrt();
        if !target.is_finite() || target < bottom * (1.0 - 1e-9) {
            return Err(AllocationError::Infeasible {
                constraint: "target volatility".to_owned(),
                problem: format!(
                    "{target} is below the least volatility {bottom} of the constraints; raise it or widen them"
                ),
            });
        }
        let program = self.program(values.clone())?;
        let top = largest(&program, expected)?;
        let allowed = target * target;
        if self.variance(&top) <= allowed {
            // Nothing holds the return down but the constraints: almost no risk aversion.
            let most = values.dot(&top);
            return self.with_return(expected, most, &mut Vec::new()).map(|mut found| {
                found.certificate.objective = values.dot(&found.weights);
                found
            });
        }
        let (program, solved) =
            self.tilt(&values, |lambda, weights| (lambda, (allowed - self.variance(weights)) / allowed))?;
        Ok(self.answer(&program, solved, |weights| values.dot(weights)))
    }
}

/// Makes the sum exact by the largest weight that is not at a bound.
fn settle_within(program: &Program<'_>, weights: &mut Array1<f64>) {
    for _ in 0..4 {
        let off = 1.0 - weights.sum();
        if off == 0.0 || off.abs() > 1e-9 {
            return;
        }
        let bounds = program.lower.iter().zip(&program.upper);
        let free = weights
            .iter_mut()
            .zip(bounds)
            .filter(|(weight, (lower, upper))| {
                **weight + off >= **lower
                    && **weight + off <= **upper
                    && **weight > **lower
                    && **weight < **upper
            })
            .max_by(|left, right| left.0.abs().total_cmp(&right.0.abs()));
        match free {
            Some((weight, _)) => *weight += off,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
