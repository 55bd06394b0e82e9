//! The journal's decoder: whatever bytes a file holds, an answer, and never a record that was not written.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run journal` from the root; what it is held to, and the replay of the saved corpus as a
//! plain test, are in `crates/journal/tests/corpus.rs`.

#![no_main]

#[path = "../../crates/journal/tests/common/decoded.rs"]
mod decoded;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoded::check(bytes));
