//! `mts halt`, `mts resume`, `mts kill`.
//!
//! An act is an input of the run's core like any other: a running engine takes it, or it is tried on the replayed core and
//! appended to the journal where it takes effect, with the lock held and durable before the command says so.

use super::carry_out::{Done, append, by_engine, carry_out, lock};
use super::own_connection;
use super::print::{say, say_note};
use crate::app::App;
use crate::args::operator::{HaltArgs, KillArgs, ResumeArgs};
use crate::config::{LiveMode, RunConfig};
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::{KILL_FILE, KillNote, SystemClock};
use crate::operations::Operation;
use crate::run_folder::{is_written, last_time, open_reader, read_genesis};
use crate::setup::SCRIPT;
use mts_engine::{Input, OperatorAct};
use mts_foundation::event::Event;
use mts_foundation::risk::{HaltRequest, HaltScope, ResumeRequest};
use mts_foundation::{Clock, Timestamp};
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

/// Longest wait for the engine's answer to a kill: the flag holds without it.
const HURRY: Duration = Duration::from_secs(1);

/// Longest answer to a question, in bytes.
const MAX_ANSWER: u64 = 256;

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
    check_scope(&scope, &config_of(&args.act.out)?)?;
    let request = |timestamp| HaltRequest {
        scope: scope.clone(),
        mode: args.mode,
        reason: args.reason.clone(),
        causes: Vec::new(),
        requested_by: args.actor.clone(),
        timestamp,
    };
    let done = carry_out(app, &args.act.out, |now| OperatorAct::Halt(request(now)))?;
    done.tell(&args.act.out, args.act.json)
}

/// Ends a halt, or switches the kill switch off.
pub(crate) fn resume(app: &App, args: &ResumeArgs) -> Result<(), CliError> {
    if args.operators.iter().any(|operator| operator.as_str() == SCRIPT) {
        let message = format!(
            "{SCRIPT} is the script of a back-test, no person; name an operator of operator.operators"
        );
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let request = |timestamp| ResumeRequest {
        scope: args.what.scope(),
        operators: args.operators.clone(),
        reason: args.reason.clone(),
        timestamp,
    };
    let done = carry_out(app, &args.act.out, |now| OperatorAct::Resume(request(now)))?;
    done.tell(&args.act.out, args.act.json)
}

/// Switches the kill switch on. Reads of the journal no more than the time of its last input, so that neither a
/// configuration that this program refuses nor a state that it cannot rebuild stands in the way. Without a terminal it
/// does not ask: an emergency stop that a script sends must not fail for want of a flag, and it can be taken back.
///
/// Of a live run the flag comes first, as a file that holds whatever becomes of the engine. Then the engine is told, or the
/// journal where none runs; and with a real broker everything that works is cancelled over a connection of this command's
/// own, because the engine may hang or be gone. None of the three waits for another, and none is left out where another
/// fails.
pub(crate) fn kill(app: &App, args: &KillArgs) -> Result<(), CliError> {
    if !args.yes && std::io::stdin().is_terminal() {
        confirm("KILL", "the kill switch is switched on and everything working is cancelled")?;
    }
    let folder = &args.act.out;
    let act = OperatorAct::Kill { reason: args.reason.clone(), actor: args.actor.clone() };
    let Some((mode, config)) = live_mode(folder) else { return record_kill(folder, act, args) };
    let written = is_written(folder);
    let note = KillNote { reason: args.reason.clone(), actor: args.actor.clone(), time: SystemClock.now() };
    let flagged = note.write(folder);
    match &flagged {
        Ok(()) => say_note("the flag is set: nothing new leaves"),
        Err(error) => say_note(&error.message),
    }
    // In parallel: neither the engine nor the broker is waited for before the other is asked.
    let (told, cancelled) = std::thread::scope(|scope| {
        let own = scope.spawn(|| match mode {
            LiveMode::Live => own_connection::cancel_all(app, &config, folder),
            LiveMode::Replay | LiveMode::Paper | LiveMode::Shadow => Ok(Vec::new()),
        });
        let told = if written { by_engine(folder, act.clone(), HURRY) } else { Ok(None) };
        let cancelled = own
            .join()
            .unwrap_or_else(|_| Err(CliError::new(ExitKind::Internal, "the cancellations panicked")));
        (told, cancelled)
    });
    for line in cancelled.iter().flatten() {
        say_note(line);
    }
    if !written {
        // The next start takes the flag, should the journal not take the act.
        record_kill(folder, act, args)?;
        std::fs::remove_file(folder.join(KILL_FILE)).ok();
        return cancelled.map(|_| ());
    }
    let cancelled = cancelled?;
    flagged?;
    match told {
        Ok(Some(done)) => done.tell(folder, args.act.json),
        Ok(None) | Err(_) => {
            let message = format!(
                "the engine of {} does not answer; the flag in {KILL_FILE} holds, {} cancellations were sent by this command; \
                 look at the account, then end the process",
                folder.display(),
                cancelled.len()
            );
            Err(CliError::new(ExitKind::Refused, message))
        }
    }
}

/// Mode and configuration of a run in real time.
fn live_mode(folder: &Path) -> Option<(LiveMode, RunConfig)> {
    let config = config_of(folder).ok()?;
    let live = config.live.as_ref().filter(|live| live.is_real_time())?;
    Some((live.mode, config))
}

/// Appends the kill to the journal of a run that nobody writes.
fn record_kill(folder: &Path, act: OperatorAct, args: &KillArgs) -> Result<(), CliError> {
    let mut journal = lock(folder)?;
    let time = last_time(&open_reader(folder)?)?.unwrap_or(Timestamp::from_nanos(i64::MIN));
    let operation = Operation {
        time,
        by: vec![args.actor.clone()],
        reason: args.reason.clone(),
        event: Event::Killed { reason: args.reason.clone(), time },
    };
    let sequence = append(&mut journal, &Input::Operator { act, time })?;
    Done::recorded(sequence, time, operation).tell(folder, args.act.json)
}

/// The configuration that a folder's journal belongs to.
pub(super) fn config_of(folder: &Path) -> Result<RunConfig, CliError> {
    let genesis = read_genesis(&open_reader(folder)?)?;
    serde_json::from_str(&genesis.config).or_exit(ExitKind::Journal)
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
pub(super) fn confirm(word: &str, consequence: &str) -> Result<(), CliError> {
    say(&format!("{consequence}; type {word} to go on"));
    let mut answer = String::new();
    std::io::stdin().lock().take(MAX_ANSWER).read_line(&mut answer).or_exit(ExitKind::Usage)?;
    if answer.trim() == word {
        return Ok(());
    }
    Err(CliError::new(ExitKind::Usage, format!("{word} was not typed; nothing has been done")))
}
