//! The error of the tool: a sentence that says the remedy, and the exit code.

use std::fmt;

/// What every command answers.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A failure, as a lower-case sentence without a trailing dot that says what to do about it.
#[derive(Debug)]
pub(crate) struct Error {
    sentence: String,
    code: u8,
}

impl Error {
    /// A job that failed: exit code 1.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// A command line that was not understood: exit code 2.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    /// The exit code of the process.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Error {}
