//! Carrying out what operators want: by the engine that runs, or on the journal of one that does not.

use super::print::{say, say_json};
use crate::app::App;
use crate::error::{CliError, ExitKind, OrExit};
use crate::export::stored_result;
use crate::live::SystemClock;
use crate::live::control::{self, Request, Response};
use crate::operations::{Operation, operations};
use crate::run_folder::{RunFolder, is_written, journal_error, open_reader, read_genesis};
use mts_engine::record::{INPUT_V1, encode};
use mts_engine::{Core, Input, OperatorAct, Output};
use mts_foundation::event::Event;
use mts_foundation::journal::{Journal, JournalError};
use mts_foundation::{Clock, OrderRecord, Timestamp};
use mts_journal::FileJournal;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Longest wait for a running engine's answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A run that nobody else writes.
pub(super) struct Held {
    journal: FileJournal,
    core: Core,
}

/// What became of an act.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    /// False where everything was so already; the journal is as it was then.
    changed: bool,
    /// Number of its record.
    sequence: Option<u64>,
    /// The run's time.
    time: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) operations: Vec<Operation>,
    /// What else happened, where an engine carried it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event>,
    /// An engine carried it out.
    running: bool,
}

/// Takes the journal's lock. An act on a run that has ended is refused: nothing would ever look at it.
pub(super) fn lock(folder: &Path) -> Result<FileJournal, CliError> {
    let reader = open_reader(folder)?;
    let journal = FileJournal::open(folder).map_err(|error| match error {
        JournalError::Locked { path } => CliError::new(
            ExitKind::Journal,
            format!(
                "{path} is in use by a running process that does not answer: a back-test, or an engine that hangs; end it in \
                 order (SIGTERM or Ctrl-C), repeat this command, then start it again"
            ),
        ),
        error => journal_error(error),
    })?;
    if let Ok(genesis) = read_genesis(&reader)
        && stored_result(folder, &genesis.config_hash).is_some_and(|result| result.finished)
    {
        let message = format!(
            "the run in {} has ended; it trades no more, so there is nothing to act on",
            folder.display()
        );
        return Err(CliError::new(ExitKind::Refused, message));
    }
    Ok(journal)
}

/// Takes the lock and replays.
pub(super) fn hold(app: &App, folder: &Path) -> Result<Held, CliError> {
    let journal = lock(folder)?;
    let mut run = RunFolder::open(app, folder)?;
    run.catch_up()?;
    Ok(Held { journal, core: run.core })
}

impl Held {
    /// Time of an act: that of the run, which is that of its data.
    pub(super) fn now(&self) -> Timestamp {
        self.core.state().now()
    }

    /// Tries the act and, where it takes effect, makes it durable.
    pub(super) fn act(mut self, act: OperatorAct) -> Result<Done, CliError> {
        let time = self.now();
        let input = Input::Operator { act, time };
        let mut output = Output::default();
        self.core.step(&input, &mut output).or_exit(ExitKind::Internal)?;
        if let Some(message) = refusal(&output.events) {
            return Err(CliError::new(ExitKind::Refused, message));
        }
        let operations: Vec<_> = operations(&input, &output).collect();
        if operations.is_empty() {
            return Ok(Done { operations, ..Done::nothing(time) });
        }
        let sequence = append(&mut self.journal, &input)?;
        Ok(Done { changed: true, sequence: Some(sequence), operations, ..Done::nothing(time) })
    }
}

/// Appends an input; it is durable when this returns.
pub(super) fn append(journal: &mut FileJournal, input: &Input) -> Result<u64, CliError> {
    let mut record = Vec::new();
    encode(input, &mut record).or_exit(ExitKind::Internal)?;
    let sequence = journal.append(INPUT_V1, &record).map_err(journal_error)?;
    journal.commit().map_err(journal_error)?;
    Ok(sequence)
}

/// The refusal among what followed.
fn refusal(events: &[Event]) -> Option<&String> {
    events.iter().find_map(|event| match event {
        Event::Incident { code, message, .. } if REFUSED.contains(&code.as_str()) => Some(message),
        _ => None,
    })
}

/// Incidents that say that an act did nothing.
const REFUSED: [&str; 9] = [
    "RISK_REFUSED",
    "NOTHING_TO_ADOPT",
    "ADOPT_WITHOUT_PRICE",
    "NOTHING_TO_CANCEL",
    "NOTHING_TO_SETTLE",
    "ORDER_INVALID",
    "UNKNOWN_FUND",
    "UNKNOWN_ORDER",
    "PLAN_FAILED",
];

/// Carries out an act: by the engine of the folder where one runs, else on its journal.
pub(super) fn carry_out(
    app: &App,
    folder: &Path,
    act: impl Fn(Timestamp) -> OperatorAct,
) -> Result<Done, CliError> {
    if let Some(done) = by_engine(folder, act(SystemClock.now()), PATIENCE)? {
        return Ok(done);
    }
    let held = hold(app, folder)?;
    let act = act(held.now());
    held.act(act)
}

/// Has a running engine carry out an act; `None` where none answers.
pub(super) fn by_engine(folder: &Path, act: OperatorAct, within: Duration) -> Result<Option<Done>, CliError> {
    if !is_written(folder) {
        return Ok(None);
    }
    let request = Request::Act(Box::new(act.clone()));
    match control::ask(folder, &request, within)? {
        None => Ok(None),
        Some(Response::Done { time, events }) => {
            if let Some(message) = refusal(&events) {
                return Err(CliError::new(ExitKind::Refused, message));
            }
            let output = Output { events, ..Output::default() };
            let operations: Vec<_> = operations(&Input::Operator { act, time }, &output).collect();
            let events = output.events;
            let changed = !events.is_empty();
            Ok(Some(Done { changed, sequence: None, time, operations, events, running: true }))
        }
        Some(Response::Refused(message)) => Err(CliError::new(ExitKind::Refused, message)),
        Some(Response::Stats(_)) => {
            Err(CliError::new(ExitKind::Internal, "the engine answers something else"))
        }
    }
}

impl Done {
    /// Nothing has changed.
    pub(super) fn nothing(time: Timestamp) -> Self {
        Self {
            changed: false,
            sequence: None,
            time,
            operations: Vec::new(),
            events: Vec::new(),
            running: false,
        }
    }

    /// Recorded by this process.
    pub(super) fn recorded(sequence: u64, time: Timestamp, operation: Operation) -> Self {
        Self { changed: true, sequence: Some(sequence), operations: vec![operation], ..Self::nothing(time) }
    }

    /// Whether an order was refused.
    pub(super) fn has_refusal(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::OrderRejected(_)))
    }

    /// Whether an incident of this code was told.
    pub(super) fn has_incident(&self, wanted: &str) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Incident { code, .. } if code == wanted))
    }

    /// Says it.
    pub(super) fn tell(&self, folder: &Path, json: bool) -> Result<(), CliError> {
        if json {
            return say_json(self);
        }
        for operation in &self.operations {
            say(&format!("{}, by {}: {}", operation.what(), operation.who(), operation.reason));
        }
        match self.sequence {
            Some(sequence) => say(&format!(
                "recorded at {} as input {sequence}; mts run goes on with it in force in {}",
                self.time,
                folder.display()
            )),
            None if self.running => {
                for line in self.events.iter().filter_map(line_of) {
                    say(&line);
                }
                say(&format!("taken by the running engine at {}; mts status shows what follows", self.time));
            }
            None => say("nothing has changed: this is in force already"),
        }
        Ok(())
    }
}

/// One event for people; `None` where an operation says it already.
fn line_of(event: &Event) -> Option<String> {
    let of = |what: &str, record: &OrderRecord| {
        let order = &record.order;
        let reason =
            order.rejected_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("order {} {what}{reason}: {} {} {}", order.order_id, order.side, order.quantity, order.symbol)
    };
    match event {
        Event::OrderCreated(record) => Some(of("leaves", record)),
        Event::OrderRejected(record) => Some(of("is refused", record)),
        Event::OrderCanceled(record) => Some(of("is cancelled", record)),
        Event::GateFailed(failed) => Some(format!("{}: {}", failed.rejection.code, failed.rejection.message)),
        Event::Incident { code, message, .. } => Some(format!("{code}: {message}")),
        _ => None,
    }
}
