//! Returns beside a benchmark's, row by row. Lists of different lengths are read to the shorter end.

use super::{compound_annual_growth, mean, sharpe, standard_deviation};

/// A line through returns, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regression {
    /// Slope: covariance over the benchmark's variance.
    pub beta: f64,
    /// Intercept a period. Times the periods of a year it is Jensen's alpha without compounding.
    pub alpha: f64,
    /// Pearson's correlation.
    pub correlation: f64,
    /// Its square.
    pub r_squared: f64,
}

/// Of `returns` on `benchmark`; NaN where one does not vary.
#[must_use]
pub fn regression(returns: &[f64], benchmark: &[f64]) -> Regression {
    let count = returns.len().min(benchmark.len()) as f64;
    let pairs = || returns.iter().zip(benchmark);
    let (sum, sum_benchmark) = pairs().fold((0.0, 0.0), |sums, pair| (sums.0 + pair.0, sums.1 + pair.1));
    let (centre, centre_benchmark) = (sum / count, sum_benchmark / count);
    let (mut square, mut square_benchmark, mut cross) = (0.0, 0.0, 0.0);
    for (value, benchmark) in pairs() {
        let (value, benchmark) = (value - centre, benchmark - centre_benchmark);
        square += value * value;
        square_benchmark += benchmark * benchmark;
        cross += value * benchmark;
    }
    let varies = |square: f64, centre: f64| square > count * (4.0 * f64::EPSILON * centre).powi(2);
    if !varies(square_benchmark, centre_benchmark) {
        return Regression { beta: f64::NAN, alpha: f64::NAN, correlation: f64::NAN, r_squared: f64::NAN };
    }
    let beta = cross / square_benchmark;
    let correlation =
        if varies(square, centre) { cross / (square * square_benchmark).sqrt() } else { f64::NAN };
    let alpha = centre - beta * centre_benchmark;
    Regression { beta, alpha, correlation, r_squared: correlation * correlation }
}

/// Returns above the benchmark's. The deviation of these, annualised, is the tracking error.
#[must_use]
pub fn active(returns: &[f64], benchmark: &[f64]) -> Vec<f64> {
    returns.iter().zip(benchmark).map(|(value, benchmark)| value - benchmark).collect()
}

/// Mean over deviation (ddof 1) of [`active`] returns, annualised; NaN without active risk.
#[must_use]
pub fn information_ratio(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> f64 {
    sharpe(&active(returns, benchmark), periods_per_year, 0.0, 1)
}

/// Annual arithmetic mean above `risk_free` a period over beta (Treynor 1965).
#[must_use]
pub fn treynor(returns: &[f64], benchmark: &[f64], periods_per_year: f64, risk_free: f64) -> f64 {
    (mean(returns) - risk_free) * periods_per_year / regression(returns, benchmark).beta
}

/// Annual return at the benchmark's volatility (Modigliani & Modigliani 1997), `risk_free` a period.
#[must_use]
pub fn modigliani(returns: &[f64], benchmark: &[f64], periods_per_year: f64, risk_free: f64) -> f64 {
    let scale = standard_deviation(benchmark, 1) * periods_per_year.sqrt();
    sharpe(returns, periods_per_year, risk_free, 1) * scale + risk_free * periods_per_year
}

/// Annualised growth in the benchmark's rising (`up`) or falling rows, over the benchmark's own.
#[must_use]
pub fn capture(returns: &[f64], benchmark: &[f64], periods_per_year: f64, up: bool) -> f64 {
    let chosen = returns.iter().zip(benchmark).filter(|(_, row)| if up { **row > 0.0 } else { **row < 0.0 });
    let (own, theirs): (Vec<f64>, Vec<f64>) = chosen.unzip();
    compound_annual_growth(&own, periods_per_year) / compound_annual_growth(&theirs, periods_per_year)
}
