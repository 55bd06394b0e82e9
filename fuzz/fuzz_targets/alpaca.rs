//! Alpaca's adapter: whatever the venue answers and whatever its stream says, an answer of ours, and never a panic. A line is
//! both an answer and a frame.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run alpaca` from the root; the saved corpus is replayed by `crates/brokers/tests/corpus.rs`.

#![no_main]

#[path = "../../crates/brokers/tests/common/alpaca.rs"]
mod alpaca;
#[path = "../../crates/brokers/tests/common/saying.rs"]
mod saying;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    alpaca::check(bytes);
});
