//! What the core answers: actions for the world, events for everybody, traces for those who ask why.

use mts_foundation::broker::{BrokerOrderRef, OrderRef};
use mts_foundation::event::Event;
use mts_foundation::risk::{GateTrace, OrderContext, RiskEnvelope};
use mts_foundation::sizing::PlannedOrder;
use mts_foundation::{BrokerName, Decimal, Order, OrderId, Timestamp};

/// Something to be done in the world, after the input that caused it is durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Hand this order to its broker.
    Submit(Order),
    /// Ask its broker to cancel it.
    Cancel(BrokerOrderRef),
    /// Ask a broker what it knows of an order; the answer is [`Input::LookedUp`](crate::Input::LookedUp).
    LookUp {
        /// Which broker.
        broker: BrokerName,
        /// Which order.
        order_id: OrderId,
        /// How the broker may know it.
        reference: OrderRef,
    },
    /// Ask a broker for its open orders, positions and balances; the answer is
    /// [`Input::AccountSeen`](crate::Input::AccountSeen).
    Snapshot {
        /// Which broker.
        broker: BrokerName,
    },
    /// Ask the asynchronous gates about an order; the answer is [`Input::GateAnswered`](crate::Input::GateAnswered). It can
    /// be asked for again after a restart or a reconnection; of several answers the first counts.
    Ask(Box<GateQuestion>),
}

/// What asynchronous gates are asked.
#[derive(Debug, Clone, PartialEq)]
pub struct GateQuestion {
    /// The order, which passed the pure gates and counts as working.
    pub order: Order,
    /// The envelope in force; `None` where only other limits limit the fund.
    pub envelope: Option<RiskEnvelope>,
    /// The fund as it was without the order.
    pub context: OrderContext,
}

/// Why one order became what it is. Made only when tracing is on.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderTrace {
    /// Which order.
    pub order_id: OrderId,
    /// When it was gated.
    pub time: Timestamp,
    /// How it was sized, where a planner did.
    pub planned: Option<PlannedOrder>,
    /// Net asset value at that moment.
    pub nav: Decimal,
    /// Cash at that moment.
    pub cash: Decimal,
    /// How each gate answered.
    pub gates: GateTrace,
}

/// The answer to one input. A shell keeps one and hands it in again and again.
#[derive(Debug, Default)]
pub struct Output {
    /// What is to be done, in this order.
    pub actions: Vec<Action>,
    /// What happened, in this order.
    pub events: Vec<Event>,
    /// Why, where tracing is on.
    pub traces: Vec<OrderTrace>,
}

impl Output {
    /// Empties all lists.
    pub fn clear(&mut self) {
        self.actions.clear();
        self.events.clear();
        self.traces.clear();
    }
}
