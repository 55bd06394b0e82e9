//! The commands.

mod act;
mod alert;
mod books;
mod config;
mod doctor;
mod explain;
mod gates;
mod init;
mod limits;
mod lists;
mod new;
mod print;
mod replay;
mod risk_check;
mod risk_show;
mod run;
mod schema;
mod shell;
mod status;

pub(crate) use act::{halt, kill, resume};
pub(crate) use alert::test_alerts;
pub(crate) use config::{check, keys};
pub(crate) use doctor::doctor;
pub(crate) use explain::explain;
pub(crate) use init::init;
pub(crate) use limits::limits;
pub(crate) use lists::{fills, list_incidents, list_positions, orders};
pub(crate) use new::new_strategy;
pub(crate) use print::say_error;
pub(crate) use replay::replay;
pub(crate) use risk_check::check_order;
pub(crate) use risk_show::show_risk;
pub(crate) use run::run;
pub(crate) use schema::schema;
pub(crate) use shell::{completions, man};
pub(crate) use status::status;
