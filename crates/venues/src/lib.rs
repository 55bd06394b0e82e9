#![doc = include_str!("../README.md")]

mod alpaca;
mod coinbase;
mod databento;
mod desk;
mod dialect;
mod ibkr;
mod kraken;
mod market;
mod polygon;
mod server;

use mts_foundation::order::UnknownName;
use mts_foundation::{Clock, Decimal};
pub use server::Double;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The venues that have a double here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Venue {
    /// Alpaca, trading API version 2.
    Alpaca,
    /// Coinbase Advanced Trade, API version 3.
    Coinbase,
    /// Databento's live gateway: prices alone.
    Databento,
    /// Interactive Brokers: Trader Workstation or its gateway.
    Ibkr,
    /// Kraken spot, REST and WebSocket version 2.
    Kraken,
    /// Polygon, now Massive: prices alone.
    Polygon,
}

impl Venue {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Alpaca, Self::Coinbase, Self::Databento, Self::Ibkr, Self::Kraken, Self::Polygon];

    /// The name, as the broker's or the vendor's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alpaca => "alpaca",
            Self::Coinbase => "coinbase",
            Self::Databento => "databento",
            Self::Ibkr => "ibkr",
            Self::Kraken => "kraken",
            Self::Polygon => "polygon",
        }
    }

    /// Whether one can trade there; else it has prices alone.
    #[must_use]
    pub const fn trades(self) -> bool {
        !matches!(self, Self::Databento | Self::Polygon)
    }

    /// Starts its double.
    ///
    /// # Errors
    /// [`StartError`], such as a port that another process has.
    pub fn start(self, options: Options) -> Result<Double, StartError> {
        match self {
            Self::Alpaca => alpaca::start(options),
            Self::Coinbase => coinbase::start(options),
            Self::Databento => databento::start(options),
            Self::Ibkr => ibkr::start(options),
            Self::Kraken => kraken::start(options),
            Self::Polygon => polygon::start(options),
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Venue {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.iter().find(|venue| venue.as_str() == text).copied().ok_or_else(|| UnknownName {
            value: text.to_owned(),
            known: Self::ALL.iter().map(|venue| venue.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// How a double starts.
pub struct Options {
    /// Where it reads the time; a double that shall be driven by a test's clock gets that one.
    pub clock: Arc<dyn Clock>,
    /// Where it listens on 127.0.0.1; 0 = a free port.
    pub port: u16,
    /// What ids and credentials are made of.
    pub seed: u64,
    /// Cash at the start, in the account's base currency.
    pub cash: Decimal,
    /// Speaks TLS as well as plain HTTP, at the same port, with a certificate made for this run.
    pub tls: bool,
    /// What else the venue may be like, by names of the venue's own; one that it does not know is refused.
    pub variants: Vec<String>,
    /// Gets a line for each request and act.
    pub log: Option<Box<dyn std::io::Write + Send>>,
}

impl Options {
    /// A free port, seed 1 and a million of cash, without a log.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            port: 0,
            seed: 1,
            cash: Decimal::from(1_000_000),
            tls: false,
            variants: Vec::new(),
            log: None,
        }
    }
}

impl Options {
    /// The variants, where the venue knows them all.
    pub(crate) fn variants_of(&self, venue: &str, known: &[&str]) -> Result<Vec<String>, StartError> {
        match self.variants.iter().find(|variant| !known.contains(&variant.as_str())) {
            None => Ok(self.variants.clone()),
            Some(strange) => {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(StartError::Setting(format!(
                    "variant is {strange:?}; the double of {venue} knows {known}"
                )))
            }
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("port", &self.port)
            .field("seed", &self.seed)
            .field("cash", &self.cash)
            .finish_non_exhaustive()
    }
}

/// Why a double did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is not to be had.
    #[error("port is {port} and cannot be listened at ({error}); choose another one, or 0 for a free one")]
    Listen {
        /// The port.
        port: u16,
        /// What the system says.
        error: std::io::Error,
    },
    /// A thread or the like is not to be had.
    #[error("the double's thread cannot start ({0}); free resources of this machine")]
    Runtime(std::io::Error),
    /// A setting out of range.
    #[error("{0}")]
    Setting(String),
}
