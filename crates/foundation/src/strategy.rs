//! Strategies: a frozen view in, a list of commands out (decision S1).

use crate::algorithm::AlgorithmRequest;
use crate::broker_handle::HandleStrategy;
use crate::calendar::{MarketCalendar, Session};
use crate::contingent::OrderGroup;
use crate::event::Event;
use crate::ids::{ActorId, BrokerName, FundId, OrderId, StrategyId};
use crate::key::IdempotencyKey;
use crate::ledger::FundBook;
use crate::market::{Bar, FundingRate, Quote, Trade};
use crate::num::{Decimal, MAX_QUANTITY, exact, exact_option};
use crate::order::{Order, OrderFields, OrderType, Side, TimeInForce};
use crate::order_builder::{OrderBuilder, OrderFault, OrderFaults, positive, prices_by_type, trimmed};
use crate::order_record::OrderRecord;
use crate::signal::TargetSet;
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;

/// What a strategy sees: frozen for the duration of the call.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The present instant of the run.
    pub time: Timestamp,
    /// The session the data belongs to, where there is a calendar.
    pub session: Option<&'a Session>,
    /// The calendar of the run.
    pub calendar: Option<&'a MarketCalendar>,
    /// The bars that ended now, at most one per symbol, in symbol order.
    pub bars: &'a [Bar],
    /// The quote that came now, where it was one.
    pub quotes: &'a [Quote],
    /// The print that came now, where it was one.
    pub trades: &'a [Trade],
    /// The bars that take the place of ones that came before.
    pub revised: &'a [Bar],
    /// The funding rate that came now, where it was one.
    pub funding: &'a [FundingRate],
    /// The fund it trades for.
    pub fund_id: &'a FundId,
    /// Cash, positions and exposures of that fund.
    pub book: &'a FundBook,
    /// Orders of the fund that have not ended, by order id.
    pub open_orders: &'a [&'a OrderRecord],
}

impl View<'_> {
    /// Net asset value of the fund.
    #[must_use]
    pub fn nav(&self) -> Decimal {
        self.book.nav()
    }

    /// Whether the session is the last of its calendar month; false without a session or beyond the calendar.
    #[must_use]
    pub fn is_last_session_of_month(&self) -> bool {
        match (self.calendar, self.session) {
            (Some(calendar), Some(session)) => {
                calendar.is_last_session_of_month(session.date).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Whether the session is the last of its calendar week; false without a session or beyond the calendar.
    #[must_use]
    pub fn is_last_session_of_week(&self) -> bool {
        match (self.calendar, self.session) {
            (Some(calendar), Some(session)) => {
                calendar.is_last_session_of_week(session.date).unwrap_or(false)
            }
            _ => false,
        }
    }
}

/// An order as a strategy asks for it; ids, fund, broker and actor are the engine's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRequest {
    /// Dedupe key; absent = made of fund, strategy, time, symbol and side.
    #[serde(default)]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Instrument.
    pub symbol: Symbol,
    /// Direction and effect.
    pub side: Side,
    /// Units, greater than zero.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Pricing; `market` unless given.
    #[serde(default = "market")]
    pub order_type: OrderType,
    /// For types that take one.
    #[serde(with = "exact_option", default)]
    pub limit_price: Option<Decimal>,
    /// For types that take one.
    #[serde(with = "exact_option", default)]
    pub stop_price: Option<Decimal>,
    /// Lifetime; `day` unless given.
    #[serde(default = "day")]
    pub tif: TimeInForce,
    /// May trade outside regular hours.
    #[serde(default)]
    pub extended_hours: bool,
    /// Why; logged, so no personal data.
    #[serde(default)]
    pub thesis: Option<SmolStr>,
}

fn market() -> OrderType {
    OrderType::Market
}

fn day() -> TimeInForce {
    TimeInForce::Day
}

impl OrderRequest {
    /// A market order for the session.
    #[must_use]
    pub fn market(symbol: Symbol, side: Side, quantity: Decimal) -> Self {
        Self {
            idempotency_key: None,
            symbol,
            side,
            quantity,
            order_type: OrderType::Market,
            limit_price: None,
            stop_price: None,
            tif: TimeInForce::Day,
            extended_hours: false,
            thesis: None,
        }
    }

    /// An order with what is asked for; ids, key, fund, strategy, broker, actor and time are still to be given.
    #[must_use]
    pub fn builder(&self) -> OrderBuilder {
        let mut builder = Order::builder()
            .symbol(self.symbol.as_str())
            .side(self.side)
            .quantity(self.quantity)
            .order_type(self.order_type)
            .tif(self.tif)
            .extended_hours(self.extended_hours);
        if let Some(price) = self.limit_price {
            builder = builder.limit_price(price);
        }
        if let Some(price) = self.stop_price {
            builder = builder.stop_price(price);
        }
        if let Some(thesis) = &self.thesis {
            builder = builder.thesis(thesis);
        }
        builder
    }

    /// The order that is asked for, by the rules of [`OrderBuilder::build`]; names that were checked before are not checked
    /// again.
    ///
    /// # Errors
    /// [`OrderFaults`] with all faults, in field order.
    pub fn order(&self, identity: OrderIdentity) -> Result<Order, OrderFaults> {
        let mut faults = Vec::new();
        positive(&mut faults, "quantity", Some(self.quantity), MAX_QUANTITY);
        prices_by_type(&mut faults, self.order_type, self.limit_price, self.stop_price);
        if !faults.is_empty() {
            return Err(OrderFaults(faults));
        }
        let OrderIdentity { order_id, idempotency_key, fund_id, strategy_id, broker, actor, created_at } =
            identity;
        Ok(Order(Arc::new(OrderFields {
            order_id,
            idempotency_key,
            symbol: self.symbol.clone(),
            side: self.side,
            quantity: self.quantity,
            order_type: self.order_type,
            limit_price: self.limit_price,
            stop_price: self.stop_price,
            tif: self.tif,
            fund_id,
            strategy_id,
            broker,
            actor,
            extended_hours: self.extended_hours,
            nav_usd: None,
            thesis: self.thesis.as_deref().and_then(trimmed),
            created_at,
            submitted_at: None,
            accepted_at: None,
            canceled_at: None,
            rejected_reason: None,
            broker_order_id: None,
        })))
    }

    /// What is wrong with it, by the rules of orders (decision O1); nothing where an order can be made of it.
    #[must_use]
    pub fn faults(&self) -> Vec<OrderFault> {
        const ANY: &str = "any";
        let order = self
            .builder()
            .order_id(ANY)
            .idempotency_key(ANY)
            .fund_id(ANY)
            .strategy_id(ANY)
            .broker(ANY)
            .actor(ANY)
            .created_at(Timestamp::EPOCH);
        order.build().err().map(|faults| faults.0).unwrap_or_default()
    }
}

/// Whose an order is and what it is called: what the engine adds to an [`OrderRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderIdentity {
    /// Our id.
    pub order_id: OrderId,
    /// The dedupe key.
    pub idempotency_key: IdempotencyKey,
    /// Owner of the resulting position.
    pub fund_id: FundId,
    /// Who wants it.
    pub strategy_id: StrategyId,
    /// Registry key of the broker.
    pub broker: BrokerName,
    /// Audit identity.
    pub actor: ActorId,
    /// When the intent was made.
    pub created_at: Timestamp,
}

/// One thing a strategy wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Command {
    /// Send an order.
    Submit(OrderRequest),
    /// Cancel an order.
    Cancel(OrderId),
    /// Cancel the fund's working orders in an instrument and close what is then held.
    Close(Symbol),
    /// Reach these weights; what is held and not named is sold.
    Targets(TargetSet),
    /// Send orders that depend on each other.
    Group(OrderGroup),
    /// Have an order worked by an execution algorithm.
    Algorithm(AlgorithmRequest),
}

/// Most commands of one call; a runaway strategy is stopped here.
pub const MAX_COMMANDS: usize = 10_000;

/// The list a strategy writes its wishes to.
#[derive(Debug, Default)]
pub struct Commands {
    list: Vec<Command>,
    dropped: usize,
}

impl Commands {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a command. Beyond [`MAX_COMMANDS`] it is dropped and counted; the engine treats that as an error of the
    /// strategy.
    pub fn push(&mut self, command: Command) {
        if self.list.len() < MAX_COMMANDS {
            self.list.push(command);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Asks for target weights.
    pub fn targets(&mut self, targets: TargetSet) {
        self.push(Command::Targets(targets));
    }

    /// Asks for an order.
    pub fn submit(&mut self, order: OrderRequest) {
        self.push(Command::Submit(order));
    }

    /// Asks for a cancellation.
    pub fn cancel(&mut self, order_id: OrderId) {
        self.push(Command::Cancel(order_id));
    }

    /// Asks for orders that depend on each other.
    pub fn group(&mut self, group: OrderGroup) {
        self.push(Command::Group(group));
    }

    /// Asks for an order that an execution algorithm works.
    pub fn algorithm(&mut self, request: AlgorithmRequest) {
        self.push(Command::Algorithm(request));
    }

    /// Asks for a position to be closed.
    pub fn close(&mut self, symbol: Symbol) {
        self.push(Command::Close(symbol));
    }

    /// How many commands were dropped.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.dropped == 0
    }

    /// The commands, in the order they were given.
    #[must_use]
    pub fn into_list(self) -> Vec<Command> {
        self.list
    }
}

/// A strategy's own error.
pub type StrategyError = Box<dyn std::error::Error + Send + Sync>;

/// A trading strategy. It sees data and events, and answers with commands; it never touches a broker. Commands are
/// journalled as inputs, so that a replay needs no strategy.
pub trait Strategy: Send {
    /// Who it is; part of every order and key.
    fn id(&self) -> &StrategyId;

    /// Data from before the run, or from before a restart: remember what is needed, command nothing.
    ///
    /// # Errors
    /// The strategy's own.
    fn warm_up(&mut self, bars: &[Bar]) -> Result<(), StrategyError> {
        let _ignored = bars;
        Ok(())
    }

    /// The run begins; not called again when a run is continued after a crash.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_start(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        let _ignored = (view, commands);
        Ok(())
    }

    /// Bars have ended.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_data(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError>;

    /// An order of the fund changed.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_order_event(
        &mut self,
        view: &View<'_>,
        event: &Event,
        commands: &mut Commands,
    ) -> Result<(), StrategyError> {
        let _ignored = (view, event, commands);
        Ok(())
    }

    /// The run ends.
    ///
    /// # Errors
    /// The strategy's own.
    fn on_end(&mut self, view: &View<'_>, commands: &mut Commands) -> Result<(), StrategyError> {
        let _ignored = (view, commands);
        Ok(())
    }

    /// The strategy behind, where it talks with its broker instead of giving commands; shells ask it first.
    fn with_handle(&mut self) -> Option<&mut dyn HandleStrategy> {
        None
    }

    /// Memory to be journalled, for strategies that warm-up cannot rebuild.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes back what [`Strategy::save`] gave.
    ///
    /// # Errors
    /// The strategy's own.
    fn restore(&mut self, memory: &[u8]) -> Result<(), StrategyError> {
        let _ignored = memory;
        Ok(())
    }
}
