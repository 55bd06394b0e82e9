//! Aggregation: ticks and smaller bars become bars.
//!
//! Inside, prices and sizes are whole numbers at a scale of the instrument's own ([`Scale`]): exact, and as fast as the machine
//! compares and adds. Nothing here reads a clock.

mod aggregator;
mod building;
mod conditions;
mod fixed;
mod hours;
mod revisions;
mod symbols;
mod time_bars;

pub use aggregator::{Aggregator, Made};
pub use building::{FixedBar, Part, Tick};
pub use conditions::{Tape, TradeFilter};
pub use fixed::{MAX_DIGITS, Scale, decimal, whole};
pub use hours::{Hours, Trading};
pub use symbols::{MAX_SYMBOLS, NotTaken};
pub use time_bars::{AggregationError, Closed, Counts, Late, Patience, TimeBars};
