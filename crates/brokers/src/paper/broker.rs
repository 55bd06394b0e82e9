//! The broker itself: the venue behind the broker trait.

use super::ids::{broker_order_id, hash_of};
use super::stream::{History, HistoryStream};
use super::venue::{Told, Venue};
use super::{InvalidPaperConfig, PaperConfig};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, FillStream, Health, OrderChange, OrderRef, ReplaceOutcome, SimulatedBroker,
    SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{
    Account, AccountId, AssetClass, Bar, Decimal, Fill, FundId, Order, OrderRecord, OrderState, OrderType,
    Position, Quote, Side, Symbol, TimeInForce, Timestamp, Trade, VenueName,
};
use mts_matching::{CancelAnswer, Exchange, MatchEvent, ReplaceAnswer, Shorting};
use smol_str::SmolStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// [`BrokerError`] when a setting is out of range.
    pub fn new(config: PaperConfig) -> Result<Self, BrokerError> {
        let invalid = |error: InvalidPaperConfig| refused("new", error.to_string());
        config.fees.validate().map_err(|error| invalid(error.into()))?;
        let exchange = Exchange::new(config.exchange.clone()).map_err(|error| invalid(error.into()))?;
        let internal = |error: mts_foundation::ids::InvalidId| {
            BrokerError::new("new", BrokerErrorKind::Internal, ErrorStatus::Permanent, error.to_string())
        };
        Ok(Self {
            capabilities: capabilities(&config),
            account: AccountId::new(NAME).map_err(internal)?,
            venue_name: VenueName::new(NAME).map_err(internal)?,
            venue: Mutex::new(Venue::new(config, exchange)),
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
            match venue.book(event, &self.venue_name) {
                Some((time, Told::Fill(fill))) => self.publish(time, |cursor| BrokerEvent::Fill {
                    account: self.account.clone(),
                    cursor,
                    fill,
                    fees: FeeStatus::Known,
                }),
                Some((time, Told::Report(report))) => self.publish(time, |_| BrokerEvent::Order(report)),
                None => {}
            }
        }
    }

    /// Lets the exchange do something and settles what comes of it.
    fn drive<T>(&self, venue: &mut Venue, act: impl FnOnce(&mut Exchange, &mut Vec<MatchEvent>) -> T) -> T {
        let mut events = Vec::new();
        let answer = act(&mut venue.exchange, &mut events);
        venue.now = venue.now.max(venue.exchange.now());
        self.settle(venue, events);
        answer
    }
}

/// What this configuration can do, and no more.
fn capabilities(config: &PaperConfig) -> Capabilities {
    let mut capabilities = Capabilities::none();
    let tifs = |kind: OrderType| {
        TimeInForce::ALL.iter().copied().filter(move |tif| Exchange::takes(kind, *tif)).collect()
    };
    capabilities.order_types = OrderType::ALL.iter().map(|kind| (*kind, tifs(*kind))).collect();
    capabilities.asset_classes = AssetClass::ALL.to_vec();
    capabilities.shorting = config.exchange.shorting != Shorting::Refused;
    capabilities.extended_hours = true;
    capabilities.client_id_dedupe = true;
    capabilities.replace = true;
    capabilities.fill_stream = FillStream::Push;
    capabilities.gtc_max_days = config.exchange.gtc_max_days;
    capabilities.sandbox = true;
    capabilities.margin = !config.exchange.check_funds;
    capabilities
}

pub(super) fn refused(op: &'static str, message: impl Into<String>) -> BrokerError {
    BrokerError::new(op, BrokerErrorKind::InvalidRequest, ErrorStatus::Permanent, message)
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
        if order.side == Side::Short && !self.capabilities.shorting {
            let reason = "the paper broker is set to take no short sales".into();
            return SubmitOutcome::NotSent { reason };
        }
        let taken = |id: &_| venue.known_as(id).is_some();
        let hash = hash_of(&order.idempotency_key);
        let Some(id) = broker_order_id(&hash, taken) else {
            return SubmitOutcome::NotSent { reason: "no venue id can be made of this key".into() };
        };
        let now = venue.now.max(order.created_at);
        venue.now = now;
        let standing = venue.standing(order);
        let accepted = order.clone().submitted(now).accepted(now, id.clone());
        // The order is known before it can fill.
        venue.know(accepted.clone(), id, &hash);
        let taken =
            self.drive(&mut venue, |exchange, events| exchange.submit(order.clone(), &standing, now, events));
        if let Err(reason) = taken {
            venue.forget(&order.idempotency_key);
            return SubmitOutcome::Rejected { reason: SmolStr::new(reason.to_string()) };
        }
        SubmitOutcome::Accepted(accepted)
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let mut venue = self.venue();
        let now = venue.now;
        let Some(known) = venue.orders.get(&order.idempotency_key) else { return CancelOutcome::NotFound };
        let resting = known.order.clone();
        let answer =
            self.drive(&mut venue, |exchange, events| exchange.cancel(&resting.order_id, now, events));
        match answer {
            CancelAnswer::Cancelled(_) => {
                if let Some(report) = venue.change(&resting, OrderState::Canceled, None, now) {
                    self.publish(now, |_| BrokerEvent::Order(report));
                }
                CancelOutcome::Confirmed
            }
            CancelAnswer::UnderWay => CancelOutcome::Unknown {
                cause: "the cancellation is under way to the simulated market; its event tells".into(),
            },
            CancelAnswer::NotWorking => match venue.orders.get(&order.idempotency_key) {
                Some(known) if known.report.state == OrderState::Canceled => CancelOutcome::Confirmed,
                Some(known) => CancelOutcome::TooLate { state: known.report.state },
                None => CancelOutcome::NotFound,
            },
        }
    }

    async fn replace(&self, order: &BrokerOrderRef, change: &OrderChange) -> ReplaceOutcome {
        let mut venue = self.venue();
        let now = venue.now;
        let Some(known) = venue.orders.get(&order.idempotency_key) else {
            return ReplaceOutcome::Rejected { reason: "the paper broker does not know the order".into() };
        };
        let (order_id, id) = (known.order.order_id.clone(), known.report.broker_order_id.clone());
        let standing = venue.standing(&known.order);
        let mut events = Vec::new();
        let answer = venue.exchange.replace(&order_id, change, &standing, now, &mut events);
        if answer == ReplaceAnswer::Replaced
            && let (Some(quantity), Some(known)) =
                (change.quantity, venue.orders.get_mut(&order.idempotency_key))
        {
            known.report.quantity = quantity;
        }
        self.settle(&mut venue, events);
        match answer {
            ReplaceAnswer::Replaced => ReplaceOutcome::Replaced(id),
            ReplaceAnswer::UnderWay => ReplaceOutcome::Unknown {
                cause: "the change is under way to the simulated market; its event tells".into(),
            },
            ReplaceAnswer::Rejected(reason) => {
                ReplaceOutcome::Rejected { reason: SmolStr::new(reason.to_string()) }
            }
        }
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        let venue = self.venue();
        Ok(match order {
            OrderRef::Key(key) => venue.orders.get(key).map(|known| known.report.clone()),
            OrderRef::Venue(id) => venue.known_as(id).map(|known| known.report.clone()),
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
        let fund = FundId::new(NAME).map_err(|error| refused("positions", error.to_string()))?;
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
                let mut first = history.fills();
                let open = venue.exchange.resting().filter_map(|(order, _)| {
                    let known = venue.orders.get(&order.idempotency_key)?;
                    Some(BrokerEvent::Order(known.report.clone()))
                });
                first.extend(open);
                (history.next(), first)
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
        self.drive(&mut venue, |exchange, events| exchange.set_time(now, events));
    }

    fn on_bars(&self, bars: &[Bar]) {
        let mut venue = self.venue();
        self.drive(&mut venue, |exchange, events| exchange.on_bars(bars, events));
        for bar in bars {
            venue.mark(&bar.symbol, bar.close);
        }
    }

    fn on_quote(&self, quote: &Quote) {
        let mut venue = self.venue();
        self.drive(&mut venue, |exchange, events| exchange.on_quote(quote, events));
        // Only what is held has a value.
        if venue.holds(&quote.symbol) && quote.is_sane() {
            venue.mark(&quote.symbol, quote.mid());
        }
    }

    fn on_trade(&self, trade: &Trade) {
        let mut venue = self.venue();
        self.drive(&mut venue, |exchange, events| exchange.on_trade(trade, events));
        venue.mark(&trade.symbol, trade.price);
    }

    fn on_session(&self, phase: SessionPhase, time: Timestamp) {
        let mut venue = self.venue();
        self.drive(&mut venue, |exchange, events| exchange.on_session(phase, time, events));
    }

    fn on_session_close(&self) {
        let mut venue = self.venue();
        let now = venue.now;
        self.drive(&mut venue, |exchange, events| exchange.on_session_close(now, events));
    }

    fn restore(&self, open: &[OrderRecord], fills: &[Fill], cash: Decimal) -> Result<(), BrokerError> {
        let mut venue = self.venue();
        self.history.lock().unwrap_or_else(PoisonError::into_inner).resume_after(fills.len() as u64);
        venue.restore(open, fills, cash)
    }
}
