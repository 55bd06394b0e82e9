//! What the journal's records mean.

use crate::core::VenueFacts;
use crate::input::Input;
use mts_foundation::BrokerName;
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kind of the first record: a [`Genesis`], as JSON.
pub const GENESIS: u16 = 1;
/// Kind of an [`Input`], layout version 1, in postcard's format.
pub const INPUT_V1: u16 = 2;

/// The first record of a journal: what it is the journal of. Everything a replay needs that is not an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Name and version of the program that began it.
    pub program: String,
    /// The complete configuration, as JSON text.
    pub config: String,
    /// SHA-256 of that configuration, hexadecimal.
    pub config_hash: String,
    /// SHA-256 of each data file by its role, hexadecimal.
    pub files: BTreeMap<String, String>,
    /// Text of the instrument table: the journal can be replayed without any other file.
    pub instruments: String,
    /// What matters of each venue, as it said when the journal began; a replay asks no venue.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub venues: BTreeMap<BrokerName, VenueFacts>,
    /// Orders that open or grow a position wait for asynchronous gates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub async_gates: bool,
}

/// A record that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The payload does not decode.
    #[error(
        "record {sequence} (kind {kind}) cannot be read: {message}; use the mts version that wrote the journal"
    )]
    Unreadable {
        /// Number of the record.
        sequence: u64,
        /// Its kind.
        kind: u16,
        /// What is wrong.
        message: String,
    },
    /// The first record is not a genesis.
    #[error("the journal does not begin with its configuration; it is not one of mts run's")]
    NoGenesis,
}

/// The bytes of an input.
///
/// # Errors
/// Only when memory is exhausted.
pub fn encode(input: &Input, buffer: &mut Vec<u8>) -> Result<(), RecordError> {
    buffer.clear();
    append(input, buffer).map_err(|error| RecordError::Unreadable {
        sequence: 0,
        kind: INPUT_V1,
        message: error.to_string(),
    })
}

/// Writes a value behind what a buffer holds, in postcard's format.
pub(crate) fn append(value: &impl Serialize, buffer: &mut Vec<u8>) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Behind(buffer))
}

/// The end of a buffer. Postcard's own way to extend one goes byte by byte also where there are many.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The input of bytes.
///
/// # Errors
/// [`RecordError::Unreadable`].
pub fn decode(sequence: u64, kind: u16, payload: &[u8]) -> Result<Input, RecordError> {
    let unreadable = |message: String| RecordError::Unreadable { sequence, kind, message };
    if kind != INPUT_V1 {
        return Err(unreadable("this kind of record is not known".to_owned()));
    }
    postcard::from_bytes(payload).map_err(|error| unreadable(error.to_string()))
}
