//! What came instead of a usable answer, and what it means for an order.
//!
//! | failure | of an order | of a cancellation | of a query |
//! |---|---|---|---|
//! | nothing left this process | not sent | unknown | temporary |
//! | no answer, or one cut off | unknown | unknown | temporary |
//! | the venue refused this request, in its own words | rejected | by the adapter, else unknown | permanent |
//! | it wants to be asked less often | unknown: it says nothing about this order, which is looked up and may go again | unknown | temporary |
//! | it does not take the credentials | rejected: it says that it has not acted | unknown | permanent |
//! | it is down, whatever it says beside | unknown | unknown | temporary |
//! | an answer that cannot be read | unknown | unknown | permanent |

use mts_foundation::broker::{
    BrokerError, BrokerErrorKind, CancelOutcome, ErrorStatus, ReplaceOutcome, SubmitOutcome,
};
use mts_foundation::io::{Departure, TransportError};
use smol_str::SmolStr;
use std::time::Duration;

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// What was seen, in the venue's words where it has said something.
    pub message: String,
    /// The venue's own code of it, where it has one.
    pub code: Option<SmolStr>,
    /// The venue's id of the request.
    pub request_id: Option<SmolStr>,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Nothing left this process.
    NotSent,
    /// No answer, or one cut off.
    Lost {
        /// For want of time.
        timed_out: bool,
    },
    /// The venue refuses this request.
    Refused,
    /// The venue does not know what is asked for.
    NotFound,
    /// Too many requests.
    TooMany {
        /// When the venue wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Credentials are not taken.
    Auth,
    /// The venue is down.
    Down,
    /// The answer cannot be read, or cannot be right.
    Unreadable,
}

impl Failure {
    /// A failure without code and request id.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, request_id: None }
    }

    /// An answer that cannot be read or cannot be right.
    #[must_use]
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Unreadable, message)
    }

    /// What it means for an order that was handed over.
    #[must_use]
    pub fn of_submit(self) -> SubmitOutcome {
        match self.kind {
            FailureKind::NotSent => SubmitOutcome::NotSent { reason: self.message.into() },
            FailureKind::Refused | FailureKind::NotFound | FailureKind::Auth => {
                SubmitOutcome::Rejected { reason: self.words() }
            }
            FailureKind::Lost { .. }
            | FailureKind::TooMany { .. }
            | FailureKind::Down
            | FailureKind::Unreadable => SubmitOutcome::Unknown { cause: self.words() },
        }
    }

    /// What it means for a cancellation. That the venue does not know the order is for the adapter to judge: many forget
    /// what has ended.
    #[must_use]
    pub fn of_cancel(self) -> CancelOutcome {
        CancelOutcome::Unknown { cause: self.words() }
    }

    /// What it means for a change in place.
    #[must_use]
    pub fn of_replace(self) -> ReplaceOutcome {
        match self.kind {
            FailureKind::Refused | FailureKind::NotFound => ReplaceOutcome::Rejected { reason: self.words() },
            _ => ReplaceOutcome::Unknown { cause: self.words() },
        }
    }

    /// What it means for a query.
    #[must_use]
    pub fn of_query(self, op: &'static str) -> BrokerError {
        use {BrokerErrorKind as Kind, ErrorStatus as Status};
        let (kind, status, retry_after) = match self.kind {
            FailureKind::NotSent => (Kind::Disconnected, Status::Temporary, None),
            FailureKind::Lost { timed_out: true } => (Kind::Timeout, Status::Temporary, None),
            FailureKind::Lost { timed_out: false } => (Kind::Disconnected, Status::Temporary, None),
            FailureKind::Refused => (Kind::InvalidRequest, Status::Permanent, None),
            FailureKind::NotFound => (Kind::NotFound, Status::Permanent, None),
            FailureKind::TooMany { retry_after } => (Kind::RateLimited, Status::Temporary, retry_after),
            FailureKind::Auth => (Kind::Auth, Status::Permanent, None),
            FailureKind::Down => (Kind::VenueDown, Status::Temporary, None),
            FailureKind::Unreadable => (Kind::Protocol, Status::Permanent, None),
        };
        let mut error = BrokerError::new(op, kind, status, self.words());
        error.retry_after = retry_after;
        error.request_id = self.request_id;
        error
    }

    /// Message and code.
    fn words(&self) -> SmolStr {
        match &self.code {
            Some(code) => smol_str::format_smolstr!("{} ({code})", self.message),
            None => self.message.as_str().into(),
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let kind = match error.departure {
            Departure::NotSent => FailureKind::NotSent,
            Departure::MayHaveLeft => FailureKind::Lost { timed_out: error.timed_out },
        };
        Self::new(kind, error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_venue_has_said_about_the_order_refuses_it() {
        let of = |kind| Failure::new(kind, "x").of_submit();
        for kind in [FailureKind::Refused, FailureKind::NotFound, FailureKind::Auth] {
            assert!(matches!(of(kind), SubmitOutcome::Rejected { .. }), "{kind:?}");
        }
        for kind in [
            FailureKind::Lost { timed_out: true },
            FailureKind::Lost { timed_out: false },
            FailureKind::TooMany { retry_after: None },
            FailureKind::Down,
            FailureKind::Unreadable,
        ] {
            assert!(matches!(of(kind), SubmitOutcome::Unknown { .. }), "{kind:?}");
        }
        assert!(matches!(of(FailureKind::NotSent), SubmitOutcome::NotSent { .. }));
        let left = TransportError {
            departure: Departure::MayHaveLeft,
            timed_out: true,
            message: "no answer".to_owned(),
            source: None,
        };
        assert_eq!(Failure::from(left).kind, FailureKind::Lost { timed_out: true });
    }
}
