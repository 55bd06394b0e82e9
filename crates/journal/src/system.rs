//! The few calls that differ between systems, with a fallback for the rest (decision H11).

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// Creates a file that must not exist yet, for its owner only, to read and to append.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    owner_only(OpenOptions::new().read(true).append(true).create_new(true)).open(path)
}

/// Opens the writer's file to read and to append.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).open(path)
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

/// Takes the lock on the file at `path`, which it creates if needed. `None`: somebody else has it.
pub(crate) fn lock(path: &Path) -> io::Result<Option<Lock>> {
    let file =
        owner_only(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
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

/// Reads at a place. The position moves, which is harmless: writes append, and nothing else uses it.
#[cfg(not(unix))]
pub(crate) fn read_at(mut file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}
