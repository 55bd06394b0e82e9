//! What the venue saw and did, one JSON object a line: the truth that an engine's books are compared with.

use crate::error::{CliError, ExitKind};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::num::exact;
use mts_foundation::{Decimal, IdempotencyKey, Order, Timestamp};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    #[serde(flatten)]
    entry: Entry<'a>,
}

/// What happened. `client` is who the connection said it is.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry<'a> {
    /// The venue begins.
    Opened {
        #[serde(with = "exact")]
        cash: Decimal,
    },
    /// An order came; what it was told.
    Order { client: &'a str, order: &'a Order, outcome: &'a SubmitOutcome },
    /// A cancellation was asked for; what it was told.
    Cancel { client: &'a str, key: &'a IdempotencyKey, outcome: &'a CancelOutcome },
    /// An execution, or the change of an order.
    Event(&'a BrokerEvent),
}

/// The file, where one is wanted. It is written without syncs: it outlives the engine, not the machine.
pub(super) struct Log(Option<File>);

impl Log {
    /// Opens the file, behind what stands in it.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
            let message =
                format!("{} cannot be written: {error}; name another file with --log", path.display());
            CliError::new(ExitKind::Output, message)
        })?;
        Ok(Self(Some(file)))
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When it cannot: a venue whose log has a hole proves nothing.
    pub(super) fn write(&mut self, time: Timestamp, entry: Entry<'_>) -> Result<(), CliError> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| {
            CliError::new(ExitKind::Output, format!("the log cannot be written: {error}; the venue ends"))
        };
        let mut line = serde_json::to_vec(&Line { time, entry }).map_err(|error| failed(&error))?;
        line.push(b'\n');
        file.write_all(&line).map_err(|error| failed(&error))
    }
}
