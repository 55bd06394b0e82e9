//! Funds and their net asset value.

use crate::ids::{AccountId, BrokerName, FundId, StrategyId};
use crate::num::{Decimal, exact};
use crate::order::wire_enum;
use crate::symbol::{AssetClass, Currency};
use crate::time::Timestamp;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

wire_enum! {
    /// Which lots a closing trade consumes.
    TaxLotMethod {
        /// Oldest first.
        Fifo = "fifo",
        /// Newest first.
        Lifo = "lifo",
        /// Highest cost first: least gain now.
        Hifo = "hifo",
        /// Lowest cost first: realises the largest gains.
        Loifo = "loifo",
        /// The operator names the lots.
        Specid = "specid",
    }
}

/// A fund. Empty `asset_classes` and `strategies` mean "no restriction" (decision R2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FundConfig {
    /// Id.
    pub fund_id: FundId,
    /// Name for people.
    pub name: SmolStr,
    /// What it is for.
    #[serde(default)]
    pub description: SmolStr,
    /// Currency of its books.
    #[serde(default = "usd")]
    pub base_currency: Currency,
    /// Allocation.
    #[serde(with = "exact")]
    pub target_nav_usd: Decimal,
    /// Registry key of its broker.
    pub broker: BrokerName,
    /// Account at the broker.
    #[serde(default)]
    pub broker_account_id: Option<AccountId>,
    /// Whether it trades.
    #[serde(default = "yes")]
    pub active: bool,
    /// Asset classes it may hold; empty = any.
    #[serde(default)]
    pub asset_classes: Vec<AssetClass>,
    /// Strategies that may write into it; empty = any.
    #[serde(default)]
    pub strategies: Vec<StrategyId>,
    /// How closing trades consume lots.
    #[serde(default = "fifo")]
    pub tax_lot_method: TaxLotMethod,
    /// When it was set up.
    pub created_at: Timestamp,
    /// Remarks.
    #[serde(default)]
    pub notes: SmolStr,
}

impl FundConfig {
    /// An active fund in US dollars without restrictions, first in first out; set the public fields for more.
    #[must_use]
    pub fn new(fund_id: FundId, broker: BrokerName, target_nav_usd: Decimal, created_at: Timestamp) -> Self {
        Self {
            name: fund_id.as_str().into(),
            fund_id,
            description: SmolStr::default(),
            base_currency: usd(),
            target_nav_usd,
            broker,
            broker_account_id: None,
            active: yes(),
            asset_classes: Vec::new(),
            strategies: Vec::new(),
            tax_lot_method: fifo(),
            created_at,
            notes: SmolStr::default(),
        }
    }
}

fn usd() -> Currency {
    Currency::USD
}

fn yes() -> bool {
    true
}

fn fifo() -> TaxLotMethod {
    TaxLotMethod::Fifo
}

/// A fund's value at the end of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NavSnapshot {
    /// Which fund.
    pub fund_id: FundId,
    /// Session date.
    pub asof: NaiveDate,
    /// Cash plus signed market value of all positions.
    #[serde(with = "exact")]
    pub nav_usd: Decimal,
    /// Cash, negative when borrowed.
    #[serde(with = "exact")]
    pub cash_usd: Decimal,
    /// Value of long positions.
    #[serde(with = "exact")]
    pub long_usd: Decimal,
    /// Value of short positions, zero or negative.
    #[serde(with = "exact")]
    pub short_usd: Decimal,
    /// How many instruments are held.
    pub positions: u32,
}
