//! Coinbase that says whatever it is told to: for the fuzz target, the replay of its corpus, and the benchmarks.

#![allow(dead_code, clippy::unwrap_used, reason = "a helper of several programs; the order is a constant")]

use super::saying;
use mts_brokers::kit::Connections;
use mts_brokers::{Coinbase, CoinbaseConfig};
use mts_foundation::{Decimal, Order, OrderType, Side, TimeInForce, Timestamp};

/// The adapter in a world.
pub(crate) fn broker(connections: Connections) -> Coinbase {
    Coinbase::new(CoinbaseConfig::default(), connections)
}

/// An order to buy.
pub(crate) fn order() -> Order {
    let order = Order::builder().order_id("o1").idempotency_key("k1").symbol("BTC-USD").side(Side::Buy);
    let order = order.quantity(Decimal::ONE).order_type(OrderType::Limit).limit_price(Decimal::from(60_000));
    let order = order.tif(TimeInForce::Gtc).fund_id("f").strategy_id("s").broker("coinbase").actor("a");
    order.created_at(Timestamp::from_millis(1_700_000_000_000)).build().unwrap()
}

/// Lets the venue say the lines of an input, and asks everything. How many events there were.
pub(crate) fn check(input: &[u8]) -> usize {
    saying::check(input, &order(), broker)
}
