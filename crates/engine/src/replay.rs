//! Replaying: from records back to state.

use crate::core::{Core, CoreError};
use crate::input::Input;
use crate::output::Output;
use crate::record::{GENESIS, Genesis, RecordError, decode};
use mts_foundation::journal::JournalRecord;

/// Why a replay stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The core refuses an input that it took when it was written.
    #[error("record {sequence} is refused: {error}")]
    Core {
        /// Number of the record.
        sequence: u64,
        /// Why.
        error: CoreError,
    },
}

/// The genesis in the first record.
///
/// # Errors
/// [`RecordError::NoGenesis`] when the record is something else.
pub fn genesis(record: &JournalRecord) -> Result<Genesis, RecordError> {
    if record.sequence != 0 || record.kind != GENESIS {
        return Err(RecordError::NoGenesis);
    }
    serde_json::from_slice(&record.payload).map_err(|error| RecordError::Unreadable {
        sequence: 0,
        kind: GENESIS,
        message: error.to_string(),
    })
}

/// Feeds one record after the genesis to the core; `output` holds its answer afterwards. Returns the input.
///
/// # Errors
/// [`ReplayError`].
pub fn apply(core: &mut Core, record: &JournalRecord, output: &mut Output) -> Result<Input, ReplayError> {
    let input = decode(record.sequence, record.kind, &record.payload)?;
    output.clear();
    core.step(&input, output).map_err(|error| ReplayError::Core { sequence: record.sequence, error })?;
    Ok(input)
}
