//! The kept journal of each layout version (reliability.md R14): today's program reads it as the one that wrote it did.
//!
//! `tests/golden/journal-v1` has the journal of a made-up day with every kind of input, the inputs as JSON and the hash of the state
//! they lead to. Its records are never written anew: people have journals of that layout. A new kind of input is appended to it
//! with MTS_UPDATE_GOLDEN=1, which also renews the hash where the state changed on purpose.

use super::*;
use crate::config::parse;
use crate::files::sha256;
use mts_engine::input::ClockFault;
use mts_engine::record::{GENESIS, INPUT_V1, encode};
use mts_engine::{AccountAnswer, Action, GateAnswer, LookUp, OperatorAct, VenueFacts, VolumeUpdate};
use mts_foundation::algorithm::{Algorithm, AlgorithmRequest, Twap};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::contingent::OrderGroup;
use mts_foundation::journal::Journal;
use mts_foundation::risk::{Gate, HaltMode, HaltRequest, HaltScope, RejectCode, Rejection, ResumeRequest};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    AccountId, ActorId, BrokerName, BrokerOrderId, CashFlow, CashKind, Currency, Decimal, Fill, FundId,
    IdempotencyKey, Order, OrderState, OrderType, Side, StrategyId, Symbol,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const CONFIG: &str = r#"
[run]
start = "2026-01-01"
end = "2026-12-31"
calendar = "24/7"
[live]
mode = "paper"
[fund]
fund_id = "golden"
initial_cash = 100000
[envelope]
allowed_brokers = ["paper"]
allowed_order_types = ["market", "limit", "stop"]
max_position_pct = 0.5
max_sector_pct = 1.0
[operator]
operators = ["ann", "bob"]
[instruments]
path = "instruments.csv"
[data]
kind = "walk"
path = "closes.csv"
[strategy]
strategy_id = "s"
kind = "drill"
[broker]
name = "paper"
"#;

const INSTRUMENTS: &str = "symbol,name,asset_class,currency,calendar,sector,country,tick,lot,multiplier
AAPL,Apple,equities,USD,24/7,Technology,US,0.01,1,1
MSFT,Microsoft,equities,USD,24/7,Technology,US,0.01,1,1
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/journal-v1")
}

/// The names of the variants of a type, and that of a value; a new variant does not compile until it is in the list.
macro_rules! kinds {
    ($of:ident: $($variant:ident)+) => {
        (
            |value: &$of| match value { $($of::$variant { .. } => concat!(stringify!($of), "::", stringify!($variant)),)+ },
            [$(concat!(stringify!($of), "::", stringify!($variant))),+].as_slice(),
        )
    };
}

/// What an input is made of, as far as its layout is chosen by a variant; and all that there is.
fn kinds(input: &Input) -> (Vec<&'static str>, Vec<&'static str>) {
    let (of_input, inputs) = kinds!(Input: SessionOpen Closes Submitted Canceled Broker SessionClose Decided Operator Started Timer
        Marks Connection LookedUp AccountSeen Volumes GateAnswered ClockWrong StalePrices);
    let (of_act, acts) = kinds!(OperatorAct: Halt Resume Kill UpdateEnvelope Adopt Settle Submit Cancel CancelAll Flatten Reconcile
        BookCash Corporate);
    let (of_event, events) = kinds!(BrokerEvent: Order Cash Fill FeesKnown Corrected Busted Gap);
    let (of_command, commands) = kinds!(Command: Submit Cancel Close Targets Group Algorithm);
    let (of_submit, submits) = kinds!(SubmitOutcome: Accepted Rejected NotSent Unknown);
    let (of_cancel, cancels) = kinds!(CancelOutcome: Confirmed TooLate NotFound Unknown);
    let (of_look, looks) = kinds!(LookUp: Found NotKnown Failed);
    let (of_account, accounts) = kinds!(AccountAnswer: Seen Failed);
    let (of_gate, gates) = kinds!(GateAnswer: Passed Refused);
    let (of_clock, clocks) = kinds!(ClockFault: Jumped Behind);
    let mut found = vec![of_input(input)];
    match input {
        Input::Operator { act, .. } => found.push(of_act(act)),
        Input::Broker { event, .. } => found.push(of_event(event)),
        Input::Decided { commands, .. } => found.extend(commands.iter().map(of_command)),
        Input::Submitted { outcome, .. } => found.push(of_submit(outcome)),
        Input::Canceled { outcome, .. } => found.push(of_cancel(outcome)),
        Input::LookedUp { answer, .. } => found.push(of_look(answer)),
        Input::AccountSeen { answer, .. } => found.push(of_account(answer)),
        Input::GateAnswered { answer, .. } => found.push(of_gate(answer)),
        Input::ClockWrong { fault, .. } => found.push(of_clock(fault)),
        _ => {}
    }
    let all = [inputs, acts, events, commands, submits, cancels, looks, accounts, gates, clocks].concat();
    (found, all)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_layout_that_was_ever_written_is_read_as_it_was_meant() {
    if std::env::var_os("MTS_UPDATE_GOLDEN").is_some() {
        script::write();
    }
    let folder = folder();
    let mut run = RunFolder::open(&App::new(), &folder).unwrap();
    let (kept, mut seen, mut all) = (lines(&folder.join("inputs.jsonl")), BTreeSet::new(), Vec::new());
    let (mut number, mut buffer) = (0, Vec::new());
    run.reader
        .replay(&mut |record| {
            if record.sequence == 0 {
                return Ok(());
            }
            assert_eq!(record.kind, INPUT_V1, "a layout of its own has a kind and a folder of its own");
            let input = decode(record.sequence, record.kind, &record.payload).unwrap();
            assert_eq!(serde_json::to_value(&input).unwrap(), kept[number], "record {}", record.sequence);
            encode(&input, &mut buffer).unwrap();
            assert_eq!(buffer, record.payload, "record {} is written otherwise today", record.sequence);
            let found = kinds(&input);
            seen.extend(found.0);
            all = found.1;
            number += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(number, kept.len());
    let missing: Vec<_> = all.iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "nothing in the golden journal is {missing:?}: append one to the script");
    run.replay(&mut |_| {}).unwrap();
    let told: Value = lines(&folder.join("state.json")).remove(0);
    assert_eq!(told, standing(&run.core), "the state these inputs lead to is another one");
}

/// What the inputs lead to.
fn standing(core: &Core) -> Value {
    let hash: String = core.state_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let book = core.state().ledger().funds().next().unwrap().1;
    let counters = core.state().counters();
    json!({
        "inputs": core.state().inputs(), "orders": counters.orders, "fills": counters.fills, "rejected": counters.rejected,
        "incidents": counters.incidents, "cash": book.cash().normalize().to_string(), "state_hash": hash,
    })
}

mod script;
