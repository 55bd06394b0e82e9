//! What comes of an order: fills with their fees and bookings, and its end.

use super::row::{Event, FillRow, State, What};
use super::{Desk, MAX_EVENTS, MAX_FILLS};
use mts_foundation::num::floor_to_lot;
use mts_foundation::{Decimal, Side, Symbol, TimeInForce};
use mts_matching::{Liquidity, MatchEvent};
use smol_str::{SmolStr, ToSmolStr};

impl Desk {
    pub(super) fn settle_one(&mut self, event: MatchEvent) {
        let number_of = |order: &mts_foundation::Order| order.order_id.as_str().parse::<u64>().ok();
        match event {
            MatchEvent::Filled { order, quantity, price, liquidity, .. } => {
                let Some(number) = number_of(&order) else { return };
                let parts = self.row(number).map_or(1, |row| row.parts);
                for part in cut(quantity, parts) {
                    self.book(number, part, price, liquidity);
                }
            }
            MatchEvent::Triggered { order, .. } => {
                let Some(number) = number_of(&order) else { return };
                self.set_state(number, State::Triggered, None);
                self.tell(number, What::Triggered);
            }
            MatchEvent::Expired { order, .. } => {
                let Some(number) = number_of(&order) else { return };
                let ends =
                    if order.tif == TimeInForce::Ioc { self.habits.immediate_ends } else { State::Expired };
                self.end_as(number, ends, None);
            }
            MatchEvent::Rejected { order, reason, .. } => {
                let Some(number) = number_of(&order) else { return };
                let ends =
                    if order.tif == TimeInForce::Fok { self.habits.immediate_ends } else { State::Rejected };
                self.end_as(number, ends, Some(reason.to_string().to_smolstr()));
            }
            MatchEvent::Cancelled { order, .. } => {
                let Some(number) = number_of(&order) else { return };
                self.end_as(number, State::Canceled, None);
            }
            // The desk changes no order in place.
            MatchEvent::Replaced { .. } => {}
        }
    }

    pub(super) fn end_as(&mut self, number: u64, state: State, reason: Option<SmolStr>) {
        let what = match state {
            State::Canceled => What::Canceled,
            State::Expired => What::Expired,
            _ => What::Rejected,
        };
        self.end(number, state, reason, what);
    }

    /// Notes a state.
    pub(super) fn set_state(&mut self, number: u64, state: State, reason: Option<SmolStr>) {
        let at = self.clock();
        let Some(row) = self.row_mut(number) else { return };
        row.state = state;
        row.updated = at;
        row.reason = reason.or(row.reason.take());
        if !state.works() {
            row.ended = Some(at);
        }
    }

    /// Ends a working order, off the exchange too.
    pub(super) fn end(&mut self, number: u64, state: State, reason: Option<SmolStr>, what: What) {
        if self.row(number).is_none_or(|row| !row.state.works()) {
            return;
        }
        self.take_out(number);
        self.set_state(number, state, reason);
        self.tell(number, what);
    }

    /// Books an execution.
    pub(super) fn book(&mut self, number: u64, quantity: Decimal, price: Decimal, liquidity: Liquidity) {
        let Some(row) = self.row(number) else { return };
        if self.fills.len() >= MAX_FILLS || quantity <= Decimal::ZERO {
            return;
        }
        let (symbol, buys, order_id) = (row.wanted.symbol.clone(), row.wanted.buys, row.id.clone());
        let mut accrued = row.accrued;
        let state = self.fee_state.entry(symbol.clone()).or_default();
        let traded = (quantity, price, (self.multipliers)(&symbol));
        let fees = (self.habits.fees)(&symbol).charge(state, &mut accrued, traded, liquidity, self.now);
        self.trade(&symbol, buys, quantity, price);
        self.cash = self.cash.saturating_sub(fees);
        let time = self.clock();
        // Fills of one moment share a millisecond; those of different moments never do.
        let same = self.fills.last().is_some_and(|last| last.time == time);
        if !same {
            self.moment = (time.nanos() / 1_000_000).max(self.moment + 1);
        }
        let moment = self.moment;
        let Some(row) = self.row_mut(number) else { return };
        row.filled += quantity;
        row.value = row.value.saturating_add(quantity.saturating_mul(price));
        row.fees += fees;
        row.accrued = accrued;
        row.fills += 1;
        row.last_price = Some(price);
        row.updated = time;
        let leaves = row.remaining();
        if leaves <= Decimal::ZERO {
            row.state = State::Filled;
            row.ended = Some(time);
            row.at_exchange = false;
        } else if row.state == State::Triggered {
            row.state = State::Open;
        }
        let cumulative = row.filled;
        let fill = FillRow {
            number: self.fills.len() as u64,
            order: number,
            order_id,
            symbol,
            bought: buys,
            quantity,
            price,
            fees,
            cumulative,
            leaves,
            time,
            moment,
            maker: liquidity == Liquidity::Maker,
            busted: false,
            corrections: 0,
            fees_known: self.now.plus(self.fees_late),
            listed: self.now.plus(self.history_late),
        };
        self.tape.print(&fill.symbol, price, quantity, time);
        self.fills.push(fill.clone());
        self.tell(number, What::Fill(fill));
    }

    /// Moves units and money.
    pub(super) fn trade(&mut self, symbol: &Symbol, buys: bool, quantity: Decimal, price: Decimal) {
        let side = if buys { Side::Buy } else { Side::Sell };
        let multiplier = (self.multipliers)(symbol);
        // What has traded cannot be refused; a value out of range leaves the books as they were.
        if self.positions.apply(symbol, side, quantity, price, multiplier, self.now).is_ok() {
            let value = quantity.saturating_mul(price).saturating_mul(multiplier);
            self.cash = self.cash.saturating_add(side.signed(-value));
        }
    }

    /// Says what happened to those who follow.
    pub(super) fn tell(&mut self, number: u64, what: What) {
        self.tell_of(number, what, None);
    }

    /// The same of an execution that was corrected.
    pub(super) fn tell_of(&mut self, number: u64, what: What, corrected: Option<FillRow>) {
        let Some(order) = self.row(number).cloned() else { return };
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            self.first_event += 1;
        }
        let position = self.position(&order.wanted.symbol);
        let (number, time) = (self.next_event(), self.clock());
        let event = Event { number, time, what, order, position, corrected };
        self.events.push_back(event);
    }
}

/// Cuts a quantity into so many equal parts; whole ones stay whole, and the last one takes what is left.
fn cut(quantity: Decimal, parts: u32) -> Vec<Decimal> {
    let count = Decimal::from(parts.max(1));
    let whole = quantity.fract().is_zero() && quantity >= count;
    let lot = if whole { Decimal::ONE } else { Decimal::new(1, 9) };
    let part = quantity.checked_div(count).map_or(quantity, |part| floor_to_lot(part, lot));
    if part <= Decimal::ZERO {
        return vec![quantity];
    }
    let mut all = vec![part; usize::try_from(parts.max(1)).unwrap_or(1)];
    if let Some(last) = all.last_mut() {
        *last = quantity - part * (count - Decimal::ONE);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_and_add_up() {
        let numbers = |quantity: &str, parts| {
            cut(quantity.parse().unwrap(), parts).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(numbers("10", 4), ["2", "2", "2", "4"]);
        assert_eq!(numbers("10", 1), ["10"]);
        assert_eq!(numbers("1", 3), ["0.333333333", "0.333333333", "0.333333334"]);
        assert_eq!(numbers("0.000000001", 2), ["0.000000001"]);
    }
}
