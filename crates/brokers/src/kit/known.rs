//! Whose order a venue talks about.

use super::client_id::client_id;
use super::failure::Failure;
use mts_foundation::broker::OrderRef;
use mts_foundation::broker_event::OrderReport;
use mts_foundation::{
    BrokerOrderId, Decimal, IdempotencyKey, Order, OrderId, OrderType, Side, Symbol, Timestamp,
};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most orders that are known; the oldest is forgotten first.
const MAX_KNOWN: usize = 100_000;

/// What a venue does not say of an order of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOrder {
    /// Our id.
    pub order_id: OrderId,
    /// The key.
    pub key: IdempotencyKey,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Direction and effect, of which venues tell the direction.
    pub side: Side,
    /// Pricing, of which venues tell no marketable limit.
    pub order_type: OrderType,
    /// Units, of which some streams tell the open rest alone.
    pub quantity: Decimal,
    /// When it was made, by our clock: no fill of it is older.
    pub created_at: Timestamp,
}

/// The orders that this process has sent or was told of, by client id and by the venue's.
#[derive(Debug, Default)]
pub struct KnownOrders {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    orders: BTreeMap<SmolStr, Row>,
    by_venue: BTreeMap<BrokerOrderId, SmolStr>,
    oldest_first: VecDeque<SmolStr>,
}

#[derive(Debug)]
struct Row {
    known: KnownOrder,
    venue: Option<BrokerOrderId>,
    /// Tries that are not known to have come to nothing.
    tries: u32,
}

impl Inner {
    /// Its client id, and whether a try before this one may have left.
    fn begin(&mut self, order: &Order) -> (SmolStr, bool) {
        let id = client_id(&order.idempotency_key);
        let known = KnownOrder {
            order_id: order.order_id.clone(),
            key: order.idempotency_key.clone(),
            symbol: order.symbol.clone(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            created_at: order.created_at,
        };
        let mut tries = 0;
        match self.orders.get_mut(&id) {
            // The venue's id stays what it was.
            Some(row) => {
                tries = row.tries;
                (row.known, row.tries) = (known, tries.saturating_add(1));
            }
            None => {
                self.oldest_first.push_back(id.clone());
                self.orders.insert(id.clone(), Row { known, venue: None, tries: 1 });
            }
        }
        if let Some(venue) = &order.broker_order_id {
            self.bind(&id, venue);
        }
        while self.oldest_first.len() > MAX_KNOWN {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            if let Some(Row { venue: Some(venue), .. }) = self.orders.remove(&oldest) {
                self.by_venue.remove(&venue);
            }
        }
        (id, tries > 0)
    }

    fn bind(&mut self, id: &SmolStr, venue: &BrokerOrderId) {
        if let Some(row) = self.orders.get_mut(id) {
            if let Some(old) = row.venue.replace(venue.clone()) {
                self.by_venue.remove(&old);
            }
            self.by_venue.insert(venue.clone(), id.clone());
        }
    }
}

impl KnownOrders {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order before it is sent, and returns its client id.
    pub fn insert(&self, order: &Order) -> SmolStr {
        self.begin(order).0
    }

    /// As [`insert`](Self::insert), and whether a try before this one may have left.
    pub fn begin(&self, order: &Order) -> (SmolStr, bool) {
        self.inner().begin(order)
    }

    /// Whether an order with this key was taken before, and not all tries of it have come to nothing.
    pub fn knows(&self, key: &IdempotencyKey) -> bool {
        self.inner().orders.get(&client_id(key)).is_some_and(|row| row.tries > 0)
    }

    /// A try of the order with this key certainly is not at the venue.
    pub fn came_to_nothing(&self, key: &IdempotencyKey) {
        if let Some(row) = self.inner().orders.get_mut(&client_id(key)) {
            row.tries = row.tries.saturating_sub(1);
        }
    }

    /// Whether an order with this id of ours was taken.
    pub(crate) fn has(&self, order: &OrderId) -> bool {
        self.inner().orders.values().any(|row| row.known.order_id == *order)
    }

    /// Takes orders of an earlier process.
    pub fn recall(&self, orders: &[Order]) {
        let mut inner = self.inner();
        for order in orders {
            inner.begin(order);
        }
    }

    /// The order of a client id, which the venue calls so. `None` = not ours.
    pub fn meet(&self, client_id: &str, venue: &BrokerOrderId) -> Option<KnownOrder> {
        let mut inner = self.inner();
        let (id, row) = inner.orders.get_key_value(client_id)?;
        let (id, known, is_bound) = (id.clone(), row.known.clone(), row.venue.as_ref() == Some(venue));
        if !is_bound {
            inner.bind(&id, venue);
        }
        Some(known)
    }

    /// Whether an order is ours, by what the venue says of it: the client id that it was sent with, if any, and the venue's own.
    pub fn is_ours(&self, client_id: Option<&str>, venue: &str) -> bool {
        let inner = self.inner();
        client_id.is_some_and(|id| inner.orders.contains_key(id))
            || BrokerOrderId::new(venue).is_ok_and(|id| inner.by_venue.contains_key(&id))
    }

    /// The reports of a list of orders, in which what others have ordered need not be sayable in our words.
    ///
    /// # Errors
    /// That of a row of ours.
    pub fn reports<'a, W: 'a>(
        &self,
        rows: impl IntoIterator<Item = &'a W>,
        ids: impl Fn(&'a W) -> (Option<&'a str>, &'a str),
        report: impl Fn(&'a W) -> Result<OrderReport, Failure>,
    ) -> Result<Vec<OrderReport>, Failure> {
        let mut reports = Vec::new();
        for row in rows {
            let (client_id, venue) = ids(row);
            match report(row) {
                Err(_) if !self.is_ours(client_id, venue) => {}
                said => reports.push(said?),
            }
        }
        Ok(reports)
    }

    /// The order that the venue calls so. `None` = not ours, or never met.
    pub fn of_venue(&self, venue: &BrokerOrderId) -> Option<KnownOrder> {
        let inner = self.inner();
        let id = inner.by_venue.get(venue)?;
        inner.orders.get(id).map(|row| row.known.clone())
    }

    /// Since when there are orders that may have filled, and our ids of all. `None` = there are none.
    pub(crate) fn since(&self) -> Option<(Timestamp, BTreeSet<OrderId>)> {
        let inner = self.inner();
        let orders = || inner.orders.values().filter(|row| row.tries > 0).map(|row| &row.known);
        let oldest = orders().map(|known| known.created_at).min()?;
        Some((oldest, orders().map(|known| known.order_id.clone()).collect()))
    }

    /// What the venue calls an order, where it is known.
    pub fn venue_id(&self, order: &OrderRef) -> Option<BrokerOrderId> {
        match order {
            OrderRef::Venue(id) => Some(id.clone()),
            OrderRef::Key(key) => self.inner().orders.get(&client_id(key)).and_then(|row| row.venue.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::TimeInForce;
    use mts_foundation::broker::SubmitOutcome;

    #[test]
    fn an_order_is_known_until_all_its_tries_have_come_to_nothing() {
        let order = Order::builder().order_id("o").idempotency_key("k").symbol("AAPL").side(Side::Buy);
        let order = order.quantity(Decimal::TEN).order_type(OrderType::Market).tif(TimeInForce::Day);
        let order = order.fund_id("f").strategy_id("s").broker("b").actor("s");
        let order = order.created_at(Timestamp::EPOCH).build().unwrap();
        let (orders, key) = (KnownOrders::default(), &order.idempotency_key);
        let not_sent = |orders: &KnownOrders| {
            let outcome = orders.judged(&order, SubmitOutcome::NotSent { reason: "x".into() });
            matches!(outcome, SubmitOutcome::NotSent { .. })
        };
        let (id, is_again) = orders.begin(&order);
        assert!(!is_again && orders.knows(key) && orders.since().is_some());
        // A second one while the first is under way: that none has left is known of both of them, and not of one.
        assert!(orders.begin(&order).1);
        assert!(!not_sent(&orders) && orders.knows(key));
        assert!(not_sent(&orders) && !orders.knows(key));
        assert_eq!(orders.since(), None, "there is nothing that could have filled");
        assert!(orders.is_ours(Some(&id), ""), "and whose it is stays known");
        assert_eq!(orders.begin(&order), (id, false));
        orders.recall(std::slice::from_ref(&order));
        assert!(!not_sent(&orders));
    }
}
