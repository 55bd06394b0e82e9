//! The two streams of the tool. A reader that went away (`cargo xtask help | head -1`) is not an error.

use std::fmt::Display;
use std::io::Write as _;

/// A result line, on standard output.
pub(crate) fn out(line: impl Display) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A line about progress or a failure, on standard error.
pub(crate) fn err(line: impl Display) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
