//! True range, directional movement (Wilder 1978), parabolic stop.

use super::{Prices, at_end, begun, rows, share, wilder};

/// TRANGE: the range with the close before; the first row is missing.
#[must_use]
pub fn true_range(prices: Prices<'_>) -> Vec<f64> {
    let ranges = prices.rows().skip(1).zip(prices.close);
    let values = ranges
        .map(|((high, low, _), before)| (high - low).max((high - before).abs()).max((low - before).abs()));
    at_end(prices.len(), values.collect())
}

/// ATR: Wilder's mean of the true range.
#[must_use]
pub fn atr(prices: Prices<'_>, period: usize) -> Vec<f64> {
    wilder(&true_range(prices), period)
}

/// NATR: the same in percent of the close.
#[must_use]
pub fn natr(prices: Prices<'_>, period: usize) -> Vec<f64> {
    rows(&atr(prices, period), prices.close, |range, close| share(range, close) * 100.0)
}

/// Wilder's running sum, which begins with `period` − 1 rows; it is given from the next on.
fn running(x: &[f64], period: usize) -> Vec<f64> {
    let known = begun(x);
    let Some((first, rest)) = period.checked_sub(1).and_then(|count| known.split_at_checked(count)) else {
        return vec![f64::NAN; x.len()];
    };
    let mut sum: f64 = first.iter().sum();
    let values = rest.iter().map(|new| {
        sum = sum - sum / period as f64 + new;
        sum
    });
    at_end(x.len(), values.collect())
}

/// PLUS_DI and MINUS_DI: directional movement over true range, in percent.
#[must_use]
pub fn directional(prices: Prices<'_>, period: usize) -> [Vec<f64>; 2] {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for ((before_high, before_low, _), (high, low, _)) in prices.rows().zip(prices.rows().skip(1)) {
        let (rise, fall) = (high - before_high, before_low - low);
        up.push(if rise > 0.0 && rise > fall { rise } else { 0.0 });
        down.push(if fall > 0.0 && fall > rise { fall } else { 0.0 });
    }
    let range = running(&true_range(prices), period);
    [up, down].map(|moves| {
        let moves = running(&at_end(prices.len(), moves), period);
        rows(&moves, &range, |moves, range| 100.0 * share(moves, range))
    })
}

/// ADX: Wilder's mean of how much the two directions differ, in percent of both.
#[must_use]
pub fn adx(prices: Prices<'_>, period: usize) -> Vec<f64> {
    let [plus, minus] = directional(prices, period);
    wilder(&rows(&plus, &minus, |plus, minus| 100.0 * share((plus - minus).abs(), plus + minus)), period)
}

/// SAR (Wilder): the stop that follows a trend ever faster, by `step` for each new extreme up to `most`; the first direction is
/// that of the first two bars.
#[must_use]
pub fn parabolic_sar(high: &[f64], low: &[f64], step: f64, most: f64) -> Vec<f64> {
    let bars: Vec<(f64, f64)> = high.iter().copied().zip(low.iter().copied()).collect();
    let [first, second, ..] = bars.as_slice() else { return vec![f64::NAN; bars.len()] };
    let (rise, fall) = (second.0 - first.0, first.1 - second.1);
    let mut long = !(fall > 0.0 && fall > rise);
    let (mut extreme, mut stop) = if long { (second.0, first.1) } else { (second.1, first.0) };
    let mut pace = step;
    let mut before = *second;
    let mut values = Vec::new();
    for bar in bars.iter().skip(1) {
        // The stop stays outside the last two bars.
        let (top, bottom) = (before.0.max(bar.0), before.1.min(bar.1));
        let outside = |stop: f64, long: bool| if long { stop.min(bottom) } else { stop.max(top) };
        let hit = if long { bar.1 <= stop } else { bar.0 >= stop };
        if hit {
            long = !long;
            stop = outside(extreme, long);
            values.push(stop);
            pace = step;
            extreme = if long { bar.0 } else { bar.1 };
        } else {
            values.push(stop);
            let further = if long { bar.0 > extreme } else { bar.1 < extreme };
            if further {
                extreme = if long { bar.0 } else { bar.1 };
                pace = (pace + step).min(most);
            }
        }
        stop = outside(stop + pace * (extreme - stop), long);
        before = *bar;
    }
    at_end(bars.len(), values)
}
