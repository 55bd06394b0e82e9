//! The corpus of the fuzz target `kraken`, replayed without a fuzzer.

#![cfg(feature = "kraken")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "common/kraken_bytes.rs"]
mod kraken_bytes;

use std::path::Path;

/// Outside of the repository the crate stands without its corpus.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/kraken");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files: Vec<Vec<u8>> = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(files.len() >= 10, "{} files are no corpus", files.len());
    files
}

#[test]
fn the_corpus_passes() {
    for bytes in corpus() {
        kraken_bytes::check(&bytes);
    }
}

/// What a connection that breaks leaves, and what a wrong byte makes of it.
#[test]
fn no_half_of_a_message_and_no_wrong_byte_is_a_panic() {
    for whole in corpus() {
        for place in (1..whole.len()).step_by(41) {
            kraken_bytes::check(&whole[..place]);
            for byte in [b'9', b'"', b'-', b'{', b'\n'] {
                let mut wrong = whole.clone();
                wrong[place] = byte;
                kraken_bytes::check(&wrong);
            }
        }
    }
}
