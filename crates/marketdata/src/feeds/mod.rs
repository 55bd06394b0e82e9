//! Feeds made of other feeds (bars of ticks, one stream of several, fewer events where fewer will do), and feeds of
//! exchanges (docs/feeds.md).

mod aggregated;
mod crypto;
mod funding;
mod history;
mod merged;
mod passing;
pub mod polling;
mod throttled;
mod vendor;
mod world;

pub use aggregated::{AggregatedFeed, Prices};
pub use crypto::{CryptoConfig, CryptoFeed};
pub use funding::{OkxFundingConfig, OkxFundingFeed};
pub use merged::{MAX_SOURCES, MergedFeed};
pub use passing::Passing;
pub use polling::PollingFeed;
pub use throttled::ThrottledFeed;
pub use vendor::{VendorConfig, VendorData, VendorFeed};
pub use world::FeedWorld;
