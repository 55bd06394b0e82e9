//! Limits as exact decimals, converted once.

use mts_foundation::num::as_written;
use mts_foundation::risk::{GateLimits, RiskEnvelope};
use mts_foundation::{Decimal, FundConfig};

/// What is wrong with the limits of a fund: every fault at once.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ConfigFaults(pub Vec<String>);

/// The float limits of an envelope and of the gate limits, exact. `None` = off.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExactLimits {
    pub(crate) gross: Decimal,
    pub(crate) net: Decimal,
    pub(crate) position: Decimal,
    pub(crate) sector: Option<Decimal>,
    pub(crate) asset_class: Option<Decimal>,
    pub(crate) country: Option<Decimal>,
    pub(crate) daily_loss: Decimal,
    pub(crate) weekly_loss: Decimal,
    pub(crate) monthly_loss: Decimal,
    pub(crate) drawdown: Option<Decimal>,
    pub(crate) order_notional: Option<Decimal>,
    pub(crate) collar: Option<Decimal>,
    pub(crate) short_fee_bps: Decimal,
}

impl ExactLimits {
    /// Checks fund, envelope and limits together and converts what is a float.
    pub(crate) fn new(
        fund: &FundConfig,
        envelope: &RiskEnvelope,
        limits: &GateLimits,
    ) -> Result<Self, ConfigFaults> {
        let mut faults = Vec::new();
        if envelope.fund_id != fund.fund_id {
            faults.push(format!("the envelope is for fund {}, not {}", envelope.fund_id, fund.fund_id));
        }
        if let Err(found) = envelope.validate() {
            faults.extend(found.0.iter().map(|fault| format!("envelope.{fault}")));
        }
        if let Err(found) = limits.validate() {
            faults.extend(found.into_iter().map(|fault| format!("gates.{fault}")));
        }
        if !faults.is_empty() {
            return Err(ConfigFaults(faults));
        }
        let exact = |value: f64| {
            as_written(value)
                .ok_or_else(|| ConfigFaults(vec![format!("{value} is no limit; write a plain decimal")]))
        };
        // A concentration limit of 1 is off and needs no data (decision R10).
        let concentration =
            |value: f64| exact(value).map(|limit| Some(limit).filter(|limit| *limit < Decimal::ONE));
        let optional = |value: Option<f64>| value.map(exact).transpose();
        Ok(Self {
            gross: exact(envelope.max_gross_exposure_pct)?,
            net: exact(envelope.max_net_exposure_pct)?,
            position: exact(envelope.max_position_pct)?,
            sector: concentration(envelope.max_sector_pct)?,
            asset_class: concentration(envelope.max_asset_class_pct)?,
            country: concentration(envelope.max_country_pct)?,
            daily_loss: exact(envelope.daily_loss_halt_pct)?,
            weekly_loss: exact(envelope.weekly_loss_halt_pct)?,
            monthly_loss: exact(envelope.monthly_loss_halt_pct)?,
            drawdown: optional(limits.max_drawdown_pct)?,
            order_notional: optional(limits.max_order_notional_pct)?,
            collar: optional(limits.price_collar_pct)?,
            short_fee_bps: exact(envelope.max_short_fee_bps.min(1e9))?,
        })
    }
}
