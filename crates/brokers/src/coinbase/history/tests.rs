//! Looks at the history of a venue that the test writes.

use super::*;
use crate::coinbase::CoinbaseConfig;
use crate::kit::Connections;
use bytes::Bytes;
use mts_foundation::broker::{BoxFuture, Broker, BrokerErrorKind, ErrorStatus, SubmitOutcome};
use mts_foundation::io::{
    Departure, HttpClient, RequestOptions, SharedState, Sleep, SocketConnector, StateChange, StateError,
    TransportError,
};
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_foundation::time::Clock;
use mts_foundation::{Order, OrderState, OrderType, Side, TimeInForce};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The public test key of the venue's own client.
const SECRET: &str = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputA=";

/// What the venue has, and what it was asked.
#[derive(Default)]
struct Books {
    orders: Vec<Value>,
    /// Fills that the list has, and those that only a question about their order shows.
    fills: Vec<Value>,
    late: Vec<Value>,
    asked: Vec<String>,
    /// Questions with this in them get no answer.
    broken: Option<&'static str>,
    /// Changes the books after each question.
    then: Option<fn(&mut Books)>,
    /// Since the beginning.
    seconds: i64,
    /// What is behind the names of the secrets; `None` = nobody answers.
    secret: Option<&'static str>,
    /// What is answered to a new order.
    entry: Value,
}

#[derive(Clone, Default)]
struct World(Arc<Mutex<Books>>);

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

/// The rows of which the question names one of the values, or all.
fn those(rows: &[Value], question: &str, parameter: &str, field: &str) -> Vec<Value> {
    let named = |row: &&Value| {
        let wanted = format!("{parameter}={}", text(row, field));
        !question.contains(parameter) || question.split(['?', '&']).any(|part| part == wanted)
    };
    rows.iter().filter(named).cloned().collect()
}

impl Books {
    fn answer(&self, question: &str) -> (u16, Value) {
        if question.contains("/key_permissions") {
            let permissions =
                json!({"can_view": true, "can_trade": true, "can_transfer": false, "portfolio_uuid": "p"});
            return (200, permissions);
        }
        if question.ends_with("/orders") {
            return (200, self.entry.clone());
        }
        if question.contains("/fills?") {
            let rows = match question.contains("order_ids") {
                true => [self.late.clone(), self.fills.clone()].concat(),
                false => self.fills.clone(),
            };
            return (
                200,
                json!({"fills": those(&rows, question, "order_ids", "order_id"), "cursor": "more"}),
            );
        }
        if question.contains("/batch?") {
            let rows = those(&self.orders, question, "order_ids", "order_id");
            let rows = those(&rows, question, "order_status", "status");
            return (200, json!({"orders": rows, "has_next": false, "cursor": ""}));
        }
        let id = question.rsplit('/').next().unwrap();
        match self.orders.iter().find(|row| text(row, "order_id") == id) {
            Some(row) => (200, json!({"order": row})),
            None => (404, json!({"error": "NOT_FOUND", "message": "not found"})),
        }
    }
}

impl HttpClient for World {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut books = self.books();
        let question = request.uri().path_and_query().unwrap().as_str().to_owned();
        let is_broken = books.broken.is_some_and(|broken| question.contains(broken));
        let (status, body) = books.answer(&question);
        books.asked.push(question);
        if let Some(then) = books.then {
            then(&mut books);
        }
        if is_broken {
            return Err(TransportError {
                departure: Departure::MayHaveLeft,
                timed_out: true,
                message: "no answer".to_owned(),
                source: None,
            });
        }
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
        at(self.books().seconds)
    }
}

impl Sleep for World {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl SecretSource for World {
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        let unavailable = || SecretUnavailable {
            name: name.clone(),
            message: "the server does not answer".to_owned(),
            temporary: true,
        };
        Box::pin(std::future::ready(self.books().secret.map(SecretString::from).ok_or_else(unavailable)))
    }
}

impl SharedState for World {
    fn update(&self, _: &str, _: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }
}

/// What a call gives that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    mts_foundation::ready::ready(future).unwrap()
}

/// 2023-11-14T22:13:20Z and later.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis((1_700_000_000 + seconds) * 1_000)
}

fn id(id: &str) -> BrokerOrderId {
    BrokerOrderId::new(id).unwrap()
}

fn order(id: &str, status: &str, filled: &str) -> Value {
    json!({"order_id": id, "client_order_id": format!("c-{id}"), "product_id": "BTC-USD", "side": "BUY", "status": status,
        "filled_size": filled, "average_filled_price": "100", "created_time": at(0).to_string(),
        "order_configuration": {"limit_limit_gtc": {"base_size": "10", "limit_price": "100"}}})
}

/// An order of ours.
fn own() -> Order {
    own_with("k1", TimeInForce::Gtc)
}

fn own_with(key: &str, tif: TimeInForce) -> Order {
    let order = Order::builder().order_id("o1").idempotency_key(key).symbol("BTC-USD").side(Side::Buy);
    let order = order.quantity(Decimal::TEN).order_type(OrderType::Limit).limit_price(Decimal::ONE_HUNDRED);
    let order = order.tif(tif).fund_id("f").strategy_id("s").broker("coinbase").actor("a");
    order.created_at(at(0)).build().unwrap()
}

fn fill(entry: &str, order: &str, size: &str) -> Value {
    json!({"entry_id": entry, "order_id": order, "trade_time": at(-1).to_string(), "trade_type": "FILL", "price": "100",
        "size": size, "commission": "0", "product_id": "BTC-USD", "sequence_timestamp": at(-1).to_string(), "side": "BUY"})
}

fn changed(mut row: Value, field: &str, value: &str) -> Value {
    row[field] = json!(value);
    row
}

impl World {
    fn with(change: impl FnOnce(&mut Books)) -> (Self, Coinbase) {
        let world = Self::default();
        {
            let mut books = world.books();
            books.secret = Some(SECRET);
            change(&mut books);
        }
        let shared = Arc::new(world.clone());
        let connections = Connections {
            http: shared.clone(),
            sockets: shared.clone(),
            clock: shared.clone(),
            sleep: shared.clone(),
            secrets: shared.clone(),
            state: shared,
        };
        (world, Coinbase::new(CoinbaseConfig::default(), connections))
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// How many questions had this in them, since this was asked last.
    fn count(&self, part: &str) -> usize {
        self.books().asked.extract_if(.., |question| question.contains(part)).count()
    }
}

/// A look; its events in words.
fn look(broker: &Coinbase) -> Result<Vec<String>, Failure> {
    let events = ready(broker.happened(at(-60)))?;
    let word = |event: &BrokerEvent| match event {
        BrokerEvent::Fill { fill, .. } => format!("fill {}", fill.fill_id),
        BrokerEvent::Order(report) => format!("{} {}", report.broker_order_id, report.state),
        BrokerEvent::Gap { recoverable: false, .. } => "gap".to_owned(),
        other => panic!("{other:?}"),
    };
    Ok(events.iter().map(word).collect())
}

fn lags(broker: &Coinbase, order: &str, told: i64) {
    broker.watch.told(&id(order), told.into(), false, broker.connections.clock.now());
}

#[test]
fn a_look_that_fails_is_repeated_whole() {
    let (world, broker) = World::with(|books| {
        books.orders = vec![order("v1", "FILLED", "10"), order("v2", "CANCELLED", "0")];
        books.fills = vec![changed(fill("e9", "v1", "1"), "trade_type", "REVERSAL")];
        books.late = vec![fill("e1", "v1", "10")];
        // The last question of a look.
        books.broken = Some("order_ids=v2");
    });
    lags(&broker, "v1", 10);
    broker.watch.doubt(&id("v2"));
    assert!(look(&broker).is_err());
    assert!(broker.watch.is_due(at(0)));
    world.books().broken = None;
    assert_eq!(look(&broker).unwrap(), ["fill e1", "gap", "v2 canceled"]);
    assert!(!broker.watch.is_due(at(9_999)));
    // What was told is not told again.
    world.books().late.clear();
    assert_eq!(look(&broker).unwrap(), Vec::<String>::new());
}

#[test]
fn only_plain_fills_count_as_shown() {
    let (world, broker) = World::with(|books| {
        books.late = vec![changed(fill("e2", "v1", "4"), "trade_type", "REVERSAL"), fill("e1", "v1", "6")];
    });
    lags(&broker, "v1", 10);
    assert_eq!(look(&broker).unwrap(), ["fill e1", "gap"]);
    assert_eq!(world.count("fills?order_ids=v1"), LOOKS.len() + 1);
    world.books().late.push(fill("e3", "v1", "4"));
    world.books().seconds = 1;
    assert_eq!(look(&broker).unwrap(), ["fill e3", "fill e1"]);
    assert!(!broker.watch.is_due(at(9_999)));
}

#[test]
fn what_the_list_has_is_not_asked_for_and_all_else_in_one_question() {
    let (world, broker) = World::with(|books| {
        books.fills = vec![fill("e1", "v1", "10")];
        books.late = vec![fill("e3", "v3", "10"), fill("e2", "v2", "10")];
    });
    ["v1", "v2", "v3"].iter().for_each(|order| lags(&broker, order, 10));
    assert_eq!(look(&broker).unwrap(), ["fill e1", "fill e2", "fill e3"]);
    assert_eq!(world.count("fills?order_ids=v2&order_ids=v3&"), 1);
    assert_eq!(world.count("fills?"), 1);
    assert!(!broker.watch.is_due(at(9_999)));
}

#[test]
fn an_order_that_stays_behind_is_asked_for_less_and_less_and_told_as_a_gap_once() {
    let (world, broker) = World::with(|_| {});
    lags(&broker, "v1", 10);
    let (mut looks, mut gaps) = (0, 0);
    // A heartbeat a second, for an hour.
    for second in 0..3_600 {
        world.books().seconds = second;
        if broker.watch.is_due(at(second)) || second % 30 == 0 {
            looks += 1;
            gaps += look(&broker).unwrap().iter().filter(|event| *event == "gap").count();
        }
    }
    assert_eq!(gaps, 1);
    let asked = world.count("fills?order_ids=v1");
    // Five more at the first look, which waits; then eleven up to the gap, and one each ten minutes.
    assert!((20..=22).contains(&asked), "{asked} questions");
    assert!((120..=145).contains(&looks), "{looks} looks");
    // It is not forgotten.
    world.books().late = vec![fill("e1", "v1", "10")];
    world.books().seconds = 4_300;
    assert_eq!(look(&broker).unwrap(), ["fill e1"]);
    assert!(!broker.watch.is_due(at(9_999)));
}

#[test]
fn all_that_is_doubtful_is_asked_for_in_few_questions() {
    let ids: Vec<String> = (0..120).map(|number| format!("v{number:03}")).collect();
    let (world, broker) = World::with(|books| {
        // The venue does not know the last one.
        books.orders = ids.iter().take(119).map(|id| order(id, "CANCELLED", "0")).collect();
    });
    ids.iter().for_each(|order| broker.watch.opened(&id(order)));
    broker.watch.missed();
    assert_eq!(look(&broker).unwrap().len(), 119);
    assert_eq!(world.count("batch?order_ids="), 3);
    assert_eq!((world.count("historical/v119"), world.count("historical/v")), (1, 0));
    assert!(!broker.watch.is_due(at(9_999)));
}

#[test]
fn whose_fills_are_that_nobody_knows_is_one_question() {
    let mine = own();
    let client = crate::kit::client_id(&mine.idempotency_key);
    let (world, broker) = World::with(|books| {
        books.orders =
            vec![changed(order("v1", "OPEN", "1"), "client_order_id", &client), order("v2", "OPEN", "1")];
        books.fills = vec![fill("e3", "v2", "1"), fill("e2", "v2", "1"), fill("e1", "v1", "1")];
    });
    broker.recall(std::slice::from_ref(&mine));
    let events = ready(broker.happened(at(-60))).unwrap();
    let owners: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            BrokerEvent::Fill { fill, .. } => Some(fill.order_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(owners, ["o1", "coinbase:v2", "coinbase:v2"]);
    assert_eq!((world.count("batch?order_ids=v1&order_ids=v2&"), world.count("orders/historical/v")), (1, 0));
}

#[test]
fn rows_without_a_name_of_ours_do_not_stop_the_others() {
    let future = |row: Value| changed(row, "product_id", "BIT-28JUL23-CDE");
    let (world, broker) = World::with(|books| {
        books.orders = vec![
            future(order("v1", "OPEN", "1")),
            order("v2", "OPEN", "1"),
            future(order("v3", "CANCELLED", "0")),
        ];
        books.fills = vec![fill("e2", "v2", "1"), future(fill("e1", "v1", "1"))];
    });
    broker.watch.doubt(&id("v1"));
    broker.watch.doubt(&id("v3"));
    lags(&broker, "v1", 1);
    // A stranger's trade moves the account's cash: positions are compared, once.
    assert_eq!(look(&broker).unwrap(), ["fill e2", "gap"]);
    assert_eq!(look(&broker).unwrap(), ["fill e2"]);
    assert!(!broker.watch.is_due(at(9_999)));
    assert_eq!(world.count("order_ids=v1&order_ids=v3&limit"), 1);
    let open = ready(Broker::open_orders(&broker)).unwrap();
    assert_eq!(open.iter().map(|report| report.broker_order_id.as_str()).collect::<Vec<_>>(), ["v2"]);
}

#[test]
fn a_row_of_others_that_cannot_be_said_is_a_gap_once_and_stops_nothing() {
    let mine = own();
    let client = crate::kit::client_id(&mine.idempotency_key);
    let odd = |entry: &str, order: &str| changed(fill(entry, order, "1"), "side", "HOLD");
    let (world, broker) = World::with(|books| {
        books.orders = vec![
            changed(order("v1", "OPEN", "1"), "client_order_id", &client),
            changed(order("v2", "OPEN", "1"), "side", "HOLD"),
        ];
        // One whose units cannot be found either.
        let mut free = changed(fill("e4", "v4", "1"), "price", "0");
        free["size_in_quote"] = json!(true);
        books.fills = vec![odd("e3", ""), odd("e2", "v2"), free, fill("e1", "v1", "1")];
    });
    broker.recall(std::slice::from_ref(&mine));
    broker.watch.doubt(&id("v2"));
    lags(&broker, "v4", 1);
    assert_eq!(look(&broker).unwrap(), ["fill e1", "gap"]);
    assert_eq!(look(&broker).unwrap(), ["fill e1"]);
    assert!(broker.watch.doubtful().is_empty());
    // One of ours is an error.
    world.books().fills.push(odd("e5", "v1"));
    assert!(look(&broker).is_err());
}

#[test]
fn an_order_of_others_that_cannot_be_said_hides_no_open_order() {
    let mine = own();
    let client = crate::kit::client_id(&mine.idempotency_key);
    let odd = |id: &str| changed(order(id, "OPEN", "0"), "side", "HOLD");
    let (world, broker) = World::with(|books| {
        books.orders = vec![odd("v1"), changed(order("v2", "OPEN", "0"), "client_order_id", &client)];
    });
    broker.recall(std::slice::from_ref(&mine));
    let told = ready(Broker::open_orders(&broker)).unwrap();
    assert_eq!(told.iter().map(|report| report.broker_order_id.as_str()).collect::<Vec<_>>(), ["v2"]);
    world.books().orders.push(changed(odd("v3"), "client_order_id", &client));
    assert!(ready(Broker::open_orders(&broker)).is_err(), "one of ours");
}

#[test]
fn an_order_that_was_sent_before_is_never_called_not_sent() {
    let (_, broker) = World::with(|books| books.secret = None);
    broker.recall(&[own()]);
    let outcome = ready(Broker::submit(&broker, &own()));
    assert!(matches!(outcome, SubmitOutcome::Unknown { .. }), "{outcome:?}");
    for tif in [TimeInForce::Gtc, TimeInForce::Opg] {
        let outcome = ready(Broker::submit(&broker, &own_with("k2", tif)));
        assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
    }
}

#[test]
fn an_order_that_changes_its_list_meanwhile_is_open_still() {
    let open = |status: &str, then: fn(&mut Books)| {
        let (world, broker) = World::with(|books| {
            books.orders = vec![order("v1", status, "0")];
            books.then = Some(then);
        });
        let reports = ready(Broker::open_orders(&broker)).unwrap();
        let asked = world.books().asked.join(" ");
        for status in ["PENDING", "QUEUED", "EDIT_QUEUED", "CANCEL_QUEUED", "OPEN"] {
            assert!(asked.contains(&format!("order_status={status}&")), "{status}: {asked}");
        }
        reports.iter().map(|report| report.state).collect::<Vec<OrderState>>()
    };
    for status in ["PENDING", "QUEUED", "EDIT_QUEUED", "OPEN"] {
        assert_eq!(open(status, |_| {}), [OrderState::Accepted], "{status}");
    }
    assert_eq!(open("CANCEL_QUEUED", |_| {}), [OrderState::PendingCancel]);
    // From its entry to the book, and from the book to its cancellation, between the first question and the second.
    assert_eq!(
        open("PENDING", |books| books.orders = vec![order("v1", "OPEN", "0")]),
        [OrderState::Accepted]
    );
    let queued = open("OPEN", |books| books.orders = vec![order("v1", "CANCEL_QUEUED", "0")]);
    assert_eq!(queued, [OrderState::PendingCancel]);
}

#[test]
fn a_store_of_secrets_that_does_not_answer_says_nothing_of_the_key() {
    for (secret, kind, status) in [
        (None, BrokerErrorKind::Disconnected, ErrorStatus::Temporary),
        (Some("no key"), BrokerErrorKind::Auth, ErrorStatus::Permanent),
    ] {
        let (world, broker) = World::with(|books| books.secret = secret);
        let outcome = ready(Broker::submit(&broker, &own()));
        assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
        for error in [
            ready(Broker::open_orders(&broker)).map(drop).unwrap_err(),
            ready(Broker::connect(&broker)).unwrap_err(),
        ] {
            assert_eq!((error.kind, error.status), (kind, status), "{error}");
        }
        assert!(world.books().asked.is_empty());
    }
}

#[test]
fn what_is_refused_and_may_have_been_sent_is_looked_for() {
    let mine = own();
    let client = crate::kit::client_id(&mine.idempotency_key);
    let refused =
        json!({"success": false, "error_response": {"error": "INSUFFICIENT_FUND", "message": "no"}});
    let there = |size: &str| {
        let mut row = changed(order("v1", "OPEN", "0"), "client_order_id", &client);
        row["order_configuration"]["limit_limit_gtc"]["base_size"] = json!(size);
        vec![row]
    };
    for (orders, seconds, expected) in [
        (vec![], 60, "unknown"),
        (vec![], 26 * 3_600, "unknown"),
        (there("10"), 60, "accepted"),
        (there("10"), 26 * 3_600, "accepted"),
        (there("11"), 60, "unknown"),
    ] {
        let (world, broker) = World::with(|books| {
            (books.orders, books.entry, books.seconds) = (orders, refused.clone(), seconds);
        });
        let submit = || match ready(Broker::submit(&broker, &mine)) {
            SubmitOutcome::Accepted(_) => "accepted",
            SubmitOutcome::Rejected { .. } => "rejected",
            SubmitOutcome::NotSent { .. } => "not sent",
            SubmitOutcome::Unknown { .. } => "unknown",
        };
        // The venue has refused the only try, which needs no look.
        assert_eq!((submit(), world.count("batch?")), ("rejected", 0));
        broker.recall(std::slice::from_ref(&mine));
        assert_eq!(submit(), expected, "{:?} after {seconds} s", world.books().orders);
    }
}
