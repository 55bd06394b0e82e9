//! Limits as exact decimals, converted once.

use crate::window::{MAX_RECENT, MINUTE_MS};
use mts_foundation::num::as_written;
use mts_foundation::risk::{GateLimits, LossResponse, RiskEnvelope};
use mts_foundation::{Decimal, FundConfig};

/// What is wrong with the limits of a fund: every fault at once.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ConfigFaults(pub Vec<String>);

/// The float limits of an envelope and of the gate limits, exact. `None` = off.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExactLimits {
    pub(crate) gross: Option<Decimal>,
    pub(crate) net: Option<Decimal>,
    pub(crate) position: Option<Decimal>,
    pub(crate) sector: Option<Decimal>,
    pub(crate) asset_class: Option<Decimal>,
    pub(crate) country: Option<Decimal>,
    pub(crate) daily_loss: Option<Decimal>,
    pub(crate) daily_loss_money: Option<Decimal>,
    pub(crate) weekly_loss: Option<Decimal>,
    pub(crate) monthly_loss: Option<Decimal>,
    pub(crate) drawdown: Option<Decimal>,
    /// What a loss limit does; `KillSwitch` trips beyond a limit, `HaltFund` at it.
    pub(crate) loss_response: LossResponse,
    pub(crate) order_notional: Option<Decimal>,
    pub(crate) collar: Option<Decimal>,
    pub(crate) short_fee_bps: Option<Decimal>,
    /// Loss of a position, as a share of its entry, that stops it out.
    pub(crate) synthetic_stop: Option<Decimal>,
    /// The longest window that looks at accepted orders, in milliseconds.
    pub(crate) longest_window_ms: Option<u64>,
}

impl ExactLimits {
    /// Checks fund, envelope and limits together and converts what is a float.
    pub(crate) fn new(
        fund: &FundConfig,
        envelope: Option<&RiskEnvelope>,
        limits: &GateLimits,
    ) -> Result<Self, ConfigFaults> {
        let mut faults = Vec::new();
        if let Some(envelope) = envelope {
            if envelope.fund_id != fund.fund_id {
                faults.push(format!("the envelope is for fund {}, not {}", envelope.fund_id, fund.fund_id));
            }
            if let Err(found) = envelope.validate() {
                faults.extend(found.0.iter().map(|fault| format!("envelope.{fault}")));
            }
        }
        if let Err(found) = limits.validate() {
            faults.extend(found.into_iter().map(|fault| format!("gates.{fault}")));
        }
        for (field, limit) in [
            ("max_orders_per_minute", limits.max_orders_per_minute),
            ("max_repeated_executions", limits.max_repeated_executions),
        ] {
            if limit.is_some_and(|limit| usize::try_from(limit).unwrap_or(usize::MAX) > MAX_RECENT) {
                faults.push(format!(
                    "gates.{field} is more than the {MAX_RECENT} orders that are remembered; lower it, or leave it out"
                ));
            }
        }
        if !faults.is_empty() {
            return Err(ConfigFaults(faults));
        }
        let exact = |value: f64| {
            as_written(value)
                .ok_or_else(|| ConfigFaults(vec![format!("{value} is no limit; write a plain decimal")]))
        };
        let optional = |value: Option<f64>| value.map(exact).transpose();
        let of = |field: fn(&RiskEnvelope) -> f64| optional(envelope.map(field));
        // A concentration limit of 1 is off and needs no data (decision R10).
        let concentration = |field: fn(&RiskEnvelope) -> f64| {
            of(field).map(|limit| limit.filter(|limit| *limit < Decimal::ONE))
        };
        let stop = envelope.filter(|envelope| envelope.enable_synthetic_stop);
        let windows = [
            limits.dedup_window_ms,
            limits.max_orders_per_minute.map(|_| MINUTE_MS),
            limits.max_repeated_executions.and(limits.repeated_execution_window_ms),
        ];
        Ok(Self {
            gross: of(|envelope| envelope.max_gross_exposure_pct)?,
            net: of(|envelope| envelope.max_net_exposure_pct)?,
            position: of(|envelope| envelope.max_position_pct)?,
            sector: concentration(|envelope| envelope.max_sector_pct)?,
            asset_class: concentration(|envelope| envelope.max_asset_class_pct)?,
            country: concentration(|envelope| envelope.max_country_pct)?,
            daily_loss: of(|envelope| envelope.daily_loss_halt_pct)?,
            daily_loss_money: limits.max_daily_loss,
            weekly_loss: of(|envelope| envelope.weekly_loss_halt_pct)?,
            monthly_loss: of(|envelope| envelope.monthly_loss_halt_pct)?,
            drawdown: optional(limits.max_drawdown_pct)?,
            loss_response: limits.loss_response.unwrap_or(LossResponse::HaltFund),
            order_notional: optional(limits.max_order_notional_pct)?,
            collar: optional(limits.price_collar_pct)?,
            short_fee_bps: of(|envelope| envelope.max_short_fee_bps.min(1e9))?,
            synthetic_stop: optional(stop.map(|envelope| envelope.synthetic_stop_pct))?,
            longest_window_ms: windows.into_iter().flatten().max(),
        })
    }

    /// Whether any loss limit is on.
    pub(crate) fn any_loss(&self) -> bool {
        [self.daily_loss, self.daily_loss_money, self.weekly_loss, self.monthly_loss, self.drawdown]
            .iter()
            .any(Option::is_some)
    }
}
