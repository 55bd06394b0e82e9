//! Robinhood Crypto. The folder begins with how it names instruments; the adapter comes later.

pub mod symbols;

pub use symbols::SYMBOLS;
