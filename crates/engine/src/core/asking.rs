//! Orders that wait for an asynchronous gate (decision R11). One that passed the pure gates counts as working from then on, so
//! that nothing else can use its room; the question leaves like every action, once the order is durable. After the answer the
//! pure gates look again, because much may have happened meanwhile, and only then the order leaves.

use super::blocking::Wish;
use super::kin::{Kin, concerns};
use super::{Core, CoreError};
use crate::input::GateAnswer;
use crate::output::{Action, GateQuestion, OrderTrace, Output};
use mts_foundation::event::Event;
use mts_foundation::risk::{Gate, GateTrace, HaltScope, RejectCode, Rejection, Verdict};
use mts_foundation::{BrokerName, Order, OrderId, OrderState};

/// Most orders that are asked about at one time; beyond it new ones that somebody must be asked about are refused.
const MAX_ASKED: usize = 1_000;

impl Core {
    /// What is asked about an order that passed the pure gates; `None` = nobody is asked. Getting out must always be possible
    /// (decision R4), so nothing that closes or reduces waits for anybody.
    pub(crate) fn question_about(&self, order: &Order, closing: bool) -> Option<GateQuestion> {
        if !self.config.async_gates || closing {
            return None;
        }
        let context = self.risk_context(closing);
        if self.risk.reduces(order, &context) {
            return None;
        }
        let envelope = self.risk.envelope(&order.fund_id).cloned();
        Some(GateQuestion { order: order.clone(), envelope, context: context.of_order(order)? })
    }

    /// Whether so many orders are asked about that no other may be.
    pub(crate) fn too_many_asked(&self) -> Option<Rejection> {
        (self.state.asked.len() >= MAX_ASKED).then(|| Rejection {
            gate: Gate::OrderRate,
            code: RejectCode::OrderRate,
            limit: Some(MAX_ASKED.into()),
            observed: Some(self.state.asked.len().into()),
            message: format!("{MAX_ASKED} orders wait for an answer of the asynchronous gates; send slower"),
        })
    }

    /// Lets an order that counts as working wait for its answer.
    pub(crate) fn ask_gates(&mut self, question: GateQuestion, kin: &Kin, output: &mut Output) {
        let order = &question.order;
        let order_id = order.order_id.clone();
        // From here on the books count it, and the machine need not.
        self.risk.release(&order_id);
        let mut record = kin.record(order.clone());
        // Created orders may always wait.
        record.await_gates(self.state.now).unwrap_or_default();
        if let Some(parent) = &record.parent {
            self.state.children.entry(parent.clone()).or_default().insert(order_id.clone());
        }
        output.events.push(Event::OrderCreated(record.clone()));
        self.remember(record);
        self.state.asked.insert(order_id);
        output.actions.push(Action::Ask(Box::new(question)));
    }

    /// What the asynchronous gates said.
    pub(crate) fn gate_answered(
        &mut self,
        order_id: &OrderId,
        answer: &GateAnswer,
        failures: &[String],
        output: &mut Output,
    ) -> Result<(), CoreError> {
        for failure in failures {
            self.incident("GATE_FAILED_OPEN", failure.clone(), None, output);
        }
        self.state.asked.remove(order_id);
        let record = self.state.orders.get(order_id);
        let Some(record) = record.filter(|record| record.state == OrderState::PendingRisk).cloned() else {
            // It ended while somebody thought about it, or was answered before.
            return Ok(());
        };
        if *answer == GateAnswer::Passed && !self.fits_its_parent(order_id) {
            // What its siblings filled meanwhile leaves no room for all of it; the parent asks for what is left.
            self.withdraw(order_id);
            return Ok(());
        }
        let order = &record.order;
        // It is looked at as it was when it came: not counted itself, nor those of which only one can fill.
        if let Some(group) = &record.group {
            self.step_back(group)?;
        }
        self.state.ledger.remove_working(&self.config.instruments, &order.fund_id, order_id)?;
        let objection = match answer {
            GateAnswer::Passed => self.objection_now(order, output).err(),
            GateAnswer::Refused(rejection) => {
                self.trace_refusal(order, rejection, output);
                Some(rejection.clone())
            }
        };
        match objection {
            None => self.send_approved(record.clone(), false, output)?,
            Some(rejection) => {
                if rejection.code == RejectCode::GateUnanswered {
                    self.incident("GATE_UNANSWERED", rejection.message.clone(), Some(order_id), output);
                }
                let mut record = record.clone();
                let by_loss = self.reject(&mut record, *rejection, output);
                self.state.orders.insert(order_id.clone(), record.clone());
                self.ended(&record)?;
                self.trip_if(by_loss, output)?;
            }
        }
        if let Some(group) = &record.group {
            self.count_members(group)?;
        }
        Ok(())
    }

    /// What the pure gates say of an order by now; one that they let pass counts as working again.
    fn objection_now(&mut self, order: &Order, output: &mut Output) -> Result<(), Box<Rejection>> {
        if let Some(rejection) = self.blocked(&Wish::of(order, false)) {
            return Err(Box::new(rejection));
        }
        self.admit(order, None, false, output)?;
        if let Some(trace) = output.traces.last_mut().filter(|_| self.tracing) {
            trace.gates.verdict(Gate::Veto, Verdict::Pass);
        }
        Ok(())
    }

    fn trace_refusal(&self, order: &Order, rejection: &Rejection, output: &mut Output) {
        if self.tracing {
            let mut gates = GateTrace::on();
            drop(self.risk.check(order, &self.risk_context(false), &mut gates));
            gates.rejected(rejection);
            output.traces.push(self.trace_of(order, None, gates));
        }
    }

    pub(crate) fn trace_of(
        &self,
        order: &Order,
        planned: Option<mts_foundation::sizing::PlannedOrder>,
        gates: GateTrace,
    ) -> OrderTrace {
        let book = self.state.ledger.fund(&order.fund_id);
        OrderTrace {
            order_id: order.order_id.clone(),
            time: self.state.now,
            planned,
            nav: book.map(mts_foundation::FundBook::nav).unwrap_or_default(),
            cash: book.map(mts_foundation::FundBook::cash).unwrap_or_default(),
            gates,
        }
    }

    /// An account was compared for the first time since the start or the last reconnection: orders that wait are asked about
    /// (again). Before that an answer would be of no use, because nothing new may leave. An order of which a crash took the
    /// question, and that has grown too old since, was meant for another market.
    pub(crate) fn ask_again(&mut self, broker: &BrokerName, output: &mut Output) -> Result<(), CoreError> {
        let facts = self.config.venues.get(broker).cloned().unwrap_or_default();
        let asked: Vec<OrderId> = self.state.asked.iter().cloned().collect();
        for order_id in asked {
            let Some(record) = self.state.orders.get(&order_id) else { continue };
            let order = record.order.clone();
            if order.broker != *broker || record.state != OrderState::PendingRisk {
                continue;
            }
            if self.state.now.since(order.created_at) >= facts.resend_within {
                self.withdraw(&order_id);
                continue;
            }
            // What is told does not count the order itself, as at first.
            let units = record.remaining();
            let (instruments, ledger) = (&self.config.instruments, &mut self.state.ledger);
            ledger.remove_working(instruments, &order.fund_id, &order_id)?;
            let context = self.risk_context(false).of_order(&order);
            self.state.ledger.add_working(&self.config.instruments, &order, units)?;
            let envelope = self.risk.envelope(&order.fund_id).cloned();
            let question = context.map(|context| GateQuestion { order, envelope, context });
            output.actions.extend(question.map(|question| Action::Ask(Box::new(question))));
        }
        Ok(())
    }

    /// Notes that an order that waits is not wanted any more; it ends in this step, once all its kin have been looked at.
    pub(crate) fn withdraw(&mut self, order_id: &OrderId) {
        self.withdrawn.push(order_id.clone());
    }

    /// Takes back everything that waits: the session is over.
    pub(crate) fn withdraw_all(&mut self) {
        self.withdrawn.extend(self.state.asked.iter().cloned());
    }

    /// Takes back what waits within a halt's reach: all of it would open or grow a position.
    pub(crate) fn withdraw_halted(&mut self, scope: &HaltScope) {
        let (asked, orders) = (&self.state.asked, &self.state.orders);
        let halted = asked.iter().filter(|order_id| {
            orders
                .get(*order_id)
                .is_some_and(|record| concerns(scope, &record.order.fund_id, &record.order.strategy_id))
        });
        self.withdrawn.extend(halted.cloned());
    }

    /// Ends what was taken back. No venue has it, so nobody need confirm that.
    pub(crate) fn end_withdrawn(&mut self, output: &mut Output) -> Result<(), CoreError> {
        for order_id in std::mem::take(&mut self.withdrawn) {
            let record = self.state.orders.get_mut(&order_id);
            let Some(record) = record.filter(|record| record.state == OrderState::PendingRisk) else {
                continue;
            };
            // What waits may always be cancelled.
            record.cancel(self.state.now).unwrap_or_default();
            let record = record.clone();
            output.events.push(Event::OrderCanceled(record.clone()));
            self.ended(&record)?;
        }
        Ok(())
    }
}
