//! What a path of net asset values says.

use serde::Serialize;

/// Sessions in a year, for annualising daily numbers.
pub const SESSIONS_PER_YEAR: f64 = 252.0;

/// Figures of one path of values. Fractions, not percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Performance {
    /// Last over first, minus one.
    pub total_return: f64,
    /// Compound return a year, by the number of periods.
    pub annual_return: f64,
    /// Standard deviation (ddof 1) of period returns, times √periods per year.
    pub annual_volatility: f64,
    /// Mean over standard deviation of period returns, times √periods per year; risk-free rate zero. Zero when the
    /// returns do not vary.
    pub sharpe: f64,
    /// Deepest fall from a running maximum, as a negative fraction; zero when there is none.
    pub max_drawdown: f64,
    /// Annual return over the depth of the deepest fall; zero when there is none.
    pub calmar: f64,
    /// Worst single period.
    pub worst_period: f64,
    /// Best single period.
    pub best_period: f64,
}

impl Performance {
    /// Figures of `values`, the first being the starting capital. `None` with fewer than two values, a value that is
    /// not finite, or a first value that is not positive.
    #[must_use]
    pub fn of_values(values: &[f64], periods_per_year: f64) -> Option<Self> {
        let (first, last) = (*values.first()?, *values.last()?);
        if values.len() < 2 || first <= 0.0 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let returns: Vec<f64> =
            values.windows(2).filter_map(|pair| Some(pair.get(1)? / pair.first()? - 1.0)).collect();
        let count = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / count;
        let squares: f64 = returns.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = if returns.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        let total_return = last / first - 1.0;
        let annual_return =
            if last > 0.0 { (last / first).powf(periods_per_year / count) - 1.0 } else { -1.0 };
        let max_drawdown = drawdowns(values).into_iter().fold(0.0_f64, f64::min);
        Some(Self {
            total_return,
            annual_return,
            annual_volatility: deviation * periods_per_year.sqrt(),
            sharpe: if deviation > 0.0 { mean / deviation * periods_per_year.sqrt() } else { 0.0 },
            max_drawdown,
            calmar: if max_drawdown < 0.0 { annual_return / -max_drawdown } else { 0.0 },
            worst_period: returns.iter().copied().fold(f64::INFINITY, f64::min),
            best_period: returns.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// Fall from the running maximum at each value, zero or negative; same length as `values`.
#[must_use]
pub fn drawdowns(values: &[f64]) -> Vec<f64> {
    let mut peak = f64::NEG_INFINITY;
    values
        .iter()
        .map(|value| {
            peak = peak.max(*value);
            if peak > 0.0 { value / peak - 1.0 } else { 0.0 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_path() {
        // Returns +10 %, -50 %, +100 %: mean 0.2, sample deviation sqrt((0.01+0.49+0.64)/2).
        let performance = Performance::of_values(&[100.0, 110.0, 55.0, 110.0], 3.0).unwrap();
        let close = |value: f64, expected: f64| (value - expected).abs() < 1e-12;
        assert!(close(performance.total_return, 0.1));
        assert!(close(performance.annual_return, 0.1));
        assert!(close(performance.max_drawdown, -0.5));
        assert!(close(performance.annual_volatility, (0.57_f64 * 3.0).sqrt()));
        assert!(close(performance.sharpe, 0.2 / 0.57_f64.sqrt() * 3.0_f64.sqrt()));
        assert!(close(performance.calmar, 0.2));
        assert!(close(performance.worst_period, -0.5) && close(performance.best_period, 1.0));
    }

    #[test]
    fn no_path_no_figures() {
        assert!(Performance::of_values(&[1.0], 252.0).is_none());
        assert!(Performance::of_values(&[0.0, 1.0], 252.0).is_none());
        assert!(Performance::of_values(&[1.0, f64::NAN], 252.0).is_none());
        let flat = Performance::of_values(&[1.0, 1.0, 1.0], 252.0).unwrap();
        assert_eq!((flat.sharpe, flat.max_drawdown, flat.calmar), (0.0, 0.0, 0.0));
    }
}
