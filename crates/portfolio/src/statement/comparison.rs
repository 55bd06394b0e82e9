//! What a comparison takes and says, as plain data.

use super::{StatementMovement, StatementTrade, Unread};
use chrono::NaiveDate;
use mts_foundation::num::exact;
use mts_foundation::reconcile::Difference;
use mts_foundation::{Currency, Decimal, Symbol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What our books say of the account: positions and cash at the end of the statement's last day, in the account's terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BookedRecords {
    /// Signed units.
    pub positions: BTreeMap<Symbol, Decimal>,
    /// Balances.
    pub cash: BTreeMap<Currency, Decimal>,
    /// Fills ([`StatementTrade::of_fill`]) of the period, and of [`super::SHIFT_DAYS`] before and after it: those tell a trade that the two
    /// sides date differently from one that is missing.
    pub trades: Vec<StatementTrade>,
    /// Movements of cash ([`StatementMovement::of_flow`]), over the same days.
    pub movements: Vec<StatementMovement>,
}

/// Why two sides differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The statement has a trade that the books lack.
    TradeMissingInBooks,
    /// The books have a trade that the statement lacks.
    TradeMissingInStatement,
    /// The same trade, with another price, quantity or fees.
    TradeDiffers,
    /// The statement has a movement of cash that the books lack.
    MovementMissingInBooks,
    /// The books have a movement of cash that the statement lacks.
    MovementMissingInStatement,
    /// The same movement with another amount.
    MovementDiffers,
    /// The two sides count it in different periods: trade date against settlement, or time zones.
    PeriodShift,
    /// Units came or went as in a split.
    Split,
    /// Less than a cent a record.
    Rounding,
    /// The statement's own figures do not add up.
    StatementDoesNotAddUp,
    /// Units for which there is no explanation.
    UnexplainedUnits,
    /// Cash for which there is no explanation.
    UnexplainedCash,
}

/// One explained difference, or one that stays unexplained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementDifference {
    /// Why.
    pub kind: DifferenceKind,
    /// Day, where it has one.
    pub date: Option<NaiveDate>,
    /// Instrument, where it has one.
    pub symbol: Option<Symbol>,
    /// Currency of the cash.
    pub currency: Option<Currency>,
    /// What the books say; none when they say nothing.
    pub ours: Option<String>,
    /// What the statement says; none when it says nothing.
    pub theirs: Option<String>,
    /// Units at the end that the statement has more than the books because of this.
    #[serde(with = "exact")]
    pub units: Decimal,
    /// Cash at the end that the statement has more than the books because of this.
    #[serde(with = "exact")]
    pub cash: Decimal,
    /// What happened, for a person.
    pub sentence: String,
    /// What to do.
    pub remedy: String,
}

/// A balance that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CashDifference {
    /// Which currency.
    pub currency: Currency,
    /// By our books.
    #[serde(with = "exact")]
    pub ours: Decimal,
    /// By the statement.
    #[serde(with = "exact")]
    pub theirs: Decimal,
}

/// A statement against the books.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Positions that differ (foundation's `reconcile::diff`).
    pub positions: Vec<Difference>,
    /// Balances that differ.
    pub cash: Vec<CashDifference>,
    /// Explanations: their units and cash add up to the differences above, what is unexplained included.
    pub found: Vec<StatementDifference>,
    /// Trades of the statement that have their counterpart in the books.
    pub matched_trades: usize,
    /// Movements of the statement that have theirs.
    pub matched_movements: usize,
    /// What could not be compared, and why.
    pub not_compared: Vec<String>,
    /// What the reader of the statement has left out.
    pub unread: Vec<Unread>,
}

impl Comparison {
    /// Whether both sides say the same, rounding aside, of everything that was compared.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.found.iter().all(|one| one.kind == DifferenceKind::Rounding)
    }

    /// What no explanation was found for.
    pub fn unexplained(&self) -> impl Iterator<Item = &StatementDifference> {
        use DifferenceKind::{StatementDoesNotAddUp, UnexplainedCash, UnexplainedUnits};
        let kinds = [StatementDoesNotAddUp, UnexplainedCash, UnexplainedUnits];
        self.found.iter().filter(move |one| kinds.contains(&one.kind))
    }
}
