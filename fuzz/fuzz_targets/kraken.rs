//! Kraken's decoders, maps and session: whatever the venue answers or tells, an event, an answer or an error, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run kraken` from the root; what they are held to is in
//! `crates/brokers/tests/common/kraken_bytes.rs`, the replay of the saved corpus as a plain test beside it. The corpus was said
//! by the double of `mts venue kraken`.

#![no_main]

#[path = "../../crates/brokers/tests/common/kraken_bytes.rs"]
mod kraken_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kraken_bytes::check(bytes));
