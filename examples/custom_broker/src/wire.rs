//! Acme's messages. Numbers are texts, so that none passes through binary fractions.

use mts_foundation::broker_event::OrderReport;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::{
    BrokerOrderId, Decimal, FillId, IdempotencyKey, Order, OrderId, OrderState, OrderType, Side, Symbol,
    TimeInForce, Timestamp,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What a client may write on its order; Acme gives it back with whatever it says of the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    pub order_id: OrderId,
    pub side: Side,
    pub key: IdempotencyKey,
}

/// An order, as it is asked for and as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AcmeOrder {
    pub id: BrokerOrderId,
    pub client_id: SmolStr,
    pub tag: Tag,
    /// As Acme writes it: `BRK/B`, `BTC_USD`.
    pub instrument: String,
    pub buys: bool,
    pub order_type: OrderType,
    pub tif: TimeInForce,
    #[serde(with = "exact")]
    pub quantity: Decimal,
    #[serde(with = "exact_option")]
    pub limit: Option<Decimal>,
    #[serde(with = "exact_option")]
    pub stop: Option<Decimal>,
    pub extended: bool,
    #[serde(with = "exact")]
    pub filled: Decimal,
    #[serde(with = "exact_option")]
    pub average: Option<Decimal>,
    pub state: OrderState,
    pub reason: Option<SmolStr>,
    pub time: Timestamp,
}

/// Acme's name of an instrument.
pub fn native(symbol: &Symbol) -> String {
    symbol.as_str().replace('.', "/").replace('-', "_")
}

/// Ours.
pub fn canonical(native: &str) -> Option<Symbol> {
    Symbol::new(native.replace('/', ".").replace('_', "-")).ok()
}

impl AcmeOrder {
    /// What is asked for with an order; Acme sets the id and what follows.
    pub fn wanted(order: &Order) -> Option<Self> {
        let key = order.idempotency_key.clone();
        let client_id = IdempotencyKey::hashed(&[key.as_str()]);
        Some(Self {
            id: BrokerOrderId::new("new").ok()?,
            client_id: client_id.as_str().into(),
            tag: Tag { order_id: order.order_id.clone(), side: order.side, key },
            instrument: native(&order.symbol),
            buys: order.side.sign() > 0,
            order_type: order.order_type,
            tif: order.tif,
            quantity: order.quantity,
            limit: order.limit_price,
            stop: order.stop_price,
            extended: order.extended_hours,
            filled: Decimal::ZERO,
            average: None,
            state: OrderState::Accepted,
            reason: None,
            time: order.created_at,
        })
    }

    /// Whether two ask for the same.
    pub fn same(&self, other: &Self) -> bool {
        let content = |order: &Self| {
            let numbers = (order.quantity, order.limit, order.stop);
            (order.instrument.clone(), order.tag.side, order.order_type, order.tif, numbers, order.extended)
        };
        content(self) == content(other)
    }

    pub fn report(&self) -> Option<OrderReport> {
        Some(OrderReport {
            broker_order_id: self.id.clone(),
            order_id: Some(self.tag.order_id.clone()),
            idempotency_key: Some(self.tag.key.clone()),
            symbol: canonical(&self.instrument)?,
            side: self.tag.side,
            order_type: self.order_type,
            quantity: self.quantity,
            filled: self.filled,
            average_price: self.average,
            state: self.state,
            reason: self.reason.clone(),
            timestamp: self.time,
        })
    }
}

/// What happened, in the order in which it did; `number` counts from 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Activity {
    pub number: u64,
    pub time: Timestamp,
    pub what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Fill(AcmeFill),
    Fees {
        fill: FillId,
        #[serde(with = "exact")]
        amount: Decimal,
    },
    Corrected(AcmeFill),
    Busted {
        fill: FillId,
    },
    Cash {
        #[serde(with = "exact")]
        amount: Decimal,
    },
}

/// An execution. Fees that are not known yet are absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AcmeFill {
    pub id: FillId,
    pub tag: Tag,
    pub instrument: String,
    #[serde(with = "exact")]
    pub quantity: Decimal,
    #[serde(with = "exact")]
    pub price: Decimal,
    #[serde(with = "exact_option")]
    pub fees: Option<Decimal>,
    pub time: Timestamp,
}

/// A message of the stream; `number` counts the messages of one stream from 1.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    pub number: u64,
    #[serde(flatten)]
    pub news: News,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    Order(AcmeOrder),
    Activity(Activity),
}

/// A page of what happened.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    pub activities: Vec<Activity>,
    /// The number of the newest of all.
    pub newest: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Orders {
    pub orders: Vec<AcmeOrder>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Units {
    pub instrument: String,
    #[serde(with = "exact")]
    pub units: Decimal,
    #[serde(with = "exact")]
    pub average: Decimal,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Positions {
    pub positions: Vec<Units>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Balance {
    #[serde(with = "exact")]
    pub cash: Decimal,
    #[serde(with = "exact")]
    pub equity: Decimal,
}

/// The best prices of an instrument.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Touch {
    #[serde(with = "exact")]
    pub bid: Decimal,
    #[serde(with = "exact")]
    pub ask: Decimal,
}

/// How an order is named: by Acme's id or the client's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    Id(BrokerOrderId),
    ClientId(SmolStr),
}
