//! `cargo xtask api`: the public interface of every crate, in text files that a review can read.
//!
//! rustdoc describes a crate in JSON only with unstable options. `RUSTC_BOOTSTRAP=1` allows them with the pinned
//! compiler, but set for cargo it would rebuild every dependency whose build script looks at it. So cargo is given this
//! program as its rustdoc, and it sets the variable for the real one alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use crate::console;
use crate::error::{Error, Result};
use crate::members;
use crate::process::Program;
use crate::steps::Outcome;
use crate::workspace;

pub(crate) const HELP: &str = "\
usage: cargo xtask api [--update]

Compares the public items of every crate below crates/, with their signatures, with docs/api/CRATE.txt. A difference
fails and is shown: lines with - have gone or changed, lines with + are new. Where the change is meant, --update writes
the files; they belong into the same commit, and what has gone into its message.";

/// Where the snapshots are.
pub(crate) const FOLDER: &str = "docs/api";

/// Set for the copy of this program that cargo takes for rustdoc; its value is the real one.
const STANDS_IN: &str = "MTS_XTASK_RUSTDOC";

/// Where this program is. Asked at the start: the steps of `ci` may build it anew, and then the system calls the file
/// that runs deleted, while the path names one that does the same.
static THIS_PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// What says that a rustdoc writes JSON.
const JSON: &str = "-Z unstable-options --output-format json";

/// Most lines of one crate's difference that are shown.
const SHOWN: usize = 60;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    match arguments {
        [] => check(false)?,
        [only] if only == "--update" => check(true)?,
        _ => return Err(Error::usage("api knows only the option --update: see --help")),
    };
    Ok(0)
}

/// Compares, or writes, the snapshots.
pub(crate) fn check(update: bool) -> Result<Outcome> {
    let root = workspace::root();
    let members = members::all()?;
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let folder = describe(&names)?;
    let shown = folder.display().to_string();
    Program::cargo(["run", "--quiet", "--package", "xtask-api", "--", &shown]).args(&names).run()?;
    let mut differences = Vec::new();
    for name in &names {
        let fresh = folder.join(format!("{name}.api.txt"));
        let snapshot = root.join(FOLDER).join(format!("{}.txt", name.trim_start_matches("mts-")));
        let new = read(&fresh)?;
        if update {
            write(&snapshot, &new)?;
            continue;
        }
        let old = if snapshot.exists() { read(&snapshot)? } else { String::new() };
        if let Some(difference) = difference(&old, &new) {
            console::out(format_args!("{}:\n{difference}", workspace::relative(&root, &snapshot)));
            differences.push(*name);
        }
    }
    remove_or_name_strangers(&root.join(FOLDER), &names, update)?;
    if differences.is_empty() {
        console::out(format_args!("{} public interfaces as {FOLDER} says", names.len()));
        return Ok(Outcome::Passed);
    }
    Err(Error::failed(format!(
        "the public interface of {} differs from {FOLDER}: undo it, or, where it is meant, run `cargo xtask api --update`",
        differences.join(", ")
    )))
}

/// Lets rustdoc describe the crates, and answers the folder of its documents.
fn describe(names: &[&str]) -> Result<PathBuf> {
    let this = THIS_PROGRAM.get().ok_or_else(|| Error::failed("this program does not know its own path"))?;
    let real = std::env::var("RUSTDOC").unwrap_or_else(|_| "rustdoc".to_owned());
    let packages = names.iter().flat_map(|name| ["--package", *name]);
    Program::cargo(["doc", "--lib", "--no-deps", "--quiet"])
        .args(packages)
        .variable("RUSTDOC", this.display().to_string())
        .variable(STANDS_IN, real)
        .variable("RUSTDOCFLAGS", JSON)
        .run()?;
    let metadata = Program::cargo(["metadata", "--format-version", "1", "--no-deps"]).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).map_err(|error| {
        Error::failed(format!("`cargo metadata` printed no JSON ({error}): run it by hand"))
    })?;
    metadata
        .get("target_directory")
        .and_then(serde_json::Value::as_str)
        .map(|target| PathBuf::from(target).join("doc"))
        .ok_or_else(|| Error::failed("`cargo metadata` names no target_directory: run it by hand"))
}

/// Notes where this program is, for later.
pub(crate) fn remember_this_program() -> Result<()> {
    let path = std::env::current_exe()
        .map_err(|error| Error::failed(format!("cannot find this program's own path: {error}")))?;
    THIS_PROGRAM.get_or_init(|| path);
    Ok(())
}

/// When cargo runs this program as rustdoc: runs the real one, and answers its exit code.
pub(crate) fn stand_in() -> Option<ExitCode> {
    let real = std::env::var_os(STANDS_IN)?;
    let status = Command::new(real).args(std::env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status();
    let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A file that belongs to no crate any more.
fn remove_or_name_strangers(folder: &Path, names: &[&str], update: bool) -> Result<()> {
    let unreadable = |error: std::io::Error| Error::failed(format!("cannot read {FOLDER}: {error}"));
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let stem = path.file_stem().map(|stem| format!("mts-{}", stem.to_string_lossy())).unwrap_or_default();
        let ours = path.extension().is_some_and(|extension| extension == "txt");
        if ours && !names.contains(&stem.as_str()) {
            if !update {
                return Err(Error::failed(format!(
                    "{}: there is no crate {stem}: remove the file",
                    path.display()
                )));
            }
            std::fs::remove_file(&path).map_err(unreadable)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::failed(format!("cannot read {}: {error}", path.display())))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Error::failed(format!("cannot write {}: {error}", path.display())))
}

/// The lines that are in one of two sorted lists and not in the other; `None` when there are none.
pub(crate) fn difference(old: &str, new: &str) -> Option<String> {
    let missing = |from: &str, of: &str, sign: char| {
        let have: std::collections::BTreeSet<&str> = of.lines().collect();
        let lines = from.lines().filter(|line| !have.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    let mut lines = missing(old, new, '-');
    lines.extend(missing(new, old, '+'));
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    let mut text = lines.join("\n");
    if more > 0 {
        write!(text, "\nand {more} lines more").ok()?;
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_came_is_shown() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nfn b(u8)\n", "a\nfn b(u16)\nc\n").unwrap(), "- fn b(u8)\n+ fn b(u16)\n+ c");
        let many: String = (0..100).map(|line| format!("{line}\n")).collect();
        let shown = difference("", &many).unwrap();
        assert_eq!((shown.lines().count(), shown.ends_with("and 40 lines more")), (SHOWN + 1, true));
    }

    #[test]
    fn unknown_options_are_refused() {
        assert_eq!(run(&["--fix".to_owned()]).unwrap_err().code(), 2);
    }
}
