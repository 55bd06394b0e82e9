//! The traits of gates and of the risk machine.

use crate::broker::BoxFuture;
use crate::ids::{ActorId, FundId, OrderId};
use crate::instrument::InstrumentTable;
use crate::ledger::Ledger;
use crate::num::{Decimal, exact, exact_option};
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

/// What a gate that must ask somebody is told of the fund: copies, because the books go on changing while it waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderContext {
    /// The present instant.
    pub now: Timestamp,
    /// Net asset value.
    #[serde(with = "exact")]
    pub nav: Decimal,
    /// Cash.
    #[serde(with = "exact")]
    pub cash: Decimal,
    /// Signed units held of the order's instrument.
    #[serde(with = "exact")]
    pub held: Decimal,
    /// Its last price.
    #[serde(with = "exact_option")]
    pub price: Option<Decimal>,
    /// Gross exposure, with working orders at their worst case.
    #[serde(with = "exact")]
    pub gross: Decimal,
    /// Orders that may still fill.
    pub open_orders: u32,
}

impl RiskContext<'_> {
    /// What is told of the fund of an order; `None` for a fund that is not in the ledger.
    #[must_use]
    pub fn of_order(&self, order: &Order) -> Option<OrderContext> {
        let book = self.ledger.fund(&order.fund_id)?;
        Some(OrderContext {
            now: self.now,
            nav: book.nav(),
            cash: book.cash(),
            held: book.positions().quantity(&order.symbol),
            price: self.ledger.mark_of(&order.symbol).map(|mark| mark.price),
            gross: book.exposure().gross,
            open_orders: u32::try_from(book.working_count()).unwrap_or(u32::MAX),
        })
    }
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
    /// Passes or refuses.
    fn check(
        &self,
        order: &Order,
        envelope: Option<&RiskEnvelope>,
        context: &OrderContext,
    ) -> impl Future<Output = Result<(), Box<Rejection>>> + Send;
    /// Takes what went wrong since the last call and let an order pass all the same, a sentence each. Only an advisory gate
    /// may have anything to say here; whoever asks the gates publishes it (decision R10).
    fn take_failures(&self) -> Vec<String> {
        Vec::new()
    }
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
        context: &'a OrderContext,
    ) -> BoxFuture<'a, Result<(), Box<Rejection>>>;
    /// See [`AsyncRiskGate::take_failures`].
    fn take_failures(&self) -> Vec<String>;
}

impl<G: AsyncRiskGate> DynAsyncRiskGate for G {
    fn name(&self) -> &str {
        AsyncRiskGate::name(self)
    }
    fn check<'a>(
        &'a self,
        order: &'a Order,
        envelope: Option<&'a RiskEnvelope>,
        context: &'a OrderContext,
    ) -> BoxFuture<'a, Result<(), Box<Rejection>>> {
        Box::pin(AsyncRiskGate::check(self, order, envelope, context))
    }
    fn take_failures(&self) -> Vec<String> {
        AsyncRiskGate::take_failures(self)
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
        /// Its instrument: no other position changed.
        symbol: Symbol,
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

    /// Everything that any gate objects to, in pipeline order, with `trace` over all of them; for reports. The first is what
    /// [`Self::check`] answers, and a machine that cannot say more says only that.
    fn objections(&self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> Vec<Rejection> {
        match self.check(order, context, trace) {
            RiskDecision::Approved => Vec::new(),
            RiskDecision::Rejected(rejection) => vec![*rejection],
        }
    }

    /// Asks all gates and, on approval, reserves the order's worst case until it is committed or released.
    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision;

    /// Whether an order only shrinks a position, counted after all working closers: such an order is exempt from gates that
    /// limit risk, the asynchronous ones among them (decision R4). A machine that cannot tell exempts nothing.
    fn reduces(&self, order: &Order, context: &RiskContext<'_>) -> bool {
        let _ignored = (order, context);
        false
    }

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

    /// Whether a price would trip a limit or a stop, so that it must not be held back (decision H7). A machine that cannot
    /// tell lets every price through.
    fn would_trip(
        &self,
        symbol: &Symbol,
        price: Decimal,
        ledger: &Ledger,
        instruments: &InstrumentTable,
    ) -> bool {
        let _ignored = (symbol, price, ledger, instruments);
        true
    }

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
