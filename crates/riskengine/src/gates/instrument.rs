//! Gate 8: tick, lot and side fit the instrument and the position.

use crate::check::{Check, GateResult, closable, pass, reject};
use mts_foundation::num::is_multiple;
use mts_foundation::risk::{Gate, GateTrace, RejectCode};
use mts_foundation::{Decimal, Side};

pub(super) fn instrument(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let (order, instrument) = (check.order, check.instrument);
    if !check.instrument_known {
        let message = format!("{} is not in the instrument table; add a row for it", order.symbol);
        return Err(reject(Gate::Instrument, RejectCode::UnknownInstrument, None, None, message));
    }
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
