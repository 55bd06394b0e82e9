//! What is tested across the crates of the workspace.
//!
//! The library holds what several test programs share. [`conformance`] runs the vectors of `tests/vectors`: expected
//! results that were made by other software, compared case by case. `cargo xtask conformance` starts it through the
//! program `mts-conformance-runner`; the tests in `tests/tests` call it directly. [`risk_oracle`] compares the risk machine
//! with a plain model of its documentation, over streams of made-up orders; [`venue_log`] compares an engine's books with the
//! log of the rehearsal venue.

pub mod conformance;
pub mod risk_oracle;
pub mod venue_log;
