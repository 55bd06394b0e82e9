//! `mts report`: the tear sheet of a fund.

use super::print::{say, say_json, table};
use crate::app::App;
use crate::args::books::ReportArgs;
use crate::error::CliError;
use crate::history::History;
use crate::run_folder::Until;
use crate::tear_sheet::{TearSheet, write};

/// Measures a fund and writes what was found.
pub(crate) fn report(app: &App, args: &ReportArgs) -> Result<(), CliError> {
    let run = &args.run;
    let until = run.until.unwrap_or(Until::END);
    let history = History::read_sessions(app, &run.folder, until, run.picks.as_deref())?;
    let sheet = TearSheet::of(&history, run.fund.as_ref())?;
    write(&sheet, &args.out)?;
    if args.json {
        return say_json(&sheet);
    }
    say(&table(&["", ""], sheet.figures(), &[1]));
    say(&format!("\nfiles in {}: {}", args.out.display(), crate::tear_sheet::NAMES.join(", ")));
    Ok(())
}
