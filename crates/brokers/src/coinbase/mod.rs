#![doc = include_str!("docs.md")]

mod capabilities;
mod checks;
mod client;
mod config;
mod history;
mod map;
mod orders;
mod session;
mod sign;
mod symbols;
mod wallets;
mod watch;
mod wire;

pub use capabilities::{REQUESTS_A_MINUTE, REQUESTS_AT_ONCE, capabilities};
pub use client::Coinbase;
pub use config::{CoinbaseConfig, TradingMode};
pub use session::UserChannel;
pub use sign::{KeyFault, Signer};
pub use symbols::SYMBOLS;
