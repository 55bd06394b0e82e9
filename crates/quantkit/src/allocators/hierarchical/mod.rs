//! Allocators that follow a tree of the assets.

pub mod herc;
pub mod hrp;
mod risk;

pub use herc::{Clusters, HierarchicalEqualRiskContribution, Inside};
pub use hrp::{HierarchicalRiskParity, Limit};
pub use risk::RiskMeasure;
