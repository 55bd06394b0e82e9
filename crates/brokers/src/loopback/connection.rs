//! One connection: lines over a socket, one question at a time.

use super::wire::{Answer, MAX_LINE, Request, line};
use bytes::{Bytes, BytesMut};
use mts_foundation::io::{Departure, Frame, Socket};

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    /// Whether the venue may have seen the question.
    pub(super) departure: Departure,
    /// The answer came and cannot be understood.
    pub(super) unreadable: bool,
    /// What was seen.
    pub(super) message: String,
}

impl NoAnswer {
    pub(super) fn unreadable(message: impl Into<String>) -> Self {
        Self { departure: Departure::MayHaveLeft, unreadable: true, message: message.into() }
    }

    pub(super) fn lost(departure: Departure, message: impl Into<String>) -> Self {
        Self { departure, unreadable: false, message: message.into() }
    }
}

/// An open connection. Whoever drops a call drops its connection too, so that no answer meets another question.
pub(super) struct Connection {
    socket: Box<dyn Socket>,
    /// What came and is no whole line yet.
    came: BytesMut,
    /// Bytes of it that were looked at and hold no end of a line.
    looked: usize,
}

impl Connection {
    pub(super) fn new(socket: Box<dyn Socket>) -> Self {
        Self { socket, came: BytesMut::new(), looked: 0 }
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask(&mut self, request: &Request) -> Result<Answer, NoAnswer> {
        self.send(request).await?;
        match self.answer().await? {
            Answer::Refused(why) => Err(NoAnswer::unreadable(format!("the venue refuses: {why}"))),
            answer => Ok(answer),
        }
    }

    /// Asks.
    pub(super) async fn send(&mut self, request: &Request) -> Result<(), NoAnswer> {
        let line = line(request).map_err(|error| NoAnswer::lost(Departure::NotSent, error.to_string()))?;
        let sent = self.socket.send(Frame::Binary(Bytes::from(line))).await;
        sent.map_err(|error| NoAnswer::lost(error.departure, error.message))
    }

    /// Waits for the next line.
    pub(super) async fn answer(&mut self) -> Result<Answer, NoAnswer> {
        loop {
            if let Some(line) = self.line() {
                return serde_json::from_slice(&line).map_err(|error| {
                    NoAnswer::unreadable(format!("the venue's line cannot be read: {error}"))
                });
            }
            if self.came.len() > MAX_LINE {
                return Err(NoAnswer::unreadable(format!(
                    "the venue's line is longer than {MAX_LINE} bytes"
                )));
            }
            match self.socket.receive().await {
                Ok(Some(Frame::Text(bytes) | Frame::Binary(bytes))) => self.came.extend_from_slice(&bytes),
                Ok(Some(Frame::Ping(_) | Frame::Pong(_))) => {}
                Ok(Some(Frame::Close) | None) => {
                    return Err(NoAnswer::lost(Departure::MayHaveLeft, "the venue ended the connection"));
                }
                Err(error) => return Err(NoAnswer::lost(Departure::MayHaveLeft, error.message)),
            }
        }
    }

    /// The next whole line of what came.
    fn line(&mut self) -> Option<BytesMut> {
        let fresh = self.came.get(self.looked..).unwrap_or_default();
        match fresh.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = self.came.split_to(self.looked + end + 1);
                self.looked = 0;
                Some(line)
            }
            None => {
                self.looked = self.came.len();
                None
            }
        }
    }
}
