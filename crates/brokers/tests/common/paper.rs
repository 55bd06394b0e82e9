//! The paper broker's market, orders and events for its tests.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "a helper of several test programs")]

use mts_brokers::{PaperBroker, PaperConfig};
use mts_foundation::broker::{Broker, BrokerEventStream, BrokerOrderRef, SubmitOutcome};
use mts_foundation::{
    Bar, BrokerEvent, Decimal, Fill, Interval, Order, OrderBuilder, OrderType, Quote, Side, Symbol,
    TimeInForce, Timestamp, VenueName,
};
use mts_matching::ExchangeConfig;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the paper broker answers at once"),
    }
}

pub(crate) fn drain(stream: &mut BrokerEventStream<'_>) -> Vec<BrokerEvent> {
    let mut events = Vec::new();
    while let Poll::Ready(Some(event)) = stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
        events.push(event.unwrap());
    }
    events
}

pub(crate) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn draft(
    key: &str,
    side: Side,
    quantity: &str,
    kind: OrderType,
    tif: TimeInForce,
    price: &str,
) -> OrderBuilder {
    let mut builder = Order::builder()
        .order_id(format!("o-{key}"))
        .idempotency_key(key)
        .symbol("X")
        .side(side)
        .quantity(d(quantity))
        .order_type(kind)
        .tif(tif)
        .fund_id("f")
        .strategy_id("s")
        .broker("paper")
        .actor("a")
        .created_at(Timestamp::EPOCH);
    if kind.takes_limit_price() {
        builder = builder.limit_price(d(price));
    }
    if kind.takes_stop_price() {
        builder = builder.stop_price(d(price));
    }
    builder
}

pub(crate) fn order(
    key: &str,
    side: Side,
    quantity: &str,
    kind: OrderType,
    tif: TimeInForce,
    price: &str,
) -> Order {
    draft(key, side, quantity, kind, tif, price).build().unwrap()
}

pub(crate) fn limit(key: &str, side: Side, quantity: &str, price: &str) -> Order {
    order(key, side, quantity, OrderType::Limit, TimeInForce::Gtc, price)
}

pub(crate) fn market(key: &str, quantity: &str) -> Order {
    order(key, Side::Buy, quantity, OrderType::Market, TimeInForce::Gtc, "")
}

pub(crate) fn bar(price: &str, volume: &str, end: i64) -> Bar {
    let interval: Interval = "1m".parse().unwrap();
    let mut bar = Bar::close_only(Symbol::new("X").unwrap(), interval, d(price), at(end));
    (bar.volume, bar.close_only) = (d(volume), false);
    bar
}

pub(crate) fn quote(bid: &str, ask: &str, size: &str, time: i64) -> Quote {
    Quote {
        symbol: Symbol::new("X").unwrap(),
        bid: d(bid),
        ask: d(ask),
        bid_size: d(size),
        ask_size: d(size),
        venue: VenueName::new("v").unwrap(),
        timestamp: at(time),
    }
}

pub(crate) fn broker(config: PaperConfig) -> PaperBroker {
    let broker = PaperBroker::new(config).unwrap();
    ready(Broker::connect(&broker)).unwrap();
    broker
}

pub(crate) fn with(exchange: ExchangeConfig) -> PaperConfig {
    PaperConfig { exchange, ..PaperConfig::default() }
}

pub(crate) fn submit(broker: &PaperBroker, order: &Order) -> Order {
    match ready(Broker::submit(broker, order)) {
        SubmitOutcome::Accepted(order) => order,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn reference(order: &Order) -> BrokerOrderRef {
    BrokerOrderRef {
        order_id: order.order_id.clone(),
        idempotency_key: order.idempotency_key.clone(),
        broker_order_id: order.broker_order_id.clone().unwrap(),
        symbol: order.symbol.clone(),
    }
}

pub(crate) fn fills(events: &[BrokerEvent]) -> Vec<&Fill> {
    events
        .iter()
        .filter_map(|event| match event {
            BrokerEvent::Fill { fill, .. } => Some(fill),
            _ => None,
        })
        .collect()
}
