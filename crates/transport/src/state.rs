//! A small durable memory in files, shared by the processes of one account.

use crate::system::{make_folder, owner_only, sync_folder};
use mts_foundation::io::{SharedState, StateChange, StateError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest entry, and longest name of one, in bytes.
const MAX_BYTES: u64 = 64 << 10;
const MAX_NAME: usize = 80;

/// How often a lock is tried that another process has, and the pause in between: it has it for a write to disk.
const TRIES: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// Entries in a folder: each in a file of its own, for the owner only, with a file beside it that holds the lock. A change is
/// written beside the old value, made durable and put in its place, so that a crash leaves one of the two. Processes and threads
/// wait for each other, at most 5 s.
#[derive(Debug, Clone)]
pub struct FileState {
    folder: PathBuf,
}

impl FileState {
    /// In a folder, which is made if needed.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        let folder = folder.into();
        // The folder itself is an entry in the one above.
        let parent =
            folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made = make_folder(&folder).and_then(|()| sync_folder(parent));
        made.map_err(|error| StateError {
            entry: folder.display().to_string(),
            message: format!("the folder cannot be made: {error}; check the path and its permissions"),
        })?;
        Ok(Self { folder })
    }

    fn change(&self, path: &Path, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, String> {
        let unusable =
            |error: io::Error| format!("{}: {error}; check the disk and the permissions", path.display());
        let lock = lock(&path.with_extension("lock")).map_err(unusable)?;
        let Some(lock) = lock else {
            return Err("another process has held the lock for 5 s; see which one hangs".to_owned());
        };
        let old = read(path).map_err(unusable)?;
        let outcome = match change(old.as_deref()) {
            None => Ok(old),
            Some(new) if new.len() as u64 > MAX_BYTES => {
                Err(format!("{} bytes are to be kept, an entry has at most {MAX_BYTES}", new.len()))
            }
            Some(new) if old.as_ref() == Some(&new) => Ok(old),
            Some(new) => write(path, &new).map(|()| Some(new)).map_err(unusable),
        };
        // Closing would do, but for a child process that is just being started and still has a copy of the file.
        lock.unlock().ok();
        outcome
    }
}

impl SharedState for FileState {
    fn update(&self, entry: &str, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
        let fault = |message: String| StateError { entry: entry.to_owned(), message };
        let name = file_name(entry)
            .ok_or_else(|| fault(format!("the name is empty or longer than {MAX_NAME} bytes; shorten it")))?;
        self.change(&self.folder.join(name), change).map_err(fault)
    }
}

/// A name that no file system reads as something else: other characters than small letters, digits and `-` as `_` and two digits.
fn file_name(entry: &str) -> Option<String> {
    if entry.is_empty() || entry.len() > MAX_NAME {
        return None;
    }
    let mut name = String::new();
    for byte in entry.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    Some(name + ".state")
}

/// `None` when others keep it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file =
        owner_only(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is longer than an entry can be"));
    }
    Ok(Some(bytes))
}

/// The lock is held: nobody else has the file beside.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = owner_only(OpenOptions::new().write(true).create(true).truncate(true)).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(state: &FileState) {
        let next = |old: Option<&[u8]>| {
            let old = old.map_or(0, |old| std::str::from_utf8(old).unwrap().parse::<u64>().unwrap());
            Some(old.saturating_add(1).to_string().into_bytes())
        };
        state.update("kraken/nonce/A", &mut { next }).unwrap();
    }

    fn value(state: &FileState, entry: &str) -> Option<Vec<u8>> {
        state.update(entry, &mut |_| None).unwrap()
    }

    #[test]
    fn many_who_change_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                // Each as if it were another process: with a handle, and so a lock, of its own.
                let state = FileState::open(&path).unwrap();
                scope.spawn(move || (0..25).for_each(|_| count(&state)));
            }
        });
        let state = FileState::open(&path).unwrap();
        assert_eq!(value(&state, "kraken/nonce/A").unwrap(), b"200");
        assert_eq!(value(&state, "kraken/nonce/a"), None);
        assert_eq!(value(&state, "kraken_nonce_A"), None);
    }

    #[test]
    fn entries_are_for_their_owner_and_have_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let state = FileState::open(folder.path().join("state")).unwrap();
        count(&state);
        for (entry, bytes, why) in
            [("", 1, "the name"), (&*"x".repeat(81), 1, "the name"), ("x", 70_000, "at most 65536")]
        {
            let error = state.update(entry, &mut |_| Some(vec![0; bytes])).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
        assert_eq!(value(&state, "x"), None);
        assert!(state.update("../x", &mut |_| Some(vec![1])).is_ok());
        #[cfg(unix)]
        for file in std::fs::read_dir(folder.path().join("state")).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing leaves the folder");
    }

    #[test]
    fn what_a_crash_left_half_written_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = FileState::open(folder.path()).unwrap();
        state.update("nonce", &mut |_| Some(b"17".to_vec())).unwrap();
        std::fs::write(folder.path().join("nonce.new"), b"9").unwrap();
        assert_eq!(value(&state, "nonce").unwrap(), b"17");
        state.update("nonce", &mut |_| Some(b"18".to_vec())).unwrap();
        assert_eq!(value(&state, "nonce").unwrap(), b"18");
        std::fs::write(folder.path().join("nonce.state"), vec![0; 70_000]).unwrap();
        assert!(state.update("nonce", &mut |_| Some(vec![1])).unwrap_err().message.contains("longer"));
    }
}
