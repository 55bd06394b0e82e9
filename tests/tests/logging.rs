//! The log of a run, with the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, run, text};
use serde_json::Value;

fn objects(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn count(lines: &[Value], message: &str) -> usize {
    lines.iter().filter(|line| line["message"] == message).count()
}

#[test]
fn a_run_logs_json_to_the_terminal_and_a_bounded_file_and_by_default_nothing() {
    let at = folder();
    let file = at.path().join("logs/mts.log");
    let section =
        format!("[log]\nfile = \"{}\"\nformat = \"json\"\nmax_bytes = 4096\nkeep = 1\n[run]\n", text(&file));
    let (_folder, config) = changed("momentum-strict.toml", &[("[run]\n", &section)]);
    let out = folder();
    let done = run([
        "run",
        text(&config),
        "--out",
        text(out.path()),
        "--json",
        "--log-level",
        "info",
        "--log-format",
        "json",
    ]);
    let result = done.json();
    let lines = objects(&done.stderr);
    assert_eq!((count(&lines, "run begins"), count(&lines, "run ends")), (1, 1));
    assert_eq!(count(&lines, "halt") as u64, result["halts"].as_u64().unwrap());
    assert_eq!(count(&lines, "incident") as u64, result["incidents"].as_u64().unwrap());
    let files: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 2, "more is logged than one file holds, and one more is kept");
    for file in &files {
        assert!(file.metadata().unwrap().len() <= 4096);
        assert!(!objects(&std::fs::read_to_string(file.path()).unwrap()).is_empty());
    }
    let last = objects(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(last.last().unwrap()["state"], result["state_hash"]);
    let plain = folder();
    let quiet = run(["run", "examples/momentum-strict.toml", "--out", text(plain.path()), "--json"]);
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.json()["state_hash"], result["state_hash"], "the log is no part of the run");
}

#[test]
fn faults_of_the_section_are_named() {
    for (section, words) in [
        ("max_bytes = 5", "log.max_bytes is 5; it must be at least 4096"),
        ("keep = 5000", "log.keep is 5000; it must be at most 1000"),
        ("level = \"loud\"", "log.level: unknown variant `loud`"),
    ] {
        let (_folder, config) =
            changed("momentum.toml", &[("[run]\n", &format!("[log]\n{section}\n[run]\n"))]);
        let done = run(["config", "check", text(&config)]);
        assert_eq!(done.code, 3, "{}", done.stderr);
        assert!(done.stderr.contains(words), "no {words:?} in: {}", done.stderr);
    }
}
