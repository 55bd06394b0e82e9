//! Every version of the format, byte for byte. If this fails, old journals no longer open: make a new version instead.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

use std::path::{Path, PathBuf};

use mts_foundation::journal::{Journal, JournalRecord};
use mts_journal::{FILE_NAME, FileJournal, JournalOptions, JournalReader, MemoryJournal};

/// Kinds and payloads by group.
const CONTENT: [&[(u16, &[u8])]; 3] = [
    &[(1, b"run started")],
    &[(2, b""), (3, b"{\"symbol\":\"AAPL\",\"quantity\":\"10\"}"), (0xFFFE, &[0, 1, 2, 0xFD, 0xFE, 0xFF])],
    &[(3, b"last"), (3, b"last")],
];

/// The chain behind the last group of version 1, as `sha256sum` and Python compute it from the file.
const HEAD_V1: &str = "3399fe1046020ca77b669db231c25023471cea0e763f59361b1b7321586566ae";

/// The same of version 2, computed by Python from the first segment and the records of all.
const HEAD_V2: &str = "b39c1eacff84baed3109290c6221e387e319c361e8bc3637f2af2994be3155cf";

/// What the snapshot of version 2 holds.
const STATE: &[u8] = b"the state after four records";

/// Small enough for two groups to need two segments.
fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 200, ..JournalOptions::default() }
}

fn fill(journal: &mut dyn Journal) {
    for (number, group) in CONTENT.into_iter().enumerate() {
        for (kind, payload) in group {
            journal.append(*kind, payload).unwrap();
        }
        journal.commit().unwrap();
        if number == 1 {
            journal.save_snapshot(journal.durable(), STATE).unwrap();
        }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Files of version 2 in its folder.
fn names() -> [String; 4] {
    let numbered = |what: &str, number: u64| format!("{what}-{number:020}.mts");
    [FILE_NAME.to_owned(), numbered("journal", 1), numbered("journal", 4), numbered("snapshot", 4)]
}

fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expected() -> Vec<JournalRecord> {
    (0u64..)
        .zip(CONTENT.into_iter().flatten())
        .map(|(sequence, (kind, payload))| JournalRecord { sequence, kind: *kind, payload: payload.to_vec() })
        .collect()
}

fn records(journal: &JournalReader) -> Vec<JournalRecord> {
    let mut records = Vec::new();
    journal
        .replay(&mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    records
}

/// Writes the fixture; was run once for version 2.
#[test]
#[ignore = "the fixture of a released version never changes"]
fn write_the_fixture() {
    let folder = tempfile::tempdir().unwrap();
    fill(&mut FileJournal::begin_with(folder.path(), &[], small()).unwrap());
    std::fs::create_dir_all(golden("v2")).unwrap();
    for name in names() {
        std::fs::copy(folder.path().join(&name), golden("v2").join(&name)).unwrap();
    }
}

#[test]
fn the_bytes_are_those_of_version_2() {
    let folder = tempfile::tempdir().unwrap();
    fill(&mut FileJournal::begin_with(folder.path(), &[], small()).unwrap());
    for name in names() {
        let written = std::fs::read(folder.path().join(&name)).unwrap();
        assert_eq!(written, std::fs::read(golden("v2").join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn version_2_can_be_read() {
    let reader = FileJournal::read_only(golden("v2")).unwrap();
    assert_eq!((hex(reader.head_hash()).as_str(), reader.segments().unwrap().len()), (HEAD_V2, 3));
    assert_eq!(reader.snapshot().unwrap(), Some((4, STATE.to_vec())));
    assert_eq!(reader.ignored_snapshots(), []);
    assert_eq!((records(&reader), reader.verify().unwrap().groups), (expected(), 3));
}

#[test]
fn version_1_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden("v1.mts"), folder.path().join(FILE_NAME)).unwrap();
    let reader = FileJournal::read_only(folder.path()).unwrap();
    assert_eq!((hex(reader.head_hash()).as_str(), records(&reader)), (HEAD_V1, expected()));
    let memory = MemoryJournal::from_bytes(std::fs::read(golden("v1.mts")).unwrap()).unwrap();
    assert_eq!(hex(memory.head_hash()), HEAD_V1);
}

/// A journal of version 1 is gone on with: its file grows as it is, and segments of version 2 follow it.
#[test]
fn version_1_can_be_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join(FILE_NAME);
    std::fs::copy(golden("v1.mts"), &first).unwrap();
    let mut all = expected();
    for number in 6..20 {
        let mut journal = FileJournal::open_with(
            folder.path(),
            JournalOptions { segment_bytes: 600, ..JournalOptions::default() },
        )
        .unwrap();
        assert_eq!(journal.append(9, &[7; 40]).unwrap(), number);
        journal.commit().unwrap();
        all.push(JournalRecord { sequence: number, kind: 9, payload: vec![7; 40] });
    }
    let reader = FileJournal::read_only(folder.path()).unwrap();
    assert_eq!(records(&reader), all);
    assert!(reader.segments().unwrap().len() >= 3);
    let bytes = std::fs::read(&first).unwrap();
    assert!(bytes.starts_with(&std::fs::read(golden("v1.mts")).unwrap()) && bytes.len() > 400);
    reader.verify().unwrap();
}
