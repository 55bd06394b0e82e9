//! The broker itself.

use super::stream::{History, HistoryStream};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, FillStream, Health, OrderRef, SimulatedBroker, SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::{
    Account, AccountId, AssetClass, Bar, BrokerOrderId, Currency, Decimal, Fill, FillId, FundId,
    IdempotencyKey, Order, OrderRecord, OrderState, OrderType, Position, PositionBook, Symbol, TimeInForce,
    Timestamp, VenueName,
};
use mts_matching::{Exchange, FeeModel, MatchEvent};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most ended orders whose keys are remembered.
const MAX_REMEMBERED: usize = 100_000;

/// How the paper broker behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperConfig {
    /// Cost of each side, basis points of the traded value; 5 by default.
    pub fee_bps_per_side: Decimal,
    /// Cash at the start.
    pub initial_cash: Decimal,
    /// Currency of the account.
    pub base_currency: Currency,
    /// Money per unit and price point by instrument; 1 where absent.
    pub multipliers: BTreeMap<Symbol, Decimal>,
}

impl Default for PaperConfig {
    fn default() -> Self {
        Self {
            fee_bps_per_side: Decimal::from(5),
            initial_cash: Decimal::from(100_000),
            base_currency: Currency::USD,
            multipliers: BTreeMap::new(),
        }
    }
}

/// What the venue keeps of an order.
#[derive(Debug, Clone)]
struct Known {
    report: OrderReport,
    order: Order,
    fills: u32,
}

#[derive(Debug)]
struct Venue {
    config: PaperConfig,
    fees: FeeModel,
    now: Timestamp,
    connected: Option<Timestamp>,
    exchange: Exchange,
    orders: BTreeMap<IdempotencyKey, Known>,
    ended: VecDeque<IdempotencyKey>,
    cash: Decimal,
    positions: PositionBook,
}

/// A broker without a venue: orders meet the simulated exchange.
#[derive(Debug)]
pub struct PaperBroker {
    capabilities: Capabilities,
    account: AccountId,
    venue_name: VenueName,
    venue: Mutex<Venue>,
    history: Arc<Mutex<History>>,
}

/// Registry name, venue name and account of the paper broker.
const NAME: &str = "paper";

impl PaperBroker {
    /// A paper broker with nothing but cash.
    ///
    /// # Errors
    /// [`BrokerError`] when the fee is negative.
    pub fn new(config: PaperConfig) -> Result<Self, BrokerError> {
        if config.fee_bps_per_side < Decimal::ZERO {
            let message = format!("fee_bps_per_side is {}; it must be zero or more", config.fee_bps_per_side);
            return Err(BrokerError::new(
                "new",
                BrokerErrorKind::InvalidRequest,
                ErrorStatus::Permanent,
                message,
            ));
        }
        let internal = |error: mts_foundation::ids::InvalidId| {
            BrokerError::new("new", BrokerErrorKind::Internal, ErrorStatus::Permanent, error.to_string())
        };
        let mut capabilities = Capabilities::none();
        let tifs: Vec<_> = TimeInForce::ALL.iter().copied().filter(|tif| Exchange::takes(*tif)).collect();
        capabilities.order_types = OrderType::ALL.iter().map(|kind| (*kind, tifs.clone())).collect();
        capabilities.asset_classes = AssetClass::ALL.to_vec();
        capabilities.shorting = true;
        capabilities.client_id_dedupe = true;
        capabilities.fill_stream = FillStream::Push;
        capabilities.sandbox = true;
        capabilities.margin = true;
        let venue = Venue {
            fees: FeeModel::BasisPoints(config.fee_bps_per_side),
            cash: config.initial_cash,
            config,
            now: Timestamp::EPOCH,
            connected: None,
            exchange: Exchange::new(),
            orders: BTreeMap::new(),
            ended: VecDeque::new(),
            positions: PositionBook::new(),
        };
        Ok(Self {
            capabilities,
            account: AccountId::new(NAME).map_err(internal)?,
            venue_name: VenueName::new(NAME).map_err(internal)?,
            venue: Mutex::new(venue),
            history: Arc::default(),
        })
    }

    fn venue(&self) -> MutexGuard<'_, Venue> {
        self.venue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, time: Timestamp, make: impl FnOnce(Cursor) -> BrokerEvent) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cursor) = history.next_cursor() {
            history.push(time, make(cursor));
        }
    }

    /// Books what the exchange did and publishes it.
    fn settle(&self, venue: &mut Venue, events: Vec<MatchEvent>) {
        for event in events {
            match event {
                MatchEvent::Filled { order, quantity, price, time } => {
                    if let Some((fill, report)) = venue.fill(&order, quantity, price, time, &self.venue_name)
                    {
                        self.publish(time, |cursor| BrokerEvent::Fill {
                            account: self.account.clone(),
                            cursor,
                            fill,
                            fees: FeeStatus::Known,
                        });
                        if report.state.is_terminal() {
                            venue.end(&order.idempotency_key);
                        }
                    }
                }
                MatchEvent::Triggered { order, time } => {
                    if let Some(report) = venue.change(&order, OrderState::Triggered, time) {
                        self.publish(time, |_| BrokerEvent::Order(report));
                    }
                }
                MatchEvent::Expired { order, time } => {
                    if let Some(report) = venue.change(&order, OrderState::Expired, time) {
                        venue.end(&order.idempotency_key);
                        self.publish(time, |_| BrokerEvent::Order(report));
                    }
                }
            }
        }
    }
}

impl Venue {
    fn change(&mut self, order: &Order, state: OrderState, time: Timestamp) -> Option<OrderReport> {
        let known = self.orders.get_mut(&order.idempotency_key)?;
        known.report.state = state;
        known.report.timestamp = time;
        Some(known.report.clone())
    }

    /// Remembers an ended order's key, and forgets the oldest beyond the bound.
    fn end(&mut self, key: &IdempotencyKey) {
        self.ended.push_back(key.clone());
        if self.ended.len() > MAX_REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.orders.remove(&oldest);
        }
    }

    fn fill(
        &mut self,
        order: &Order,
        quantity: Decimal,
        price: Decimal,
        time: Timestamp,
        venue: &VenueName,
    ) -> Option<(Fill, OrderReport)> {
        let multiplier = self.config.multipliers.get(&order.symbol).copied().unwrap_or(Decimal::ONE);
        let fees = self.fees.fees(quantity, price, multiplier);
        let known = self.orders.get_mut(&order.idempotency_key)?;
        known.fills += 1;
        let fill = Fill {
            fill_id: fill_id(&order.idempotency_key, known.fills)?,
            order_id: order.order_id.clone(),
            symbol: order.symbol.clone(),
            side: order.side,
            quantity,
            price,
            fees,
            venue: venue.clone(),
            timestamp: time,
            raw: BTreeMap::new(),
        };
        let report = &mut known.report;
        let value = report.average_price.unwrap_or_default() * report.filled + price * quantity;
        report.filled += quantity;
        report.average_price = value.checked_div(report.filled);
        report.state =
            if report.filled >= report.quantity { OrderState::Filled } else { OrderState::PartiallyFilled };
        report.timestamp = time;
        let report = report.clone();
        // The books of the venue cannot refuse what has traded; a value out of range leaves them as they were.
        if self.positions.apply(&fill.symbol, fill.side, quantity, price, multiplier, time).is_ok() {
            self.cash += fill.side.signed(-(quantity * price * multiplier)) - fees;
        }
        Some((fill, report))
    }

    fn know(
        &mut self,
        order: Order,
        id: BrokerOrderId,
        filled: Decimal,
        fills: u32,
        average: Option<Decimal>,
    ) {
        let state = if filled.is_zero() { OrderState::Accepted } else { OrderState::PartiallyFilled };
        let report = OrderReport {
            broker_order_id: id,
            order_id: Some(order.order_id.clone()),
            idempotency_key: Some(order.idempotency_key.clone()),
            symbol: order.symbol.clone(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            filled,
            average_price: average,
            state,
            reason: None,
            timestamp: self.now,
        };
        self.orders.insert(order.idempotency_key.clone(), Known { report, order, fills });
    }
}

fn digest(key: &IdempotencyKey, bytes: usize) -> String {
    Sha256::digest(key.as_str().as_bytes()).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

/// `PAPER-` and eight hex digits of the key's hash.
fn broker_order_id(key: &IdempotencyKey) -> Option<BrokerOrderId> {
    BrokerOrderId::new(format!("PAPER-{}", digest(key, 4))).ok()
}

/// Sixteen hex digits of the key's hash and the count, so that fills of two orders never share an id even when the
/// short order ids do.
fn fill_id(key: &IdempotencyKey, count: u32) -> Option<FillId> {
    FillId::new(format!("{}-{count}", digest(key, 8))).ok()
}

fn refused(op: &'static str, kind: BrokerErrorKind, message: impl Into<String>) -> BrokerError {
    BrokerError::new(op, kind, ErrorStatus::Permanent, message)
}

impl Broker for PaperBroker {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        let mut venue = self.venue();
        let now = venue.now;
        venue.connected.get_or_insert(now);
        Ok(())
    }

    async fn close(&self) -> Result<(), BrokerError> {
        self.venue().connected = None;
        Ok(())
    }

    async fn health(&self) -> Health {
        let venue = self.venue();
        Health {
            connected: venue.connected.is_some(),
            since: venue.connected,
            clock_skew_ms: Some(0),
            token_expires: None,
        }
    }

    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let mut venue = self.venue();
        if venue.connected.is_none() {
            return SubmitOutcome::NotSent {
                reason: "the paper broker is not connected; call connect first".into(),
            };
        }
        if let Some(known) = venue.orders.get(&order.idempotency_key) {
            if !known.order.same_content(order) {
                let reason = "the key was used for another order; make a new key".into();
                return SubmitOutcome::Rejected { reason };
            }
            return SubmitOutcome::Accepted(known.order.clone());
        }
        if !self.capabilities.takes(order.order_type, order.tif) {
            let reason = format!("the paper broker takes no {} {} orders", order.order_type, order.tif);
            return SubmitOutcome::NotSent { reason: reason.into() };
        }
        let Some(id) = broker_order_id(&order.idempotency_key) else {
            return SubmitOutcome::NotSent { reason: "no venue id can be made of this key".into() };
        };
        let now = venue.now.max(order.created_at);
        venue.now = now;
        if let Err(error) = venue.exchange.submit(order.clone(), order.quantity, now) {
            return SubmitOutcome::Rejected { reason: SmolStr::new(error.to_string()) };
        }
        let accepted = order.clone().submitted(now).accepted(now, id.clone());
        venue.know(accepted.clone(), id, Decimal::ZERO, 0, None);
        SubmitOutcome::Accepted(accepted)
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let mut venue = self.venue();
        let Some(known) = venue.orders.get(&order.idempotency_key) else { return CancelOutcome::NotFound };
        let (state, resting) = (known.report.state, known.order.clone());
        if state == OrderState::Canceled {
            return CancelOutcome::Confirmed;
        }
        if venue.exchange.cancel(&resting.order_id).is_none() {
            return CancelOutcome::TooLate { state };
        }
        let now = venue.now;
        let report = venue.change(&resting, OrderState::Canceled, now);
        venue.end(&resting.idempotency_key);
        drop(venue);
        if let Some(report) = report {
            self.publish(now, |_| BrokerEvent::Order(report));
        }
        CancelOutcome::Confirmed
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let venue = self.venue();
        Ok(match order {
            OrderRef::Key(key) => venue.orders.get(key).map(|known| known.report.clone()),
            OrderRef::Venue(id) => venue
                .orders
                .values()
                .find(|known| known.report.broker_order_id == *id)
                .map(|known| known.report.clone()),
        })
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        let venue = self.venue();
        Ok(venue
            .exchange
            .resting()
            .filter_map(|(order, _)| venue.orders.get(&order.idempotency_key))
            .map(|known| known.report.clone())
            .collect())
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let fund = FundId::new(NAME)
            .map_err(|error| refused("positions", BrokerErrorKind::Internal, error.to_string()))?;
        Ok(self.venue().positions.positions(&fund))
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        let venue = self.venue();
        Ok(Account {
            base_currency: venue.config.base_currency,
            cash: venue.cash,
            equity: venue.cash + venue.positions.market_value(),
            buying_power: None,
            asof: venue.now,
        })
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        let venue = self.venue();
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let (position, first) = match after {
            Some(cursor) => {
                let (position, lost) = history.after(&cursor);
                (position, if lost { vec![history.gap()] } else { Vec::new() })
            }
            None => {
                let open = venue.exchange.resting().filter_map(|(order, _)| {
                    let known = venue.orders.get(&order.idempotency_key)?;
                    Some(BrokerEvent::Order(known.report.clone()))
                });
                (history.next(), open.collect())
            }
        };
        drop(history);
        Box::pin(HistoryStream::new(Arc::clone(&self.history), position, first))
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let venue = self.venue();
        let check = |name: &str, detail: String| Check { name: SmolStr::new(name), ok: true, detail };
        let book = match symbol {
            Some(symbol) => venue.positions.get(symbol).map_or_else(
                || format!("{symbol}: no position"),
                |held| format!("{symbol}: last {}", held.last_price),
            ),
            None => format!("{} resting orders", venue.exchange.resting().len()),
        };
        vec![
            check("API reachable", "in this process".to_owned()),
            check("auth", "none needed".to_owned()),
            check("account info", format!("{} {}", venue.cash, venue.config.base_currency)),
            check("order book", book),
            check("time skew", "drift=0ms".to_owned()),
            check("event stream", "push".to_owned()),
            check("key permissions", "no keys".to_owned()),
        ]
    }
}

impl SimulatedBroker for PaperBroker {
    fn set_time(&self, now: Timestamp) {
        let mut venue = self.venue();
        venue.now = venue.now.max(now);
    }

    fn on_bars(&self, bars: &[Bar]) {
        let mut venue = self.venue();
        for bar in bars {
            venue.now = venue.now.max(bar.timestamp);
        }
        let mut events = Vec::new();
        venue.exchange.on_bars(bars, &mut events);
        self.settle(&mut venue, events);
        for bar in bars {
            // Only a value out of range refuses a mark; the venue's own books then keep the older price.
            venue.positions.mark(&bar.symbol, bar.close).unwrap_or_default();
        }
    }

    fn on_session_close(&self) {
        let mut venue = self.venue();
        let mut events = Vec::new();
        let now = venue.now;
        venue.exchange.on_session_close(now, &mut events);
        self.settle(&mut venue, events);
    }

    fn restore(&self, open: &[OrderRecord], fills: &[Fill], cash: Decimal) -> Result<(), BrokerError> {
        let mut venue = self.venue();
        for fill in fills {
            let multiplier = venue.config.multipliers.get(&fill.symbol).copied().unwrap_or(Decimal::ONE);
            let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
            venue
                .positions
                .apply(symbol, *side, *quantity, *price, multiplier, *timestamp)
                .map_err(|error| refused("restore", BrokerErrorKind::InvalidRequest, error.to_string()))?;
        }
        venue.cash = cash;
        self.history.lock().unwrap_or_else(PoisonError::into_inner).resume_after(fills.len() as u64);
        for record in open {
            let order = record.order.clone();
            let Some(id) = order.broker_order_id.clone() else {
                let message = format!("order {} has no venue id; it was never accepted here", order.order_id);
                return Err(refused("restore", BrokerErrorKind::InvalidRequest, message));
            };
            let since = order.accepted_at.unwrap_or(order.created_at);
            venue.now = venue.now.max(since);
            venue
                .exchange
                .submit(order.clone(), record.remaining(), since)
                .map_err(|error| refused("restore", BrokerErrorKind::InvalidRequest, error.to_string()))?;
            venue.know(order, id, record.filled, record.fills, record.average_price);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Interval, Side};
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    /// Polls a future that must be ready at once.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        let mut future = Box::pin(future);
        match Pin::new(&mut future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("the paper broker answers at once"),
        }
    }

    fn drain(stream: &mut BrokerEventStream<'_>) -> Vec<BrokerEvent> {
        let mut events = Vec::new();
        while let Poll::Ready(Some(event)) =
            stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop()))
        {
            events.push(event.unwrap());
        }
        events
    }

    fn order(key: &str, quantity: i64) -> Order {
        Order::builder()
            .order_id(format!("o-{key}"))
            .idempotency_key(key)
            .symbol("AAPL")
            .side(Side::Buy)
            .quantity(Decimal::from(quantity))
            .order_type(OrderType::Market)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::from_millis(1))
            .build()
            .unwrap()
    }

    fn bar(price: i64) -> Bar {
        let time = Timestamp::from_millis(86_400_000);
        Bar::close_only(Symbol::new("AAPL").unwrap(), Interval::DAY, Decimal::from(price), time)
    }

    fn connected() -> PaperBroker {
        let broker = PaperBroker::new(PaperConfig::default()).unwrap();
        ready(Broker::connect(&broker)).unwrap();
        broker
    }

    fn accepted(outcome: SubmitOutcome) -> Order {
        match outcome {
            SubmitOutcome::Accepted(order) => order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_order_is_accepted_once_and_fills_with_fees() {
        let broker = connected();
        let mut stream = Broker::events(&broker, None);
        let first = accepted(ready(Broker::submit(&broker, &order("k", 10))));
        assert!(first.submitted_at.is_some());
        let id = first.broker_order_id.clone().unwrap();
        assert_eq!((id.as_str().len(), &id.as_str()[..6]), (14, "PAPER-"));
        assert_eq!(accepted(ready(Broker::submit(&broker, &order("k", 10)))), first);
        assert!(matches!(ready(Broker::submit(&broker, &order("k", 11))), SubmitOutcome::Rejected { .. }));
        broker.on_bars(&[bar(100)]);
        let events = drain(&mut stream);
        let [BrokerEvent::Fill { fill, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(
            (fill.quantity, fill.price, fill.fees),
            (Decimal::TEN, Decimal::from(100), "0.5".parse().unwrap())
        );
        let account = ready(Broker::account(&broker)).unwrap();
        assert_eq!((account.cash, account.equity), ("98999.5".parse().unwrap(), "99999.5".parse().unwrap()));
        assert_eq!(
            accepted(ready(Broker::submit(&broker, &order("k", 10)))),
            first,
            "still known after its end"
        );
        assert!(ready(Broker::open_orders(&broker)).unwrap().is_empty());
    }

    #[test]
    fn an_order_handed_over_again_after_a_crash_gives_the_same_fill() {
        let run = |restart: bool| {
            let broker = connected();
            let first = accepted(ready(Broker::submit(&broker, &order("k", 10))));
            let broker = if restart {
                let mut record = OrderRecord::new(first.clone());
                record.submit(first.created_at).unwrap();
                record.accept(first.created_at, first.broker_order_id.clone().unwrap()).unwrap();
                let restored = connected();
                restored.restore(&[record], &[], Decimal::from(100_000)).unwrap();
                assert_eq!(accepted(ready(Broker::submit(&restored, &order("k", 10)))), first);
                restored
            } else {
                broker
            };
            let mut stream = Broker::events(&broker, None);
            assert_eq!(drain(&mut stream).len(), 1, "the open order comes first");
            broker.on_bars(&[bar(100)]);
            drain(&mut stream)
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn cancelling_is_idempotent_and_confirmed_only_when_it_is() {
        let broker = connected();
        let order = accepted(ready(Broker::submit(&broker, &order("k", 10))));
        let reference = BrokerOrderRef {
            order_id: order.order_id.clone(),
            idempotency_key: order.idempotency_key.clone(),
            broker_order_id: order.broker_order_id.clone().unwrap(),
            symbol: order.symbol.clone(),
        };
        assert_eq!(ready(Broker::cancel(&broker, &reference)), CancelOutcome::Confirmed);
        assert_eq!(ready(Broker::cancel(&broker, &reference)), CancelOutcome::Confirmed);
        let filled = accepted(ready(Broker::submit(&broker, &self::order("j", 1))));
        broker.on_bars(&[bar(5)]);
        let late = BrokerOrderRef { idempotency_key: filled.idempotency_key.clone(), ..reference.clone() };
        assert_eq!(
            ready(Broker::cancel(&broker, &late)),
            CancelOutcome::TooLate { state: OrderState::Filled }
        );
        let unknown = BrokerOrderRef { idempotency_key: IdempotencyKey::new("x").unwrap(), ..reference };
        assert_eq!(ready(Broker::cancel(&broker, &unknown)), CancelOutcome::NotFound);
    }

    #[test]
    fn a_stream_resumes_after_its_cursor_and_sees_what_it_missed_as_a_gap() {
        let broker = connected();
        for (number, key) in ["a", "b", "c"].iter().enumerate() {
            accepted(ready(Broker::submit(&broker, &order(key, 1 + number as i64))));
        }
        let mut all = Broker::events(&broker, None);
        broker.on_bars(&[bar(5)]);
        let fills: Vec<_> =
            drain(&mut all).into_iter().filter(|event| matches!(event, BrokerEvent::Fill { .. })).collect();
        let BrokerEvent::Fill { cursor, .. } = &fills[0] else { panic!() };
        let mut resumed = Broker::events(&broker, Some(cursor.clone()));
        assert_eq!(drain(&mut resumed), fills[1..]);
        let mut history = broker.history.lock().unwrap();
        for _ in 0..super::super::stream::MAX_EVENTS {
            let BrokerEvent::Fill { account, fill, fees, .. } = fills[0].clone() else { panic!() };
            let cursor = history.next_cursor().unwrap();
            history.push(Timestamp::EPOCH, BrokerEvent::Fill { account, cursor, fill, fees });
        }
        drop(history);
        let mut late = Broker::events(&broker, Some(cursor.clone()));
        assert!(matches!(drain(&mut late)[0], BrokerEvent::Gap { recoverable: false, .. }));
    }

    #[test]
    fn nothing_is_sent_before_connect() {
        let broker = PaperBroker::new(PaperConfig::default()).unwrap();
        assert!(matches!(ready(Broker::submit(&broker, &order("k", 1))), SubmitOutcome::NotSent { .. }));
        let negative = PaperConfig { fee_bps_per_side: Decimal::NEGATIVE_ONE, ..PaperConfig::default() };
        assert!(PaperBroker::new(negative).is_err());
    }
}
