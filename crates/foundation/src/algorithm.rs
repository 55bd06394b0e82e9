//! Execution algorithms as a strategy asks for them: a parent order that never leaves, and how its children are made.
//!
//! Names, parameters and defaults are the documented ones. What the documents leave open (what is left at the end, the
//! impact's units, the participation cap of the schedules) is decided in docs/orders.md.

use crate::contingent::RequestFaults;
use crate::num::{Decimal, exact, exact_option};
use crate::order::{OrderType, wire_enum};
use crate::strategy::OrderRequest;
use serde::{Deserialize, Serialize};

/// Longest horizon: a day.
pub const MAX_HORIZON_MINUTES: u32 = 1_440;

/// Most slices of one order: one a minute of the longest horizon.
pub const MAX_SLICES: u32 = 1_440;

wire_enum! {
    /// How children are priced.
    ChildType {
        /// A limit order at the middle of the quote, or at the last price where there is no quote.
        Limit = "limit",
        /// A limit order at the touch, or at the last price where there is no quote.
        MarketableLimit = "marketable_limit",
        /// A market order.
        Market = "market",
    }
}

wire_enum! {
    /// What becomes of what is left when the horizon ends.
    AtEnd {
        /// It is cancelled, and an incident says how much it is.
        Cancel = "cancel",
        /// It leaves as one market order; where the market is closed, at the next open.
        Send = "send",
    }
}

wire_enum! {
    /// How volume is expected to spread over the session.
    VolumeProfile {
        /// A U over the regular session: the first and the last minute have three times the volume of the middle.
        IntradayEstimated = "intraday_estimated",
        /// The same in every minute.
        Uniform = "uniform",
    }
}

/// Equal slices at fixed intervals, moved a little at random.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Twap {
    /// Length in minutes.
    pub horizon_minutes: u32,
    /// How many slices.
    pub n_slices: u32,
    /// How far a slice may lie from its place, as a share of the interval; at most 0.5, so that slices keep their order.
    pub jitter_pct: f64,
    /// How children are priced.
    pub child_order_type: ChildType,
}

impl Default for Twap {
    fn default() -> Self {
        Self { horizon_minutes: 30, n_slices: 30, jitter_pct: 0.2, child_order_type: ChildType::Limit }
    }
}

/// A slice a minute, as large as the volume that is expected in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Vwap {
    /// Length in minutes.
    pub horizon_minutes: u32,
    /// How volume is expected to spread.
    pub volume_profile: VolumeProfile,
    /// Largest share of the traded volume that may be sent.
    pub max_participation: f64,
    /// How children are priced.
    pub child_order_type: ChildType,
}

impl Default for Vwap {
    fn default() -> Self {
        Self {
            horizon_minutes: 30,
            volume_profile: VolumeProfile::IntradayEstimated,
            max_participation: 0.10,
            child_order_type: ChildType::Limit,
        }
    }
}

/// A share of the volume as it is traded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Pov {
    /// Share of the traded volume.
    pub target_participation: f64,
    /// Length in minutes.
    pub max_horizon_minutes: u32,
    /// Volume older than this is not made up for.
    pub volume_lookback_minutes: u32,
    /// How children are priced.
    pub child_order_type: ChildType,
}

impl Default for Pov {
    fn default() -> Self {
        Self {
            target_participation: 0.15,
            max_horizon_minutes: 120,
            volume_lookback_minutes: 5,
            child_order_type: ChildType::MarketableLimit,
        }
    }
}

/// A peak that is shown and filled up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Iceberg {
    /// Units shown.
    #[serde(with = "exact", default = "hundred")]
    pub display_qty: Decimal,
    /// The peak is filled up when fewer units than this are left of it.
    #[serde(with = "exact", default = "fifty")]
    pub refill_threshold: Decimal,
    /// Limit price of every child.
    #[serde(with = "exact")]
    pub limit_price: Decimal,
}

fn hundred() -> Decimal {
    Decimal::ONE_HUNDRED
}

fn fifty() -> Decimal {
    Decimal::from(50)
}

/// The optimal trajectory of Almgren and Chriss, Optimal Execution of Portfolio Transactions, Journal of Risk 3 (2000),
/// in slices of a minute. Quantities are shares of the parent, costs shares of its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AlmgrenChriss {
    /// Length in minutes.
    pub horizon_minutes: u32,
    /// Weight of the variance of the cost against its mean (λ); 0 gives equal slices.
    pub risk_aversion: f64,
    /// Annualised volatility of the price (σ), as a fraction.
    pub volatility: f64,
    /// Lasting move of the price by the whole parent, in basis points (γ).
    pub permanent_impact: f64,
    /// Passing move of the price by the whole parent traded in one minute, in basis points (η).
    pub temporary_impact: f64,
    /// How children are priced.
    pub child_order_type: ChildType,
}

impl Default for AlmgrenChriss {
    fn default() -> Self {
        Self {
            horizon_minutes: 30,
            risk_aversion: 1.0,
            volatility: 0.18,
            permanent_impact: 0.1,
            temporary_impact: 5.0,
            child_order_type: ChildType::MarketableLimit,
        }
    }
}

/// The trajectory of Almgren and Chriss against the price at arrival: the further the price runs away, the faster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ImplementationShortfall {
    /// The price that execution is measured against; absent = the last price when the order begins.
    #[serde(with = "exact_option")]
    pub arrival_price: Option<Decimal>,
    /// Weight of the variance of the cost against its mean, while the price stands at arrival.
    pub risk_aversion: f64,
    /// Length in minutes.
    pub max_horizon_minutes: u32,
    /// Annualised volatility of the price, as a fraction.
    pub volatility: f64,
    /// Lasting move of the price by the whole parent, in basis points.
    pub permanent_impact: f64,
    /// Passing move of the price by the whole parent traded in one minute, in basis points.
    pub temporary_impact: f64,
    /// Largest share of the traded volume that may be sent.
    pub max_participation: f64,
    /// How children are priced.
    pub child_order_type: ChildType,
}

impl Default for ImplementationShortfall {
    fn default() -> Self {
        let AlmgrenChriss { volatility, permanent_impact, temporary_impact, child_order_type, .. } =
            AlmgrenChriss::default();
        Self {
            arrival_price: None,
            risk_aversion: 1.0,
            max_horizon_minutes: 120,
            volatility,
            permanent_impact,
            temporary_impact,
            max_participation: 0.10,
            child_order_type,
        }
    }
}

/// An execution algorithm with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Time-weighted average price.
    Twap(Twap),
    /// Volume-weighted average price.
    Vwap(Vwap),
    /// Percentage of volume.
    Pov(Pov),
    /// Iceberg.
    Iceberg(Iceberg),
    /// Almgren and Chriss.
    AlmgrenChriss(AlmgrenChriss),
    /// Implementation shortfall; `is_` in the documents.
    ImplementationShortfall(ImplementationShortfall),
}

impl Algorithm {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Twap(_) => "twap",
            Self::Vwap(_) => "vwap",
            Self::Pov(_) => "pov",
            Self::Iceberg(_) => "iceberg",
            Self::AlmgrenChriss(_) => "almgren_chriss",
            Self::ImplementationShortfall(_) => "implementation_shortfall",
        }
    }
}

/// An order that an execution algorithm works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlgorithmRequest {
    /// What is wanted in all: a market order, or a limit order whose price bounds every child's.
    pub parent: OrderRequest,
    /// How.
    pub algorithm: Algorithm,
    /// What becomes of what is left when the horizon, or the session, ends; `cancel` unless given.
    #[serde(default = "cancel")]
    pub at_end: AtEnd,
}

fn cancel() -> AtEnd {
    AtEnd::Cancel
}

impl AlgorithmRequest {
    /// A request that cancels what is left at the end.
    #[must_use]
    pub fn new(parent: OrderRequest, algorithm: Algorithm) -> Self {
        Self { parent, algorithm, at_end: AtEnd::Cancel }
    }

    /// Checks everything that can be checked without a market.
    ///
    /// # Errors
    /// [`RequestFaults`] with all faults.
    pub fn validate(&self) -> Result<(), RequestFaults> {
        let mut faults = RequestFaults::none();
        faults.add_order("parent", &self.parent);
        if !matches!(self.parent.order_type, OrderType::Market | OrderType::Limit) {
            let message =
                format!("{} cannot be worked in parts; give market or limit", self.parent.order_type);
            faults.add("parent.order_type", message);
        }
        let mut check = Check { path: format!("algorithm.{}", self.algorithm.name()), faults: &mut faults };
        match &self.algorithm {
            Algorithm::Twap(twap) => {
                check.minutes("horizon_minutes", twap.horizon_minutes);
                check.within("n_slices", f64::from(twap.n_slices), 1.0, f64::from(MAX_SLICES));
                check.within("jitter_pct", twap.jitter_pct, 0.0, 0.5);
            }
            Algorithm::Vwap(vwap) => {
                check.minutes("horizon_minutes", vwap.horizon_minutes);
                check.share("max_participation", vwap.max_participation);
            }
            Algorithm::Pov(pov) => {
                check.minutes("max_horizon_minutes", pov.max_horizon_minutes);
                check.minutes("volume_lookback_minutes", pov.volume_lookback_minutes);
                check.share("target_participation", pov.target_participation);
            }
            Algorithm::Iceberg(iceberg) => iceberg.check(&self.parent, &mut check),
            Algorithm::AlmgrenChriss(chriss) => {
                check.minutes("horizon_minutes", chriss.horizon_minutes);
                check.trajectory(
                    chriss.risk_aversion,
                    chriss.volatility,
                    (chriss.permanent_impact, chriss.temporary_impact),
                );
            }
            Algorithm::ImplementationShortfall(shortfall) => {
                check.minutes("max_horizon_minutes", shortfall.max_horizon_minutes);
                check.trajectory(
                    shortfall.risk_aversion,
                    shortfall.volatility,
                    (shortfall.permanent_impact, shortfall.temporary_impact),
                );
                check.share("max_participation", shortfall.max_participation);
                if let Some(price) = shortfall.arrival_price {
                    check.positive("arrival_price", price);
                }
            }
        }
        faults.result()
    }
}

impl Iceberg {
    fn check(&self, parent: &OrderRequest, check: &mut Check<'_>) {
        check.positive("display_qty", self.display_qty);
        check.positive("refill_threshold", self.refill_threshold);
        check.positive("limit_price", self.limit_price);
        if self.refill_threshold > self.display_qty {
            let message = format!(
                "{} is more than display_qty {}, so the peak would always be filled up; give less",
                self.refill_threshold, self.display_qty
            );
            check.fault("refill_threshold", message);
        }
        if parent.limit_price.is_some_and(|price| price != self.limit_price) {
            let message =
                format!("{} is not the parent's limit_price; give the same or none", self.limit_price);
            check.fault("limit_price", message);
        }
    }
}

/// Checks the parameters of one algorithm.
struct Check<'a> {
    path: String,
    faults: &'a mut RequestFaults,
}

impl Check<'_> {
    fn fault(&mut self, field: &str, message: String) {
        self.faults.add(format!("{}.{field}", self.path), message);
    }

    fn within(&mut self, field: &str, value: f64, low: f64, high: f64) {
        if !(low..=high).contains(&value) {
            self.fault(field, format!("{value} is not within {low} to {high}"));
        }
    }

    fn minutes(&mut self, field: &str, value: u32) {
        self.within(field, f64::from(value), 1.0, f64::from(MAX_HORIZON_MINUTES));
    }

    fn share(&mut self, field: &str, value: f64) {
        if !(value > 0.0 && value <= 1.0) {
            self.fault(field, format!("{value} is not a share above 0 and up to 1"));
        }
    }

    fn positive(&mut self, field: &str, value: Decimal) {
        if value <= Decimal::ZERO {
            self.fault(field, format!("{value} is not greater than zero"));
        }
    }

    fn trajectory(&mut self, risk_aversion: f64, volatility: f64, (permanent, temporary): (f64, f64)) {
        self.within("risk_aversion", risk_aversion, 0.0, 1e6);
        self.within("volatility", volatility, 0.0, 100.0);
        self.within("permanent_impact", permanent, 0.0, 1e6);
        self.within("temporary_impact", temporary, 0.0, 1e6);
        // The paper's η − γτ/2 with τ of one minute: without it trading faster would cost less.
        if temporary <= permanent / 2.0 {
            let message =
                format!("{temporary} is not more than half of permanent_impact {permanent}; give more");
            self.fault("temporary_impact", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Side;
    use crate::symbol::Symbol;

    fn fields(algorithm: Algorithm) -> Vec<String> {
        let parent = OrderRequest::market(Symbol::new("AAPL").unwrap(), Side::Buy, Decimal::from(1_000));
        let result = AlgorithmRequest::new(parent, algorithm).validate();
        result.err().map(|faults| faults.0.into_iter().map(|fault| fault.field).collect()).unwrap_or_default()
    }

    #[test]
    fn the_documented_defaults() {
        let read = |text: &str| serde_json::from_str::<Algorithm>(text).unwrap();
        let twap =
            Twap { horizon_minutes: 30, n_slices: 30, jitter_pct: 0.2, child_order_type: ChildType::Limit };
        assert_eq!(read(r#"{"twap":{}}"#), Algorithm::Twap(twap));
        let Algorithm::Vwap(vwap) = read(r#"{"vwap":{}}"#) else { panic!("not a vwap") };
        assert_eq!((vwap.horizon_minutes, vwap.max_participation), (30, 0.10));
        assert_eq!(vwap.volume_profile.as_str(), "intraday_estimated");
        let Algorithm::Pov(pov) = read(r#"{"pov":{}}"#) else { panic!("not a pov") };
        assert_eq!(
            (pov.target_participation, pov.max_horizon_minutes, pov.volume_lookback_minutes),
            (0.15, 120, 5)
        );
        let Algorithm::Iceberg(iceberg) = read(r#"{"iceberg":{"limit_price":"10"}}"#) else {
            panic!("no iceberg")
        };
        assert_eq!((iceberg.display_qty, iceberg.refill_threshold), (hundred(), fifty()));
        let Algorithm::AlmgrenChriss(chriss) = read(r#"{"almgren_chriss":{}}"#) else { panic!("other") };
        assert_eq!((chriss.risk_aversion, chriss.volatility), (1.0, 0.18));
        assert_eq!((chriss.permanent_impact, chriss.temporary_impact), (0.1, 5.0));
        for text in [r#"{"twap":{}}"#, r#"{"vwap":{}}"#, r#"{"pov":{}}"#, r#"{"almgren_chriss":{}}"#] {
            assert_eq!(fields(read(text)), Vec::<String>::new());
        }
    }

    #[test]
    fn parameters_out_of_range_are_all_named() {
        let twap = Twap { horizon_minutes: 0, n_slices: 0, jitter_pct: f64::NAN, ..Twap::default() };
        assert_eq!(
            fields(Algorithm::Twap(twap)),
            ["algorithm.twap.horizon_minutes", "algorithm.twap.n_slices", "algorithm.twap.jitter_pct"]
        );
        let vwap = Vwap { max_participation: 1.1, ..Vwap::default() };
        assert_eq!(fields(Algorithm::Vwap(vwap)), ["algorithm.vwap.max_participation"]);
        let pov = Pov { target_participation: 0.0, volume_lookback_minutes: 0, ..Pov::default() };
        assert_eq!(fields(Algorithm::Pov(pov)).len(), 2);
        let iceberg =
            Iceberg { display_qty: Decimal::ONE, refill_threshold: Decimal::TWO, limit_price: Decimal::ZERO };
        assert_eq!(
            fields(Algorithm::Iceberg(iceberg)),
            ["algorithm.iceberg.limit_price", "algorithm.iceberg.refill_threshold"]
        );
        let chriss = AlmgrenChriss { permanent_impact: 20.0, ..AlmgrenChriss::default() };
        assert_eq!(fields(Algorithm::AlmgrenChriss(chriss)), ["algorithm.almgren_chriss.temporary_impact"]);
        let shortfall = ImplementationShortfall {
            arrival_price: Some(Decimal::ZERO),
            risk_aversion: -1.0,
            ..ImplementationShortfall::default()
        };
        assert_eq!(fields(Algorithm::ImplementationShortfall(shortfall)).len(), 2);
    }

    #[test]
    fn a_parent_waits_for_nothing() {
        let mut parent = OrderRequest::market(Symbol::new("AAPL").unwrap(), Side::Buy, Decimal::ONE);
        parent.order_type = OrderType::Stop;
        parent.stop_price = Some(Decimal::ONE);
        let faults = AlgorithmRequest::new(parent, Algorithm::Twap(Twap::default())).validate().unwrap_err();
        assert!(faults.to_string().contains("parent.order_type: stop cannot be worked"), "{faults}");
    }
}
