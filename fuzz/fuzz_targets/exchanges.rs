//! The reader of exchanges' replies: whatever a reply says, it is read or refused, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run exchanges` from the root; what they are held to is in
//! `crates/marketdata/tests/common/exchange_bytes.rs`, the replay of the saved corpus as a plain test in `corpus.rs` there.

#![no_main]

#[path = "../../crates/marketdata/tests/common/exchange_bytes.rs"]
mod exchange_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exchange_bytes::check(bytes));
