//! The honest broker with one thing wrong.

use crate::custom_broker::AcmeBroker;
use futures_core::Stream;
use mts_foundation::broker::{
    Broker, BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities, Check, Health,
    OrderRef, SubmitOutcome,
};
use mts_foundation::{
    Account, BrokerEvent, Cursor, IdempotencyKey, Order, OrderReport, Position, Symbol, Timestamp,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Says that it is connected when it is not.
    AlwaysConnected,
    /// Sends orders for extended hours as ordinary ones.
    DropsExtendedHours,
    /// Looks at the first letters of keys alone.
    ShortKeys,
    /// A silence is a refusal.
    SilenceIsRefusal,
    /// A failure is an empty list.
    FailureIsFlat,
    /// Whatever has ended was cancelled.
    TooLateIsConfirmed,
    /// Does not tell fees that come late.
    SwallowsFees,
    /// Tells what happens from now on alone, whatever the cursor.
    ForgetsCursors,
    /// Takes the venue's clock for ours.
    TrustsClocks,
    /// Rounds prices to cents.
    RoundsPrices,
    /// Shows its secret to whoever prints it.
    ShowsSecret,
}

pub(crate) struct Wrong {
    honest: AcmeBroker,
    flaw: Flaw,
    secret: SecretString,
}

impl Wrong {
    pub(crate) fn new(honest: AcmeBroker, flaw: Flaw, secret: SecretString) -> Self {
        Self { honest, flaw, secret }
    }

    /// The order with a field changed.
    fn changed(&self, order: &Order) -> Order {
        let mut json = serde_json::to_value(order).unwrap();
        match self.flaw {
            Flaw::DropsExtendedHours => json["extended_hours"] = false.into(),
            Flaw::ShortKeys => json["idempotency_key"] = short(&order.idempotency_key).as_str().into(),
            Flaw::RoundsPrices => {
                json["limit_price"] = order.limit_price.map(|price| price.round_dp(2).to_string()).into();
            }
            _ => {}
        }
        // What rounds to nothing is no price.
        Order::from_json(&json.to_string()).unwrap_or_else(|_| order.clone())
    }
}

fn short(key: &IdempotencyKey) -> IdempotencyKey {
    IdempotencyKey::new(key.as_str().chars().take(200).collect::<String>()).unwrap()
}

impl fmt::Debug for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.flaw == Flaw::ShowsSecret { self.secret.expose_secret() } else { "…" };
        write!(out, "Wrong {{ secret: {secret} }}")
    }
}

struct WithoutFees<'a>(BrokerEventStream<'a>);

impl Stream for WithoutFees<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.0.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(BrokerEvent::FeesKnown { .. }))) => {}
                other => return other,
            }
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "an adapter that reads the clock is one of those that are tried"
)]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

struct FromNowOn<'a> {
    events: BrokerEventStream<'a>,
    began: Timestamp,
}

impl Stream for FromNowOn<'_> {
    type Item = Result<BrokerEvent, BrokerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.events.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(BrokerEvent::Fill { fill, .. }))) if fill.timestamp < self.began => {}
                other => return other,
            }
        }
    }
}

impl Broker for Wrong {
    fn name(&self) -> &str {
        self.honest.name()
    }

    fn capabilities(&self) -> &Capabilities {
        Broker::capabilities(&self.honest)
    }

    fn recall(&self, orders: &[Order]) {
        Broker::recall(&self.honest, orders);
    }

    async fn connect(&self) -> Result<(), BrokerError> {
        Broker::connect(&self.honest).await
    }

    async fn close(&self) -> Result<(), BrokerError> {
        Broker::close(&self.honest).await
    }

    async fn health(&self) -> Health {
        let mut health = Broker::health(&self.honest).await;
        health.connected |= self.flaw == Flaw::AlwaysConnected;
        if self.flaw == Flaw::TrustsClocks {
            health.clock_skew_ms = Some(0);
        }
        health
    }

    async fn submit(&self, order: &Order) -> SubmitOutcome {
        match Broker::submit(&self.honest, &self.changed(order)).await {
            SubmitOutcome::Unknown { cause }
                if self.flaw == Flaw::SilenceIsRefusal && cause.contains("deadline") =>
            {
                SubmitOutcome::Rejected { reason: cause }
            }
            outcome => outcome,
        }
    }

    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        match Broker::cancel(&self.honest, order).await {
            CancelOutcome::TooLate { .. } if self.flaw == Flaw::TooLateIsConfirmed => {
                CancelOutcome::Confirmed
            }
            outcome => outcome,
        }
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        match order {
            OrderRef::Key(key) if self.flaw == Flaw::ShortKeys => {
                Broker::order(&self.honest, &OrderRef::Key(short(key))).await
            }
            order => Broker::order(&self.honest, order).await,
        }
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        Broker::open_orders(&self.honest).await
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let answer = Broker::positions(&self.honest).await;
        if self.flaw == Flaw::FailureIsFlat { Ok(answer.unwrap_or_default()) } else { answer }
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        Broker::account(&self.honest).await
    }

    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        match self.flaw {
            Flaw::ForgetsCursors => {
                let began = now();
                Box::pin(FromNowOn { events: Broker::events(&self.honest, None), began })
            }
            Flaw::SwallowsFees => Box::pin(WithoutFees(Broker::events(&self.honest, after))),
            _ => Broker::events(&self.honest, after),
        }
    }

    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let mut checks = Broker::diagnose(&self.honest, symbol).await;
        if self.flaw == Flaw::TrustsClocks {
            checks.iter_mut().filter(|check| check.name == "time skew").for_each(|check| check.ok = true);
        }
        checks
    }
}
