//! What every published crate must say of itself, and that all places name the same minimum Rust.

use crate::members::Member;

/// The table of documents beside the crates' own READMEs that name the version.
pub(crate) const DOCUMENTS: &[&str] = &["README.md", "docs/integrators.md"];

/// The sentence for everything that is missing. `toolchain` is the text of `rust-toolchain.toml`, `documents` the paths
/// and texts of [`DOCUMENTS`] and of each crate's README.
pub(crate) fn violations(members: &[Member], toolchain: &str, documents: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    let Some(pinned) = pinned(toolchain) else {
        return vec!["rust-toolchain.toml: names no channel like \"1.95.0\": pin one".to_owned()];
    };
    for member in members {
        let manifest = format!("{}/Cargo.toml", member.folder);
        let mut lacks = |holds: bool, what: &str, remedy: &str| {
            if !holds {
                found.push(format!("{manifest}: {what}: {remedy}"));
            }
        };
        let stated = member.rust_version.as_str();
        let states = format!("rust-version is {stated:?}, rust-toolchain.toml pins {pinned}");
        lacks(stated == pinned, &states, "write rust-version.workspace = true, and change both together");
        lacks(!member.description.is_empty(), "no description", "say in one line what the crate is");
        lacks(!member.license.is_empty(), "no license", "write license.workspace = true");
        lacks(member.readme == "README.md", "no readme", "write readme = \"README.md\" and the file");
        lacks((1..=5).contains(&member.keywords), "no keywords, or more than five", "name one to five");
        lacks(
            (1..=5).contains(&member.categories),
            "no categories, or more than five",
            "name some of crates.io's",
        );
        lacks(member.publishable, "publish is false", "remove it: `cargo package` could not join the crates");
        lacks(
            !member.examples.is_empty(),
            "no example",
            "add a runnable one in examples/ that needs only this crate and foundation",
        );
    }
    for (path, text) in documents {
        // The number at the end of a sentence may be followed by its full stop, but 1.95 is not 1.9.
        let named = text.split(|character: char| !character.is_ascii_digit() && character != '.');
        let named = named.map(|word| word.trim_matches('.')).any(|word| word == pinned);
        if !named {
            found.push(format!("{path}: does not name the minimum Rust {pinned}: state it"));
        }
    }
    found
}

/// `1.95` of `channel = "1.95.0"`.
fn pinned(toolchain: &str) -> Option<&str> {
    let line = toolchain.lines().find_map(|line| line.trim().strip_prefix("channel"))?;
    let channel = line.trim_start().strip_prefix('=')?.trim().trim_matches('"');
    let (version, patch) = channel.rsplit_once('.')?;
    (version.contains('.') && patch.parse::<u32>().is_ok()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLCHAIN: &str = "[toolchain]\nchannel = \"1.95.0\"\n";

    fn complete() -> Member {
        Member {
            name: "mts-a".to_owned(),
            folder: "crates/a".to_owned(),
            rust_version: "1.95".to_owned(),
            description: "a".to_owned(),
            license: "Apache-2.0".to_owned(),
            readme: "README.md".to_owned(),
            keywords: 2,
            categories: 1,
            publishable: true,
            examples: vec!["show".to_owned()],
            ..Member::default()
        }
    }

    fn readme(text: &str) -> Vec<(String, String)> {
        vec![("crates/a/README.md".to_owned(), text.to_owned())]
    }

    #[test]
    fn a_complete_crate_passes() {
        assert_eq!(violations(&[complete()], TOOLCHAIN, &readme("It needs Rust 1.95.")), [""; 0]);
    }

    #[test]
    fn each_gap_is_named() {
        let bare = Member { folder: "crates/a".to_owned(), ..Member::default() };
        let found = violations(&[bare], TOOLCHAIN, &[]);
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(found.iter().all(|line| line.starts_with("crates/a/Cargo.toml: ")));
    }

    #[test]
    fn all_places_name_the_same_version() {
        for text in ["", "1.9", "1.950", "11.95", "1.95.1"] {
            assert_eq!(violations(&[complete()], TOOLCHAIN, &readme(text)).len(), 1, "{text}");
        }
        let newer = TOOLCHAIN.replace("1.95", "1.96");
        let found = violations(&[complete()], &newer, &readme("Rust 1.95"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(violations(&[complete()], "channel = \"stable\"", &[]).concat().contains("pin one"));
    }
}
