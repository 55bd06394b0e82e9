//! Plain sockets: one client from its greeting to its end. Who does not greet speaks HTTP, at the same address.

use super::streams::Next;
use super::{Heard, Inner, Shared, TICK, http};
use crate::dialect::{Frame, Reply, Trouble, Unreadable};
use bytes::{Bytes, BytesMut};
use mts_foundation::double::{Call, CallFault};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Most answers that are late at once.
const MAX_LATE: usize = 64;
/// How long a client that is thrown out is listened to.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How often a client that has not greeted whole is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long a client may take nothing of what it is sent until it is told so, and until it is cut.
const LAGS_AFTER: Duration = Duration::from_millis(500);
const CUT_AFTER: Duration = Duration::from_secs(5);

/// Serves a connection: as a session where the venue speaks first or the client greets, else as HTTP.
pub(super) async fn either(shared: Arc<Shared>, number: u64, mut stream: TcpStream) {
    let (greeting, speaks_first) = {
        let inner = shared.lock();
        (inner.dialect.greeting(), inner.dialect.speaks_first())
    };
    let greets = match greeting {
        Some(greeting) => greets(&shared, number, &stream, greeting).await,
        None => false,
    };
    if !speaks_first && !greets {
        return http::connection(shared, number, stream).await;
    }
    serve(&shared, &mut stream).await;
    shared.lock().connections.remove(&number);
}

/// Whether the first bytes of a client are the greeting.
async fn greets(shared: &Shared, number: u64, stream: &TcpStream, greeting: &[u8]) -> bool {
    let mut first = [0_u8; 8];
    while shared.lock().connections.contains(&number) {
        match stream.peek(&mut first).await {
            Ok(0) | Err(_) => return false,
            Ok(there) => {
                let there = there.min(greeting.len());
                if first.get(..there) != greeting.get(..there) {
                    return false;
                }
                if there == greeting.len() {
                    return true;
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

async fn serve(shared: &Shared, stream: &mut TcpStream) {
    let opened = {
        let mut inner = shared.lock();
        let session = inner.dialect.session();
        session.and_then(|session| inner.sessions.open(session))
    };
    let Some(number) = opened else { return };
    talk(shared, number, stream).await;
    shared.lock().sessions.close(number);
    shared.wake();
}

/// What becomes of a message.
enum Outcome {
    Answer(Reply),
    /// After so many milliseconds.
    Later(Vec<Frame>, u64),
    /// The first half of it, then the end of the connection.
    Cut(Vec<Frame>),
    /// The end of the connection.
    End,
    /// Nothing.
    Never,
}

async fn talk(shared: &Shared, number: u64, stream: &mut TcpStream) {
    let mut changed = shared.changed.subscribe();
    let mut tick = tokio::time::interval(TICK);
    let (later, mut late) = mpsc::channel::<Vec<Frame>>(MAX_LATE);
    let mut buffer = BytesMut::new();
    let greeting = {
        let mut inner = shared.lock();
        let Inner { sessions, desk, .. } = &mut *inner;
        sessions.greet(number, desk)
    };
    if !go(shared, number, stream, greeting).await {
        return;
    }
    loop {
        if !tell(shared, number, stream).await {
            return;
        }
        tokio::select! {
            read = stream.read_buf(&mut buffer) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
                while let Some(outcome) = hear(shared, number, &mut buffer) {
                    shared.wake();
                    if !carry_out(shared, number, stream, outcome, &later).await {
                        return;
                    }
                }
            }
            Some(frames) = late.recv() => {
                if !send(shared, number, stream, frames).await {
                    return;
                }
            }
            _ = changed.changed() => {}
            _ = tick.tick() => {
                // At once, so that no heartbeat goes before what has happened before it.
                let next = {
                    let mut inner = shared.lock();
                    let fields = inner.dialect.fields();
                    let Inner { sessions, desk, .. } = &mut *inner;
                    match (sessions.next(number, desk, fields), sessions.heartbeat(number, desk)) {
                        (Next::Send(told), Next::Send(beat)) => Next::Send([told, beat].concat()),
                        (_, other) => other,
                    }
                };
                if !go(shared, number, stream, next).await {
                    return;
                }
            }
        }
    }
}

/// Tells what has happened. Whether the connection lives on.
async fn tell(shared: &Shared, number: u64, stream: &mut TcpStream) -> bool {
    let next = {
        let mut inner = shared.lock();
        let fields = inner.dialect.fields();
        let Inner { sessions, desk, .. } = &mut *inner;
        sessions.next(number, desk, fields)
    };
    go(shared, number, stream, next).await
}

async fn go(shared: &Shared, number: u64, stream: &mut TcpStream, next: Next) -> bool {
    match next {
        Next::Send(frames) => send(shared, number, stream, frames).await,
        Next::BeSilent => true,
        Next::End => false,
    }
}

async fn send(shared: &Shared, number: u64, stream: &mut TcpStream, frames: Vec<Frame>) -> bool {
    for frame in frames {
        let Frame::Binary(bytes) = frame else {
            hang_up(stream).await;
            return false;
        };
        if !write(shared, number, stream, bytes).await {
            return false;
        }
    }
    true
}

/// Writes all of it, unless the session is cut meanwhile or the client takes nothing for too long.
async fn write(shared: &Shared, number: u64, stream: &mut TcpStream, bytes: Vec<u8>) -> bool {
    let mut left = BytesMut::from(bytes.as_slice());
    let (mut moved, mut was_told) = (Instant::now(), false);
    while !left.is_empty() {
        match tokio::time::timeout(TICK, stream.write_buf(&mut left)).await {
            Ok(Ok(1..)) => moved = Instant::now(),
            Ok(_) => return false,
            Err(_) => {
                let mut inner = shared.lock();
                let Inner { sessions, desk, .. } = &mut *inner;
                if !sessions.is_open(number) || moved.elapsed() >= CUT_AFTER {
                    return false;
                }
                if moved.elapsed() >= LAGS_AFTER && !was_told {
                    was_told = true;
                    let told = sessions.speaking(number).map(|session| session.lags(desk));
                    for frame in told.into_iter().flatten() {
                        if let Frame::Binary(bytes) = frame {
                            left.extend_from_slice(&bytes);
                        }
                    }
                }
            }
        }
    }
    true
}

/// Ends a connection so that what was said before is heard: a socket that closes with something unread in it resets the
/// connection, and a client that is still sending would lose the last words.
async fn hang_up(stream: &mut TcpStream) {
    stream.shutdown().await.unwrap_or_default();
    let mut rest = [0_u8; 4_096];
    let drain = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
    // Who goes on talking after that is not waited for.
    tokio::time::timeout(LAST_WORDS, drain).await.unwrap_or_default();
}

/// The outcome of the first message of what has come; `None` = there is no whole one.
fn hear(shared: &Shared, number: u64, buffer: &mut BytesMut) -> Option<Outcome> {
    let mut inner = shared.lock();
    // A silent stream reads and does nothing; one that was cut ends when it is asked what it tells.
    let Some(session) = inner.sessions.speaking(number) else {
        buffer.clear();
        return None;
    };
    let message = match session.split(buffer) {
        Ok(message) => message?,
        Err(Unreadable) => return Some(Outcome::End),
    };
    let (call, (target, body)) = (session.call_of(&message), session.heard(&message));
    let heard = Heard { method: "MESSAGE".to_owned(), target, headers: Vec::new(), body: Bytes::from(body) };
    let name = heard.target.clone();
    inner.hear(heard);
    let fault = call.and_then(|call| {
        *inner.calls.entry(call).or_default() += 1;
        inner.faults.take(call)
    });
    let outcome = outcome(&mut inner, number, call, fault, &message);
    let Inner { sessions, desk, .. } = &mut *inner;
    sessions.follow(number, desk);
    let said = match &outcome {
        Outcome::Answer(reply) => format!("{} messages", reply.frames.len()),
        Outcome::Later(..) => "late".to_owned(),
        Outcome::Cut(_) => "cut".to_owned(),
        Outcome::End => "ended".to_owned(),
        Outcome::Never => "not answered".to_owned(),
    };
    inner.note(&format_args!("{} {name} {said}", call.map_or("?", Call::as_str)));
    Some(outcome)
}

/// Does with a message what is right, or what shall go wrong.
fn outcome(
    inner: &mut Inner,
    number: u64,
    call: Option<Call>,
    fault: Option<CallFault>,
    message: &[u8],
) -> Outcome {
    let Inner { sessions, desk, .. } = inner;
    let Some(session) = sessions.speaking(number) else { return Outcome::End };
    let says = |frames| Outcome::Answer(Reply { frames, waits: false });
    let Some(fault) = fault else { return Outcome::Answer(session.answer(desk, message, None)) };
    match fault {
        CallFault::NotRead => Outcome::End,
        CallFault::Ignored => Outcome::Never,
        CallFault::Down { status } => says(session.trouble(desk, Trouble::Down(status), message)),
        CallFault::TooMany { retry_after } => {
            says(session.trouble(desk, Trouble::TooMany(retry_after), message))
        }
        CallFault::NotAuthorised => says(session.trouble(desk, Trouble::NotAuthorised, message)),
        CallFault::StrangeRefusal => says(session.trouble(desk, Trouble::Strange, message)),
        CallFault::AnswerLost => {
            session.answer(desk, message, None);
            Outcome::End
        }
        CallFault::AnswerCut => Outcome::Cut(session.answer(desk, message, None).frames),
        CallFault::Silent => {
            session.answer(desk, message, None);
            if call == Some(Call::Stream) {
                sessions.silence(number);
            }
            Outcome::Never
        }
        CallFault::Late { by_millis } => {
            Outcome::Later(session.answer(desk, message, None).frames, by_millis)
        }
        CallFault::DownAfter { status } => {
            session.answer(desk, message, None);
            says(session.trouble(desk, Trouble::Down(status), message))
        }
        CallFault::Wrong(wrong) => Outcome::Answer(session.answer(desk, message, Some(wrong))),
    }
}

/// Whether the connection lives on.
async fn carry_out(
    shared: &Shared,
    number: u64,
    stream: &mut TcpStream,
    outcome: Outcome,
    later: &mpsc::Sender<Vec<Frame>>,
) -> bool {
    match outcome {
        Outcome::Answer(reply) => {
            (!reply.waits || tell(shared, number, stream).await)
                && send(shared, number, stream, reply.frames).await
        }
        Outcome::Later(frames, millis) => {
            let later = later.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                // A client that is gone needs no answer.
                later.send(frames).await.unwrap_or_default();
            });
            true
        }
        Outcome::Cut(frames) => {
            send(shared, number, stream, vec![Frame::Binary(half(frames)), Frame::Close]).await
        }
        Outcome::End => false,
        Outcome::Never => true,
    }
}

/// About the first half of what frames hold; it ends in the midst of one.
fn half(frames: Vec<Frame>) -> Vec<u8> {
    let whole: usize = frames.iter().map(length).sum();
    let (mut bytes, mut end) = (Vec::new(), whole / 2);
    for frame in frames {
        if bytes.len() == end {
            end += 1;
        }
        if let Frame::Binary(more) = frame {
            bytes.extend(more);
        }
    }
    bytes.truncate(end);
    bytes
}

fn length(frame: &Frame) -> usize {
    match frame {
        Frame::Binary(bytes) => bytes.len(),
        Frame::Text(_) | Frame::Close => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_ends_in_the_midst_of_a_frame() {
        let halves =
            |sizes: &[usize]| half(sizes.iter().map(|size| Frame::Binary(vec![0; *size])).collect()).len();
        assert_eq!([halves(&[10]), halves(&[4, 4]), halves(&[4, 8])], [5, 5, 6]);
        assert_eq!(halves(&[]), 0);
    }
}
