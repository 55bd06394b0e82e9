//! Order books: from a snapshot and what has changed since to the book as it stands, or to the certainty that it is lost.
//!
//! No I/O, no clock. [`Book`] is the levels, [`Synchroniser`] the book of one topic on one connection: it checks the venue's
//! numbers and checksum on every update, and after one that does not fit it hands nothing on until a new snapshot has come.

mod checksum;
mod levels;
mod sync;

pub use checksum::Checksum;
pub use levels::{Book, Fault};
pub use sync::{Numbers, Outcome, Synchroniser, Update};
