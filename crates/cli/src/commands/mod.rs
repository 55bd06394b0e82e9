//! The commands.

mod alert;
mod config;
mod doctor;
mod explain;
mod init;
mod new;
mod print;
mod run;
mod schema;
mod shell;

pub(crate) use alert::test_alerts;
pub(crate) use config::{check, keys};
pub(crate) use doctor::doctor;
pub(crate) use explain::explain;
pub(crate) use init::init;
pub(crate) use new::new_strategy;
pub(crate) use print::say_error;
pub(crate) use run::run;
pub(crate) use schema::schema;
pub(crate) use shell::{completions, man};
