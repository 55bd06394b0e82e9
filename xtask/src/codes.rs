//! `cargo xtask codes`: the table of reject codes in docs/risk.md, made from the enum, with the tests that reach each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::console;
use crate::error::{Error, Result};
use crate::workspace::{self, SourceFile};

pub(crate) const HELP: &str = "\
usage: cargo xtask codes [--update]

Prints the table of reject codes: each with its meaning, from the documentation of the enum, and with the test files
that reach it. With --update the table goes into docs/risk.md, between its marks. `cargo xtask lint codes` compares.";

/// Where the enum is.
const ENUM: &str = "crates/foundation/src/risk/decision.rs";

/// Where the table stands, between [`BEGIN`] and [`END`].
const DOCUMENT: &str = "docs/risk.md";

const BEGIN: &str = "<!-- codes: written by `cargo xtask codes --update` -->\n";
const END: &str = "<!-- end of codes -->";

/// Folders whose tests reach codes through public interfaces.
const TESTS: &[&str] = &["crates/riskengine/tests", "crates/engine/tests", "tests/tests"];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let root = workspace::root();
    match arguments {
        [] => console::out(fresh(&root)?.0),
        [only] if only == "--update" => {
            let (table, _) = fresh(&root)?;
            let path = root.join(DOCUMENT);
            let text = read(&path)?;
            let new = replaced(&text, &table)?;
            std::fs::write(&path, new)
                .map_err(|error| Error::failed(format!("cannot write {DOCUMENT}: {error}")))?;
        }
        _ => return Err(Error::usage("codes knows only the option --update: see --help")),
    }
    Ok(0)
}

/// What is wrong with the table of the document, or with the codes.
pub(crate) fn violations() -> Result<Vec<String>> {
    let root = workspace::root();
    let (table, unreached) = fresh(&root)?;
    let text = read(&root.join(DOCUMENT))?;
    let mut found: Vec<String> = unreached
        .into_iter()
        .map(|code| format!("{code}: no test below {} reaches it: write one", TESTS.join(", ")))
        .collect();
    if replaced(&text, &table)? != text {
        found.push(format!(
            "{DOCUMENT}: its table of codes is not that of {ENUM}: run `cargo xtask codes --update`"
        ));
    }
    Ok(found)
}

/// The table as it should be, and the codes that no test reaches.
fn fresh(root: &Path) -> Result<(String, Vec<String>)> {
    let codes = codes(&read(&root.join(ENUM))?)?;
    let files = workspace::rust_files(root, TESTS)?;
    let mut table = "| code | meaning | reached by |\n|---|---|---|\n".to_owned();
    let mut unreached = Vec::new();
    for code in &codes {
        let tests = reaching(code, &files);
        if tests.is_empty() {
            unreached.push(code.wire.clone());
        }
        let tests: Vec<String> = tests.iter().map(|path| format!("`{path}`")).collect();
        writeln!(table, "| `{}` | {} | {} |", code.wire, code.meaning, tests.join(", "))
            .map_err(|error| Error::failed(format!("the table cannot be made: {error}")))?;
    }
    Ok((table, unreached))
}

#[derive(Debug, PartialEq, Eq)]
struct Code {
    variant: String,
    wire: String,
    meaning: String,
}

/// The codes of the enum, in its order.
fn codes(source: &str) -> Result<Vec<Code>> {
    let lost = || Error::failed(format!("{ENUM} has no `RejectCode {{` with `Variant = \"WIRE\",` lines"));
    let (_, body) = source.split_once("    RejectCode {\n").ok_or_else(lost)?;
    let (body, _) = body.split_once("\n    }").ok_or_else(lost)?;
    let mut codes = Vec::new();
    let mut meaning = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            meaning = format!("{meaning} {}", text.trim()).trim().to_owned();
        } else if let Some((variant, wire)) = line.split_once(" = ") {
            let wire = wire.trim_matches([',', '"']).to_owned();
            let variant = variant.to_owned();
            codes.push(Code { variant, wire, meaning: std::mem::take(&mut meaning) });
        }
    }
    if codes.is_empty() { Err(lost()) } else { Ok(codes) }
}

/// Test files in which a code is expected: by its name beside something else, as a row of a table of tests, or by its wire
/// text. A line that only lists the name expects nothing.
fn reaching(code: &Code, files: &[SourceFile]) -> BTreeSet<String> {
    let named = format!("RejectCode::{}", code.variant);
    let listed = format!("{named},");
    let row = format!(": {} of ", code.variant);
    let short = format!("    {}: ", code.variant);
    let wire = format!("\"{}\"", code.wire);
    let names = |line: &str, name: &str| {
        line.split(name).skip(1).any(|rest| !rest.starts_with(|letter: char| letter.is_alphanumeric()))
    };
    let reaches = |line: &str| {
        let line_of_its_own = line.trim() == listed;
        line.contains(&row)
            || line.starts_with(&short)
            || line.contains(&wire)
            || (!line_of_its_own && names(line, &named))
    };
    let with = files.iter().filter(|file| file.text.lines().any(reaches));
    with.map(|file| file.path.clone()).collect()
}

/// The document with this table between its marks.
fn replaced(text: &str, table: &str) -> Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| {
        Error::failed(format!("{DOCUMENT} lacks the lines {BEGIN:?} and {END:?}; put them back"))
    })?;
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::failed(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "wire_enum! {\n    RejectCode {\n        /// Too\n        /// dear.\n        Dear = \"DEAR\",\n        \
        /// Late.\n        Late = \"LATE\",\n    }\n}";

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn codes_are_read_with_their_meaning() {
        let codes = codes(SOURCE).unwrap();
        let read: Vec<_> = codes
            .iter()
            .map(|code| (code.variant.as_str(), code.wire.as_str(), code.meaning.as_str()))
            .collect();
        assert_eq!(read, [("Dear", "DEAR", "Too dear."), ("Late", "LATE", "Late.")]);
        assert!(super::codes("enum RejectCode {}").is_err());
    }

    #[test]
    fn a_list_reaches_nothing_and_an_expectation_does() {
        let codes = codes(SOURCE).unwrap();
        let reached = |text: &str| reaching(&codes[0], &[file("t.rs", text)]).len();
        assert_eq!(reached("const ALL: [RejectCode; 1] = [\n    RejectCode::Dear,\n];"), 0);
        assert_eq!(reached("RejectCode::Dearer"), 0);
        assert_eq!(reached("assert_eq!(code, RejectCode::Dear);"), 1);
        assert_eq!(reached("    a_test: Dear of Price, \"-\", \"-\" => {"), 1);
        assert_eq!(reached("answer == \"DEAR\""), 1);
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = format!("a\n{BEGIN}old{END}\nb");
        assert_eq!(replaced(&text, "new").unwrap(), format!("a\n{BEGIN}\nnew\n{END}\nb"));
        assert!(replaced("no marks", "new").is_err());
    }
}
