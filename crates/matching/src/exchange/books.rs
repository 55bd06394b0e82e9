//! Instruments with an order book: other participants' orders are fed in, and the account's orders join them.

use super::{Exchange, Found, MatchEvent, give};
use crate::book::{
    BookError, BookEvent, BookOrder, BookOrderId, BookSide, Ended, OrderBook, Participant, Party, Placed,
    RestingView,
};
use crate::config::MAX_INSTRUMENTS;
use crate::fees::Liquidity;
use crate::reject::Reject;
use crate::rules::{Stage, Terms};
use mts_foundation::{Decimal, Symbol, TimeInForce, Timestamp};
use std::collections::VecDeque;

/// The account in every book; others have other numbers.
const ACCOUNT: Participant = Participant(0);

impl Exchange {
    /// The order book of an instrument, where it has one.
    #[must_use]
    pub fn book(&self, symbol: &Symbol) -> Option<&OrderBook> {
        self.markets.get(symbol)?.book.as_ref()
    }

    /// Takes an order of another participant into the book of an instrument, which has a book from then on: bars, quotes
    /// and prints of it fill nothing any more. `seen` receives everything that happened in the book by it.
    ///
    /// # Errors
    /// [`BookError`]; participant 0 is the account itself and is refused.
    pub fn feed(
        &mut self,
        symbol: &Symbol,
        order: &BookOrder,
        time: Timestamp,
        events: &mut Vec<MatchEvent>,
        seen: &mut Vec<BookEvent>,
    ) -> Result<Placed, BookError> {
        if order.participant == ACCOUNT {
            return Err(BookError::Account);
        }
        self.set_time(time, events);
        let Some(market) = self.market_of(symbol) else {
            return Err(BookError::TooManyInstruments { limit: MAX_INSTRUMENTS });
        };
        // A book of which the first order is refused is none.
        let is_new = market.book.is_none();
        let mut book = market.book.take().unwrap_or_default();
        let first = seen.len();
        let placed = book.submit(order, seen);
        market.book = if is_new && placed.is_err() { None } else { Some(book) };
        let placed = placed?;
        let happened: Vec<BookEvent> = seen.get(first..).unwrap_or_default().to_vec();
        let mut found = Found::new();
        if is_new {
            self.change_books(&mut found);
        }
        self.booked(symbol, &happened, &mut found);
        give(found, events);
        Ok(placed)
    }

    /// Takes another participant's order off.
    ///
    /// # Errors
    /// [`BookError::NotResting`]; [`BookError::Account`] for an order of the account.
    pub fn feed_cancel(&mut self, symbol: &Symbol, id: BookOrderId) -> Result<RestingView, BookError> {
        let book = self.markets.get_mut(symbol).and_then(|market| market.book.as_mut());
        let book = book.ok_or(BookError::NotResting)?;
        match book.order(id) {
            Some(view) if view.participant == ACCOUNT => Err(BookError::Account),
            _ => book.cancel(id),
        }
    }

    /// Follows a change of session, or a new book: what may trade is in its book, the rest beside it, and an opening
    /// crosses.
    pub(super) fn change_books(&mut self, found: &mut Found) {
        let has_book = |symbol: &Symbol| self.book(symbol).is_some();
        let candidates: Vec<u64> = self
            .orders
            .iter()
            .filter(|(_, working)| working.arrived && has_book(&working.order.symbol))
            .map(|(number, _)| *number)
            .collect();
        for number in candidates {
            let Some(working) = self.orders.get(&number) else { continue };
            let opens = working.order.tif == TimeInForce::Opg;
            match (working.book, opens || self.may_trade(&working.order)) {
                (Some(id), false) => {
                    let symbol = working.order.symbol.clone();
                    if let Some(market) = self.markets.get_mut(&symbol)
                        && let Some(book) = &mut market.book
                    {
                        drop(book.cancel(id));
                    }
                    if let Some(working) = self.orders.get_mut(&number) {
                        working.book = None;
                    }
                    self.list(number);
                }
                (None, true) => self.enter_book(number, found),
                _ => {}
            }
        }
        if self.opened != Some(self.now) {
            return;
        }
        let symbols: Vec<Symbol> =
            self.markets.keys().filter(|symbol| has_book_in(self, symbol)).cloned().collect();
        for symbol in symbols {
            let mut happened = Vec::new();
            if let Some(market) = self.markets.get_mut(&symbol)
                && let Some(book) = &mut market.book
            {
                book.cross(market.last, &mut happened);
            }
            self.booked(&symbol, &happened, found);
        }
    }

    /// Sends an order of the account into its book, unless it waits for its stop price.
    pub(super) fn enter_book(&mut self, number: u64, found: &mut Found) {
        let Some(symbol) = self.orders.get(&number).map(|working| working.order.symbol.clone()) else {
            return;
        };
        let happened = self.submit_to_book(number, found);
        self.booked(&symbol, &happened, found);
    }

    /// What happens in the book when an order of the account enters it.
    fn submit_to_book(&mut self, number: u64, found: &mut Found) -> Vec<BookEvent> {
        let mut happened = Vec::new();
        let Some(working) = self.orders.get(&number) else { return happened };
        if matches!(working.terms.stage(), Stage::Waiting(_)) {
            return happened;
        }
        let order = BookOrder {
            tag: number,
            participant: ACCOUNT,
            side: BookSide::from(working.order.side),
            quantity: working.remaining,
            limit: working.terms.limit,
            tif: working.order.tif,
        };
        let Some(market) = self.markets.get_mut(&working.order.symbol) else { return happened };
        market.unlist(number, working);
        let Some(book) = &mut market.book else { return happened };
        match book.submit(&order, &mut happened) {
            Ok(placed) => {
                if let Some(working) = self.orders.get_mut(&number) {
                    working.book = placed.id;
                }
            }
            Err(BookError::NotAllAvailable { available, .. }) => {
                self.refuse_whole(number, available, self.now, found);
            }
            // Quantity and price are positive by construction, so that only the bound of the book is left.
            Err(_) => {
                let limit = book.len();
                if let Some(working) = self.remove(number) {
                    let (order, reason, time) = (working.order, Reject::Full { limit }, self.now);
                    found.push((number, MatchEvent::Rejected { order, reason, time }));
                }
            }
        }
        happened
    }

    /// Changes an order of the account that is in its book; `None` when it is in none.
    pub(super) fn change_in_book(
        &mut self,
        number: u64,
        terms: Terms,
        remaining: Decimal,
        found: &mut Found,
    ) -> Option<()> {
        let working = self.orders.get_mut(&number)?;
        let (id, limit, symbol) = (working.book?, terms.limit?, working.order.symbol.clone());
        let book = self.markets.get_mut(&symbol)?.book.as_mut()?;
        let mut happened = Vec::new();
        let placed = book.replace(id, remaining, limit, &mut happened).ok()?;
        working.book = placed.id;
        self.booked(&symbol, &happened, found);
        Some(())
    }

    /// Books what happened in a book, and lets the stops that its last price reaches enter it, one after the other and not
    /// one within the other: a long row of stops may set off each the next.
    fn booked(&mut self, symbol: &Symbol, happened: &[BookEvent], found: &mut Found) {
        let mut reached: VecDeque<_> = self.take_in(symbol, happened, found).into();
        while let Some((number, before)) = reached.pop_front() {
            let happened = self.submit_to_book(number, found);
            reached.extend(self.take_in(symbol, &happened, found));
            self.tell_triggered(vec![(number, before)], self.now, found);
        }
    }

    /// Takes in what happened to orders of the account; the stops that the last price triggers, with their open quantity.
    fn take_in(&mut self, symbol: &Symbol, happened: &[BookEvent], found: &mut Found) -> Vec<(u64, Decimal)> {
        let time = self.now;
        for event in happened {
            match *event {
                BookEvent::Trade { buyer, seller, price, quantity, aggressor } => {
                    for (party, side) in [(buyer, BookSide::Bid), (seller, BookSide::Ask)] {
                        let rested = aggressor.is_some_and(|aggressor| aggressor != side);
                        let liquidity = if rested { Liquidity::Maker } else { Liquidity::Taker };
                        let Party { tag, participant, .. } = party;
                        if participant == ACCOUNT {
                            self.filled(tag, quantity, price, liquidity, time, found);
                        }
                    }
                }
                BookEvent::Ended { tag, participant: ACCOUNT, why, .. } => {
                    let Some(working) = self.remove(tag) else { continue };
                    let order = working.order;
                    found.push((
                        tag,
                        match why {
                            Ended::Immediate | Ended::OpeningOver => MatchEvent::Expired { order, time },
                            Ended::NoLiquidity | Ended::SelfTrade => MatchEvent::Cancelled { order, time },
                        },
                    ));
                }
                BookEvent::Ended { .. } => {}
            }
        }
        let traded = happened.iter().any(|event| matches!(event, BookEvent::Trade { .. }));
        let Some(market) = self.markets.get_mut(symbol).filter(|_| traded) else { return Vec::new() };
        let Some(last) = market.book.as_ref().and_then(OrderBook::last) else { return Vec::new() };
        (market.last, market.has_prints) = (Some(last), true);
        let stops = market.stops(last, last);
        self.trigger_all(stops)
    }
}

fn has_book_in(exchange: &Exchange, symbol: &Symbol) -> bool {
    exchange.book(symbol).is_some()
}
