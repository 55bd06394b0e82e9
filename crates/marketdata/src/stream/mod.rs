//! Streams of market data (docs/streams.md): one discipline for all venues.
//!
//! A venue is a [`Protocol`]: what to say and what frames mean. The [`Machine`](machine::Machine) keeps the
//! connection, knows what is wanted and what is acknowledged, watches over silence, and sees to it that no print is lost or
//! doubled without being said. Both are without I/O and clock. [`StreamFeed`] gives them sockets, a clock and a history.

mod backfill;
pub mod book;
mod connection;
pub mod feed;
mod following;
mod gather;
mod liveness;
pub mod machine;
mod options;
pub mod protocol;
pub mod queue;
mod tape;
pub mod venues;

pub use backfill::{History, Question};
pub use feed::{StreamFeed, World};
pub use liveness::Patience;
pub use options::{Counts, Moment, Options};
pub use protocol::{Channel, Protocol, Topic};

/// Whether an instrument is a perpetual future: venues stream those from another address than spot.
pub(crate) fn is_perpetual(symbol: &mts_foundation::Symbol) -> bool {
    matches!(symbol.parts(), Ok(mts_foundation::symbology::SymbolParts::Perpetual(_)))
}
