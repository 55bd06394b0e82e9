//! Signals and target weights: what research hands to the portfolio.

use crate::ids::{FundId, StrategyId};
use crate::num::{Decimal, exact, exact_option};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One number per instrument at one instant, higher = stronger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Signal {
    /// Who published it.
    pub strategy_id: StrategyId,
    /// Instrument.
    pub symbol: Symbol,
    /// The value, quantised to 1e-9.
    #[serde(with = "exact")]
    pub value: Decimal,
    /// Place in the cross-section, 1 = strongest.
    pub rank: Option<u32>,
    /// The last data it used.
    pub asof: Timestamp,
}

/// The share of net asset value that an instrument shall have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TargetWeight {
    /// Instrument.
    pub symbol: Symbol,
    /// Fraction of net asset value, signed, quantised to 1e-9 (decision H8).
    #[serde(with = "exact")]
    pub weight: Decimal,
    /// The signal value behind it, for the audit trail; quantised to 1e-9.
    #[serde(with = "exact_option", default)]
    pub signal: Option<Decimal>,
    /// Place in the cross-section, 1 = strongest; also the order in which orders are made.
    #[serde(default)]
    pub rank: Option<u32>,
}

/// A complete set of target weights: what is held and not named is to be sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TargetSet {
    /// Whose book.
    pub fund_id: FundId,
    /// Who wants it.
    pub strategy_id: StrategyId,
    /// When the decision was made; part of the idempotency keys of its orders.
    pub asof: Timestamp,
    /// The weights, at most one per symbol.
    pub weights: Vec<TargetWeight>,
}
