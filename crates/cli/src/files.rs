//! Reading, hashing and writing files, with messages that name them.

use crate::error::{CliError, ExitKind};
use sha2::{Digest, Sha256};
use std::io::{Read as _, Write};
use std::path::Path;

/// Reads a text file.
pub(crate) fn read(path: &Path, what: &str, kind: ExitKind) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(unreadable(path, what, kind))
}

/// SHA-256 of a file, as hexadecimal text; it is not held in memory.
pub(crate) fn sha256_of(path: &Path, what: &str, kind: ExitKind) -> Result<String, CliError> {
    let unreadable = || unreadable(path, what, kind);
    let mut file = std::fs::File::open(path).map_err(unreadable())?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(unreadable())? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

fn unreadable(path: &Path, what: &str, kind: ExitKind) -> impl FnOnce(std::io::Error) -> CliError {
    move |error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; it is taken from where the configuration lies",
            std::io::ErrorKind::PermissionDenied => "give yourself permission to read it",
            std::io::ErrorKind::InvalidData => "it must be UTF-8 text",
            _ => "check the disk",
        };
        CliError::new(kind, format!("the {what} {} cannot be read: {error}; {remedy}", path.display()))
    }
}

/// SHA-256 as hexadecimal text.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses the folder of a run as a place for files that somebody asked for: they could take the place of its own.
pub(crate) fn not_in_a_run(folder: &Path) -> Result<(), CliError> {
    if !folder.join(mts_journal::FILE_NAME).exists() {
        return Ok(());
    }
    let message = format!(
        "{} is the folder of a run, whose own files stay; name another place with --out",
        folder.display()
    );
    Err(CliError::new(ExitKind::Usage, message))
}

/// Writes a file whole or not at all: beside its place first, then moved there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_whole_with(path, |file| file.write_all(bytes))
}

/// As [`write_whole`], with what `fill` writes.
pub(crate) fn write_whole_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), CliError> {
    let unwritable = |error: std::io::Error| {
        let message =
            format!("{} cannot be written: {error}; choose another folder with --out", path.display());
        CliError::new(ExitKind::Output, message)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    fill(&mut file).map_err(unwritable)?;
    file.as_file().sync_all().map_err(unwritable)?;
    file.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}
