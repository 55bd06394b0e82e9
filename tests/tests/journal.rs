//! `mts journal` through the real binary: what a journal holds, whether it is whole, its end, and all of it as JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, mts, root, run, text};
use mts_engine::record::{INPUT_V1, decode};
use mts_foundation::journal::Journal;
use mts_journal::{FileJournal, JournalOptions, Retention};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The journal of a short run, copied into small segments with two snapshots; `retention` removes what lies before.
fn segmented(retention: Retention) -> tempfile::TempDir {
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-06-30")]);
    let (out, copy) = (folder(), folder());
    assert_eq!(run(["run", text(&config), "--out", text(out.path())]).code, 0);
    let mut records = Vec::new();
    FileJournal::read_only(out.path())
        .unwrap()
        .replay(&mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    let (genesis, inputs) = records.split_first().unwrap();
    assert!(inputs.len() > 300, "{}", inputs.len());
    let options = JournalOptions { segment_bytes: 20_000, retention, ..JournalOptions::default() };
    let first = [(genesis.kind, genesis.payload.as_slice())];
    let mut journal = FileJournal::begin_with(copy.path(), &first, options).unwrap();
    for group in inputs.chunks(10) {
        for record in group {
            journal.append(record.kind, &record.payload).unwrap();
        }
        journal.commit().unwrap();
        if [201, 301].contains(&journal.durable()) {
            journal.save_snapshot(journal.durable(), b"a state").unwrap();
        }
    }
    copy
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn show_tells_what_a_journal_consists_of() {
    let at = segmented(Retention::All);
    let reader = FileJournal::read_only(at.path()).unwrap();
    let found = run(["journal", "show", text(at.path()), "--json"]).json();
    assert_eq!(found["records"], reader.durable());
    let segments = found["segments"].as_array().unwrap();
    assert!(segments.len() > 2, "{segments:?}");
    let bytes: u64 = segments.iter().map(|segment| segment["bytes"].as_u64().unwrap()).sum();
    assert_eq!(found["bytes"], bytes);
    assert_eq!((&found["snapshot"]["records"], &found["snapshot"]["bytes"]), (&301.into(), &7.into()));
    let head = found["head_hash"].as_str().unwrap();
    assert_eq!(head, reader.head_hash().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let told = run(["journal", "show", text(at.path())]);
    for words in [head, "snapshot after 301 records", "begun by mts ", "journal-00000000000000000"] {
        assert!(told.stdout.contains(words), "no {words:?} in: {}", told.stdout);
    }

    let snapshot = found["snapshot"]["file"].as_str().unwrap();
    std::fs::write(snapshot, b"no snapshot").unwrap();
    let found = run(["journal", "show", text(at.path()), "--json"]).json();
    assert_eq!(found["snapshot"]["records"], 201);
    assert_eq!(found["ignored_snapshots"][0]["file"], snapshot);
}

#[test]
fn records_are_readable_and_complete_as_json() {
    let at = segmented(Retention::All);
    let told = run(["journal", "show", text(at.path()), "--from", "0", "--to", "3"]).stdout;
    let told: Vec<&str> = told.lines().collect();
    let [genesis, open, closes, close] = told.as_slice() else { panic!("{told:?}") };
    assert!(genesis.contains("genesis by mts ") && genesis.contains("20 instruments"), "{genesis}");
    assert!(open.contains("2000-01-03T14:30:00Z  SessionOpen date=2000-01-03"), "{open}");
    assert!(closes.contains("Closes marks=[{price=0.849 symbol=AAPL}") && closes.ends_with('…'), "{closes}");
    assert!(close.contains("SessionClose date=2000-01-03"), "{close}");

    let exported = run(["journal", "export", "--json", text(at.path())]);
    let all = lines(&exported.stdout);
    let mut count = 0;
    FileJournal::read_only(at.path())
        .unwrap()
        .replay(&mut |record| {
            let line = &all[count];
            count += 1;
            assert_eq!((&line["sequence"], &line["kind"]), (&record.sequence.into(), &record.kind.into()));
            if record.kind == INPUT_V1 {
                let input = decode(record.sequence, record.kind, &record.payload).unwrap();
                assert_eq!(line["input"], serde_json::to_value(input).unwrap());
            } else {
                assert!(line["genesis"]["instruments"].as_str().unwrap().contains("AAPL"));
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(count, all.len());
    let file = at.path().join("all.jsonl");
    let done = run(["journal", "export", text(at.path()), "--out", text(&file)]);
    assert_eq!((done.code, std::fs::read_to_string(&file).unwrap()), (0, exported.stdout));
    let some = run(["journal", "export", text(at.path()), "--from", "250", "--to", "259"]).stdout;
    assert_eq!(lines(&some), all[250..260]);
    let last = run(["journal", "tail", text(at.path()), "-n", "3", "--json"]).stdout;
    assert_eq!(lines(&last), all[all.len() - 3..]);
    assert_eq!(run(["journal", "tail", text(at.path())]).stdout.lines().count(), 10);
}

#[test]
fn verify_names_the_damage_and_the_exit_code_is_that_of_the_journal() {
    let at = segmented(Retention::All);
    let whole = run(["journal", "verify", text(at.path())]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert!(whole.stdout.contains("are as they were written"), "{}", whole.stdout);
    // Before the snapshot: a start would not look there, verify does.
    let second = FileJournal::read_only(at.path()).unwrap().segments().unwrap().swap_remove(1).path;
    let mut bytes = std::fs::read(&second).unwrap();
    bytes[70] ^= 4;
    std::fs::write(&second, &bytes).unwrap();
    assert_eq!(run(["journal", "show", text(at.path())]).code, 0);
    let damaged = run(["journal", "verify", text(at.path()), "--json"]);
    assert_eq!(damaged.code, 5);
    let place = format!("{} is damaged at byte 56", second.display());
    assert!(damaged.stderr.contains(&place) && damaged.stdout.is_empty(), "{}", damaged.stderr);
    let file = at.path().join("all.jsonl");
    let export = run(["journal", "export", text(at.path()), "--out", text(&file)]);
    assert_eq!((export.code, file.exists()), (5, false));
    assert!(export.stderr.contains(&place), "{}", export.stderr);
}

#[test]
fn what_retention_removed_is_said() {
    let at = segmented(Retention::Segments(0));
    let found = run(["journal", "verify", text(at.path()), "--json"]).json();
    let [from, to] = [0, 1].map(|place| found["removed"][place].as_u64().unwrap());
    assert!(0 < from && from <= to && to < 201, "{from} to {to}");
    let gap = run(["journal", "export", text(at.path())]);
    assert_eq!(gap.code, 0, "{}", gap.stderr);
    let said = format!("records {from} to {to} were removed by retention");
    assert!(gap.stderr.contains(&said), "{}", gap.stderr);
    let behind = gap.stdout.lines().nth(usize::try_from(from).unwrap()).unwrap();
    let behind: serde_json::Value = serde_json::from_str(behind).unwrap();
    assert_eq!(behind["sequence"], to + 1, "{behind}");
    let rest = run(["journal", "export", text(at.path()), "--from", "201"]);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
}

#[test]
fn tail_follows_a_writer() {
    let at = folder();
    let mut journal = FileJournal::begin(at.path(), &[(7, b"one")]).unwrap();
    let mut child = Command::new(mts())
        .current_dir(root())
        .args(["journal", "tail", text(at.path()), "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.next().unwrap().ends_with("0  kind 7, 3 bytes: 6f6e65"));
    for number in 1..4 {
        journal.append(7, b"more").unwrap();
        journal.commit().unwrap();
        assert!(told.next().unwrap().ends_with(&format!("{number}  kind 7, 4 bytes: 6d6f7265")));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_not_there_is_said() {
    let at = folder();
    for command in ["show", "verify", "tail", "export"] {
        let done = run(["journal", command, text(at.path())]);
        assert_eq!(done.code, 5, "{command}");
        assert!(done.stderr.contains("there is no journal in"), "{}", done.stderr);
    }
    drop(FileJournal::begin(at.path(), &[(7, b"one")]).unwrap());
    refused(at.path(), ["--from", "1"], "there is no record 1; the journal has 1");
    refused(at.path(), ["--from=3", "--to=2"], "--to 2 lies before --from 3");
}

fn refused(at: &Path, [first, second]: [&str; 2], words: &str) {
    let done = run(["journal", "show", text(at), first, second]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains(words), "{}", done.stderr);
}
