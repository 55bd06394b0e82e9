//! Cases that broke a promise once, kept for ever; and what every run must show.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot run fails its test")]

use mts_sim::Case;
use mts_sim::scenario::{self, Totals};

#[test]
fn cases_that_failed_once_stay_mended() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seeds");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let text = line.split('#').next().unwrap().trim();
            if text.is_empty() {
                continue;
            }
            let case: Case = text.parse().unwrap();
            assert_eq!(case.run(None, false).unwrap().shown.violation, None, "{case}");
            count += 1;
        }
    }
    assert!(count > 0, "there are cases");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| Case::mixed(seed).run(None, true).unwrap();
    let (first, second, other) = (run(3), run(3), run(4));
    assert_eq!(first.shown, second.shown);
    assert_eq!(first.simulation.trace().lines(), second.simulation.trace().lines());
    assert_ne!(first.shown.trace, other.shown.trace);
}

#[test]
fn processes_begin_again_from_snapshots_as_from_the_whole_journal() {
    let runs = (0..6).map(|seed| Case::mixed(seed).run(None, false).unwrap().shown);
    let (mut deaths, mut short) = (0, 0);
    for shown in runs {
        assert_eq!(shown.violation, None);
        deaths += shown.deaths;
        short += shown.from_snapshots;
    }
    assert!(short > 0 && short < deaths, "{short} of {deaths}");
}

#[test]
fn mixed_faults_and_crashes_at_every_step_break_no_promise() {
    let mut totals = Totals::default();
    for seed in 0..12 {
        let failure = scenario::seed(seed, None, &mut totals).unwrap();
        assert!(failure.is_none(), "{failure:?}");
    }
    assert!(totals.orders > 300 && totals.inputs > 1_000 && totals.twice == 1, "{totals:?}");
    let mut crashes = Totals::default();
    for seed in 0..2 {
        let failure = scenario::crashes(seed, None, &mut crashes).unwrap();
        assert!(failure.is_none(), "{failure:?}");
    }
    assert!(crashes.deaths > 100, "{crashes:?}");
}

#[test]
fn a_failing_case_is_made_smaller_and_still_fails() {
    let plant = Some(mts_sim::Plant::DoubleFill);
    let case = Case::mixed(1);
    let violation = case.run(plant, false).unwrap().shown.violation.unwrap();
    let small = case.shrunk(&violation, plant).unwrap();
    let again = small.run(plant, false).unwrap().shown;
    assert_eq!(again.violation.map(|found| found.promise), Some(violation.promise));
    assert!(small.steps.is_some_and(|steps| steps < 100) && !small.without.is_empty(), "{small}");
}
