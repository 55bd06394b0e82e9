//! Averages, lines and what is made of them.

use super::{at_end, begun, changes, greatest, least, mean_of, recursive, rows, share, windows};

/// SMA: the mean of a window.
#[must_use]
pub fn sma(x: &[f64], period: usize) -> Vec<f64> {
    at_end(x.len(), windows(begun(x), period, mean_of))
}

/// EMA: the newest value weighs 2 / (period + 1); seeded by the mean of the first `period` values.
#[must_use]
pub fn ema(x: &[f64], period: usize) -> Vec<f64> {
    let weight = 2.0 / (period as f64 + 1.0);
    recursive(x, period, |before, new| (new - before) * weight + before)
}

/// WMA: weights 1, 2, … period.
#[must_use]
pub fn wma(x: &[f64], period: usize) -> Vec<f64> {
    let rows = period as f64;
    windows(x, period, |window| {
        window.iter().zip(1_u32..).map(|(value, weight)| value * f64::from(weight)).sum::<f64>()
            / (rows * (rows + 1.0) / 2.0)
    })
}

/// DEMA: twice the exponential mean less its own exponential mean.
#[must_use]
pub fn dema(x: &[f64], period: usize) -> Vec<f64> {
    let first = ema(x, period);
    rows(&first, &ema(&first, period), |first, second| 2.0 * first - second)
}

/// TEMA: the same to the third.
#[must_use]
pub fn tema(x: &[f64], period: usize) -> Vec<f64> {
    let first = ema(x, period);
    let second = ema(&first, period);
    let third = ema(&second, period);
    rows(&rows(&first, &second, |first, second| 3.0 * first - 3.0 * second), &third, |both, third| {
        both + third
    })
}

/// TRIMA: the mean of means, which weighs the middle of the window most.
#[must_use]
pub fn trima(x: &[f64], period: usize) -> Vec<f64> {
    sma(&sma(x, period / 2 + 1), period.div_ceil(2))
}

/// KAMA (Kaufman): the faster, the straighter the path of the window; constants of 2 and 30 rows, seeded by the value before
/// the first.
#[must_use]
pub fn kama(x: &[f64], period: usize) -> Vec<f64> {
    let (fast, slow) = (2.0 / 3.0, 2.0 / 31.0);
    let mut values = Vec::new();
    let mut before = period.checked_sub(1).and_then(|row| x.get(row)).copied().unwrap_or(f64::NAN);
    for window in x.windows(period + 1) {
        let (Some(first), Some(last)) = (window.first(), window.last()) else { continue };
        let path: f64 = begun(&changes(window)).iter().map(|change| change.abs()).sum();
        let way = last - first;
        let efficiency = if path <= way || path <= 0.0 { 1.0 } else { (way / path).abs() };
        let weight = (efficiency * (fast - slow) + slow).powi(2);
        before += (last - before) * weight;
        values.push(before);
    }
    at_end(x.len(), values)
}

/// T3 (Tillson): six exponential means, weighed by a volume factor.
#[must_use]
pub fn t3(x: &[f64], period: usize, factor: f64) -> Vec<f64> {
    let mut all = Vec::new();
    let mut last = x.to_vec();
    for _ in 0..6 {
        last = ema(&last, period);
        all.push(last.clone());
    }
    let (square, cube) = (factor * factor, factor * factor * factor);
    let weights = [
        1.0 + 3.0 * factor + cube + 3.0 * square,
        -6.0 * square - 3.0 * (factor + cube),
        3.0 * (square + cube),
        -cube,
    ];
    let mut out = vec![0.0; x.len()];
    for (mean, weight) in all.iter().skip(2).zip(weights) {
        out.iter_mut().zip(mean).for_each(|(out, mean)| *out += mean * weight);
    }
    out
}

/// TRIX: the change in percent of the exponential mean of the exponential mean of the exponential mean.
#[must_use]
pub fn trix(x: &[f64], period: usize) -> Vec<f64> {
    super::rate_of_change(&ema(&ema(&ema(x, period), period), period), 1)
}

/// PPO: the fast mean above the slow one, in percent of it; plain means, TA-Lib's default.
#[must_use]
pub fn percentage_price(x: &[f64], fast: usize, slow: usize) -> Vec<f64> {
    rows(&sma(x, fast), &sma(x, slow), |fast, slow| share(fast - slow, slow) * 100.0)
}

/// MACD: fast less slow exponential mean, its own exponential mean, and their difference, all from the row on where all
/// are there. The fast mean is seeded by the values up to the row at which the slow one begins.
#[must_use]
pub fn macd(x: &[f64], fast: usize, slow: usize, signal: usize) -> [Vec<f64>; 3] {
    let late = x.get(slow.saturating_sub(fast)..).unwrap_or_default();
    let fast = at_end(x.len(), ema(late, fast));
    let line = rows(&fast, &ema(x, slow), |fast, slow| fast - slow);
    let signal = ema(&line, signal);
    let difference = rows(&line, &signal, |line, signal| line - signal);
    let line = rows(&line, &signal, |line, signal| if signal.is_nan() { f64::NAN } else { line });
    [line, signal, difference]
}

/// STDDEV: of the population of a window.
#[must_use]
pub fn standard_deviation(x: &[f64], period: usize) -> Vec<f64> {
    windows(x, period, |window| {
        let mean = mean_of(window);
        (window.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / window.len() as f64).sqrt()
    })
}

/// BBANDS: the mean plus `up` deviations, the mean, and the mean less `down` deviations.
#[must_use]
pub fn bollinger(x: &[f64], period: usize, up: f64, down: f64) -> [Vec<f64>; 3] {
    let (middle, deviation) = (sma(x, period), standard_deviation(x, period));
    let upper = rows(&middle, &deviation, |middle, deviation| middle + up * deviation);
    let lower = rows(&middle, &deviation, |middle, deviation| middle - down * deviation);
    [upper, middle, lower]
}

/// The line through a window, `ahead` rows after its newest: LINEARREG with 0, TSF with 1; and its slope, LINEARREG_SLOPE.
#[must_use]
pub fn linear_regression(x: &[f64], period: usize, ahead: f64) -> [Vec<f64>; 2] {
    let count = period as f64;
    let middle = (count - 1.0) / 2.0;
    let slope = windows(x, period, |window| {
        let mean = mean_of(window);
        let products: f64 =
            window.iter().zip(0_u32..).map(|(value, row)| (value - mean) * (f64::from(row) - middle)).sum();
        products / (count * (count * count - 1.0) / 12.0)
    });
    let line = rows(&sma(x, period), &slope, |mean, slope| mean + slope * (middle + ahead));
    [line, slope]
}

/// CORREL: correlation of two series over a window; zero where one does not vary.
#[must_use]
pub fn correlation(x: &[f64], y: &[f64], period: usize) -> Vec<f64> {
    pairs(x, y, period, |xx, yy, xy| share(xy, (xx * yy).sqrt()))
}

/// BETA: the slope of the returns of `y` on those of `x` over a window.
#[must_use]
pub fn beta(x: &[f64], y: &[f64], period: usize) -> Vec<f64> {
    let returns = |series: &[f64]| super::rate_of_change(series, 1);
    let (x_returns, y_returns) = (returns(x), returns(y));
    let values = pairs(begun(&x_returns), begun(&y_returns), period, |xx, _, xy| share(xy, xx));
    at_end(x.len(), values)
}

fn pairs(x: &[f64], y: &[f64], period: usize, of: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
    if period == 0 {
        return vec![f64::NAN; x.len()];
    }
    let values = x.windows(period).zip(y.windows(period)).map(|(x, y)| {
        let (mean_x, mean_y) = (mean_of(x), mean_of(y));
        let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
        for (x, y) in x.iter().zip(y) {
            xx += (x - mean_x) * (x - mean_x);
            yy += (y - mean_y) * (y - mean_y);
            xy += (x - mean_x) * (y - mean_y);
        }
        of(xx, yy, xy)
    });
    at_end(x.len(), values.collect())
}

/// MIDPRICE: the middle of a window's highest high and lowest low.
#[must_use]
pub fn median_price(high: &[f64], low: &[f64], period: usize) -> Vec<f64> {
    rows(&windows(high, period, greatest), &windows(low, period, least), |high, low| (high + low) / 2.0)
}
