//! Taxes of the United States on closed lots: wash sales, holding periods, and the report of a year.
//!
//! [`TaxHistory`] is fed what [`LotBook`](mts_foundation::LotBook) did, in the order of booking; [`TaxHistory::record`] looks
//! at all of it at once, because a purchase up to thirty days after a sale decides what becomes of its loss. The record's
//! rows make a [`TaxReport`] for each year. Rules, choices and limits are in `docs/tax.md`; this is arithmetic and no advice.
//!
//! Nothing is lost: what is divided goes whole to its parts, the last of which takes the rest, and every disallowed loss is
//! found again, to the last decimal, in the basis of the units that replaced the ones sold.

mod csv;
mod history;
mod holding;
mod policy;
mod record;
mod report;
#[cfg(test)]
mod testing;
mod wash;
#[cfg(test)]
mod wash_rules;

pub use csv::{CSV_HEADER, spreadsheet_text};
pub use history::{MAX_TAX_ITEMS, TaxHistory};
pub use holding::{Term, long_term_from};
pub use policy::{InstrumentPolicy, TaxPolicy, WashSalesEverywhere};
pub use record::{AdjustmentCode, OpenPiece, TaxRecord, TaxRow, WashMatch};
pub use report::{TaxReport, TaxTotals};
pub use wash::WINDOW_DAYS;

use chrono::NaiveDate;
use mts_foundation::position::OutOfRange;
use mts_foundation::{Decimal, FillId, FundId, Symbol, num};
use smol_str::SmolStr;

/// Decimal places to which a part of an amount of money is rounded; the last part takes the rest. Few enough that sums of
/// up to a trillion stay exact, more than any amount has.
const MONEY_PLACES: u32 = 16;

/// Why taxes cannot be computed of what was fed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaxError {
    /// A closure names a lot that nothing opened.
    #[error(
        "fill {fill_id} closes lot {lot_id}, whose opening was not fed; feed the fund's changes from the first on"
    )]
    UnknownLot {
        /// The closing fill.
        fill_id: FillId,
        /// Which lot.
        lot_id: SmolStr,
    },
    /// Two lots have one id.
    #[error("lot {lot_id} was opened already; feed each change once")]
    DuplicateLot {
        /// Which lot.
        lot_id: SmolStr,
    },
    /// A lot belongs to someone else.
    #[error(
        "lot {lot_id} belongs to fund {found}, the history is that of {wanted}; keep a history for each fund"
    )]
    OtherFund {
        /// Which lot.
        lot_id: SmolStr,
        /// Its owner.
        found: FundId,
        /// Owner of the history.
        wanted: FundId,
    },
    /// More units are closed than the lot has.
    #[error("fill {fill_id} closes {closed} units of lot {lot_id}, which has {open}; was a split left out?")]
    ClosesTooMuch {
        /// The closing fill.
        fill_id: FillId,
        /// Which lot.
        lot_id: SmolStr,
        /// Units closed.
        closed: Decimal,
        /// Units open.
        open: Decimal,
    },
    /// A split without a ratio.
    #[error("a split of {symbol} gives {new_units} units for {old_units}; both must be greater than zero")]
    BadSplit {
        /// Of which instrument.
        symbol: Symbol,
        /// Units after.
        new_units: Decimal,
        /// Units before.
        old_units: Decimal,
    },
    /// Money of another currency, and what it was worth is not known.
    #[error("what the currency of {symbol} was worth on {date} is not known; give the policy that rate")]
    NoRate {
        /// Which instrument.
        symbol: Symbol,
        /// On which day.
        date: NaiveDate,
    },
    /// Twenty million lots, closures and splits were fed.
    #[error(
        "the history has {MAX_TAX_ITEMS} lots, closures and splits; split it into one for each group of symbols"
    )]
    Full,
    /// A value leaves the range of decimals.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// The part of `total` that falls to `part` of `whole`, rounded; everything when they are equal.
fn share(total: Decimal, part: Decimal, whole: Decimal) -> Result<Decimal, OutOfRange> {
    if part == whole {
        return Ok(total);
    }
    let fraction = part.checked_div(whole).ok_or(OutOfRange { what: "share of a lot" })?;
    let share = total.checked_mul(fraction).ok_or(OutOfRange { what: "share of a lot" })?;
    Ok(num::round(share, MONEY_PLACES).normalize())
}

fn sum(what: &'static str, left: Decimal, right: Decimal) -> Result<Decimal, OutOfRange> {
    left.checked_add(right).ok_or(OutOfRange { what })
}
