//! Looks at the history of a venue that the test writes.

use super::*;
use crate::alpaca::AlpacaConfig;
use crate::kit::{Connections, client_id};
use bytes::Bytes;
use mts_foundation::broker::{BoxFuture, Broker, SubmitOutcome};
use mts_foundation::io::{
    Departure, HttpClient, RequestOptions, SharedState, Sleep, SocketConnector, StateChange, StateError,
    TransportError,
};
use mts_foundation::ready::ready;
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_foundation::time::Clock;
use mts_foundation::{Decimal, Order, OrderType, Side, TimeInForce};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// What the venue has.
#[derive(Default)]
struct Books {
    orders: Vec<Value>,
    fills: Vec<Value>,
    cash: Vec<Value>,
    /// What comes of new orders, one after the other; `None` = none leaves.
    entries: VecDeque<Option<(u16, Value)>>,
    /// Nobody answers who is asked for a secret.
    no_secrets: bool,
}

#[derive(Clone, Default)]
struct World(Arc<Mutex<Books>>);

impl World {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    fn broker(&self) -> Alpaca {
        let shared = Arc::new(self.clone());
        let connections = Connections {
            http: shared.clone(),
            sockets: shared.clone(),
            clock: shared.clone(),
            sleep: shared.clone(),
            secrets: shared.clone(),
            state: shared,
        };
        Alpaca::new(AlpacaConfig::default(), connections)
    }
}

impl HttpClient for World {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut books = self.books();
        let place = request.uri().path().rsplit('/').next().unwrap();
        if request.method() == http::Method::POST {
            let unsent = || TransportError {
                departure: Departure::NotSent,
                timed_out: false,
                message: "no route".to_owned(),
                source: None,
            };
            let (status, body) = books.entries.pop_front().unwrap().ok_or_else(unsent)?;
            let mut response = http::Response::new(Bytes::from(body.to_string()));
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
            return Ok(response);
        }
        let body = match place {
            "account" => {
                Some(json!({"account_number": "A", "status": "ACTIVE", "currency": "USD", "cash": "1",
                "equity": "1"}))
            }
            "FILL" => Some(json!(books.fills)),
            "activities" => Some(json!(books.cash)),
            "orders" => Some(json!(books.orders)),
            "orders:by_client_order_id" => {
                let query = request.uri().query().unwrap();
                let named = |order: &&Value| query.ends_with(order["client_order_id"].as_str().unwrap());
                books.orders.iter().find(named).cloned()
            }
            id => books.orders.iter().find(|order| order["id"] == id).cloned(),
        };
        let status = if body.is_some() { 200 } else { 404 };
        let body = body.unwrap_or_else(|| json!({"code": 40_410_000, "message": "order not found"}));
        let mut response = http::Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        Ok(response)
    }
}

impl SocketConnector for World {
    async fn connect(&self, _: http::Request<()>, _: Duration) -> Result<Box<dyn Socket>, TransportError> {
        panic!("nobody listens here")
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

impl Sleep for World {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl SecretSource for World {
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        let unavailable =
            || SecretUnavailable { name: name.clone(), message: "no answer".to_owned(), temporary: true };
        let secret = if self.books().no_secrets { Err(unavailable()) } else { Ok("secret".into()) };
        Box::pin(std::future::ready(secret))
    }
}

impl SharedState for World {
    fn update(&self, _: &str, _: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }
}

/// An order of ours.
fn own(key: &str) -> Order {
    own_for(key, TimeInForce::Gtc)
}

fn own_for(key: &str, tif: TimeInForce) -> Order {
    let order = Order::builder().order_id("o1").idempotency_key(key).symbol("AAPL").side(Side::Buy);
    let order = order.quantity(Decimal::TEN).order_type(OrderType::StopLimit);
    let order = order.limit_price(Decimal::ONE_HUNDRED).stop_price(Decimal::ONE_HUNDRED);
    let order = order.tif(tif).fund_id("f").strategy_id("s").broker("alpaca").actor("a");
    order.created_at(Timestamp::from_millis(1_699_999_000_000)).build().unwrap()
}

fn fill(id: &str, order: &str, side: &str) -> Value {
    json!({"id": id, "transaction_time": "2023-11-14T22:13:10Z", "price": "100", "qty": "1", "cum_qty": "1",
        "side": side, "symbol": "AAPL", "order_id": order})
}

/// A look; its events in words.
fn look(broker: &Alpaca) -> Result<Vec<String>, Failure> {
    look_at(broker, true)
}

fn look_at(broker: &Alpaca, with_cash: bool) -> Result<Vec<String>, Failure> {
    let events = ready(broker.happened(Timestamp::EPOCH, with_cash)).unwrap()?;
    let word = |event: &BrokerEvent| match event {
        BrokerEvent::Fill { fill, .. } => format!("{} {}", fill.order_id, fill.fill_id),
        BrokerEvent::Gap { from, recoverable: false, .. } => format!("gap {from}"),
        BrokerEvent::Cash { flow, .. } => format!("cash {}", flow.amount),
        other => panic!("{other:?}"),
    };
    Ok(events.iter().map(word).collect())
}

#[test]
fn a_row_of_others_that_cannot_be_said_is_a_gap_once_and_stops_nothing() {
    let world = World::default();
    let own = own("k");
    {
        let mut books = world.books();
        // Of a stranger's order nothing is read but whose it is: one of several legs has no symbol.
        books.orders = vec![
            json!({"id": "v1", "client_order_id": client_id(&own.idempotency_key)}),
            json!({"id": "v2", "client_order_id": "theirs", "symbol": null}),
        ];
        books.fills = vec![fill("f1", "v1", "buy"), fill("f2", "v2", "hold"), fill("f3", "", "hold")];
        // The venue has forgotten its order.
        books.fills.push(fill("f4", "v4", "sell"));
    }
    let broker = world.broker();
    broker.recall(std::slice::from_ref(&own));
    let fills = ["o1 v1:1", "alpaca:v4 v4:1"];
    let gap = "gap 2023-11-14T22:13:10Z";
    assert_eq!(look(&broker).unwrap(), [fills[0], fills[1], gap]);
    assert_eq!(look(&broker).unwrap(), fills);
    world.books().fills.push(fill("f5", "v2", "hold"));
    assert_eq!(look(&broker).unwrap(), [fills[0], fills[1], gap]);
    assert_eq!(look(&broker).unwrap(), fills);
    // One of ours is an error.
    world.books().fills.push(fill("f6", "v1", "hold"));
    assert!(look(&broker).is_err());
}

#[test]
fn cash_that_cannot_be_said_is_a_gap_once_and_hides_nothing() {
    let world = World::default();
    let row = |id: &str, symbol: &str, date: &str| json!({"id": id, "activity_type": "DIV", "date": date, "net_amount": "5", "symbol": symbol});
    let day = "2026-11-20";
    world.books().cash = vec![row("1", "not a name", day), row("2", "AAPL", "soon"), row("3", "AAPL", day)];
    let broker = world.broker();
    assert_eq!(look(&broker).unwrap(), ["cash 5", "gap 1970-01-01T00:00:00Z"]);
    assert_eq!(look(&broker).unwrap(), ["cash 5"]);
    // Whoever has not heard of any order is not told of cash, and nobody asks for it.
    assert_eq!(look_at(&broker, false).unwrap(), Vec::<String>::new());
}

fn open(id: &str, client_id: &str, side: &str) -> Value {
    json!({"id": id, "client_order_id": client_id, "symbol": "AAPL", "qty": "10", "filled_qty": "0", "type": "limit",
        "side": side, "status": "new"})
}

#[test]
fn an_order_of_others_that_cannot_be_said_hides_no_open_order() {
    let world = World::default();
    let own = own("k");
    let client_id = client_id(&own.idempotency_key);
    world.books().orders = vec![open("v1", "theirs", "hold"), open("v2", &client_id, "buy")];
    let broker = world.broker();
    broker.recall(std::slice::from_ref(&own));
    let told = ready(Broker::open_orders(&broker)).unwrap().unwrap();
    assert_eq!(told.iter().map(|report| report.broker_order_id.as_str()).collect::<Vec<_>>(), ["v2"]);
    world.books().orders.push(open("v3", &client_id, "hold"));
    assert!(ready(Broker::open_orders(&broker)).unwrap().is_err(), "one of ours");
}

#[test]
fn an_update_of_others_that_cannot_be_said_does_not_end_the_stream() {
    use crate::kit::{Session, Step};
    let (orders, own) = (Arc::new(KnownOrders::default()), own("k"));
    let client_id = orders.insert(&own);
    let account = mts_foundation::AccountId::new("a").unwrap();
    let mut session = TradeUpdates::new(("id".into(), "secret".into()), account, orders);
    let mut take = |client_id: &str, side: &str| {
        let data = json!({"event": "new", "order": open(client_id, client_id, side)});
        let frame = json!({"stream": "trade_updates", "data": data}).to_string();
        let mut steps = Vec::new();
        session.take(frame.as_bytes(), Timestamp::EPOCH, &mut steps).map(|()| steps)
    };
    assert_eq!(take("theirs", "hold").unwrap(), []);
    assert!(matches!(take("theirs", "buy").unwrap()[..], [Step::Event(_)]));
    assert!(take(&client_id, "hold").is_err(), "one of ours");
}

#[test]
fn an_order_that_was_sent_before_is_never_called_not_sent() {
    let world = World::default();
    world.books().no_secrets = true;
    let broker = world.broker();
    broker.recall(&[own("k")]);
    let submit = |order: &Order| ready(Broker::submit(&broker, order)).unwrap();
    let outcome = submit(&own("k"));
    assert!(matches!(outcome, SubmitOutcome::Unknown { .. }), "{outcome:?}");
    let outcome = submit(&own("another"));
    assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
    // Alpaca takes no such order: it never left.
    let outcome = submit(&own_for("third", TimeInForce::Fok));
    assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
}

/// What the venue refuses may be there: an earlier try may hold the money, or the client id.
#[test]
fn what_is_refused_and_may_have_been_sent_is_looked_for() {
    let own = own("k");
    let client_id = client_id(&own.idempotency_key);
    let refused = |code: u32, message: &str| Some((422, json!({"code": code, "message": message})));
    let poor = || refused(40_310_000, "insufficient buying power");
    let taken = || refused(40_010_001, "client_order_id must be unique");
    let lost = || Some((504, json!({"message": "gateway timeout"})));
    let there = |side: &str, status: &str| {
        let mut row = open("v1", &client_id, side);
        row["status"] = json!(status);
        vec![row]
    };
    for (entries, orders, outcomes) in [
        (vec![poor(), poor()], vec![], ["rejected", "rejected"]),
        // One look does not show that the first try never arrived.
        (vec![lost(), poor()], vec![], ["unknown", "unknown"]),
        (vec![lost(), poor()], there("buy", "new"), ["unknown", "accepted"]),
        (vec![lost(), poor()], there("buy", "rejected"), ["unknown", "rejected"]),
        // Another order than that of the key, and one that is not shown.
        (vec![lost(), poor()], there("sell", "new"), ["unknown", "unknown"]),
        (vec![taken(), lost()], vec![], ["unknown", "unknown"]),
        (vec![taken(), taken()], there("buy", "new"), ["accepted", "accepted"]),
        // Nothing has left, and then nothing again; and after one that may have.
        (vec![None, None], vec![], ["not sent", "not sent"]),
        (vec![lost(), None], vec![], ["unknown", "unknown"]),
        (vec![None, poor()], there("buy", "new"), ["not sent", "rejected"]),
    ] {
        let world = World::default();
        let words = format!("{entries:?} {orders:?}");
        (world.books().entries, world.books().orders) = (entries.into(), orders);
        let broker = world.broker();
        let told = [(); 2].map(|()| match ready(Broker::submit(&broker, &own)).unwrap() {
            SubmitOutcome::Accepted(_) => "accepted",
            SubmitOutcome::Rejected { .. } => "rejected",
            SubmitOutcome::NotSent { .. } => "not sent",
            SubmitOutcome::Unknown { .. } => "unknown",
        });
        assert_eq!(told, outcomes, "{words}");
    }
}
