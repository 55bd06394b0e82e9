//! The orders of one instrument, found by the price that touches them, and what is known of its market.

use super::Working;
use crate::book::OrderBook;
use crate::rules::Stage;
use mts_foundation::{Decimal, Quote, TimeInForce, Timestamp};
use std::collections::BTreeSet;

/// The touch and what is left of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Touch {
    pub(super) bid: Decimal,
    pub(super) ask: Decimal,
    /// `None` = not stated.
    pub(super) bid_size: Option<Decimal>,
    pub(super) ask_size: Option<Decimal>,
}

impl Touch {
    /// `None` for a quote that nothing can trade on: a side missing, or crossed.
    pub(super) fn of(quote: &Quote) -> Option<Self> {
        let usable = quote.bid > Decimal::ZERO && quote.ask >= quote.bid;
        let stated = |size: Decimal| (size > Decimal::ZERO).then_some(size);
        usable.then(|| Self {
            bid: quote.bid,
            ask: quote.ask,
            bid_size: stated(quote.bid_size),
            ask_size: stated(quote.ask_size),
        })
    }

    /// The price an order takes.
    pub(super) fn price(&self, buys: bool) -> Decimal {
        if buys { self.ask } else { self.bid }
    }

    /// The size an order takes from.
    pub(super) fn size(&mut self, buys: bool) -> &mut Option<Decimal> {
        if buys { &mut self.ask_size } else { &mut self.bid_size }
    }
}

/// The prices that a piece of market data reaches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Buy limits at or above it.
    pub(super) offered: Decimal,
    /// Sell limits at or below it.
    pub(super) wanted: Decimal,
    /// Buy stops at or below it; `None` = none.
    pub(super) high: Option<Decimal>,
    /// Sell stops at or above it; `None` = none.
    pub(super) low: Option<Decimal>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Market {
    pub(super) touch: Option<Touch>,
    pub(super) last: Option<Decimal>,
    /// Whether prints have been seen; bars fill nothing then.
    pub(super) has_prints: bool,
    /// Time of the last quote.
    pub(super) quoted: Option<Timestamp>,
    /// Time of the last print.
    pub(super) printed: Option<Timestamp>,
    pub(super) book: Option<OrderBook>,
    /// Working sales of what is held, in units; short sales are counted as borrowed.
    pub(super) offered: Decimal,
    /// Met by everything: market orders, immediate orders.
    always: BTreeSet<u64>,
    buy_limits: BTreeSet<(Decimal, u64)>,
    sell_limits: BTreeSet<(Decimal, u64)>,
    buy_stops: BTreeSet<(Decimal, u64)>,
    sell_stops: BTreeSet<(Decimal, u64)>,
    /// Orders for an opening cross.
    pub(super) opening: BTreeSet<u64>,
}

impl Market {
    /// When the market was last heard of.
    pub(super) fn heard(&self) -> Option<Timestamp> {
        self.quoted.max(self.printed)
    }

    /// The list of prices an order stands in, with its price; `None` = it meets everything.
    fn place(&mut self, working: &Working) -> Option<(&mut BTreeSet<(Decimal, u64)>, Decimal)> {
        if matches!(working.order.tif, TimeInForce::Ioc | TimeInForce::Fok) {
            return None;
        }
        Some(match (working.terms.stage(), working.terms.buys) {
            (Stage::Waiting(stop), true) => (&mut self.buy_stops, stop),
            (Stage::Waiting(stop), false) => (&mut self.sell_stops, stop),
            (Stage::Limit(limit), true) => (&mut self.buy_limits, limit),
            (Stage::Limit(limit), false) => (&mut self.sell_limits, limit),
            (Stage::Market, _) => return None,
        })
    }

    pub(super) fn list(&mut self, number: u64, working: &Working) {
        if working.order.tif == TimeInForce::Opg {
            self.opening.insert(number);
        } else if let Some((list, price)) = self.place(working) {
            list.insert((price, number));
        } else {
            self.always.insert(number);
        }
    }

    pub(super) fn unlist(&mut self, number: u64, working: &Working) {
        if working.order.tif == TimeInForce::Opg {
            self.opening.remove(&number);
        } else if let Some((list, price)) = self.place(working) {
            list.remove(&(price, number));
        } else {
            self.always.remove(&number);
        }
    }

    /// The orders that are reached, in the order in which they share what there is: market and immediate orders by age,
    /// then limits, best price first and then by age, then stops in the order in which the price comes to them.
    pub(super) fn reached(&self, reach: &Reach) -> Vec<u64> {
        let mut found: Vec<u64> = self.always.iter().copied().collect();
        by_level(self.buy_limits.range((reach.offered, 0)..).rev(), &mut found);
        by_level(self.sell_limits.range(..=(reach.wanted, u64::MAX)), &mut found);
        if let Some(high) = reach.high {
            by_level(self.buy_stops.range(..=(high, u64::MAX)), &mut found);
        }
        if let Some(low) = reach.low {
            by_level(self.sell_stops.range((low, 0)..).rev(), &mut found);
        }
        found
    }

    /// The stops that wait and are reached.
    pub(super) fn stops(&self, high: Decimal, low: Decimal) -> Vec<u64> {
        let mut found = Vec::new();
        by_level(self.buy_stops.range(..=(high, u64::MAX)), &mut found);
        by_level(self.sell_stops.range((low, 0)..).rev(), &mut found);
        found
    }
}

/// Takes over level by level, in each by age whichever way the levels come.
fn by_level<'a>(orders: impl Iterator<Item = &'a (Decimal, u64)>, found: &mut Vec<u64>) {
    let (mut level, mut start) = (None, found.len());
    for (price, number) in orders {
        if level != Some(*price) {
            if let Some(done) = found.get_mut(start..) {
                done.sort_unstable();
            }
            (level, start) = (Some(*price), found.len());
        }
        found.push(*number);
    }
    if let Some(done) = found.get_mut(start..) {
        done.sort_unstable();
    }
}
