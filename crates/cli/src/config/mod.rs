//! The configuration of a run: one TOML file with clear sections.

mod alerts;
mod broker;
mod journal;
mod keys;
mod live;
mod load;
mod log;
mod schema;

pub use crate::log::{LogFormat, LogLevel};
pub use alerts::{AlertsSection, HookSection};
pub use broker::{BrokerSection, FeesSection, ShortingSection, TierSection, Units};
use chrono::NaiveDate;
pub use journal::{JournalSection, Kept};
pub use keys::{KEYS, Key, markdown};
pub use live::{Environment, LiveMode, LiveSection, MetricsSection};
pub(crate) use load::nearest;
pub use load::{Loaded, load, parse};
pub use log::LogSection;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::registry::Parameters;
use mts_foundation::schema::PositiveDecimal;
use mts_foundation::{
    ActorId, AssetClass, Currency, Decimal, FundId, GateLimits, Interval, RiskEnvelope, StrategyId,
    TaxLotMethod,
};
pub use schema::schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything a run is made of. Serialised as JSON it is the configuration that a journal belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunConfig {
    /// What runs and when.
    pub run: RunSection,
    /// Whose money.
    pub fund: FundSection,
    /// The documented limits, with ids filled in.
    pub envelope: RiskEnvelope,
    /// Further limits.
    pub gates: GateLimits,
    /// Who may resume.
    pub operator: OperatorSection,
    /// The instruments.
    pub instruments: InstrumentsSection,
    /// The prices.
    pub data: DataSection,
    /// The strategy.
    pub strategy: StrategySection,
    /// From signals to weights; `None` for strategies that size themselves.
    pub sizer: Option<SizerSection>,
    /// The broker.
    pub broker: BrokerSection,
    /// In real time; `None` is a back-test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveSection>,
}

/// Section `[run]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSection {
    /// Name for reports.
    pub name: String,
    /// First session that trades; earlier data warms the strategy up.
    pub start: NaiveDate,
    /// Last session that trades.
    pub end: NaiveDate,
    /// Exchange calendar.
    #[serde(default = "xnys")]
    pub calendar: String,
}

/// Section `[fund]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FundSection {
    /// Id.
    pub fund_id: FundId,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// Currency of the books.
    #[serde(default = "usd")]
    pub base_currency: Currency,
    /// Cash at the start, above zero.
    #[serde(with = "exact")]
    #[schemars(with = "PositiveDecimal")]
    pub initial_cash: Decimal,
    /// Whether it trades.
    #[serde(default = "yes")]
    pub active: bool,
    /// Asset classes it may hold; empty = any.
    #[serde(default)]
    pub asset_classes: Vec<AssetClass>,
    /// Strategies that may trade for it; empty = any.
    #[serde(default)]
    pub strategies: Vec<StrategyId>,
    /// Which lots a closing trade consumes.
    #[serde(default = "fifo", skip_serializing_if = "is_fifo")]
    pub tax_lot_method: TaxLotMethod,
}

/// Section `[operator]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorSection {
    /// Names that may resume.
    #[serde(default)]
    pub operators: Vec<ActorId>,
    /// One operator suffices, after a delay.
    #[serde(default)]
    pub single_operator: bool,
    /// Seconds after a halt before which one operator alone cannot end it.
    #[serde(default = "five_minutes")]
    pub single_operator_delay_s: u64,
    /// What the operator script of a back-test does with halts.
    #[serde(default)]
    pub resume: Resume,
}

impl Default for OperatorSection {
    fn default() -> Self {
        Self {
            operators: Vec::new(),
            single_operator: false,
            single_operator_delay_s: five_minutes(),
            resume: Resume::default(),
        }
    }
}

/// What the operator script of a back-test does with halts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// Nothing: a halt stays to the end.
    #[default]
    Never,
    /// Lifts a halt in the next session, after the orders of its open have met it.
    NextSession,
}

/// Section `[instruments]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstrumentsSection {
    /// CSV file, relative to the configuration.
    pub path: PathBuf,
}

/// Section `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataSection {
    /// Kind of feed.
    #[serde(default = "closes")]
    pub kind: String,
    /// File, relative to the configuration; empty for a feed that reads none.
    #[serde(default)]
    pub path: PathBuf,
    /// Length of the bars that are made of what the feed gives; without it strategies hear what it gives.
    #[serde(default)]
    pub bars: Option<Interval>,
    /// Which prices become such bars.
    #[serde(default)]
    pub bars_of: BarsOf,
    /// Parameters of the feed.
    #[serde(default)]
    pub params: Parameters,
}

/// Which prices become bars, beside smaller bars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BarsOf {
    /// Prints.
    #[default]
    Trades,
    /// The middle of quotes.
    Mids,
}

/// When a strategy decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rebalance {
    /// At the close of the last session of each month.
    #[default]
    MonthEnd,
    /// At the close of the last session of each week.
    WeekEnd,
    /// At every close.
    Daily,
}

/// Section `[strategy]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategySection {
    /// Id; part of every order and key.
    pub strategy_id: StrategyId,
    /// `factor`, `targets`, or the name of a strategy of one's own.
    pub kind: String,
    /// Factor, for kind `factor`.
    #[serde(default)]
    pub factor: Option<String>,
    /// When it decides, for kind `factor`.
    #[serde(default)]
    pub rebalance: Rebalance,
    /// File of targets, for kind `targets`, relative to the configuration.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Parameters of the factor, or of a strategy of one's own.
    #[serde(default)]
    pub params: Parameters,
}

/// Section `[sizer]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizerSection {
    /// Which sizer; absent for strategies that size themselves.
    #[serde(default)]
    pub name: Option<String>,
    /// Share of net asset value kept in cash.
    #[serde(with = "exact", default)]
    pub cash_buffer: Decimal,
    /// Smallest value of an order of a rebalance that does not close a position.
    #[serde(with = "exact", default, skip_serializing_if = "Decimal::is_zero")]
    pub minimum_trade: Decimal,
    /// Largest Σ |change of weight| of a rebalance, for strategies that use the sizer.
    #[serde(with = "exact_option", default, skip_serializing_if = "Option::is_none")]
    pub turnover_cap: Option<Decimal>,
    /// Parameters of the sizer.
    #[serde(default)]
    pub params: Parameters,
}

fn xnys() -> String {
    "XNYS".to_owned()
}

fn closes() -> String {
    "closes".to_owned()
}

fn usd() -> Currency {
    Currency::USD
}

fn five_minutes() -> u64 {
    300
}

fn fifo() -> TaxLotMethod {
    TaxLotMethod::Fifo
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_fifo(method: &TaxLotMethod) -> bool {
    *method == TaxLotMethod::Fifo
}

fn yes() -> bool {
    true
}
