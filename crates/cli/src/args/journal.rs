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

/// What all of them need.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Prints JSON: one object, or of records one a line. An export is JSON with or without it.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct Span {
    /// First record.
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<u64>,
    /// Last record.
    #[arg(long, value_name = "M")]
    pub(crate) to: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[command(flatten)]
    pub(crate) span: Span,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) whose: Whose,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// How many records.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) records: u64,
    /// Goes on with what is committed from now on, until it is interrupted.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[command(flatten)]
    pub(crate) span: Span,
    /// Writes to this file instead, whole or not at all.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
