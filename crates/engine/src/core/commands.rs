//! What strategies want.

use super::state::WaitingOrder;
use super::{Core, CoreError, Progress};
use crate::core::rebalance::Rebalance;
use crate::output::Output;
use mts_foundation::event::Event;
use mts_foundation::sizing::PlanStage;
use mts_foundation::strategy::{Command, MAX_COMMANDS, OrderRequest};
use mts_foundation::{ActorId, FundId, IdempotencyKey, Order, OrderId, OrderIdentity, StrategyId, Timestamp};

impl Core {
    /// Takes the commands of one decision, in order.
    pub(crate) fn decided(
        &mut self,
        strategy_id: &StrategyId,
        fund_id: &FundId,
        commands: &[Command],
        memory: Option<&Vec<u8>>,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        self.state.forget(self.config.key_memory);
        let owner = (fund_id.clone(), strategy_id.clone());
        if let Some(memory) = memory {
            self.state.memories.insert(owner.clone(), memory.clone());
        }
        self.state.decided.insert(owner, self.state.now);
        for (index, command) in commands.iter().enumerate() {
            let before = commands.get(..index).unwrap_or_default();
            match command {
                Command::Submit(request) => {
                    if self.state.waiting.len() >= MAX_COMMANDS {
                        let message = format!("{MAX_COMMANDS} orders wait for the open; this one is dropped");
                        self.incident("TOO_MANY_WAITING", message, None, output);
                        continue;
                    }
                    self.state.waiting.push_back(WaitingOrder {
                        fund_id: fund_id.clone(),
                        strategy_id: strategy_id.clone(),
                        decided: self.state.now,
                        leg: leg(request, before),
                        request: request.clone(),
                    });
                }
                Command::Cancel(order_id) => {
                    let own = self.state.orders.get(order_id).is_some_and(|record| {
                        record.order.fund_id == *fund_id && record.order.strategy_id == *strategy_id
                    });
                    if own {
                        self.cancel_by_request(order_id, output)?;
                    } else {
                        let message =
                            format!("strategy {strategy_id} cancels {order_id}, which is not its order");
                        self.incident("NOT_OWN_ORDER", message, Some(order_id), output);
                    }
                }
                Command::Group(group) => {
                    let leg = group.head().map_or(1, |head| leg(head, before));
                    self.begin_group((fund_id, strategy_id), group, leg, output)?;
                }
                Command::Algorithm(request) => {
                    let leg = leg(&request.parent, before);
                    self.begin_algorithm((fund_id, strategy_id), request, leg, output)?;
                }
                Command::Close(symbol) => self.close_position(fund_id, strategy_id, symbol, output)?,
                Command::Targets(targets)
                    if targets.fund_id == *fund_id && targets.strategy_id == *strategy_id =>
                {
                    let rebalance = Rebalance { targets: targets.clone(), stage: PlanStage::Reduce };
                    self.state.rebalances.insert((fund_id.clone(), strategy_id.clone()), rebalance);
                    output.events.push(Event::TargetsAccepted(targets.clone()));
                }
                Command::Targets(targets) => {
                    let message = format!(
                        "strategy {strategy_id} of fund {fund_id} gives targets for {} of {}; it may not",
                        targets.strategy_id, targets.fund_id
                    );
                    self.incident("NOT_OWN_FUND", message, None, output);
                }
            }
        }
        if !self.config.sessions || self.state.progress == Progress::Opened {
            self.send_waiting_orders(output)?;
        }
        Ok(())
    }

    /// Sends what waited for the open.
    pub(crate) fn send_waiting_orders(&mut self, output: &mut Output) -> Result<(), CoreError> {
        while let Some(waiting) = self.state.waiting.pop_front() {
            let WaitingOrder { fund_id, strategy_id, decided, leg, request } = waiting;
            let key = match request.idempotency_key.clone() {
                Some(key) => key,
                None => Self::key_of((&fund_id, &strategy_id), decided, &request, leg)?,
            };
            let actor = Self::actor_of(&strategy_id)?;
            self.propose_request((&fund_id, &strategy_id, &actor), key, &request, output)?;
        }
        Ok(())
    }

    /// Makes an order of what somebody asks for and takes it through the gates.
    pub(crate) fn propose_request(
        &mut self,
        owner: (&FundId, &StrategyId, &ActorId),
        key: IdempotencyKey,
        request: &OrderRequest,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        match self.order_of(owner, &key, request, output) {
            Some(order) => self.propose(order, None, false, output),
            None => Ok(()),
        }
    }

    /// Makes an order of what somebody asks for; where that cannot be, an incident says why.
    pub(crate) fn order_of(
        &mut self,
        (fund_id, strategy_id, actor): (&FundId, &StrategyId, &ActorId),
        key: &IdempotencyKey,
        request: &OrderRequest,
        output: &mut Output,
    ) -> Option<Order> {
        let Some(broker) = self.brokers.get(fund_id).cloned() else {
            let message = format!("there is no fund {fund_id}; `mts status` names them");
            self.incident("UNKNOWN_FUND", message, None, output);
            return None;
        };
        let order =
            OrderId::try_from(self.next_order_id(fund_id.as_str())).map_err(|fault| fault.to_string());
        let order = order.and_then(|order_id| {
            let identity = OrderIdentity {
                order_id,
                idempotency_key: key.clone(),
                fund_id: fund_id.clone(),
                strategy_id: strategy_id.clone(),
                broker,
                actor: actor.clone(),
                created_at: self.state.now,
            };
            request.order(identity).map_err(|faults| faults.to_string())
        });
        match order {
            Ok(order) => Some(order),
            Err(faults) => {
                let message = format!("{actor} asks for an impossible order: {faults}");
                self.incident("ORDER_INVALID", message, None, output);
                None
            }
        }
    }

    /// The key of a request that brings none: fund, strategy, time, instrument, direction, and which of them it is.
    pub(crate) fn key_of(
        owner: (&FundId, &StrategyId),
        decided: Timestamp,
        request: &OrderRequest,
        leg: u32,
    ) -> Result<IdempotencyKey, CoreError> {
        Ok(IdempotencyKey::for_leg(owner, decided, &request.symbol, request.side, leg)?)
    }
}

/// Which order in this instrument and direction it is, from 1. The orders of targets have the key without a number, so
/// that one decision can hold both.
fn leg(request: &OrderRequest, before: &[Command]) -> u32 {
    let same = before.iter().filter(|command| {
        let other = match command {
            Command::Submit(other) => Some(other),
            Command::Group(group) => group.head(),
            Command::Algorithm(algorithm) => Some(&algorithm.parent),
            Command::Cancel(_) | Command::Close(_) | Command::Targets(_) => None,
        };
        other.is_some_and(|other| other.symbol == request.symbol && other.side == request.side)
    });
    u32::try_from(same.count()).unwrap_or(u32::MAX).saturating_add(1)
}
