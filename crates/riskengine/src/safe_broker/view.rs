//! The risk state, for people and for programs.

use super::SafeBroker;
use mts_foundation::num::exact;
use mts_foundation::risk::HaltScope;
use mts_foundation::{Decimal, RiskMachine, Timestamp};
use serde::{Deserialize, Serialize};

/// A halt in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaltView {
    /// What is halted.
    pub scope: HaltScope,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The documented six fields of the risk state, and the halts. Everything of it survives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskState {
    /// The trading day, `YYYY-MM-DD`; empty before the first order or tick.
    pub date: String,
    /// Loss since the trading day began; zero when there is a gain.
    #[serde(with = "exact")]
    pub daily_loss: Decimal,
    /// Orders that the venue took on this trading day.
    pub orders_placed: u64,
    /// Highest value of the account, moved by capital flows.
    #[serde(with = "exact")]
    pub high_water_mark: Decimal,
    /// Whether the kill switch is on.
    pub kill_switch_activated: bool,
    /// Why; empty when it is off.
    pub kill_switch_reason: String,
    /// Halts in force.
    pub halts: Vec<HaltView>,
}

impl SafeBroker {
    /// The risk state as of the last reading of the account.
    #[must_use]
    pub fn risk_state(&self) -> RiskState {
        let books = self.books();
        let baselines = books.machine.baselines(&books.fund_id);
        let nav = books.ledger.fund(&books.fund_id).map(mts_foundation::FundBook::nav);
        let loss = baselines.zip(nav).map_or(Decimal::ZERO, |(base, nav)| base.day - nav);
        let halts = books.machine.halts().into_iter();
        RiskState {
            date: books.day.map(|day| day.to_string()).unwrap_or_default(),
            daily_loss: loss.max(Decimal::ZERO),
            orders_placed: books.kept.orders_placed,
            high_water_mark: baselines.map_or(Decimal::ZERO, |base| base.high_water),
            kill_switch_activated: books.machine.killed().is_some(),
            kill_switch_reason: books.machine.killed().unwrap_or_default().to_owned(),
            halts: halts
                .map(|halt| HaltView { scope: halt.scope, reason: halt.reason, since: halt.timestamp })
                .collect(),
        }
    }
}
