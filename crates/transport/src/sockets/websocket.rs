//! WebSockets over TCP and TLS, and plain TCP beside them.

use super::tcp::TcpConnector;
use super::{TcpReach, in_time, not_connected, open};
use crate::tls::Tls;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Uri};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Longest payload of a ping (RFC 6455, 5.5).
const MAX_PING: usize = 125;

/// The bounds of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// Largest message that is taken, in bytes.
    pub max_message_bytes: usize,
    /// Largest frame of one.
    pub max_frame_bytes: usize,
    /// Most bytes that wait to be sent.
    pub max_waiting_bytes: usize,
    /// Where `tcp://` may lead.
    pub tcp: TcpReach,
}

impl Default for WebSocketOptions {
    /// Messages of 8 MiB, frames of 4 MiB, 2 MiB that wait, TCP on this machine.
    fn default() -> Self {
        Self {
            max_message_bytes: 8 << 20,
            max_frame_bytes: 4 << 20,
            max_waiting_bytes: 2 << 20,
            tcp: TcpReach::ThisMachine,
        }
    }
}

/// Connects to `wss://`, `ws://` and `tcp://`. A WebSocket's pings are answered; both they and pongs are handed on as frames.
///
/// Must be used inside a tokio runtime with I/O and time.
#[derive(Debug, Clone)]
pub struct WebSocketConnector {
    tls: Tls,
    options: WebSocketOptions,
}

impl WebSocketConnector {
    /// Trusts whom `tls` trusts.
    #[must_use]
    pub const fn new(tls: Tls, options: WebSocketOptions) -> Self {
        Self { tls, options }
    }

    fn config(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .max_message_size(Some(self.options.max_message_bytes))
            .max_frame_size(Some(self.options.max_frame_bytes))
            // What is sent leaves at once.
            .write_buffer_size(0)
            .max_write_buffer_size(self.options.max_waiting_bytes.max(1))
    }

    async fn upgrade(
        &self,
        request: http::Request<()>,
        place: &str,
        is_secure: bool,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let stream = open(place).await?;
        let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let request = with_handshake(request)?;
        if !is_secure {
            return self.greet(request, stream, place).await;
        }
        let name = ServerName::try_from(host).map_err(|error| {
            not_connected(format!("{place} has no name that a certificate can hold: {error}"), None)
        })?;
        let stream = TlsConnector::from(self.tls.config()).connect(name, stream).await.map_err(|error| {
            let message = format!("no TLS with {place}: {error}; check the address and the certificates");
            not_connected(message, Some(Box::new(error)))
        })?;
        self.greet(request, stream, place).await
    }

    async fn greet<S>(
        &self,
        request: http::Request<()>,
        stream: S,
        place: &str,
    ) -> Result<Box<dyn Socket>, TransportError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let greeted = client_async_with_config(request, stream, Some(self.config())).await;
        let (stream, _) = greeted.map_err(|error| match error {
            tungstenite::Error::Http(answer) => {
                let status = answer.status();
                let remedy = match status.as_u16() {
                    401 | 403 => "check the credentials",
                    429 => "connect less often",
                    300..=399 => "redirects are not followed, name the address that it leads to",
                    _ => "check the address",
                };
                not_connected(format!("{place} answers {status} instead of a WebSocket; {remedy}"), None)
            }
            error => {
                let message = format!("{place} is no WebSocket: {error}; check the address");
                not_connected(message, Some(Box::new(error)))
            }
        })?;
        Ok(Box::new(WebSocket { stream, place: place.to_owned() }))
    }
}

impl SocketConnector for WebSocketConnector {
    async fn connect(
        &self,
        request: http::Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let is_secure = match request.uri().scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            Some("tcp") => {
                return SocketConnector::connect(&TcpConnector::new(self.options.tcp), request, deadline)
                    .await;
            }
            other => {
                let scheme = other.unwrap_or("none");
                return Err(not_connected(
                    format!("the scheme {scheme} is not known; write wss://, ws:// or tcp://"),
                    None,
                ));
            }
        };
        let place = place(request.uri(), is_secure)?;
        // Boxed: TLS makes it large.
        in_time(&place, deadline, Box::pin(self.upgrade(request, &place, is_secure))).await
    }
}

/// The `host:port` of an address.
fn place(address: &Uri, is_secure: bool) -> Result<String, TransportError> {
    let host = address.host().filter(|host| !host.is_empty());
    let host =
        host.ok_or_else(|| not_connected("the address names no host; write wss://host".to_owned(), None))?;
    Ok(format!("{host}:{}", address.port_u16().unwrap_or(if is_secure { 443 } else { 80 })))
}

/// The request with what RFC 6455, 4.1 asks for; what the caller set himself stays.
fn with_handshake(mut request: http::Request<()>) -> Result<http::Request<()>, TransportError> {
    let place = request.uri().authority().map_or("", |place| place.as_str());
    let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let host = HeaderValue::from_str(place).map_err(|_| {
        not_connected("the host cannot stand in a header; check the address".to_owned(), None)
    })?;
    let key = HeaderValue::from_str(&generate_key())
        .map_err(|error| not_connected(format!("no key for the handshake: {error}"), None))?;
    let fixed = HeaderValue::from_static;
    let headers = request.headers_mut();
    headers.insert("connection", fixed("Upgrade"));
    headers.insert("upgrade", fixed("websocket"));
    headers.insert("sec-websocket-version", fixed("13"));
    headers.insert("sec-websocket-key", key);
    headers.entry("host").or_insert(host);
    Ok(request)
}

struct WebSocket<S> {
    stream: WebSocketStream<S>,
    place: String,
}

impl<S> WebSocket<S> {
    fn fault(&self, error: tungstenite::Error) -> TransportError {
        let remedy = match &error {
            tungstenite::Error::Capacity(_) => "raise max_message_bytes or ask for less",
            tungstenite::Error::WriteBufferFull(_) => "the peer takes nothing, connect again",
            _ => "connect again",
        };
        // Some of them hold the frame.
        let said = match &error {
            tungstenite::Error::WriteBufferFull(_) => "too much waits to be sent".to_owned(),
            error => error.to_string(),
        };
        TransportError {
            departure: Departure::MayHaveLeft,
            timed_out: false,
            message: format!("{}: {said}; {remedy}", self.place),
            source: None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for WebSocket<S> {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let message = match frame {
                Frame::Text(bytes) => Message::Text(Utf8Bytes::try_from(bytes).map_err(|_| {
                    let message = format!("{}: a text that is not UTF-8; send it as binary", self.place);
                    not_connected(message, None)
                })?),
                Frame::Binary(bytes) => Message::Binary(bytes),
                Frame::Ping(bytes) => Message::Ping(bytes.slice(..bytes.len().min(MAX_PING))),
                Frame::Pong(bytes) => Message::Pong(bytes.slice(..bytes.len().min(MAX_PING))),
                Frame::Close => Message::Close(None),
            };
            let sent = self.stream.send(message).await;
            sent.map_err(|error| self.fault(error))
        })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(async move {
            Ok(Some(match self.stream.next().await {
                None => return Ok(None),
                Some(Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed)) => {
                    return Ok(None);
                }
                Some(Err(error)) => return Err(self.fault(error)),
                Some(Ok(Message::Text(text))) => Frame::Text(Bytes::from(text)),
                Some(Ok(Message::Binary(bytes))) => Frame::Binary(bytes),
                Some(Ok(Message::Ping(bytes))) => Frame::Ping(bytes),
                Some(Ok(Message::Pong(bytes))) => Frame::Pong(bytes),
                Some(Ok(Message::Close(_) | Message::Frame(_))) => Frame::Close,
            }))
        })
    }
}
