//! Returns and what was earned for the risk. `periods_per_year` annualises: 252 for sessions.

use super::{
    Compounding, drawdown_series, max_drawdown, mean, quantile, semi_deviation, standard_deviation,
    ulcer_index,
};

/// A ratio that is NaN where its denominator is not above zero by more than rounding of `scale`.
fn over(numerator: f64, denominator: f64, scale: f64) -> f64 {
    if denominator > 4.0 * f64::EPSILON * scale { numerator / denominator } else { f64::NAN }
}

/// ∏(1 + r) − 1.
#[must_use]
pub fn total_return(returns: &[f64]) -> f64 {
    returns.iter().map(|value| 1.0 + value).product::<f64>() - 1.0
}

/// Total return up to each row, same length.
#[must_use]
pub fn cumulative(returns: &[f64]) -> Vec<f64> {
    let mut value = 1.0;
    let path = returns.iter().map(|row| {
        value *= 1.0 + row;
        value - 1.0
    });
    path.collect()
}

/// ∏(1 + r)^(periods_per_year / n) − 1: by the number of periods, not by the calendar.
#[must_use]
pub fn compound_annual_growth(returns: &[f64], periods_per_year: f64) -> f64 {
    (1.0 + total_return(returns)).powf(periods_per_year / returns.len() as f64) - 1.0
}

/// Standard deviation (`ddof`), annualised.
#[must_use]
pub fn volatility(returns: &[f64], periods_per_year: f64, ddof: usize) -> f64 {
    standard_deviation(returns, ddof) * periods_per_year.sqrt()
}

/// Root of the mean squared shortfall below `minimum` a period over all rows, annualised.
#[must_use]
pub fn downside_deviation(returns: &[f64], periods_per_year: f64, minimum: f64) -> f64 {
    semi_deviation(returns, minimum, 0) * periods_per_year.sqrt()
}

/// Mean over standard deviation (`ddof`) of returns above `risk_free` a period, annualised (Sharpe 1994).
#[must_use]
pub fn sharpe(returns: &[f64], periods_per_year: f64, risk_free: f64, ddof: usize) -> f64 {
    let centre = mean(returns);
    over(centre - risk_free, standard_deviation(returns, ddof), centre.abs()) * periods_per_year.sqrt()
}

/// Mean above `minimum` a period over [`downside_deviation`], annualised (Sortino & Price 1994).
#[must_use]
pub fn sortino(returns: &[f64], periods_per_year: f64, minimum: f64) -> f64 {
    let centre = mean(returns);
    over(centre - minimum, semi_deviation(returns, minimum, 0), centre.abs()) * periods_per_year.sqrt()
}

/// Compound annual growth over the depth of the deepest fall.
#[must_use]
pub fn calmar(returns: &[f64], periods_per_year: f64) -> f64 {
    over(
        compound_annual_growth(returns, periods_per_year),
        -max_drawdown(returns, Compounding::Compounded),
        0.0,
    )
}

/// Gains above `threshold` a period over shortfalls below it (Keating & Shadwick 2002).
#[must_use]
pub fn omega(returns: &[f64], threshold: f64) -> f64 {
    let gains: f64 = returns.iter().map(|value| (value - threshold).max(0.0)).sum();
    let losses: f64 = returns.iter().map(|value| (threshold - value).max(0.0)).sum();
    over(gains, losses, 0.0)
}

/// Compound annual growth over the ulcer index (Martin & McCann 1989).
#[must_use]
pub fn ulcer_performance_index(returns: &[f64], periods_per_year: f64) -> f64 {
    over(
        compound_annual_growth(returns, periods_per_year),
        ulcer_index(returns, Compounding::Compounded),
        0.0,
    )
}

/// |95th percentile| over |5th percentile|, between neighbours in proportion.
#[must_use]
pub fn tail_ratio(returns: &[f64]) -> f64 {
    over(quantile(returns, 0.95).abs(), quantile(returns, 0.05).abs(), 0.0)
}

/// R² of cumulative log returns on time; NaN after a total loss.
#[must_use]
pub fn stability(returns: &[f64]) -> f64 {
    let mut sum = 0.0;
    let path: Vec<f64> = returns
        .iter()
        .map(|value| {
            sum += value.ln_1p();
            sum
        })
        .collect();
    let time: Vec<f64> = (0..path.len()).map(|row| row as f64).collect();
    super::regression(&path, &time).r_squared
}

/// Mean over variance (`ddof` 1): the stake of greatest growth with continuous trading (Thorp 2006).
#[must_use]
pub fn growth_optimal_fraction(returns: &[f64], risk_free: f64) -> f64 {
    let centre = mean(returns);
    over(centre - risk_free, super::variance(returns, 1), centre * centre)
}

/// Total return over the depth of the deepest fall.
#[must_use]
pub fn recovery_factor(returns: &[f64]) -> f64 {
    let deepest = drawdown_series(returns, Compounding::Compounded).into_iter().fold(0.0, f64::min);
    over(total_return(returns), -deepest, 0.0)
}

/// Sum of returns over the sum of losses (Schwager).
#[must_use]
pub fn gain_to_pain(returns: &[f64]) -> f64 {
    over(returns.iter().sum(), returns.iter().map(|value| (-value).max(0.0)).sum(), 0.0)
}

/// Share of rows above zero, rows at zero counting as misses.
#[must_use]
pub fn hit_rate(returns: &[f64]) -> f64 {
    returns.iter().filter(|value| **value > 0.0).count() as f64 / returns.len() as f64
}

/// Mean gain over mean loss.
#[must_use]
pub fn payoff(returns: &[f64]) -> f64 {
    let gains: Vec<f64> = returns.iter().copied().filter(|value| *value > 0.0).collect();
    let losses: Vec<f64> = returns.iter().copied().filter(|value| *value < 0.0).collect();
    over(mean(&gains), -mean(&losses), 0.0)
}
