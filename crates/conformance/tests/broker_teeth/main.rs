//! The suite passes an honest broker, and each of the broken ones fails the cases of one group and no other.

#![allow(clippy::unwrap_used, reason = "the helpers of a test program stand outside its test functions")]

#[path = "../../../../examples/custom_broker/src/lib.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "an example's own code")]
#[allow(clippy::disallowed_methods, reason = "an example reads the clock")]
mod custom_broker;
mod wrong;

use custom_broker::{AcmeBroker, AcmeDouble};
use mts_conformance::broker::{BoxError, Subject, Suite};
use mts_conformance::{Outcome, Report};
use std::convert::Infallible;
use std::sync::Arc;
use wrong::{Flaw, Wrong};

fn run(flaw: Option<Flaw>) -> Report {
    let double = || Ok::<_, Infallible>(AcmeDouble::start());
    let suite = Suite::new("acme", double, move |double: &AcmeDouble, setup| {
        let (venue, setup) = (double.venue(), setup.clone());
        Box::pin(async move {
            let secret = setup.secrets.get("secret").ok_or("no secret")?.clone();
            let honest = AcmeBroker::new(venue, secret.clone(), setup.call_deadline, setup.staleness);
            let honest = honest.map_err(BoxError::from)?;
            let subject: Arc<dyn Subject> = match flaw {
                None => Arc::new(honest),
                Some(flaw) => Arc::new(Wrong::new(honest, flaw, secret)),
            };
            Ok(subject)
        })
    });
    suite.jobs(12).run().unwrap()
}

#[test]
fn an_honest_broker_passes() {
    let report = run(None);
    report.assert();
    let skipped: Vec<&str> = report.ids(Outcome::Skipped).collect();
    assert_eq!(skipped, ["S-06", "S-08", "A-10", "A-12", "R-15", "R-16"], "{report}");
}

/// What fails, and that nothing else does.
#[track_caller]
fn fails(flaw: Flaw, cases: &[&str]) {
    let report = run(Some(flaw));
    let failed: Vec<&str> = report.ids(Outcome::Failed).collect();
    assert_eq!(failed, cases, "{flaw:?}\n{report}");
}

#[test]
fn configuration_has_teeth() {
    fails(Flaw::AlwaysConnected, &["C-04"]);
}

#[test]
fn submitting_has_teeth() {
    fails(Flaw::DropsExtendedHours, &["S-07"]);
}

#[test]
fn idempotence_has_teeth() {
    fails(Flaw::ShortKeys, &["I-09"]);
}

#[test]
fn ambiguity_has_teeth() {
    fails(Flaw::SilenceIsRefusal, &["X-04", "X-05", "X-06"]);
}

#[test]
fn queries_have_teeth() {
    fails(Flaw::FailureIsFlat, &["X-20", "X-21", "X-22", "X-23", "X-24"]);
}

#[test]
fn cancelling_has_teeth() {
    fails(Flaw::TooLateIsConfirmed, &["A-04", "A-05", "A-07"]);
}

#[test]
fn events_have_teeth() {
    fails(Flaw::SwallowsFees, &["E-12"]);
}

#[test]
fn reconnecting_has_teeth() {
    let cases = ["R-01", "R-02", "R-03", "R-04", "R-05", "R-06", "R-07", "R-08", "R-09", "R-13", "R-14"];
    fails(Flaw::ForgetsCursors, &cases);
}

#[test]
fn limits_have_teeth() {
    fails(Flaw::TrustsClocks, &["L-06"]);
}

#[test]
fn numbers_have_teeth() {
    fails(Flaw::RoundsPrices, &["N-01"]);
}

#[test]
fn hygiene_has_teeth() {
    fails(Flaw::ShowsSecret, &["H-01"]);
}
