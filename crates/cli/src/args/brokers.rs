//! The command line of the brokers.

use clap::{Args, Subcommand};
use mts_foundation::Decimal;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum BrokersCommand {
    /// Lists the brokers that this program can trade with.
    List {
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows what brokers can do: order types, times in force, and more.
    Capabilities {
        /// Which; all without it.
        name: Option<String>,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
        /// Writes tables in Markdown, for documents; without a name, all brokers side by side.
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
    },
    /// Tries a broker: whether it is reached, takes the credentials, and shows account, prices, time and stream. No order is sent.
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Which broker, with its default settings.
    #[arg(long, value_name = "NAME", required_unless_present = "config")]
    pub(crate) broker: Option<String>,
    /// The configuration whose broker is tried, with its settings.
    #[arg(long, value_name = "FILE", conflicts_with = "broker")]
    pub(crate) config: Option<PathBuf>,
    /// Tries the adapter against the venue's double on this machine, which is started for it.
    #[arg(long, requires = "broker")]
    pub(crate) double: bool,
    /// The instrument whose prices are asked for.
    #[arg(long)]
    pub(crate) symbol: Option<String>,
    /// Also places a purchase with this limit, finds it by its key, and cancels it; --symbol says of what. Real orders leave: choose
    /// a limit that cannot fill.
    #[arg(long, value_name = "LIMIT", requires = "symbol")]
    pub(crate) order: Option<Decimal>,
    /// Units of that order.
    #[arg(long, value_name = "UNITS", default_value = "1", requires = "order")]
    pub(crate) units: Decimal,
    /// Real orders may leave: needed by --order where the venue is no double.
    #[arg(long)]
    pub(crate) live: bool,
    /// Writes a tape of what goes over its connections into this folder, without secrets.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
