//! How a journal on disk is kept.

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// Until the disk has the group: survives a power loss. The only one for trading.
    #[default]
    EveryCommit,
    /// Until the system has the group: survives the end of the process, not that of the machine. A power loss may leave
    /// a journal that is refused as damaged. For back-tests and simulations.
    WriteOnly,
}

/// How much is kept of what lies before the older of the last two snapshots. The first segment, with the record that
/// says what the journal is of, always stays, and so does every segment that one of the two snapshots needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retention {
    /// All: every order can be explained for ever.
    #[default]
    All,
    /// The last so many segments.
    Segments(usize),
    /// The last segments that together have at most so many bytes.
    Bytes(u64),
}

/// How a journal on disk is kept. None of this is in its files: each start may choose anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// What a commit waits for.
    pub sync: SyncPolicy,
    /// A segment that would grow beyond so many bytes is closed, and a new one begun. A group is never split.
    pub segment_bytes: u64,
    /// Whether the room of a whole segment is set aside when it is begun, so that a sync need not wait for the file
    /// system to find it. What is left of it is given back when the journal is closed in order.
    pub preallocate: bool,
    /// Bytes that are kept back for the day the disk is full
    /// ([`release_reserve`](mts_foundation::journal::Journal::release_reserve)); 0 keeps none.
    pub reserve_bytes: u64,
    /// What is kept of old segments.
    pub retention: Retention,
}

/// 64 MiB.
const SEGMENT_BYTES: u64 = 64 << 20;
/// 16 MiB.
const RESERVE_BYTES: u64 = 16 << 20;

impl Default for JournalOptions {
    /// Durable, in segments of 64 MiB, nothing removed, no more room taken than the records need.
    fn default() -> Self {
        Self {
            sync: SyncPolicy::EveryCommit,
            segment_bytes: SEGMENT_BYTES,
            preallocate: false,
            reserve_bytes: 0,
            retention: Retention::All,
        }
    }
}

impl JournalOptions {
    /// For trading: as the default, with segments set aside and a reserve of 16 MiB for a full disk.
    #[must_use]
    pub fn live() -> Self {
        Self { preallocate: true, reserve_bytes: RESERVE_BYTES, ..Self::default() }
    }
}
