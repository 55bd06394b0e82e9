//! How far and how steadily prices went.

use super::{Prices, at_end, begun, changes, greatest, least, mean_of, rows, share, sma, wilder, windows};

/// MOM: the change over some rows.
#[must_use]
pub fn momentum(x: &[f64], period: usize) -> Vec<f64> {
    at_end(x.len(), x.iter().zip(x.iter().skip(period)).map(|(before, now)| now - before).collect())
}

/// ROC: the same in percent.
#[must_use]
pub fn rate_of_change(x: &[f64], period: usize) -> Vec<f64> {
    let change = |(before, now): (&f64, &f64)| share(*now, *before) * 100.0 - 100.0 * share(*before, *before);
    at_end(x.len(), x.iter().zip(x.iter().skip(period)).map(change).collect())
}

/// Wilder's means of rises and of falls.
fn rises_and_falls(x: &[f64], period: usize) -> (Vec<f64>, Vec<f64>) {
    let changes = changes(x);
    let part = |sign: f64| -> Vec<f64> {
        let part =
            changes.iter().map(|change| if change.is_nan() { *change } else { (change * sign).max(0.0) });
        wilder(&part.collect::<Vec<_>>(), period)
    };
    (part(1.0), part(-1.0))
}

/// RSI (Wilder): the share of rises, in percent.
#[must_use]
pub fn rsi(x: &[f64], period: usize) -> Vec<f64> {
    let (rises, falls) = rises_and_falls(x, period);
    rows(&rises, &falls, |rises, falls| 100.0 * share(rises, rises + falls))
}

/// CMO (Chande), smoothed as by Wilder: rises less falls over both, in percent.
#[must_use]
pub fn cmo(x: &[f64], period: usize) -> Vec<f64> {
    let (rises, falls) = rises_and_falls(x, period);
    rows(&rises, &falls, |rises, falls| 100.0 * share(rises - falls, rises + falls))
}

/// CCI (Lambert): the typical price's distance from its mean over 0.015 mean absolute deviations.
#[must_use]
pub fn cci(prices: Prices<'_>, period: usize) -> Vec<f64> {
    let typical: Vec<f64> = prices.rows().map(|(high, low, close)| (high + low + close) / 3.0).collect();
    windows(&typical, period, |window| {
        let mean = mean_of(window);
        let deviation = window.iter().map(|value| (value - mean).abs()).sum::<f64>() / window.len() as f64;
        window.last().map_or(f64::NAN, |last| share(last - mean, 0.015 * deviation))
    })
}

/// Where closes lie between a window's lowest low and highest high, in percent.
fn place(prices: Prices<'_>, period: usize) -> Vec<f64> {
    let (high, low) = (windows(prices.high, period, greatest), windows(prices.low, period, least));
    let place = high.iter().zip(&low).zip(prices.close);
    place.map(|((high, low), close)| 100.0 * share(close - low, high - low)).collect()
}

/// WILLR (Williams): how far closes lie below a window's highest high, −100 to 0.
#[must_use]
pub fn williams(prices: Prices<'_>, period: usize) -> Vec<f64> {
    let (high, low) = (windows(prices.high, period, greatest), windows(prices.low, period, least));
    let below = high.iter().zip(&low).zip(prices.close);
    below.map(|((high, low), close)| -100.0 * share(high - close, high - low)).collect()
}

/// `first` where `second` is there.
fn while_there(first: &[f64], second: &[f64]) -> Vec<f64> {
    rows(first, second, |first, second| if second.is_nan() { f64::NAN } else { first })
}

/// STOCH: slow %K and %D with plain means, both from the row on where both are there.
#[must_use]
pub fn stochastic(prices: Prices<'_>, fast: usize, slow_k: usize, slow_d: usize) -> [Vec<f64>; 2] {
    let k = sma(&place(prices, fast), slow_k);
    let d = sma(&k, slow_d);
    [while_there(&k, &d), d]
}

/// STOCHRSI: fast %K and %D of the RSI.
#[must_use]
pub fn stochastic_rsi(x: &[f64], period: usize, fast_k: usize, fast_d: usize) -> [Vec<f64>; 2] {
    let rsi = rsi(x, period);
    let known = begun(&rsi);
    let k = at_end(x.len(), place(Prices { high: known, low: known, close: known }, fast_k));
    let d = sma(&k, fast_d);
    [while_there(&k, &d), d]
}

/// ULTOSC (Williams): buying pressure over true range, of three windows, 4 : 2 : 1.
#[must_use]
pub fn ultimate(prices: Prices<'_>, periods: [usize; 3]) -> Vec<f64> {
    let (mut pressure, mut range) = (Vec::new(), Vec::new());
    for ((high, low, close), before) in prices.rows().skip(1).zip(prices.close) {
        pressure.push(close - low.min(*before));
        range.push(high.max(*before) - low.min(*before));
    }
    let mut out = vec![0.0; pressure.len()];
    for (period, weight) in periods.into_iter().zip([4.0, 2.0, 1.0]) {
        let sums = |x: &[f64]| windows(x, period, |window| window.iter().sum());
        let part = rows(&sums(&pressure), &sums(&range), share);
        out.iter_mut().zip(part).for_each(|(out, part)| *out += 100.0 * part * weight / 7.0);
    }
    at_end(prices.len(), out)
}

/// AROON (Chande), down and up: how recent the lowest low and the highest high of `period` + 1 rows are, in percent; of
/// equals the newest counts.
#[must_use]
pub fn aroon(high: &[f64], low: &[f64], period: usize) -> [Vec<f64>; 2] {
    let recent = |x: &[f64], best: fn(&[f64]) -> f64| {
        windows(x, period + 1, |window| {
            let wanted = best(window);
            let place = window.iter().rposition(|value| value.total_cmp(&wanted).is_eq());
            place.map_or(f64::NAN, |place| 100.0 * place as f64 / period as f64)
        })
    };
    [recent(low, least), recent(high, greatest)]
}

/// BOP: close less open over the range.
#[must_use]
pub fn balance_of_power(open: &[f64], prices: Prices<'_>) -> Vec<f64> {
    prices.rows().zip(open).map(|((high, low, close), open)| share(close - open, high - low)).collect()
}
