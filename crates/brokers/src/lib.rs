#![doc = include_str!("../README.md")]
//!
//! Broker adapters. Each lives in its own folder, imports no other adapter and exposes its configuration and itself.

#[cfg(feature = "alpaca")]
pub mod alpaca;
#[cfg(feature = "coinbase")]
pub mod coinbase;
#[cfg(feature = "ibkr")]
pub mod ibkr;
pub mod kit;
#[cfg(feature = "kraken")]
pub mod kraken;
pub mod loopback;
pub mod paper;
pub mod robinhood;

#[cfg(feature = "alpaca")]
pub use alpaca::{Alpaca, AlpacaConfig};
#[cfg(feature = "coinbase")]
pub use coinbase::{Coinbase, CoinbaseConfig};
#[cfg(feature = "ibkr")]
pub use ibkr::{Ibkr, IbkrConfig};
#[cfg(feature = "kraken")]
pub use kraken::{Kraken, KrakenConfig};
pub use loopback::{LoopbackBroker, LoopbackConfig};
pub use paper::{PaperBroker, PaperConfig};
