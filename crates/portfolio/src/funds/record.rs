//! What a registry is made of, and its bytes.

use super::error::FundError;
use super::plan::AllocationPlan;
use chrono::NaiveDate;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::{ActorId, Decimal, FundConfig, FundId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Kind of a record of a registry, apart from those of a run's journal.
pub const REGISTRY_V1: u16 = 16;

/// Version of the layout within the payload.
const VERSION: u32 = 1;

/// Which way capital goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveKind {
    /// Into the fund.
    Deposit,
    /// Out of it.
    Withdrawal,
}

/// Capital that came or went. It is neither profit nor loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapitalMove {
    /// Whose.
    pub fund_id: FundId,
    /// Which way.
    pub kind: MoveKind,
    /// How much, above zero, to the cent.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Day on which it counts.
    pub date: NaiveDate,
    /// Who recorded it.
    pub actor: ActorId,
    /// Why.
    pub reason: String,
    /// What the bank calls it; the same one twice is refused.
    #[serde(default)]
    pub reference: Option<String>,
    /// When it was recorded.
    pub time: Timestamp,
}

/// What is to be different about a fund; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FundChange {
    /// Whether it trades and takes part in allocations.
    #[serde(default)]
    pub active: Option<bool>,
    /// Its allocation.
    #[serde(with = "exact_option", default)]
    pub target_nav_usd: Option<Decimal>,
    /// Folder of its run.
    #[serde(default)]
    pub run: Option<String>,
}

/// Number of a plan: `plan-1` is a registry's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanId(u64);

impl PlanId {
    /// The plan behind so many others.
    #[must_use]
    pub fn after(plans: usize) -> Self {
        Self(u64::try_from(plans).unwrap_or(u64::MAX).saturating_add(1))
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "plan-{}", self.0)
    }
}

impl FromStr for PlanId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_prefix("plan-").and_then(|number| number.parse().ok());
        number.filter(|number| *number > 0).map(Self).ok_or_else(|| {
            format!("{:?} is no plan; write it as plan-1", text.chars().take(40).collect::<String>())
        })
    }
}

impl TryFrom<String> for PlanId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PlanId> for String {
    fn from(id: PlanId) -> Self {
        id.to_string()
    }
}

/// One act. Records are kept in order and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RegistryRecord {
    /// A fund exists, with its first allocation as capital.
    FundCreated {
        /// The fund.
        config: FundConfig,
        /// Folder of its run, from which its value is read.
        #[serde(default)]
        run: Option<String>,
    },
    /// A fund is different from now on.
    FundChanged {
        /// Which.
        fund_id: FundId,
        /// How.
        change: FundChange,
        /// Who changed it.
        actor: ActorId,
        /// Why.
        reason: String,
        /// When.
        time: Timestamp,
    },
    /// Capital came or went.
    CapitalMoved(CapitalMove),
    /// An allocation was planned.
    AllocationPlanned {
        /// Its number.
        plan_id: PlanId,
        /// What it says.
        plan: AllocationPlan,
        /// When.
        time: Timestamp,
    },
    /// Two operators put a plan in force: its targets are those of the funds, its transfers are to be made.
    AllocationExecuted {
        /// Which.
        plan_id: PlanId,
        /// Who.
        actor: ActorId,
        /// Who agreed.
        cosigned_by: ActorId,
        /// When.
        time: Timestamp,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    record: &'a RegistryRecord,
}

#[derive(Deserialize)]
struct Read {
    record: RegistryRecord,
}

#[derive(Deserialize)]
struct OfVersion {
    version: u32,
}

/// The bytes of a record: JSON with its version.
///
/// # Errors
/// [`FundError::Unreadable`], only when memory is exhausted.
pub fn encode(record: &RegistryRecord) -> Result<Vec<u8>, FundError> {
    serde_json::to_vec(&Written { version: VERSION, record })
        .map_err(|error| FundError::Unreadable { kind: REGISTRY_V1, message: error.to_string() })
}

/// The record of bytes.
///
/// # Errors
/// [`FundError::Unreadable`] for another kind, another version, and bytes that are no record.
pub fn decode(kind: u16, payload: &[u8]) -> Result<RegistryRecord, FundError> {
    let unreadable = |message: String| FundError::Unreadable { kind, message };
    if kind != REGISTRY_V1 {
        return Err(unreadable("it is none of a registry of funds".to_owned()));
    }
    let of: OfVersion = serde_json::from_slice(payload).map_err(|error| unreadable(error.to_string()))?;
    if of.version != VERSION {
        return Err(unreadable(format!("it has version {}, this program reads {VERSION}", of.version)));
    }
    let read: Read = serde_json::from_slice(payload).map_err(|error| unreadable(error.to_string()))?;
    Ok(read.record)
}
