//! What every sizer promises, and the figures of the documents.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(
    clippy::float_cmp,
    reason = "what is no weight is exactly zero, and the same sum is the same number"
)]

use mts_foundation::Symbol;
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
use mts_portfolio::sizers::{builtin, kelly_fraction, realized_volatility, vol_target_weights};
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

fn symbols(count: usize) -> Vec<Symbol> {
    (0..count).map(|place| Symbol::new(format!("S{place:03}")).unwrap()).collect()
}

fn sizer(name: &str, parameters: &str) -> Box<dyn Sizer> {
    builtin().unwrap().build(name, &serde_json::from_str(parameters).unwrap()).unwrap()
}

fn size(sizer: &dyn Sizer, signal: &Array1<f64>, returns: &Array2<f64>) -> Result<Array1<f64>, ComputeError> {
    let symbols = symbols(signal.len());
    sizer.size(&SizingInput { symbols: &symbols, signal: signal.view(), returns: Some(returns.view()) })
}

/// Without returns.
fn sized(name: &str, parameters: &str, signal: &Array1<f64>) -> Result<Array1<f64>, ComputeError> {
    let symbols = symbols(signal.len());
    sizer(name, parameters).size(&SizingInput::of_signal(&symbols, signal.view()))
}

fn refusal(name: &str, parameters: &str, signal: &Array1<f64>) -> String {
    sized(name, parameters, signal).unwrap_err().to_string()
}

/// Returns without order but always the same, every instrument of another size.
fn returns(rows: usize, columns: usize) -> Array2<f64> {
    let mut state = 42_u64;
    Array2::from_shape_fn((rows, columns), |(_, column)| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 0.02 * (column + 1) as f64
    })
}

fn gross(weights: &Array1<f64>) -> f64 {
    weights.iter().map(|weight| weight.abs()).sum()
}

#[test]
fn the_documented_long_and_short_book() {
    // The documents print another one, in which the signal -0.3 is not sold (decision F3).
    let signal = array![0.5, 1.2, -0.3, 2.1, -1.5, 0.8];
    let two = r#"{"n_long":2,"n_short":2}"#;
    assert_eq!(sized("equal_weight_ls", two, &signal).unwrap(), array![0.0, 0.25, -0.25, 0.25, -0.25, 0.0]);
    let wide = sized("equal_weight_ls", "{}", &Array1::from_iter((0..12).map(f64::from))).unwrap();
    assert_eq!((wide[11], wide[0], wide[5]), (0.1, -0.1, 0.0));
    let message = refusal("equal_weight_ls", two, &array![1.0, 2.0, f64::NAN, 4.0]);
    assert!(message.contains("overlap in 3 instruments"), "{message}");
}

#[test]
fn the_strongest_share_the_gross() {
    let signal = array![0.5, 1.2, f64::NAN, 2.1, 1.2];
    let two = r#"{"n":2}"#;
    assert_eq!(sized("equal_weight_long", two, &signal).unwrap(), array![0.0, 0.5, 0.0, 0.5, 0.0]);
    assert_eq!(sized("equal_weight_long", two, &array![f64::NAN, 1.0]).unwrap(), array![0.0, 0.5]);
    assert!(refusal("equal_weight_long", r#"{"n":0}"#, &signal).contains("n is 0"));
    assert!(refusal("equal_weight_long", r#"{"gross":-1}"#, &signal).contains("gross is -1"));
}

#[test]
fn fixed_weights_go_by_symbol() {
    let signal = array![f64::NAN, 1.0, 2.0];
    let weights = sized("fixed_weight", r#"{"weights":{"S002":0.6,"S000":-0.1}}"#, &signal).unwrap();
    assert_eq!(weights, array![-0.1, 0.0, 0.6]);
    let message = refusal("fixed_weight", r#"{"weights":{"SPY":1}}"#, &signal);
    assert!(message.contains("SPY, which is not in the universe"), "{message}");
}

#[test]
fn signals_become_proportions() {
    let signal = array![3.0, -1.0, f64::NAN, 0.0];
    let sized =
        |parameters: &str, signal: &Array1<f64>| sized("signal_proportional", parameters, signal).unwrap();
    assert_eq!(sized("{}", &signal), array![0.75, -0.25, 0.0, 0.0]);
    assert_eq!(sized(r#"{"long_only":true}"#, &signal), array![1.0, 0.0, 0.0, 0.0]);
    let neutral = sized(r#"{"neutral":true,"gross":2}"#, &array![1.0, 2.0, 3.0, 6.0]);
    assert!(neutral.sum().abs() < 1e-12 && (gross(&neutral) - 2.0).abs() < 1e-12, "{neutral}");
    assert_eq!(sized("{}", &array![0.0, f64::NAN]), array![0.0, 0.0]);
    let both = refusal("signal_proportional", r#"{"long_only":true,"neutral":true}"#, &signal);
    assert!(both.contains("leave one out"), "{both}");
}

#[test]
fn kelly_is_the_inverse_covariance_times_the_expectation() {
    // Two independent assets: mu / sigma^2 / risk aversion, by hand.
    let cov = array![[0.04, 0.0], [0.0, 0.25]];
    let weights = kelly_fraction(&array![0.08, -0.10].view(), &cov.view(), 2.0, 0.5).unwrap();
    assert!((weights[0] - 0.5).abs() < 1e-12, "0.08 / 0.04 / 2 = 1, cut to 0.5: {weights}");
    assert!((weights[1] + 0.2).abs() < 1e-12, "-0.1 / 0.25 / 2: {weights}");
    let twins = array![[0.04, 0.04], [0.04, 0.04]];
    let error = kelly_fraction(&array![0.1, 0.1].view(), &twins.view(), 2.0, 0.2).unwrap_err();
    assert!(error.to_string().contains("not positive definite"), "{error}");
}

#[test]
fn kelly_needs_as_many_rows_as_instruments_or_shrinkage() {
    let (signal, few) = (Array1::from_elem(8, 0.05), returns(5, 8));
    let plain = size(&*sizer("kelly_fraction", r#"{"window":5}"#), &signal, &few).unwrap_err();
    assert!(plain.message.contains("set shrinkage") && plain.message.contains("S000"), "{plain}");
    let shrunk = size(&*sizer("kelly_fraction", r#"{"window":5,"shrinkage":0.5}"#), &signal, &few).unwrap();
    assert!(shrunk.iter().all(|weight| weight.abs() <= 0.2) && gross(&shrunk) > 0.0, "{shrunk}");
    let short = size(&*sizer("kelly_fraction", "{}"), &signal, &few).unwrap_err();
    assert!(short.message.contains("5 rows of returns where 63 are wanted"), "{short}");
    let none = refusal("kelly_fraction", "{}", &signal);
    assert!(none.contains("0 rows of returns where 63 are wanted"), "{none}");
}

#[test]
fn a_book_is_scaled_up_and_down_to_its_volatility() {
    let returns = returns(100, 3);
    let base = array![0.5, 0.5, -0.2];
    let last = returns.slice_axis(Axis(0), (37..).into());
    let realized = realized_volatility(&base.view(), &last).unwrap();
    for target in [realized / 2.0, realized * 1.5] {
        let weights = vol_target_weights(&base.view(), &returns.view(), target, 63, 3.0).unwrap();
        assert!((realized_volatility(&weights.view(), &last).unwrap() - target).abs() < 1e-12);
    }
    // The recipe of the documents: realised 18 %, wanted 12 %.
    let scaled = vol_target_weights(&base.view(), &returns.view(), realized * 12.0 / 18.0, 63, 3.0).unwrap();
    assert!((scaled[0] / base[0] - 12.0 / 18.0).abs() < 1e-12);
    let still = Array2::zeros((63, 3));
    assert_eq!(vol_target_weights(&base.view(), &still.view(), 0.1, 63, 3.0).unwrap(), base * 3.0);
}

#[test]
fn volatility_by_hand() {
    // Weighted returns 0.01, -0.01, 0.03: mean 0.01, variance (0 + 0.0004 + 0.0004) / 2.
    let returns = array![[0.02, f64::NAN], [-0.02, 1.0], [0.06, 2.0]];
    let realized = realized_volatility(&array![0.5, 0.0].view(), &returns.view()).unwrap();
    assert!((realized - (0.0004_f64 * 252.0).sqrt()).abs() < 1e-15, "{realized}");
    let error = realized_volatility(&array![0.5, 0.1].view(), &returns.view()).unwrap_err();
    assert!(error.message.contains("lacks a return"), "{error}");
}

#[test]
fn what_stands_on_another_sizer_scales_it() {
    let (signal, returns) = (Array1::from_iter((0..6).map(f64::from)), returns(80, 6));
    let parameters = r#"{"base":"equal_weight_long","base_params":{"n":2},"target_ann_vol":0.1}"#;
    let target = sizer("vol_target_weights", parameters);
    assert_eq!(target.history(), 63);
    let weights = size(&*target, &signal, &returns).unwrap();
    assert_eq!(weights[4], weights[5]);
    let last = returns.slice_axis(Axis(0), (17..).into());
    assert!((realized_volatility(&weights.view(), &last).unwrap() - 0.1).abs() < 1e-12);
    let none = builtin()
        .unwrap()
        .build("vol_target_weights", &serde_json::from_str(r#"{"base":"none"}"#).unwrap())
        .err()
        .unwrap();
    assert!(none.message.contains("use one of equal_weight_long"), "{none}");
    for (name, target) in [("kelly_voltarget_12", 0.12), ("kelly_voltarget_8", 0.08)] {
        let signal = Array1::from_elem(6, 0.05);
        let weights = size(&*sizer(name, r#"{"max_scale":50}"#), &signal, &returns).unwrap();
        assert!((realized_volatility(&weights.view(), &last).unwrap() - target).abs() < 1e-12, "{name}");
    }
}

#[test]
fn what_did_not_move_has_no_inverse_volatility() {
    let mut returns = returns(63, 3);
    let weights = size(&*sizer("inverse_volatility", "{}"), &array![1.0, 1.0, 1.0], &returns).unwrap();
    assert!(weights[0] > weights[1] && weights[1] > weights[2], "{weights}");
    assert!((weights.sum() - 1.0).abs() < 1e-12, "{weights}");
    returns.column_mut(1).fill(0.0);
    let error = size(&*sizer("inverse_volatility", "{}"), &array![1.0, 1.0, 1.0], &returns).unwrap_err();
    assert!(error.message.starts_with("S001 did not move"), "{error}");
}

#[test]
fn an_unknown_parameter_is_refused() {
    let error = builtin().unwrap().build("equal_weight_long", &serde_json::from_str(r#"{"m":1}"#).unwrap());
    assert!(error.err().unwrap().message.contains("`m`"));
}

/// Name, parameters, largest sum of the weights without signs.
const ALL: [(&str, &str, f64); 7] = [
    ("equal_weight_long", r#"{"n":3,"gross":0.9}"#, 0.9),
    ("equal_weight_ls", r#"{"n_long":2,"n_short":2,"gross":1.2}"#, 1.2),
    ("signal_proportional", r#"{"gross":1.5}"#, 1.5),
    ("inverse_volatility", r#"{"window":30,"gross":0.8}"#, 0.8),
    ("kelly_fraction", r#"{"window":30,"cap":0.3}"#, 0.3 * 8.0),
    ("kelly_voltarget_12", r#"{"window":30}"#, 3.0 * 0.2 * 8.0),
    ("vol_target_weights", r#"{"window":30,"base":"signal_proportional"}"#, 3.0),
];

proptest! {
    /// Whatever comes in: the gross is kept, no opinion is no weight, and a universe in another order has the same weights in
    /// that order.
    #[test]
    fn all_sizers_keep_their_promises(
        signal in proptest::collection::vec(-2.0_f64..2.0, 8),
        missing in proptest::collection::btree_set(0_usize..8, 0..4),
        order in Just((0_usize..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut signal = Array1::from_vec(signal);
        for column in &missing {
            signal[*column] = f64::NAN;
        }
        let rows = returns(40, 8);
        let names: Vec<Symbol> = order.iter().map(|column| symbols(8)[*column].clone()).collect();
        let moved: Array1<f64> = order.iter().map(|column| signal[*column]).collect();
        let moved_rows = Array2::from_shape_fn((40, 8), |(row, column)| rows[(row, order[column])]);
        let input = SizingInput { symbols: &names, signal: moved.view(), returns: Some(moved_rows.view()) };
        for (name, parameters, most) in ALL {
            let sizer = sizer(name, parameters);
            let weights = size(&*sizer, &signal, &rows).unwrap();
            prop_assert!(gross(&weights) <= most + 1e-9, "{name}: {weights}");
            for column in &missing {
                prop_assert_eq!(weights[*column], 0.0, "{}", name);
            }
            if name == "equal_weight_ls" {
                prop_assert!(weights.sum().abs() < 1e-12, "{}", weights);
            }
            let again = sizer.size(&input).unwrap();
            for (place, column) in order.iter().enumerate() {
                prop_assert!((again[place] - weights[*column]).abs() < 1e-9, "{name}: {again} {weights}");
            }
        }
    }
}
