//! The events of a connection as a stream.

use super::client::no_events;
use super::connection::{Connection, NoAnswer};
use super::wire::Answer;
use futures_core::Stream;
use mts_foundation::broker::{BoxFuture, BrokerError};
use mts_foundation::broker_event::BrokerEvent;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What one step gives: the connection comes back with the event.
type Step = Result<(Connection, BrokerEvent), BrokerError>;

/// Events until the connection ends, which is told as an error.
pub(super) struct EventStream<'a> {
    /// `None` = it has ended.
    step: Option<BoxFuture<'a, Step>>,
}

impl<'a> EventStream<'a> {
    /// The events of the connection that `open` gives.
    pub(super) fn new(open: impl Future<Output = Result<Connection, BrokerError>> + Send + 'a) -> Self {
        Self { step: Some(Box::pin(async move { next(open.await?).await })) }
    }
}

async fn next(mut connection: Connection) -> Step {
    match connection.answer().await.map_err(no_events)? {
        Answer::Event(event) => Ok((connection, *event)),
        other => Err(no_events(NoAnswer::unreadable(format!("{other:?} is no event")))),
    }
}

impl Stream for EventStream<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(step) = &mut self.step else { return Poll::Ready(None) };
        let Poll::Ready(done) = step.as_mut().poll(context) else { return Poll::Pending };
        let (step, item) = match done {
            Ok((connection, event)) => {
                let step: BoxFuture<'_, Step> = Box::pin(next(connection));
                (Some(step), Ok(event))
            }
            Err(error) => (None, Err(error)),
        };
        self.step = step;
        Poll::Ready(Some(item))
    }
}
