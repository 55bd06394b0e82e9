//! Plays a tape to an adapter.

use super::TapeError;
use super::differ::of_requests;
use super::format::{Asked, Content, Event, Fault, Head, Line, MAX_BYTES, TAPE_VERSION, header_map};
use super::played_socket::PlayedSocket;
use crate::redact::Redactor;
use bytes::Bytes;
use http::{Request, Response};
use mts_foundation::io::{Departure, HttpClient, RequestOptions, Socket, SocketConnector, TransportError};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Answers as a tape has it. Requests must come in the tape's order and be the tape's, connections and what is sent on each
/// likewise; requests and connections need not keep to each other's time. Secrets, nonces and times are not compared. What
/// differs is an error that was not sent and shows the difference.
pub struct Player {
    redactor: Redactor,
    path: PathBuf,
    adapter: String,
    left: Mutex<Left>,
    /// The first thing that the tape does not have.
    fault: Arc<OnceLock<String>>,
}

/// What is still to come.
#[derive(Default)]
struct Left {
    requests: VecDeque<RoundTrip>,
    connections: VecDeque<Conversation>,
    asked: usize,
    connected: usize,
}

struct RoundTrip {
    asked: Asked,
    outcome: Option<Result<Said, Fault>>,
}

/// An answer.
struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: Content,
}

struct Conversation {
    asked: Asked,
    outcome: Option<Result<(), Fault>>,
    events: VecDeque<Event>,
}

impl Player {
    /// Reads a tape. The redactor must have the names of the one that the tape was written with.
    ///
    /// # Errors
    /// [`TapeError::Io`] or [`TapeError::Unreadable`].
    pub fn open(path: &Path, redactor: Redactor) -> Result<Self, TapeError> {
        let io = |source| TapeError::Io { path: path.to_owned(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(io)?;
        file.take(MAX_BYTES.saturating_mul(2)).read_to_string(&mut text).map_err(io)?;
        Self::from_text(path, &text, redactor)
    }

    /// A tape that was read already; the path is for errors.
    ///
    /// # Errors
    /// [`TapeError::Unreadable`].
    pub fn from_text(path: &Path, text: &str, redactor: Redactor) -> Result<Self, TapeError> {
        let unreadable = |line, message| TapeError::Unreadable { path: path.to_owned(), line, message };
        let mut lines = text.lines().zip(1_usize..);
        let head = lines.next().map_or("", |(line, _)| line);
        let head: Head = serde_json::from_str(head).map_err(|error| unreadable(1, error.to_string()))?;
        if head.tape != TAPE_VERSION {
            let message = format!("the tape has version {}, {TAPE_VERSION} can be read", head.tape);
            return Err(unreadable(1, message));
        }
        let mut left = Left::default();
        // Where the request or connection with an id is.
        let (mut requests, mut connections) = (BTreeMap::new(), BTreeMap::new());
        for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
            let line: Line =
                serde_json::from_str(line).map_err(|error| unreadable(number, error.to_string()))?;
            let stranger = || unreadable(number, format!("nothing with the id {} began", line.id));
            match line.event {
                Event::Request(asked) => {
                    requests.insert(line.id, left.requests.len());
                    left.requests.push_back(RoundTrip { asked, outcome: None });
                }
                Event::Connect(asked) => {
                    connections.insert(line.id, left.connections.len());
                    let events = VecDeque::new();
                    left.connections.push_back(Conversation { asked, outcome: None, events });
                }
                Event::Full => break,
                event => {
                    let exchange = requests.get(&line.id).and_then(|place| left.requests.get_mut(*place));
                    let conversation =
                        connections.get(&line.id).and_then(|place| left.connections.get_mut(*place));
                    match (event, exchange, conversation) {
                        (Event::Answer { status, headers, body }, Some(exchange), _) => {
                            exchange.outcome = Some(Ok(Said { status, headers, body }));
                        }
                        (Event::Failure(fault), Some(exchange), _) => exchange.outcome = Some(Err(fault)),
                        (Event::Connected, None, Some(there)) => there.outcome = Some(Ok(())),
                        (Event::Failure(fault), None, Some(there)) if there.outcome.is_none() => {
                            there.outcome = Some(Err(fault));
                        }
                        (event, None, Some(there)) => there.events.push_back(event),
                        _ => return Err(stranger()),
                    }
                }
            }
        }
        Ok(Self {
            redactor,
            path: path.to_owned(),
            adapter: head.adapter,
            left: Mutex::new(left),
            fault: Arc::default(),
        })
    }

    /// Whose session it is.
    #[must_use]
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Whether everything was asked for, and nothing else.
    ///
    /// # Errors
    /// [`TapeError::Different`] with the first thing that was not.
    pub fn finish(&self) -> Result<(), TapeError> {
        let left = self.left();
        let missing = |what: &str, number: usize, asked: &Asked| {
            format!("{what} {number}, {} {}, was not asked for", asked.method, asked.address)
        };
        let fault = self.fault.get().cloned();
        let request =
            left.requests.front().map(|next| missing("request", left.asked.saturating_add(1), &next.asked));
        let connection = left
            .connections
            .front()
            .map(|next| missing("connection", left.connected.saturating_add(1), &next.asked));
        match fault.or(request).or(connection) {
            Some(message) => Err(TapeError::Different { path: self.path.clone(), message }),
            None => Ok(()),
        }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error for what the tape does not have; noted for [`Self::finish`].
    fn differs(&self, message: String) -> TransportError {
        self.fault.set(message.clone()).ok();
        not_on_tape(&self.path, &message)
    }
}

/// Nothing leaves a tape.
pub(super) fn not_on_tape(path: &Path, message: &str) -> TransportError {
    TransportError {
        departure: Departure::NotSent,
        timed_out: false,
        message: format!("{}: {message}", path.display()),
        source: None,
    }
}

impl HttpClient for Player {
    async fn send(
        &self,
        request: Request<Bytes>,
        _options: &RequestOptions,
    ) -> Result<Response<Bytes>, TransportError> {
        let got = Asked::of(&request, request.body(), &self.redactor);
        let mut left = self.left();
        let number = left.asked.saturating_add(1);
        let Some(next) = left.requests.front() else {
            let message = format!(
                "request {number} is `{} {}`, the tape has {} and no more",
                got.method, got.address, left.asked
            );
            return Err(self.differs(message));
        };
        if let Some(difference) = of_requests(&next.asked, &got) {
            return Err(self.differs(format!("request {number}: {difference}")));
        }
        left.asked = number;
        let outcome = left.requests.pop_front().and_then(|next| next.outcome);
        drop(left);
        match outcome {
            Some(Ok(said)) => {
                let body = said.body.bytes();
                let answer = body.and_then(|body| Response::builder().status(said.status).body(body).ok());
                let unreadable = || self.differs(format!("the answer to request {number} is no answer"));
                let mut answer = answer.ok_or_else(unreadable)?;
                *answer.headers_mut() = header_map(&said.headers);
                Ok(answer)
            }
            Some(Err(fault)) => Err(fault.error()),
            None => Err(self.differs(format!("request {number} has no answer on the tape"))),
        }
    }
}

impl SocketConnector for Player {
    async fn connect(
        &self,
        request: Request<()>,
        _deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let got = Asked::of(&request, b"", &self.redactor);
        let mut left = self.left();
        let number = left.connected.saturating_add(1);
        let Some(next) = left.connections.front() else {
            let message = format!(
                "connection {number} is `{}`, the tape has {} and no more",
                got.address, left.connected
            );
            return Err(self.differs(message));
        };
        if let Some(difference) = of_requests(&next.asked, &got) {
            return Err(self.differs(format!("connection {number}: {difference}")));
        }
        left.connected = number;
        let next = left.connections.pop_front();
        drop(left);
        match next {
            Some(Conversation { outcome: Some(Ok(())), events, .. }) => Ok(Box::new(PlayedSocket::new(
                events,
                self.redactor.clone(),
                self.path.clone(),
                number,
                Arc::clone(&self.fault),
            ))),
            Some(Conversation { outcome: Some(Err(fault)), .. }) => Err(fault.error()),
            _ => Err(self.differs(format!("connection {number} has no outcome on the tape"))),
        }
    }
}
