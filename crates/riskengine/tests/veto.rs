//! The advisory veto, against an endpoint that answers what a test says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::Bytes;
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use mts_foundation::ready::ready;
use mts_foundation::risk::{AsyncRiskGate, Gate, OrderContext, RejectCode, Rejection};
use mts_foundation::{Decimal, EnvelopeId, FundId, Order, OrderType, RiskEnvelope, Side, Timestamp};
use mts_riskengine::CroVeto;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers with a status and a text, or not at all.
#[derive(Debug, Default)]
struct Endpoint {
    answer: Mutex<Option<(u16, String)>>,
    asked: Mutex<Vec<(http::Request<Bytes>, RequestOptions)>>,
}

impl HttpClient for Endpoint {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.asked.lock().unwrap().push((request, options.clone()));
        match self.answer.lock().unwrap().clone() {
            Some((status, text)) => {
                Ok(http::Response::builder().status(status).body(Bytes::from(text)).unwrap())
            }
            None => Err(TransportError {
                departure: Departure::MayHaveLeft,
                timed_out: true,
                message: "no answer in time".to_owned(),
                source: None,
            }),
        }
    }
}

fn order() -> Order {
    Order::builder()
        .order_id("o-1")
        .idempotency_key("k")
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::TEN)
        .order_type(OrderType::Market)
        .fund_id("f")
        .strategy_id("s")
        .broker("b")
        .actor("a")
        .created_at(Timestamp::EPOCH)
        .build()
        .unwrap()
}

struct Desk {
    endpoint: Arc<Endpoint>,
    veto: CroVeto,
    envelope: RiskEnvelope,
}

impl Desk {
    fn new() -> Self {
        let endpoint = Arc::new(Endpoint::default());
        let veto = CroVeto::new(endpoint.clone(), http::Uri::from_static("http://cro.test/veto"));
        let id = EnvelopeId::new("e").unwrap();
        let mut envelope = RiskEnvelope::with_defaults(
            id,
            FundId::new("f").unwrap(),
            Decimal::from(100_000),
            Timestamp::EPOCH,
        );
        envelope.cro_veto_enabled = true;
        Self { endpoint, veto, envelope }
    }

    fn answer(&self, status: u16, text: &str) -> Result<(), Box<Rejection>> {
        *self.endpoint.answer.lock().unwrap() = Some((status, text.to_owned()));
        self.ask()
    }

    fn ask(&self) -> Result<(), Box<Rejection>> {
        let context = OrderContext {
            now: Timestamp::EPOCH,
            nav: Decimal::from(100_000),
            cash: Decimal::from(50_000),
            held: Decimal::from(-3),
            price: Some(Decimal::from(200)),
            gross: Decimal::from(50_000),
            open_orders: 2,
        };
        ready(self.veto.check(&order(), Some(&self.envelope), &context)).unwrap()
    }
}

#[test]
fn order_envelope_and_context_are_posted_with_the_time_allowed() {
    let mut desk = Desk::new();
    desk.envelope.cro_veto_timeout_s = 1.5;
    desk.answer(200, r#"{"verdict":"pass","confidence":1}"#).unwrap();
    let asked = desk.endpoint.asked.lock().unwrap();
    let (request, options) = asked.first().unwrap();
    assert_eq!((request.method(), request.uri().path()), (&http::Method::POST, "/veto"));
    assert_eq!((options.deadline, options.idempotent), (Duration::from_millis(1_500), false));
    let posted: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(posted["order"]["symbol"], "AAPL");
    assert_eq!(posted["envelope"]["fund_id"], "f");
    assert_eq!((&posted["context"]["held"], &posted["context"]["open_orders"]), (&"-3".into(), &2.into()));
}

#[test]
fn a_veto_counts_from_its_confidence_on() {
    let desk = Desk::new();
    let refused = desk.answer(200, r#"{"verdict":"veto","confidence":0.85,"reason":"earnings\ntoday"}"#);
    let refused = refused.unwrap_err();
    assert_eq!((refused.gate, refused.code), (Gate::Veto, RejectCode::Vetoed));
    assert_eq!(refused.observed, Some(Decimal::new(85, 2)));
    assert_eq!(refused.message, "vetoed with confidence 0.85: earningstoday");
    desk.answer(200, r#"{"verdict":"veto","confidence":0.84}"#).unwrap();
    desk.answer(200, r#"{"verdict":"pass","confidence":0.99}"#).unwrap();
    assert!(desk.veto.take_failures().is_empty());
}

#[test]
fn without_a_usable_answer_the_order_passes_and_that_is_told() {
    let desk = Desk::new();
    desk.ask().unwrap();
    for (status, text) in [
        (500, "{}"),
        (200, "no json"),
        (200, r#"{"verdict":"maybe","confidence":1}"#),
        (200, r#"{"verdict":"veto","confidence":7}"#),
    ] {
        desk.answer(status, text).unwrap();
    }
    let failures = desk.veto.take_failures();
    assert_eq!(failures.len(), 5);
    for (failure, why) in
        failures.iter().zip(["no answer in time", "500", "understood", "understood", "0 to 1"])
    {
        assert!(failure.starts_with("order o-1 passes") && failure.contains(why), "{failure}");
    }
    assert!(desk.veto.take_failures().is_empty(), "told once");
}

#[test]
fn nobody_is_asked_where_it_is_off() {
    let mut desk = Desk::new();
    desk.envelope.cro_veto_enabled = false;
    desk.ask().unwrap();
    assert!(desk.endpoint.asked.lock().unwrap().is_empty());
}
