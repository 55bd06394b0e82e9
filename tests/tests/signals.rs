//! SIGINT and SIGTERM end a run in order, and the same command goes on to the same state.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, run, start, text};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success(), "the run was done before");
}

fn journal_bytes(out: &Path) -> u64 {
    std::fs::metadata(out.join("journal.mts")).map_or(0, |file| file.len())
}

fn golden() -> Value {
    let file = common::root().join("tests/golden/momentum.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_signal_ends_a_run_in_order_and_the_same_command_comes_to_the_golden_state() {
    let at = folder();
    let told = at.path().join("told");
    let hook = format!("{{ command = [\"sh\", \"-c\", \"cat >> '{}'\"] }}", text(&told));
    let (_folder, config) =
        changed("momentum.toml", &[("[run]\n", &format!("[alerts]\nwarning = {hook}\n[run]\n"))]);
    let out = folder();
    let mut before = 0;
    for (name, code, bytes) in [("TERM", 143, 20_000), ("INT", 130, 400_000)] {
        let mut child = start(["run", text(&config), "--out", text(out.path()), "--json"]);
        while journal_bytes(out.path()) < bytes {
            assert!(child.try_wait().unwrap().is_none(), "the run was done before {bytes} bytes");
            std::thread::sleep(Duration::from_micros(200));
        }
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        let result: Value =
            serde_json::from_str(&std::fs::read_to_string(out.path().join("result.json")).unwrap()).unwrap();
        assert_eq!(result["finished"], false);
        let sessions = result["sessions"].as_u64().unwrap();
        assert!(sessions > before, "{name}: {sessions} sessions after {before}");
        before = sessions;
    }
    let alerts = std::fs::read_to_string(&told).unwrap();
    let alerts: Vec<Value> = alerts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        alerts.iter().map(|alert| alert["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["stopped"; 2]
    );
    assert!(alerts[0]["message"].as_str().unwrap().contains("SIGTERM"), "{}", alerts[0]);
    let result = run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    assert_eq!(result["finished"], true);
    assert!(result["sessions"].as_u64().unwrap() > before);
    let plain = folder();
    let whole = run(["run", "examples/momentum.toml", "--out", text(plain.path()), "--json"]).json();
    assert_eq!(whole["state_hash"], golden()["state_hash"]);
    for field in ["final_nav", "fills", "orders", "fees", "sessions", "state_hash"] {
        assert_eq!(result[field], whole[field], "{field}");
    }
}

/// A hook that takes its time holds the end up; a second signal does not wait for it.
#[test]
fn a_second_signal_ends_at_once() {
    let hook = "warning = { command = [\"sleep\", \"10\"], timeout_ms = 30000 }";
    let (_folder, config) = changed("momentum.toml", &[("[run]\n", &format!("[alerts]\n{hook}\n[run]\n"))]);
    let out = folder();
    let mut child = start(["run", text(&config), "--out", text(out.path()), "--json"]);
    while journal_bytes(out.path()) < 20_000 {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_micros(200));
    }
    signal(&child, "INT");
    while !out.path().join("result.json").exists() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it waits for its hook");
    signal(&child, "INT");
    let waited = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        child.try_wait().unwrap()
    });
    assert_eq!(waited.expect("the second signal is obeyed").code(), Some(130));
}
