//! Indicators against their definitions, written plainly, on series made here.

use super::*;
use crate::operators::{Line, Rolling};
use ndarray::Array2;

struct Series {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

fn series(rows: usize) -> Series {
    let wave = |t: usize, speed: f64| (t as f64 * speed).sin();
    let close: Vec<f64> = (0..rows).map(|t| 100.0 + 7.0 * wave(t, 0.21) + 3.0 * wave(t, 1.37)).collect();
    let open: Vec<f64> = close.iter().zip(0..).map(|(close, t)| close + 0.8 * wave(t, 2.9)).collect();
    let above = |t: usize| open[t].max(close[t]) + 0.5 + 0.4 * wave(t, 0.77);
    let below = |t: usize| open[t].min(close[t]) - 0.5 - 0.4 * wave(t, 1.91);
    let (high, low) = ((0..rows).map(above).collect(), (0..rows).map(below).collect());
    let volume = (0..rows).map(|t| (1e5 * (2.0 + wave(t, 0.6))).round()).collect();
    Series { open, high, low, close, volume }
}

/// One of each, over the first `rows` rows.
fn all(rows: usize) -> Vec<Vec<f64>> {
    let Series { open, high, low, close, volume } = series(rows);
    let prices = Prices { high: &high, low: &low, close: &close };
    let mut all = vec![
        sma(&close, 5),
        ema(&close, 5),
        wma(&close, 5),
        dema(&close, 5),
        tema(&close, 5),
        trima(&close, 5),
        trima(&close, 6),
        kama(&close, 5),
        t3(&close, 3, 0.7),
        trix(&close, 4),
        percentage_price(&close, 3, 8),
        standard_deviation(&close, 5),
        correlation(&high, &low, 6),
        beta(&high, &low, 6),
        median_price(&high, &low, 6),
        rsi(&close, 6),
        cmo(&close, 6),
        rate_of_change(&close, 6),
        momentum(&close, 6),
        cci(prices, 6),
        williams(prices, 6),
        ultimate(prices, [3, 5, 8]),
        balance_of_power(&open, prices),
        true_range(prices),
        atr(prices, 6),
        natr(prices, 6),
        adx(prices, 6),
        parabolic_sar(&high, &low, 0.02, 0.2),
        money_flow(prices, &volume, 6),
        on_balance_volume(&close, &volume),
        accumulation(prices, &volume),
        accumulation_oscillator(prices, &volume, 3, 7),
    ];
    all.extend(macd(&close, 4, 9, 3));
    all.extend(bollinger(&close, 5, 2.0, 1.0));
    all.extend(linear_regression(&close, 5, 1.0));
    all.extend(stochastic(prices, 5, 3, 3));
    all.extend(stochastic_rsi(&close, 5, 5, 3));
    all.extend(aroon(&high, &low, 6));
    all.extend(directional(prices, 6));
    all
}

fn near(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (t, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert_eq!(found.is_nan(), wanted.is_nan(), "row {t}: {found} not {wanted}");
        assert!(found.is_nan() || (found - wanted).abs() < 1e-9, "row {t}: {found} not {wanted}");
    }
}

#[test]
fn nothing_looks_ahead_and_short_series_have_no_values() {
    let whole = all(90);
    for rows in [0, 1, 2, 5, 11, 40, 89] {
        for (place, (short, whole)) in all(rows).iter().zip(&whole).enumerate() {
            assert_eq!(short.len(), rows, "series {place}");
            near(short, &whole[..rows]);
        }
    }
    assert!(whole.iter().all(|series| series[89].is_finite()));
    assert!(sma(&[1.0, 2.0], 0).iter().chain(&ema(&[1.0, 2.0], 0)).all(|value| value.is_nan()));
}

#[test]
fn windows_are_those_of_the_operators() {
    let Series { high, low, close, .. } = series(60);
    let column = |x: &[f64]| Array2::from_shape_vec((x.len(), 1), x.to_vec()).unwrap();
    let (x, h, l) = (column(&close), column(&high), column(&low));
    let one = |operator: Rolling| operator.of(&[x.view()]).unwrap().column(0).to_vec();
    near(&sma(&close, 7), &one(Rolling::Mean(7)));
    near(&wma(&close, 7), &one(Rolling::DecayLinear(7)));
    near(&standard_deviation(&close, 7), &one(Rolling::Deviation { window: 7, ddof: 0 }));
    near(&linear_regression(&close, 7, 0.0)[1], &one(Rolling::Trend { window: 7, line: Line::Slope }));
    near(&momentum(&close, 7), &one(Rolling::Delta(7)));
    let both = Rolling::Correlation(7).of(&[h.view(), l.view()]).unwrap().column(0).to_vec();
    near(&correlation(&high, &low, 7), &both);
}

#[test]
fn what_is_recursive_starts_as_documented() {
    let x = [1.0, 2.0, 6.0, 4.0, 5.0];
    // Half of each new value after the mean of three.
    near(&ema(&x, 3), &[f64::NAN, f64::NAN, 3.0, 3.5, 4.25]);
    // Rises 1, 4, 0, 1 and falls 0, 0, 2, 0: means of two, then halves.
    near(&rsi(&x, 2), &[f64::NAN, f64::NAN, 100.0, 100.0 * 1.25 / 2.25, 100.0 * 1.125 / 1.625]);
    near(&cmo(&x, 2), &[f64::NAN, f64::NAN, 100.0, 100.0 * 0.25 / 2.25, 100.0 * 0.625 / 1.625]);
    let prices = Prices { high: &[2.0, 4.0, 5.0], low: &[1.0, 2.0, 1.0], close: &[1.5, 3.0, 2.0] };
    near(&true_range(prices), &[f64::NAN, 2.5, 4.0]);
    near(&atr(prices, 2), &[f64::NAN, f64::NAN, 3.25]);
    near(&on_balance_volume(prices.close, &[10.0, 5.0, 2.0]), &[10.0, 15.0, 13.0]);
    // Volume by place in the range: 0, 0, then (1 - 3) / 4.
    near(&accumulation(prices, &[10.0, 5.0, 2.0]), &[0.0, 0.0, -1.0]);
    near(&aroon(&[3.0, 5.0, 5.0, 4.0], &[1.0, 1.0, 2.0, 0.5], 2)[1], &[f64::NAN, f64::NAN, 100.0, 50.0]);
    // A rise: the stop is the first low, then goes 0.1 of the way to the highest high, but not above the last lows.
    let stop = parabolic_sar(&[10.0, 11.0, 12.0, 9.0], &[9.0, 10.0, 11.0, 8.0], 0.1, 0.2);
    near(&stop, &[f64::NAN, 9.0, 9.2, 12.0]);
}
