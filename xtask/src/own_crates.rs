//! Crates outside of the workspace that use it: those of `examples`, and those that `mts new` writes.

use serde_json::Value;
use std::path::{Path, PathBuf};

use crate::console;
use crate::crates;
use crate::error::{Error, Result};
use crate::folder::EmptyFolder;
use crate::process::Program;
use crate::smoke;
use crate::steps::Outcome;
use crate::workspace;

/// Examples that are crates: a gate and a broker of one's own, each with the suite run against it.
const EXAMPLES: &[&str] = &["custom_gate", "custom_broker"];

/// What `mts new` writes, and what for. The strategy stands on the whole program, which takes long to compile once more.
const WRITTEN: &[(&str, &str)] = &[("broker", "new_broker"), ("strategy", STRATEGY)];

const STRATEGY: &str = "own_strategy";

/// Cases that a broker without a line of its own fails at least.
const UNWRITTEN: usize = 90;

/// A program that was built.
#[derive(Debug, PartialEq, Eq)]
struct Built {
    package: String,
    target: String,
    is_test: bool,
    program: PathBuf,
}

/// Copies all into one workspace, so that what they share is compiled once, builds them, and runs each: the strategy trades,
/// the examples' tests pass, and of the broker that is not written the suite names what fails. In a pull request the strategy is left
/// out; there the step `smoke` runs it as a member of the workspace.
pub(crate) fn check(full: bool) -> Result<Outcome> {
    let mts = workspace::built("debug", "mts");
    if !mts.exists() {
        return Err(Error::failed(format!("{} is not built: cargo build -p mts-cli", mts.display())));
    }
    let folder = EmptyFolder::new("own-crates")?;
    let written = if full { WRITTEN } else { WRITTEN.get(..1).unwrap_or(WRITTEN) };
    assemble(folder.path(), &mts, written)?;
    // The build folder of the workspace and the profile of its tests: dependencies are there already.
    let target = workspace::target_folder().display().to_string();
    let build = ["build", "--workspace", "--all-targets", "--quiet", "--message-format", "json"];
    let build = Program::cargo(build).args(["--target-dir", &target]).folder(folder.path());
    let (code, messages) = build.output_with_code()?;
    if code != 0 {
        return Err(Error::failed("crates outside of the workspace do not build; see above"));
    }
    let built = programs(&messages);
    let of = |package: &'static str, is_test: bool| {
        let programs: Vec<&Built> =
            built.iter().filter(|built| built.package == package && built.is_test == is_test).collect();
        if programs.is_empty() {
            return Err(Error::failed(format!("cargo has built no program of {package}")));
        }
        Ok(programs)
    };
    for strategy in if full { of(STRATEGY, false)? } else { Vec::new() } {
        let config = folder.path().join(STRATEGY).join("own_strategy.toml").display().to_string();
        let out = folder.path().join("out").display().to_string();
        let text =
            Program::file(&strategy.program).args(["run", &config, "--out", &out, "--json"]).output()?;
        console::out(smoke::summary(&text)?);
    }
    for example in EXAMPLES {
        for test in of(example, true)? {
            Program::file(&test.program).folder(&folder.path().join(example)).run()?;
        }
    }
    let suite = of("new_broker", true)?.into_iter().find(|built| built.target == "conformance");
    let suite =
        suite.ok_or_else(|| Error::failed("the crate of mts new broker has no test `conformance`"))?;
    let (code, text) = Program::file(&suite.program).output_with_code()?;
    let failed = text.lines().filter(|line| is_failed_case(line)).count();
    console::out(format_args!("new_broker: {failed} cases fail by name, exit code {code}"));
    if code == 0 || failed < UNWRITTEN {
        let message =
            format!("a broker that is not written must fail, and {failed} cases did, with code {code}");
        return Err(Error::failed(message));
    }
    Ok(Outcome::Passed)
}

/// Whether a line of a report is that of a case that failed: `S-01  failed  …`.
fn is_failed_case(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(|id| id.len() == 4 && id.get(1..2) == Some("-"))
        && words.next() == Some("failed")
}

/// One workspace of copies.
fn assemble(folder: &Path, mts: &Path, written: &[(&str, &str)]) -> Result<()> {
    let root = workspace::root();
    let failed = |error: std::io::Error| Error::failed(format!("cannot write {}: {error}", folder.display()));
    for example in EXAMPLES {
        copy(&root.join("examples").join(example), &folder.join(example)).map_err(failed)?;
    }
    for (kind, name) in written {
        let (dir, workspace) = (folder.join(name).display().to_string(), root.display().to_string());
        let writes = Program::file(mts).args(["new", kind, name, "--dir", &dir, "--mts", &workspace]);
        drop(writes.output()?);
    }
    let names = || EXAMPLES.iter().copied().chain(written.iter().map(|(_, name)| *name));
    for name in names() {
        let path = folder.join(name).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path).map_err(failed)?;
        std::fs::write(&path, member(&manifest, &root)).map_err(failed)?;
    }
    let members: Vec<String> = names().map(|name| format!("{name:?}")).collect();
    let workspace = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n{}",
        members.join(", "),
        crates::profiles(&std::fs::read_to_string(root.join("Cargo.toml")).map_err(failed)?)
    );
    std::fs::write(folder.join("Cargo.toml"), workspace).map_err(failed)?;
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed)?;
    Ok(())
}

/// The manifest of a stand-alone crate as that of a member that lies elsewhere.
fn member(manifest: &str, root: &Path) -> String {
    let lines = manifest.lines().filter(|line| *line != "[workspace]");
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    text.replace("\"../../crates", &format!("\"{}/crates", root.display()))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            std::fs::copy(entry.path(), target)?;
        } else if entry.file_name() != "target" {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// What cargo says that it has built.
fn programs(messages: &str) -> Vec<Built> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = messages.filter_map(|message| {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let manifest = PathBuf::from(text("/manifest_path")?);
        Some(Built {
            package: manifest.parent()?.file_name()?.to_str()?.to_owned(),
            target: text("/target/name")?,
            is_test: message.pointer("/profile/test").and_then(Value::as_bool)?
                || text("/target/kind/0").as_deref() == Some("test"),
            program: PathBuf::from(text("/executable")?),
        })
    });
    built.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_alone_manifest_becomes_that_of_a_member() {
        let manifest = "[package]\nname = \"a\"\n\n# Alone.\n[workspace]\n\n[dependencies]\nb = { path = \"../../crates/b\" }\n";
        let wanted =
            "[package]\nname = \"a\"\n\n# Alone.\n\n[dependencies]\nb = { path = \"/here/crates/b\" }\n";
        assert_eq!(member(manifest, Path::new("/here")), wanted);
    }

    #[test]
    fn cases_that_failed_are_counted_once() {
        assert!(is_failed_case("S-01  failed       1  every type arrives as ordered"));
        assert!(!is_failed_case("                 connect failed without need: refused"));
        assert!(!is_failed_case("S-01  passed       1  every type arrives as ordered"));
    }

    #[test]
    fn programs_are_read_from_what_cargo_says() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/x/a/Cargo.toml","target":{"kind":["lib"],"name":"a"},"profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/x/a/Cargo.toml","target":{"kind":["test"],"name":"t"},"profile":{"test":true},"executable":"/y/t-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/x/a/Cargo.toml","target":{"kind":["bin"],"name":"a"},"profile":{"test":false},"executable":"/y/a"}"#,
        );
        let built = |target: &str, is_test, program: &str| Built {
            package: "a".to_owned(),
            target: target.to_owned(),
            is_test,
            program: PathBuf::from(program),
        };
        assert_eq!(programs(messages), [built("t", true, "/y/t-1"), built("a", false, "/y/a")]);
    }
}
