//! The deterministic machine.

mod accounts;
mod algorithms;
mod asking;
mod blocking;
mod broker_events;
mod clock;
mod closing;
mod commands;
mod comparing;
mod corporate;
mod fill_memory;
mod groups;
mod idempotency;
mod kin;
mod movements;
mod operator;
mod orders;
mod rebalance;
mod snapshot;
mod state;
mod timers;
mod unknown;

use crate::input::{Input, MarkUpdate};
use crate::output::{Action, Output};
pub use accounts::{AccountStanding, ForeignOrder};
use chrono::NaiveDate;
pub use idempotency::KeyVerdict;
use mts_foundation::broker::BrokerOrderRef;
use mts_foundation::event::Event;
use mts_foundation::fund::NavSnapshot;
use mts_foundation::ledger::{LedgerError, MarkKind};
use mts_foundation::num::{MAX_PRICE, fault_of_positive};
use mts_foundation::risk::{RiskAction, RiskEvent, RiskMachine, SessionPhase};
use mts_foundation::sizing::TargetPlanner;
use mts_foundation::{
    ActorId, BrokerName, Decimal, FundConfig, FundId, InstrumentTable, Ledger, OrderId, OrderRecord,
    OrderState, StrategyId, Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
pub use snapshot::RestoreError;
pub use state::{Counters, Progress, Sizes, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// One fund and the cash it begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct FundSetup {
    /// The fund.
    pub config: FundConfig,
    /// Cash at the start.
    pub initial_cash: Decimal,
}

/// What the core is made of, apart from its state.
#[derive(Debug, Clone, PartialEq)]
pub struct CoreConfig {
    /// The funds.
    pub funds: Vec<FundSetup>,
    /// The instruments.
    pub instruments: InstrumentTable,
    /// Sessions bound trading: gate 7 is on and orders wait for the next open.
    pub sessions: bool,
    /// How long the same key silently returns the stored record; 5 minutes as documented.
    pub idempotency_window: Duration,
    /// How long a key is remembered at all; 24 hours by default.
    pub key_memory: Duration,
    /// What matters of each venue when an answer is missing; a venue that is not named promises nothing.
    pub venues: BTreeMap<BrokerName, VenueFacts>,
    /// Orders that open or grow a position wait for asynchronous gates (decision R11): [`Action::Ask`] asks them. Off by
    /// default.
    pub async_gates: bool,
}

/// What matters of a venue when an answer is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFacts {
    /// It refuses a second order with the same client id, so that sending again is safe (decision O7).
    pub client_id_dedupe: bool,
    /// How long an order may take to appear there; earlier answers that it is not known prove nothing.
    pub settle: Duration,
    /// How old an order may be to be sent again; an older one was meant for another market.
    pub resend_within: Duration,
}

impl Default for VenueFacts {
    fn default() -> Self {
        Self {
            client_id_dedupe: false,
            settle: Duration::from_secs(2),
            resend_within: Duration::from_secs(30),
        }
    }
}

impl CoreConfig {
    /// The documented windows, sessions on.
    #[must_use]
    pub fn new(funds: Vec<FundSetup>, instruments: InstrumentTable) -> Self {
        Self {
            funds,
            instruments,
            sessions: true,
            idempotency_window: Duration::from_secs(300),
            key_memory: Duration::from_secs(86_400),
            venues: BTreeMap::new(),
            async_gates: false,
        }
    }
}

/// Why the core cannot go on. It must not be used any more: the process ends, and the next one begins with the journal.
/// A broken invariant is not traded through.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The books refuse.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Time went back.
    #[error("time went back from {now} to {input}; inputs come in time order")]
    TimeWentBack {
        /// The core's time.
        now: Timestamp,
        /// The input's time.
        input: Timestamp,
    },
    /// An id that the core makes itself is not usable.
    #[error("an id cannot be made: {0}")]
    Id(#[from] mts_foundation::ids::InvalidId),
    /// Children of an order would be more than the order: the last gate before the venue.
    #[error(
        "order {order_id} would make the children of {parent} {children}, which is more than its {quantity}; it does not \
         leave"
    )]
    ChildrenExceedParent {
        /// The child that was about to leave.
        order_id: OrderId,
        /// Its parent.
        parent: OrderId,
        /// Σ of what children have filled and may still fill, this one included.
        children: Decimal,
        /// The parent's quantity.
        quantity: Decimal,
    },
}

/// The machine: configuration, gates, planner and state.
pub struct Core {
    config: CoreConfig,
    brokers: BTreeMap<FundId, BrokerName>,
    risk: Box<dyn RiskMachine>,
    planner: Box<dyn TargetPlanner>,
    state: State,
    tracing: bool,
    risk_actions: Vec<RiskAction>,
    /// Orders that changed in this step and belong to others; empty between steps, so no part of the state.
    touched: Vec<OrderId>,
    /// Orders that wait for an asynchronous gate and are not wanted any more; empty between steps, too.
    withdrawn: Vec<OrderId>,
    /// Room for the events of a step on their way into the chain; what it holds is no part of the state either.
    encoded: Vec<u8>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Core").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Core {
    /// A core at the beginning of time.
    ///
    /// # Errors
    /// [`CoreError`] when a fund is given twice.
    pub fn new(
        config: CoreConfig,
        risk: Box<dyn RiskMachine>,
        planner: Box<dyn TargetPlanner>,
    ) -> Result<Self, CoreError> {
        let mut ledger = Ledger::new();
        let mut brokers = BTreeMap::new();
        for fund in &config.funds {
            let FundConfig { fund_id, base_currency, broker, .. } = &fund.config;
            ledger.open_fund(fund_id.clone(), *base_currency, fund.initial_cash)?;
            brokers.insert(fund_id.clone(), broker.clone());
        }
        let state = State::new(ledger);
        let (risk_actions, touched, withdrawn, encoded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let tracing = false;
        Ok(Self { config, brokers, risk, planner, state, tracing, risk_actions, touched, withdrawn, encoded })
    }

    /// Whether every order's gates and sizing are written to [`Output::traces`].
    pub fn set_tracing(&mut self, on: bool) {
        self.tracing = on;
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The risk machine.
    #[must_use]
    pub fn risk(&self) -> &dyn RiskMachine {
        &*self.risk
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// SHA-256 over the whole state: orders, books, risk state, marks, counters and the chain of all events.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.state.bytes());
        hash.update(self.risk.snapshot());
        hash.finalize().into()
    }

    /// Whether a price must enter the core at once, because it trips something; changes nothing.
    #[must_use]
    pub fn would_trip(&self, symbol: &Symbol, price: Decimal) -> bool {
        self.risk.would_trip(symbol, price, &self.state.ledger, &self.config.instruments)
    }

    /// Takes one input. `output` is appended to, not cleared.
    ///
    /// # Errors
    /// [`CoreError`]: a broken invariant; the process must stop.
    pub fn step(&mut self, input: &Input, output: &mut Output) -> Result<(), CoreError> {
        let time = input.time();
        if time < self.state.now {
            return Err(CoreError::TimeWentBack { now: self.state.now, input: time });
        }
        self.state.now = time;
        self.state.inputs = self.state.inputs.saturating_add(1);
        let first_event = output.events.len();
        match input {
            Input::SessionOpen { date, time } => {
                self.state.session_opened = Some(*time);
                self.open_session(*date, output)?;
            }
            Input::Closes { marks, .. } => self.closes(marks, output)?,
            Input::Submitted { order_id, outcome, .. } => self.submitted(order_id, outcome, output)?,
            Input::Canceled { order_id, outcome, .. } => self.cancel_answered(order_id, outcome, output)?,
            Input::Broker { broker, event, .. } => self.broker_event(broker, event, output)?,
            Input::SessionClose { date, .. } => {
                self.close_session(*date, output);
                self.withdraw_all();
                self.algorithms_close(output)?;
            }
            Input::Decided { strategy_id, fund_id, commands, memory, .. } => {
                self.decided(strategy_id, fund_id, commands, memory.as_ref(), output)?;
            }
            Input::Operator { act, .. } => self.operate(act, output)?,
            Input::Started { .. } => self.started(output),
            Input::Timer { .. } => self.time_passed(output)?,
            Input::Marks { marks, .. } => self.marks(marks, output)?,
            Input::Connection { broker, connected, .. } => self.connection(broker, *connected, output),
            Input::LookedUp { order_id, answer, .. } => self.looked_up(order_id, answer, output)?,
            Input::AccountSeen { broker, answer, .. } => self.account_seen(broker, answer, output)?,
            Input::Volumes { volumes, .. } => self.volumes(volumes, output)?,
            Input::GateAnswered { order_id, answer, failures, .. } => {
                self.gate_answered(order_id, answer, failures, output)?;
            }
            Input::ClockWrong { fault, .. } => self.clock_is_wrong(*fault, output)?,
            Input::StalePrices { venue, symbols, time } => {
                self.state.ledger.set_stale(venue, symbols, *time);
            }
        }
        self.follow_up(output)?;
        self.send_waiting_closes(output)?;
        self.follow_up(output)?;
        self.state.chain_events(output.events.get(first_event..).unwrap_or_default(), &mut self.encoded);
        Ok(())
    }

    fn open_session(&mut self, date: NaiveDate, output: &mut Output) -> Result<(), CoreError> {
        self.state.session = Some(date);
        self.state.progress = Progress::Opened;
        self.state.counters.sessions = self.state.counters.sessions.saturating_add(1);
        self.state.forget(self.config.key_memory);
        self.risk_event(&RiskEvent::DayRolled { date }, output)?;
        self.send_waiting_orders(output)?;
        self.kin_open(output)?;
        self.advance_rebalances(output)
    }

    fn closes(&mut self, marks: &[MarkUpdate], output: &mut Output) -> Result<(), CoreError> {
        self.state.ledger.next_bar();
        self.state.progress = Progress::Marked;
        self.marks(marks, output)
    }

    fn marks(&mut self, marks: &[MarkUpdate], output: &mut Output) -> Result<(), CoreError> {
        self.end_horizons(output)?;
        for MarkUpdate { symbol, price } in marks {
            // Zero is a missing price, never a price (decision R7); the last one stands.
            if let Some(fault) = fault_of_positive(*price, MAX_PRICE) {
                let message = format!("the price of {symbol} is not taken: {fault}; correct the data");
                self.incident("BAD_PRICE", message, None, output);
                continue;
            }
            let (ledger, instruments) = (&mut self.state.ledger, &self.config.instruments);
            ledger.mark(instruments, symbol, *price, MarkKind::Close, self.state.now)?;
        }
        let symbol = match marks {
            [one] => Some(one.symbol.clone()),
            _ => None,
        };
        self.risk_event(&RiskEvent::Marked { symbol }, output)
    }

    fn close_session(&mut self, date: NaiveDate, output: &mut Output) {
        self.state.progress = Progress::Closed;
        for (fund_id, symbol, since) in self.newly_unpriced() {
            let message = format!(
                "fund {fund_id} holds {symbol}, which had no price in this session; it is valued at that of {since} until \
                 one comes"
            );
            self.incident("POSITION_WITHOUT_PRICE", message, None, output);
        }
        self.report_waiting_closes(output);
        for (fund_id, book) in self.state.ledger.funds() {
            let zero = Decimal::ZERO;
            let (long_usd, short_usd) =
                book.positions().iter().fold((zero, zero), |(long, short), (_, held)| {
                    let value = held.market_value();
                    if value > zero { (long + value, short) } else { (long, short + value) }
                });
            output.events.push(Event::NavUpdated(NavSnapshot {
                fund_id: fund_id.clone(),
                asof: date,
                nav_usd: book.nav(),
                cash_usd: book.cash(),
                long_usd,
                short_usd,
                positions: u32::try_from(book.positions().len()).unwrap_or(u32::MAX),
            }));
        }
    }

    /// Held instruments whose price is missing for the first time since their last one.
    fn newly_unpriced(&self) -> Vec<(FundId, Symbol, Timestamp)> {
        let ledger = &self.state.ledger;
        let missed = |symbol: &Symbol| {
            ledger
                .mark_of(symbol)
                .filter(|mark| mark.bar.saturating_add(1) == ledger.bars())
                .map(|mark| mark.time)
        };
        ledger
            .funds()
            .flat_map(|(fund_id, book)| book.positions().iter().map(move |(symbol, _)| (fund_id, symbol)))
            .filter_map(|(fund_id, symbol)| Some((fund_id.clone(), symbol.clone(), missed(symbol)?)))
            .collect()
    }

    /// Tells the risk machine what happened and carries out what it wants.
    fn risk_event(&mut self, event: &RiskEvent, output: &mut Output) -> Result<(), CoreError> {
        let mut actions = std::mem::take(&mut self.risk_actions);
        let refused = self.risk.apply(event, &self.state.ledger, self.state.now, &mut actions);
        if let Err(refusal) = refused {
            self.incident("RISK_REFUSED", refusal.message, None, output);
        }
        for action in actions.drain(..) {
            match action {
                RiskAction::Halted(halt) => {
                    self.cancel_entries(&halt.scope, output);
                    self.withdraw_halted(&halt.scope);
                    output.events.push(Event::HaltRequested(halt));
                }
                RiskAction::Resumed { request, rebased } => {
                    output.events.push(Event::HaltResumed { request, rebased });
                }
                RiskAction::Killed { reason, .. } => {
                    output.events.push(Event::Killed { reason, time: self.state.now });
                    self.cancel_all(None, output)?;
                }
                RiskAction::EnvelopeUpdated(envelope) => {
                    output.events.push(Event::EnvelopeUpdated(*envelope))
                }
                RiskAction::StopOut { fund_id, symbol } => {
                    let strategy = StrategyId::new("synthetic-stop")?;
                    self.close_position(&fund_id, &strategy, &symbol, output)?;
                }
            }
        }
        self.risk_actions = actions;
        Ok(())
    }

    fn incident(
        &mut self,
        code: &'static str,
        message: String,
        order_id: Option<&OrderId>,
        output: &mut Output,
    ) {
        self.state.counters.incidents = self.state.counters.incidents.saturating_add(1);
        output.events.push(Event::Incident {
            code: SmolStr::new_static(code),
            message,
            order_id: order_id.cloned(),
            strategy_id: None,
            time: self.state.now,
        });
    }

    /// Cancels everything that works, of one fund or of all.
    fn cancel_all(&mut self, fund_id: Option<&FundId>, output: &mut Output) -> Result<(), CoreError> {
        self.stop_kin(fund_id, None, output)?;
        let ids: Vec<OrderId> = self
            .state
            .ledger
            .funds()
            .filter(|(owner, _)| fund_id.is_none_or(|fund_id| fund_id == *owner))
            .flat_map(|(_, book)| book.working().map(|(order_id, _)| order_id.clone()))
            .collect();
        for order_id in ids {
            self.request_cancel(&order_id, output);
        }
        Ok(())
    }

    /// Asks the venue to cancel, again if it was asked before. One that waits for an asynchronous gate ends. An order of which no venue id is known yet is cancelled as
    /// soon as there is one.
    fn request_cancel(&mut self, order_id: &OrderId, output: &mut Output) {
        let now = self.state.now;
        let Some(record) = self.state.orders.get_mut(order_id) else { return };
        if record.state == OrderState::PendingRisk {
            return self.withdraw(order_id);
        }
        if !record.state.is_working() {
            return;
        }
        let Some(reference) = reference(record).filter(|_| record.state != OrderState::Submitting) else {
            self.state.cancels_wanted.insert(order_id.clone());
            return;
        };
        if record.state == OrderState::PendingCancel || record.request_cancel(now).is_ok() {
            output.actions.push(Action::Cancel(reference));
        }
    }

    /// Cancels an order that the venue turns out to have, if that was asked for while it was under way or if nothing may
    /// work any more.
    fn cancel_if_wanted(&mut self, order_id: &OrderId, output: &mut Output) {
        if self.state.cancels_wanted.remove(order_id) {
            self.request_cancel(order_id, output);
        }
    }

    /// Whether orders may leave now.
    fn market_is_open(&self) -> bool {
        !self.config.sessions || self.state.progress == Progress::Opened
    }

    fn session_phase(&self) -> SessionPhase {
        match (self.config.sessions, self.state.progress) {
            (false, _) => SessionPhase::NoCalendar,
            (true, Progress::Opened) => SessionPhase::Regular,
            (true, _) => SessionPhase::Closed,
        }
    }

    fn actor_of(strategy_id: &StrategyId) -> Result<ActorId, CoreError> {
        let text: SmolStr = ["strategy:", strategy_id.as_str()].into_iter().collect();
        Ok(ActorId::try_from(text)?)
    }
}

/// How a venue knows this order; `None` before it does.
pub(crate) fn reference(record: &OrderRecord) -> Option<BrokerOrderRef> {
    Some(BrokerOrderRef {
        order_id: record.order.order_id.clone(),
        idempotency_key: record.order.idempotency_key.clone(),
        broker_order_id: record.order.broker_order_id.clone()?,
        symbol: record.order.symbol.clone(),
    })
}
