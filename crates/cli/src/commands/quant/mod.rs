//! `mts quant`: research at the command line.

mod allocate;
mod factors;
mod input;
mod stats;

use crate::args::quant::QuantCommand;
use crate::error::CliError;

/// Runs one of the commands.
pub(crate) fn run(command: &QuantCommand) -> Result<(), CliError> {
    match command {
        QuantCommand::Allocate(args) => allocate::allocate(args),
        QuantCommand::Factors(args) => factors::factors(args),
        QuantCommand::Stats(args) => stats::stats(args),
    }
}
