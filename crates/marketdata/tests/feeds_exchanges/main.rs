//! Feeds of exchanges in a world of memory and virtual time. What a test is named for is a defect of another program's feed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::let_underscore_must_use,
    reason = "a helper that fails fails its test"
)]

mod crypto;
mod funding;
mod polling;
mod web;
#[path = "../common/world.rs"]
#[allow(dead_code, reason = "the tests of streams need more of it")]
mod world;
