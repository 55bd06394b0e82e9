//! Runs cases: each on a thread of its own, with a runtime of its own and a limit of time.

use super::canary::Listener;
use super::cases::{ROWS, Row};
use super::stage::Stage;
use super::stop::{Step, Stop};
use super::{Setup, Start, Suite, SuiteError};
use crate::{CaseReport, Figure, Outcome, Report};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much longer than its limit a case is waited for: it may be about to end.
const GRACE: Duration = Duration::from_secs(5);

/// The case that what was said in all cases is counted to.
pub(super) const SECRETS: &str = "H-01";

/// What became of a case, and which secrets were said in it.
type Played = (CaseReport, Vec<String>);

pub(super) fn run(suite: &Suite, jobs: usize, wanted: &dyn Fn(&str) -> bool) -> Result<Report, SuiteError> {
    if let Some(id) = suite.skips.keys().find(|id| !ROWS.iter().any(|row| row.case.id == **id)) {
        return Err(SuiteError::NoSuchCase { id: id.clone() });
    }
    let rows: Vec<&'static Row> = ROWS.iter().filter(|row| wanted(row.case.id)).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(place) else { break };
            let result = case(suite, row);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(place, result);
        }
    };
    let started = super::stage::now();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(rows.len()) {
            scope.spawn(work);
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut leaks = Vec::new();
    let mut cases: Vec<CaseReport> = Vec::new();
    for (report, said) in done.into_values() {
        leaks.extend(said.into_iter().map(|leak| format!("{}: {leak}", report.case.id)));
        cases.push(report);
    }
    if let Some(secrets) = cases.iter_mut().find(|report| report.case.id == SECRETS)
        && secrets.outcome != Outcome::Skipped
        && !leaks.is_empty()
    {
        *secrets = CaseReport::judged(secrets.case, secrets.questions + leaks.len(), leaks);
    }
    let seconds = super::stage::now().since(started).as_secs_f64();
    Ok(Report {
        suite: "broker",
        version: env!("CARGO_PKG_VERSION"),
        subject: suite.name.clone(),
        cases,
        figures: vec![Figure { name: "time", value: seconds, unit: "s" }],
    })
}

fn case(suite: &Suite, row: &'static Row) -> Played {
    if let Some(reason) = suite.skips.get(row.case.id) {
        return (CaseReport::skipped(row.case, format!("left out by the author: {reason}")), Vec::new());
    }
    let setup = Setup {
        call_deadline: suite.call_deadline,
        staleness: suite.staleness,
        state: PathBuf::new(),
        secrets: BTreeMap::new(),
    };
    let failed = |fault: String| (CaseReport::judged(row.case, 1, vec![fault]), Vec::new());
    let (start, limit) = (Arc::clone(&suite.start), suite.case_limit);
    let (send, receive) = sync_channel(1);
    let play = move || {
        // Nobody listens any more if it took too long.
        send.send(play(row, start, setup, limit)).unwrap_or_default();
    };
    let thread = std::thread::Builder::new().name(row.case.id.to_owned()).spawn(play);
    if let Err(error) = thread {
        return failed(format!("no thread for the case: {error}"));
    }
    match receive.recv_timeout(limit + GRACE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => failed(format!(
            "its thread was held for more than {} s; await in place of blocking",
            limit.as_secs()
        )),
        Err(RecvTimeoutError::Disconnected) => failed("its thread ended with a panic".to_owned()),
    }
}

fn play(row: &'static Row, start: Arc<Start>, setup: Setup, limit: Duration) -> Played {
    let failed = |fault: String| (CaseReport::judged(row.case, 1, vec![fault]), Vec::new());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(format!("no runtime for the case: {error}")),
    };
    let entered = runtime.enter();
    let mut stage = match catch_unwind(AssertUnwindSafe(|| Stage::new(row.case.id, start, setup))) {
        Ok(Ok(stage)) => stage,
        Ok(Err(error)) => return failed(error.to_string()),
        Err(panic) => return failed(format!("the double panicked: {}", words(panic.as_ref()))),
    };
    let listener = Listener(stage.heard.clone());
    let end = tracing::subscriber::with_default(listener, || {
        catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { tokio::time::timeout(limit, (row.run)(&mut stage)).await })
        }))
    });
    let end = match end {
        Ok(Ok(end)) => end,
        Ok(Err(_)) => Err(Stop::Fault(format!("it did not end within {} s", limit.as_secs()))),
        Err(panic) => {
            let panic = words(panic.as_ref());
            stage.heard.hear(format_args!("{panic}"));
            Err(Stop::Fault(format!("it panicked: {panic}")))
        }
    };
    let result = judge(row, &mut stage, end);
    drop(stage);
    drop(entered);
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

fn judge(row: &Row, stage: &mut Stage, end: Step) -> Played {
    let skip = match end {
        Ok(()) => None,
        Err(Stop::Skip(reason)) => Some(reason),
        Err(Stop::Fault(fault)) => {
            stage.faults.push(fault);
            None
        }
    };
    let leaks = stage.heard.leaks(&stage.canaries);
    let faults = std::mem::take(&mut stage.faults);
    let partly = std::mem::take(&mut stage.partly);
    let report = match skip {
        Some(reason) if faults.is_empty() => CaseReport::skipped(row.case, reason),
        None if faults.is_empty() && stage.questions == 0 => {
            let reason =
                if partly.is_empty() { "nothing could be tried".to_owned() } else { partly.join("; ") };
            CaseReport::skipped(row.case, reason)
        }
        _ => CaseReport::judged(row.case, stage.questions.max(1), faults)
            .with_notes(partly.into_iter().map(|reason| format!("not tried in part: {reason}"))),
    };
    (report, leaks)
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}
