//! How the paper broker behaves.

use mts_foundation::{Currency, Decimal};
use mts_matching::{ExchangeConfig, FeeModel, InvalidFees, InvalidSetting};
use std::time::Duration;

/// The documented delay between an order and the market.
const DELAY: Duration = Duration::from_millis(100);

/// How the paper broker behaves. The default is the documented one: 0.1 s from an order to the market, cancellations at
/// once, 5 basis points a side, short sales allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperConfig {
    /// What executions cost.
    pub fees: FeeModel,
    /// Cash at the start.
    pub initial_cash: Decimal,
    /// Currency of the account.
    pub base_currency: Currency,
    /// The exchange behind it: delays, sessions, what fills when.
    pub exchange: ExchangeConfig,
}

impl Default for PaperConfig {
    fn default() -> Self {
        Self {
            fees: FeeModel::basis_points(Decimal::from(5)),
            initial_cash: Decimal::from(100_000),
            base_currency: Currency::USD,
            exchange: ExchangeConfig { submit_delay: DELAY, ..ExchangeConfig::default() },
        }
    }
}

/// A configuration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPaperConfig {
    /// Of the exchange.
    #[error(transparent)]
    Exchange(#[from] InvalidSetting),
    /// Of the fees.
    #[error(transparent)]
    Fees(#[from] InvalidFees),
}
