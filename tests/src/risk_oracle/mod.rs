//! The risk machine against a slow, plain model of its documentation.
//!
//! [`oracle`] is the model: lists of what happened, and everything counted from them anew for each order. [`stream`] makes
//! up what happens from a seed, tells both of it and compares what they answer; [`bounds`] counts besides, after each order
//! that opens or grows a position, that no limit is passed. `mts-risk-oracle` runs many streams; the tests run few, and plant
//! faults to see them found.

pub mod bounds;
pub mod oracle;
pub mod random;
pub mod run;
pub mod stream;
pub mod world;
