//! Limits beyond the documented envelope; absent = off (decision R15).

use crate::ids::ActorId;
use crate::num::{Decimal, exact_option};
use crate::order::wire_enum;
use crate::symbol::Symbol;
use serde::{Deserialize, Serialize};

/// How old a reference price may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Staleness {
    /// Milliseconds of event time.
    Millis(u64),
    /// Bars of the run's interval: 1 = the price of the last bar is fresh, that of the one before is not.
    Bars(u64),
}

wire_enum! {
    /// What a loss limit does when it trips (decision R14).
    LossResponse {
        /// Requests a halt of the fund; the limit trips when the loss equals or passes it.
        HaltFund = "halt_fund",
        /// Activates the kill switch; the limit trips when the loss passes it.
        KillSwitch = "kill_switch",
    }
}

/// A token bucket: `burst` orders at once, refilled at `per_minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RateBucket {
    /// Orders per minute in the long run.
    pub per_minute: u32,
    /// Orders at once.
    pub burst: u32,
}

/// Limits of the pipeline that the envelope does not have. Every one is off when absent; percentages are fractions of
/// the fund's current net asset value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", schemars(transform = ranges))]
pub struct GateLimits {
    /// Value of one order, as a share of net asset value.
    pub max_order_notional_pct: Option<f64>,
    /// Value of one order, in money.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_order_value: Option<Decimal>,
    /// Units of one order.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_order_quantity: Option<Decimal>,
    /// Units of the resulting position.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_position_quantity: Option<Decimal>,
    /// Value of the resulting position, in money.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_position_value: Option<Decimal>,
    /// Gross exposure, in money.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_total_exposure: Option<Decimal>,
    /// Number of positions.
    pub max_positions: Option<u32>,
    /// Open orders of the fund.
    pub max_open_orders: Option<u32>,
    /// Distance of limit and stop prices from the reference, as a share of it.
    pub price_collar_pct: Option<f64>,
    /// Age of the reference price.
    pub staleness: Option<Staleness>,
    /// Milliseconds in which identical content is a duplicate.
    pub dedup_window_ms: Option<u64>,
    /// Accepted orders in a sliding minute.
    pub max_orders_per_minute: Option<u32>,
    /// Token bucket per strategy.
    pub strategy_rate: Option<RateBucket>,
    /// Token bucket per symbol.
    pub symbol_rate: Option<RateBucket>,
    /// Token bucket per fund.
    pub fund_rate: Option<RateBucket>,
    /// Token bucket per broker.
    pub broker_rate: Option<RateBucket>,
    /// Fills of one strategy, side and symbol within `repeated_execution_window_ms` that need a person.
    pub max_repeated_executions: Option<u32>,
    /// Window of `max_repeated_executions`.
    pub repeated_execution_window_ms: Option<u64>,
    /// Whether cash must cover what working and new buys take.
    pub buying_power: bool,
    /// Fall from the high-water mark that halts the fund.
    pub max_drawdown_pct: Option<f64>,
    /// Loss since the day began that halts the fund, in money.
    #[serde(with = "exact_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::PositiveDecimal>"))]
    pub max_daily_loss: Option<Decimal>,
    /// What a loss limit does when it trips; absent = it halts the fund.
    pub loss_response: Option<LossResponse>,
    /// Actors that may send orders; empty = any. Closing a position is open to everybody.
    pub allowed_actors: Vec<ActorId>,
    /// Assets that may be traded; empty = any.
    pub allowed_assets: Vec<Symbol>,
    /// Assets that may not be traded; beats `allowed_assets`.
    pub blocked_assets: Vec<Symbol>,
}

impl GateLimits {
    /// Checks that every number that is present is positive (a share: above 0; NaN never).
    ///
    /// # Errors
    /// One sentence per fault, each naming field, value and range.
    pub fn validate(&self) -> Result<(), Vec<String>> {
        let shares = [
            ("max_order_notional_pct", self.max_order_notional_pct, f64::MAX),
            ("price_collar_pct", self.price_collar_pct, f64::MAX),
            ("max_drawdown_pct", self.max_drawdown_pct, 1.0),
        ];
        let money = [
            ("max_order_value", self.max_order_value),
            ("max_order_quantity", self.max_order_quantity),
            ("max_position_quantity", self.max_position_quantity),
            ("max_position_value", self.max_position_value),
            ("max_total_exposure", self.max_total_exposure),
            ("max_daily_loss", self.max_daily_loss),
        ];
        let counts = [
            ("max_positions", self.max_positions),
            ("max_open_orders", self.max_open_orders),
            ("max_orders_per_minute", self.max_orders_per_minute),
            ("max_repeated_executions", self.max_repeated_executions),
        ];
        let mut faults = Vec::new();
        for (field, value, high) in shares {
            if let Some(value) = value
                && !(value > 0.0 && value <= high)
            {
                faults.push(format!(
                    "{field} is {value}; it must be above 0, or absent to switch the limit off"
                ));
            }
        }
        for (field, value) in money {
            if let Some(value) = value
                && value <= Decimal::ZERO
            {
                faults.push(format!(
                    "{field} is {value}; it must be above 0, or absent to switch the limit off"
                ));
            }
        }
        for (field, value) in counts {
            if value == Some(0) {
                faults
                    .push(format!("{field} is 0; it must be at least 1, or absent to switch the limit off"));
            }
        }
        if self.max_repeated_executions.is_some() != self.repeated_execution_window_ms.is_some() {
            faults.push(
                "max_repeated_executions and repeated_execution_window_ms go together; give both".to_owned(),
            );
        }
        if let Some(both) = self.blocked_assets.iter().find(|asset| self.allowed_assets.contains(asset)) {
            faults.push(format!("{both} is in allowed_assets and in blocked_assets; remove it from one"));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// What [`GateLimits::validate`] checks, for the schema.
#[cfg(feature = "schema")]
fn ranges(schema: &mut schemars::Schema) {
    use crate::schema::bound;
    for share in ["max_order_notional_pct", "price_collar_pct", "max_drawdown_pct"] {
        bound(schema, share, "exclusiveMinimum", 0);
    }
    bound(schema, "max_drawdown_pct", "maximum", 1);
    for count in ["max_positions", "max_open_orders", "max_orders_per_minute", "max_repeated_executions"] {
        bound(schema, count, "minimum", 1);
    }
    // Both or neither; null is neither.
    let (count, window) = ("max_repeated_executions", "repeated_execution_window_ms");
    let given = |field: &str| serde_json::json!({ "required": [field], "properties": { field: { "type": "integer" } } });
    schema.insert(
        "allOf".to_owned(),
        serde_json::json!([
            { "if": given(count), "then": given(window) },
            { "if": given(window), "then": given(count) },
        ]),
    );
}
