//! What strategies want.

use super::state::WaitingOrder;
use super::{Core, CoreError, Progress};
use crate::core::rebalance::Rebalance;
use crate::output::Output;
use mts_foundation::event::Event;
use mts_foundation::sizing::PlanStage;
use mts_foundation::strategy::{Command, MAX_COMMANDS, OrderRequest};
use mts_foundation::{ActorId, FundId, IdempotencyKey, Order, StrategyId};

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
        let owner = (fund_id.clone(), strategy_id.clone());
        if let Some(memory) = memory {
            self.state.memories.insert(owner.clone(), memory.clone());
        }
        self.state.decided.insert(owner, self.state.now);
        for (index, command) in commands.iter().enumerate() {
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
                        leg: leg(request, commands.get(..index).unwrap_or_default()),
                        request: request.clone(),
                    });
                }
                Command::Cancel(order_id) => {
                    let own = self.state.orders.get(order_id).is_some_and(|record| {
                        record.order.fund_id == *fund_id && record.order.strategy_id == *strategy_id
                    });
                    if own {
                        self.request_cancel(order_id, output);
                    } else {
                        let message =
                            format!("strategy {strategy_id} cancels {order_id}, which is not its order");
                        self.incident("NOT_OWN_ORDER", message, Some(order_id), output);
                    }
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
                None => {
                    let (symbol, side) = (&request.symbol, request.side);
                    let key = IdempotencyKey::for_rebalance(&fund_id, &strategy_id, decided, symbol, side)?;
                    IdempotencyKey::for_child(&key, leg)?
                }
            };
            let actor = Self::actor_of(&strategy_id)?;
            self.propose_request((&fund_id, &strategy_id, &actor), key, &request, output)?;
        }
        Ok(())
    }

    /// Makes an order of what somebody asks for and takes it through the gates.
    pub(crate) fn propose_request(
        &mut self,
        (fund_id, strategy_id, actor): (&FundId, &StrategyId, &ActorId),
        key: IdempotencyKey,
        request: &OrderRequest,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let Some(broker) = self.brokers.get(fund_id).cloned() else {
            let message = format!("there is no fund {fund_id}; `mts status` names them");
            self.incident("UNKNOWN_FUND", message, None, output);
            return Ok(());
        };
        let mut builder = Order::builder()
            .order_id(self.next_order_id(fund_id.as_str()))
            .idempotency_key(key.as_str())
            .symbol(request.symbol.as_str())
            .side(request.side)
            .quantity(request.quantity)
            .order_type(request.order_type)
            .tif(request.tif)
            .extended_hours(request.extended_hours)
            .fund_id(fund_id.as_str())
            .strategy_id(strategy_id.as_str())
            .broker(broker.as_str())
            .actor(actor.as_str())
            .created_at(self.state.now);
        if let Some(price) = request.limit_price {
            builder = builder.limit_price(price);
        }
        if let Some(price) = request.stop_price {
            builder = builder.stop_price(price);
        }
        if let Some(thesis) = &request.thesis {
            builder = builder.thesis(thesis);
        }
        match builder.build() {
            Ok(order) => self.propose(order, None, false, output),
            Err(faults) => {
                let message = format!("{actor} asks for an impossible order: {faults}");
                self.incident("ORDER_INVALID", message, None, output);
                Ok(())
            }
        }
    }
}

/// Which order in this instrument and direction it is, from 1. The orders of targets have the key without a number, so
/// that one decision can hold both.
fn leg(request: &OrderRequest, before: &[Command]) -> u32 {
    let same = before.iter().filter(|command| match command {
        Command::Submit(other) => other.symbol == request.symbol && other.side == request.side,
        _ => false,
    });
    u32::try_from(same.count()).unwrap_or(u32::MAX).saturating_add(1)
}
