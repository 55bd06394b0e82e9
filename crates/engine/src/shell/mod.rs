//! Shells: they turn the world into inputs and carry out actions. Input and output live here, decisions do not.

mod conflation;
pub mod driver;
mod handle;
pub mod live;
pub mod offline;
mod retrace;
mod sessions;
mod trader;

pub use mts_foundation::ready::{NotReady, ready};
pub use trader::Trader;
