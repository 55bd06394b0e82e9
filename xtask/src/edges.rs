//! The table of allowed dependencies between the packages of the workspace (decisions H2, H3, H4).
//!
//! It is checked against `cargo metadata`, optional dependencies included. A package that is not in the table
//! fails: who adds one says here what it may see.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::{Error, Result};

/// The crates of the domain: they meet in foundation's traits and are joined further out.
const DOMAIN: &[&str] = &[
    "mts-brokers",
    "mts-marketdata",
    "mts-riskengine",
    "mts-portfolio",
    "mts-quantkit",
    "mts-engine",
    "mts-matching",
    "mts-journal",
    "mts-transport",
];

/// A set of packages of the workspace.
#[derive(Debug, Clone, Copy)]
enum See {
    /// These.
    Only(&'static [&'static str]),
    /// Foundation, the domain, and these.
    Domain(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}

/// What a package may depend on.
#[derive(Debug)]
struct Row {
    package: &'static str,
    /// In `[dependencies]` and `[build-dependencies]`.
    sees: See,
    /// In `[dev-dependencies]`, beside those.
    tests_see: &'static [&'static str],
}

const fn row(package: &'static str, sees: See, tests_see: &'static [&'static str]) -> Row {
    Row { package, sees, tests_see }
}

const FOUNDATION: See = See::Only(&["mts-foundation"]);
const KIT: &[&str] = &["mts-conformance"];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    //  package            may depend on                                          and its tests on
    row("mts-foundation",  See::Only(&[]),                                        &[]),
    row("mts-brokers",     See::Only(&["mts-foundation", "mts-matching"]),        KIT),
    row("mts-marketdata",  FOUNDATION,                                            KIT),
    row("mts-riskengine",  FOUNDATION,                                            KIT),
    row("mts-portfolio",   FOUNDATION,                                            KIT),
    row("mts-quantkit",    FOUNDATION,                                            KIT),
    row("mts-engine",      FOUNDATION,                                            KIT),
    row("mts-matching",    FOUNDATION,                                            KIT),
    row("mts-journal",     FOUNDATION,                                            KIT),
    row("mts-transport",   FOUNDATION,                                            KIT),
    row("mts-conformance", FOUNDATION,                                            &[]),
    row("mts-venues",      See::Only(&["mts-foundation", "mts-matching"]),        &[]),
    row("mts-cli",         See::Domain(&["mts-venues"]),                          KIT),
    row("mts-sim",         See::AllBut(&["mts-cli", "mts-tests", "xtask"]),       &[]),
    row("mts-tests",       See::AllBut(&["mts-sim", "xtask"]),                    &[]),
    row("mts-quant-vectors", See::Only(&["mts-foundation", "mts-quantkit"]),      &[]),
    row("xtask",           See::Only(&[]),                                        &[]),
    row("xtask-api",       See::Only(&[]),                                        &[]),
];

/// Every package below `examples/`, whatever its name: they show what an outsider can do.
const EXAMPLES: Row = row("examples", See::AllBut(&["mts-sim", "mts-tests", "xtask"]), &[]);

impl See {
    fn allows(self, package: &str) -> bool {
        match self {
            Self::Only(these) => these.contains(&package),
            Self::Domain(these) => {
                package == "mts-foundation" || DOMAIN.contains(&package) || these.contains(&package)
            }
            Self::AllBut(these) => !these.contains(&package),
        }
    }
}

/// The sentence for every edge and package that the table does not allow; `metadata` is what
/// `cargo metadata --format-version 1 --no-deps` printed.
pub(crate) fn violations(metadata: &str) -> Result<Vec<String>> {
    let metadata: Value = serde_json::from_str(metadata).map_err(|error| {
        Error::failed(format!("`cargo metadata` printed no JSON ({error}): run it by hand"))
    })?;
    let root = text(&metadata, "workspace_root");
    let packages = list(&metadata, "packages");
    let members: BTreeSet<&str> = packages.iter().map(|package| text(package, "name")).collect();
    let ours = |name: &str| members.contains(name) || TABLE.iter().any(|row| row.package == name);
    let mut found = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let manifest = text(package, "manifest_path");
        let manifest = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches(['/', '\\']);
        let row = if manifest.starts_with("examples") {
            &EXAMPLES
        } else if let Some(row) = TABLE.iter().find(|row| row.package == name) {
            row
        } else {
            found.push(format!(
                "{manifest}: the package `{name}` is not in the table of edges: add a row to xtask/src/edges.rs \
                 that says what it may depend on (decisions H2 to H4)"
            ));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let target = text(dependency, "name");
            // A dev-dependency on oneself turns a feature on for the tests.
            if !ours(target) || target == name {
                continue;
            }
            let dev = text(dependency, "kind") == "dev";
            let allowed = row.sees.allows(target) || (dev && row.tests_see.contains(&target));
            if !allowed {
                let kind = if dev { "dev-dependency" } else { "dependency" };
                found.push(format!(
                    "{manifest}: the {kind} `{name}` -> `{target}` is not in the table of edges: let them meet \
                     through a trait of foundation and join them in mts-cli (decisions H2 to H4, table in \
                     xtask/src/edges.rs)"
                ));
            }
        }
    }
    Ok(found)
}

/// The text at a key, empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a key, empty where there is none.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The name of a dependency, its kind, and whether it is optional.
    type Dependency = (&'static str, Option<&'static str>, bool);

    /// Each package as its folder, its name and its dependencies.
    fn check(packages: &[(&str, &str, &[Dependency])]) -> Vec<String> {
        let packages: Vec<Value> = packages
            .iter()
            .map(|(folder, name, dependencies)| {
                let dependencies: Vec<Value> = dependencies
                    .iter()
                    .map(|(name, kind, optional)| json!({ "name": name, "kind": kind, "optional": optional }))
                    .collect();
                let manifest = format!("/w/{folder}/Cargo.toml");
                json!({ "name": name, "manifest_path": manifest, "dependencies": dependencies })
            })
            .collect();
        let metadata = json!({ "workspace_root": "/w", "packages": packages });
        violations(&metadata.to_string()).unwrap()
    }

    /// Whether one edge is allowed.
    fn allowed(from: &'static str, to: &'static str, kind: Option<&'static str>) -> bool {
        check(&[("crates/x", from, &[(to, kind, false)])]).is_empty()
    }

    #[test]
    fn the_domain_sees_foundation_and_not_itself() {
        for from in DOMAIN {
            assert!(allowed(from, "mts-foundation", None), "{from}");
            assert!(allowed(from, "serde", None), "{from}");
            assert!(allowed(from, "mts-conformance", Some("dev")), "{from}");
            assert!(!allowed(from, "mts-conformance", None), "{from}");
            for to in DOMAIN.iter().filter(|to| to != &from) {
                let paper = (*from, *to) == ("mts-brokers", "mts-matching");
                assert_eq!(allowed(from, to, None), paper, "{from} -> {to}");
                assert_eq!(allowed(from, to, Some("dev")), paper, "{from} -> {to} (dev)");
            }
            for to in ["mts-cli", "mts-sim", "mts-venues", "mts-tests", "xtask"] {
                assert!(!allowed(from, to, None) && !allowed(from, to, Some("dev")), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn the_edges_outside_of_the_domain_are_those_of_the_decisions() {
        for (from, to, expected) in [
            ("mts-foundation", "mts-conformance", false),
            ("mts-conformance", "mts-foundation", true),
            ("mts-conformance", "mts-matching", false),
            ("mts-venues", "mts-matching", true),
            ("mts-venues", "mts-brokers", false),
            ("mts-sim", "mts-venues", true),
            ("mts-sim", "mts-engine", true),
            ("mts-sim", "mts-cli", false),
            ("mts-cli", "mts-engine", true),
            ("mts-cli", "mts-sim", false),
            ("mts-cli", "mts-conformance", false),
            ("mts-tests", "mts-cli", true),
            ("mts-tests", "mts-venues", true),
            ("mts-tests", "mts-sim", false),
            ("mts-tests", "xtask", false),
            ("xtask", "mts-foundation", false),
        ] {
            assert_eq!(allowed(from, to, None), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn optional_and_build_dependencies_count() {
        assert_eq!(check(&[("crates/engine", "mts-engine", &[("mts-journal", None, true)])]).len(), 1);
        assert!(!allowed("mts-engine", "mts-journal", Some("build")));
        assert!(!allowed("mts-engine", "mts-conformance", Some("build")));
    }

    #[test]
    fn an_unknown_package_names_the_remedy() {
        let found = check(&[("crates/extra", "mts-extra", &[])]);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|line| line.contains("add a row to xtask/src/edges.rs")), "{found:?}");
        // And nobody sees it by accident.
        let found = check(&[
            ("crates/extra", "extra", &[]),
            ("crates/engine", "mts-engine", &[("extra", None, false)]),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn examples_need_no_row() {
        assert!(check(&[("examples/own_strategy", "own_strategy", &[("mts-cli", None, false)])]).is_empty());
        assert_eq!(check(&[("examples/own_strategy", "own_strategy", &[("mts-sim", None, false)])]).len(), 1);
    }

    #[test]
    fn a_dev_dependency_on_oneself_is_no_edge() {
        assert!(allowed("mts-brokers", "mts-brokers", Some("dev")));
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        assert!(violations("error: no manifest").unwrap_err().to_string().contains("printed no JSON"));
    }
}
