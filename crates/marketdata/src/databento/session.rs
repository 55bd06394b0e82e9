//! One connection to the live gateway, without I/O: bytes in, what to say and market events out.

use super::decode::{Control, Decoder};
use super::names::instant;
use super::records::{Records, Step};
use dbn::{ErrorCode, RecordRef, SystemMsg, rtype};
use mts_foundation::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// How often the gateway says that it lives, in seconds, while it has nothing else to say.
pub(super) const HEARTBEAT_SECONDS: u64 = 10;

/// Longest line before the records begin.
const MAX_LINE: usize = 8 << 10;
/// The end of a key that the gateway finds it by.
const KEY_END: usize = 5;

/// Why a connection is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// Another one may be.
    Again(String),
    /// None will be: why, and what to do.
    Never(String),
}

/// What bytes have led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// What is to be said now.
    pub(super) say: String,
    /// Records come from here on.
    pub(super) is_live: bool,
    /// The first instant whose records come, by the gateway's clock.
    pub(super) start: Option<Timestamp>,
    /// The last one up to which they have come, by that clock.
    pub(super) covered: Option<Timestamp>,
    /// What the gateway complains about without ending.
    pub(super) complaints: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Greeting,
    Challenge,
    Answer,
    Stream,
}

/// What is asked for: the data set, and a line for each subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) dataset: String,
    pub(super) lines: String,
}

pub(super) struct Session {
    phase: Phase,
    line: Vec<u8>,
    key: SecretString,
    records: Records,
}

impl Session {
    pub(super) fn new(key: SecretString) -> Result<Self, Lost> {
        let text = key.expose_secret();
        if text.len() <= KEY_END || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            let why = "the key is not as Databento's are, db- and 29 letters and digits; look at the secret";
            return Err(Lost::Never(why.to_owned()));
        }
        let records = Records::new().map_err(Lost::Never)?;
        Ok(Self { phase: Phase::Greeting, line: Vec::new(), key, records })
    }

    /// Takes bytes. The events are in the decoder.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        wanted: &Wanted,
        decoder: &mut Decoder,
    ) -> Result<Heard, Lost> {
        let mut heard = Heard::default();
        let mut left = bytes;
        while self.phase != Phase::Stream {
            let Some(end) = left.iter().position(|byte| *byte == b'\n') else {
                self.line.extend_from_slice(left);
                self.check_length()?;
                return Ok(heard);
            };
            let (line, rest) = left.split_at(end);
            self.line.extend_from_slice(line);
            self.check_length()?;
            left = rest.get(1..).unwrap_or_default();
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            self.hear(line.trim_end(), wanted, &mut heard.say)?;
        }
        self.read(left, decoder, &mut heard)?;
        Ok(heard)
    }

    fn check_length(&self) -> Result<(), Lost> {
        if self.line.len() > MAX_LINE {
            return Err(Lost::Again("the gateway's line is too long; is that its address?".to_owned()));
        }
        Ok(())
    }

    fn hear(&mut self, line: &str, wanted: &Wanted, say: &mut String) -> Result<(), Lost> {
        match self.phase {
            Phase::Greeting if line.starts_with("lsg_version=") => self.phase = Phase::Challenge,
            Phase::Challenge if line.starts_with("cram=") => {
                self.answer(line.trim_start_matches("cram="), wanted, say);
                self.phase = Phase::Answer;
            }
            Phase::Answer => {
                self.judge(line)?;
                say.push_str(&wanted.lines);
                say.push_str("start_session\n");
                self.phase = Phase::Stream;
            }
            _ => {
                return Err(Lost::Again(format!(
                    "the gateway said {:?}, not its greeting",
                    self.shown(line)
                )));
            }
        }
        Ok(())
    }

    /// Proves that we know the key, without saying it.
    fn answer(&self, challenge: &str, wanted: &Wanted, say: &mut String) {
        let key = self.key.expose_secret();
        let digest = Sha256::digest(format!("{challenge}|{key}").as_bytes());
        let hex = digest.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            write!(hex, "{byte:02x}").unwrap_or_default();
            hex
        });
        let end = key.len().checked_sub(KEY_END).and_then(|at| key.get(at..)).unwrap_or_default();
        say.push_str(&format!(
            "auth={hex}-{end}|dataset={}|encoding=dbn|compression=none|ts_out=0|client=mts {}|heartbeat_interval_s={HEARTBEAT_SECONDS}\n",
            wanted.dataset,
            env!("CARGO_PKG_VERSION"),
        ));
    }

    fn judge(&self, line: &str) -> Result<(), Lost> {
        let field = |name: &str| {
            line.split('|')
                .filter_map(|pair| pair.split_once('='))
                .find(|(it, _)| *it == name)
                .map(|(_, it)| it)
        };
        if field("success") == Some("1") {
            return Ok(());
        }
        let why = self.shown(field("error").unwrap_or(line));
        // Sessions of before a cut may not have ended there yet.
        if why.to_ascii_lowercase().contains("connection limit") {
            return Err(Lost::Again(format!("the gateway refuses: {why}")));
        }
        Err(Lost::Never(format!("the gateway refuses the key: {why}; check the key and what it may read")))
    }

    /// The gateway's words, short and without the key.
    fn shown(&self, text: &str) -> String {
        let text = text.replace(self.key.expose_secret(), "REDACTED");
        text.chars().filter(|letter| !letter.is_control()).take(300).collect()
    }

    fn read(&mut self, bytes: &[u8], decoder: &mut Decoder, heard: &mut Heard) -> Result<(), Lost> {
        let again = |why: String| Lost::Again(format!("the stream cannot be read: {why}"));
        self.records.write(bytes);
        loop {
            match self.records.step().map_err(again)? {
                Step::More => break,
                Step::Metadata(metadata) => {
                    heard.is_live = true;
                    heard.start = instant(metadata.start);
                }
                Step::Record => {
                    let Some(record) = self.records.record() else { continue };
                    if covers(&record) {
                        heard.covered = heard.covered.max(instant(record.header().ts_event));
                    }
                    let control = decoder.take(record).map_err(again)?;
                    if let Some(Control::Error(code, text)) = control {
                        let why = format!("the gateway says: {}", self.shown(&text));
                        match code {
                            ErrorCode::AuthFailed
                            | ErrorCode::ApiKeyDeactivated
                            | ErrorCode::InvalidSubscription => {
                                return Err(Lost::Never(format!(
                                    "{why}; check the key and the subscriptions"
                                )));
                            }
                            ErrorCode::ConnectionLimitExceeded | ErrorCode::InternalError => {
                                return Err(Lost::Again(why));
                            }
                            _ => heard.complaints.push(why),
                        }
                    }
                }
            }
        }
        // Others of the same instant may be in the next bytes, or never come.
        decoder.flush();
        Ok(())
    }
}

/// Whether what was before a record has come: of what the gateway says of itself only a heartbeat waits for that.
fn covers(record: &RecordRef<'_>) -> bool {
    match record.header().rtype {
        rtype::ERROR | rtype::SYMBOL_MAPPING => false,
        rtype::SYSTEM => record.try_get::<SystemMsg>().is_ok_and(SystemMsg::is_heartbeat),
        _ => true,
    }
}
