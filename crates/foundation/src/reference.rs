//! Facts about instruments that change slowly: metadata, borrow, liquidity, exchange rates (decision M5).

use crate::instrument::Instrument;
use crate::num::{Decimal, exact, exact_option};
use crate::symbol::{Currency, Symbol};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Terms of borrowing an instrument for a short sale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Borrow {
    /// Annual cost in basis points.
    #[serde(with = "exact")]
    pub fee_bps: Decimal,
    /// Units that can be borrowed; `None` = the lender does not say.
    #[serde(with = "exact_option")]
    pub available: Option<Decimal>,
    /// A locate was obtained.
    pub located: bool,
    /// When it was true.
    pub asof: Timestamp,
}

/// Looks up reference data; answers come from memory and never block.
pub trait ReferenceData: Send + Sync {
    /// Metadata of an instrument.
    fn instrument(&self, symbol: &Symbol) -> Option<Instrument>;
    /// Terms of borrowing it.
    fn borrow(&self, symbol: &Symbol) -> Option<Borrow>;
    /// Average daily volume in units.
    fn average_daily_volume(&self, symbol: &Symbol) -> Option<Decimal>;
    /// Units of `to` per unit of `from`.
    fn exchange_rate(&self, from: Currency, to: Currency) -> Option<Decimal>;
}
