//! What TWS tells of orders and trades: whatever it is, events or a fault, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run ibkr_updates` from the root; what it is held to, and the replay of the saved corpus as a plain
//! test, are in `crates/brokers/tests/ibkr_corpus.rs`.

#![no_main]

#[path = "../../crates/brokers/tests/common/ibkr_updates.rs"]
mod ibkr_updates;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ibkr_updates::check(bytes);
});
