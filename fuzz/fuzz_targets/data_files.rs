//! The readers of files: whatever a file holds, it is read or refused, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run data_files` from the root; what they are held to is in
//! `crates/marketdata/tests/common/file_bytes.rs`, the replay of the saved corpus as a plain test in `corpus.rs` there.

#![no_main]

#[path = "../../crates/marketdata/tests/common/file_bytes.rs"]
mod file_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| file_bytes::check(bytes));
