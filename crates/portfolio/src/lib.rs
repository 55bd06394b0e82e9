#![doc = include_str!("../README.md")]
//!
//! From signals to positions: sizers turn a signal into weights, the planner turns weights into orders.

pub mod planner;
pub mod sizers;

pub use planner::WeightPlanner;
pub use sizers::{EqualWeightLong, FixedWeight};
