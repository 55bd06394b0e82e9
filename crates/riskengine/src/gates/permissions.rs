//! Gates 5, 6, 7 and 22: who may trade what, when, and sell it short.

use crate::check::{Check, GateResult, off, pass, reject};
use mts_foundation::Side;
use mts_foundation::risk::{Gate, GateTrace, RejectCode, SessionPhase};
use mts_foundation::trading_session::{SessionFault, may_be_sent};

pub(super) fn authorised(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let order = check.order;
    let (fund, limits) = (&check.fund.config, &check.fund.limits);
    let refuse = |code, message| Err(reject(Gate::Authorised, code, None, None, message));
    if !fund.active && !check.reducing && !check.closing {
        let message = format!("fund {} is not active; set fund.active", fund.fund_id);
        return refuse(RejectCode::FundNotAuthorised, message);
    }
    if check.closing {
        return pass(trace, Gate::Authorised);
    }
    if !fund.strategies.is_empty() && !fund.strategies.contains(&order.strategy_id) {
        let message = format!(
            "strategy {} may not trade for fund {}; add it to fund.strategies",
            order.strategy_id, fund.fund_id
        );
        return refuse(RejectCode::StrategyNotAuthorised, message);
    }
    if !limits.allowed_actors.is_empty() && !limits.allowed_actors.contains(&order.actor) {
        let message = format!("{} may not send orders; add it to gates.allowed_actors", order.actor);
        return refuse(RejectCode::ActorNotAuthorised, message);
    }
    let Some(envelope) = check.envelope() else { return pass(trace, Gate::Authorised) };
    if !envelope.allowed_brokers.contains(&order.broker) {
        let message = format!("broker {} is not allowed; add it to envelope.allowed_brokers", order.broker);
        return refuse(RejectCode::BrokerNotAllowed, message);
    }
    if !envelope.allowed_order_types.contains(&order.order_type) {
        let message = format!(
            "{} orders are not allowed; add the type to envelope.allowed_order_types",
            order.order_type
        );
        return refuse(RejectCode::OrderTypeNotAllowed, message);
    }
    pass(trace, Gate::Authorised)
}

pub(super) fn assets(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let (order, limits) = (check.order, &check.fund.limits);
    let refuse = |code, message| Err(reject(Gate::Assets, code, None, None, message));
    if limits.blocked_assets.contains(&order.symbol) {
        let message = format!("{} is blocked; remove it from gates.blocked_assets to trade it", order.symbol);
        return refuse(RejectCode::AssetBlocked, message);
    }
    if !limits.allowed_assets.is_empty() && !limits.allowed_assets.contains(&order.symbol) {
        return refuse(
            RejectCode::AssetNotAllowed,
            format!("{} is not in gates.allowed_assets", order.symbol),
        );
    }
    if !check.instrument_known {
        // Of no known class; gate 8 refuses it.
        return pass(trace, Gate::Assets);
    }
    let class = check.instrument.asset_class;
    let funds = &check.fund.config.asset_classes;
    if check.envelope().is_some_and(|envelope| !envelope.allowed_asset_classes.contains(&class)) {
        let message = format!("{class} are not allowed; add the class to envelope.allowed_asset_classes");
        return refuse(RejectCode::AssetClassNotAllowed, message);
    }
    if !funds.is_empty() && !funds.contains(&class) {
        let message =
            format!("fund {} does not trade {class}; add the class to fund.asset_classes", order.fund_id);
        return refuse(RejectCode::AssetClassNotAllowed, message);
    }
    pass(trace, Gate::Assets)
}

pub(super) fn session(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let (order, phase) = (check.order, check.context.session);
    if phase == SessionPhase::NoCalendar {
        return off(trace, Gate::Session);
    }
    let Err(fault) = may_be_sent(order.order_type, order.tif, order.extended_hours, phase) else {
        return pass(trace, Gate::Session);
    };
    let code = match fault {
        SessionFault::Closed | SessionFault::OutsideRegularHours => RejectCode::MarketClosed,
        SessionFault::MarketOutsideRegularHours => RejectCode::MarketOrderOutsideHours,
    };
    Err(reject(Gate::Session, code, None, None, format!("{}: {fault}", order.symbol)))
}

pub(super) fn short_side(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(envelope) = check.envelope().filter(|_| check.order.side == Side::Short) else {
        return off(trace, Gate::ShortSide);
    };
    if !envelope.enable_shorting {
        let message = "short sales are not allowed; set envelope.enable_shorting".to_owned();
        return Err(reject(Gate::ShortSide, RejectCode::ShortingDisabled, None, None, message));
    }
    let borrow = check.fund.borrow.get(&check.order.symbol);
    if envelope.require_borrow_locate && !borrow.is_some_and(|borrow| borrow.located) {
        let message = format!("{} has no locate; obtain one before going short", check.order.symbol);
        return Err(reject(Gate::ShortSide, RejectCode::NoLocate, None, None, message));
    }
    match (borrow, check.fund.exact.short_fee_bps) {
        (Some(borrow), Some(limit)) => {
            let observed = borrow.fee_bps;
            check.at_most(trace, Gate::ShortSide, RejectCode::BorrowFeeTooHigh, observed, limit, || {
                format!("cost of borrowing {}, in basis points a year", check.order.symbol)
            })
        }
        (None, Some(_)) => {
            let symbol = &check.order.symbol;
            let message =
                format!("what it costs to borrow {symbol} is not known; give its terms before going short");
            Err(reject(Gate::ShortSide, RejectCode::BorrowFeeUnknown, None, None, message))
        }
        (_, None) => pass(trace, Gate::ShortSide),
    }
}
