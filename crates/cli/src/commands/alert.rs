//! `mts alert test`.

use super::print::{say, say_json, table};
use crate::alerts::{Alert, Severity, deliver, hook_of};
use crate::config::load;
use crate::error::{CliError, ExitKind};
use clap::ValueEnum;
use serde_json::json;
use std::path::Path;

/// Sends one alert of every severity that has a hook, or of one, and fails where a hook does.
pub(crate) fn test_alerts(config: &Path, only: Option<Severity>, json: bool) -> Result<(), CliError> {
    let loaded = load(config)?;
    let name = &loaded.config.run.name;
    let mut outcomes = Vec::new();
    for severity in Severity::value_variants().iter().copied() {
        if only.is_some_and(|only| only != severity) {
            continue;
        }
        let Some(hook) = hook_of(&loaded.alerts, severity) else { continue };
        let message = "a test of this hook by mts alert test; nothing has happened".to_owned();
        let alert = Alert::new(severity, "test", name.clone(), message, name);
        outcomes.push((severity, deliver(hook, &alert).err()));
    }
    if outcomes.is_empty() {
        let message = format!(
            "{}: [alerts] has no such hook; add one, such as info = {{ command = [\"program\"] }}",
            config.display()
        );
        return Err(CliError::new(ExitKind::Config, message));
    }
    let rows: Vec<_> = outcomes
        .iter()
        .map(|(severity, fault)| json!({ "severity": severity, "sent": fault.is_none(), "fault": fault }))
        .collect();
    if json {
        say_json(&json!({ "alerts": rows }))?;
    } else {
        let rows = outcomes
            .iter()
            .map(|(severity, fault)| {
                let name = severity
                    .to_possible_value()
                    .map_or_else(String::new, |value| value.get_name().to_owned());
                vec![name, fault.clone().unwrap_or_else(|| "sent".to_owned())]
            })
            .collect();
        say(&table(&["severity", "outcome"], rows, &[]));
    }
    match outcomes.iter().filter(|(_, fault)| fault.is_some()).count() {
        0 => Ok(()),
        failed => {
            let message = format!("{failed} alerts were not delivered; mend their hooks in [alerts]");
            Err(CliError::new(ExitKind::Refused, message))
        }
    }
}
