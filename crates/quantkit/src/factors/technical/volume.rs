//! Prices with volume.

use super::{Prices, at_end, share, windows};

/// OBV: volume of rises less that of falls, from the volume of the first row.
#[must_use]
pub fn on_balance_volume(close: &[f64], volume: &[f64]) -> Vec<f64> {
    let mut total = volume.first().copied().unwrap_or(f64::NAN);
    let mut values = vec![total; close.len().min(1)];
    for ((before, now), volume) in close.iter().zip(close.iter().skip(1)).zip(volume.iter().skip(1)) {
        if now > before {
            total += volume;
        } else if now < before {
            total -= volume;
        }
        values.push(total);
    }
    values
}

/// AD (Chaikin): volume by where the close lies in the range, added up.
#[must_use]
pub fn accumulation(prices: Prices<'_>, volume: &[f64]) -> Vec<f64> {
    let mut total = 0.0;
    let rows = prices.rows().zip(volume);
    rows.map(|((high, low, close), volume)| {
        total += share((close - low) - (high - close), high - low) * volume;
        total
    })
    .collect()
}

/// ADOSC: fast less slow exponential mean of the same, both from its first value.
#[must_use]
pub fn accumulation_oscillator(prices: Prices<'_>, volume: &[f64], fast: usize, slow: usize) -> Vec<f64> {
    let weight = |period: usize| 2.0 / (period as f64 + 1.0);
    let line = accumulation(prices, volume);
    let Some(first) = line.first().copied() else { return Vec::new() };
    let (mut quick, mut calm) = (first, first);
    let mut values = vec![0.0];
    for new in line.iter().skip(1) {
        quick += (new - quick) * weight(fast);
        calm += (new - calm) * weight(slow);
        values.push(quick - calm);
    }
    let begin = fast.max(slow).saturating_sub(1);
    at_end(line.len(), values.into_iter().skip(begin).collect())
}

/// MFI: the share of turnover at rising typical prices, in percent; zero where hardly anything was traded.
#[must_use]
pub fn money_flow(prices: Prices<'_>, volume: &[f64], period: usize) -> Vec<f64> {
    let typical: Vec<f64> = prices.rows().map(|(high, low, close)| (high + low + close) / 3.0).collect();
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for ((before, now), volume) in typical.iter().zip(typical.iter().skip(1)).zip(volume.iter().skip(1)) {
        // Sums of other prices may be the same but for their rounding.
        let changed = (now - before).abs() > 8.0 * f64::EPSILON * now.abs();
        up.push(if changed && now > before { now * volume } else { 0.0 });
        down.push(if changed && now < before { now * volume } else { 0.0 });
    }
    let sums = |x: &[f64]| windows(x, period, |window| window.iter().sum());
    let flows = sums(&up).into_iter().zip(sums(&down));
    let values = flows.map(|(up, down)| if up + down < 1.0 { 0.0 } else { 100.0 * up / (up + down) });
    at_end(typical.len(), values.collect())
}
