//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, from the saved corpus and for a time.

use crate::error::{Error, Result};
use crate::folder::EmptyFolder;
use crate::process::Program;
use crate::steps::Outcome;
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask fuzz [TARGET] [--seconds N] [--keep]

Builds the fuzz targets (fuzz/fuzz_targets, with the address sanitizer) with cargo-fuzz and feeds them made-up bytes, beginning
with fuzz/corpus. Fails at a panic, at more than 512 MiB and at an input that takes a second; the input is then in
fuzz/artifacts. The saved corpora are also replayed by plain tests.

  TARGET        alpaca, coinbase, config, exchanges, ibkr_updates, journal, kraken or streams; all unless given
  --seconds N   how long each; 60 unless given
  --keep        afterwards makes what was found smaller and adds it to fuzz/corpus";

/// The targets, in the order in which they run.
const TARGETS: &[&str] = &[
    "alpaca",
    "coinbase",
    "config",
    "data_files",
    "exchanges",
    "ibkr_updates",
    "journal",
    "kraken",
    "streams",
    "vendors",
];

/// What counts as a fault besides a panic: memory, time, and inputs larger than any that a bound lets in.
const LIMITS: &[&str] = &["-rss_limit_mb=512", "-timeout=1", "-max_len=65536", "-print_final_stats=1"];

/// The version that CI installs.
const INSTALL: &str = "run `cargo install --locked cargo-fuzz@0.13.2`";

/// What to run.
#[derive(Debug, PartialEq)]
struct Plan {
    targets: Vec<&'static str>,
    seconds: u32,
    keep: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let plan = parse(arguments)?;
    if !is_installed() {
        return Err(Error::failed(format!("cargo-fuzz is not installed: {INSTALL}")));
    }
    plan.targets.iter().try_for_each(|target| fuzz(target, &plan))?;
    Ok(0)
}

/// All targets for a minute each.
pub(crate) fn check() -> Result<Outcome> {
    if !is_installed() {
        return Outcome::without("cargo-fuzz", INSTALL);
    }
    let plan = parse(&[])?;
    plan.targets.iter().try_for_each(|target| fuzz(target, &plan))?;
    Ok(Outcome::Passed)
}

fn is_installed() -> bool {
    Program::cargo(["fuzz", "--version"]).works()
}

/// Fuzzes one target. What is new goes to a folder that vanishes, so that a run changes nothing unless it is asked to.
fn fuzz(target: &str, plan: &Plan) -> Result<()> {
    let found = EmptyFolder::new("fuzz")?;
    let found = found.path().display().to_string();
    let saved = workspace::root().join("fuzz/corpus").join(target).display().to_string();
    let time = format!("-max_total_time={}", plan.seconds);
    cargo_fuzz(["run", target, &found, &saved, "--", &time]).args(LIMITS).run()?;
    if plan.keep {
        // Only what reaches code that the saved ones do not.
        cargo_fuzz(["run", target, "--", "-merge=1", &saved, &found]).run()?;
    }
    Ok(())
}

/// The sanitizer is a feature of a compiler that is not stable; the pinned one has it too.
fn cargo_fuzz<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    Program::cargo(["fuzz"]).args(arguments).variable("RUSTC_BOOTSTRAP", "1")
}

fn parse(arguments: &[String]) -> Result<Plan> {
    let mut plan = Plan { targets: TARGETS.to_vec(), seconds: 60, keep: false };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--keep" {
            plan.keep = true;
        } else if argument == "--seconds" {
            let text = rest.next().map(String::as_str).unwrap_or_default();
            plan.seconds =
                text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(|| {
                    Error::usage(format!("--seconds is {text:?}: write a whole number from 1 to 86400"))
                })?;
        } else if let Some(target) = TARGETS.iter().find(|target| *target == argument) {
            plan.targets = vec![target];
        } else {
            return Err(Error::usage(format!("fuzz does not know {argument:?}: see --help")));
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Plan> {
        parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn targets_times_and_what_is_neither() {
        assert_eq!(
            parsed(&["journal", "--seconds", "5", "--keep"]).unwrap(),
            Plan { targets: vec!["journal"], seconds: 5, keep: true }
        );
        assert_eq!(parsed(&[]).unwrap().targets, TARGETS);
        assert!(parsed(&["orders"]).unwrap_err().to_string().contains("\"orders\""));
        assert_eq!(parsed(&["--seconds", "0"]).unwrap_err().code(), 2);
    }

    #[test]
    fn every_target_of_the_folder_is_run() {
        let folder = workspace::root().join("fuzz/fuzz_targets");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().display().to_string())
            .collect();
        names.sort();
        assert_eq!(names, TARGETS);
    }
}
