//! Files that appear whole or not at all, and the lock of a store.

use super::error::StoreError;
use super::manifest::MANIFEST;
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const UNFINISHED: &str = "tmp";
/// Bytes that are hashed at a time.
const CHUNK: usize = 1 << 16;

/// A file that is hashed while it is written.
pub(super) struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes a file beside its place, syncs it, moves it there and syncs the folder; answers its SHA-256 and size.
pub(super) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut Hashed) -> Result<(), StoreError>,
) -> Result<(String, u64), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let unfinished = unfinished(path);
    let file = File::create(&unfinished).map_err(StoreError::io(&unfinished))?;
    let mut hashed = Hashed { file, hash: Sha256::new(), bytes: 0 };
    fill(&mut hashed)?;
    hashed.file.sync_all().map_err(StoreError::io(&unfinished))?;
    std::fs::rename(&unfinished, path).map_err(StoreError::io(path))?;
    sync_folder(folder)?;
    Ok((hex(&hashed.hash.finalize()), hashed.bytes))
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    PathBuf::from(name)
}

/// Makes a folder and what is above it, so that a crash does not lose its name.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_folder(above)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(StoreError::io(folder)(error));
        }
        _ => {}
    }
    sync_folder(above.unwrap_or(Path::new(".")))
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io(folder))
}

/// SHA-256 and size of a file.
pub(super) fn hash(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok((hex(&hash.finalize()), bytes));
        }
        hash.update(chunk.get(..count).unwrap_or_default());
        bytes = bytes.saturating_add(count as u64);
    }
}

/// SHA-256 as hexadecimal text.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes the lock of those who write; it is let go with the file, and with the process.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path)(error)),
    }
}

/// The first thing in a folder that is not of a store's beginning.
pub(super) fn foreign(folder: &Path) -> Result<Option<String>, StoreError> {
    let own = [LOCK.to_owned(), MANIFEST.to_owned(), format!("{MANIFEST}.{UNFINISHED}")];
    Ok(names(folder)?.into_iter().find(|name| !own.contains(name)))
}

/// Files of parts, whole and unfinished, as paths from the store's folder.
pub(super) fn part_files(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for source in folders(folder)? {
        for interval in folders(&folder.join(&source))? {
            let within = folder.join(&source).join(&interval);
            let parts = names(&within)?.into_iter().filter(|name| is_part(name));
            found.extend(parts.map(|name| format!("{source}/{interval}/{name}")));
        }
    }
    Ok(found)
}

/// Whether a name is one that a store gives: `2024-03-000017.parquet`, or that with the ending of unfinished files.
fn is_part(name: &str) -> bool {
    let name = name.strip_suffix(UNFINISHED).and_then(|name| name.strip_suffix('.')).unwrap_or(name);
    name.strip_suffix(".parquet").and_then(|stem| stem.rsplit_once('-')).is_some_and(|(period, number)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        period.split('-').all(digits) && number.len() >= 6 && digits(number)
    })
}

fn folders(folder: &Path) -> Result<Vec<String>, StoreError> {
    Ok(names(folder)?.into_iter().filter(|name| folder.join(name).is_dir()).collect())
}

fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(StoreError::io(folder))? {
        let entry = entry.map_err(StoreError::io(folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
