//! Judging what stands in a journal, and the reader that only reads.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use mts_foundation::journal::{JournalError, JournalRecord, Sequence};

use crate::FILE_NAME;
use crate::format::{self, COMMIT_FRAME, FILE_HEAD, FileHead, VERSION};
use crate::walk::{BUFFER, Fault, Position, Source, Span, Step, Walker};

/// What every refusal ends with.
const REMEDY: &str = "keep this file as it is and restore it from a copy";

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
}

/// Goes through the first `length` bytes of `source` and finds where its committed part ends; what lies behind is a
/// torn tail.
pub(crate) fn survey<S: Source + ?Sized>(source: &S, length: u64) -> Result<Position, Trouble> {
    let mut head = Vec::with_capacity(FILE_HEAD);
    Span { source, offset: 0, end: length.min(FILE_HEAD as u64) }.read_to_end(&mut head)?;
    let message = match format::judge_file_head(&head, length <= FILE_HEAD as u64) {
        FileHead::Good => None,
        FileHead::Torn => return Ok(Position { offset: 0, sequence: 0, chain: format::first_chain() }),
        FileHead::Version(version) => Some(format!(
            "it has format version {version}, this program knows {VERSION}; use the mts that wrote it"
        )),
        FileHead::Bad => Some(format!("it does not start as a journal does; {REMEDY}")),
    };
    if let Some(message) = message {
        return Err(Trouble::Damaged { offset: 0, message });
    }

    let mut good = Position { offset: FILE_HEAD as u64, sequence: 0, chain: format::first_chain() };
    let mut walker = Walker::new(source, length, false);
    loop {
        match walker.next()? {
            Step::Record(_) => {}
            Step::Commit(position) => good = position,
            Step::End => return Ok(good),
            Step::Fault(fault) => return judge(source, length, good, &fault),
        }
    }
}

/// Whether a fault is a torn tail (then the committed part is good) or damage.
fn judge<S: Source + ?Sized>(
    source: &S,
    length: u64,
    good: Position,
    fault: &Fault,
) -> Result<Position, Trouble> {
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
        return Ok(good);
    };
    Err(Trouble::Damaged {
        offset: fault.offset,
        message: format!(
            "{}, {evidence}, so this is no interrupted write; the first {} records, up to byte {}, are whole; \
             {REMEDY}, or, if there is none, cut a copy at that byte and reconcile with the venues",
            fault.what, good.sequence, good.offset
        ),
    })
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

/// Hands over every record before `head`, which an earlier [`survey`] or the writer vouches for.
pub(crate) fn replay<S: Source + ?Sized>(
    source: &S,
    head: Position,
    visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
) -> Result<(), Trouble> {
    if head.sequence == 0 {
        return Ok(());
    }
    let mut reached = None;
    let mut walker = Walker::new(source, head.offset, true);
    let (offset, what) = loop {
        match walker.next()? {
            Step::Record(record) => visit(record).map_err(Trouble::Visitor)?,
            Step::Commit(position) => reached = Some(position),
            Step::End if reached == Some(head) => return Ok(()),
            Step::End => break (head.offset, "the records are not those that were there before"),
            Step::Fault(fault) => break (fault.offset, fault.what),
        }
    };
    Err(Trouble::Damaged {
        offset,
        message: format!("{what}; the file changed since it was opened; {REMEDY}"),
    })
}

/// Reads a journal without changing anything and without a lock, also while its writer is at work: what was committed
/// when it was opened. Made by [`FileJournal::read_only`](crate::FileJournal::read_only).
#[derive(Debug)]
pub struct JournalReader {
    path: String,
    file: File,
    head: Position,
    torn: u64,
}

impl JournalReader {
    pub(crate) fn open(folder: &Path) -> Result<Self, JournalError> {
        let name = folder.join(FILE_NAME);
        let path = name.display().to_string();
        let open = |source| JournalError::Io { path: path.clone(), operation: "open", source };
        let file = File::open(&name).map_err(open)?;
        let look = || {
            // The length first: bytes below it do not change any more while the writer appends.
            let length = file.metadata().map_err(Trouble::Io)?.len();
            survey(&file, length).map(|head| (head, length))
        };
        // A writer that starts just now may cut a torn tail and write over it while we look. A second look tells.
        let (head, length) = look().or_else(|_| look()).map_err(|trouble| trouble.at(&path))?;
        Ok(Self { path, file, head, torn: length.saturating_sub(head.offset) })
    }

    /// Number of records that were durable when the journal was opened.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.head.sequence
    }

    /// The chain of hashes at the last commit: equal values mean equal journals.
    #[must_use]
    pub fn head_hash(&self) -> [u8; 32] {
        self.head.chain
    }

    /// Bytes behind the last commit: a write that was interrupted, or is just going on.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn
    }

    /// Reads every record in order.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::Damaged`], or what `visit` returns.
    pub fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        replay(&self.file, self.head, visit).map_err(|trouble| trouble.at(&self.path))
    }
}
