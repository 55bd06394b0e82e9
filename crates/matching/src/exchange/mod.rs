//! The exchange: working orders, and the way of an order in, through changes, and out.

mod books;
mod checks;
mod data;
mod market;
mod session;

use crate::book::BookOrderId;
use crate::config::{ExchangeConfig, InvalidSetting};
use crate::fees::Liquidity;
use crate::reject::Reject;
use crate::rules::Terms;
use market::Market;
use mts_foundation::broker::OrderChange;
use mts_foundation::risk::SessionPhase;
use mts_foundation::{Decimal, Order, OrderId, Side, Symbol, Table, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

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
        /// Whether it rested.
        liquidity: Liquidity,
        /// When.
        time: Timestamp,
    },
    /// Its stop price was reached and it works on without a fill so far.
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
    /// A cancellation that was under way took effect, or the exchange cancelled it: a market order that the order book
    /// could not fill, or one that met an order of its own account.
    Cancelled {
        /// Which order.
        order: Order,
        /// When.
        time: Timestamp,
    },
    /// It was refused after it had been taken: a fill-or-kill order that could not be filled whole.
    Rejected {
        /// Which order.
        order: Order,
        /// Why.
        reason: Reject,
        /// When.
        time: Timestamp,
    },
    /// A change that was under way took effect.
    Replaced {
        /// Which order, as it was handed over.
        order: Order,
        /// Its units now, those filled included.
        quantity: Decimal,
        /// When.
        time: Timestamp,
    },
}

impl MatchEvent {
    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Filled { time, .. }
            | Self::Triggered { time, .. }
            | Self::Expired { time, .. }
            | Self::Cancelled { time, .. }
            | Self::Rejected { time, .. }
            | Self::Replaced { time, .. } => *time,
        }
    }
}

/// What became of a request to cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelAnswer {
    /// It is off; there will be no event.
    Cancelled(Order),
    /// It takes effect later, and may lose to a fill; [`MatchEvent::Cancelled`] tells.
    UnderWay,
    /// The order does not work.
    NotWorking,
}

/// What became of a request to change.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplaceAnswer {
    /// Done; there will be no event but fills.
    Replaced,
    /// It takes effect later, if the order still works then and the change still fits; [`MatchEvent::Replaced`] tells.
    UnderWay,
    /// Refused; the order stands as it was.
    Rejected(Reject),
}

/// What the account has, for the checks that need it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Units held of the order's instrument, negative when short.
    pub position: Decimal,
    /// Cash.
    pub cash: Decimal,
}

/// What is known of a working order after a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The order.
    pub order: Order,
    /// When it was handed over.
    pub placed: Timestamp,
    /// Units not yet filled.
    pub remaining: Decimal,
    /// Whether its stop price was reached.
    pub triggered: bool,
    /// When a cancellation was asked for that has not taken effect.
    pub cancel_asked: Option<Timestamp>,
}

/// A working order.
#[derive(Debug, Clone)]
struct Working {
    order: Order,
    terms: Terms,
    /// Units, those filled included; a replacement changes it.
    quantity: Decimal,
    remaining: Decimal,
    placed: Timestamp,
    /// When it is in the market.
    since: Timestamp,
    arrived: bool,
    /// It has met the market once and rests since.
    met: bool,
    cancel_at: Option<Timestamp>,
    /// A change under way, with what the account had when it was asked for.
    change: Option<(Timestamp, OrderChange, Standing)>,
    book: Option<BookOrderId>,
    /// Money a unit of it reserves.
    reserve: Decimal,
}

/// What is under way to the market; at one instant in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Arrive,
    Change,
    Cancel,
}

/// Events with the number of their order.
type Found = Vec<(u64, MatchEvent)>;

/// A simulated exchange for the orders of one account. Cloning it is taking a snapshot: a clone goes on as the original.
#[derive(Debug, Clone)]
pub struct Exchange {
    config: ExchangeConfig,
    now: Timestamp,
    phase: SessionPhase,
    /// When the present regular session opened.
    opened: Option<Timestamp>,
    /// Market data before this instant is known but not met again.
    resumed: Option<Timestamp>,
    next: u64,
    /// Orders handed over, the refused ones included.
    handed: u64,
    orders: Table<u64, Working>,
    by_order: Table<OrderId, u64>,
    markets: Table<Symbol, Market>,
    messages: BTreeSet<(Timestamp, u64, Message)>,
    borrowed: BTreeMap<Symbol, Decimal>,
    reserved: Decimal,
    /// Fills before a restart at the instant of the restart: they have used their share of that instant's volume.
    used: BTreeMap<Symbol, (Timestamp, Decimal)>,
}

impl Exchange {
    /// An empty exchange.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn new(config: ExchangeConfig) -> Result<Self, InvalidSetting> {
        config.validate()?;
        Ok(Self {
            config,
            now: Timestamp::EPOCH,
            phase: SessionPhase::NoCalendar,
            opened: None,
            resumed: None,
            next: 0,
            handed: 0,
            orders: Table::new(),
            by_order: Table::new(),
            markets: Table::new(),
            messages: BTreeSet::new(),
            borrowed: BTreeMap::new(),
            reserved: Decimal::ZERO,
            used: BTreeMap::new(),
        })
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &ExchangeConfig {
        &self.config
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time pass up to and including `now`: what is under way arrives.
    pub fn set_time(&mut self, now: Timestamp, events: &mut Vec<MatchEvent>) {
        let mut found = Found::new();
        self.advance(now, true, &mut found);
        give(found, events);
    }

    /// Takes an order. It meets the market after the configured delay; without one it may fill before this returns.
    /// Orders are met by bars that end after their arrival.
    ///
    /// # Errors
    /// [`Reject`]; the order does not work then.
    pub fn submit(
        &mut self,
        order: Order,
        standing: &Standing,
        now: Timestamp,
        events: &mut Vec<MatchEvent>,
    ) -> Result<(), Reject> {
        self.set_time(now, events);
        self.handed = self.handed.saturating_add(1);
        self.check(&order, standing)?;
        let terms = Terms::of(&order);
        let reserve = self.reserve_of(&order.symbol, &terms);
        self.reserved = self.reserved.saturating_add(reserve.saturating_mul(order.quantity));
        self.borrow(&order);
        let (remaining, placed) = (order.quantity, self.now);
        let number = self.admit(Working {
            terms,
            quantity: remaining,
            remaining,
            placed,
            since: placed.plus(self.config.submit_delay),
            arrived: false,
            met: false,
            cancel_at: None,
            change: None,
            book: None,
            reserve,
            order,
        });
        if self.config.submit_delay.is_zero() {
            // Nothing else is under way to this instant: it need not wait in the row.
            let mut found = Found::new();
            self.arrive(number, &mut found);
            give(found, events);
        }
        Ok(())
    }

    fn admit(&mut self, working: Working) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if !working.arrived && working.since > self.now {
            self.messages.insert((working.since, number, Message::Arrive));
        }
        self.by_order.insert(working.order.order_id.clone(), number);
        self.markets.change(&working.order.symbol, |market| {
            if working.order.side == Side::Sell {
                market.offered += working.remaining;
            }
            if working.arrived {
                market.list(number, &working);
            }
        });
        self.orders.insert(number, working);
        number
    }

    /// Asks for a cancellation; idempotent.
    pub fn cancel(
        &mut self,
        order_id: &OrderId,
        now: Timestamp,
        events: &mut Vec<MatchEvent>,
    ) -> CancelAnswer {
        self.set_time(now, events);
        let Some(number) = self.by_order.get(order_id).copied() else { return CancelAnswer::NotWorking };
        if self.config.cancel_delay.is_zero() {
            return self
                .remove(number)
                .map_or(CancelAnswer::NotWorking, |working| CancelAnswer::Cancelled(working.order));
        }
        let at = self.now.plus(self.config.cancel_delay);
        self.cancel_at(number, at);
        CancelAnswer::UnderWay
    }

    /// Notes when a cancellation takes effect; the first one counts.
    fn cancel_at(&mut self, number: u64, at: Timestamp) {
        if let Some(working) = self.orders.get_mut(&number)
            && working.cancel_at.is_none()
        {
            working.cancel_at = Some(at);
            self.messages.insert((at, number, Message::Cancel));
        }
    }

    /// Asks for a change. Less quantity at the same prices keeps the order's place; anything else loses it.
    pub fn replace(
        &mut self,
        order_id: &OrderId,
        change: &OrderChange,
        standing: &Standing,
        now: Timestamp,
        events: &mut Vec<MatchEvent>,
    ) -> ReplaceAnswer {
        self.set_time(now, events);
        let gone = || Reject::NotWorking { order_id: order_id.clone() };
        let Some(number) = self.by_order.get(order_id).copied() else {
            return ReplaceAnswer::Rejected(gone());
        };
        if let Err(reason) = self.changed(number, change, standing) {
            return ReplaceAnswer::Rejected(reason);
        }
        if self.config.cancel_delay.is_zero() {
            let mut found = Found::new();
            self.change(number, change, standing, &mut found);
            give(found, events);
            return ReplaceAnswer::Replaced;
        }
        let at = self.now.plus(self.config.cancel_delay);
        let Some(working) = self.orders.get_mut(&number) else { return ReplaceAnswer::Rejected(gone()) };
        // A later change takes the place of one that is still under way.
        if let Some((earlier, ..)) = working.change.replace((at, change.clone(), *standing)) {
            self.messages.remove(&(earlier, number, Message::Change));
        }
        self.messages.insert((at, number, Message::Change));
        ReplaceAnswer::UnderWay
    }

    /// Carries a change out; `false` when it does not fit any more.
    fn change(&mut self, number: u64, change: &OrderChange, standing: &Standing, found: &mut Found) -> bool {
        let Ok((terms, quantity)) = self.changed(number, change, standing) else { return false };
        let Some(before) = self.orders.get(&number).cloned() else { return false };
        let remaining = quantity - (before.quantity - before.remaining);
        let keeps = terms == before.terms && remaining <= before.remaining;
        let symbol = &before.order.symbol;
        let reserve = self.reserve_of(symbol, &terms);
        self.reserved += reserve * remaining - before.reserve * before.remaining;
        if before.order.side == Side::Short {
            *self.borrowed.entry(symbol.clone()).or_default() += remaining - before.remaining;
        }
        let listed = before.arrived && before.book.is_none();
        self.markets.change(symbol, |market| {
            if before.order.side == Side::Sell {
                market.offered += remaining - before.remaining;
            }
            if listed {
                market.unlist(number, &before);
            }
        });
        let changed = Working { terms, quantity, remaining, reserve, met: before.met && keeps, ..before };
        if !listed || keeps {
            self.orders.insert(number, changed);
            if listed {
                self.list(number);
            } else {
                // An order that is still under way has no place to lose; the book knows about its own.
                self.change_in_book(number, terms, remaining, found);
            }
        } else {
            self.go_behind(number, changed, found);
        }
        true
    }

    /// Gives a changed order the next number, behind all others, and lets it meet the market anew.
    fn go_behind(&mut self, number: u64, working: Working, found: &mut Found) {
        let (at, order_id) = (working.cancel_at, working.order.order_id.clone());
        let later = self.next;
        self.next = self.next.saturating_add(1);
        if let Some(at) = at {
            self.messages.remove(&(at, number, Message::Cancel));
            self.messages.insert((at, later, Message::Cancel));
        }
        self.by_order.insert(order_id, later);
        self.orders.remove(&number);
        self.orders.insert(later, Working { since: self.now, ..working });
        self.arrive(later, found);
    }

    /// Whether the order works.
    #[must_use]
    pub fn is_resting(&self, order_id: &OrderId) -> bool {
        self.by_order.contains_key(order_id)
    }

    /// Working orders with their open quantity, in the order they came; those under way to the market included.
    pub fn resting(&self) -> impl ExactSizeIterator<Item = (&Order, Decimal)> {
        self.orders.values().map(|working| (&working.order, working.remaining))
    }

    /// The last price of an instrument: a print, a close or a trade in its book.
    #[must_use]
    pub fn last(&self, symbol: &Symbol) -> Option<Decimal> {
        self.markets.get(symbol)?.last
    }

    /// Goes on at `now` after a restart. Market data before that instant only says how the market stands; data at it is
    /// met again, as the restart may have come between the data and its effect.
    pub fn resume(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.resumed = Some(self.now);
    }

    /// Notes a fill from before a restart: borrowed units, and its share of the volume of its instant.
    pub fn restore_fill(&mut self, symbol: &Symbol, side: Side, quantity: Decimal, time: Timestamp) {
        match side {
            Side::Short => {
                *self.borrowed.entry(symbol.clone()).or_default() += quantity;
            }
            Side::Cover => self.give_back(symbol, quantity),
            _ => {}
        }
        let used = self.used.entry(symbol.clone()).or_insert((time, Decimal::ZERO));
        *used = if used.0 == time { (time, used.1 + quantity) } else { (time, quantity) };
    }

    /// Takes back a working order from before a restart, after [`Exchange::resume`], in the order in which they came.
    /// What was under way still is.
    ///
    /// # Errors
    /// [`Reject::Duplicate`] and [`Reject::Full`].
    pub fn restore(&mut self, restored: Restored) -> Result<(), Reject> {
        let Restored { order, placed, remaining, triggered, cancel_asked } = restored;
        self.check_room(&order)?;
        let terms = Terms { triggered, ..Terms::of(&order) };
        let reserve = self.reserve_of(&order.symbol, &terms);
        self.reserved += reserve * remaining;
        self.borrow_units(&order, remaining);
        let since = placed.plus(self.config.submit_delay);
        let arrived = since <= self.now;
        let quantity = order.quantity;
        let number = self.admit(Working {
            order,
            terms,
            quantity,
            remaining,
            placed,
            since,
            arrived,
            met: arrived && since < self.now,
            cancel_at: None,
            change: None,
            book: None,
            reserve,
        });
        if let Some(asked) = cancel_asked {
            self.cancel_at(number, asked.plus(self.config.cancel_delay));
        }
        Ok(())
    }

    /// Takes an order out of everything.
    fn remove(&mut self, number: u64) -> Option<Working> {
        let working = self.orders.remove(&number)?;
        self.by_order.remove(&working.order.order_id);
        if !working.arrived {
            self.messages.remove(&(working.since, number, Message::Arrive));
        }
        if let Some(at) = working.cancel_at {
            self.messages.remove(&(at, number, Message::Cancel));
        }
        if let Some((at, ..)) = &working.change {
            self.messages.remove(&(*at, number, Message::Change));
        }
        self.reserved -= working.reserve * working.remaining;
        if working.order.side == Side::Short {
            self.give_back(&working.order.symbol, working.remaining);
        }
        if let Some(market) = self.markets.get_mut(&working.order.symbol) {
            if working.order.side == Side::Sell {
                market.offered -= working.remaining;
            }
            match (working.book, &mut market.book) {
                // The book may have ended it already; then there is nothing to take off.
                (Some(id), Some(book)) => drop(book.cancel(id)),
                _ if working.arrived => market.unlist(number, &working),
                _ => {}
            }
        }
        Some(working)
    }

    /// Lets what is under way take effect, up to `to`, or to just before it.
    fn advance(&mut self, to: Timestamp, inclusive: bool, found: &mut Found) {
        while let Some((at, number, message)) = self.messages.first().copied() {
            if at > to || (at == to && !inclusive) {
                break;
            }
            self.messages.pop_first();
            self.now = self.now.max(at);
            match message {
                Message::Arrive => self.arrive(number, found),
                Message::Change => {
                    let change = self.orders.get_mut(&number).and_then(|working| working.change.take());
                    let before = self.orders.get(&number).map(|working| working.order.clone());
                    let (Some((_, change, standing)), Some(order)) = (change, before) else { continue };
                    if self.change(number, &change, &standing, found) {
                        // It may have filled by the change; then the fills have told.
                        let now =
                            self.by_order.get(&order.order_id).and_then(|number| self.orders.get(number));
                        let Some(quantity) = now.map(|working| working.quantity) else { continue };
                        found.push((number, MatchEvent::Replaced { order, quantity, time: at }));
                    }
                }
                Message::Cancel => {
                    if let Some(working) = self.remove(number) {
                        found.push((number, MatchEvent::Cancelled { order: working.order, time: at }));
                    }
                }
            }
        }
        self.now = self.now.max(to);
    }
}

/// Hands events over in the order of time, those of one instant in the order in which their orders came.
fn give(mut found: Found, events: &mut Vec<MatchEvent>) {
    // Nearly always nothing was found.
    if found.is_empty() {
        return;
    }
    found.sort_by_key(|(number, event)| (event.time(), *number));
    events.extend(found.into_iter().map(|(_, event)| event));
}
