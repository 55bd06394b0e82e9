//! From a TOML file to a checked configuration.

use super::{
    AlertsSection, Environment, JournalSection, KEYS, LiveMode, LiveSection, LogSection, MetricsSection,
    RunConfig,
};
use crate::error::{CliError, ExitKind};
use crate::files;
use mts_foundation::{InstrumentTable, num};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Kinds of feeds that read no file: they cannot be had a second time.
const REAL_TIME: &[&str] = &["crypto", "okx_funding", "alpaca", "polygon", "ibkr"];

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: RunConfig,
    /// Folder that relative paths are taken from.
    pub folder: PathBuf,
    /// The file's name without its ending.
    pub stem: String,
    /// Output folder named in the file.
    pub output_dir: Option<PathBuf>,
    /// Whether a report is wanted.
    pub report: bool,
    /// Whom the run tells what.
    pub alerts: AlertsSection,
    /// What is logged where.
    pub log: LogSection,
    /// Where metrics are served.
    pub metrics: MetricsSection,
    /// How the journal is kept.
    pub journal: JournalSection,
}

/// Section `[output]`.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub(super) struct Output {
    dir: Option<PathBuf>,
    report: Option<bool>,
}

/// Reads and checks a configuration file. All unknown keys and all limits out of range are reported at once.
///
/// # Errors
/// [`CliError`] of kind `Config` with a message per fault.
pub fn load(path: &Path) -> Result<Loaded, CliError> {
    parse(&files::read(path, "configuration", ExitKind::Config)?, path)
}

/// Checks the text of a configuration file; `path` is what faults name, and gives the run its name. No file is opened.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, path: &Path) -> Result<Loaded, CliError> {
    let fault = |message: String| CliError::new(ExitKind::Config, format!("{}: {message}", path.display()));
    let table: toml::Table = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
    let Value::Object(mut sections) = json(toml::Value::Table(table)) else {
        return Err(fault("it is no table".to_owned()));
    };
    let unknown = unknown_keys(&sections);
    if !unknown.is_empty() {
        return Err(fault(unknown.join("\n  ")));
    }
    let stem = path.file_stem().map_or_else(|| "run".to_owned(), |stem| stem.to_string_lossy().into_owned());
    // These do not change what a run does, so that they are no part of what its journal belongs to.
    let output: Output = beside(&mut sections, "output").map_err(fault)?;
    let alerts: AlertsSection = beside(&mut sections, "alerts").map_err(fault)?;
    let log: LogSection = beside(&mut sections, "log").map_err(fault)?;
    let metrics: MetricsSection = beside(&mut sections, "metrics").map_err(fault)?;
    let journal: JournalSection = beside(&mut sections, "journal").map_err(fault)?;
    let faults = [alerts.check(), log.check()].concat();
    if !faults.is_empty() {
        return Err(fault(faults.join("\n  ")));
    }
    let config = assemble(sections, &stem).map_err(|faults| fault(faults.join("\n  ")))?;
    let faults = journal.check(config.live.as_ref().is_some_and(LiveSection::is_real_time));
    if !faults.is_empty() {
        return Err(fault(faults.join("\n  ")));
    }
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    Ok(Loaded {
        config,
        folder,
        stem,
        output_dir: output.dir,
        report: output.report.unwrap_or(true),
        alerts,
        log,
        metrics,
        journal,
    })
}

/// A section beside the run's configuration.
fn beside<T: DeserializeOwned + Default>(sections: &mut Map<String, Value>, name: &str) -> Result<T, String> {
    sections.remove(name).map_or_else(|| Ok(T::default()), |section| typed(name, section))
}

/// TOML to JSON; dates become text.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .map_or_else(|| Value::String(number.to_string()), Value::Number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(list) => Value::Array(list.into_iter().map(json).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect())
        }
    }
}

fn unknown_keys(sections: &Map<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (section, content) in sections {
        let keys: Vec<_> = KEYS.iter().filter(|key| key.section == section).map(|key| key.name).collect();
        if keys.is_empty() {
            let mut names: Vec<_> = KEYS.iter().map(|key| key.section).collect();
            names.dedup();
            faults.push(format!("unknown section [{section}]; {}", suggestion(section, &names)));
            continue;
        }
        let Value::Object(content) = content else {
            faults.push(format!("{section} must be a section: write [{section}] on a line of its own"));
            continue;
        };
        for name in content.keys().filter(|name| !keys.contains(&name.as_str())) {
            faults.push(format!("unknown key {section}.{name}; {}", suggestion(name, &keys)));
        }
    }
    faults
}

/// The nearest known name, or all of them.
fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(candidate) => format!("did you mean {candidate}?"),
        None => format!("use one of {}", known.join(", ")),
    }
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.len() / 3).max(2)).then_some(candidate)
}

fn typed<T: DeserializeOwned>(section: &str, value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        // Faults of the section as a whole, such as a missing key, have no path within it.
        match error.path().to_string().as_str() {
            "." => format!("[{section}]: {}", error.inner()),
            key => format!("{section}.{key}: {}", error.inner()),
        }
    })
}

fn assemble(mut sections: Map<String, Value>, stem: &str) -> Result<RunConfig, Vec<String>> {
    let mut faults: Vec<String> = Vec::new();
    let mut take = |name: &str, required: bool| match sections.remove(name) {
        Some(section) => section,
        None => {
            if required {
                faults.push(format!("section [{name}] is missing; see docs/configuration.md"));
            }
            Value::Object(Map::new())
        }
    };
    let mut run = take("run", true);
    let (fund, mut envelope, gates) = (take("fund", true), take("envelope", true), take("gates", false));
    let (operator, instruments, data) =
        (take("operator", false), take("instruments", true), take("data", true));
    let (strategy, broker) = (take("strategy", true), take("broker", true));
    let sizer = sections.remove("sizer");
    let live = sections.remove("live");
    if !faults.is_empty() {
        return Err(faults);
    }
    if let Value::Object(run) = &mut run {
        run.entry("name").or_insert_with(|| Value::String(stem.to_owned()));
    }
    // Ids and times of the envelope follow from the fund and the run.
    if let (Value::Object(envelope), Value::Object(fund), Value::Object(run)) = (&mut envelope, &fund, &run) {
        let fund_id = fund.get("fund_id").and_then(Value::as_str).unwrap_or("fund");
        let start = run.get("start").and_then(Value::as_str).unwrap_or("1970-01-01");
        envelope.insert("envelope_id".to_owned(), Value::String(format!("{fund_id}-envelope")));
        envelope.insert("fund_id".to_owned(), Value::String(fund_id.to_owned()));
        envelope.insert("nav_usd".to_owned(), fund.get("initial_cash").cloned().unwrap_or(Value::Null));
        envelope.insert("created_at".to_owned(), Value::String(format!("{start}T00:00:00Z")));
    }
    let mut note = |fault: String| faults.push(fault);
    let run = typed("run", run).map_err(&mut note).ok();
    let fund = typed("fund", fund).map_err(&mut note).ok();
    // A fund that cannot be read makes every envelope unreadable; one message is enough.
    let envelope = if fund.is_some() && run.is_some() {
        typed("envelope", envelope).map_err(&mut note).ok()
    } else {
        None
    };
    let gates = typed("gates", gates).map_err(&mut note).ok();
    let operator = typed("operator", operator).map_err(&mut note).ok();
    let instruments = typed("instruments", instruments).map_err(&mut note).ok();
    let data = typed("data", data).map_err(&mut note).ok();
    let strategy = typed("strategy", strategy).map_err(&mut note).ok();
    let sizer = sizer.map(|sizer| typed("sizer", sizer)).transpose().map_err(&mut note).ok();
    let broker = typed("broker", broker).map_err(&mut note).ok();
    let live = live.map(|live| typed::<LiveSection>("live", live)).transpose().map_err(&mut note).ok();
    match (run, fund, envelope, gates, operator, instruments, data, strategy, sizer, broker, live) {
        (
            Some(run),
            Some(fund),
            Some(envelope),
            Some(gates),
            Some(operator),
            Some(instruments),
            Some(data),
            Some(strategy),
            Some(sizer),
            Some(broker),
            Some(live),
        ) => {
            let config = RunConfig {
                run,
                fund,
                envelope,
                gates,
                operator,
                instruments,
                data,
                strategy,
                sizer,
                broker,
                live,
            };
            let faults = check(&config);
            if faults.is_empty() { Ok(config) } else { Err(faults) }
        }
        _ => Err(faults),
    }
}

/// What the types cannot say.
fn check(config: &RunConfig) -> Vec<String> {
    let mut faults = Vec::new();
    if config.run.end < config.run.start {
        faults.push(format!(
            "run.end {} lies before run.start {}; swap them",
            config.run.end, config.run.start
        ));
    }
    if config.fund.initial_cash <= num::Decimal::ZERO {
        faults.push(format!("fund.initial_cash is {}; it must be above zero", config.fund.initial_cash));
    }
    if let Err(found) = config.envelope.validate() {
        faults.extend(found.0.iter().map(|fault| format!("envelope.{fault}")));
    }
    if let Err(found) = config.gates.validate() {
        faults.extend(found.iter().map(|fault| format!("gates.{fault}")));
    }
    // The instruments are read later; no fault depends on them.
    let none = num::Decimal::ZERO;
    if let Err(found) = config.broker.paper(&InstrumentTable::new(), none, config.fund.base_currency) {
        faults.extend(found);
    }
    if let Some(live) = &config.live {
        if live.mode == LiveMode::Live && live.environment != Environment::Live {
            faults.push(
                "live.mode is live and live.environment is not: money is at stake; set live.environment = \"live\", and say \
                 --live on the command line"
                    .to_owned(),
            );
        }
        for (key, value) in [
            ("call_deadline_ms", live.call_deadline_ms),
            ("gate_deadline_ms", live.gate_deadline_ms),
            ("feed_silence_s", live.feed_silence_s),
            ("strategy_deadline_ms", live.strategy_deadline_ms),
        ] {
            if value == 0 {
                faults.push(format!("live.{key} is 0; give a time above zero"));
            }
        }
    }
    if config.broker.participation.is_some() && config.data.kind == "closes" {
        faults.push(
            "broker.participation is a share of the volume, and data.kind \"closes\" has none; remove it"
                .to_owned(),
        );
    }
    let data = &config.data;
    if ["closes", "ticks", "walk", "minutes", "store", "databento"].contains(&data.kind.as_str())
        && data.path.as_os_str().is_empty()
    {
        faults.push(format!("data.path is missing: data.kind {:?} reads a file; name it", data.kind));
    }
    if REAL_TIME.contains(&data.kind.as_str()) && !config.live.as_ref().is_some_and(LiveSection::is_real_time)
    {
        faults.push(format!(
            "data.kind {:?} comes in real time; set live.mode to paper, shadow or live, or read a file",
            data.kind
        ));
    }
    if !config.envelope.allowed_brokers.contains(&config.broker.name) {
        faults.push(format!(
            "envelope.allowed_brokers does not list {:?}, so that every order would be refused; add it",
            config.broker.name.as_str()
        ));
    }
    faults
}
