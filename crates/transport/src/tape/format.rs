//! The lines of a tape: JSON, the first says what it is.

use crate::redact::{Redactor, mask};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use mts_foundation::io::{Departure, Frame, TransportError};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The layout of the tapes that are written; others are not read.
pub const TAPE_VERSION: u32 = 1;

/// Largest tape in bytes.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// Stands for a value that is another in every session.
const VARIES: &str = "VARIES";

/// Names of values that a session makes anew: nonces, times, and what is signed with them.
const VARYING: &[&str] = &[
    "api-nonce",
    "cb-access-timestamp",
    "date",
    "nonce",
    "recvwindow",
    "sec-websocket-key",
    "timestamp",
    "traceparent",
    "user-agent",
    "x-request-id",
    "x-timestamp",
];

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) tape: u32,
    /// Whose session it is.
    pub(super) adapter: String,
    /// What wrote it.
    pub(super) program: String,
    /// When it began.
    pub(super) began: String,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// Milliseconds since the first line.
    pub(super) ms: u64,
    /// Which request or connection, counted over both.
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// A request left.
    Request(Asked),
    /// Its answer came.
    Answer { status: u16, headers: Vec<(String, String)>, body: Content },
    /// None came, or no connection, or the connection broke.
    Failure(Fault),
    /// A connection was asked for.
    Connect(Asked),
    /// It is there.
    Connected,
    /// A frame left.
    Sent { frame: FrameKind, content: Content },
    /// A frame came.
    Received { frame: FrameKind, content: Content },
    /// The connection ended.
    Ended,
    /// The tape has reached its bound; what follows is missing.
    Full,
}

/// A request as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) address: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Content,
}

/// Text as it was, anything else in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    Text(String),
    Hex(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FrameKind {
    Text,
    Binary,
    Ping,
    Pong,
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fault {
    may_have_left: bool,
    timed_out: bool,
    message: String,
}

impl Asked {
    /// Without secrets and what varies: the same for two sessions that do the same.
    pub(super) fn of<B>(request: &http::Request<B>, body: &[u8], redactor: &Redactor) -> Self {
        Self {
            method: request.method().to_string(),
            address: steady(redactor.address(request.uri()).into()),
            headers: headers(request.headers(), redactor, true),
            body: Content::sent(body, redactor),
        }
    }
}

/// The headers, in the order of their names.
pub(super) fn headers(headers: &HeaderMap, redactor: &Redactor, ours: bool) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_str();
            let value = if redactor.is_secret_name(name) || value.is_sensitive() {
                crate::REDACTED.to_owned()
            } else if ours && VARYING.contains(&name) {
                VARIES.to_owned()
            } else {
                redactor.text(&String::from_utf8_lossy(value.as_bytes())).into_owned()
            };
            (name.to_owned(), value)
        })
        .collect();
    list.sort();
    list
}

/// Back to what an answer has; what is no header any more is left out.
pub(super) fn header_map(list: &[(String, String)]) -> HeaderMap {
    let header = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in list.iter().filter_map(header) {
        map.append(name, value);
    }
    map
}

fn steady(text: Cow<'_, str>) -> String {
    let names: Vec<String> = VARYING.iter().map(|name| (*name).to_owned()).collect();
    mask(text, &names, VARIES).into_owned()
}

impl Content {
    /// Of a body or frame that came.
    pub(super) fn received(bytes: &[u8], redactor: &Redactor) -> Self {
        match String::from_utf8(redactor.bytes(bytes).into_owned()) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Hex(error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    /// Of a body or frame that leaves: without what varies.
    pub(super) fn sent(bytes: &[u8], redactor: &Redactor) -> Self {
        match Self::received(bytes, redactor) {
            Self::Text(text) => Self::Text(steady(text.into())),
            hex @ Self::Hex(_) => hex,
        }
    }

    /// `None` for hexadecimal that is none.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        let hex = match self {
            Self::Text(text) => return Some(Bytes::from(text.clone())),
            Self::Hex(hex) => hex,
        };
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
            u8::from_str_radix(text, 16).ok()
        };
        pairs.map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
    }

    /// For people.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Hex(text) => text,
        }
    }
}

impl FrameKind {
    /// Apart from its content.
    pub(super) fn of(frame: &Frame) -> (Self, &[u8]) {
        match frame {
            Frame::Text(bytes) => (Self::Text, bytes),
            Frame::Binary(bytes) => (Self::Binary, bytes),
            Frame::Ping(bytes) => (Self::Ping, bytes),
            Frame::Pong(bytes) => (Self::Pong, bytes),
            Frame::Close => (Self::Close, b""),
        }
    }

    /// Together with it.
    pub(super) fn with(self, content: Bytes) -> Frame {
        match self {
            Self::Text => Frame::Text(content),
            Self::Binary => Frame::Binary(content),
            Self::Ping => Frame::Ping(content),
            Self::Pong => Frame::Pong(content),
            Self::Close => Frame::Close,
        }
    }
}

impl Fault {
    pub(super) fn of(error: &TransportError, redactor: &Redactor) -> Self {
        Self {
            may_have_left: error.departure == Departure::MayHaveLeft,
            timed_out: error.timed_out,
            message: redactor.text(&error.message).into_owned(),
        }
    }

    pub(super) fn error(&self) -> TransportError {
        let departure = if self.may_have_left { Departure::MayHaveLeft } else { Departure::NotSent };
        let message = self.message.clone();
        TransportError { departure, timed_out: self.timed_out, message, source: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_kind_come_back() {
        let redactor = Redactor::new();
        for bytes in [&b"{\"a\":0.10}"[..], b"", b"\xff\x00\x10", "größe".as_bytes()] {
            assert_eq!(Content::received(bytes, &redactor).bytes().unwrap(), bytes);
        }
        assert_eq!(Content::Hex("0g".to_owned()).bytes(), None);
        assert_eq!(Content::Hex("012".to_owned()).bytes(), None);
    }

    #[test]
    fn what_varies_is_left_out_of_what_leaves_and_not_of_what_comes() {
        let redactor = Redactor::new();
        let text = br#"{"nonce":17,"price":"1.50"}"#;
        assert_eq!(Content::sent(text, &redactor).as_str(), r#"{"nonce":"VARIES","price":"1.50"}"#);
        assert_eq!(Content::received(text, &redactor).as_str(), r#"{"nonce":17,"price":"1.50"}"#);
    }
}
