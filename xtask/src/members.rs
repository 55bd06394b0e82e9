//! The published crates of the workspace, those below `crates/` without the simulation, as `cargo metadata` describes them.

use serde_json::Value;

use crate::edges::{list, text};
use crate::error::{Error, Result};
use crate::process::Program;

/// Drives the other crates and is of no use to anybody without this workspace: it is not published.
const UNPUBLISHED: &str = "mts-sim";

/// One published crate below `crates/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// `mts-foundation`.
    pub(crate) name: String,
    /// `crates/foundation`.
    pub(crate) folder: String,
    pub(crate) version: String,
    pub(crate) rust_version: String,
    pub(crate) description: String,
    pub(crate) license: String,
    /// The readme's path from the crate's folder.
    pub(crate) readme: String,
    pub(crate) keywords: usize,
    pub(crate) categories: usize,
    /// Whether any registry may take it; `cargo package` refuses to join crates that none may.
    pub(crate) publishable: bool,
    /// Without `default`, sorted.
    pub(crate) features: Vec<String>,
    /// Names of the examples.
    pub(crate) examples: Vec<String>,
    /// Names of the crates of the workspace that it needs, tests apart.
    pub(crate) needs: Vec<String>,
}

/// All of them, by name.
pub(crate) fn all() -> Result<Vec<Member>> {
    let metadata = Program::cargo(["metadata", "--format-version", "1", "--no-deps"]).output()?;
    from_metadata(&metadata)
}

/// The same from what `cargo metadata --no-deps` printed.
pub(crate) fn from_metadata(metadata: &str) -> Result<Vec<Member>> {
    let metadata: Value = serde_json::from_str(metadata).map_err(|error| {
        Error::failed(format!("`cargo metadata` printed no JSON ({error}): run it by hand"))
    })?;
    let root = text(&metadata, "workspace_root");
    let mut members: Vec<Member> =
        list(&metadata, "packages").iter().filter_map(|package| member(package, root)).collect();
    members.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(members)
}

fn member(package: &Value, root: &str) -> Option<Member> {
    let manifest = text(package, "manifest_path").strip_prefix(root)?.trim_start_matches(['/', '\\']);
    let folder = manifest.strip_suffix("Cargo.toml")?.trim_end_matches(['/', '\\']).replace('\\', "/");
    if !folder.starts_with("crates/") || text(package, "name") == UNPUBLISHED {
        return None;
    }
    let features = package.get("features").and_then(Value::as_object);
    let features = features.into_iter().flat_map(|features| features.keys());
    let is_example =
        |target: &&Value| list(target, "kind").iter().any(|kind| kind.as_str() == Some("example"));
    let examples = list(package, "targets").iter().filter(is_example);
    let needs = list(package, "dependencies").iter().filter(|dependency| {
        text(dependency, "name").starts_with("mts-") && text(dependency, "kind") != "dev"
    });
    Some(Member {
        name: text(package, "name").to_owned(),
        folder,
        version: text(package, "version").to_owned(),
        rust_version: text(package, "rust_version").to_owned(),
        description: text(package, "description").to_owned(),
        license: text(package, "license").to_owned(),
        readme: text(package, "readme").to_owned(),
        keywords: list(package, "keywords").len(),
        categories: list(package, "categories").len(),
        publishable: package.get("publish").is_none_or(Value::is_null),
        features: features.filter(|feature| *feature != "default").cloned().collect(),
        examples: examples.map(|target| text(target, "name").to_owned()).collect(),
        needs: needs.map(|dependency| text(dependency, "name").to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_lies_below_crates_is_published() {
        let metadata = json!({ "workspace_root": "/w", "packages": [
            { "name": "xtask", "manifest_path": "/w/xtask/Cargo.toml" },
            {
                "name": "mts-b", "manifest_path": "/w/crates/b/Cargo.toml", "rust_version": "1.95",
                "description": "b", "license": "MIT", "readme": "README.md", "keywords": ["x"], "publish": [],
                "features": { "default": ["y"], "y": [], "z": [] },
                "targets": [{ "name": "b", "kind": ["lib"] }, { "name": "show", "kind": ["example"] }],
                "dependencies": [
                    { "name": "mts-a", "kind": null }, { "name": "mts-kit", "kind": "dev" }, { "name": "serde" }
                ],
            },
            { "name": "mts-a", "manifest_path": "/w/crates/a/Cargo.toml", "publish": null },
            { "name": "mts-sim", "manifest_path": "/w/crates/sim/Cargo.toml", "publish": [] },
        ]});
        let members = from_metadata(&metadata.to_string()).unwrap();
        assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["mts-a", "mts-b"]);
        let b = members.last().unwrap();
        assert_eq!((b.folder.as_str(), b.rust_version.as_str()), ("crates/b", "1.95"));
        assert_eq!(
            (b.features.join(" "), b.examples.join(" "), b.needs.join(" ")),
            ("y z".into(), "show".into(), "mts-a".into())
        );
        assert!(!b.publishable && members.first().unwrap().publishable);
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        assert!(from_metadata("error: no manifest").unwrap_err().to_string().contains("printed no JSON"));
    }
}
