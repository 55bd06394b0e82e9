//! A factor over a panel with masks: it reads closes as ever, and scores of members alone are what they would be among
//! members.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::sizing::Factor;
use mts_foundation::{Symbol, Timestamp, UniversePanel};
use mts_quantkit::Momentum;
use mts_quantkit::cross_section::zscore_in_place;
use ndarray::{Array2, Axis};

const ROWS: usize = 40;

/// A column with a hole, one that begins late, and four that are whole.
fn closes() -> Array2<f64> {
    let mut closes = Array2::from_shape_fn((ROWS, 6), |(t, a)| 50.0 + ((t * (a + 3)) % 11) as f64 + a as f64);
    closes[(30, 0)] = f64::NAN;
    closes.column_mut(1).iter_mut().take(25).for_each(|close| *close = f64::NAN);
    closes
}

fn panel(columns: &[usize]) -> UniversePanel {
    let dates = (0..ROWS).map(|t| Timestamp::from_millis(i64::try_from(t).unwrap())).collect();
    let symbols = columns.iter().map(|a| Symbol::new(format!("S{a}")).unwrap()).collect();
    UniversePanel::of_closes(dates, symbols, closes().select(Axis(1), columns)).unwrap()
}

#[test]
fn scores_of_members_are_those_among_members() {
    let factor = Momentum { h_long: 10, h_skip: 2 };
    // The last two are members of nothing; the third joins at row 20, and its history from before counts.
    let mut members = Array2::from_shape_fn((ROWS, 6), |(_, a)| a < 4);
    members.column_mut(2).iter_mut().take(20).for_each(|member| *member = false);
    let marked = panel(&[0, 1, 2, 3, 4, 5]).with_members(members).unwrap();
    let mut scores = factor.compute(&marked).unwrap();
    marked.members_only(&mut scores).unwrap();
    scores.outer_iter_mut().for_each(zscore_in_place);
    let before = factor.compute(&panel(&[0, 1, 3])).unwrap();
    let after = factor.compute(&panel(&[0, 1, 2, 3])).unwrap();
    let mut compared = 0;
    for t in 0..ROWS {
        let (columns, expected) =
            if t < 20 { (&[0, 1, 3][..], before.row(t)) } else { (&[0, 1, 2, 3][..], after.row(t)) };
        for (column, expected) in columns.iter().zip(expected) {
            let score = scores[(t, *column)];
            assert_eq!(score.is_nan(), expected.is_nan(), "row {t}, column {column}");
            assert!(score.is_nan() || (score - expected).abs() < 1e-12, "row {t}, column {column}");
            compared += usize::from(!score.is_nan());
        }
        assert!(scores[(t, 4)].is_nan() && scores[(t, 5)].is_nan());
    }
    assert!(compared > 60, "only {compared} scores were compared");
}
