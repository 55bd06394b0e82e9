//! What can be wrong with a store.

use mts_foundation::{Decimal, Interval, Symbol, Timestamp};
use std::path::{Path, PathBuf};

/// Why a store does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder.
    #[error("{path}: {source}; check the path, the permissions and the space on the disk", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The manifest is missing or damaged.
    #[error("{path}: {message}", path = path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A part is not what the manifest says.
    #[error(
        "part {part} is damaged: {message}; restore it from a copy, or bring its bars anew into a new store"
    )]
    Damaged {
        /// Which part.
        part: String,
        /// What is wrong.
        message: String,
    },
    /// The folder for a new store holds something else.
    #[error("{path} is no store and holds {other}; choose a new or empty folder", path = path.display())]
    Occupied {
        /// Which folder.
        path: PathBuf,
        /// What it holds.
        other: String,
    },
    /// Somebody else is appending.
    #[error("{path} is in use by somebody who writes; try again when that is done", path = path.display())]
    Busy {
        /// Which folder.
        path: PathBuf,
    },
    /// Two bars of one instrument end together and differ.
    #[error(
        "{symbol}: two bars end at {time} and differ in {field}: {kept} is there, {came} came; correct one, or let the last one win"
    )]
    Conflict {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bars.
        time: Timestamp,
        /// The first field that differs.
        field: &'static str,
        /// What was there.
        kept: String,
        /// What came.
        came: String,
    },
    /// A number that the columns cannot hold exactly.
    #[error(
        "{field} holds {value} and needs more than 38 digits beside the others of its part; round it, or keep it in a series of its own"
    )]
    Digits {
        /// Which field.
        field: &'static str,
        /// A value that does not fit.
        value: Decimal,
    },
    /// A bar of another length.
    #[error("{symbol}: the bar that ends at {time} is one of {interval}, the series' are of {expected}")]
    Interval {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bar.
        time: Timestamp,
        /// Its length.
        interval: Interval,
        /// The series'.
        expected: Interval,
    },
    /// A bar that cannot be.
    #[error(
        "{symbol}: the bar that ends at {time} has a price that is not above zero or not within its range, or a volume below zero; check the source"
    )]
    Impossible {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bar.
        time: Timestamp,
    },
    /// A source whose name can be no folder.
    #[error("source {name:?} must be 1 to 40 of a-z, 0-9, - and _")]
    Source {
        /// The name.
        name: String,
    },
    /// A part cannot be encoded.
    #[error("{path} cannot be encoded: {message}", path = path.display())]
    Encoding {
        /// Which file.
        path: PathBuf,
        /// What the library says.
        message: String,
    },
}

impl StoreError {
    /// For `map_err`: the path at fault.
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn damaged(part: &str, message: impl std::fmt::Display) -> Self {
        Self::Damaged { part: part.to_owned(), message: message.to_string() }
    }
}
