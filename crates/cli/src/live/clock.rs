//! The clock of the machine.

use mts_foundation::{Clock, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// The time of day of this machine. It may step back; the engine's time does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters a live run")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Within range until the year 2262.
        Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}
