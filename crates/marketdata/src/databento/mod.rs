//! Databento (docs/marketdata/databento.md): recorded files in its binary encoding, played back, and its live stream.
//!
//! [`DatabentoFeed`] plays files back at a speed of one's choice; [`LiveFeed`] follows the live gateway. Both read with one
//! decoder: what a record says is the same in a file and on the wire.

mod counts;
mod decode;
mod live;
mod names;
mod pace;
mod records;
mod replay;
mod session;

pub use counts::{Counts, MAX_NAMED};
pub use live::{Live, LiveFeed, LiveWorld, SCHEMAS};
pub use replay::{DatabentoFeed, File, MAX_FILES, Replay};
