//! A client of the desk: the broker on trial. Made anew it finds the same desk.

use super::desk::{Desk, Taken};
use futures_core::Stream;
use mts_foundation::broker::{
    Broker, BrokerError, BrokerErrorKind, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities,
    Check, ErrorStatus, Health, OrderChange, OrderRef, ReplaceOutcome, SimulatedBroker as _, SubmitOutcome,
};
use mts_foundation::broker_event::Cursor;
use mts_foundation::risk::SessionPhase;
use mts_foundation::{Account, BrokerEvent, Order, OrderReport, Position, Symbol};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A stream that is counted while it is open, and ends where the double cuts it: its reader must go on from its cursor.
struct Counted<'a> {
    stream: BrokerEventStream<'a>,
    desk: &'a Desk,
    /// Cuts before it was opened.
    cuts: u64,
    ended: bool,
}

impl Stream for Counted<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut streams = self.desk.streams();
        if streams.cuts > self.cuts {
            drop(streams);
            self.ended = true;
            let (kind, status) = (BrokerErrorKind::Disconnected, ErrorStatus::Temporary);
            return Poll::Ready(Some(Err(BrokerError::new(
                "events",
                kind,
                status,
                "the reader was cut off",
            ))));
        }
        streams.wakers.retain(|waker| !waker.will_wake(context.waker()));
        streams.wakers.push(context.waker().clone());
        drop(streams);
        self.stream.as_mut().poll_next(context)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.desk.streams().open -= 1;
    }
}

#[derive(Debug)]
pub(super) struct Client(pub(super) Arc<Desk>);

impl Client {
    /// Whether this order is to be refused. The market's own way to refuse an order that it knows is to be closed.
    fn is_refused(&self) -> bool {
        let mut market = self.0.market();
        let refused = market.refusals > 0;
        market.refusals = market.refusals.saturating_sub(1);
        refused
    }

    /// Keeps what was asked to be changed, from when on it holds.
    fn keep_change(&self, order: &BrokerOrderRef, change: &OrderChange) {
        let since = self.0.now().plus(self.0.mode.delay());
        let mut market = self.0.market();
        let is = |taken: &&mut Taken| taken.order.idempotency_key == order.idempotency_key;
        if let Some(taken) = market.taken.iter_mut().find(is) {
            let so_far = &mut taken.change;
            so_far.quantity = change.quantity.or(so_far.quantity);
            so_far.limit_price = change.limit_price.or(so_far.limit_price);
            so_far.stop_price = change.stop_price.or(so_far.stop_price);
            taken.since = since;
        }
    }
}

impl Broker for Client {
    fn name(&self) -> &str {
        Broker::name(&self.0.paper)
    }
    fn capabilities(&self) -> &Capabilities {
        Broker::capabilities(&self.0.paper)
    }
    async fn connect(&self) -> Result<(), BrokerError> {
        Broker::connect(&self.0.paper).await
    }
    async fn close(&self) -> Result<(), BrokerError> {
        Broker::close(&self.0.paper).await
    }
    async fn health(&self) -> Health {
        Broker::health(&self.0.paper).await
    }
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let known = self.0.report(order).is_some();
        let refused = self.is_refused();
        if refused {
            self.0.paper.on_session(SessionPhase::Closed, self.0.now());
        }
        let outcome = Broker::submit(&self.0.paper, order).await;
        if refused {
            self.0.paper.on_session(SessionPhase::Regular, self.0.now());
        }
        if let (false, SubmitOutcome::Accepted(accepted)) = (known, &outcome) {
            let since = self.0.now();
            let taken = Taken { order: accepted.clone(), change: OrderChange::default(), since };
            self.0.market().taken.push(taken);
        }
        outcome
    }
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        if !std::mem::take(&mut self.0.market().overtaken) {
            return Broker::cancel(&self.0.paper, order).await;
        }
        // The request is taken and under way, and the rest of the order trades before it takes effect.
        let _held = self.0.hold_time();
        let outcome = mts_foundation::ready::ready(Broker::cancel(&self.0.paper, order));
        if let Some(taken) = self.0.taken(&order.broker_order_id)
            && let Some(report) = self.0.report(&taken.order)
            && let Some(price) = taken.order.limit_price
        {
            self.0.trade(&taken, report.quantity - report.filled, price);
        }
        outcome.unwrap_or_else(|error| CancelOutcome::Unknown { cause: error.to_string().into() })
    }
    async fn replace(&self, order: &BrokerOrderRef, change: &OrderChange) -> ReplaceOutcome {
        let outcome = Broker::replace(&self.0.paper, order, change).await;
        if matches!(outcome, ReplaceOutcome::Replaced(_) | ReplaceOutcome::Unknown { .. }) {
            self.keep_change(order, change);
        }
        outcome
    }
    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        Broker::order(&self.0.paper, order).await
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        Broker::open_orders(&self.0.paper).await
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        Broker::positions(&self.0.paper).await
    }
    async fn account(&self) -> Result<Account, BrokerError> {
        Broker::account(&self.0.paper).await
    }
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        let cuts = {
            let mut streams = self.0.streams();
            streams.open += 1;
            streams.cuts
        };
        let stream = Broker::events(&self.0.paper, after);
        Box::pin(Counted { stream, desk: &self.0, cuts, ended: false })
    }
    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        Broker::diagnose(&self.0.paper, symbol).await
    }
}
