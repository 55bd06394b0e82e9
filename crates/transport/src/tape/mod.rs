//! Tapes: what went over the wires of a session, without its secrets, to be played to an adapter again.

mod differ;
mod format;
mod play;
mod played_socket;
mod record;

pub use format::TAPE_VERSION;
pub use play::Player;
pub use record::{Recorder, Recording};

use std::path::PathBuf;

/// A tape that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapeError {
    /// The disk.
    #[error("{path}: {source}; check the folder, its permissions and the room on the disk")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no tape.
    #[error("{path}, line {line}: {message}; a tape is written by this program with --record")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The adapter did something else.
    #[error("{path}: {message}")]
    Different {
        /// Which file.
        path: PathBuf,
        /// What was not asked for.
        message: String,
    },
}
