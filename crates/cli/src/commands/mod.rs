//! The commands.

mod config;
mod explain;
mod new;
mod print;
mod run;
mod schema;

pub(crate) use config::{check, keys};
pub(crate) use explain::explain;
pub(crate) use new::new_strategy;
pub(crate) use print::say_error;
pub(crate) use run::run;
pub(crate) use schema::schema;
