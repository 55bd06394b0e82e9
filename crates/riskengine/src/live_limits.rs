//! Limits of a single account, under the names and with the defaults of the documented `LiveRiskConfig`.

use mts_foundation::num::as_written;
use mts_foundation::risk::{LossResponse, Staleness};
use mts_foundation::{Decimal, GateLimits, Symbol};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The limits of one account (decisions R14 and R15). A limit of `None` or infinity is off. [`LiveLimits::to_gates`] maps
/// them onto the gates that funds have; a daily loss or a drawdown beyond its limit activates the kill switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[doc(alias = "LiveRiskConfig")]
pub struct LiveLimits {
    /// Value of one position, in money. 50,000.
    pub max_position_value: Option<f64>,
    /// Units of one position. 1,000.
    pub max_position_shares: Option<f64>,
    /// Gross exposure, in money. 200,000.
    pub max_total_exposure: Option<f64>,
    /// Number of positions. 20.
    pub max_positions: Option<f64>,
    /// Value of one order, in money. 10,000.
    pub max_order_value: Option<f64>,
    /// Units of one order. 500.
    pub max_order_shares: Option<f64>,
    /// Accepted orders in a sliding minute. 10.
    pub max_orders_per_minute: Option<f64>,
    /// Loss since the trading day began, in money. 5,000.
    pub max_daily_loss: Option<f64>,
    /// Fall from the highest value, as a share of it, up to 1. 0.05.
    pub max_drawdown_pct: Option<f64>,
    /// Distance of limit and stop prices from the market, as a share of it, up to 1. 0.05.
    pub max_price_deviation_pct: Option<f64>,
    /// Age of the market price, in seconds. 60.
    pub max_data_staleness_seconds: Option<f64>,
    /// Identical orders within so many seconds are duplicates; 0 = off. 1.
    pub dedup_window_seconds: Option<f64>,
    /// Assets that may be traded; empty = any.
    pub allowed_assets: Vec<Symbol>,
    /// Assets that may not be traded.
    pub blocked_assets: Vec<Symbol>,
    /// Orders go to the paper broker, never to the real one.
    pub shadow_mode: bool,
    /// The kill switch is on from the start.
    pub kill_switch_enabled: bool,
    /// Where the risk state is kept.
    pub state_file: PathBuf,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            max_position_value: Some(50_000.0),
            max_position_shares: Some(1_000.0),
            max_total_exposure: Some(200_000.0),
            max_positions: Some(20.0),
            max_order_value: Some(10_000.0),
            max_order_shares: Some(500.0),
            max_orders_per_minute: Some(10.0),
            max_daily_loss: Some(5_000.0),
            max_drawdown_pct: Some(0.05),
            max_price_deviation_pct: Some(0.05),
            max_data_staleness_seconds: Some(60.0),
            dedup_window_seconds: Some(1.0),
            allowed_assets: Vec::new(),
            blocked_assets: Vec::new(),
            shadow_mode: false,
            kill_switch_enabled: false,
            state_file: PathBuf::from(".mts_risk_state"),
        }
    }
}

/// Limits that make no sense: every fault at once, each naming field, value and range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidLiveLimits(pub Vec<String>);

/// Reads one limit after the other and collects what is wrong with them.
struct Reader(Vec<String>);

impl Reader {
    /// A limit above zero and at most `high`, exact; `None` = off.
    fn limit(&mut self, field: &str, value: Option<f64>, high: Option<f64>) -> Option<Decimal> {
        let value = value.filter(|value| *value != f64::INFINITY)?;
        let fits = value > 0.0 && high.is_none_or(|high| value <= high);
        let exact = as_written(value).filter(|_| fits);
        if exact.is_none() {
            let range = match high {
                Some(high) => format!("above 0 and at most {high}"),
                None => "above 0 and within the range of decimals".to_owned(),
            };
            self.0.push(format!("{field} is {value}; it must be {range}, or absent to switch the limit off"));
        }
        exact
    }

    /// A whole number of things.
    fn count(&mut self, field: &str, value: Option<f64>) -> Option<u32> {
        let exact = self.limit(field, value, Some(f64::from(u32::MAX)))?;
        let count = u32::try_from(exact).ok().filter(|count| Decimal::from(*count) == exact);
        if count.is_none() {
            self.0.push(format!("{field} is {exact}; it must be a whole number"));
        }
        count
    }

    /// Seconds as milliseconds; zero where that is allowed.
    fn millis(&mut self, field: &str, value: Option<f64>, zero: bool) -> Option<u64> {
        let value = value.filter(|value| !(zero && *value == 0.0));
        // A century, so that milliseconds always fit.
        let seconds = self.limit(field, value, Some(3.2e9))?;
        u64::try_from((seconds * Decimal::ONE_THOUSAND).ceil()).ok()
    }
}

impl LiveLimits {
    /// The same limits as gates know them.
    ///
    /// # Errors
    /// [`InvalidLiveLimits`] for a limit that is not a number, negative, zero or contradictory.
    pub fn to_gates(&self) -> Result<GateLimits, InvalidLiveLimits> {
        let mut read = Reader(Vec::new());
        let share = Some(1.0);
        // Exactness matters for money; a share is read again where the gates are made.
        let drawdown = read.limit("max_drawdown_pct", self.max_drawdown_pct, share);
        let deviation = read.limit("max_price_deviation_pct", self.max_price_deviation_pct, share);
        let staleness = read.millis("max_data_staleness_seconds", self.max_data_staleness_seconds, false);
        let gates = GateLimits {
            max_position_value: read.limit("max_position_value", self.max_position_value, None),
            max_position_quantity: read.limit("max_position_shares", self.max_position_shares, None),
            max_total_exposure: read.limit("max_total_exposure", self.max_total_exposure, None),
            max_positions: read.count("max_positions", self.max_positions),
            max_order_value: read.limit("max_order_value", self.max_order_value, None),
            max_order_quantity: read.limit("max_order_shares", self.max_order_shares, None),
            max_orders_per_minute: read.count("max_orders_per_minute", self.max_orders_per_minute),
            max_daily_loss: read.limit("max_daily_loss", self.max_daily_loss, None),
            max_drawdown_pct: drawdown.and(self.max_drawdown_pct),
            price_collar_pct: deviation.and(self.max_price_deviation_pct),
            staleness: staleness.map(Staleness::Millis),
            dedup_window_ms: read.millis("dedup_window_seconds", self.dedup_window_seconds, true),
            loss_response: Some(LossResponse::KillSwitch),
            allowed_assets: self.allowed_assets.clone(),
            blocked_assets: self.blocked_assets.clone(),
            ..GateLimits::default()
        };
        let mut faults = read.0;
        if self.state_file.as_os_str().is_empty() {
            faults.push("state_file is empty; name the file that keeps the risk state".to_owned());
        }
        faults.extend(gates.validate().err().unwrap_or_default());
        if faults.is_empty() { Ok(gates) } else { Err(InvalidLiveLimits(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_become_gates() {
        let gates = LiveLimits::default().to_gates().unwrap();
        let money = |value: i64| Some(Decimal::from(value));
        assert_eq!((gates.max_position_value, gates.max_order_value), (money(50_000), money(10_000)));
        assert_eq!((gates.max_total_exposure, gates.max_daily_loss), (money(200_000), money(5_000)));
        assert_eq!((gates.max_position_quantity, gates.max_order_quantity), (money(1_000), money(500)));
        assert_eq!((gates.max_positions, gates.max_orders_per_minute), (Some(20), Some(10)));
        assert_eq!((gates.max_drawdown_pct, gates.price_collar_pct), (Some(0.05), Some(0.05)));
        assert_eq!((gates.staleness, gates.dedup_window_ms), (Some(Staleness::Millis(60_000)), Some(1_000)));
        assert_eq!(gates.loss_response, Some(LossResponse::KillSwitch));
    }

    #[test]
    fn infinity_and_nothing_switch_a_limit_off() {
        let off = LiveLimits {
            max_position_value: Some(f64::INFINITY),
            max_positions: None,
            max_drawdown_pct: Some(f64::INFINITY),
            dedup_window_seconds: Some(0.0),
            ..LiveLimits::default()
        };
        let gates = off.to_gates().unwrap();
        assert_eq!((gates.max_position_value, gates.max_positions), (None, None));
        assert_eq!((gates.max_drawdown_pct, gates.dedup_window_ms), (None, None));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let asset: Symbol = "AAPL".parse().unwrap();
        let wrong = LiveLimits {
            max_position_value: Some(f64::NAN),
            max_order_shares: Some(-1.0),
            max_positions: Some(2.5),
            max_drawdown_pct: Some(1.5),
            max_daily_loss: Some(0.0),
            dedup_window_seconds: Some(-0.5),
            allowed_assets: vec![asset.clone()],
            blocked_assets: vec![asset],
            state_file: PathBuf::new(),
            ..LiveLimits::default()
        };
        let faults = wrong.to_gates().unwrap_err().0;
        for field in [
            "max_position_value is NaN",
            "max_order_shares is -1",
            "max_positions is 2.5",
            "max_drawdown_pct is 1.5",
            "max_daily_loss is 0",
            "dedup_window_seconds is -0.5",
            "AAPL is in allowed_assets and in blocked_assets",
            "state_file is empty",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(field)), "{field}: {faults:?}");
        }
        assert_eq!(faults.len(), 8, "{faults:?}");
    }
}
