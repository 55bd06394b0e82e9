//! Files and the live stream of Databento, on records made here and on Databento's own samples where they are.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod damage;
mod live;
mod made;
mod meaning;
mod pace;
mod samples;
