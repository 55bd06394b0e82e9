//! A journal that keeps nothing: what is left is the cost of everything else.

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};

/// Counts what it is given.
#[derive(Debug, Default)]
pub(crate) struct Discarding {
    next: Sequence,
    durable: Sequence,
    bytes: u64,
}

impl Discarding {
    /// Bytes of payload so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Journal for Discarding {
    fn append(&mut self, _: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        self.bytes += payload.len() as u64;
        self.next += 1;
        Ok(self.next - 1)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.durable = self.next;
        Ok(())
    }

    fn next_sequence(&self) -> Sequence {
        self.next
    }

    fn durable(&self) -> Sequence {
        self.durable
    }

    fn replay(
        &self,
        _: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        Ok(())
    }
}
