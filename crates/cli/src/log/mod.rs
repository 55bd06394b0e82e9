//! The log of a run: to the error stream where it is asked for, and to a file of bounded size. The core does not log;
//! its journal says everything (decision H1).

mod rotate;

use crate::config::LogSection;
use crate::error::{CliError, ExitKind};
use mts_foundation::event::Event;
use rotate::RotatingFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// What is logged: this and all that is graver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// A run that fails.
    Error,
    /// Halts, incidents, alerts that were not delivered.
    Warn,
    /// Beginning and end of a run.
    #[default]
    Info,
    /// Alerts that were delivered.
    Debug,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts the log. A program around this one that has its own subscriber keeps it.
///
/// # Errors
/// [`CliError`] when the file cannot be opened.
pub(crate) fn start(section: &LogSection, level: LogLevel, format: LogFormat) -> Result<(), CliError> {
    let file = section.file.as_deref().map(|path| {
        RotatingFile::open(path, section.max_bytes, section.keep).map_err(|error| {
            let message = format!("log.file {} cannot be opened: {error}; name another file", path.display());
            CliError::new(ExitKind::Output, message)
        })
    });
    let file = file.transpose()?.map(|file| layer(Mutex::new(file), section.level, section.format));
    let terminal = layer(std::io::stderr, level, format);
    let both = Registry::default().with(file.into_iter().chain([terminal]).collect::<Vec<_>>());
    tracing::subscriber::set_global_default(both).unwrap_or_default();
    Ok(())
}

fn layer<S, W>(writer: W, level: LogLevel, format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_target(false);
    match format {
        LogFormat::Human => layer.with_filter(LevelFilter::from(level)).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(LevelFilter::from(level)).boxed(),
    }
}

/// Logs the events that a person may have to act upon.
pub(crate) fn event(event: &Event) {
    match event {
        Event::Incident { code, message, time, .. } => {
            tracing::warn!(code = code.as_str(), %time, detail = message.as_str(), "incident");
        }
        Event::HaltRequested(halt) => {
            tracing::warn!(scope = %halt.scope, time = %halt.timestamp, reason = halt.reason.as_str(), "halt");
        }
        Event::Killed { reason, time } => {
            tracing::warn!(%time, reason = reason.as_str(), "kill switch");
        }
        _ => {}
    }
}
