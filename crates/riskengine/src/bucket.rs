//! Token buckets: rates of orders per strategy, instrument, fund and broker.

use mts_foundation::risk::RateBucket;
use mts_foundation::{BrokerName, FundId, GateLimits, Order, StrategyId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whose rate a bucket limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum BucketKey {
    Strategy(StrategyId),
    Symbol(Symbol),
    Fund(FundId),
    Broker(BrokerName),
}

impl std::fmt::Display for BucketKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Strategy(id) => write!(out, "strategy {id}"),
            Self::Symbol(symbol) => write!(out, "instrument {symbol}"),
            Self::Fund(id) => write!(out, "fund {id}"),
            Self::Broker(name) => write!(out, "broker {name}"),
        }
    }
}

/// The buckets that an order takes from, where configured, with their limits.
pub(crate) fn buckets(limits: &GateLimits, order: &Order) -> [Option<(BucketKey, RateBucket)>; 4] {
    [
        limits.strategy_rate.map(|rate| (BucketKey::Strategy(order.strategy_id.clone()), rate)),
        limits.symbol_rate.map(|rate| (BucketKey::Symbol(order.symbol.clone()), rate)),
        limits.fund_rate.map(|rate| (BucketKey::Fund(order.fund_id.clone()), rate)),
        limits.broker_rate.map(|rate| (BucketKey::Broker(order.broker.clone()), rate)),
    ]
}

/// A token bucket, in sixty-thousandths of a token so that refilling is exact in milliseconds.
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

    /// A token that was taken for nothing.
    pub(crate) fn give_back(&mut self, rate: RateBucket) {
        self.tokens = self.tokens.saturating_add(TOKEN).min(u64::from(rate.burst) * TOKEN);
    }

    pub(crate) fn take(&mut self, rate: RateBucket, now: Timestamp) {
        self.tokens = self.level(rate, now).saturating_sub(TOKEN);
        // By whole milliseconds, as tokens are: what is left of one counts towards the next.
        let elapsed = u64::try_from(now.since(self.refilled).as_millis()).unwrap_or(u64::MAX);
        self.refilled = self.refilled.plus(Duration::from_millis(elapsed));
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

    #[test]
    fn parts_of_milliseconds_are_not_lost() {
        let rate = RateBucket { per_minute: 120_000, burst: 1 };
        let mut bucket = Bucket::full(rate, Timestamp::EPOCH);
        // One order every 0.6 ms is slower than two a millisecond.
        for order in 0..1_000_i64 {
            let now = Timestamp::from_nanos(order * 600_000);
            let waited = Timestamp::from_nanos(now.nanos() + 400_000);
            assert!(bucket.has_token(rate, now) || bucket.has_token(rate, waited), "{order}");
            bucket.take(rate, now);
        }
        assert!(bucket.has_token(rate, Timestamp::from_millis(601)));
    }
}
