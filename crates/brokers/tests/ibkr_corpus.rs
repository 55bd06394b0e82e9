//! The corpus of the fuzz target `ibkr_updates`, replayed without a fuzzer.

#![cfg(feature = "ibkr")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "common/ibkr_updates.rs"]
mod ibkr_updates;

use std::path::Path;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/ibkr_updates");
    // Outside of the repository the crate stands without it.
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let read = |path: std::path::PathBuf| (path.display().to_string(), std::fs::read(path).unwrap());
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

#[test]
fn the_corpus_passes_and_says_something() {
    let corpus = corpus();
    let events: usize = corpus.iter().map(|(_, bytes)| ibkr_updates::check(bytes)).sum();
    assert!(
        corpus.is_empty() || (corpus.len() >= 5 && events >= 20),
        "{} files, {events} events",
        corpus.len()
    );
}

/// What half of a message leaves, and what a flipped bit does.
#[test]
fn no_half_of_a_message_and_no_flipped_bit_is_a_panic() {
    for (_, whole) in corpus() {
        for place in 0..whole.len() {
            if place % 5 == 0 {
                ibkr_updates::check(&whole[..place]);
            }
            let mut wrong = whole.clone();
            wrong[place] ^= 1 << (place % 8);
            if place % 11 == 0 {
                ibkr_updates::check(&wrong);
            }
        }
    }
}
