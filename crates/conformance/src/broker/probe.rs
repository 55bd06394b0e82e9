//! A broker with its calls bounded and everything that it answers heard.

use super::canary::Heard;
use super::stop::{Step, Stop};
use super::{Setup, Subject};
use mts_foundation::broker::{
    BrokerError, BrokerOrderRef, CancelOutcome, Capabilities, Check, Health, OrderChange, OrderRef,
    ReplaceOutcome, SubmitOutcome,
};
use mts_foundation::{Account, DynBroker, Order, OrderReport, Position, Symbol};
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Most repetitions of a read that an adapter's layers may make within one call, with its own deadline each, and pauses.
const MOST_TRIES: u32 = 8;

/// A broker under trial.
#[derive(Clone)]
pub(super) struct Probe {
    pub(super) broker: Arc<dyn Subject>,
    heard: Heard,
    limit: Duration,
}

/// What a query gave.
pub(super) type Answer<T> = Result<T, BrokerError>;

impl Probe {
    pub(super) fn new(broker: Arc<dyn Subject>, heard: Heard, setup: &Setup) -> Self {
        heard.hear(format_args!("{broker:?} {broker:#?}"));
        Self { broker, heard, limit: setup.call_deadline * MOST_TRIES + Duration::from_secs(4) }
    }

    pub(super) fn name(&self) -> &str {
        DynBroker::name(self.broker.as_ref())
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        DynBroker::capabilities(self.broker.as_ref())
    }

    async fn call<T: Debug>(&self, name: &str, call: impl Future<Output = T>) -> Step<T> {
        let answer = tokio::time::timeout(self.limit, call).await.map_err(|_| {
            let seconds = self.limit.as_secs_f32();
            Stop::Fault(format!("{name} did not end within {seconds:.1} s; give every request a deadline"))
        })?;
        self.heard.hear(format_args!("{name}: {answer:?}"));
        Ok(answer)
    }

    async fn ask<T: Debug>(&self, name: &str, call: impl Future<Output = Answer<T>>) -> Step<Answer<T>> {
        let answer = self.call(name, call).await?;
        if let Err(error) = &answer {
            hear_error(&self.heard, error);
        }
        Ok(answer)
    }

    pub(super) async fn connect(&self) -> Step<Answer<()>> {
        self.ask("connect", self.broker.connect()).await
    }

    pub(super) async fn close(&self) -> Step<Answer<()>> {
        self.ask("close", self.broker.close()).await
    }

    pub(super) async fn health(&self) -> Step<Health> {
        self.call("health", self.broker.health()).await
    }

    pub(super) async fn submit(&self, order: &Order) -> Step<SubmitOutcome> {
        self.call("submit", self.broker.submit(order)).await
    }

    pub(super) async fn cancel(&self, order: &BrokerOrderRef) -> Step<CancelOutcome> {
        self.call("cancel", self.broker.cancel(order)).await
    }

    pub(super) async fn replace(&self, order: &BrokerOrderRef, change: &OrderChange) -> Step<ReplaceOutcome> {
        self.call("replace", self.broker.replace(order, change)).await
    }

    pub(super) async fn order(&self, order: &OrderRef) -> Step<Answer<Option<OrderReport>>> {
        self.ask("order", self.broker.order(order)).await
    }

    /// The order of a key, as the venue knows it by now.
    pub(super) async fn of_key(&self, order: &Order) -> Step<Answer<Option<OrderReport>>> {
        self.order(&OrderRef::Key(order.idempotency_key.clone())).await
    }

    pub(super) async fn open_orders(&self) -> Step<Answer<Vec<OrderReport>>> {
        self.ask("open_orders", self.broker.open_orders()).await
    }

    pub(super) async fn positions(&self) -> Step<Answer<Vec<Position>>> {
        self.ask("positions", self.broker.positions()).await
    }

    pub(super) async fn account(&self) -> Step<Answer<Account>> {
        self.ask("account", self.broker.account()).await
    }

    pub(super) async fn diagnose(&self, symbol: Option<&Symbol>) -> Step<Vec<Check>> {
        self.call("diagnose", self.broker.diagnose(symbol)).await
    }
}

/// Hears an error as people see it: its text and the texts of its sources.
pub(super) fn hear_error(heard: &Heard, error: &BrokerError) {
    heard.hear(format_args!("{error} {error:?}"));
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        heard.hear(format_args!("caused by {source} {source:?}"));
        cause = source.source();
    }
}

/// An answer, or a fault that ends the case.
pub(super) fn expect<T>(name: &str, answer: Answer<T>) -> Step<T> {
    answer.map_err(|error| Stop::Fault(format!("{name} failed without need: {error}")))
}
