//! The corpus of the fuzz target `journal`, replayed without a fuzzer.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/decoded.rs"]
mod decoded;

use std::path::{Path, PathBuf};

use common::{HEAD, sample};
use mts_journal::MemoryJournal;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/journal")
}

/// Outside of the repository the crate stands without its corpus.
#[test]
fn the_corpus_passes() {
    let Ok(entries) = std::fs::read_dir(corpus()) else { return };
    let mut count = 0;
    for entry in entries {
        decoded::check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

/// The seeds, from which a fuzzer goes on; run again when the format changes.
#[test]
#[ignore = "writes the seeds of the corpus"]
fn write_the_seeds() {
    let (bytes, marks) = sample();
    let mut flipped = bytes.clone();
    flipped[marks[4].0 + 30] ^= 8;
    let mut empty_group = bytes.clone();
    empty_group.extend_from_slice(&bytes[bytes.len() - 52..]);
    let golden =
        |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name));
    let seeds: [(&str, Vec<u8>); 12] = [
        ("nothing", Vec::new()),
        ("empty", MemoryJournal::new().bytes().to_vec()),
        ("half_a_header", bytes[..HEAD / 2].to_vec()),
        ("one_group", bytes[..marks[1].0].to_vec()),
        ("ten_groups", bytes.clone()),
        ("torn", bytes[..bytes.len() - 60].to_vec()),
        ("torn_commit", bytes[..bytes.len() - 7].to_vec()),
        ("room", [&bytes[..marks[3].0], &[0; 300]].concat()),
        ("flipped", flipped),
        ("empty_group", empty_group),
        ("version_1", golden("v1.mts").unwrap()),
        ("version_2", golden("v2/journal.mts").unwrap()),
    ];
    std::fs::create_dir_all(corpus()).unwrap();
    for (name, seed) in seeds {
        std::fs::write(corpus().join(name), seed).unwrap();
    }
}

/// The mending does its work: a wrong checksum is no longer what stops the decoder.
#[test]
fn a_mended_journal_is_read_past_its_checksums() {
    let (bytes, _) = sample();
    let mut wrong = bytes.clone();
    // In the payload of the second record; the first has none.
    wrong[HEAD + 20 + 17] ^= 1;
    for (journal, what) in [(wrong.clone(), "checksum"), (decoded::mended(&wrong), "chain of hashes")] {
        let error = MemoryJournal::from_bytes(journal).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    assert_eq!(decoded::mended(&bytes), bytes);
}
