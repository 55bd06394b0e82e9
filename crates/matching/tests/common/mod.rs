//! Orders and market data for the tests of the exchange.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use mts_foundation::{
    Bar, Decimal, Interval, Order, OrderType, Quote, Side, Symbol, TimeInForce, Timestamp, Trade, VenueName,
};
use mts_matching::{Exchange, ExchangeConfig, MatchEvent, Reject, Standing};

pub fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn symbol() -> Symbol {
    Symbol::new("X").unwrap()
}

/// An order with what its type needs: limit `limit`, stop `stop`.
#[derive(Debug, Clone)]
pub struct Spec {
    pub id: String,
    pub symbol: &'static str,
    pub side: Side,
    pub quantity: Decimal,
    pub order_type: OrderType,
    pub tif: TimeInForce,
    pub limit: Decimal,
    pub stop: Decimal,
    pub extended: bool,
}

pub fn spec(id: &str, side: Side, quantity: &str, order_type: OrderType) -> Spec {
    Spec {
        id: id.to_owned(),
        symbol: "X",
        side,
        quantity: d(quantity),
        order_type,
        tif: TimeInForce::Day,
        limit: d("100"),
        stop: d("100"),
        extended: false,
    }
}

pub fn market(id: &str, side: Side, quantity: &str) -> Spec {
    spec(id, side, quantity, OrderType::Market)
}

pub fn limit(id: &str, side: Side, quantity: &str, price: &str) -> Spec {
    Spec { limit: d(price), ..spec(id, side, quantity, OrderType::Limit) }
}

pub fn stop(id: &str, side: Side, quantity: &str, price: &str) -> Spec {
    Spec { stop: d(price), ..spec(id, side, quantity, OrderType::Stop) }
}

impl Spec {
    pub fn tif(self, tif: TimeInForce) -> Self {
        Self { tif, ..self }
    }

    pub fn extended(self) -> Self {
        Self { extended: true, ..self }
    }

    pub fn order(&self) -> Order {
        let mut builder = Order::builder()
            .order_id(&self.id)
            .idempotency_key(&self.id)
            .symbol(self.symbol)
            .side(self.side)
            .quantity(self.quantity)
            .order_type(self.order_type)
            .tif(self.tif)
            .extended_hours(self.extended)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::EPOCH);
        if self.order_type.takes_limit_price() {
            builder = builder.limit_price(self.limit);
        }
        if self.order_type.takes_stop_price() {
            builder = builder.stop_price(self.stop);
        }
        builder.build().unwrap()
    }
}

/// A bar of one minute that ends at `end` milliseconds.
pub fn bar(prices: [&str; 4], volume: &str, end: i64) -> Bar {
    let mut bar = Bar::close_only(symbol(), "1m".parse::<Interval>().unwrap(), d(prices[3]), at(end));
    (bar.open, bar.high, bar.low) = (d(prices[0]), d(prices[1]), d(prices[2]));
    (bar.volume, bar.close_only) = (d(volume), false);
    bar
}

pub fn quote(bid: &str, bid_size: &str, ask: &str, ask_size: &str, time: i64) -> Quote {
    Quote {
        symbol: symbol(),
        bid: d(bid),
        ask: d(ask),
        bid_size: d(bid_size),
        ask_size: d(ask_size),
        venue: VenueName::new("v").unwrap(),
        timestamp: at(time),
    }
}

pub fn trade(price: &str, size: &str, time: i64) -> Trade {
    Trade {
        trade_id: "t".into(),
        symbol: symbol(),
        price: d(price),
        size: d(size),
        venue: VenueName::new("v").unwrap(),
        timestamp: at(time),
    }
}

/// An exchange and everything it said.
pub struct World {
    pub exchange: Exchange,
    pub events: Vec<MatchEvent>,
    pub standing: Standing,
}

impl World {
    pub fn new(config: ExchangeConfig) -> Self {
        let standing = Standing { position: Decimal::ZERO, cash: d("1000000") };
        Self { exchange: Exchange::new(config).unwrap(), events: Vec::new(), standing }
    }

    pub fn submit(&mut self, spec: &Spec, time: i64) -> Result<(), Reject> {
        self.exchange.submit(spec.order(), &self.standing, at(time), &mut self.events)
    }

    pub fn take(&mut self, spec: &Spec, time: i64) {
        self.submit(spec, time).unwrap();
    }

    pub fn bar(&mut self, prices: [&str; 4], volume: &str, end: i64) -> Vec<String> {
        self.exchange.on_bars(&[bar(prices, volume, end)], &mut self.events);
        self.said()
    }

    pub fn quote(&mut self, bid: &str, bid_size: &str, ask: &str, ask_size: &str, time: i64) -> Vec<String> {
        self.exchange.on_quote(&quote(bid, bid_size, ask, ask_size, time), &mut self.events);
        self.said()
    }

    pub fn trade(&mut self, price: &str, size: &str, time: i64) -> Vec<String> {
        self.exchange.on_trade(&trade(price, size, time), &mut self.events);
        self.said()
    }

    /// What was said since the last time.
    pub fn said(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| text(&event)).collect()
    }

    pub fn works(&self, id: &str) -> bool {
        self.exchange.is_resting(&mts_foundation::OrderId::new(id).unwrap())
    }
}

pub fn text(event: &MatchEvent) -> String {
    match event {
        MatchEvent::Filled { order, quantity, price, liquidity, .. } => {
            format!("{} {} {quantity} @{}", order.order_id, liquidity.as_str(), price.normalize())
        }
        MatchEvent::Triggered { order, .. } => format!("{} triggered", order.order_id),
        MatchEvent::Expired { order, .. } => format!("{} expired", order.order_id),
        MatchEvent::Cancelled { order, .. } => format!("{} cancelled", order.order_id),
        MatchEvent::Rejected { order, .. } => format!("{} rejected", order.order_id),
        MatchEvent::Replaced { order, quantity, .. } => format!("{} replaced {quantity}", order.order_id),
    }
}
