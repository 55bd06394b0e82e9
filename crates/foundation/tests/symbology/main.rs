//! Canonical symbols and their translation, seen from outside: every form, every refusal, and the tables of venues that
//! come later, to show that a table is all they need.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod forms;
mod generators;
mod properties;
mod tables;
mod venues;
