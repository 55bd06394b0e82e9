//! `cargo xtask conformance`: starts the runner of the package `mts-tests`, so that this tool stays small.

use crate::error::{Error, Result};
use crate::process::Program;
use crate::sdk;
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask conformance [--vectors DIR]... [--require FORMAT]... [--json]
       cargo xtask conformance --sdk [--venue NAME]
       cargo xtask conformance --broker NAME|all [CASE]... [--json] [--quiet] [--list [--markdown]]

Builds the runner (mts-conformance-runner of the package mts-tests, optimised) and runs test vectors with it, or the suite
of brokers against an adapter and the double of its venue (docs/conformance.md).

  --vectors DIR      a folder of vector files, searched with its subfolders; may be given more than once;
                     without it, the project's own copy in tests/vectors
  --require FORMAT   fail if vectors of this format were not run
  --json             print JSON in place of the table
  --broker NAME      the suite of brokers for this adapter, or for all; cases are chosen by the beginnings of their ids;
                     modes of the paper broker are adapters of their own: paper-bars, paper-latency, paper-cash

  --sdk              drive the doubles of venues with the venues' own clients (Python), compare what those send with
                     the captures in ../shared/vectors/wire where that folder exists, and print what was validated by
                     whom; without Python or a registry of packages it is skipped, but in CI a failure
  --venue NAME       only the double of this venue

A file without `header.format` is ignored with a line, a known format without a runner yet is listed as
\"not yet\", an unknown one fails. The exit code is the runner's.";

/// The project's own vectors, from the root of the workspace.
pub(crate) const OWN_VECTORS: &str = "tests/vectors";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    if let Some(wanted) = sdk::Wanted::read(arguments)? {
        return sdk::run(&wanted);
    }
    runner(arguments)?.run_for_code()
}

/// Fails unless the vectors of a folder are green, by the runner as CI built it.
pub(crate) fn check(folder: &str) -> Result<()> {
    Program::file(&workspace::built("debug", "mts-conformance-runner")).args(["--vectors", folder]).run()
}

/// Fails unless all brokers pass their suite, by the runner as CI built it.
pub(crate) fn check_brokers() -> Result<()> {
    Program::file(&workspace::built("debug", "mts-conformance-runner")).args(["--broker", "all"]).run()
}

fn runner(arguments: &[String]) -> Result<Program> {
    let root = workspace::root();
    // Folders on the command line are meant from where it was typed.
    let here = std::env::current_dir().unwrap_or_else(|_| root.clone());
    let own =
        if here == root { OWN_VECTORS.to_owned() } else { root.join(OWN_VECTORS).display().to_string() };
    let runner = ["run", "--quiet", "--release", "-p", "mts-tests", "--bin", "mts-conformance-runner", "--"];
    Ok(Program::cargo(runner).args(complete(arguments, &own)?).folder(&here))
}

/// The runner's arguments: checked here, so that a typing error does not cost a build.
fn complete(arguments: &[String], own_vectors: &str) -> Result<Vec<String>> {
    // What stands behind it is the suite's to read.
    if arguments.first().is_some_and(|first| first == "--broker" || first.starts_with("--broker=")) {
        return Ok(arguments.to_vec());
    }
    let mut rest = arguments.iter();
    let mut vectors = false;
    while let Some(argument) = rest.next() {
        let (name, value) = argument.split_once('=').map_or((argument.as_str(), None), |(n, v)| (n, Some(v)));
        match name {
            "--vectors" | "--require" => {
                vectors |= name == "--vectors";
                if value.is_none() && rest.next().is_none() {
                    return Err(Error::usage(format!("{name} needs a value behind it: see --help")));
                }
            }
            "--json" if value.is_none() => {}
            _ => return Err(Error::usage(format!("conformance has no option `{argument}`: see --help"))),
        }
    }
    let mut complete = arguments.to_vec();
    if !vectors {
        complete.splice(0..0, ["--vectors".to_owned(), own_vectors.to_owned()]);
    }
    Ok(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(arguments: &[&str]) -> Result<Vec<String>> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        complete(&arguments, "own")
    }

    #[test]
    fn the_projects_own_vectors_are_the_default() {
        assert_eq!(completed(&[]).unwrap(), ["--vectors", "own"]);
        assert_eq!(completed(&["--json"]).unwrap(), ["--vectors", "own", "--json"]);
        assert_eq!(completed(&["--vectors", "a", "--vectors=b"]).unwrap(), ["--vectors", "a", "--vectors=b"]);
        assert_eq!(completed(&["--broker", "all", "X"]).unwrap(), ["--broker", "all", "X"]);
        assert_eq!(completed(&["--require", "f/1"]).unwrap(), ["--vectors", "own", "--require", "f/1"]);
    }

    #[test]
    fn unknown_options_are_refused_before_the_build() {
        for arguments in [&["--vector", "a"][..], &["a"], &["--json=yes"], &["--vectors"]] {
            assert_eq!(completed(arguments).unwrap_err().code(), 2, "{arguments:?}");
        }
    }
}
