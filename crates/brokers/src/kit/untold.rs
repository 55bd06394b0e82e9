//! Rows of a history that cannot be told.

use mts_foundation::Timestamp;
use mts_foundation::broker_event::BrokerEvent;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// The rows that a stream has told a gap for.
#[derive(Debug, Default)]
pub struct Untold(BTreeSet<SmolStr>);

impl Untold {
    /// A gap in place of the rows of one look that cannot be told, once for each of them: what they did to the account is found
    /// by comparing it. `now` is the time of the look.
    pub fn gap(&mut self, rows: BTreeMap<SmolStr, Timestamp>, now: Timestamp) -> Option<BrokerEvent> {
        let new = rows.iter().filter(|(id, _)| !self.0.contains(*id)).map(|(_, time)| *time).min();
        // What has left the window is not asked for again.
        self.0 = rows.into_keys().collect();
        new.map(|from| BrokerEvent::Gap { from: from.min(now), to: now, recoverable: false })
    }
}
