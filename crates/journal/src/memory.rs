//! The journal without a disk.

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};

use crate::format::{Group, head};
use crate::survey::{self, Trouble};
use crate::walk::Position;

/// What errors name instead of a path.
const NAME: &str = "in memory";

/// A journal in memory, for tests and for back-tests that leave nothing behind. Its bytes are those that a
/// [`FileJournal`](crate::FileJournal) with one segment would have written.
#[derive(Debug)]
pub struct MemoryJournal {
    bytes: Vec<u8>,
    /// Where the first record stands.
    start: Position,
    snapshot: Option<(Sequence, Vec<u8>)>,
    group: Group,
    recovered: u64,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        let start = head::start();
        let bytes = head::segment_head(start.sequence, &start.chain).to_vec();
        Self { bytes, start, snapshot: None, group: Group::new(0, start.chain), recovered: 0 }
    }

    /// Opens the bytes of a journal's only segment, with the same judgement: a torn tail is cut off, damage is refused.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, JournalError> {
        Self::opened(bytes).map_err(|trouble| trouble.at(NAME))
    }

    fn opened(mut bytes: Vec<u8>) -> Result<Self, Trouble> {
        let length = bytes.len() as u64;
        let Some(start) = survey::read_head(bytes.as_slice(), length, 0)? else {
            return Ok(Self { recovered: length, ..Self::new() });
        };
        let found = survey::survey(bytes.as_slice(), &start, length, true, None)?;
        // It fits: no more than what is in memory.
        bytes.truncate(usize::try_from(found.end.offset).unwrap_or(usize::MAX));
        let group = Group::new(found.end.sequence, found.end.chain);
        Ok(Self { bytes, start, snapshot: None, group, recovered: found.torn })
    }

    /// The committed bytes, as a file would hold them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The chain of hashes at the last commit: equal values mean equal journals.
    #[must_use]
    pub fn head_hash(&self) -> [u8; 32] {
        self.group.chain()
    }

    /// Bytes of a torn tail that [`MemoryJournal::from_bytes`] cut off.
    #[must_use]
    pub fn recovered_bytes(&self) -> u64 {
        self.recovered
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        self.group.append(NAME, kind, payload)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if let Some(chain) = self.group.seal() {
            self.bytes.extend_from_slice(self.group.bytes());
            self.group.settle(chain);
        }
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
        self.replay_from(0, visit)
    }

    fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let length = self.bytes.len() as u64;
        let end = survey::replay(self.bytes.as_slice(), &self.start, length, first, visit);
        end.map(|_| ()).map_err(|trouble| trouble.at(NAME))
    }

    fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        Ok(self.snapshot.clone())
    }

    fn save_snapshot(&mut self, sequence: Sequence, state: &[u8]) -> Result<(), JournalError> {
        self.group.check_snapshot(NAME, sequence)?;
        self.snapshot = Some((sequence, state.to_vec()));
        Ok(())
    }

    fn head_hash(&self) -> Option<[u8; 32]> {
        Some(self.group.chain())
    }
}
