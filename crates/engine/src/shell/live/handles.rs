//! Strategies that talk with their broker: their calls wait on their own threads, never on the core's.

use super::engine::{LiveEngine, LiveError};
use super::lanes::Message;
use crate::shell::handle::{self, Awaited, Called, Caller};
use mts_foundation::Timestamp;
use mts_foundation::broker_handle::{BrokerPort, HandleAnswer, HandleCall, HandleError};
use mts_foundation::event::Event;
use mts_foundation::journal::Journal;
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::mpsc;

/// Where the answer to a call goes.
pub(super) type Reply = SyncSender<Result<HandleAnswer, HandleError>>;

/// How a strategy's thread reaches the core's.
pub(super) struct LanePort {
    pub(super) trader: usize,
    pub(super) lane: mpsc::Sender<Message>,
}

impl BrokerPort for LanePort {
    fn call(&mut self, call: HandleCall) -> Result<HandleAnswer, HandleError> {
        let (reply, answer) = sync_channel(1);
        let message = Message::Called { trader: self.trader, call, reply };
        self.lane.blocking_send(message).map_err(|_| HandleError::Stopped)?;
        // The core's thread answers every call, at its deadline at the latest; when it ends, the channel does.
        answer.recv().unwrap_or(Err(HandleError::Stopped))
    }
}

/// A call that waits for its order. A strategy makes one call at a time, so there are no more than strategies.
#[derive(Debug)]
pub(super) struct WaitingCall {
    awaited: Awaited,
    until: Timestamp,
    reply: Reply,
}

impl<J: Journal> LiveEngine<J> {
    /// Takes a call. One that needs no order is answered at once.
    pub(super) fn called(&mut self, trader: usize, call: HandleCall, reply: Reply) -> Result<(), LiveError> {
        let Some(seat) = self.seats.get(trader) else { return Ok(()) };
        let caller = Caller { strategy_id: seat.strategy_id.clone(), fund_id: seat.fund_id.clone() };
        let now = self.now();
        match caller.call(call, self.driver.core(), now) {
            Called::Answer(answer) => {
                // Who asked may be gone.
                reply.send(answer).ok();
                Ok(())
            }
            Called::Input(input, awaited) => {
                let until = now.plus(self.rules.order_within);
                self.waiting_calls.push(WaitingCall { awaited, until, reply });
                self.take_input(&input)
            }
        }
    }

    /// Answers the calls whose orders are where they should be, or whose time is over. Everything that is answered here is
    /// durable.
    pub(super) fn answer_calls(&mut self, events: &[Event]) {
        if self.waiting_calls.is_empty() {
            return;
        }
        let (now, state) = (self.now(), self.driver.core().state());
        self.waiting_calls.retain(|call| {
            let answer = handle::answer(&call.awaited, state, events)
                .or_else(|| (call.until <= now).then(|| handle::too_late(&call.awaited, state)));
            match answer {
                Some(answer) => {
                    call.reply.send(answer).ok();
                    false
                }
                None => true,
            }
        });
    }

    /// When the first of them is over.
    pub(super) fn next_call(&self) -> Option<Timestamp> {
        self.waiting_calls.iter().map(|call| call.until).min()
    }
}
