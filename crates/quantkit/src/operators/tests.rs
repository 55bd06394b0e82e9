//! Operators against their definitions, written plainly and on their own.

#![allow(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "definitions are written plainly; ties are of equal values"
)]

use super::*;
use ndarray::{Array2, Axis};
use proptest::prelude::*;

const WINDOW: usize = 6;

/// One of each.
fn all(window: usize) -> Vec<Rolling> {
    let mut all = vec![
        Rolling::Delay(window),
        Rolling::Delta(window),
        Rolling::Delay(0),
        Rolling::Sum(window),
        Rolling::Mean(window),
        Rolling::Product(window),
        Rolling::DecayLinear(window),
        Rolling::Deviation { window, ddof: 1 },
        Rolling::Variance { window, ddof: 0 },
        Rolling::Skew { window, unbiased: true },
        Rolling::Skew { window, unbiased: false },
        Rolling::Kurtosis { window, unbiased: true },
        Rolling::Kurtosis { window, unbiased: false },
        Rolling::Minimum(window),
        Rolling::Maximum(window),
        Rolling::PlaceOfMinimum(window),
        Rolling::PlaceOfMaximum(window),
        Rolling::TimeRank(window),
        Rolling::Quantile { window, quantile: 0.3 },
        Rolling::Correlation(window),
        Rolling::Covariance { window, ddof: 1 },
        Rolling::ExponentialMean { alpha: 0.2, adjust: true },
        Rolling::ExponentialMean { alpha: 0.2, adjust: false },
        Rolling::ExponentialDeviation { alpha: 0.2, adjust: true },
        Rolling::ExponentialDeviation { alpha: 0.2, adjust: false },
    ];
    for line in [Line::Slope, Line::Intercept, Line::Residual, Line::Fit] {
        all.push(Rolling::Trend { window, line });
        all.push(Rolling::Regression { window, line });
    }
    all
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn co_moment(x: &[f64], y: &[f64]) -> f64 {
    let (mean_x, mean_y) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
}

fn line(x: &[f64], y: &[f64], line: Line) -> f64 {
    let slope = co_moment(x, y) / co_moment(y, y);
    let intercept = mean(x) - slope * mean(y);
    match line {
        Line::Slope => slope,
        Line::Intercept => intercept,
        Line::Residual => x[x.len() - 1] - intercept - slope * y[y.len() - 1],
        Line::Fit => co_moment(x, y).powi(2) / co_moment(x, x) / co_moment(y, y),
    }
}

/// The result at the end of the history `x` (and `y`), by its definition, in two passes.
fn naive(operator: Rolling, history: &[f64], other: &[f64]) -> f64 {
    let rows = history.len();
    match operator {
        Rolling::Delay(rows_ago) => {
            return if rows > rows_ago { history[rows - 1 - rows_ago] } else { f64::NAN };
        }
        Rolling::Delta(rows_ago) => {
            return if rows > rows_ago { history[rows - 1] - history[rows - 1 - rows_ago] } else { f64::NAN };
        }
        Rolling::ExponentialMean { alpha, adjust } | Rolling::ExponentialDeviation { alpha, adjust } => {
            let first = history.iter().position(|value| !value.is_nan()).unwrap_or(rows);
            if history[rows - 1].is_nan() {
                return f64::NAN;
            }
            // Without adjustment a run of missing values changes what the weights are relative to; not asked here.
            let weights: Vec<(f64, f64)> = (first..rows)
                .filter(|t| !history[*t].is_nan())
                .map(|t| {
                    let age = (1.0 - alpha).powi((rows - 1 - t) as i32);
                    (if adjust || t == first { age } else { alpha * age }, history[t])
                })
                .collect();
            let total: f64 = weights.iter().map(|(weight, _)| weight).sum();
            let mean = weights.iter().map(|(weight, value)| weight * value).sum::<f64>() / total;
            if matches!(operator, Rolling::ExponentialMean { .. }) {
                return mean;
            }
            let squares: f64 = weights.iter().map(|(weight, value)| weight * (value - mean).powi(2)).sum();
            let of_squares: f64 = weights.iter().map(|(weight, _)| weight * weight).sum();
            let free = total * total - of_squares;
            return if weights.len() > 1 {
                (squares / total * total * total / free).sqrt()
            } else {
                f64::NAN
            };
        }
        _ => {}
    }
    let window = operator.warm_up();
    if rows < window {
        return f64::NAN;
    }
    let (x, y) = (&history[rows - window..], &other[rows - window..]);
    if x.iter().any(|value| value.is_nan()) || operator.inputs() == 2 && y.iter().any(|value| value.is_nan())
    {
        return f64::NAN;
    }
    let n = window as f64;
    let central = |power: i32| x.iter().map(|value| (value - mean(x)).powi(power)).sum::<f64>() / n;
    let first = |wanted: f64| 1.0 + x.iter().position(|value| *value == wanted).unwrap() as f64;
    let time: Vec<f64> = (0..window).map(|row| row as f64).collect();
    let (least, greatest) = (
        x.iter().copied().fold(f64::INFINITY, f64::min),
        x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    match operator {
        Rolling::Sum(_) => x.iter().sum(),
        Rolling::Mean(_) => mean(x),
        Rolling::Product(_) => x.iter().product(),
        Rolling::DecayLinear(_) => {
            x.iter().zip(1..).map(|(value, weight)| value * f64::from(weight)).sum::<f64>()
                / (n * (n + 1.0) / 2.0)
        }
        Rolling::Deviation { ddof, .. } => (co_moment(x, x) / (n - ddof as f64)).sqrt(),
        Rolling::Variance { ddof, .. } => co_moment(x, x) / (n - ddof as f64),
        Rolling::Skew { unbiased, .. } => {
            let plain = central(3) / central(2).powf(1.5);
            if unbiased { plain * (n * (n - 1.0)).sqrt() / (n - 2.0) } else { plain }
        }
        Rolling::Kurtosis { unbiased, .. } => {
            let plain = central(4) / central(2).powi(2) - 3.0;
            if unbiased { (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * plain + 6.0) } else { plain }
        }
        Rolling::Minimum(_) => least,
        Rolling::Maximum(_) => greatest,
        Rolling::PlaceOfMinimum(_) => first(least),
        Rolling::PlaceOfMaximum(_) => first(greatest),
        Rolling::TimeRank(_) => {
            let newest = x[window - 1];
            let below = x.iter().filter(|value| **value < newest).count() as f64;
            let equal = x.iter().filter(|value| **value == newest).count() as f64;
            (below + (equal + 1.0) / 2.0) / n
        }
        Rolling::Quantile { quantile, .. } => {
            let mut sorted = x.to_vec();
            sorted.sort_by(f64::total_cmp);
            let position = (n - 1.0) * quantile;
            let low = position.floor();
            let at = |index: f64| sorted[(index as usize).min(window - 1)];
            at(low) + (at(low + 1.0) - at(low)) * (position - low)
        }
        Rolling::Trend { line: figure, .. } => line(x, &time, figure),
        Rolling::Regression { line: figure, .. } => line(x, y, figure),
        Rolling::Correlation(_) => co_moment(x, y) / (co_moment(x, x) * co_moment(y, y)).sqrt(),
        Rolling::Covariance { ddof, .. } => co_moment(x, y) / (n - ddof as f64),
        _ => unreachable!("{operator:?}"),
    }
}

/// Values of size one, with holes if asked.
fn panel(rows: usize, columns: usize, holes: bool) -> impl Strategy<Value = Array2<f64>> {
    let value = (-2.0..2.0_f64, 0..12_u8).prop_map(move |(value, kind)| match kind {
        0 if holes => f64::NAN,
        // Ties.
        1 | 2 => value.round(),
        _ => value,
    });
    proptest::collection::vec(value, rows * columns)
        .prop_map(move |values| Array2::from_shape_vec((rows, columns), values).unwrap())
}

fn run(operator: Rolling, x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let inputs = [x.view(), y.view()];
    operator.of(&inputs[..operator.inputs()]).unwrap()
}

fn bits(panel: &Array2<f64>) -> Vec<u64> {
    // All NaN are one.
    panel.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_is_what_its_definition_says(x in panel(31, 5, true), y in panel(31, 5, true)) {
        for operator in all(WINDOW) {
            if matches!(operator, Rolling::ExponentialMean { adjust: false, .. } | Rolling::ExponentialDeviation { adjust: false, .. })
                && x.iter().any(|value| value.is_nan()) {
                continue;
            }
            let found = run(operator, &x, &y);
            for ((t, a), found) in found.indexed_iter() {
                let (x, y) = (x.column(a).to_vec(), y.column(a).to_vec());
                let wanted = naive(operator, &x[..=t], &y[..=t]);
                prop_assert_eq!(found.is_nan(), wanted.is_nan(), "{:?} at ({}, {}): {} not {}", operator, t, a, found, wanted);
                let off = (found - wanted).abs();
                prop_assert!(found.is_nan() || off <= 1e-9 * (1.0 + wanted.abs()), "{:?} at ({}, {}): {} not {}", operator, t, a, found, wanted);
            }
        }
    }

    #[test]
    fn without_holes_too(x in panel(25, 3, false), y in panel(25, 3, false)) {
        for operator in all(WINDOW) {
            let found = run(operator, &x, &y);
            for ((t, a), found) in found.indexed_iter() {
                let (x, y) = (x.column(a).to_vec(), y.column(a).to_vec());
                let wanted = naive(operator, &x[..=t], &y[..=t]);
                prop_assert_eq!(found.is_nan(), wanted.is_nan(), "{:?} at ({}, {}): {} not {}", operator, t, a, found, wanted);
                let off = (found - wanted).abs();
                prop_assert!(found.is_nan() || off <= 1e-9 * (1.0 + wanted.abs()), "{:?} at ({}, {}): {} not {}", operator, t, a, found, wanted);
            }
        }
    }

    #[test]
    fn an_outlier_leaves_no_trace(x in panel(40, 2, false), y in panel(40, 2, false), at in 0..20_usize, size in 6..15_i32) {
        let mut outlier = x.clone();
        outlier.row_mut(at).fill(10_f64.powi(size));
        for operator in all(WINDOW) {
            if matches!(operator, Rolling::ExponentialMean { .. } | Rolling::ExponentialDeviation { .. }) {
                continue;
            }
            let (with, without) = (run(operator, &outlier, &y), run(operator, &x, &y));
            let from = (at + operator.warm_up()).max(at + 1);
            let after = |panel: &Array2<f64>| bits(&panel.slice_axis(Axis(0), (from..).into()).to_owned());
            prop_assert_eq!(after(&with), after(&without), "{:?}", operator);
        }
    }

    #[test]
    fn row_by_row_gives_the_same_bits(x in panel(40, 7, true), y in panel(40, 7, true)) {
        for operator in all(WINDOW) {
            let whole = run(operator, &x, &y);
            let mut stepper = operator.stepper(7).unwrap();
            let mut out = vec![0.0; 7];
            for t in 0..40 {
                let (x, y) = (x.row(t).to_vec(), y.row(t).to_vec());
                let inputs = [x.as_slice(), y.as_slice()];
                stepper.push(&inputs[..operator.inputs()], &mut out);
                let out = Array2::from_shape_vec((1, 7), out.clone()).unwrap();
                let row = whole.row(t).to_owned().insert_axis(Axis(0));
                prop_assert_eq!(bits(&out), bits(&row), "{:?} at {}", operator, t);
            }
        }
    }

    #[test]
    fn nothing_looks_ahead(x in panel(30, 4, true), y in panel(30, 4, true), cut in 1..30_usize) {
        let (mut other_x, mut other_y) = (x.clone(), y.clone());
        for mut row in other_x.outer_iter_mut().skip(cut).chain(other_y.outer_iter_mut().skip(cut)) {
            row.mapv_inplace(|value| if value.is_nan() { 3.0 } else { -7.0 * value });
        }
        for operator in all(WINDOW) {
            let (whole, changed) = (run(operator, &x, &y), run(operator, &other_x, &other_y));
            let before = |panel: &Array2<f64>| bits(&panel.slice_axis(Axis(0), (..cut).into()).to_owned());
            prop_assert_eq!(before(&whole), before(&changed), "{:?}", operator);
        }
    }

    #[test]
    fn ranks_are_what_counting_says(rows in panel(3, 211, true), scale in -30..30_i32) {
        let rows = rows.mapv(|value| value * 10_f64.powi(scale));
        let found = CrossSection::Rank.of(rows.view()).unwrap();
        for (row, found) in rows.outer_iter().zip(found.outer_iter()) {
            let count = row.iter().filter(|value| !value.is_nan()).count() as f64;
            for (value, found) in row.iter().zip(found) {
                let below = row.iter().filter(|other| *other < value).count() as f64;
                let equal = row.iter().filter(|other| *other == value).count() as f64;
                let wanted = (below + (equal + 1.0) / 2.0) / count;
                let right = if value.is_nan() { found.is_nan() } else { (wanted - found).abs() < 1e-15 };
                prop_assert!(right, "{} not {}", found, wanted);
            }
        }
    }

    #[test]
    fn rows_keep_their_rules(rows in panel(4, 37, true)) {
        let ddof = 1;
        let z = CrossSection::ZScore { ddof }.of(rows.view()).unwrap();
        let demeaned = CrossSection::Demean.of(rows.view()).unwrap();
        let scaled = CrossSection::Scale { to: 2.0 }.of(rows.view()).unwrap();
        let cut = CrossSection::Winsorise { lower: 0.1, upper: 0.9 }.of(rows.view()).unwrap();
        let means = CrossSection::Mean.of(rows.view()).unwrap();
        for t in 0..4 {
            let there = |panel: &Array2<f64>| -> Vec<f64> {
                panel.row(t).iter().copied().filter(|value| !value.is_nan()).collect()
            };
            let x = there(&rows);
            prop_assert_eq!(there(&z).len(), x.len());
            prop_assert!(mean(&there(&z)).abs() < 1e-12 && mean(&there(&demeaned)).abs() < 1e-12);
            prop_assert!((co_moment(&there(&z), &there(&z)) / (x.len() as f64 - 1.0) - 1.0).abs() < 1e-12);
            prop_assert!((there(&scaled).iter().map(|value| value.abs()).sum::<f64>() - 2.0).abs() < 1e-12);
            prop_assert!(there(&means).iter().all(|value| (value - mean(&x)).abs() < 1e-12));
            let mut sorted = x.clone();
            sorted.sort_by(f64::total_cmp);
            let at = |share: f64| {
                let position = share * (x.len() as f64 - 1.0);
                let low = sorted[position as usize];
                low + (sorted[(position as usize + 1).min(x.len() - 1)] - low) * position.fract()
            };
            for (found, value) in there(&cut).iter().zip(&x) {
                prop_assert!((found - value.clamp(at(0.1), at(0.9))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn what_is_explained_is_taken_out(x in panel(3, 23, true), y in panel(3, 23, false)) {
        let groups: Vec<usize> = (0..23).map(|column| [7, 100, 3][column % 3]).collect();
        let mut out = Array2::zeros((3, 23));
        neutralise_by_groups(x.view(), &groups, out.view_mut(), 2).unwrap();
        let mut rest = Array2::zeros((3, 23));
        neutralise_by_regressor(x.view(), y.view(), rest.view_mut(), 1).unwrap();
        for t in 0..3 {
            for group in [7, 100, 3] {
                let sum: f64 = (0..23).filter(|a| groups[*a] == group && !out[(t, *a)].is_nan()).map(|a| out[(t, a)]).sum();
                prop_assert!(sum.abs() < 1e-12);
            }
            let there: Vec<usize> = (0..23).filter(|a| !x[(t, *a)].is_nan()).collect();
            let (rest, y): (Vec<f64>, Vec<f64>) = there.iter().map(|a| (rest[(t, *a)], y[(t, *a)])).unzip();
            prop_assert!(rest.iter().sum::<f64>().abs() < 1e-11 && co_moment(&rest, &y).abs() < 1e-11);
        }
    }
}

#[test]
fn blocks_threads_and_column_order_change_nothing() {
    let x = Array2::from_shape_fn((50, 600), |(t, a)| ((t * 37 + a * 11) % 101) as f64 / 7.0);
    let y = Array2::from_shape_fn((50, 600), |(t, a)| ((t * 53 + a * 29) % 97) as f64 / 3.0);
    let turned = |panel: &Array2<f64>| {
        let mut other = Array2::zeros((600, 50)).reversed_axes();
        other.assign(panel);
        other
    };
    let (turned_x, turned_y) = (turned(&x), turned(&y));
    for operator in all(WINDOW) {
        let plain = bits(&run(operator, &x, &y));
        let inputs = [x.view(), y.view()];
        let mut out = Array2::zeros((50, 600));
        operator.over(&inputs[..operator.inputs()], out.view_mut(), 3).unwrap();
        assert_eq!(plain, bits(&out), "{operator:?}");
        let inputs = [turned_x.view(), turned_y.view()];
        let mut out = Array2::zeros((600, 50)).reversed_axes();
        operator.over(&inputs[..operator.inputs()], out.view_mut(), 1).unwrap();
        assert_eq!(plain, bits(&out), "{operator:?}");
        // A column alone gives what it gives beside others.
        let column = |panel: &Array2<f64>| panel.select(Axis(1), &[301]);
        let alone = run(operator, &column(&x), &column(&y));
        assert_eq!(bits(&alone), bits(&column(&run(operator, &x, &y))), "{operator:?}");
    }
    let mut out = Array2::zeros((50, 600));
    CrossSection::Rank.over(x.view(), out.view_mut(), 2).unwrap();
    assert_eq!(bits(&out), bits(&CrossSection::Rank.of(turned_x.view()).unwrap()));
}

#[test]
fn a_window_that_does_not_vary_has_no_spread() {
    let mut x = Array2::from_elem((30, 3), 0.1);
    x[(5, 0)] = 1e9;
    let y = Array2::from_shape_fn((30, 3), |(t, _)| t as f64);
    let deviation = run(Rolling::Deviation { window: 7, ddof: 1 }, &x, &y);
    assert!(deviation.column(1).iter().skip(6).all(|value| value.to_bits() == 0));
    assert!(deviation.column(0).iter().skip(12).all(|value| value.to_bits() == 0));
    for operator in [
        Rolling::Correlation(7),
        Rolling::Skew { window: 7, unbiased: true },
        Rolling::Kurtosis { window: 7, unbiased: true },
    ] {
        assert!(run(operator, &x, &y).column(1).iter().all(|value| value.is_nan()), "{operator:?}");
    }
    let flat = CrossSection::ZScore { ddof: 0 }.of(x.view()).unwrap();
    assert!(flat.row(0).iter().all(|value| value.is_nan()));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let x = Array2::zeros((3, 2));
    for (operator, words) in [
        (Rolling::Sum(0), "at least 1"),
        (Rolling::Deviation { window: 1, ddof: 1 }, "at least 2"),
        (Rolling::Kurtosis { window: 3, unbiased: true }, "at least 4"),
        (Rolling::Quantile { window: 3, quantile: 1.5 }, "from 0 to 1"),
        (Rolling::ExponentialMean { alpha: 0.0, adjust: true }, "above 0"),
        (Rolling::Correlation(3), "1 inputs; it takes 2"),
    ] {
        let error = operator.of(&[x.view()]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut narrow = Array2::zeros((3, 1));
    assert!(Rolling::Sum(1).over(&[x.view()], narrow.view_mut(), 1).is_err());
    assert!(CrossSection::Rank.over(x.view(), narrow.view_mut(), 1).is_err());
    assert!(CrossSection::Winsorise { lower: 0.9, upper: 0.1 }.of(x.view()).is_err());
    assert!(neutralise_by_groups(x.view(), &[1], narrow.view_mut(), 1).is_err());
}
