//! The part of the machine that survives a restart: loss baselines, windows, counters, halts, the kill switch.

use chrono::NaiveDate;
use mts_foundation::num::exact;
use mts_foundation::order::{OrderType, Side};
use mts_foundation::risk::{HaltRequest, HaltScope, RateBucket, RiskEnvelope};
use mts_foundation::{Decimal, FundId, Order, OrderId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};

/// Layout of [`RiskState`]; a snapshot with another number is refused.
pub(crate) const STATE_VERSION: u32 = 1;

/// Most recent accepted orders that windows look at, per fund.
pub(crate) const MAX_RECENT: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RiskState {
    pub(crate) version: u32,
    pub(crate) killed: Option<String>,
    pub(crate) halts: BTreeMap<HaltScope, HaltRequest>,
    pub(crate) funds: BTreeMap<FundId, FundState>,
    pub(crate) buckets: BTreeMap<SmolStr, Bucket>,
    pub(crate) trading_day: Option<NaiveDate>,
    pub(crate) orders_accepted: u64,
}

impl Default for RiskState {
    fn default() -> Self {
        Self {
            version: STATE_VERSION,
            killed: None,
            halts: BTreeMap::new(),
            funds: BTreeMap::new(),
            buckets: BTreeMap::new(),
            trading_day: None,
            orders_accepted: 0,
        }
    }
}

/// Baselines are net asset values moved by capital flows, so that money in or out is neither gain nor loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FundState {
    pub(crate) envelope: RiskEnvelope,
    pub(crate) baselines: Option<Baselines>,
    pub(crate) recent: VecDeque<Accepted>,
    pub(crate) reservations: BTreeMap<OrderId, Reservation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baselines {
    #[serde(with = "exact")]
    pub(crate) day: Decimal,
    #[serde(with = "exact")]
    pub(crate) week: Decimal,
    #[serde(with = "exact")]
    pub(crate) month: Decimal,
    #[serde(with = "exact")]
    pub(crate) high_water: Decimal,
}

/// An accepted order, as far as windows look at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) time: Timestamp,
    pub(crate) symbol: Symbol,
    pub(crate) strategy: SmolStr,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    #[serde(with = "exact")]
    pub(crate) quantity: Decimal,
    #[serde(with = "mts_foundation::num::exact_option")]
    pub(crate) limit_price: Option<Decimal>,
    #[serde(with = "mts_foundation::num::exact_option")]
    pub(crate) stop_price: Option<Decimal>,
}

impl Accepted {
    pub(crate) fn of(order: &Order, time: Timestamp) -> Self {
        Self {
            time,
            symbol: order.symbol.clone(),
            strategy: order.strategy_id.clone().into(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            limit_price: order.limit_price,
            stop_price: order.stop_price,
        }
    }

    pub(crate) fn same_content(&self, order: &Order) -> bool {
        self.symbol == order.symbol
            && self.side == order.side
            && self.order_type == order.order_type
            && self.quantity == order.quantity
            && self.limit_price == order.limit_price
            && self.stop_price == order.stop_price
    }
}

/// An order that passed the pure gates and waits for an asynchronous one; it counts as working.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    #[serde(with = "exact")]
    pub(crate) quantity: Decimal,
    #[serde(with = "exact")]
    pub(crate) value: Decimal,
    #[serde(with = "exact")]
    pub(crate) committed: Decimal,
    pub(crate) sector: SmolStr,
    pub(crate) country: SmolStr,
    pub(crate) asset_class: mts_foundation::AssetClass,
}

/// A token bucket, in thousandths of a token so that refilling is exact in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    tokens: u64,
    refilled: Timestamp,
}

const TOKEN: u64 = 60_000;

impl Bucket {
    pub(crate) fn full(rate: RateBucket, now: Timestamp) -> Self {
        Self { tokens: u64::from(rate.burst) * TOKEN, refilled: now }
    }

    /// Units of 1/60,000 token after refilling: one millisecond at one per minute is one unit.
    fn level(self, rate: RateBucket, now: Timestamp) -> u64 {
        let elapsed = u64::try_from(now.since(self.refilled).as_millis()).unwrap_or(u64::MAX);
        let gained = elapsed.saturating_mul(u64::from(rate.per_minute));
        self.tokens.saturating_add(gained).min(u64::from(rate.burst) * TOKEN)
    }

    pub(crate) fn has_token(self, rate: RateBucket, now: Timestamp) -> bool {
        self.level(rate, now) >= TOKEN
    }

    pub(crate) fn take(&mut self, rate: RateBucket, now: Timestamp) {
        self.tokens = self.level(rate, now).saturating_sub(TOKEN);
        self.refilled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_refill_at_their_rate_and_no_further_than_their_burst() {
        let rate = RateBucket { per_minute: 6, burst: 2 };
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let mut bucket = Bucket::full(rate, at(0));
        bucket.take(rate, at(0));
        bucket.take(rate, at(0));
        assert!(!bucket.has_token(rate, at(9)));
        assert!(bucket.has_token(rate, at(10)));
        bucket.take(rate, at(3_600));
        assert!(bucket.has_token(rate, at(3_600)));
        bucket.take(rate, at(3_600));
        assert!(!bucket.has_token(rate, at(3_600)));
    }
}
