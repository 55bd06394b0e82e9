//! Looking at a run from its folder: the lists are the exports, a replay comes to the same state, nobody is disturbed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, root, run, start, text};
use mts_engine::record::{INPUT_V1, decode, encode};
use mts_engine::{AccountAnswer, Input};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::journal::Journal;
use mts_foundation::{Decimal, Timestamp};
use mts_journal::{FILE_NAME, FileJournal};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A run of the strict example to a date: with refusals, halts and cancelled orders.
fn strict(until: &str) -> (tempfile::TempDir, Value) {
    let out = folder();
    let result = run_to(&root().join("examples/momentum-strict.toml"), out.path(), until);
    (out, result)
}

fn run_to(config: &Path, out: &Path, date: &str) -> Value {
    run(["run", text(config), "--out", text(out), "--until", date, "--json"]).json()
}

/// A run with three orders of which one cannot be made: an incident.
fn with_incident() -> tempfile::TempDir {
    let dir = folder();
    let orders = dir.path().join("orders.jsonl");
    let order = "{\"date\":\"2019-01-31\",\"orders\":[{\"symbol\":\"HD\",\"side\":\"buy\",\"quantity\":\"1\",\
                 \"order_type\":\"limit\"}]}\n";
    std::fs::write(&orders, order).unwrap();
    let (_folder, config) = changed(
        "targets.toml",
        &[("\"data/targets.csv\"", &format!("{orders:?}")), ("end = 2022-12-31", "end = 2019-03-29")],
    );
    let out = folder();
    run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    out
}

/// The journal of a run up to the answer to its first order, which is lost; and its operators. Nobody stands in for them.
fn with_unknown_order() -> (tempfile::TempDir, PathBuf) {
    let (folder, config) =
        changed("momentum.toml", &[("resume = \"next_session\"", "operators = [\"ann\", \"bob\"]")]);
    let whole = folder.path().join("whole");
    run_to(&config, &whole, "2000-02-29");
    let mut records = Vec::new();
    let mut lost = false;
    FileJournal::read_only(&whole)
        .unwrap()
        .replay(&mut |record| {
            if lost {
                return Ok(());
            }
            let mut payload = record.payload.clone();
            if record.sequence > 0
                && let Input::Submitted { order_id, time, .. } =
                    decode(record.sequence, record.kind, &record.payload).unwrap()
            {
                let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
                encode(&Input::Submitted { order_id, outcome, time }, &mut payload).unwrap();
                assert_eq!(record.kind, INPUT_V1);
                lost = true;
            }
            records.push((record.kind, payload));
            Ok(())
        })
        .unwrap();
    assert!(lost, "there was an order");
    let out = folder.path().join("lost");
    let records: Vec<(u16, &[u8])> =
        records.iter().map(|(kind, payload)| (*kind, payload.as_slice())).collect();
    drop(FileJournal::begin(&out, &records).unwrap());
    (folder, out)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn exported(out: &Path, file: &str) -> Vec<Value> {
    lines(&std::fs::read_to_string(out.join(file)).unwrap())
}

/// What a list prints, all of it.
fn listed(command: &str, out: &Path, more: [&str; 2]) -> Vec<Value> {
    let [flag, value] = more;
    let done = run([command, text(out), "--json", "--limit", "1000000", flag, value]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    lines(&done.stdout)
}

#[test]
fn lists_are_the_exports_also_of_orders_that_the_core_forgot() {
    let (at, result) = strict("2001-12-31");
    let out = at.path();
    let everything = ["--since", "1990-01-01"];
    let orders = listed("orders", out, everything);
    assert_eq!(orders, exported(out, "orders.jsonl"));
    assert_eq!(orders.len() as u64, result["orders"].as_u64().unwrap());
    let fills = listed("fills", out, everything);
    assert_eq!(fills, exported(out, "fills.jsonl"));
    assert_eq!(fills.len() as u64, result["fills"].as_u64().unwrap());
    let at = with_incident();
    let incidents = listed("incidents", at.path(), everything);
    assert_eq!(incidents, exported(at.path(), "incidents.jsonl"));
    assert_eq!((incidents.len(), &incidents[0]["code"]), (1, &"ORDER_INVALID".into()));
    // The number leads to the moment: the incident is there after its input, and not before.
    let sequence = incidents[0]["sequence"].as_u64().unwrap();
    for (until, times) in [(sequence - 1, None), (sequence, Some(1))] {
        let state = run(["replay", text(at.path()), "--until", &until.to_string(), "--json"]).json();
        assert_eq!(state["events"]["mts.v1.engine.incidents.raised"].as_u64(), times);
    }
}

#[test]
fn filters_choose_and_what_is_cut_is_said() {
    let (at, _) = strict("2001-12-31");
    let out = at.path();
    let all = exported(out, "orders.jsonl");
    let chosen = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        let chosen: Vec<Value> = all.iter().filter(|record| wanted(record)).cloned().collect();
        assert!(!chosen.is_empty() && chosen.len() < all.len(), "the filter shows nothing");
        chosen
    };
    let rejected = chosen(&|record| record["state"] == "rejected");
    assert_eq!(listed("orders", out, ["--state", "rejected"]), rejected);
    let symbol = all[0]["order"]["symbol"].as_str().unwrap();
    let in_one = chosen(&|record| record["order"]["symbol"] == symbol);
    assert_eq!(listed("orders", out, ["--symbol", symbol]), in_one);
    let late = chosen(&|record| record["updated_at"].as_str().unwrap() >= "2001-06");
    assert_eq!(listed("orders", out, ["--since", "2001-06-01"]), late);
    assert_eq!(listed("orders", out, ["--fund", "momentum-strict"]), all);
    for (flag, other) in [("--fund", "other"), ("--strategy", "other"), ("--state", "unknown")] {
        assert_eq!(listed("orders", out, [flag, other]), [] as [Value; 0]);
    }
    let fills = exported(out, "fills.jsonl");
    let symbol = fills[0]["fill"]["symbol"].as_str().unwrap();
    let in_one: Vec<_> = fills.iter().filter(|fill| fill["fill"]["symbol"] == symbol).cloned().collect();
    assert!(in_one.len() < fills.len());
    assert_eq!(listed("fills", out, ["--symbol", symbol]), in_one);
    assert_eq!(listed("fills", out, ["--strategy", "other"]), [] as [Value; 0]);
    let cut = run(["orders", text(out), "--limit", "3", "--json"]);
    assert_eq!(lines(&cut.stdout), all[all.len() - 3..], "the newest, and newest last");
    let said = format!("note: the last 3 of {} orders; --limit {} shows all\n", all.len(), all.len());
    assert_eq!(cut.stderr, said);
    assert_eq!(run(["orders", text(out), "--open"]).stdout, "no orders\n");
    let table = run(["fills", text(out), "--limit", "1"]).stdout;
    let last = &fills.last().unwrap()["fill"];
    for words in ["price", last["fill_id"].as_str().unwrap(), last["price"].as_str().unwrap()] {
        assert!(table.contains(words), "no {words} in {table}");
    }
    for wrong in [["--limit", "0"], ["--since", "yesterday"], ["--state", "lost"]] {
        assert_eq!(run(["orders", text(out), wrong[0], wrong[1]]).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_healthy_run_needs_nobody() {
    let (at, result) = strict("2001-12-31");
    let out = at.path();
    let status = run(["status", text(out), "--check", "--json"]).json();
    let fund = &status["funds"][0];
    assert_eq!((&fund["nav"], &fund["cash"]), (&result["final_nav"], &result["final_cash"]));
    let number = |value: &Value| value.as_str().unwrap().parse::<Decimal>().unwrap();
    assert_eq!(number(&fund["nav"]), number(&fund["cash"]) + number(&fund["net"]));
    let navs = std::fs::read_to_string(out.join("nav.csv")).unwrap();
    let mut last = navs.lines().rev().map(|line| line.split(',').nth(1).unwrap().parse::<Decimal>().unwrap());
    assert_eq!(number(&fund["day_profit"]), last.next().unwrap() - last.next().unwrap());
    assert_eq!(status["config_hash"], result["config_hash"]);
    assert_eq!(
        status["refusals_by_code"]["MAX_SECTOR"],
        result["rejections_by_gate"]["concentration"]["MAX_SECTOR"]
    );
    assert_eq!((&status["sequence"], &status["session"]), (&result["inputs"], &result["last_session"]));
    assert_eq!((&status["needs"], &status["is_written"]), (&Value::Array(vec![]), &false.into()));
    let positions = listed("positions", out, ["--fund", "momentum-strict"]);
    assert_eq!(positions.len() as u64, fund["positions"].as_u64().unwrap());
    let value: Decimal = positions.iter().map(|position| number(&position["market_value_usd"])).sum();
    assert_eq!(value, number(&fund["net"]));
    let screen = run(["status", text(out)]).stdout;
    for words in
        ["nothing needs a person", "no process is writing it", "working orders: none", "kill switch: off"]
    {
        assert!(screen.contains(words), "no {words:?} in: {screen}");
    }
    let writer = FileJournal::open(out).unwrap();
    assert_eq!(run(["status", text(out), "--json"]).json()["is_written"], true);
    drop(writer);
}

#[test]
fn what_needs_a_person_is_said_and_checked() {
    let (_folder, out) = with_unknown_order();
    let status = || run(["status", text(&out), "--json"]).json();
    let check = || run(["status", text(&out), "--check"]);
    let found = status();
    assert_eq!(found["needs"], serde_json::json!(["1 unknown order"]));
    assert_eq!(
        (&found["incidents_by_code"]["ORDER_UNKNOWN"], &found["unknown_orders"]),
        (&1.into(), &1.into())
    );
    let order = &found["unknown"][0]["order"];
    let unknown = listed("orders", &out, ["--state", "unknown"]);
    assert_eq!((unknown.len(), &unknown[0]["order"]), (1, order));
    let table = run(["orders", text(&out), "--unknown"]).stdout;
    assert!(table.contains(order["order_id"].as_str().unwrap()) && table.lines().count() == 2, "{table}");
    for act in ["halt", "kill"] {
        let mut args = vec![act, "--reason", "an audit", "--actor", "ann", "--out", text(&out)];
        if act == "halt" {
            args.extend(["--fund", "momentum"]);
        }
        let done = std::process::Command::new(common::mts()).args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let needs = ["the kill switch is on", "1 halt", "1 unknown order"];
    assert_eq!(status()["needs"], serde_json::json!(needs));
    let checked = check();
    assert_eq!(checked.code, 8, "{}", checked.stderr);
    assert_eq!(checked.stderr, format!("error: a person is needed: {}\n", needs.join(", ")));
    let incidents = "incidents: KILLED 1, ORDER_UNKNOWN 1";
    for words in ["kill switch: ON, an audit", "halt: fund momentum (reduce_only)", incidents] {
        assert!(checked.stdout.contains(words), "no {words:?} in: {}", checked.stdout);
    }
    assert_eq!(run(["status", text(&out)]).code, 0, "only --check fails");
    let killed = listed("incidents", &out, ["--code", "KILLED"]);
    assert_eq!((killed.len(), &killed[0]["message"]), (1, &"an audit".into()));
}

/// What a live process would have journalled of an account that holds more than the books.
fn see_a_stranger_in_the_account(out: &Path, time: Timestamp) {
    let account = serde_json::json!({
        "open_orders": [],
        "positions": [{
            "fund_id": "momentum", "symbol": "KO", "quantity": "7", "avg_price": "50", "last_price": "50",
            "market_value_usd": "350", "unrealized_pl_usd": "0", "realized_pl_ytd_usd": "0", "last_updated": time,
        }],
        "account": {
            "base_currency": "USD", "cash": "1000000", "equity": "1000350", "buying_power": null, "asof": time
        },
    });
    let answer = AccountAnswer::Seen(Box::new(serde_json::from_value(account).unwrap()));
    let seen = Input::AccountSeen { broker: "paper".parse().unwrap(), answer, time };
    let mut journal = FileJournal::open(out).unwrap();
    let mut record = Vec::new();
    // A difference that stays at the second look is one.
    for input in [Input::Started { time }, seen.clone(), seen] {
        encode(&input, &mut record).unwrap();
        journal.append(INPUT_V1, &record).unwrap();
    }
    journal.commit().unwrap();
}

#[test]
fn an_account_that_the_books_do_not_explain_needs_a_person() {
    let out = folder();
    let out = out.path();
    run_to(&root().join("examples/momentum.toml"), out, "2000-01-14");
    let before = run(["status", text(out), "--json"]).json();
    assert_eq!((&before["mode"], &before["accounts"]), (&"backtest".into(), &Value::Array(vec![])));
    let time = before["time"].as_str().unwrap();
    see_a_stranger_in_the_account(out, time.parse().unwrap());
    let after = run(["status", text(out), "--json"]).json();
    let account = serde_json::json!({
        "broker": "paper", "connected": true, "compared": time,
        "unexplained": [{ "symbol": "KO", "ours": "0", "theirs": "7" }],
    });
    assert_eq!(after["accounts"], Value::Array(vec![account]));
    let checked = run(["status", text(out), "--check"]);
    assert_eq!(checked.code, 8);
    assert!(checked.stderr.contains("a person is needed: 1 unexplained position"), "{}", checked.stderr);
    let found = run(["reconcile", "--dry-run", "--out", text(out), "--json"]).json();
    let price = found[0]["positions"][0]["adopt"].as_str().unwrap().to_owned();
    assert!(price.starts_with("books 7 KO into fund momentum at "), "{price}");
    let position = serde_json::json!({
        "symbol": "KO", "books": "0", "account": "7", "confirmed": true, "adopt": price,
    });
    assert_eq!(found[0]["positions"], Value::Array(vec![position]));
    assert_eq!((&found[0]["compared"], &found[0]["looked"]), (&time.into(), &time.into()));
    let told = run(["reconcile", "--dry-run", "--out", text(out)]).stdout;
    assert!(told.contains(&price) && told.contains("cash: account and books agree"), "{told}");
    let words = format!(
        "account at paper: connected, compared with the books at {time}\n it holds 7 KO, the books 0"
    );
    assert!(checked.stdout.contains(&words), "{}", checked.stdout);
}

#[test]
fn a_replay_comes_to_the_state_that_was() {
    let (early, before) = strict("2000-06-30");
    let (late, after) = strict("2000-12-29");
    let replay = |out: &Path, until: &str| run(["replay", text(out), "--until", until, "--json"]).json();
    let end = run(["replay", text(late.path()), "--json"]).json();
    for field in ["state_hash", "inputs", "config_hash"] {
        assert_eq!(end[field], after[field], "{field}");
    }
    assert_eq!(end["inputs"], end["inputs_in_journal"]);
    assert_eq!(end["funds"][0]["nav"], after["final_nav"]);
    let events: u64 = end["events"].as_object().unwrap().values().map(|times| times.as_u64().unwrap()).sum();
    assert_eq!(events, after["events"].as_u64().unwrap());
    // The longer run went through the state in which the shorter one ended.
    let moment = "2000-06-30T20:00:00Z";
    for until in [before["inputs"].to_string().as_str(), moment] {
        let then = replay(late.path(), until);
        assert_eq!(then["state_hash"], before["state_hash"], "{until}");
        assert_eq!((&then["inputs"], &then["time"]), (&before["inputs"], &moment.into()));
    }
    assert_ne!(replay(late.path(), "1")["state_hash"], before["state_hash"]);
    let beginning = replay(late.path(), "0");
    assert_eq!((&beginning["inputs"], &beginning["time"]), (&0.into(), &Value::Null));
    let beyond = run(["replay", text(early.path()), "--until", "1000000"]);
    assert_eq!(beyond.code, 2);
    assert!(beyond.stderr.contains(&format!("ends with input {}", before["inputs"])), "{}", beyond.stderr);
    assert_eq!(run(["replay", text(early.path()), "--until", "then"]).code, 2);
    let told = run(["replay", text(late.path())]).stdout;
    let state = format!("state {}", after["state_hash"].as_str().unwrap());
    for words in [state.as_str(), "inputs a second", "mts.v1.engine.fills.created", "open orders: 0"] {
        assert!(told.contains(words), "no {words:?} in: {told}");
    }
}

#[test]
fn a_run_is_looked_at_while_it_is_written() {
    let out = folder();
    let out = out.path();
    run_to(&root().join("examples/momentum.toml"), out, "2000-01-31");
    let mut child = start(["run", "examples/momentum.toml", "--out", text(out), "--json"]);
    let (mut seen, mut written) = (Vec::new(), 0);
    while child.try_wait().unwrap().is_none() {
        let state = run(["replay", text(out), "--json"]).json();
        seen.push(state["inputs"].as_u64().unwrap());
        written += usize::from(run(["status", text(out), "--json"]).json()["is_written"] == true);
    }
    assert!(child.wait().unwrap().success());
    assert!(seen.is_sorted() && written > 0, "{written} times a writer, inputs {seen:?}");
    let result: Value = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    let end = run(["replay", text(out), "--json"]).json();
    assert_eq!((&end["state_hash"], &end["torn_bytes"]), (&result["state_hash"], &0.into()));
    // What a writer has begun and not committed is left out.
    let mut journal = std::fs::OpenOptions::new().append(true).open(out.join(FILE_NAME)).unwrap();
    journal.write_all(&[7; 100]).unwrap();
    let torn = run(["replay", text(out), "--json"]).json();
    assert_eq!((&torn["state_hash"], &torn["torn_bytes"]), (&result["state_hash"], &100.into()));
}

/// A live engine, which writes until it is told to end.
#[test]
fn a_live_run_is_looked_at_from_outside() {
    let (_folder, config) = changed("paper.toml", &[("[metrics]\nport = 9464\n", "")]);
    let out = folder();
    let out = out.path();
    let mut child = start(["run", text(&config), "--out", text(out)]);
    let status = (0..600).find_map(|_| {
        assert!(child.try_wait().unwrap().is_none(), "the run ended");
        std::thread::sleep(Duration::from_millis(50));
        // The folder may not be there yet.
        let status = run(["status", text(out), "--json"]);
        (status.code == 0).then(|| status.json()).filter(|status| status["funds"][0]["positions"] == 1)
    });
    let status = status.expect("it buys within the half minute");
    assert_eq!((&status["mode"], &status["is_written"]), (&"paper".into(), &true.into()));
    assert_eq!(
        (&status["accounts"][0]["broker"], &status["needs"]),
        (&"paper".into(), &Value::Array(vec![]))
    );
    assert!(status["accounts"][0]["compared"].is_string(), "{status}");
    // The engine says of itself what no journal knows.
    let decisions = &status["engine"]["decisions"];
    assert!(
        decisions["count"].as_u64() >= Some(1) && decisions["longest_nanos"].as_u64() > Some(0),
        "{status}"
    );
    let then = status["sequence"].to_string();
    let before = run(["replay", text(out), "--until", &then, "--json"]).json();
    std::process::Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    child.wait().unwrap();
    let after = run(["replay", text(out), "--until", &then, "--json"]).json();
    assert_eq!((&before["state_hash"], &before["funds"]), (&after["state_hash"], &status["funds"]));
    let result: Value = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    let end = run(["replay", text(out), "--json"]).json();
    assert_eq!((&end["state_hash"], &end["inputs"]), (&result["state_hash"], &result["inputs"]));
    std::fs::write(out.join("KILL"), "").unwrap();
    assert_eq!(
        run(["status", text(out), "--json"]).json()["needs"],
        serde_json::json!(["the kill switch is on"])
    );
}

#[test]
fn a_folder_that_is_none_and_a_damaged_journal_say_so() {
    let empty = folder();
    let (at, _) = strict("2000-03-31");
    let file = at.path().join(FILE_NAME);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    for command in ["status", "orders", "fills", "positions", "incidents", "replay"] {
        let nothing = run([command, text(empty.path())]);
        assert!(nothing.code == 5 && nothing.stderr.contains("there is no run in"), "{}", nothing.stderr);
        let damaged = run([command, text(at.path())]);
        assert!(damaged.code == 5 && damaged.stdout.is_empty(), "{command}: {}", damaged.stderr);
        let (_, place) = damaged.stderr.split_once("is damaged at byte ").expect("the byte");
        let place: usize = place.split(':').next().unwrap().parse().unwrap();
        assert!(place <= middle && middle - place < 20_000, "{place} of {middle}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "looking changes nothing");
}
