//! The journal without a disk.

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};

use crate::format::{self, FILE_HEAD, Group};
use crate::reader;
use crate::walk::Position;

/// What errors name instead of a path.
const NAME: &str = "in memory";

/// A journal in memory, for tests and for back-tests that leave nothing behind. Its bytes are those that a
/// [`FileJournal`](crate::FileJournal) would have written.
#[derive(Debug)]
pub struct MemoryJournal {
    bytes: Vec<u8>,
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
        let bytes = format::file_head().to_vec();
        Self { bytes, group: Group::new(0, format::first_chain()), recovered: 0 }
    }

    /// Opens the bytes of a journal file, with the same judgement: a torn tail is cut off, damage is refused.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn from_bytes(mut bytes: Vec<u8>) -> Result<Self, JournalError> {
        let length = bytes.len() as u64;
        let head = reader::survey(bytes.as_slice(), length).map_err(|trouble| trouble.at(NAME))?;
        // Both fit: no more than what is in memory.
        bytes.truncate(usize::try_from(head.offset).unwrap_or(usize::MAX));
        if bytes.len() < FILE_HEAD {
            bytes = format::file_head().to_vec();
        }
        let recovered = length.saturating_sub(head.offset);
        Ok(Self { bytes, group: Group::new(head.sequence, head.chain), recovered })
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
        let head = Position {
            offset: self.bytes.len() as u64,
            sequence: self.group.durable(),
            chain: self.group.chain(),
        };
        reader::replay(self.bytes.as_slice(), head, visit).map_err(|trouble| trouble.at(NAME))
    }
}
