#![doc = include_str!("docs.md")]

mod capabilities;
mod client;
mod config;
mod history;
mod map;
mod session;
mod symbols;
mod wire;

pub use capabilities::{REQUESTS_A_MINUTE, capabilities};
pub use client::Alpaca;
pub use config::AlpacaConfig;
pub use session::TradeUpdates;
pub use symbols::SYMBOLS;
