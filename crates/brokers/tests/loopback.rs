//! The rehearsal venue's client over a scripted connection: what is known when something goes wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use bytes::Bytes;
use mts_brokers::loopback::wire::{Answer, Request, VERSION, line};
use mts_brokers::{LoopbackBroker, LoopbackConfig};
use mts_foundation::broker::{
    BoxFuture, Broker, BrokerErrorKind, BrokerOrderRef, CancelOutcome, OrderRef, SubmitOutcome,
};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus};
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use mts_foundation::ready::ready;
use mts_foundation::{
    AccountId, BrokerOrderId, Decimal, Fill, FillId, Order, OrderId, OrderType, Side, Symbol, TimeInForce,
    Timestamp, VenueName,
};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a connection gives, chunk by chunk; then it ends.
type Script = Vec<Vec<u8>>;

/// Connections in the order in which they are opened; none left = nobody listens.
#[derive(Clone, Default)]
struct Scripted {
    connections: Arc<Mutex<VecDeque<Script>>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

struct ScriptedSocket {
    chunks: VecDeque<Vec<u8>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Socket for ScriptedSocket {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        let Frame::Binary(bytes) = frame else { panic!("{frame:?}") };
        self.asked.lock().unwrap().push(serde_json::from_slice(&bytes).unwrap());
        Box::pin(async { Ok(()) })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        let chunk = self.chunks.pop_front().map(|chunk| Frame::Binary(Bytes::from(chunk)));
        Box::pin(async { Ok(chunk) })
    }
}

impl SocketConnector for Scripted {
    async fn connect(
        &self,
        request: http::Request<()>,
        _deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        assert_eq!(request.uri().to_string(), "tcp://127.0.0.1:7411/");
        match self.connections.lock().unwrap().pop_front() {
            Some(chunks) => {
                Ok(Box::new(ScriptedSocket { chunks: chunks.into(), asked: Arc::clone(&self.asked) }))
            }
            None => Err(TransportError {
                departure: Departure::NotSent,
                timed_out: false,
                message: "nobody listens".to_owned(),
                source: None,
            }),
        }
    }
}

fn welcome() -> Vec<u8> {
    line(&Answer::Welcome { version: VERSION, time: Timestamp::EPOCH }).unwrap()
}

/// A client of these connections.
fn broker(connections: Vec<Script>) -> (LoopbackBroker, Scripted) {
    let scripted = Scripted { connections: Arc::new(Mutex::new(connections.into())), ..Scripted::default() };
    let config = LoopbackConfig::new("127.0.0.1:7411".parse().unwrap());
    (LoopbackBroker::new(config, Arc::new(scripted.clone())).unwrap(), scripted)
}

fn order(key: &str) -> Order {
    order_with(key, TimeInForce::Day)
}

fn order_with(key: &str, tif: TimeInForce) -> Order {
    Order::builder()
        .order_id("o-1")
        .idempotency_key(key)
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::TEN)
        .order_type(OrderType::Market)
        .tif(tif)
        .fund_id("growth")
        .strategy_id("example")
        .broker("loopback")
        .actor("example")
        .created_at(Timestamp::EPOCH)
        .build()
        .unwrap()
}

fn accepted(key: &str) -> SubmitOutcome {
    let id = BrokerOrderId::new("V-1").unwrap();
    SubmitOutcome::Accepted(order(key).submitted(Timestamp::EPOCH).accepted(Timestamp::EPOCH, id))
}

#[test]
fn an_order_that_never_left_is_told_from_one_that_may_have() {
    let submitted = |connections: Vec<Script>| ready(broker(connections).0.submit(&order("k"))).unwrap();
    assert!(matches!(submitted(vec![]), SubmitOutcome::NotSent { .. }));
    // The venue ends the connection, or speaks another version, before the order is handed over.
    assert!(matches!(submitted(vec![vec![]]), SubmitOutcome::NotSent { .. }));
    let other = line(&Answer::Welcome { version: VERSION + 1, time: Timestamp::EPOCH }).unwrap();
    assert!(matches!(submitted(vec![vec![other]]), SubmitOutcome::NotSent { .. }));
    // From here on it may be live.
    assert!(matches!(submitted(vec![vec![welcome()]]), SubmitOutcome::Unknown { .. }));
    assert!(matches!(submitted(vec![vec![welcome(), b"<html>\n".to_vec()]]), SubmitOutcome::Unknown { .. }));
    let refused = line(&Answer::Refused("why".to_owned())).unwrap();
    assert!(matches!(submitted(vec![vec![welcome(), refused]]), SubmitOutcome::Unknown { .. }));
    let anothers = line(&Answer::Submitted(Box::new(accepted("other")))).unwrap();
    assert!(matches!(submitted(vec![vec![welcome(), anothers]]), SubmitOutcome::Unknown { .. }));
    let cut = line(&Answer::Submitted(Box::new(accepted("k")))).unwrap();
    let cut = cut[..cut.len() / 2].to_vec();
    assert!(matches!(submitted(vec![vec![welcome(), cut]]), SubmitOutcome::Unknown { .. }));
}

/// The order of the key may live: that nobody listens now says nothing of it.
#[test]
fn an_order_that_was_sent_before_is_never_called_not_sent() {
    let (broker, _) = broker(vec![vec![welcome()]]);
    let submit = |order: &Order| ready(broker.submit(order)).unwrap();
    // The connection ends before the answer; then nobody listens.
    for _ in 0..2 {
        let outcome = submit(&order("k"));
        assert!(matches!(outcome, SubmitOutcome::Unknown { .. }), "{outcome:?}");
    }
    assert!(matches!(submit(&order("another")), SubmitOutcome::NotSent { .. }));
    broker.recall(&[order("recalled")]);
    assert!(matches!(submit(&order("recalled")), SubmitOutcome::Unknown { .. }));
}

#[test]
fn what_the_venue_does_not_take_is_refused_here() {
    let (broker, scripted) = broker(vec![vec![welcome()]]);
    let opening = order_with("k", TimeInForce::Opg);
    assert!(matches!(ready(broker.submit(&opening)).unwrap(), SubmitOutcome::NotSent { .. }));
    assert!(scripted.asked.lock().unwrap().is_empty());
    let far = LoopbackConfig::new("10.0.0.1:7411".parse().unwrap());
    assert!(LoopbackBroker::new(far, Arc::new(scripted)).is_err());
}

#[test]
fn answers_in_any_pieces_are_put_together_and_a_connection_serves_again() {
    let answers: Vec<u8> = [
        welcome(),
        line(&Answer::Submitted(Box::new(accepted("k")))).unwrap(),
        line(&Answer::Order(None)).unwrap(),
    ]
    .concat();
    for size in [1, 2, 7, 4_096] {
        let pieces = answers.chunks(size).map(<[u8]>::to_vec).collect();
        let (broker, scripted) = broker(vec![pieces]);
        assert_eq!(ready(broker.submit(&order("k"))).unwrap(), accepted("k"));
        let key = OrderRef::Key(order("k").idempotency_key.clone());
        assert_eq!(ready(broker.order(&key)).unwrap().unwrap(), None);
        let asked = scripted.asked.lock().unwrap();
        assert!(
            matches!(asked[..], [Request::Hello { .. }, Request::Submit(_), Request::Order(_)]),
            "{asked:?}"
        );
    }
}

#[test]
fn a_connection_that_broke_is_not_used_again() {
    let account = vec![welcome(), line(&Answer::Positions(Vec::new())).unwrap()];
    let (broker, _) = broker(vec![vec![welcome()], account]);
    let error = ready(broker.positions()).unwrap().unwrap_err();
    assert_eq!(error.kind, BrokerErrorKind::Disconnected);
    assert_eq!(ready(broker.positions()).unwrap().unwrap(), Vec::new());
    let reference = BrokerOrderRef {
        order_id: order("k").order_id.clone(),
        idempotency_key: order("k").idempotency_key.clone(),
        broker_order_id: BrokerOrderId::new("V-1").unwrap(),
        symbol: order("k").symbol.clone(),
    };
    assert!(matches!(ready(broker.cancel(&reference)).unwrap(), CancelOutcome::Unknown { .. }));
}

#[test]
fn a_fill_of_an_order_that_was_sent_since_is_told_whatever_the_venues_clock_says() {
    let fill = |order: &str| {
        let fill = Fill {
            fill_id: FillId::new(order).unwrap(),
            order_id: OrderId::new(order).unwrap(),
            symbol: Symbol::new("AAPL").unwrap(),
            side: Side::Buy,
            quantity: Decimal::TEN,
            price: Decimal::ONE,
            fees: Decimal::ZERO,
            venue: VenueName::new("loopback").unwrap(),
            // No later than the stream began.
            timestamp: Timestamp::EPOCH,
            raw: BTreeMap::new(),
        };
        let (account, cursor) = (AccountId::new("a").unwrap(), Cursor::new("1").unwrap());
        line(&Answer::Event(Box::new(BrokerEvent::Fill { account, cursor, fill, fees: FeeStatus::Known })))
            .unwrap()
    };
    let gap = BrokerEvent::Gap { from: Timestamp::EPOCH, to: Timestamp::EPOCH, recoverable: false };
    let gap = line(&Answer::Event(Box::new(gap))).unwrap();
    let (broker, _) = broker(vec![vec![welcome(), gap, fill("others"), fill("o-1")], vec![welcome()]]);
    let mut events = broker.events(None);
    let mut next = || ready(poll_fn(|context| events.as_mut().poll_next(context))).unwrap().unwrap().unwrap();
    assert!(matches!(next(), BrokerEvent::Gap { .. }));
    assert!(matches!(ready(broker.submit(&order("k"))).unwrap(), SubmitOutcome::Unknown { .. }));
    assert!(matches!(next(), BrokerEvent::Fill { fill, .. } if fill.order_id.as_str() == "o-1"));
}

#[test]
fn events_begin_after_the_cursor_and_their_end_is_an_error() {
    let gap = BrokerEvent::Gap { from: Timestamp::EPOCH, to: Timestamp::EPOCH, recoverable: false };
    let event = line(&Answer::Event(Box::new(gap.clone()))).unwrap();
    let (broker, scripted) = broker(vec![vec![welcome(), event.repeat(2)]]);
    let after = Some(Cursor::new("7").unwrap());
    let mut events = broker.events(after.clone());
    let mut next = || ready(poll_fn(|context| events.as_mut().poll_next(context))).unwrap();
    assert_eq!(next().unwrap().unwrap(), gap);
    assert_eq!(next().unwrap().unwrap(), gap);
    assert_eq!(next().unwrap().unwrap_err().kind, BrokerErrorKind::Disconnected);
    assert!(next().is_none());
    assert_eq!(scripted.asked.lock().unwrap().last(), Some(&Request::Events(after)));
}
