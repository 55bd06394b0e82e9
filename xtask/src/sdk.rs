//! `cargo xtask conformance --sdk`: other people's clients against our doubles of venues.
//!
//! Each venue has a Python program in tests/sdk that starts the double (`mts venue NAME`), drives it with the venue's own
//! client, compares what that client sends with captures, and prints what was validated by whom. The clients live in a
//! virtual environment of their own below the target folder, at pinned versions.

use std::path::{Path, PathBuf};

use crate::console;
use crate::error::{Error, Result};
use crate::process::Program;
use crate::steps::Outcome;
use crate::workspace;

/// The venues, by the names of their doubles.
const VENUES: &[&str] = &["alpaca", "coinbase", "databento", "ibkr", "kraken", "polygon"];

/// What clients sent to recorders, beside the repository.
const CAPTURES: &str = "../shared/vectors/wire";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    venues: Vec<&'static str>,
}

impl Wanted {
    /// Reads `--sdk [--venue NAME]`; `None` when it is another command.
    pub(crate) fn read(arguments: &[String]) -> Result<Option<Self>> {
        if !arguments.iter().any(|argument| argument == "--sdk") {
            return Ok(None);
        }
        let mut venues = VENUES.to_vec();
        let mut rest = arguments.iter().map(String::as_str).filter(|argument| *argument != "--sdk");
        while let Some(argument) = rest.next() {
            let name = match argument.split_once('=') {
                Some(("--venue", name)) => Some(name),
                None if argument == "--venue" => rest.next(),
                _ => {
                    return Err(Error::usage(format!(
                        "conformance --sdk has no option `{argument}`: see --help"
                    )));
                }
            };
            let name = name.unwrap_or_default();
            let known = VENUES.iter().find(|venue| **venue == name);
            let known = known.ok_or_else(|| {
                Error::usage(format!("--venue is {name:?}: use one of {}", VENUES.join(", ")))
            })?;
            venues = vec![known];
        }
        Ok(Some(Self { venues }))
    }
}

/// Runs the command.
pub(crate) fn run(wanted: &Wanted) -> Result<u8> {
    let mts = program()?;
    match drive(wanted, &mts)? {
        Outcome::Passed => {}
        Outcome::Skipped(reason) => console::out(format_args!("SKIPPED: {reason}")),
    }
    Ok(0)
}

/// All venues, as a step of CI, with a program that is built already.
pub(crate) fn check(mts: &Path) -> Result<Outcome> {
    drive(&Wanted { venues: VENUES.to_vec() }, mts)
}

/// The program that serves doubles: the one that MTS_PROGRAM names, else one that is built now.
fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("MTS_PROGRAM") {
        return Ok(program.into());
    }
    Program::cargo(["build", "--quiet", "--package", "mts-cli", "--bin", "mts"]).run()?;
    Ok(workspace::built("debug", "mts"))
}

fn drive(wanted: &Wanted, mts: &Path) -> Result<Outcome> {
    if !Program::named("python3").args(["-c", "import venv, ensurepip"]).works() {
        return Outcome::without("python3 with venv", "install Python 3.11 or later with its venv module");
    }
    for venue in &wanted.venues {
        let python = match environment(venue) {
            Ok(python) => python,
            // Without a registry there are no clients: not our fault, unless CI says that there must be some.
            Err(error) => return Outcome::without(&format!("the clients of {venue}"), &error.to_string()),
        };
        let script = format!("tests/sdk/{venue}_double.py");
        let captures = workspace::root().join(CAPTURES);
        let arguments = ["-B".to_owned(), script, mts.display().to_string(), captures.display().to_string()];
        Program::file(&python).args(arguments).run()?;
    }
    Ok(Outcome::Passed)
}

/// Python with the clients of a venue, in an environment that is made once for each list of versions.
fn environment(venue: &str) -> Result<PathBuf> {
    let list = workspace::root().join(format!("tests/sdk/{venue}_double.txt"));
    let unreadable =
        |error: std::io::Error| Error::failed(format!("{} cannot be read: {error}", list.display()));
    let versions = std::fs::read_to_string(&list).map_err(unreadable)?;
    let folder = workspace::target_folder().join("sdk").join(venue);
    let (python, done) = (folder.join("bin/python"), folder.join("versions.txt"));
    if std::fs::read_to_string(&done).is_ok_and(|there| there == versions) {
        return Ok(python);
    }
    Program::named("python3").args(["-m", "venv", "--clear", &folder.display().to_string()]).run()?;
    let list = list.display().to_string();
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &list];
    Program::file(&python).args(install).run()?;
    std::fs::write(&done, versions)
        .map_err(|error| Error::failed(format!("{} cannot be written: {error}", done.display())))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Option<Wanted>> {
        Wanted::read(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_names_venues() {
        let all = Some(Wanted { venues: VENUES.to_vec() });
        assert_eq!(read(&["--sdk"]).unwrap(), all);
        for arguments in [&["--sdk", "--venue", "alpaca"][..], &["--venue=alpaca", "--sdk"]] {
            assert_eq!(read(arguments).unwrap(), Some(Wanted { venues: vec!["alpaca"] }));
        }
        assert_eq!(read(&["--json"]).unwrap(), None);
        for arguments in [&["--sdk", "--venue"][..], &["--sdk", "--venue", "x"], &["--sdk", "--json"]] {
            assert_eq!(read(arguments).unwrap_err().code(), 2, "{arguments:?}");
        }
    }

    #[test]
    fn each_venue_has_its_program_and_its_versions() {
        for venue in VENUES {
            for file in ["py", "txt"] {
                let path = workspace::root().join(format!("tests/sdk/{venue}_double.{file}"));
                assert!(path.is_file(), "{}", path.display());
            }
        }
    }
}
