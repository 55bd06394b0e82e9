//! Halts and their end.

use crate::ids::{ActorId, FundId, StrategyId};
use crate::num::{Decimal, exact, exact_option};
use crate::order::wire_enum;
use crate::risk::RejectCode;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

wire_enum! {
    /// How far a halt reaches.
    HaltSeverity {
        /// One strategy.
        Strategy = "STRATEGY_HALT",
        /// One fund.
        Fund = "FUND_HALT",
        /// Everything.
        Firm = "FIRM_HALT",
    }
}

wire_enum! {
    /// What a halt still lets through (decision R4).
    HaltMode {
        /// Orders that shrink a position; the mode of every automatic halt.
        ReduceOnly = "reduce_only",
        /// Closing and cancelling only.
        Full = "full",
    }
}

/// What is halted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HaltScope {
    /// One strategy.
    Strategy(StrategyId),
    /// One fund.
    Fund(FundId),
    /// Everything.
    Firm,
}

impl HaltScope {
    /// How far it reaches.
    #[must_use]
    pub fn severity(&self) -> HaltSeverity {
        match self {
            Self::Strategy(_) => HaltSeverity::Strategy,
            Self::Fund(_) => HaltSeverity::Fund,
            Self::Firm => HaltSeverity::Firm,
        }
    }
}

impl std::fmt::Display for HaltScope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Strategy(id) => write!(out, "strategy {id}"),
            Self::Fund(id) => write!(out, "fund {id}"),
            Self::Firm => out.write_str("the firm"),
        }
    }
}

/// The limit that caused an automatic halt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HaltCause {
    /// Which limit.
    pub code: RejectCode,
    /// The limit.
    #[serde(with = "exact_option")]
    pub limit: Option<Decimal>,
    /// What was observed.
    #[serde(with = "exact_option")]
    pub observed: Option<Decimal>,
}

/// A request to halt (`mts.v1.operations.halt.requested`). Sticky: only a [`ResumeRequest`] ends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HaltRequest {
    /// What is halted.
    pub scope: HaltScope,
    /// What still passes.
    pub mode: HaltMode,
    /// Why, for people.
    pub reason: String,
    /// The limits that tripped, for automatic halts.
    #[serde(default)]
    pub causes: Vec<HaltCause>,
    /// Who asks.
    pub requested_by: ActorId,
    /// When.
    pub timestamp: Timestamp,
}

/// A request to end a halt or to switch the kill switch off. Fund and firm halts need two operators, or one where the
/// configuration says so (decision R9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResumeRequest {
    /// What is resumed; `None` = the kill switch.
    pub scope: Option<HaltScope>,
    /// Who agrees.
    pub operators: Vec<ActorId>,
    /// Why.
    pub reason: String,
    /// When.
    pub timestamp: Timestamp,
}

/// A loss limit that counts anew after a resume: from the value of that moment (decision R9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rebased {
    /// Whose.
    pub fund_id: FundId,
    /// Which limit.
    pub code: RejectCode,
    /// Net asset value it was measured against.
    #[serde(with = "exact")]
    pub old: Decimal,
    /// Net asset value it is measured against from now on.
    #[serde(with = "exact")]
    pub new: Decimal,
}
