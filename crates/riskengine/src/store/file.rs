//! Risk state in a file: written whole beside the old one, made durable, put in its place; one writer; owner only.

use super::{RiskStore, StoreError};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// First word of the file.
const FORMAT: &str = "mts-risk-state";

/// Version of the layout.
const VERSION: u32 = 1;

/// Largest state, so that a wrong file is not read into memory.
const MAX_BYTES: u64 = 64 << 20;

/// A risk state file.
///
/// The file is one line, `mts-risk-state VERSION GENERATION LENGTH SHA-256`, and the state behind it. The generation
/// counts saves; a second, small file (`.lock` behind the name) holds the lock and the last generation, so that a state
/// that was deleted, or replaced by an older copy, is noticed.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    lock: File,
    generation: u64,
    state: Option<Vec<u8>>,
    stopped: bool,
    replaced: bool,
}

impl StateFile {
    /// Makes a new file, for a first start.
    ///
    /// # Errors
    /// [`StoreError::Exists`] or [`StoreError::Lost`] when there is, or was, one; [`StoreError::Locked`];
    /// [`StoreError::Io`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let (lock, last) = Self::lock(&path)?;
        match (path.exists(), last) {
            (true, _) => Err(StoreError::Exists { path }),
            (false, Some(_)) => Err(StoreError::Lost { path, fault: "was there and is gone" }),
            (false, None) => {
                Ok(Self { path, lock, generation: 0, state: None, stopped: false, replaced: false })
            }
        }
    }

    /// Opens the file of an earlier start.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when none was ever made; [`StoreError::Damaged`], [`StoreError::Lost`],
    /// [`StoreError::Locked`], [`StoreError::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        if !path.exists() && !lock_path(&path).exists() {
            return Err(StoreError::Missing { path });
        }
        let (lock, last) = Self::lock(&path)?;
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == ErrorKind::NotFound && last.is_none() => {
                return Err(StoreError::Missing { path });
            }
            Err(source) if source.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Lost { path, fault: "was there and is gone" });
            }
            Err(source) => return Err(StoreError::Io { path, operation: "reading", source }),
        };
        let (generation, state) =
            decode(&bytes).map_err(|fault| StoreError::Damaged { path: path.clone(), fault })?;
        if last.is_some_and(|last| generation < last) {
            return Err(StoreError::Lost { path, fault: "is older than the last one that was kept" });
        }
        let state = Some(state.to_vec());
        Ok(Self { path, lock, generation, state, stopped: false, replaced: false })
    }

    /// Opens the file, or makes it if none was ever made.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::create`].
    pub fn open_or_create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        match Self::open(path.clone()) {
            Err(StoreError::Missing { .. }) => Self::create(path),
            other => other,
        }
    }

    /// Takes the place of a file that is damaged or lost. Whoever begins with it has no halts and no counters: begin with
    /// the kill switch on.
    ///
    /// # Errors
    /// [`StoreError::Locked`] or [`StoreError::Io`].
    pub fn replace(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let lock = Self::take_lock(&path)?;
        // What cannot be read is what is replaced.
        let last = Self::generation_in(&path, &lock).ok().flatten();
        let kept = read(&path).ok().and_then(|bytes| decode(&bytes).ok().map(|(generation, _)| generation));
        let generation = last.max(kept).unwrap_or(0);
        Ok(Self { path, lock, generation, state: None, stopped: false, replaced: true })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock; answers the last generation that was kept.
    fn lock(path: &Path) -> Result<(File, Option<u64>), StoreError> {
        let file = Self::take_lock(path)?;
        let last = Self::generation_in(path, &file)?;
        Ok((file, last))
    }

    fn take_lock(path: &Path) -> Result<File, StoreError> {
        let io = |operation| move |source| StoreError::Io { path: path.to_path_buf(), operation, source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(lock_path(path))
            .map_err(io("opening the lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.to_path_buf() }),
            Err(TryLockError::Error(source)) => return Err(io("locking")(source)),
        }
        Ok(file)
    }

    /// The generation that the lock's file holds; `None` before the first save.
    fn generation_in(path: &Path, lock: &File) -> Result<Option<u64>, StoreError> {
        let mut bytes = Vec::new();
        lock.take(64).read_to_end(&mut bytes).map_err(|source| StoreError::Io {
            path: path.to_path_buf(),
            operation: "reading the lock",
            source,
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        let last = (!text.is_empty()).then(|| text.parse::<u64>());
        last.transpose().map_err(|_| StoreError::Damaged {
            path: lock_path(path),
            fault: "it holds no generation".to_owned(),
        })
    }

    fn write(&mut self, state: &[u8]) -> Result<(), StoreError> {
        let path = self.path.clone();
        let io = |operation| {
            let path = path.clone();
            move |source| StoreError::Io { path, operation, source }
        };
        let generation = self.generation.saturating_add(1);
        let fresh = beside(&self.path, ".new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(io("creating"))?;
        file.write_all(header(generation, state).as_bytes()).map_err(io("writing"))?;
        file.write_all(state).map_err(io("writing"))?;
        file.sync_all().map_err(io("syncing"))?;
        std::fs::rename(&fresh, &self.path).map_err(io("renaming"))?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(io("syncing the folder"))?;
        // Not synced: a generation that lags behind the state only notices less, never too much.
        self.lock
            .write_all_at(format!("{generation:020}").as_bytes(), 0)
            .map_err(io("noting the generation"))?;
        self.generation = generation;
        Ok(())
    }
}

impl RiskStore for StateFile {
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state.take())
    }

    fn is_replaced(&self) -> bool {
        self.replaced
    }

    fn save(&mut self, state: &[u8]) -> Result<(), StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped { path: self.path.clone() });
        }
        // After a failed sync the system may have dropped what it could not write: no second try.
        self.stopped = true;
        self.write(state)?;
        self.stopped = false;
        Ok(())
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        // A child process that is just being started has a copy of the lock until it runs its own program.
        self.lock.unlock().ok();
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn lock_path(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn header(generation: u64, state: &[u8]) -> String {
    let length = state.len();
    let digest = checksum(generation, state);
    format!("{FORMAT} {VERSION} {generation:020} {length:020} {digest}\n")
}

/// SHA-256 over version, generation, length and state, in hex.
fn checksum(generation: u64, state: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{FORMAT} {VERSION} {generation} {}\n", state.len()));
    hash.update(state);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Generation and state, or what is wrong with the bytes.
fn decode(bytes: &[u8]) -> Result<(u64, &[u8]), String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (line, rest) = bytes.split_at_checked(end).ok_or("it has no first line")?;
    let state = rest.get(1..).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| "its first line is no text")?;
    let words: Vec<&str> = line.split(' ').collect();
    let [format, version, generation, length, digest] = words.as_slice() else {
        return Err("its first line is not of five words".to_owned());
    };
    if *format != FORMAT {
        return Err(format!("it does not begin with {FORMAT}"));
    }
    if *version != VERSION.to_string() {
        return Err(format!("it has version {version}, this program reads {VERSION}"));
    }
    let generation: u64 = generation.parse().map_err(|_| "its generation is no number")?;
    let length: usize = length.parse().map_err(|_| "its length is no number")?;
    if length != state.len() {
        return Err(format!("it holds {} bytes of {length}", state.len()));
    }
    if *digest != checksum(generation, state) || line.len().saturating_add(1) != header_length() {
        return Err("its checksum does not match".to_owned());
    }
    Ok((generation, state))
}

/// Length of the first line with its end; numbers in it have a fixed width, so that no other spelling passes.
fn header_length() -> usize {
    FORMAT.len() + 1 + VERSION.to_string().len() + 1 + 20 + 1 + 20 + 1 + 64 + 1
}
