//! The journal: the truth that survives crashes (decision H6).

use std::io::ErrorKind;

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
    /// Records that retention removed.
    #[error(
        "journal {path} no longer holds records {from} to {to}, which retention removed; begin at its snapshot \
         (replay_from), or take a copy from before"
    )]
    Removed {
        /// Which folder.
        path: String,
        /// First record that is gone.
        from: Sequence,
        /// Last record that is gone.
        to: Sequence,
    },
    /// The same run does something else now.
    #[error(
        "record {sequence} is not what this run does at the same place: its program, strategy or data changed since; use what \
         wrote the journal, or start anew with --fresh"
    )]
    Differs {
        /// The first record that differs.
        sequence: Sequence,
    },
    /// An earlier failure ended this journal.
    #[error("the journal stopped after an earlier failure; restart the process")]
    Stopped,
}

impl JournalError {
    /// Whether the file system has no room left, or its owner no quota. What was appended is not durable, and nothing
    /// new may leave; [`Journal::release_reserve`] may make room for what ends things in order.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }
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
    /// [`JournalError`]; the journal is stopped then, unless the disk is full and there is a reserve
    /// ([`Journal::release_reserve`]).
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

    /// Reads the durable records from `first` on, in order. The records before it are not looked at where the journal
    /// can find its way without them.
    ///
    /// # Errors
    /// As [`Journal::replay`], and [`JournalError::Removed`].
    fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.replay(&mut |record| if record.sequence < first { Ok(()) } else { visit(record) })
    }

    /// The newest usable snapshot: how many records it stands for, and the state after them. [`Journal::replay_from`]
    /// that number gives the rest. It is a cache: `None` always means that a replay from the start gives the same.
    ///
    /// # Errors
    /// [`JournalError`] when a snapshot that was found cannot be read.
    fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        Ok(None)
    }

    /// Keeps `state` as the state after the first `sequence` records, which must be all that are durable. A journal
    /// without snapshots keeps nothing.
    ///
    /// # Errors
    /// [`JournalError`]; the journal itself goes on as before.
    fn save_snapshot(&mut self, _sequence: Sequence, _state: &[u8]) -> Result<(), JournalError> {
        Ok(())
    }

    /// A hash over everything durable: equal values mean equal journals. `None` for a journal that keeps none.
    fn head_hash(&self) -> Option<[u8; 32]> {
        None
    }

    /// After a commit that failed with [`JournalError::is_disk_full`]: frees what was kept back for this moment. True
    /// means that the journal goes on: what is pending is still pending and may be committed, with the cancels that end
    /// things. False means that nothing was kept back.
    ///
    /// # Errors
    /// [`JournalError`] when the room cannot be freed; the journal is stopped then.
    fn release_reserve(&mut self) -> Result<bool, JournalError> {
        Ok(false)
    }
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
    fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        (**self).replay_from(first, visit)
    }
    fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        (**self).snapshot()
    }
    fn save_snapshot(&mut self, sequence: Sequence, state: &[u8]) -> Result<(), JournalError> {
        (**self).save_snapshot(sequence, state)
    }
    fn head_hash(&self) -> Option<[u8; 32]> {
        (**self).head_hash()
    }
    fn release_reserve(&mut self) -> Result<bool, JournalError> {
        (**self).release_reserve()
    }
}
