//! The journal in a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};

use crate::format::{self, FILE_HEAD, Group};
use crate::reader::{self, JournalReader};
use crate::system::Lock;
use crate::walk::Position;
use crate::{FILE_NAME, LOCK_NAME, system};

/// Name of a journal that is being begun.
const STAGING_NAME: &str = "journal.mts.new";

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// Until the disk has the group: survives a power loss. The only one for trading.
    #[default]
    EveryCommit,
    /// Until the system has the group: survives the end of the process, not that of the machine. A power loss may leave
    /// a journal that is refused as damaged. For back-tests and simulations.
    WriteOnly,
}

/// The journal in the file `journal.mts` of a folder, with one writer at a time.
///
/// The first write or sync that fails ends it: everything after it answers [`JournalError::Stopped`], except reading.
/// It is never tried again, because a system that reports a failed sync once may report success the next time though
/// the bytes are gone.
#[derive(Debug)]
pub struct FileJournal {
    path: String,
    file: File,
    /// Held, not used: it keeps other writers out until this is dropped.
    _lock: Lock,
    group: Group,
    /// Where the committed part ends.
    committed: u64,
    policy: SyncPolicy,
    stopped: bool,
    bytes_written: u64,
    syncs: u64,
    recovered: u64,
}

/// Names of the files of a folder, and the way from a system's error to ours.
struct Names {
    folder: PathBuf,
    journal: PathBuf,
    path: String,
}

impl Names {
    fn new(folder: &Path) -> Self {
        // The folder of a plain name is "", which no system call accepts.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let journal = folder.join(FILE_NAME);
        Self { folder: folder.to_owned(), path: journal.display().to_string(), journal }
    }

    fn io(&self, operation: &'static str) -> impl FnOnce(io::Error) -> JournalError {
        let path = self.path.clone();
        move |source| JournalError::Io { path, operation, source }
    }

    fn lock(&self) -> Result<Lock, JournalError> {
        let lock = system::lock(&self.folder.join(LOCK_NAME)).map_err(self.io("lock"))?;
        lock.ok_or_else(|| JournalError::Locked { path: self.path.clone() })
    }
}

impl FileJournal {
    /// Starts a journal in `folder`, which is made if it is missing. Both are for their owner only.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another writer is at work there; [`JournalError::Io`] if the system refuses, and with
    /// the kind `AlreadyExists` if there is a journal: that one is for [`FileJournal::open`], never written over.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        let names = Names::new(folder.as_ref());
        system::make_folder(&names.folder).map_err(names.io("create the folder"))?;
        let lock = names.lock()?;
        let mut file = system::create_new(&names.journal).map_err(|error| {
            let error = match error.kind() {
                io::ErrorKind::AlreadyExists => already_there(),
                _ => error,
            };
            names.io("create")(error)
        })?;
        write_head(&mut file).map_err(names.io("write the header"))?;
        system::sync_folder(&names.folder).map_err(names.io("sync the folder"))?;
        Ok(Self::assemble(names, file, lock, start(), 0))
    }

    /// Starts a journal in `folder` with its first records, whole or not at all: a process that dies on the way leaves no
    /// journal, so that an empty one always means that something was lost. Of several that start at once, one does.
    ///
    /// # Errors
    /// As [`FileJournal::create`], and those of [`Journal::append`] and [`Journal::commit`].
    pub fn begin(folder: impl AsRef<Path>, records: &[(u16, &[u8])]) -> Result<Self, JournalError> {
        let names = Names::new(folder.as_ref());
        system::make_folder(&names.folder).map_err(names.io("create the folder"))?;
        // Everybody who writes here holds this lock, so what is true after it stays true.
        let lock = names.lock()?;
        if names.journal.exists() {
            return Err(names.io("create")(already_there()));
        }
        let staged = names.folder.join(STAGING_NAME);
        match std::fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(names.io("remove what an earlier start left of")(error));
            }
            _ => {}
        }
        let mut file = system::create_new(&staged).map_err(names.io("create"))?;
        write_head(&mut file).map_err(names.io("write the header"))?;
        let path = names.path.clone();
        let (from, to, of_folder) = (staged, names.journal.clone(), names.folder.clone());
        let mut journal = Self::assemble(names, file, lock, start(), 0);
        for (kind, payload) in records {
            journal.append(*kind, payload)?;
        }
        journal.commit()?;
        let failed = |operation| {
            let path = path.clone();
            move |source| JournalError::Io { path, operation, source }
        };
        std::fs::rename(from, to).map_err(failed("publish"))?;
        system::sync_folder(&of_folder).map_err(failed("sync the folder"))?;
        Ok(journal)
    }

    /// Opens the journal of `folder` to go on with it. A torn tail, the rest of a group that was never durable, is cut
    /// off; [`FileJournal::recovered_bytes`] tells how long it was.
    ///
    /// Opening reads the whole file once.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another writer is at work; [`JournalError::Damaged`] if the committed part is not
    /// what was written (the file is left as it is); [`JournalError::Io`] if there is no journal or the system refuses.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        let names = Names::new(folder.as_ref());
        // Look before the lock: that would leave its file behind in a folder that has no journal.
        let mut file = system::open_to_append(&names.journal).map_err(names.io("open"))?;
        let lock = names.lock()?;
        let length = file.metadata().map_err(names.io("look at"))?.len();
        let mut head = reader::survey(&file, length).map_err(|trouble| trouble.at(&names.path))?;
        let recovered = length.saturating_sub(head.offset);
        if recovered > 0 {
            file.set_len(head.offset).map_err(names.io("cut the torn tail"))?;
        }
        if head.offset < FILE_HEAD as u64 {
            write_head(&mut file).map_err(names.io("write the header"))?;
            head = start();
        }
        // A process that was killed between write and sync leaves groups that look durable and are not yet, and one
        // that was killed while it created the journal leaves a name that is not.
        file.sync_all().map_err(names.io("sync"))?;
        system::sync_folder(&names.folder).map_err(names.io("sync the folder"))?;
        Ok(Self::assemble(names, file, lock, head, recovered))
    }

    /// Opens the journal of `folder` only to read it: without a lock, without changing anything, also while another
    /// process writes it. A torn tail is left out.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Io`] as for [`FileJournal::open`].
    pub fn read_only(folder: impl AsRef<Path>) -> Result<JournalReader, JournalError> {
        JournalReader::open(folder.as_ref())
    }

    /// The same journal with another policy.
    #[must_use]
    pub fn with_sync(mut self, policy: SyncPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The chain of hashes at the last commit: equal values mean equal journals.
    #[must_use]
    pub fn head_hash(&self) -> [u8; 32] {
        self.group.chain()
    }

    /// Bytes that commits wrote since the journal was opened.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Syncs that commits did since the journal was opened.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Bytes of a torn tail that [`FileJournal::open`] cut off.
    #[must_use]
    pub fn recovered_bytes(&self) -> u64 {
        self.recovered
    }

    /// Whether an earlier failure ended this journal.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn assemble(names: Names, file: File, lock: Lock, head: Position, recovered: u64) -> Self {
        Self {
            path: names.path,
            file,
            _lock: lock,
            group: Group::new(head.sequence, head.chain),
            committed: head.offset,
            policy: SyncPolicy::default(),
            stopped: false,
            bytes_written: 0,
            syncs: 0,
            recovered,
        }
    }

    /// Writes the sealed group and waits as the policy says.
    fn write_group(&mut self) -> Result<(), JournalError> {
        let failed = |operation| {
            let path = self.path.clone();
            move |source| JournalError::Io { path, operation, source }
        };
        let written = self.group.bytes().len() as u64;
        self.file.write_all(self.group.bytes()).map_err(failed("write"))?;
        if self.policy == SyncPolicy::EveryCommit {
            self.file.sync_data().map_err(failed("sync"))?;
            self.syncs = self.syncs.saturating_add(1);
        }
        self.committed = self.committed.saturating_add(written);
        self.bytes_written = self.bytes_written.saturating_add(written);
        Ok(())
    }
}

fn already_there() -> io::Error {
    let message = "there is a journal already; open it, or choose another folder";
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

/// The position in a journal without records.
fn start() -> Position {
    Position { offset: FILE_HEAD as u64, sequence: 0, chain: format::first_chain() }
}

/// Writes the header of a new file and waits for the disk.
fn write_head(file: &mut File) -> io::Result<()> {
    file.write_all(&format::file_head())?;
    file.sync_all()
}

impl Journal for FileJournal {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        self.group.append(&self.path, kind, payload)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        let Some(chain) = self.group.seal() else { return Ok(()) };
        // Stopped until the contrary is known, so that no way out of the writing can leave it open.
        self.stopped = true;
        if let Err(error) = self.write_group() {
            self.group.discard();
            return Err(error);
        }
        self.group.settle(chain);
        self.stopped = false;
        Ok(())
    }

    fn next_sequence(&self) -> Sequence {
        self.group.next()
    }

    fn durable(&self) -> Sequence {
        self.group.durable()
    }

    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let head =
            Position { offset: self.committed, sequence: self.group.durable(), chain: self.group.chain() };
        reader::replay(&self.file, head, visit).map_err(|trouble| trouble.at(&self.path))
    }
}

#[cfg(test)]
mod tests;
