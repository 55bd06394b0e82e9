//! Kelly's weights: what makes money grow fastest, divided by how much risk one minds.

use super::linear::{covariance, solve};
use super::volatility::{default_max_scale, default_window, vol_target_weights};
use super::{SESSIONS_PER_YEAR, at_least, complete, last_rows, names, positive, same_length};
use mts_foundation::Symbol;
use mts_foundation::registry::{Parameters, typed};
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::Deserialize;

const NAME: &str = "kelly_fraction";

/// Σ⁻¹μ / `risk_aversion`, each weight cut to ±`cap` (Kelly 1956; Merton 1969 for the form with many assets). `expected_returns`
/// has the shape (A), `cov` (A, A), both for the same length of time, a year for instance. A risk aversion of 1 is full Kelly.
///
/// # Errors
/// [`ComputeError`] for parameters that make no sense and for a covariance that is not positive definite.
pub fn kelly_fraction(
    expected_returns: &ArrayView1<'_, f64>,
    cov: &ArrayView2<'_, f64>,
    risk_aversion: f64,
    cap: f64,
) -> Result<Array1<f64>, ComputeError> {
    positive(NAME, "risk_aversion", risk_aversion)?;
    positive(NAME, "cap", cap)?;
    same_length(NAME, "rows of covariance", cov.nrows(), expected_returns.len())?;
    same_length(NAME, "columns of covariance", cov.ncols(), expected_returns.len())?;
    let growth = solve(cov, expected_returns).ok_or_else(|| {
        let message = "the covariance is not positive definite: two instruments move alike, or there are fewer rows of returns \
                       than instruments; leave one out, make the window longer or set shrinkage";
        ComputeError::new(NAME, message)
    })?;
    Ok(growth.mapv(|weight| (weight / risk_aversion).clamp(-cap, cap)))
}

/// `kelly_fraction`: [`kelly_fraction()`] with the signal as expected yearly returns (0.08 = 8 % above cash) and the yearly
/// covariance of the last `window` rows of returns.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KellyFraction {
    /// How much risk is minded, above 0; 1 = full Kelly, 2 = half.
    pub risk_aversion: f64,
    /// Largest weight without its sign, above 0.
    pub cap: f64,
    /// Rows of returns that are looked at, at least 2.
    pub window: usize,
    /// How far covariances between instruments are drawn to zero, 0 to 1. Above 0 the covariance of any number of instruments
    /// can be inverted, as long as each of them moved.
    pub shrinkage: f64,
}

impl Default for KellyFraction {
    fn default() -> Self {
        Self { risk_aversion: 2.0, cap: 0.2, window: default_window(), shrinkage: 0.0 }
    }
}

impl Sizer for KellyFraction {
    fn name(&self) -> &str {
        NAME
    }

    fn history(&self) -> usize {
        self.window
    }

    fn check(&self, _symbols: &[Symbol]) -> Result<(), ComputeError> {
        positive(NAME, "risk_aversion", self.risk_aversion)?;
        positive(NAME, "cap", self.cap)?;
        at_least(NAME, "window", self.window, 2)?;
        if !(0.0..=1.0).contains(&self.shrinkage) {
            let message = format!("shrinkage is {}; it must be from 0 to 1", self.shrinkage);
            return Err(ComputeError::new(NAME, message));
        }
        Ok(())
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        self.check(input.symbols)?;
        let rows = last_rows(NAME, input.returns, self.window)?;
        let whole = complete(&input.signal, &rows);
        let mut cov = covariance(&rows, &whole);
        cov *= SESSIONS_PER_YEAR;
        let kept = 1.0 - self.shrinkage;
        cov.indexed_iter_mut()
            .filter(|((row, column), _)| row != column)
            .for_each(|(_, value)| *value *= kept);
        let expected: Array1<f64> =
            whole.iter().filter_map(|column| input.signal.get(*column)).copied().collect();
        let chosen =
            kelly_fraction(&expected.view(), &cov.view(), self.risk_aversion, self.cap).map_err(|error| {
                ComputeError::new(error.name, format!("{} ({})", error.message, names(input.symbols, &whole)))
            })?;
        let mut weights = Array1::zeros(input.signal.len());
        for (column, weight) in whole.into_iter().zip(chosen) {
            weights[column] = weight;
        }
        Ok(weights)
    }
}

/// `kelly_voltarget_12` and `kelly_voltarget_8`: Kelly's weights, the whole book then scaled to a yearly volatility of 12 or 8
/// per cent over the same window.
#[derive(Debug, Clone, PartialEq)]
pub struct KellyVolTarget {
    name: &'static str,
    kelly: KellyFraction,
    target_ann_vol: f64,
    max_scale: f64,
}

/// Parameters of a [`KellyVolTarget`]: those of Kelly, and the largest scale.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KellyVolTargetParameters {
    risk_aversion: f64,
    cap: f64,
    window: usize,
    shrinkage: f64,
    max_scale: f64,
}

impl Default for KellyVolTargetParameters {
    fn default() -> Self {
        let KellyFraction { risk_aversion, cap, window, shrinkage } = KellyFraction::default();
        Self { risk_aversion, cap, window, shrinkage, max_scale: default_max_scale() }
    }
}

impl KellyVolTarget {
    /// One of this name and yearly volatility.
    ///
    /// # Errors
    /// [`ComputeError`] for parameters that it does not take.
    pub fn new(
        name: &'static str,
        target_ann_vol: f64,
        parameters: &Parameters,
    ) -> Result<Self, ComputeError> {
        let KellyVolTargetParameters { risk_aversion, cap, window, shrinkage, max_scale } =
            typed(name, parameters)?;
        Ok(Self {
            name,
            kelly: KellyFraction { risk_aversion, cap, window, shrinkage },
            target_ann_vol,
            max_scale,
        })
    }
}

impl Sizer for KellyVolTarget {
    fn name(&self) -> &str {
        self.name
    }

    fn history(&self) -> usize {
        self.kelly.window
    }

    fn check(&self, symbols: &[Symbol]) -> Result<(), ComputeError> {
        positive(self.name, "target_ann_vol", self.target_ann_vol)?;
        positive(self.name, "max_scale", self.max_scale)?;
        self.kelly.check(symbols)
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        let weights = self.kelly.size(input)?;
        let rows = last_rows(self.name, input.returns, self.kelly.window)?;
        vol_target_weights(&weights.view(), &rows, self.target_ann_vol, self.kelly.window, self.max_scale)
    }
}
