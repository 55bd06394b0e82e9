//! The exchange: resting orders by instrument, in the order they came.

use crate::rules::{BarEffect, effect};
use mts_foundation::{Bar, Decimal, Order, OrderId, Symbol, TimeInForce, Timestamp};
use std::collections::BTreeMap;

/// Most orders that may rest at once.
const MAX_RESTING: usize = 1_000_000;

/// What the exchange did with an order.
#[derive(Debug, Clone, PartialEq)]
pub enum MatchEvent {
    /// It filled, whole or in part.
    Filled {
        /// Which order.
        order: Order,
        /// Units.
        quantity: Decimal,
        /// Price per unit.
        price: Decimal,
        /// When.
        time: Timestamp,
    },
    /// Its stop price was reached and it rests on.
    Triggered {
        /// Which order.
        order: Order,
        /// When.
        time: Timestamp,
    },
    /// Its time in force ended.
    Expired {
        /// Which order.
        order: Order,
        /// When.
        time: Timestamp,
    },
}

/// Why the exchange refuses an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The id rests already.
    #[error("order {order_id} is resting already")]
    Duplicate {
        /// Which.
        order_id: OrderId,
    },
    /// This kind of order is not simulated on bars.
    #[error("{tif} orders are not simulated on bars; use day or gtc")]
    Unsupported {
        /// Its time in force.
        tif: TimeInForce,
    },
    /// As many orders rest as may: one million.
    #[error("the simulated exchange is full: {MAX_RESTING} orders rest")]
    Full,
}

#[derive(Debug, Clone)]
struct Resting {
    order: Order,
    remaining: Decimal,
    since: Timestamp,
    triggered: bool,
}

/// A simulated exchange driven by bars. Immediate-or-cancel and fill-or-kill orders meet the next bar of their
/// instrument, which has no limit of volume, and expire when it does not fill them.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    now: Option<Timestamp>,
    next: u64,
    resting: BTreeMap<u64, Resting>,
    by_symbol: BTreeMap<Symbol, Vec<u64>>,
    by_order: BTreeMap<OrderId, u64>,
}

impl Exchange {
    /// An empty exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether orders with this time in force are taken.
    #[must_use]
    pub fn takes(tif: TimeInForce) -> bool {
        !matches!(tif, TimeInForce::Opg)
    }

    /// Takes an order; it meets the bars that end after `now`. `remaining` is less than its quantity when part of it
    /// filled before a restart.
    ///
    /// # Errors
    /// [`ExchangeError`]; nothing has changed then.
    pub fn submit(&mut self, order: Order, remaining: Decimal, now: Timestamp) -> Result<(), ExchangeError> {
        if !Self::takes(order.tif) {
            return Err(ExchangeError::Unsupported { tif: order.tif });
        }
        if self.by_order.contains_key(&order.order_id) {
            return Err(ExchangeError::Duplicate { order_id: order.order_id.clone() });
        }
        if self.resting.len() >= MAX_RESTING {
            return Err(ExchangeError::Full);
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.by_symbol.entry(order.symbol.clone()).or_default().push(number);
        self.by_order.insert(order.order_id.clone(), number);
        self.resting.insert(number, Resting { order, remaining, since: now, triggered: false });
        Ok(())
    }

    /// Takes an order off; `None` when it does not rest.
    pub fn cancel(&mut self, order_id: &OrderId) -> Option<Order> {
        let number = self.by_order.remove(order_id)?;
        let resting = self.resting.remove(&number)?;
        self.unlist(&resting.order.symbol, number);
        Some(resting.order)
    }

    fn unlist(&mut self, symbol: &Symbol, number: u64) {
        if let Some(list) = self.by_symbol.get_mut(symbol) {
            list.retain(|other| *other != number);
            if list.is_empty() {
                self.by_symbol.remove(symbol);
            }
        }
    }

    /// Whether the order rests.
    #[must_use]
    pub fn is_resting(&self, order_id: &OrderId) -> bool {
        self.by_order.contains_key(order_id)
    }

    /// Resting orders with their open quantity, in the order they came.
    pub fn resting(&self) -> impl ExactSizeIterator<Item = (&Order, Decimal)> {
        self.resting.values().map(|resting| (&resting.order, resting.remaining))
    }

    /// Meets the resting orders with the bars of one instant. Events come in the order in which the orders came.
    pub fn on_bars(&mut self, bars: &[Bar], events: &mut Vec<MatchEvent>) {
        let mut met: Vec<(u64, &Bar)> = Vec::new();
        for bar in bars {
            self.now = self.now.max(Some(bar.timestamp));
            if let Some(list) = self.by_symbol.get(&bar.symbol) {
                met.extend(list.iter().map(|number| (*number, bar)));
            }
        }
        met.sort_by_key(|(number, _)| *number);
        for (number, bar) in met {
            self.meet(number, bar, events);
        }
    }

    fn meet(&mut self, number: u64, bar: &Bar, events: &mut Vec<MatchEvent>) {
        let Some(resting) = self.resting.get_mut(&number) else { return };
        if resting.since >= bar.timestamp {
            return;
        }
        let began = bar
            .timestamp
            .nanos()
            .saturating_sub(i64::try_from(bar.interval.duration().as_nanos()).unwrap_or(i64::MAX));
        let before_open = resting.since.nanos() <= began;
        let time = bar.timestamp;
        let price = match effect(&resting.order, bar, before_open, resting.triggered) {
            BarEffect::None => None,
            BarEffect::Fill(price) => Some(price),
            BarEffect::Triggered { fill } => {
                resting.triggered = true;
                if fill.is_none() {
                    events.push(MatchEvent::Triggered { order: resting.order.clone(), time });
                }
                fill
            }
        };
        let immediate = matches!(resting.order.tif, TimeInForce::Ioc | TimeInForce::Fok);
        if price.is_none() && !immediate {
            return;
        }
        let quantity = resting.remaining;
        let Some(order) = self.remove(number) else { return };
        events.push(match price {
            Some(price) => MatchEvent::Filled { order, quantity, price, time },
            None => MatchEvent::Expired { order, time },
        });
    }

    fn remove(&mut self, number: u64) -> Option<Order> {
        let resting = self.resting.remove(&number)?;
        self.by_order.remove(&resting.order.order_id);
        self.unlist(&resting.order.symbol, number);
        Some(resting.order)
    }

    /// Ends the session: day orders expire, in the order in which they came.
    pub fn on_session_close(&mut self, time: Timestamp, events: &mut Vec<MatchEvent>) {
        let ended: Vec<u64> = self
            .resting
            .iter()
            .filter(|(_, resting)| resting.order.tif != TimeInForce::Gtc)
            .map(|(number, _)| *number)
            .collect();
        for number in ended {
            if let Some(order) = self.remove(number) {
                events.push(MatchEvent::Expired { order, time });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Interval, OrderType, Side};

    fn order(id: &str, symbol: &str, tif: TimeInForce, limit: Option<i64>) -> Order {
        let builder = Order::builder()
            .order_id(id)
            .idempotency_key(id)
            .symbol(symbol)
            .side(Side::Buy)
            .quantity(Decimal::TEN)
            .order_type(if limit.is_some() { OrderType::Limit } else { OrderType::Market })
            .tif(tif)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::EPOCH);
        match limit {
            Some(limit) => builder.limit_price(Decimal::from(limit)),
            None => builder,
        }
        .build()
        .unwrap()
    }

    fn close(symbol: &str, price: i64, day: i64) -> Bar {
        let time = Timestamp::from_millis(day * 86_400_000);
        Bar::close_only(Symbol::new(symbol).unwrap(), Interval::DAY, Decimal::from(price), time)
    }

    fn ids(events: &[MatchEvent]) -> Vec<String> {
        events
            .iter()
            .map(|event| match event {
                MatchEvent::Filled { order, price, .. } => format!("fill {} @{price}", order.order_id),
                MatchEvent::Expired { order, .. } => format!("expire {}", order.order_id),
                MatchEvent::Triggered { order, .. } => format!("trigger {}", order.order_id),
            })
            .collect()
    }

    #[test]
    fn orders_fill_in_the_order_they_came() {
        let mut exchange = Exchange::new();
        for (id, symbol) in [("3", "B"), ("1", "A"), ("2", "B")] {
            exchange
                .submit(order(id, symbol, TimeInForce::Day, None), Decimal::TEN, Timestamp::EPOCH)
                .unwrap();
        }
        let mut events = Vec::new();
        exchange.on_bars(&[close("A", 5, 1), close("B", 7, 1)], &mut events);
        assert_eq!(ids(&events), ["fill 3 @7", "fill 1 @5", "fill 2 @7"]);
        assert_eq!(exchange.resting().len(), 0);
    }

    #[test]
    fn a_bar_that_ended_before_the_order_came_does_not_fill_it() {
        let mut exchange = Exchange::new();
        let late = Timestamp::from_millis(86_400_000);
        exchange.submit(order("1", "A", TimeInForce::Day, None), Decimal::TEN, late).unwrap();
        let mut events = Vec::new();
        exchange.on_bars(&[close("A", 5, 1)], &mut events);
        assert!(events.is_empty() && exchange.is_resting(&OrderId::new("1").unwrap()));
    }

    #[test]
    fn times_in_force_end_as_they_say() {
        let mut exchange = Exchange::new();
        let tifs = [TimeInForce::Day, TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];
        for tif in tifs {
            exchange.submit(order(tif.as_str(), "A", tif, Some(4)), Decimal::TEN, Timestamp::EPOCH).unwrap();
        }
        let mut events = Vec::new();
        exchange.on_bars(&[close("A", 5, 1)], &mut events);
        assert_eq!(ids(&events), ["expire ioc", "expire fok"]);
        events.clear();
        exchange.on_session_close(Timestamp::from_millis(86_400_000), &mut events);
        assert_eq!(ids(&events), ["expire day"]);
        events.clear();
        exchange.on_bars(&[close("A", 4, 2)], &mut events);
        assert_eq!(ids(&events), ["fill gtc @4"]);
        let opening = order("o", "A", TimeInForce::Opg, None);
        assert!(exchange.submit(opening, Decimal::TEN, Timestamp::EPOCH).is_err());
    }

    #[test]
    fn a_cancelled_order_is_gone_and_an_id_rests_once() {
        let mut exchange = Exchange::new();
        exchange.submit(order("1", "A", TimeInForce::Gtc, None), Decimal::TEN, Timestamp::EPOCH).unwrap();
        let again = order("1", "A", TimeInForce::Gtc, None);
        assert!(exchange.submit(again, Decimal::TEN, Timestamp::EPOCH).is_err());
        assert!(exchange.cancel(&OrderId::new("1").unwrap()).is_some());
        assert!(exchange.cancel(&OrderId::new("1").unwrap()).is_none());
        let mut events = Vec::new();
        exchange.on_bars(&[close("A", 5, 1)], &mut events);
        assert!(events.is_empty());
    }
}
