//! The journal: the truth that survives crashes (decision H6).

use serde::{Deserialize, Serialize};

/// Number of a record, from 0 and without gaps.
pub type Sequence = u64;

/// Longest payload of one record in bytes.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// One record as it was read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JournalRecord {
    /// Its number.
    pub sequence: Sequence,
    /// What the payload is, by the writer's table.
    pub kind: u16,
    /// The bytes, as they were appended.
    pub payload: Vec<u8>,
}

/// Why the journal cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file system refuses. A failed sync is final: the process must drain and stop, never retry (decision H6).
    #[error("journal {path}: {operation} failed: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not what was written.
    #[error("journal {path} is damaged at byte {offset}: {message}")]
    Damaged {
        /// Which file.
        path: String,
        /// Where.
        offset: u64,
        /// What is wrong and what to do.
        message: String,
    },
    /// Another process writes it.
    #[error("journal {path} is in use by another process; stop that one, or give this run another folder")]
    Locked {
        /// Which file.
        path: String,
    },
    /// A payload beyond [`MAX_RECORD_BYTES`].
    #[error("a record of {bytes} bytes is too long; the limit is {MAX_RECORD_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// An earlier failure ended this journal.
    #[error("the journal stopped after an earlier failure; restart the process")]
    Stopped,
}

/// An append-only log with one writer.
pub trait Journal: Send {
    /// Appends a record; it is durable only after the next successful [`Journal::commit`].
    ///
    /// # Errors
    /// [`JournalError`]; nothing of the record is kept then.
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError>;

    /// Makes everything appended so far durable, as one group.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is stopped then.
    fn commit(&mut self) -> Result<(), JournalError>;

    /// Number of the next record.
    fn next_sequence(&self) -> Sequence;

    /// Number of records that are durable.
    fn durable(&self) -> Sequence;

    /// Reads every durable record in order.
    ///
    /// # Errors
    /// [`JournalError`] for unreadable or damaged files, or what `visit` returns.
    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError>;
}

impl<J: Journal + ?Sized> Journal for &mut J {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        (**self).append(kind, payload)
    }
    fn commit(&mut self) -> Result<(), JournalError> {
        (**self).commit()
    }
    fn next_sequence(&self) -> Sequence {
        (**self).next_sequence()
    }
    fn durable(&self) -> Sequence {
        (**self).durable()
    }
    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        (**self).replay(visit)
    }
}
