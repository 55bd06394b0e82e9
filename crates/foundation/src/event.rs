//! Events: what the core says happened, and the subjects they are published under (decision N2).

use crate::cash_flow::CashKind;
use crate::corporate_action::CorporateAction;
use crate::fill::Fill;
use crate::fund::NavSnapshot;
use crate::ids::{FillId, FundId, OrderId, StrategyId};
use crate::num::{Decimal, exact};
use crate::order_record::OrderRecord;
use crate::risk::{HaltRequest, OrderRejection, Rebased, ResumeRequest, RiskEnvelope};
use crate::signal::TargetSet;
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An order passed its gates and is about to leave, is waiting for an asynchronous one, or was refused by one (its state
    /// says which).
    OrderCreated(OrderRecord),
    /// The venue has it.
    OrderAccepted(OrderRecord),
    /// A gate or the venue refused it.
    OrderRejected(OrderRecord),
    /// Its cancellation is confirmed.
    OrderCanceled(OrderRecord),
    /// Its time in force ended.
    OrderExpired(OrderRecord),
    /// Its fate is not known.
    OrderUnknown(OrderRecord),
    /// A fill was booked.
    FillCreated {
        /// Whose.
        fund_id: FundId,
        /// The fill.
        fill: Fill,
        /// Signed units before.
        #[serde(with = "exact")]
        position_before: Decimal,
        /// Signed units after.
        #[serde(with = "exact")]
        position_after: Decimal,
        /// Profit realised, before fees.
        #[serde(with = "exact")]
        realized: Decimal,
        /// Cash after.
        #[serde(with = "exact")]
        cash: Decimal,
        /// Net asset value after.
        #[serde(with = "exact")]
        nav: Decimal,
        /// In whose strategy it counts; `None` where it closes what the fund holds, whoever made it, and where it belongs to no
        /// order, as what is adopted from an account.
        #[serde(default)]
        strategy_id: Option<StrategyId>,
    },
    /// Cash moved outside of fills.
    CashMoved(CashMoved),
    /// An issuer's action took effect on a position.
    CorporateActionApplied {
        /// Whose.
        fund_id: FundId,
        /// The action.
        action: CorporateAction,
        /// Signed units before.
        #[serde(with = "exact")]
        position_before: Decimal,
        /// Signed units after.
        #[serde(with = "exact")]
        position_after: Decimal,
        /// Cash after.
        #[serde(with = "exact")]
        cash: Decimal,
        /// When.
        time: Timestamp,
    },
    /// A gate refused an order.
    GateFailed(OrderRejection),
    /// A strategy's target weights were taken.
    TargetsAccepted(TargetSet),
    /// A halt is in force.
    HaltRequested(HaltRequest),
    /// A halt ended, or the kill switch is off.
    HaltResumed {
        /// Who asked and why.
        request: ResumeRequest,
        /// The loss limits that count anew.
        rebased: Vec<Rebased>,
    },
    /// The kill switch is on.
    Killed {
        /// Why.
        reason: String,
        /// When.
        time: Timestamp,
    },
    /// An envelope has a new version.
    EnvelopeUpdated(RiskEnvelope),
    /// A session ended.
    NavUpdated(NavSnapshot),
    /// Something that a person should look at.
    Incident {
        /// Stable code.
        code: SmolStr,
        /// What happened and what to do.
        message: String,
        /// Order it concerns.
        order_id: Option<OrderId>,
        /// Strategy it concerns.
        strategy_id: Option<StrategyId>,
        /// When.
        time: Timestamp,
    },
}

/// Name of the venue of a fill that no venue made: units that were taken over from an account. They came or went without cash
/// and without a trade.
pub const ADOPTED: &str = "adopted";

/// Cash that moved outside of fills, as it was booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CashMoved {
    /// Whose.
    pub fund_id: FundId,
    /// Why.
    pub kind: CashKind,
    /// Positive = money in, in the fund's currency.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Instrument, where it belongs to one.
    pub symbol: Option<Symbol>,
    /// The fill that it belongs to: fees that followed it, or its price put right.
    #[serde(default)]
    pub fill_id: Option<FillId>,
    /// In whose strategy it counts.
    #[serde(default)]
    pub strategy_id: Option<StrategyId>,
    /// What caused it, in words: the venue's movement, the fill, or who booked it by hand and why.
    pub cause: SmolStr,
    /// Cash after.
    #[serde(with = "exact")]
    pub cash: Decimal,
    /// When it was booked.
    pub time: Timestamp,
}

/// One row of the table of subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectRow {
    /// The subject; `{fund_id}` stands for the fund.
    pub subject: &'static str,
    /// Its one producer.
    pub producer: &'static str,
    /// Its payload.
    pub payload: &'static str,
}

/// All subjects: `mts.v1.<crate>.<noun>.<verb>[.fund.<fund_id>]`, verbs in the past tense, one producer each.
pub const SUBJECTS: &[SubjectRow] = &[
    SubjectRow { subject: "mts.v1.engine.orders.created", producer: "engine", payload: "OrderRecord" },
    SubjectRow { subject: "mts.v1.engine.orders.accepted", producer: "engine", payload: "OrderRecord" },
    SubjectRow { subject: "mts.v1.engine.orders.rejected", producer: "engine", payload: "OrderRecord" },
    SubjectRow { subject: "mts.v1.engine.orders.canceled", producer: "engine", payload: "OrderRecord" },
    SubjectRow { subject: "mts.v1.engine.orders.expired", producer: "engine", payload: "OrderRecord" },
    SubjectRow { subject: "mts.v1.engine.orders.lost", producer: "engine", payload: "OrderRecord" },
    SubjectRow { subject: "mts.v1.engine.fills.created", producer: "engine", payload: "Fill" },
    SubjectRow { subject: "mts.v1.engine.cash.moved", producer: "engine", payload: "CashMoved" },
    SubjectRow { subject: "mts.v1.engine.actions.applied", producer: "engine", payload: "CorporateAction" },
    SubjectRow { subject: "mts.v1.engine.targets.accepted", producer: "engine", payload: "TargetSet" },
    SubjectRow { subject: "mts.v1.engine.incidents.raised", producer: "engine", payload: "Incident" },
    SubjectRow { subject: "mts.v1.risk.gate.failed", producer: "riskengine", payload: "OrderRejection" },
    SubjectRow { subject: "mts.v1.risk.envelope.updated", producer: "riskengine", payload: "RiskEnvelope" },
    SubjectRow { subject: "mts.v1.risk.kill.activated", producer: "riskengine", payload: "reason" },
    SubjectRow {
        subject: "mts.v1.operations.halt.requested",
        producer: "riskengine",
        payload: "HaltRequest",
    },
    SubjectRow {
        subject: "mts.v1.operations.halt.resumed",
        producer: "riskengine",
        payload: "ResumeRequest",
    },
    SubjectRow {
        subject: "mts.v1.portfolio.nav.updated.fund.{fund_id}",
        producer: "portfolio",
        payload: "NavSnapshot",
    },
];

impl Event {
    /// The record that it leaves of its order; `None` where it carries none, as a fill does.
    #[must_use]
    pub fn order(&self) -> Option<&OrderRecord> {
        match self {
            Self::OrderCreated(record)
            | Self::OrderAccepted(record)
            | Self::OrderRejected(record)
            | Self::OrderCanceled(record)
            | Self::OrderExpired(record)
            | Self::OrderUnknown(record) => Some(record),
            _ => None,
        }
    }

    /// The subject it is published under.
    #[must_use]
    pub fn subject(&self) -> SmolStr {
        SmolStr::new_static(match self {
            Self::OrderCreated(_) => "mts.v1.engine.orders.created",
            Self::OrderAccepted(_) => "mts.v1.engine.orders.accepted",
            Self::OrderRejected(_) => "mts.v1.engine.orders.rejected",
            Self::OrderCanceled(_) => "mts.v1.engine.orders.canceled",
            Self::OrderExpired(_) => "mts.v1.engine.orders.expired",
            Self::OrderUnknown(_) => "mts.v1.engine.orders.lost",
            Self::FillCreated { .. } => "mts.v1.engine.fills.created",
            Self::CashMoved(_) => "mts.v1.engine.cash.moved",
            Self::CorporateActionApplied { .. } => "mts.v1.engine.actions.applied",
            Self::TargetsAccepted(_) => "mts.v1.engine.targets.accepted",
            Self::Incident { .. } => "mts.v1.engine.incidents.raised",
            Self::GateFailed(_) => "mts.v1.risk.gate.failed",
            Self::EnvelopeUpdated(_) => "mts.v1.risk.envelope.updated",
            Self::Killed { .. } => "mts.v1.risk.kill.activated",
            Self::HaltRequested(_) => "mts.v1.operations.halt.requested",
            Self::HaltResumed { .. } => "mts.v1.operations.halt.resumed",
            Self::NavUpdated(nav) => {
                return smol_str::format_smolstr!("mts.v1.portfolio.nav.updated.fund.{}", nav.fund_id);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_follow_the_grammar_and_have_one_producer() {
        for row in SUBJECTS {
            let parts: Vec<_> = row.subject.split('.').collect();
            assert_eq!((parts.first(), parts.get(1)), (Some(&"mts"), Some(&"v1")), "{}", row.subject);
            assert!(parts.len() == 5 || (parts.len() == 7 && parts[5] == "fund"), "{}", row.subject);
            assert!(parts[4].ends_with("ed") || parts[4] == "lost", "{}", row.subject);
            assert_eq!(SUBJECTS.iter().filter(|other| other.subject == row.subject).count(), 1);
        }
    }

    #[test]
    fn every_event_has_a_row() {
        let nav = NavSnapshot {
            fund_id: FundId::new("f").unwrap(),
            asof: chrono::NaiveDate::default(),
            nav_usd: Decimal::ONE,
            cash_usd: Decimal::ONE,
            long_usd: Decimal::ZERO,
            short_usd: Decimal::ZERO,
            positions: 0,
        };
        let subject = Event::NavUpdated(nav).subject();
        assert_eq!(subject, "mts.v1.portfolio.nav.updated.fund.f");
        let killed = Event::Killed { reason: "x".into(), time: Timestamp::EPOCH }.subject();
        assert!(SUBJECTS.iter().any(|row| row.subject == killed));
    }
}
