//! Aggregation: ticks and smaller bars become bars.
//!
//! Inside, prices and sizes are whole numbers at a scale of the instrument's own ([`Scale`]): exact, and as fast as the machine
//! compares and adds. Nothing here reads a clock.

mod activity;
mod aggregator;
mod building;
mod conditions;
mod fixed;
mod hours;
mod information;
mod renko;
mod revisions;
mod schedule;
mod symbols;
mod tick_aggregator;
mod tick_bars;
mod time_bars;

pub use activity::{Activity, Cut, Measure};
pub use aggregator::{Aggregator, Made};
pub use building::{FixedBar, Part, Tick};
pub use conditions::{Tape, TradeFilter};
pub use fixed::{MAX_DIGITS, MAX_SIZE_DIGITS, Scale, decimal, whole};
pub use hours::{Hours, Trading};
pub use information::{Expectations, Expected, Information, Theta};
pub use renko::Renko;
pub use symbols::{MAX_SYMBOLS, NotTaken};
pub use tick_aggregator::{BarKind, InvalidKind, TickAggregator, TickBar};
pub use tick_bars::{Aggressor, MAX_BARS_OF_A_TICK, Rule, TickBars};
pub use time_bars::{AggregationError, Closed, Counts, Late, Patience, TimeBars};
