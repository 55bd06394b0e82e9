//! What can happen to the core. Every input carries its time; nothing else reaches the core.

use chrono::NaiveDate;
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::num::exact;
use mts_foundation::risk::{HaltRequest, ResumeRequest, RiskEnvelope};
use mts_foundation::strategy::Command;
use mts_foundation::{ActorId, BrokerName, Decimal, FundId, OrderId, StrategyId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// A price that enters the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarkUpdate {
    /// Instrument.
    pub symbol: Symbol,
    /// Its last price; one that is not greater than zero is not taken.
    #[serde(with = "exact")]
    pub price: Decimal,
}

/// What an operator does. Refused acts become incidents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum OperatorAct {
    /// Halts.
    Halt(HaltRequest),
    /// Ends a halt, or switches the kill switch off.
    Resume(ResumeRequest),
    /// Switches the kill switch on: nothing new leaves, everything working is cancelled.
    Kill {
        /// Why.
        reason: String,
        /// Who.
        actor: ActorId,
    },
    /// Puts a new version of an envelope in force.
    UpdateEnvelope {
        /// The new version.
        envelope: Box<RiskEnvelope>,
        /// Who.
        actor: ActorId,
        /// Why.
        reason: String,
    },
}

/// One input of the core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A trading session begins: the trading day rolls, waiting orders and rebalances go on.
    SessionOpen {
        /// Session date.
        date: NaiveDate,
        /// Its open.
        time: Timestamp,
    },
    /// Closes of bars, all of one instant.
    Closes {
        /// End of the bars.
        time: Timestamp,
        /// At most one per symbol.
        marks: Vec<MarkUpdate>,
    },
    /// What a venue answered to a submit.
    Submitted {
        /// Which order.
        order_id: OrderId,
        /// What is known.
        outcome: SubmitOutcome,
        /// When.
        time: Timestamp,
    },
    /// What a venue answered to a cancel.
    Canceled {
        /// Which order.
        order_id: OrderId,
        /// What is known.
        outcome: CancelOutcome,
        /// When.
        time: Timestamp,
    },
    /// What a venue said by itself.
    Broker {
        /// Which broker: fills and cursors are its own.
        broker: BrokerName,
        /// The event.
        event: BrokerEvent,
        /// When it arrived.
        time: Timestamp,
    },
    /// The session ends: funds are valued.
    SessionClose {
        /// Session date.
        date: NaiveDate,
        /// Its close.
        time: Timestamp,
    },
    /// What a strategy wants after it saw the data of `time`, and what it wants remembered.
    Decided {
        /// Who.
        strategy_id: StrategyId,
        /// For which fund.
        fund_id: FundId,
        /// The data's time.
        time: Timestamp,
        /// Its commands, in order.
        commands: Vec<Command>,
        /// Its memory, where it keeps one.
        memory: Option<Vec<u8>>,
    },
    /// What an operator, or the operator script of a back-test, does.
    Operator {
        /// What.
        act: OperatorAct,
        /// When.
        time: Timestamp,
    },
}

impl Input {
    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        match self {
            Self::SessionOpen { time, .. }
            | Self::Closes { time, .. }
            | Self::Submitted { time, .. }
            | Self::Canceled { time, .. }
            | Self::Broker { time, .. }
            | Self::SessionClose { time, .. }
            | Self::Decided { time, .. }
            | Self::Operator { time, .. } => *time,
        }
    }
}
