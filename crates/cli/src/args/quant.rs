//! The command line of research: allocations, factors, figures of returns.

use super::look::instant;
use clap::{Args, Subcommand};
use mts_foundation::{Interval, Symbol, Timestamp};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum QuantCommand {
    /// Weights from the returns of several instruments, by any allocator.
    Allocate(AllocateArgs),
    /// Lists the factors and what each was compared with.
    Factors(FactorsArgs),
    /// Figures of each column: return, risk, ratio, drawdown.
    Stats(StatsArgs),
}

/// Where the numbers come from.
#[derive(Debug, Args)]
pub(crate) struct PanelArgs {
    /// CSV file of prices, long or wide (docs/panel.md), or the folder of a store of bars (Parquet).
    #[arg(value_name = "FILE|DIR")]
    pub(crate) input: PathBuf,
    /// Only these instruments, with commas between them.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) symbols: Vec<Symbol>,
    /// Bars that end after this: ISO-8601, or a date, which means its midnight UTC.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) from: Option<Timestamp>,
    /// Bars that end at this or before.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) to: Option<Timestamp>,
    /// Length of a bar; of a store, which of its series.
    #[arg(long)]
    pub(crate) interval: Option<Interval>,
    /// Source of the series, where a store has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Calendar by which a date means the close of its session.
    #[arg(long, value_name = "NAME", default_value = "XNYS")]
    pub(crate) calendar: String,
    /// Periods in a year, for figures a year.
    #[arg(long, value_name = "N", default_value_t = 252.0)]
    pub(crate) periods_per_year: f64,
}

#[derive(Debug, Args)]
pub(crate) struct AllocateArgs {
    #[command(flatten)]
    pub(crate) panel: PanelArgs,
    /// The file holds simple returns, not prices: a wide CSV file with a first column of dates.
    #[arg(long)]
    pub(crate) returns: bool,
    /// Which allocator; a wrong name lists them.
    #[arg(long, value_name = "NAME", default_value = "hrp")]
    pub(crate) method: String,
    /// A parameter of the allocator, such as linkage=ward; the value is JSON where it can be read as that. May be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<String>,
    /// Only the last so many returns.
    #[arg(long, value_name = "ROWS")]
    pub(crate) window: Option<usize>,
    /// Folder for report.html and weights.csv; made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FactorsArgs {
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) panel: PanelArgs,
    /// The file holds simple returns, not prices: a wide CSV file with a first column of dates.
    #[arg(long)]
    pub(crate) returns: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
