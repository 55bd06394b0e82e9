//! Falls from the highest value so far, of a series of returns.

/// How returns add up to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compounding {
    /// Values multiply; a fall is a fraction of the peak.
    #[default]
    Compounded,
    /// Returns add; a fall is a difference (skfolio's default, Riskfolio's `_Abs`).
    Summed,
}

/// Fall at each row, zero or negative. The start before the first row counts as a peak.
#[must_use]
pub fn drawdown_series(returns: &[f64], compounding: Compounding) -> Vec<f64> {
    let (mut value, mut peak) = (1.0_f64, 1.0_f64);
    returns
        .iter()
        .map(|row| match compounding {
            Compounding::Compounded => {
                value *= 1.0 + row;
                peak = peak.max(value);
                value / peak - 1.0
            }
            Compounding::Summed => {
                value += row;
                peak = peak.max(value);
                value - peak
            }
        })
        .collect()
}

/// The deepest fall, zero or negative.
#[must_use]
pub fn max_drawdown(returns: &[f64], compounding: Compounding) -> f64 {
    drawdown_series(returns, compounding).into_iter().fold(0.0, f64::min)
}

/// Mean over all rows, also those at a peak; zero or negative.
#[must_use]
pub fn average_drawdown(returns: &[f64], compounding: Compounding) -> f64 {
    super::mean(&drawdown_series(returns, compounding))
}

/// Root of the mean squared fall (Martin & McCann 1989), over n rows.
#[must_use]
pub fn ulcer_index(returns: &[f64], compounding: Compounding) -> f64 {
    let falls = drawdown_series(returns, compounding);
    (falls.iter().map(|fall| fall * fall).sum::<f64>() / falls.len() as f64).sqrt()
}

/// The most rows in a row below a peak.
#[must_use]
pub fn longest_drawdown(returns: &[f64]) -> usize {
    let (mut longest, mut current) = (0, 0);
    for fall in drawdown_series(returns, Compounding::Compounded) {
        current = if fall < 0.0 { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}
