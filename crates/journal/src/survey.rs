//! Judging the bytes of one file: how far they are committed, what is torn, what is damaged.

use std::io::{self, Read};

use mts_foundation::journal::{JournalError, JournalRecord, Sequence};

use crate::format::head::{self, HEAD, Judged, VERSION};
use crate::format::{self, COMMIT_FRAME, Chain};
use crate::walk::{BUFFER, Fault, Position, Source, Span, Step, Walker};

/// What every refusal ends with.
pub(crate) const REMEDY: &str = "keep this file as it is and restore it from a copy";

/// Why a source cannot be read.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The system refuses.
    Io(io::Error),
    /// The bytes are wrong.
    Damaged { offset: u64, message: String },
    /// The visitor wants no more.
    Visitor(JournalError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Trouble {
    /// The error that names the file.
    pub(crate) fn at(self, path: &str) -> JournalError {
        match self {
            Self::Io(source) => JournalError::Io { path: path.to_owned(), operation: "read", source },
            Self::Damaged { offset, message } => {
                JournalError::Damaged { path: path.to_owned(), offset, message }
            }
            Self::Visitor(error) => error,
        }
    }

    /// Damage in a header.
    pub(crate) fn of_head(message: String) -> Self {
        Self::Damaged { offset: 0, message }
    }
}

/// What a walk through one file found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survey {
    /// Where its committed part ends.
    pub(crate) end: Position,
    /// Bytes behind it that are not zero, or stand before one that is not: the rest of an interrupted write. Zeros
    /// behind them are room that was set aside.
    pub(crate) torn: u64,
    /// Groups that were passed.
    pub(crate) groups: u64,
    /// The chain at the place that was asked for.
    pub(crate) seen: Option<Chain>,
}

/// Reads the header of a file of `length` bytes whose first record should be `first`. `None`: it was never completed.
pub(crate) fn read_head<S: Source + ?Sized>(
    source: &S,
    length: u64,
    first: Sequence,
) -> Result<Option<Position>, Trouble> {
    let mut bytes = Vec::with_capacity(HEAD);
    Span { source, offset: 0, end: length.min(HEAD as u64) }.read_to_end(&mut bytes)?;
    let message = match head::judge(&bytes, length, first) {
        Judged::Good(start) if start.sequence == first => return Ok(Some(start)),
        Judged::Torn => return Ok(None),
        Judged::Good(start) => {
            format!("its first record is {}, where its name says {first}; {REMEDY}", start.sequence)
        }
        Judged::Version(version) => format!(
            "it has format version {version}, this program knows 1 to {VERSION}; use the mts that wrote it"
        ),
        Judged::Bad => format!("it does not start as a journal does; {REMEDY}"),
    };
    Err(Trouble::of_head(message))
}

/// Goes through `source` from `start` to `length` and finds where its committed part ends. In the `last` file of a
/// journal something torn may lie behind that, and zeros; any other must end with a commit record. `watch` asks for the
/// chain after so many records.
pub(crate) fn survey<S: Source + ?Sized>(
    source: &S,
    start: &Position,
    length: u64,
    last: bool,
    watch: Option<Sequence>,
) -> Result<Survey, Trouble> {
    let mut found = Survey { end: *start, torn: 0, groups: 0, seen: None };
    let mut note = |position: &Position| {
        if watch == Some(position.sequence) {
            found.seen = Some(position.chain);
        }
    };
    note(start);
    // Looked at before the walk, and quickly, because a segment may have set aside much room: what a writer adds meanwhile is
    // found by the walk, or lies behind all that is judged.
    let data = if last { end_of_data(source, start.offset, length)? } else { length };
    let mut walker = Walker::new(source, start, length, Sequence::MAX);
    let fault = loop {
        match walker.next()? {
            Step::Record(_) => {}
            Step::Commit(position) => {
                note(&position);
                found.end = position;
                found.groups = found.groups.saturating_add(1);
            }
            Step::End => break None,
            Step::Fault(fault) => break Some(fault),
        }
    };
    if found.end.offset == length {
        return Ok(found);
    }
    if !last {
        let (offset, what) = match &fault {
            Some(fault) => (fault.offset, fault.what),
            None => (found.end.offset, "the file ends inside a group"),
        };
        return Err(damaged(offset, what, "and later segments go on behind it", &found.end));
    }
    if let Some(fault) = fault {
        judge(source, data.saturating_add(COMMIT_FRAME as u64).min(length), &found.end, &fault)?;
    }
    found.torn = data.saturating_sub(found.end.offset);
    Ok(found)
}

/// What room that was set aside looks like.
static ZEROS: [u8; BUFFER] = [0; BUFFER];

/// The place behind the last byte between `start` and `length` that is not zero; `start` if all are.
fn end_of_data<S: Source + ?Sized>(source: &S, start: u64, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut window = Vec::with_capacity(BUFFER);
    while end > start {
        let from = end.saturating_sub(BUFFER as u64).max(start);
        window.clear();
        Span { source, offset: from, end }.read_to_end(&mut window)?;
        // As a whole, which the system's own comparison does many bytes at a time, also where nothing is optimised.
        if Some(window.as_slice()) != ZEROS.get(..window.len()) {
            let zeros = window.iter().rev().take_while(|byte| **byte == 0).count();
            return Ok(from.saturating_add((window.len().saturating_sub(zeros)) as u64));
        }
        end = from;
    }
    Ok(start)
}

/// Whether a fault is a torn tail (then all is well) or damage.
fn judge<S: Source + ?Sized>(source: &S, length: u64, good: &Position, fault: &Fault) -> Result<(), Trouble> {
    let mut found = Vec::with_capacity(COMMIT_FRAME);
    let end = length.min(fault.offset.saturating_add(COMMIT_FRAME as u64));
    Span { source, offset: fault.offset, end }.read_to_end(&mut found)?;
    let evidence = if fault.whole {
        "though its checksum is right".to_owned()
    } else if format::is_flipped_commit(&found, fault.sequence, &fault.chain) {
        "and but for a few bits it is the commit record that belongs there".to_owned()
    } else if let Some(commit) = find_commit(source, fault.offset, length)? {
        format!("and there is an intact commit record at byte {commit}")
    } else {
        return Ok(());
    };
    Err(damaged(fault.offset, fault.what, &evidence, good))
}

/// Damage, with how far the file is whole.
fn damaged(offset: u64, what: &str, evidence: &str, good: &Position) -> Trouble {
    let message = format!(
        "{what}, {evidence}, so this is no interrupted write; the first {} records, up to byte {}, are whole; \
         {REMEDY}, or, if there is none, cut a copy at that byte and reconcile with the venues",
        good.sequence, good.offset
    );
    Trouble::Damaged { offset, message }
}

/// Where between `offset` and `length` the first intact commit record starts. The lengths of records cannot be trusted
/// there, so every byte is tried.
fn find_commit<S: Source + ?Sized>(source: &S, offset: u64, length: u64) -> io::Result<Option<u64>> {
    let mut input = Span { source, offset, end: length };
    let mut start = offset;
    let mut window = Vec::with_capacity(BUFFER + COMMIT_FRAME);
    loop {
        let read = input.by_ref().take(BUFFER as u64).read_to_end(&mut window)?;
        if let Some(place) = format::find_commit(&window) {
            return Ok(Some(start.saturating_add(place as u64)));
        }
        if read == 0 {
            return Ok(None);
        }
        // A commit record may begin in this window and end in the next.
        let done = window.len().saturating_sub(COMMIT_FRAME - 1);
        window.drain(..done);
        start = start.saturating_add(done as u64);
    }
}

/// Hands over the records from `first` on that stand between `start` and `length`, where a commit record must end.
pub(crate) fn replay<S: Source + ?Sized>(
    source: &S,
    start: &Position,
    length: u64,
    first: Sequence,
    visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
) -> Result<Position, Trouble> {
    let mut reached = *start;
    let mut walker = Walker::new(source, start, length, first);
    let (offset, what) = loop {
        match walker.next()? {
            Step::Record(record) if record.sequence < first => {}
            Step::Record(record) => visit(record).map_err(Trouble::Visitor)?,
            Step::Commit(position) => reached = position,
            Step::End if reached.offset == length => return Ok(reached),
            Step::End => break (reached.offset, "the file ends inside a group"),
            Step::Fault(fault) => break (fault.offset, fault.what),
        }
    };
    Err(changed(offset, what))
}

/// Something that was right when the journal was opened.
pub(crate) fn changed(offset: u64, what: &str) -> Trouble {
    Trouble::Damaged {
        offset,
        message: format!("{what}; the file changed since it was opened, or was never looked at; {REMEDY}"),
    }
}
