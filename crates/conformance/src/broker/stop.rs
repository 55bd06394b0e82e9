//! How a case ends before its last line.

use mts_foundation::double::NotPossible;
use mts_foundation::order_builder::OrderFaults;

/// Why a case goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// It cannot be tried; why.
    Skip(String),
    /// Something is wrong that leaves nothing to go on with.
    Fault(String),
}

/// What a step of a case gives.
pub(super) type Step<T = ()> = Result<T, Stop>;

impl Stop {
    /// The capability that the broker does not claim.
    pub(super) fn capability(name: &str) -> Self {
        Self::Skip(format!("capability {name}: not claimed"))
    }
}

impl From<NotPossible> for Stop {
    fn from(error: NotPossible) -> Self {
        Self::Skip(format!("the double: {}", error.reason))
    }
}

impl From<OrderFaults> for Stop {
    fn from(error: OrderFaults) -> Self {
        Self::Fault(format!("the suite made an order that is none: {error}"))
    }
}
