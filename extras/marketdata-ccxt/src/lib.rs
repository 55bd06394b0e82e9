//! Public market data of exchanges that mts does not describe itself, through the
//! [`ccxt`](https://crates.io/crates/ccxt) crate.
//!
//! [`CcxtExchange`] is foundation's [`MarketData`](mts_foundation::MarketData): best prices, bars and trades by
//! canonical symbols. What it costs and what is not tested stands in the README. Two things differ from every other
//! source of mts:
//!
//! - It opens connections of its own, with `reqwest`, and reads the system's clock to build its requests: neither can
//!   be injected. It is to be awaited on a runtime of tokio with I/O and time.
//! - ccxt's numbers are `f64`. They are turned into the shortest decimal text that reads back as the same float, so a
//!   number of up to fifteen significant digits is the one that the exchange sent; longer ones are rounded by ccxt.

mod exchange;
mod read;
mod table;

pub use exchange::{CcxtError, CcxtExchange};
pub use table::EXCHANGES;
