//! The command line of those who look into a journal.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Shows what a journal consists of; with --from or --to its records.
    Show(ShowArgs),
    /// Reads and checks every byte; exit code 5 and the place if something is damaged.
    Verify(VerifyArgs),
    /// Shows the last records.
    Tail(TailArgs),
    /// Writes the records as JSON, one a line.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// First record to show.
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<u64>,
    /// Last record to show.
    #[arg(long, value_name = "M")]
    pub(crate) to: Option<u64>,
    /// Prints one JSON object; of records one a line, complete.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// How many records.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) records: u64,
    /// Goes on with what is committed from now on, until it is interrupted.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Prints one JSON object a line, complete.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Writes to this file instead, whole or not at all.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// First record.
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<u64>,
    /// Last record.
    #[arg(long, value_name = "M")]
    pub(crate) to: Option<u64>,
    /// As it is anyway: the only format.
    #[arg(long)]
    pub(crate) json: bool,
}
