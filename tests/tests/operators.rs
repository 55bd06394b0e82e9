//! What operators do to a run between two starts: in force when it goes on, durable, and refused where it must be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, root, run, start, text};
use mts_engine::record::{GENESIS, Genesis};
use mts_journal::FileJournal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The example with two operators and nobody who stands in for them.
fn watched() -> (tempfile::TempDir, PathBuf) {
    changed("momentum.toml", &[("resume = \"next_session\"", "operators = [\"ann\", \"bob\"]")])
}

fn until(config: &Path, out: &Path, date: &str) -> Value {
    run(["run", text(config), "--out", text(out), "--until", date, "--json"]).json()
}

fn halt_fund(out: &Path) -> common::Done {
    run([
        "halt",
        "--fund",
        "momentum",
        "--reason",
        "an audit",
        "--actor",
        "ann",
        "--out",
        text(out),
        "--json",
    ])
}

fn journal(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("journal.mts")).unwrap()
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_halted_run_goes_on_and_refuses_and_a_crash_in_between_changes_nothing() {
    let (_folder, config) = watched();
    let (steady, crashed) = (folder(), folder());
    let mut ends = Vec::new();
    for out in [steady.path(), crashed.path()] {
        let before = until(&config, out, "2000-06-30");
        assert_eq!(before["rejections"], 0);
        let halted = halt_fund(out).json();
        assert_eq!((&halted["changed"], &halted["time"]), (&true.into(), &"2000-06-30T20:00:00Z".into()));
        let after = journal(out);
        assert_eq!(halt_fund(out).json()["changed"], false, "it is halted already");
        assert_eq!(journal(out), after, "what changes nothing is not recorded");
        if out == crashed.path() {
            let mut child = start(["run", text(&config), "--out", text(out), "--json"]);
            while journal(out).len() < after.len() + 20_000 {
                assert!(child.try_wait().unwrap().is_none(), "the run was done before it could be killed");
                std::thread::sleep(Duration::from_micros(200));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        ends.push(until(&config, out, "2001-12-31"));
    }
    assert_eq!(ends[0]["state_hash"], ends[1]["state_hash"]);
    let out = steady.path();
    assert!(ends[0]["rejections_by_gate"]["halts"]["FUND_HALTED"].as_u64().unwrap() > 5, "{}", ends[0]);
    let acts = lines(&out.join("operations.jsonl"));
    assert_eq!(acts.len(), 1);
    assert_eq!((&acts[0]["by"][0], &acts[0]["reason"]), (&"ann".into(), &"an audit".into()));
    let refused = lines(&out.join("orders.jsonl"))
        .into_iter()
        .find(|record| record["order"]["rejected_reason"] == "FUND_HALTED")
        .expect("an order was refused");
    let id = refused["order"]["order_id"].as_str().unwrap();
    let story = run(["explain", id, "--out", text(out), "--json"]).json();
    assert_eq!(story["refused_since"]["by"][0], "ann");
    let told = run(["explain", id, "--out", text(out)]).stdout;
    assert!(
        told.contains("fund momentum is halted (reduce_only) since 2000-06-30T20:00:00Z, by ann: an audit")
    );
}

#[test]
fn nobody_stands_in_for_the_person_who_halted() {
    let out = folder();
    let config = root().join("examples/momentum.toml");
    until(&config, out.path(), "2000-06-30");
    halt_fund(out.path()).json();
    let result = until(&config, out.path(), "2000-12-31");
    assert!(result["rejections_by_gate"]["halts"]["FUND_HALTED"].as_u64().unwrap() > 5, "{result}");
}

#[test]
fn the_kill_switch_stays_until_two_operators_agree() {
    let (_folder, config) = watched();
    let at = folder();
    let out = at.path();
    until(&config, out, "2000-06-30");
    let killed = run(["kill", "--reason", "fire", "--actor", "cleaner", "--out", text(out), "--json"]).json();
    assert_eq!(killed["operations"][0]["event"]["event"], "killed");
    let result = until(&config, out, "2000-08-31");
    let refused = result["rejections_by_gate"]["kill_switch"]["KILL_SWITCH"].as_u64().unwrap();
    assert!(refused > 0, "{result}");
    let before = journal(out);
    let resume = |operators: [&str; 2], reason: &str| {
        let [one, two] = operators;
        run([
            "resume",
            "--kill",
            "--operator",
            one,
            "--operator",
            two,
            "--reason",
            reason,
            "--out",
            text(out),
        ])
    };
    for operators in [["ann", "ann"], ["ann", "cleaner"]] {
        let done = resume(operators, "it is out");
        assert_eq!(done.code, 7, "{}", done.stderr);
        assert!(done.stderr.contains("operator"), "{}", done.stderr);
    }
    assert!(resume(["ann", "ann"], "it is out").stderr.contains("needs 2 different operators, 1 agreed"));
    assert!(resume(["ann", "operator-script"], "it is out").stderr.contains("no person"));
    assert_eq!(resume(["ann", "bob"], "  ").code, 2, "a resume needs a reason");
    assert_eq!(journal(out), before, "what is refused leaves no trace");
    let resumed = resume(["ann", "bob"], "it is out");
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!(resumed.stdout.contains("the kill switch is resumed, by ann, bob: it is out"));
    assert_eq!(resume(["ann", "bob"], "again").code, 7, "it is off");
    let result = until(&config, out, "2001-12-31");
    assert_eq!(result["rejections_by_gate"]["kill_switch"]["KILL_SWITCH"], refused);
    let acts = lines(&out.join("operations.jsonl"));
    let events: Vec<_> = acts.iter().map(|act| act["event"]["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["killed", "halt_resumed"]);
    assert_eq!(acts[1]["by"], serde_json::json!(["ann", "bob"]));
}

#[test]
fn the_kill_switch_needs_no_configuration() {
    let at = folder();
    let genesis = Genesis {
        program: "mts of tomorrow".into(),
        config: "{}".into(),
        config_hash: String::new(),
        files: Default::default(),
        instruments: String::new(),
        async_gates: false,
        venues: Default::default(),
    };
    drop(FileJournal::begin(at.path(), &[(GENESIS, &serde_json::to_vec(&genesis).unwrap())]).unwrap());
    assert_eq!(halt_fund(at.path()).code, 5);
    let killed = run(["kill", "--reason", "fire", "--actor", "ann", "--out", text(at.path())]);
    assert_eq!(killed.code, 0, "{}", killed.stderr);
    let mut kinds = Vec::new();
    let reader = FileJournal::read_only(at.path()).unwrap();
    reader
        .replay(&mut |record| {
            kinds.push(record.kind);
            Ok(())
        })
        .unwrap();
    assert_eq!(kinds, [GENESIS, mts_engine::record::INPUT_V1]);
}

#[test]
fn acts_are_refused_where_they_could_not_count() {
    let (_folder, config) = watched();
    let at = folder();
    let out = at.path();
    assert_eq!(halt_fund(out).code, 5, "there is no run");
    until(&config, out, "2000-03-31");
    let writer = FileJournal::open(out).unwrap();
    for done in [halt_fund(out), run(["kill", "--reason", "x", "--actor", "ann", "--out", text(out)])] {
        assert_eq!(done.code, 5, "{}", done.stderr);
        assert!(done.stderr.contains("end it in order (SIGTERM or Ctrl-C)"), "{}", done.stderr);
    }
    drop(writer);
    let before = journal(out);
    let scope =
        |flag: &str, id: &str| run(["halt", flag, id, "--reason", "x", "--actor", "ann", "--out", text(out)]);
    for (flag, id, known) in
        [("--fund", "momentun", "its fund is momentum"), ("--strategy", "s", "its strategy is momentum-12-1")]
    {
        let done = scope(flag, id);
        assert!(done.code == 2 && done.stderr.contains(known), "{}", done.stderr);
    }
    let firm = ["halt", "--firm", "--reason", "x", "--actor", "ann", "--out", text(out)];
    let done = run(firm);
    assert!(done.code == 2 && done.stderr.contains("say --yes"), "{}", done.stderr);
    assert_eq!(journal(out), before);
    assert_eq!(
        run(["halt", "--firm", "--yes", "--reason", "x", "--actor", "ann", "--out", text(out)]).code,
        0
    );
    assert_eq!(scope("--strategy", "momentum-12-1").code, 0);
    let ended = folder();
    let (_short, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-03-31")]);
    run(["run", text(&config), "--out", text(ended.path()), "--json"]).json();
    let done = halt_fund(ended.path());
    assert!(done.code == 7 && done.stderr.contains("has ended"), "{}", done.stderr);
}

#[test]
fn a_terminal_is_asked_for_the_word() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: script is not installed");
        return;
    }
    let (_folder, config) = watched();
    let at = folder();
    let out = at.path();
    until(&config, out, "2000-01-31");
    let typed = |act: &str, word: &str| {
        let command =
            format!("{} {act} --reason x --actor ann --out '{}'", common::mts().display(), text(out));
        let shell = format!("echo {word} | script --quiet --return --command \"{command}\" /dev/null");
        let done = Command::new("sh").arg("-c").arg(shell).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    for (act, word, wrong) in [("halt --firm", "HALT", "halt"), ("kill", "KILL", "")] {
        let before = journal(out);
        let (code, said) = typed(act, wrong);
        assert!(code == 2 && said.contains(&format!("{word} was not typed")), "{code}: {said}");
        assert_eq!(journal(out), before);
        let (code, said) = typed(act, word);
        assert_eq!(code, 0, "{said}");
        assert_ne!(journal(out), before);
    }
}

#[test]
fn an_envelope_changes_by_one_version_and_is_not_loosened_during_a_halt() {
    let (_folder, config) = watched();
    let at = folder();
    let out = at.path();
    until(&config, out, "2000-06-30");
    let limits = || run(["limits", "--out", text(out), "--json"]).json();
    let file = at.path().join("envelope.json");
    let update = |version: u64, field: &str, value: Value| {
        let mut envelope = limits()["envelope"].clone();
        envelope["version"] = version.into();
        envelope[field] = value;
        std::fs::write(&file, serde_json::to_vec(&envelope).unwrap()).unwrap();
        run([
            "limits",
            "update",
            "--file",
            text(&file),
            "--actor",
            "ann",
            "--reason",
            "less at once",
            "--out",
            text(out),
        ])
    };
    let before = journal(out);
    let done = update(3, "max_position_pct", 0.05.into());
    assert!(done.code == 7 && done.stderr.contains("carries 2"), "{}", done.stderr);
    let done = update(2, "max_positon_pct", 0.05.into());
    assert!(done.code == 3 && done.stderr.contains("unknown field max_positon_pct"), "{}", done.stderr);
    assert_eq!(journal(out), before);
    let done = update(2, "max_position_pct", 0.05.into());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("max_position_pct  0.25"), "{}", done.stdout);
    let shown = limits();
    assert_eq!(
        (&shown["envelope"]["version"], &shown["envelope"]["max_position_pct"]),
        (&2.into(), &0.05.into())
    );
    assert_eq!(
        (&shown["updates"][0]["by"][0], &shown["updates"][0]["reason"]),
        (&"ann".into(), &"less at once".into())
    );
    assert_eq!(halt_fund(out).code, 0);
    let done = update(3, "max_position_pct", 0.25.into());
    assert!(done.code == 7 && done.stderr.contains("not loosened during a halt"), "{}", done.stderr);
    assert_eq!(update(3, "max_position_pct", 0.04.into()).code, 0, "tightening passes");
    let resumed = run([
        "resume",
        "--fund",
        "momentum",
        "--operator",
        "ann",
        "--operator",
        "bob",
        "--reason",
        "done",
        "--out",
        text(out),
    ]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let result = until(&config, out, "2000-12-31");
    assert!(result["rejections_by_gate"]["position"]["MAX_POSITION_PCT"].as_u64().unwrap() > 0, "{result}");
}
