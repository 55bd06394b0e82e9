//! The reader that only reads.

use std::path::{Path, PathBuf};

use mts_foundation::journal::{JournalError, JournalRecord, Sequence};

use crate::snapshot::{self, IgnoredSnapshot};
use crate::trail::Trail;

/// How often a look that found damage is repeated, see [`settled`].
const LOOKS: usize = 16;

/// Reads a journal without changing anything and without a lock, also while its writer is at work: what was committed
/// when it was opened. Made by [`FileJournal::read_only`](crate::FileJournal::read_only).
#[derive(Debug)]
pub struct JournalReader {
    trail: Trail,
}

/// One file of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The file.
    pub path: PathBuf,
    /// Number of its first record.
    pub first: Sequence,
    /// Its length, with room that is set aside.
    pub bytes: u64,
}

/// The newest usable snapshot of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The file.
    pub path: PathBuf,
    /// Records that it stands for.
    pub sequence: Sequence,
    /// Bytes of its state.
    pub bytes: u64,
}

/// What [`JournalReader::verify`] read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Groups, all of whose records and hashes are right.
    pub groups: u64,
    /// First and last record that retention removed, which nobody can read any more.
    pub removed: Option<(Sequence, Sequence)>,
}

/// Looks until two looks say the same. While we look, a writer may write behind the head, cut a torn tail, or remove an
/// old segment, and what we see then may be half of one and half of another. Real damage stays where it is.
fn settled<T>(mut look: impl FnMut() -> Result<T, JournalError>) -> Result<T, JournalError> {
    let mut before: Option<String> = None;
    let mut looks = 1;
    loop {
        match look() {
            Err(error) if looks < LOOKS && before.as_ref() != Some(&error.to_string()) => {
                before = Some(error.to_string());
            }
            done => return done,
        }
        looks = looks.saturating_add(1);
    }
}

impl JournalReader {
    pub(crate) fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { trail: settled(|| Trail::look(folder))? })
    }

    /// Number of records that were durable when the journal was opened or refreshed.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.trail.head.sequence
    }

    /// The chain of hashes at the last commit: equal values mean equal journals.
    #[must_use]
    pub fn head_hash(&self) -> [u8; 32] {
        self.trail.head.chain
    }

    /// Bytes behind the last commit: a write that was interrupted, or is just going on. Room that is set aside does not
    /// count.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.trail.torn
    }

    /// The files of the journal, in order.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, JournalError> {
        let of = |segment: &crate::segment::Segment| {
            Ok(SegmentInfo { path: segment.path.clone(), first: segment.first, bytes: segment.bytes()? })
        };
        self.trail.segments.iter().map(of).collect()
    }

    /// The newest usable snapshot.
    #[must_use]
    pub fn snapshot_info(&self) -> Option<SnapshotInfo> {
        let found = self.trail.snapshot.as_ref()?;
        Some(SnapshotInfo { path: found.path.clone(), sequence: found.sequence, bytes: found.bytes })
    }

    /// The state of the newest usable snapshot, and the records that it stands for.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if it is no longer what it was when the journal was opened.
    pub fn snapshot(&self) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
        state_of(&self.trail)
    }

    /// Snapshots that are newer than the one in use but were passed over.
    #[must_use]
    pub fn ignored_snapshots(&self) -> &[IgnoredSnapshot] {
        &self.trail.ignored
    }

    /// The first record, which says what the journal is of and is never removed; `None` in an empty journal.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::Damaged`].
    pub fn first_record(&self) -> Result<Option<JournalRecord>, JournalError> {
        let mut first = None;
        let read = self.trail.replay(0, &mut |record| {
            first = Some(record);
            // Not a failure: the way to say that this is enough.
            Err(JournalError::Stopped)
        });
        if first.is_some() { Ok(first) } else { read.map(|()| None) }
    }

    /// First and last record that retention removed, which nobody can read any more; `None` while all are there. Reads the
    /// first segment where some may be gone.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::Damaged`].
    pub fn removed(&self) -> Result<Option<(Sequence, Sequence)>, JournalError> {
        settled(|| self.trail.gone())
    }

    /// Reads every record in order.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Damaged`] and [`JournalError::Removed`], or what `visit` returns.
    pub fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.trail.replay(0, visit)
    }

    /// Reads the records from `first` on; no segment before the one that holds it is touched.
    ///
    /// # Errors
    /// As [`JournalReader::replay`].
    pub fn replay_from(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.trail.replay(first, visit)
    }

    /// Looks for what was committed since; true if there is more.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::Damaged`].
    pub fn refresh(&mut self) -> Result<bool, JournalError> {
        settled(|| {
            let mut trail = self.trail.clone();
            let more = trail.advance()?;
            Ok((trail, more))
        })
        .map(|(trail, more)| {
            self.trail = trail;
            more
        })
    }

    /// Reads and checks everything that is there, also what lies before the snapshot and was not looked at by opening.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::Damaged`].
    pub fn verify(&self) -> Result<Verified, JournalError> {
        let whole = settled(|| self.trail.verify())?;
        Ok(Verified { groups: whole.groups, removed: whole.removed })
    }
}

/// The state of a trail's snapshot.
pub(crate) fn state_of(trail: &Trail) -> Result<Option<(Sequence, Vec<u8>)>, JournalError> {
    let Some(found) = &trail.snapshot else { return Ok(None) };
    let mut state = Vec::new();
    match snapshot::read(&found.path, Some(&mut state)) {
        Ok(read) if read == *found => Ok(Some((found.sequence, state))),
        other => Err(JournalError::Damaged {
            path: found.path.display().to_string(),
            offset: 0,
            message: format!(
                "{}; it was right when the journal was opened; start again, and the journal goes on without it",
                other.err().unwrap_or_else(|| "it is another snapshot".to_owned())
            ),
        }),
    }
}
