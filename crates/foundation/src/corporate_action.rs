//! What an issuer does to an instrument, and what that does to a position.

use crate::num::{Decimal, exact, round};
use crate::position::{OutOfRange, product};
use crate::symbol::{Currency, Symbol};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Decimal places to which units are rounded after a split that does not come out even: few enough that sums of parts stay
/// exact, far more than any venue keeps.
pub(crate) const UNIT_PLACES: u32 = 16;

/// One action of an issuer, as it enters the books before the open of `ex_date`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CorporateAction {
    /// Id from the source, unique; the same action seen twice takes effect once.
    pub action_id: SmolStr,
    /// The instrument.
    pub symbol: Symbol,
    /// First trade date without the right to it.
    pub ex_date: NaiveDate,
    /// What happens.
    pub kind: CorporateActionKind,
}

/// What an issuer does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CorporateActionKind {
    /// `new_units` for every `old_units`: 4 for 1, or 1 for 10 in a reverse split. A stock dividend of 5 % is 105 for 100.
    Split {
        /// Units after, greater than zero.
        #[serde(with = "exact")]
        new_units: Decimal,
        /// Units before, greater than zero.
        #[serde(with = "exact")]
        old_units: Decimal,
    },
    /// Cash for every unit held; who is short pays it.
    CashDividend {
        /// Per unit, greater than zero.
        #[serde(with = "exact")]
        amount: Decimal,
        /// Of the amount.
        currency: Currency,
    },
    /// The instrument goes on under another name.
    SymbolChange {
        /// Its new name.
        to: Symbol,
    },
    /// The instrument ends and cash takes its place: a cash merger, a liquidation, or nothing (zero).
    Delisting {
        /// Per unit, zero or greater.
        #[serde(with = "exact")]
        amount: Decimal,
        /// Of the amount.
        currency: Currency,
    },
}

/// Why an action cannot take effect; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorporateActionError {
    /// A ratio or an amount is not usable.
    #[error("corporate action {action_id} of {symbol}: {field} {value} must be {must}")]
    OutOfRange {
        /// Which action.
        action_id: SmolStr,
        /// Of which instrument.
        symbol: Symbol,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: Decimal,
        /// What it must be.
        must: &'static str,
    },
    /// The new symbol is held already; two positions must not become one unseen.
    #[error("corporate action {action_id}: {to} is held already; close it or {symbol} first")]
    Held {
        /// Which action.
        action_id: SmolStr,
        /// The old symbol.
        symbol: Symbol,
        /// The new symbol.
        to: Symbol,
    },
    /// A value leaves the range of decimals.
    #[error(transparent)]
    Arithmetic(#[from] OutOfRange),
}

/// What an action does to one position.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionEffect {
    /// The symbol from now on.
    pub symbol: Symbol,
    /// Signed units from now on; fractions are kept, cash in lieu of them comes as a movement of cash from the venue.
    pub quantity: Decimal,
    /// By what prices are divided: 4 after a split of 4 for 1.
    pub price_divisor: Decimal,
    /// Cash in the action's currency, positive = received, with the multiplier applied.
    pub cash: Decimal,
    /// Currency of the cash; `None` when there is none.
    pub currency: Option<Currency>,
}

impl CorporateAction {
    /// The instrument's new symbol, where it gets one.
    #[must_use]
    pub fn renamed_to(&self) -> Option<&Symbol> {
        match &self.kind {
            CorporateActionKind::SymbolChange { to } => Some(to),
            _ => None,
        }
    }

    /// Checks ratios and amounts.
    ///
    /// # Errors
    /// [`CorporateActionError::OutOfRange`].
    pub fn check(&self) -> Result<(), CorporateActionError> {
        let (field, value, must, fits) = match &self.kind {
            CorporateActionKind::Split { new_units, old_units } => {
                if *new_units <= Decimal::ZERO {
                    ("new_units", *new_units, "greater than zero", false)
                } else {
                    ("old_units", *old_units, "greater than zero", *old_units > Decimal::ZERO)
                }
            }
            CorporateActionKind::CashDividend { amount, .. } => {
                ("amount", *amount, "greater than zero", *amount > Decimal::ZERO)
            }
            CorporateActionKind::Delisting { amount, .. } => {
                ("amount", *amount, "zero or greater", *amount >= Decimal::ZERO)
            }
            CorporateActionKind::SymbolChange { .. } => return Ok(()),
        };
        if fits {
            return Ok(());
        }
        let (action_id, symbol) = (self.action_id.clone(), self.symbol.clone());
        Err(CorporateActionError::OutOfRange { action_id, symbol, field, value, must })
    }

    /// What the action does to a position of `quantity` signed units.
    ///
    /// # Errors
    /// [`CorporateActionError`] for a ratio or amount that is not usable, or a product out of range.
    pub fn effect_on(
        &self,
        quantity: Decimal,
        multiplier: Decimal,
    ) -> Result<ActionEffect, CorporateActionError> {
        self.check()?;
        let unchanged = ActionEffect {
            symbol: self.symbol.clone(),
            quantity,
            price_divisor: Decimal::ONE,
            cash: Decimal::ZERO,
            currency: None,
        };
        Ok(match &self.kind {
            CorporateActionKind::Split { new_units, old_units } => {
                let out_of_range = || OutOfRange { what: "units after a split" };
                // Multiplied before divided: 7 units at 3 for 2 are exactly 10.5.
                let units = product("units after a split", &[quantity, *new_units])?;
                ActionEffect {
                    quantity: round(units.checked_div(*old_units).ok_or_else(out_of_range)?, UNIT_PLACES)
                        .normalize(),
                    price_divisor: new_units.checked_div(*old_units).ok_or_else(out_of_range)?,
                    ..unchanged
                }
            }
            CorporateActionKind::CashDividend { amount, currency } => ActionEffect {
                cash: product("dividend", &[quantity, *amount, multiplier])?,
                currency: Some(*currency),
                ..unchanged
            },
            CorporateActionKind::SymbolChange { to } => ActionEffect { symbol: to.clone(), ..unchanged },
            CorporateActionKind::Delisting { amount, currency } => ActionEffect {
                quantity: Decimal::ZERO,
                cash: product("proceeds of a delisting", &[quantity, *amount, multiplier])?,
                currency: Some(*currency),
                ..unchanged
            },
        })
    }
}
