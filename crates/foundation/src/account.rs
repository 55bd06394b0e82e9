//! What a broker says of an account.

use crate::num::{Decimal, exact, exact_option};
use crate::symbol::Currency;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Balances of one account at a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// Currency of the numbers.
    pub base_currency: Currency,
    /// Settled and unsettled cash.
    #[serde(with = "exact")]
    pub cash: Decimal,
    /// Cash plus signed value of positions.
    #[serde(with = "exact")]
    pub equity: Decimal,
    /// What the broker would let us buy; `None` when it does not say.
    #[serde(with = "exact_option")]
    pub buying_power: Option<Decimal>,
    /// When the broker said so.
    pub asof: Timestamp,
}
