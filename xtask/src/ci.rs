//! `cargo xtask ci`: what a pull request needs, step by step, and a table of times at the end.

use crate::api;
use crate::bench;
use crate::conformance;
use crate::console;
use crate::crates;
use crate::error::{Error, Result};
use crate::fuzz;
use crate::lint;
use crate::mutants;
use crate::process::Program;
use crate::sdk;
use crate::secrets;
use crate::sim;
use crate::smoke;
use crate::soak;
use crate::steps::{Outcome, Steps};
use crate::test;
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask ci [--full]

Runs what a pull request needs, every step to its end, and fails if any of them failed:

  lint          cargo xtask lint
  build         cargo build --workspace: programs, tests and examples (lint has checked the benches)
  programs      the simulation, optimised; with --full also mts as it is handed on
  secrets       cargo xtask secrets: installs a Vault server and reads secrets of it
  test          cargo xtask test
  conformance   the vectors in tests/vectors, and those of ../shared/vectors/ml4t where that folder exists
  clients       cargo xtask conformance --sdk: the venues' own clients against our doubles
  brokers       cargo xtask conformance --broker all: the suite of brokers against every adapter and its double
  smoke         mts (with --full also optimised) runs examples/momentum.toml into an empty folder; the result is that of tests/golden;
                the strategy that `mts new strategy` writes trades
  risk oracle   100,000 made-up orders (with --full a million): the risk machine answers as a model of its documentation does
  simulation    200 simulated worlds, 20 crashed at every step, 200 days reconciled; with --full 2000, 200 and 10000
  kills         with --full: the real program killed 200 times, and 50 faults of its disk; a million fills against a slow ledger
  api           cargo xtask api: the public interfaces are those of docs/api
  examples      cargo xtask crates: the crates' examples run and print what they should,
  own           crates outside of the workspace build and work: a gate and a broker of one's own pass their suites, that of
                `mts new broker` fails by name what is not written; with --full that of `mts new strategy` trades
  outside       each crate is usable from outside without the others,
  features      without features; with --full also with each alone and with all, and the tests behind the feature
                `databento`,
  package       and can be packed
  extras        with --full: cargo xtask crates extras, the crate that wraps ccxt
  soak          with --full: cargo xtask soak, ten minutes
  fuzz          with --full: cargo xtask fuzz, a minute each target
  mutants       with --full: cargo xtask mutants, a sample of riskengine and engine
  benches       with --full: all benchmarks, short

With CI=true a tool that is not installed is a failure; without, what needs it is skipped. The last lines are a
table of the steps with their times, and `N passed, N failed` for the tests.";

/// Vectors beside the repository, present in CI and on the maintainers' machines.
const SHARED_VECTORS: &str = "../shared/vectors/ml4t";

/// What is built with a profile of CI's own: the simulation takes ten times as long without. All else runs as the tests have
/// built it, for compiling is most of what CI costs.
const PROGRAMS: &[&str] =
    &["build", "--profile", workspace::CI_PROFILE, "--package", "mts-sim", "--bin", "mts-sim"];

/// What is handed on, for the long runs.
const RELEASE: &[&str] = &["build", "--release", "--package", "mts-cli", "--bin", "mts"];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let full = match arguments {
        [] => false,
        [only] if only == "--full" => true,
        _ => return Err(Error::usage("ci knows only the option --full: see --help")),
    };
    let mut steps = Steps::new("ci");
    let mut tally = None;
    steps.step("lint", || lint::run(&[]).map(|_| Outcome::Passed));
    steps.step("build", || {
        Program::cargo(["build"]).args(crates::WORKSPACE).run()?;
        Ok(Outcome::Passed)
    });
    steps.step("programs", || cargo(PROGRAMS));
    if full {
        steps.step("release", || cargo(RELEASE));
    }
    steps.step("secrets", secrets::check);
    steps.step("test", || {
        let tested = test::run_tests(&[], Some(&workspace::built("debug", "mts")))?;
        tally = tested.tally;
        tested.verdict.map(|()| Outcome::Passed)
    });
    steps.step("conformance", || conformance::check(conformance::OWN_VECTORS).map(|()| Outcome::Passed));
    steps.step("conformance (shared)", || {
        if !workspace::root().join(SHARED_VECTORS).is_dir() {
            return Ok(Outcome::Skipped(format!("{SHARED_VECTORS} does not exist here")));
        }
        conformance::check(SHARED_VECTORS).map(|()| Outcome::Passed)
    });
    steps.step("clients", || sdk::check(&workspace::built("debug", "mts")));
    steps.step("brokers", || conformance::check_brokers().map(|()| Outcome::Passed));
    steps.step("smoke", || smoke::check(if full { &["release", "debug"] } else { &["debug"] }));
    steps.step("risk oracle", || risk_oracle(if full { "1000000" } else { "100000" }));
    steps.step("simulation", || sim::check(full).map(|()| Outcome::Passed));
    if full {
        steps.step("kills", || repeated("rehearsal", "MTS_KILLS", "200"));
        steps.step("disk faults", || repeated("disk", "MTS_DISK_FAULTS", "10"));
        steps.step("million fills", || repeated("million_fills", "MTS_MILLION_FILLS", "1"));
    }
    steps.step("api", || api::check(false));
    for (name, step) in crates::STEPS {
        steps.step(name, || step(full));
    }
    if full {
        steps.step("soak", || soak::check().map(|()| Outcome::Passed));
        steps.step("fuzz", fuzz::check);
        steps.step("mutants", mutants::check);
        steps.step("benches", || bench::run_all().map(|()| Outcome::Passed));
    }
    let verdict = steps.finish();
    if let Err(error) = &verdict {
        console::out(error);
    }
    // CI reads the closing line for the number of tests, so it is the last.
    if let Some(tally) = tally {
        console::out(tally.line());
    }
    Ok(u8::from(verdict.is_err()))
}

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    Program::cargo(arguments).run()?;
    Ok(Outcome::Passed)
}

/// Tests of the real program with more rounds than a pull request has; they take longer than the runner of tests lets one.
fn repeated(test: &str, variable: &'static str, rounds: &str) -> Result<Outcome> {
    let program = workspace::built("release", "mts").display().to_string();
    let tests = Program::cargo(["test", "--workspace", "--test", test, "--", "--nocapture"]);
    tests.variable(variable, rounds).variable("MTS_PROGRAM", program).run()?;
    Ok(Outcome::Passed)
}

/// The risk machine against a model of its documentation.
fn risk_oracle(orders: &str) -> Result<Outcome> {
    Program::file(&workspace::built("debug", "mts-risk-oracle")).args(["--orders", orders]).run()?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_options_are_refused() {
        assert_eq!(run(&["--fast".to_owned()]).unwrap_err().code(), 2);
    }
}
