//! Where the workspace is, and which files it has.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The root of the workspace: the folder above the manifest of this crate.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The build folder of the workspace, absolute, because programs are also started elsewhere.
pub(crate) fn target_folder() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The profile of CI's long run of the simulation: optimised enough, and compiled in less time than `release`.
pub(crate) const CI_PROFILE: &str = "ci";

/// A program of the workspace as a profile built it (`debug`, `release`, `ci`), without asking cargo whether it is up to date.
pub(crate) fn built(profile: &str, name: &str) -> PathBuf {
    target_folder().join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Whether this is a CI run, where a missing tool is a failure and not something to skip.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// A file of the workspace: its path from the root, with forward slashes, and its text.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All `.rs` files below the named folders, sorted by path. A folder that does not exist has none.
pub(crate) fn rust_files(root: &Path, folders: &[&str]) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for folder in folders {
        let folder = root.join(folder);
        if folder.is_dir() {
            collect(root, &folder, &mut files)?;
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        Error::failed(format!("cannot read {}: {error}", path.display()))
    };
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
        if kind.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                collect(root, &path, files)?;
            }
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            files.push(SourceFile { path: relative(root, &path), text });
        }
    }
    Ok(())
}

/// A path as it is shown to people: from the root, with forward slashes.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
