//! The commands.

mod act;
mod alert;
mod config;
mod doctor;
mod explain;
mod gates;
mod init;
pub(crate) mod journal;
mod limits;
mod new;
mod print;
mod risk_check;
mod risk_show;
mod run;
mod schema;
mod shell;

pub(crate) use act::{halt, kill, resume};
pub(crate) use alert::test_alerts;
pub(crate) use config::{check, keys};
pub(crate) use doctor::doctor;
pub(crate) use explain::explain;
pub(crate) use init::init;
pub(crate) use limits::limits;
pub(crate) use new::new_strategy;
pub(crate) use print::say_error;
pub(crate) use risk_check::check_order;
pub(crate) use risk_show::show_risk;
pub(crate) use run::run;
pub(crate) use schema::schema;
pub(crate) use shell::{completions, man};
