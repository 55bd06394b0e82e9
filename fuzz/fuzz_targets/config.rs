//! The loader of configurations: whatever text a file holds, a configuration or a fault, and never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run config` from the root; what it is held to, and the replay of the saved corpus as a plain
//! test, are in `crates/cli/tests/corpus.rs`.

#![no_main]

#[path = "../../crates/cli/tests/common/loaded.rs"]
mod loaded;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loaded::check(bytes));
