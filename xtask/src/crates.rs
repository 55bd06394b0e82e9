//! `cargo xtask crates`: every crate as somebody meets it who uses that one alone.

use std::path::Path;

use serde_json::Value;

use crate::console;
use crate::error::{Error, Result};
use crate::folder::EmptyFolder;
use crate::lint;
use crate::members::{self, Member};
use crate::own_crates;
use crate::process::Program;
use crate::steps::{Outcome, Steps};
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask crates [STEP]...
       cargo xtask crates examples --update

Treats every crate below crates/ as an integrator does. Runs the named steps, or all of them:

  examples   runs crates/*/examples/*.rs; each prints what the .txt file beside it says, where a line of three dots
             stands for any lines; --update writes those that do not fit
  own        the examples that are crates, and what `mts new` writes (by the optimised mts, which must be built), are copied
             outside of the workspace, compile and work; a broker that is not written fails the suite by name
  outside    empty crates outside of the workspace depend by path on foundation and one other crate each, and compile
             with no third one, but for mts-brokers and mts-venues, which bring mts-matching, and mts-cli, which joins
             them all
  features   compiles each crate that has features with none, each alone, and all: features only add; tests what is behind one
  package    cargo package for all of them, and a build of what was packed
  extras     what lies in extras/, outside of the workspace and with dependencies of its own: format, clippy, tests, licences; it takes
             minutes to build";

/// Crates that may bring others of the workspace, and which; `None` = whatever they join.
const BRINGS: &[(&str, Option<&[&str]>)] =
    &[("mts-brokers", Some(&["mts-matching"])), ("mts-venues", Some(&["mts-matching"])), ("mts-cli", None)];

const FOUNDATION: &str = "mts-foundation";

/// Stands for any lines in the expected output of an example.
const ANY: &str = "...";

/// What of the workspace is built to be run. The benches are not: lint has checked them.
pub(crate) const WORKSPACE: &[&str] = &["--workspace", "--bins", "--tests", "--examples"];

/// Tests of what is off by default. Of the whole workspace, so that what it depends on is that of the step `test`.
const BEHIND_A_FEATURE: &[&str] = &[
    "test",
    "--quiet",
    "--workspace",
    "--features",
    "mts-marketdata/databento,mts-cli/databento,mts-tests/databento",
    "--test",
    "databento",
    "--test",
    "databento_double",
];

/// The wrapper of ccxt, and the two small exchanges that its tests are about: every other costs as much again to build.
const CCXT: &str = "extras/marketdata-ccxt";
const CCXT_TESTED: &str = "foxbit,ndax";

/// A step, which may be done in full or as far as a pull request needs.
type Step = (&'static str, fn(bool) -> Result<Outcome>);

/// In this order they are part of CI too.
pub(crate) const STEPS: &[Step] = &[
    ("examples", |_| examples(false)),
    ("own", own_crates::check),
    ("outside", |_| outside()),
    ("features", features),
    ("package", |_| package()),
    ("extras", extras),
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    if arguments == ["examples", "--update"] {
        examples(true)?;
        return Ok(0);
    }
    let mut steps = Steps::new("crates");
    for (name, _) in STEPS.iter().filter(|_| arguments.is_empty()) {
        run_step(&mut steps, name)?;
    }
    for name in arguments {
        run_step(&mut steps, name)?;
    }
    steps.finish()?;
    Ok(0)
}

fn run_step(steps: &mut Steps, wanted: &str) -> Result<()> {
    let Some((name, step)) = STEPS.iter().find(|(name, _)| *name == wanted) else {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(Error::usage(format!("there is no step `{wanted}`: use one of {}", names.join(", "))));
    };
    steps.step(name, || step(true));
    Ok(())
}

fn examples(update: bool) -> Result<Outcome> {
    let root = workspace::root();
    let mut wrong = Vec::new();
    let mut ran = 0_usize;
    // All at once, as CI has built them: one by one each needs dependencies of its own.
    Program::cargo(["build", "--quiet"]).args(WORKSPACE).run()?;
    for member in members::all()? {
        for example in &member.examples {
            let printed = Program::file(&workspace::built("debug/examples", example)).output()?;
            let path = root.join(&member.folder).join("examples").join(format!("{example}.txt"));
            let shown = workspace::relative(&root, &path);
            ran += 1;
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            let Some(line) = first_difference(&expected, &printed) else { continue };
            if update {
                std::fs::write(&path, &printed)
                    .map_err(|error| Error::failed(format!("cannot write {shown}: {error}")))?;
            } else {
                console::out(format_args!("{shown}: line {line} is not what the example prints:\n{printed}"));
                wrong.push(shown);
            }
        }
    }
    if wrong.is_empty() {
        console::out(format_args!("{ran} examples ran and printed what was expected"));
        return Ok(Outcome::Passed);
    }
    Err(Error::failed(format!(
        "{} do not fit: mend the example, or write them anew with `cargo xtask crates examples --update`",
        wrong.join(", ")
    )))
}

/// The first line, from 1, of the expected output that does not fit; an empty expectation never fits.
fn first_difference(expected: &str, printed: &str) -> Option<usize> {
    let mut printed = printed.lines();
    let (mut any, mut last) = (false, 0);
    for (line, wanted) in (1..).zip(expected.lines()) {
        last = line;
        if wanted == ANY {
            any = true;
            continue;
        }
        let fits = if any { printed.any(|got| got == wanted) } else { printed.next() == Some(wanted) };
        any = false;
        if !fits {
            return Some(line);
        }
    }
    (last == 0 || (!any && printed.next().is_some())).then_some(last + 1)
}

fn outside() -> Result<Outcome> {
    let members = members::all()?;
    let folder = EmptyFolder::new("outside")?;
    let users: Vec<&Member> = members.iter().filter(|member| member.name != FOUNDATION).collect();
    write_outsiders(folder.path(), &members, &users)?;
    for member in users {
        let outsider = outsider(member);
        let tree = ["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
        let tree = Program::cargo(tree).args(["--package", &outsider]).folder(folder.path()).output()?;
        let strangers = strangers(&tree, &member.name)?;
        if !strangers.is_empty() {
            return Err(Error::failed(format!(
                "who depends on {FOUNDATION} and {} gets {} as well: let them meet in a trait of foundation \
                 (decision H2)",
                member.name,
                strangers.join(", ")
            )));
        }
    }
    // All at once and into the workspace's build folder, so that little is compiled twice. What each needs from its
    // dependencies is found by the step `features`, which builds each alone.
    let target = workspace::target_folder().display().to_string();
    let check = ["check", "--workspace", "--quiet", "--offline", "--target-dir", &target];
    Program::cargo(check).folder(folder.path()).run()?;
    Ok(Outcome::Passed)
}

/// The name of the empty crate that depends on a member.
fn outsider(member: &Member) -> String {
    format!("outsider-of-{}", member.name)
}

/// Empty crates, one for each member to use, in a workspace of their own with the versions of ours.
fn write_outsiders(folder: &Path, members: &[Member], users: &[&Member]) -> Result<()> {
    let root = workspace::root();
    let failed = |error: std::io::Error| Error::failed(format!("cannot write {}: {error}", folder.display()));
    let mut workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"*-of-*\"]\n".to_owned();
    workspace.push_str(&profiles(&std::fs::read_to_string(root.join("Cargo.toml")).map_err(failed)?));
    std::fs::write(folder.join("Cargo.toml"), workspace).map_err(failed)?;
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed)?;
    for member in users {
        let name = outsider(member);
        let mut manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n"
        );
        let mut code = String::new();
        for used in members.iter().filter(|used| used.name == FOUNDATION || used.name == member.name) {
            // Written like a string of JSON, which TOML reads too, whatever is in the path.
            let path = Value::from(root.join(&used.folder).display().to_string());
            manifest.push_str(&format!("{} = {{ path = {path} }}\n", used.name));
            code.push_str(&format!("pub use {};\n", used.name.replace('-', "_")));
        }
        let package = folder.join(&name);
        std::fs::create_dir_all(package.join("src")).map_err(failed)?;
        std::fs::write(package.join("Cargo.toml"), manifest).map_err(failed)?;
        std::fs::write(package.join("src/lib.rs"), code).map_err(failed)?;
    }
    Ok(())
}

/// The profiles of a manifest, so that the outsider's build is the same and is shared.
pub(crate) fn profiles(manifest: &str) -> String {
    let mut inside = false;
    let mut found = String::from("\n");
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.starts_with("[profile.");
        }
        if inside {
            found.push_str(line);
            found.push('\n');
        }
    }
    found
}

/// Crates of the workspace in a list of what a crate needs, one a line, that whoever wants this one should not get.
fn strangers(tree: &str, name: &str) -> Result<Vec<String>> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut ours: Vec<&str> = names.filter(|package| package.starts_with("mts-")).collect();
    ours.sort_unstable();
    ours.dedup();
    if !ours.contains(&name) {
        return Err(Error::failed(format!("what the outsider needs lacks {name}: look at its manifest")));
    }
    let brings =
        BRINGS.iter().find(|(package, _)| *package == name).map_or(Some(&[][..]), |(_, brings)| *brings);
    let Some(brings) = brings else { return Ok(Vec::new()) };
    let known = |package: &&str| *package == FOUNDATION || *package == name || brings.contains(package);
    Ok(ours.into_iter().filter(|package| !known(package)).map(ToOwned::to_owned).collect())
}

/// Whoever has no feature was built alone by the step `outside`.
fn features(full: bool) -> Result<Outcome> {
    for member in members::all()?.iter().filter(|member| !member.features.is_empty()) {
        for choice in choices(&member.features, full) {
            Program::cargo(["check", "--quiet", "--package", &member.name]).args(choice).run()?;
        }
    }
    if full {
        // What is behind it is built by no other step.
        Program::cargo(BEHIND_A_FEATURE).run()?;
    }
    Ok(Outcome::Passed)
}

/// The arguments of each build: no feature; in full also each alone, and all of them.
fn choices(features: &[String], full: bool) -> Vec<Vec<&str>> {
    let mut choices = vec![vec!["--no-default-features"]];
    if full && features.len() > 1 {
        choices.extend(features.iter().map(|feature| vec!["--no-default-features", "--features", feature]));
    }
    if full {
        choices.push(vec!["--all-features"]);
    }
    choices
}

/// Packs all crates, together, because none is published: cargo lets each find the others among what it packs. What was
/// packed is then built by hand: cargo's own verification unpacks the crates into the cache of registries under their
/// version, and takes them from there the next time, however much has changed.
fn package() -> Result<Outcome> {
    let root = workspace::root();
    let members = members::all()?;
    let names = members.iter().flat_map(|member| ["--package", member.name.as_str()]);
    Program::cargo(["fetch", "--quiet"]).run()?;
    let packed = ["package", "--quiet", "--offline", "--allow-dirty", "--no-verify"];
    Program::cargo(packed).args(names).run()?;

    let folder = EmptyFolder::new("package")?;
    let target = workspace::target_folder().display().to_string();
    let path = folder.path();
    let failed = |error: std::io::Error| Error::failed(format!("cannot write {}: {error}", path.display()));
    let mut manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"mts-*\"]\n\n[patch.crates-io]\n".to_owned();
    for member in &members {
        let unpacked = format!("{}-{}", member.name, member.version);
        let file = Path::new(&target).join("package").join(format!("{unpacked}.crate"));
        // With the times of now: packed files are all of one day, so that cargo would take what it built of others for theirs.
        Program::named("tar").args(["-xzmf", &file.display().to_string()]).folder(path).run()?;
        manifest.push_str(&format!("{} = {{ path = \"{unpacked}\" }}\n", member.name));
    }
    manifest.push_str(&profiles(&std::fs::read_to_string(root.join("Cargo.toml")).map_err(failed)?));
    std::fs::write(path.join("Cargo.toml"), manifest).map_err(failed)?;
    std::fs::copy(root.join("Cargo.lock"), path.join("Cargo.lock")).map_err(failed)?;
    let check = ["check", "--workspace", "--quiet", "--offline", "--target-dir", &target];
    Program::cargo(check).folder(path).run()?;
    Ok(Outcome::Passed)
}

/// Its packages are shared with nothing else, so that a pull request does not wait for them: with `--full` alone.
fn extras(full: bool) -> Result<Outcome> {
    if !full {
        return Ok(Outcome::Skipped("built with --full alone".to_owned()));
    }
    let folder = workspace::root().join(CCXT);
    let target = workspace::target_folder().display().to_string();
    Program::cargo(["fmt", "--check"]).folder(&folder).run()?;
    let options = ["--quiet", "--locked", "--target-dir", &target];
    let tested = ["--features", CCXT_TESTED];
    for features in [&[][..], &tested] {
        let clippy = Program::cargo(["clippy", "--all-targets"]).args(options).args(features);
        clippy.args(["--", "-D", "warnings"]).folder(&folder).run()?;
    }
    Program::cargo(["test"]).args(options).args(tested).folder(&folder).run()?;
    lint::check_licences(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_an_example_must_fit_line_by_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some(2));
        assert_eq!(first_difference("", ""), Some(1), "an example without an expectation is not checked");
    }

    #[test]
    fn three_dots_stand_for_any_lines() {
        for printed in ["a\nz\n", "a\nb\nc\nz\n"] {
            assert_eq!(first_difference("a\n...\nz\n", printed), None, "{printed}");
        }
        assert_eq!(first_difference("a\n...\n", "a\nb\nc\n"), None);
        assert_eq!(first_difference("a\n...\nz\n", "a\nb\n"), Some(3));
        assert_eq!(first_difference("...\nz\n", "a\nz\nb\n"), Some(3));
    }

    #[test]
    fn a_third_crate_in_the_graph_is_named() {
        let tree =
            |names: &[&str]| names.iter().map(|name| format!("{name} v0.1.0 (/x)\n")).collect::<String>();
        let of = |names: &[&str], name: &str| strangers(&tree(names), name).unwrap();
        assert_eq!(of(&["mts-foundation", "mts-riskengine", "serde"], "mts-riskengine"), [""; 0]);
        assert_eq!(of(&["mts-foundation", "mts-riskengine", "mts-engine"], "mts-riskengine"), ["mts-engine"]);
        assert_eq!(of(&["mts-foundation", "mts-matching", "mts-brokers"], "mts-brokers"), [""; 0]);
        assert_eq!(
            of(&["mts-foundation", "mts-matching", "mts-portfolio"], "mts-portfolio"),
            ["mts-matching"]
        );
        assert_eq!(of(&["mts-foundation", "mts-matching", "mts-cli"], "mts-cli"), [""; 0]);
        assert!(strangers(&tree(&["mts-foundation"]), "mts-engine").is_err());
    }

    #[test]
    fn every_feature_is_built_alone_and_with_the_others() {
        let features = ["a".to_owned(), "b".to_owned()];
        assert_eq!(choices(&features[..1], true), [["--no-default-features"], ["--all-features"]]);
        assert_eq!(choices(&features, true).len(), 4);
        assert_eq!(choices(&features, false), [["--no-default-features"]]);
    }

    #[test]
    fn the_profiles_are_copied_and_nothing_else() {
        let manifest = "[workspace]\nmembers = []\n[profile.dev]\ndebug = 1\n\n[profile.dev.package.\"*\"]\nopt-level = 1\n[x]\ny = 1\n";
        assert_eq!(
            profiles(manifest),
            "\n[profile.dev]\ndebug = 1\n\n[profile.dev.package.\"*\"]\nopt-level = 1\n"
        );
    }

    #[test]
    fn every_step_is_explained() {
        for (name, _) in STEPS {
            assert!(HELP.contains(&format!("\n  {name} ")), "the help does not explain {name}");
        }
        assert_eq!(run(&["tidy".to_owned()]).unwrap_err().code(), 2);
    }
}
