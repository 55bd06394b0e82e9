//! What follows from a history: rows, wash sales, and the bases of what is still open.

use super::Term;
use chrono::NaiveDate;
use mts_foundation::num::exact;
use mts_foundation::{Decimal, FillId, FundId, Symbol};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Why a gain or loss is adjusted: a code of Form 8949, column (f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AdjustmentCode {
    /// A loss, or a part of it, that a wash sale disallows.
    W,
}

impl AdjustmentCode {
    /// The letter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::W => "W",
        }
    }
}

/// One closure, or one of its pieces where the units that it closed differ in basis or holding period. Amounts are money of
/// the fund's currency; columns (a) to (h) are those of Form 8949.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaxRow {
    /// Owner.
    pub fund_id: FundId,
    /// The lot that was closed.
    pub lot_id: SmolStr,
    /// The fill that closed it.
    pub fill_id: FillId,
    /// Canonical symbol at the time of the closing; (a) with the quantity.
    pub symbol: Symbol,
    /// Units closed, greater than zero, as they were counted at the closing.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Whether the lot was a short sale.
    pub short_sale: bool,
    /// (b) Trade date of the purchase; of a short sale that of the purchase which closed it.
    pub date_acquired: NaiveDate,
    /// (c) Trade date of the sale; of a short sale that of its closing, as the form wants it.
    pub date_sold: NaiveDate,
    /// Trade date on which the lot was opened.
    pub open_date: NaiveDate,
    /// Since when the units count as held: the opening, earlier by what wash sales tack on.
    pub held_from: NaiveDate,
    /// (d) What the sale brought, after its fees.
    #[serde(with = "exact")]
    pub proceeds: Decimal,
    /// (e) What the purchase cost, with its fees and with `basis_added`.
    #[serde(with = "exact")]
    pub cost_basis: Decimal,
    /// Disallowed losses of earlier wash sales in the cost basis.
    #[serde(with = "exact")]
    pub basis_added: Decimal,
    /// (f) Why the gain or loss is adjusted.
    #[serde(default)]
    pub code: Option<AdjustmentCode>,
    /// (g) The disallowed loss, zero or greater.
    #[serde(with = "exact")]
    pub adjustment: Decimal,
    /// (h) (d) − (e) + (g).
    #[serde(with = "exact")]
    pub gain: Decimal,
    /// Short-term or long-term.
    pub term: Term,
}

/// One loss, or part of one, and the units that took it over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WashMatch {
    /// Index of the row whose loss is disallowed.
    pub row: usize,
    /// The lot that took the loss over.
    pub replacement_lot_id: SmolStr,
    /// Units replaced, as they were counted at the closing.
    #[serde(with = "exact")]
    pub units: Decimal,
    /// The loss that was disallowed and added to the basis of the replacement.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Since when the replacement units count as held.
    pub held_from: NaiveDate,
}

/// Open units of one lot with the same adjustments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenPiece {
    /// Which lot.
    pub lot_id: SmolStr,
    /// Canonical symbol at the end of the history.
    pub symbol: Symbol,
    /// Signed units at the end of the history, negative for a short sale.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Trade date of the opening.
    pub open_date: NaiveDate,
    /// Since when the units count as held.
    pub held_from: NaiveDate,
    /// What the units cost with fees and disallowed losses; of a short sale what they brought after fees, less those losses.
    #[serde(with = "exact")]
    pub basis: Decimal,
    /// Disallowed losses in it.
    #[serde(with = "exact")]
    pub basis_added: Decimal,
}

/// Everything that follows from a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaxRecord {
    /// Owner.
    pub fund_id: FundId,
    /// Closed lots, in the order of booking.
    pub rows: Vec<TaxRow>,
    /// Wash sales, in the order in which they were found.
    pub washes: Vec<WashMatch>,
    /// Open lots by opening, their pieces in the order in which they will be closed.
    pub open: Vec<OpenPiece>,
}
