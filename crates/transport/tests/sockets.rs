//! Connections to servers on the loopback interface that behave and that do not.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod desk;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use mts_transport::{
    Jitter, KeepAlive, KeepAliveOptions, Reconnect, ReconnectOptions, Reconnects, ReqwestClient, Tls,
    WebSocketConnector, WebSocketOptions,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");

fn connector() -> WebSocketConnector {
    let options =
        WebSocketOptions { max_message_bytes: 1000, max_frame_bytes: 800, ..WebSocketOptions::default() };
    WebSocketConnector::new(Tls::new(AUTHORITY).unwrap(), options)
}

fn to(address: &str) -> http::Request<()> {
    http::Request::builder().uri(address).body(()).unwrap()
}

async fn connect(address: &str) -> Result<Box<dyn Socket>, TransportError> {
    connector().connect(to(address), Duration::from_secs(5)).await
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    (listener, place)
}

fn text(text: &'static str) -> Frame {
    Frame::Text(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn frames_go_both_ways_and_pings_are_answered() {
    let (listener, place) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = tokio_tungstenite::accept_async(stream).await.unwrap();
        let said = peer.next().await.unwrap().unwrap();
        peer.send(said).await.unwrap();
        peer.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
        let pong = peer.next().await.unwrap().unwrap();
        peer.send(Message::Binary(Bytes::from_static(b"\xff\x00"))).await.unwrap();
        peer.close(None).await.unwrap();
        while let Some(Ok(_)) = peer.next().await {}
        pong
    });
    let mut socket = connect(&format!("ws://{place}/stream?x=1")).await.unwrap();
    socket.send(text("hello")).await.unwrap();
    assert_eq!(socket.receive().await.unwrap(), Some(text("hello")));
    assert_eq!(socket.receive().await.unwrap(), Some(Frame::Ping(Bytes::from_static(b"there?"))));
    assert_eq!(socket.receive().await.unwrap(), Some(Frame::Binary(Bytes::from_static(b"\xff\x00"))));
    assert_eq!(socket.receive().await.unwrap(), Some(Frame::Close));
    assert_eq!(socket.receive().await.unwrap(), None);
    assert_eq!(server.await.unwrap(), Message::Pong(Bytes::from_static(b"there?")));
}

#[tokio::test]
async fn what_is_too_long_ends_the_connection() {
    for length in [801, 1001] {
        let (listener, place) = listen().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut peer = tokio_tungstenite::accept_async(stream).await.unwrap();
            peer.send(Message::Binary(Bytes::from(vec![7; length]))).await.unwrap();
            while let Some(Ok(_)) = peer.next().await {}
        });
        let mut socket = connect(&format!("ws://{place}/")).await.unwrap();
        let error = socket.receive().await.unwrap_err();
        assert!(error.message.contains("raise max_message_bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_none_is_told_from_one_that_refuses() {
    for (said, expected) in [
        (
            "HTTP/1.1 403 no\r\ncontent-length: 0\r\n\r\n",
            "403 Forbidden instead of a WebSocket; check the credentials",
        ),
        (
            "HTTP/1.1 302 no\r\nlocation: ws://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            "redirects are not followed",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "200 OK instead"),
        ("SSH-2.0-x\r\n", "is no WebSocket"),
        ("", "is no WebSocket"),
    ] {
        let (listener, place) = listen().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = [0; 4096];
            assert!(stream.read(&mut seen).await.unwrap() > 0);
            stream.write_all(said.as_bytes()).await.unwrap();
        });
        let error = connect(&format!("ws://{place}/?token=hunter2")).await.err().unwrap();
        assert!(error.message.contains(expected), "{error}");
        assert_eq!(error.departure, Departure::NotSent);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    for (address, expected) in [("http://127.0.0.1:1/", "wss://"), ("ws://127.0.0.1:1/", "127.0.0.1:1")] {
        let error = connect(address).await.err().unwrap();
        assert!(error.message.contains(expected) && !error.timed_out, "{error}");
    }
}

#[tokio::test]
async fn a_greeting_that_never_ends_is_left_at_the_deadline() {
    let (listener, place) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let began = Instant::now();
    let hasty = connector().connect(to(&format!("ws://{place}/")), Duration::from_millis(300)).await;
    let error = hasty.err().unwrap();
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(error.message.contains("300 ms") || error.message.contains("is no WebSocket"), "{error}");
}

/// Greets with TLS, then answers one request over HTTP, or greets as a WebSocket and echoes.
async fn secure(listener: TcpListener, is_http: bool) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_slice(include_bytes!("certificates/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("certificates/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        if is_http {
            let mut seen = [0; 4096];
            assert!(stream.read(&mut seen).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            stream.flush().await.unwrap();
            continue;
        }
        let mut peer = tokio_tungstenite::accept_async(stream).await.unwrap();
        let said = peer.next().await.unwrap().unwrap();
        peer.send(said).await.unwrap();
    }
}

#[tokio::test]
async fn tls_is_with_whom_one_trusts_and_with_nobody_else() {
    let (listener, place) = listen().await;
    tokio::spawn(secure(listener, false));
    let port = place.rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost"] {
        let mut socket = connect(&format!("wss://{host}:{port}/")).await.unwrap();
        socket.send(text("hello")).await.unwrap();
        assert_eq!(socket.receive().await.unwrap(), Some(text("hello")));
    }
    // Somebody else's authority.
    let Ok(others) = Tls::new(b"") else { return };
    let strict = WebSocketConnector::new(others.clone(), WebSocketOptions::default());
    let address = format!("wss://127.0.0.1:{port}/");
    let error = strict.connect(to(&address), Duration::from_secs(5)).await.err().unwrap();
    assert!(
        error.message.contains("no TLS with 127.0.0.1") && error.message.contains("certificate"),
        "{error}"
    );
    assert_eq!(error.departure, Departure::NotSent);
}

#[tokio::test]
async fn requests_trust_the_same_authorities() {
    use mts_foundation::io::{HttpClient, RequestOptions};
    let (listener, place) = listen().await;
    tokio::spawn(secure(listener, true));
    let address = format!("https://{place}/");
    let client = ReqwestClient::with_tls(&Tls::new(AUTHORITY).unwrap()).unwrap();
    let answer = client.send(desk::get(&address), &RequestOptions::default()).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"ok");
    let Ok(stranger) = ReqwestClient::new() else { return };
    let error = stranger.send(desk::get(&address), &RequestOptions::default()).await.unwrap_err();
    assert_eq!(error.departure, Departure::NotSent, "{error}");
}

/// Connections as a test wants them: each gives its frames and then nothing, or fails.
#[derive(Clone, Default)]
struct Scripted {
    /// When each attempt came.
    attempts: Arc<Mutex<Vec<Instant>>>,
    sent: Arc<Mutex<Vec<Frame>>>,
    refuses: bool,
    /// Frames come this long after another.
    every: Option<Duration>,
    takes_nothing: bool,
}

struct ScriptedSocket(Scripted, Instant);

impl SocketConnector for Scripted {
    async fn connect(
        &self,
        _request: http::Request<()>,
        _deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        self.attempts.lock().unwrap().push(Instant::now());
        if self.refuses {
            let (message, source) = ("refused".to_owned(), None);
            return Err(TransportError { departure: Departure::NotSent, timed_out: false, message, source });
        }
        Ok(Box::new(ScriptedSocket(self.clone(), Instant::now())))
    }
}

impl Socket for ScriptedSocket {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            if self.0.takes_nothing {
                std::future::pending::<()>().await;
            }
            self.0.sent.lock().unwrap().push(frame);
            Ok(())
        })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(async move {
            match self.0.every {
                Some(pause) => {
                    tokio::time::sleep_until(self.1 + pause).await;
                    self.1 += pause;
                }
                None => std::future::pending().await,
            }
            Ok(Some(Frame::Pong(Bytes::new())))
        })
    }
}

async fn alive(scripted: Scripted, address: &str) -> Box<dyn Socket> {
    let connector =
        KeepAlive::new(scripted, KeepAliveOptions { max_send_bytes: 10, ..KeepAliveOptions::default() });
    connector.connect(to(address), Duration::from_secs(5)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_asked_and_then_left() {
    let (scripted, began) = (Scripted::default(), Instant::now());
    let mut socket = alive(scripted.clone(), "ws://venue.example/").await;
    // Whoever waits in short turns waits no longer.
    let error = loop {
        if let Ok(received) = tokio::time::timeout(Duration::from_secs(7), socket.receive()).await {
            break received.unwrap_err();
        }
    };
    assert!(error.timed_out && error.message.contains("nothing was heard for 60000 ms"), "{error}");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(scripted.sent.lock().unwrap().len(), 2, "asked after 20 s and 40 s");
    let error = socket.send(text("x")).await.unwrap_err();
    assert!(error.departure == Departure::NotSent && error.message.contains("connect again"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_something_stays_and_its_pongs_are_not_handed_on() {
    let scripted = Scripted { every: Some(Duration::from_secs(50)), ..Scripted::default() };
    let mut socket = alive(scripted.clone(), "ws://venue.example/").await;
    let waited = tokio::time::timeout(Duration::from_secs(1000), socket.receive()).await;
    assert!(waited.is_err(), "{waited:?}");
    // Plain TCP is never asked and may be silent.
    let silent = Scripted::default();
    let mut socket = alive(silent.clone(), "tcp://127.0.0.1:7").await;
    assert!(tokio::time::timeout(Duration::from_secs(1000), socket.receive()).await.is_err());
    assert!(silent.sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sending_has_bounds() {
    let mut socket =
        alive(Scripted { takes_nothing: true, ..Scripted::default() }, "ws://venue.example/").await;
    let error = socket.send(text("more than ten")).await.unwrap_err();
    assert!(error.departure == Departure::NotSent && error.message.contains("max_send_bytes"), "{error}");
    let began = Instant::now();
    let error = socket.send(text("short")).await.unwrap_err();
    assert_eq!(
        (began.elapsed().as_secs(), error.departure, error.timed_out),
        (10, Departure::MayHaveLeft, true)
    );
    assert_eq!(socket.send(text("short")).await.unwrap_err().departure, Departure::NotSent);
}

fn patient(scripted: &Scripted, hosts: &Reconnects) -> Reconnect<Scripted> {
    let options = ReconnectOptions { failures: 12, ..ReconnectOptions::default() };
    Reconnect::new(scripted.clone(), options, hosts.clone(), Arc::new(Jitter::new(7)))
}

#[tokio::test(start_paused = true)]
async fn attempts_to_connect_have_pauses_and_an_end() {
    let scripted = Scripted { refuses: true, ..Scripted::default() };
    let (hosts, began) = (Reconnects::default(), Instant::now());
    let connector = patient(&scripted, &hosts);
    let last = loop {
        let error = connector.connect(to("ws://venue.example/"), Duration::from_secs(5)).await.err().unwrap();
        if error.message != "refused" {
            break error;
        }
    };
    assert!(
        last.message.contains("12 connections in a row") && last.departure == Departure::NotSent,
        "{last}"
    );
    let attempts = scripted.attempts.lock().unwrap().clone();
    assert_eq!((attempts.len(), attempts[0]), (12, began));
    let pauses: Vec<f64> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    for (pause, mean) in
        pauses.iter().zip([1.0, 1.5, 2.25, 3.375, 5.0625, 7.59, 11.39, 17.09, 25.63, 30.0, 30.0])
    {
        assert!((pause / mean - 1.0).abs() < 0.26, "{pauses:?}");
    }
    // Another host is another matter, and failures can be forgiven.
    let other = connector.connect(to("ws://other.example/"), Duration::from_secs(5)).await.err().unwrap();
    assert_eq!((other.message.as_str(), hosts.failures("venue.example")), ("refused", 12));
    hosts.forgive("venue.example");
    let error = connector.connect(to("ws://venue.example/"), Duration::from_secs(5)).await.err().unwrap();
    assert_eq!(error.message, "refused");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lived_starts_anew_and_one_that_did_not_counts() {
    let (scripted, hosts) = (Scripted::default(), Reconnects::default());
    let connector = patient(&scripted, &hosts);
    for failures in 1..=3 {
        drop(connector.connect(to("ws://venue.example/"), Duration::from_secs(5)).await.unwrap());
        assert_eq!(hosts.failures("venue.example"), failures);
    }
    let socket = connector.connect(to("ws://venue.example/"), Duration::from_secs(5)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    drop(socket);
    assert_eq!(hosts.failures("venue.example"), 0);
    let began = Instant::now();
    drop(connector.connect(to("ws://venue.example/"), Duration::from_secs(5)).await.unwrap());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn plain_tcp_goes_through_the_same_connector() {
    let (listener, place) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
        let mut seen = [0; 3];
        stream.read_exact(&mut seen).await.unwrap();
        seen
    });
    let mut socket = connect(&format!("tcp://{place}")).await.unwrap();
    socket.send(Frame::Binary(Bytes::from_static(b"API"))).await.unwrap();
    assert_eq!(&server.await.unwrap(), b"API");
    let error = connect("tcp://192.0.2.1:7").await.err().unwrap();
    assert!(error.message.contains("not encrypted"), "{error}");
}
