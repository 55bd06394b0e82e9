//! A broker that does as it is told, a clock, a journal in memory, a feed and strategies, for the live engine.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, Health, OrderRef, SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::strategy::{Commands, OrderRequest, Strategy, StrategyError};
use mts_foundation::{
    Account, AccountId, BrokerOrderId, Clock, Currency, Decimal, Event, Fill, IdempotencyKey, Order,
    OrderState, Position, Quote, Side, StrategyId, Symbol, Timestamp, View,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the live engine runs in real time")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_nanos(i64::try_from(now.as_nanos()).unwrap())
    }
}

/// The clocks of the machine, one of them put back or forward now and then.
pub(crate) struct SteppingClock {
    ahead_millis: AtomicI64,
    begun: Instant,
}

impl Default for SteppingClock {
    #[expect(clippy::disallowed_methods, reason = "the live engine runs in real time")]
    fn default() -> Self {
        Self { ahead_millis: AtomicI64::new(0), begun: Instant::now() }
    }
}

impl SteppingClock {
    pub(crate) fn step(&self, millis: i64) {
        self.ahead_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_millis.load(Ordering::SeqCst) * 1_000_000;
        Timestamp::from_nanos(SystemClock.now().nanos() + ahead)
    }
    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// The records that it stands for, and the state.
pub(crate) type Snapshot = (Sequence, Vec<u8>);

/// A journal in memory that keeps what was committed, and can be told to fail.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) committed: Arc<Mutex<Vec<JournalRecord>>>,
    pub(crate) fails: Arc<AtomicBool>,
    /// The disk is full; there is a reserve.
    pub(crate) full: Arc<AtomicBool>,
    /// The last one, with the records that it stands for.
    pub(crate) snapshot: Arc<Mutex<Option<Snapshot>>>,
    /// Records before this one were removed.
    pub(crate) removed: Arc<AtomicU64>,
    pending: Vec<JournalRecord>,
}

impl Log {
    /// With a first record, which replays skip.
    pub(crate) fn begun() -> Self {
        let log = Self::default();
        log.committed.lock().unwrap().push(JournalRecord { sequence: 0, kind: 1, payload: Vec::new() });
        log
    }
}

impl Journal for Log {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        let sequence = self.next_sequence();
        self.pending.push(JournalRecord { sequence, kind, payload: payload.to_vec() });
        Ok(sequence)
    }
    fn commit(&mut self) -> Result<(), JournalError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(JournalError::Stopped);
        }
        if self.full.load(Ordering::SeqCst) {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(JournalError::Io { path: "here".into(), operation: "write", source });
        }
        self.committed.lock().unwrap().append(&mut self.pending);
        Ok(())
    }
    fn release_reserve(&mut self) -> Result<bool, JournalError> {
        self.full.store(false, Ordering::SeqCst);
        Ok(true)
    }
    fn next_sequence(&self) -> Sequence {
        (self.committed.lock().unwrap().len() + self.pending.len()) as u64
    }
    fn durable(&self) -> Sequence {
        self.committed.lock().unwrap().len() as u64
    }
    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.replay_from(0, visit)
    }
    fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let removed = self.removed.load(Ordering::SeqCst);
        if first < removed {
            return Err(JournalError::Removed { path: "here".into(), from: 1, to: removed - 1 });
        }
        let records = self.committed.lock().unwrap().clone();
        records.into_iter().filter(|record| record.sequence >= first).try_for_each(visit)
    }
    fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        Ok(self.snapshot.lock().unwrap().clone())
    }
    fn save_snapshot(&mut self, sequence: Sequence, state: &[u8]) -> Result<(), JournalError> {
        assert_eq!(sequence, self.next_sequence(), "only what is durable");
        *self.snapshot.lock().unwrap() = Some((sequence, state.to_vec()));
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Book {
    pub(crate) orders: BTreeMap<IdempotencyKey, OrderReport>,
    pub(crate) sent: Vec<Order>,
    pub(crate) cancels: Vec<BrokerOrderRef>,
    events: VecDeque<BrokerEvent>,
    waker: Option<Waker>,
    held: Decimal,
    cash: Decimal,
}

/// A broker whose behaviour is switched.
pub(crate) struct Desk {
    capabilities: Capabilities,
    pub(crate) book: Mutex<Book>,
    /// Orders fill at once, at 10.
    pub(crate) fills: AtomicBool,
    /// Submits are taken and never answered.
    pub(crate) mute: AtomicBool,
    pub(crate) look_ups: AtomicU64,
    /// Questions for one order are taken and never answered, and the account shows no order.
    pub(crate) hangs: AtomicBool,
    /// It cannot be connected to: nobody answers.
    pub(crate) deaf: AtomicBool,
    /// Its account cannot be read.
    pub(crate) unreadable: AtomicBool,
    /// After the next question for cash or for positions somebody buys a unit at 10.
    pub(crate) trades_after: AtomicBool,
}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        let book = Book { cash: Decimal::from(1_000), ..Book::default() };
        Arc::new(Self {
            capabilities: Capabilities::none(),
            book: Mutex::new(book),
            fills: AtomicBool::new(false),
            mute: AtomicBool::new(false),
            look_ups: AtomicU64::new(0),
            hangs: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
            trades_after: AtomicBool::new(false),
        })
    }

    pub(crate) fn sent(&self) -> usize {
        self.book.lock().unwrap().sent.len()
    }

    fn answered(&self) {
        if self.trades_after.swap(false, Ordering::SeqCst) {
            let mut book = self.book.lock().unwrap();
            book.held += Decimal::ONE;
            book.cash -= Decimal::TEN;
        }
    }

    /// Fills an order that works here.
    pub(crate) fn fill(&self, key: &str) {
        let mut book = self.book.lock().unwrap();
        let report = book.orders.get_mut(&IdempotencyKey::new(key).unwrap()).unwrap();
        (report.state, report.filled, report.average_price) =
            (OrderState::Filled, report.quantity, Some(Decimal::TEN));
        let report = report.clone();
        let units = report.quantity * Decimal::from(report.side.sign());
        book.held += units;
        book.cash -= units * Decimal::TEN;
        let id = format!("fill-{}", report.broker_order_id);
        let order_id = report.order_id.as_ref().unwrap().as_str();
        let (symbol, side, quantity) = (report.symbol.as_str(), report.side, report.quantity);
        let fill = Fill::new(&id, order_id, symbol, side, quantity, Decimal::TEN, report.timestamp).unwrap();
        book.events.push_back(BrokerEvent::Fill {
            account: AccountId::new("a").unwrap(),
            cursor: Cursor::new(&id).unwrap(),
            fill,
            fees: FeeStatus::Known,
        });
        if let Some(waker) = book.waker.take() {
            waker.wake();
        }
    }
}

impl Broker for Desk {
    fn name(&self) -> &str {
        "paper"
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn connect(&self) -> Result<(), BrokerError> {
        if self.deaf.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
    async fn close(&self) -> Result<(), BrokerError> {
        Ok(())
    }
    async fn health(&self) -> Health {
        Health { connected: true, since: None, clock_skew_ms: None, token_expires: None }
    }
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let id = BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap();
        let accepted = order.clone().accepted(order.created_at, id.clone());
        {
            let mut book = self.book.lock().unwrap();
            book.sent.push(order.clone());
            book.orders.insert(
                order.idempotency_key.clone(),
                OrderReport {
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
                    timestamp: order.created_at,
                },
            );
        }
        if self.fills.load(Ordering::SeqCst) {
            self.fill(order.idempotency_key.as_str());
        }
        if self.mute.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        SubmitOutcome::Accepted(accepted)
    }
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let mut book = self.book.lock().unwrap();
        book.cancels.push(order.clone());
        match book.orders.get_mut(&order.idempotency_key) {
            Some(report) => {
                report.state = OrderState::Canceled;
                CancelOutcome::Confirmed
            }
            None => CancelOutcome::NotFound,
        }
    }
    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let book = self.book.lock().unwrap();
        Ok(match order {
            OrderRef::Key(key) => book.orders.get(key).cloned(),
            OrderRef::Venue(id) => book.orders.values().find(|report| report.broker_order_id == *id).cloned(),
        })
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        if self.hangs.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let book = self.book.lock().unwrap();
        Ok(book.orders.values().filter(|report| !report.state.is_terminal()).cloned().collect())
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let held = self.book.lock().unwrap().held;
        self.answered();
        if held.is_zero() {
            return Ok(Vec::new());
        }
        Ok(vec![Position {
            fund_id: "f".parse().unwrap(),
            symbol: Symbol::new("AAPL").unwrap(),
            quantity: held,
            avg_price: Decimal::TEN,
            last_price: Decimal::TEN,
            market_value_usd: Decimal::ZERO,
            unrealized_pl_usd: Decimal::ZERO,
            realized_pl_ytd_usd: Decimal::ZERO,
            last_updated: Timestamp::EPOCH,
            tax_lots: Vec::new(),
        }])
    }
    async fn account(&self) -> Result<Account, BrokerError> {
        if self.unreadable.load(Ordering::SeqCst) {
            return Err(unreachable());
        }
        let cash = self.book.lock().unwrap().cash;
        self.answered();
        Ok(Account {
            base_currency: Currency::USD,
            cash,
            equity: cash,
            buying_power: None,
            asof: Timestamp::EPOCH,
        })
    }
    fn events(&self, _: Option<Cursor>) -> BrokerEventStream<'_> {
        Box::pin(Said(self))
    }
    async fn diagnose(&self, _: Option<&Symbol>) -> Vec<Check> {
        Vec::new()
    }
}

struct Said<'a>(&'a Desk);

impl futures_core::Stream for Said<'_> {
    type Item = Result<BrokerEvent, BrokerError>;
    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        let mut book = self.0.book.lock().unwrap();
        match book.events.pop_front() {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => {
                book.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

pub(crate) fn unreachable() -> BrokerError {
    BrokerError::new("positions", BrokerErrorKind::VenueDown, ErrorStatus::Temporary, "503")
}

/// Quotes of AAPL, some time apart, and then something else, nothing or the end.
pub(crate) struct Quotes {
    pub(crate) last: Vec<MarketEvent>,
    pub(crate) left: u64,
    pub(crate) every: Duration,
    pub(crate) silent_after: bool,
}

impl DataFeed for Quotes {
    fn name(&self) -> &str {
        "quotes"
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if self.left == 0 {
            if !self.last.is_empty() {
                return Ok(Some(self.last.remove(0)));
            }
            if self.silent_after {
                std::future::pending::<()>().await;
            }
            return Ok(None);
        }
        self.left -= 1;
        tokio::time::sleep(self.every).await;
        Ok(Some(MarketEvent::Quote(quote())))
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    fn stats(&self) -> FeedStats {
        FeedStats::default()
    }
}

pub(crate) fn quote() -> Quote {
    let at = SystemClock.now();
    serde_json::from_value(serde_json::json!({
        "symbol": "AAPL", "bid": "9.99", "ask": "10.01", "bid_size": "100", "ask_size": "100", "venue": "x",
        "timestamp": at.to_string(),
    }))
    .unwrap()
}

type Deed = Box<dyn FnMut(u64, &View<'_>, &mut Commands) -> Result<(), StrategyError> + Send>;

/// A strategy that does something on its n-th data, counted from 1.
pub(crate) struct Doer {
    id: StrategyId,
    deed: Deed,
    seen: u64,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl Doer {
    pub(crate) fn new(
        deed: impl FnMut(u64, &View<'_>, &mut Commands) -> Result<(), StrategyError> + Send + 'static,
    ) -> Self {
        Self { id: StrategyId::new("s").unwrap(), deed: Box::new(deed), seen: 0, events: Arc::default() }
    }
}

impl Strategy for Doer {
    fn id(&self) -> &StrategyId {
        &self.id
    }
    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        self.seen += 1;
        (self.deed)(self.seen, view, commands)
    }
    fn on_order_event(&mut self, _: &View<'_>, event: &Event, _: &mut Commands) -> Result<(), StrategyError> {
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}

pub(crate) fn buy(key: &str, units: i64) -> OrderRequest {
    let mut request = OrderRequest::market(Symbol::new("AAPL").unwrap(), Side::Buy, Decimal::from(units));
    request.idempotency_key = Some(IdempotencyKey::new(key).unwrap());
    request
}
