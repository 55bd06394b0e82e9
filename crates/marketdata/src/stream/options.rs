//! What can be set of a stream, and what it has counted.

use mts_foundation::Timestamp;
use std::time::Duration;

/// A moment on both clocks: the wall's for stamps and sessions, the monotonic one for waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The present instant.
    pub time: Timestamp,
    /// A reading of the monotonic clock.
    pub mono: Duration,
}

/// How patient a stream is, and how much it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Events that wait for the consumer at most.
    pub queue: usize,
    /// Ids of prints that are remembered of each topic.
    pub remembered: usize,
    /// Prints and bars that wait for history at most, of all topics together.
    pub held: usize,
    /// Levels of each side that an order book keeps at most, where the venue tells of all.
    pub levels: usize,
    /// Longest wait for a connection.
    pub connect_within: Duration,
    /// Longest wait for the answer to our authentication.
    pub authenticate_within: Duration,
    /// Longest wait for the acknowledgement of a topic, from the last subscription on.
    pub acknowledge_within: Duration,
    /// Longest wait for an answer of the history.
    pub history_within: Duration,
    /// How long after the connection is live the history is asked, so that it has what came last before.
    pub history_after: Duration,
    /// The longest pause before the first new attempt; it doubles with each.
    pub backoff: Duration,
    /// The longest pause there is.
    pub backoff_cap: Duration,
    /// Attempts that may follow one another without [`pause`](Self::pause).
    pub quick_attempts: u32,
    /// The shortest pause after those.
    pub pause: Duration,
    /// A connection that was live for so long makes the next attempt the first.
    pub healthy: Duration,
    /// How long the old and the new connection run beside each other.
    pub overlap: Duration,
    /// How long a print that is missing may still come by the other connection.
    pub reorder: Duration,
    /// By how much a stamp of the venue may be ahead of our clock.
    pub ahead: Duration,
    /// How long the connection may be gone before prices are stale.
    pub disconnected: Duration,
    /// How long the bars of an instant are waited for, from the first on.
    pub bars_together: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 10_000,
            remembered: 1_024,
            held: 20_000,
            levels: 1_000,
            connect_within: Duration::from_secs(15),
            authenticate_within: Duration::from_secs(10),
            acknowledge_within: Duration::from_secs(10),
            history_within: Duration::from_secs(30),
            history_after: Duration::from_millis(500),
            backoff: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
            quick_attempts: 5,
            pause: Duration::from_secs(1),
            healthy: Duration::from_secs(30),
            overlap: Duration::from_secs(2),
            reorder: Duration::from_secs(1),
            ahead: Duration::from_secs(5),
            disconnected: Duration::from_millis(500),
            bars_together: Duration::from_secs(1),
        }
    }
}

/// What a stream has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that became live.
    pub lives: u64,
    /// Frames.
    pub frames: u64,
    /// Frames that could not be read; each is in a `Gap`.
    pub unreadable: u64,
    /// Prints that had come before; bars and changes of order books likewise.
    pub duplicates: u64,
    /// Prints and quotes with a time before that of the one before them.
    pub backwards: u64,
    /// Quotes that came after a later one and were dropped.
    pub outdated: u64,
    /// Prints, quotes and bars with a stamp too far ahead, refused. The prints and bars are in a `Gap`.
    pub future: u64,
    /// Prints, quotes and bars with prices or sizes that cannot be, refused likewise.
    pub faulty: u64,
    /// Prints and bars that found no room to wait for history; each is in a `Gap`.
    pub unheld: u64,
    /// Numbers that are missing for good; each is in a `Gap`.
    pub missing: u64,
    /// Prints and bars that came from the history.
    pub backfilled: u64,
    /// Questions to the history that were not answered.
    pub history_failures: u64,
    /// Bars that the venue corrected after they were handed on.
    pub revised: u64,
    /// Prints that the venue corrected or cancelled; each is in a `Gap`.
    pub withdrawn: u64,
    /// Bars that came after the others of their instant had been handed on.
    pub late_bars: u64,
    /// Order books that were lost while their connection was live, and taken anew.
    pub books_lost: u64,
    /// Of those, by a checksum that was not the venue's.
    pub checksums: u64,
}
