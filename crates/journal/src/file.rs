//! The journal on disk: the writer.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};

use crate::LOCK_NAME;
use crate::format::{Chain, Group, head};
use crate::options::{JournalOptions, SyncPolicy};
use crate::reader::{self, JournalReader};
use crate::reserve::Reserve;
use crate::segment::{self, STAGING_NAME, Segment, Staged, first_name, remove_if_there};
use crate::snapshot::{IgnoredSnapshot, Snapshot};
use crate::system::{self, Lock};
use crate::trail::Trail;
use crate::walk::Position;

mod cache;

/// The journal in a folder: segments, snapshots and a reserve, with one writer at a time.
///
/// The first sync that fails ends it, and so does a write that fails, but for a full disk where there is a reserve:
/// everything after it answers [`JournalError::Stopped`], except reading. It is never tried again, because a system that
/// reports a failed sync once may report success the next time though the bytes are gone.
#[derive(Debug)]
pub struct FileJournal {
    trail: Trail,
    /// The last segment.
    file: File,
    /// Its path, for errors.
    name: String,
    /// How far it reaches with what is set aside.
    allocated: u64,
    /// Held, not used: it keeps other writers out until this is dropped.
    _lock: Lock,
    group: Group,
    options: JournalOptions,
    state: State,
    reserve: Option<Reserve>,
    /// The snapshots, at most two, that were found right or made by this writer.
    snapshots: Vec<Snapshot>,
    bytes_written: u64,
    syncs: u64,
    recovered: u64,
}

/// Whether a journal still takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It does.
    Open,
    /// Not until the reserve is released.
    Full,
    /// It does, into the room that the reserve has given free, and begins no more segments.
    Draining,
    /// Never again.
    Stopped,
}

/// The way from a system's error to ours.
fn io_error(path: &str, operation: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    move |source| JournalError::Io { path: path.to_owned(), operation, source }
}

/// A folder that system calls accept: that of a plain name is "".
fn folder_of(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { Path::new(".").to_owned() } else { folder.to_owned() }
}

fn take_lock(folder: &Path) -> Result<Lock, JournalError> {
    let path = first_name(folder);
    let lock = system::lock(&folder.join(LOCK_NAME)).map_err(io_error(&path, "lock"))?;
    lock.ok_or(JournalError::Locked { path })
}

impl FileJournal {
    /// Starts a journal in `folder`, which is made if it is missing. Both are for their owner only.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another writer is at work there; [`JournalError::Io`] if the system refuses, and with
    /// the kind `AlreadyExists` if there is a journal: that one is for [`FileJournal::open`], never written over.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::begin_with(folder, &[], JournalOptions::default())
    }

    /// Starts a journal in `folder` with its first records, whole or not at all: a process that dies on the way leaves no
    /// journal, so that an empty one always means that something was lost. Of several that start at once, one does.
    ///
    /// # Errors
    /// As [`FileJournal::create`], and those of [`Journal::append`] and [`Journal::commit`].
    pub fn begin(folder: impl AsRef<Path>, records: &[(u16, &[u8])]) -> Result<Self, JournalError> {
        Self::begin_with(folder, records, JournalOptions::default())
    }

    /// As [`FileJournal::begin`], kept as `options` say.
    ///
    /// # Errors
    /// As [`FileJournal::begin`].
    pub fn begin_with(
        folder: impl AsRef<Path>,
        records: &[(u16, &[u8])],
        options: JournalOptions,
    ) -> Result<Self, JournalError> {
        let folder = folder_of(folder.as_ref());
        let name = first_name(&folder);
        system::make_folder(&folder).map_err(io_error(&name, "create the folder of"))?;
        // Everybody who writes here holds this lock, so what is true after it stays true.
        let lock = take_lock(&folder)?;
        match segment::list(&folder) {
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Ok(_) | Err(JournalError::Damaged { .. }) => {
                return Err(io_error(&name, "create")(already_there()));
            }
            Err(error) => return Err(error),
        }
        let mut head = head::start();
        let staged = Staged::new(&folder, &head, room(&options)).map_err(io_error(&name, "create"))?;
        let mut group = Group::new(head.sequence, head.chain);
        for (kind, payload) in records {
            group.append(&name, *kind, payload)?;
        }
        if let Some(chain) = group.seal() {
            system::write_at(&staged.file, head.offset, group.bytes()).map_err(io_error(&name, "write"))?;
            head = behind(&head, &group, chain);
            group.settle(chain);
        }
        let first = Segment::new(&folder, 0);
        staged.publish(&folder, &first)?;
        let trail = Trail {
            folder,
            segments: vec![first],
            head,
            torn: 0,
            stillborn: None,
            snapshot: None,
            ignored: Vec::new(),
        };
        Ok(Self::assemble(trail, staged.file, staged.allocated, lock, group, options))
    }

    /// Opens the journal of `folder` to go on with it. A torn tail, the rest of a group that was never durable, is cut
    /// off; [`FileJournal::recovered_bytes`] tells how long it was.
    ///
    /// Opening reads the segments from the newest usable snapshot on, without one all.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another writer is at work; [`JournalError::Damaged`] if the committed part is not
    /// what was written (the files are left as they are); [`JournalError::Io`] if there is no journal or the system
    /// refuses.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_with(folder, JournalOptions::default())
    }

    /// As [`FileJournal::open`], kept as `options` say.
    ///
    /// # Errors
    /// As [`FileJournal::open`].
    pub fn open_with(folder: impl AsRef<Path>, options: JournalOptions) -> Result<Self, JournalError> {
        let folder = folder_of(folder.as_ref());
        // Look before the lock: that would leave its file behind in a folder that has no journal.
        segment::list(&folder)?;
        let lock = take_lock(&folder)?;
        let mut trail = Trail::look(&folder)?;
        let last = trail.segments.last().cloned().unwrap_or_else(|| Segment::new(&folder, 0));
        let name = last.name();
        let failed = |operation| io_error(&name, operation);
        let file = system::open_to_write(&last.path).map_err(failed("open"))?;
        if let Some(path) = trail.stillborn.take() {
            remove_if_there(&path).map_err(failed("remove the segment behind"))?;
        }
        let length = file.metadata().map_err(failed("look at"))?.len();
        if length > trail.head.offset {
            file.set_len(trail.head.offset).map_err(failed("cut the torn tail"))?;
        }
        if trail.head.offset == 0 {
            let first = head::start();
            let header = head::segment_head(first.sequence, &first.chain);
            system::write_at(&file, 0, &header).map_err(failed("write the header"))?;
            trail.head = first;
        }
        let allocated = system::set_aside(&file, trail.head.offset, room(&options));
        let allocated = allocated.map_err(failed("set room aside in"))?;
        // A process that was killed between write and sync leaves groups that look durable and are not yet, and one
        // that was killed while it began a segment leaves a name that is not.
        file.sync_all().map_err(failed("sync"))?;
        system::sync_folder(&folder).map_err(failed("sync the folder of"))?;
        let group = Group::new(trail.head.sequence, trail.head.chain);
        Ok(Self::assemble(trail, file, allocated, lock, group, options))
    }

    /// Opens the journal of `folder` only to read it: without a lock, without changing anything, also while another
    /// process writes it. A torn tail is left out.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Io`] as for [`FileJournal::open`].
    pub fn read_only(folder: impl AsRef<Path>) -> Result<JournalReader, JournalError> {
        JournalReader::open(&folder_of(folder.as_ref()))
    }

    /// The same journal with another policy.
    #[must_use]
    pub fn with_sync(mut self, policy: SyncPolicy) -> Self {
        self.options.sync = policy;
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

    /// Syncs that commits did since the journal was opened, without those of new segments.
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
        self.state == State::Stopped
    }

    /// Whether room is kept back for a full disk.
    #[must_use]
    pub fn has_reserve(&self) -> bool {
        self.reserve.is_some()
    }

    /// Snapshots that opening passed over, and why.
    #[must_use]
    pub fn ignored_snapshots(&self) -> &[IgnoredSnapshot] {
        &self.trail.ignored
    }

    fn assemble(
        trail: Trail,
        file: File,
        allocated: u64,
        lock: Lock,
        group: Group,
        options: JournalOptions,
    ) -> Self {
        Self {
            file,
            name: trail.segments.last().map(Segment::name).unwrap_or_default(),
            allocated,
            _lock: lock,
            group,
            state: State::Open,
            reserve: Reserve::keep(&trail.folder, options.reserve_bytes),
            snapshots: trail.snapshot.iter().cloned().collect(),
            bytes_written: 0,
            syncs: 0,
            recovered: trail.torn,
            options,
            trail,
        }
    }

    /// Refuses where nothing more is taken.
    fn takes_records(&self) -> Result<(), JournalError> {
        match self.state {
            State::Open | State::Draining => Ok(()),
            State::Full => {
                let message = "the disk is full; release the reserve, and end in order";
                Err(io_error(&self.name, "write")(io::Error::new(io::ErrorKind::StorageFull, message)))
            }
            State::Stopped => Err(JournalError::Stopped),
        }
    }

    /// Begins the next segment if the sealed group would make the present one too long: none for a group alone, and none
    /// while the last room is used up. The header is written, but nothing is changed yet.
    fn stage(&self) -> Result<Option<Staged>, JournalError> {
        let end = self.trail.head.offset.saturating_add(self.group.bytes().len() as u64);
        let begun = self.trail.segments.last().is_some_and(|last| last.first < self.group.durable());
        if end <= self.options.segment_bytes || !begun || self.state == State::Draining {
            return Ok(None);
        }
        let start = Position { offset: head::HEAD as u64, ..self.trail.head };
        let staged = Staged::new(&self.trail.folder, &start, room(&self.options));
        staged.map(Some).map_err(|error| {
            // It may have taken the last bytes; the next attempt removes it if this one cannot.
            remove_if_there(&self.trail.folder.join(STAGING_NAME)).unwrap_or_default();
            io_error(&self.name, "begin the segment behind")(error)
        })
    }

    /// Closes the present segment and goes on in the staged one.
    fn roll(&mut self, staged: Staged) -> Result<(), JournalError> {
        if self.allocated > self.trail.head.offset {
            self.file.set_len(self.trail.head.offset).map_err(io_error(&self.name, "close"))?;
        }
        // Before the next one has its name: a segment that is not the last must be whole.
        self.file.sync_all().map_err(io_error(&self.name, "sync"))?;
        let next = Segment::new(&self.trail.folder, self.group.durable());
        staged.publish(&self.trail.folder, &next)?;
        self.trail.head.offset = head::HEAD as u64;
        self.name = next.name();
        self.trail.segments.push(next);
        self.file = staged.file;
        self.allocated = staged.allocated;
        Ok(())
    }

    /// Waits as the policy says.
    fn sync(&mut self) -> Result<(), JournalError> {
        if self.options.sync == SyncPolicy::EveryCommit {
            self.file.sync_data().map_err(io_error(&self.name, "sync"))?;
            self.syncs = self.syncs.saturating_add(1);
        }
        Ok(())
    }

    /// Makes the sealed group durable. `Err` with true: nothing of it is there, and it may be tried again.
    fn write_group(
        &mut self,
        staged: Result<Option<Staged>, JournalError>,
    ) -> Result<(), (bool, JournalError)> {
        let last = |error| (false, error);
        let again = |error: JournalError| (error.is_disk_full(), error);
        if let Some(staged) = staged.map_err(again)? {
            self.roll(staged).map_err(last)?;
        }
        let place = self.trail.head.offset;
        let written = system::write_at(&self.file, place, self.group.bytes());
        written.map_err(|error| again(io_error(&self.name, "write")(error)))?;
        self.sync().map_err(last)
    }
}

/// How far a new segment is to reach.
fn room(options: &JournalOptions) -> u64 {
    if options.preallocate { options.segment_bytes } else { 0 }
}

/// The position behind a sealed group.
fn behind(head: &Position, group: &Group, chain: Chain) -> Position {
    let offset = head.offset.saturating_add(group.bytes().len() as u64);
    Position { offset, sequence: group.next(), chain }
}

fn already_there() -> io::Error {
    let message = "there is a journal already; open it, or choose another folder";
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        let spare = self.allocated > self.trail.head.offset;
        if spare && matches!(self.state, State::Open | State::Draining) {
            // Zeros are no damage: if they stay, they only take room.
            self.file.set_len(self.trail.head.offset).unwrap_or_default();
        }
    }
}

impl Journal for FileJournal {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        self.takes_records()?;
        self.group.append(&self.name, kind, payload)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.takes_records()?;
        let Some(chain) = self.group.seal() else { return Ok(()) };
        let length = self.group.bytes().len() as u64;
        let staged = self.stage();
        // Stopped until the contrary is known, so that no way out of the writing can leave it open.
        let state = std::mem::replace(&mut self.state, State::Stopped);
        match self.write_group(staged) {
            Ok(()) => {
                self.trail.head = behind(&self.trail.head, &self.group, chain);
                self.allocated = self.allocated.max(self.trail.head.offset);
                self.bytes_written = self.bytes_written.saturating_add(length);
                self.group.settle(chain);
                self.state = state;
                Ok(())
            }
            Err((true, error)) if self.reserve.is_some() => {
                self.group.unseal();
                self.state = State::Full;
                Err(error)
            }
            Err((_, error)) => {
                self.group.discard();
                Err(error)
            }
        }
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
        self.trail.replay(0, visit)
    }

    fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.trail.replay(first, visit)
    }

    fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        reader::state_of(&self.trail)
    }

    fn save_snapshot(&mut self, sequence: Sequence, state: &[u8]) -> Result<(), JournalError> {
        self.cache_state(sequence, state)
    }

    fn head_hash(&self) -> Option<[u8; 32]> {
        Some(self.group.chain())
    }

    fn release_reserve(&mut self) -> Result<bool, JournalError> {
        if self.state == State::Stopped {
            return Err(JournalError::Stopped);
        }
        let Some(reserve) = self.reserve.take() else { return Ok(false) };
        self.state = State::Stopped;
        if let Err(error) = reserve.release() {
            self.group.discard();
            return Err(io_error(&self.name, "release the reserve of")(error));
        }
        // What the failed write left of the group is written over: the group is still all there.
        self.state = State::Draining;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
