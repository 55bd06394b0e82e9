#![doc = include_str!("../README.md")]
//!
//! The `mts` program as a library: [`App`] makes a binary with every command of `mts` plus one's own parts.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     mts_cli::App::new().run()
//! }
//! ```

mod alerts;
mod app;
mod args;
mod bars;
mod brokers;
mod commands;
pub mod config;
mod error;
mod export;
mod feeds;
mod files;
mod fund_registry;
mod fund_values;
mod history;
mod incidents;
mod live;
mod log;
mod operations;
mod orders;
mod random;
pub mod report;
mod run_folder;
mod run_report;
mod secrets;
mod setup;
mod signals;
mod standing;
pub mod strategies;
mod tear_sheet;
mod venue;

pub use app::{App, BrokerContext, FeedContext, FeedParts, StrategyContext};
pub use error::{CliError, ExitKind};
