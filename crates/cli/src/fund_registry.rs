//! The registry of funds on disk: a journal of its own, one record an act, in its folder.

use crate::error::{CliError, ExitKind, OrExit};
use crate::run_folder::journal_error;
use mts_foundation::journal::{Journal, JournalError, JournalRecord};
use mts_journal::FileJournal;
use mts_portfolio::funds::{FundError, FundRegistry, REGISTRY_V1, RegistryRecord, decode, encode};
use std::io::ErrorKind;
use std::path::Path;

/// A registry that nobody else writes.
pub(crate) struct OpenRegistry {
    journal: FileJournal,
    registry: FundRegistry,
}

impl OpenRegistry {
    /// Takes the lock and reads what was done.
    pub(crate) fn open(folder: &Path) -> Result<Self, CliError> {
        if !exists(folder) {
            return Err(absent(folder));
        }
        let journal = FileJournal::open(folder).map_err(|error| in_use(folder, error))?;
        let registry = fold(&mut |records| journal.replay(records), &mut |_| ())?;
        Ok(Self { journal, registry })
    }

    /// Takes a record: durable when this returns, and nothing has changed where it fails. The first one makes the registry,
    /// with itself or not at all.
    pub(crate) fn begin_or_record(folder: &Path, record: &RegistryRecord) -> Result<(), CliError> {
        if exists(folder) {
            return Self::open(folder)?.record(record);
        }
        FundRegistry::new().apply(record).map_err(refused)?;
        let bytes = encode(record).or_exit(ExitKind::Internal)?;
        match FileJournal::begin(folder, &[(REGISTRY_V1, &bytes)]) {
            // Somebody was faster.
            Err(JournalError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                Self::open(folder)?.record(record)
            }
            begun => begun.map(|_| ()).map_err(|error| in_use(folder, error)),
        }
    }

    /// What was done so far.
    pub(crate) fn registry(&self) -> &FundRegistry {
        &self.registry
    }

    /// Takes a record: durable when this returns, and nothing has changed where it fails.
    pub(crate) fn record(&mut self, record: &RegistryRecord) -> Result<(), CliError> {
        self.registry.apply(record).map_err(refused)?;
        let bytes = encode(record).or_exit(ExitKind::Internal)?;
        self.journal.append(REGISTRY_V1, &bytes).map_err(journal_error)?;
        self.journal.commit().map_err(journal_error)
    }
}

/// Reads a registry that somebody may be writing.
pub(crate) fn read(folder: &Path) -> Result<FundRegistry, CliError> {
    read_with(folder, &mut |_| ())
}

/// The same, and hands over every record on the way.
pub(crate) fn read_with(
    folder: &Path,
    visit: &mut dyn FnMut(&RegistryRecord),
) -> Result<FundRegistry, CliError> {
    if !exists(folder) {
        return Err(absent(folder));
    }
    let reader = FileJournal::read_only(folder).map_err(journal_error)?;
    fold(&mut |records| reader.replay(records), visit)
}

/// The error of an act that the registry does not take.
pub(crate) fn refused(error: FundError) -> CliError {
    let kind = match &error {
        FundError::Unknown { .. }
        | FundError::UnknownPlan(_)
        | FundError::Amount { .. }
        | FundError::Constraint { .. }
        | FundError::NoChange(_)
        | FundError::NoReason => ExitKind::Usage,
        FundError::ShortHistory { .. }
        | FundError::ShortOverlap { .. }
        | FundError::BadHistory { .. }
        | FundError::NoMovement { .. }
        | FundError::Compute(_) => ExitKind::Data,
        FundError::Unreadable { .. } => ExitKind::Journal,
        _ => ExitKind::Refused,
    };
    CliError::new(kind, error)
}

fn exists(folder: &Path) -> bool {
    folder.join(mts_journal::FILE_NAME).exists()
}

fn absent(folder: &Path) -> CliError {
    let message = format!(
        "there is no registry of funds in {}; mts fund create makes one, --registry names another folder",
        folder.display()
    );
    CliError::new(ExitKind::Journal, message)
}

fn in_use(folder: &Path, error: JournalError) -> CliError {
    match error {
        JournalError::Locked { .. } => {
            let message = format!(
                "another command writes the registry in {}; nothing has been done, repeat this one",
                folder.display()
            );
            CliError::new(ExitKind::Journal, message)
        }
        error => journal_error(error),
    }
}

type Visit<'a> = &'a mut dyn FnMut(JournalRecord) -> Result<(), JournalError>;

/// The registry that the records of a journal make, each handed over once it is taken.
fn fold(
    replay: &mut dyn FnMut(Visit<'_>) -> Result<(), JournalError>,
    visit: &mut dyn FnMut(&RegistryRecord),
) -> Result<FundRegistry, CliError> {
    let mut registry = FundRegistry::new();
    let mut fault = None;
    let read = replay(&mut |record| {
        let taken = decode(record.kind, &record.payload).and_then(|act| registry.apply(&act).map(|()| act));
        match taken {
            Ok(act) => {
                visit(&act);
                Ok(())
            }
            Err(error) => {
                fault = Some((record.sequence, error));
                // Any error ends the reading; nobody looks at this one.
                Err(JournalError::Stopped)
            }
        }
    });
    match fault {
        Some((sequence, error)) => {
            let message = format!(
                "record {sequence} does not belong in a registry of funds: {error}; name the folder of one"
            );
            Err(CliError::new(ExitKind::Journal, message))
        }
        None => read.map(|()| registry).map_err(journal_error),
    }
}
