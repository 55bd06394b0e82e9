//! Writes a tape.

use super::TapeError;
use super::format::{Asked, Content, Event, Fault, FrameKind, Head, Line, MAX_BYTES, TAPE_VERSION, headers};
use crate::redact::Redactor;
use crate::system::{make_folder, owner_only};
use bytes::Bytes;
use http::{Request, Response};
use mts_foundation::Clock;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Frame, HttpClient, RequestOptions, Socket, SocketConnector, TransportError};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Tapes of one adapter in a folder.
const MOST_TAPES: u32 = 10_000;

/// Writes what goes through its [`Recording`]s to one tape: JSON lines for the owner only, without secrets, at most 64 MiB.
/// A disk that fails ends the tape and nothing else. Clones write to the same one.
#[derive(Clone)]
pub struct Recorder {
    redactor: Redactor,
    path: Arc<PathBuf>,
    began: Instant,
    count: Arc<AtomicU64>,
    out: Arc<Mutex<Out>>,
}

/// The file; none once it is full or has failed.
struct Out {
    file: Option<File>,
    bytes: u64,
    most: u64,
}

impl Recorder {
    /// Begins `ADAPTER-NUMBER.tape` in a folder, which is made if needed. Must be called inside a tokio runtime with time.
    ///
    /// # Errors
    /// [`TapeError::Io`].
    pub fn create(
        folder: &Path,
        adapter: &str,
        redactor: Redactor,
        clock: &dyn Clock,
    ) -> Result<Self, TapeError> {
        make_folder(folder).map_err(|source| TapeError::Io { path: folder.to_owned(), source })?;
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let stem: String = adapter.chars().take(64).map(plain).collect();
        let (path, file) = fresh(folder, &stem)?;
        let head = Head {
            tape: TAPE_VERSION,
            adapter: adapter.to_owned(),
            program: format!("mts {}", env!("CARGO_PKG_VERSION")),
            began: clock.now().to_string(),
        };
        let out = Out { file: Some(file), bytes: 0, most: MAX_BYTES };
        let recorder = Self {
            redactor,
            path: Arc::new(path),
            began: Instant::now(),
            count: Arc::default(),
            out: Arc::new(Mutex::new(out)),
        };
        recorder.write(&head);
        Ok(recorder)
    }

    /// Where the tape is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn note(&self, id: u64, event: Event) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.write(&Line { ms, id, event });
    }

    fn write(&self, line: &impl serde::Serialize) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, most) = (out.bytes, out.most);
        let Some(file) = out.file.as_mut() else { return };
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let is_full = bytes.saturating_add(length) > most;
        if is_full {
            text = br#"{"ms":0,"id":0,"event":"full"}"#.to_vec();
            text.push(b'\n');
        }
        let written = file.write_all(&text);
        if is_full || written.is_err() {
            tracing::warn!(
                target: "mts::transport",
                path = %self.path.display(),
                error = written.err().map(|error| error.to_string()),
                "the tape ends here"
            );
            out.file = None;
        }
        out.bytes = bytes.saturating_add(length);
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
}

/// The first free number.
fn fresh(folder: &Path, stem: &str) -> Result<(PathBuf, File), TapeError> {
    let mut path = folder.to_owned();
    for number in 1..=MOST_TAPES {
        path = folder.join(format!("{stem}-{number}.tape"));
        match owner_only(OpenOptions::new().write(true).create_new(true)).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(TapeError::Io { path, source }),
        }
    }
    Err(TapeError::Io { path, source: ErrorKind::AlreadyExists.into() })
}

/// A client or a connector whose traffic is written to a tape, if there is one. It belongs around all other layers: what an
/// adapter asked and was answered is what is played to it again.
pub struct Recording<C> {
    inner: C,
    recorder: Option<Recorder>,
}

impl<C> Recording<C> {
    /// Around a client or a connector.
    pub fn new(inner: C, recorder: Option<Recorder>) -> Self {
        Self { inner, recorder }
    }
}

impl<C: HttpClient> HttpClient for Recording<C> {
    async fn send(
        &self,
        request: Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<Response<Bytes>, TransportError> {
        let Some(recorder) = &self.recorder else { return self.inner.send(request, options).await };
        let id = recorder.next();
        recorder.note(id, Event::Request(Asked::of(&request, request.body(), &recorder.redactor)));
        let outcome = self.inner.send(request, options).await;
        let event = match &outcome {
            Ok(answer) => Event::Answer {
                status: answer.status().as_u16(),
                headers: headers(answer.headers(), &recorder.redactor, false),
                body: Content::received(answer.body(), &recorder.redactor),
            },
            Err(error) => Event::Failure(Fault::of(error, &recorder.redactor)),
        };
        recorder.note(id, event);
        outcome
    }
}

impl<C: SocketConnector> SocketConnector for Recording<C> {
    async fn connect(
        &self,
        request: Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let Some(recorder) = &self.recorder else { return self.inner.connect(request, deadline).await };
        let id = recorder.next();
        recorder.note(id, Event::Connect(Asked::of(&request, b"", &recorder.redactor)));
        match self.inner.connect(request, deadline).await {
            Ok(socket) => {
                recorder.note(id, Event::Connected);
                Ok(Box::new(Recorded { socket, recorder: recorder.clone(), id }))
            }
            Err(error) => {
                recorder.note(id, Event::Failure(Fault::of(&error, &recorder.redactor)));
                Err(error)
            }
        }
    }
}

/// A connection on tape.
struct Recorded {
    socket: Box<dyn Socket>,
    recorder: Recorder,
    id: u64,
}

impl Recorded {
    fn broken(&self, error: TransportError) -> TransportError {
        self.recorder.note(self.id, Event::Failure(Fault::of(&error, &self.recorder.redactor)));
        error
    }
}

impl Socket for Recorded {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let (kind, bytes) = FrameKind::of(&frame);
            let content = Content::sent(bytes, &self.recorder.redactor);
            self.recorder.note(self.id, Event::Sent { frame: kind, content });
            let sent = self.socket.send(frame).await;
            sent.map_err(|error| self.broken(error))
        })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(async move {
            let frame = self.socket.receive().await.map_err(|error| self.broken(error))?;
            let event = match &frame {
                Some(frame) => {
                    let (kind, bytes) = FrameKind::of(frame);
                    let content = Content::received(bytes, &self.recorder.redactor);
                    Event::Received { frame: kind, content }
                }
                None => Event::Ended,
            };
            self.recorder.note(self.id, event);
            Ok(frame)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Timestamp;

    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(0)
        }
    }

    #[tokio::test]
    async fn a_tape_has_a_bound_an_owner_and_a_name_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let tapes = folder.path().join("tapes");
        let begin = || Recorder::create(&tapes, "al/paca", Redactor::new(), &Stopped).unwrap();
        let (first, second) = (begin(), begin());
        assert!(first.path().ends_with("al_paca-1.tape") && second.path().ends_with("al_paca-2.tape"));
        first.out.lock().unwrap().most = 300;
        for _ in 0..9 {
            first.note(7, Event::Connected);
        }
        let text = std::fs::read_to_string(first.path()).unwrap();
        assert!(text.len() < 400 && text.ends_with("\"event\":\"full\"}\n"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(first.path()), mode(&tapes)), (0o600, 0o700));
        }
    }
}
