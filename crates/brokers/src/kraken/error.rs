//! The venue's errors, which come with the status of a success.
//!
//! | error | what it is |
//! |---|---|
//! | `EAPI:Invalid key`, `Invalid signature`, `Invalid nonce`, `EGeneral:Permission denied`, `ESession:` | credentials that are not taken |
//! | `EAPI:Rate limit exceeded`, `EOrder:Rate limit exceeded`, `EGeneral:Temporary lockout` | too many requests |
//! | `EService:Throttled:<second>` | the same, and until when |
//! | `EService:Deadline elapsed`, `EService:Market in …` | refused |
//! | every other `EService:`, `EGeneral:Internal error` | the venue is down, and may have acted |
//! | `EOrder:Unknown order` | not found |
//! | every other `EOrder:`, `EGeneral:`, `EQuery:`, `ETrade:`, `EAPI:`, `EFunding:` | refused |
//! | everything else | cannot be read |

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
    let first = errors.iter().find(|error| !error.starts_with('W'))?;
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
        ("EService", _) | ("EGeneral", "Internal error" | "Unknown error") => FailureKind::Down,
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
        let both = failure(&["WGeneral:Danger".into(), "EOrder:Duplicate clordid".into()], now).unwrap();
        assert!(is_duplicate(&both) && both.message.contains("WGeneral:Danger"));
    }
}
