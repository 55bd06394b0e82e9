//! What is known of an instrument's market at one instant.

use crate::market::{Bar, Quote, QuoteFault, Trade};
use crate::num::Decimal;
use crate::order::Side;
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The latest quote, trade and bar of one instrument, as they were known at `asof`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MarketSnapshot {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Best bid and offer.
    #[serde(default)]
    pub quote: Option<Quote>,
    /// Last print.
    #[serde(default)]
    pub last_trade: Option<Trade>,
    /// Last complete bar.
    #[serde(default)]
    pub last_bar: Option<Bar>,
    /// When this was known.
    pub asof: Timestamp,
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PriceSource {
    /// The side of the quote that the order would meet.
    Touch,
    /// The last print.
    LastTrade,
    /// The close of the last bar.
    LastClose,
}

/// A price with its origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourcedPrice {
    /// Price per unit, greater than zero.
    pub price: Decimal,
    /// Where it comes from.
    pub source: PriceSource,
    /// When it was true at the venue.
    pub time: Timestamp,
}

impl MarketSnapshot {
    /// A snapshot of nothing.
    #[must_use]
    pub fn new(symbol: Symbol, asof: Timestamp) -> Self {
        Self { symbol, quote: None, last_trade: None, last_bar: None, asof }
    }

    /// Halfway between bid and offer; `None` without a quote that can be believed.
    #[must_use]
    pub fn mid(&self) -> Option<Decimal> {
        self.sane_quote().map(Quote::mid)
    }

    /// Spread in price units; `None` without a quote that can be believed.
    #[must_use]
    pub fn spread(&self) -> Option<Decimal> {
        self.sane_quote().map(|quote| quote.ask - quote.bid)
    }

    /// Spread in basis points of the mid; `None` without a quote that can be believed.
    #[must_use]
    pub fn spread_bps(&self) -> Option<Decimal> {
        self.sane_quote().and_then(Quote::spread_bps)
    }

    /// Why the quote cannot be believed; `None` when it can, and when there is none.
    #[must_use]
    pub fn quote_fault(&self) -> Option<QuoteFault> {
        self.quote.as_ref().and_then(Quote::fault)
    }

    /// The price that an order of this side would meet (decision R6): the touch, else the last trade, else the last close,
    /// each only when it is greater than zero and not older than `max_age` at `asof`. A quote that cannot be believed is
    /// passed over.
    #[must_use]
    pub fn reference_price(&self, side: Side, max_age: Duration) -> Option<SourcedPrice> {
        let touch = self.sane_quote().map(|quote| {
            let price = if side.sign() > 0 { quote.ask } else { quote.bid };
            (price, PriceSource::Touch, quote.timestamp)
        });
        let trade =
            self.last_trade.as_ref().map(|trade| (trade.price, PriceSource::LastTrade, trade.timestamp));
        let close = self.last_bar.as_ref().map(|bar| (bar.close, PriceSource::LastClose, bar.timestamp));
        [touch, trade, close]
            .into_iter()
            .flatten()
            .map(|(price, source, time)| SourcedPrice { price, source, time })
            .find(|found| found.price > Decimal::ZERO && self.asof.since(found.time) <= max_age)
    }

    fn sane_quote(&self) -> Option<&Quote> {
        self.quote.as_ref().filter(|quote| quote.is_sane())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Interval;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    /// A close at second 10, a trade at 20, a quote at 30, seen at 40.
    fn full() -> MarketSnapshot {
        let symbol = Symbol::new("AAPL").unwrap();
        let venue = || "XNAS".parse().unwrap();
        MarketSnapshot {
            quote: Some(Quote {
                symbol: symbol.clone(),
                bid: d("180.49"),
                ask: d("180.51"),
                bid_size: d("1"),
                ask_size: d("1"),
                venue: venue(),
                timestamp: at(30),
            }),
            last_trade: Some(Trade {
                trade_id: "t".into(),
                symbol: symbol.clone(),
                price: d("180.4"),
                size: d("1"),
                venue: venue(),
                timestamp: at(20),
            }),
            last_bar: Some(Bar::close_only(symbol.clone(), Interval::DAY, d("179"), at(10))),
            ..MarketSnapshot::new(symbol, at(40))
        }
    }

    #[test]
    fn the_documented_mid_and_spread() {
        let full = full();
        assert_eq!((full.mid(), full.spread()), (Some(d("180.5")), Some(d("0.02"))));
        assert_eq!(full.spread_bps().unwrap().round_dp(1), d("1.1"));
        assert_eq!(full.quote_fault(), None);
        let nothing = MarketSnapshot::new(full.symbol, at(0));
        assert_eq!((nothing.mid(), nothing.quote_fault()), (None, None));
        assert_eq!(nothing.reference_price(Side::Buy, Duration::MAX), None);
    }

    #[test]
    fn the_reference_falls_back_from_touch_to_trade_to_close() {
        let mut seen = full();
        let find = |seen: &MarketSnapshot, side, seconds| {
            seen.reference_price(side, Duration::from_secs(seconds)).map(|found| (found.price, found.source))
        };
        assert_eq!(find(&seen, Side::Buy, 10), Some((d("180.51"), PriceSource::Touch)));
        assert_eq!(find(&seen, Side::Cover, 10), Some((d("180.51"), PriceSource::Touch)));
        assert_eq!(find(&seen, Side::Sell, 10), Some((d("180.49"), PriceSource::Touch)));
        assert_eq!(find(&seen, Side::Short, 10), Some((d("180.49"), PriceSource::Touch)));
        assert_eq!(find(&seen, Side::Buy, 9), None, "everything is too old");
        seen.quote.as_mut().unwrap().bid = d("181");
        assert!(matches!(seen.quote_fault(), Some(QuoteFault::Crossed { .. })));
        assert_eq!(seen.mid(), None, "a crossed quote has no mid");
        assert_eq!(find(&seen, Side::Buy, 30), Some((d("180.4"), PriceSource::LastTrade)));
        assert_eq!(find(&seen, Side::Buy, 19), None);
        seen.last_trade.as_mut().unwrap().price = Decimal::ZERO;
        assert_eq!(find(&seen, Side::Buy, 30), Some((d("179"), PriceSource::LastClose)), "zero is no price");
    }
}
