//! The rules under which a step may deviate, on sequences of one or two steps.

use super::*;
use serde_json::{Value, json};

fn held(quantity: f64, entry: f64, current: f64) -> Value {
    json!({"quantity": quantity, "entry_price": entry, "current_price": current})
}

fn fill(asset: &str, side: &str, quantity: Value, price: Value, positions: Value, cash: f64) -> Value {
    json!({"op": "fill", "asset": asset, "side": side, "filled_quantity": quantity, "filled_price": price,
           "expect": {"positions": positions, "cash": cash, "account_value": 100.0},
           "account_value_correct": 100.0})
}

fn run_steps(initial_cash: f64, steps: Value) -> Outcome {
    let file =
        json!({"header": {}, "sequences": [{"id": "s", "initial_cash": initial_cash, "steps": steps}]});
    run(&file.to_string()).unwrap()
}

#[test]
fn a_fill_without_quantity_or_price_changes_nothing_on_either_side() {
    for (quantity, price) in
        [(json!(null), json!(5)), (json!(3), json!(null)), (json!(0), json!(5)), (json!(3), json!(0.0))]
    {
        let outcome = run_steps(100.0, json!([fill("A", "buy", quantity, price, json!({}), 100.0)]));
        assert_eq!((outcome.passed, outcome.failed), (1, 0), "{outcome:?}");
    }
}

#[test]
fn behind_a_refused_fill_the_rest_is_compared_with_the_rule() {
    // The origin is short 10 after the first step and flat after the second; we are flat, then long 10.
    let steps = |last: f64| {
        json!([
            fill("A", "buy", json!(-10), json!(2), json!({"A": held(-10.0, 2.0, 2.0)}), 120.0),
            fill("A", "buy", json!(10), json!(2), json!({}), last),
        ])
    };
    let outcome = run_steps(100.0, steps(100.0));
    assert_eq!((outcome.deviations.get(REFUSED), outcome.failed), (Some(&2), 0), "{outcome:?}");
    // The rule does not excuse a file that the origin's arithmetic does not give.
    let outcome = run_steps(100.0, steps(101.0));
    assert_eq!((outcome.deviations.get(REFUSED), outcome.failed), (Some(&1), 1), "{outcome:?}");
    let negative_price = fill("A", "sell", json!(1), json!(-2), json!({"A": held(-1.0, -2.0, -2.0)}), 98.0);
    assert_eq!(run_steps(100.0, json!([negative_price])).deviations.get(REFUSED), Some(&1));
}

#[test]
fn names_that_differ_in_capitals_are_one_instrument() {
    let outcome = run_steps(
        100.0,
        json!([
            fill("A", "buy", json!(1), json!(2), json!({"A": held(1.0, 2.0, 2.0)}), 98.0),
            fill(
                "a",
                "buy",
                json!(1),
                json!(2),
                json!({"A": held(1.0, 2.0, 2.0), "a": held(1.0, 2.0, 2.0)}),
                96.0
            ),
        ]),
    );
    assert_eq!((outcome.passed, outcome.deviations.get(CANONICAL)), (1, Some(&1)), "{outcome:?}");
}

#[test]
fn dust_is_flat_whoever_holds_it() {
    let bought = fill("A", "buy", json!(0.3), json!(10), json!({"A": held(0.3, 10.0, 10.0)}), 97.0);
    for (sold, positions, rule) in [
        (0.3, json!({"A": held(5.5e-17, 10.0, 10.0)}), THEIR_DUST),
        (0.300_000_000_000_000_04, json!({}), OUR_DUST),
    ] {
        let sale = fill("A", "sell", json!(sold), json!(10), positions, 100.0);
        let outcome = run_steps(100.0, json!([bought, sale]));
        assert_eq!((outcome.passed, outcome.deviations.get(rule)), (1, Some(&1)), "{outcome:?}");
    }
    let sale = fill("A", "sell", json!(0.3), json!(10), json!({"A": held(2e-9, 10.0, 10.0)}), 100.0);
    assert_eq!(run_steps(100.0, json!([bought, sale])).failed, 1);
}

#[test]
fn what_is_out_of_range_fails_and_ends_the_sequence() {
    let steps = json!([
        fill("A", "buy", json!(1e20), json!(1e20), json!({"A": held(1e20, 1e20, 1e20)}), -1e40),
        fill("A", "sell", json!(1e20), json!(1e20), json!({}), 100.0),
    ]);
    let outcome = run_steps(100.0, steps);
    assert_eq!((outcome.passed, outcome.failed), (0, 2));
    assert!(outcome.failures[0].detail.contains("beyond the largest"), "{outcome:?}");
    assert!(outcome.failures[1].detail.contains("ended at step 1"), "{outcome:?}");
}
