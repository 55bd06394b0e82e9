//! `mts journal`: a run's journal for people, without its configuration being valid or its core being able to replay it.

mod records;

use super::print::{say, say_json, table};
use crate::args::journal::{ExportArgs, ShowArgs, Span, TailArgs, VerifyArgs};
use crate::error::{CliError, ExitKind};
use crate::files;
use crate::run_folder::journal_error;
use mts_engine::replay::genesis;
use mts_foundation::journal::JournalError;
use mts_journal::{FileJournal, JournalReader, SegmentInfo};
use records::{Format, write};
use serde::Serialize;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a follower waits before it looks again.
const PAUSE: Duration = Duration::from_millis(200);

/// What a journal consists of.
#[derive(Debug, Serialize)]
struct Contents {
    records: u64,
    bytes: u64,
    head_hash: String,
    /// Bytes of a write that was interrupted or is going on.
    torn_bytes: u64,
    segments: Vec<SegmentLine>,
    snapshot: Option<SnapshotLine>,
    ignored_snapshots: Vec<IgnoredLine>,
    genesis: Option<GenesisLine>,
}

#[derive(Debug, Serialize)]
struct SegmentLine {
    file: PathBuf,
    first: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct SnapshotLine {
    file: PathBuf,
    /// Records that it stands for.
    records: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct IgnoredLine {
    file: PathBuf,
    reason: String,
}

#[derive(Debug, Serialize)]
struct GenesisLine {
    program: String,
    config_hash: String,
}

/// What a check of everything found.
#[derive(Debug, Serialize)]
struct Checked {
    records: u64,
    groups: u64,
    segments: usize,
    bytes: u64,
    torn_bytes: u64,
    head_hash: String,
    /// First and last record that retention removed.
    removed: Option<(u64, u64)>,
}

fn open(folder: &Path) -> Result<JournalReader, CliError> {
    FileJournal::read_only(folder).map_err(|error| match error {
        JournalError::Io { source, operation: "open", .. }
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            let message = format!("there is no journal in {}; name the folder of a run", folder.display());
            CliError::new(ExitKind::Journal, message)
        }
        error => journal_error(error),
    })
}

/// `mts journal show`.
pub(crate) fn show(args: &ShowArgs) -> Result<(), CliError> {
    let reader = open(&args.whose.folder)?;
    if args.span.from.is_some() || args.span.to.is_some() {
        let format = if args.whose.json { Format::Json } else { Format::Line };
        let wanted = range(&args.span, &reader)?;
        return write(&reader, wanted, format, &mut std::io::stdout().lock()).map(drop);
    }
    let contents = Contents::of(&reader)?;
    if args.whose.json {
        return say_json(&contents);
    }
    contents.tell();
    Ok(())
}

impl Contents {
    fn of(reader: &JournalReader) -> Result<Self, CliError> {
        let segments = reader.segments().map_err(journal_error)?;
        let first = reader.first_record().map_err(journal_error)?;
        // A journal of something else than a run has records too.
        let genesis = first.and_then(|record| genesis(&record).ok());
        Ok(Self {
            records: reader.durable(),
            bytes: bytes(&segments),
            head_hash: files::hex(&reader.head_hash()),
            torn_bytes: reader.torn_bytes(),
            segments: segments
                .into_iter()
                .map(|segment| SegmentLine { file: segment.path, first: segment.first, bytes: segment.bytes })
                .collect(),
            snapshot: reader.snapshot_info().map(|found| SnapshotLine {
                file: found.path,
                records: found.sequence,
                bytes: found.bytes,
            }),
            ignored_snapshots: reader
                .ignored_snapshots()
                .iter()
                .map(|one| IgnoredLine { file: one.path.clone(), reason: one.reason.clone() })
                .collect(),
            genesis: genesis
                .map(|found| GenesisLine { program: found.program, config_hash: found.config_hash }),
        })
    }

    fn tell(&self) {
        if let Some(genesis) = &self.genesis {
            say(&format!("begun by {}, configuration {}", genesis.program, genesis.config_hash));
        }
        say(&format!("{} records, {} bytes, head {}", self.records, self.bytes, self.head_hash));
        if self.torn_bytes > 0 {
            say(&format!("{} bytes of an unfinished write behind them", self.torn_bytes));
        }
        match &self.snapshot {
            Some(snapshot) => say(&format!(
                "snapshot after {} records, {} bytes: {}",
                snapshot.records,
                snapshot.bytes,
                snapshot.file.display()
            )),
            None => say("no snapshot"),
        }
        for ignored in &self.ignored_snapshots {
            say(&format!("snapshot passed over: {}: {}", ignored.file.display(), ignored.reason));
        }
        let row = |segment: &SegmentLine| {
            vec![segment.file.display().to_string(), segment.first.to_string(), segment.bytes.to_string()]
        };
        let rows = self.segments.iter().map(row).collect();
        say(&table(&["segment", "first record", "bytes"], rows, &[1, 2]));
    }
}

fn bytes(segments: &[SegmentInfo]) -> u64 {
    segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.bytes))
}

/// The records from the first to the last that are asked for, as far as they exist.
fn range(&Span { from, to }: &Span, reader: &JournalReader) -> Result<Range<u64>, CliError> {
    let first = from.unwrap_or(0);
    if let Some(to) = to.filter(|to| *to < first) {
        let message = format!("--to {to} lies before --from {first}; exchange them");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    if first >= reader.durable() && from.is_some() {
        let message = format!("there is no record {first}; the journal has {}", reader.durable());
        return Err(CliError::new(ExitKind::Usage, message));
    }
    Ok(first..to.map_or(u64::MAX, |to| to.saturating_add(1)).min(reader.durable()))
}

/// `mts journal verify`.
pub(crate) fn verify(args: &VerifyArgs) -> Result<(), CliError> {
    let reader = open(&args.whose.folder)?;
    let verified = reader.verify().map_err(journal_error)?;
    let segments = reader.segments().map_err(journal_error)?;
    let checked = Checked {
        records: reader.durable(),
        groups: verified.groups,
        segments: segments.len(),
        bytes: bytes(&segments),
        torn_bytes: reader.torn_bytes(),
        head_hash: files::hex(&reader.head_hash()),
        removed: verified.removed,
    };
    if args.whose.json {
        return say_json(&checked);
    }
    say(&format!(
        "{} records in {} groups and {} segments are as they were written, head {}",
        checked.records, checked.groups, checked.segments, checked.head_hash
    ));
    if let Some((from, to)) = checked.removed {
        say(&format!("records {from} to {to} were removed by retention and cannot be checked"));
    }
    if checked.torn_bytes > 0 {
        say(&format!(
            "{} bytes of an unfinished write behind them, which the next start cuts off",
            checked.torn_bytes
        ));
    }
    Ok(())
}

/// `mts journal tail`.
pub(crate) fn tail(args: &TailArgs) -> Result<(), CliError> {
    let mut reader = open(&args.whose.folder)?;
    let format = if args.whose.json { Format::Json } else { Format::Line };
    let mut next = reader.durable().saturating_sub(args.records);
    loop {
        let wanted = next..reader.durable();
        next = wanted.end;
        let read_on = write(&reader, wanted, format, &mut std::io::stdout().lock())?;
        if !args.follow || !read_on {
            return Ok(());
        }
        while !reader.refresh().map_err(journal_error)? {
            std::thread::sleep(PAUSE);
        }
    }
}

/// `mts journal export`.
pub(crate) fn export(args: &ExportArgs) -> Result<(), CliError> {
    let reader = open(&args.whose.folder)?;
    let wanted = range(&args.span, &reader)?;
    let Some(path) = &args.out else {
        return write(&reader, wanted, Format::Json, &mut std::io::stdout().lock()).map(drop);
    };
    let mut read_all = Ok(true);
    files::write_whole_with(path, |file| {
        let mut buffered = std::io::BufWriter::new(file);
        read_all = write(&reader, wanted, Format::Json, &mut buffered);
        buffered.flush()?;
        match &read_all {
            Ok(true) => Ok(()),
            // The file must not appear half-written; what stopped it is said below.
            Ok(false) | Err(_) => Err(std::io::Error::other("not all records could be written to it")),
        }
    })
    .or_else(|error| read_all.and(Err(error)))
}
