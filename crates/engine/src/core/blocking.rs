//! What must wait because something is not known: orders that may or may not be live, accounts that were not compared or say
//! something else than the books (reliability.md §5 rule 7).

use super::Core;
use mts_foundation::risk::{Gate, RejectCode, Rejection};
use mts_foundation::{BrokerName, Decimal, FundId, Order, Side, StrategyId, Symbol};

/// Unknown orders of one account with which others may still trade.
const MAX_UNKNOWN: usize = 3;

/// What somebody wants to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) fund_id: &'a FundId,
    pub(crate) strategy_id: &'a StrategyId,
    pub(crate) broker: &'a BrokerName,
    pub(crate) symbol: &'a Symbol,
    pub(crate) side: Side,
    pub(crate) quantity: Decimal,
    /// It closes a position.
    pub(crate) closing: bool,
}

impl<'a> Wish<'a> {
    pub(crate) fn of(order: &'a Order, closing: bool) -> Self {
        Self {
            fund_id: &order.fund_id,
            strategy_id: &order.strategy_id,
            broker: &order.broker,
            symbol: &order.symbol,
            side: order.side,
            quantity: order.quantity,
            closing,
        }
    }
}

fn refuse(code: RejectCode, message: String) -> Option<Rejection> {
    Some(Rejection { gate: Gate::Halts, code, limit: None, observed: None, message })
}

impl Core {
    /// Why an order must wait for what is not known.
    pub(crate) fn blocked(&self, wish: &Wish<'_>) -> Option<Rejection> {
        if !self.state.live {
            return None;
        }
        let unknown = |wanted: &dyn Fn(&Order) -> bool| {
            self.unknown_orders().filter(|(record, _)| wanted(&record.order)).count()
        };
        let same = unknown(&|other| {
            (&other.fund_id, &other.strategy_id, &other.symbol)
                == (wish.fund_id, wish.strategy_id, wish.symbol)
        });
        if same > 0 {
            let message = format!(
                "an order of strategy {} in {} may or may not be live; wait until it is known, or settle it",
                wish.strategy_id, wish.symbol
            );
            return refuse(RejectCode::UnknownOrderPending, message);
        }
        let of_account = unknown(&|other| other.broker == *wish.broker);
        // Orders in other instruments keep nobody in a position.
        if of_account > MAX_UNKNOWN && !wish.closing {
            let message = format!(
                "{of_account} orders at {} may or may not be live; no new one leaves until it is known",
                wish.broker
            );
            return refuse(RejectCode::UnknownOrderPending, message);
        }
        self.account_blocks(wish)
    }

    /// Whether the account lets an order pass.
    fn account_blocks(&self, wish: &Wish<'_>) -> Option<Rejection> {
        let watch = self.state.accounts.get(wish.broker)?;
        if watch.reconciled.is_none() {
            let message = format!(
                "the account at {} was not compared with the books since the start or the last reconnection; wait for it",
                wish.broker
            );
            return refuse(RejectCode::AccountNotReconciled, message);
        }
        let by = watch.unexplained.get(wish.symbol)?.by();
        // What was traded since the last look changed both sides.
        let ours = self.units_at(wish.broker, wish.symbol);
        let theirs = ours.saturating_add(by);
        // What makes both sides smaller and takes neither through zero is a way out.
        let sign = wish.quantity * Decimal::from(wish.side.sign());
        let shrinks = |units: Decimal| {
            let after = units + sign;
            (units > Decimal::ZERO && after >= Decimal::ZERO && after < units)
                || (units < Decimal::ZERO && after <= Decimal::ZERO && after > units)
        };
        if shrinks(ours) && shrinks(theirs) {
            return None;
        }
        let message = format!(
            "the account at {} holds {theirs} {}, the books {ours}; only what makes both smaller may leave; find the cause, or \
             adopt it",
            wish.broker, wish.symbol
        );
        refuse(RejectCode::PositionUnexplained, message)
    }
}
