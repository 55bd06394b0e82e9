//! A simulated world that tries to break the order path.
//!
//! The process under test is real: the engine's driver and core, the risk machine with all gates, the journal's format. What
//! is around it is made up: the clock, the venues, the network, the disk, the strategies. A seed decides everything, so that
//! the same seed gives the same run, byte for byte; see docs/simulation.md.

mod calls;
pub mod case;
pub mod check;
mod day;
pub mod disk;
mod ending;
mod families;
pub mod faults;
mod kin;
mod life;
mod load;
pub mod plant;
pub mod process;
pub mod random;
pub mod scenario;
pub mod setup;
pub mod venue;
mod world;

pub use case::{Case, CaseReport};
pub use check::Violation;
pub use day::day;
pub use faults::{Fault, Faults};
pub use plant::Plant;
pub use process::{Shown, SimError, Simulation};
pub use world::Trace;
