//! `cargo xtask ci`: what a pull request needs, step by step, and a table of times at the end.

use serde_json::Value;

use crate::api;
use crate::bench;
use crate::conformance;
use crate::console;
use crate::crates;
use crate::error::{Error, Result};
use crate::folder::EmptyFolder;
use crate::lint;
use crate::process::Program;
use crate::sim;
use crate::soak;
use crate::steps::{Outcome, Steps};
use crate::test;
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask ci [--full]

Runs what a pull request needs, every step to its end, and fails if any of them failed:

  lint          cargo xtask lint
  build         cargo build --workspace --all-targets
  release       the programs, optimised: mts, the conformance runner, the risk oracle, the simulation
  test          cargo xtask test, with the optimised mts where tests drive the program
  conformance   the vectors in tests/vectors, and those of ../shared/vectors/ml4t where that folder exists
  smoke         mts, optimised and not, runs examples/momentum.toml into an empty folder; the result is that of tests/golden
  own strategy  the crate that `mts new strategy` writes compiles and runs on the example's data
  own gate      the stand-alone crate with a gate of one's own passes the conformance suite
  risk oracle   a million made-up orders: the risk machine answers as a model of its documentation does
  simulation    200 simulated worlds, 20 crashed at every step, 200 days reconciled; with --full 2000, 200 and 10000
  kills         with --full: the real program killed 200 times, and 50 faults of its disk
  api           cargo xtask api: the public interfaces are those of docs/api
  examples      cargo xtask crates: the crates' examples run and print what they should,
  outside       each crate is usable from outside without the others,
  features      with any of its features,
  package       and can be packed
  soak          with --full: cargo xtask soak, ten minutes
  benches       with --full: all benchmarks, short

With CI=true a tool that is not installed is a failure; without, what needs it is skipped. The last lines are a
table of the steps with their times, and `N passed, N failed` for the tests.";

/// Vectors beside the repository, present in CI and on the maintainers' machines.
const SHARED_VECTORS: &str = "../shared/vectors/ml4t";

/// The run that must work for everybody.
const EXAMPLE: &str = "examples/momentum.toml";

/// What it must give, in every profile.
const GOLDEN: &str = "tests/golden/momentum.json";

/// The crate that `mts new strategy` writes.
const OWN_STRATEGY: &str = "examples/own_strategy";

/// A gate of one's own, and the suite run against it.
const OWN_GATE: &str = "examples/custom_gate";

/// What is built with the release profile, in one call: packages that are chosen together share their dependencies'
/// features, and nothing is compiled twice.
const RELEASE: &[&str] = &[
    "build",
    "--release",
    "--package",
    "mts-cli",
    "--package",
    "mts-tests",
    "--package",
    "mts-sim",
    "--bins",
];

/// The workspace's profile `dev`, for crates outside of it; a test compares it with the manifest.
const DEV: &[&str] = &[
    "profile.dev.debug=\"line-tables-only\"",
    "profile.dev.package.\"*\".opt-level=1",
    "profile.dev.package.\"*\".debug=false",
];

/// What `mts run --json` promises at least.
const RESULT_KEYS: &[&str] =
    &["state_hash", "final_nav", "orders", "fills", "rejections", "events", "seconds"];

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
    steps.step("build", || cargo(&["build", "--workspace", "--all-targets"]));
    steps.step("release", || cargo(RELEASE));
    steps.step("test", || {
        let tested = test::run_tests(&[], Some(&workspace::built("release", "mts")))?;
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
    steps.step("smoke", smoke);
    steps.step("own strategy", own_strategy);
    steps.step("own gate", own_gate);
    steps.step("risk oracle", risk_oracle);
    steps.step("simulation", || sim::check(full).map(|()| Outcome::Passed));
    if full {
        steps.step("kills", || repeated("rehearsal", "MTS_KILLS", "200"));
        steps.step("disk faults", || repeated("disk", "MTS_DISK_FAULTS", "10"));
    }
    steps.step("api", || api::check(false));
    for (name, step) in crates::STEPS {
        steps.step(name, step);
    }
    if full {
        steps.step("soak", || soak::check().map(|()| Outcome::Passed));
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

/// The README's first command, into a folder of its own, with both profiles.
fn smoke() -> Result<Outcome> {
    let golden = std::fs::read_to_string(workspace::root().join(GOLDEN))
        .map_err(|error| Error::failed(format!("{GOLDEN} cannot be read: {error}; restore it")))?;
    for profile in ["release", "debug"] {
        let folder = EmptyFolder::new("ci")?;
        let out = folder.path().display().to_string();
        let program = Program::file(&workspace::built(profile, "mts"));
        let text = program.args(["run", EXAMPLE, "--out", &out, "--json"]).output()?;
        console::out(summary(&text)?);
        same_as_golden(&text, &golden)
            .map_err(|error| Error::failed(format!("the {profile} build differs: {error}")))?;
    }
    Ok(Outcome::Passed)
}

/// The risk machine against a model of its documentation.
fn risk_oracle() -> Result<Outcome> {
    Program::file(&workspace::built("release", "mts-risk-oracle")).args(["--orders", "1000000"]).run()?;
    Ok(Outcome::Passed)
}

/// Whether a result has every value of the golden one.
fn same_as_golden(result: &str, golden: &str) -> Result<()> {
    let parse = |text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| Error::failed(format!("no JSON object: {error}")))
    };
    let (result, golden) = (parse(result)?, parse(golden)?);
    let wanted = golden.as_object().filter(|wanted| !wanted.is_empty());
    let Some(wanted) = wanted else {
        return Err(Error::failed(format!("{GOLDEN} holds nothing to compare with; restore it")));
    };
    for (key, value) in wanted {
        if result.get(key) != Some(value) {
            let found = result.get(key).cloned().unwrap_or(Value::Null);
            return Err(Error::failed(format!(
                "{key} is {found}, {GOLDEN} has {value}: all profiles must agree"
            )));
        }
    }
    Ok(())
}

/// The manifest of a crate outside of the workspace, with the versions of the workspace, so that what is built already
/// serves; cargo drops what the crate does not need.
fn outside(crate_folder: &str) -> Result<String> {
    let root = workspace::root();
    std::fs::copy(root.join("Cargo.lock"), root.join(crate_folder).join("Cargo.lock"))
        .map_err(|error| Error::failed(format!("cannot copy Cargo.lock to {crate_folder}: {error}")))?;
    Ok(format!("{crate_folder}/Cargo.toml"))
}

/// A crate outside of the workspace. It shares the build folder and the profile of the tests, so that little is compiled
/// twice; cargo takes our crates for others there, whose paths begin elsewhere, and compiling those optimised takes long.
fn own_strategy() -> Result<Outcome> {
    let folder = EmptyFolder::new("ci")?;
    let out = folder.path().display().to_string();
    let manifest = outside(OWN_STRATEGY)?;
    let config = format!("{OWN_STRATEGY}/own_strategy.toml");
    let text = stranger("run", &manifest).args(["--", "run", &config, "--out", &out, "--json"]).output()?;
    console::out(summary(&text)?);
    Ok(Outcome::Passed)
}

/// Another crate outside of the workspace: its tests.
fn own_gate() -> Result<Outcome> {
    let manifest = outside(OWN_GATE)?;
    stranger("test", &manifest).run()?;
    Ok(Outcome::Passed)
}

/// A command of cargo for a crate outside of the workspace, with the workspace's build folder and its profile for tests.
fn stranger(command: &str, manifest: &str) -> Program {
    let target = workspace::target_folder().display().to_string();
    let profile = DEV.iter().flat_map(|setting| ["--config", *setting]);
    let folder = ["--target-dir", &target, "--manifest-path", manifest];
    Program::cargo([command, "--quiet"]).args(profile).args(folder)
}

/// The promised part of a result, as one line; an error if something is missing.
fn summary(text: &str) -> Result<String> {
    let result: Value = serde_json::from_str(text).map_err(|error| {
        Error::failed(format!("`mts run --json` must print one JSON object and nothing else: {error}"))
    })?;
    let missing: Vec<&str> = RESULT_KEYS.iter().copied().filter(|key| result.get(key).is_none()).collect();
    if !missing.is_empty() {
        return Err(Error::failed(format!("the result of `mts run --json` lacks {}", missing.join(", "))));
    }
    let number = |key: &str| result.get(key).and_then(Value::as_u64).unwrap_or(0);
    if number("orders") == 0 || number("fills") == 0 {
        return Err(Error::failed(format!("{EXAMPLE} must trade: its result has no orders or no fills")));
    }
    let pairs = RESULT_KEYS.iter().filter_map(|key| Some(format!("{key}={}", result.get(key)?)));
    Ok(pairs.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_must_hold_what_was_promised() {
        let good = r#"{"state_hash":"ab","final_nav":"1.00","orders":2,"fills":2,"rejections":0,"events":9,"seconds":0.1}"#;
        assert_eq!(
            summary(good).unwrap(),
            r#"state_hash="ab" final_nav="1.00" orders=2 fills=2 rejections=0 events=9 seconds=0.1"#
        );
        let idle = good.replace("\"fills\":2", "\"fills\":0");
        assert!(summary(&idle).unwrap_err().to_string().contains("must trade"));
        let poor = good.replace("state_hash", "hash");
        assert_eq!(
            summary(&poor).unwrap_err().to_string(),
            "the result of `mts run --json` lacks state_hash"
        );
        assert!(summary("loading…\n{}").is_err());
    }

    #[test]
    fn crates_outside_are_built_like_those_inside() {
        let manifest = std::fs::read_to_string(workspace::root().join("Cargo.toml")).unwrap();
        let mut section = String::new();
        let mut settings = Vec::new();
        for line in manifest.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').to_owned();
            } else if let Some((key, value)) = line.split_once(" = ")
                && section.starts_with("profile.dev")
            {
                settings.push(format!("{section}.{key}={value}"));
            }
        }
        assert_eq!(settings, DEV);
    }

    #[test]
    fn every_value_of_the_golden_result_counts() {
        let golden = r#"{"state_hash":"ab","fills":2}"#;
        assert!(same_as_golden(r#"{"state_hash":"ab","fills":2,"seconds":1}"#, golden).is_ok());
        let error = same_as_golden(r#"{"state_hash":"cd","fills":2}"#, golden).unwrap_err().to_string();
        assert!(error.contains("state_hash"), "{error}");
        assert!(same_as_golden("{}", "{}").is_err());
    }

    #[test]
    fn unknown_options_are_refused() {
        assert_eq!(run(&["--fast".to_owned()]).unwrap_err().code(), 2);
    }
}
