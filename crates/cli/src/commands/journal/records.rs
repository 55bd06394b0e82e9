//! Records of a journal as lines: readable, or JSON.

use crate::commands::say_note;
use crate::error::CliError;
use crate::files;
use crate::run_folder::journal_error;
use mts_engine::record::{GENESIS, INPUT_V1, decode};
use mts_engine::replay::genesis;
use mts_engine::{Genesis, Input};
use mts_foundation::Timestamp;
use mts_foundation::journal::{JournalError, JournalRecord};
use mts_journal::JournalReader;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use std::ops::Range;

/// Longest readable line; JSON is never cut.
const WIDTH: usize = 200;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One readable line each, cut where it is too long.
    Line,
    /// One complete JSON object each.
    Json,
}

/// A record as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    sequence: u64,
    kind: u16,
    #[serde(flatten)]
    content: Content<'a>,
}

/// What a record holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'a> {
    Genesis(Genesis),
    Input(Input),
    #[serde(untagged)]
    Unknown {
        /// Why it cannot be read.
        error: String,
        /// The bytes, hexadecimal.
        payload: Hex<'a>,
    },
}

#[derive(Debug)]
struct Hex<'a>(&'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&files::hex(self.0))
    }
}

/// Writes the records of a range; false if nobody reads them any more.
pub(super) fn write(
    reader: &JournalReader,
    wanted: Range<u64>,
    format: Format,
    out: &mut dyn Write,
) -> Result<bool, CliError> {
    let mut closed = false;
    let mut done = wanted.is_empty();
    if done {
        return Ok(true);
    }
    let mut buffered = std::io::BufWriter::new(&mut *out);
    let end = wanted.end;
    let read = reader.replay_from(wanted.start, &mut |record| {
        let line = match format {
            Format::Json => json(&record),
            Format::Line => readable(&record),
        };
        closed = writeln!(buffered, "{line}").is_err();
        done = record.sequence.saturating_add(1) >= end;
        // Not a failure: the way to say that this is enough.
        if closed || done { Err(JournalError::Stopped) } else { Ok(()) }
    });
    closed |= buffered.flush().is_err();
    drop(buffered);
    match read {
        Err(JournalError::Removed { from, to, .. }) if !closed && !done => {
            say_note(&format!("records {from} to {to} were removed by retention"));
            write(reader, to.saturating_add(1)..end, format, out)
        }
        Err(error) if !closed && !done => Err(journal_error(error)),
        _ => Ok(!closed),
    }
}

fn content(record: &JournalRecord) -> Content<'_> {
    let read = match record.kind {
        GENESIS => genesis(record).map(Content::Genesis),
        kind => decode(record.sequence, kind, &record.payload).map(Content::Input),
    };
    read.unwrap_or_else(|error| Content::Unknown { error: error.to_string(), payload: Hex(&record.payload) })
}

fn json(record: &JournalRecord) -> String {
    let line = Line { sequence: record.sequence, kind: record.kind, content: content(record) };
    serde_json::to_string(&line).unwrap_or_else(|error| {
        // A value that JSON cannot say; the record is still told.
        let content = Content::Unknown { error: error.to_string(), payload: Hex(&record.payload) };
        let line = Line { sequence: record.sequence, kind: record.kind, content };
        serde_json::to_string(&line).unwrap_or_default()
    })
}

fn readable(record: &JournalRecord) -> String {
    let (time, what) = match content(record) {
        Content::Genesis(genesis) => (None, summary(&genesis)),
        Content::Input(input) => (Some(input.time()), told(&input)),
        Content::Unknown { error, payload } if record.kind == INPUT_V1 => {
            (None, format!("{} bytes that cannot be read: {error}", payload.0.len()))
        }
        Content::Unknown { payload, .. } => {
            let start = payload.0.get(..WIDTH).unwrap_or(payload.0);
            (None, format!("kind {}, {} bytes: {}", record.kind, payload.0.len(), files::hex(start)))
        }
    };
    let time = time.map(|time: Timestamp| format!("{time}  ")).unwrap_or_default();
    cut(format!("{:>8}  {time}{what}", record.sequence))
}

/// A genesis in a line; its instrument table and configuration are long.
fn summary(genesis: &Genesis) -> String {
    let files = genesis.files.iter().map(|(role, hash)| format!("{role} {}", hash.get(..12).unwrap_or(hash)));
    let files: Vec<String> = files.collect();
    let hash = genesis.config_hash.get(..12).unwrap_or(&genesis.config_hash);
    let instruments = genesis.instruments.lines().count().saturating_sub(1);
    format!(
        "genesis by {}, configuration {hash}, {instruments} instruments, {}",
        genesis.program,
        files.join(", ")
    )
}

/// An input in a line: its name, and its fields but for the time. By way of JSON, so that a new kind of input is told
/// without a change here.
fn told(input: &Input) -> String {
    let Ok(Value::Object(tagged)) = serde_json::to_value(input) else {
        return "an input that JSON cannot say".to_owned();
    };
    let Some((name, Value::Object(fields))) = tagged.into_iter().next() else { return String::new() };
    let fields = fields.into_iter().filter(|(field, value)| field != "time" && !value.is_null());
    let fields: Vec<String> = fields.map(|(field, value)| format!("{field}={}", brief(&value))).collect();
    format!("{name} {}", fields.join(" "))
}

/// A value in few characters.
fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(brief).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(fields) => object(fields),
        other => other.to_string(),
    }
}

fn object(fields: &Map<String, Value>) -> String {
    let told = fields.iter().filter(|(_, value)| !value.is_null());
    let told: Vec<String> = told.map(|(field, value)| format!("{field}={}", brief(value))).collect();
    format!("{{{}}}", told.join(" "))
}

/// Cuts a line that is too long.
fn cut(line: String) -> String {
    match line.char_indices().nth(WIDTH) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}
