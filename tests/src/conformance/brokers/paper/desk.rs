//! The desk: the paper broker, what was handed to it, and the market that it meets.

use super::mode::{Drive, Mode, share};
use mts_brokers::paper::PaperBroker;
use mts_conformance::broker::BoxError;
use mts_foundation::broker::{Broker, OrderChange, OrderRef, SimulatedBroker as _};
use mts_foundation::double::NotPossible;
use mts_foundation::ready::ready;
use mts_foundation::{
    Bar, BrokerOrderId, Decimal, Interval, Order, OrderReport, Quote, Symbol, Timestamp, Trade, VenueName,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// How far the simulated time goes on at each tick, where something is under way in it.
pub(super) const TICK: Duration = Duration::from_millis(4);

/// An order that was taken, with what has been asked to be changed of it.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) order: Order,
    pub(super) change: OrderChange,
    /// When the change takes effect.
    pub(super) since: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Market {
    /// Oldest first.
    pub(super) taken: Vec<Taken>,
    pub(super) quotes: BTreeMap<Symbol, Quote>,
    /// Prices do not reach the exchange by themselves.
    pub(super) still: bool,
    /// So many orders find the market closed.
    pub(super) refusals: u32,
    /// The next cancellation is overtaken by a fill.
    pub(super) overtaken: bool,
}

/// Streams that are open, and how often all of them were cut.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) open: usize,
    pub(super) cuts: u64,
    pub(super) wakers: Vec<Waker>,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) paper: PaperBroker,
    pub(super) mode: Mode,
    market: Mutex<Market>,
    streams: Mutex<Streams>,
    /// Held while the time may not go on.
    time: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn not_possible<T>(reason: &str) -> Result<T, NotPossible> {
    Err(NotPossible { reason: reason.to_owned() })
}

impl Desk {
    pub(super) fn new(mode: Mode) -> Result<Self, BoxError> {
        Ok(Self {
            paper: PaperBroker::new(mode.config()?)?,
            mode,
            market: Mutex::default(),
            streams: Mutex::default(),
            time: Mutex::default(),
        })
    }

    pub(super) fn market(&self) -> MutexGuard<'_, Market> {
        lock(&self.market)
    }

    pub(super) fn streams(&self) -> MutexGuard<'_, Streams> {
        lock(&self.streams)
    }

    /// Stops the time until it is dropped.
    pub(super) fn hold_time(&self) -> MutexGuard<'_, ()> {
        lock(&self.time)
    }

    pub(super) fn report(&self, order: &Order) -> Option<OrderReport> {
        let named = OrderRef::Key(order.idempotency_key.clone());
        ready(Broker::order(&self.paper, &named)).ok()?.ok()?
    }

    /// The venue's time: that of its last order or piece of market data.
    pub(super) fn now(&self) -> Timestamp {
        let account = ready(Broker::account(&self.paper)).ok().and_then(Result::ok);
        account.map_or(Timestamp::EPOCH, |account| account.asof)
    }

    /// Lets a moment pass: what is under way goes on, and where prices may fill orders there is another print or bar. Quotes
    /// stand by themselves.
    pub(super) fn tick(&self) {
        let _held = self.hold_time();
        if self.mode == Mode::Latency {
            self.paper.set_time(self.now().plus(TICK));
        } else if self.mode.drive() != Drive::Quotes && !self.market().still {
            self.show_all();
        }
    }

    /// Shows the best prices of all instruments to the exchange.
    pub(super) fn show_all(&self) {
        let quotes: Vec<Quote> = self.market().quotes.values().cloned().collect();
        quotes.iter().for_each(|quote| self.show(quote));
    }

    /// Shows prices that anybody may take.
    pub(super) fn show(&self, quote: &Quote) {
        match self.mode.drive() {
            Drive::Quotes => self.paper.on_quote(quote),
            Drive::Prints => self.print(&quote.symbol, quote.mid(), quote.ask_size),
            Drive::Bars => self.bar(&quote.symbol, quote.mid(), quote.ask_size),
        }
    }

    /// Lets the time go on until everything that is under way has arrived.
    pub(super) fn arrive(&self) {
        self.paper.set_time(self.now().plus(self.mode.delay()));
    }

    /// Trades a part of an order that works, at a price that it takes: it must be the first in line.
    pub(super) fn trade(&self, taken: &Taken, quantity: Decimal, price: Decimal) {
        let order = &taken.order;
        // Who is still under way arrives first.
        if self.now() < order.accepted_at.unwrap_or(order.created_at).plus(self.mode.delay()) {
            self.arrive();
        }
        match self.mode.drive() {
            Drive::Bars => self.bar(&order.symbol, price, quantity),
            Drive::Prints => self.print(&order.symbol, price, quantity),
            Drive::Quotes => self.quote_once(taken, quantity, price),
        }
    }

    /// Quotes so many units at a price, and then takes the touch away again.
    fn quote_once(&self, taken: &Taken, quantity: Decimal, price: Decimal) {
        let Ok(venue) = VenueName::new("paper") else { return };
        let cent = Decimal::new(1, 2);
        let buys = taken.order.side.sign() > 0;
        let (bid, ask) = if buys { (price - cent, price) } else { (price, price + cent) };
        let quote = Quote {
            symbol: taken.order.symbol.clone(),
            bid,
            ask,
            bid_size: quantity,
            ask_size: quantity,
            venue,
            timestamp: self.now(),
        };
        self.paper.on_quote(&quote);
        self.paper.on_quote(&Quote { bid: Decimal::ZERO, ask: Decimal::ZERO, ..quote });
    }

    fn print(&self, symbol: &Symbol, price: Decimal, size: Decimal) {
        let Ok(venue) = VenueName::new("paper") else { return };
        self.paper.on_trade(&Trade {
            trade_id: "conformance".into(),
            symbol: symbol.clone(),
            price,
            size,
            venue,
            timestamp: self.now(),
        });
    }

    /// A minute at one price, in which the account may take so many units.
    fn bar(&self, symbol: &Symbol, price: Decimal, units: Decimal) {
        let interval = Interval::MINUTE;
        let end = self.now().plus(interval.duration());
        let bar = Bar::close_only(symbol.clone(), interval, price, end);
        let volume = units.checked_div(share()).unwrap_or_default();
        self.paper.on_bars(&[Bar { volume, close_only: false, ..bar }]);
    }

    /// What was taken under this id.
    pub(super) fn taken(&self, id: &BrokerOrderId) -> Option<Taken> {
        let market = self.market();
        market.taken.iter().find(|taken| taken.order.broker_order_id.as_ref() == Some(id)).cloned()
    }
}
