//! Asks peers whether they live, and leaves connections that have gone silent or do not take what is sent.

use bytes::Bytes;
use http::Request;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection may be silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepAliveOptions {
    /// How often a WebSocket's peer is asked; zero for never.
    pub ping: Duration,
    /// A WebSocket of which no frame came for so long is left; zero for never. At least twice `ping`.
    pub silence: Duration,
    /// The same for plain TCP, where nobody can be asked.
    pub silence_tcp: Duration,
    /// Longest wait for a frame to be taken by the system.
    pub send: Duration,
    /// Largest frame that is sent, in bytes.
    pub max_send_bytes: usize,
}

impl Default for KeepAliveOptions {
    /// Asked every 20 s and left after 60 s; plain TCP never; 10 s and 1 MiB to send.
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            silence_tcp: Duration::ZERO,
            send: Duration::from_secs(10),
            max_send_bytes: 1 << 20,
        }
    }
}

/// Keeps the connections of a connector alive while somebody waits for their frames, answers their pings and hands neither
/// pings nor pongs on.
///
/// Must be used inside a tokio runtime with time.
pub struct KeepAlive<C> {
    inner: C,
    options: KeepAliveOptions,
}

impl<C> KeepAlive<C> {
    /// Around a connector.
    pub fn new(inner: C, options: KeepAliveOptions) -> Self {
        Self { inner, options }
    }
}

impl<C: SocketConnector> SocketConnector for KeepAlive<C> {
    async fn connect(
        &self,
        request: Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let is_tcp = request.uri().scheme_str() == Some("tcp");
        let host = super::host(request.uri()).to_owned();
        let socket = self.inner.connect(request, deadline).await?;
        let (ping, silence) = if is_tcp {
            (Duration::ZERO, self.options.silence_tcp)
        } else {
            (self.options.ping, self.options.silence)
        };
        let now = Instant::now();
        let options = KeepAliveOptions { ping, silence, ..self.options.clone() };
        Ok(Box::new(Alive { socket, host, options, heard: now, asked: now, is_broken: false }))
    }
}

struct Alive {
    socket: Box<dyn Socket>,
    host: String,
    options: KeepAliveOptions,
    /// When the last frame came.
    heard: Instant,
    /// When the peer was last asked.
    asked: Instant,
    /// A frame may have left in part: nothing can follow it.
    is_broken: bool,
}

impl Alive {
    fn fault(&self, departure: Departure, timed_out: bool, message: String) -> TransportError {
        TransportError { departure, timed_out, message: format!("{}: {message}", self.host), source: None }
    }

    async fn put(&mut self, frame: Frame) -> Result<(), TransportError> {
        if self.is_broken {
            let message = "the connection is broken; connect again".to_owned();
            return Err(self.fault(Departure::NotSent, false, message));
        }
        let (Frame::Text(bytes) | Frame::Binary(bytes) | Frame::Ping(bytes) | Frame::Pong(bytes)) = &frame
        else {
            return self.in_time(Frame::Close).await;
        };
        if bytes.len() > self.options.max_send_bytes {
            let message = format!(
                "a frame has {} bytes, {} may be sent; send less or raise max_send_bytes",
                bytes.len(),
                self.options.max_send_bytes
            );
            return Err(self.fault(Departure::NotSent, false, message));
        }
        self.in_time(frame).await
    }

    async fn in_time(&mut self, frame: Frame) -> Result<(), TransportError> {
        // Broken until it is known to have left: whoever drops this call leaves a part of a frame behind.
        self.is_broken = true;
        match tokio::time::timeout(self.options.send, self.socket.send(frame)).await {
            Ok(Ok(())) => {
                self.is_broken = false;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let message = format!(
                    "a frame was not taken within {} ms; connect again",
                    self.options.send.as_millis()
                );
                Err(self.fault(Departure::MayHaveLeft, true, message))
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Frame>, TransportError> {
        loop {
            let due = |since: Instant, after: Duration| {
                if after.is_zero() { None } else { since.checked_add(after) }
            };
            let silent = due(self.heard, self.options.silence);
            let ask = due(self.asked.max(self.heard), self.options.ping);
            let next = [silent, ask].into_iter().flatten().min();
            let received = match next {
                None => self.socket.receive().await,
                Some(next) => match tokio::time::timeout_at(next, self.socket.receive()).await {
                    Ok(received) => received,
                    Err(_) if silent.is_some_and(|silent| silent <= Instant::now()) => {
                        self.is_broken = true;
                        let silence = self.options.silence.as_millis();
                        let message = format!("nothing was heard for {silence} ms; connect again");
                        return Err(self.fault(Departure::MayHaveLeft, true, message));
                    }
                    Err(_) => {
                        self.asked = Instant::now();
                        self.put(Frame::Ping(Bytes::new())).await?;
                        continue;
                    }
                },
            }?;
            self.heard = Instant::now();
            match received {
                Some(Frame::Ping(_) | Frame::Pong(_)) => {}
                other => return Ok(other),
            }
        }
    }
}

impl Socket for Alive {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(self.put(frame))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(self.next())
    }
}
