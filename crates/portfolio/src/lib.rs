#![doc = include_str!("../README.md")]
//!
//! From signals to positions: sizers turn a signal into weights, the planner turns weights into orders.
//! And back: what a fund earned from them, and what the broker says of it.

pub mod books;
pub mod capacity;
pub mod funds;
pub mod holding_buckets;
pub mod performance;
pub mod planner;
pub mod session_matrix;
pub mod sizers;
pub mod sleeves;
pub mod statement;
pub mod tax;
pub mod turnover;
pub mod virtual_portfolio;

pub use books::Books;
pub use capacity::CapacityRule;
pub use funds::{FundRegistry, plan_allocation};
pub use holding_buckets::{HoldingBucket, HoldingBuckets};
pub use planner::WeightPlanner;
pub use session_matrix::SessionMatrix;
pub use sizers::{EqualWeightLong, FixedWeight};
pub use sleeves::compose;
pub use turnover::cap_turnover;
pub use virtual_portfolio::VirtualPortfolio;
