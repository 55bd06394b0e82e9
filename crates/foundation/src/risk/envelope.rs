//! The risk envelope: the documented limits of one fund, versioned.

use crate::ids::{BrokerName, EnvelopeId, FundId};
use crate::num::{Decimal, exact, exact_option};
use crate::order::OrderType;
use crate::symbol::AssetClass;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The limits of a fund. Percentages are fractions of its current net asset value (0.05 = 5 %). Permission lists deny
/// by default: an empty `allowed_brokers` allows none (decision R2). A concentration limit of 1.0 is off (R10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = ranges))]
pub struct RiskEnvelope {
    /// Id; versions share it.
    pub envelope_id: EnvelopeId,
    /// Fund it limits.
    pub fund_id: FundId,
    /// Allocation at creation, > 0.
    #[serde(with = "exact")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::PositiveDecimal"))]
    pub nav_usd: Decimal,
    /// Gross exposure, 0 to 5.
    #[serde(default = "one")]
    pub max_gross_exposure_pct: f64,
    /// Net exposure, −5 to 5.
    #[serde(default = "one")]
    pub max_net_exposure_pct: f64,
    /// One position, above 0 to 1.
    #[serde(default = "five_percent")]
    pub max_position_pct: f64,
    /// One position in money.
    #[serde(with = "exact_option", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_position_usd: Option<Decimal>,
    /// One sector, above 0 to 1; 1 = off.
    #[serde(default = "thirty_percent")]
    pub max_sector_pct: f64,
    /// One asset class, above 0 to 1; 1 = off.
    #[serde(default = "one")]
    pub max_asset_class_pct: f64,
    /// One country, above 0 to 1; 1 = off.
    #[serde(default = "one")]
    pub max_country_pct: f64,
    /// Loss since the day began that halts the fund, above 0 to 1.
    #[serde(default = "three_percent")]
    pub daily_loss_halt_pct: f64,
    /// Loss since the week began that halts the fund, above 0 to 1.
    #[serde(default = "eight_percent")]
    pub weekly_loss_halt_pct: f64,
    /// Loss since the month began that halts the fund, above 0 to 1.
    #[serde(default = "fifteen_percent")]
    pub monthly_loss_halt_pct: f64,
    /// Value of one order.
    #[serde(with = "exact", default = "hundred_thousand")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::PositiveDecimal"))]
    pub max_order_notional_usd: Decimal,
    /// Units of one order.
    #[serde(with = "exact_option", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_order_qty: Option<Decimal>,
    /// Brokers it may use; empty = none.
    #[serde(default)]
    pub allowed_brokers: Vec<BrokerName>,
    /// Order types it may use.
    #[serde(default = "market_and_limit")]
    pub allowed_order_types: Vec<OrderType>,
    /// Asset classes it may trade.
    #[serde(default = "equities")]
    pub allowed_asset_classes: Vec<AssetClass>,
    /// Whether it may sell short.
    #[serde(default)]
    pub enable_shorting: bool,
    /// Dearest borrow, basis points a year.
    #[serde(default = "two_hundred")]
    pub max_short_fee_bps: f64,
    /// Whether a short sale needs a locate.
    #[serde(default)]
    pub require_borrow_locate: bool,
    /// Whether losing positions are stopped out.
    #[serde(default = "yes")]
    pub enable_synthetic_stop: bool,
    /// Loss of a position that stops it out, above 0 to 1.
    #[serde(default = "ten_percent")]
    pub synthetic_stop_pct: f64,
    /// Whether the advisory veto is asked.
    #[serde(default)]
    pub cro_veto_enabled: bool,
    /// Confidence from which its veto counts, 0 to 1.
    #[serde(default = "veto_confidence")]
    pub cro_veto_confidence_threshold: f64,
    /// Seconds it may take, > 0.
    #[serde(default = "veto_timeout")]
    pub cro_veto_timeout_s: f64,
    /// Version; an update carries this plus one.
    #[serde(default = "first")]
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Remarks.
    #[serde(default)]
    pub notes: SmolStr,
}

macro_rules! defaults {
    ($($name:ident: $kind:ty = $value:expr;)+) => { $(fn $name() -> $kind { $value })+ };
}

defaults! {
    one: f64 = 1.0;
    three_percent: f64 = 0.03;
    five_percent: f64 = 0.05;
    eight_percent: f64 = 0.08;
    ten_percent: f64 = 0.10;
    fifteen_percent: f64 = 0.15;
    thirty_percent: f64 = 0.30;
    two_hundred: f64 = 200.0;
    veto_confidence: f64 = 0.85;
    veto_timeout: f64 = 5.0;
    hundred_thousand: Decimal = Decimal::ONE_HUNDRED * Decimal::ONE_THOUSAND;
    market_and_limit: Vec<OrderType> = vec![OrderType::Market, OrderType::Limit];
    equities: Vec<AssetClass> = vec![AssetClass::Equities];
    yes: bool = true;
    first: u32 = 1;
}

/// One limit that is out of its range.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvelopeFault {
    /// Which field.
    pub field: &'static str,
    /// The value found.
    pub value: String,
    /// The range it must be in.
    pub range: &'static str,
}

impl std::fmt::Display for EnvelopeFault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} is {}; it must be {}", self.field, self.value, self.range)
    }
}

/// All limits that are out of range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} envelope limit(s) out of range: {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct EnvelopeFaults(pub Vec<EnvelopeFault>);

impl RiskEnvelope {
    /// The documented defaults for a fund: no broker is allowed yet.
    #[must_use]
    pub fn with_defaults(
        envelope_id: EnvelopeId,
        fund_id: FundId,
        nav_usd: Decimal,
        created_at: Timestamp,
    ) -> Self {
        Self {
            envelope_id,
            fund_id,
            nav_usd,
            max_gross_exposure_pct: one(),
            max_net_exposure_pct: one(),
            max_position_pct: five_percent(),
            max_position_usd: None,
            max_sector_pct: thirty_percent(),
            max_asset_class_pct: one(),
            max_country_pct: one(),
            daily_loss_halt_pct: three_percent(),
            weekly_loss_halt_pct: eight_percent(),
            monthly_loss_halt_pct: fifteen_percent(),
            max_order_notional_usd: hundred_thousand(),
            max_order_qty: None,
            allowed_brokers: Vec::new(),
            allowed_order_types: market_and_limit(),
            allowed_asset_classes: equities(),
            enable_shorting: false,
            max_short_fee_bps: two_hundred(),
            require_borrow_locate: false,
            enable_synthetic_stop: yes(),
            synthetic_stop_pct: ten_percent(),
            cro_veto_enabled: false,
            cro_veto_confidence_threshold: veto_confidence(),
            cro_veto_timeout_s: veto_timeout(),
            version: first(),
            created_at,
            notes: SmolStr::default(),
        }
    }

    /// Checks every documented range; NaN is out of each.
    ///
    /// # Errors
    /// [`EnvelopeFaults`] with all faults at once.
    pub fn validate(&self) -> Result<(), EnvelopeFaults> {
        let share = "above 0 and at most 1";
        let shares = [
            ("max_position_pct", self.max_position_pct),
            ("max_sector_pct", self.max_sector_pct),
            ("max_asset_class_pct", self.max_asset_class_pct),
            ("max_country_pct", self.max_country_pct),
            ("daily_loss_halt_pct", self.daily_loss_halt_pct),
            ("weekly_loss_halt_pct", self.weekly_loss_halt_pct),
            ("monthly_loss_halt_pct", self.monthly_loss_halt_pct),
            ("synthetic_stop_pct", self.synthetic_stop_pct),
        ];
        let others = [
            ("max_gross_exposure_pct", self.max_gross_exposure_pct, 0.0, 5.0, "0 to 5"),
            ("max_net_exposure_pct", self.max_net_exposure_pct, -5.0, 5.0, "-5 to 5"),
            ("max_short_fee_bps", self.max_short_fee_bps, 0.0, f64::MAX, "zero or more"),
            ("cro_veto_confidence_threshold", self.cro_veto_confidence_threshold, 0.0, 1.0, "0 to 1"),
            ("cro_veto_timeout_s", self.cro_veto_timeout_s, 0.001, 600.0, "0.001 to 600 seconds"),
        ];
        let money = [
            ("nav_usd", Some(self.nav_usd)),
            ("max_order_notional_usd", Some(self.max_order_notional_usd)),
            ("max_position_usd", self.max_position_usd),
            ("max_order_qty", self.max_order_qty),
        ];
        let mut faults = Vec::new();
        for (field, value) in shares {
            if !(value > 0.0 && value <= 1.0) {
                faults.push(EnvelopeFault { field, value: value.to_string(), range: share });
            }
        }
        for (field, value, low, high, range) in others {
            if !(value >= low && value <= high) {
                faults.push(EnvelopeFault { field, value: value.to_string(), range });
            }
        }
        for (field, value) in money {
            if let Some(value) = value
                && value <= Decimal::ZERO
            {
                faults.push(EnvelopeFault { field, value: value.to_string(), range: "greater than zero" });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(EnvelopeFaults(faults)) }
    }
}

/// The ranges of [`RiskEnvelope::validate`], for the schema.
#[cfg(feature = "schema")]
fn ranges(schema: &mut schemars::Schema) {
    use crate::schema::bound;
    for share in [
        "max_position_pct",
        "max_sector_pct",
        "max_asset_class_pct",
        "max_country_pct",
        "daily_loss_halt_pct",
        "weekly_loss_halt_pct",
        "monthly_loss_halt_pct",
        "synthetic_stop_pct",
    ] {
        bound(schema, share, "exclusiveMinimum", 0);
        bound(schema, share, "maximum", 1);
    }
    for (field, low, high) in [
        ("max_gross_exposure_pct", 0.0, 5.0),
        ("max_net_exposure_pct", -5.0, 5.0),
        ("cro_veto_confidence_threshold", 0.0, 1.0),
        ("cro_veto_timeout_s", 0.001, 600.0),
    ] {
        bound(schema, field, "minimum", low);
        bound(schema, field, "maximum", high);
    }
    bound(schema, "max_short_fee_bps", "minimum", 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> RiskEnvelope {
        let json =
            r#"{"envelope_id":"e","fund_id":"f","nav_usd":"1000000","created_at":"2026-01-01T00:00:00Z"}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_documented_defaults() {
        let envelope = envelope();
        assert_eq!(envelope.max_order_notional_usd, Decimal::from(100_000));
        assert!(envelope.allowed_brokers.is_empty() && !envelope.enable_shorting && envelope.version == 1);
        assert!(envelope.validate().is_ok());
        let made = RiskEnvelope::with_defaults(
            envelope.envelope_id.clone(),
            envelope.fund_id.clone(),
            envelope.nav_usd,
            envelope.created_at,
        );
        assert_eq!(made, envelope);
    }

    #[test]
    fn every_limit_out_of_range_is_named() {
        let mut envelope = envelope();
        envelope.max_position_pct = 0.0;
        envelope.max_net_exposure_pct = f64::NAN;
        envelope.daily_loss_halt_pct = 1.5;
        envelope.max_order_qty = Some(Decimal::ZERO);
        let faults = envelope.validate().unwrap_err();
        let fields: Vec<_> = faults.0.iter().map(|fault| fault.field).collect();
        assert_eq!(
            fields,
            ["max_position_pct", "daily_loss_halt_pct", "max_net_exposure_pct", "max_order_qty"],
            "{faults}"
        );
    }
}
