//! The event history of the paper broker: a bounded ring that any number of streams read by cursor.

use futures_core::Stream;
use mts_foundation::Timestamp;
use mts_foundation::broker::BrokerError;
use mts_foundation::broker_event::{BrokerEvent, Cursor};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Most events that are kept; a stream that falls further behind sees a gap.
pub(crate) const MAX_EVENTS: usize = 65_536;
/// Most streams that wait at once.
const MAX_WAKERS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct History {
    first: u64,
    events: VecDeque<(Timestamp, BrokerEvent)>,
    wakers: Vec<Waker>,
}

impl History {
    /// Number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    pub(crate) fn push(&mut self, time: Timestamp, event: BrokerEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            self.first += 1;
        }
        self.events.push_back((time, event));
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

/// A reader of the history, from a position on.
pub(crate) struct HistoryStream {
    history: Arc<Mutex<History>>,
    position: u64,
    first: VecDeque<BrokerEvent>,
}

impl HistoryStream {
    /// Reads what follows event `position`; `first` comes before that.
    pub(crate) fn new(history: Arc<Mutex<History>>, position: u64, first: Vec<BrokerEvent>) -> Self {
        Self { history, position, first: first.into() }
    }
}

/// The cursor of event number `number`.
pub(crate) fn cursor(number: u64) -> Option<Cursor> {
    Cursor::new(number.to_string()).ok()
}

/// The number behind a cursor.
pub(crate) fn number(cursor: &Cursor) -> Option<u64> {
    cursor.as_str().parse().ok()
}

impl Stream for HistoryStream {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.first.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        let history = Arc::clone(&self.history);
        let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
        if self.position < history.first {
            let to = history.events.front().map_or(Timestamp::EPOCH, |(time, _)| *time);
            self.position = history.first;
            return Poll::Ready(Some(Ok(BrokerEvent::Gap {
                from: Timestamp::EPOCH,
                to,
                recoverable: false,
            })));
        }
        let offset = usize::try_from(self.position - history.first).unwrap_or(usize::MAX);
        if let Some((_, event)) = history.events.get(offset) {
            let event = event.clone();
            self.position += 1;
            return Poll::Ready(Some(Ok(event)));
        }
        if history.wakers.len() >= MAX_WAKERS {
            history.wakers.drain(..).for_each(Waker::wake);
        }
        history.wakers.push(context.waker().clone());
        Poll::Pending
    }
}
