//! What the writer does beside writing: snapshots, and the removal of what lies before them.

use std::io;

use mts_foundation::journal::{JournalError, Sequence};

use super::{FileJournal, State, SyncPolicy, io_error};
use crate::options::Retention;
use crate::retention::{Extent, removable};
use crate::segment::{Segment, remove_if_there};
use crate::{snapshot, system};

/// Snapshots that are kept: if the newest is found damaged, the one before it serves.
const KEPT: usize = 2;

impl FileJournal {
    /// Saves a snapshot, removes those it makes superfluous, and then what retention no longer keeps.
    pub(super) fn cache_state(&mut self, sequence: Sequence, state: &[u8]) -> Result<(), JournalError> {
        if self.state == State::Stopped {
            return Err(JournalError::Stopped);
        }
        self.group.check_snapshot(&self.name, sequence)?;
        if self.options.sync == SyncPolicy::WriteOnly {
            // A snapshot must not outlive records that it stands for.
            let synced = self.file.sync_data().map_err(io_error(&self.name, "sync"));
            if synced.is_err() {
                self.state = State::Stopped;
                self.group.discard();
            }
            synced?;
        }
        let saved = snapshot::save(&self.trail.folder, sequence, self.group.chain(), state)?;
        self.snapshots.retain(|other| other.sequence != sequence);
        self.snapshots.push(saved.clone());
        let superfluous = self.snapshots.len().saturating_sub(KEPT);
        self.snapshots.drain(..superfluous);
        self.trail.snapshot = Some(saved);
        self.remove_snapshots()?;
        self.remove_segments()
    }

    /// Removes the snapshots before the ones that are kept.
    fn remove_snapshots(&self) -> Result<(), JournalError> {
        let [oldest, _] = self.snapshots.as_slice() else { return Ok(()) };
        let remove = || -> io::Result<()> {
            for (_, path) in
                snapshot::list(&self.trail.folder)?.iter().filter(|(number, _)| *number < oldest.sequence)
            {
                remove_if_there(path)?;
            }
            Ok(())
        };
        remove().map_err(io_error(&self.name, "remove an old snapshot of"))
    }

    /// Removes the segments that neither the snapshots nor the policy need.
    fn remove_segments(&mut self) -> Result<(), JournalError> {
        let [oldest, _] = self.snapshots.as_slice() else { return Ok(()) };
        if self.options.retention == Retention::All {
            return Ok(());
        }
        let extent = |segment: &Segment| Ok(Extent { first: segment.first, bytes: segment.bytes()? });
        let extents = self.trail.segments.iter().map(extent).collect::<Result<Vec<_>, JournalError>>()?;
        let end = removable(&extents, oldest.sequence, self.options.retention);
        // What is removed cannot be read again: only with both snapshots in hand.
        if end <= 1 || snapshot::read(&oldest.path, None).as_ref() != Ok(oldest) {
            return Ok(());
        }
        // The oldest first, so that at any moment there is one gap.
        for _ in 1..end {
            let Some(segment) = self.trail.segments.get(1) else { break };
            remove_if_there(&segment.path).map_err(io_error(&segment.name(), "remove"))?;
            self.trail.segments.remove(1);
        }
        system::sync_folder(&self.trail.folder).map_err(io_error(&self.name, "sync the folder of"))
    }
}
