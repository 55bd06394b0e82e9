//! Building and reading orders, with every fault reported at once.

use crate::ids::InvalidId;
use crate::num::{Decimal, MAX_PRICE, MAX_QUANTITY, exact, exact_option, fault_of_positive};
use crate::order::{Order, OrderFields, OrderType, Side, TimeInForce};
use crate::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smol_str::SmolStr;
use std::sync::Arc;

/// One fault of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFault {
    /// The field, as a path from the order's root.
    pub field: &'static str,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl std::fmt::Display for OrderFault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.field, self.message)
    }
}

/// All faults of an order, in field order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} order field(s) at fault: {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct OrderFaults(pub Vec<OrderFault>);

/// The wire shape, of which every deserialiser makes a checked order.
#[derive(Debug, Deserialize)]
pub(crate) struct OrderWire {
    order_id: SmolStr,
    idempotency_key: SmolStr,
    symbol: SmolStr,
    side: Side,
    #[serde(with = "exact")]
    quantity: Decimal,
    order_type: OrderType,
    #[serde(with = "exact_option", default)]
    limit_price: Option<Decimal>,
    #[serde(with = "exact_option", default)]
    stop_price: Option<Decimal>,
    #[serde(default = "day")]
    tif: TimeInForce,
    fund_id: SmolStr,
    strategy_id: SmolStr,
    broker: SmolStr,
    actor: SmolStr,
    #[serde(default)]
    extended_hours: bool,
    #[serde(with = "exact_option", default)]
    nav_usd: Option<Decimal>,
    #[serde(default)]
    thesis: Option<SmolStr>,
    created_at: Timestamp,
    #[serde(default)]
    submitted_at: Option<Timestamp>,
    #[serde(default)]
    accepted_at: Option<Timestamp>,
    #[serde(default)]
    canceled_at: Option<Timestamp>,
    #[serde(default)]
    rejected_reason: Option<SmolStr>,
    #[serde(default)]
    broker_order_id: Option<SmolStr>,
}

pub(crate) fn day() -> TimeInForce {
    TimeInForce::Day
}

impl TryFrom<OrderWire> for Order {
    type Error = OrderFaults;

    fn try_from(wire: OrderWire) -> Result<Self, OrderFaults> {
        let builder = OrderBuilder {
            order_id: Some(wire.order_id),
            idempotency_key: Some(wire.idempotency_key),
            symbol: Some(wire.symbol),
            side: Some(wire.side),
            quantity: Some(wire.quantity),
            order_type: Some(wire.order_type),
            limit_price: wire.limit_price,
            stop_price: wire.stop_price,
            tif: Some(wire.tif),
            fund_id: Some(wire.fund_id),
            strategy_id: Some(wire.strategy_id),
            broker: Some(wire.broker),
            actor: Some(wire.actor),
            extended_hours: wire.extended_hours,
            nav_usd: wire.nav_usd,
            thesis: wire.thesis,
            created_at: Some(wire.created_at),
            submitted_at: wire.submitted_at,
            accepted_at: wire.accepted_at,
            canceled_at: wire.canceled_at,
            rejected_reason: wire.rejected_reason,
            broker_order_id: wire.broker_order_id,
            faults: Vec::new(),
        };
        builder.build()
    }
}

/// Collects the fields of an order; [`OrderBuilder::build`] checks them all.
#[derive(Debug, Clone, Default)]
pub struct OrderBuilder {
    order_id: Option<SmolStr>,
    idempotency_key: Option<SmolStr>,
    symbol: Option<SmolStr>,
    side: Option<Side>,
    quantity: Option<Decimal>,
    order_type: Option<OrderType>,
    limit_price: Option<Decimal>,
    stop_price: Option<Decimal>,
    tif: Option<TimeInForce>,
    fund_id: Option<SmolStr>,
    strategy_id: Option<SmolStr>,
    broker: Option<SmolStr>,
    actor: Option<SmolStr>,
    extended_hours: bool,
    nav_usd: Option<Decimal>,
    thesis: Option<SmolStr>,
    created_at: Option<Timestamp>,
    submitted_at: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    canceled_at: Option<Timestamp>,
    rejected_reason: Option<SmolStr>,
    broker_order_id: Option<SmolStr>,
    faults: Vec<OrderFault>,
}

macro_rules! text_setters {
    ($($(#[$doc:meta])* $field:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, text: impl AsRef<str>) -> Self {
            self.$field = Some(SmolStr::new(text.as_ref()));
            self
        }
    )+ };
}

macro_rules! value_setters {
    ($($(#[$doc:meta])* $field:ident: $kind:ty),+ $(,)?) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, value: $kind) -> Self {
            self.$field = Some(value);
            self
        }
    )+ };
}

impl OrderBuilder {
    text_setters! {
        /// Our id; required.
        order_id,
        /// The caller's dedupe key; required.
        idempotency_key,
        /// Canonical symbol; required.
        symbol,
        /// Owning fund; required.
        fund_id,
        /// Strategy that wants it; required.
        strategy_id,
        /// Registry key of the broker; required.
        broker,
        /// Audit identity; required.
        actor,
        /// Why; logged, so no personal data.
        thesis,
    }

    value_setters! {
        /// Direction and effect; required.
        side: Side,
        /// Units, greater than zero; required.
        quantity: Decimal,
        /// Pricing; required.
        order_type: OrderType,
        /// Needed exactly for limit, stop-limit and marketable-limit orders.
        limit_price: Decimal,
        /// Needed exactly for stop and stop-limit orders.
        stop_price: Decimal,
        /// Lifetime; `day` unless set.
        tif: TimeInForce,
        /// The fund's net asset value at sizing.
        nav_usd: Decimal,
        /// When the intent was made; required.
        created_at: Timestamp,
    }

    /// Whether the order may trade outside regular hours; false unless set.
    #[must_use]
    pub fn extended_hours(mut self, allowed: bool) -> Self {
        self.extended_hours = allowed;
        self
    }

    /// Reads what can be read of a JSON object; what cannot becomes a fault that `build` reports with the others.
    #[must_use]
    pub fn from_json(text: &str) -> Self {
        let mut builder = Self::default();
        let object = match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => {
                builder.fault("$", "this is no JSON object; write {\"order_id\": …}".to_owned());
                return builder;
            }
            Err(error) => {
                builder.fault("$", format!("this is no JSON: {error}"));
                return builder;
            }
        };
        let mut read = Reader { object: &object, faults: Vec::new() };
        builder.order_id = read.field("order_id");
        builder.idempotency_key = read.field("idempotency_key");
        builder.symbol = read.field("symbol");
        builder.side = read.field("side");
        builder.quantity = read.decimal("quantity");
        builder.order_type = read.field("order_type");
        builder.limit_price = read.decimal("limit_price");
        builder.stop_price = read.decimal("stop_price");
        builder.tif = read.field("tif");
        builder.fund_id = read.field("fund_id");
        builder.strategy_id = read.field("strategy_id");
        builder.broker = read.field("broker");
        builder.actor = read.field("actor");
        builder.extended_hours = read.field("extended_hours").unwrap_or(false);
        builder.nav_usd = read.decimal("nav_usd");
        builder.thesis = read.field("thesis");
        builder.created_at = read.field("created_at");
        builder.submitted_at = read.field("submitted_at");
        builder.accepted_at = read.field("accepted_at");
        builder.canceled_at = read.field("canceled_at");
        builder.rejected_reason = read.field("rejected_reason");
        builder.broker_order_id = read.field("broker_order_id");
        builder.faults = read.faults;
        builder
    }

    fn fault(&mut self, field: &'static str, message: String) {
        self.faults.push(OrderFault { field, message });
    }

    /// Takes a required field; a missing one is a fault unless its value was already reported as unreadable.
    fn required<T>(&mut self, field: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.faults.iter().any(|fault| fault.field == field || fault.field == "$") {
            self.fault(field, "it is missing; give a value".to_owned());
        }
        value
    }

    fn text<T: TryFrom<SmolStr, Error = InvalidId>>(
        &mut self,
        field: &'static str,
        value: Option<SmolStr>,
    ) -> Option<T> {
        let text = self.required(field, value)?;
        match T::try_from(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(field, error.fault.to_owned());
                None
            }
        }
    }

    fn positive(&mut self, field: &'static str, value: Option<Decimal>, largest: Decimal) {
        positive(&mut self.faults, field, value, largest);
    }

    /// Checks every rule and makes the order.
    ///
    /// # Errors
    /// [`OrderFaults`] with all faults, in field order.
    pub fn build(mut self) -> Result<Order, OrderFaults> {
        let order_id = self.order_id.take();
        let order_id = self.text("order_id", order_id);
        let key = self.idempotency_key.take();
        let key = self.text("idempotency_key", key);
        let symbol = self.symbol.take();
        let symbol = self.text("symbol", symbol);
        let side = self.required("side", self.side);
        let quantity = self.required("quantity", self.quantity);
        self.positive("quantity", quantity, MAX_QUANTITY);
        let order_type = self.required("order_type", self.order_type);
        if let Some(order_type) = order_type {
            prices_by_type(&mut self.faults, order_type, self.limit_price, self.stop_price);
        }
        let fund_id = self.fund_id.take();
        let fund_id = self.text("fund_id", fund_id);
        let strategy_id = self.strategy_id.take();
        let strategy_id = self.text("strategy_id", strategy_id);
        let broker = self.broker.take();
        let broker = self.text("broker", broker);
        let actor = self.actor.take();
        let actor = self.text("actor", actor);
        self.positive("nav_usd", self.nav_usd, Decimal::MAX);
        let created_at = self.required("created_at", self.created_at);
        let broker_order_id = self.broker_order_id.take();
        let broker_order_id = match broker_order_id {
            Some(text) => self.text("broker_order_id", Some(text)),
            None => None,
        };
        let thesis = self.thesis.take().and_then(|text| trimmed(&text));
        if let (true, Some(order_id), Some(idempotency_key), Some(symbol), Some(side)) =
            (self.faults.is_empty(), order_id, key, symbol, side)
            && let (Some(quantity), Some(order_type), Some(created_at)) = (quantity, order_type, created_at)
            && let (Some(fund_id), Some(strategy_id), Some(broker), Some(actor)) =
                (fund_id, strategy_id, broker, actor)
        {
            return Ok(Order(Arc::new(OrderFields {
                order_id,
                idempotency_key,
                symbol,
                side,
                quantity,
                order_type,
                limit_price: self.limit_price,
                stop_price: self.stop_price,
                tif: self.tif.unwrap_or(TimeInForce::Day),
                fund_id,
                strategy_id,
                broker,
                actor,
                extended_hours: self.extended_hours,
                nav_usd: self.nav_usd,
                thesis,
                created_at,
                submitted_at: self.submitted_at,
                accepted_at: self.accepted_at,
                canceled_at: self.canceled_at,
                rejected_reason: self.rejected_reason,
                broker_order_id,
            })));
        }
        Err(OrderFaults(self.faults))
    }
}

pub(crate) fn positive(
    faults: &mut Vec<OrderFault>,
    field: &'static str,
    value: Option<Decimal>,
    largest: Decimal,
) {
    if let Some(message) = value.and_then(|number| fault_of_positive(number, largest)) {
        faults.push(OrderFault { field, message });
    }
}

/// The rule of decision O1: a price is there exactly when the type takes it, and greater than zero.
pub(crate) fn prices_by_type(
    faults: &mut Vec<OrderFault>,
    order_type: OrderType,
    limit: Option<Decimal>,
    stop: Option<Decimal>,
) {
    let prices = [
        ("limit_price", limit, order_type.takes_limit_price()),
        ("stop_price", stop, order_type.takes_stop_price()),
    ];
    for (field, value, wanted) in prices {
        let message = match (value, wanted) {
            (None, true) if !faults.iter().any(|fault| fault.field == field) => {
                format!("a {order_type} order needs it; give a price greater than zero")
            }
            (Some(_), false) => {
                format!("a {order_type} order does not use it; remove it or change order_type")
            }
            _ => {
                positive(faults, field, value, MAX_PRICE);
                continue;
            }
        };
        faults.push(OrderFault { field, message });
    }
}

/// A text without the spaces around it, and nothing for nothing.
pub(crate) fn trimmed(text: &str) -> Option<SmolStr> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(SmolStr::new)
}

/// Reads typed fields of a JSON object and notes those that do not parse.
struct Reader<'a> {
    object: &'a serde_json::Map<String, Value>,
    faults: Vec<OrderFault>,
}

impl Reader<'_> {
    fn field<T: DeserializeOwned>(&mut self, field: &'static str) -> Option<T> {
        let value = self.object.get(field).filter(|value| !value.is_null())?;
        match T::deserialize(value) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.faults.push(OrderFault { field, message: format!("{value} cannot be used: {error}") });
                None
            }
        }
    }

    fn decimal(&mut self, field: &'static str) -> Option<Decimal> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Exact(#[serde(with = "exact")] Decimal);
        self.field::<Exact>(field).map(|exact| exact.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> OrderBuilder {
        Order::builder()
            .order_id("o-1")
            .idempotency_key("f-s-t-AAPL-buy")
            .symbol("aapl")
            .side(Side::Buy)
            .quantity(Decimal::from(100))
            .order_type(OrderType::Limit)
            .limit_price("180.50".parse().unwrap())
            .fund_id(" f ")
            .strategy_id("s")
            .broker("paper")
            .actor("strategy:s")
            .created_at("2026-03-02T14:30:00Z".parse().unwrap())
    }

    #[test]
    fn a_complete_order_builds_and_round_trips() {
        let order = complete().build().unwrap();
        assert_eq!(
            (order.symbol.as_str(), order.fund_id.as_str(), order.tif),
            ("AAPL", "f", TimeInForce::Day)
        );
        let json = serde_json::to_string(&order).unwrap();
        assert!(json.contains("\"limit_price\":\"180.50\""), "{json}");
        assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
        assert_eq!(Order::from_json(&json).unwrap(), order);
        let bytes = postcard::to_stdvec(&order).unwrap();
        assert_eq!(postcard::from_bytes::<Order>(&bytes).unwrap(), order);
    }

    #[test]
    fn a_quantity_only_order_has_ten_faults() {
        let faults = Order::from_json(r#"{"quantity":"5"}"#).unwrap_err();
        assert_eq!(faults.0.len(), 10, "{faults}");
        assert!(faults.to_string().contains("created_at: it is missing"));
    }

    #[test]
    fn every_fault_is_reported_with_its_field() {
        let json = r#"{"order_id":" ","idempotency_key":"k","symbol":"AAPL","side":"hold","quantity":"-1",
            "order_type":"market","limit_price":"5","fund_id":"f","strategy_id":"s","broker":"paper","actor":"a",
            "nav_usd":0,"created_at":"yesterday"}"#;
        let faults = Order::from_json(json).unwrap_err();
        let mut fields: Vec<_> = faults.0.iter().map(|fault| fault.field).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            ["created_at", "limit_price", "nav_usd", "order_id", "quantity", "side"],
            "{faults}"
        );
    }

    #[test]
    fn prices_fit_the_order_type() {
        for order_type in OrderType::ALL.iter().copied() {
            for (limit, stop) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut builder = complete().order_type(order_type);
                builder.limit_price = limit.then_some(Decimal::TEN);
                builder.stop_price = stop.then_some(Decimal::TEN);
                let fits = limit == order_type.takes_limit_price() && stop == order_type.takes_stop_price();
                assert_eq!(builder.build().is_ok(), fits, "{order_type} limit={limit} stop={stop}");
            }
        }
        assert!(complete().limit_price(Decimal::ZERO).build().is_err());
        let huge = complete().quantity(MAX_QUANTITY + Decimal::ONE).build().unwrap_err();
        assert!(huge.to_string().contains("check the unit"), "{huge}");
    }

    #[test]
    fn an_order_cannot_be_read_invalid() {
        let json = serde_json::to_string(&complete().build().unwrap()).unwrap();
        assert!(serde_json::from_str::<Order>(&json.replace("\"100\"", "\"0\"")).is_err());
        assert!(serde_json::from_str::<Order>(&json.replace("\"180.50\"", "null")).is_err());
    }
}
