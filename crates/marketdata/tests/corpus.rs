//! The corpora of the fuzz targets `streams`, `exchanges`, `vendors` and `data_files`, replayed without a fuzzer, whole, cut off, and with wrong bytes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "common/exchange_bytes.rs"]
mod exchange_bytes;
#[path = "common/file_bytes.rs"]
mod file_bytes;
#[path = "common/stream_bytes.rs"]
mod stream_bytes;
#[path = "common/vendor_bytes.rs"]
mod vendor_bytes;

use std::path::Path;

/// Outside of the repository the crate stands without its corpora.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files: Vec<Vec<u8>> = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(files.len() >= 10, "{} files are no corpus", files.len());
    files
}

fn replay(target: &str, check: fn(&[u8])) {
    for whole in corpus(target) {
        check(&whole);
        for place in (1..whole.len()).step_by(17) {
            check(&whole[..place]);
            for byte in [b'9', b'"', b'-', b'{', b'\n'] {
                let mut wrong = whole.clone();
                wrong[place] = byte;
                check(&wrong);
            }
        }
    }
}

#[test]
fn streams() {
    replay("streams", stream_bytes::check);
}

#[test]
fn exchanges() {
    replay("exchanges", exchange_bytes::check);
}

#[test]
fn vendors() {
    replay("vendors", vendor_bytes::check);
}

#[test]
fn data_files() {
    replay("data_files", file_bytes::check);
}
