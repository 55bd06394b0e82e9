//! The command line of the runner.

use std::path::PathBuf;

/// What `--help` prints.
pub const USAGE: &str = "\
usage: mts-conformance-runner [--vectors DIR]... [--require FORMAT]... [--json]
       mts-conformance-runner --broker NAME|all [CASE]... [--json] [--quiet] [--list [--markdown]]

Runs the vector files (*.json) of folders and their subfolders against this build.

  --vectors DIR      a folder of vector files; may be given more than once; without it: tests/vectors
  --require FORMAT   fail unless at least one file of this format was run; may be given more than once
  --json             print one JSON object in place of the table
  --broker NAME      run the suite of brokers against the adapter NAME and its double instead, or against all
  --help             print this text

A file without `header.format` is ignored with a line, a known format without a runner yet is listed as
\"not yet\", an unknown one fails. A deviation is a case where a decision of this project contradicts the file;
it is counted under the decision's rule, neither as passed nor as failed. The last line of the table is
`N passed, N failed`; the second figure counts cases, files that cannot be run, folders without vectors and
requirements that are not met. The exit code is 0 if it is zero, 1 if not, 2 for a command line that was not
understood.";

/// The folder that is run when none is named.
const OWN: &str = "tests/vectors";

/// What to run, and how to print it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Folders of vectors.
    pub folders: Vec<PathBuf>,
    /// Formats that have to run.
    pub required: Vec<String>,
    /// Print JSON in place of the table.
    pub json: bool,
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Print [`USAGE`].
    Help,
    /// Run vectors.
    Run(Options),
}

impl Request {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    /// A sentence that says what was not understood.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            match name {
                "--help" | "-h" if value.is_none() => return Ok(Self::Help),
                "--json" if value.is_none() => options.json = true,
                "--vectors" | "--require" => {
                    let value = value.or_else(|| rest.next().cloned()).filter(|value| !value.is_empty());
                    let value = value.ok_or_else(|| format!("{name} needs a value behind it: see --help"))?;
                    if name == "--vectors" {
                        options.folders.push(PathBuf::from(value));
                    } else {
                        options.required.push(value);
                    }
                }
                _ => return Err(format!("there is no option `{argument}`: see --help")),
            }
        }
        if options.folders.is_empty() {
            options.folders.push(PathBuf::from(OWN));
        }
        Ok(Self::Run(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Request, String> {
        Request::parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_may_be_repeated_and_written_either_way() {
        let options = Options {
            folders: vec!["a".into(), "b".into()],
            required: vec!["f/1".to_owned(), "g/1".to_owned()],
            json: true,
        };
        let arguments = ["--vectors", "a", "--json", "--vectors=b", "--require=f/1", "--require", "g/1"];
        assert_eq!(parse(&arguments), Ok(Request::Run(options)));
        let own = Options { folders: vec![OWN.into()], ..Options::default() };
        assert_eq!(parse(&[]), Ok(Request::Run(own)));
        assert_eq!(parse(&["--json", "-h"]), Ok(Request::Help));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for arguments in [&["--vector", "a"][..], &["a"], &["--json=yes"], &["--vectors"], &["--require="]] {
            assert!(
                parse(arguments).is_err_and(|sentence| sentence.ends_with("see --help")),
                "{arguments:?}"
            );
        }
    }
}
