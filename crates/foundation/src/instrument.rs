//! What is known of an instrument, and the table that holds it.

use crate::num::{Decimal, exact};
use crate::symbol::{AssetClass, Currency, Symbol};
use crate::table::Table;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The static facts of an instrument (decision M5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Instrument {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Name for people.
    #[serde(default)]
    pub name: SmolStr,
    /// Kind of instrument.
    pub asset_class: AssetClass,
    /// Currency of prices, fees and cash flows.
    pub currency: Currency,
    /// Name of the exchange calendar, a market identifier code such as `XNYS`.
    pub calendar: SmolStr,
    /// Sector for concentration limits; empty when unknown.
    #[serde(default)]
    pub sector: SmolStr,
    /// Country of risk, ISO 3166 alpha-2; empty when unknown.
    #[serde(default)]
    pub country: SmolStr,
    /// Smallest price step, in `currency`; greater than zero.
    #[serde(with = "exact")]
    pub tick: Decimal,
    /// Smallest tradable quantity step, in units of the instrument; greater than zero.
    #[serde(with = "exact")]
    pub lot: Decimal,
    /// Money per unit and price point: 1 for shares, 100 for US equity options.
    #[serde(with = "exact")]
    pub multiplier: Decimal,
    /// Last trading day of a dated contract.
    #[serde(default)]
    pub expiry: Option<NaiveDate>,
}

impl Instrument {
    /// A share that trades in New York in whole units and cents, without sector or country; set the public fields for
    /// more.
    #[must_use]
    pub fn us_share(symbol: Symbol) -> Self {
        Self {
            symbol,
            name: SmolStr::default(),
            asset_class: AssetClass::Equities,
            currency: Currency::USD,
            calendar: SmolStr::new_static("XNYS"),
            sector: SmolStr::default(),
            country: SmolStr::default(),
            tick: Decimal::new(1, 2),
            lot: Decimal::ONE,
            multiplier: Decimal::ONE,
            expiry: None,
        }
    }
}

/// Why an instrument cannot enter the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentError {
    /// A number that must be positive is not.
    #[error("instrument {symbol}: {field} is {value}; it must be greater than zero")]
    NotPositive {
        /// Which instrument.
        symbol: Symbol,
        /// Which field.
        field: &'static str,
        /// The value found.
        value: Decimal,
    },
    /// The symbol is there already.
    #[error("instrument {symbol} is listed twice; remove one of the rows")]
    Duplicate {
        /// Which instrument.
        symbol: Symbol,
    },
}

/// All instruments of a run, ordered by symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InstrumentTable {
    by_symbol: Table<Symbol, Instrument>,
}

impl InstrumentTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A table of these instruments.
    ///
    /// # Errors
    /// [`InstrumentError`] for a duplicate or a tick, lot or multiplier that is not positive.
    pub fn from_instruments(
        instruments: impl IntoIterator<Item = Instrument>,
    ) -> Result<Self, InstrumentError> {
        let mut table = Self::new();
        for instrument in instruments {
            table.insert(instrument)?;
        }
        Ok(table)
    }

    /// Adds an instrument.
    ///
    /// # Errors
    /// [`InstrumentError`] for a duplicate or a tick, lot or multiplier that is not positive.
    pub fn insert(&mut self, instrument: Instrument) -> Result<(), InstrumentError> {
        let numbers =
            [("tick", instrument.tick), ("lot", instrument.lot), ("multiplier", instrument.multiplier)];
        for (field, value) in numbers {
            if value <= Decimal::ZERO {
                return Err(InstrumentError::NotPositive { symbol: instrument.symbol, field, value });
            }
        }
        if self.by_symbol.contains_key(&instrument.symbol) {
            return Err(InstrumentError::Duplicate { symbol: instrument.symbol });
        }
        self.by_symbol.insert(instrument.symbol.clone(), instrument);
        Ok(())
    }

    /// The instrument of a symbol.
    #[must_use]
    pub fn get(&self, symbol: &Symbol) -> Option<&Instrument> {
        self.by_symbol.get(symbol)
    }

    /// All instruments, by symbol.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Instrument> {
        self.by_symbol.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_symbol.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_symbol.is_empty()
    }
}
