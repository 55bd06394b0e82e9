//! Gate 17: no order against one of our own.

use crate::check::{Check, GateResult, pass, reject};
use mts_foundation::risk::{Gate, GateTrace, RejectCode};
use mts_foundation::{Decimal, OrderType, Side};

/// Refuses an order that could trade against a working one of the same account. Funds that use the same broker share
/// an account unless they name different ones (decision O9).
pub(super) fn self_cross(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let order = check.order;
    let opposite = |side: Side| side.sign() != order.side.sign();
    let others =
        check.fund.shares_account_with.iter().filter_map(|fund_id| check.context.ledger.fund(fund_id));
    let others = others.map(|book| (book, book.symbol_exposure(&order.symbol)));
    for (book, exposure) in std::iter::once((check.book, check.exposure)).chain(others) {
        let against = if order.side.sign() > 0 { exposure.sells } else { exposure.buys };
        if against.is_zero() {
            continue;
        }
        let crossing = book.working_in(&order.symbol).find(|(_, working)| {
            opposite(working.side) && (working.at_market || crosses(check, working.price))
        });
        if let Some((id, working)) = crossing {
            let message = format!(
                "it could trade against our own order {id} ({} {} of {}); cancel that one first",
                working.side, working.remaining, order.symbol
            );
            return Err(reject(Gate::SelfCross, RejectCode::SelfCross, None, Some(against), message));
        }
    }
    pass(trace, Gate::SelfCross)
}

/// Whether prices meet: a market order crosses everything; a priced one what is at least as good.
fn crosses(check: &Check<'_>, other: Decimal) -> bool {
    match (check.order.order_type, check.order.limit_price) {
        (OrderType::Limit | OrderType::MarketableLimit, Some(limit)) if check.order.side.sign() > 0 => {
            limit >= other
        }
        (OrderType::Limit | OrderType::MarketableLimit, Some(limit)) => limit <= other,
        _ => true,
    }
}
