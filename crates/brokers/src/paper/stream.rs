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
pub(crate) const MAX_EVENTS: usize = 16_384;
/// Most streams that wait at once.
const MAX_WAKERS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct History {
    first: u64,
    events: VecDeque<(Timestamp, BrokerEvent)>,
    /// Fills published so far, those before a restart included. A fill's cursor is its number among all fills, so that
    /// it is the same after a restart.
    fills: u64,
    wakers: Vec<Waker>,
}

impl History {
    /// Number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Continues the numbering of fills after a restart.
    pub(crate) fn resume_after(&mut self, fills: u64) {
        self.fills = fills;
    }

    /// The cursor of the next fill.
    pub(crate) fn next_cursor(&self) -> Option<Cursor> {
        Cursor::new((self.fills + 1).to_string()).ok()
    }

    /// Number of the first event after a cursor, and whether events before it are lost. A cursor from the future leads to
    /// the end.
    pub(crate) fn after(&self, cursor: &Cursor) -> (u64, bool) {
        let Some(wanted) = cursor.as_str().parse::<u64>().ok() else { return (self.first, true) };
        let kept =
            self.events.iter().filter(|(_, event)| matches!(event, BrokerEvent::Fill { .. })).count() as u64;
        if wanted >= self.fills {
            return (self.next(), false);
        }
        let found = self.events.iter().position(|(_, event)| match event {
            BrokerEvent::Fill { cursor: other, .. } => other == cursor,
            _ => false,
        });
        match found {
            Some(offset) => (self.first + offset as u64 + 1, false),
            // Either the very next fill is the first that is kept, or some are gone.
            None => (self.first, wanted + kept < self.fills),
        }
    }

    /// The fills that are kept.
    pub(crate) fn fills(&self) -> Vec<BrokerEvent> {
        let events = self.events.iter().map(|(_, event)| event);
        events.filter(|event| matches!(event, BrokerEvent::Fill { .. })).cloned().collect()
    }

    /// Says that events before what is kept are lost.
    pub(crate) fn gap(&self) -> BrokerEvent {
        let to = self.events.front().map_or(Timestamp::EPOCH, |(time, _)| *time);
        BrokerEvent::Gap { from: Timestamp::EPOCH, to, recoverable: false }
    }

    pub(crate) fn push(&mut self, time: Timestamp, event: BrokerEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            self.first += 1;
        }
        if matches!(event, BrokerEvent::Fill { .. }) {
            self.fills += 1;
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

impl Stream for HistoryStream {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.first.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        let history = Arc::clone(&self.history);
        let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
        if self.position != history.first && self.position.wrapping_sub(history.first) > u64::MAX / 2 {
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
