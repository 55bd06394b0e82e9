//! Replaying: from records back to state.

use crate::core::{Core, CoreError, RestoreError};
use crate::input::Input;
use crate::output::Output;
use crate::record::{GENESIS, Genesis, RecordError, decode};
use mts_foundation::journal::{JournalError, JournalRecord, Sequence};

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

/// Where a replay begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beginning {
    /// Records that need not be replayed: a snapshot stands for them. 0 = everything is replayed.
    pub from: Sequence,
    /// Why a snapshot that was there is not used.
    pub passed_over: Option<String>,
}

/// Why a replay cannot begin.
#[derive(Debug, thiserror::Error)]
#[error(
    "records {from} to {to} were removed by retention, and the snapshot that stands for them cannot be used: {reason}; go on with \
     the mts version and the configuration that wrote it, or restore the folder from a copy"
)]
pub struct NoBeginning {
    /// First record that is gone.
    pub from: Sequence,
    /// Last record that is gone.
    pub to: Sequence,
    /// What is wrong with the snapshot.
    pub reason: String,
}

/// Takes a core at its beginning to the newest snapshot of its journal, as that answers when it is asked for one. What the core
/// cannot use is passed over, with the reason: the journal says the same without it.
pub fn begin(core: &mut Core, snapshot: Result<Option<(Sequence, Vec<u8>)>, JournalError>) -> Beginning {
    let taken = match snapshot {
        Ok(None) => return Beginning::default(),
        // The first record is no input.
        Ok(Some((from, bytes))) => core
            .restore(&bytes, from.saturating_sub(1))
            .map(|()| from)
            .map_err(|error: RestoreError| format!("the snapshot after {from} records is not used: {error}")),
        Err(error) => Err(format!("the snapshot is not used: {error}")),
    };
    match taken {
        Ok(from) => Beginning { from, passed_over: None },
        Err(reason) => Beginning { from: 0, passed_over: Some(reason) },
    }
}

impl Beginning {
    /// Says of a journal without its beginning why nobody could go round that.
    #[must_use]
    pub fn missing(&self, from: Sequence, to: Sequence) -> NoBeginning {
        let reason = self.passed_over.clone().unwrap_or_else(|| "there is none".to_owned());
        NoBeginning { from, to, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_genesis_is_the_first_record_and_of_its_kind() {
        let of = |sequence, kind| genesis(&JournalRecord { sequence, kind, payload: b"{}".to_vec() });
        assert!(matches!(of(0, GENESIS), Err(RecordError::Unreadable { .. })), "it lacks fields, and is one");
        assert!(matches!(of(0, GENESIS + 1), Err(RecordError::NoGenesis)));
        assert!(matches!(of(1, GENESIS), Err(RecordError::NoGenesis)));
    }
}
