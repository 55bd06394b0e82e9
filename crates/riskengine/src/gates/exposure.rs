//! Gates 18 to 21 and 23: what could be held if every working order filled, and what it costs.

use super::price::no_price;
use crate::check::{Check, GateResult, off, pass, working};
use crate::state::Reservation;
use mts_foundation::ledger::{SymbolExposure, Total};
use mts_foundation::risk::{Gate, GateTrace, RejectCode, Rejection};
use mts_foundation::{Decimal, Instrument};

/// Units of the position if every working order in the order's direction and the order itself fill.
fn resulting_units(check: &Check<'_>) -> Decimal {
    if check.order.side.sign() > 0 {
        check.held + check.buys + check.order.quantity
    } else {
        check.held - check.sells - check.order.quantity
    }
}

pub(super) fn position(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::Position;
    let (limits, share) = (&check.fund.limits, check.fund.exact.position);
    let in_envelope = check.envelope().and_then(|envelope| envelope.max_position_usd);
    let money = [in_envelope, limits.max_position_value].into_iter().flatten().min();
    let units = resulting_units(check).abs();
    let symbol = &check.order.symbol;
    if limits.max_position_quantity.is_none() && money.is_none() && share.is_none() {
        return off(trace, gate);
    }
    if let Some(limit) = limits.max_position_quantity {
        check.at_most(trace, gate, RejectCode::MaxPositionQuantity, units, limit, || {
            format!("units of {symbol} that could be held")
        })?;
    }
    if money.is_none() && share.is_none() {
        return Ok(());
    }
    let Some(price) = check.value_price else { return no_price(check, gate) };
    let value = check.value(gate, units, price)?;
    if let Some(limit) = money {
        check.at_most(trace, gate, RejectCode::MaxPositionUsd, value, limit, || {
            format!("value of {symbol} that could be held")
        })?;
    }
    let Some(share) = share else { return Ok(()) };
    let limit = check.share(gate, share)?;
    check.at_most(trace, gate, RejectCode::MaxPositionPct, value, limit, || {
        format!("value of {symbol} that could be held, at most {share} of net asset value")
    })
}

/// What the order and what is reserved add to the book's exposure: all of it, or that of some instruments.
#[derive(Clone, Copy, Default)]
pub(crate) struct Added {
    gross: Decimal,
    high: Decimal,
    low: Decimal,
}

/// What the order adds to its own instrument, with what is reserved there.
fn own(check: &Check<'_>, gate: Gate, price: Decimal) -> Result<Added, Box<Rejection>> {
    if let Some(added) = check.added.get() {
        return Ok(added);
    }
    let order = check.order;
    let (mut high, mut low) = (check.held + check.buys, check.held - check.sells);
    if order.side.sign() > 0 {
        high += order.quantity;
    } else {
        low -= order.quantity;
    }
    let mut sum = Added::default();
    sum.add(check, gate, (check.instrument, price), check.exposure, (high, low))?;
    check.added.set(Some(sum));
    Ok(sum)
}

/// Adds up, instrument by instrument, what the worst cases become by what is reserved and by the order. Reservations are
/// few; instruments that have none and are not the order's stay as the book has them.
fn added(
    check: &Check<'_>,
    gate: Gate,
    price: Decimal,
    counts: impl Fn(&Instrument) -> bool,
) -> Result<Added, Box<Rejection>> {
    let (order, table) = (check.order, check.context.instruments);
    let mut sum = own(check, gate, price)?;
    for (place, reserved) in check.reserved().enumerate() {
        let symbol = &reserved.symbol;
        let again = check.reserved().take(place).any(|other| other.symbol == *symbol);
        let other = table.get(symbol).filter(|found| !again && *symbol != order.symbol && counts(found));
        let Some(instrument) = other else { continue };
        let mark = check.context.ledger.mark_of(symbol).map(|mark| mark.price);
        let price = mark.filter(|price| *price > Decimal::ZERO).unwrap_or(reserved.price);
        let held = check.book.positions().quantity(symbol);
        let exposure = check.book.symbol_exposure(symbol);
        let (buys, sells) = working(exposure, check.reserved(), symbol);
        sum.add(check, gate, (instrument, price), exposure, (held + buys, held - sells))?;
    }
    Ok(sum)
}

impl Added {
    /// Counts one instrument whose units may come to lie between `low` and `high`.
    fn add(
        &mut self,
        check: &Check<'_>,
        gate: Gate,
        (instrument, price): (&Instrument, Decimal),
        old: SymbolExposure,
        (high, low): (Decimal, Decimal),
    ) -> Result<(), Box<Rejection>> {
        let unit = check.times(gate, price, instrument.multiplier)?;
        let (high, low) = (check.times(gate, high, unit)?, check.times(gate, low, unit)?);
        self.gross += high.abs().max(low.abs()) - old.worst;
        self.high += high - old.high();
        self.low += low - old.low();
        Ok(())
    }
}

pub(super) fn exposure(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::Exposure;
    let (exact, money) = (&check.fund.exact, check.fund.limits.max_total_exposure);
    if exact.gross.is_none() && exact.net.is_none() && money.is_none() {
        return off(trace, gate);
    }
    let Some(price) = check.value_price else { return no_price(check, gate) };
    let (exposure, added) = (check.book.exposure(), added(check, gate, price, |_| true)?);
    let gross = exposure.gross + added.gross;
    if let Some(share) = exact.gross {
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxGrossExposure, gross, limit, || {
            format!("gross exposure that could be reached, at most {share} of net asset value")
        })?;
    }
    if let Some(limit) = money {
        check.at_most(trace, gate, RejectCode::MaxTotalExposure, gross, limit, || {
            "gross exposure that could be reached".to_owned()
        })?;
    }
    let Some(share) = exact.net else { return Ok(()) };
    let limit = check.share(gate, share)?;
    let net = if check.order.side.sign() > 0 {
        exposure.net_high + added.high
    } else {
        -(exposure.net_low + added.low)
    };
    let limit = if check.order.side.sign() > 0 { limit } else { limit.abs() };
    check.at_most(trace, gate, RejectCode::MaxNetExposure, net, limit, || {
        format!("net exposure that could be reached, at most {share} of net asset value")
    })
}

pub(super) fn concentration(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::Concentration;
    let exact = &check.fund.exact;
    if exact.sector.is_none() && exact.asset_class.is_none() && exact.country.is_none() {
        return off(trace, gate);
    }
    let Some(price) = check.value_price else { return no_price(check, gate) };
    let (exposure, instrument) = (check.book.exposure(), check.instrument);
    let total = |sum: Option<&Total>| sum.map_or(Decimal::ZERO, |total| total.0);
    if let Some(share) = exact.sector {
        let added = added(check, gate, price, |other| other.sector == instrument.sector)?;
        let observed = total(exposure.by_sector.get(&instrument.sector)) + added.gross;
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxSector, observed, limit, || {
            format!(
                "value of sector {:?} that could be held, at most {share} of net asset value",
                instrument.sector
            )
        })?;
    }
    if let Some(share) = exact.asset_class {
        let added = added(check, gate, price, |other| other.asset_class == instrument.asset_class)?;
        let observed = total(exposure.by_class.get(&instrument.asset_class)) + added.gross;
        let limit = check.share(gate, share)?;
        check.at_most(trace, gate, RejectCode::MaxAssetClass, observed, limit, || {
            format!(
                "value of {} that could be held, at most {share} of net asset value",
                instrument.asset_class
            )
        })?;
    }
    if let Some(share) = exact.country {
        let added = added(check, gate, price, |other| other.country == instrument.country)?;
        let observed = total(exposure.by_country.get(&instrument.country)) + added.gross;
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

pub(super) fn position_count(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let Some(limit) = check.fund.limits.max_positions else { return off(trace, Gate::PositionCount) };
    let symbol = &check.order.symbol;
    // Instruments of reservations that are not in use yet, each counted where it comes first.
    let new = |reserved: &Reservation| reserved.symbol != *symbol && !check.book.is_in_use(&reserved.symbol);
    let reserved = check
        .reserved()
        .enumerate()
        .filter(|(place, reserved)| {
            new(reserved) && !check.reserved().take(*place).any(|other| other.symbol == reserved.symbol)
        })
        .count();
    let in_use = !check.held.is_zero() || !check.exposure.buys.is_zero() || !check.exposure.sells.is_zero();
    let observed = Decimal::from(check.book.instruments_in_use() + reserved + usize::from(!in_use));
    if !check.held.is_zero() {
        return pass(trace, Gate::PositionCount);
    }
    let code = RejectCode::MaxPositions;
    check.at_most(trace, Gate::PositionCount, code, observed, Decimal::from(limit), || {
        "positions, this one included".to_owned()
    })
}

pub(super) fn buying_power(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let gate = Gate::BuyingPower;
    if !check.fund.limits.buying_power || check.order.side.sign() < 0 {
        return off(trace, gate);
    }
    let Some(notional) = check.notional(gate)? else { return no_price(check, gate) };
    let reserved: Decimal = check.reserved().map(|reserved| reserved.committed).sum();
    let available = check.book.available_cash() - reserved;
    check.at_most(trace, gate, RejectCode::BuyingPower, notional, available, || {
        "cash the order takes of what working orders leave (working sells give no credit)".to_owned()
    })
}
