//! Fees that follow their fill: a history that is whole may say at once what each fill cost.

use super::{BooksError, Posting, PostingKind};
use mts_foundation::num::round;
use mts_foundation::position::OutOfRange;
use mts_foundation::{CashKind, Decimal, FillId};
use std::collections::BTreeMap;

/// Decimal places of a part of a fee, as in tax lots.
const PLACES: u32 = 16;

/// Puts the fees that followed a fill into what the fill did to the lots: the closures that it made, the lot that it opened, and
/// what was closed of that lot before the fees came (what is closed later has them already). The postings of the fees stay: they
/// are when the cash moved.
///
/// # Errors
/// [`BooksError::OutOfRange`]; what was put right before stays.
pub fn settle_late_fees(postings: &mut [Posting]) -> Result<(), BooksError> {
    let mut fills: BTreeMap<FillId, usize> = BTreeMap::new();
    for place in 0..postings.len() {
        let Some(Posting { kind, fill_id: Some(fill_id), amount, .. }) = postings.get(place) else {
            continue;
        };
        match kind {
            PostingKind::Fill { .. } => {
                fills.insert(fill_id.clone(), place);
            }
            PostingKind::Cash(CashKind::Fee) => {
                let (fees, made) = (-*amount, fills.get(fill_id).copied());
                if let Some(until_fees) = made.and_then(|made| postings.get_mut(made..place)) {
                    settle(until_fees, fees)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The fill is the first of these postings, and its fees came after the last.
fn settle(postings: &mut [Posting], fees: Decimal) -> Result<(), BooksError> {
    let Some((fill, later)) = postings.split_first_mut() else { return Ok(()) };
    let (closed, opened) = (&mut fill.lots.closed, &mut fill.lots.opened);
    let mut units: Decimal = closed.iter().map(|closure| closure.quantity.abs()).sum();
    units += opened.as_ref().map(|lot| lot.open_qty.abs()).unwrap_or_default();
    let mut rest = fees;
    for closure in closed {
        let part = share(rest, closure.quantity.abs(), units)?;
        closure.close_fees = add(closure.close_fees, part)?;
        (rest, units) = (rest - part, units - closure.quantity.abs());
    }
    let Some(lot) = opened else { return Ok(()) };
    lot.open_fees = add(lot.open_fees, rest)?;
    let of_lot = later.iter_mut().flat_map(|posting| &mut posting.lots.closed);
    for closure in of_lot.filter(|closure| closure.lot_id == lot.lot_id) {
        closure.open_fees = add(closure.open_fees, share(rest, closure.open_cost, lot.open_cost)?)?;
    }
    Ok(())
}

fn add(left: Decimal, right: Decimal) -> Result<Decimal, OutOfRange> {
    left.checked_add(right).ok_or(OutOfRange { what: "fees" })
}

fn share(total: Decimal, part: Decimal, whole: Decimal) -> Result<Decimal, OutOfRange> {
    if part == whole {
        return Ok(total);
    }
    let share = part.checked_div(whole).and_then(|fraction| total.checked_mul(fraction));
    Ok(round(share.ok_or(OutOfRange { what: "share of a fee" })?, PLACES))
}
