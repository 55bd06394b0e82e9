//! Token buckets: rates of orders per strategy, instrument, fund and broker.

use mts_foundation::risk::RateBucket;
use mts_foundation::{BrokerName, FundId, GateLimits, Order, StrategyId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// All buckets, by whose rate they limit. An order takes from at most four of them, each found by a name that it has
/// itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Buckets {
    strategies: BTreeMap<StrategyId, Bucket>,
    symbols: BTreeMap<Symbol, Bucket>,
    funds: BTreeMap<FundId, Bucket>,
    brokers: BTreeMap<BrokerName, Bucket>,
}

/// What sends too fast.
pub(crate) struct Empty {
    /// The kind of thing and its name.
    pub(crate) what: String,
    pub(crate) rate: RateBucket,
}

/// The rate, where its bucket has no token left.
fn lacks_token<K: Ord>(
    buckets: &BTreeMap<K, Bucket>,
    key: &K,
    rate: Option<RateBucket>,
    now: Timestamp,
) -> Option<RateBucket> {
    let rate = rate?;
    let level = buckets.get(key).copied().unwrap_or(Bucket::full(rate, now));
    (!level.has_token(rate, now)).then_some(rate)
}

fn take<K: Ord + Clone>(
    buckets: &mut BTreeMap<K, Bucket>,
    key: &K,
    rate: Option<RateBucket>,
    now: Timestamp,
) {
    let Some(rate) = rate else { return };
    match buckets.get_mut(key) {
        Some(bucket) => bucket.take(rate, now),
        None => {
            let mut bucket = Bucket::full(rate, now);
            bucket.take(rate, now);
            buckets.insert(key.clone(), bucket);
        }
    }
}

fn give_back<K: Ord>(buckets: &mut BTreeMap<K, Bucket>, key: &K, rate: Option<RateBucket>) {
    if let (Some(rate), Some(bucket)) = (rate, buckets.get_mut(key)) {
        bucket.give_back(rate);
    }
}

impl Buckets {
    /// The first bucket of the order that has no token left.
    pub(crate) fn empty(&self, limits: &GateLimits, order: &Order, now: Timestamp) -> Option<Empty> {
        let empty = |what: &str, name: &str, rate| Empty { what: format!("{what} {name}"), rate };
        if let Some(rate) = lacks_token(&self.strategies, &order.strategy_id, limits.strategy_rate, now) {
            return Some(empty("strategy", order.strategy_id.as_str(), rate));
        }
        if let Some(rate) = lacks_token(&self.symbols, &order.symbol, limits.symbol_rate, now) {
            return Some(empty("instrument", order.symbol.as_str(), rate));
        }
        if let Some(rate) = lacks_token(&self.funds, &order.fund_id, limits.fund_rate, now) {
            return Some(empty("fund", order.fund_id.as_str(), rate));
        }
        let rate = lacks_token(&self.brokers, &order.broker, limits.broker_rate, now)?;
        Some(empty("broker", order.broker.as_str(), rate))
    }

    /// Takes a token from each bucket of the order.
    pub(crate) fn take(&mut self, limits: &GateLimits, order: &Order, now: Timestamp) {
        take(&mut self.strategies, &order.strategy_id, limits.strategy_rate, now);
        take(&mut self.symbols, &order.symbol, limits.symbol_rate, now);
        take(&mut self.funds, &order.fund_id, limits.fund_rate, now);
        take(&mut self.brokers, &order.broker, limits.broker_rate, now);
    }

    /// Puts the tokens of an order back that were taken for nothing.
    pub(crate) fn give_back(&mut self, limits: &GateLimits, order: &Order) {
        give_back(&mut self.strategies, &order.strategy_id, limits.strategy_rate);
        give_back(&mut self.symbols, &order.symbol, limits.symbol_rate);
        give_back(&mut self.funds, &order.fund_id, limits.fund_rate);
        give_back(&mut self.brokers, &order.broker, limits.broker_rate);
    }
}

/// A token bucket, in sixty-thousandths of a token so that refilling is exact in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    tokens: u64,
    refilled: Timestamp,
}

/// Whole milliseconds from one instant to another; none when it is not after it.
pub(crate) fn elapsed_millis(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(now.nanos().saturating_sub(then.nanos()) / 1_000_000).unwrap_or(0)
}

const TOKEN: u64 = 60_000;

impl Bucket {
    pub(crate) fn full(rate: RateBucket, now: Timestamp) -> Self {
        Self { tokens: u64::from(rate.burst) * TOKEN, refilled: now }
    }

    /// Units of 1/60,000 token after refilling: one millisecond at one per minute is one unit.
    fn level(self, rate: RateBucket, now: Timestamp) -> u64 {
        let elapsed = elapsed_millis(now, self.refilled);
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
        let elapsed = elapsed_millis(now, self.refilled);
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

    #[test]
    fn what_was_taken_for_nothing_comes_back_and_never_beyond_the_burst() {
        let rate = RateBucket { per_minute: 1, burst: 2 };
        let mut bucket = Bucket::full(rate, Timestamp::EPOCH);
        bucket.give_back(rate);
        assert_eq!(bucket, Bucket::full(rate, Timestamp::EPOCH), "a full one stays full");
        bucket.take(rate, Timestamp::EPOCH);
        bucket.take(rate, Timestamp::EPOCH);
        assert!(!bucket.has_token(rate, Timestamp::EPOCH));
        bucket.give_back(rate);
        assert!(bucket.has_token(rate, Timestamp::EPOCH));
        bucket.take(rate, Timestamp::EPOCH);
        assert!(!bucket.has_token(rate, Timestamp::EPOCH), "one came back, not two");
    }

    #[test]
    fn an_order_takes_from_all_its_buckets_and_gives_back_to_all() {
        let rate = Some(RateBucket { per_minute: 1, burst: 1 });
        let order = Order::builder()
            .order_id("o")
            .idempotency_key("k")
            .symbol("A")
            .side(mts_foundation::Side::Buy)
            .quantity(mts_foundation::Decimal::ONE)
            .order_type(mts_foundation::OrderType::Market)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("strategy:s")
            .created_at(Timestamp::EPOCH)
            .build()
            .unwrap();
        for (what, limits) in [
            ("strategy s", GateLimits { strategy_rate: rate, ..GateLimits::default() }),
            ("instrument A", GateLimits { symbol_rate: rate, ..GateLimits::default() }),
            ("fund f", GateLimits { fund_rate: rate, ..GateLimits::default() }),
            ("broker paper", GateLimits { broker_rate: rate, ..GateLimits::default() }),
        ] {
            let mut buckets = Buckets::default();
            let empty =
                |buckets: &Buckets| buckets.empty(&limits, &order, Timestamp::EPOCH).map(|empty| empty.what);
            assert_eq!(empty(&buckets), None, "{what}");
            buckets.take(&limits, &order, Timestamp::EPOCH);
            assert_eq!(empty(&buckets).as_deref(), Some(what));
            buckets.give_back(&limits, &order);
            assert_eq!(empty(&buckets), None, "{what} came back");
        }
    }
}
