//! Telling people: a run hands its alerts to one thread, which hands them to hooks. The run never waits for either.

mod hook;
mod message;
#[cfg(feature = "webhook")]
mod webhook;

use crate::config::{AlertsSection, HookSection};
use crate::error::{CliError, ExitKind};
use hook::Outcome;
pub(crate) use hook::executable;
pub(crate) use message::{Alert, Severity};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Kinds and subjects whose last alert is remembered; beyond it the oldest is forgotten and may be told again.
const REMEMBERED: usize = 1024;

/// What became of the alerts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AlertCounts {
    /// Handed to a hook that ended well.
    pub(crate) sent: u64,
    /// Handed to a hook that failed or took too long.
    pub(crate) failed: u64,
    /// Lost because the queue was full, or the run had ended.
    pub(crate) dropped: u64,
    /// Held back because the same had just been told.
    pub(crate) suppressed: u64,
}

/// Counts that both threads write.
#[derive(Debug, Default)]
struct Shared {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    /// The run has ended and its patience too: hooks are killed.
    stop: AtomicBool,
}

/// The last alert of a kind and subject.
#[derive(Debug)]
struct Told {
    at: Instant,
    suppressed: u64,
}

/// The sending side.
#[derive(Debug)]
pub(crate) struct Alerts {
    section: AlertsSection,
    sender: SyncSender<Alert>,
    done: Receiver<()>,
    worker: JoinHandle<()>,
    shared: Arc<Shared>,
    told: BTreeMap<(&'static str, String), Told>,
    suppressed: u64,
}

impl Alerts {
    /// Starts the thread; `None` where no hook is configured.
    ///
    /// # Errors
    /// [`CliError`] when the system gives no thread.
    pub(crate) fn start(section: &AlertsSection) -> Result<Option<Self>, CliError> {
        if section.hooks().next().is_none() {
            return Ok(None);
        }
        let (sender, receiver) = sync_channel(section.queue);
        let (finished, done) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let (hooks, counts) = (section.clone(), Arc::clone(&shared));
        let worker = std::thread::Builder::new()
            .name("alerts".to_owned())
            .spawn(move || {
                work(&hooks, &receiver, &counts);
                // Nobody waits any more when the run has been given up.
                finished.try_send(()).unwrap_or_default();
            })
            .map_err(|error| {
                let message = format!("no thread for alerts: {error}; free some, or remove [alerts]");
                CliError::new(ExitKind::Internal, message)
            })?;
        let (told, suppressed) = (BTreeMap::new(), 0);
        Ok(Some(Self { section: section.clone(), sender, done, worker, shared, told, suppressed }))
    }

    /// Hands an alert over, if somebody wants its severity and the same has not just been told. Never blocks.
    #[expect(
        clippy::disallowed_methods,
        reason = "people are told at wall time; nothing in the run depends on it"
    )]
    pub(crate) fn send(&mut self, alert: Alert) {
        self.send_at(alert, Instant::now());
    }

    fn send_at(&mut self, mut alert: Alert, now: Instant) {
        if hook_of(&self.section, alert.severity).is_none() {
            return;
        }
        let repeat = Duration::from_millis(self.section.repeat_ms);
        let key = (alert.kind, alert.subject.clone());
        if let Some(told) = self.told.get_mut(&key) {
            if now.saturating_duration_since(told.at) < repeat {
                told.suppressed = told.suppressed.saturating_add(1);
                self.suppressed = self.suppressed.saturating_add(1);
                return;
            }
            alert.suppressed = told.suppressed;
        } else if self.told.len() >= REMEMBERED
            && let Some(oldest) = self.told.iter().min_by_key(|(_, told)| told.at).map(|(key, _)| key.clone())
        {
            self.told.remove(&oldest);
        }
        self.told.insert(key, Told { at: now, suppressed: 0 });
        if self.sender.try_send(alert).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets the hooks finish, at most for the longest of their time-outs, and says what became of the alerts.
    pub(crate) fn finish(self) -> AlertCounts {
        let Self { section, sender, done, worker, shared, suppressed, .. } = self;
        drop(sender);
        let patience = section.hooks().map(|(_, hook)| hook.timeout_ms).max().unwrap_or(0);
        if done.recv_timeout(Duration::from_millis(patience)) == Err(RecvTimeoutError::Timeout) {
            shared.stop.store(true, Ordering::Relaxed);
        }
        // A hook that is killed ends at once. A worker that panicked has no more to say.
        worker.join().unwrap_or_default();
        AlertCounts {
            sent: shared.sent.load(Ordering::Relaxed),
            failed: shared.failed.load(Ordering::Relaxed),
            dropped: shared.dropped.load(Ordering::Relaxed),
            suppressed,
        }
    }
}

/// Who wants alerts of a severity.
pub(crate) fn hook_of(section: &AlertsSection, severity: Severity) -> Option<&HookSection> {
    match severity {
        Severity::Info => section.info.as_ref(),
        Severity::Warning => section.warning.as_ref(),
        Severity::Critical => section.critical.as_ref(),
    }
}

/// Hands one alert to a hook and waits for it.
///
/// # Errors
/// What went wrong, for people.
pub(crate) fn deliver(hook: &HookSection, alert: &Alert) -> Result<(), String> {
    match hook::hand_over(hook, alert, &AtomicBool::new(false)) {
        Outcome::Sent => Ok(()),
        Outcome::Failed(why) => Err(why),
        Outcome::Stopped => Err("it was stopped".to_owned()),
    }
}

/// The worker: one alert after the other until the run has ended and the queue is empty.
fn work(section: &AlertsSection, alerts: &Receiver<Alert>, shared: &Shared) {
    for alert in alerts {
        let Some(hook) = hook_of(section, alert.severity) else { continue };
        let outcome = if shared.stop.load(Ordering::Relaxed) {
            Outcome::Stopped
        } else {
            hook::hand_over(hook, &alert, &shared.stop)
        };
        let (severity, kind) = (alert.severity, alert.kind);
        match &outcome {
            Outcome::Sent => tracing::debug!(?severity, kind, "alert sent"),
            Outcome::Failed(why) => tracing::warn!(?severity, kind, why = why.as_str(), "alert failed"),
            Outcome::Stopped => tracing::warn!(?severity, kind, "alert dropped"),
        }
        let count = match outcome {
            Outcome::Sent => &shared.sent,
            Outcome::Failed(_) => &shared.failed,
            Outcome::Stopped => &shared.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests measure how long hooks hold a run up")]
mod tests {
    use super::*;

    fn section(command: &[&str], queue: usize) -> AlertsSection {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let hook = HookSection { command, webhook: None, timeout_ms: 300 };
        AlertsSection { warning: Some(hook), queue, ..AlertsSection::default() }
    }

    fn alert(severity: Severity, subject: usize) -> Alert {
        Alert::new(severity, "incident", subject.to_string(), "a message".to_owned(), "a run")
    }

    #[test]
    fn without_a_hook_nothing_is_started() {
        assert!(Alerts::start(&AlertsSection::default()).unwrap().is_none());
    }

    #[test]
    fn a_severity_without_a_hook_is_not_counted() {
        let mut alerts = Alerts::start(&section(&["true"], 4)).unwrap().unwrap();
        alerts.send(alert(Severity::Critical, 1));
        assert_eq!(alerts.finish(), AlertCounts::default());
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_never_blocks() {
        let mut alerts = Alerts::start(&section(&["sleep", "60"], 2)).unwrap().unwrap();
        let began = Instant::now();
        (0..50).for_each(|subject| alerts.send(alert(Severity::Warning, subject)));
        assert!(began.elapsed() < Duration::from_millis(250), "sending has waited");
        let counts = alerts.finish();
        assert_eq!((counts.sent, counts.suppressed), (0, 0));
        assert_eq!(counts.failed + counts.dropped, 50);
        assert!(counts.dropped >= 47, "{counts:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "the end waits no longer than the time-out");
    }

    #[test]
    fn repeats_are_suppressed_and_the_next_says_how_many() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("cat >> {}", file.path().display());
        let mut alerts = Alerts::start(&section(&["sh", "-c", &script], 16)).unwrap().unwrap();
        let began = Instant::now();
        for (subject, second) in [(1, 0), (1, 1), (2, 2), (1, 59), (1, 60), (1, 61)] {
            alerts.send_at(alert(Severity::Warning, subject), began + Duration::from_secs(second));
        }
        let counts = alerts.finish();
        assert_eq!(counts, AlertCounts { sent: 3, suppressed: 3, ..AlertCounts::default() });
        let told = std::fs::read_to_string(file.path()).unwrap();
        let told: Vec<serde_json::Value> =
            told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let seen: Vec<_> = told
            .iter()
            .map(|alert| (alert["subject"].as_str().unwrap(), alert["suppressed"].as_u64().unwrap()))
            .collect();
        assert_eq!(seen, [("1", 0), ("2", 0), ("1", 2)]);
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut alerts = Alerts::start(&section(&["true"], 1)).unwrap().unwrap();
        (0..REMEMBERED + 100).for_each(|subject| alerts.send(alert(Severity::Warning, subject)));
        assert_eq!(alerts.told.len(), REMEMBERED);
        alerts.finish();
    }
}
