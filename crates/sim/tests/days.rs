//! Days of orders whose events are dropped, doubled and reordered end where the venue is.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot run fails its test")]

use mts_sim::Plant;
use mts_sim::scenario::Totals;

#[test]
fn positions_and_open_orders_are_exact_and_two_restarts_make_the_same_stand_ins() {
    let mut totals = Totals::default();
    for seed in 0..4 {
        let failure = mts_sim::day(seed, None, &mut totals).unwrap();
        assert!(failure.is_none(), "{failure:?}");
    }
    assert!(totals.orders >= 4_000 && totals.stand_ins > 20 && totals.deaths >= 12, "{totals:?}");
}

#[test]
fn fills_that_are_booked_twice_in_a_day_are_noticed() {
    let caught =
        |seed| mts_sim::day(seed, Some(Plant::DoubleFill), &mut Totals::default()).unwrap().is_some();
    assert!((0..6).any(caught));
}
