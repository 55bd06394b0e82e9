//! The command line of stores of bars.

use super::look::instant;
use clap::{Args, Subcommand};
use mts_foundation::{Interval, Symbol, Timestamp};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Fetches candles of an exchange into a store; goes on where the store ends.
    Fetch(FetchArgs),
    /// Brings the bars of a CSV file into a store: all of them, or none.
    Import(ImportArgs),
    /// Shows what a store holds.
    Info(InfoArgs),
    /// Reads everything in a store and compares it with its checksums; exit code 1 when a part is damaged.
    Verify {
        /// Folder of the store.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Draws prices and volumes of a store; lines are broken where bars are missing.
    Plot(PlotArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// One of `mts exchanges`.
    #[arg(long, value_name = "NAME", required_unless_present = "descriptor", conflicts_with = "descriptor")]
    pub(crate) exchange: Option<String>,
    /// An exchange described by a TOML file of one's own, as docs/exchanges.md has it.
    #[arg(long, value_name = "FILE")]
    pub(crate) descriptor: Option<PathBuf>,
    /// Instruments, with commas between them.
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub(crate) symbols: Vec<Symbol>,
    /// Length of a bar, such as 1h or 1d.
    #[arg(long)]
    pub(crate) interval: Interval,
    /// Bars that end after this: ISO-8601, or a date, which means its midnight UTC. Where the store has bars, those after them.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) from: Timestamp,
    /// Bars that end at this or before [default: now].
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) to: Option<Timestamp>,
    /// Folder of the store; made where there is none.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Long, with a column `symbol` and a row a bar, or wide, with a row an instant; docs/panel.md describes both.
    pub(crate) file: PathBuf,
    /// Folder of the store; made where there is none.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Length of a bar.
    #[arg(long, default_value = "1d")]
    pub(crate) interval: Interval,
    /// Calendar by which a date means the close of its session.
    #[arg(long, value_name = "NAME", default_value = "XNYS")]
    pub(crate) calendar: String,
    /// Name of the source in the store.
    #[arg(long, value_name = "NAME", default_value = "csv")]
    pub(crate) source: String,
    /// A bar that differs from one that is there takes its place; without this it is an error.
    #[arg(long)]
    pub(crate) last_wins: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Folder of the store.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Shows each instrument; reads all parts.
    #[arg(long)]
    pub(crate) symbols: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    /// Folder of the store.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Instruments, with commas between them; at most eight.
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub(crate) symbols: Vec<Symbol>,
    /// Source, where the store has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Length of a bar, where the store has several.
    #[arg(long)]
    pub(crate) interval: Option<Interval>,
    /// Bars that end after this.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) from: Option<Timestamp>,
    /// Bars that end at this or before.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) to: Option<Timestamp>,
    /// The file to write: x.html or x.svg.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
