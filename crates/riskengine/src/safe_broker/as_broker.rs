//! A broker behind the gates is a broker.

use super::SafeBroker;
use super::books::NoticeKind;
use super::error::SafeBrokerError;
use futures_core::Stream;
use mts_foundation::broker::{
    BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Check, Health, OrderRef, SubmitOutcome,
};
use mts_foundation::{
    Account, Broker, BrokerEvent, Capabilities, Cursor, Order, OrderReport, Position, Symbol,
};
use smol_str::{SmolStr, format_smolstr};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Capital flows whose ids are remembered.
const MAX_FLOWS: usize = 256;

impl Broker for SafeBroker {
    fn name(&self) -> &str {
        &self.name
    }

    /// Those of the wrapped broker, less changes in place: an order is cancelled and a new one goes through the gates.
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recall(&self, orders: &[Order]) {
        self.venue.recall(orders);
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        self.venue.connect().await
    }

    async fn close(&self) -> Result<(), BrokerError> {
        self.venue.close().await
    }

    async fn health(&self) -> Health {
        self.venue.health().await
    }

    /// What a gate refuses was not sent: its code and sentence are the reason.
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        let placed = self.place(order.clone(), false).await;
        self.carry_out().await;
        match placed {
            Ok(order) => SubmitOutcome::Accepted(order),
            Err(SafeBrokerError::VenueRejected { reason, .. }) => SubmitOutcome::Rejected { reason },
            Err(SafeBrokerError::Unknown { cause, .. }) => SubmitOutcome::Unknown { cause },
            Err(error @ SafeBrokerError::UnderWay { .. }) => SubmitOutcome::Unknown { cause: short(&error) },
            Err(SafeBrokerError::NotSent { reason, .. }) => SubmitOutcome::NotSent { reason },
            Err(error) => SubmitOutcome::NotSent { reason: short(&error) },
        }
    }

    /// Cancelling is never gated.
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        let outcome = self.venue.cancel(order).await;
        self.canceled(order, &outcome);
        outcome
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        self.venue.order(order).await
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        self.venue.open_orders().await
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        self.venue.positions().await
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        self.venue.account().await
    }

    /// Those of the venue. Each one makes the shell read the account again before the next order.
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        Box::pin(Tapped { events: self.venue.events(after), shell: self })
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        self.venue.diagnose(symbol).await
    }
}

/// A reason of bounded length.
fn short(error: &SafeBrokerError) -> SmolStr {
    let text = error.to_string();
    format_smolstr!("{}", text.chars().take(400).collect::<String>())
}

/// The venue's events, which the shell sees first.
struct Tapped<'a> {
    events: BrokerEventStream<'a>,
    shell: &'a SafeBroker,
}

impl Stream for Tapped<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.events.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(event))) = &polled {
            self.shell.saw(event);
        }
        polled
    }
}

impl SafeBroker {
    fn saw(&self, event: &BrokerEvent) {
        let now = self.clock.now();
        let mut books = self.books();
        books.readings.dirty();
        let BrokerEvent::Cash { flow, .. } = event else { return };
        if !flow.kind.is_capital() || books.kept.flows.contains(&flow.id) {
            return;
        }
        if books.account.as_ref().is_some_and(|account| account.base_currency != flow.currency) {
            let message = format!(
                "capital flow {} is in {}, which is not the account's currency: tell its value with `capital_flow`",
                flow.id, flow.currency
            );
            books.note(now, NoticeKind::Failed { message });
            return;
        }
        if books.kept.flows.len() >= MAX_FLOWS {
            books.kept.flows.pop_front();
        }
        books.kept.flows.push_back(flow.id.clone());
        if let Err(error) = books.flow(flow.amount, now) {
            books.note(now, NoticeKind::Failed { message: format!("capital flow {}: {error}", flow.id) });
        }
        // A failure is kept in the books: nothing new leaves any more.
        books.save().unwrap_or_default();
    }
}
