//! The fake venue of the file: an account that stands still, takes every order and forgets it.

use mts_foundation::broker::{
    BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Check, ErrorStatus,
    Health, OrderRef, SubmitOutcome,
};
use mts_foundation::num::as_written;
use mts_foundation::{
    Account, Broker, BrokerOrderId, Capabilities, Clock, Currency, Cursor, Decimal, FundId, Order,
    OrderReport, OrderState, Position, Symbol, Timestamp,
};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The clock of a scenario.
#[derive(Debug)]
pub(super) struct ScenarioClock(AtomicI64);

impl ScenarioClock {
    pub(super) fn at(time: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.nanos())))
    }

    pub(super) fn set(&self, time: Timestamp) {
        self.0.store(time.nanos(), Ordering::SeqCst);
    }
}

impl Clock for ScenarioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Debug, Clone)]
pub(super) struct HeldUnits {
    pub(super) symbol: Symbol,
    pub(super) quantity: Decimal,
    pub(super) entry: Decimal,
    pub(super) price: Decimal,
}

#[derive(Debug)]
pub(super) struct Inside {
    /// `None`: asking for it fails.
    pub(super) equity: Option<Decimal>,
    pub(super) positions: Vec<HeldUnits>,
    pub(super) resting: Vec<OrderReport>,
    /// Orders that were sent: they do nothing more.
    pub(super) sent: Vec<Order>,
    pub(super) raises: bool,
}

#[derive(Debug)]
pub(super) struct ScenarioVenue {
    capabilities: Capabilities,
    clock: Arc<ScenarioClock>,
    inside: Mutex<Inside>,
}

impl ScenarioVenue {
    pub(super) fn new(clock: &Arc<ScenarioClock>, equity: f64) -> Arc<Self> {
        Arc::new(Self {
            capabilities: Capabilities::none(),
            clock: clock.clone(),
            inside: Mutex::new(Inside {
                equity: as_written(equity),
                positions: Vec::new(),
                resting: Vec::new(),
                sent: Vec::new(),
                raises: false,
            }),
        })
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report of an order that rests or has ended without a fill.
fn report(order: &Order, state: OrderState, now: Timestamp) -> Option<OrderReport> {
    Some(OrderReport {
        broker_order_id: order.broker_order_id.clone()?,
        order_id: Some(order.order_id.clone()),
        idempotency_key: Some(order.idempotency_key.clone()),
        symbol: order.symbol.clone(),
        side: order.side,
        order_type: order.order_type,
        quantity: order.quantity,
        filled: Decimal::ZERO,
        average_price: None,
        state,
        reason: None,
        timestamp: now,
    })
}

impl Broker for ScenarioVenue {
    fn name(&self) -> &str {
        "scenario"
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn connect(&self) -> Result<(), BrokerError> {
        Ok(())
    }
    async fn close(&self) -> Result<(), BrokerError> {
        Ok(())
    }
    async fn health(&self) -> Health {
        Health { connected: true, since: None, clock_skew_ms: None, token_expires: None }
    }
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let now = self.clock.now();
        let mut inside = self.inside();
        if inside.raises {
            return SubmitOutcome::NotSent { reason: "not connected".into() };
        }
        let Ok(id) = BrokerOrderId::new(format!("B-{}", inside.sent.len().saturating_add(1))) else {
            return SubmitOutcome::NotSent { reason: "no id".into() };
        };
        let accepted = order.clone().accepted(now, id);
        inside.sent.push(accepted.clone());
        SubmitOutcome::Accepted(accepted)
    }
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let mut inside = self.inside();
        let place = inside.resting.iter().position(|open| open.broker_order_id == order.broker_order_id);
        match place {
            Some(place) => {
                inside.resting.remove(place);
                CancelOutcome::Confirmed
            }
            None => CancelOutcome::NotFound,
        }
    }
    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let inside = self.inside();
        let found = inside.sent.iter().find(|sent| match order {
            OrderRef::Venue(id) => sent.broker_order_id.as_ref() == Some(id),
            OrderRef::Key(key) => sent.idempotency_key == *key,
        });
        Ok(found.and_then(|sent| report(sent, OrderState::Expired, self.clock.now())))
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        Ok(self.inside().resting.clone())
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let now = self.clock.now();
        let fund_id = FundId::new("account").map_err(|error| {
            BrokerError::new(
                "positions",
                BrokerErrorKind::Internal,
                ErrorStatus::Permanent,
                error.to_string(),
            )
        })?;
        let position = |held: &HeldUnits| Position {
            fund_id: fund_id.clone(),
            symbol: held.symbol.clone(),
            quantity: held.quantity,
            avg_price: held.entry,
            last_price: held.price,
            market_value_usd: held.quantity * held.price,
            unrealized_pl_usd: Decimal::ZERO,
            realized_pl_ytd_usd: Decimal::ZERO,
            last_updated: now,
            tax_lots: Vec::new(),
        };
        Ok(self.inside().positions.iter().map(position).collect())
    }
    async fn account(&self) -> Result<Account, BrokerError> {
        let equity = self.inside().equity.ok_or_else(|| {
            BrokerError::new(
                "account",
                BrokerErrorKind::VenueDown,
                ErrorStatus::Temporary,
                "account unavailable",
            )
        })?;
        let base_currency = Currency::USD;
        Ok(Account { base_currency, cash: equity, equity, buying_power: None, asof: self.clock.now() })
    }
    fn events(&self, _after: Option<Cursor>) -> BrokerEventStream<'_> {
        Box::pin(Nothing)
    }
    async fn diagnose(&self, _symbol: Option<&Symbol>) -> Vec<Check> {
        Vec::new()
    }
}

struct Nothing;

impl futures_core::Stream for Nothing {
    type Item = Result<mts_foundation::BrokerEvent, BrokerError>;
    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(None)
    }
}
