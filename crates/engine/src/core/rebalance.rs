//! From target weights to orders, in two halves: at the first open what shrinks, at the next what grows.
//!
//! Working sells give no credit (decision R5), so purchases wait for the sells to end, and are sized on the value and
//! the prices of that moment.

use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::signal::TargetSet;
use mts_foundation::sizing::{PlanRequest, PlanStage, PlannedOrder};
use mts_foundation::{FundId, IdempotencyKey, Order, OrderType, StrategyId};
use serde::{Deserialize, Serialize};

/// A rebalance under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rebalance {
    pub(crate) targets: TargetSet,
    pub(crate) stage: PlanStage,
}

impl Core {
    /// Takes every rebalance one half further.
    pub(crate) fn advance_rebalances(&mut self, output: &mut Output) -> Result<(), CoreError> {
        let due: Vec<(FundId, StrategyId)> = self.state.rebalances.keys().cloned().collect();
        for owner in due {
            let Some(rebalance) = self.state.rebalances.get(&owner).cloned() else { continue };
            if rebalance.stage == PlanStage::Increase && self.has_working(&owner) {
                continue;
            }
            match rebalance.stage {
                PlanStage::Reduce => {
                    if let Some(slot) = self.state.rebalances.get_mut(&owner) {
                        slot.stage = PlanStage::Increase;
                    }
                }
                PlanStage::Increase => {
                    self.state.rebalances.remove(&owner);
                }
            }
            self.plan(&rebalance, output)?;
        }
        Ok(())
    }

    fn has_working(&self, (fund_id, strategy_id): &(FundId, StrategyId)) -> bool {
        let of_strategy = |order_id| {
            self.state.orders.get(order_id).is_some_and(|record| record.order.strategy_id == *strategy_id)
        };
        let book = self.state.ledger.fund(fund_id);
        book.is_some_and(|book| book.working().any(|(order_id, _)| of_strategy(order_id)))
    }

    fn plan(&mut self, rebalance: &Rebalance, output: &mut Output) -> Result<(), CoreError> {
        let targets = &rebalance.targets;
        let request = PlanRequest {
            targets,
            stage: rebalance.stage,
            ledger: &self.state.ledger,
            instruments: &self.config.instruments,
        };
        let planned = match self.planner.plan(&request) {
            Ok(planned) => planned,
            Err(error) => {
                self.state.rebalances.remove(&(targets.fund_id.clone(), targets.strategy_id.clone()));
                self.incident("PLAN_FAILED", error.to_string(), None, output);
                return Ok(());
            }
        };
        for order in planned {
            self.propose_planned(targets, order, output)?;
        }
        Ok(())
    }

    fn propose_planned(
        &mut self,
        targets: &TargetSet,
        planned: PlannedOrder,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let Some(broker) = self.brokers.get(&targets.fund_id).cloned() else { return Ok(()) };
        let key = IdempotencyKey::for_rebalance(
            &targets.fund_id,
            &targets.strategy_id,
            targets.asof,
            &planned.symbol,
            planned.side,
        )?;
        let nav = self.state.ledger.fund(&targets.fund_id).map(mts_foundation::FundBook::nav);
        let mut builder = Order::builder()
            .order_id(self.next_order_id(targets.fund_id.as_str()))
            .idempotency_key(key.as_str())
            .symbol(planned.symbol.as_str())
            .side(planned.side)
            .quantity(planned.quantity)
            .order_type(OrderType::Market)
            .fund_id(targets.fund_id.as_str())
            .strategy_id(targets.strategy_id.as_str())
            .broker(broker.as_str())
            .actor(Self::actor_of(&targets.strategy_id)?.as_str())
            .created_at(self.state.now);
        if let Some(nav) = nav.filter(|nav| *nav > mts_foundation::Decimal::ZERO) {
            builder = builder.nav_usd(nav);
        }
        match builder.build() {
            Ok(order) => self.propose(order, Some(planned), false, output),
            Err(faults) => {
                self.incident("ORDER_INVALID", faults.to_string(), None, output);
                Ok(())
            }
        }
    }
}
