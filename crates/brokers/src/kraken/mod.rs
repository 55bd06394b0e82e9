#![doc = include_str!("docs.md")]

mod capabilities;
mod checks;
mod client;
mod config;
mod error;
mod history;
mod listed;
mod map;
mod nonce;
mod order_map;
mod pairs;
mod private;
mod session;
mod sign;
mod symbols;
mod wire;

pub use capabilities::{PRIVATE, capabilities};
pub use client::Kraken;
pub use config::{KrakenConfig, Tier};
pub use pairs::Pairs;
pub use session::Executions;
pub use sign::{Key, form, signature};
pub use symbols::SYMBOLS;
