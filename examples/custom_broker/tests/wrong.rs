//! A broker that takes silence for a refusal, the most expensive mistake of adapters, fails the cases about silence.

use custom_broker::{AcmeBroker, AcmeDouble};
use mts_conformance::Outcome;
use mts_conformance::broker::{Subject, Suite};
use mts_foundation::broker::{
    Broker, BrokerError, BrokerEventStream, BrokerOrderRef, CancelOutcome, Capabilities, Check, Health,
    OrderRef, SubmitOutcome,
};
use mts_foundation::{Account, Cursor, Order, OrderReport, Position, Symbol};
use std::convert::Infallible;
use std::sync::Arc;

#[derive(Debug)]
struct Wrong(AcmeBroker);

impl Broker for Wrong {
    fn name(&self) -> &str {
        Broker::name(&self.0)
    }
    fn capabilities(&self) -> &Capabilities {
        Broker::capabilities(&self.0)
    }
    async fn connect(&self) -> Result<(), BrokerError> {
        Broker::connect(&self.0).await
    }
    async fn close(&self) -> Result<(), BrokerError> {
        Broker::close(&self.0).await
    }
    async fn health(&self) -> Health {
        Broker::health(&self.0).await
    }
    async fn submit(&self, order: &Order) -> SubmitOutcome {
        match Broker::submit(&self.0, order).await {
            SubmitOutcome::Unknown { cause } => SubmitOutcome::Rejected { reason: cause },
            outcome => outcome,
        }
    }
    async fn cancel(&self, order: &BrokerOrderRef) -> CancelOutcome {
        Broker::cancel(&self.0, order).await
    }
    async fn order(&self, order: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        Broker::order(&self.0, order).await
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        Broker::open_orders(&self.0).await
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        Broker::positions(&self.0).await
    }
    async fn account(&self) -> Result<Account, BrokerError> {
        Broker::account(&self.0).await
    }
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        Broker::events(&self.0, after)
    }
    async fn diagnose(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        Broker::diagnose(&self.0, symbol).await
    }
}

#[test]
fn the_suite_finds_what_is_wrong() {
    let double = || Ok::<_, Infallible>(AcmeDouble::start());
    let suite = Suite::new("acme", double, |double: &AcmeDouble, setup| {
        let (venue, setup) = (double.venue(), setup.clone());
        Box::pin(async move {
            let secret = setup.secrets.get("secret").ok_or("give a secret")?.clone();
            let honest = AcmeBroker::new(venue, secret, setup.call_deadline, setup.staleness)?;
            Ok(Arc::new(Wrong(honest)) as Arc<dyn Subject>)
        })
    });
    let report = suite.run_some(|case| case.starts_with(['S', 'X'])).unwrap();
    let failed: Vec<&str> = report.ids(Outcome::Failed).collect();
    let ambiguous = ["X-01", "X-02", "X-03", "X-04", "X-05", "X-06", "X-08", "X-09", "X-10", "X-11"];
    assert_eq!(failed, ambiguous, "{report}");
}
