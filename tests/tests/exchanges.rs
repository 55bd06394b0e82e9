//! `mts exchanges`, and what the documents say of the number.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{root, run};
use mts_marketdata::exchanges::DESCRIPTORS;
use serde_json::Value;

/// How many exchanges have a method, and all of ticker, trades and candles.
fn counted() -> (usize, usize) {
    let all = DESCRIPTORS.iter().map(|embedded| embedded.read().unwrap());
    let three = |wanted: &str, exchange: &mts_marketdata::exchanges::Descriptor| {
        exchange.methods().any(|(name, _)| name == wanted)
    };
    let complete =
        all.filter(|exchange| ["ticker", "trades", "candles"].iter().all(|name| three(name, exchange)));
    (DESCRIPTORS.len(), complete.count())
}

#[test]
fn the_table_has_every_exchange_with_its_evidence() {
    let said = run(["exchanges"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    for embedded in DESCRIPTORS {
        assert!(said.stdout.lines().any(|line| line.contains(embedded.name)), "{}", embedded.name);
    }
    assert!(said.stdout.contains("recorded replies, never a live exchange"));
    assert!(said.stdout.contains(&format!("{} exchanges: ", DESCRIPTORS.len())));
}

#[test]
fn one_exchange_is_shown_and_an_unknown_one_is_refused() {
    let said = run(["exchanges", "okx", "--json"]);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json[0]["exchange"], "okx");
    assert!(json[0]["methods"]["candles"]["cases"].as_u64().unwrap() > 0);
    let said = run(["exchanges", "okx"]);
    assert!(said.stdout.contains("candles: 1m, "), "{}", said.stdout);
    let said = run(["exchanges", "nowhere"]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("there is no exchange \"nowhere\"") && said.stderr.contains("okx"));
}

#[test]
fn the_documents_state_the_counted_numbers() {
    let (all, complete) = counted();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let stated =
        format!("{all} exchanges described as data, {complete} of them with ticker, trades and candles");
    assert!(readme.contains(&stated), "README.md must state: {stated}");
    let page = std::fs::read_to_string(root().join("docs/exchanges.md")).unwrap();
    assert!(page.contains(&format!("{all} exchanges")) && page.contains(&format!("{complete} of them")));
}
