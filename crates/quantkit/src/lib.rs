#![doc = include_str!("../README.md")]
//!
//! Factors, allocators and statistics on `ndarray`, usable alone.
//!
//! Panels have shape (T, A): time by asset. Missing values are NaN. Nothing looks ahead: row t uses rows 0..=t.

pub mod allocators;
pub mod clustering;
pub mod covariance;
pub mod cross_section;
pub mod factors;
pub mod linalg;
pub mod operators;
pub mod options;
pub mod statistics;

pub use allocators::RiskParity;
pub use factors::momentum;
pub use momentum::Momentum;
pub use statistics::Performance;
