//! `cargo xtask sim`: starts the simulated worlds of the package `mts-sim`, so that this tool stays small.

use crate::error::{Error, Result};
use crate::process::Program;
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask sim [--seeds A..B] [--crash-scenarios N] [--days N] [--json]
       cargo xtask sim --seed S [--trace] [--json]
       cargo xtask sim --case \"CASE\" [--trace] [--json]

Builds the simulation (mts-sim, optimised, with the checks of a debug build) and runs worlds in it that try to break the
order path; docs/simulation.md says how.

  --seeds A..B          each seed from A to B, B not included, with mixed faults
  --crash-scenarios N   N small worlds, crashed at every step, and some again while they recover
  --days N              N days of 500 orders whose events are dropped, doubled and reordered, each reconciled twice
  --seed S              one seed
  --case \"CASE\"         one case, as a failure prints it
  --trace               everything that happens in it
  --json                one JSON object in place of the lines

Without any of them it does what a pull request needs: --seeds 0..200 --crash-scenarios 20 --days 200. The exit code is 1 when a
promise was broken.";

/// What a pull request needs.
const SMALL: &[&str] = &["--seeds", "0..200", "--crash-scenarios", "20", "--days", "200"];

/// What `ci --full` needs.
const FULL: &[&str] = &["--seeds", "0..2000", "--crash-scenarios", "200", "--days", "10000"];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    check_arguments(arguments)?;
    program(arguments.iter().map(String::as_str)).run_for_code()
}

/// Fails unless all promises were kept. A pull request takes the program that CI built beside
/// the others: a profile of its own is a second build of everything below, and the tests of mts-sim run with all checks.
pub(crate) fn check(full: bool) -> Result<()> {
    if full {
        return program(FULL.iter().copied()).run();
    }
    Program::file(&workspace::built(workspace::CI_PROFILE, "mts-sim")).args(SMALL).run()
}

fn program<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    let runner = ["run", "--quiet", "--profile", "sim", "-p", "mts-sim", "--bin", "mts-sim", "--"];
    Program::cargo(runner.into_iter().chain(arguments)).folder(&workspace::root())
}

/// Looks at the names of the options, so that a typing error does not cost a build; the runner looks at their values.
fn check_arguments(arguments: &[String]) -> Result<()> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--trace" | "--json" => {}
            "--seeds" | "--seed" | "--crash-scenarios" | "--days" | "--case" => {
                if rest.next().is_none() {
                    return Err(Error::usage(format!("{argument} needs a value behind it: see --help")));
                }
            }
            _ => return Err(Error::usage(format!("sim has no option `{argument}`: see --help"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_options_are_refused_before_the_build() {
        let check = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            check_arguments(&arguments)
        };
        assert!(check(&["--seeds", "0..9", "--crash-scenarios", "1", "--json"]).is_ok());
        assert!(check(&["--case", "seed=1 small", "--trace"]).is_ok());
        for wrong in [&["--sed", "1"][..], &["--seed"], &["7"]] {
            assert_eq!(check(wrong).unwrap_err().code(), 2, "{wrong:?}");
        }
    }
}
