//! Streams of market data: the feed in a world of memory and virtual time, the machine, the venues' parsers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::let_underscore_must_use,
    reason = "a helper that fails fails its test; recordings that are not there are said, and measured"
)]

mod book_model;
mod book_recordings;
mod books;
mod feed;
mod machine;
mod recordings;
mod vendors;
mod venues;
#[path = "../common/world.rs"]
mod world;
