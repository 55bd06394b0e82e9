//! What a venue's folder gives the server: which call a request is, its answers, and its stream's frames. Faults are done
//! by the server, once for every venue.

use crate::desk::{Desk, Event, FillRow};
use crate::market::News;
use crate::server::with_unknown_name;
use bytes::{Bytes, BytesMut};
use mts_foundation::double::{Act, Call, NotPossible, WrongAnswer};
use mts_foundation::{Decimal, FillId, Symbol};
use secrecy::SecretString;
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A number as venues write it: every digit, and no zeros behind them.
pub(crate) fn number(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: http::Method,
    /// Without the query.
    pub(crate) path: String,
    /// Decoded, in the order in which they came.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// It leaves after what follows from it was told to those who follow.
    pub(crate) waits: bool,
}

impl Answer {
    /// JSON with a status.
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: Bytes::from(value.to_string()), waits: false }
    }

    /// Nothing but a status.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), waits: false }
    }

    /// With a header more.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// A frame of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    /// The venue ends the stream.
    Close,
}

/// The fields of a venue's messages by what they hold, for answers that cannot be right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// States, types and the like.
    pub(crate) names: &'static [&'static str],
    /// Numbers.
    pub(crate) numbers: &'static [&'static str],
    /// What says which order it is.
    pub(crate) ids: &'static [&'static str],
}

/// What a venue says when it refuses a call whatever is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is down, with this status.
    Down(u16),
    /// Too many requests.
    TooMany(Option<u32>),
    /// The credentials are not taken.
    NotAuthorised,
    /// A reason nobody has seen before.
    Strange,
}

/// A venue's wire.
pub(crate) trait Dialect: Send {
    /// Its name, as the broker's.
    fn name(&self) -> &'static str;
    /// Its endpoints, by the adapter's settings, for a double that listens at `host`; `tls` as the server is.
    fn endpoints(&self, host: &str, tls: bool) -> BTreeMap<SmolStr, String>;
    /// Its secrets, by the adapter's settings.
    fn credentials(&self) -> BTreeMap<SmolStr, SecretString>;
    /// What trades there.
    fn symbols(&self) -> Vec<Symbol>;
    /// What the adapter calls a fill.
    fn fill_id(&self, fill: &FillRow) -> Option<FillId>;
    /// Refuses what this venue never does.
    fn possible(&self, act: &Act) -> Result<(), NotPossible>;
    /// A moment has passed. Whether something happened.
    fn tick(&mut self, _desk: &mut Desk) -> bool {
        false
    }
    /// All tokens run out.
    fn expire_tokens(&mut self) {}
    /// Which call a request is; `None` = the venue has no such request.
    fn call_of(&self, request: &Request) -> Option<Call>;
    /// Carries a request out.
    fn answer(&mut self, desk: &mut Desk, request: &Request) -> Answer;
    /// What it says in trouble.
    fn trouble(&self, trouble: Trouble, desk: &Desk) -> Answer;
    /// Which fields hold what.
    fn fields(&self) -> Fields;
    /// A new follower of the stream; `refused` = its credentials shall not be taken.
    fn follower(&mut self, request: &Request, refused: bool) -> Box<dyn Follower>;
    /// Whether the fees of a fill are told apart from it, so that they can be late.
    fn tells_fees_apart(&self) -> bool {
        false
    }
    /// The bytes that a client of a plain socket begins with, where the venue speaks over those; who begins otherwise speaks
    /// HTTP.
    fn greeting(&self) -> Option<&'static [u8]> {
        None
    }
    /// Whether the venue speaks first on its socket: then nobody can say HTTP there, and the control channel has an address
    /// of its own.
    fn speaks_first(&self) -> bool {
        false
    }
    /// A new client on a plain socket.
    fn session(&mut self) -> Option<Box<dyn Session>> {
        None
    }
}

/// One client's stream.
pub(crate) trait Follower: Send {
    /// What the venue says first.
    fn greet(&mut self, _desk: &Desk) -> Vec<Frame> {
        Vec::new()
    }
    /// The client says something; at some venues that can be an order.
    fn hear(&mut self, desk: &mut Desk, text: &str) -> Vec<Frame>;
    /// Whether it follows the account's events.
    fn follows(&self) -> bool;
    /// Tells an event. Where messages are numbered each call uses a number, also when what it gives is lost on the way.
    fn tell(&mut self, desk: &Desk, event: &Event) -> Vec<Frame>;
    /// The client says something that is no text, which most take for text all the same.
    fn hear_binary(&mut self, desk: &mut Desk, bytes: &[u8]) -> Vec<Frame> {
        self.hear(desk, &String::from_utf8_lossy(bytes))
    }
    /// Tells of the market, where it is asked for that.
    fn tell_news(&mut self, _desk: &Desk, _news: &News) -> Vec<Frame> {
        Vec::new()
    }
    /// News were more than are kept, and this client came too late for some.
    fn missed(&mut self, _desk: &Desk) -> Vec<Frame> {
        Vec::new()
    }
    /// A heartbeat, asked for every second.
    fn heartbeat(&mut self, _desk: &Desk) -> Vec<Frame> {
        Vec::new()
    }
    /// A message of a kind that nobody has seen before.
    fn unknown_message(&mut self, desk: &Desk) -> Frame;
    /// Makes a frame of JSON text.
    fn frame(&self, text: String) -> Frame;
    /// Tells an event with a name that nobody has seen before.
    fn tell_strangely(&mut self, desk: &Desk, event: &Event, fields: Fields) -> Vec<Frame> {
        self.tell(desk, event).into_iter().map(|frame| renamed(frame, fields)).collect()
    }
    /// What the venue says after a message of its was lost.
    fn after_loss(&mut self, _desk: &Desk) -> Vec<Frame> {
        Vec::new()
    }
}

/// The same frame with a name that nobody has seen before.
pub(crate) fn renamed(frame: Frame, fields: Fields) -> Frame {
    match frame {
        Frame::Text(text) => Frame::Text(with_unknown_name(&text, fields)),
        Frame::Binary(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Frame::Binary(with_unknown_name(&text, fields).into_bytes()),
            // No JSON: it stays as it is.
            Err(error) => Frame::Binary(error.into_bytes()),
        },
        Frame::Close => Frame::Close,
    }
}

/// What a client's message on a plain socket comes to.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) frames: Vec<Frame>,
    /// It leaves after what follows from it was told.
    pub(crate) waits: bool,
}

/// A message that is none, after which the connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// One client on a plain socket, where requests, answers and events share a connection. Its heartbeat is asked for often.
pub(crate) trait Session: Follower {
    /// Takes the first message off what has come; `None` = not all of it is there.
    fn split(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Unreadable>;
    /// Which call a message is.
    fn call_of(&self, message: &[u8]) -> Option<Call>;
    /// A name of the message and what it holds, for those who want to know what clients send.
    fn heard(&self, message: &[u8]) -> (String, String);
    /// Carries a message out; the answer is as wrong as it shall be.
    fn answer(&mut self, desk: &mut Desk, message: &[u8], wrong: Option<WrongAnswer>) -> Reply;
    /// What it says in trouble.
    fn trouble(&mut self, desk: &Desk, trouble: Trouble, message: &[u8]) -> Vec<Frame>;
    /// The client takes nothing; what it is told before it is cut.
    fn lags(&mut self, _desk: &Desk) -> Vec<Frame> {
        Vec::new()
    }
}
