#![doc = include_str!("docs.md")]

mod book;
mod capabilities;
mod client;
mod codes;
mod config;
mod contracts;
mod feed;
mod history;
mod join;
mod link;
mod map;
mod order_ids;
mod orders;
mod outcome;
mod queries;
mod request;
mod session;
mod told;
mod turns;
mod wire;

pub use capabilities::{MESSAGES_A_SECOND, capabilities};
pub use client::Ibkr;
pub use config::IbkrConfig;
pub use contracts::{ContractFields, contract_of, symbol_of};
pub use session::{OrderUpdates, Shared};
