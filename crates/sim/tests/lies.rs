//! Each fault alone: it happens, the promises hold, and where somebody must know, an incident says so (P7).

#![allow(clippy::unwrap_used, reason = "a simulation that cannot run fails its test")]

use mts_sim::scenario::alarms;
use mts_sim::{Case, Fault, Plant};

/// Worlds in which each fault is forced.
const SEEDS: u64 = 6;

/// What came of a fault over all seeds.
#[derive(Default)]
struct Forced {
    happened: u32,
    heard: u32,
    silent: Vec<String>,
}

fn forced(fault: Fault, plant: Option<Plant>) -> Forced {
    let mut forced = Forced::default();
    for seed in 0..SEEDS {
        let case = Case::only(seed, fault);
        let report = case.run(plant, false).unwrap();
        assert_eq!(report.shown.violation, None, "{case}");
        let times = report.simulation.faults().happened(fault);
        forced.happened += times;
        let heard = alarms(fault).iter().any(|code| report.simulation.incidents().contains_key(*code));
        forced.heard += u32::from(heard);
        if times > 2 && !heard {
            forced.silent.push(format!("{case}: {:?}", report.simulation.incidents()));
        }
    }
    forced
}

#[test]
fn every_lie_leads_to_its_alarm_and_breaks_no_promise() {
    for fault in Fault::ALL {
        let Forced { happened, heard, silent } = forced(*fault, None);
        let name = fault.name();
        assert!(happened > 0, "{name} never happens");
        if alarms(*fault).is_empty() {
            continue;
        }
        assert!(heard > 0, "{name} is never told");
        // An order without an answer need not be asked for where its fills came first.
        assert!(silent.is_empty() || *fault == Fault::AnswerLost, "{name}: {}", silent.join("\n"));
    }
}

#[test]
fn alarms_that_are_not_heard_are_noticed() {
    let Forced { heard, silent, .. } = forced(Fault::Overfill, Some(Plant::Silent));
    assert!(heard == 0 && !silent.is_empty(), "the checker of alarms hears what was not said");
}
