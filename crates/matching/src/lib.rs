#![doc = include_str!("../README.md")]
//!
//! A simulated exchange: orders in, bars in, fills out. Deterministic; no clock, no randomness.

mod exchange;
mod fees;
mod rules;

pub use exchange::{Exchange, ExchangeError, MatchEvent};
pub use fees::FeeModel;
