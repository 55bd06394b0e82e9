//! The factors of the platform's document, with its parameters.

use super::expression::Expression;
use super::formula::Formula;
use super::words::{E, close, delay, log_returns, population_std};
use mts_foundation::UniversePanel;
use mts_foundation::sizing::{ComputeError, Factor};
use ndarray::{Array2, Axis};
use serde::Deserialize;

fn at_least(name: &str, field: &str, value: usize, least: usize) -> Result<(), ComputeError> {
    if value >= least {
        return Ok(());
    }
    Err(ComputeError::new(name, format!("{field} is {value}; it must be at least {least} rows")))
}

/// A documented factor that is an expression of its parameters.
pub(super) trait Documented {
    /// Registry name.
    const NAME: &'static str;
    /// The expression, once the parameters make sense.
    fn expression(&self) -> Result<Expression, ComputeError>;
    /// The factor.
    fn formula(&self) -> Result<Formula, ComputeError> {
        Ok(Formula::new(Self::NAME, self.expression()?))
    }
}

/// `f_my_realized_vol`: the population's standard deviation of the last `h` logarithmic returns, a year's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MyRealizedVol {
    /// Returns of a window, at least 1.
    pub h: usize,
}

impl Default for MyRealizedVol {
    fn default() -> Self {
        Self { h: 21 }
    }
}

impl Documented for MyRealizedVol {
    const NAME: &'static str = "f_my_realized_vol";
    fn expression(&self) -> Result<Expression, ComputeError> {
        at_least(Self::NAME, "h", self.h, 1)?;
        Ok(population_std(log_returns(), self.h) * 252.0_f64.sqrt())
    }
}

/// `f_crypto_realized_vol`: the standard deviation of the last `h` logarithmic returns with weights that fall by `ema_alpha`
/// from each to the one before it, about their weighted mean. The document names the parts but gives no formula; 0.94
/// is read as the decay that it is in RiskMetrics (1996), as a weight of 0.94 for the newest return would leave no
/// window.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CryptoRealizedVol {
    /// Returns of a window, at least 2.
    pub h: usize,
    /// Weight of a return relative to the next newer one, above 0 and at most 1.
    pub ema_alpha: f64,
}

impl Default for CryptoRealizedVol {
    fn default() -> Self {
        Self { h: 21, ema_alpha: 0.94 }
    }
}

impl Documented for CryptoRealizedVol {
    const NAME: &'static str = "f_crypto_realized_vol";
    fn expression(&self) -> Result<Expression, ComputeError> {
        at_least(Self::NAME, "h", self.h, 2)?;
        if !(self.ema_alpha > 0.0 && self.ema_alpha <= 1.0) {
            let message = format!("ema_alpha is {}; it lies above 0 and is at most 1", self.ema_alpha);
            return Err(ComputeError::new(Self::NAME, message));
        }
        let weight = |age: usize| (0..age).fold(1.0, |weight, _| weight * self.ema_alpha);
        let total: f64 = (0..self.h).map(weight).sum();
        let weighted = |of: &dyn Fn(usize) -> E| {
            (1..self.h).fold(of(0) * (1.0 / total), |sum, age| sum + of(age) * (weight(age) / total))
        };
        let mean = weighted(&|age| delay(log_returns(), age));
        Ok(weighted(&|age| (delay(log_returns(), age) - mean.clone()).square()).sqrt())
    }
}

/// The fall over `h` closes, `−(close[t] / close[t − h + 1] − 1)`: as the document has it, h − 1 rows apart.
fn mean_reversion(h: usize) -> E {
    -(close() / delay(close(), h.saturating_sub(1)) - 1.0)
}

/// `f_mean_rev_5d`: what fell over `h` closes is strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeanReversion {
    /// Closes, at least 2: the document measures from the first of them to the last, so 5 closes are 4 returns.
    pub h: usize,
}

impl Default for MeanReversion {
    fn default() -> Self {
        Self { h: 5 }
    }
}

impl Documented for MeanReversion {
    const NAME: &'static str = "f_mean_rev_5d";
    fn expression(&self) -> Result<Expression, ComputeError> {
        at_least(Self::NAME, "h", self.h, 2)?;
        Ok(mean_reversion(self.h))
    }
}

/// `f_mean_rev_5d_vol_gated`: the same, among those whose realised volatility is at most a threshold; the others are missing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatedMeanReversion {
    /// Closes, at least 2.
    pub h: usize,
    /// Logarithmic returns of the volatility, at least 1; population's deviation.
    pub vol_window: usize,
    /// Greatest volatility of a year that is let through, as a fraction.
    pub vol_threshold: f64,
}

impl Default for GatedMeanReversion {
    fn default() -> Self {
        Self { h: 5, vol_window: 21, vol_threshold: 0.35 }
    }
}

impl Documented for GatedMeanReversion {
    const NAME: &'static str = "f_mean_rev_5d_vol_gated";
    fn expression(&self) -> Result<Expression, ComputeError> {
        at_least(Self::NAME, "h", self.h, 2)?;
        at_least(Self::NAME, "vol_window", self.vol_window, 1)?;
        if self.vol_threshold.is_nan() || self.vol_threshold <= 0.0 {
            let message = format!("vol_threshold is {}; it must be above 0", self.vol_threshold);
            return Err(ComputeError::new(Self::NAME, message));
        }
        let volatility = population_std(log_returns(), self.vol_window) * 252.0_f64.sqrt();
        Ok(volatility.at_most(self.vol_threshold).choose(mean_reversion(self.h), f64::NAN))
    }
}

/// `f_sma_cross`: 1 where the mean of the `p_fast` closes before this row lies above that of the `p_slow` before it, else −1.
/// As the document has it: this row's close does not count, windows grow from the first row on, the first row itself
/// is −1, and nothing is standardised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmaCross {
    /// Rows of the fast mean, at least 1.
    pub p_fast: usize,
    /// Rows of the slow mean, more than those of the fast.
    pub p_slow: usize,
}

impl Default for SmaCross {
    fn default() -> Self {
        Self { p_fast: 20, p_slow: 50 }
    }
}

impl SmaCross {
    /// Registry name.
    pub const NAME: &'static str = "f_sma_cross";
}

/// The mean of up to `window` rows before each row; missing on the first.
fn mean_before(close: &Array2<f64>, window: usize) -> Result<Array2<f64>, ComputeError> {
    let mut out = Array2::from_elem(close.dim(), f64::NAN);
    let full = crate::operators::Rolling::Mean(window).of(&[close.view()])?;
    for (t, mut row) in out.outer_iter_mut().enumerate().skip(1) {
        if t >= window {
            row.assign(&full.row(t - 1));
        } else if let Some(mean) = close.slice_axis(Axis(0), (..t).into()).mean_axis(Axis(0)) {
            row.assign(&mean);
        }
    }
    Ok(out)
}

impl Factor for SmaCross {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn warm_up(&self) -> usize {
        1
    }

    fn compute(&self, panel: &UniversePanel) -> Result<Array2<f64>, ComputeError> {
        at_least(Self::NAME, "p_fast", self.p_fast, 1)?;
        at_least(Self::NAME, "p_slow", self.p_slow, self.p_fast + 1)?;
        let close = panel.close();
        let (mut fast, slow) = (mean_before(close, self.p_fast)?, mean_before(close, self.p_slow)?);
        for (t, ((mut fast, slow), close)) in
            fast.outer_iter_mut().zip(slow.outer_iter()).zip(close.outer_iter()).enumerate()
        {
            for ((fast, slow), close) in fast.iter_mut().zip(slow).zip(close) {
                let missing = close.is_nan() || t > 0 && (fast.is_nan() || slow.is_nan());
                *fast = match *fast > *slow {
                    _ if missing => f64::NAN,
                    true => 1.0,
                    false => -1.0,
                };
            }
        }
        Ok(fast)
    }
}
