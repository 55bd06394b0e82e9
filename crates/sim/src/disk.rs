//! The disk under the journal: what is synced survives, what is not may be lost, whole or in part, and a sync can fail.

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_journal::MemoryJournal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How the disk behaves next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// The next sync fails.
    SyncFails,
    /// There is no room for another record.
    Full,
}

/// Sets the mood of a disk that the driver owns.
#[derive(Debug, Clone, Default)]
pub struct Switch(Arc<AtomicU8>);

impl Switch {
    /// What happens from now on.
    pub fn set(&self, mood: Mood) {
        self.0.store(mood as u8, Ordering::Relaxed);
    }

    fn is(&self, mood: Mood) -> bool {
        self.0.load(Ordering::Relaxed) == mood as u8
    }
}

/// A journal on a disk that can fail. The bytes are those of the real format.
#[derive(Debug)]
pub struct Disk {
    journal: MemoryJournal,
    switch: Switch,
    /// Bytes that survive.
    synced: usize,
    /// Records that survive.
    synced_records: Sequence,
    /// Says that it synced and did not, every third time: a planted bug.
    skips: bool,
    commits: u64,
    /// The last two snapshots, the newest last.
    snapshots: Vec<Snapshot>,
}

/// A state and the records that it stands for.
pub(crate) type Snapshot = (Sequence, Arc<[u8]>);

/// Snapshots that are kept.
const KEPT: usize = 2;

impl Disk {
    /// The disk with these bytes, as a process finds it.
    ///
    /// # Errors
    /// [`JournalError`] when they are no journal.
    pub fn open(image: Vec<u8>, switch: Switch, skips: bool) -> Result<Self, JournalError> {
        let journal = if image.is_empty() { MemoryJournal::new() } else { MemoryJournal::from_bytes(image)? };
        let (synced, synced_records) = (journal.bytes().len(), journal.durable());
        Ok(Self { journal, switch, synced, synced_records, skips, commits: 0, snapshots: Vec::new() })
    }

    /// The same disk with these snapshots beside the journal.
    #[must_use]
    pub(crate) fn with_snapshots(mut self, snapshots: Vec<Snapshot>) -> Self {
        self.snapshots = snapshots;
        self
    }

    /// The snapshots that are there, the newest last.
    pub(crate) fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Commits since the process began.
    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    /// What survives a loss of power now: all that is synced, and `torn` of a thousand parts of what was written after it.
    #[must_use]
    pub fn image(&self, torn: u64) -> Vec<u8> {
        let bytes = self.journal.bytes();
        let written = bytes.len().saturating_sub(self.synced) as u64;
        let kept = usize::try_from(written.saturating_mul(torn.min(1_000)) / 1_000).unwrap_or(0);
        bytes.get(..self.synced.saturating_add(kept)).unwrap_or(bytes).to_vec()
    }

    /// The image that a loss of power in the middle of the last commit would have left.
    #[must_use]
    pub fn torn(&self, before: usize, torn: u64) -> Vec<u8> {
        let bytes = self.journal.bytes();
        let group = bytes.len().saturating_sub(before) as u64;
        let kept = usize::try_from(group.saturating_mul(torn.min(1_000)) / 1_000).unwrap_or(0);
        bytes.get(..before.saturating_add(kept)).unwrap_or(bytes).to_vec()
    }

    /// Bytes that survive.
    #[must_use]
    pub fn synced(&self) -> usize {
        self.synced
    }

    /// Records that were appended and would not survive.
    #[must_use]
    pub fn at_risk(&self) -> u64 {
        self.journal.next_sequence().saturating_sub(self.synced_records)
    }

    /// The chain of hashes over everything committed.
    #[must_use]
    pub fn head(&self) -> [u8; 32] {
        self.journal.head_hash()
    }

    fn failure(operation: &'static str, kind: std::io::ErrorKind) -> JournalError {
        JournalError::Io { path: "simulated disk".to_owned(), operation, source: kind.into() }
    }
}

impl Journal for Disk {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        if self.switch.is(Mood::Full) {
            return Err(Self::failure("append", std::io::ErrorKind::StorageFull));
        }
        self.journal.append(kind, payload)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.journal.commit()?;
        if self.switch.is(Mood::SyncFails) {
            return Err(Self::failure("sync", std::io::ErrorKind::Other));
        }
        self.commits = self.commits.saturating_add(1);
        if !(self.skips && self.commits.is_multiple_of(3)) {
            self.synced = self.journal.bytes().len();
            self.synced_records = self.journal.durable();
        }
        Ok(())
    }

    fn next_sequence(&self) -> Sequence {
        self.journal.next_sequence()
    }

    fn durable(&self) -> Sequence {
        self.journal.durable()
    }

    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.journal.replay(visit)
    }

    fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.journal.replay_from(first, visit)
    }

    /// One that is ahead of the journal belongs to another, as on a real disk.
    fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        let usable = self.snapshots.iter().rev().find(|(sequence, _)| *sequence <= self.durable());
        Ok(usable.map(|(sequence, state)| (*sequence, state.to_vec())))
    }

    fn save_snapshot(&mut self, sequence: Sequence, state: &[u8]) -> Result<(), JournalError> {
        if self.switch.is(Mood::Full) {
            return Err(Self::failure("save", std::io::ErrorKind::StorageFull));
        }
        self.snapshots.push((sequence, state.into()));
        let superfluous = self.snapshots.len().saturating_sub(KEPT);
        self.snapshots.drain(..superfluous);
        Ok(())
    }
}

/// What a crash leaves of the snapshots: all, none, the older one, or the newest with a wrong bit or cut off.
pub(crate) fn after_crash(mut snapshots: Vec<Snapshot>, fate: u64) -> Vec<Snapshot> {
    let Some((sequence, newest)) = snapshots.last().cloned() else { return snapshots };
    let place = usize::try_from(fate).unwrap_or_default() % newest.len().max(1);
    let damaged: Vec<u8> = match fate % 6 {
        0 => return Vec::new(),
        1 => {
            let mut bytes = newest.to_vec();
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1);
            bytes
        }
        2 => newest.iter().copied().take(place).collect(),
        3 => {
            snapshots.pop();
            return snapshots;
        }
        _ => return snapshots,
    };
    snapshots.pop();
    snapshots.push((sequence, damaged.into()));
    snapshots
}
