//! A connection of a tape.

use super::differ::of_texts;
use super::format::{Content, Event, FrameKind};
use super::play::not_on_tape;
use crate::redact::Redactor;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Frame, Socket, TransportError};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Takes what the tape says was sent, and gives what it says came; not before what was sent earlier has been.
pub(super) struct PlayedSocket {
    events: VecDeque<Event>,
    redactor: Redactor,
    path: PathBuf,
    number: usize,
    fault: Arc<OnceLock<String>>,
}

impl PlayedSocket {
    pub(super) fn new(
        events: VecDeque<Event>,
        redactor: Redactor,
        path: PathBuf,
        number: usize,
        fault: Arc<OnceLock<String>>,
    ) -> Self {
        Self { events, redactor, path, number, fault }
    }

    fn differs(&self, message: &str) -> TransportError {
        let message = format!("connection {}: {message}", self.number);
        // The first is what counts.
        self.fault.set(message.clone()).ok();
        not_on_tape(&self.path, &message)
    }

    fn put(&mut self, frame: &Frame) -> Result<(), TransportError> {
        let (got_kind, bytes) = FrameKind::of(frame);
        let got = Content::sent(bytes, &self.redactor);
        let place = self.events.iter().position(|event| matches!(event, Event::Sent { .. }));
        let Some(Event::Sent { frame: kind, content }) = place.and_then(|place| self.events.get(place))
        else {
            // Who hangs up does so at a moment of his own.
            if matches!(frame, Frame::Close) {
                return Ok(());
            }
            return Err(self.differs(&format!("the frame is `{}`, the tape has no more", got.as_str())));
        };
        if *kind != got_kind || *content != got {
            let shown = |kind: FrameKind, content: &Content| format!("{kind:?} {}", content.as_str());
            return Err(self.differs(&of_texts("frame", &shown(*kind, content), &shown(got_kind, &got))));
        }
        if let Some(place) = place {
            self.events.remove(place);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Frame>, TransportError> {
        match self.events.front() {
            // It came after something that has not been sent yet; only who gives up waiting can send it.
            Some(Event::Sent { .. }) => return std::future::pending().await,
            Some(Event::Ended) | None => return Ok(None),
            Some(Event::Failure(fault)) => return Err(fault.error()),
            Some(_) => {}
        }
        match self.events.pop_front() {
            Some(Event::Received { frame, content }) => {
                let content =
                    content.bytes().ok_or_else(|| self.differs("a frame on the tape is no hexadecimal"))?;
                Ok(Some(frame.with(content)))
            }
            _ => Err(self.differs("the tape has something that is no frame")),
        }
    }
}

impl Socket for PlayedSocket {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move { self.put(&frame) })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(self.next())
    }
}
