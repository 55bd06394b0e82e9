//! The folder of a run: who writes it, what its journal holds, and the core that replaying it gives. Reading needs no
//! lock and goes as far as was durable when the folder was opened.

use crate::app::App;
use crate::commands::say_note;
use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::setup::{core, instruments};
use mts_engine::record::decode;
use mts_engine::replay::{apply, begin, genesis};
use mts_engine::{Core, Genesis, Input, Output};
use mts_foundation::Timestamp;
use mts_foundation::journal::{JournalError, JournalRecord, Sequence};
use mts_journal::{FileJournal, JournalReader};
use std::fs::{File, TryLockError};
use std::ops::ControlFlow;
use std::path::Path;

/// One input of a replay and what followed from it.
pub(crate) struct Replayed<'a> {
    /// Number of its record.
    pub(crate) sequence: Sequence,
    /// The input.
    pub(crate) input: &'a Input,
    /// What the core answered.
    pub(crate) output: &'a Output,
    /// The core after it.
    pub(crate) core: &'a Core,
}

/// Where a replay ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// After the record of this number.
    Sequence(Sequence),
    /// Before the first input that is later than this instant.
    Time(Timestamp),
}

impl Until {
    /// The end of the journal.
    pub(crate) const END: Self = Self::Sequence(Sequence::MAX);
}

/// A journal that is open for reading, and the core that its first record describes.
pub(crate) struct RunFolder {
    pub(crate) reader: JournalReader,
    pub(crate) genesis: Genesis,
    pub(crate) config: RunConfig,
    /// At the beginning of what is there until something is replayed.
    pub(crate) core: Core,
    /// Records that the core stands for before anything is replayed: none, or those before a snapshot.
    from: Sequence,
}

impl RunFolder {
    /// Opens the journal of a folder with what its first record says. Where retention removed the records behind that, the
    /// core is at the snapshot that stands for them.
    pub(crate) fn open(app: &App, folder: &Path) -> Result<Self, CliError> {
        let reader = open_reader(folder)?;
        let genesis = read_genesis(&reader)?;
        let config: RunConfig = serde_json::from_str(&genesis.config).or_exit(ExitKind::Journal)?;
        let table = instruments(&config, "the journal's instrument table", &genesis.instruments)?;
        let mut core = core(app, &config, table, Some(&genesis))?;
        let mut from = 0;
        if let Some((first, last)) = reader.removed().map_err(journal_error)? {
            let beginning = begin(&mut core, reader.snapshot());
            from = beginning.from;
            if from == 0 {
                return Err(CliError::new(ExitKind::Journal, beginning.missing(first, last)));
            }
        }
        Ok(Self { reader, genesis, config, core, from })
    }

    /// Number of the last input before what is there; `None` where everything is.
    pub(crate) fn begins_after(&self) -> Option<Sequence> {
        (self.from > 0).then(|| self.from.saturating_sub(1))
    }

    /// Brings the core to the end by the shortest way, for who wants the state and not what led there.
    pub(crate) fn catch_up(&mut self) -> Result<(), CliError> {
        if self.from == 0 {
            self.from = begin(&mut self.core, self.reader.snapshot()).from;
        }
        self.walk(Until::END, &mut |_| {})
    }

    /// Replays everything that is there, and says so where that is not everything that was.
    pub(crate) fn replay(&mut self, visit: &mut dyn FnMut(&Replayed<'_>)) -> Result<(), CliError> {
        self.replay_until(Until::END, visit)
    }

    /// Replays a part.
    pub(crate) fn replay_until(
        &mut self,
        until: Until,
        visit: &mut dyn FnMut(&Replayed<'_>),
    ) -> Result<(), CliError> {
        if let Some(last) = self.begins_after() {
            let now = self.core.state().now();
            let early = match until {
                Until::Sequence(until) => until < last,
                Until::Time(until) => until < now,
            };
            if early {
                let message = format!(
                    "--until lies before input {last} at {now}, and what led there was removed by retention; name that input, \
                     or one behind it"
                );
                return Err(CliError::new(ExitKind::Usage, message));
            }
            say_note(&format!(
                "inputs up to {last} at {now} are not listed: retention removed some of them; what follows is complete"
            ));
        }
        self.walk(until, visit)
    }

    fn walk(&mut self, until: Until, visit: &mut dyn FnMut(&Replayed<'_>)) -> Result<(), CliError> {
        let Self { reader, core, from, .. } = self;
        let mut output = Output::default();
        records(reader, *from, &mut |record| {
            if record.sequence == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let beyond = match until {
                Until::Sequence(last) => record.sequence > last,
                Until::Time(last) => input_of(&record)?.time() > last,
            };
            if beyond {
                return Ok(ControlFlow::Break(()));
            }
            let input = apply(core, &record, &mut output).or_exit(ExitKind::Journal)?;
            visit(&Replayed { sequence: record.sequence, input: &input, output: &output, core });
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// A message for a journal that cannot be used.
pub(crate) fn journal_error(error: JournalError) -> CliError {
    CliError::new(ExitKind::Journal, error)
}

/// Opens the journal of a folder for reading.
pub(crate) fn open_reader(folder: &Path) -> Result<JournalReader, CliError> {
    if !folder.join(mts_journal::FILE_NAME).exists() {
        let message = format!("there is no run in {}; name the folder of a run", folder.display());
        return Err(CliError::new(ExitKind::Journal, message));
    }
    FileJournal::read_only(folder).map_err(journal_error)
}

/// The first record of a journal.
pub(crate) fn read_genesis(reader: &JournalReader) -> Result<Genesis, CliError> {
    let first = reader.first_record().map_err(journal_error)?.ok_or_else(|| {
        CliError::new(
            ExitKind::Journal,
            "the journal is empty although the run existed; restore it from a copy, or start anew with --fresh",
        )
    })?;
    genesis(&first).or_exit(ExitKind::Journal)
}

/// The time of the last input, without building any state; `None` before the first.
pub(crate) fn last_time(reader: &JournalReader) -> Result<Option<Timestamp>, CliError> {
    let mut last: Option<JournalRecord> = None;
    records(reader, reader.durable().saturating_sub(1), &mut |record| {
        last = Some(record).filter(|record| record.sequence > 0);
        Ok(ControlFlow::Continue(()))
    })?;
    last.map(|record| Ok(input_of(&record)?.time())).transpose()
}

/// Whether a process writes the run. Its lock ends with it, so that a lock that is held means a process that is alive.
/// The look is a shared lock: two that look at once do not take each other for a writer.
pub(crate) fn is_written(folder: &Path) -> bool {
    match File::open(folder.join(mts_journal::LOCK_NAME)) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

fn input_of(record: &JournalRecord) -> Result<Input, CliError> {
    decode(record.sequence, record.kind, &record.payload).or_exit(ExitKind::Journal)
}

/// Hands over record after record from one on, until the visitor has enough or fails.
fn records(
    reader: &JournalReader,
    from: Sequence,
    visit: &mut dyn FnMut(JournalRecord) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    let mut end = None;
    let read = reader.replay_from(from, &mut |record| {
        end = match visit(record) {
            Ok(ControlFlow::Continue(())) => return Ok(()),
            Ok(ControlFlow::Break(())) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        };
        // Any error ends the reading; nobody looks at this one.
        Err(JournalError::Stopped)
    });
    end.unwrap_or_else(|| read.map_err(journal_error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod golden;
