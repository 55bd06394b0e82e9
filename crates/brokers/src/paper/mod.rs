//! The paper broker: the simulated exchange behind the broker trait.
//!
//! Ids are functions of the order's idempotency key and a count, so that an order handed over again after a crash gets
//! the same ids and the same fills. The venue dedupes on the key.

mod broker;
mod config;
mod ids;
mod stream;
mod venue;

pub use broker::PaperBroker;
pub use config::{InvalidPaperConfig, PaperConfig};
