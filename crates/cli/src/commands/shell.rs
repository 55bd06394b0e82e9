//! `mts completions` and `mts man`: made from the command line's own description.

use super::print::say;
use crate::args::Cli;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files::write_whole;
use clap::CommandFactory;
use std::path::Path;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mts", &mut script);
    say(String::from_utf8(script).or_exit(ExitKind::Internal)?.trim_end());
    Ok(())
}

/// Prints the manual page, or writes the pages of all commands into a folder.
pub(crate) fn man(out: Option<&Path>) -> Result<(), CliError> {
    let mut command = Cli::command();
    let Some(folder) = out else {
        say(String::from_utf8(page(command)?).or_exit(ExitKind::Internal)?.trim_end());
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        let message = format!("{} cannot be made: {error}; name another folder with --out", folder.display());
        CliError::new(ExitKind::Output, message)
    })?;
    // Gives every command below its whole name.
    command.build();
    let written = write_pages(folder, &command)?;
    say(&format!(
        "{written} pages in {}; read one with: man -l {}",
        folder.display(),
        folder.join("mts.1").display()
    ));
    Ok(())
}

fn write_pages(folder: &Path, command: &clap::Command) -> Result<usize, CliError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let page = page(command.clone())?;
    write_whole(&folder.join(format!("{name}.1")), &page)?;
    let mut written = 1;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        written += write_pages(folder, below)?;
    }
    Ok(written)
}

fn page(command: clap::Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).or_exit(ExitKind::Internal)?;
    Ok(page)
}
