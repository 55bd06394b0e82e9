//! Gates 9, 10, 11 and 16: the same again, too fast, too often, too many at once.

use crate::bucket::Empty;
use crate::check::{Check, GateResult, off, pass, reject};
use crate::window::{MAX_RECENT, MINUTE_MS, within};
use mts_foundation::Decimal;
use mts_foundation::risk::{Gate, GateTrace, RejectCode};

pub(super) fn duplicate_content(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(window) = check.fund.limits.dedup_window_ms else { return off(trace, Gate::DuplicateContent) };
    let last = check.fund_state.recent.last_same_content(check.order);
    match last.filter(|time| within(check.context.now, *time, window)) {
        Some(time) => {
            let message = format!(
                "the same order was accepted at {time}, within {window} ms; wait, or change it if it is another one"
            );
            Err(reject(Gate::DuplicateContent, RejectCode::DuplicateContent, None, None, message))
        }
        None => pass(trace, Gate::DuplicateContent),
    }
}

pub(super) fn order_rate(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let (limits, now, recent) = (&check.fund.limits, check.context.now, &check.fund_state.recent);
    if check.fund.exact.longest_window_ms.is_some_and(|longest| recent.is_full(now, longest)) {
        let message = format!(
            "{MAX_RECENT} orders within the windows of gates 9 to 11, which is all they can remember; shorten them"
        );
        let most = Some(Decimal::from(MAX_RECENT));
        return Err(reject(Gate::OrderRate, RejectCode::OrderRate, most, most, message));
    }
    let rates = [limits.strategy_rate, limits.symbol_rate, limits.fund_rate, limits.broker_rate];
    if limits.max_orders_per_minute.is_none() && rates.iter().all(Option::is_none) {
        return off(trace, Gate::OrderRate);
    }
    if let Some(limit) = limits.max_orders_per_minute {
        let observed = Decimal::from(recent.count(now, MINUTE_MS)) + Decimal::ONE;
        check.at_most(
            trace,
            Gate::OrderRate,
            RejectCode::OrderRate,
            observed,
            Decimal::from(limit),
            || "orders within a minute, this one included".to_owned(),
        )?;
    }
    if let Some(Empty { what, rate }) = check.state.buckets.empty(limits, check.order, now) {
        let message = format!("{what} sends too fast: {} a minute, {} at once", rate.per_minute, rate.burst);
        let limit = Some(Decimal::from(rate.per_minute));
        return Err(reject(Gate::OrderRate, RejectCode::OrderRate, limit, None, message));
    }
    pass(trace, Gate::OrderRate)
}

pub(super) fn repeated_execution(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let limits = &check.fund.limits;
    let (Some(limit), Some(window)) = (limits.max_repeated_executions, limits.repeated_execution_window_ms)
    else {
        return off(trace, Gate::RepeatedExecution);
    };
    let (order, recent) = (check.order, &check.fund_state.recent);
    let same = recent.same_executions(order, check.context.now, window, limit);
    let observed = Decimal::from(same) + Decimal::ONE;
    let code = RejectCode::RepeatedExecution;
    check.at_most(trace, Gate::RepeatedExecution, code, observed, Decimal::from(limit), || {
        format!(
            "{} orders in {} within {window} ms, this one included; an operator must look",
            order.side, order.symbol
        )
    })
}

pub(super) fn open_orders(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(limit) = check.fund.limits.max_open_orders else { return off(trace, Gate::OpenOrders) };
    let open = check.book.working_count() + check.reserved().count() + 1;
    check.at_most(
        trace,
        Gate::OpenOrders,
        RejectCode::MaxOpenOrders,
        Decimal::from(open),
        Decimal::from(limit),
        || "open orders, this one included".to_owned(),
    )
}
