//! Exponentially weighted covariance.

use super::{EstimateError, sample};
use crate::linalg::gram;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// How fast rows lose weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Rows until a weight has halved: λ = ½^(1/h). skfolio's.
    HalfLife(f64),
    /// λ = 1 − 2/(span + 1), as pandas and PyPortfolioOpt have it.
    Span(f64),
    /// λ itself, such as RiskMetrics' .94.
    Factor(f64),
}

impl Decay {
    /// λ, by which a row loses weight with each one that follows.
    pub(crate) fn factor(self) -> Result<f64, EstimateError> {
        let (field, value, factor) = match self {
            Self::HalfLife(rows) => {
                ("half_life", rows, if rows > 0.0 { 0.5_f64.powf(rows.recip()) } else { -1.0 })
            }
            Self::Span(span) => ("span", span, if span >= 1.0 { 1.0 - 2.0 / (span + 1.0) } else { -1.0 }),
            Self::Factor(factor) => ("factor", factor, factor),
        };
        if (0.0..1.0).contains(&factor) {
            Ok(factor)
        } else {
            let problem = format!(
                "{value} makes no weights that fall; use a half-life above 0, a span of 1 or more, a factor in [0, 1)"
            );
            Err(EstimateError::new(field, problem))
        }
    }
}

/// What is taken off the returns first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centre {
    /// Nothing: means of daily returns are small beside their deviations. RiskMetrics' and skfolio's.
    #[default]
    Zero,
    /// The plain mean of all rows: PyPortfolioOpt's.
    SampleMean,
    /// The mean under the same weights: pandas' `ewm().cov(bias=True)`.
    WeightedMean,
}

/// Σ λᵗ⁻¹⁻ᵢ yᵢ yᵢᵀ / Σ λᵗ⁻¹⁻ᵢ: the weights are 1 in sum, however few rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ewma {
    /// How fast rows lose weight; a half-life of 60 rows unless said otherwise.
    pub decay: Decay,
    /// What is taken off the returns.
    pub centre: Centre,
}

impl Default for Ewma {
    fn default() -> Self {
        Self { decay: Decay::HalfLife(60.0), centre: Centre::Zero }
    }
}

impl Ewma {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        let weights = weights(self.decay.factor()?, returns.nrows());
        let mut scaled = match self.centre {
            Centre::Zero => returns.to_owned(),
            Centre::SampleMean => sample::centred(returns),
            Centre::WeightedMean => &returns - &weights.dot(&returns),
        };
        for (mut row, weight) in scaled.outer_iter_mut().zip(&weights) {
            row *= weight.sqrt();
        }
        Ok(gram(scaled.view()))
    }
}

/// 1 in sum, the last the largest.
pub(super) fn weights(factor: f64, rows: usize) -> Array1<f64> {
    let mut weight = 1.0;
    let mut weights: Array1<f64> = std::iter::repeat_with(|| {
        let now = weight;
        weight *= factor;
        now
    })
    .take(rows)
    .collect();
    weights.invert_axis(Axis(0));
    let sum = weights.sum();
    weights / sum
}
