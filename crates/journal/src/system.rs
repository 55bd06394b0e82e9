//! The few calls that differ between systems, with a fallback for the rest (decision H11).

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Creates a file that must not exist yet, for its owner only, to read and to write.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    owner_only(OpenOptions::new().read(true).write(true).create_new(true)).open(path)
}

/// Opens the writer's file.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Sets room aside so that the file, which holds `used` bytes, reaches `total`, zeros behind what it holds. Returns how
/// far it reaches: no further than before if the disk has not that much, which is no error: the file then grows as it
/// is written.
pub(crate) fn set_aside(file: &File, used: u64, total: u64) -> io::Result<u64> {
    if total <= used {
        return Ok(used);
    }
    match allocate(file, used, total) {
        Ok(()) => Ok(total),
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            // What was found before the end came is given back.
            file.set_len(used)?;
            Ok(used)
        }
        // Not every file system can; the length alone saves the writing of it at every sync.
        Err(_) => file.set_len(total).map(|()| total),
    }
}

/// Reserves the blocks up to `total` for certain, by whatever means there are.
pub(crate) fn reserve(file: &File, total: u64) -> io::Result<()> {
    const CHUNK: usize = 1 << 16;
    match allocate(file, 0, total) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        done => return done,
    }
    let mut place = 0;
    while place < total {
        let length = usize::try_from(total.saturating_sub(place)).unwrap_or(CHUNK).min(CHUNK);
        write_at(file, place, [0; CHUNK].get(..length).unwrap_or_default())?;
        place = place.saturating_add(length as u64);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, used: u64, total: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    Ok(fallocate(file, FallocateFlags::empty(), used, total.saturating_sub(used))?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_file: &File, _used: u64, _total: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A lock that is held. It ends with this value, or with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, but for a child process that is just being started: until it runs its own program it has
        // a copy of the file, and with that the lock. If this fails, closing is what is left.
        self.0.unlock().ok();
    }
}

/// How often a lock that somebody has is tried, and the pause in between: whoever looks for a writer has it for a moment.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// Takes the lock on the file at `path`, which it creates if needed. `None`: somebody else has it, and not for a moment.
pub(crate) fn lock(path: &Path) -> io::Result<Option<Lock>> {
    let file =
        owner_only(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)?;
    for tried in 1..=TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) if tried < TRIES => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Makes a folder and the missing ones above it, for the owner only, so that they outlive a power loss.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .take_while(|path| !path.exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    folder_builder().recursive(true).create(folder)?;
    // A new folder is an entry in its parent.
    for parent in missing.iter().filter_map(|path| path.parent()) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        sync_folder(parent)?;
    }
    Ok(())
}

#[cfg(unix)]
fn folder_builder() -> std::fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn folder_builder() -> std::fs::DirBuilder {
    std::fs::DirBuilder::new()
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// Elsewhere the rights of the folder decide.
#[cfg(not(unix))]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes the names in a folder durable; without it a power loss can take a new file's name though not its bytes.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and the file system orders these changes itself.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads at a place without moving the file's position.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    file.read_at(buffer, offset)
}

/// Reads at a place. The position moves, which is harmless: every write says where.
#[cfg(not(unix))]
pub(crate) fn read_at(mut file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}

/// Writes all bytes at a place.
#[cfg(unix)]
pub(crate) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    file.write_all_at(bytes, offset)
}

/// Writes all bytes at a place.
#[cfg(not(unix))]
pub(crate) fn write_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_look_for_a_writer_keeps_no_writer_out_and_a_writer_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(lock(&path).unwrap().unwrap());
        let look = File::open(&path).unwrap();
        look.try_lock_shared().unwrap();
        let looker = std::thread::spawn(move || {
            std::thread::sleep(PAUSE * 2);
            drop(look);
        });
        let held = lock(&path).unwrap();
        assert!(held.is_some());
        looker.join().unwrap();
        assert!(lock(&path).unwrap().is_none());
    }
}
