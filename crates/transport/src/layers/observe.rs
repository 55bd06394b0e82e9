//! Tells the log what was asked and answered, and lets no secret into it or into an error.

use super::retry::Attempts;
use super::{Jitter, host};
use crate::redact::Redactor;
use bytes::Bytes;
use http::{Request, Response};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{
    Departure, Frame, HttpClient, RequestOptions, Socket, SocketConnector, TransportError,
};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;

/// Names a request or a connection in the log, in errors and in an answer's extensions: eight digits of the process, and a
/// number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What an error's source said, where it held a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

/// Gives every request and every connection an id, a span and, at its end, an event (target `mts::transport`, level debug, warn
/// for what failed), and takes secrets out of errors.
pub struct Observe<C> {
    inner: C,
    watch: Watch,
}

/// What sockets share with their connector.
#[derive(Clone)]
struct Watch {
    redactor: Redactor,
    process: u32,
    count: Arc<AtomicU64>,
}

impl Watch {
    fn id(&self) -> RequestId {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:08x}-{number}", self.process))
    }

    /// The error with its id and without secrets.
    fn clean(&self, id: &RequestId, error: TransportError) -> TransportError {
        let message = format!("request {id}: {}", self.redactor.text(&error.message));
        let source = error.source.map(|source| {
            let said = format!("{source} {source:?}");
            match self.redactor.text(&said) {
                std::borrow::Cow::Borrowed(_) => source,
                std::borrow::Cow::Owned(_) => {
                    let told = Told(self.redactor.text(&source.to_string()).into_owned());
                    Box::new(told) as Box<dyn Error + Send + Sync>
                }
            }
        });
        TransportError { message, source, ..error }
    }
}

impl<C> Observe<C> {
    /// Around a client or a connector. The jitter gives the process its digits.
    pub fn new(inner: C, redactor: Redactor, jitter: &Jitter) -> Self {
        let process = u32::try_from(jitter.next() >> 32).unwrap_or(0);
        Self { inner, watch: Watch { redactor, process, count: Arc::default() } }
    }
}

/// Whole milliseconds since then.
fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl<C: HttpClient> HttpClient for Observe<C> {
    async fn send(
        &self,
        request: Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<Response<Bytes>, TransportError> {
        let id = self.watch.id();
        let began = Instant::now();
        // Its values are made only if somebody listens.
        let span = tracing::debug_span!(
            target: "mts::transport",
            "request",
            %id,
            method = %request.method(),
            host = host(request.uri()),
            path = self.watch.path(request.uri()),
        );
        match self.inner.send(request, options).instrument(span.clone()).await {
            Ok(mut answer) => {
                let _inside = span.enter();
                let attempt = answer.extensions().get::<Attempts>().map_or(1, |attempts| attempts.0);
                let (status, ms) = (answer.status().as_u16(), milliseconds(began));
                if answer.status().is_server_error() || status == 429 {
                    tracing::warn!(target: "mts::transport", status, ms, attempt, "refused");
                } else {
                    tracing::debug!(target: "mts::transport", status, ms, attempt, "answered");
                }
                answer.extensions_mut().insert(id);
                Ok(answer)
            }
            Err(error) => {
                let error = self.watch.clean(&id, error);
                let _inside = span.enter();
                let left = error.departure == Departure::MayHaveLeft;
                tracing::warn!(target: "mts::transport", ms = milliseconds(began), left, %error, "failed");
                Err(error)
            }
        }
    }
}

impl Watch {
    /// The path and parameters of an address, without secrets.
    fn path(&self, address: &http::Uri) -> String {
        let path = address.path_and_query().map_or("/", |path| path.as_str());
        self.redactor.text(path).into_owned()
    }
}

impl<C: SocketConnector> SocketConnector for Observe<C> {
    async fn connect(
        &self,
        request: Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let id = self.watch.id();
        let began = Instant::now();
        let span = tracing::debug_span!(
            target: "mts::transport",
            "connection",
            %id,
            host = host(request.uri()),
            path = self.watch.path(request.uri()),
        );
        let connected = self.inner.connect(request, deadline).instrument(span.clone()).await;
        let inside = span.enter();
        let ms = milliseconds(began);
        match connected {
            Ok(socket) => {
                tracing::debug!(target: "mts::transport", ms, "connected");
                drop(inside);
                Ok(Box::new(Observed { socket, watch: self.watch.clone(), id, span, began }))
            }
            Err(error) => {
                let error = self.watch.clean(&id, error);
                tracing::warn!(target: "mts::transport", ms, %error, "not connected");
                Err(error)
            }
        }
    }
}

/// A connection with its id.
struct Observed {
    socket: Box<dyn Socket>,
    watch: Watch,
    id: RequestId,
    span: tracing::Span,
    began: Instant,
}

impl Observed {
    fn broken(&self, error: TransportError) -> TransportError {
        let error = self.watch.clean(&self.id, error);
        let _inside = self.span.enter();
        tracing::warn!(target: "mts::transport", ms = milliseconds(self.began), %error, "connection lost");
        error
    }
}

impl Socket for Observed {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let sent = self.socket.send(frame).await;
            sent.map_err(|error| self.broken(error))
        })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(async move {
            let received = self.socket.receive().await;
            if matches!(received, Ok(None)) {
                let _inside = self.span.enter();
                tracing::debug!(target: "mts::transport", ms = milliseconds(self.began), "connection ended");
            }
            received.map_err(|error| self.broken(error))
        })
    }
}
