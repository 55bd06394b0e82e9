//! What went wrong, and the exit code that says so.

use std::fmt::Display;

/// Why the program ends; its number is the exit code. 0 is success, and 128 + n is, as
/// in a shell, an end by signal n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitKind {
    /// 1: a fault of the program or its parts.
    Internal = 1,
    /// 2: the command line is wrong.
    Usage = 2,
    /// 3: the configuration is wrong.
    Config = 3,
    /// 4: the data is wrong.
    Data = 4,
    /// 5: the folder's journal cannot be used: of another configuration, in use, damaged.
    Journal = 5,
    /// 6: something cannot be written.
    Output = 6,
    /// 7: a check, a gate or the risk machine refuses.
    Refused = 7,
    /// 8: something needs a person; only `mts status --check` says so.
    Attention = 8,
    /// 130: SIGINT ended a run in order.
    Interrupted = 130,
    /// 143: SIGTERM ended a run in order.
    Terminated = 143,
}

impl ExitKind {
    /// Every kind with its meaning, in the order of the codes: the table of `mts --help` and docs/operations.md.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Internal, "a fault of the program or of a part of it"),
        (Self::Usage, "wrong command line, or an order that does not exist"),
        (Self::Config, "wrong configuration"),
        (Self::Data, "wrong data"),
        (Self::Journal, "the journal is of another configuration, in use, or damaged"),
        (Self::Output, "something cannot be written"),
        (
            Self::Refused,
            "a check found a reason not to start, a gate refuses the order, or an operator's act is refused",
        ),
        (Self::Attention, "mts status --check found something that needs a person"),
        (Self::Interrupted, "SIGINT has ended the run in order; the same command goes on"),
        (Self::Terminated, "SIGTERM has ended the run in order; the same command goes on"),
    ];

    /// What [`ExitKind::ALL`] says of it.
    pub(crate) fn meaning(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, meaning)| meaning)
    }

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// The table of exit codes for `--help`.
pub(crate) fn exit_codes() -> String {
    let mut text = "Exit codes:\n  0  done\n".to_owned();
    for (kind, meaning) in ExitKind::ALL {
        text.push_str(&format!("  {}  {meaning}\n", kind.code()));
    }
    text
}

/// An error for people: one message that says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// Why, as the exit code.
    pub kind: ExitKind,
    /// What is wrong and what to do.
    pub message: String,
}

impl CliError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: ExitKind, message: impl Display) -> Self {
        Self { kind, message: message.to_string() }
    }
}

/// Adds the exit kind to a foreign error.
pub(crate) trait OrExit<T> {
    /// The same result with an error of this kind.
    fn or_exit(self, kind: ExitKind) -> Result<T, CliError>;
}

impl<T, E: Display> OrExit<T> for Result<T, E> {
    fn or_exit(self, kind: ExitKind) -> Result<T, CliError> {
        self.map_err(|error| CliError::new(kind, error))
    }
}

impl From<mts_engine::shell::offline::RunError> for CliError {
    fn from(error: mts_engine::shell::offline::RunError) -> Self {
        use mts_engine::shell::driver::DriverError;
        use mts_engine::shell::offline::RunError;
        let kind = match &error {
            RunError::Driver(DriverError::Core(_)) => ExitKind::Internal,
            RunError::Driver(_) => ExitKind::Journal,
            RunError::Data(_) | RunError::NoSession { .. } | RunError::Calendar(_) => ExitKind::Data,
            _ => ExitKind::Internal,
        };
        Self::new(kind, error)
    }
}
