//! The corpus of the fuzz target `config`, replayed without a fuzzer.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "common/loaded.rs"]
mod loaded;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest time for one configuration, in a debug build on a machine that does other things too.
const MOST: Duration = Duration::from_secs(5);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn in_time(name: &str, bytes: &[u8]) {
    let began = Instant::now();
    loaded::check(bytes);
    assert!(began.elapsed() < MOST, "{name} takes {:?}", began.elapsed());
}

/// Outside of the repository the crate stands without its corpus.
#[test]
fn the_corpus_passes() {
    let Ok(entries) = std::fs::read_dir(repository().join("fuzz/corpus/config")) else { return };
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        in_time(&path.display().to_string(), &std::fs::read(path).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} files are no corpus");
}

/// The examples, cut and with bytes changed in many places: what half of an edit leaves.
#[test]
fn no_half_of_a_configuration_and_no_slip_of_a_key_is_a_panic() {
    for name in ["momentum.toml", "paper.toml"] {
        let Ok(whole) = std::fs::read(repository().join("examples").join(name)) else { return };
        for place in (0..whole.len()).step_by(7) {
            loaded::check(&whole[..place]);
            for byte in [b'9', b'"', b'-', b'[', b'\n'] {
                let mut wrong = whole.clone();
                wrong[place] = byte;
                loaded::check(&wrong);
            }
        }
    }
}

/// What somebody could write to keep the loader busy.
#[test]
fn large_and_deep_configurations_are_answered_in_time() {
    let many: String = (0..20_000).map(|number| format!("key{number} = {number}\n")).collect();
    for (name, text) in [
        ("deep lists", format!("[run]\nname = {}", "[".repeat(100_000))),
        ("deep tables", format!("[{}x]\n", "a.".repeat(100_000))),
        ("a long key", format!("{} = 1", "k".repeat(1_000_000))),
        ("many keys", format!("[run]\n{many}")),
        ("a long number", format!("[fund]\ninitial_cash = {}", "9".repeat(100_000))),
        ("a long text", format!("[fund]\ninitial_cash = \"{}\"", "9".repeat(1_000_000))),
    ] {
        in_time(name, text.as_bytes());
    }
}
