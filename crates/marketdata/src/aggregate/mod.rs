//! Aggregation: ticks and smaller bars become bars.
//!
//! Inside, prices and sizes are whole numbers at a scale of the instrument's own ([`Scale`]): exact, and as fast as the machine
//! compares and adds. Nothing here reads a clock.

mod aggregator;
mod building;
mod fixed;
mod hours;
mod time_bars;

pub use aggregator::{Aggregator, MAX_SYMBOLS, Made, NotTaken};
pub use building::{FixedBar, Part, Tick};
pub use fixed::{MAX_DIGITS, Scale, decimal, whole};
pub use hours::{Hours, Trading};
pub use time_bars::{AggregationError, Closed, Counts, Late, Patience, TimeBars};
