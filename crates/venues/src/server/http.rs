//! Connections and requests, with what goes wrong on purpose.

use super::faults::spoil;
use super::{Heard, Inner, Shared, control, socket};
use crate::dialect::{Answer, Request, Trouble};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mts_foundation::double::{Call, CallFault};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

/// Largest body of a request.
const MAX_BODY: usize = 1 << 20;
/// How long an answer waits for the streams to tell first.
const STREAMS_FIRST: Duration = Duration::from_millis(50);
/// Between the first half of an answer and the end of its connection: so that the half leaves.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here on purpose")]
pub(super) struct Ended;

/// What becomes of a request.
enum Outcome {
    Answer(Answer),
    /// After so many milliseconds.
    Later(Answer, u64),
    /// Half of it, then the end of the connection.
    Cut(Answer),
    /// The end of the connection.
    End,
    /// Nothing, for ever.
    Never,
}

/// Serves one connection until it ends, or its number is taken off the list.
pub(super) async fn connection<S>(shared: Arc<Shared>, number: u64, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut changed = shared.changed.subscribe();
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request| handle(Arc::clone(&shared), number, request))
    };
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    loop {
        tokio::select! {
            // A connection that broke needs nobody's attention.
            _ = &mut served => break,
            _ = changed.changed() => {
                if !shared.lock().connections.contains(&number) {
                    break;
                }
            }
        }
    }
    shared.lock().connections.remove(&number);
}

async fn handle(
    shared: Arc<Shared>,
    connection: u64,
    incoming: hyper::Request<Incoming>,
) -> Result<hyper::Response<Sent>, Ended> {
    let (parts, body) = incoming.into_parts();
    let incoming = hyper::Request::from_parts(parts, ());
    let upgrade = socket::wants_upgrade(incoming.headers());
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(response(Answer::empty(413), &shared.lock()));
    };
    let request = Request {
        method: incoming.method().clone(),
        path: incoming.uri().path().to_owned(),
        query: pairs(incoming.uri().query().unwrap_or_default()),
        headers: incoming.headers().clone(),
        body: body.to_bytes(),
    };
    if request.path.starts_with(control::PREFIX) {
        let answer = control::answer(&shared, &request);
        shared.wake();
        return Ok(response(answer, &shared.lock()));
    }
    let target = incoming.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    shared.lock().hear(heard(&request, target));
    if let Some(accept) = upgrade {
        return socket::open(&shared, &request, accept, incoming).await;
    }
    let outcome = {
        let mut inner = shared.lock();
        if !inner.connections.contains(&connection) {
            return Err(Ended);
        }
        outcome(&mut inner, &request)
    };
    shared.wake();
    finish(&shared, outcome).await
}

fn heard(request: &Request, target: String) -> Heard {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Heard { method: request.method.to_string(), target, headers, body: request.body.clone() }
}

/// Does with a request what is right, or what shall go wrong.
fn outcome(inner: &mut Inner, request: &Request) -> Outcome {
    let call = inner.dialect.call_of(request);
    let fault = call.and_then(|call| {
        *inner.calls.entry(call).or_default() += 1;
        inner.faults.take(call)
    });
    let outcome = faulty(inner, request, fault);
    let said = match &outcome {
        Outcome::Answer(answer) | Outcome::Later(answer, _) => answer.status.to_string(),
        Outcome::Cut(_) => "cut".to_owned(),
        Outcome::End => "ended".to_owned(),
        Outcome::Never => "not answered".to_owned(),
    };
    let call = call.map_or("?", Call::as_str);
    inner.note(&format_args!("{call} {} {} {said}", request.method, request.path));
    outcome
}

fn faulty(inner: &mut Inner, request: &Request, fault: Option<CallFault>) -> Outcome {
    let Inner { desk, dialect, .. } = inner;
    let Some(fault) = fault else { return Outcome::Answer(dialect.answer(desk, request)) };
    let trouble = |trouble| Outcome::Answer(dialect.trouble(trouble, desk));
    match fault {
        CallFault::NotRead => Outcome::End,
        CallFault::Ignored => Outcome::Never,
        CallFault::Down { status } => trouble(Trouble::Down(status)),
        CallFault::TooMany { retry_after } => trouble(Trouble::TooMany(retry_after)),
        CallFault::NotAuthorised => trouble(Trouble::NotAuthorised),
        CallFault::StrangeRefusal => trouble(Trouble::Strange),
        CallFault::AnswerLost => {
            dialect.answer(desk, request);
            Outcome::End
        }
        CallFault::AnswerCut => Outcome::Cut(dialect.answer(desk, request)),
        CallFault::Silent => {
            dialect.answer(desk, request);
            Outcome::Never
        }
        CallFault::Late { by_millis } => Outcome::Later(dialect.answer(desk, request), by_millis),
        CallFault::DownAfter { status } => {
            dialect.answer(desk, request);
            Outcome::Answer(dialect.trouble(Trouble::Down(status), desk))
        }
        CallFault::Wrong(wrong) => {
            let fields = dialect.fields();
            Outcome::Answer(spoil(dialect.answer(desk, request), wrong, fields))
        }
    }
}

async fn finish(shared: &Shared, outcome: Outcome) -> Result<hyper::Response<Sent>, Ended> {
    let (answer, cut) = match outcome {
        Outcome::Answer(answer) => (answer, false),
        Outcome::Later(answer, millis) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            (answer, false)
        }
        Outcome::Cut(answer) => (answer, true),
        Outcome::End => return Err(Ended),
        Outcome::Never => return std::future::pending().await,
    };
    if answer.waits {
        tokio::time::sleep(STREAMS_FIRST).await;
    }
    if cut && answer.body.len() < 2 {
        // An answer without a body is cut before it begins.
        return Err(Ended);
    }
    let whole = response(answer, &shared.lock());
    Ok(if cut { whole.map(Sent::cut) } else { whole })
}

/// An answer with the venue's date.
pub(super) fn response(answer: Answer, inner: &Inner) -> hyper::Response<Sent> {
    let mut response = hyper::Response::new(Sent::whole(answer.body));
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::OK);
    let date = inner.desk.clock().to_datetime().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = response.headers_mut();
    for (name, value) in answer.headers.into_iter().chain([("date", date)]) {
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    response
}

/// A body that is sent whole, or ends in its midst with its connection.
pub(super) struct Sent {
    whole: u64,
    rest: Bytes,
    /// Until the end comes.
    cut: Option<Pin<Box<Sleep>>>,
}

impl Sent {
    pub(super) fn whole(body: Bytes) -> Self {
        Self { whole: body.len() as u64, rest: body, cut: None }
    }

    fn cut(self) -> Self {
        let rest = self.rest.slice(..self.rest.len() / 2);
        Self { rest, cut: Some(Box::pin(tokio::time::sleep(BEFORE_CUT))), ..self }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        match &mut self.cut {
            Some(cut) => cut.as_mut().poll(context).map(|()| Some(Err(Ended))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole)
    }
}

/// The pairs of a query or form, decoded.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Text with `%41` and `+` read.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_they_are_written() {
        let read = pairs("after=2023-11-14T00%3A00%3A00%2B00%3A00&symbols=BTC%2FUSD&nested=&flag&x=a+b%zz");
        let read: Vec<(&str, &str)> = read.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(
            read,
            [
                ("after", "2023-11-14T00:00:00+00:00"),
                ("symbols", "BTC/USD"),
                ("nested", ""),
                ("flag", ""),
                ("x", "a b%zz")
            ]
        );
    }
}
