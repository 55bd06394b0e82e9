//! The command line of the rehearsal venue and of venues' doubles.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum VenueCommand {
    /// Serves an exchange on this machine until it is ended; broker "loopback" of a live run trades there.
    Serve(ServeArgs),
    /// Serves a double of Alpaca on this machine until it is ended: its wire protocol over a simulated exchange.
    Alpaca(DoubleArgs),
    /// Serves a double of Coinbase Advanced Trade on this machine until it is ended.
    Coinbase(DoubleArgs),
    /// Serves a double of Databento's live gateway on this machine until it is ended: its prices, without an account.
    Databento(DoubleArgs),
    /// Serves a double of Interactive Brokers' gateway on this machine until it is ended: its socket over a simulated exchange.
    Ibkr(DoubleArgs),
    /// Serves a double of Kraken spot on this machine until it is ended: its wire protocol over a simulated exchange.
    Kraken(DoubleArgs),
    /// Serves a double of Polygon (Massive) on this machine until it is ended: its prices, without an account.
    Polygon(DoubleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DoubleArgs {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port: u16,
    /// What goes wrong, and when: a TOML list of steps (docs/venues.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Speaks TLS too, at the same port, and writes the certificate that clients must trust to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls: Option<PathBuf>,
    /// What else the venue is like, such as `ed25519` for keys of that kind at Coinbase (docs/venues.md); may be given more
    /// than once.
    #[arg(long = "variant", value_name = "NAME")]
    pub(crate) variants: Vec<String>,
    /// Writes each request and each thing done to it to this file, one a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// What ids and credentials are made of.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration of the run that will trade there: the venue takes cash, prices and fees from it.
    pub(crate) config: PathBuf,
    /// Address on this machine; port 0 takes a free one [default: broker.params.address].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Writes what comes and what is done to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Milliseconds before the venue sees a request.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) latency_ms: u64,
    /// Of a thousand requests, how many are done and never answered.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) drop_acks: u32,
    /// Of a thousand requests, how many cut the connection, half of them before the venue sees them.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) cut: u32,
    /// Which of the requests these are.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}
