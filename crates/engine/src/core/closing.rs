//! Closing a position: first cancel what works in it, then close what is confirmed to be held (decision R4).

use super::{Core, CoreError, Progress};
use crate::output::Output;
use mts_foundation::{Decimal, FundId, IdempotencyKey, Order, OrderId, OrderType, Side, StrategyId, Symbol};

impl Core {
    /// Begins to close. Asking again while it is under way asks the venue again to cancel what still works, and changes
    /// nothing else.
    pub(crate) fn close_position(
        &mut self,
        fund_id: &FundId,
        strategy_id: &StrategyId,
        symbol: &Symbol,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let owner = (fund_id.clone(), symbol.clone());
        self.state.closes.entry(owner).or_insert_with(|| strategy_id.clone());
        for order_id in self.working_in(fund_id, symbol) {
            self.request_cancel(&order_id, output);
        }
        Ok(())
    }

    /// Says which closes a session has not begun because the cancellation of an order is not confirmed.
    pub(crate) fn report_waiting_closes(&mut self, output: &mut Output) {
        let stuck: Vec<String> = self
            .state
            .closes
            .keys()
            .filter_map(|(fund_id, symbol)| {
                let working: Vec<_> =
                    self.working_in(fund_id, symbol).iter().map(OrderId::to_string).collect();
                let what = format!("fund {fund_id}: {symbol} waits for the end of {}", working.join(", "));
                (!working.is_empty()).then_some(what)
            })
            .collect();
        for what in stuck {
            let message = format!("a close is not sent; {what}; ask again, or look at the broker's account");
            self.incident("CLOSE_WAITING", message, None, output);
        }
    }

    fn working_in(&self, fund_id: &FundId, symbol: &Symbol) -> Vec<OrderId> {
        let book = self.state.ledger.fund(fund_id);
        book.into_iter()
            .flat_map(|book| book.working_in(symbol))
            .map(|(order_id, _)| order_id.clone())
            .collect()
    }

    /// Sends the closing orders whose instruments have nothing working any more, once the market is open.
    pub(crate) fn send_waiting_closes(&mut self, output: &mut Output) -> Result<(), CoreError> {
        if self.state.closes.is_empty() || (self.config.sessions && self.state.progress != Progress::Opened) {
            return Ok(());
        }
        let ready: Vec<_> = self
            .state
            .closes
            .iter()
            .filter(|((fund_id, symbol), _)| self.working_in(fund_id, symbol).is_empty())
            .map(|(owner, strategy)| (owner.clone(), strategy.clone()))
            .collect();
        for ((fund_id, symbol), strategy_id) in ready {
            self.state.closes.remove(&(fund_id.clone(), symbol.clone()));
            let held = self
                .state
                .ledger
                .fund(&fund_id)
                .map_or(Decimal::ZERO, |book| book.positions().quantity(&symbol));
            let Some(broker) = self.brokers.get(&fund_id).cloned() else { continue };
            if held.is_zero() {
                continue;
            }
            let side = if held > Decimal::ZERO { Side::Sell } else { Side::Cover };
            let order_id = self.next_order_id(fund_id.as_str());
            let key = IdempotencyKey::hashed(&["close", fund_id.as_str(), symbol.as_str(), &order_id]);
            let order = Order::builder()
                .order_id(order_id)
                .idempotency_key(key.as_str())
                .symbol(symbol.as_str())
                .side(side)
                .quantity(held.abs())
                .order_type(OrderType::Market)
                .fund_id(fund_id.as_str())
                .strategy_id(strategy_id.as_str())
                .broker(broker.as_str())
                .actor(Self::actor_of(&strategy_id)?.as_str())
                .created_at(self.state.now)
                .thesis("close position")
                .build();
            match order {
                Ok(order) => self.propose(order, None, true, output)?,
                Err(faults) => self.incident("ORDER_INVALID", faults.to_string(), None, output),
            }
        }
        Ok(())
    }
}
