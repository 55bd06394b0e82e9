//! The readers of venues' streams: whatever a frame says, it is read or refused, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run streams` from the root; what they are held to is in
//! `crates/marketdata/tests/common/stream_bytes.rs`, the replay of the saved corpus as a plain test in `corpus.rs` there.

#![no_main]

#[path = "../../crates/marketdata/tests/common/stream_bytes.rs"]
mod stream_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stream_bytes::check(bytes));
