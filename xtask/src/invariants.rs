//! The numbered invariants of docs/architecture.md: each names a test, and the test exists.
//!
//! An invariant begins with its number in bold, `**I7**`, and reaches to the next one or to a heading. A test is
//! named in backticks by a path with `::` whose segments are modules or a file, and whose last is the function:
//! `mts_engine::step::tests::replay_is_exact`, `tests/kill.rs::resumes`. Paths with a type in them (`Ledger::apply`)
//! are just code.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexer::lex;
use crate::workspace::SourceFile;

/// The document that holds the invariants.
pub(crate) const DOCUMENT: &str = "docs/architecture.md";

/// The sentence for every invariant that has no test, or names one that does not exist.
pub(crate) fn violations(document: &str, files: &[SourceFile]) -> Vec<String> {
    let invariants = invariants(document);
    if invariants.is_empty() {
        return vec![format!(
            "{DOCUMENT}: no invariant found: number them **I1**, **I2**, … and name their tests"
        )];
    }
    let functions = functions(files);
    let mut found = Vec::new();
    let mut numbers = BTreeMap::new();
    for Invariant { number, line, tests } in &invariants {
        if let Some(first) = numbers.insert(number, line) {
            found.push(format!(
                "{DOCUMENT}:{line}: I{number} is already in line {first}: give it a number of its own"
            ));
        }
        if tests.is_empty() {
            found.push(format!(
                "{DOCUMENT}:{line}: I{number} names no test: write one and name it as `module::test_name`"
            ));
        }
        for test in tests {
            let name = test.rsplit("::").next().unwrap_or(test);
            if !functions.contains(name) {
                found.push(format!(
                    "{DOCUMENT}:{line}: I{number} names `{test}`, but there is no `fn {name}` in crates/, tests/ \
                     or xtask/: write the test or correct the name"
                ));
            }
        }
    }
    found
}

/// How many invariants the document has.
pub(crate) fn count(document: &str) -> usize {
    invariants(document).len()
}

#[derive(Debug, PartialEq, Eq)]
struct Invariant {
    number: u32,
    line: usize,
    tests: Vec<String>,
}

fn invariants(document: &str) -> Vec<Invariant> {
    let mut all: Vec<Invariant> = Vec::new();
    let mut open = false;
    for (index, text) in document.lines().enumerate() {
        if text.starts_with('#') {
            open = false;
        }
        let mut pieces = text.split("**I");
        let before = pieces.next().unwrap_or_default();
        let mut add = |text: &str, open: bool| {
            if let Some(invariant) = all.last_mut().filter(|_| open) {
                invariant.tests.extend(test_names(text));
            }
        };
        add(before, open);
        for piece in pieces {
            match piece.split_once("**").and_then(|(number, rest)| Some((number.parse().ok()?, rest))) {
                Some((number, rest)) => {
                    open = true;
                    all.push(Invariant { number, line: index + 1, tests: test_names(rest) });
                }
                None => {
                    if let Some(invariant) = all.last_mut().filter(|_| open) {
                        invariant.tests.extend(test_names(piece));
                    }
                }
            }
        }
    }
    all
}

/// The tests named in backticks.
fn test_names(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter(|span| is_test_name(span)).map(ToOwned::to_owned).collect()
}

fn is_test_name(span: &str) -> bool {
    let Some((path, name)) = span.rsplit_once("::") else { return false };
    let modules = path.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-/.:".contains(c));
    let function = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    modules && function && !name.is_empty()
}

/// The names of all functions.
fn functions(files: &[SourceFile]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files {
        let tokens = lex(&file.text).tokens;
        for pair in tokens.windows(2) {
            if let [keyword, name] = pair
                && keyword.is_word("fn")
            {
                names.extend(name.word().map(ToOwned::to_owned));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str) -> Vec<String> {
        let text = "mod a { #[test] fn exists() { \"fn quoted\"; } } // fn commented\nfn other() {}";
        violations(document, &[SourceFile { path: "crates/a/src/lib.rs".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn an_invariant_with_its_test_passes() {
        assert_eq!(
            check(
                "- **I1** cash is kept.\n  Guarded by `mts_a::a::exists`.\n- **I2** so `tests/b.rs::other`"
            ),
            [""; 0]
        );
        assert_eq!(
            check("| **I1** | text | `a::exists` |\n| **I2** | `Ledger::apply` | `a::other` |"),
            [""; 0]
        );
        assert_eq!(count("**I1** and **I2** and **Important**"), 2);
    }

    #[test]
    fn a_test_that_does_not_exist_fails() {
        for name in ["a::missing", "a::quoted", "a::commented"] {
            let found = check(&format!("**I1** text `{name}`"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found.iter().all(|line| line.contains(":1: I1 names `a::")), "{found:?}");
        }
    }

    #[test]
    fn an_invariant_without_a_test_fails() {
        assert_eq!(check("**I1** cash is `exact`, see `Ledger::apply` and `a::b()`").len(), 1);
        // A heading ends the invariant.
        assert_eq!(check("**I1** cash is kept\n## Next\nsee `a::exists`").len(), 1);
    }

    #[test]
    fn numbers_are_unique_and_there_are_some() {
        assert_eq!(check("**I1** `a::exists`\n**I1** `a::exists`").len(), 1);
        assert_eq!(check("no invariants here").len(), 1);
    }
}
