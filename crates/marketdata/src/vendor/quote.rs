//! A quote as a vendor tells it.

use super::rest::Rest;
use crate::stream::venues::read::number;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Decimal, Quote, Symbol, Timestamp};
use serde_json::value::RawValue;

/// Prices and sizes, bid first.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    pub(crate) prices: [Option<&'a RawValue>; 2],
    pub(crate) sizes: [Option<&'a RawValue>; 2],
    pub(crate) time: Timestamp,
}

impl Rest {
    /// A quote of both sides, its sizes in units of so many. A side without orders, which may be told as a price of zero, is an
    /// error: it is no price.
    pub(crate) fn quote(
        &self,
        symbol: &Symbol,
        sides: &Sides<'_>,
        lot: Decimal,
    ) -> Result<Quote, MarketDataError> {
        let read = |raw: &RawValue| number(raw).map_err(|error| self.fault(&error.to_string()));
        let price = |raw: Option<&RawValue>, side: &str| {
            let price = raw.map(read).transpose()?.filter(|price| *price > Decimal::ZERO);
            price.ok_or_else(|| self.fault(&format!("{symbol} has no {side} now")))
        };
        let size = |raw: Option<&RawValue>| {
            let size = raw.map(read).transpose()?.unwrap_or_default().checked_mul(lot);
            let size = size.filter(|size| *size >= Decimal::ZERO);
            size.ok_or_else(|| self.fault(&format!("{symbol} has a size that cannot be")))
        };
        let ([bid, ask], [bid_size, ask_size]) = (sides.prices, sides.sizes);
        Ok(Quote {
            symbol: symbol.clone(),
            bid: price(bid, "bid")?,
            ask: price(ask, "ask")?,
            bid_size: size(bid_size)?,
            ask_size: size(ask_size)?,
            venue: self.venue().clone(),
            timestamp: sides.time,
        })
    }
}
