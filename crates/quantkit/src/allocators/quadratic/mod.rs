//! Quadratic programs: min ½ wᵀAw − qᵀw + Σ κᵢ|wᵢ − fromᵢ| with bounds on every weight and on linear combinations of them.
//!
//! The answer comes from guesses of what is at its bound, each solved exactly ([`pivoting`]), from an interior point where those
//! cycle ([`interior`]), and from the support alone where weights are just not below zero ([`nonnegative()`]).

pub mod interior;
pub mod nonnegative;
pub mod pivoting;

pub use nonnegative::{Nonnegative, nonnegative};

use super::{AllocationError, Certificate, Measure};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// A linear combination of the weights that stays between two values; equal ones make it an equation.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// For messages.
    pub name: String,
    /// Shape (A).
    pub coefficients: Array1<f64>,
    /// Least value; −∞ for none.
    pub minimum: f64,
    /// Largest value; ∞ for none.
    pub maximum: f64,
}

impl Row {
    /// The sum of all weights is 1.
    #[must_use]
    pub fn budget(count: usize) -> Self {
        let coefficients = Array1::ones(count);
        Self { name: "budget".to_owned(), coefficients, minimum: 1.0, maximum: 1.0 }
    }
}

/// What trading away from weights costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// The weights now, shape (A).
    pub from: Array1<f64>,
    /// κ: cost of a unit of weight traded, per asset, shape (A), at least 0.
    pub rates: Array1<f64>,
}

/// min ½ wᵀAw − qᵀw + Σ κᵢ|wᵢ − fromᵢ| with lower ≤ w ≤ upper and the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Program<'a> {
    /// A, shape (A, A), symmetric, with no negative eigenvalue.
    pub quadratic: ArrayView2<'a, f64>,
    /// q, shape (A): what is wanted.
    pub linear: Array1<f64>,
    /// Shape (A); −∞ for none.
    pub lower: Array1<f64>,
    /// Shape (A); ∞ for none.
    pub upper: Array1<f64>,
    /// The budget and whatever else.
    pub rows: Vec<Row>,
    /// Costs of trading, if any.
    pub costs: Option<Costs>,
}

/// Weights, the multipliers of the rows, and steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// Shape (A).
    pub weights: Array1<f64>,
    /// One per row: positive where the row holds the weights up, negative where it holds them down.
    pub multipliers: Vec<f64>,
    /// Systems that were factorised.
    pub iterations: u32,
    /// What is at its bound: the warm start of the next program.
    pub places: Vec<pivoting::Place>,
}

/// Largest residual that an answer may have.
pub const TOLERANCE: f64 = 1e-8;

impl Program<'_> {
    /// Long only and fully invested.
    #[must_use]
    pub fn long_only(quadratic: ArrayView2<'_, f64>, linear: Array1<f64>) -> Program<'_> {
        let count = linear.len();
        Program {
            quadratic,
            linear,
            lower: Array1::zeros(count),
            upper: Array1::ones(count),
            rows: vec![Row::budget(count)],
            costs: None,
        }
    }

    /// Solves it; `warm` is what was at its bound in a program like it, or empty.
    ///
    /// # Errors
    /// [`AllocationError::Input`] for shapes that differ or numbers that are none, [`AllocationError::Infeasible`] where the
    /// interior point proves it, [`AllocationError::NoConvergence`] where the residual stays above [`TOLERANCE`].
    pub fn solve(&self, warm: &[pivoting::Place]) -> Result<Solved, AllocationError> {
        self.check()?;
        let good = |solved: &Solved| self.certificate(solved).residual <= 1e-11;
        if self.costs.is_none()
            && let Some(found) = pivoting::pivot(self, warm)
            && good(&found)
        {
            return Ok(found);
        }
        let inner = interior::solve(self)?;
        let polished = pivoting::polish(self, &inner);
        let before = self.certificate(&inner).residual;
        let best = match polished {
            Some(found) if self.certificate(&found).residual <= before => found,
            _ => inner,
        };
        let residual = self.certificate(&best).residual;
        if residual > TOLERANCE || !residual.is_finite() {
            return Err(AllocationError::NoConvergence {
                solver: "interior point",
                iterations: best.iterations,
                residual,
                remedy: "shrink the covariance or widen the constraints",
            });
        }
        Ok(best)
    }

    fn check(&self) -> Result<(), AllocationError> {
        let count = self.linear.len();
        check_square("covariance", self.quadratic, count)?;
        let lengths = [self.lower.len(), self.upper.len()];
        if lengths.iter().any(|length| *length != count)
            || self.rows.iter().any(|row| row.coefficients.len() != count)
            || self
                .costs
                .as_ref()
                .is_some_and(|costs| costs.from.len() != count || costs.rates.len() != count)
        {
            return Err(AllocationError::input("constraints", format!("they are not of {count} assets")));
        }
        if self.linear.iter().any(|value| !value.is_finite()) {
            return Err(AllocationError::input(
                "expected returns",
                "one is no finite number; leave that asset out",
            ));
        }
        Ok(())
    }

    /// How far an answer is from the conditions of Karush, Kuhn and Tucker, from its weights and multipliers alone: the largest
    /// distance of a weight, or of a row, from where a step along the gradient and back into the bounds leads (the natural residual),
    /// with the gradient in units of its own size.
    #[must_use]
    pub fn certificate(&self, solved: &Solved) -> Certificate {
        let weights = &solved.weights;
        let pull = self.quadratic.dot(weights);
        let half = 0.5 * weights.dot(&pull);
        let size = |values: &Array1<f64>| values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let mut scale = size(&pull).max(size(&self.linear));
        let mut gradient = pull - &self.linear;
        for (row, multiplier) in self.rows.iter().zip(&solved.multipliers) {
            gradient.scaled_add(-multiplier, &row.coefficients);
        }
        let mut objective = half - self.linear.dot(weights);
        if let Some(costs) = &self.costs {
            scale = scale.max(size(&costs.rates));
            let spent = costs.from.iter().zip(weights).zip(&costs.rates);
            objective += spent.map(|((from, weight), rate)| rate * (weight - from).abs()).sum::<f64>();
        }
        let scale = scale.max(f64::MIN_POSITIVE);
        let mut residual = 0.0_f64;
        let sides = self.lower.iter().zip(&self.upper).enumerate();
        for ((weight, gradient), (asset, (lower, upper))) in weights.iter().zip(&gradient).zip(sides) {
            let mut goal = weight - gradient / scale;
            if let Some(costs) = &self.costs {
                let from = costs.from.get(asset).copied().unwrap_or(0.0);
                let rate = costs.rates.get(asset).copied().unwrap_or(0.0) / scale;
                let away = goal - from;
                goal = from + away.signum() * (away.abs() - rate).max(0.0);
            }
            residual = residual.max((weight - goal.max(*lower).min(*upper)).abs());
        }
        for (row, multiplier) in self.rows.iter().zip(&solved.multipliers) {
            let value = row.coefficients.dot(weights);
            let unit = size(&row.coefficients).max(f64::MIN_POSITIVE);
            let goal = value - multiplier * unit * unit / scale;
            residual = residual.max((value - goal.max(row.minimum).min(row.maximum)).abs() / unit);
        }
        let residual = if residual.is_finite() { residual } else { f64::INFINITY };
        Certificate { measure: Measure::KarushKuhnTucker, residual, objective, iterations: solved.iterations }
    }
}

/// The rows and columns of some assets, in that order.
pub(crate) fn part(matrix: ArrayView2<'_, f64>, chosen: &[usize]) -> Array2<f64> {
    let mut out = Array2::zeros((chosen.len(), chosen.len()));
    for (mut target, asset) in out.outer_iter_mut().zip(chosen) {
        let row = matrix.row(*asset);
        for (place, other) in target.iter_mut().zip(chosen) {
            *place = row.get(*other).copied().unwrap_or_default();
        }
    }
    out
}

/// The numbers of some assets, in that order.
pub(crate) fn pick(values: ArrayView1<'_, f64>, chosen: &[usize]) -> Array1<f64> {
    chosen.iter().map(|place| values.get(*place).copied().unwrap_or_default()).collect()
}

/// Whether a matrix is of `count` assets, and its diagonal above 0.
pub(crate) fn check_square(
    field: &'static str,
    matrix: ArrayView2<'_, f64>,
    count: usize,
) -> Result<(), AllocationError> {
    if count == 0 || matrix.dim() != (count, count) {
        let (rows, columns) = matrix.dim();
        return Err(AllocationError::input(
            field,
            format!("its shape is ({rows}, {columns}) for {count} assets; give one row and column for each"),
        ));
    }
    match matrix.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(AllocationError::input(
            field,
            format!(
                "the number of assets {} and {} is not finite; leave one out",
                place / count,
                place % count
            ),
        )),
        None => Ok(()),
    }
}

/// Makes the sum 1 to the last digit, by the largest weight, which carries the rounding of all.
pub(crate) fn settle(weights: &mut Array1<f64>) {
    for _ in 0..4 {
        let off = 1.0 - weights.sum();
        let largest = weights.iter_mut().max_by(|left, right| left.abs().total_cmp(&right.abs()));
        match largest {
            Some(weight) if off != 0.0 && off.abs() < 1e-9 => *weight += off,
            _ => return,
        }
    }
}
