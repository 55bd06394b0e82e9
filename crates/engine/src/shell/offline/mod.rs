//! One thread, a simulated venue, time from the data: back-tests and replays.
//!
//! ```text
//! feed ──▶ backtest: one batch of bars a session, decisions after its close ─┐
//!      └─▶ replay: any data, decisions as in a live run, in the data's time ─┴─▶ desk: driver, venue, strategies
//! ```
//!
//! Both are functions of what goes in. A run that was interrupted begins anew and goes the way that its journal shows until
//! that ends; then it goes on, and ends as if nothing had happened.

mod backtest;
mod desk;
mod replay;

pub use backtest::{Backtest, OperatorScript};
pub use replay::Replay;

use crate::core::{Core, CoreError};
use crate::shell::NotReady;
use crate::shell::driver::DriverError;
use chrono::NaiveDate;
use mts_foundation::Timestamp;
use mts_foundation::broker::BrokerError;
use mts_foundation::calendar::CalendarError;
use mts_foundation::market_data::MarketDataError;

/// Why a run stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Core or journal refuse; nothing may go on without them.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A name cannot be used.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] MarketDataError),
    /// The calendar does not cover the run.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The venue fails.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A part did not answer at once.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A strategy fails.
    #[error("strategy {strategy} failed at {time}: {message}")]
    Strategy {
        /// Which.
        strategy: String,
        /// Time of the data.
        time: Timestamp,
        /// What it said.
        message: String,
    },
    /// The core's orders wait for asynchronous gates, and nobody here asks them.
    #[error(
        "async_gates is on, and a back-test or replay asks nobody: what somebody said at that time cannot come about again; set \
         async_gates to false"
    )]
    AsyncGates,
    /// Data lies on a day without a session.
    #[error(
        "the data has bars on {date}, which is no session of {calendar}; correct the data or the calendar"
    )]
    NoSession {
        /// The day.
        date: NaiveDate,
        /// The calendar.
        calendar: String,
    },
    /// The feed gives bars of a second instant of a session.
    #[error(
        "the feed gives bars of {first} and of {second} for one session; a back-test takes one batch of bars a session, such \
         as 1d; replay takes any"
    )]
    Intraday {
        /// The first instant.
        first: Timestamp,
        /// The second.
        second: Timestamp,
    },
    /// The feed gives what a back-test cannot take.
    #[error("the feed {feed} gives {what}; a back-test takes bars, replay takes any data")]
    NotBars {
        /// Which feed.
        feed: String,
        /// What it gives.
        what: &'static str,
    },
}

/// What a run goes through, for progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunProgress {
    /// The date reached.
    pub date: NaiveDate,
    /// Sessions begun so far.
    pub sessions: u64,
    /// Inputs so far.
    pub inputs: u64,
    /// Market events so far.
    pub market_events: u64,
}

/// What a finished run leaves.
#[derive(Debug)]
pub struct RunEnd {
    /// The core in its last state.
    pub core: Core,
    /// Inputs that the journal of an earlier, interrupted run held, and that came about again.
    pub replayed: u64,
    /// The last session that was traded.
    pub last_session: Option<NaiveDate>,
    /// Market events taken, those of the warm-up included.
    pub market_events: u64,
    /// Those of them that came after later ones; they count as of the time of these.
    pub late_events: u64,
}
