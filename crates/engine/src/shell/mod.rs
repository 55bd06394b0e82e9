//! Shells: they turn the world into inputs and carry out actions. Input and output live here, decisions do not.

pub mod backtest;
pub mod driver;
pub mod live;

pub use mts_foundation::ready::{NotReady, ready};
