//! Runs in real time: paper, shadow and live.

mod clock;
pub(crate) mod control;
mod drill;
mod kill_file;
mod loopback;
mod metrics;
mod run;
mod walk;

pub(crate) use clock::{SteadyClock, SystemClock};
pub(crate) use drill::make as drill;
pub(crate) use kill_file::{KILL_FILE, KillNote};
pub(crate) use loopback::{loopback_address, make as loopback};
pub(crate) use run::trade;
pub(crate) use walk::make as walk;
