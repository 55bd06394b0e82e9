//! Speaking to a running engine: a socket in the run's folder that only its owner can open.
//!
//! One line of JSON each way: a [`Request`], then a [`Response`].

use crate::error::{CliError, ExitKind};
use mts_engine::OperatorAct;
use mts_engine::shell::live::{Handle, LiveStats};
use mts_foundation::event::Event;
use mts_foundation::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

/// Name of the socket in the run's folder.
pub(crate) const SOCKET: &str = "control.sock";

/// Longest line, bytes.
const MAX_LINE: u64 = 1 << 20;

/// Connections at one time.
const MAX_CONNECTIONS: usize = 8;

/// Longest wait for a line or an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of the engine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Carry this out.
    Act(Box<OperatorAct>),
    /// How it is.
    Stats,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Response {
    /// What happened; it is durable.
    Done {
        /// The engine's time.
        time: Timestamp,
        /// In order.
        events: Vec<Event>,
    },
    /// How it is.
    Stats(Box<serde_json::Value>),
    /// Nothing happened, or nobody can say.
    Refused(String),
}

/// The socket of a folder.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}

/// Opens the socket. One that is left of a process that died is replaced: the journal's lock says that nobody else is there.
pub(crate) fn listen(folder: &Path) -> Result<UnixListener, CliError> {
    let path = path(folder);
    let failed = |error: std::io::Error| {
        let message = format!(
            "{} cannot be opened: {error}; operators need it, so choose a folder with a path shorter than 100 bytes on a \
             file system with sockets",
            path.display()
        );
        CliError::new(ExitKind::Output, message)
    };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, owner_only).map_err(failed)?;
    Ok(listener)
}

/// Serves until the engine ends.
pub(crate) async fn serve(listener: UnixListener, handle: Handle, clock: Arc<dyn Clock>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: wait until some are free.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (handle, clock) = (handle.clone(), Arc::clone(&clock));
        tokio::spawn(async move {
            // A client that says nothing or goes away has no answer.
            tokio::time::timeout(PATIENCE.saturating_mul(2), converse(stream, &handle, &*clock)).await.ok();
            drop(permit);
        });
    }
}

async fn converse(stream: tokio::net::UnixStream, handle: &Handle, clock: &dyn Clock) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    tokio::io::BufReader::new(reader.take(MAX_LINE)).read_line(&mut line).await?;
    let response = match serde_json::from_str::<Request>(&line) {
        Err(error) => {
            Response::Refused(format!("the request cannot be read: {error}; use the same version of mts"))
        }
        Ok(request) => answer(request, handle, clock).await,
    };
    let mut text = serde_json::to_string(&response)?;
    text.push('\n');
    writer.write_all(text.as_bytes()).await?;
    writer.shutdown().await
}

async fn answer(request: Request, handle: &Handle, clock: &dyn Clock) -> Response {
    match request {
        Request::Act(act) => match handle.operate(stamped(*act, clock.now()), PATIENCE).await {
            Ok(events) => Response::Done { time: clock.now(), events },
            Err(error) => Response::Refused(error.to_string()),
        },
        Request::Stats => {
            let asked = handle.ask(|_, stats: &LiveStats| serde_json::to_value(stats), PATIENCE).await;
            match asked {
                Ok(Ok(stats)) => Response::Stats(Box::new(stats)),
                Ok(Err(error)) => Response::Refused(error.to_string()),
                Err(error) => Response::Refused(error.to_string()),
            }
        }
    }
}

/// The act, at the time of the engine.
fn stamped(act: OperatorAct, now: Timestamp) -> OperatorAct {
    match act {
        OperatorAct::Halt(mut request) => {
            request.timestamp = now;
            OperatorAct::Halt(request)
        }
        OperatorAct::Resume(mut request) => {
            request.timestamp = now;
            OperatorAct::Resume(request)
        }
        other => other,
    }
}

/// Asks the engine of a folder; `None` when none answers there.
pub(crate) fn ask(folder: &Path, request: &Request, within: Duration) -> Result<Option<Response>, CliError> {
    let Ok(mut stream) = UnixStream::connect(path(folder)) else { return Ok(None) };
    let broken = |error: std::io::Error| {
        let message = format!(
            "the engine of {} does not answer: {error}; look at `mts status` before you ask again",
            folder.display()
        );
        CliError::new(ExitKind::Output, message)
    };
    stream.set_read_timeout(Some(within)).map_err(broken)?;
    stream.set_write_timeout(Some(within)).map_err(broken)?;
    let mut text =
        serde_json::to_string(request).map_err(|error| CliError::new(ExitKind::Internal, error))?;
    text.push('\n');
    stream.write_all(text.as_bytes()).map_err(broken)?;
    let mut line = String::new();
    BufReader::new(std::io::Read::take(&stream, MAX_LINE)).read_line(&mut line).map_err(broken)?;
    let response = serde_json::from_str(&line).map_err(|error| {
        CliError::new(ExitKind::Internal, format!("the engine's answer cannot be read: {error}"))
    })?;
    Ok(Some(response))
}
