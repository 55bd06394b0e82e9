//! The venues. None was run against a live venue here: the shapes come from their documents and from recordings.

pub mod alpaca;
pub mod binance;
pub mod bybit;
pub mod coinbase;
pub mod kraken;
pub mod okx;
pub mod polygon;
pub(crate) mod read;

pub use alpaca::Alpaca;
pub use binance::Binance;
pub use bybit::Bybit;
pub use coinbase::Coinbase;
pub use kraken::Kraken;
pub use okx::Okx;
pub use polygon::Polygon;
