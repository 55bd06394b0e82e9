//! The traits of gates and of the risk machine.

use crate::broker::BoxFuture;
use crate::ids::{ActorId, FundId, OrderId};
use crate::instrument::InstrumentTable;
use crate::ledger::Ledger;
use crate::num::{Decimal, exact};
use crate::order::Order;
use crate::risk::{GateTrace, HaltRequest, Rebased, Rejection, ResumeRequest, RiskDecision, RiskEnvelope};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use crate::trading_session::SessionPhase;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::future::Future;

/// What a gate may look at: all lent, nothing changes during the check.
#[derive(Debug, Clone, Copy)]
pub struct RiskContext<'a> {
    /// The present instant.
    pub now: Timestamp,
    /// Cash, positions, marks, working orders.
    pub ledger: &'a Ledger,
    /// Instrument facts.
    pub instruments: &'a InstrumentTable,
    /// Where the market stands.
    pub session: SessionPhase,
    /// When the regular session of this market opened today.
    pub session_opened: Option<Timestamp>,
    /// The order comes from `close_position` or `close_all_positions`, which pass what getting out must pass (R4).
    pub closing: bool,
}

/// A pure gate of one's own: synchronous, deterministic, without allocation when it passes.
pub trait RiskGate: Send + Sync {
    /// Stable name, for reports.
    fn name(&self) -> &str;
    /// Passes or refuses. `envelope` is `None` where an account has limits of its own instead of a fund's envelope.
    ///
    /// # Errors
    /// The refusal.
    fn check(
        &self,
        order: &Order,
        envelope: Option<&RiskEnvelope>,
        context: &RiskContext<'_>,
    ) -> Result<(), Box<Rejection>>;
}

/// A gate that must ask somebody. The pure gates run again after its answer (decision R11).
pub trait AsyncRiskGate: Send + Sync {
    /// Stable name, for reports.
    fn name(&self) -> &str;
    /// Passes or refuses; sees copies, because the books go on changing while it waits.
    fn check(
        &self,
        order: &Order,
        envelope: Option<&RiskEnvelope>,
    ) -> impl Future<Output = Result<(), Box<Rejection>>> + Send;
}

/// The object-safe twin of [`AsyncRiskGate`], implemented for every gate.
pub trait DynAsyncRiskGate: Send + Sync {
    /// See [`AsyncRiskGate::name`].
    fn name(&self) -> &str;
    /// See [`AsyncRiskGate::check`].
    fn check<'a>(
        &'a self,
        order: &'a Order,
        envelope: Option<&'a RiskEnvelope>,
    ) -> BoxFuture<'a, Result<(), Box<Rejection>>>;
}

impl<G: AsyncRiskGate> DynAsyncRiskGate for G {
    fn name(&self) -> &str {
        AsyncRiskGate::name(self)
    }
    fn check<'a>(
        &'a self,
        order: &'a Order,
        envelope: Option<&'a RiskEnvelope>,
    ) -> BoxFuture<'a, Result<(), Box<Rejection>>> {
        Box::pin(AsyncRiskGate::check(self, order, envelope))
    }
}

/// What happened, as far as risk is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RiskEvent {
    /// The trading day rolled; baselines of day, week and month follow.
    DayRolled {
        /// The new trading day.
        date: NaiveDate,
    },
    /// Marks entered the ledger.
    Marked {
        /// The instrument, where it is one alone; `None` = any number of them.
        symbol: Option<Symbol>,
    },
    /// A fill was booked.
    Filled {
        /// Fund it belongs to.
        fund_id: FundId,
        /// Its order.
        order_id: OrderId,
    },
    /// Capital moved in or out; losses are measured without it.
    Flowed {
        /// Which fund.
        fund_id: FundId,
        /// Positive = in.
        #[serde(with = "exact")]
        amount: Decimal,
    },
    /// Somebody asks for a halt.
    Halt(HaltRequest),
    /// Somebody asks for its end.
    Resume(ResumeRequest),
    /// The kill switch is switched on.
    Kill {
        /// Why.
        reason: String,
        /// By whom.
        actor: ActorId,
    },
    /// A new version of an envelope.
    EnvelopeUpdated(Box<RiskEnvelope>),
}

/// What the machine wants done after an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RiskAction {
    /// Publish that a halt is in force.
    Halted(HaltRequest),
    /// Publish that a halt ended, or that the kill switch is off.
    Resumed {
        /// Who asked and why.
        request: ResumeRequest,
        /// The limits that tripped and count anew.
        rebased: Vec<Rebased>,
    },
    /// Cancel all working orders: the kill switch is on.
    Killed {
        /// Why.
        reason: String,
        /// By whom.
        actor: ActorId,
    },
    /// Publish the new envelope.
    EnvelopeUpdated(Box<RiskEnvelope>),
    /// Close a position: its synthetic stop was reached.
    StopOut {
        /// Which fund.
        fund_id: FundId,
        /// Which instrument.
        symbol: Symbol,
    },
}

/// Why the machine refuses an event.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RiskRefusal {
    /// What is wrong and what to do.
    pub message: String,
}

/// The one pure risk machine (decision R12). It owns windows, reservations, halts and loss state; the ledger is lent
/// to it. Deterministic: the same calls in the same order give the same answers and the same hash.
pub trait RiskMachine: Send {
    /// Asks all gates; changes nothing.
    fn check(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision;

    /// Asks all gates and, on approval, reserves the order's worst case until it is committed or released.
    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision;

    /// The reserved order is accepted: it enters windows and rates; the ledger now counts it as working.
    fn commit(&mut self, order: &Order, context: &RiskContext<'_>);

    /// The reserved order is not sent after all.
    fn release(&mut self, order_id: &OrderId);

    /// The committed order provably never left: it uses no window and no rate.
    fn withdraw(&mut self, order: &Order);

    /// Takes note of an event and says what follows from it.
    ///
    /// # Errors
    /// [`RiskRefusal`] for a resume without enough operators, a loosened envelope during a halt, a wrong version;
    /// nothing has changed then.
    fn apply(
        &mut self,
        event: &RiskEvent,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal>;

    /// The envelope of a fund, as of now.
    fn envelope(&self, fund_id: &FundId) -> Option<&RiskEnvelope>;

    /// Halts in force, in scope order.
    fn halts(&self) -> Vec<HaltRequest>;

    /// Whether the kill switch is on, and why.
    fn killed(&self) -> Option<&str>;

    /// The whole state as bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// Takes a state back.
    ///
    /// # Errors
    /// [`RiskRefusal`] when the bytes are no state of this machine; nothing has changed then.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RiskRefusal>;
}
