//! The events of a connection as a stream.

use super::client::no_events;
use super::connection::{Connection, NoAnswer};
use super::wire::Answer;
use crate::kit::KnownOrders;
use futures_core::Stream;
use mts_foundation::Timestamp;
use mts_foundation::broker::{BoxFuture, BrokerError};
use mts_foundation::broker_event::BrokerEvent;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What is told of the past: fills of our orders, and no other.
pub(super) struct Before {
    /// The venue's time when the stream began.
    pub(super) time: Timestamp,
    /// Ours, as they are when the fill comes: the venue's clock may be set back.
    pub(super) orders: Arc<KnownOrders>,
}

impl Before {
    fn hides(&self, event: &BrokerEvent) -> bool {
        matches!(event, BrokerEvent::Fill { fill, .. } if fill.timestamp <= self.time && !self.orders.has(&fill.order_id))
    }
}

/// A connection, and what of the past is told over it; `None` = all.
type Opened = (Connection, Option<Before>);

/// What one step gives: the connection comes back with the event.
type Step = Result<(Opened, BrokerEvent), BrokerError>;

/// Events until the connection ends, which is told as an error.
pub(super) struct EventStream<'a> {
    /// `None` = it has ended.
    step: Option<BoxFuture<'a, Step>>,
}

impl<'a> EventStream<'a> {
    /// The events of the connection that `open` gives.
    pub(super) fn new(open: impl Future<Output = Result<Opened, BrokerError>> + Send + 'a) -> Self {
        Self { step: Some(Box::pin(async move { next(open.await?).await })) }
    }
}

async fn next((mut connection, before): Opened) -> Step {
    loop {
        match connection.answer().await.map_err(no_events)? {
            Answer::Event(event) if before.as_ref().is_some_and(|before| before.hides(&event)) => {}
            Answer::Event(event) => return Ok(((connection, before), *event)),
            other => return Err(no_events(NoAnswer::unreadable(format!("{other:?} is no event")))),
        }
    }
}

impl Stream for EventStream<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(step) = &mut self.step else { return Poll::Ready(None) };
        let Poll::Ready(done) = step.as_mut().poll(context) else { return Poll::Pending };
        let (step, item) = match done {
            Ok((opened, event)) => {
                let step: BoxFuture<'_, Step> = Box::pin(next(opened));
                (Some(step), Ok(event))
            }
            Err(error) => (None, Err(error)),
        };
        self.step = step;
        Poll::Ready(Some(item))
    }
}
