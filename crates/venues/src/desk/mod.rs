//! What every venue has: one account, its orders and fills, and what happened, over a simulated exchange. It knows no
//! wire: a venue's own folder translates.
//!
//! The desk is deterministic: the time comes in with each call, ids are functions of a seed and a count.

mod happen;
pub(crate) mod ids;
mod row;
mod settle;
mod tape;

use crate::market::Market;
pub(crate) use happen::not_possible;
use mts_foundation::broker::OrderChange;
use mts_foundation::{
    Bar, BrokerOrderId, Decimal, Order, OrderId, PositionBook, Quote, Side, Symbol, TimeInForce, Timestamp,
    Trade,
};
use mts_matching::{
    Accrued, Exchange, ExchangeConfig, FeeModel, FeeState, InvalidSetting, MatchEvent, Restored, Standing,
};
pub(crate) use row::{CashRow, Event, FillRow, Row, State, Wanted, What};
use smol_str::{SmolStr, ToSmolStr};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
pub(crate) use tape::Print;

/// Most orders that a desk takes in its life.
pub(crate) const MAX_ORDERS: usize = 100_000;
/// Most fills that it books.
const MAX_FILLS: usize = 200_000;
/// Most events that it keeps; who follows and falls further behind misses the oldest.
const MAX_EVENTS: usize = 20_000;
/// Most instruments of which it keeps prices.
const MAX_PRICES: usize = 10_000;

/// What differs from venue to venue.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    /// What becomes of the rest of an order that does not wait.
    pub(crate) immediate_ends: State,
    /// Whether a cancellation takes effect after its answer.
    pub(crate) cancels_later: bool,
    /// What an execution costs, by instrument.
    pub(crate) fees: fn(&Symbol) -> FeeModel,
    /// What an order is called, of the seed and its number.
    pub(crate) order_id: fn(u64, u64) -> String,
}

/// Why the desk does not take an order.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It has taken so many already.
    #[error("this double has taken {MAX_ORDERS} orders, its bound; start another one")]
    Full,
    /// The order makes no sense, or the exchange refuses it.
    #[error("{0}")]
    Exchange(SmolStr),
}

/// An order that was taken.
#[derive(Debug)]
pub(crate) struct Placed {
    /// As it was before it met the market.
    pub(crate) row: Row,
    /// The answer shall leave after what follows from it was told.
    pub(crate) answer_waits: bool,
}

/// The desk of a venue.
#[derive(Debug)]
pub(crate) struct Desk {
    seed: u64,
    habits: Habits,
    multipliers: fn(&Symbol) -> Decimal,
    fees_late: Duration,
    history_late: Duration,
    exchange: Exchange,
    fee_state: BTreeMap<Symbol, FeeState>,
    /// The time without the venue's error.
    now: Timestamp,
    /// By how much the venue's clock is wrong, in milliseconds.
    offset: i64,
    orders: Vec<Row>,
    by_id: BTreeMap<BrokerOrderId, u64>,
    fills: Vec<FillRow>,
    moment: i64,
    cash_rows: Vec<CashRow>,
    first_event: u64,
    events: VecDeque<Event>,
    cash: Decimal,
    positions: PositionBook,
    prices: BTreeMap<Symbol, Quote>,
    market: Market,
    tape: tape::Tape,
    matching: bool,
    // What the next order or cancellation will meet.
    next_parts: u32,
    fills_first: bool,
    next_cancel_loses: bool,
    /// Cancellations under way, by the number of the order.
    cancelling: VecDeque<u64>,
    /// When orders end by themselves, by their numbers.
    due: BTreeSet<(Timestamp, u64)>,
}

impl Desk {
    pub(crate) fn new(seed: u64, cash: Decimal, habits: Habits) -> Result<Self, InvalidSetting> {
        let config = ExchangeConfig { max_orders: MAX_ORDERS, ..ExchangeConfig::default() };
        Ok(Self {
            seed,
            habits,
            multipliers: |_| Decimal::ONE,
            fees_late: Duration::ZERO,
            history_late: Duration::ZERO,
            exchange: Exchange::new(config)?,
            fee_state: BTreeMap::new(),
            now: Timestamp::EPOCH,
            offset: 0,
            orders: Vec::new(),
            by_id: BTreeMap::new(),
            fills: Vec::new(),
            moment: 0,
            cash_rows: Vec::new(),
            first_event: 0,
            events: VecDeque::new(),
            cash,
            positions: PositionBook::new(),
            prices: BTreeMap::new(),
            market: Market::new(seed),
            tape: tape::Tape::default(),
            matching: true,
            next_parts: 1,
            fills_first: false,
            next_cancel_loses: false,
            cancelling: VecDeque::new(),
            due: BTreeSet::new(),
        })
    }

    /// With money per unit and price point other than 1.
    pub(crate) fn with_multipliers(mut self, multipliers: fn(&Symbol) -> Decimal) -> Self {
        self.multipliers = multipliers;
        self
    }

    /// Fees of fills from now on are told so much later, where they are told apart.
    pub(crate) fn set_fees_late(&mut self, by: Duration) {
        self.fees_late = by;
    }

    /// What happens from now on stands in the history so much later.
    pub(crate) fn set_history_late(&mut self, by: Duration) {
        self.history_late = by;
    }

    /// Lets time pass.
    pub(crate) fn set_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.market.begin(self.now);
        let mut events = Vec::new();
        self.exchange.set_time(self.now, &mut events);
        self.settle(events);
        self.expire_what_is_due();
    }

    /// Sets by how many milliseconds the venue's clock is ahead.
    pub(crate) fn set_offset(&mut self, millis: i64) {
        self.offset = millis;
    }

    /// The time as the venue's clock shows it.
    pub(crate) fn clock(&self) -> Timestamp {
        Timestamp::from_nanos(self.now.nanos().saturating_add(self.offset.saturating_mul(1_000_000)))
    }

    /// Takes an order and lets it meet the market.
    pub(crate) fn place(&mut self, wanted: Wanted) -> Result<Placed, Refusal> {
        self.place_instead(wanted, None)
    }

    fn place_instead(&mut self, wanted: Wanted, replaces: Option<u64>) -> Result<Placed, Refusal> {
        if self.orders.len() >= MAX_ORDERS {
            return Err(Refusal::Full);
        }
        let number = self.orders.len() as u64;
        let refused = |error: &dyn ToString| Refusal::Exchange(error.to_string().to_smolstr());
        let id =
            BrokerOrderId::new((self.habits.order_id)(self.seed, number)).map_err(|error| refused(&error))?;
        let order = self.order_of(number, &wanted).map_err(|error| refused(&error))?;
        let at = self.clock();
        let row = Row {
            number,
            id: id.clone(),
            wanted,
            filled: Decimal::ZERO,
            value: Decimal::ZERO,
            fees: Decimal::ZERO,
            fills: 0,
            last_price: None,
            state: State::Open,
            created: at,
            updated: at,
            cancel_asked: None,
            ended: None,
            reason: None,
            replaces: replaces.and_then(|old| self.row(old)).map(|old| old.id.clone()),
            replaced_by: None,
            at_exchange: self.matching,
            parts: std::mem::replace(&mut self.next_parts, 1).max(1),
            loses_race: false,
            accrued: Accrued::default(),
        };
        // The order is known before it can fill.
        self.orders.push(row.clone());
        self.by_id.insert(id, number);
        let mut events = Vec::new();
        if self.matching {
            let standing = Standing { position: self.position(&row.wanted.symbol), cash: self.cash };
            if let Err(reject) = self.exchange.submit(order, &standing, self.now, &mut events) {
                self.orders.pop();
                self.by_id.remove(&row.id);
                return Err(refused(&reject));
            }
        }
        if let Some(at) = row.wanted.expires {
            self.due.insert((at, number));
        }
        self.tell(number, What::New);
        self.settle(events);
        self.end_what_does_not_wait(number);
        let answer_waits = std::mem::take(&mut self.fills_first);
        if answer_waits {
            // Where no price is known it stays as it is.
            self.fill_rest(number, None).unwrap_or_default();
        }
        Ok(Placed { row, answer_waits })
    }

    /// Ends an order that does not wait and has met nobody: no price is known, or it was given back to the exchange.
    fn end_what_does_not_wait(&mut self, number: u64) {
        let Some(row) = self.row(number).filter(|row| row.state.works() && row.at_exchange) else { return };
        if matches!(row.wanted.tif, TimeInForce::Ioc | TimeInForce::Fok) {
            self.end_as(number, self.habits.immediate_ends, None);
        }
    }

    /// The exchange's order for what is wanted.
    fn order_of(&self, number: u64, wanted: &Wanted) -> Result<Order, mts_foundation::OrderFaults> {
        let mut builder = Order::builder()
            .order_id(number.to_string())
            .idempotency_key(number.to_string())
            .symbol(&wanted.symbol)
            .side(if wanted.buys { Side::Buy } else { Side::Sell })
            .quantity(wanted.quantity)
            .order_type(wanted.order_type)
            .tif(wanted.tif)
            .extended_hours(wanted.extended_hours)
            .fund_id("account")
            .strategy_id("client")
            .broker("venue")
            .actor("client")
            .created_at(self.now);
        if let Some(limit) = wanted.limit_price {
            builder = builder.limit_price(limit);
        }
        if let Some(stop) = wanted.stop_price {
            builder = builder.stop_price(stop);
        }
        builder.build()
    }

    /// Takes a request to cancel; whether the order works, so that there is something to cancel.
    pub(crate) fn cancel(&mut self, id: &BrokerOrderId) -> bool {
        let Some(number) = self.by_id.get(id).copied() else { return false };
        let (loses, at) = (self.next_cancel_loses, self.clock());
        let Some(row) = self.row_mut(number).filter(|row| row.state.works()) else { return false };
        if row.state == State::PendingCancel {
            return true;
        }
        row.loses_race = loses;
        row.cancel_asked = Some(at);
        self.next_cancel_loses = false;
        if self.habits.cancels_later {
            self.set_state(number, State::PendingCancel, None);
            self.tell(number, What::PendingCancel);
            self.cancelling.push_back(number);
        } else {
            self.end_cancel(number);
        }
        true
    }

    /// Lets the cancellations take effect that were asked for before. Whether there were any.
    pub(crate) fn cancel_what_is_under_way(&mut self) -> bool {
        let under_way = std::mem::take(&mut self.cancelling);
        for number in &under_way {
            self.end_cancel(*number);
        }
        !under_way.is_empty()
    }

    fn end_cancel(&mut self, number: u64) {
        let Some(row) = self.row(number).filter(|row| row.state.works()) else { return };
        // A race can be lost only where a price is known to fill at.
        if row.loses_race && self.fill_rest(number, None).is_ok() {
            return;
        }
        self.end(number, State::Canceled, None, What::Canceled);
    }

    /// Ends the orders whose own time has come by the venue's clock. Whether there were any.
    pub(crate) fn expire_what_is_due(&mut self) -> bool {
        let (now, mut any) = (self.clock(), false);
        while let Some((_, number)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            any |= self.row(number).is_some_and(|row| row.state.works());
            self.end(number, State::Expired, None, What::Expired);
        }
        any
    }

    /// Changes a working order in place: it keeps its id. The quantity is that of the whole order, filled parts included; what
    /// is not above them ends the rest.
    pub(crate) fn amend(&mut self, id: &BrokerOrderId, change: &OrderChange) -> Result<(), Refusal> {
        let refused = |error: &dyn ToString| Refusal::Exchange(error.to_string().to_smolstr());
        let number = self.by_id.get(id).copied();
        let Some(row) = number.and_then(|number| self.row(number)).filter(|row| row.state.works()) else {
            return Err(refused(&"the order does not work any more"));
        };
        let (number, filled) = (row.number, row.filled);
        let mut wanted = row.wanted.clone();
        wanted.quantity = change.quantity.unwrap_or(wanted.quantity);
        wanted.limit_price = change.limit_price.or(wanted.limit_price);
        wanted.stop_price = change.stop_price.or(wanted.stop_price);
        if wanted.quantity <= filled {
            self.end(number, State::Canceled, None, What::Canceled);
            return Ok(());
        }
        self.order_of(number, &wanted).map_err(|error| refused(&error))?;
        let was_there = self.row(number).is_some_and(|row| row.at_exchange);
        self.take_out(number);
        let at = self.clock();
        if let Some(row) = self.row_mut(number) {
            (row.wanted, row.updated) = (wanted, at);
        }
        self.tell(number, What::Amended);
        if was_there {
            self.put_back(number);
            let quote = self.row(number).and_then(|row| self.prices.get(&row.wanted.symbol)).cloned();
            if let Some(quote) = quote {
                self.meet(&Quote { timestamp: self.now, ..quote });
            }
        }
        Ok(())
    }

    /// Puts another order in the place of a working one, which loses its own. The new one wants what the old one has not
    /// filled of its new quantity.
    pub(crate) fn replace(
        &mut self,
        id: &BrokerOrderId,
        change: &OrderChange,
        wanted: impl FnOnce(Wanted) -> Wanted,
    ) -> Result<Placed, Refusal> {
        let refused = |text: &str| Refusal::Exchange(SmolStr::new(text));
        let number = self.by_id.get(id).copied();
        let Some(row) = number.and_then(|number| self.row(number)).filter(|row| row.state.works()) else {
            return Err(refused("the order does not work any more"));
        };
        let number = row.number;
        let mut new = row.wanted.clone();
        new.quantity = change.quantity.unwrap_or(new.quantity) - row.filled;
        new.limit_price = change.limit_price.or(new.limit_price);
        new.stop_price = change.stop_price.or(new.stop_price);
        if new.quantity <= Decimal::ZERO {
            return Err(refused("the new quantity is filled already"));
        }
        let new = wanted(new);
        // Checked before the old one goes, so that a refusal leaves it as it was.
        self.order_of(self.orders.len() as u64, &new)
            .map_err(|error| Refusal::Exchange(error.to_string().to_smolstr()))?;
        if self.orders.len() >= MAX_ORDERS {
            return Err(Refusal::Full);
        }
        let next = BrokerOrderId::new((self.habits.order_id)(self.seed, self.orders.len() as u64)).ok();
        if let Some(row) = self.row_mut(number) {
            row.replaced_by = next;
        }
        self.end(number, State::Replaced, None, What::Replaced);
        self.place_instead(new, Some(number))
    }

    /// Sets the best prices of an instrument, as of now.
    pub(crate) fn quote(&mut self, quote: &Quote) {
        let known = self.prices.contains_key(&quote.symbol);
        if !known && self.prices.len() >= MAX_PRICES {
            return;
        }
        let quote = Quote { timestamp: self.now, ..quote.clone() };
        self.prices.insert(quote.symbol.clone(), quote.clone());
        self.market.tell_quote(Quote { timestamp: self.clock(), ..quote.clone() });
        self.meet(&quote);
    }

    /// Lets the orders meet prices that are known.
    fn meet(&mut self, quote: &Quote) {
        let mut events = Vec::new();
        self.exchange.on_quote(quote, &mut events);
        if quote.is_sane() {
            self.mark(&quote.symbol, quote.mid());
        }
        self.settle(events);
    }

    /// A print at another's hands. It fills nothing here; a time after now is now.
    pub(crate) fn print(&mut self, trade: &Trade) {
        self.market.tell_print(trade.symbol.clone(), trade.price, trade.size, self.clock());
        self.tape.print(&trade.symbol, trade.price, trade.size, trade.timestamp.min(self.now));
    }

    /// What prices there were and are.
    pub(crate) fn market(&self) -> &Market {
        &self.market
    }

    /// Meets the orders with bars that have ended, and keeps them. Instruments that have quotes are filled by those.
    pub(crate) fn bars(&mut self, bars: &[Bar]) {
        for bar in bars {
            self.market.tell_bar(bar);
            self.tape.keep(bar);
        }
        let mut events = Vec::new();
        self.exchange.on_bars(bars, &mut events);
        self.now = self.now.max(self.exchange.now());
        for bar in bars {
            self.mark(&bar.symbol, bar.close);
        }
        self.settle(events);
    }

    fn mark(&mut self, symbol: &Symbol, price: Decimal) {
        // Only a value out of range refuses a mark; the older price stands then.
        self.positions.mark(symbol, price).unwrap_or_default();
    }

    /// Whether orders fill by themselves. Those that work go to the exchange, or leave it.
    pub(crate) fn set_matching(&mut self, matching: bool) {
        self.matching = matching;
        let working: Vec<u64> = self.working().map(|row| row.number).collect();
        for number in &working {
            if matching {
                self.put_back(*number);
            } else {
                self.take_out(*number);
            }
        }
        if matching {
            let quotes: Vec<Quote> = self.prices.values().cloned().collect();
            for quote in quotes {
                self.meet(&Quote { timestamp: self.now, ..quote });
            }
            for number in working {
                self.end_what_does_not_wait(number);
            }
        }
    }

    /// Takes an order out of the exchange; it works on at the desk.
    fn take_out(&mut self, number: u64) {
        let Some(row) = self.row_mut(number).filter(|row| row.at_exchange) else { return };
        row.at_exchange = false;
        if let Ok(id) = OrderId::new(number.to_string()) {
            let mut events = Vec::new();
            self.exchange.cancel(&id, self.now, &mut events);
            self.settle(events);
        }
    }

    /// Gives a working order back to the exchange, as one that rests there.
    fn put_back(&mut self, number: u64) {
        let Some(row) = self.row(number).filter(|row| row.state.works() && !row.at_exchange) else { return };
        let (remaining, triggered) = (row.remaining(), row.state == State::Triggered);
        let Ok(order) = self.order_of(number, &row.wanted) else { return };
        // A moment ago: it has met the market and rests.
        let placed = Timestamp::from_nanos(self.now.nanos().saturating_sub(1));
        let restored = Restored { order, placed, remaining, triggered, cancel_asked: None };
        let back = self.exchange.restore(restored).is_ok();
        if let Some(row) = self.row_mut(number) {
            row.at_exchange = back;
        }
    }

    /// Into how many parts the fills of the next order are cut.
    pub(crate) fn fill_in_parts(&mut self, parts: u32) {
        self.next_parts = parts.max(1);
    }

    /// The next order fills before its answer leaves.
    pub(crate) fn fill_before_answer(&mut self) {
        self.fills_first = true;
    }

    /// The next cancellation finds its order filled.
    pub(crate) fn lose_next_cancel(&mut self) {
        self.next_cancel_loses = true;
    }

    fn row(&self, number: u64) -> Option<&Row> {
        self.orders.get(usize::try_from(number).ok()?)
    }

    fn row_mut(&mut self, number: u64) -> Option<&mut Row> {
        self.orders.get_mut(usize::try_from(number).ok()?)
    }

    /// An order by its id.
    pub(crate) fn order(&self, id: &str) -> Option<&Row> {
        let id = BrokerOrderId::new(id).ok()?;
        self.row(*self.by_id.get(&id)?)
    }

    /// The newest order with this client's id.
    pub(crate) fn by_client_id(&self, client_id: &str) -> Option<&Row> {
        self.orders.iter().rev().find(|row| row.wanted.client_id.as_deref() == Some(client_id))
    }

    /// All orders, oldest first.
    pub(crate) fn orders(&self) -> &[Row] {
        &self.orders
    }

    /// The orders that work, oldest first.
    pub(crate) fn working(&self) -> impl Iterator<Item = &Row> {
        self.orders.iter().filter(|row| row.state.works())
    }

    /// All fills, oldest first.
    pub(crate) fn fills(&self) -> &[FillRow] {
        &self.fills
    }

    /// The fills that stand in the history, oldest first.
    pub(crate) fn listed(&self) -> impl DoubleEndedIterator<Item = &FillRow> {
        self.fills.iter().filter(|fill| fill.listed <= self.now)
    }

    /// Money that came or went without a trade and stands in the history, oldest first.
    pub(crate) fn listed_cash(&self) -> impl DoubleEndedIterator<Item = &CashRow> {
        self.cash_rows.iter().filter(|cash| cash.listed <= self.now)
    }

    /// Cash in the base currency.
    pub(crate) fn cash(&self) -> Decimal {
        self.cash
    }

    /// Units held, below zero when short.
    pub(crate) fn position(&self, symbol: &Symbol) -> Decimal {
        self.positions.quantity(symbol)
    }

    /// All that is held.
    pub(crate) fn positions(&self) -> &PositionBook {
        &self.positions
    }

    /// The best prices of an instrument.
    pub(crate) fn price(&self, symbol: &Symbol) -> Option<&Quote> {
        self.prices.get(symbol)
    }

    /// The instruments that have best prices.
    pub(crate) fn quoted(&self) -> impl Iterator<Item = &Symbol> {
        self.prices.keys()
    }

    /// The time without the venue's error.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// What the seed makes of a kind and a number, as so many digits from 0 to 9, at most 18.
    pub(crate) fn count(&self, kind: &str, number: u64, digits: u32) -> i64 {
        ids::count(self.seed, kind, number, digits)
    }

    /// Money per unit and price point.
    pub(crate) fn multiplier(&self, symbol: &Symbol) -> Decimal {
        (self.multipliers)(symbol)
    }

    /// The price that a buyer or seller meets: the touch, else the last one.
    pub(crate) fn meets(&self, symbol: &Symbol, buys: bool) -> Option<Decimal> {
        let touch = self.prices.get(symbol).map(|quote| if buys { quote.ask } else { quote.bid });
        touch.filter(|price| *price > Decimal::ZERO).or_else(|| self.exchange.last(symbol))
    }

    /// Units of an instrument that working orders offer or want.
    pub(crate) fn on_order(&self, symbol: &Symbol, buys: bool) -> Decimal {
        let rows = self.working().filter(|row| row.wanted.symbol == *symbol && row.wanted.buys == buys);
        rows.map(Row::remaining).sum()
    }

    /// Money that working purchases need, at their limit, else their stop, else what the market asks.
    pub(crate) fn reserved(&self) -> Decimal {
        let rows = self.working().filter(|row| row.wanted.buys);
        rows.map(|row| row.remaining().saturating_mul(self.worth_of(&row.wanted))).sum()
    }

    /// The price at which an order counts before it fills.
    pub(crate) fn worth_of(&self, wanted: &Wanted) -> Decimal {
        let price = wanted.limit_price.or(wanted.stop_price);
        price.or_else(|| self.meets(&wanted.symbol, wanted.buys)).unwrap_or_default()
    }

    /// The number of the next event.
    pub(crate) fn next_event(&self) -> u64 {
        self.first_event + self.events.len() as u64
    }

    /// The event of this number, or the first after it that is kept.
    pub(crate) fn event(&self, number: u64) -> Option<&Event> {
        let offset = number.saturating_sub(self.first_event);
        self.events.get(usize::try_from(offset).ok()?)
    }

    /// What the seed makes of a kind and a number.
    pub(crate) fn uuid(&self, kind: &str, number: u64) -> String {
        ids::uuid(self.seed, kind, number)
    }

    /// So many hexadecimal digits that the seed makes of a kind and a number.
    pub(crate) fn digits(&self, kind: &str, number: u64, length: usize) -> String {
        ids::digits(self.seed, kind, number, length)
    }

    /// Lets the exchange's events take effect.
    fn settle(&mut self, events: Vec<MatchEvent>) {
        for event in events {
            self.settle_one(event);
        }
    }
}

#[cfg(test)]
mod tests;
