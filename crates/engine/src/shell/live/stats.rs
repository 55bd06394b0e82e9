//! What a live engine says of itself.

use mts_foundation::event::Event;
use mts_foundation::{StrategyId, Timestamp};
use serde::Serialize;

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
