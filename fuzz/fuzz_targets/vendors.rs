//! The readers of vendors' replies: whatever a reply says, it is read or refused, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run vendors` from the root; what they are held to is in
//! `crates/marketdata/tests/common/vendor_bytes.rs`, the replay of the saved corpus as a plain test in `corpus.rs` there.

#![no_main]

#[path = "../../crates/marketdata/tests/common/vendor_bytes.rs"]
mod vendor_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vendor_bytes::check(bytes));
