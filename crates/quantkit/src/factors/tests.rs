//! Factors on data made here.

use super::*;
use mts_foundation::{Symbol, Timestamp, UniversePanel};
use ndarray::{Array2, Axis};

/// Bars that move as prices do, without chance: `rows` of six assets, the last with a hole.
pub(super) fn bars(rows: usize) -> UniversePanel {
    let noise = |t: usize, a: usize, kind: usize| {
        let mut state =
            (t as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (a as u64 * 31 + kind as u64 * 1_000_003);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((state ^ (state >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut close = Array2::zeros((rows, 6));
    for a in 0..6 {
        let mut level = 20.0 * (a + 1) as f64;
        for t in 0..rows {
            level *= 1.0 + (noise(t, a, 0) - 0.49) * 0.04;
            close[(t, a)] = level;
        }
    }
    let open =
        Array2::from_shape_fn((rows, 6), |(t, a)| close[(t, a)] * (1.0 + (noise(t, a, 1) - 0.5) * 0.02));
    let high = Array2::from_shape_fn((rows, 6), |at| {
        open[at].max(close[at]) * (1.001 + noise(at.0, at.1, 2) * 0.01)
    });
    let low = Array2::from_shape_fn((rows, 6), |at| {
        open[at].min(close[at]) * (0.999 - noise(at.0, at.1, 3) * 0.01)
    });
    let volume = Array2::from_shape_fn((rows, 6), |(t, a)| (1e4 + 1e6 * noise(t, a, 4)).round());
    if rows > 5 {
        close[(5, 5)] = f64::NAN;
    }
    let dates = (0..rows).map(|t| Timestamp::from_millis(t as i64)).collect();
    let symbols = (0..6).map(|a| Symbol::new(format!("S{a}")).unwrap()).collect();
    let mut panel = UniversePanel::of_closes(dates, symbols, close).unwrap();
    (panel.open, panel.high, panel.low, panel.volume) = (Some(open), Some(high), Some(low), Some(volume));
    panel
}

fn bits(panel: &Array2<f64>) -> Vec<u64> {
    panel.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
}

fn build(name: &str, json: &str) -> Result<Box<dyn Factor>, ComputeError> {
    builtin().unwrap().build(name, &serde_json::from_str(json).unwrap())
}

#[test]
fn factors_are_found_by_name_and_their_parameters_are_checked() {
    let factor = build("f_momentum_12_1", r#"{"h_long": 126}"#).unwrap();
    assert_eq!(factor.warm_up(), 126 + 21 + 1);
    let error = build("f_momentum_12_1", r#"{"h_lon": 126}"#).err().unwrap();
    assert!(error.message.contains("h_lon"), "{error}");
    let error = build("f_reversal_5", r#"{"h": 6}"#).err().unwrap();
    assert!(error.message.contains('h'), "{error}");
    for (name, json, words) in [
        ("f_my_realized_vol", r#"{"h": 0}"#, "h is 0"),
        ("f_crypto_realized_vol", r#"{"ema_alpha": 1.5}"#, "ema_alpha is 1.5"),
        ("f_mean_rev_5d", r#"{"h": 1}"#, "h is 1"),
        ("f_mean_rev_5d_vol_gated", r#"{"vol_threshold": 0}"#, "vol_threshold is 0"),
    ] {
        let error = build(name, json).err().unwrap();
        assert!(error.message.contains(words), "{error}");
    }
    assert!(SmaCross { p_fast: 5, p_slow: 5 }.compute(&bars(9)).is_err());
    let closes = UniversePanel::of_closes(
        bars(9).dates().to_vec(),
        bars(9).symbols().to_vec(),
        bars(9).close().clone(),
    );
    let error = build("f_parkinson_vol_21", "{}").unwrap().compute(&closes.unwrap()).unwrap_err();
    assert!(error.to_string().contains("f_parkinson_vol_21") && error.message.contains("High"), "{error}");
}

#[test]
fn there_are_as_many_as_the_vectors_have() {
    let listing = listing().unwrap();
    let count = |family: Family| listing.iter().filter(|(_, other)| *other == family).count();
    assert_eq!(
        [Family::Documented, Family::Classical, Family::Alpha101, Family::Alpha158].map(count),
        [6, 29, 49, 60]
    );
}

#[test]
fn every_factor_is_the_same_row_by_row_and_does_not_look_ahead() {
    let (whole, cut) = (bars(330), 300);
    let mut changed = whole.clone();
    for t in cut..330 {
        changed.close_mut().row_mut(t).mapv_inplace(|close| close * 1.5 + 1.0);
        for column in [&mut changed.open, &mut changed.high, &mut changed.low, &mut changed.volume] {
            column.as_mut().unwrap().row_mut(t).mapv_inplace(|value| value * 1.7 + 3.0);
        }
    }
    for (_, formula) in formulas() {
        let name = formula.name().to_owned();
        let raw = formula.raw(&whole).unwrap();
        let before = |panel: &Array2<f64>| bits(&panel.slice_axis(Axis(0), (..cut).into()).to_owned());
        assert_eq!(before(&raw), before(&formula.raw(&changed).unwrap()), "{name} looks ahead");
        let short = formula.raw(&whole.clone().up_to(Timestamp::from_millis(cut as i64 - 1))).unwrap();
        assert_eq!(before(&raw), bits(&short), "{name} depends on what follows");
        // Something is there once it is warm, and nothing before.
        let warm = formula.warm_up();
        assert!(raw.iter().any(|value| value.is_finite()), "{name} is empty");
        let early = |row: ndarray::ArrayView1<'_, f64>| row.iter().take(5).any(|value| value.is_finite());
        let first = raw.outer_iter().position(early).unwrap();
        assert!(warm <= 330, "{name} needs {warm} rows and has its first value at {first}");
        let mut program = Program::new(formula.expression(), 6).unwrap();
        for t in 0..330 {
            let row = |column: &Option<Array2<f64>>| column.as_ref().unwrap().row(t).to_vec();
            let (open, high, low) = (row(&whole.open), row(&whole.high), row(&whole.low));
            let (close, volume) = (whole.close().row(t).to_vec(), row(&whole.volume));
            let bars = Bars {
                open: Some(&open),
                high: Some(&high),
                low: Some(&low),
                close: Some(&close),
                volume: Some(&volume),
            };
            for (found, wanted) in program.push(bars).unwrap().iter().zip(raw.row(t)) {
                assert!(
                    found.to_bits() == wanted.to_bits() || !found.is_finite() && wanted.is_nan(),
                    "{name} at {t}"
                );
            }
        }
    }
}

/// The factor's score of an asset at a row, of raw values found plainly.
fn check(name: &str, json: &str, plain: impl Fn(&UniversePanel, usize, usize) -> f64) {
    let panel = bars(120);
    let scores = build(name, json).unwrap().compute(&panel).unwrap();
    for t in 0..120 {
        let mut row: ndarray::Array1<f64> = (0..6).map(|a| plain(&panel, t, a)).collect();
        crate::cross_section::zscore_in_place(row.view_mut());
        for (found, wanted) in scores.row(t).iter().zip(&row) {
            assert_eq!(found.is_nan(), wanted.is_nan(), "{name} at {t}: {found} not {wanted}");
            assert!(found.is_nan() || (found - wanted).abs() < 1e-9, "{name} at {t}: {found} not {wanted}");
        }
    }
}

fn log_returns(panel: &UniversePanel, t: usize, a: usize, count: usize) -> Option<Vec<f64>> {
    let close = panel.close();
    (t >= count).then(|| (t + 1 - count..=t).map(|t| (close[(t, a)] / close[(t - 1, a)]).ln()).collect())
}

fn population(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
}

#[test]
fn documented_factors_are_what_the_document_says() {
    let volatility = |panel: &UniversePanel, t: usize, a: usize, h: usize| {
        log_returns(panel, t, a, h).map_or(f64::NAN, |returns| population(&returns) * 252.0_f64.sqrt())
    };
    let fall = |panel: &UniversePanel, t: usize, a: usize, h: usize| {
        let close = panel.close();
        if t + 1 >= h { 1.0 - close[(t, a)] / close[(t + 1 - h, a)] } else { f64::NAN }
    };
    check("f_my_realized_vol", r#"{"h": 9}"#, |panel, t, a| volatility(panel, t, a, 9));
    check("f_mean_rev_5d", "{}", |panel, t, a| fall(panel, t, a, 5));
    check("f_mean_rev_5d_vol_gated", r#"{"vol_threshold": 0.18}"#, |panel, t, a| {
        if volatility(panel, t, a, 21) <= 0.18 { fall(panel, t, a, 5) } else { f64::NAN }
    });
    check("f_crypto_realized_vol", r#"{"h": 7, "ema_alpha": 0.8}"#, |panel, t, a| {
        let Some(returns) = log_returns(panel, t, a, 7) else { return f64::NAN };
        let weights: Vec<f64> = (0..7).map(|place| 0.8_f64.powi(6 - place)).collect();
        let total: f64 = weights.iter().sum();
        let mean = returns.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>() / total;
        (returns.iter().zip(&weights).map(|(x, w)| w * (x - mean).powi(2)).sum::<f64>() / total).sqrt()
    });
}

#[test]
fn means_that_cross_are_those_of_the_rows_before() {
    let panel = bars(40);
    let scores = SmaCross { p_fast: 3, p_slow: 8 }.compute(&panel).unwrap();
    let close = panel.close();
    for t in 0..40 {
        for a in 0..6_usize {
            let mean = |window: usize| {
                let rows: Vec<f64> = (t.max(window) - window..t).map(|t| close[(t, a)]).collect();
                rows.iter().sum::<f64>() / rows.len() as f64
            };
            let wanted = if t > 0 && mean(3) > mean(8) { 1.0 } else { -1.0 };
            let missing = close[(t, a)].is_nan() || t > 0 && mean(8).is_nan();
            assert_eq!(missing, scores[(t, a)].is_nan(), "row {t}, column {a}");
            assert!(missing || (scores[(t, a)] - wanted).abs() < 1e-15, "row {t}, column {a}");
        }
    }
}
