//! How sure a Sharpe ratio is. Ratios are a period's here, not annualised, unless said.

use super::{Bias, excess_kurtosis, normal, sharpe, skewness};

/// Euler–Mascheroni constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// Which assumption a standard error makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharpeError {
    /// Independent normal returns: √((1 + SR²/2)/n) (Lo 2002).
    Normal,
    /// Independent returns of any shape: √((1 − γ₃SR + (γ₄ − 1)/4·SR²)/(n − 1)) (Mertens 2002).
    #[default]
    AnyShape,
}

/// 1 − γ₃SR + (γ₄ − 1)/4·SR² with biased moments, γ₄ raw.
fn spread(returns: &[f64], ratio: f64) -> f64 {
    let (skew, kurtosis) = (skewness(returns, Bias::Biased), excess_kurtosis(returns, Bias::Biased) + 3.0);
    1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio
}

/// Standard error of a period's Sharpe ratio; times √periods of a year it is that of the annual one.
#[must_use]
pub fn sharpe_standard_error(returns: &[f64], risk_free: f64, assumption: SharpeError) -> f64 {
    let ratio = sharpe(returns, 1.0, risk_free, 1);
    let count = returns.len() as f64;
    let variance = match assumption {
        SharpeError::Normal => (1.0 + ratio * ratio / 2.0) / count,
        SharpeError::AnyShape => spread(returns, ratio) / (count - 1.0),
    };
    variance.sqrt()
}

/// Probability that the true ratio is above `benchmark` (Bailey & López de Prado 2012). With `benchmark` from
/// [`expected_max_sharpe`] it is the deflated Sharpe ratio (2014).
#[must_use]
pub fn probabilistic_sharpe(returns: &[f64], risk_free: f64, benchmark: f64) -> f64 {
    let ratio = sharpe(returns, 1.0, risk_free, 1);
    let root = (returns.len() as f64 - 1.0).sqrt();
    normal::cumulative_probability((ratio - benchmark) * root / spread(returns, ratio).sqrt())
}

/// The ratio that the best of `trials` independent tries without skill is expected to show, where tried ratios vary by
/// `variance` (in the same periods; Bailey & López de Prado 2014). Zero for one try.
#[must_use]
pub fn expected_max_sharpe(variance: f64, trials: f64) -> f64 {
    if trials <= 1.0 {
        return 0.0;
    }
    let first = normal::inverse(1.0 - 1.0 / trials);
    let second = normal::inverse(1.0 - 1.0 / (trials * std::f64::consts::E));
    variance.sqrt() * ((1.0 - EULER) * first + EULER * second)
}

/// Rows needed to be `confidence` sure that the ratio is above `benchmark`; `None` where it is not above it.
#[must_use]
pub fn min_track_record(returns: &[f64], risk_free: f64, benchmark: f64, confidence: f64) -> Option<f64> {
    let ratio = sharpe(returns, 1.0, risk_free, 1);
    let z = normal::inverse(confidence) / (ratio - benchmark);
    (ratio > benchmark).then(|| 1.0 + spread(returns, ratio) * z * z)
}

/// Pearson's correlation of a series with itself `lag` rows earlier, each with its own mean (pandas' `autocorr`).
#[must_use]
pub fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    values.get(lag..).map_or(f64::NAN, |later| super::regression(later, values).correlation)
}

/// Sharpe ratio over `periods` with the factor η(q) = q/√(q + 2Σ(q − k)ρₖ) instead of √q, ρ up to `lags` (Lo 2002).
#[must_use]
pub fn sharpe_autocorrelation_adjusted(returns: &[f64], risk_free: f64, periods: usize, lags: usize) -> f64 {
    let sum: f64 = (1..=lags.min(periods.saturating_sub(1)))
        .map(|lag| (periods - lag) as f64 * autocorrelation(returns, lag))
        .sum();
    sharpe(returns, 1.0, risk_free, 1) * periods as f64 / (periods as f64 + 2.0 * sum).sqrt()
}
