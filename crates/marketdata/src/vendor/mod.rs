//! What the adapters of data vendors share: requests whose secrets stay out of messages, ends of bars, streams of quotes.

pub(crate) mod bars;
pub(crate) mod quote;
pub(crate) mod rest;
pub(crate) mod stream;

pub use stream::Streams;

use mts_foundation::market_data::MarketDataError;
use mts_foundation::{MarketCalendar, VenueName};
use std::sync::Arc;

fn source(name: &str, error: &dyn std::fmt::Display) -> MarketDataError {
    MarketDataError::Source { path: name.to_owned(), message: error.to_string() }
}

/// The name of a vendor of ours.
pub(crate) fn venue(name: &str) -> Result<VenueName, MarketDataError> {
    VenueName::new(name).map_err(|error| source(name, &error))
}

/// The sessions of shares in New York.
pub(crate) fn new_york() -> Result<Arc<MarketCalendar>, MarketDataError> {
    let calendar = MarketCalendar::builtin("XNYS").map_err(|error| source("XNYS", &error))?;
    Ok(Arc::new(calendar.clone()))
}
