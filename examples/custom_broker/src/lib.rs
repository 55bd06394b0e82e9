//! A broker of one's own, for a venue that exists nowhere else: Acme.
//!
//! [`broker`] is the adapter, [`venue`] the double of its venue: a desk that takes requests as text and answers with text, as
//! one behind a socket does, in the same process. `tests/conformance.rs` runs the suite of `mts-conformance` with the two.

pub mod broker;
mod feed;
pub mod venue;
mod wire;

pub use broker::AcmeBroker;
pub use venue::AcmeDouble;
