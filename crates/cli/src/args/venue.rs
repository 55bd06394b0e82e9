//! The command line of the rehearsal venue.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum VenueCommand {
    /// Serves an exchange on this machine until it is ended; broker "loopback" of a live run trades there.
    Serve(ServeArgs),
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
