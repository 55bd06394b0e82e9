//! Feeds made of other feeds: bars of ticks, one stream of several, fewer events where fewer will do.

mod aggregated;
mod merged;
mod passing;
mod throttled;

pub use aggregated::{AggregatedFeed, Prices};
pub use merged::{MAX_SOURCES, MergedFeed};
pub use passing::Passing;
pub use throttled::ThrottledFeed;
