//! The files that a journal consists of.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mts_foundation::journal::{JournalError, Sequence};

use crate::format::head::segment_head;
use crate::survey::{self, Trouble};
use crate::walk::Position;
use crate::{FILE_NAME, system};

/// Name of a segment that is being begun.
pub(crate) const STAGING_NAME: &str = "journal.mts.new";
/// Digits of a number in a file's name: enough for any, so that names sort as numbers do.
const DIGITS: usize = 20;

/// One file of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Number of its first record.
    pub(crate) first: Sequence,
    pub(crate) path: PathBuf,
}

/// A segment that is open for reading.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) file: File,
    pub(crate) length: u64,
    /// Its path, for errors.
    pub(crate) name: String,
    /// Where its first record stands; `None` if its header was never completed.
    pub(crate) start: Option<Position>,
}

impl Segment {
    /// The segment of `folder` that begins with record `first`.
    pub(crate) fn new(folder: &Path, first: Sequence) -> Self {
        let path = match first {
            0 => folder.join(FILE_NAME),
            first => folder.join(numbered_name("journal", first)),
        };
        Self { first, path }
    }

    /// Its path, for errors.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Opens it and reads its header.
    pub(crate) fn open(&self) -> Result<OpenSegment, JournalError> {
        let name = self.name();
        let failed = |operation| move |source| JournalError::Io { path: self.name(), operation, source };
        let file = File::open(&self.path).map_err(failed("open"))?;
        let length = file.metadata().map_err(failed("look at"))?.len();
        let start = survey::read_head(&file, length, self.first).map_err(|trouble| trouble.at(&name))?;
        Ok(OpenSegment { file, length, name, start })
    }

    /// Its length in bytes.
    pub(crate) fn bytes(&self) -> Result<u64, JournalError> {
        let looked = std::fs::metadata(&self.path).map(|data| data.len());
        looked.map_err(|source| JournalError::Io { path: self.name(), operation: "look at", source })
    }
}

impl OpenSegment {
    /// Where its first record stands, for a segment that must be whole.
    pub(crate) fn start(&self) -> Result<Position, JournalError> {
        self.start.ok_or_else(|| {
            Trouble::of_head(format!("its header is cut off; {}", survey::REMEDY)).at(&self.name)
        })
    }
}

/// The name of a file that belongs to a place in the journal.
pub(crate) fn numbered_name(what: &str, sequence: Sequence) -> String {
    format!("{what}-{sequence:0width$}.mts", width = DIGITS)
}

/// The files of `folder` whose name is `what` and a number, in order of the numbers.
pub(crate) fn numbered(folder: &Path, what: &str) -> io::Result<Vec<(Sequence, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(what)?.strip_prefix('-')?.strip_suffix(".mts"))
            .filter(|digits| digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            found.push((number, folder.join(name)));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// All segments of `folder` in order.
///
/// # Errors
/// With the kind `NotFound` if there is none; [`JournalError::Damaged`] if there are some but not the first.
pub(crate) fn list(folder: &Path) -> Result<Vec<Segment>, JournalError> {
    let first = Segment::new(folder, 0);
    let failed = |operation| move |source| JournalError::Io { path: first_name(folder), operation, source };
    let there = first.path.try_exists().map_err(failed("look for"))?;
    let later = match numbered(folder, "journal") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("list the segments of")(error));
        }
        later => later.unwrap_or_default(),
    };
    if !there {
        let Some((_, path)) = later.first() else {
            return Err(failed("open")(io::ErrorKind::NotFound.into()));
        };
        let message =
            format!("it is gone, though {} goes on behind it; restore it from a copy", path.display());
        return Err(JournalError::Damaged { path: first.name(), offset: 0, message });
    }
    let later = later.into_iter().map(|(first, path)| Segment { first, path });
    Ok(std::iter::once(first).chain(later).collect())
}

/// Path of the first segment, for errors.
pub(crate) fn first_name(folder: &Path) -> String {
    folder.join(FILE_NAME).display().to_string()
}

/// A segment that has its header but not yet its name.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) file: File,
    path: PathBuf,
    /// Bytes that are set aside, header included.
    pub(crate) allocated: u64,
}

impl Staged {
    /// Begins a segment of `folder` at `start`, with room for `room` bytes if the disk has them.
    pub(crate) fn new(folder: &Path, start: &Position, room: u64) -> io::Result<Self> {
        let path = folder.join(STAGING_NAME);
        remove_if_there(&path)?;
        let mut file = system::create_new(&path)?;
        file.write_all(&segment_head(start.sequence, &start.chain))?;
        let allocated = system::set_aside(&file, start.offset, room)?;
        Ok(Self { file, path, allocated })
    }

    /// Makes its bytes durable, then its name.
    pub(crate) fn publish(&self, folder: &Path, segment: &Segment) -> Result<(), JournalError> {
        let failed = |operation| move |source| JournalError::Io { path: segment.name(), operation, source };
        self.file.sync_all().map_err(failed("sync"))?;
        std::fs::rename(&self.path, &segment.path).map_err(failed("publish"))?;
        system::sync_folder(folder).map_err(failed("sync the folder of"))
    }
}

/// Removes a file that an interrupted attempt may have left.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
