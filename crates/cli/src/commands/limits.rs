//! `mts limits`: the envelope of a run, its versions, and a new one.

use super::carry_out::carry_out;
use super::print::{say, say_json, table};
use crate::app::App;
use crate::args::operator::{LimitsArgs, LimitsCommand, UpdateArgs};
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::operations::Operation;
use crate::standing::Standing;
use mts_engine::OperatorAct;
use mts_foundation::event::Event;
use mts_foundation::{GateLimits, RiskEnvelope};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Limits<'a> {
    envelope: &'a RiskEnvelope,
    gates: &'a GateLimits,
    /// Every later version, with who put it in force and why.
    updates: Vec<&'a Operation>,
}

/// Shows the limits, or changes them.
pub(crate) fn limits(app: &App, args: &LimitsArgs) -> Result<(), CliError> {
    match (&args.command, &args.out) {
        (Some(LimitsCommand::Update(args)), _) => update(app, args),
        (Some(LimitsCommand::Show(args)), _) => show(app, &args.out, args.json),
        (None, Some(folder)) => show(app, folder, args.json),
        (None, None) => Err(CliError::new(ExitKind::Usage, "name the folder of a run with --out")),
    }
}

fn show(app: &App, folder: &Path, json: bool) -> Result<(), CliError> {
    let standing = Standing::of_run(app, folder)?;
    let limits = Limits {
        envelope: envelope(&standing.core, &standing.config)?,
        gates: &standing.config.gates,
        updates: standing
            .operations
            .iter()
            .filter(|operation| matches!(operation.event, Event::EnvelopeUpdated(_)))
            .collect(),
    };
    if json {
        return say_json(&limits);
    }
    say(&format!("{}\n", standing.of));
    let mut rows = fields(limits.envelope)?;
    // What is off is left out, as in the configuration.
    rows.extend(fields(limits.gates)?.into_iter().filter(|(_, value)| value != "null" && value != "[]"));
    say(&table(&["limit", "value"], rows.into_iter().map(|(name, value)| vec![name, value]).collect(), &[]));
    for update in limits.updates {
        say(&format!("{}: {}, by {}: {}", update.time, update.what(), update.who(), update.reason));
    }
    Ok(())
}

fn update(app: &App, args: &UpdateArgs) -> Result<(), CliError> {
    let new = read(&args.file)?;
    let standing = Standing::of_run(app, &args.act.out)?;
    let old = envelope(&standing.core, &standing.config)?.clone();
    let reason = args.reason.clone().unwrap_or_else(|| new.notes.to_string());
    let changes: Vec<_> = fields(&old)?
        .into_iter()
        .zip(fields(&new)?)
        .filter(|((_, old), (_, new))| old != new)
        .map(|((name, old), (_, new))| vec![name, old, new])
        .collect();
    let act = |_| OperatorAct::UpdateEnvelope {
        envelope: Box::new(new.clone()),
        actor: args.actor.clone(),
        reason: reason.clone(),
    };
    let done = carry_out(app, &args.act.out, act)?;
    if !args.act.json {
        say(&format!("{}\n", table(&["limit", "until now", "from now on"], changes, &[])));
    }
    done.tell(&args.act.out, args.act.json)
}

/// The envelope in force.
pub(super) fn envelope<'a>(
    core: &'a mts_engine::Core,
    config: &crate::config::RunConfig,
) -> Result<&'a RiskEnvelope, CliError> {
    let fund_id = &config.fund.fund_id;
    core.risk().envelope(fund_id).ok_or_else(|| {
        let message = format!("fund {fund_id} has no envelope; its limits are those of its configuration");
        CliError::new(ExitKind::Refused, message)
    })
}

/// Reads an envelope. An unknown field is refused: a misspelt limit would silently have its default.
fn read(path: &Path) -> Result<RiskEnvelope, CliError> {
    let fault = |message: String| {
        let message = format!("{}: {message}; see mts schema RiskEnvelope", path.display());
        CliError::new(ExitKind::Config, message)
    };
    let value: Value = serde_json::from_str(&files::read(path, "envelope", ExitKind::Config)?)
        .map_err(|error| fault(error.to_string()))?;
    let envelope: RiskEnvelope =
        serde_path_to_error::deserialize(&value).map_err(|error| fault(error.to_string()))?;
    let known = serde_json::to_value(&envelope).or_exit(ExitKind::Internal)?;
    let unknown = value.as_object().into_iter().flatten().find(|(name, _)| known.get(name).is_none());
    match unknown {
        Some((name, _)) => Err(fault(format!("unknown field {name}"))),
        None => Ok(envelope),
    }
}

/// Every field with its value as JSON text, in the order of their names.
fn fields(value: &impl Serialize) -> Result<Vec<(String, String)>, CliError> {
    match serde_json::to_value(value).or_exit(ExitKind::Internal)? {
        Value::Object(fields) => Ok(fields
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                value => (name, value.to_string()),
            })
            .collect()),
        _ => Ok(Vec::new()),
    }
}
