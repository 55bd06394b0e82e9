//! `cargo xtask test`: every test of the workspace, then the doc tests, and one line that sums them up.

use std::io::IsTerminal as _;
use std::path::Path;

use crate::console;
use crate::error::{Error, Result};
use crate::process::{Program, Stream};

pub(crate) const HELP: &str = "\
usage: cargo xtask test [ARGS]...

Runs `cargo nextest run --workspace ARGS` and then the doc tests (`cargo test --workspace --doc`); where
cargo-nextest is not installed, `cargo test --workspace ARGS` does both. Nothing but the Rust toolchain is needed.

ARGS go to the runner as they are: a part of a test's name, `-p PACKAGE` (then only that package), `--release`.
With nextest, doc tests are left out when ARGS hold anything but packages, features and --release.

The last line is `N passed, N failed`, doc tests included.";

/// How many tests ran, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }

    /// The closing line that CI reads.
    pub(crate) fn line(self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// What the test runners answered.
#[derive(Debug)]
pub(crate) struct Tested {
    /// What was counted; `None` when a runner ended before it ran anything, for example at a compile error.
    pub(crate) tally: Option<Tally>,
    /// Whether every runner was content.
    pub(crate) verdict: Result<()>,
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let Tested { tally, verdict } = run_tests(arguments, None)?;
    if let Err(error) = &verdict {
        console::err(format_args!("xtask: {error}"));
    }
    if let Some(tally) = tally {
        console::out(tally.line());
    }
    Ok(u8::from(verdict.is_err()))
}

/// Runs the tests and counts them. `program` is the `mts` that the tests across crates drive; without it, one is built.
pub(crate) fn run_tests(arguments: &[String], program: Option<&Path>) -> Result<Tested> {
    if program.is_none() {
        build_program(arguments)?;
    }
    let (runs, mut failed) = if Program::cargo(["nextest", "--version"]).works() {
        with_nextest(arguments, program)?
    } else {
        with_cargo_test(arguments, program)?
    };
    let tally =
        runs.iter().copied().reduce(|sum, run| sum.zip(run).map(|(sum, run)| sum.plus(run))).flatten();
    // A runner that cannot be understood is not believed either.
    failed |= tally.is_none_or(|tally| tally.failed > 0);
    let verdict = match (failed, tally) {
        (false, _) => Ok(()),
        (true, Some(_)) => Err(Error::failed("tests failed: the runner names them above")),
        (true, None) => Err(Error::failed("the tests did not run to their end: the output above says why")),
    };
    Ok(Tested { tally, verdict })
}

/// Builds the program that the tests across crates drive. They would do it themselves, one waiting for the other, against
/// the clock of the runner.
fn build_program(arguments: &[String]) -> Result<()> {
    if !scope(arguments).contains(&"--workspace") {
        return Ok(());
    }
    let mut build = Program::cargo(["build", "--quiet", "--package", "mts-cli", "--bin", "mts"]);
    if arguments.iter().any(|argument| argument == "--release") {
        build = build.args(["--release"]);
    }
    build.run()
}

/// What each run counted, and whether any failed.
type Runs = (Vec<Option<Tally>>, bool);

fn with_nextest(arguments: &[String], program: Option<&Path>) -> Result<Runs> {
    let tests = Program::cargo(["nextest", "run"]).args(scope(arguments)).args(arguments);
    let mut tests = driving(tests, program);
    if std::io::stderr().is_terminal() {
        tests = tests.variable("CARGO_TERM_COLOR", "always");
    }
    let (code, text) = tests.run_and_copy(Stream::Stderr)?;
    let tally = nextest_tally(&text);
    if tally.is_none() {
        return Ok((vec![None], true));
    }
    let Some(shared) = shared_arguments(arguments) else {
        console::err("doc tests: left out, because the arguments choose tests");
        return Ok((vec![tally], code != 0));
    };
    let docs = Program::cargo(["test"]).args(scope(arguments)).args(["--doc", "--no-fail-fast"]).args(shared);
    let (docs_code, text) = docs.run_and_copy(Stream::Stdout)?;
    Ok((vec![tally, libtest_tally(&text)], code != 0 || docs_code != 0))
}

/// `cargo test` runs the doc tests by itself.
fn with_cargo_test(arguments: &[String], program: Option<&Path>) -> Result<Runs> {
    let mut tests = driving(Program::cargo(["test"]).args(scope(arguments)), program);
    if !arguments.iter().any(|argument| argument == "--no-fail-fast") {
        // Without it the first test program that fails ends the run.
        tests = tests.args(["--no-fail-fast"]);
    }
    let (code, text) = tests.args(arguments).run_and_copy(Stream::Stdout)?;
    Ok((vec![libtest_tally(&text)], code != 0))
}

/// Names the program to the tests, which otherwise ask cargo for it, each anew.
fn driving(tests: Program, program: Option<&Path>) -> Program {
    match program {
        Some(path) => tests.variable("MTS_PROGRAM", path.display().to_string()),
        None => tests,
    }
}

/// The whole workspace, unless the arguments name packages.
fn scope(arguments: &[String]) -> &'static [&'static str] {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    let mut names = own.filter(|argument| argument.starts_with("-p") || argument.starts_with("--package"));
    if names.next().is_some() { &[] } else { &["--workspace"] }
}

/// The arguments, if both runners understand all of them.
fn shared_arguments(arguments: &[String]) -> Option<&[String]> {
    const WITH_VALUE: &[&str] = &["-p", "--package", "--exclude", "-F", "--features"];
    const ALONE: &[&str] =
        &["--release", "-r", "--all-features", "--no-default-features", "--locked", "--offline"];
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let joined = argument.split_once('=').is_some_and(|(name, _)| WITH_VALUE.contains(&name));
        if WITH_VALUE.contains(&argument.as_str()) {
            rest.next();
        } else if !joined && !ALONE.contains(&argument.as_str()) {
            return None;
        }
    }
    Some(arguments)
}

/// Sums nextest's closing line: `Summary [ 1.2s] 26/27 tests run: 24 passed (1 slow), 1 failed, 1 timed out, …`.
fn nextest_tally(text: &str) -> Option<Tally> {
    let text = without_colours(text);
    let line = text.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, counts) = line.split_once(" run: ")?;
    let mut tally = Tally::default();
    for count in without_parentheses(counts).split(',') {
        let (number, what) = count.trim().split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what.trim() {
            "passed" => tally.passed += number,
            "skipped" => {}
            // Failed, timed out, could not be started.
            _ => tally.failed += number,
        }
    }
    Some(tally)
}

/// Sums the closing lines of all test programs: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn libtest_tally(text: &str) -> Option<Tally> {
    let text = without_colours(text);
    let one = |line: &str| {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what: &str| {
            counts.split(';').find_map(|count| count.trim().strip_suffix(what)?.trim().parse().ok())
        };
        Some(Tally { passed: count(" passed")?, failed: count(" failed")? })
    };
    text.lines().filter_map(one).reduce(Tally::plus)
}

/// Takes out the escape sequences of colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = |character: &char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    text.chars().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_summary_of_nextest_is_read() {
        let summary = |line: &str| nextest_tally(&format!("   PASS a\n  Summary [   0.116s] {line}\n"));
        assert_eq!(summary("3 tests run: 3 passed, 0 skipped"), Some(Tally { passed: 3, failed: 0 }));
        assert_eq!(
            summary(
                "26/27 tests run: 22 passed (1 slow, 2 leaky), 2 failed (1 due to being leaky), 1 timed out, 1 exec failed, 4 skipped"
            ),
            Some(Tally { passed: 22, failed: 4 })
        );
        assert_eq!(summary("1 test run: 1 passed"), Some(Tally { passed: 1, failed: 0 }));
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m skipped";
        assert_eq!(nextest_tally(coloured), Some(Tally { passed: 2, failed: 0 }));
        assert_eq!(nextest_tally("error[E0425]: cannot find value"), None);
    }

    #[test]
    fn the_summaries_of_cargo_test_are_added_up() {
        let text = "running 3 tests\n\
                    test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.1s\n";
        assert_eq!(libtest_tally(text), Some(Tally { passed: 4, failed: 2 }));
        assert_eq!(libtest_tally("nothing"), None);
    }

    #[test]
    fn the_closing_line_is_the_one_that_ci_reads() {
        assert_eq!(Tally { passed: 12, failed: 0 }.line(), "12 passed, 0 failed");
    }

    #[test]
    fn naming_a_package_narrows_the_scope() {
        assert_eq!(scope(&owned(&["some_test"])), ["--workspace"]);
        assert_eq!(scope(&owned(&["-p", "mts-engine"])), [""; 0]);
        assert_eq!(scope(&owned(&["--package=mts-engine"])), [""; 0]);
        assert_eq!(scope(&owned(&["--", "-p"])), ["--workspace"]);
    }

    #[test]
    fn doc_tests_run_when_no_test_was_chosen() {
        assert!(shared_arguments(&[]).is_some());
        assert!(shared_arguments(&owned(&["-p", "mts-engine", "--release", "--features=x"])).is_some());
        assert!(shared_arguments(&owned(&["replay"])).is_none());
        assert!(shared_arguments(&owned(&["-E", "test(replay)"])).is_none());
    }
}
