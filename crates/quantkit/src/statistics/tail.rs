//! Measures of the worst outcomes. Losses are positive: a value at risk of 0.02 is a loss of 2 %.

use super::{Bias, excess_kurtosis, mean, normal, skewness, standard_deviation};

/// Which number stands for a quantile between two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrderStatistic {
    /// The (⌊(1 − confidence)·n⌋ + 1)-th largest loss (skfolio, Riskfolio).
    #[default]
    Lower,
    /// Between neighbours in proportion (NumPy's default, empyrical).
    Linear,
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The integer part of a count that is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a slice's length")]
fn whole(value: f64) -> usize {
    value.max(0.0) as usize
}

/// Linear quantile at `probability` in [0, 1] (Hyndman & Fan 1996, type 7); NaN of nothing.
#[must_use]
pub fn quantile(values: &[f64], probability: f64) -> f64 {
    let sorted = sorted(values);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = probability.clamp(0.0, 1.0) * last as f64;
    let below = whole(place);
    let low = sorted.get(below).copied().unwrap_or(f64::NAN);
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    low + (place - below as f64) * (high - low)
}

/// Rows in the tail, possibly not whole. A confidence such as 0.95 has no exact `f64`; what it means is kept.
fn tail_rows(count: usize, confidence: f64) -> f64 {
    let rows = (1.0 - confidence) * count as f64;
    if (rows - rows.round()).abs() < 1e-9 { rows.round() } else { rows }
}

/// The loss that is not passed with probability `confidence`.
#[must_use]
pub fn value_at_risk(returns: &[f64], confidence: f64, order: OrderStatistic) -> f64 {
    match order {
        OrderStatistic::Linear => -quantile(returns, 1.0 - confidence),
        OrderStatistic::Lower => {
            let place = whole(tail_rows(returns.len(), confidence)).min(returns.len().saturating_sub(1));
            sorted(returns).get(place).map_or(f64::NAN, |value| -value)
        }
    }
}

/// Mean loss of the worst (1 − confidence)·n rows, a part of a row counting in part (Rockafellar & Uryasev 2000).
#[must_use]
pub fn conditional_value_at_risk(returns: &[f64], confidence: f64) -> f64 {
    let rows = tail_rows(returns.len(), confidence);
    let sorted = sorted(returns);
    let full = whole(rows);
    let sum: f64 = sorted.iter().take(full).sum();
    let partial = (rows - full as f64) * sorted.get(full).copied().unwrap_or_default();
    if rows > 0.0 { -(sum + partial) / rows } else { sorted.first().map_or(f64::NAN, |worst| -worst) }
}

/// Mean loss of the ⌊(n − 1)·(1 − confidence)⌋ + 1 worst rows (empyrical's conditional value at risk).
#[must_use]
pub fn tail_mean(returns: &[f64], confidence: f64) -> f64 {
    let rows = whole(tail_rows(returns.len().saturating_sub(1), confidence)) + 1;
    let worst: Vec<f64> = sorted(returns).into_iter().take(rows).collect();
    -mean(&worst)
}

/// Value at risk of a normal distribution with this mean and deviation (`ddof`).
#[must_use]
pub fn gaussian_value_at_risk(returns: &[f64], confidence: f64, ddof: usize) -> f64 {
    -(mean(returns) + normal::inverse(1.0 - confidence) * standard_deviation(returns, ddof))
}

/// Conditional value at risk of the same distribution.
#[must_use]
pub fn gaussian_conditional_value_at_risk(returns: &[f64], confidence: f64, ddof: usize) -> f64 {
    let density = normal::density(normal::inverse(1.0 - confidence)) / (1.0 - confidence);
    standard_deviation(returns, ddof) * density - mean(returns)
}

/// Value at risk with the normal quantile corrected for biased skewness and excess kurtosis (Cornish & Fisher 1938).
#[must_use]
pub fn cornish_fisher_value_at_risk(returns: &[f64], confidence: f64, ddof: usize) -> f64 {
    let z = normal::inverse(1.0 - confidence);
    let (skew, kurtosis) = (skewness(returns, Bias::Biased), excess_kurtosis(returns, Bias::Biased));
    let corrected = z + (z * z - 1.0) * skew / 6.0 + (z.powi(3) - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z.powi(3) - 5.0 * z) * skew * skew / 36.0;
    -(mean(returns) + corrected * standard_deviation(returns, ddof))
}

/// θ·ln(E[e^(−r/θ)] / (1 − confidence)), the entropic risk at aversion `theta` > 0.
#[must_use]
pub fn entropic_risk(returns: &[f64], theta: f64, confidence: f64) -> f64 {
    let worst = returns.iter().copied().fold(f64::INFINITY, f64::min);
    // The worst loss is taken out, so that no exponential overflows.
    let sum: f64 = returns.iter().map(|value| ((worst - value) / theta).exp()).sum();
    theta * (sum / (returns.len() as f64 * (1.0 - confidence))).ln() - worst
}

/// The least [`entropic_risk`] over θ (Ahmadi-Javid 2012): between the conditional value at risk and the worst loss.
#[must_use]
pub fn entropic_value_at_risk(returns: &[f64], confidence: f64) -> f64 {
    let worst = returns.iter().copied().fold(f64::INFINITY, f64::min);
    let best = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if returns.is_empty() || !worst.is_finite() || !best.is_finite() {
        return f64::NAN;
    }
    let spread = best - worst;
    if spread <= 0.0 {
        return -worst;
    }
    // Convex in θ, hence with one valley in ln θ: golden section. The value is flat at its least, so it is exact long
    // before θ is.
    let risk = |log: f64| entropic_risk(returns, log.exp(), confidence);
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = ((spread * 1e-6).ln(), (spread * 1e4).ln());
    let (mut left, mut right) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_left, mut at_right) = (risk(left), risk(right));
    for _ in 0..80 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - golden * (high - low);
            at_left = risk(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + golden * (high - low);
            at_right = risk(right);
        }
    }
    // With few rows in the tail the least is at θ → 0: the worst loss.
    at_left.min(at_right).min(-worst)
}
