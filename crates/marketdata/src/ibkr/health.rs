//! What TWS says of its connections, and what that means for prices. Pure.
//!
//! | code | says | so |
//! |---|---|---|
//! | 1100, 2110 | TWS has lost Interactive Brokers | stale |
//! | 1101 | it is back, and subscriptions are lost | everything is asked for again |
//! | 1102 | it is back, with the subscriptions | recovered |
//! | 1300, 502, 504 | this connection will not do any more | another one is made |
//! | 2103 | a farm of market data is lost | stale: which instruments it has is not said |
//! | 2104, 2108 | that farm is back, or back when it is needed | recovered, when no other is lost |

use ibapi::{NOTICE_STREAM_LAG_CODE, Notice};
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// Most farms whose loss is remembered.
const MAX_FARMS: usize = 64;

/// What becomes of the prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They are as good as they were.
    None,
    /// They are not to be trusted.
    Stale,
    /// They flow again.
    Well,
    /// They flow again when they are asked for again.
    Ask,
    /// This connection will not do any more.
    Over,
}

/// What is lost at present.
#[derive(Debug, Default)]
pub(super) struct Health {
    venue: bool,
    farms: BTreeSet<SmolStr>,
}

impl Health {
    pub(super) fn is_well(&self) -> bool {
        !self.venue && self.farms.is_empty()
    }

    /// Takes what TWS says.
    pub(super) fn hear(&mut self, notice: &Notice) -> Change {
        let was_well = self.is_well();
        let farm = || SmolStr::new(notice.message.rsplit(':').next().unwrap_or_default().trim());
        match notice.code {
            1_100 | 2_110 => self.venue = true,
            1_101 => {
                *self = Self::default();
                return Change::Ask;
            }
            1_102 => self.venue = false,
            2_103 if self.farms.len() < MAX_FARMS => {
                self.farms.insert(farm());
            }
            2_104 | 2_108 => {
                self.farms.remove(&farm());
            }
            // The library's own: what was dropped may have been any of these.
            1_300 | 502 | 504 | NOTICE_STREAM_LAG_CODE => return Change::Over,
            _ => {}
        }
        match (was_well, self.is_well()) {
            (true, false) => Change::Stale,
            (false, true) => Change::Well,
            _ => Change::None,
        }
    }
}

/// What a refusal of one instrument's prices means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Asking again later may help: too many at once, or another session of the same user has the prices.
    Later,
    /// It does not.
    Final,
}

pub(super) fn refusal(code: i32) -> Refusal {
    match code {
        100 | 101 | 322 | 420 | 10_190 | 10_197 => Refusal::Later,
        _ => Refusal::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, message: &str) -> Notice {
        Notice {
            request_id: None,
            code,
            message: message.to_owned(),
            error_time: None,
            advanced_order_reject_json: String::new(),
        }
    }

    #[test]
    fn prices_are_stale_from_the_loss_to_the_last_return() {
        let mut health = Health::default();
        let mut hear = |code, message: &str| health.hear(&said(code, message));
        // As at every start.
        assert_eq!(hear(2_104, "Market data farm connection is OK:usfarm"), Change::None);
        assert_eq!(hear(2_103, "Market data farm connection is broken:usfarm"), Change::Stale);
        assert_eq!(hear(2_103, "Market data farm connection is broken:usfuture"), Change::None);
        assert_eq!(hear(2_104, "Market data farm connection is OK:usfarm"), Change::None);
        assert_eq!(hear(1_100, "lost"), Change::None);
        assert_eq!(hear(2_104, "Market data farm connection is OK:usfuture"), Change::None);
        assert_eq!(hear(1_102, "restored, data maintained"), Change::Well);
        assert_eq!(hear(1_100, "lost"), Change::Stale);
        assert_eq!(hear(2_103, "Market data farm connection is broken:usfarm"), Change::None);
        assert_eq!(hear(1_101, "restored, data lost"), Change::Ask);
        assert_eq!(hear(1_100, "lost"), Change::Stale, "the farm was forgotten with all else");
        assert_eq!(hear(1_300, "another port"), Change::Over);
        assert_eq!(hear(2_106, "HMDS data farm connection is OK:ushmds"), Change::None);
    }
}
