//! Section `[alerts]`: whom a run tells what. It is no part of [`RunConfig`](super::RunConfig): another hook makes no
//! other run.

use mts_foundation::secret::SecretRef;
use serde::{Deserialize, Serialize};

/// Section `[alerts]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct AlertsSection {
    /// Told of the end of a run.
    pub info: Option<HookSection>,
    /// Told of incidents.
    pub warning: Option<HookSection>,
    /// Told of halts, the kill switch and failures.
    pub critical: Option<HookSection>,
    /// Alerts that may wait for their hook.
    #[schemars(range(min = 1, max = 65_536))]
    pub queue: usize,
    /// Time in which the same kind and subject is sent once, in milliseconds.
    pub repeat_ms: u64,
}

impl Default for AlertsSection {
    fn default() -> Self {
        Self { info: None, warning: None, critical: None, queue: 256, repeat_ms: 60_000 }
    }
}

/// What an alert is handed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookSection {
    /// A program and its arguments; the alert comes as one line of JSON on its standard input. No shell reads them.
    #[serde(default)]
    pub command: Vec<String>,
    /// Where the secret is that holds a web address: `env:NAME`, `file:/path`, `cred:NAME` or
    /// `vault:path#field`. The alert is posted there as JSON. Either this or a command.
    #[serde(default)]
    pub webhook: Option<String>,
    /// Time after which the hook is given up, and a program killed with what it started, in milliseconds.
    #[serde(default = "ten_seconds")]
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout_ms: u64,
}

const fn ten_seconds() -> u64 {
    10_000
}

impl AlertsSection {
    /// The hooks that are there, by the name of their severity.
    pub(crate) fn hooks(&self) -> impl Iterator<Item = (&'static str, &HookSection)> {
        [("info", &self.info), ("warning", &self.warning), ("critical", &self.critical)]
            .into_iter()
            .filter_map(|(name, hook)| Some((name, hook.as_ref()?)))
    }

    /// What the types cannot say.
    pub(super) fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !(1..=65_536).contains(&self.queue) {
            faults.push(format!("alerts.queue is {}; it must be 1 to 65536", self.queue));
        }
        for (name, hook) in self.hooks() {
            match &hook.webhook {
                None if hook.command.first().is_none_or(String::is_empty) => faults.push(format!(
                    "alerts.{name}.command names no program; write [\"program\", \"argument\"], or name a webhook"
                )),
                None => {}
                Some(_) if !hook.command.is_empty() => {
                    faults.push(format!("alerts.{name} has a command and a webhook; keep one of them"));
                }
                // The text may be the address itself, which is a secret: it is not repeated.
                Some(secret) if secret.parse::<SecretRef>().is_err() => faults.push(format!(
                    "alerts.{name}.webhook must say where the address is: write env:NAME, file:/path, cred:NAME or \
                     vault:path#field"
                )),
                Some(_) if !cfg!(feature = "webhook") => faults.push(format!(
                    "alerts.{name}.webhook needs an mts that was built with --features webhook; build it so, or use a command"
                )),
                Some(_) => {}
            }
            if !(1..=600_000).contains(&hook.timeout_ms) {
                faults
                    .push(format!("alerts.{name}.timeout_ms is {}; it must be 1 to 600000", hook.timeout_ms));
            }
        }
        faults
    }
}
