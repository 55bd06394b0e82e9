#![doc = include_str!("../README.md")]
//!
//! The risk machine: the gates that no order can bypass, the loss limits that halt, the halts that stay.
//!
//! [`RiskPipeline`] is pure and deterministic. It owns envelopes, windows, reservations, halts and loss baselines; the
//! ledger (cash, positions, marks, working orders) is lent to it. Passing costs no allocation: limits are converted to
//! exact decimals once, when an envelope is loaded.

mod bucket;
mod check;
mod envelopes;
mod gates;
mod halts;
mod limits;
mod live_limits;
mod loss;
mod machine;
pub mod safe_broker;
mod state;
mod stops;
pub mod store;
mod window;

pub use limits::ConfigFaults;
pub use live_limits::{InvalidLiveLimits, LiveLimits};
pub use machine::{FundRisk, LossBaselines, OperatorPolicy, RiskPipeline};
pub use safe_broker::SafeBroker;
