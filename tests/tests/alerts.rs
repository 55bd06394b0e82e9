//! Whom a run tells what: hooks that work, fail, hang and are too slow, with the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, run, text};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// The example with halts and incidents, with these alerts.
fn strict(alerts: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    changed("momentum-strict.toml", &[("[run]\n", &format!("[alerts]\n{alerts}\n[run]\n"))])
}

/// A hook that appends every alert to a file.
fn appending(file: &Path) -> String {
    format!("{{ command = [\"sh\", \"-c\", \"cat >> '{}'\"], timeout_ms = 60000 }}", text(file))
}

fn told(file: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind(alerts: &[Value], kind: &str) -> usize {
    alerts.iter().filter(|alert| alert["kind"] == kind).count()
}

#[test]
fn every_halt_and_incident_is_told_once_also_by_a_run_that_is_resumed() {
    let at = folder();
    let file = at.path().join("told");
    let hook = appending(&file);
    let (_folder, config) =
        strict(&format!("info = {hook}\nwarning = {hook}\ncritical = {hook}\nrepeat_ms = 0\nqueue = 65536"));
    let out = folder();
    let part =
        run(["run", text(&config), "--out", text(out.path()), "--json", "--until", "2003-06-30"]).json();
    assert_eq!(part["finished"], false);
    let before = told(&file);
    assert_eq!(of_kind(&before, "paused"), 1);
    let whole = run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    let alerts = told(&file);
    for (kind, field, severity) in [("halt", "halts", "critical"), ("incident", "incidents", "warning")] {
        assert_eq!(of_kind(&alerts, kind) as u64, whole[field].as_u64().unwrap(), "{kind}");
        let right = |alert: &&Value| alert["kind"] == kind && alert["severity"] != severity;
        assert_eq!(alerts.iter().find(right), None);
    }
    assert!(of_kind(&before, "halt") > 0 && of_kind(&alerts, "halt") > of_kind(&before, "halt"));
    assert_eq!((of_kind(&alerts, "finished"), of_kind(&alerts, "paused")), (1, 1));
    let halt = alerts.iter().find(|alert| alert["kind"] == "halt").unwrap();
    assert_eq!((halt["subject"].as_str(), halt["run"].as_str()), (Some("fund momentum-strict"), Some("run")));
    assert!(halt["time"].as_str().unwrap().starts_with("2000-"), "{halt}");
    assert!(!halt["message"].as_str().unwrap().is_empty());
    let counts = &whole["alerts"];
    assert_eq!(counts["sent"], alerts.len() - before.len());
    assert_eq!((&counts["failed"], &counts["dropped"]), (&Value::from(0), &Value::from(0)));
    // The stored result is no run: nobody is told anything.
    let again = run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    assert_eq!((told(&file).len(), &again["alerts"]["sent"]), (alerts.len(), &Value::from(0)));
    // Other hooks make no other run, and none leave the result as it was.
    let quiet = std::fs::read_to_string(&config).unwrap().replace("[alerts]", "[alerts]\n#");
    let quiet: String =
        quiet.lines().filter(|line| !line.contains("command =")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&config, quiet).unwrap();
    let without = run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    assert_eq!(without["state_hash"], whole["state_hash"]);
    assert!(without.get("alerts").is_none());
}

#[test]
fn a_run_that_fails_is_critical() {
    let at = folder();
    let file = at.path().join("told");
    let (_folder, config) = strict(&format!("critical = {}", appending(&file)));
    let broken = std::fs::read_to_string(&config).unwrap().replace("closes.csv", "nothing.csv");
    std::fs::write(&config, broken).unwrap();
    let done = run(["run", text(&config), "--out", text(&at.path().join("out"))]);
    assert_ne!(done.code, 0);
    let alerts = told(&file);
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (&alerts[0]["severity"], &alerts[0]["kind"]),
        (&Value::from("critical"), &Value::from("failed"))
    );
    assert!(alerts[0]["message"].as_str().unwrap().contains("nothing.csv"), "{}", alerts[0]);
}

/// Whether a process does anything; a zombie does not.
fn alive(id: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    status.is_ok_and(|line| !line.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'))
}

#[test]
fn a_hook_that_hangs_is_killed_with_its_children_and_holds_nothing_up() {
    let at = folder();
    let file = at.path().join("child");
    let script = format!("sleep 60 & echo $! > '{}'; wait", text(&file));
    let (_folder, config) =
        strict(&format!("info = {{ command = [\"sh\", \"-c\", \"{script}\"], timeout_ms = 1000 }}"));
    // Built before the time is taken.
    common::mts();
    let start = Instant::now();
    let done = run(["alert", "test", text(&config), "--json"]);
    assert_eq!(done.code, 7, "{}", done.stderr);
    assert!(done.stdout.contains("killed after 1000 ms"), "{}", done.stdout);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let child = std::fs::read_to_string(&file).unwrap();
    for _ in 0..200 {
        if !alive(&child) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the child {child} has outlived its hook");
}

#[test]
fn a_hook_that_fails_is_counted_and_the_run_goes_on() {
    for command in ["[\"sh\", \"-c\", \"exit 3\"]", "[\"/no/such/program\"]"] {
        let (_folder, config) = strict(&format!("info = {{ command = {command} }}"));
        let out = folder();
        let until = ["run", text(&config), "--out", text(out.path()), "--json", "--until", "2000-03-31"];
        let result = run(until).json();
        assert_eq!(
            (&result["alerts"]["failed"], &result["alerts"]["sent"]),
            (&Value::from(1), &Value::from(0))
        );
    }
}

#[test]
fn alert_test_and_the_doctor_try_each_hook() {
    let at = folder();
    let file = at.path().join("told");
    let hook = appending(&file);
    let (_folder, config) = strict(&format!(
        "info = {hook}\nwarning = {hook}\ncritical = {{ command = [\"/no/such/program\"] }}"
    ));
    let done = run(["alert", "test", text(&config), "--severity", "warning"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let alerts = told(&file);
    assert_eq!(
        (alerts.len(), &alerts[0]["kind"], &alerts[0]["severity"]),
        (1, &"test".into(), &"warning".into())
    );
    let all = run(["alert", "test", text(&config)]);
    assert_eq!((all.code, told(&file).len()), (7, 3));
    assert!(all.stdout.contains("/no/such/program does not start"), "{}", all.stdout);
    let doctor = run(["doctor", text(&config)]);
    assert_eq!(doctor.code, 7);
    assert!(doctor.stdout.contains("critical: /no/such/program is no program"), "{}", doctor.stdout);
    let (_folder, none) = strict("");
    assert_eq!(run(["alert", "test", text(&none)]).code, 3);
}

#[test]
fn faults_of_the_section_are_named() {
    for (alerts, words) in [
        ("queue = 0", "alerts.queue is 0; it must be 1 to 65536"),
        ("info = { command = [] }", "alerts.info.command names no program"),
        ("info = { command = [\"true\"], timeout_ms = 0 }", "alerts.info.timeout_ms is 0"),
        ("info = { command = [\"true\"], tmeout_ms = 5 }", "unknown field `tmeout_ms`"),
        ("urgent = { command = [\"true\"] }", "unknown key alerts.urgent"),
    ] {
        let (_folder, config) = strict(alerts);
        let done = run(["config", "check", text(&config)]);
        assert_eq!(done.code, 3, "{alerts}: {}", done.stderr);
        assert!(done.stderr.contains(words), "no {words:?} in: {}", done.stderr);
    }
}

#[test]
fn a_webhook_is_named_by_its_secret_and_needs_its_feature() {
    for (hook, expected) in [
        (
            "{ webhook = \"https://example.org/hunter2\" }",
            "write env:NAME, file:/path, cred:NAME or vault:path#field",
        ),
        ("{ command = [\"true\"], webhook = \"env:X\" }", "has a command and a webhook"),
        ("{ webhook = \"env:X\" }", "build"),
    ] {
        let (_folder, config) = strict(&format!("critical = {hook}"));
        let done = run(["alert", "test", text(&config)]);
        assert_ne!(done.code, 0);
        assert!(done.stderr.contains(expected) || done.stderr.contains("not delivered"), "{}", done.stderr);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
}
