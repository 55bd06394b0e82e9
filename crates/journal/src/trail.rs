//! The way through the segments of a folder: from the newest usable snapshot to the end.

use std::path::{Path, PathBuf};

use mts_foundation::journal::{JournalError, JournalRecord, Sequence};

use crate::format::{Chain, head};
use crate::segment::{self, Segment, first_name};
use crate::snapshot::{self, IgnoredSnapshot, Snapshot};
use crate::survey::{self, REMEDY, Trouble, changed};
use crate::walk::Position;

/// What a journal on disk is, as far as one looked.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    pub(crate) folder: PathBuf,
    /// In order, the first always there; some behind it may have been removed.
    pub(crate) segments: Vec<Segment>,
    /// Where the committed part ends, in the last segment.
    pub(crate) head: Position,
    /// Bytes of an interrupted write behind it.
    pub(crate) torn: u64,
    /// A segment behind the last whose header was never completed.
    pub(crate) stillborn: Option<PathBuf>,
    /// The newest usable snapshot.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) ignored: Vec<IgnoredSnapshot>,
}

/// What a walk over several segments found.
struct Walked {
    head: Position,
    torn: u64,
    groups: u64,
    seen: Option<Chain>,
}

impl Trail {
    /// Looks at the journal of `folder` from its newest usable snapshot on.
    pub(crate) fn look(folder: &Path) -> Result<Self, JournalError> {
        let mut segments = segment::list(folder)?;
        let mut torn = 0;
        let mut stillborn = None;
        if let [_, .., last] = segments.as_slice() {
            let opened = last.open()?;
            if opened.start.is_none() {
                torn = opened.length;
                stillborn = Some(last.path.clone());
                segments.pop();
            }
        }
        let mut trail = Self {
            folder: folder.to_owned(),
            segments,
            head: head::start(),
            torn: 0,
            stillborn,
            snapshot: None,
            ignored: Vec::new(),
        };
        let walked = trail.walk_from_snapshot()?;
        trail.head = walked.head;
        trail.torn = walked.torn.saturating_add(torn);
        Ok(trail)
    }

    /// Tries the snapshots from the newest on, and walks from the first that fits.
    fn walk_from_snapshot(&mut self) -> Result<Walked, JournalError> {
        let listed = snapshot::list(&self.folder).map_err(|source| JournalError::Io {
            path: self.folder.display().to_string(),
            operation: "list the snapshots of",
            source,
        })?;
        let mut failed = None;
        for (_, path) in listed {
            let reason = match snapshot::read(&path, None) {
                Err(reason) => reason,
                Ok(snapshot) => match self.walk(self.index_of(snapshot.sequence), Some(snapshot.sequence)) {
                    Ok(walked) if walked.seen == Some(snapshot.chain) => {
                        self.snapshot = Some(snapshot);
                        return Ok(walked);
                    }
                    Ok(Walked { seen: Some(_), .. }) => "it belongs to another journal".to_owned(),
                    Ok(_) => format!(
                        "it stands for {} records, but no group of the journal ends there",
                        snapshot.sequence
                    ),
                    Err(error) => {
                        let reason = format!("the journal cannot be read from there: {error}");
                        failed.get_or_insert(error);
                        reason
                    }
                },
            };
            self.ignored.push(IgnoredSnapshot { path, reason });
        }
        // What failed from a snapshot on is the better answer: from the start there may be a gap on top of it.
        self.walk(0, None).map_err(|error| failed.unwrap_or(error))
    }

    /// Index of the segment in which record `sequence` is, or would be.
    fn index_of(&self, sequence: Sequence) -> usize {
        self.segments.iter().rposition(|segment| segment.first <= sequence).unwrap_or_default()
    }

    /// Walks from the segment with an index to the end. Only the last may have a torn tail, and none may be missing.
    fn walk(&self, from: usize, watch: Option<Sequence>) -> Result<Walked, JournalError> {
        let mut walked = Walked { head: head::start(), torn: 0, groups: 0, seen: None };
        for (index, segment) in self.segments.iter().enumerate().skip(from) {
            let last = index.saturating_add(1) == self.segments.len();
            let opened = segment.open()?;
            let start = match opened.start {
                // A journal whose creation was interrupted.
                None if last && index == 0 => {
                    let head = Position { offset: 0, ..head::start() };
                    return Ok(Walked { head, torn: opened.length, ..walked });
                }
                _ => opened.start()?,
            };
            if index > from {
                follows(&walked.head, &start).map_err(|trouble| trouble.at(&opened.name))?;
            }
            let found = survey::survey(&opened.file, &start, opened.length, last, watch)
                .map_err(|trouble| trouble.at(&opened.name))?;
            walked = Walked {
                head: found.end,
                torn: found.torn,
                groups: walked.groups.saturating_add(found.groups),
                seen: found.seen.or(walked.seen),
            };
        }
        Ok(walked)
    }

    /// Goes on behind the head: what was committed since. True if that is something.
    pub(crate) fn advance(&mut self) -> Result<bool, JournalError> {
        let before = self.head;
        if before.offset == 0 {
            *self = Self::look(&self.folder)?;
            return Ok(self.head != before);
        }
        loop {
            // Listed first: if there is a later segment now, this one is complete.
            let segments = segment::list(&self.folder)?;
            let at = self.segments.last().map(|segment| segment.first).unwrap_or_default();
            if !segments.iter().any(|segment| segment.first == at) {
                // Retention was faster: what stood there cannot be read any more.
                *self = Self::look(&self.folder)?;
                return Ok(self.head != before);
            }
            let next = segments.into_iter().find(|segment| segment.first > at);
            if let Some(segment) = self.segments.last() {
                let opened = segment.open()?;
                let found = survey::survey(&opened.file, &self.head, opened.length, next.is_none(), None)
                    .map_err(|trouble| trouble.at(&opened.name))?;
                self.head = found.end;
                self.torn = found.torn;
            }
            let Some(segment) = next else { return Ok(self.head != before) };
            let opened = segment.open()?;
            let start = opened.start()?;
            follows(&self.head, &start).map_err(|trouble| trouble.at(&opened.name))?;
            self.segments.push(segment);
            self.head = start;
        }
    }

    /// Hands over the records from `first` on, up to the head.
    pub(crate) fn replay(
        &self,
        first: Sequence,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        if first >= self.head.sequence {
            return Ok(());
        }
        let mut reached: Option<Position> = None;
        let from = self.index_of(first);
        for (index, segment) in self.segments.iter().enumerate().skip(from) {
            let last = index.saturating_add(1) == self.segments.len();
            let opened = segment.open()?;
            let start = opened.start()?;
            if let Some(reached) = reached {
                self.gap(&reached, &start)?;
                follows(&reached, &start).map_err(|trouble| trouble.at(&opened.name))?;
            }
            let end = if last { self.head.offset } else { opened.length };
            let end = survey::replay(&opened.file, &start, end, first, visit);
            let end = end.map_err(|trouble| trouble.at(&opened.name))?;
            if last && end != self.head {
                let what = "the records are not those that were there before";
                return Err(changed(end.offset, what).at(&opened.name));
            }
            reached = Some(end);
        }
        Ok(())
    }

    /// Refuses to leap over records that retention removed.
    fn gap(&self, end: &Position, start: &Position) -> Result<(), JournalError> {
        if start.sequence > end.sequence && self.is_removed(start.sequence) {
            return Err(self.removed(end.sequence, start.sequence));
        }
        Ok(())
    }

    /// Whether a gap before record `to` may be one that retention left: behind the first segment, and covered by the
    /// snapshot.
    fn is_removed(&self, to: Sequence) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| snapshot.sequence >= to)
            && self.segments.get(1).is_some_and(|second| second.first == to)
    }

    fn removed(&self, from: Sequence, next: Sequence) -> JournalError {
        JournalError::Removed { path: first_name(&self.folder), from, to: next.saturating_sub(1) }
    }

    /// Reads everything that is there: the groups in all segments, and the first and last record of what was removed.
    pub(crate) fn verify(&self) -> Result<Whole, JournalError> {
        let mut whole = Whole::default();
        if let Some(end) = self.before_gap()? {
            whole.groups = end.groups;
            whole.removed =
                self.segments.get(1).map(|second| (end.head.sequence, second.first.saturating_sub(1)));
        }
        let walked = self.walk(usize::from(whole.removed.is_some()), None)?;
        whole.groups = whole.groups.saturating_add(walked.groups);
        // The writer may have gone on, but not back.
        if walked.head.sequence < self.head.sequence {
            let name = self.segments.last().map(Segment::name).unwrap_or_default();
            return Err(changed(walked.head.offset, "records are gone that were there before").at(&name));
        }
        Ok(whole)
    }

    /// The first and the last record that retention removed.
    pub(crate) fn gone(&self) -> Result<Option<(Sequence, Sequence)>, JournalError> {
        let second = self.segments.get(1).map(|second| second.first.saturating_sub(1));
        Ok(self.before_gap()?.map(|end| end.head.sequence).zip(second))
    }

    /// The first segment by itself, if there is a gap behind it that retention left.
    fn before_gap(&self) -> Result<Option<Walked>, JournalError> {
        let [first, second, ..] = self.segments.as_slice() else { return Ok(None) };
        if !self.is_removed(second.first) {
            return Ok(None);
        }
        let opened = first.open()?;
        let start = opened.start()?;
        let found = survey::survey(&opened.file, &start, opened.length, false, None)
            .map_err(|trouble| trouble.at(&opened.name))?;
        let walked = Walked { head: found.end, torn: 0, groups: found.groups, seen: None };
        Ok((second.first > found.end.sequence).then_some(walked))
    }
}

/// What a look at everything found.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    pub(crate) groups: u64,
    /// First and last record that retention removed.
    pub(crate) removed: Option<(Sequence, Sequence)>,
}

/// Whether a segment that begins at `start` goes on where the one before it ends.
fn follows(end: &Position, start: &Position) -> Result<(), Trouble> {
    let message = if start.sequence > end.sequence {
        format!(
            "it begins with record {}, but the segment before it ends with {} records, so records {} to {} are gone and no \
             snapshot stands for them; restore the missing segment or snapshot from a copy",
            start.sequence,
            end.sequence,
            end.sequence,
            start.sequence.saturating_sub(1)
        )
    } else if start.sequence < end.sequence {
        format!(
            "it begins with record {}, which stands in the segment before it already; {REMEDY}",
            start.sequence
        )
    } else if start.chain != end.chain {
        format!("its chain of hashes is not that of the segment before it; {REMEDY}")
    } else {
        return Ok(());
    };
    Err(Trouble::of_head(message))
}
