//! Where risk state is kept so that it survives this process.

mod file;
mod journal;

pub use file::StateFile;
pub use journal::{JournalStore, RISK_STATE};

use mts_foundation::journal::JournalError;
use std::path::PathBuf;

/// Keeps the latest risk state. One interface for a file of its own and for a journal.
pub trait RiskStore: Send {
    /// The latest state; `None` where none has ever been kept.
    ///
    /// # Errors
    /// [`StoreError`] when there is, or was, one that cannot be had: never a fresh start.
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether an operator put this store in the place of one that was damaged or lost. Whoever begins with it knows nothing of
    /// halts and counters, and begins with the kill switch on.
    fn is_replaced(&self) -> bool {
        false
    }

    /// Keeps a state. When this returns, the state outlives the process and a power loss.
    ///
    /// # Errors
    /// [`StoreError`]; the state kept before is still there, or none can be trusted, and nothing may be traded on.
    fn save(&mut self, state: &[u8]) -> Result<(), StoreError>;
}

/// Why a state cannot be kept or had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refuses.
    #[error("risk state {path}: {operation} failed: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not what was written.
    #[error(
        "risk state {path} is damaged ({fault}); put back an intact copy of it, or, after a look at the account, replace it \
         with `StateFile::replace`, which starts with the kill switch on"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// There was a state and it is gone, or it is older than the last one that was kept.
    #[error(
        "risk state {path} {fault}: halts and counters would be forgotten; put back the latest copy of it, or, after a look \
         at the account, replace it with `StateFile::replace`, which starts with the kill switch on"
    )]
    Lost {
        /// Which file.
        path: PathBuf,
        /// What happened to it.
        fault: &'static str,
    },
    /// It was never made.
    #[error("risk state {path} does not exist; for a first start make it with `StateFile::create`")]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// It exists already.
    #[error("risk state {path} exists already; open it, so that its halts and counters stay in force")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("risk state {path} is in use by another process; stop that one, or name another file")]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An earlier save failed: what is on disk may not be what was asked for.
    #[error("risk state {path} could not be saved before; mend the disk and restart")]
    Stopped {
        /// Which file.
        path: PathBuf,
    },
}
