//! Sections `[live]` and `[metrics]`: runs in real time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `[live]`; a configuration without it is a back-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveSection {
    /// Where orders go.
    pub mode: LiveMode,
    /// What is at stake; mode `live` wants `live` here and `--live` on the command line.
    #[serde(default)]
    pub environment: Environment,
    /// Longest wait for a broker's answer, milliseconds.
    #[serde(default = "thirty_seconds")]
    pub call_deadline_ms: u64,
    /// Longest wait for asynchronous gates to answer about an order, milliseconds; after it the order is refused.
    #[serde(default = "thirty_seconds", skip_serializing_if = "is_thirty_seconds")]
    pub gate_deadline_ms: u64,
    /// Silence of the feed after which people are told, seconds.
    #[serde(default = "one_minute")]
    pub feed_silence_s: u64,
    /// Time a strategy may think before people are told, milliseconds.
    #[serde(default = "five_seconds")]
    pub strategy_deadline_ms: u64,
    /// An error of a strategy ends the run.
    #[serde(default)]
    pub halt_on_error: bool,
}

/// Where orders go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveMode {
    /// To the paper broker, over the run's own data in the data's own time, as fast as it goes.
    Replay,
    /// To the paper broker, over the run's own data.
    Paper,
    /// To a paper broker in the place of the real one, which is never called (decision R13).
    Shadow,
    /// To the broker.
    Live,
}

impl LiveMode {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Paper => "paper",
            Self::Shadow => "shadow",
            Self::Live => "live",
        }
    }
}

impl LiveSection {
    /// Whether the clock on the wall counts: in every mode but a replay.
    #[must_use]
    pub fn is_real_time(&self) -> bool {
        self.mode != LiveMode::Replay
    }
}

/// What is at stake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Nothing: paper, sandboxes, drills.
    #[default]
    Test,
    /// Money.
    Live,
}

/// Section `[metrics]`: no part of what a journal belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    /// Port on 127.0.0.1 of the Prometheus text; absent = off.
    pub port: Option<u16>,
}

fn thirty_seconds() -> u64 {
    30_000
}

/// What came later than the journals that exist is left out where it is what they had.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_thirty_seconds(millis: &u64) -> bool {
    *millis == thirty_seconds()
}

fn one_minute() -> u64 {
    60
}

fn five_seconds() -> u64 {
    5_000
}
