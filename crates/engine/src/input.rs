//! What can happen to the core. Every input carries its time; nothing else reaches the core.

use chrono::NaiveDate;
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::num::exact;
use mts_foundation::reconcile::AccountSnapshot;
use mts_foundation::risk::{HaltRequest, Rejection, ResumeRequest, RiskEnvelope};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    ActorId, Bar, BrokerName, CashKind, CorporateAction, Decimal, FundId, OrderId, StrategyId, Symbol,
    Timestamp, VenueName,
};
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

/// Units of an instrument that the market traded since it was told last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeUpdate {
    /// Instrument.
    pub symbol: Symbol,
    /// Units; a number that is not greater than zero is not taken.
    #[serde(with = "exact")]
    pub units: Decimal,
}

impl VolumeUpdate {
    /// The volume of a bar.
    #[must_use]
    pub fn of(bar: &Bar) -> Self {
        Self { symbol: bar.symbol.clone(), units: bar.volume }
    }
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
    /// Takes what the account holds of an instrument for right: the difference is booked into a fund, without cash.
    Adopt {
        /// Where.
        broker: BrokerName,
        /// The fund that gets the difference.
        fund_id: FundId,
        /// Which instrument.
        symbol: Symbol,
        /// Who.
        actor: ActorId,
        /// Why.
        reason: String,
    },
    /// Says what became of an order of which no evidence can be had.
    Settle {
        /// Which order.
        order_id: OrderId,
        /// Who.
        actor: ActorId,
        /// Why: the evidence.
        reason: String,
    },
    /// Sends an order in a person's name, through the same gates.
    Submit {
        /// For which fund.
        fund_id: FundId,
        /// In whose strategy it counts.
        strategy_id: StrategyId,
        /// What.
        request: Box<OrderRequest>,
        /// Who.
        actor: ActorId,
    },
    /// Cancels one order.
    Cancel {
        /// Which.
        order_id: OrderId,
        /// Who.
        actor: ActorId,
    },
    /// Cancels everything that works, of one fund or of all.
    CancelAll {
        /// Whose; `None` = all.
        fund_id: Option<FundId>,
        /// Who.
        actor: ActorId,
    },
    /// Cancels and closes everything, of one fund or of all.
    Flatten {
        /// Whose; `None` = all.
        fund_id: Option<FundId>,
        /// Who.
        actor: ActorId,
    },
    /// Compares an account with the books now.
    Reconcile {
        /// Which; `None` = all.
        broker: Option<BrokerName>,
        /// Who.
        actor: ActorId,
    },
    /// Books cash that moved outside of orders and that the venue did not tell, or not in a way that can be booked by rule.
    BookCash {
        /// Where.
        broker: BrokerName,
        /// Whose.
        fund_id: FundId,
        /// Why it moved; deposits and withdrawals are neither profit nor loss.
        kind: CashKind,
        /// Positive = money in.
        #[serde(with = "exact")]
        amount: Decimal,
        /// Who.
        actor: ActorId,
        /// Why it is right.
        reason: String,
    },
    /// Books what an issuer did into every fund that holds the instrument.
    Corporate {
        /// What it did.
        action: CorporateAction,
        /// Who.
        actor: ActorId,
        /// Where it is announced.
        reason: String,
    },
}

/// What a venue answered when it was asked for one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LookUp {
    /// It has it.
    Found(Box<OrderReport>),
    /// It says that it does not know it.
    NotKnown,
    /// No answer, or none that can be understood: nothing is known.
    Failed {
        /// What went wrong.
        message: String,
    },
}

/// What a venue answered when it was asked for a whole account. A failed question is never "flat".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AccountAnswer {
    /// All of it.
    Seen(Box<AccountSnapshot>),
    /// At least one part is missing.
    Failed {
        /// What went wrong.
        message: String,
    },
}

/// What the asynchronous gates said of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GateAnswer {
    /// None objects.
    Passed,
    /// One refuses, or gave no answer and so may not let the order pass.
    Refused(Box<Rejection>),
}

/// What is wrong with the clock of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockFault {
    /// It was moved while the engine ran, or the machine slept: wall and monotonic clock disagree.
    Jumped {
        /// By so many milliseconds, forward above zero.
        by_millis: i64,
    },
    /// At the start it is behind the last input.
    Behind {
        /// By so many milliseconds.
        by_millis: i64,
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
    /// The process begins, or begins again: what the venues know is asked before anything new leaves.
    Started {
        /// When.
        time: Timestamp,
    },
    /// Time passed: what is due in the core happens.
    Timer {
        /// The present instant.
        time: Timestamp,
    },
    /// Prices between bars, conflated by the shell (decision H7).
    Marks {
        /// When they were current.
        time: Timestamp,
        /// At most one per symbol.
        marks: Vec<MarkUpdate>,
    },
    /// A connection came or went.
    Connection {
        /// Which broker.
        broker: BrokerName,
        /// Whether calls may be made.
        connected: bool,
        /// When.
        time: Timestamp,
    },
    /// What a venue answered to a look-up of one order.
    LookedUp {
        /// Which order.
        order_id: OrderId,
        /// What is known.
        answer: LookUp,
        /// When.
        time: Timestamp,
    },
    /// What a venue answered to the question for the whole account.
    AccountSeen {
        /// Which broker.
        broker: BrokerName,
        /// What is known.
        answer: AccountAnswer,
        /// When.
        time: Timestamp,
    },
    /// Volume that the market traded, for algorithms that follow it.
    Volumes {
        /// When it was known.
        time: Timestamp,
        /// At most one per symbol.
        volumes: Vec<VolumeUpdate>,
    },
    /// What the asynchronous gates said of an order. An answer for an order that does not wait changes nothing.
    GateAnswered {
        /// Which order.
        order_id: OrderId,
        /// What they said.
        answer: GateAnswer,
        /// What went wrong and let an order pass all the same, a sentence each.
        failures: Vec<String>,
        /// When.
        time: Timestamp,
    },
    /// The clock of the machine is not what it was.
    ClockWrong {
        /// How.
        fault: ClockFault,
        /// When, by the engine's time, which does not go back.
        time: Timestamp,
    },
    /// What a feed says of its own prices: those of these instruments are not to be trusted, those of all others are.
    StalePrices {
        /// Whose feed.
        venue: VenueName,
        /// Sorted; empty = all prices flow.
        symbols: Vec<Symbol>,
        /// When it was told.
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
            | Self::Operator { time, .. }
            | Self::Started { time }
            | Self::Timer { time }
            | Self::Marks { time, .. }
            | Self::Connection { time, .. }
            | Self::LookedUp { time, .. }
            | Self::AccountSeen { time, .. }
            | Self::Volumes { time, .. }
            | Self::GateAnswered { time, .. }
            | Self::ClockWrong { time, .. }
            | Self::StalePrices { time, .. } => *time,
        }
    }
}
