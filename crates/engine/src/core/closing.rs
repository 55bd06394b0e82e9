//! Closing a position: first cancel what works in it, then close what is confirmed to be held (decision R4). A close is over
//! when nothing is held any more, when somebody cancels its order, or when that was refused too often.

use super::blocking::Wish;
use super::timers::Timer;
use super::{Core, CoreError, Progress};
use crate::output::Output;
use mts_foundation::{
    Decimal, FundId, IdempotencyKey, Order, OrderId, OrderState, OrderType, Side, StrategyId, Symbol,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Thesis of an order that closes what a fund holds, whoever of its strategies made it.
const CLOSE: &str = "close position";

/// Whether an order closes what its fund holds, whoever made it.
pub(super) fn is_close(order: &Order) -> bool {
    order.thesis.as_deref() == Some(CLOSE)
}

/// Pause before a closing order that was refused is sent again.
const RETRY: Duration = Duration::from_secs(10);

/// Refusals in a row after which a close is given up, and told.
const MAX_REFUSALS: u32 = 5;

/// A position that somebody wants closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Close {
    strategy_id: StrategyId,
    /// The order that closes it, once it left.
    pub(crate) order: Option<OrderId>,
    refusals: u32,
    not_before: Option<Timestamp>,
    /// It waits because nothing may leave, and that was told.
    waits: bool,
}

impl Core {
    /// Whether this instrument is being closed in any fund.
    pub(super) fn is_closing(&self, symbol: &Symbol) -> bool {
        self.state.closes.keys().any(|(_, closing)| closing == symbol)
    }

    /// Begins to close. Asking again while it is under way asks the venue again to cancel what still works, and begins anew.
    pub(crate) fn close_position(
        &mut self,
        fund_id: &FundId,
        strategy_id: &StrategyId,
        symbol: &Symbol,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let owner = (fund_id.clone(), symbol.clone());
        let close = self.state.closes.entry(owner).or_insert_with(|| Close {
            strategy_id: strategy_id.clone(),
            order: None,
            refusals: 0,
            not_before: None,
            waits: false,
        });
        (close.order, close.refusals) = (None, 0);
        if let Some(at) = close.not_before.take() {
            self.state.timers.remove(&(at, Timer::Close(fund_id.clone(), symbol.clone())));
        }
        self.stop_kin(Some(fund_id), Some(symbol), output)?;
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
        let now = self.state.now;
        let ready: Vec<_> = self
            .state
            .closes
            .iter()
            .filter(|((fund_id, symbol), close)| {
                close.not_before.is_none_or(|at| at <= now) && self.working_in(fund_id, symbol).is_empty()
            })
            .map(|(owner, _)| owner.clone())
            .collect();
        for owner in ready {
            let book = self.state.ledger.fund(&owner.0);
            let held = book.map_or(Decimal::ZERO, |book| book.positions().quantity(&owner.1));
            if self.close_is_over(&owner, held, output) {
                continue;
            }
            self.send_close(&owner, held, output)?;
            if self.working_in(&owner.0, &owner.1).is_empty() {
                // A gate refused it.
                self.close_is_over(&owner, held, output);
            }
        }
        Ok(())
    }

    /// Sees what became of a closing order. True when the close is over, or waits.
    fn close_is_over(&mut self, owner: &(FundId, Symbol), held: Decimal, output: &mut Output) -> bool {
        let Some(close) = self.state.closes.get_mut(owner) else { return true };
        let order_id = close.order.take();
        // Its timer is due, or was.
        close.not_before = None;
        // What is forgotten ended long ago.
        let of_record = |order_id: &OrderId| {
            self.state.orders.get(order_id).map_or(OrderState::Canceled, |record| record.state)
        };
        let state = order_id.as_ref().map(of_record);
        let (fund_id, symbol) = owner;
        if held.is_zero() || state == Some(OrderState::Canceled) {
            self.state.closes.remove(owner);
            if !held.is_zero() {
                let message = format!(
                    "the order that closes {symbol} of fund {fund_id} was cancelled with {held} still held; close it again"
                );
                self.incident("CLOSE_CANCELLED", message, order_id.as_ref(), output);
            }
            return true;
        }
        if !matches!(state, Some(OrderState::Rejected | OrderState::NotSent | OrderState::Expired)) {
            return false;
        }
        close.refusals = close.refusals.saturating_add(1);
        if close.refusals >= MAX_REFUSALS {
            self.state.closes.remove(owner);
            let message = format!(
                "the order that closes {symbol} of fund {fund_id} was refused {MAX_REFUSALS} times, and {held} are still held; \
                 it is not tried again; find the cause and close it again"
            );
            self.incident("CLOSE_REFUSED", message, order_id.as_ref(), output);
            return true;
        }
        let at = self.state.now.plus(RETRY);
        close.not_before = Some(at);
        self.set_timer(at, Timer::Close(fund_id.clone(), symbol.clone()));
        true
    }

    fn send_close(
        &mut self,
        owner: &(FundId, Symbol),
        held: Decimal,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let (fund_id, symbol) = owner;
        let (Some(close), Some(broker)) = (self.state.closes.get(owner), self.brokers.get(fund_id).cloned())
        else {
            return Ok(());
        };
        let strategy_id = close.strategy_id.clone();
        let side = if held > Decimal::ZERO { Side::Sell } else { Side::Cover };
        let quantity = held.abs();
        let wish = Wish {
            fund_id,
            strategy_id: &strategy_id,
            broker: &broker,
            symbol,
            side,
            quantity,
            closing: true,
        };
        let why = self.blocked(&wish);
        if let Some(close) = self.state.closes.get_mut(owner) {
            let told = std::mem::replace(&mut close.waits, why.is_some());
            if let Some(why) = why {
                // It leaves as soon as it may.
                if !told {
                    let message = format!("the close of {symbol} of fund {fund_id} waits: {}", why.message);
                    self.incident("CLOSE_WAITS", message, None, output);
                }
                return Ok(());
            }
        }
        let order_id = self.next_order_id(fund_id.as_str());
        let key = IdempotencyKey::hashed(&["close", fund_id.as_str(), symbol.as_str(), &order_id]);
        let order = Order::builder()
            .order_id(order_id)
            .idempotency_key(key.as_str())
            .symbol(symbol.as_str())
            .side(side)
            .quantity(quantity)
            .order_type(OrderType::Market)
            .fund_id(fund_id.as_str())
            .strategy_id(strategy_id.as_str())
            .broker(broker.as_str())
            .actor(Self::actor_of(&strategy_id)?.as_str())
            .created_at(self.state.now)
            .thesis(CLOSE)
            .build();
        match order {
            Ok(order) => {
                if let Some(close) = self.state.closes.get_mut(owner) {
                    close.order = Some(order.order_id.clone());
                }
                self.propose(order, None, true, output)
            }
            Err(faults) => {
                self.state.closes.remove(owner);
                self.incident("ORDER_INVALID", faults.to_string(), None, output);
                Ok(())
            }
        }
    }
}
