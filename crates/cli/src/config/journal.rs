//! Section `[journal]`; like `[log]` no part of what a journal belongs to: each start may choose anew.

use mts_journal::{JournalOptions, Retention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Least bytes of a segment.
const MIN_SEGMENT_BYTES: u64 = 16_384;
/// Most bytes of a segment: its room is set aside when it is begun.
const MAX_SEGMENT_BYTES: u64 = 1 << 32;

/// Section `[journal]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct JournalSection {
    /// What is kept of what lies before the older of the last two snapshots.
    pub retention: Kept,
    /// Length at which a segment is closed and the next begun, in bytes.
    #[schemars(range(min = 16_384, max = 4_294_967_296_u64))]
    pub segment_bytes: u64,
    /// Records between two snapshots, which shorten the next start; 0 keeps none.
    pub snapshot_every: u64,
}

/// What is kept of old segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// All: every order can be explained for ever.
    #[default]
    All,
    /// The last so many segments.
    Segments(usize),
    /// The last segments that together have at most so many bytes.
    Bytes(u64),
}

impl Default for JournalSection {
    fn default() -> Self {
        let JournalOptions { segment_bytes, .. } = JournalOptions::default();
        Self { retention: Kept::All, segment_bytes, snapshot_every: 100_000 }
    }
}

impl JournalSection {
    /// How the journal of a run is kept. Only a run in real time keeps snapshots, and removes what lies before them.
    #[must_use]
    pub fn options(&self, real_time: bool) -> JournalOptions {
        let options = if real_time { JournalOptions::live() } else { JournalOptions::default() };
        let retention = match self.retention {
            Kept::All => Retention::All,
            Kept::Segments(count) => Retention::Segments(count),
            Kept::Bytes(most) => Retention::Bytes(most),
        };
        JournalOptions { segment_bytes: self.segment_bytes, retention, ..options }
    }

    /// What the types cannot say; `real_time` whether the run keeps snapshots.
    pub(super) fn check(&self, real_time: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            faults.push(format!(
                "journal.segment_bytes is {}; it must be from {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}",
                self.segment_bytes
            ));
        }
        if matches!(self.retention, Kept::Segments(0) | Kept::Bytes(0)) {
            faults.push(
                "journal.retention is 0; keep at least one segment, or a number of bytes above zero"
                    .to_owned(),
            );
        }
        if self.retention == Kept::All {
            return faults;
        }
        if !real_time {
            faults.push(
                "journal.retention removes what a back-test or a replay goes through again when it goes on; it is for runs in \
                 real time, remove it"
                    .to_owned(),
            );
        } else if self.snapshot_every == 0 {
            faults.push(
                "journal.retention removes only what a snapshot stands for, and journal.snapshot_every is 0; give a number \
                 above zero"
                    .to_owned(),
            );
        }
        faults
    }
}
