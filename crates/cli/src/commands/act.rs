//! What operators do to a run that no process writes: `mts halt`, `mts resume`, `mts kill`.
//!
//! An act is an input of the run's core like any other. It is tried on the replayed core, and only what takes effect is
//! appended to the journal, with the lock held and durable before the command says so.

use super::print::{say, say_json};
use crate::app::App;
use crate::args::operator::{HaltArgs, KillArgs, ResumeArgs};
use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::export::stored_result;
use crate::operations::{Operation, operations};
use crate::run_folder::{RunFolder, journal_error, last_time, open_reader, read_genesis};
use crate::setup::SCRIPT;
use mts_engine::record::{INPUT_V1, encode};
use mts_engine::{Core, Input, OperatorAct, Output};
use mts_foundation::Timestamp;
use mts_foundation::event::Event;
use mts_foundation::journal::{Journal, JournalError};
use mts_foundation::risk::{HaltRequest, HaltScope, ResumeRequest};
use mts_journal::FileJournal;
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

/// Longest answer to a question, in bytes.
const MAX_ANSWER: u64 = 256;

/// A run that nobody else writes.
pub(super) struct Held {
    journal: FileJournal,
    pub(super) config: RunConfig,
    pub(super) core: Core,
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
}

/// Takes the journal's lock. An act on a run that has ended is refused: nothing would ever look at it.
fn lock(folder: &Path) -> Result<FileJournal, CliError> {
    let reader = open_reader(folder)?;
    let journal = FileJournal::open(folder).map_err(|error| match error {
        JournalError::Locked { path } => CliError::new(
            ExitKind::Journal,
            format!(
                "{path} is in use by a running process, which cannot be spoken to yet; end it in order (SIGTERM or \
                 Ctrl-C), repeat this command, then start it again"
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
    run.replay(&mut |_| {})?;
    let RunFolder { config, core, .. } = run;
    Ok(Held { journal, config, core })
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
        let refusal = output.events.iter().find_map(|event| match event {
            Event::Incident { code, message, .. } if code == "RISK_REFUSED" => Some(message),
            _ => None,
        });
        if let Some(message) = refusal {
            return Err(CliError::new(ExitKind::Refused, message));
        }
        let operations: Vec<_> = operations(&input, &output).collect();
        if operations.is_empty() {
            return Ok(Done { changed: false, sequence: None, time, operations });
        }
        let sequence = append(&mut self.journal, &input)?;
        Ok(Done { changed: true, sequence: Some(sequence), time, operations })
    }
}

/// Appends an input; it is durable when this returns.
fn append(journal: &mut FileJournal, input: &Input) -> Result<u64, CliError> {
    let mut record = Vec::new();
    encode(input, &mut record).or_exit(ExitKind::Internal)?;
    let sequence = journal.append(INPUT_V1, &record).map_err(journal_error)?;
    journal.commit().map_err(journal_error)?;
    Ok(sequence)
}

impl Done {
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
            None => say("nothing has changed: this is in force already"),
        }
        Ok(())
    }
}

/// Halts.
pub(crate) fn halt(app: &App, args: &HaltArgs) -> Result<(), CliError> {
    let scope = args.what.scope();
    if scope == HaltScope::Firm && !args.yes {
        if !std::io::stdin().is_terminal() {
            let message = "halting the firm asks for the word HALT on a terminal; without one say --yes";
            return Err(CliError::new(ExitKind::Usage, message));
        }
        confirm("HALT", "everything is halted")?;
    }
    let held = hold(app, &args.act.out)?;
    check_scope(&scope, &held.config)?;
    let request = HaltRequest {
        scope,
        mode: args.mode,
        reason: args.reason.clone(),
        causes: Vec::new(),
        requested_by: args.actor.clone(),
        timestamp: held.now(),
    };
    held.act(OperatorAct::Halt(request))?.tell(&args.act.out, args.act.json)
}

/// Ends a halt, or switches the kill switch off.
pub(crate) fn resume(app: &App, args: &ResumeArgs) -> Result<(), CliError> {
    if args.operators.iter().any(|operator| operator.as_str() == SCRIPT) {
        let message = format!(
            "{SCRIPT} is the script of a back-test, no person; name an operator of operator.operators"
        );
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let held = hold(app, &args.act.out)?;
    let request = ResumeRequest {
        scope: args.what.scope(),
        operators: args.operators.clone(),
        reason: args.reason.clone(),
        timestamp: held.now(),
    };
    held.act(OperatorAct::Resume(request))?.tell(&args.act.out, args.act.json)
}

/// Switches the kill switch on. Reads of the journal no more than the time of its last input, so that neither a
/// configuration that this program refuses nor a state that it cannot rebuild stands in the way. Without a terminal it
/// does not ask: an emergency stop that a script sends must not fail for want of a flag, and it can be taken back.
pub(crate) fn kill(args: &KillArgs) -> Result<(), CliError> {
    if !args.yes && std::io::stdin().is_terminal() {
        confirm("KILL", "the kill switch is switched on and everything working is cancelled")?;
    }
    let folder = &args.act.out;
    let mut journal = lock(folder)?;
    let time = last_time(&open_reader(folder)?)?.unwrap_or(Timestamp::from_nanos(i64::MIN));
    let act = OperatorAct::Kill { reason: args.reason.clone(), actor: args.actor.clone() };
    let operation = Operation {
        time,
        by: vec![args.actor.clone()],
        reason: args.reason.clone(),
        event: Event::Killed { reason: args.reason.clone(), time },
    };
    let sequence = append(&mut journal, &Input::Operator { act, time })?;
    Done { changed: true, sequence: Some(sequence), time, operations: vec![operation] }
        .tell(folder, args.act.json)
}

/// A halt of what the run does not know would halt nothing.
fn check_scope(scope: &HaltScope, config: &RunConfig) -> Result<(), CliError> {
    let (what, named, known) = match scope {
        HaltScope::Fund(id) => ("fund", id.as_str(), config.fund.fund_id.as_str()),
        HaltScope::Strategy(id) => ("strategy", id.as_str(), config.strategy.strategy_id.as_str()),
        HaltScope::Firm => return Ok(()),
    };
    if named == known {
        return Ok(());
    }
    let message = format!("{what} {named} is not in this run; its {what} is {known}");
    Err(CliError::new(ExitKind::Usage, message))
}

/// Asks a person to type a word.
fn confirm(word: &str, consequence: &str) -> Result<(), CliError> {
    say(&format!("{consequence}; type {word} to go on"));
    let mut answer = String::new();
    std::io::stdin().lock().take(MAX_ANSWER).read_line(&mut answer).or_exit(ExitKind::Usage)?;
    if answer.trim() == word {
        return Ok(());
    }
    Err(CliError::new(ExitKind::Usage, format!("{word} was not typed; nothing has been done")))
}
