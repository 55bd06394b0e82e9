//! `mts new`.

use super::print::say;
use crate::args::NewArgs;
use crate::error::{CliError, ExitKind};
use crate::files::write_whole;
use std::path::{Path, PathBuf};

/// A file of a new crate, and what stands in it before the names are filled in.
type Template = (&'static str, &'static str);

const STRATEGY: &[Template] = &[
    ("Cargo.toml", include_str!("../../templates/strategy/Cargo.toml.template")),
    ("src/main.rs", include_str!("../../templates/strategy/main.rs.template")),
    ("{{name}}.toml", include_str!("../../templates/strategy/config.toml.template")),
    ("README.md", include_str!("../../templates/strategy/README.md.template")),
];

const BROKER: &[Template] = &[
    ("Cargo.toml", include_str!("../../templates/broker/Cargo.toml.template")),
    ("README.md", include_str!("../../templates/broker/README.md.template")),
    ("src/lib.rs", include_str!("../../templates/broker/src/lib.rs.template")),
    ("src/capabilities.rs", include_str!("../../templates/broker/src/capabilities.rs.template")),
    ("src/client.rs", include_str!("../../templates/broker/src/client.rs.template")),
    ("src/config.rs", include_str!("../../templates/broker/src/config.rs.template")),
    ("src/double.rs", include_str!("../../templates/broker/src/double.rs.template")),
    ("src/map.rs", include_str!("../../templates/broker/src/map.rs.template")),
    ("src/session.rs", include_str!("../../templates/broker/src/session.rs.template")),
    ("src/symbols.rs", include_str!("../../templates/broker/src/symbols.rs.template")),
    ("src/wire.rs", include_str!("../../templates/broker/src/wire.rs.template")),
    ("tests/conformance.rs", include_str!("../../templates/broker/tests/conformance.rs.template")),
];

/// Writes a stand-alone crate with a strategy.
pub(crate) fn new_strategy(args: &NewArgs) -> Result<(), CliError> {
    let folder = write_crate(args, STRATEGY)?;
    say(&format!(
        "{folder} is ready; run it with:\n  cd {folder}\n  cargo run --release -- run {}.toml",
        args.name
    ));
    Ok(())
}

/// Writes a stand-alone crate with a broker whose calls are not written yet, the double of its venue, and the suite.
pub(crate) fn new_broker(args: &NewArgs) -> Result<(), CliError> {
    let folder = write_crate(args, BROKER)?;
    say(&format!(
        "{folder} is ready; it compiles, and the suite names every case that fails:\n  cd {folder}\n  cargo test\n\
         README.md says which file to begin with, docs/adding-a-broker.md of mts goes through it"
    ));
    Ok(())
}

/// Writes the files of a crate, and returns its folder.
fn write_crate(args: &NewArgs, files: &[Template]) -> Result<String, CliError> {
    let name = args.name.as_str();
    let usable = !name.is_empty()
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if !usable {
        let message = format!("{name:?} is no name for a crate; use small letters, digits and underscores");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        let message = format!("{} exists already; name another folder with --dir", folder.display());
        return Err(CliError::new(ExitKind::Output, message));
    }
    let workspace = find_workspace(args.mts.as_deref())?;
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
            .replace("{{NAME}}", &name.to_ascii_uppercase())
            .replace("{{type}}", &type_name)
            .replace("{{mts}}", &workspace.display().to_string())
    };
    let unwritable = |error: std::io::Error| {
        CliError::new(ExitKind::Output, format!("{} cannot be made: {error}", folder.display()))
    };
    for (path, template) in files {
        let path = folder.join(fill(path));
        std::fs::create_dir_all(path.parent().unwrap_or(&folder)).map_err(unwritable)?;
        write_whole(&path, fill(template).as_bytes())?;
    }
    Ok(folder.canonicalize().map_err(unwritable)?.display().to_string())
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
