//! How an engine ends: in order, or because its journal is gone.

use super::engine::{LiveEngine, LiveError};
use super::lanes::{Message, working};
use super::stats::Told;
use super::traders::Cause;
use crate::core::State;
use crate::output::Action;
use mts_foundation::broker::{BrokerOrderRef, SubmitOutcome};
use mts_foundation::journal::Journal;
use mts_foundation::{Clock as _, OrderRecord, OrderState};
use std::collections::VecDeque;

impl<J: Journal> LiveEngine<J> {
    /// Whether nobody is asked anything any more.
    pub(super) fn is_quiet(&self) -> bool {
        let strategies = self.seats.iter().all(|seat| seat.lost || seat.is_idle());
        let state = self.driver.core().state();
        strategies
            && self.inbox.is_empty()
            && self.market_inbox.is_empty()
            && self.refused.is_empty()
            && self.held_market.is_empty()
            && !under_way(state)
    }

    /// Lets strategies say their last, and waits for answers that are under way.
    pub(super) fn finish(&mut self) -> Result<(), LiveError> {
        let until = self.clock.now().plus(self.rules.drain_within);
        for seat in &mut self.seats {
            seat.queue(Cause::End);
        }
        self.wake_strategies()?;
        loop {
            let asked = self.seats.iter().any(|seat| !seat.lost && !seat.is_idle());
            let under_way = under_way(self.driver.core().state());
            if (!asked && !under_way) || self.clock.now() >= until {
                break;
            }
            self.wait();
            let room = self.rules.largest_group;
            self.messages(room)?;
            self.settle()?;
        }
        if working(self.driver.core().state()) > 0 {
            (self.observe)(Told::Notice(
                "orders are still working; they stay at the venue and are found at the next start",
            ));
        }
        let kept = self.driver.keep_snapshot();
        self.told_of_snapshot(kept);
        match self.failed_strategy.take() {
            Some((strategy, message)) => Err(LiveError::Strategy { strategy, message }),
            None => Ok(()),
        }
    }

    /// The journal is gone: what works is asked to be cancelled, without a record, once, and the process must end (decision
    /// H6). An order that is on its way is cancelled as soon as the venue says that it has it. How many cancellations left.
    pub(super) fn drain(&mut self) -> usize {
        let cancels = self.driver.drain();
        let mut sent = cancels.len();
        let mut left = sent;
        for action in cancels {
            self.act(action);
        }
        let until = self.clock.now().plus(self.rules.drain_within);
        // Answers are waited for, not taken: nothing can be recorded any more.
        let mut waiting: VecDeque<Message> = std::mem::take(&mut self.refused).into();
        while left > 0 || !self.leaving.is_empty() {
            let message = match waiting.pop_front() {
                Some(message) => message,
                None => {
                    let (inbox, rest) = (&mut self.inbox, until.since(self.clock.now()));
                    let next = async { tokio::time::timeout(rest, inbox.recv()).await };
                    let Ok(Some(message)) = self.runtime.block_on(next) else { break };
                    message
                }
            };
            match message {
                Message::Canceled { .. } => left = left.saturating_sub(1),
                Message::Submitted { order_id, outcome } => {
                    self.leaving.remove(&order_id);
                    let SubmitOutcome::Accepted(order) = outcome else { continue };
                    let Some(broker_order_id) = order.broker_order_id.clone() else { continue };
                    self.act(Action::Cancel(BrokerOrderRef {
                        order_id,
                        idempotency_key: order.idempotency_key.clone(),
                        broker_order_id,
                        symbol: order.symbol.clone(),
                    }));
                    (sent, left) = (sent + 1, left + 1);
                }
                _ => {}
            }
        }
        sent
    }

    pub(super) fn close_brokers(&mut self) {
        let within = self.rules.drain_within;
        for venue in self.venues.values() {
            // A connection that cannot be closed in order ends with the process.
            self.runtime.block_on(async { tokio::time::timeout(within, venue.broker().close()).await.ok() });
        }
    }
}

/// Whether an order waits for the answer of a gate or of its venue.
fn under_way(state: &State) -> bool {
    let submitting = |record: &OrderRecord| record.state == OrderState::Submitting;
    state.pending_orders().next().is_some() || state.orders().any(submitting)
}
