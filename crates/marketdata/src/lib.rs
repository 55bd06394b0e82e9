#![doc = include_str!("../README.md")]
//!
//! Market data sources. Sources take text or connections and never open files or sockets themselves; `store` alone has files.

pub mod aggregate;
pub mod alpaca;
pub mod closes;
#[cfg(feature = "databento")]
pub mod databento;
pub mod exchanges;
pub mod feeds;
#[cfg(feature = "ibkr")]
pub mod ibkr;
pub mod instruments;
mod lines;
pub mod panel;
pub mod polygon;
#[cfg(feature = "store")]
pub mod store;
pub mod stream;
pub mod ticks;
pub mod tradier;
mod vendor;

pub use closes::ClosesFeed;
pub use lines::line_of;
pub use ticks::TicksFeed;
pub use vendor::Streams;
