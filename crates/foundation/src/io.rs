//! Injected I/O: adapters talk through these traits, so that they run unchanged over real sockets, recorded tapes,
//! loopback doubles and the simulated world (decision H3).

use crate::broker::BoxFuture;
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;

/// How a transport shall treat one request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestOptions {
    /// Longest wait for the whole answer.
    pub deadline: Duration,
    /// Whether the request may be repeated by the transport; true for reads only.
    pub idempotent: bool,
    /// Largest answer in bytes.
    pub max_response_bytes: usize,
    /// Cost against the budget.
    pub weight: u32,
    /// The venue's rate budget that the request counts against, by the name it has in the adapter's capabilities; empty =
    /// the host's.
    pub budget: &'static str,
}

impl Default for RequestOptions {
    /// 20 s, not repeatable, 8 MiB, weight 1 of the host's budget.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(20),
            idempotent: false,
            max_response_bytes: 8 << 20,
            weight: 1,
            budget: "",
        }
    }
}

impl RequestOptions {
    /// Of a request that changes nothing, so that it may be repeated.
    #[must_use]
    pub fn read() -> Self {
        Self { idempotent: true, ..Self::default() }
    }
}

/// Whether the bytes of a failed request may have reached the venue. Decides between "not sent" and "unknown".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// Certainly nothing left this process.
    NotSent,
    /// Something may have.
    MayHaveLeft,
}

/// A request that got no usable answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Whether the venue may have seen the request.
    pub departure: Departure,
    /// No answer in time, as opposed to a broken connection.
    pub timed_out: bool,
    /// What was seen, free of secrets.
    pub message: String,
    /// What caused it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Sends requests. Redirects of signed requests are never followed.
pub trait HttpClient: Send + Sync {
    /// Sends one request and waits for the whole answer.
    fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> impl Future<Output = Result<http::Response<Bytes>, TransportError>> + Send;
}

/// The object-safe twin of [`HttpClient`], implemented for every client.
pub trait DynHttpClient: Send + Sync {
    /// See [`HttpClient::send`].
    fn send<'a>(
        &'a self,
        request: http::Request<Bytes>,
        options: &'a RequestOptions,
    ) -> BoxFuture<'a, Result<http::Response<Bytes>, TransportError>>;
}

impl<C: HttpClient> DynHttpClient for C {
    fn send<'a>(
        &'a self,
        request: http::Request<Bytes>,
        options: &'a RequestOptions,
    ) -> BoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(HttpClient::send(self, request, options))
    }
}

/// One message of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text of a WebSocket.
    Text(Bytes),
    /// Binary data of a WebSocket, or a chunk of a TCP stream.
    Binary(Bytes),
    /// The peer asks whether we live.
    Ping(Bytes),
    /// The peer lives.
    Pong(Bytes),
    /// The peer ends the connection.
    Close,
}

/// An open connection.
pub trait Socket: Send {
    /// Sends a frame.
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>>;
    /// Waits for the next frame; `None` = the connection has ended. Safe to drop.
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>>;
}

/// Opens connections.
pub trait SocketConnector: Send + Sync {
    /// Connects to `wss://…`, `ws://…` or `tcp://host:port`.
    fn connect(
        &self,
        request: http::Request<()>,
        deadline: Duration,
    ) -> impl Future<Output = Result<Box<dyn Socket>, TransportError>> + Send;
}

/// The object-safe twin of [`SocketConnector`], implemented for every connector.
pub trait DynSocketConnector: Send + Sync {
    /// See [`SocketConnector::connect`].
    fn connect(
        &self,
        request: http::Request<()>,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Box<dyn Socket>, TransportError>>;
}

impl<C: SocketConnector> DynSocketConnector for C {
    fn connect(
        &self,
        request: http::Request<()>,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Box<dyn Socket>, TransportError>> {
        Box::pin(SocketConnector::connect(self, request, deadline))
    }
}

/// Waits. An adapter neither has a runtime nor a clock of its own: in a test and in the simulated world the time that
/// passes is theirs.
pub trait Sleep: Send + Sync {
    /// Completes after this long. Safe to drop.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// What becomes of an entry: from what is there (`None` = nothing yet) to what shall be (`None` = as it is).
pub type StateChange<'a> = dyn FnMut(Option<&[u8]>) -> Option<Vec<u8>> + 'a;

/// A small durable memory that all processes of one account share: what an adapter must not forget over a crash, such as
/// the last nonce, or the number an order was given before it was sent.
pub trait SharedState: Send + Sync {
    /// Changes an entry while nobody else can, and returns it when it is durable. The call may block for as long as a
    /// write to disk takes.
    ///
    /// # Errors
    /// [`StateError`] when the entry cannot be read or made durable; it is then as it was, or as `change` wants it.
    fn update(&self, entry: &str, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError>;
}

/// A shared entry that cannot be kept. The adapter must not act on it.
#[derive(Debug, thiserror::Error)]
#[error("the entry {entry} of the shared state: {message}")]
pub struct StateError {
    /// Which.
    pub entry: String,
    /// Why, and the way out.
    pub message: String,
}
