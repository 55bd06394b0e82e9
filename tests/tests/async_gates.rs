//! A program of one's own with an asynchronous gate, over the real paper broker: what it refuses never leaves, and no other
//! program takes the run over.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::{changed, run, text};
use mts_cli::App;
use mts_foundation::risk::{AsyncRiskGate, Gate, OrderContext, RejectCode, Rejection};
use mts_foundation::{Order, RiskEnvelope};

/// Lets every second order pass.
struct EverySecond;

impl AsyncRiskGate for EverySecond {
    fn name(&self) -> &str {
        "every_second"
    }
    async fn check(
        &self,
        order: &Order,
        _: Option<&RiskEnvelope>,
        _: &OrderContext,
    ) -> Result<(), Box<Rejection>> {
        if order.order_id.as_str().ends_with(['0', '2', '4', '6', '8']) {
            return Ok(());
        }
        let (gate, code) = (Gate::Veto, RejectCode::Vetoed);
        let message = "an odd number".to_owned();
        Err(Box::new(Rejection { gate, code, limit: None, observed: None, message }))
    }
}

#[test]
fn a_gate_of_ones_own_is_asked_in_real_time_and_belongs_to_the_run() {
    let (folder, config) = changed(
        "paper.toml",
        &[("[metrics]\nport = 9464\n", ""), ("every_ms = 20", "every_ms = 2, quotes = 600")],
    );
    let out = folder.path().join("out");
    let arguments = ["mts", "run", text(&config), "--out", text(&out)];
    // It ends with its feed; how it went is in the journal.
    let _code = App::new().async_gate(EverySecond).run_from(arguments);
    let status = run(["status", text(&out), "--json"]).json();
    assert!(status["refusals_by_code"]["VETOED"].as_u64() >= Some(1), "{status}");
    let orders = run(["orders", text(&out), "--limit", "1000", "--json"]);
    let mut filled = 0;
    for line in orders.stdout.lines() {
        let order: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = order["order"]["order_id"].as_str().unwrap();
        match order["state"].as_str().unwrap() {
            "filled" => filled += 1,
            "rejected" => assert!(number.ends_with(['1', '3', '5', '7', '9']), "{order}"),
            _ => {}
        }
    }
    assert!(filled >= 1, "{}", orders.stdout);
    // The program without the gate would go another way.
    let without = run(["run", text(&config), "--out", text(&out)]);
    assert_eq!(without.code, 5, "{}", without.stderr);
    assert!(without.stderr.contains("with asynchronous gates"), "{}", without.stderr);
}
