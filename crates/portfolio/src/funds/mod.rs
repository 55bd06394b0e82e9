//! Funds over funds: which funds a firm has, what each is worth, and how capital is divided between them.
//!
//! [`FundRegistry`] is a fold over [`RegistryRecord`]s, which somebody else keeps ([`encode`], [`decode`]): the same records
//! give the same registry, and a record that cannot be applied changes nothing. [`plan_allocation`] divides the firm's net asset
//! value and says what that moves; to the cent, and in all nothing. It moves no money.
//!
//! Everything here is in one currency, that of the registry's first fund.

mod error;
mod fill;
mod history;
mod plan;
mod record;
mod registry;
mod shares;
mod transfers;

pub use error::FundError;
pub use history::{MIN_RETURNS, NavDay, ReturnHistory};
pub use plan::{
    AllocationMethod, AllocationPlan, AllocationRequest, Bound, Constraints, FundStanding, PlanRow,
    plan_allocation,
};
pub use record::{CapitalMove, FundChange, MoveKind, PlanId, REGISTRY_V1, RegistryRecord, decode, encode};
pub use registry::{Execution, FundRegistry, KeptPlan, MAX_CAPITAL, MAX_FUNDS, MAX_RECORDS, RegisteredFund};
pub use transfers::{Transfer, net_transfers};

use mts_foundation::Decimal;

/// Decimal places of money between funds.
const CENTS: u32 = 2;

/// One cent.
const CENT: Decimal = Decimal::from_parts(1, 0, 0, false, CENTS);
