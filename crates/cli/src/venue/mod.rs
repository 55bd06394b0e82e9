//! The rehearsal venue: an exchange in a process of its own, so that an engine can be killed and the venue lives on.

mod connection;
mod desk;
mod faults;
mod log;
mod serve;

pub(crate) use serve::serve;
