//! From intent to venue: key, gates, books, and what the venue answers.

use super::idempotency::KeyVerdict;
use super::kin::Kin;
use super::{Core, CoreError};
use crate::output::{OrderTrace, Output};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::event::Event;
use mts_foundation::risk::{
    Gate, GateTrace, OrderRejection, RejectCode, Rejection, RiskContext, RiskDecision, RiskEvent,
    SessionPhase,
};
use mts_foundation::sizing::PlannedOrder;
use mts_foundation::{InstrumentTable, Ledger, Order, OrderId, OrderRecord, OrderState, Timestamp};
use smol_str::{SmolStr, format_smolstr};

impl Core {
    /// The id of the next order: the fund and a number that never repeats within a journal.
    pub(crate) fn next_order_id(&mut self, fund: &str) -> SmolStr {
        self.state.counters.orders = self.state.counters.orders.saturating_add(1);
        format_smolstr!("{fund}-{:06}", self.state.counters.orders)
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
        if let Some(rejection) = self.blocked(&order) {
            self.refuse(order, kin, rejection, true, output);
            return Ok(());
        }
        let mut gates = if self.tracing { GateTrace::on() } else { GateTrace::off() };
        let (now, session) = (self.state.now, self.session_phase());
        // Made anew for each look, so that the ledger can change between them.
        fn context<'a>(
            (now, session, closing): (Timestamp, SessionPhase, bool),
            ledger: &'a Ledger,
            instruments: &'a InstrumentTable,
        ) -> RiskContext<'a> {
            RiskContext { now, ledger, instruments, session, session_opened: None, closing }
        }
        let moment = (now, session, closing);
        let decision = self.risk.reserve(
            &order,
            &context(moment, &self.state.ledger, &self.config.instruments),
            &mut gates,
        );
        if self.tracing {
            let book = self.state.ledger.fund(&order.fund_id);
            output.traces.push(OrderTrace {
                order_id: order.order_id.clone(),
                time: self.state.now,
                planned,
                nav: book.map(mts_foundation::FundBook::nav).unwrap_or_default(),
                cash: book.map(mts_foundation::FundBook::cash).unwrap_or_default(),
                gates,
            });
        }
        match decision {
            RiskDecision::Rejected(rejection) => {
                let by_loss = rejection.gate == Gate::Loss;
                self.refuse(order, kin, *rejection, true, output);
                if by_loss {
                    // The limit was reached before any mark or fill said so: trip it now (decision R10).
                    self.risk_event(&RiskEvent::Marked { symbol: None }, output)?;
                }
                Ok(())
            }
            RiskDecision::Approved => {
                let units = order.quantity;
                if let Err(error) = self.state.ledger.add_working(&self.config.instruments, &order, units) {
                    self.risk.release(&order.order_id);
                    let rejection = Rejection {
                        gate: Gate::OrderNotional,
                        code: RejectCode::ArithmeticRange,
                        limit: None,
                        observed: None,
                        message: error.to_string(),
                    };
                    self.refuse(order, kin, rejection, true, output);
                    return Ok(());
                }
                self.risk.commit(&order, &context(moment, &self.state.ledger, &self.config.instruments));
                let order = order.submitted(self.state.now);
                self.remember_key(&order);
                let mut record = kin.record(order.clone());
                // Created orders may always be submitted.
                record.submit(self.state.now).unwrap_or_default();
                output.events.push(Event::OrderCreated(record.clone()));
                self.state.orders.insert(order.order_id.clone(), record);
                self.leave(order, output)
            }
        }
    }

    /// Records a refusal. `remember` is false where the key belongs to another order.
    fn refuse(&mut self, order: Order, kin: &Kin, rejection: Rejection, remember: bool, output: &mut Output) {
        let now = self.state.now;
        let counters = &mut self.state.counters;
        counters.rejected = counters.rejected.saturating_add(1);
        *counters.by_code.entry(rejection.code).or_default() += 1;
        if remember {
            self.remember_key(&order);
        }
        let mut record = kin.record(order);
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
        if remember {
            self.state.orders.insert(record.order.order_id.clone(), record);
        }
    }

    /// What the venue answered to a submit.
    pub(crate) fn submitted(
        &mut self,
        order_id: &OrderId,
        outcome: &SubmitOutcome,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let now = self.state.now;
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
        let step = match outcome {
            SubmitOutcome::Accepted(accepted) => match accepted.broker_order_id.clone() {
                Some(id) => record.accept(now, id),
                None => record.unknown(now),
            },
            SubmitOutcome::Rejected { reason } => record.reject(now, reason.clone()),
            // It was sent again and did not leave this time: that says nothing of the first time.
            SubmitOutcome::NotSent { .. } if record.state == OrderState::Unknown => return Ok(()),
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
        let now = self.state.now;
        let Some(record) = self.state.orders.get_mut(order_id) else { return Ok(()) };
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
        let step = match ended {
            OrderState::Canceled => record.cancel(now),
            OrderState::Expired => record.expire(now),
            OrderState::Rejected => record.reject(now, "the venue rejected it"),
            // The fills that made it so are still to come.
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
        self.kin_ended(record);
        self.state.cancels_wanted.remove(&order.order_id);
        self.inquiry_ends(&order.order_id);
        Ok(())
    }
}
