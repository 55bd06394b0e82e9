//! What a live engine says of itself.

use mts_foundation::event::Event;
use mts_foundation::{StrategyId, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// Counts since the engine began, and how it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LiveStats {
    /// Between `connect` and the end.
    pub running: bool,
    /// Batches of bars taken.
    pub bar_count: u64,
    /// Errors of strategies.
    pub error_count: u64,
    /// End of the last bars.
    pub last_bar_time: Option<Timestamp>,
    /// Market events taken.
    pub market_events: u64,
    /// When the last market event came.
    pub last_market_event: Option<Timestamp>,
    /// The feed is silent for longer than it may be.
    pub feed_silent: bool,
    /// The feed has ended.
    pub feed_ended: bool,
    /// Inputs taken.
    pub inputs: u64,
    /// Commits of the journal, each with one sync.
    pub commits: u64,
    /// Most inputs of one commit.
    pub largest_group: u64,
    /// Nanoseconds spent in commits.
    pub commit_nanos: u64,
    /// The longest commit, nanoseconds.
    pub longest_commit_nanos: u64,
    /// From handing an input to the core to its answer, with the pure gates and without the commit.
    pub decisions: Latency,
    /// From asking the asynchronous gates about an order to their answer.
    pub gates: Latency,
    /// Snapshots kept.
    pub snapshots: u64,
    /// Market data that slow strategies never saw.
    pub data_dropped: u64,
    /// Calls that a full queue refused.
    pub calls_refused: u64,
    /// Marks that conflation held back.
    pub marks_conflated: u64,
    /// Strategies that are halted because they panicked.
    pub strategies_lost: u64,
    /// Longest wait of messages in the event lane, in messages.
    pub deepest_event_lane: usize,
    /// The same of the market lane.
    pub deepest_market_lane: usize,
}

/// How long something took, each time since the engine began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How often.
    pub count: u64,
    /// Nanoseconds in all.
    pub nanos: u64,
    /// The longest, nanoseconds.
    pub longest_nanos: u64,
    /// How often at most so long as each of [`Latency::BOUNDS`] and longer than the one before; the last counts what was
    /// longer than all.
    pub counts: [u64; Latency::BOUNDS.len() + 1],
}

impl Latency {
    /// Upper bounds of what is counted apart, nanoseconds: 1 µs to 10 s.
    pub const BOUNDS: [u64; 8] =
        [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

    /// Counts one.
    pub(super) fn observe(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.count = self.count.saturating_add(1);
        self.nanos = self.nanos.saturating_add(nanos);
        self.longest_nanos = self.longest_nanos.max(nanos);
        let place = Self::BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }
}

/// What an engine tells as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Told<'a> {
    /// Something happened and is durable.
    Event(&'a Event),
    /// A strategy failed on data of this time (the documented `on_error`).
    StrategyError {
        /// Which.
        strategy: &'a StrategyId,
        /// What it said.
        error: &'a str,
        /// When its data was current.
        time: Timestamp,
    },
    /// Something of the engine's own that people should know.
    Notice(&'a str),
}
