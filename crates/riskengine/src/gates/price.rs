//! Gates 12 to 15: a fresh reference price, and the quantity, value and prices of one order.

use crate::bucket::elapsed_millis;
use crate::check::{Check, GateResult, off, pass, reject};
use mts_foundation::Decimal;
use mts_foundation::risk::{Gate, GateTrace, RejectCode, Staleness, Verdict};

pub(super) fn reference_price(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
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
    let untrusted = check.context.ledger.stale_at(symbol);
    if (age > limit || untrusted.is_some()) && check.closing {
        trace.verdict(Gate::ReferencePrice, Verdict::Exempt);
        return Ok(());
    }
    let code = RejectCode::StaleReferencePrice;
    if let Some(venue) = untrusted {
        let message =
            format!("{venue} says that its prices of {symbol} are stale; wait until they flow again");
        return Err(reject(Gate::ReferencePrice, code, None, None, message));
    }
    check.at_most(trace, Gate::ReferencePrice, code, Decimal::from(age), Decimal::from(limit), || {
        format!("age of the price of {symbol}, in {unit}")
    })
}

/// Age of the reference price, the limit on it and the unit of both; none when the fund has no such limit.
fn age_of_reference(check: &Check<'_>) -> Option<(u64, u64, &'static str)> {
    let (ledger, mark) = (check.context.ledger, check.mark?);
    Some(match check.fund.limits.staleness? {
        // A price of the future is as far from now as one of the past: a clock is wrong somewhere.
        Staleness::Millis(limit) => {
            let (now, then) = (check.context.now, mark.time);
            (elapsed_millis(now, then).max(elapsed_millis(then, now)), limit, "ms")
        }
        Staleness::Bars(limit) => (ledger.bars().saturating_sub(mark.bar).saturating_add(1), limit, "bars"),
    })
}

pub(super) fn order_quantity(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let limits =
        [check.envelope().and_then(|envelope| envelope.max_order_qty), check.fund.limits.max_order_quantity];
    let Some(limit) = limits.into_iter().flatten().min() else { return off(trace, Gate::OrderQuantity) };
    let quantity = check.order.quantity;
    check.at_most(trace, Gate::OrderQuantity, RejectCode::MaxOrderQuantity, quantity, limit, || {
        "units in one order".to_owned()
    })
}

pub(super) fn order_notional(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::OrderNotional;
    let envelope = check.envelope().map(|envelope| envelope.max_order_notional_usd);
    let limit = [envelope, check.fund.limits.max_order_value].into_iter().flatten().min();
    let share = check.fund.exact.order_notional;
    if limit.is_none() && share.is_none() {
        return off(trace, gate);
    }
    let Some(notional) = check.notional(gate)? else { return no_price(check, gate) };
    if let Some(limit) = limit {
        check.at_most(trace, gate, RejectCode::MaxOrderNotional, notional, limit, || {
            "the value of the order".to_owned()
        })?;
    }
    if let Some(share) = share {
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxOrderNotionalPct, notional, limit, || {
            format!("the value of the order, at most {share} of net asset value")
        })?;
    }
    Ok(())
}

pub(super) fn no_price(check: &Check<'_>, gate: Gate) -> GateResult {
    let message = format!("{} has no price, so its value is unknown", check.order.symbol);
    Err(reject(gate, RejectCode::NoReferencePrice, None, None, message))
}

pub(super) fn price_collar(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
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
