//! The venue's errors, which come with the status of a success.
//!
//! | error | what it is |
//! |---|---|
//! | `EAPI:Invalid key`, `Invalid signature`, `Invalid nonce`, `EGeneral:Permission denied`, `ESession:` | credentials that are not taken |
//! | `EAPI:Rate limit exceeded`, `EOrder:Rate limit exceeded`, `EGeneral:Temporary lockout` | too many requests; an order was not taken |
//! | `EService:Throttled:<second>` | the same, and until when |
//! | `EService:Deadline elapsed`, `EService:Market in …` | refused |
//! | every other `EService:`, `Internal error` and `Unknown error` of any family | the venue is down, and may have acted |
//! | `EOrder:Unknown order` | not found |
//! | every other `EOrder:`, `EGeneral:`, `EQuery:`, `ETrade:`, `EAPI:`, `EFunding:` | refused |
//! | everything else | cannot be read |
//!
//! Of several errors one that leaves open what the venue has done counts before those that do not.

use crate::kit::{Failure, FailureKind};
use mts_foundation::Timestamp;
use smol_str::SmolStr;
use std::time::Duration;

/// Longest pause that is believed.
const LONGEST_PAUSE: u64 = 3_600;

/// Most of the venue's words that are repeated.
const MAX_WORDS: usize = 300;

/// A nonce that was not higher than the last one.
pub(super) const INVALID_NONCE: &str = "EAPI:Invalid nonce";

/// The failure that errors are; `None` = there are none but warnings. `now` is the venue's time.
pub(super) fn failure(errors: &[SmolStr], now: Timestamp) -> Option<Failure> {
    let is_unclear =
        |error: &&SmolStr| matches!(kind(error, now), FailureKind::Down | FailureKind::Unreadable);
    let mut told = errors.iter().filter(|error| !error.starts_with('W'));
    let first = told.clone().find(is_unclear).or_else(|| told.next())?;
    let kind = kind(first, now);
    let message: String = errors.join("; ").chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect();
    let message = match first.as_str() {
        INVALID_NONCE => format!("{message}: another program uses this key; give mts a key of its own"),
        "EAPI:Invalid key" | "EAPI:Invalid signature" => {
            format!("{message}: see that api_key and api_secret belong together and the key is in force")
        }
        "EGeneral:Permission denied" => format!("{message}: give the key the permission at Kraken"),
        _ => message,
    };
    let code = first.split(':').next().map(SmolStr::new);
    Some(Failure { code, ..Failure::new(kind, message) })
}

/// What a failure means for an order that was sent. Kraken says itself by its limits that it has not taken it, and knows no client id
/// again, so that a doubt would wait for a person. A status without Kraken's words (no code) says nothing of the kind.
pub(super) fn of_order(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::TooMany { .. } if failure.code.is_some() => {
            Failure { kind: FailureKind::Refused, ..failure }
        }
        _ => failure,
    }
}

fn kind(error: &str, now: Timestamp) -> FailureKind {
    let (family, what) = error.split_once(':').unwrap_or((error, ""));
    match (family, what) {
        ("EAPI", "Invalid key" | "Invalid signature" | "Invalid nonce") => FailureKind::Auth,
        ("EGeneral", what) if what.starts_with("Permission denied") => FailureKind::Auth,
        ("ESession" | "EAuth", _) => FailureKind::Auth,
        ("EAPI" | "EOrder", "Rate limit exceeded") => FailureKind::TooMany { retry_after: None },
        ("EGeneral", "Temporary lockout" | "Too many requests") => FailureKind::TooMany { retry_after: None },
        ("EService", what) if what.starts_with("Throttled") => {
            let until = what.split_once(':').and_then(|(_, second)| second.trim().parse::<i64>().ok());
            FailureKind::TooMany { retry_after: until.and_then(|until| pause(until, now)) }
        }
        ("EService", what) if what == "Deadline elapsed" || what.starts_with("Market in ") => {
            FailureKind::Refused
        }
        ("EService", _) => FailureKind::Down,
        (_, what) if what.starts_with("Internal error") || what.starts_with("Unknown error") => {
            FailureKind::Down
        }
        ("EOrder", "Unknown order") => FailureKind::NotFound,
        ("EOrder" | "EGeneral" | "EQuery" | "ETrade" | "EAPI" | "EFunding", _) => FailureKind::Refused,
        _ => FailureKind::Unreadable,
    }
}

/// From now to a second, whole seconds up.
fn pause(until: i64, now: Timestamp) -> Option<Duration> {
    let until = Timestamp::from_nanos(until.checked_mul(1_000_000_000)?);
    let seconds = until.since(now).as_nanos().div_ceil(1_000_000_000);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)))
}

/// Whether an order was refused because another one that works has its client id. The text is not documented.
pub(super) fn is_duplicate(failure: &Failure) -> bool {
    let words = failure.message.to_ascii_lowercase();
    failure.kind == FailureKind::Refused
        && (words.contains("duplicate") || words.contains("already in use") || words.contains("clordid"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::broker::SubmitOutcome;

    #[test]
    fn each_error_is_what_the_venue_means_by_it() {
        let now = Timestamp::from_millis(1_700_000_000_250);
        let of = |error: &str| failure(&[error.into()], now).map(|failure| failure.kind);
        let pause = |seconds| Some(FailureKind::TooMany { retry_after: Some(Duration::from_secs(seconds)) });
        let cases = [
            ("EAPI:Invalid key", Some(FailureKind::Auth)),
            ("EAPI:Invalid nonce", Some(FailureKind::Auth)),
            ("EGeneral:Permission denied", Some(FailureKind::Auth)),
            ("EAPI:Rate limit exceeded", Some(FailureKind::TooMany { retry_after: None })),
            ("EService:Throttled: 1700000001", pause(1)),
            ("EService:Throttled:1699999999", pause(0)),
            ("EService:Throttled", Some(FailureKind::TooMany { retry_after: None })),
            ("EService:Unavailable", Some(FailureKind::Down)),
            ("EService:Busy", Some(FailureKind::Down)),
            ("EService:Deadline elapsed", Some(FailureKind::Refused)),
            ("EService:Market in cancel_only mode", Some(FailureKind::Refused)),
            ("EGeneral:Internal error", Some(FailureKind::Down)),
            ("EDatabase:Internal error", Some(FailureKind::Down)),
            ("EGeneral:Invalid arguments:volume minimum not met", Some(FailureKind::Refused)),
            ("EOrder:Insufficient funds", Some(FailureKind::Refused)),
            ("EOrder:Unknown order", Some(FailureKind::NotFound)),
            ("EOrder:Something new", Some(FailureKind::Refused)),
            ("ENew:Something", Some(FailureKind::Unreadable)),
            ("WGeneral:Danger", None),
        ];
        for (error, kind) in cases {
            assert_eq!(of(error), kind, "{error}");
        }
        assert_eq!(failure(&[], now), None);
        let several = ["EOrder:Insufficient funds".into(), "EService:Unavailable".into()];
        assert_eq!(failure(&several, now).map(|failure| failure.kind), Some(FailureKind::Down));
        let both = failure(&["WGeneral:Danger".into(), "EOrder:Duplicate clordid".into()], now).unwrap();
        assert!(is_duplicate(&both) && both.message.contains("WGeneral:Danger"));
    }

    /// Kraken takes a client id anew once its order has ended: what stays unclear is never sent again, so nothing may be called
    /// unclear that is clear.
    #[test]
    fn an_order_is_unclear_only_where_kraken_leaves_it_open() {
        let of = |error: &str| {
            let failure = failure(&[error.into()], Timestamp::EPOCH).unwrap();
            of_order(failure).of_submit()
        };
        for error in [
            "EAPI:Rate limit exceeded",
            "EOrder:Rate limit exceeded",
            "EGeneral:Temporary lockout",
            "EGeneral:Too many requests",
            "EService:Throttled: 1700000001",
            "EService:Deadline elapsed",
            "EService:Market in cancel_only mode",
            "EService:Market in post_only mode",
            "EAPI:Invalid key",
            "EAPI:Invalid signature",
            "EAPI:Invalid nonce",
            "EGeneral:Permission denied",
            "EGeneral:Invalid arguments:volume minimum not met",
            "EOrder:Insufficient funds",
            "EOrder:Order minimum not met",
            "EOrder:Cost minimum not met",
            "EOrder:Tick size check failed",
            "EOrder:Orders limit exceeded",
            "EOrder:Post only order",
            "EOrder:Invalid price",
            "EOrder:Unknown order",
            "EQuery:Unknown asset pair",
            "ETrade:User Locked",
        ] {
            assert!(matches!(of(error), SubmitOutcome::Rejected { .. }), "{error}: {:?}", of(error));
        }
        for error in [
            "EService:Unavailable",
            "EService:Busy",
            "EService:Something new",
            "EGeneral:Internal error",
            "EGeneral:Internal error:42",
            "EGeneral:Unknown error",
            "EDatabase:Internal error",
            "ENew:Something",
        ] {
            assert!(matches!(of(error), SubmitOutcome::Unknown { .. }), "{error}: {:?}", of(error));
        }
        // What stands before Kraken wants to be asked less often.
        let page = Failure::new(FailureKind::TooMany { retry_after: None }, "429");
        assert!(matches!(of_order(page).of_submit(), SubmitOutcome::Unknown { .. }));
    }
}
