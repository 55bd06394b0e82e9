#![doc = include_str!("../README.md")]
//!
//! Broker adapters. Each lives in its own folder, imports no other adapter and exposes its configuration and itself.

pub mod loopback;
pub mod paper;
pub mod robinhood;

pub use loopback::{LoopbackBroker, LoopbackConfig};
pub use paper::{PaperBroker, PaperConfig};
