//! What is told.

use mts_foundation::Timestamp;
use mts_foundation::event::Event;
use serde::Serialize;

/// Longest text of an alert in characters: a line of JSON then fits into a pipe, and a hook that reads nothing holds
/// nobody up.
const MAX_TEXT: usize = 2048;

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Good to know.
    Info,
    /// To be looked at.
    Warning,
    /// To be acted upon now.
    Critical,
}

/// One alert, as hooks read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Alert {
    /// How urgent it is.
    pub(crate) severity: Severity,
    /// What kind of thing happened.
    pub(crate) kind: &'static str,
    /// Whom or what it concerns.
    pub(crate) subject: String,
    /// What happened and what to do.
    pub(crate) message: String,
    /// When, in the time of the run; `None` for the run as a whole.
    pub(crate) time: Option<Timestamp>,
    /// Name of the run.
    pub(crate) run: String,
    /// How many of this kind and subject were held back since the last one.
    pub(crate) suppressed: u64,
}

impl Alert {
    /// An alert about the run as a whole.
    pub(crate) fn new(
        severity: Severity,
        kind: &'static str,
        subject: String,
        message: String,
        run: &str,
    ) -> Self {
        let [subject, message, run] = [subject, message, run.to_owned()].map(cut);
        Self { severity, kind, subject, message, time: None, run, suppressed: 0 }
    }

    /// What an event of a run is to be told as, if at all. Refused orders are the gates' daily work and no alerts.
    pub(crate) fn of_event(event: &Event, run: &str) -> Option<Self> {
        let (severity, kind, subject, message, time) = match event {
            Event::Incident { code, message, time, .. } => {
                (Severity::Warning, "incident", code.to_string(), message.clone(), *time)
            }
            Event::HaltRequested(halt) => {
                (Severity::Critical, "halt", halt.scope.to_string(), halt.reason.clone(), halt.timestamp)
            }
            Event::Killed { reason, time } => {
                (Severity::Critical, "kill_switch", "firm".to_owned(), reason.clone(), *time)
            }
            _ => return None,
        };
        Some(Self { time: Some(time), ..Self::new(severity, kind, subject, message, run) })
    }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
    text
}
