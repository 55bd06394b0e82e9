//! Shells: they turn the world into inputs and carry out actions. Input and output live here, decisions do not.

pub mod backtest;
mod ready;

pub use ready::{NotReady, ready};
