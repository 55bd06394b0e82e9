//! The strategies that mts ships.

mod factor;
mod target_file;

pub use factor::FactorStrategy;
pub(crate) use factor::make as factor;
pub use target_file::TargetFileStrategy;
pub(crate) use target_file::make as targets;
