#![doc = include_str!("../README.md")]
//!
//! Factors and statistics on `ndarray`, usable alone.
//!
//! Panels have shape (T, A): time by asset. Missing values are NaN. Nothing looks ahead: row t uses rows 0..=t.

pub mod cross_section;
pub mod factors;
pub mod momentum;
pub mod risk_parity;
pub mod statistics;

pub use momentum::Momentum;
pub use risk_parity::RiskParity;
pub use statistics::Performance;
