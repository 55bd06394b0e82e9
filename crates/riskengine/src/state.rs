//! The part of the machine that survives a restart: loss baselines, windows, counters, stops, halts, the kill switch.

use crate::bucket::{Bucket, BucketKey};
use crate::check::reject;
use crate::window::Window;
use chrono::NaiveDate;
use mts_foundation::num::exact;
use mts_foundation::order::Side;
use mts_foundation::risk::{Gate, HaltCause, HaltRequest, HaltScope, RejectCode, Rejection, RiskEnvelope};
use mts_foundation::{ActorId, Decimal, FundId, OrderId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Layout of [`RiskState`]; a snapshot with another number is refused.
pub(crate) const STATE_VERSION: u32 = 2;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RiskState {
    pub(crate) version: u32,
    pub(crate) killed: Option<Killed>,
    pub(crate) halts: BTreeMap<HaltScope, HaltRequest>,
    pub(crate) funds: BTreeMap<FundId, FundState>,
    pub(crate) buckets: BTreeMap<BucketKey, Bucket>,
    pub(crate) trading_day: Option<NaiveDate>,
    pub(crate) orders_accepted: u64,
}

impl Default for RiskState {
    fn default() -> Self {
        Self {
            version: STATE_VERSION,
            killed: None,
            halts: BTreeMap::new(),
            funds: BTreeMap::new(),
            buckets: BTreeMap::new(),
            trading_day: None,
            orders_accepted: 0,
        }
    }
}

/// The kill switch is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Killed {
    pub(crate) reason: String,
    pub(crate) actor: ActorId,
    pub(crate) time: Timestamp,
    /// The loss limits that switched it on, if they did, and whose.
    pub(crate) causes: Vec<(FundId, HaltCause)>,
}

impl Killed {
    /// The refusal of an order that meets the kill switch.
    pub(crate) fn rejection(&self) -> Box<Rejection> {
        let message = format!(
            "the kill switch is on since {} ({}); only closing passes until it is resumed",
            self.time, self.reason
        );
        reject(Gate::KillSwitch, RejectCode::KillSwitch, None, None, message)
    }
}

/// What is kept of one fund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FundState {
    pub(crate) envelope: Option<RiskEnvelope>,
    pub(crate) baselines: Option<Baselines>,
    pub(crate) recent: Window,
    /// By order id. Few are in flight at once; a vector keeps its room when they come and go.
    pub(crate) reservations: Vec<Reservation>,
    /// Synthetic stops that were reached, with the direction of the position: they say so once.
    pub(crate) stopped: BTreeMap<Symbol, Held>,
}

/// Direction of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Held {
    Long,
    Short,
}

impl Held {
    /// The direction of so many signed units; `None` when flat.
    pub(crate) fn of(units: Decimal) -> Option<Self> {
        match units.cmp(&Decimal::ZERO) {
            std::cmp::Ordering::Greater => Some(Self::Long),
            std::cmp::Ordering::Less => Some(Self::Short),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// What losses are measured against: net asset values moved by capital flows, so that money in or out is neither gain
/// nor loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baselines {
    #[serde(with = "exact")]
    pub(crate) day: Decimal,
    #[serde(with = "exact")]
    pub(crate) week: Decimal,
    #[serde(with = "exact")]
    pub(crate) month: Decimal,
    #[serde(with = "exact")]
    pub(crate) high_water: Decimal,
}

/// An order that passed the pure gates and waits for an asynchronous one; it counts as working.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) order_id: OrderId,
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    #[serde(with = "exact")]
    pub(crate) quantity: Decimal,
    /// Price of its worst case per unit when it was reserved.
    #[serde(with = "exact")]
    pub(crate) price: Decimal,
    /// Cash that it would take.
    #[serde(with = "exact")]
    pub(crate) committed: Decimal,
}
