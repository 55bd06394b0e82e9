//! The built-in gates, in pipeline order. Each is a pure function of the check; each refusal names code, limit,
//! observed value and the way out.

use crate::check::{Check, GateResult, closable, off, pass, reject, short};
use crate::halts::in_force;
use crate::loss::reached;
use crate::state::Bucket;
use mts_foundation::num::is_multiple;
use mts_foundation::risk::{
    Gate, GateTrace, HaltMode, HaltScope, RejectCode, SessionPhase, Staleness, Verdict,
};
use mts_foundation::trading_session::{SessionFault, may_be_sent};
use mts_foundation::{Decimal, OrderType, Side, Symbol, Timestamp};
use smol_str::{SmolStr, format_smolstr};

/// One gate's function.
pub(crate) type GateFn = fn(&Check<'_>, &mut GateTrace) -> GateResult;

/// When a gate is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applies {
    /// Always.
    Always,
    /// Not to orders that only shrink a position, nor to closes.
    NotReducing,
    /// Not to `close_position` and `close_all_positions`.
    NotClosing,
}

/// The pipeline (decisions R3 and R4). Gates 3 (idempotency) and 4 (schema) have no function here: the engine looks
/// keys up before the pipeline, and an `Order` is well formed by construction. Gate 25 is asynchronous.
pub(crate) const PIPELINE: &[(Gate, Applies, GateFn)] = &[
    (Gate::KillSwitch, Applies::NotClosing, kill_switch),
    (Gate::Halts, Applies::NotClosing, halts),
    (Gate::Authorised, Applies::Always, authorised),
    (Gate::Assets, Applies::NotClosing, assets),
    (Gate::Session, Applies::Always, session),
    (Gate::Instrument, Applies::Always, instrument),
    (Gate::DuplicateContent, Applies::NotClosing, duplicate_content),
    (Gate::OrderRate, Applies::NotClosing, order_rate),
    (Gate::RepeatedExecution, Applies::NotReducing, repeated_execution),
    (Gate::ReferencePrice, Applies::Always, reference_price),
    (Gate::OrderQuantity, Applies::NotReducing, order_quantity),
    (Gate::OrderNotional, Applies::NotReducing, order_notional),
    (Gate::PriceCollar, Applies::Always, price_collar),
    (Gate::OpenOrders, Applies::NotReducing, open_orders),
    (Gate::SelfCross, Applies::Always, self_cross),
    (Gate::Position, Applies::NotReducing, position),
    (Gate::Exposure, Applies::NotReducing, exposure),
    (Gate::Concentration, Applies::NotReducing, concentration),
    (Gate::PositionCount, Applies::NotReducing, position_count),
    (Gate::ShortSide, Applies::NotReducing, short_side),
    (Gate::BuyingPower, Applies::NotReducing, buying_power),
    (Gate::Loss, Applies::NotReducing, loss),
];

fn kill_switch(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    match &check.state.killed {
        Some(reason) => {
            let message =
                format!("the kill switch is on ({reason}); only closing passes until it is resumed");
            Err(reject(Gate::KillSwitch, RejectCode::KillSwitch, None, None, message))
        }
        None => pass(trace, Gate::KillSwitch),
    }
}

fn halts(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let halt = in_force(&check.state.halts, &check.order.fund_id, &check.order.strategy_id);
    match halt {
        Some(halt) if !(check.reducing && halt.mode == HaltMode::ReduceOnly) => {
            let code = match halt.scope {
                HaltScope::Strategy(_) => RejectCode::StrategyHalted,
                HaltScope::Fund(_) => RejectCode::FundHalted,
                HaltScope::Firm => RejectCode::FirmHalted,
            };
            let message = format!("{} is halted since {}: {}", halt.scope, halt.timestamp, halt.reason);
            Err(reject(Gate::Halts, code, None, None, message))
        }
        _ => pass(trace, Gate::Halts),
    }
}

fn authorised(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let order = check.order;
    let (fund, envelope) = (&check.fund.config, &check.fund_state.envelope);
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

fn assets(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
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
    let class = check.instrument.asset_class;
    let funds = &check.fund.config.asset_classes;
    if !check.fund_state.envelope.allowed_asset_classes.contains(&class) {
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

fn session(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
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

fn instrument(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let (order, instrument) = (check.order, check.instrument);
    let refuse = |code, limit, observed, message| {
        Err(reject(Gate::Instrument, code, Some(limit), Some(observed), message))
    };
    for (field, price) in [("limit_price", order.limit_price), ("stop_price", order.stop_price)] {
        if let Some(price) = price
            && !is_multiple(price, instrument.tick)
        {
            let message = format!("{field} {price} is no multiple of the tick {}; round it", instrument.tick);
            return refuse(RejectCode::TickSize, instrument.tick, price, message);
        }
    }
    let (held, open) = (check.held, closable(order.side, check.held, check.buys, check.sells));
    // An odd rest, left by a split or by a partial fill, must be closable as a whole.
    let closes_all = order.quantity == open;
    if !check.closing && !closes_all && !is_multiple(order.quantity, instrument.lot) {
        let message =
            format!("quantity {} is no multiple of the lot {}; round it", order.quantity, instrument.lot);
        return refuse(RejectCode::LotSize, instrument.lot, order.quantity, message);
    }
    match order.side {
        Side::Sell | Side::Cover if order.quantity > open.max(Decimal::ZERO) => {
            let other = if order.side == Side::Sell { Side::Short } else { Side::Buy };
            let message = format!(
                "{} {} of {}: only {} can be closed ({held} held, less working closers); send the rest as {other}",
                order.side,
                order.quantity,
                order.symbol,
                open.max(Decimal::ZERO)
            );
            refuse(RejectCode::SideCrossesZero, open.max(Decimal::ZERO), order.quantity, message)
        }
        Side::Buy if held < Decimal::ZERO => {
            let message = format!("{} is short {}; close it with cover before buying", order.symbol, -held);
            refuse(RejectCode::SideCrossesZero, Decimal::ZERO, held, message)
        }
        Side::Short if held > Decimal::ZERO => {
            let message =
                format!("{held} of {} are held; close them with sell before going short", order.symbol);
            refuse(RejectCode::SideCrossesZero, Decimal::ZERO, held, message)
        }
        _ => pass(trace, Gate::Instrument),
    }
}

fn duplicate_content(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(window) = check.fund.limits.dedup_window_ms else { return off(trace, Gate::DuplicateContent) };
    let recent = check.fund_state.recent.iter().rev();
    for accepted in recent.take_while(|accepted| within(check.context.now, accepted.time, window)) {
        if accepted.same_content(check.order) {
            let message = format!(
                "the same order was accepted at {}, within {window} ms; wait, or change it if it is another one",
                accepted.time
            );
            return Err(reject(Gate::DuplicateContent, RejectCode::DuplicateContent, None, None, message));
        }
    }
    pass(trace, Gate::DuplicateContent)
}

fn within(now: Timestamp, then: Timestamp, window_ms: u64) -> bool {
    now.since(then).as_millis() < u128::from(window_ms)
}

/// Names of the token buckets of an order with their limits, where configured.
pub(crate) fn buckets(
    check_limits: &mts_foundation::GateLimits,
    order: &mts_foundation::Order,
) -> [Option<(SmolStr, mts_foundation::risk::RateBucket)>; 4] {
    let name = |kind: &str, id: &str| format_smolstr!("{kind}:{id}");
    [
        check_limits.strategy_rate.map(|rate| (name("strategy", order.strategy_id.as_str()), rate)),
        check_limits.symbol_rate.map(|rate| (name("symbol", order.symbol.as_str()), rate)),
        check_limits.fund_rate.map(|rate| (name("fund", order.fund_id.as_str()), rate)),
        check_limits.broker_rate.map(|rate| (name("broker", order.broker.as_str()), rate)),
    ]
}

fn order_rate(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let (limits, now) = (&check.fund.limits, check.context.now);
    let buckets = buckets(limits, check.order);
    if limits.max_orders_per_minute.is_none() && buckets.iter().all(Option::is_none) {
        return off(trace, Gate::OrderRate);
    }
    if let Some(limit) = limits.max_orders_per_minute {
        let recent = check.fund_state.recent.iter().rev();
        let count = recent.take_while(|accepted| within(now, accepted.time, 60_000)).count();
        let observed = Decimal::from(count) + Decimal::ONE;
        check.at_most(
            trace,
            Gate::OrderRate,
            RejectCode::OrderRate,
            observed,
            Decimal::from(limit),
            || "orders within a minute, this one included".to_owned(),
        )?;
    }
    for (name, rate) in buckets.into_iter().flatten() {
        let level = check.state.buckets.get(&name).copied().unwrap_or(Bucket::full(rate, now));
        if !level.has_token(rate, now) {
            let message =
                format!("{name} sends too fast: {} a minute, {} at once", rate.per_minute, rate.burst);
            let limit = Some(Decimal::from(rate.per_minute));
            return Err(reject(Gate::OrderRate, RejectCode::OrderRate, limit, None, message));
        }
    }
    pass_keeping_values(trace, Gate::OrderRate)
}

/// Passes without touching values that an earlier comparison of the same gate noted.
fn pass_keeping_values(trace: &mut GateTrace, gate: Gate) -> GateResult {
    trace.verdict(gate, Verdict::Pass);
    Ok(())
}

fn repeated_execution(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let limits = &check.fund.limits;
    let (Some(limit), Some(window)) = (limits.max_repeated_executions, limits.repeated_execution_window_ms)
    else {
        return off(trace, Gate::RepeatedExecution);
    };
    let order = check.order;
    let recent = check.fund_state.recent.iter().rev();
    let same = recent
        .take_while(|accepted| within(check.context.now, accepted.time, window))
        .filter(|accepted| {
            accepted.symbol == order.symbol
                && accepted.side == order.side
                && accepted.strategy.as_str() == order.strategy_id.as_str()
        })
        .count();
    let observed = Decimal::from(same) + Decimal::ONE;
    let code = RejectCode::RepeatedExecution;
    check.at_most(trace, Gate::RepeatedExecution, code, observed, Decimal::from(limit), || {
        format!(
            "{} orders in {} within {window} ms, this one included; an operator must look",
            order.side, order.symbol
        )
    })
}

fn reference_price(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let symbol = &check.order.symbol;
    if check.reference.is_none() {
        if check.closing {
            trace.verdict(Gate::ReferencePrice, Verdict::Exempt);
            return Ok(());
        }
        let message = format!("{symbol} has no price; wait for data before trading it");
        return Err(reject(Gate::ReferencePrice, RejectCode::NoReferencePrice, None, None, message));
    }
    let Some((age, limit, unit)) = age_of_reference(check) else { return pass(trace, Gate::ReferencePrice) };
    if age > limit && check.closing {
        trace.verdict(Gate::ReferencePrice, Verdict::Exempt);
        return Ok(());
    }
    let code = RejectCode::StaleReferencePrice;
    check.at_most(trace, Gate::ReferencePrice, code, Decimal::from(age), Decimal::from(limit), || {
        format!("age of the price of {symbol}, in {unit}")
    })
}

/// Age of the reference price, the limit on it and the unit of both; none when the fund has no such limit.
fn age_of_reference(check: &Check<'_>) -> Option<(u64, u64, &'static str)> {
    let ledger = check.context.ledger;
    let mark = ledger.mark_of(&check.order.symbol)?;
    Some(match check.fund.limits.staleness? {
        Staleness::Millis(limit) => (millis(check.context.now, mark.time), limit, "ms"),
        Staleness::Bars(limit) => (ledger.bars().saturating_sub(mark.bar).saturating_add(1), limit, "bars"),
    })
}

fn millis(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(now.since(then).as_millis()).unwrap_or(u64::MAX)
}

fn order_quantity(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let limits = [check.fund_state.envelope.max_order_qty, check.fund.limits.max_order_quantity];
    let Some(limit) = limits.into_iter().flatten().min() else { return off(trace, Gate::OrderQuantity) };
    let quantity = check.order.quantity;
    check.at_most(trace, Gate::OrderQuantity, RejectCode::MaxOrderQuantity, quantity, limit, || {
        "units in one order".to_owned()
    })
}

fn order_notional(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::OrderNotional;
    let Some(notional) = check.notional(gate)? else { return no_price(check, gate) };
    let money = check.fund.limits.max_order_value.unwrap_or(Decimal::MAX);
    let limit = check.fund_state.envelope.max_order_notional_usd.min(money);
    check.at_most(trace, gate, RejectCode::MaxOrderNotional, notional, limit, || {
        "the value of the order".to_owned()
    })?;
    if let Some(share) = check.fund.exact.order_notional {
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxOrderNotionalPct, notional, limit, || {
            format!("the value of the order, at most {share} of net asset value")
        })?;
    }
    Ok(())
}

fn no_price(check: &Check<'_>, gate: Gate) -> GateResult {
    let message = format!("{} has no price, so its value is unknown", check.order.symbol);
    Err(reject(gate, RejectCode::NoReferencePrice, None, None, message))
}

fn price_collar(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(limit) = check.fund.exact.collar else { return off(trace, Gate::PriceCollar) };
    // Only a close comes here without a fresh reference; gate 12 stops everything else.
    let fresh = age_of_reference(check).is_none_or(|(age, limit, _)| age <= limit);
    let Some(reference) = check.reference.filter(|_| fresh) else {
        trace.verdict(Gate::PriceCollar, Verdict::Exempt);
        return Ok(());
    };
    let prices = [("limit_price", check.order.limit_price), ("stop_price", check.order.stop_price)];
    if prices.iter().all(|(_, price)| price.is_none()) {
        return off(trace, Gate::PriceCollar);
    }
    for (field, price) in prices {
        let Some(price) = price else { continue };
        let distance = (price - reference).abs().checked_div(reference).unwrap_or(Decimal::MAX);
        check.at_most(trace, Gate::PriceCollar, RejectCode::PriceCollar, distance, limit, || {
            format!("distance of {field} {price} from the reference {reference}")
        })?;
    }
    Ok(())
}

fn open_orders(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(limit) = check.fund.limits.max_open_orders else { return off(trace, Gate::OpenOrders) };
    let open = check.book.working_count() + check.fund_state.reservations.len() + 1;
    check.at_most(
        trace,
        Gate::OpenOrders,
        RejectCode::MaxOpenOrders,
        Decimal::from(open),
        Decimal::from(limit),
        || "open orders, this one included".to_owned(),
    )
}

/// Refuses an order that could trade against a working one of the same account. Funds that use the same broker share
/// an account unless they name different ones (decision O9).
fn self_cross(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let order = check.order;
    let opposite = |side: Side| side.sign() != order.side.sign();
    for (fund_id, book) in check.context.ledger.funds() {
        if *fund_id != order.fund_id && !check.fund.shares_account_with.contains(fund_id) {
            continue;
        }
        let exposure = book.symbol_exposure(&order.symbol);
        let against = if order.side.sign() > 0 { exposure.sells } else { exposure.buys };
        if against.is_zero() {
            continue;
        }
        let crossing = book.working().find(|(_, working)| {
            working.symbol == order.symbol
                && opposite(working.side)
                && (working.at_market || crosses(check, working.price))
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

/// Units of the position if every working order in the order's direction and the order itself fill.
fn resulting_units(check: &Check<'_>) -> Decimal {
    if check.order.side.sign() > 0 {
        check.held + check.buys + check.order.quantity
    } else {
        check.held - check.sells - check.order.quantity
    }
}

fn position(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::Position;
    let Some(price) = check.value_price else { return no_price(check, gate) };
    let units = resulting_units(check).abs();
    let value = check.value(gate, units, price)?;
    let symbol = &check.order.symbol;
    if let Some(limit) = check.fund.limits.max_position_quantity {
        check.at_most(trace, gate, RejectCode::MaxPositionQuantity, units, limit, || {
            format!("units of {symbol} that could be held")
        })?;
    }
    let money = [check.fund_state.envelope.max_position_usd, check.fund.limits.max_position_value];
    if let Some(limit) = money.into_iter().flatten().min() {
        check.at_most(trace, gate, RejectCode::MaxPositionUsd, value, limit, || {
            format!("value of {symbol} that could be held")
        })?;
    }
    let limit = check.share(gate, check.fund.exact.position)?;
    check.at_most(trace, gate, RejectCode::MaxPositionPct, value, limit, || {
        format!(
            "value of {symbol} that could be held, at most {} of net asset value",
            check.fund.exact.position
        )
    })
}

/// What the order adds to the worst case of its instrument.
fn added_worst(
    check: &Check<'_>,
    gate: Gate,
    price: Decimal,
) -> Result<Decimal, Box<mts_foundation::risk::Rejection>> {
    let up = (check.held + check.buys).abs().max((check.held - check.sells).abs());
    let after = resulting_units(check).abs().max(up);
    check.value(gate, after - up, price)
}

/// Worst-case value of orders that are reserved and not yet in the ledger.
fn reserved(check: &Check<'_>, counts: impl Fn(&crate::state::Reservation) -> bool) -> Decimal {
    check
        .fund_state
        .reservations
        .values()
        .filter(|reserved| counts(reserved))
        .map(|reserved| reserved.value)
        .sum()
}

fn exposure(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::Exposure;
    let Some(price) = check.value_price else { return no_price(check, gate) };
    let exposure = check.book.exposure();
    let gross = exposure.gross + reserved(check, |_| true) + added_worst(check, gate, price)?;
    let limit = check.share(gate, check.fund.exact.gross)?;
    check.at_most(trace, gate, RejectCode::MaxGrossExposure, gross, limit, || {
        format!("gross exposure that could be reached, at most {} of net asset value", check.fund.exact.gross)
    })?;
    if let Some(limit) = check.fund.limits.max_total_exposure {
        check.at_most(trace, gate, RejectCode::MaxTotalExposure, gross, limit, || {
            "gross exposure that could be reached".to_owned()
        })?;
    }
    let own = check.value(gate, check.order.quantity, price)?;
    let limit = check.share(gate, check.fund.exact.net)?;
    let net = if check.order.side.sign() > 0 {
        exposure.net_high + reserved(check, |reserved| reserved.side.sign() > 0) + own
    } else {
        -(exposure.net_low - reserved(check, |reserved| reserved.side.sign() < 0) - own)
    };
    let limit = if check.order.side.sign() > 0 { limit } else { limit.abs() };
    check.at_most(trace, gate, RejectCode::MaxNetExposure, net, limit, || {
        format!("net exposure that could be reached, at most {} of net asset value", check.fund.exact.net)
    })
}

fn concentration(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::Concentration;
    let exact = &check.fund.exact;
    if exact.sector.is_none() && exact.asset_class.is_none() && exact.country.is_none() {
        return off(trace, gate);
    }
    let Some(price) = check.value_price else { return no_price(check, gate) };
    let added = added_worst(check, gate, price)?;
    let (exposure, instrument) = (check.book.exposure(), check.instrument);
    let total = |sum: Option<&mts_foundation::ledger::Total>| sum.map_or(Decimal::ZERO, |total| total.0);
    if let Some(share) = exact.sector {
        let reserved = reserved(check, |reserved| reserved.sector == instrument.sector);
        let observed = total(exposure.by_sector.get(&instrument.sector)) + reserved + added;
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxSector, observed, limit, || {
            format!(
                "value of sector {:?} that could be held, at most {share} of net asset value",
                instrument.sector
            )
        })?;
    }
    if let Some(share) = exact.asset_class {
        let reserved = reserved(check, |reserved| reserved.asset_class == instrument.asset_class);
        let observed = total(exposure.by_class.get(&instrument.asset_class)) + reserved + added;
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxAssetClass, observed, limit, || {
            format!(
                "value of {} that could be held, at most {share} of net asset value",
                instrument.asset_class
            )
        })?;
    }
    if let Some(share) = exact.country {
        let reserved = reserved(check, |reserved| reserved.country == instrument.country);
        let observed = total(exposure.by_country.get(&instrument.country)) + reserved + added;
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxCountry, observed, limit, || {
            format!(
                "value of country {:?} that could be held, at most {share} of net asset value",
                instrument.country
            )
        })?;
    }
    Ok(())
}

fn position_count(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(limit) = check.fund.limits.max_positions else { return off(trace, Gate::PositionCount) };
    let symbol = &check.order.symbol;
    let is_open = |symbol: &Symbol| check.book.positions().get(symbol).is_some();
    if is_open(symbol) {
        return pass(trace, Gate::PositionCount);
    }
    let opening = |other: &Symbol| other != symbol && !is_open(other);
    let mut others: Vec<&Symbol> = check
        .book
        .working()
        .map(|(_, working)| &working.symbol)
        .chain(check.fund_state.reservations.values().map(|reserved| &reserved.symbol))
        .filter(|other| opening(other))
        .collect();
    others.sort_unstable();
    others.dedup();
    let observed = Decimal::from(check.book.positions().len() + others.len() + 1);
    let code = RejectCode::MaxPositions;
    check.at_most(trace, Gate::PositionCount, code, observed, Decimal::from(limit), || {
        "positions, this one included".to_owned()
    })
}

fn short_side(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let envelope = &check.fund_state.envelope;
    if check.order.side != Side::Short {
        return off(trace, Gate::ShortSide);
    }
    if !envelope.enable_shorting {
        let message = "short sales are not allowed; set envelope.enable_shorting".to_owned();
        return Err(reject(Gate::ShortSide, RejectCode::ShortingDisabled, None, None, message));
    }
    let borrow = check.fund.borrow.get(&check.order.symbol);
    if envelope.require_borrow_locate && !borrow.is_some_and(|borrow| borrow.located) {
        let message = format!("{} has no locate; obtain one before going short", check.order.symbol);
        return Err(reject(Gate::ShortSide, RejectCode::NoLocate, None, None, message));
    }
    match borrow {
        Some(borrow) => {
            let (observed, limit) = (borrow.fee_bps, check.fund.exact.short_fee_bps);
            check.at_most(trace, Gate::ShortSide, RejectCode::BorrowFeeTooHigh, observed, limit, || {
                format!("cost of borrowing {}, in basis points a year", check.order.symbol)
            })
        }
        None => pass(trace, Gate::ShortSide),
    }
}

fn buying_power(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::BuyingPower;
    if !check.fund.limits.buying_power || check.order.side.sign() < 0 {
        return off(trace, gate);
    }
    let Some(notional) = check.notional(gate)? else { return no_price(check, gate) };
    let reserved: Decimal = check.fund_state.reservations.values().map(|reserved| reserved.committed).sum();
    let available = check.book.available_cash() - reserved;
    check.at_most(trace, gate, RejectCode::BuyingPower, notional, available, || {
        "cash the order takes of what working orders leave (working sells give no credit)".to_owned()
    })
}

fn loss(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(baselines) = &check.fund_state.baselines else { return pass(trace, Gate::Loss) };
    let (exact, money) = (&check.fund.exact, &check.fund.limits);
    if let Some(cause) = reached(baselines, check.nav, exact, money).next() {
        let message = format!(
            "{}: loss {} reached its limit {}",
            cause.code,
            short(cause.observed.unwrap_or_default()),
            short(cause.limit.unwrap_or_default())
        );
        return Err(reject(Gate::Loss, cause.code, cause.limit, cause.observed, message));
    }
    if trace.is_on() && baselines.day > Decimal::ZERO {
        let observed = (baselines.day - check.nav).checked_div(baselines.day).unwrap_or_default();
        trace.compared(Gate::Loss, observed, exact.daily_loss);
    }
    pass_keeping_values(trace, Gate::Loss)
}
