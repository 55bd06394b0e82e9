//! WebSockets: one client's stream from its handshake to its end.

use super::http::{Ended, Sent, response};
use super::streams::MAX_STREAMS;
use super::streams::Next;
use super::{Heard, Inner, Shared};
use crate::dialect::{Answer, Frame, Request, Trouble};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use mts_foundation::double::{Call, CallFault};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Largest message of a client.
const MAX_MESSAGE: usize = 1 << 16;
/// How often a stream is asked for a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What the answer to a handshake carries, where the request is one.
pub(super) fn wants_upgrade(headers: &http::HeaderMap) -> Option<String> {
    let upgrade = headers.get(http::header::UPGRADE)?.to_str().ok()?;
    let key = headers.get(http::header::SEC_WEBSOCKET_KEY)?;
    upgrade.eq_ignore_ascii_case("websocket").then(|| derive_accept_key(key.as_bytes()))
}

/// What becomes of a handshake.
enum Handshake {
    /// A stream of this number, after so many milliseconds.
    Follow(u64, u64),
    /// No stream.
    Refused(Answer),
    /// The end of the connection.
    End,
    /// Nothing, for ever.
    Never,
}

fn handshake(inner: &mut Inner, request: &Request) -> Handshake {
    if inner.dialect.call_of(request) != Some(Call::Stream) {
        return Handshake::Refused(Answer::empty(404));
    }
    *inner.calls.entry(Call::Stream).or_default() += 1;
    inner.note(&format_args!("stream {}", request.path));
    let fault = inner.faults.take(Call::Stream);
    let trouble = |trouble| Handshake::Refused(inner.dialect.trouble(trouble, &inner.desk));
    let mut late = 0;
    match fault {
        Some(CallFault::Down { status } | CallFault::DownAfter { status }) => {
            return trouble(Trouble::Down(status));
        }
        Some(CallFault::TooMany { retry_after }) => return trouble(Trouble::TooMany(retry_after)),
        Some(CallFault::StrangeRefusal) => return trouble(Trouble::Strange),
        Some(CallFault::Wrong(_)) => return Handshake::Refused(Answer::empty(200)),
        Some(CallFault::Ignored) => return Handshake::Never,
        Some(CallFault::NotRead | CallFault::AnswerLost | CallFault::AnswerCut) => return Handshake::End,
        Some(CallFault::Late { by_millis }) => late = by_millis,
        Some(CallFault::NotAuthorised | CallFault::Silent) | None => {}
    }
    let follower = inner.dialect.follower(request, fault == Some(CallFault::NotAuthorised));
    let Some(number) = inner.streams.open(follower) else {
        let most = format!("{MAX_STREAMS} streams are open");
        return Handshake::Refused(Answer::empty(429).with("x-reason", most));
    };
    if fault == Some(CallFault::Silent) {
        inner.streams.silence(number);
    }
    Handshake::Follow(number, late)
}

/// Takes a handshake.
pub(super) async fn open(
    shared: &Arc<Shared>,
    request: &Request,
    accept: String,
    incoming: hyper::Request<()>,
) -> Result<hyper::Response<Sent>, Ended> {
    let handshake = handshake(&mut shared.lock(), request);
    let number = match handshake {
        Handshake::Refused(answer) => return Ok(response(answer, &shared.lock())),
        Handshake::End => return Err(Ended),
        Handshake::Never => return std::future::pending().await,
        Handshake::Follow(number, late) => {
            tokio::time::sleep(Duration::from_millis(late)).await;
            number
        }
    };
    let stream = Arc::clone(shared);
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(incoming).await {
            follow(&stream, number, upgraded).await;
        }
        stream.lock().streams.close(number);
    });
    let answer = Answer::empty(101)
        .with("connection", "Upgrade")
        .with("upgrade", "websocket")
        .with("sec-websocket-accept", accept);
    Ok(response(answer, &shared.lock()))
}

/// What a stream does after it has done something.
enum Go {
    On,
    Silent,
    Over,
}

async fn follow(shared: &Shared, number: u64, upgraded: Upgraded) {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let mut changed = shared.changed.subscribe();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let greeting = {
        let mut inner = shared.lock();
        let Inner { streams, desk, .. } = &mut *inner;
        streams.greet(number, desk)
    };
    match carry_out(&mut socket, greeting).await {
        Go::On => {}
        Go::Silent => return be_silent(shared, number, socket).await,
        Go::Over => return,
    }
    loop {
        let next = {
            let mut inner = shared.lock();
            let fields = inner.dialect.fields();
            let Inner { streams, desk, .. } = &mut *inner;
            streams.next(number, desk, fields)
        };
        match carry_out(&mut socket, next).await {
            Go::On => {}
            Go::Silent => return be_silent(shared, number, socket).await,
            Go::Over => return,
        }
        let next = tokio::select! {
            message = socket.next() => {
                let (bytes, is_text) = match message {
                    Some(Ok(Message::Text(text))) => (Bytes::from(text), true),
                    Some(Ok(Message::Binary(bytes))) => (bytes, false),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                let mut inner = shared.lock();
                let (method, target) = ("MESSAGE".to_owned(), String::new());
                inner.hear(Heard { method, target, headers: Vec::new(), body: bytes.clone() });
                let Inner { streams, desk, .. } = &mut *inner;
                let events = desk.next_event();
                let next = streams.hear(number, desk, &bytes, is_text);
                if desk.next_event() != events {
                    shared.wake();
                }
                next
            }
            _ = changed.changed() => continue,
            _ = heartbeat.tick() => {
                let mut inner = shared.lock();
                let Inner { streams, desk, .. } = &mut *inner;
                streams.heartbeat(number, desk)
            }
        };
        match carry_out(&mut socket, next).await {
            Go::On => {}
            Go::Silent => return be_silent(shared, number, socket).await,
            Go::Over => return,
        }
    }
}

async fn carry_out(socket: &mut WebSocketStream<TokioIo<Upgraded>>, next: Next) -> Go {
    let frames = match next {
        Next::Send(frames) => frames,
        Next::BeSilent => return Go::Silent,
        // Without a closing handshake: the connection is cut.
        Next::End => return Go::Over,
    };
    for frame in frames {
        let message = match frame {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
            Frame::Close => {
                // A client that is gone needs no farewell.
                socket.close(None).await.unwrap_or_default();
                return Go::Over;
            }
        };
        if socket.send(message).await.is_err() {
            return Go::Over;
        }
    }
    Go::On
}

/// Stays open without a word, not even the answer to a ping, until either side ends it.
async fn be_silent(shared: &Shared, number: u64, socket: WebSocketStream<TokioIo<Upgraded>>) {
    let mut raw = socket.into_inner();
    let mut changed = shared.changed.subscribe();
    let mut sink = [0_u8; 1_024];
    loop {
        tokio::select! {
            read = raw.read(&mut sink) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
            }
            _ = changed.changed() => {
                if !shared.lock().streams.is_open(number) {
                    return;
                }
            }
        }
    }
}
