//! Version 1 of the format, byte for byte. If this fails, old journals no longer open: make a version 2 instead.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

use std::path::Path;

use mts_foundation::journal::{Journal, JournalRecord};
use mts_journal::{FILE_NAME, FileJournal, MemoryJournal};

/// Kinds and payloads by group.
const CONTENT: [&[(u16, &[u8])]; 3] = [
    &[(1, b"run started")],
    &[(2, b""), (3, b"{\"symbol\":\"AAPL\",\"quantity\":\"10\"}"), (0xFFFE, &[0, 1, 2, 0xFD, 0xFE, 0xFF])],
    &[(3, b"last"), (3, b"last")],
];

/// The chain behind the last group, as `sha256sum` and Python compute it from the file.
const HEAD: &str = "3399fe1046020ca77b669db231c25023471cea0e763f59361b1b7321586566ae";

fn fill(journal: &mut dyn Journal) {
    for group in CONTENT {
        for (kind, payload) in group {
            journal.append(*kind, payload).unwrap();
        }
        journal.commit().unwrap();
    }
}

fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1.mts")
}

/// Writes the fixture; was run once for version 1.
#[test]
#[ignore = "the fixture of a released version never changes"]
fn write_the_fixture() {
    let mut journal = MemoryJournal::new();
    fill(&mut journal);
    std::fs::write(golden(), journal.bytes()).unwrap();
}

#[test]
fn the_bytes_are_those_of_version_1() {
    let expected = std::fs::read(golden()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap();
    fill(&mut journal);
    assert_eq!(std::fs::read(folder.path().join(FILE_NAME)).unwrap(), expected);
}

#[test]
fn version_1_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden(), folder.path().join(FILE_NAME)).unwrap();
    let reader = FileJournal::read_only(folder.path()).unwrap();
    let hex: String = reader.head_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, HEAD);
    let mut records = Vec::new();
    reader
        .replay(&mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    let expected: Vec<_> = (0u64..)
        .zip(CONTENT.into_iter().flatten())
        .map(|(sequence, (kind, payload))| JournalRecord { sequence, kind: *kind, payload: payload.to_vec() })
        .collect();
    assert_eq!(records, expected);
}
