//! The stream of one client, with what can go wrong with it.

use super::wire::{Message, News};
use mts_foundation::double::StreamFault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Most messages that wait for a client; one that is slower loses its stream.
const MOST_WAITING: usize = 1_024;

/// After so much quiet Acme says that it is there.
const BEAT: Duration = Duration::from_millis(200);

/// What Acme says when nothing happens.
pub const HEARTBEAT: &str = "beat";

/// The client's end.
pub struct Feed {
    messages: Receiver<String>,
    silent: Arc<AtomicBool>,
}

impl Feed {
    /// The next message; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match tokio::time::timeout(BEAT, self.messages.recv()).await {
                Ok(message) => return message,
                Err(_) if self.silent.load(Ordering::Relaxed) => {}
                Err(_) => return Some(HEARTBEAT.to_owned()),
            }
        }
    }
}

/// Acme's end.
#[derive(Debug)]
pub struct Line {
    sender: Sender<String>,
    silent: Arc<AtomicBool>,
    sent: u64,
    fault: Option<StreamFault>,
    held: Option<String>,
}

pub fn pair() -> (Line, Feed) {
    let (sender, messages) = channel(MOST_WAITING);
    let silent = Arc::new(AtomicBool::new(false));
    let line = Line { sender, silent: Arc::clone(&silent), sent: 0, fault: None, held: None };
    (line, Feed { messages, silent })
}

impl Line {
    /// Whether the client is still there.
    pub fn open(&self) -> bool {
        !self.sender.is_closed()
    }

    fn put(&self, text: String) {
        if !self.silent.load(Ordering::Relaxed) {
            // A client that is too slow has gone, and its line with it.
            self.sender.try_send(text).unwrap_or_default();
        }
    }

    pub fn fail(&mut self, fault: StreamFault) {
        match fault {
            StreamFault::Silent => self.silent.store(true, Ordering::Relaxed),
            StreamFault::UnknownMessage => self.put(r#"{"number":0,"weather":"fine"}"#.to_owned()),
            StreamFault::Garbage => self.put("\u{0}{{{ [".to_owned()),
            other => self.fault = Some(other),
        }
    }

    pub fn send(&mut self, news: &News) {
        self.sent += 1;
        let message = Message { number: self.sent, news: news.clone() };
        let Ok(text) = serde_json::to_string(&message) else { return };
        if let Some(held) = self.held.take() {
            self.put(text);
            self.put(held);
            return;
        }
        match self.fault.take() {
            Some(StreamFault::Twice) => {
                self.put(text.clone());
                self.put(text);
            }
            Some(StreamFault::Swapped) => self.held = Some(text),
            Some(StreamFault::Lost) => {}
            Some(StreamFault::UnknownName) => {
                let text = text.replace("\"activity\"", "\"happening\"");
                self.put(text.replace("\"side\":\"buy\"", "\"side\":\"hover\""));
            }
            _ => self.put(text),
        }
    }
}
