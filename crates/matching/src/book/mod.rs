//! The order book of one instrument: price levels with strict price-time priority.
//!
//! Orders sit in one slab; the orders of a level are a list through it, so that a cancellation by [`BookOrderId`] is a
//! few writes. A level is made by the first order at its price and goes with the last: who makes it pays for both, which
//! leaves a cancellation O(1) amortised and an insertion O(log levels). Slots are used again, so that matching in a
//! steady state allocates nothing beyond what the caller's list of events needs.
//!
//! Two orders of one participant never trade with each other: the newer of the two is cancelled where they would meet
//! (*cancel newest*). What it has already taken stands.

mod cross;
mod slab;

pub use cross::Crossed;
use mts_foundation::{Decimal, Side, TimeInForce};
pub use slab::BookOrderId;
use slab::Slab;
use std::collections::BTreeMap;

/// Most orders that rest in one book unless it is told otherwise.
pub const MAX_BOOK_ORDERS: usize = 1_000_000;

/// Who owns an order; orders of one participant do not trade with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Participant(pub u32);

/// The two sides of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookSide {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
}

impl BookSide {
    /// The side it trades with.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// Whether an order of this side with this limit trades at `price`.
    #[must_use]
    pub fn accepts(self, limit: Option<Decimal>, price: Decimal) -> bool {
        limit.is_none_or(|limit| match self {
            Self::Bid => price <= limit,
            Self::Ask => price >= limit,
        })
    }
}

impl From<Side> for BookSide {
    fn from(side: Side) -> Self {
        if side.sign() > 0 { Self::Bid } else { Self::Ask }
    }
}

/// An order for the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookOrder {
    /// The caller's number of it, given back in every event.
    pub tag: u64,
    /// Owner.
    pub participant: Participant,
    /// Side.
    pub side: BookSide,
    /// Units, greater than zero.
    pub quantity: Decimal,
    /// Worst price; `None` = a market order.
    pub limit: Option<Decimal>,
    /// Lifetime. The book has no clock: `day` and `gtc` rest alike and the caller ends them.
    pub tif: TimeInForce,
}

/// One side of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// The caller's number of the order.
    pub tag: u64,
    /// Its owner.
    pub participant: Participant,
    /// What is open of it after the trade.
    pub open: Decimal,
}

/// Why the book ended an order that was not filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// An immediate-or-cancel order found no more.
    Immediate,
    /// A market order found no more; it never rests.
    NoLiquidity,
    /// It would have met an older order of the same participant.
    SelfTrade,
    /// The opening cross has taken place.
    OpeningOver,
}

/// What happened in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookEvent {
    /// A trade.
    Trade {
        /// Who bought.
        buyer: Party,
        /// Who sold.
        seller: Party,
        /// Price per unit: the resting order's, or the one price of the cross.
        price: Decimal,
        /// Units.
        quantity: Decimal,
        /// The side that came to the book; `None` in the opening cross.
        aggressor: Option<BookSide>,
    },
    /// An order, or what was left of it, ended without a trade. Cancellations by the caller make no event.
    Ended {
        /// The caller's number of the order.
        tag: u64,
        /// Its owner.
        participant: Participant,
        /// Units that were open.
        open: Decimal,
        /// Why.
        why: Ended,
    },
}

/// What became of an order that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Units that traded at once.
    pub filled: Decimal,
    /// The order that rests or queues for the opening cross now, where one does.
    pub id: Option<BookOrderId>,
}

/// Why the book refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A number is not usable.
    #[error("{field} is {value}; it must be greater than zero")]
    NotPositive {
        /// Which field.
        field: &'static str,
        /// The value.
        value: Decimal,
    },
    /// A fill-or-kill order that cannot be filled whole; nothing has traded.
    #[error("only {available} of {wanted} can be had at once; a fill-or-kill order needs all of it")]
    NotAllAvailable {
        /// Units wanted.
        wanted: Decimal,
        /// Units that could be had.
        available: Decimal,
    },
    /// The book is full.
    #[error("the book is full: {limit} orders rest; cancel some or raise the limit")]
    Full {
        /// Most orders that may rest.
        limit: usize,
    },
    /// As many instruments are known as may be.
    #[error("{limit} instruments are known already; use fewer")]
    TooManyInstruments {
        /// Most instruments.
        limit: usize,
    },
    /// The number of the account that the exchange itself trades for.
    #[error("participant 0 is the account of the exchange; give others a number from 1")]
    Account,
    /// The order has ended, or never was.
    #[error("the order does not rest in this book any more")]
    NotResting,
}

/// A price level, for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelView {
    /// Price per unit.
    pub price: Decimal,
    /// Units open at it.
    pub open: Decimal,
    /// Orders at it.
    pub orders: u32,
}

/// A resting order, for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestingView {
    /// Its name in the book.
    pub id: BookOrderId,
    /// The caller's number of it.
    pub tag: u64,
    /// Its owner.
    pub participant: Participant,
    /// Side.
    pub side: BookSide,
    /// Price; `None` for a market order that queues for the opening cross.
    pub limit: Option<Decimal>,
    /// Units open.
    pub open: Decimal,
}

/// The book of one instrument. Cloning it is taking a snapshot.
#[derive(Debug, Clone)]
pub struct OrderBook {
    slab: Slab,
    bids: BTreeMap<Decimal, u32>,
    asks: BTreeMap<Decimal, u32>,
    /// Orders for the next opening cross, in the order they came.
    opening: BTreeMap<u64, u32>,
    limit: usize,
    sequence: u64,
    last: Option<Decimal>,
}

impl Default for OrderBook {
    fn default() -> Self {
        Self::new(MAX_BOOK_ORDERS)
    }
}

impl OrderBook {
    /// An empty book in which at most `limit` orders rest, and never more than four billion.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let limit = limit.min(usize::try_from(u32::MAX - 1).unwrap_or(usize::MAX));
        Self {
            slab: Slab::default(),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            opening: BTreeMap::new(),
            limit,
            sequence: 0,
            last: None,
        }
    }

    /// Orders that rest or queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no order rests or queues.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Price of the last trade.
    #[must_use]
    pub fn last(&self) -> Option<Decimal> {
        self.last
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: BookSide) -> Option<LevelView> {
        self.best_level(side).and_then(|index| self.slab.level_view(index))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: BookSide) -> impl Iterator<Item = LevelView> {
        self.level_indices(side).filter_map(|level| self.slab.level_view(level))
    }

    /// The orders of a side in the order in which they would trade.
    pub fn orders(&self, side: BookSide) -> impl Iterator<Item = RestingView> {
        self.level_indices(side).flat_map(|level| self.slab.orders_of(level))
    }

    /// The levels of a side, best first.
    fn level_indices(&self, side: BookSide) -> impl Iterator<Item = u32> {
        let (bids, asks) = match side {
            BookSide::Bid => (Some(self.bids.values().rev()), None),
            BookSide::Ask => (None, Some(self.asks.values())),
        };
        bids.into_iter().flatten().chain(asks.into_iter().flatten()).copied()
    }

    /// A resting or queueing order; `None` when it has ended.
    #[must_use]
    pub fn order(&self, id: BookOrderId) -> Option<RestingView> {
        self.slab.slot(id).and_then(|slot| self.slab.view(slot))
    }

    /// Units that an order could take at once: what its limit reaches up to the first order of its own participant.
    #[must_use]
    pub fn available(&self, order: &BookOrder) -> Decimal {
        let mut available = Decimal::ZERO;
        for resting in self.orders(order.side.opposite()) {
            let reached = resting.limit.is_some_and(|price| order.side.accepts(order.limit, price));
            if !reached || resting.participant == order.participant || available >= order.quantity {
                break;
            }
            available += resting.open;
        }
        available
    }

    /// Takes an order: it trades with what its limit reaches, best price and then oldest first, at the prices of the
    /// resting orders; what is left rests (`day`, `gtc`), ends (`ioc`, market orders) or queues from the start (`opg`).
    ///
    /// # Errors
    /// [`BookError`]; the book is as it was then.
    pub fn submit(&mut self, order: &BookOrder, events: &mut Vec<BookEvent>) -> Result<Placed, BookError> {
        positive("quantity", order.quantity)?;
        if let Some(limit) = order.limit {
            positive("limit", limit)?;
        }
        let may_rest = match order.tif {
            TimeInForce::Day | TimeInForce::Gtc => order.limit.is_some(),
            TimeInForce::Opg => true,
            TimeInForce::Ioc | TimeInForce::Fok => false,
        };
        if may_rest && self.len() >= self.limit {
            return Err(BookError::Full { limit: self.limit });
        }
        if order.tif == TimeInForce::Opg {
            let sequence = self.number();
            let slot = self.slab.insert(order, sequence);
            self.opening.insert(sequence, slot);
            return Ok(Placed { filled: Decimal::ZERO, id: self.slab.id(slot) });
        }
        if order.tif == TimeInForce::Fok {
            let available = self.available(order);
            if available < order.quantity {
                return Err(BookError::NotAllAvailable { wanted: order.quantity, available });
            }
        }
        Ok(self.place(order, events))
    }

    /// Takes an order off and gives it back as it was.
    ///
    /// # Errors
    /// [`BookError::NotResting`].
    pub fn cancel(&mut self, id: BookOrderId) -> Result<RestingView, BookError> {
        let slot = self.slab.slot(id).ok_or(BookError::NotResting)?;
        let view = self.slab.view(slot).ok_or(BookError::NotResting)?;
        self.take_off(slot);
        Ok(view)
    }

    /// Changes a resting order. Less open quantity at the same price keeps its place; anything else is a new arrival:
    /// it goes behind the orders of its price, and trades at once where its new price reaches.
    ///
    /// # Errors
    /// [`BookError`] for an order that has ended, a number that is not positive, or a queueing order, which is
    /// cancelled and sent anew instead; the book is as it was then.
    pub fn replace(
        &mut self,
        id: BookOrderId,
        open: Decimal,
        limit: Decimal,
        events: &mut Vec<BookEvent>,
    ) -> Result<Placed, BookError> {
        positive("quantity", open)?;
        positive("limit", limit)?;
        let slot = self.slab.slot(id).ok_or(BookError::NotResting)?;
        let view = self.slab.view(slot).ok_or(BookError::NotResting)?;
        if !self.slab.is_in_a_level(slot) {
            return Err(BookError::NotResting);
        }
        if view.limit == Some(limit) && open <= view.open {
            self.slab.reduce(slot, view.open - open);
            return Ok(Placed { filled: Decimal::ZERO, id: Some(id) });
        }
        self.take_off(slot);
        let order = BookOrder {
            tag: view.tag,
            participant: view.participant,
            side: view.side,
            quantity: open,
            limit: Some(limit),
            tif: TimeInForce::Gtc,
        };
        Ok(self.place(&order, events))
    }

    fn number(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        number
    }

    fn side(&mut self, side: BookSide) -> &mut BTreeMap<Decimal, u32> {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }

    fn best_level(&self, side: BookSide) -> Option<u32> {
        match side {
            BookSide::Bid => self.bids.last_key_value().map(|(_, level)| *level),
            BookSide::Ask => self.asks.first_key_value().map(|(_, level)| *level),
        }
    }

    /// Takes an order out of its level or the queue, and the level with it when it was the last.
    fn take_off(&mut self, slot: u32) {
        if !self.slab.is_in_a_level(slot) {
            if let Some(sequence) = self.slab.sequence(slot) {
                self.opening.remove(&sequence);
            }
            self.slab.free(slot);
            return;
        }
        if let Some((side, price)) = self.slab.unlink(slot) {
            self.side(side).remove(&price);
        }
        self.slab.free(slot);
    }

    /// Trades what can be traded and rests or ends the remainder.
    fn place(&mut self, order: &BookOrder, events: &mut Vec<BookEvent>) -> Placed {
        let sequence = self.number();
        let mut open = order.quantity;
        let mut met_itself = false;
        while open > Decimal::ZERO && !met_itself {
            let Some(level) = self.best_level(order.side.opposite()) else { break };
            let Some(price) = self.slab.price_of(level) else { break };
            if !order.side.accepts(order.limit, price) {
                break;
            }
            while open > Decimal::ZERO {
                let Some(maker) = self.slab.first_of(level) else { break };
                let Some(resting) = self.slab.view(maker) else { break };
                if resting.participant == order.participant {
                    met_itself = true;
                    break;
                }
                let quantity = open.min(resting.open);
                open -= quantity;
                self.trade(order, open, maker, &resting, price, quantity, events);
            }
        }
        let filled = order.quantity - open;
        if open.is_zero() {
            return Placed { filled, id: None };
        }
        let why = match (met_itself, order.limit, order.tif) {
            (true, ..) => Ended::SelfTrade,
            (_, _, TimeInForce::Ioc | TimeInForce::Fok) => Ended::Immediate,
            (_, None, _) => Ended::NoLiquidity,
            (_, Some(price), _) => {
                let slot = self.slab.insert(&BookOrder { quantity: open, ..*order }, sequence);
                self.rest(slot, order.side, price);
                return Placed { filled, id: self.slab.id(slot) };
            }
        };
        events.push(BookEvent::Ended { tag: order.tag, participant: order.participant, open, why });
        Placed { filled, id: None }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one trade has this many facts; a struct would be used once"
    )]
    fn trade(
        &mut self,
        taker: &BookOrder,
        open: Decimal,
        maker: u32,
        resting: &RestingView,
        price: Decimal,
        quantity: Decimal,
        events: &mut Vec<BookEvent>,
    ) {
        let taking = Party { tag: taker.tag, participant: taker.participant, open };
        let making =
            Party { tag: resting.tag, participant: resting.participant, open: resting.open - quantity };
        let (buyer, seller) = match taker.side {
            BookSide::Bid => (taking, making),
            BookSide::Ask => (making, taking),
        };
        if making.open.is_zero() {
            self.take_off(maker);
        } else {
            self.slab.reduce(maker, quantity);
        }
        self.last = Some(price);
        events.push(BookEvent::Trade { buyer, seller, price, quantity, aggressor: Some(taker.side) });
    }

    fn rest(&mut self, slot: u32, side: BookSide, price: Decimal) {
        let existing = match side {
            BookSide::Bid => self.bids.get(&price),
            BookSide::Ask => self.asks.get(&price),
        };
        let level = match existing {
            Some(level) => *level,
            None => {
                let level = self.slab.add_level(price);
                self.side(side).insert(price, level);
                level
            }
        };
        self.slab.link(slot, level);
    }
}

fn positive(field: &'static str, value: Decimal) -> Result<(), BookError> {
    if value > Decimal::ZERO { Ok(()) } else { Err(BookError::NotPositive { field, value }) }
}
