//! A venue that lives in this process and does what a test tells it.

#![allow(dead_code, reason = "not every test program uses all of it")]

use mts_foundation::broker::{
    BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Check, ErrorStatus,
    Health, OrderRef, SubmitOutcome,
};
use mts_foundation::{
    Account, Broker, BrokerEvent, BrokerOrderId, Capabilities, Clock, Currency, Cursor, Decimal, FundId,
    Order, OrderReport, OrderState, Position, Symbol, Timestamp,
};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

pub(crate) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

/// A clock that a test moves.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    /// Monday, 2 March 2026, three in the afternoon, UTC.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_772_463_600_000)))
    }

    pub(crate) fn wait(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// How the venue answers the next orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes them; market orders fill at once, others rest.
    Fills,
    /// Takes them; nothing fills.
    Rests,
    /// Says no.
    Rejects,
    /// Takes them, and the answer is lost.
    Swallows,
    /// Never gets them, and the answer is lost.
    Loses,
    /// Nothing leaves.
    Down,
}

#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) cash: Decimal,
    /// Added to what cash and positions are worth.
    pub(crate) extra: Decimal,
    pub(crate) prices: BTreeMap<Symbol, Decimal>,
    pub(crate) positions: BTreeMap<Symbol, Decimal>,
    pub(crate) orders: Vec<(Order, OrderReport)>,
    pub(crate) mood: Mood,
    pub(crate) account_fails: bool,
    pub(crate) cancels_unknown: bool,
    pub(crate) calls: Vec<&'static str>,
    pub(crate) events: VecDeque<BrokerEvent>,
    /// Largest |position| there ever was, with working orders at their worst.
    pub(crate) worst: Decimal,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Venue {
    capabilities: Capabilities,
    inside: Mutex<Inside>,
    clock: Arc<TestClock>,
}

impl Venue {
    pub(crate) fn new(clock: &Arc<TestClock>) -> Arc<Self> {
        let mut capabilities = Capabilities::none();
        capabilities.replace = true;
        Arc::new(Self {
            capabilities,
            clock: clock.clone(),
            inside: Mutex::new(Inside {
                cash: d("100000"),
                extra: Decimal::ZERO,
                prices: BTreeMap::new(),
                positions: BTreeMap::new(),
                orders: Vec::new(),
                mood: Mood::Fills,
                account_fails: false,
                cancels_unknown: false,
                calls: Vec::new(),
                events: VecDeque::new(),
                worst: Decimal::ZERO,
            }),
        })
    }

    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// The account holds so many units, bought at 100.
    pub(crate) fn hold(&self, name: &str, units: &str) {
        self.inside().positions.insert(symbol(name), d(units));
    }

    pub(crate) fn price(&self, name: &str, price: &str) {
        self.inside().prices.insert(symbol(name), d(price));
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        self.inside().calls.iter().filter(|made| **made == call).count()
    }

    /// Fills units of the first open order.
    pub(crate) fn fill_first(&self, units: &str) {
        let mut inside = self.inside();
        let first = inside.orders.iter().position(|(_, report)| !report.state.is_terminal()).unwrap();
        inside.fill(first, d(units));
    }
}

impl Inside {
    pub(crate) fn price_of(&self, symbol: &Symbol) -> Decimal {
        self.prices.get(symbol).copied().unwrap_or(Decimal::ONE_HUNDRED)
    }

    fn fill(&mut self, place: usize, units: Decimal) {
        let (order, report) = &mut self.orders[place];
        let units = units.min(order.quantity - report.filled);
        report.filled += units;
        report.state =
            if report.filled == order.quantity { OrderState::Filled } else { OrderState::PartiallyFilled };
        let (symbol, side) = (order.symbol.clone(), order.side);
        let price = self.price_of(&symbol);
        *self.positions.entry(symbol).or_default() += side.signed(units);
        self.cash -= side.signed(units) * price;
    }

    fn note_worst(&mut self, symbol: &Symbol) {
        let held = self.positions.get(symbol).copied().unwrap_or_default();
        let (mut up, mut down) = (held, held);
        for (order, report) in &self.orders {
            if order.symbol == *symbol && !report.state.is_terminal() {
                let left = order.side.signed(order.quantity - report.filled);
                if left > Decimal::ZERO { up += left } else { down += left }
            }
        }
        self.worst = self.worst.max(up.abs()).max(down.abs());
    }

    fn take(&mut self, order: &Order, now: Timestamp) -> Order {
        let id = BrokerOrderId::new(format!("V-{}", self.orders.len() + 1)).unwrap();
        let accepted = order.clone().accepted(now, id.clone());
        let report = OrderReport {
            broker_order_id: id,
            order_id: Some(order.order_id.clone()),
            idempotency_key: Some(order.idempotency_key.clone()),
            symbol: order.symbol.clone(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            filled: Decimal::ZERO,
            average_price: None,
            state: OrderState::Accepted,
            reason: None,
            timestamp: now,
        };
        self.orders.push((accepted.clone(), report));
        self.note_worst(&order.symbol);
        if self.mood == Mood::Fills && order.order_type == mts_foundation::OrderType::Market {
            let last = self.orders.len() - 1;
            self.fill(last, order.quantity);
        }
        accepted
    }
}

fn failed(op: &'static str) -> BrokerError {
    BrokerError::new(op, BrokerErrorKind::VenueDown, ErrorStatus::Temporary, "the venue is down")
}

impl Broker for Venue {
    fn name(&self) -> &str {
        "venue"
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn connect(&self) -> Result<(), BrokerError> {
        self.inside().calls.push("connect");
        Ok(())
    }
    async fn close(&self) -> Result<(), BrokerError> {
        self.inside().calls.push("close");
        Ok(())
    }
    async fn health(&self) -> Health {
        Health { connected: true, since: None, clock_skew_ms: None, token_expires: None }
    }
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let now = self.clock.now();
        let mut inside = self.inside();
        inside.calls.push("submit");
        match inside.mood {
            Mood::Fills | Mood::Rests => SubmitOutcome::Accepted(inside.take(order, now)),
            Mood::Rejects => SubmitOutcome::Rejected { reason: "no".into() },
            Mood::Swallows => {
                inside.take(order, now);
                SubmitOutcome::Unknown { cause: "no answer".into() }
            }
            Mood::Loses => SubmitOutcome::Unknown { cause: "no answer".into() },
            Mood::Down => SubmitOutcome::NotSent { reason: "not connected".into() },
        }
    }
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let mut inside = self.inside();
        inside.calls.push("cancel");
        if inside.cancels_unknown {
            return CancelOutcome::Unknown { cause: "no answer".into() };
        }
        let found =
            inside.orders.iter_mut().find(|(_, report)| report.broker_order_id == order.broker_order_id);
        let Some((_, report)) = found else { return CancelOutcome::NotFound };
        if report.state.is_terminal() {
            return CancelOutcome::TooLate { state: report.state };
        }
        report.state = OrderState::Canceled;
        CancelOutcome::Confirmed
    }
    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let mut inside = self.inside();
        inside.calls.push("order");
        let found = inside.orders.iter().find(|(known, report)| match order {
            OrderRef::Venue(id) => report.broker_order_id == *id,
            OrderRef::Key(key) => known.idempotency_key == *key,
        });
        Ok(found.map(|(_, report)| report.clone()))
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        let mut inside = self.inside();
        inside.calls.push("open_orders");
        let open = inside.orders.iter().filter(|(_, report)| !report.state.is_terminal());
        Ok(open.map(|(_, report)| report.clone()).collect())
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let now = self.clock.now();
        let inside = self.inside();
        let position = |(symbol, units): (&Symbol, &Decimal)| {
            let price = inside.price_of(symbol);
            Position {
                fund_id: FundId::new("account").unwrap(),
                symbol: symbol.clone(),
                quantity: *units,
                avg_price: Decimal::ONE_HUNDRED,
                last_price: price,
                market_value_usd: *units * price,
                unrealized_pl_usd: Decimal::ZERO,
                realized_pl_ytd_usd: Decimal::ZERO,
                last_updated: now,
                tax_lots: Vec::new(),
            }
        };
        Ok(inside.positions.iter().filter(|(_, units)| !units.is_zero()).map(position).collect())
    }
    async fn account(&self) -> Result<Account, BrokerError> {
        let inside = self.inside();
        if inside.account_fails {
            return Err(failed("account"));
        }
        let value: Decimal =
            inside.positions.iter().map(|(symbol, units)| *units * inside.price_of(symbol)).sum();
        let equity = inside.cash + value + inside.extra;
        let (base_currency, cash) = (Currency::USD, inside.cash);
        Ok(Account { base_currency, cash, equity, buying_power: None, asof: self.clock.now() })
    }
    fn events(&self, _after: Option<Cursor>) -> BrokerEventStream<'_> {
        let events = std::mem::take(&mut self.inside().events);
        Box::pin(Queued(events))
    }
    async fn diagnose(&self, _symbol: Option<&Symbol>) -> Vec<Check> {
        Vec::new()
    }
}

struct Queued(VecDeque<BrokerEvent>);

impl futures_core::Stream for Queued {
    type Item = Result<BrokerEvent, BrokerError>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}
