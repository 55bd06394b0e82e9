//! What reaches the core's thread.

use super::handles::Reply;
use crate::core::State;
use crate::input::{AccountAnswer, GateAnswer, LookUp, OperatorAct};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::broker_handle::HandleCall;
use mts_foundation::event::Event;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::strategy::Command;
use mts_foundation::{BrokerName, OrderId};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Messages of one lane that may wait.
pub(super) const LANE: usize = 4_096;

/// What comes from the data side.
#[derive(Debug)]
pub(super) enum MarketMessage {
    /// The feed gave this.
    Event(MarketEvent),
    /// The feed has no more.
    Ended,
    /// The feed fails; it is started again after a pause.
    Failed(String),
}

/// A question about the present state, answered between two inputs.
pub type Ask = Box<dyn FnOnce(&crate::Core, &super::LiveStats) + Send>;

/// What comes from brokers, strategies and people. It carries no time: an input happens when the core takes it.
pub(super) enum Message {
    Submitted { order_id: OrderId, outcome: SubmitOutcome },
    Canceled { order_id: OrderId, outcome: CancelOutcome },
    LookedUp { order_id: OrderId, answer: LookUp },
    AccountSeen { broker: BrokerName, answer: AccountAnswer },
    Broker { broker: BrokerName, event: Box<BrokerEvent> },
    Connection { broker: BrokerName, connected: bool },
    GateAnswered { order_id: OrderId, answer: GateAnswer, failures: Vec<String>, took: Duration },
    Decided { trader: usize, verdict: Verdict },
    Called { trader: usize, call: HandleCall, reply: Reply },
    Operator { act: Box<OperatorAct>, reply: oneshot::Sender<Vec<Event>> },
    Ask(Ask),
    Stop,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Submitted { .. } => "Submitted",
            Self::Canceled { .. } => "Canceled",
            Self::LookedUp { .. } => "LookedUp",
            Self::AccountSeen { .. } => "AccountSeen",
            Self::Broker { .. } => "Broker",
            Self::Connection { .. } => "Connection",
            Self::GateAnswered { .. } => "GateAnswered",
            Self::Decided { .. } => "Decided",
            Self::Called { .. } => "Called",
            Self::Operator { .. } => "Operator",
            Self::Ask(_) => "Ask",
            Self::Stop => "Stop",
        })
    }
}

/// How a strategy's call ended.
#[derive(Debug)]
pub(super) enum Verdict {
    /// What it wants.
    Commands { commands: Vec<Command>, memory: Option<Vec<u8>> },
    /// It said that it failed.
    Failed(String),
    /// It panicked: nothing is known of its state any more.
    Panicked(String),
}

/// The way into a running engine, for operators, dashboards and tests. Cheap to clone; it does not keep the engine alive.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) lane: mpsc::WeakSender<Message>,
}

/// The engine is not there to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// It has stopped.
    #[error("the engine has stopped")]
    Stopped,
    /// It did not answer in time; what was asked may still happen.
    #[error("the engine did not answer in time; look before you ask again")]
    Timeout,
}

impl Handle {
    /// Carries out an operator's act and gives back what happened, once it is durable.
    ///
    /// # Errors
    /// [`HandleError`].
    pub async fn operate(&self, act: OperatorAct, within: Duration) -> Result<Vec<Event>, HandleError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Operator { act: Box::new(act), reply }).await?;
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(|_| HandleError::Stopped),
            Err(_) => Err(HandleError::Timeout),
        }
    }

    /// Asks something of the present state; `question` runs on the core's thread and must be quick.
    ///
    /// # Errors
    /// [`HandleError`].
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&crate::Core, &super::LiveStats) -> T + Send + 'static,
        within: Duration,
    ) -> Result<T, HandleError> {
        let (reply, answer) = oneshot::channel();
        let ask: Ask = Box::new(move |core, stats| {
            // Who asked may have given up.
            reply.send(question(core, stats)).ok();
        });
        self.send(Message::Ask(ask)).await?;
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(|_| HandleError::Stopped),
            Err(_) => Err(HandleError::Timeout),
        }
    }

    async fn send(&self, message: Message) -> Result<(), HandleError> {
        let lane = self.lane.upgrade().ok_or(HandleError::Stopped)?;
        lane.send(message).await.map_err(|_| HandleError::Stopped)
    }
}

/// Net asset value, cash and counts: for the stats of a state.
pub(super) fn working(state: &State) -> usize {
    state.ledger().funds().map(|(_, book)| book.working_count()).sum()
}
