//! Each planted bug is caught within the stated number of seeds, by the promise it breaks; without it the same seeds are clean.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a simulation that cannot run fails its test")]

use mts_sim::scenario::{self, Totals};
use mts_sim::{Case, Fault, Plant};

/// The first of `seeds` worlds in which something is broken, and which promise.
fn caught(plant: Option<Plant>, seeds: u64, case: impl Fn(u64) -> Case) -> Option<(u64, &'static str)> {
    (0..seeds).find_map(|seed| {
        let shown = case(seed).run(plant, false).unwrap().shown;
        shown.violation.map(|violation| (seed, violation.promise))
    })
}

fn is_caught(plant: Plant, seeds: u64, promises: &[&str], case: impl Fn(u64) -> Case) {
    let found = caught(Some(plant), seeds, &case);
    let (seed, promise) = found.unwrap_or_else(|| panic!("{plant:?} is not caught within {seeds} seeds"));
    assert!(promises.contains(&promise), "{plant:?} is caught by {promise}, not by one of {promises:?}");
    assert_eq!(caught(None, seed + 1, case), None, "the same seeds are clean without {plant:?}");
}

#[test]
fn fills_that_are_booked_again_when_they_come_again() {
    // Exits for fills that were none are larger than what was filled (P3).
    is_caught(Plant::DropDedup, 5, &["P2", "P3"], |seed| Case::only(seed, Fault::DuplicateFill));
    is_caught(Plant::DropDedup, 5, &["P2", "P3"], Case::mixed);
}

#[test]
fn an_order_that_is_sent_again_when_no_answer_came() {
    is_caught(Plant::ResendOnTimeout, 10, &["P1"], |seed| Case::only(seed, Fault::AnswerLost));
    is_caught(Plant::ResendOnTimeout, 10, &["P1"], Case::mixed);
}

#[test]
fn a_sync_that_is_skipped() {
    is_caught(Plant::SkipSync, 3, &["P1"], Case::mixed);
}

#[test]
fn a_gap_that_is_forgotten() {
    is_caught(Plant::ForgetGap, 5, &["P2"], |seed| Case::only(seed, Fault::Disconnect));
    is_caught(Plant::ForgetGap, 5, &["P2", "P7"], |seed| Case::only(seed, Fault::LostGap));
    is_caught(Plant::ForgetGap, 10, &["P2", "P7"], Case::mixed);
}

#[test]
fn a_recovery_that_loses_the_last_record() {
    is_caught(Plant::LoseLastRecord, 3, &["P1", "P4"], |seed| Case::only(seed, Fault::Crash));
    is_caught(Plant::LoseLastRecord, 10, &["P1", "P4"], Case::mixed);
    let found = scenario::crashes(0, Some(Plant::LoseLastRecord), &mut Totals::default()).unwrap();
    assert!(found.is_some_and(|failure| ["P1", "P4"].contains(&failure.violation.promise)));
}

#[test]
fn a_fill_that_is_booked_twice() {
    // An exit for what was not filled is too large (P3).
    is_caught(Plant::DoubleFill, 3, &["P2", "P3"], Case::mixed);
}

#[test]
fn gates_that_stand_open() {
    is_caught(Plant::Ungated, 3, &["P3"], Case::mixed);
    is_caught(Plant::Ungated, 3, &["P3"], |seed| Case { asked: true, ..Case::mixed(seed) });
}

#[test]
fn an_order_that_leaves_after_the_journal_failed() {
    is_caught(Plant::SendAfterFailure, 20, &["P5"], |seed| Case::only(seed, Fault::DiskFails));
}

#[test]
fn keys_that_are_never_forgotten() {
    is_caught(Plant::ForgetNothing, 20, &["P6"], Case::mixed);
}

#[test]
fn children_that_are_more_than_their_order() {
    is_caught(Plant::DoubleChildren, 10, &["P3"], Case::mixed);
}

#[test]
fn exits_that_are_larger_than_what_they_protect() {
    is_caught(Plant::LargeExits, 10, &["P3"], Case::mixed);
}

#[test]
fn an_order_that_leaves_before_its_answer() {
    is_caught(Plant::LeaveUnasked, 3, &["P3"], |seed| Case { asked: true, ..Case::mixed(seed) });
}

#[test]
fn alternatives_that_stay_when_another_has_filled() {
    // Cancellations that never leave are found in the calm, too.
    is_caught(Plant::KeepAlternatives, 10, &["P2", "P3"], Case::mixed);
    let at_once = |seed| {
        let shown = Case::mixed(seed).run(Some(Plant::KeepAlternatives), false).unwrap().shown;
        shown.violation.is_some_and(|violation| violation.what.contains("its cancellation never left"))
    };
    assert!((0..40).any(at_once), "what is too large is not noticed at once");
}
