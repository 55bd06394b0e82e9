//! What people do: halts, kills, orders in their own name, and the answers that only a person can give.

use super::{Core, CoreError};
use crate::input::OperatorAct;
use crate::output::Output;
use mts_foundation::event::Event;
use mts_foundation::risk::RiskEvent;
use mts_foundation::strategy::OrderRequest;
use mts_foundation::{
    ActorId, BrokerName, FundId, IdempotencyKey, OrderId, OrderRecord, OrderState, StrategyId, Symbol,
};

impl Core {
    /// Carries out an act, or says why not.
    pub(crate) fn operate(&mut self, act: &OperatorAct, output: &mut Output) -> Result<(), CoreError> {
        let event = match act {
            OperatorAct::Halt(halt) => RiskEvent::Halt(halt.clone()),
            OperatorAct::Resume(request) => RiskEvent::Resume(request.clone()),
            OperatorAct::Kill { reason, actor } => {
                RiskEvent::Kill { reason: reason.clone(), actor: actor.clone() }
            }
            OperatorAct::UpdateEnvelope { envelope, .. } => RiskEvent::EnvelopeUpdated(envelope.clone()),
            OperatorAct::Adopt { broker, fund_id, symbol, reason, .. } => {
                return self.adopt((broker, fund_id, symbol), reason, output);
            }
            OperatorAct::BookCash { broker, fund_id, kind, amount, actor, reason } => {
                return self.cash_by_hand((broker, fund_id), (*kind, *amount), (actor, reason), output);
            }
            OperatorAct::Corporate { action, actor, reason } => {
                return self.corporate_action(action, (actor, reason), output);
            }
            OperatorAct::Settle { order_id, actor, reason } => {
                return self.settle(order_id, actor, reason, output);
            }
            OperatorAct::Submit { fund_id, strategy_id, request, actor } => {
                return self.submit_for(fund_id, strategy_id, request, actor, output);
            }
            OperatorAct::Cancel { order_id, .. } => {
                if self.state.order(order_id).is_none_or(|record| record.state.is_terminal()) {
                    let message =
                        format!("order {order_id} cannot be cancelled: it has ended or is not known here");
                    self.incident("NOTHING_TO_CANCEL", message, Some(order_id), output);
                }
                return self.cancel_by_request(order_id, output);
            }
            OperatorAct::CancelAll { fund_id, .. } => return self.cancel_all(fund_id.as_ref(), output),
            OperatorAct::Flatten { fund_id, actor } => return self.flatten(fund_id.as_ref(), actor, output),
            OperatorAct::Reconcile { broker, .. } => {
                let brokers: Vec<BrokerName> = self.state.accounts.keys().cloned().collect();
                for name in brokers.iter().filter(|name| broker.as_ref().is_none_or(|wanted| wanted == *name))
                {
                    self.ask_account(name, output);
                }
                return Ok(());
            }
        };
        self.risk_event(&event, output)
    }

    /// Takes a person's word for it that an order is not live.
    fn settle(
        &mut self,
        order_id: &OrderId,
        actor: &ActorId,
        reason: &str,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let now = self.state.now;
        // An order that the venue had and does not show any more is asked for as well; only a person can end that.
        let asked = self.state.inquiries.contains_key(order_id);
        if self.is_behind(order_id) {
            let message = format!(
                "order {order_id} is not settled: the venue shows more of it filled than fills came; they are booked when they \
                 come, or a stand-in for them shortly; settle it then"
            );
            self.incident("SETTLE_TOO_EARLY", message, Some(order_id), output);
            return Ok(());
        }
        let aside = self.settle_fills_of(order_id);
        if aside > 0 {
            let message =
                format!("{aside} fills of order {order_id} that were set aside are not booked: {reason}");
            self.incident("FILLS_SETTLED", message, Some(order_id), output);
        }
        let record = self.state.orders.get_mut(order_id);
        let doubtful = |record: &OrderRecord| {
            record.state == OrderState::Unknown || (asked && record.state.is_working())
        };
        let Some(record) = record.filter(|record| doubtful(record)) else {
            if aside > 0 {
                return Ok(());
            }
            let message = format!("order {order_id} is not unknown, so there is nothing to settle");
            self.incident("NOTHING_TO_SETTLE", message, Some(order_id), output);
            return Ok(());
        };
        if record.cancel(now).is_err() {
            return Ok(());
        }
        let record = record.clone();
        output.events.push(Event::OrderCanceled(record.clone()));
        let message = format!("{actor} says that order {order_id} is not live: {reason}");
        self.incident("ORDER_SETTLED", message, Some(order_id), output);
        self.ended(&record)
    }

    fn submit_for(
        &mut self,
        fund_id: &FundId,
        strategy_id: &StrategyId,
        request: &OrderRequest,
        actor: &ActorId,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let key = request.idempotency_key.clone().unwrap_or_else(|| {
            let number = self.state.inputs.to_string();
            IdempotencyKey::hashed(&["operator", fund_id.as_str(), actor.as_str(), &number])
        });
        self.propose_request((fund_id, strategy_id, actor), key, request, output)
    }

    fn flatten(
        &mut self,
        fund_id: Option<&FundId>,
        actor: &ActorId,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let wanted: Vec<(FundId, Vec<Symbol>)> = self
            .state
            .ledger
            .funds()
            .filter(|(owner, _)| fund_id.is_none_or(|fund_id| fund_id == *owner))
            .map(|(owner, book)| {
                let held = book.positions().iter().map(|(symbol, _)| symbol.clone());
                let working = book.working().map(|(_, order)| order.symbol.clone());
                let mut symbols: Vec<Symbol> = held.chain(working).collect();
                symbols.sort();
                symbols.dedup();
                (owner.clone(), symbols)
            })
            .collect();
        let name = StrategyId::new(actor.as_str())?;
        for (owner, symbols) in wanted {
            for symbol in symbols {
                self.close_position(&owner, &name, &symbol, output)?;
            }
        }
        Ok(())
    }
}
