//! One run of the pipeline over one order: what all gates look at, gathered once.

use crate::gates::Added;
use crate::machine::Fund;
use crate::state::{FundState, Reservation, RiskState};
use mts_foundation::ledger::SymbolExposure;
use mts_foundation::risk::{Gate, GateTrace, RejectCode, Rejection, RiskContext, RiskEnvelope, Verdict};
use mts_foundation::{Decimal, FundBook, Instrument, Mark, Order, Side, Symbol};
use std::cell::{Cell, RefCell};

/// The outcome of one gate.
pub(crate) type GateResult = Result<(), Box<Rejection>>;

/// Everything the gates look at.
#[derive(Clone, Copy)]
pub(crate) struct Check<'a> {
    pub(crate) order: &'a Order,
    pub(crate) context: &'a RiskContext<'a>,
    pub(crate) state: &'a RiskState,
    pub(crate) fund: &'a Fund,
    pub(crate) fund_state: &'a FundState,
    pub(crate) book: &'a FundBook,
    /// The instrument; a stand-in where `instrument_known` is false.
    pub(crate) instrument: &'a Instrument,
    /// Whether the instrument is in the table. If not, gate 8 refuses, and no gate before it looks at the stand-in.
    pub(crate) instrument_known: bool,
    /// Net asset value of the fund.
    pub(crate) nav: Decimal,
    /// The order only shrinks a position, counted after all working closers (decision R4).
    pub(crate) reducing: bool,
    /// The order closes a position (decision R4); an order that opens is no close, whatever its sender says.
    pub(crate) closing: bool,
    /// The last price of the instrument.
    pub(crate) mark: Option<&'a Mark>,
    /// What works in the instrument and what could come of it.
    pub(crate) exposure: SymbolExposure,
    /// Units held, signed.
    pub(crate) held: Decimal,
    /// Units of working and reserved buys and covers of this instrument.
    pub(crate) buys: Decimal,
    /// Units of working and reserved sells and shorts of this instrument.
    pub(crate) sells: Decimal,
    /// What the order adds to the exposure of its instrument, once a gate has asked for it.
    pub(crate) added: &'a Cell<Option<Added>>,
    /// Where comparisons that fail are collected instead of ending the check.
    pub(crate) objections: Option<&'a RefCell<Vec<Rejection>>>,
    /// The price a new order in this direction would meet.
    pub(crate) reference: Option<Decimal>,
    /// The price at which the order counts for its value.
    pub(crate) notional_price: Option<Decimal>,
    /// The price that values the position: the mark, else the notional price.
    pub(crate) value_price: Option<Decimal>,
}

/// Units of working buys and covers, and of working sells and shorts, of one instrument, with what is reserved.
pub(crate) fn working<'a>(
    exposure: SymbolExposure,
    reserved: impl Iterator<Item = &'a Reservation>,
    symbol: &Symbol,
) -> (Decimal, Decimal) {
    let (mut buys, mut sells) = (exposure.buys, exposure.sells);
    for reserved in reserved.filter(|reserved| reserved.symbol == *symbol) {
        if reserved.side.sign() > 0 {
            buys += reserved.quantity;
        } else {
            sells += reserved.quantity;
        }
    }
    (buys, sells)
}

/// Units left to close on the side of the order: what is held less all working closers.
pub(crate) fn closable(side: Side, held: Decimal, buys: Decimal, sells: Decimal) -> Decimal {
    match side {
        Side::Sell => held - sells,
        Side::Cover => -held - buys,
        Side::Buy | Side::Short => Decimal::ZERO,
    }
}

impl Check<'_> {
    /// Reservations of other orders; that of the order itself is the order.
    pub(crate) fn reserved(&self) -> impl Iterator<Item = &Reservation> {
        self.fund_state.reservations.iter().filter(|reserved| reserved.order_id != self.order.order_id)
    }

    /// The envelope, where the fund has one.
    pub(crate) fn envelope(&self) -> Option<&RiskEnvelope> {
        self.fund_state.envelope.as_ref()
    }

    /// Compares and, where the observed value is beyond the limit, refuses; `what` says what was observed.
    pub(crate) fn at_most(
        &self,
        trace: &mut GateTrace,
        gate: Gate,
        code: RejectCode,
        observed: Decimal,
        limit: Decimal,
        what: impl FnOnce() -> String,
    ) -> GateResult {
        if observed > limit {
            let message = format!("{}: {} is more than {}", what(), short(observed), short(limit));
            let rejection = reject(gate, code, Some(limit), Some(observed), message);
            let Some(objections) = self.objections else { return Err(rejection) };
            objections.borrow_mut().push(*rejection);
            return Ok(());
        }
        trace.compared(gate, observed, limit);
        Ok(())
    }

    /// A share of net asset value as money; refuses when there is no positive value to take a share of.
    pub(crate) fn share(&self, gate: Gate, share: Decimal) -> Result<Decimal, Box<Rejection>> {
        if self.nav <= Decimal::ZERO {
            let message = format!(
                "the net asset value of fund {} is {}; percentages of it mean nothing, so nothing may be opened",
                self.order.fund_id, self.nav
            );
            return Err(reject(gate, RejectCode::NavNotPositive, None, Some(self.nav), message));
        }
        self.times(gate, share, self.nav)
    }

    /// A product, refused instead of overflowing.
    pub(crate) fn times(&self, gate: Gate, left: Decimal, right: Decimal) -> Result<Decimal, Box<Rejection>> {
        left.checked_mul(right).ok_or_else(|| {
            let message = "a value leaves the range of exact decimals; check quantity and price".to_owned();
            reject(gate, RejectCode::ArithmeticRange, None, None, message)
        })
    }

    /// Value of the order at its notional price.
    pub(crate) fn notional(&self, gate: Gate) -> Result<Option<Decimal>, Box<Rejection>> {
        let Some(price) = self.notional_price else { return Ok(None) };
        let value = self.times(gate, self.order.quantity, price)?;
        self.times(gate, value, self.instrument.multiplier).map(Some)
    }

    /// Value of so many units at the price that values positions.
    pub(crate) fn value(
        &self,
        gate: Gate,
        units: Decimal,
        price: Decimal,
    ) -> Result<Decimal, Box<Rejection>> {
        let value = self.times(gate, units, price)?;
        self.times(gate, value, self.instrument.multiplier)
    }
}

/// A number for people: cents above one, six places below.
pub(crate) fn short(value: Decimal) -> Decimal {
    value.round_dp(if value.abs() < Decimal::ONE { 6 } else { 2 }).normalize()
}

/// Notes that a gate is off.
pub(crate) fn off(trace: &mut GateTrace, gate: Gate) -> GateResult {
    trace.verdict(gate, Verdict::Off);
    Ok(())
}

/// Notes that a gate has no objection.
pub(crate) fn pass(trace: &mut GateTrace, gate: Gate) -> GateResult {
    trace.verdict(gate, Verdict::Pass);
    Ok(())
}

/// Makes a refusal.
pub(crate) fn reject(
    gate: Gate,
    code: RejectCode,
    limit: Option<Decimal>,
    observed: Option<Decimal>,
    message: String,
) -> Box<Rejection> {
    Box::new(Rejection { gate, code, limit, observed, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people_have_cents_above_one_and_six_places_below() {
        let shown = ["1", "0.1234567", "1.006", "-0.9999999", "-123.456", "0"]
            .map(|text| short(text.parse().unwrap()).to_string());
        assert_eq!(shown, ["1", "0.123457", "1.01", "-1", "-123.46", "0"]);
    }
}
