//! What can go wrong when an order goes through the shell.

use crate::store::StoreError;
use mts_foundation::broker::BrokerError;
use mts_foundation::order_builder::OrderFaults;
use mts_foundation::order_intent::ThroughZero;
use mts_foundation::risk::{Rejection, RiskRefusal};
use mts_foundation::{Decimal, OrderId, Symbol};
use smol_str::SmolStr;

/// Why an order, or an act, did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafeBrokerError {
    /// A gate refused: code, limit and observed value are in it. Nothing left.
    #[doc(alias = "RiskLimitError")]
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Box<Rejection>),
    /// The order is not well formed. Nothing left.
    #[error(transparent)]
    Invalid(#[from] OrderFaults),
    /// The quantity has a sign although the side is given, or is zero. Nothing left.
    #[error("quantity is {quantity}; give units above zero with a side, or signed units without one")]
    Quantity {
        /// What was given.
        quantity: Decimal,
    },
    /// The order would take the position through zero. Nothing left.
    #[error(transparent)]
    ThroughZero(#[from] ThroughZero),
    /// Account, positions or open orders cannot be had, so that nothing can be checked. Nothing left.
    #[error("the account cannot be read, so the order cannot be checked: {0}")]
    Account(#[from] BrokerError),
    /// An earlier order in this instrument may or may not be live; it must be resolved first. Nothing left.
    #[error(
        "{symbol}: it is unknown whether order {order_id} is live; look at the account, then `resolve` it"
    )]
    Unresolved {
        /// Which instrument.
        symbol: Symbol,
        /// Which order.
        order_id: OrderId,
    },
    /// The same order is just being asked about or handed over; it may still be refused. Ask again.
    #[error("order {order_id} is under way; ask again for what becomes of it")]
    UnderWay {
        /// Which order.
        order_id: OrderId,
    },
    /// A position is not closed, because the account does not have our last fills yet.
    #[error(
        "{symbol} is not closed: the account's position lags behind our last fills; ask again in a few seconds"
    )]
    Unsettled {
        /// Which instrument.
        symbol: Symbol,
    },
    /// Another call is just closing the position.
    #[error("{symbol} is just being closed by another call")]
    ClosingAlready {
        /// Which instrument.
        symbol: Symbol,
    },
    /// A position is not closed, because an order in it may still fill.
    #[error("{symbol} is not closed: the cancellation of {order_id} is not confirmed; ask again")]
    CancelUnconfirmed {
        /// Which instrument.
        symbol: Symbol,
        /// Which order.
        order_id: OrderId,
    },
    /// The state of the limits cannot be made durable: nothing new leaves until the process is restarted.
    #[error("nothing new is sent: {0}")]
    State(#[from] StoreError),
    /// The venue refused the order.
    #[error("the venue refused order {order_id}: {reason}")]
    VenueRejected {
        /// Which order.
        order_id: OrderId,
        /// Its reason.
        reason: SmolStr,
    },
    /// The order never left this process.
    #[error("order {order_id} was not sent: {reason}")]
    NotSent {
        /// Which order.
        order_id: OrderId,
        /// Why.
        reason: SmolStr,
    },
    /// The order may or may not be live. It counts at its worst case until that is known.
    #[error("it is unknown whether order {order_id} is live: {cause}")]
    Unknown {
        /// Which order.
        order_id: OrderId,
        /// What went wrong.
        cause: SmolStr,
    },
    /// No such order.
    #[error("order {order_id} is not known here")]
    NoSuchOrder {
        /// Which order.
        order_id: OrderId,
    },
    /// The risk machine refuses an act: not enough operators, nothing to resume.
    #[error(transparent)]
    ActRefused(#[from] RiskRefusal),
    /// A number left the range of exact decimals.
    #[error("{what} leaves the range of exact decimals")]
    OutOfRange {
        /// Which number.
        what: String,
    },
}
