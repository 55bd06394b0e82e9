//! The corpora of the adapters' fuzz targets, replayed without a fuzzer. They are what the doubles say.

#![cfg(all(feature = "alpaca", feature = "coinbase"))]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/alpaca.rs"]
mod alpaca;
#[path = "common/coinbase.rs"]
mod coinbase;
#[path = "common/saying.rs"]
mod saying;

use std::path::{Path, PathBuf};

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    // Outside of the repository the crate stands without its corpora.
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{} files are no corpus", files.len());
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Every file whole; one of them is the talk of a whole connection, with its history.
fn says(target: &str, check: impl Fn(&[u8]) -> usize) {
    for (path, bytes) in corpus(target) {
        let events = check(&bytes);
        assert!(!path.ends_with("replay.txt") || events >= 4, "{events} events");
    }
}

/// Cut and with bytes changed in many places.
fn half_says(target: &str, check: impl Fn(&[u8]) -> usize) {
    for (_, whole) in corpus(target) {
        let step = (whole.len() / 24).max(1);
        for place in (0..whole.len()).step_by(step) {
            check(whole.get(..place).unwrap());
            let mut wrong = whole.clone();
            wrong[place] = b"9\"-[\n"[place % 5];
            check(&wrong);
        }
    }
}

#[test]
fn what_alpaca_says_is_answered() {
    says("alpaca", alpaca::check);
}

#[test]
fn what_alpaca_half_says_is_answered() {
    half_says("alpaca", alpaca::check);
}

#[test]
fn what_coinbase_says_is_answered() {
    says("coinbase", coinbase::check);
}

#[test]
fn what_coinbase_half_says_is_answered() {
    half_says("coinbase", coinbase::check);
}
