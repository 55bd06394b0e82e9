//! Hooks. A program: the alert on its standard input, a time-out, and nothing left behind after it.

use super::Alert;
use crate::config::HookSection;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// How a delivery went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The program ended with 0.
    Sent,
    /// It did not; why, for people.
    Failed(String),
    /// It was killed because the run is over.
    Stopped,
}

/// Hands an alert to its hook.
pub(super) fn hand_over(hook: &HookSection, alert: &Alert, stop: &AtomicBool) -> Outcome {
    match &hook.webhook {
        #[cfg(feature = "webhook")]
        Some(secret) => super::webhook::post(secret, hook.timeout_ms, alert, stop),
        #[cfg(not(feature = "webhook"))]
        Some(_) => Outcome::Failed(
            "this mts was built without webhooks; build it with --features webhook".to_owned(),
        ),
        None => command(hook, alert, stop),
    }
}

/// Runs the program with one line of JSON. At the time-out it is killed with everything it has started.
#[expect(
    clippy::disallowed_methods,
    reason = "programs outside take wall time; nothing in the run depends on it"
)]
fn command(hook: &HookSection, alert: &Alert, stop: &AtomicBool) -> Outcome {
    let Some((program, arguments)) = hook.command.split_first() else {
        return Outcome::Failed("the command names no program".to_owned());
    };
    let mut line = match serde_json::to_vec(alert) {
        Ok(line) => line,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    line.push(b'\n');
    let began = Instant::now();
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("{program} does not start: {error}; check its path")),
    };
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input is judged by its exit status.
        input.write_all(&line).unwrap_or_default();
    }
    let timeout = Duration::from_millis(hook.timeout_ms);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Outcome::Sent,
            Ok(Some(status)) => return Outcome::Failed(format!("{program} ended with {status}")),
            Ok(None) => {}
            Err(error) => {
                end(&mut child);
                return Outcome::Failed(format!("{program} cannot be waited for: {error}"));
            }
        }
        if began.elapsed() >= timeout {
            end(&mut child);
            return Outcome::Failed(format!(
                "{program} was killed after {} ms; make it quicker or raise timeout_ms",
                hook.timeout_ms
            ));
        }
        if stop.load(Ordering::Relaxed) {
            end(&mut child);
            return Outcome::Stopped;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Kills the whole group. The child has not been waited for, so that its number is still its own.
fn end(child: &mut Child) {
    // Both fail only when there is nobody left to kill.
    rustix::process::kill_process_group(
        rustix::process::Pid::from_child(child),
        rustix::process::Signal::KILL,
    )
    .unwrap_or_default();
    child.wait().map(|_| ()).unwrap_or_default();
}

/// Where the system finds a program, if it may be run.
pub(crate) fn executable(program: &str) -> Option<PathBuf> {
    let runs = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| runs(path));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| runs(path))
}
