//! `mts new`.

use super::print::say;
use crate::error::{CliError, ExitKind};
use crate::files::write_whole;
use std::path::{Path, PathBuf};

const MANIFEST: &str = include_str!("../../templates/strategy/Cargo.toml.template");
const MAIN: &str = include_str!("../../templates/strategy/main.rs.template");
const CONFIG: &str = include_str!("../../templates/strategy/config.toml.template");
const README: &str = include_str!("../../templates/strategy/README.md.template");

/// Writes a stand-alone crate with a strategy.
pub(crate) fn new_strategy(name: &str, dir: Option<&Path>, mts: Option<&Path>) -> Result<(), CliError> {
    let usable = !name.is_empty()
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if !usable {
        let message = format!("{name:?} is no name for a crate; use small letters, digits and underscores");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let folder = dir.map_or_else(|| PathBuf::from(name), Path::to_path_buf);
    if folder.exists() {
        let message = format!("{} exists already; name another folder with --dir", folder.display());
        return Err(CliError::new(ExitKind::Output, message));
    }
    let workspace = find_workspace(mts)?;
    let unwritable = |error: std::io::Error| {
        CliError::new(ExitKind::Output, format!("{} cannot be made: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder.join("src")).map_err(unwritable)?;
    let folder = folder.canonicalize().map_err(unwritable)?;
    let type_name: String = name
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect();
    let fill = |template: &str| {
        template
            .replace("{{name}}", name)
            .replace("{{type}}", &type_name)
            .replace("{{mts}}", &workspace.display().to_string())
    };
    write_whole(&folder.join("Cargo.toml"), fill(MANIFEST).as_bytes())?;
    write_whole(&folder.join("src/main.rs"), fill(MAIN).as_bytes())?;
    write_whole(&folder.join(format!("{name}.toml")), fill(CONFIG).as_bytes())?;
    write_whole(&folder.join("README.md"), fill(README).as_bytes())?;
    say(&format!(
        "{} is ready; run it with:\n  cd {}\n  cargo run --release -- run {name}.toml",
        folder.display(),
        folder.display()
    ));
    Ok(())
}

/// The mts workspace, for the path dependency.
fn find_workspace(named: Option<&Path>) -> Result<PathBuf, CliError> {
    let missing = |what: String| CliError::new(ExitKind::Usage, what);
    let is_workspace = |folder: &Path| folder.join("crates/cli/Cargo.toml").exists();
    let found = match named {
        Some(folder) => Some(folder.to_path_buf()).filter(|folder| is_workspace(folder)),
        None => std::env::current_dir()
            .ok()
            .and_then(|here| here.ancestors().find(|folder| is_workspace(folder)).map(Path::to_path_buf)),
    };
    let folder = found
        .ok_or_else(|| missing("the mts workspace is not here; name its folder with --mts".to_owned()))?;
    folder.canonicalize().map_err(|error| missing(format!("{}: {error}", folder.display())))
}
