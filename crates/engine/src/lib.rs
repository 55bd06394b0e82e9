#![doc = include_str!("../README.md")]
//!
//! The order path: one deterministic machine that owns every order from intent to end, and the shells that drive it.
//!
//! [`Core`] is a pure function of its inputs: no clock, no I/O, no randomness. A shell turns the world into [`Input`]s,
//! journals them, and carries out the [`Action`]s that come back. State is what replaying the inputs gives, bit for
//! bit; [`Core::state_hash`] says so in 32 bytes.

// The unit tests share the helpers of the integration tests, which name the crate from outside.
#[cfg(test)]
extern crate self as mts_engine;

pub mod core;
pub mod input;
pub mod output;
pub mod record;
pub mod replay;
pub mod shell;

pub use crate::core::{AccountStanding, Core, CoreConfig, CoreError, FundSetup, State, VenueFacts};
pub use input::{AccountAnswer, ClockFault, GateAnswer, Input, LookUp, OperatorAct, VolumeUpdate};
pub use output::{Action, GateQuestion, OrderTrace, Output};
pub use record::{Genesis, RecordError};
