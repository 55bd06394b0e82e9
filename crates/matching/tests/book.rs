//! The order book against a naive one that looks at every order every time, and its invariants.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use mts_foundation::{Decimal, TimeInForce};
use mts_matching::{
    BookError, BookEvent, BookOrder, BookOrderId, BookSide, Ended, OrderBook, Participant, Party,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
struct Naive {
    tag: u64,
    participant: Participant,
    side: BookSide,
    open: Decimal,
    limit: Option<Decimal>,
    sequence: u64,
    queues: bool,
}

#[derive(Debug, Clone, Default)]
struct NaiveBook {
    orders: Vec<Naive>,
    sequence: u64,
    last: Option<Decimal>,
}

fn party(order: &Naive) -> Party {
    Party { tag: order.tag, participant: order.participant, open: order.open }
}

/// How eager an order is: market first, then the better price; smaller is better.
fn eagerness(order: &Naive) -> (bool, Decimal, u64) {
    let price = order.limit.unwrap_or_default();
    let price = if order.side == BookSide::Bid { -price } else { price };
    (order.limit.is_some(), price, order.sequence)
}

impl NaiveBook {
    fn best(&self, side: BookSide) -> Option<usize> {
        let on_side = |order: &&Naive| order.side == side && !order.queues;
        let best = self.orders.iter().filter(on_side).min_by_key(|order| eagerness(order))?;
        self.orders.iter().position(|order| order.sequence == best.sequence)
    }

    fn submit(&mut self, order: &BookOrder, events: &mut Vec<BookEvent>) -> bool {
        if order.tif == TimeInForce::Fok {
            let (mut trial, mut trades) = (self.clone(), Vec::new());
            trial.submit(&BookOrder { tif: TimeInForce::Ioc, ..*order }, &mut trades);
            let traded: Decimal = trades
                .iter()
                .map(|event| match event {
                    BookEvent::Trade { quantity, .. } => *quantity,
                    BookEvent::Ended { .. } => Decimal::ZERO,
                })
                .sum();
            if traded < order.quantity {
                return false;
            }
        }
        let mut new = Naive {
            tag: order.tag,
            participant: order.participant,
            side: order.side,
            open: order.quantity,
            limit: order.limit,
            sequence: self.sequence,
            queues: order.tif == TimeInForce::Opg,
        };
        self.sequence += 1;
        let mut why = None;
        while new.open > Decimal::ZERO && !new.queues {
            let Some(index) = self.best(new.side.opposite()) else { break };
            let maker = &mut self.orders[index];
            let price = maker.limit.unwrap();
            if !new.side.accepts(new.limit, price) {
                break;
            }
            if maker.participant == new.participant {
                why = Some(Ended::SelfTrade);
                break;
            }
            let quantity = new.open.min(maker.open);
            new.open -= quantity;
            maker.open -= quantity;
            let (taking, making) = (party(&new), party(maker));
            let (buyer, seller) = if new.side == BookSide::Bid { (taking, making) } else { (making, taking) };
            self.last = Some(price);
            events.push(BookEvent::Trade { buyer, seller, price, quantity, aggressor: Some(new.side) });
            self.orders.retain(|order| order.open > Decimal::ZERO);
        }
        if new.open.is_zero() {
            return true;
        }
        let immediate = matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok);
        let why = why
            .or(immediate.then_some(Ended::Immediate))
            .or((new.limit.is_none() && !new.queues).then_some(Ended::NoLiquidity));
        match why {
            Some(why) => {
                events.push(BookEvent::Ended {
                    tag: new.tag,
                    participant: new.participant,
                    open: new.open,
                    why,
                });
            }
            None => self.orders.push(new),
        }
        true
    }

    fn cancel(&mut self, tag: u64) {
        self.orders.retain(|order| order.tag != tag);
    }

    fn replace(&mut self, tag: u64, open: Decimal, limit: Decimal, events: &mut Vec<BookEvent>) {
        let index = self.orders.iter().position(|order| order.tag == tag).unwrap();
        if self.orders[index].limit == Some(limit) && open <= self.orders[index].open {
            self.orders[index].open = open;
            return;
        }
        let old = self.orders.remove(index);
        let order = BookOrder {
            tag,
            participant: old.participant,
            side: old.side,
            quantity: open,
            limit: Some(limit),
            tif: TimeInForce::Gtc,
        };
        self.submit(&order, events);
    }

    /// The cross by trying every price.
    fn cross(&mut self, reference: Option<Decimal>, events: &mut Vec<BookEvent>) {
        let reference = reference.or(self.last);
        let mut prices: Vec<Decimal> = self.orders.iter().filter_map(|order| order.limit).collect();
        prices.extend(reference);
        prices.sort_unstable();
        let total = |side: BookSide, price: Decimal| -> Decimal {
            let takes = |order: &&Naive| order.side == side && side.accepts(order.limit, price);
            self.orders.iter().filter(takes).map(|order| order.open).sum()
        };
        let price = prices
            .into_iter()
            .map(|price| {
                let (demand, supply) = (total(BookSide::Bid, price), total(BookSide::Ask, price));
                let far = reference.map_or(Decimal::ZERO, |reference| (price - reference).abs());
                ((-demand.min(supply), (demand - supply).abs(), far, price), price)
            })
            .filter(|(rank, _)| rank.0 < Decimal::ZERO)
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, price)| price);
        if let Some(price) = price {
            self.cross_at(price, events);
        }
        self.orders.sort_by_key(|order| order.sequence);
        for order in self.orders.iter().filter(|order| order.queues) {
            let (tag, participant, open) = (order.tag, order.participant, order.open);
            events.push(BookEvent::Ended { tag, participant, open, why: Ended::OpeningOver });
        }
        self.orders.retain(|order| !order.queues);
    }

    fn cross_at(&mut self, price: Decimal, events: &mut Vec<BookEvent>) {
        loop {
            let first = |side: BookSide| {
                let takes = |order: &&Naive| order.side == side && side.accepts(order.limit, price);
                self.orders.iter().filter(takes).min_by_key(|order| eagerness(order)).cloned()
            };
            let (Some(mut bid), Some(mut ask)) = (first(BookSide::Bid), first(BookSide::Ask)) else { break };
            if bid.participant == ask.participant {
                let newer = if bid.sequence > ask.sequence { bid } else { ask };
                let (tag, participant, open) = (newer.tag, newer.participant, newer.open);
                events.push(BookEvent::Ended { tag, participant, open, why: Ended::SelfTrade });
                self.cancel(newer.tag);
                continue;
            }
            let quantity = bid.open.min(ask.open);
            bid.open -= quantity;
            ask.open -= quantity;
            let (buyer, seller) = (party(&bid), party(&ask));
            self.last = Some(price);
            events.push(BookEvent::Trade { buyer, seller, price, quantity, aggressor: None });
            for done in [bid, ask] {
                let order = self.orders.iter_mut().find(|order| order.tag == done.tag).unwrap();
                order.open = done.open;
            }
            self.orders.retain(|order| order.open > Decimal::ZERO);
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Submit { participant: u32, buys: bool, quantity: i64, limit: Option<i64>, tif: TimeInForce },
    Cancel(usize),
    Replace { which: usize, quantity: i64, limit: i64 },
    Cross,
}

fn op() -> impl Strategy<Value = Op> {
    let tif = prop_oneof![
        6 => Just(TimeInForce::Gtc),
        1 => Just(TimeInForce::Day),
        2 => Just(TimeInForce::Ioc),
        2 => Just(TimeInForce::Fok),
        2 => Just(TimeInForce::Opg),
    ];
    let limit = prop_oneof![1 => Just(None), 6 => (95_i64..106).prop_map(Some)];
    prop_oneof![
        8 => (1_u32..5, any::<bool>(), 1_i64..20, limit, tif).prop_map(
            |(participant, buys, quantity, limit, tif)| Op::Submit { participant, buys, quantity, limit, tif }
        ),
        2 => any::<usize>().prop_map(Op::Cancel),
        2 => (any::<usize>(), 1_i64..20, 95_i64..106)
            .prop_map(|(which, quantity, limit)| Op::Replace { which, quantity, limit }),
        1 => Just(Op::Cross),
    ]
}

/// Both books side by side, with what every order was and became.
#[derive(Default)]
struct Pair {
    book: OrderBook,
    naive: NaiveBook,
    ids: BTreeMap<u64, BookOrderId>,
    limits: BTreeMap<u64, (BookSide, Option<Decimal>)>,
    /// Ordered, filled, cancelled or ended.
    counts: BTreeMap<u64, (Decimal, Decimal, Decimal)>,
    cash: BTreeMap<u32, Decimal>,
    units: BTreeMap<u32, Decimal>,
    next: u64,
}

impl Pair {
    fn step(&mut self, op: &Op) -> Vec<BookEvent> {
        let (mut events, mut expected) = (Vec::new(), Vec::new());
        match op {
            Op::Submit { participant, buys, quantity, limit, tif } => {
                let tag = self.next;
                self.next += 1;
                let order = BookOrder {
                    tag,
                    participant: Participant(*participant),
                    side: if *buys { BookSide::Bid } else { BookSide::Ask },
                    quantity: Decimal::from(*quantity),
                    limit: limit.map(Decimal::from),
                    tif: *tif,
                };
                let taken = self.naive.submit(&order, &mut expected);
                let placed = self.book.submit(&order, &mut events);
                assert_eq!(placed.is_ok(), taken, "{placed:?}");
                if let Ok(placed) = placed {
                    self.counts.insert(tag, (order.quantity, Decimal::ZERO, Decimal::ZERO));
                    self.limits.insert(tag, (order.side, order.limit));
                    self.ids.extend(placed.id.map(|id| (tag, id)));
                } else {
                    assert!(events.is_empty(), "a refused order trades");
                }
            }
            Op::Cancel(which) => {
                let Some((tag, id)) = self.pick(*which) else { return events };
                let view = self.book.cancel(id).unwrap();
                self.naive.cancel(tag);
                self.counts.get_mut(&tag).unwrap().2 += view.open;
                assert_eq!(self.book.cancel(id).unwrap_err(), BookError::NotResting);
            }
            Op::Replace { which, quantity, limit } => {
                let Some((tag, id)) = self.pick(*which) else { return events };
                let view = self.book.order(id).unwrap();
                let (open, limit) = (Decimal::from(*quantity), Decimal::from(*limit));
                let queues = self.naive.orders.iter().any(|order| order.tag == tag && order.queues);
                let placed = self.book.replace(id, open, limit, &mut events);
                if queues {
                    assert_eq!(placed.unwrap_err(), BookError::NotResting);
                    return events;
                }
                self.naive.replace(tag, open, limit, &mut expected);
                self.counts.get_mut(&tag).unwrap().0 += open - view.open;
                self.limits.get_mut(&tag).unwrap().1 = Some(limit);
                self.ids.remove(&tag);
                self.ids.extend(placed.unwrap().id.map(|id| (tag, id)));
            }
            Op::Cross => {
                self.book.cross(None, &mut events);
                self.naive.cross(None, &mut expected);
            }
        }
        assert_eq!(events, expected);
        self.count(&events);
        events
    }

    fn pick(&self, which: usize) -> Option<(u64, BookOrderId)> {
        let alive: Vec<(u64, BookOrderId)> = self
            .ids
            .iter()
            .map(|(tag, id)| (*tag, *id))
            .filter(|(_, id)| self.book.order(*id).is_some())
            .collect();
        (!alive.is_empty()).then(|| alive[which % alive.len()])
    }

    fn count(&mut self, events: &[BookEvent]) {
        for event in events {
            match event {
                BookEvent::Trade { buyer, seller, price, quantity, .. } => {
                    for (party, side, sign) in
                        [(buyer, BookSide::Bid, Decimal::ONE), (seller, BookSide::Ask, Decimal::NEGATIVE_ONE)]
                    {
                        let (own, limit) = self.limits[&party.tag];
                        assert_eq!(own, side);
                        assert!(side.accepts(limit, *price), "a fill at {price} beyond {limit:?}");
                        self.counts.get_mut(&party.tag).unwrap().1 += quantity;
                        *self.cash.entry(party.participant.0).or_default() -= sign * quantity * price;
                        *self.units.entry(party.participant.0).or_default() += sign * quantity;
                    }
                    assert_ne!(buyer.participant, seller.participant);
                }
                BookEvent::Ended { tag, open, .. } => self.counts.get_mut(tag).unwrap().2 += open,
            }
        }
    }

    fn check(&self) {
        let open: BTreeMap<u64, Decimal> =
            self.naive.orders.iter().map(|order| (order.tag, order.open)).collect();
        for (tag, (ordered, filled, ended)) in &self.counts {
            let open = open.get(tag).copied().unwrap_or_default();
            assert_eq!(*filled + open + *ended, *ordered, "order {tag}");
        }
        assert_eq!(self.cash.values().copied().sum::<Decimal>(), Decimal::ZERO);
        assert_eq!(self.units.values().copied().sum::<Decimal>(), Decimal::ZERO);
        assert_eq!(self.book.len(), self.naive.orders.len());
        let best = |side| self.book.best(side).map(|level| level.price);
        if let (Some(bid), Some(ask)) = (best(BookSide::Bid), best(BookSide::Ask)) {
            assert!(bid < ask, "crossed: {bid} {ask}");
        }
        for side in [BookSide::Bid, BookSide::Ask] {
            let mut expected: Vec<&Naive> =
                self.naive.orders.iter().filter(|order| order.side == side && !order.queues).collect();
            expected.sort_by_key(|order| eagerness(order));
            let expected: Vec<_> =
                expected.iter().map(|order| (order.tag, order.limit, order.open)).collect();
            let found: Vec<_> =
                self.book.orders(side).map(|order| (order.tag, order.limit, order.open)).collect();
            assert_eq!(found, expected);
            let levels: Vec<_> = self.book.levels(side).collect();
            assert_eq!(levels.iter().map(|level| level.orders as usize).sum::<usize>(), found.len());
            for level in levels {
                let at_it = found.iter().filter(|order| order.1 == Some(level.price));
                assert_eq!(at_it.map(|order| order.2).sum::<Decimal>(), level.open);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Same events, same queues, quantity and cash conserved, no fill beyond a limit, never crossed.
    #[test]
    fn the_book_is_the_naive_one(ops in prop::collection::vec(op(), 1..80)) {
        let mut pair = Pair::default();
        for op in &ops {
            pair.step(op);
            pair.check();
        }
    }

    /// A snapshot goes on as the original, and the same operations give the same events.
    #[test]
    fn a_snapshot_goes_on_as_the_original(
        before in prop::collection::vec(op(), 1..40),
        after in prop::collection::vec(op(), 1..40),
    ) {
        let run = |snapshot: bool| {
            let mut pair = Pair::default();
            let mut events: Vec<BookEvent> = before.iter().flat_map(|op| pair.step(op)).collect();
            if snapshot {
                pair.book = pair.book.clone();
            }
            events.extend(after.iter().flat_map(|op| pair.step(op)));
            events
        };
        prop_assert_eq!(run(false), run(true));
    }
}

fn order(tag: u64, participant: u32, side: BookSide, quantity: i64, limit: Option<i64>) -> BookOrder {
    BookOrder {
        tag,
        participant: Participant(participant),
        side,
        quantity: Decimal::from(quantity),
        limit: limit.map(Decimal::from),
        tif: TimeInForce::Gtc,
    }
}

fn traded(events: &[BookEvent]) -> Vec<(u64, u64, i64, i64)> {
    let number = |value: &Decimal| i64::try_from(*value).unwrap();
    events
        .iter()
        .filter_map(|event| match event {
            BookEvent::Trade { buyer, seller, price, quantity, .. } => {
                Some((buyer.tag, seller.tag, number(quantity), number(price)))
            }
            BookEvent::Ended { .. } => None,
        })
        .collect()
}

#[test]
fn a_better_price_goes_first_and_at_one_price_the_older() {
    let (mut book, mut events) = (OrderBook::default(), Vec::new());
    for (tag, price) in [(1, 101), (2, 100), (3, 100)] {
        book.submit(&order(tag, 1, BookSide::Ask, 5, Some(price)), &mut events).unwrap();
    }
    book.submit(&order(4, 2, BookSide::Bid, 12, Some(101)), &mut events).unwrap();
    assert_eq!(traded(&events), [(4, 2, 5, 100), (4, 3, 5, 100), (4, 1, 2, 101)]);
}

#[test]
fn less_quantity_keeps_the_place_and_anything_else_loses_it() {
    for (open, price, first) in [(3, 100, 1), (5, 100, 1), (6, 100, 2), (3, 101, 2)] {
        let (mut book, mut events) = (OrderBook::default(), Vec::new());
        let placed = book.submit(&order(1, 1, BookSide::Ask, 5, Some(100)), &mut events).unwrap();
        book.submit(&order(2, 1, BookSide::Ask, 5, Some(100)), &mut events).unwrap();
        book.replace(placed.id.unwrap(), Decimal::from(open), Decimal::from(price), &mut events).unwrap();
        book.submit(&order(3, 2, BookSide::Bid, 1, None), &mut events).unwrap();
        assert_eq!(traded(&events), [(3, first, 1, 100)], "{open} at {price}");
    }
}

#[test]
fn fill_or_kill_takes_all_or_nothing() {
    let (mut book, mut events) = (OrderBook::default(), Vec::new());
    book.submit(&order(1, 1, BookSide::Ask, 9_999, Some(100)), &mut events).unwrap();
    let wanted = BookOrder { tif: TimeInForce::Fok, ..order(2, 2, BookSide::Bid, 10_000, Some(100)) };
    let (all, most) = (Decimal::from(10_000), Decimal::from(9_999));
    let refused = book.submit(&wanted, &mut events).unwrap_err();
    assert_eq!(refused, BookError::NotAllAvailable { wanted: all, available: most });
    assert!(events.is_empty() && book.len() == 1);
    book.submit(&BookOrder { quantity: most, ..wanted }, &mut events).unwrap();
    assert_eq!(traded(&events), [(2, 1, 9_999, 100)]);
}

#[test]
fn the_book_has_a_bound_and_says_what_is_wrong() {
    let (mut book, mut events) = (OrderBook::new(1), Vec::new());
    book.submit(&order(1, 1, BookSide::Ask, 1, Some(100)), &mut events).unwrap();
    let full = book.submit(&order(2, 1, BookSide::Ask, 1, Some(100)), &mut events).unwrap_err();
    assert_eq!(full.to_string(), "the book is full: 1 orders rest; cancel some or raise the limit");
    let empty = book.submit(&order(2, 1, BookSide::Ask, 0, Some(100)), &mut events).unwrap_err();
    assert_eq!(empty.to_string(), "quantity is 0; it must be greater than zero");
    let taker = BookOrder { tif: TimeInForce::Ioc, ..order(3, 2, BookSide::Bid, 1, None) };
    assert!(book.submit(&taker, &mut events).is_ok(), "what does not rest needs no room");
}

#[test]
fn the_opening_cross_has_one_price_and_ends_what_waited_for_it() {
    let (mut book, mut events) = (OrderBook::default(), Vec::new());
    let opening = |order: BookOrder| BookOrder { tif: TimeInForce::Opg, ..order };
    book.submit(&order(1, 1, BookSide::Ask, 5, Some(101)), &mut events).unwrap();
    book.submit(&opening(order(2, 2, BookSide::Bid, 8, None)), &mut events).unwrap();
    book.submit(&opening(order(3, 3, BookSide::Ask, 4, Some(99))), &mut events).unwrap();
    book.submit(&opening(order(4, 3, BookSide::Ask, 4, Some(105))), &mut events).unwrap();
    assert!(events.is_empty(), "it waits");
    let crossed = book.cross(None, &mut events);
    assert_eq!((crossed.price, crossed.quantity), (Some(Decimal::from(101)), Decimal::from(8)));
    assert_eq!(traded(&events), [(2, 3, 4, 101), (2, 1, 4, 101)]);
    assert!(matches!(events.last(), Some(BookEvent::Ended { tag: 4, why: Ended::OpeningOver, .. })));
    assert_eq!(book.len(), 1);
}
