//! `cargo xtask lint`: everything that can be said about the sources without running them.

use crate::codes;
use crate::concepts;
use crate::console;
use crate::edges;
use crate::error::{Error, Result};
use crate::invariants;
use crate::manifests;
use crate::members;
use crate::process::Program;
use crate::source_rules;
use crate::steps::{Outcome, Steps};
use crate::workspace;
use std::path::Path;

pub(crate) const HELP: &str = "\
usage: cargo xtask lint [STEP]...

Runs the named steps, or all of them, each to its end, and fails if any of them failed:

  fmt          cargo fmt --all --check; to mend: cargo fmt --all
  clippy       cargo clippy on all targets: warnings are shown, lints that deny fail
  deny         licences, banned crates and sources of all dependencies (deny.toml); needs cargo-deny, and
               is skipped without it unless CI=true; advisories are not checked
  edges        dependencies between the crates of the workspace, against the table in xtask/src/edges.rs
  rules        clocks, randomness, unordered iteration and I/O in the deterministic crates, unbounded channels
               anywhere (xtask/src/source_rules.rs); a line is excused by a comment behind it or alone above it:
               // lint: allow(RULE) REASON
  concepts     what may exist once is defined by its owner only (table in xtask/src/concepts.rs)
  manifests    the crates below crates/ say what packing needs, and all places name the same minimum Rust
  docs         cargo doc without a warning
  invariants   each numbered invariant of docs/architecture.md names a test that exists
  codes        every reject code has a test that reaches it, and its line in docs/risk.md";

/// The version that CI installs.
const CARGO_DENY: &str = "cargo install --locked cargo-deny@0.20.2";

/// Folders with Rust sources of the workspace.
const SOURCES: &[&str] = &["crates", "examples", "extras", "tests", "xtask"];

type Step = (&'static str, fn() -> Result<Outcome>);

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("clippy", clippy),
    ("deny", deny),
    ("edges", check_edges),
    ("rules", check_sources),
    ("concepts", check_concepts),
    ("manifests", check_manifests),
    ("docs", docs),
    ("invariants", check_invariants),
    ("codes", check_codes),
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let chosen = choose(arguments)?;
    let mut steps = Steps::new("lint");
    for (name, step) in chosen {
        steps.step(name, step);
    }
    steps.finish()?;
    Ok(0)
}

fn choose(arguments: &[String]) -> Result<Vec<Step>> {
    if arguments.is_empty() {
        return Ok(STEPS.to_vec());
    }
    let choose_one = |argument: &String| {
        STEPS.iter().find(|(name, _)| name == argument).copied().ok_or_else(|| {
            let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
            Error::usage(format!("there is no lint step `{argument}`: use one of {}", names.join(", ")))
        })
    };
    arguments.iter().map(choose_one).collect()
}

fn fmt() -> Result<Outcome> {
    Program::cargo(["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::Passed)
}

fn clippy() -> Result<Outcome> {
    Program::cargo(["clippy", "--workspace", "--all-targets", "--quiet"]).run()?;
    Ok(Outcome::Passed)
}

fn deny() -> Result<Outcome> {
    check_licences(&workspace::root())
}

/// Licences, banned crates and sources of what the package in this folder depends on, by the workspace's deny.toml.
pub(crate) fn check_licences(folder: &Path) -> Result<Outcome> {
    if !Program::cargo(["deny", "--version"]).works() {
        return Outcome::without("cargo-deny", CARGO_DENY);
    }
    // The check reads the manifests of all dependencies, also of those that this platform does not build.
    Program::cargo(["fetch", "--quiet"]).folder(folder).run()?;
    let rules = workspace::root().join("deny.toml").display().to_string();
    let check = ["deny", "--offline", "--config", &rules, "check", "bans", "licenses", "sources"];
    let checked = Program::cargo(check).folder(folder).run();
    console::out("advisories: NOT CHECKED (no database)");
    checked.map(|()| Outcome::Passed)
}

fn check_edges() -> Result<Outcome> {
    let metadata = Program::cargo(["metadata", "--format-version", "1", "--no-deps"]).output()?;
    report(&edges::violations(&metadata)?, "forbidden edge")
}

fn check_sources() -> Result<Outcome> {
    let files = workspace::rust_files(&workspace::root(), SOURCES)?;
    let found = source_rules::check(&files);
    for warning in &found.warnings {
        console::out(format_args!("warning: {warning}"));
    }
    report(&found.failures, "broken source rule")
}

fn check_concepts() -> Result<Outcome> {
    let files = workspace::rust_files(&workspace::root(), SOURCES)?;
    let outcome = report(&concepts::violations(&files), "concept defined twice")?;
    console::out(format_args!("{} concepts, each with one owner", concepts::count()));
    Ok(outcome)
}

fn check_manifests() -> Result<Outcome> {
    let (root, members) = (workspace::root(), members::all()?);
    // A file that cannot be read says nothing, and the check names it.
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let readmes = members.iter().map(|member| format!("{}/README.md", member.folder));
    let documents = manifests::DOCUMENTS.iter().map(ToString::to_string).chain(readmes);
    let documents: Vec<_> =
        documents.map(|path| (read(&path), path)).map(|(text, path)| (path, text)).collect();
    report(
        &manifests::violations(&members, &read("rust-toolchain.toml"), &documents),
        "gap in what a crate says",
    )
}

fn check_codes() -> Result<Outcome> {
    report(&codes::violations()?, "gap in the reject codes")
}

fn docs() -> Result<Outcome> {
    Program::cargo(["doc", "--workspace", "--no-deps", "--quiet"])
        .variable("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(Outcome::Passed)
}

fn check_invariants() -> Result<Outcome> {
    let root = workspace::root();
    let document = std::fs::read_to_string(root.join(invariants::DOCUMENT)).map_err(|error| {
        Error::failed(format!(
            "cannot read {} ({error}): write down the invariants there",
            invariants::DOCUMENT
        ))
    })?;
    let files = workspace::rust_files(&root, &["crates", "tests", "xtask"])?;
    let outcome = report(&invariants::violations(&document, &files), "unguarded invariant")?;
    console::out(format_args!("{} invariants, each with its test", invariants::count(&document)));
    Ok(outcome)
}

/// Prints the failures, one a line, and fails if there are any.
fn report(failures: &[String], what: &str) -> Result<Outcome> {
    for failure in failures {
        console::out(format_args!("error: {failure}"));
    }
    match failures.len() {
        0 => Ok(Outcome::Passed),
        1 => Err(Error::failed(format!("1 {what}: mend it as said above"))),
        count => Err(Error::failed(format!("{count} times {what}: mend them as said above"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name() {
        let names = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            choose(&arguments).map(|steps| steps.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap().len(), STEPS.len());
        assert_eq!(names(&["rules", "edges"]).unwrap(), ["rules", "edges"]);
        assert_eq!(names(&["tidy"]).unwrap_err().code(), 2);
        for (name, _) in STEPS {
            assert!(HELP.contains(&format!("\n  {name} ")), "the help does not explain {name}");
        }
    }

    #[test]
    fn failures_are_counted() {
        assert_eq!(report(&[], "x").unwrap(), Outcome::Passed);
        let failures = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            report(&failures, "bad edge").unwrap_err().to_string(),
            "2 times bad edge: mend them as said above"
        );
    }
}
