//! The suite of mts for gates, and what this gate is for.

use custom_gate::NearOpen;
use mts_conformance::Outcome;
use mts_conformance::gates::{Need, Question, check};
use mts_foundation::risk::RejectCode;
use mts_foundation::{RiskGate, Timestamp};
use std::time::Duration;

#[test]
fn the_gate_conforms() {
    check(|| NearOpen { minutes: 15 }).needs([Need::SessionOpened]).assert();
}

/// That it passes means something: every case that is there for it was tried.
#[test]
fn nothing_was_left_out() {
    let report = check(|| NearOpen { minutes: 15 }).needs([Need::SessionOpened]).run().unwrap();
    assert_eq!(report.ids(Outcome::Skipped).collect::<Vec<_>>(), ["GATE-15"], "{report}");
}

#[test]
fn it_refuses_near_the_open_and_no_longer() {
    let opened = Timestamp::from_millis(1_767_623_400_000);
    let question = Question::ordinary(opened).unwrap();
    let ask = |seconds: u64| {
        let question = question.at("", opened.plus(Duration::from_secs(seconds)));
        NearOpen { minutes: 15 }.check(&question.order, question.envelope.as_ref(), &question.context())
    };
    for seconds in [0, 1, 60, 15 * 60 - 1] {
        assert_eq!(ask(seconds).unwrap_err().code, RejectCode::MarketClosed, "{seconds} s after the open");
    }
    for seconds in [15 * 60, 6 * 60 * 60] {
        assert!(ask(seconds).is_ok(), "{seconds} s after the open");
    }
}
