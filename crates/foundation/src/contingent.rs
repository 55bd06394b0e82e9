//! Contingent groups: orders of which one depends on what becomes of another.
//!
//! The engine keeps a group, not the venue: many venues have none of these, and a group of ours survives a crash because
//! it is made of inputs like everything else. docs/orders.md shows a bracket's life.

use crate::key::IdempotencyKey;
use crate::num::{Decimal, exact, exact_option};
use crate::order::{OrderType, Side, TimeInForce};
use crate::strategy::OrderRequest;
use serde::{Deserialize, Serialize};

/// Most orders of one group.
pub const MAX_GROUP_ORDERS: usize = 10;

/// One fault of a group or of an algorithm's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFault {
    /// The field, as a path from the root of the request.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl std::fmt::Display for RequestFault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.field, self.message)
    }
}

/// All faults of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} field(s) at fault: {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct RequestFaults(pub Vec<RequestFault>);

impl RequestFaults {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(RequestFault { field: field.into(), message: message.into() });
    }

    /// Adds the faults that an order of this request would have.
    pub(crate) fn add_order(&mut self, path: &str, request: &OrderRequest) {
        for fault in request.faults() {
            self.add(format!("{path}.{}", fault.field), fault.message);
        }
    }

    pub(crate) fn result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

/// The two ways out of a bracket. Their quantity is what the entry has filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exits {
    /// Limit price of the exit with a gain.
    #[serde(with = "exact")]
    pub take_profit: Decimal,
    /// Stop price of the exit with a loss.
    #[serde(with = "exact")]
    pub stop_loss: Decimal,
    /// Limit price of the exit with a loss, which makes it a stop-limit order; absent = a stop order.
    #[serde(with = "exact_option", default)]
    pub stop_limit: Option<Decimal>,
    /// Lifetime of both; `gtc` unless given, so that a position is not left alone at the close.
    #[serde(default = "good_till_cancelled")]
    pub tif: TimeInForce,
}

fn good_till_cancelled() -> TimeInForce {
    TimeInForce::Gtc
}

/// What depends on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Contingency {
    /// All work at once, for the same quantity; what one fills is taken from the others.
    OneCancelsOther {
        /// Two or more.
        orders: Vec<OrderRequest>,
    },
    /// The others are sent once the first is filled completely.
    OneTriggersOther {
        /// Sent at once.
        first: Box<OrderRequest>,
        /// Sent afterwards; they do not depend on each other.
        then: Vec<OrderRequest>,
    },
    /// An entry, and two exits for what it has filled of which one cancels the other.
    Bracket {
        /// Opens or adds to a position.
        entry: Box<OrderRequest>,
        /// How it is closed.
        exits: Exits,
    },
}

/// A group of orders as a strategy asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderGroup {
    /// Dedupe key of the group, of which its orders' keys are made; absent = made of fund, strategy, time, symbol and side.
    #[serde(default)]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The orders.
    pub contingency: Contingency,
}

impl OrderGroup {
    /// One cancels other.
    #[must_use]
    pub fn one_cancels_other(orders: Vec<OrderRequest>) -> Self {
        Self { idempotency_key: None, contingency: Contingency::OneCancelsOther { orders } }
    }

    /// One triggers other.
    #[must_use]
    pub fn one_triggers_other(first: OrderRequest, then: Vec<OrderRequest>) -> Self {
        let contingency = Contingency::OneTriggersOther { first: Box::new(first), then };
        Self { idempotency_key: None, contingency }
    }

    /// A bracket whose exits live until they are cancelled.
    #[must_use]
    pub fn bracket(entry: OrderRequest, take_profit: Decimal, stop_loss: Decimal) -> Self {
        let exits = Exits { take_profit, stop_loss, stop_limit: None, tif: TimeInForce::Gtc };
        Self { idempotency_key: None, contingency: Contingency::Bracket { entry: Box::new(entry), exits } }
    }

    /// The order that names the group: the first, or the entry.
    #[must_use]
    pub fn head(&self) -> Option<&OrderRequest> {
        match &self.contingency {
            Contingency::OneCancelsOther { orders } => orders.first(),
            Contingency::OneTriggersOther { first, .. } => Some(first),
            Contingency::Bracket { entry, .. } => Some(entry),
        }
    }

    /// The orders of which one cancels the other: those asked for, or a bracket's exits (their quantity is the entry's
    /// here); none where an order triggers others.
    #[must_use]
    pub fn alternatives(&self) -> Vec<OrderRequest> {
        match &self.contingency {
            Contingency::OneCancelsOther { orders } => orders.clone(),
            Contingency::OneTriggersOther { .. } => Vec::new(),
            Contingency::Bracket { entry, exits } => exits.requests(entry).to_vec(),
        }
    }

    /// Checks everything that can be checked without a market.
    ///
    /// # Errors
    /// [`RequestFaults`] with all faults.
    pub fn validate(&self) -> Result<(), RequestFaults> {
        let mut faults = RequestFaults::none();
        match &self.contingency {
            Contingency::OneCancelsOther { orders } => one_cancels_other(orders, &mut faults),
            Contingency::OneTriggersOther { first, then } => {
                faults.add_order("first", first);
                no_key("first", first, &mut faults);
                count("then", then.len(), 1, &mut faults);
                for (index, order) in then.iter().enumerate() {
                    let path = format!("then[{index}]");
                    faults.add_order(&path, order);
                    no_key(&path, order, &mut faults);
                }
            }
            Contingency::Bracket { entry, exits } => {
                faults.add_order("entry", entry);
                no_key("entry", entry, &mut faults);
                exits.check(entry, &mut faults);
            }
        }
        faults.result()
    }
}

fn count(field: &str, orders: usize, least: usize, faults: &mut RequestFaults) {
    if !(least..=MAX_GROUP_ORDERS).contains(&orders) {
        faults.add(field, format!("{orders} orders are given; give {least} to {MAX_GROUP_ORDERS}"));
    }
}

fn no_key(path: &str, order: &OrderRequest, faults: &mut RequestFaults) {
    if let Some(key) = &order.idempotency_key {
        let message = format!("{key} is not used, keys are made of the group's; give the key to the group");
        faults.add(format!("{path}.idempotency_key"), message);
    }
}

fn one_cancels_other(orders: &[OrderRequest], faults: &mut RequestFaults) {
    count("orders", orders.len(), 2, faults);
    let Some(head) = orders.first() else { return };
    for (index, order) in orders.iter().enumerate() {
        let path = format!("orders[{index}]");
        faults.add_order(&path, order);
        no_key(&path, order, faults);
        if order.symbol != head.symbol {
            let message =
                format!("{} is another instrument than {}; use one group each", order.symbol, head.symbol);
            faults.add(format!("{path}.symbol"), message);
        }
        if order.side != head.side {
            let message = format!("{} is another direction than {}; use one for all", order.side, head.side);
            faults.add(format!("{path}.side"), message);
        }
        if order.quantity != head.quantity {
            let message = format!(
                "{} differs from the first order's {}; use one for all",
                order.quantity, head.quantity
            );
            faults.add(format!("{path}.quantity"), message);
        }
        if order.order_type == OrderType::Market {
            let message = "a market order fills at once and leaves the others nothing; give it a price";
            faults.add(format!("{path}.order_type"), message);
        }
    }
    // A limit order waits for a better price, a stop order for a worse one: the stop lies on the far side.
    let limits = orders.iter().filter(|order| order.order_type == OrderType::Limit);
    for limit in limits.filter_map(|order| order.limit_price) {
        for (index, order) in orders.iter().enumerate() {
            let Some(stop) = order.stop_price else { continue };
            let apart = if head.side.sign() > 0 { limit < stop } else { limit > stop };
            if !apart {
                let (side, wanted) = (head.side, if head.side.sign() > 0 { "above" } else { "below" });
                let message = format!(
                    "{stop} is not {wanted} the limit price {limit} of the {side} order beside it; exchange them"
                );
                faults.add(format!("orders[{index}].stop_price"), message);
            }
        }
    }
}

impl Exits {
    /// Both exits as requests, for the entry's quantity: the gain first.
    #[must_use]
    pub fn requests(&self, entry: &OrderRequest) -> [OrderRequest; 2] {
        let side = if entry.side == Side::Short { Side::Cover } else { Side::Sell };
        let exit = OrderRequest {
            tif: self.tif,
            extended_hours: entry.extended_hours,
            thesis: entry.thesis.clone(),
            ..OrderRequest::market(entry.symbol.clone(), side, entry.quantity)
        };
        let gain = OrderRequest {
            order_type: OrderType::Limit,
            limit_price: Some(self.take_profit),
            ..exit.clone()
        };
        let loss = OrderRequest {
            order_type: if self.stop_limit.is_some() { OrderType::StopLimit } else { OrderType::Stop },
            limit_price: self.stop_limit,
            stop_price: Some(self.stop_loss),
            ..exit
        };
        [gain, loss]
    }

    fn check(&self, entry: &OrderRequest, faults: &mut RequestFaults) {
        if !entry.side.is_opening() {
            let message =
                format!("{} closes a position; a bracket's entry opens one: buy or short", entry.side);
            faults.add("entry.side", message);
        }
        let [gain, loss] = self.requests(entry);
        for fault in gain.faults().into_iter().filter(|fault| fault.field == "limit_price") {
            faults.add("exits.take_profit", fault.message);
        }
        for fault in loss.faults() {
            match fault.field {
                "stop_price" => faults.add("exits.stop_loss", fault.message),
                "limit_price" => faults.add("exits.stop_limit", fault.message),
                _ => {}
            }
        }
        let long = entry.side != Side::Short;
        let word = |above: bool| if above { "above" } else { "below" };
        let mut ordered = |field: &str, price: Decimal, above: bool, what: &str, other: Decimal| {
            if if above { price <= other } else { price >= other } {
                let side = entry.side;
                let message = format!(
                    "{price} is not {} {what} {other}, as an entry with {side} needs; move it",
                    word(above)
                );
                faults.add(format!("exits.{field}"), message);
            }
        };
        ordered("take_profit", self.take_profit, long, "the stop_loss", self.stop_loss);
        let prices =
            [("the entry's limit_price", entry.limit_price), ("the entry's stop_price", entry.stop_price)];
        for (what, price) in prices.into_iter().filter_map(|(what, price)| Some((what, price?))) {
            ordered("take_profit", self.take_profit, long, what, price);
            ordered("stop_loss", self.stop_loss, !long, what, price);
        }
        if let Some(limit) = self.stop_limit
            && if long { limit > self.stop_loss } else { limit < self.stop_loss }
        {
            let message = format!(
                "{limit} is {} the stop_loss {}, where the exit could not trade when it is reached; move it",
                word(long),
                self.stop_loss
            );
            faults.add("exits.stop_limit", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbol::Symbol;

    fn request(side: Side, kind: OrderType, limit: Option<i64>, stop: Option<i64>) -> OrderRequest {
        OrderRequest {
            order_type: kind,
            limit_price: limit.map(Decimal::from),
            stop_price: stop.map(Decimal::from),
            ..OrderRequest::market(Symbol::new("AAPL").unwrap(), side, Decimal::from(10))
        }
    }

    fn fields(group: &OrderGroup) -> Vec<String> {
        group.validate().unwrap_err().0.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn prices_lie_on_the_right_sides() {
        let d = Decimal::from;
        let long = request(Side::Buy, OrderType::Limit, Some(100), None);
        assert_eq!(OrderGroup::bracket(long.clone(), d(110), d(95)).validate(), Ok(()));
        assert_eq!(
            fields(&OrderGroup::bracket(long.clone(), d(95), d(110))),
            ["exits.take_profit", "exits.take_profit", "exits.stop_loss"]
        );
        let short = request(Side::Short, OrderType::Limit, Some(100), None);
        assert_eq!(OrderGroup::bracket(short.clone(), d(90), d(105)).validate(), Ok(()));
        assert_eq!(fields(&OrderGroup::bracket(short, d(90), d(100))), ["exits.stop_loss"]);
        let sell = |kind, limit, stop| request(Side::Sell, kind, limit, stop);
        let pair = |gain, loss| {
            OrderGroup::one_cancels_other(vec![
                sell(OrderType::Limit, Some(gain), None),
                sell(OrderType::Stop, None, Some(loss)),
            ])
        };
        assert_eq!(pair(110, 95).validate(), Ok(()));
        assert_eq!(fields(&pair(95, 110)), ["orders[1].stop_price"]);
        let mut group = OrderGroup::bracket(long, d(110), d(95));
        if let Contingency::Bracket { exits, .. } = &mut group.contingency {
            exits.stop_limit = Some(d(96));
        }
        assert_eq!(fields(&group), ["exits.stop_limit"]);
    }

    #[test]
    fn all_faults_come_at_once() {
        let entry = OrderRequest {
            quantity: Decimal::ZERO,
            idempotency_key: Some(IdempotencyKey::new("k").unwrap()),
            ..request(Side::Sell, OrderType::Limit, None, None)
        };
        let faults = fields(&OrderGroup::bracket(entry, Decimal::ZERO, Decimal::ZERO));
        assert_eq!(
            faults,
            [
                "entry.quantity",
                "entry.limit_price",
                "entry.idempotency_key",
                "entry.side",
                "exits.take_profit",
                "exits.stop_loss",
                "exits.take_profit"
            ]
        );
        let lonely = OrderGroup::one_cancels_other(vec![request(Side::Buy, OrderType::Market, None, None)]);
        assert_eq!(fields(&lonely), ["orders", "orders[0].order_type"]);
        let mut other = request(Side::Buy, OrderType::Limit, Some(1), None);
        other.symbol = Symbol::new("MSFT").unwrap();
        other.quantity = Decimal::ONE;
        let first = request(Side::Sell, OrderType::Limit, Some(1), None);
        assert_eq!(
            fields(&OrderGroup::one_cancels_other(vec![first.clone(), other])),
            ["orders[1].symbol", "orders[1].side", "orders[1].quantity"]
        );
        assert_eq!(fields(&OrderGroup::one_triggers_other(first, Vec::new())), ["then"]);
    }
}
