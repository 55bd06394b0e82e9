//! Public market data of many exchanges: ticker, trades, candles and funding, with every exchange described as data.
//!
//! [`DESCRIPTORS`] has a TOML text for each exchange; [`Descriptor`] is what it says, [`DescribedExchange`] asks with it.
//! What is shipped was held against recorded replies and another program's reading of them, never against a live exchange;
//! `docs/exchanges.md` says what that is worth.

mod descriptor;
mod exchange;
mod json;
mod read;
mod rules;
mod table;
mod url;

pub use descriptor::{
    CandleRules, Descriptor, DescriptorError, Envelope, Evidence, FundingRules, MarketForm, Method,
    TickerRules, TradeRules,
};
pub use exchange::DescribedExchange;
pub use json::Json;
pub use read::{Candle, Funding, Ticker, TradeRow, failure};
pub use rules::{At, Path, Places, Rule};
pub use table::{DESCRIPTORS, Embedded, find};
pub use url::{Asked, Template};

/// A reply that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReplyError {
    /// What is wrong.
    pub message: String,
}

impl ReplyError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
