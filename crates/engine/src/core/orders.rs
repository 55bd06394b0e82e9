//! From intent to venue: key, gates, books, and what the venue answers.

use super::blocking::Wish;
use super::idempotency::KeyVerdict;
use super::kin::Kin;
use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::event::Event;
use mts_foundation::risk::{
    Gate, GateTrace, OrderRejection, RejectCode, Rejection, RiskContext, RiskDecision, RiskEvent,
    SessionPhase,
};
use mts_foundation::sizing::PlannedOrder;
use mts_foundation::{InstrumentTable, Ledger, Order, OrderId, OrderRecord, OrderState, Timestamp};
use smol_str::SmolStr;

impl Core {
    /// The id of the next order: the fund and a number that never repeats within a journal.
    pub(crate) fn next_order_id(&mut self, fund: &str) -> SmolStr {
        self.state.counters.orders = self.state.counters.orders.saturating_add(1);
        // Put together and not formatted, as every order has one: six digits, or as many as there are.
        let number = self.state.counters.orders.to_string();
        let zeros = "000000".get(number.len()..).unwrap_or_default();
        [fund, "-", zeros, &number].into_iter().collect()
    }

    /// Takes a new order through key and gates; what passes is booked as working and leaves.
    pub(crate) fn propose(
        &mut self,
        order: Order,
        planned: Option<PlannedOrder>,
        closing: bool,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        self.propose_kin(order, &Kin::default(), planned, closing, output)
    }

    /// The same for an order that belongs to others.
    pub(crate) fn propose_kin(
        &mut self,
        order: Order,
        kin: &Kin,
        planned: Option<PlannedOrder>,
        closing: bool,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        match self.look_up_key(&order) {
            KeyVerdict::Known => return Ok(()),
            KeyVerdict::Refused(rejection) => {
                self.refuse(order, kin, *rejection, false, output);
                return Ok(());
            }
            KeyVerdict::New => {}
        }
        if let Some(rejection) = self.blocked(&Wish::of(&order, closing)) {
            self.refuse(order, kin, rejection, true, output);
            return Ok(());
        }
        let question = self.question_about(&order, closing);
        let crowded = question.as_ref().and_then(|_| self.too_many_asked());
        let admitted = match crowded {
            Some(rejection) => Err(Box::new(rejection)),
            None => self.admit(&order, planned, closing, output),
        };
        if let Err(rejection) = admitted {
            let by_loss = self.refuse(order, kin, *rejection, true, output);
            return self.trip_if(by_loss, output);
        }
        match question {
            Some(question) => {
                self.ask_gates(question, kin, output);
                Ok(())
            }
            None => self.send_approved(kin.record(order), closing, output),
        }
    }

    /// Asks the pure gates; what they let pass is reserved and counts as working.
    pub(crate) fn admit(
        &mut self,
        order: &Order,
        planned: Option<PlannedOrder>,
        closing: bool,
        output: &mut Output,
    ) -> Result<(), Box<Rejection>> {
        let mut gates = if self.tracing { GateTrace::on() } else { GateTrace::off() };
        let moment = self.moment_of(closing);
        let context = context(moment, &self.state.ledger, &self.config.instruments);
        let decision = self.risk.reserve(order, &context, &mut gates);
        if self.tracing {
            output.traces.push(self.trace_of(order, planned, gates));
        }
        if let RiskDecision::Rejected(rejection) = decision {
            return Err(rejection);
        }
        let counted = self.state.ledger.add_working(&self.config.instruments, order, order.quantity);
        counted.map_err(|error| {
            self.risk.release(&order.order_id);
            Box::new(Rejection {
                gate: Gate::OrderNotional,
                code: RejectCode::ArithmeticRange,
                limit: None,
                observed: None,
                message: error.to_string(),
            })
        })
    }

    /// Sends an order that every gate let pass.
    pub(crate) fn send_approved(
        &mut self,
        mut record: OrderRecord,
        closing: bool,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let moment = self.moment_of(closing);
        let context = context(moment, &self.state.ledger, &self.config.instruments);
        self.risk.commit(&record.order, &context);
        let order = record.order.submitted(self.state.now);
        record.order = order.clone();
        let new = record.state == OrderState::Created;
        // Created and approved orders may always be submitted.
        record.submit(self.state.now).unwrap_or_default();
        if new {
            output.events.push(Event::OrderCreated(record.clone()));
            self.remember(record);
        } else {
            self.state.orders.insert(order.order_id.clone(), record);
        }
        self.leave(order, output)
    }

    /// What gates are told of the present; made anew for each look, so that the ledger can change between them.
    pub(crate) fn risk_context(&self, closing: bool) -> RiskContext<'_> {
        context(self.moment_of(closing), &self.state.ledger, &self.config.instruments)
    }

    fn moment_of(&self, closing: bool) -> (Timestamp, SessionPhase, bool) {
        (self.state.now, self.session_phase(), closing)
    }

    /// The loss limit was reached before any mark or fill said so: trips it now (decision R10).
    pub(crate) fn trip_if(&mut self, by_loss: bool, output: &mut Output) -> Result<(), CoreError> {
        if by_loss { self.risk_event(&RiskEvent::Marked { symbol: None }, output) } else { Ok(()) }
    }

    /// Records a refusal. `remember` is false where the key belongs to another order. True when a loss limit refused it.
    fn refuse(
        &mut self,
        order: Order,
        kin: &Kin,
        rejection: Rejection,
        remember: bool,
        output: &mut Output,
    ) -> bool {
        let mut record = kin.record(order);
        let by_loss = self.reject(&mut record, rejection, output);
        if remember {
            self.remember(record);
        }
        by_loss
    }

    /// Makes a record that of a refused order, and tells. True when a loss limit refused it.
    pub(crate) fn reject(
        &mut self,
        record: &mut OrderRecord,
        rejection: Rejection,
        output: &mut Output,
    ) -> bool {
        let now = self.state.now;
        let by_loss = rejection.gate == Gate::Loss;
        let counters = &mut self.state.counters;
        counters.rejected = counters.rejected.saturating_add(1);
        *counters.by_code.entry(rejection.code).or_default() += 1;
        record.reject(now, rejection.code.as_str()).unwrap_or_default();
        if let Some(envelope) = self.risk.envelope(&record.order.fund_id) {
            output.events.push(Event::GateFailed(OrderRejection {
                order_id: record.order.order_id.clone(),
                fund_id: record.order.fund_id.clone(),
                symbol: record.order.symbol.clone(),
                rejection,
                envelope_id: envelope.envelope_id.clone(),
                envelope_version: envelope.version,
                timestamp: now,
            }));
        }
        output.events.push(Event::OrderRejected(record.clone()));
        by_loss
    }

    /// What the venue answered to a submit.
    pub(crate) fn submitted(
        &mut self,
        order_id: &OrderId,
        outcome: &SubmitOutcome,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let now = self.state.now;
        let sent_again = self.was_sent_again(order_id);
        let Some(record) = self.state.orders.get_mut(order_id) else {
            let message = format!(
                "an answer for order {order_id}, which is not known here; check the broker's account"
            );
            self.incident("UNKNOWN_ORDER", message, Some(order_id), output);
            return Ok(());
        };
        // The venue itself told how it ended before this answer came, or before it was clear that none comes.
        let told = match outcome {
            SubmitOutcome::Accepted(_) => matches!(record.state, OrderState::Canceled | OrderState::Expired),
            SubmitOutcome::Unknown { .. } => {
                matches!(record.state, OrderState::Filled | OrderState::Canceled | OrderState::Expired)
            }
            SubmitOutcome::Rejected { .. } | SubmitOutcome::NotSent { .. } => false,
        };
        if told {
            return Ok(());
        }
        // It was sent again, and that did not leave or has no answer either: that says nothing of the first time.
        let says_nothing = match outcome {
            SubmitOutcome::Accepted(accepted) => accepted.broker_order_id.is_none(),
            SubmitOutcome::NotSent { .. } | SubmitOutcome::Unknown { .. } => true,
            // The venue may refuse it because it has the first: only a look can tell.
            SubmitOutcome::Rejected { .. } => sent_again,
        };
        if record.state == OrderState::Unknown && says_nothing {
            self.sent_in_vain(order_id);
            return Ok(());
        }
        let step = match outcome {
            SubmitOutcome::Accepted(accepted) => match accepted.broker_order_id.clone() {
                Some(id) => record.accept(now, id),
                None => record.unknown(now),
            },
            SubmitOutcome::Rejected { reason } => record.reject(now, reason.clone()),
            SubmitOutcome::NotSent { reason } => record.not_sent(now, reason.clone()),
            SubmitOutcome::Unknown { .. } => record.unknown(now),
        };
        let record = record.clone();
        if let Err(illegal) = step {
            self.incident("ILLEGAL_TRANSITION", illegal.to_string(), Some(order_id), output);
            return Ok(());
        }
        match outcome {
            SubmitOutcome::Accepted(_) if record.order.broker_order_id.is_some() => {
                output.events.push(Event::OrderAccepted(record));
                self.inquiry_ends(order_id);
                self.cancel_if_wanted(order_id, output);
                Ok(())
            }
            SubmitOutcome::Accepted(_) | SubmitOutcome::Unknown { .. } => {
                let message = format!("the fate of order {order_id} at {} is not known", record.order.broker);
                output.events.push(Event::OrderUnknown(record));
                self.incident("ORDER_UNKNOWN", message, Some(order_id), output);
                self.inquire(order_id);
                Ok(())
            }
            SubmitOutcome::Rejected { .. } | SubmitOutcome::NotSent { .. } => {
                if matches!(outcome, SubmitOutcome::NotSent { .. }) {
                    // What never left uses no window and no rate.
                    self.risk.withdraw(&record.order);
                }
                self.state.counters.rejected = self.state.counters.rejected.saturating_add(1);
                output.events.push(Event::OrderRejected(record.clone()));
                self.ended(&record)
            }
        }
    }

    /// What the venue answered to a cancel.
    pub(crate) fn cancel_answered(
        &mut self,
        order_id: &OrderId,
        outcome: &CancelOutcome,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let Some(record) = self.state.orders.get(order_id) else { return Ok(()) };
        if record.state.is_terminal() {
            // The venue's own report, or its fills, came first: there is nothing to ask for.
            return Ok(());
        }
        let ended = match outcome {
            CancelOutcome::Confirmed => Some(OrderState::Canceled),
            CancelOutcome::TooLate { state } if state.is_terminal() => Some(*state),
            CancelOutcome::TooLate { .. } | CancelOutcome::NotFound | CancelOutcome::Unknown { .. } => None,
        };
        let Some(ended) = ended else {
            let message = format!(
                "the cancellation of order {order_id} is not confirmed: {outcome:?}; it counts as working until the venue \
                 reports it"
            );
            self.incident("CANCEL_UNCONFIRMED", message, Some(order_id), output);
            self.inquire(order_id);
            return Ok(());
        };
        if ended == OrderState::Filled {
            // The fills that made it so are still to come, or were lost.
            self.inquire(order_id);
            return Ok(());
        }
        if self.asks_what_filled(order_id, ended, output) {
            return Ok(());
        }
        self.ends_as(order_id, ended, output)
    }

    /// An order ended in the way that the venue confirmed.
    pub(crate) fn ends_as(
        &mut self,
        order_id: &OrderId,
        ended: OrderState,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let now = self.state.now;
        let Some(record) = self.state.orders.get_mut(order_id) else { return Ok(()) };
        let step = match ended {
            OrderState::Canceled => record.cancel(now),
            OrderState::Expired => record.expire(now),
            OrderState::Rejected => record.reject(now, "the venue rejected it"),
            _ => return Ok(()),
        };
        let record = record.clone();
        if let Err(illegal) = step {
            self.incident("ILLEGAL_TRANSITION", illegal.to_string(), Some(order_id), output);
            return Ok(());
        }
        output.events.push(match ended {
            OrderState::Canceled => Event::OrderCanceled(record.clone()),
            OrderState::Expired => Event::OrderExpired(record.clone()),
            _ => Event::OrderRejected(record.clone()),
        });
        self.ended(&record)
    }

    /// The order can no longer fill: it stops counting.
    pub(crate) fn ended(&mut self, record: &OrderRecord) -> Result<(), CoreError> {
        let order = &record.order;
        self.state.ledger.remove_working(&self.config.instruments, &order.fund_id, &order.order_id)?;
        self.kin_ended(record)?;
        self.state.cancels_wanted.remove(&order.order_id);
        self.state.asked.remove(&order.order_id);
        self.inquiry_ends(&order.order_id);
        Ok(())
    }
}

/// Not a method, so that the machine can be told while it is changed.
fn context<'a>(
    (now, session, closing): (Timestamp, SessionPhase, bool),
    ledger: &'a Ledger,
    instruments: &'a InstrumentTable,
) -> RiskContext<'a> {
    RiskContext { now, ledger, instruments, session, session_opened: None, closing }
}
