//! Technical indicators of one series of bars, oldest first, seeded as TA-Lib (BSD) seeds them, so that results are the same to
//! the first value.
//!
//! Results are as long as the input, NaN where there is none yet. What is recursive depends on the first row: an exponential
//! mean starts from the plain mean of its first rows, Wilder's smoothing too. Inputs must be without holes after their
//! first value; a hole makes what is recursive missing from there on. A period of zero gives no values.

mod averages;
mod momentum;
mod range;
mod volume;

pub use averages::{
    beta, bollinger, correlation, dema, ema, kama, linear_regression, macd, median_price, percentage_price,
    sma, standard_deviation, t3, tema, trima, trix, wma,
};
pub use momentum::{
    aroon, balance_of_power, cci, cmo, momentum, rate_of_change, rsi, stochastic, stochastic_rsi, ultimate,
    williams,
};
pub use range::{adx, atr, directional, natr, parabolic_sar, true_range};
pub use volume::{accumulation, accumulation_oscillator, money_flow, on_balance_volume};

/// The prices of bars.
#[derive(Debug, Clone, Copy)]
pub struct Prices<'a> {
    /// Highest.
    pub high: &'a [f64],
    /// Lowest.
    pub low: &'a [f64],
    /// Last.
    pub close: &'a [f64],
}

impl Prices<'_> {
    /// High, low and close by row.
    fn rows(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.high.iter().zip(self.low).zip(self.close).map(|((high, low), close)| (*high, *low, *close))
    }

    fn len(&self) -> usize {
        self.high.len().min(self.low.len()).min(self.close.len())
    }
}

/// Values at the end of a series of that length, NaN before them.
fn at_end(length: usize, values: Vec<f64>) -> Vec<f64> {
    let mut all = vec![f64::NAN; length.saturating_sub(values.len())];
    all.extend(values);
    all.truncate(length);
    all
}

/// A function of each window of that many rows.
fn windows(x: &[f64], period: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    if period == 0 {
        return vec![f64::NAN; x.len()];
    }
    at_end(x.len(), x.windows(period).map(of).collect())
}

/// What comes of two series, row by row.
fn rows(left: &[f64], right: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| of(*left, *right)).collect()
}

/// A share, or zero of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole.abs() > 0.0 || whole.is_nan() { part / whole } else { 0.0 }
}

fn mean_of(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn greatest(x: &[f64]) -> f64 {
    x.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn least(x: &[f64]) -> f64 {
    x.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Values without those missing at the beginning.
fn begun(x: &[f64]) -> &[f64] {
    let first = x.iter().position(|value| !value.is_nan()).unwrap_or(x.len());
    x.get(first..).unwrap_or_default()
}

/// A recursion that starts from the mean of the first rows: `step` of the value before and the new one.
fn recursive(x: &[f64], period: usize, step: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let known = begun(x);
    let Some((first, rest)) = known.split_at_checked(period).filter(|_| period > 0) else {
        return vec![f64::NAN; x.len()];
    };
    let mut value = mean_of(first);
    let mut values = vec![value];
    for new in rest {
        value = step(value, *new);
        values.push(value);
    }
    at_end(x.len(), values)
}

/// Wilder's smoothing: each new value counts one part in `period`.
fn wilder(x: &[f64], period: usize) -> Vec<f64> {
    let rows = period as f64;
    recursive(x, period, |before, new| (before * (rows - 1.0) + new) / rows)
}

/// Differences from row to row; the first is missing.
fn changes(x: &[f64]) -> Vec<f64> {
    windows(x, 2, |pair| match pair {
        [before, now] => now - before,
        _ => f64::NAN,
    })
}

#[cfg(test)]
mod tests;
