//! The opening cross: one price for all.
//!
//! The price is the one at which most units trade; among those the one that leaves the fewest unmatched, then the one
//! nearest to the reference, then the lowest. Market orders go first, then the better price, then the older order. Two
//! orders of one participant do not trade with each other: the newer ends.

use super::{BookEvent, BookSide, Ended, OrderBook, Party};
use mts_foundation::Decimal;
use std::collections::BTreeMap;

/// What the cross did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossed {
    /// The one price; `None` when nothing traded.
    pub price: Option<Decimal>,
    /// Units that traded.
    pub quantity: Decimal,
}

/// An order in the cross, in the order of priority: market first, then price, then time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// `None` sorts first: market orders.
    price: Option<Decimal>,
    sequence: u64,
    slot: u32,
}

impl OrderBook {
    /// Crosses the orders that queue for the opening with each other and with the resting ones, at one price. What
    /// queued and did not trade ends. `reference` is the last price, `None` = the book's own last trade.
    pub fn cross(&mut self, reference: Option<Decimal>, events: &mut Vec<BookEvent>) -> Crossed {
        let reference = reference.or(self.last);
        let price = self.crossing_price(reference);
        let mut quantity = Decimal::ZERO;
        if let Some(price) = price {
            quantity = self.execute(price, events);
        }
        let left: Vec<u32> = self.opening.values().copied().collect();
        for slot in left {
            self.end(slot, Ended::OpeningOver, events);
        }
        Crossed { price: price.filter(|_| !quantity.is_zero()), quantity }
    }

    fn end(&mut self, slot: u32, why: Ended, events: &mut Vec<BookEvent>) {
        if let Some(view) = self.slab.view(slot) {
            self.take_off(slot);
            let (tag, participant, open) = (view.tag, view.participant, view.open);
            events.push(BookEvent::Ended { tag, participant, open, why });
        }
    }

    /// The price at which most trades, if anything does.
    fn crossing_price(&self, reference: Option<Decimal>) -> Option<Decimal> {
        let mut points: BTreeMap<Decimal, (Decimal, Decimal)> = BTreeMap::new();
        let (mut demand, mut supply) = (Decimal::ZERO, Decimal::ZERO);
        for view in self.opening.values().filter_map(|slot| self.slab.view(*slot)) {
            match (view.limit, view.side) {
                (None, BookSide::Bid) => demand += view.open,
                (None, BookSide::Ask) => supply += view.open,
                (Some(price), BookSide::Bid) => points.entry(price).or_default().0 += view.open,
                (Some(price), BookSide::Ask) => points.entry(price).or_default().1 += view.open,
            }
        }
        for level in self.levels(BookSide::Bid) {
            points.entry(level.price).or_default().0 += level.open;
        }
        for level in self.levels(BookSide::Ask) {
            points.entry(level.price).or_default().1 += level.open;
        }
        if let Some(reference) = reference {
            points.entry(reference).or_default();
        }
        // Upwards through the prices: at each, all sellers at or below it and all buyers at or above it.
        demand += points.values().map(|(bought, _)| *bought).sum::<Decimal>();
        let mut best: Option<(Decimal, Decimal, Decimal, Decimal)> = None;
        for (price, (bought, sold)) in &points {
            supply += *sold;
            let volume = demand.min(supply);
            let unmatched = (demand - supply).abs();
            let distance = reference.map_or(Decimal::ZERO, |reference| (*price - reference).abs());
            let better = best.is_none_or(|(most, least, nearest, _)| {
                (volume, -unmatched, -distance) > (most, -least, -nearest)
            });
            if volume > Decimal::ZERO && better {
                best = Some((volume, unmatched, distance, *price));
            }
            demand -= *bought;
        }
        best.map(|(.., price)| price)
    }

    /// The orders of a side that trade at `price`, in the order of priority.
    fn entries(&self, side: BookSide, price: Decimal) -> Vec<Entry> {
        let resting = self.orders(side).map(|view| view.id).filter_map(|id| self.slab.slot(id));
        let mut entries: Vec<Entry> = resting
            .chain(self.opening.values().copied())
            .filter_map(|slot| {
                let view = self.slab.view(slot)?;
                let sequence = self.slab.sequence(slot)?;
                (view.side == side && side.accepts(view.limit, price)).then(|| Entry {
                    price: view.limit.map(|limit| if side == BookSide::Bid { -limit } else { limit }),
                    sequence,
                    slot,
                })
            })
            .collect();
        entries.sort_unstable();
        entries
    }

    fn execute(&mut self, price: Decimal, events: &mut Vec<BookEvent>) -> Decimal {
        let (bids, asks) = (self.entries(BookSide::Bid, price), self.entries(BookSide::Ask, price));
        let (mut bids, mut asks) = (bids.into_iter().peekable(), asks.into_iter().peekable());
        let mut total = Decimal::ZERO;
        while let (Some(bid), Some(ask)) = (bids.peek().copied(), asks.peek().copied()) {
            let (Some(buys), Some(sells)) = (self.slab.view(bid.slot), self.slab.view(ask.slot)) else {
                break;
            };
            if buys.participant == sells.participant {
                let newer = if bid.sequence > ask.sequence { bids.next() } else { asks.next() };
                if let Some(newer) = newer {
                    self.end(newer.slot, Ended::SelfTrade, events);
                }
                continue;
            }
            let quantity = buys.open.min(sells.open);
            for (view, slot) in [(buys, bid.slot), (sells, ask.slot)] {
                if view.open == quantity {
                    self.take_off(slot);
                } else {
                    self.slab.reduce(slot, quantity);
                }
            }
            if buys.open == quantity {
                bids.next();
            }
            if sells.open == quantity {
                asks.next();
            }
            let party = |view: super::RestingView| Party {
                tag: view.tag,
                participant: view.participant,
                open: view.open - quantity,
            };
            total += quantity;
            self.last = Some(price);
            let (buyer, seller) = (party(buys), party(sells));
            events.push(BookEvent::Trade { buyer, seller, price, quantity, aggressor: None });
        }
        total
    }
}
