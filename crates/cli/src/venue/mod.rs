//! Venues for rehearsals: an exchange in a process of its own, so that an engine can be killed and the venue lives on, and
//! the doubles of real venues.

mod connection;
mod desk;
mod double;
mod faults;
mod log;
mod script;
mod serve;

pub(crate) use double::{double, first_quote};
pub(crate) use serve::serve;
