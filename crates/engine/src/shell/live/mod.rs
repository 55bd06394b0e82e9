//! The live shell: real time, real or simulated brokers, strategies on their own threads.
//!
//! ```text
//! feeds ──▶ market lane ─┐                     ┌─▶ strategy threads ──▶ decisions ─┐
//! brokers ─▶ event lane ─┼─▶ the core's thread ┼─▶ calls to brokers ──▶ answers ───┼─▶ event lane
//! operators ─────────────┘   take, commit, act └─▶ asynchronous gates ─▶ answers ──┘
//! ```
//!
//! One thread owns the core and the journal. It takes what waits, makes it durable with one commit, and hands out what
//! follows. It never waits for a broker, a gate, a strategy or a feed. Every queue has a bound: a full market lane makes feeds wait, a
//! full event lane makes brokers' streams wait, a full queue to a broker answers *not sent* at once, and a strategy that is
//! too slow loses its oldest data, counted and told. Answers and fills are taken before market data.

mod brokers;
mod clock;
mod ending;
mod engine;
mod feed;
mod gates;
mod handles;
mod lanes;
mod stats;
mod traders;
mod turn;

pub use brokers::Venue;
pub use engine::{KillFlag, LiveEngine, LiveError, LiveParts, LiveRules, Stopper};
pub use lanes::{Ask, Handle, HandleError};
pub use stats::{Latency, LiveStats, Told};
