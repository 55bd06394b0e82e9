//! What the tests share: a clock that stands still, a client that answers by script, and servers on the loopback interface.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a helper that fails fails its test, and not every test uses all"
)]

use bytes::Bytes;
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use mts_foundation::{Clock, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Shows 1994-11-06 08:49:37 UTC and, of what passes, tokio's time.
pub struct DeskClock(tokio::time::Instant);

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(DeskClock(tokio::time::Instant::now()))
}

impl Clock for DeskClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(784_111_777_000_000_000).plus(self.0.elapsed())
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What a scripted client says, and after how long.
pub enum Say {
    Answer(u16, &'static [(&'static str, &'static str)]),
    Lost,
    Refused,
    After(Duration, Box<Say>),
}

/// Answers by script; when that is over, with 200.
#[derive(Clone, Default)]
pub struct Script {
    left: Arc<Mutex<VecDeque<Say>>>,
    pub heard: Arc<Mutex<Vec<(tokio::time::Instant, String, Duration)>>>,
}

impl Script {
    pub fn of(says: Vec<Say>) -> Self {
        Self { left: Arc::new(Mutex::new(says.into())), heard: Arc::default() }
    }

    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

impl HttpClient for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let line = format!("{} {}", request.method(), request.uri());
        self.heard.lock().unwrap().push((tokio::time::Instant::now(), line, options.deadline));
        let mut say = self.left.lock().unwrap().pop_front().unwrap_or(Say::Answer(200, &[]));
        while let Say::After(wait, then) = say {
            tokio::time::sleep(wait).await;
            say = *then;
        }
        let lost = |departure| TransportError {
            departure,
            timed_out: false,
            message: "lost".to_owned(),
            source: None,
        };
        match say {
            Say::Answer(status, headers) => {
                let answer =
                    headers.iter().fold(http::Response::builder().status(status), |answer, (name, value)| {
                        answer.header(*name, *value)
                    });
                Ok(answer.body(Bytes::from_static(b"{}")).unwrap())
            }
            Say::Lost => Err(lost(Departure::MayHaveLeft)),
            Say::Refused | Say::After(..) => Err(lost(Departure::NotSent)),
        }
    }
}

pub fn get(address: &str) -> http::Request<Bytes> {
    http::Request::get(address).body(Bytes::new()).unwrap()
}

/// One request as a server sees it.
#[derive(Debug, Clone)]
pub struct Heard {
    pub head: String,
    pub body: String,
}

impl Heard {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A server that answers each request with what the function makes of it: the whole text, or none to hang up.
pub async fn serve(
    answer: impl Fn(&Heard) -> Option<String> + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Heard>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let (answer, seen) = (Arc::new(answer), Arc::clone(&heard));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
            tokio::spawn(async move { talk(stream, &*answer, &seen).await });
        }
    });
    (address, heard)
}

async fn talk(
    mut stream: TcpStream,
    answer: &(dyn Fn(&Heard) -> Option<String> + Sync),
    seen: &Mutex<Vec<Heard>>,
) {
    let mut read = Vec::new();
    loop {
        let Some(request) = next_request(&mut stream, &mut read).await else { return };
        let said = answer(&request);
        seen.lock().unwrap().push(request);
        match said {
            Some(text) if stream.write_all(text.as_bytes()).await.is_ok() => {}
            _ => return,
        }
    }
}

async fn next_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Heard> {
    loop {
        if let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let mut request = Heard { head, body: String::new() };
            let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            if read.len() >= end + 4 + length {
                request.body = String::from_utf8_lossy(&read[end + 4..end + 4 + length]).into_owned();
                read.drain(..end + 4 + length);
                return Some(request);
            }
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A whole answer.
pub fn answer(status: u16, headers: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

/// A file with a secret, for its owner only.
pub fn secret_file(folder: &std::path::Path, text: &str) -> mts_foundation::secret::SecretRef {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    mts_foundation::secret::SecretRef::File(path)
}
