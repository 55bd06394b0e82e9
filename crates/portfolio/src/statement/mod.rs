//! Statements of brokers: read from what a broker exports, and compared with our own books.
//!
//! Readers: [`read_csv`] (our own documented table), [`read_interactive_brokers`] (Activity Statement as CSV), [`read_alpaca`]
//! (account activities as JSON). Each takes the bytes of a file, bounded, and refuses what it cannot read with line, field,
//! value and remedy; what a reader knows of and leaves out is listed in [`Statement::unread`].

mod alpaca;
mod cells;
mod compare;
mod comparison;
mod interactive_brokers;
mod matching;
mod own_table;

pub use alpaca::read_alpaca;
pub use cells::{MAX_BYTES, MAX_ROWS};
pub use compare::compare;
pub use comparison::{BookedRecords, CashDifference, Comparison, DifferenceKind, StatementDifference};
pub use interactive_brokers::read_interactive_brokers;
pub use matching::SHIFT_DAYS;
pub use own_table::read_csv;

use chrono::NaiveDate;
use mts_foundation::num::exact;
use mts_foundation::{CashFlow, CashKind, Currency, Decimal, Fill, Side, Symbol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a broker says of an account over a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Who says it.
    pub broker: String,
    /// Which account, as the broker names it; empty when the file does not say.
    pub account: String,
    /// First day.
    pub from: NaiveDate,
    /// Last day; positions and closing balances are those at its end.
    pub to: NaiveDate,
    /// Currency of the account.
    pub base: Currency,
    /// Cash at the beginning, where it is stated.
    pub opening: BTreeMap<Currency, Decimal>,
    /// Cash at the end, where it is stated; a currency that is missing is not compared.
    pub closing: BTreeMap<Currency, Decimal>,
    /// What was traded.
    pub trades: Vec<StatementTrade>,
    /// Cash that moved outside of trades.
    pub movements: Vec<StatementMovement>,
    /// Units that came or went without a trade: splits, mergers.
    pub actions: Vec<StatementAction>,
    /// Signed units at the end; none when the file does not say, and then they are not compared.
    pub positions: Option<BTreeMap<Symbol, Decimal>>,
    /// What the reader knows of and has left out.
    pub unread: Vec<Unread>,
}

/// A trade, of a statement or of our books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementTrade {
    /// The venue's id, where there is one.
    pub id: Option<String>,
    /// Trade date, as the side that says it counts days.
    pub date: NaiveDate,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Only the direction counts when trades are compared: statements tell no `sell` from a `short`.
    pub side: Side,
    /// Units, greater than zero.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Price per unit; zero when an option expires or is assigned.
    #[serde(with = "exact")]
    pub price: Decimal,
    /// Fees, positive = cost.
    #[serde(with = "exact")]
    pub fees: Decimal,
    /// Effect on cash without the fees: negative when money was paid.
    #[serde(with = "exact")]
    pub proceeds: Decimal,
    /// Currency of price, fees and proceeds.
    pub currency: Currency,
}

impl StatementTrade {
    /// A fill of our books. `date` is the trade date (of the exchange's day, not of UTC), `multiplier` the instrument's.
    #[must_use]
    pub fn of_fill(fill: &Fill, date: NaiveDate, currency: Currency, multiplier: Decimal) -> Self {
        let value = fill.quantity.saturating_mul(fill.price).saturating_mul(multiplier);
        Self {
            id: Some(fill.fill_id.as_str().to_owned()),
            date,
            symbol: fill.symbol.clone(),
            side: fill.side,
            quantity: fill.quantity,
            price: fill.price,
            fees: fill.fees,
            proceeds: -fill.side.signed(value),
            currency,
        }
    }

    /// Units with their sign.
    #[must_use]
    pub fn units(&self) -> Decimal {
        self.side.signed(self.quantity)
    }

    /// Effect on cash, fees included.
    #[must_use]
    pub fn cash(&self) -> Decimal {
        self.proceeds.saturating_sub(self.fees)
    }
}

/// A movement of cash, of a statement or of our books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementMovement {
    /// The venue's id, where there is one.
    pub id: Option<String>,
    /// When.
    pub date: NaiveDate,
    /// Why.
    pub kind: CashKind,
    /// Positive = money in.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Currency of the amount.
    pub currency: Currency,
    /// Instrument, for dividends and the like.
    pub symbol: Option<Symbol>,
    /// The broker's own words; may be empty.
    pub text: String,
}

impl StatementMovement {
    /// A movement of our books, on its day.
    #[must_use]
    pub fn of_flow(flow: &CashFlow, date: NaiveDate) -> Self {
        let CashFlow { id, kind, amount, currency, symbol, .. } = flow;
        let (id, symbol) = (Some(id.as_str().to_owned()), symbol.clone());
        let (kind, amount, currency) = (*kind, *amount, *currency);
        Self { id, date, kind, amount, currency, symbol, text: String::new() }
    }
}

/// Units that came or went without a trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementAction {
    /// When.
    pub date: NaiveDate,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Signed change of units.
    #[serde(with = "exact")]
    pub units: Decimal,
    /// The broker's own words.
    pub text: String,
}

/// A row that a reader left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Line of the file, or number of the record, from 1.
    pub line: u64,
    /// What it is, and why it is left out.
    pub reason: String,
}

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// More than is read.
    #[error("the statement has {found} {what}; at most {most} are read: export a shorter period")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much may be.
        most: usize,
    },
    /// Not text, or not the format.
    #[error("line {line}: {fault}")]
    Form {
        /// Which line, or record.
        line: u64,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// A value cannot be read.
    #[error("line {line}: {field} {value:?} is not usable: {remedy}")]
    Value {
        /// Which line, or record.
        line: u64,
        /// Which field.
        field: String,
        /// The value, cut to a readable length.
        value: String,
        /// What to write.
        remedy: String,
    },
    /// A column or fact is missing.
    #[error("line {line}: {what} is missing: {remedy}")]
    Missing {
        /// Which line, or record.
        line: u64,
        /// What is missing.
        what: String,
        /// What to do.
        remedy: String,
    },
}

#[cfg(test)]
mod testing {
    use super::*;

    /// What holds of every answer of a reader: a fault is a sentence, a statement has a period and can be compared.
    pub(super) fn is_sound(found: Result<Statement, StatementError>) -> bool {
        match found {
            Ok(statement) => {
                let compared = compare(&statement, &BookedRecords::default());
                statement.from <= statement.to && compared.matched_trades == 0
            }
            Err(error) => (10..600).contains(&error.to_string().len()),
        }
    }
}
