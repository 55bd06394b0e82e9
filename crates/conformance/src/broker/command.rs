//! The suite as a program: what its command line asks for.

use super::cases::ROWS;
use super::{Suite, SuiteError, table};
use crate::Outcome;
use std::io::Write as _;
use std::process::ExitCode;

/// How the program is used.
pub const USAGE: &str = "\
usage: [CASE]... [--json] [--quiet]       run the cases whose ids begin so (X, X-07), or all
       --list [--markdown]                show the cases

  --exact            ids must be equal and not begin so
  --skip CASE        leave these out
  --test-threads N   run so many cases at once
  --json             print one JSON object in place of the table
  --quiet            print only cases that failed, and the totals

The other options of Rust's test harness (--nocapture, --format, --ignored, --include-ignored, --color) are taken, so that
cargo test and cargo nextest can run it.";

/// What a command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Show the usage.
    pub help: bool,
    /// Show the cases.
    pub list: bool,
    /// As a table in Markdown.
    pub markdown: bool,
    /// As the harness lists tests.
    pub terse: bool,
    /// Print JSON.
    pub json: bool,
    /// Print failures only.
    pub quiet: bool,
    /// Ids are whole.
    pub exact: bool,
    /// Only ignored tests: there are none.
    pub ignored: bool,
    /// Which cases; all, if empty.
    pub cases: Vec<String>,
    /// Which not.
    pub skip: Vec<String>,
    /// How many at once.
    pub jobs: Option<usize>,
}

impl Request {
    /// Reads a command line, without the name of the program.
    ///
    /// # Errors
    /// A sentence about what is not understood.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut request = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, given) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
                _ => (argument, None),
            };
            let mut value = || {
                given
                    .clone()
                    .or_else(|| arguments.next())
                    .ok_or_else(|| format!("{name} needs a value behind it"))
            };
            match name.as_str() {
                "--help" | "-h" => request.help = true,
                "--list" => request.list = true,
                "--markdown" => request.markdown = true,
                "--json" => request.json = true,
                "--quiet" | "-q" => request.quiet = true,
                "--exact" => request.exact = true,
                "--ignored" => request.ignored = true,
                "--nocapture" | "--no-capture" | "--include-ignored" | "--show-output" => {}
                "--format" => request.terse = value()? == "terse",
                "--color" => drop(value()?),
                "--skip" => request.skip.push(value()?),
                "--test-threads" => {
                    let text = value()?;
                    let jobs = text.parse().map_err(|_| format!("--test-threads {text} is no number"))?;
                    request.jobs = Some(jobs);
                }
                other if other.starts_with('-') => {
                    return Err(format!("there is no option {other}: see --help"));
                }
                case => request.cases.push(case.to_ascii_uppercase()),
            }
        }
        let known = |case: &&String| !ROWS.iter().any(|row| row.case.id.starts_with(case.as_str()));
        if let Some(strange) = request.cases.iter().find(known) {
            return Err(format!("no case begins with {strange}: --list shows them"));
        }
        Ok(request)
    }

    /// Whether a case is asked for.
    #[must_use]
    pub fn wants(&self, id: &str) -> bool {
        let named = |names: &[String]| {
            names.iter().any(|name| if self.exact { id == name } else { id.starts_with(name.as_str()) })
        };
        !self.ignored && (self.cases.is_empty() || named(&self.cases)) && !named(&self.skip)
    }
}

fn complain(text: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "{text}"));
    ExitCode::from(2)
}

pub(super) fn main(suite: &Suite) -> ExitCode {
    let request = match Request::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(sentence) => return complain(&format!("{sentence}\n\n{USAGE}")),
    };
    match suite.print(&request) {
        Ok((text, passed)) => {
            // A reader that went away is not an error.
            drop(writeln!(std::io::stdout(), "{text}"));
            ExitCode::from(u8::from(!passed))
        }
        Err(error) => complain(&error.to_string()),
    }
}

impl Suite {
    /// Does what a command line asks for: what is to be printed, and whether no case failed.
    ///
    /// # Errors
    /// As [`Suite::run`].
    pub fn print(&self, request: &Request) -> Result<(String, bool), SuiteError> {
        if request.help {
            return Ok((USAGE.to_owned(), true));
        }
        if request.list {
            return Ok((list(request).trim_end().to_owned(), true));
        }
        let mut report = self.run_with(request.jobs, &|id| request.wants(id))?;
        let passed = report.passed();
        if request.json {
            return Ok((report.to_json().unwrap_or_default(), passed));
        }
        let totals = report.totals();
        if request.quiet {
            report.cases.retain(|case| case.outcome == Outcome::Failed);
        }
        Ok((format!("{}{totals}", report.table()), passed))
    }
}

fn list(request: &Request) -> String {
    if request.markdown {
        return table::cases_table();
    }
    let mut lines = String::new();
    for row in ROWS.iter().filter(|row| request.wants(row.case.id)) {
        let case = row.case;
        let line = if request.terse {
            format!("{}: test\n", case.id)
        } else {
            format!("{}@{}  {}\n", case.id, case.version, case.requirement)
        };
        lines.push_str(&line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, String> {
        Request::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn cases_are_chosen_by_the_beginnings_of_their_ids() {
        let request = parse("x a-01 --skip X-02").unwrap();
        assert!(
            request.wants("X-01")
                && request.wants("A-01")
                && !request.wants("X-02")
                && !request.wants("A-02")
        );
        assert!(!parse("X --exact").unwrap().wants("X-01"));
        assert!(parse("").unwrap().wants("H-01"));
        assert!(!parse("--ignored").unwrap().wants("H-01"));
    }

    #[test]
    fn the_harness_options_are_taken_and_others_refused() {
        let request = parse("--list --format terse --test-threads=2 --nocapture").unwrap();
        assert!(request.list && request.terse && request.jobs == Some(2));
        assert!(list(&request).starts_with("C-01: test\n"));
        assert!(parse("--lst").unwrap_err().contains("--lst"));
        assert!(parse("Q-1").unwrap_err().contains("Q-1"));
        assert!(parse("--skip").is_err());
    }
}
