//! Kraken's rules, by a plain HTTP client that signs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod client;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Bench, Following, d, until};
use hmac::{Hmac, KeyInit, Mac};
use mts_foundation::double::{Act, Happening, VenueDouble};
use mts_foundation::{BrokerOrderId, OrderState, Symbol, TimeInForce};
use mts_venues::Venue;
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};
use std::cell::Cell;

/// The double and a count of nonces.
struct Desk {
    bench: Bench,
    nonce: Cell<u64>,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { bench: Bench::of(Venue::Kraken, ["api_key", "api_secret"]), nonce: Cell::new(0) };
        desk.bench.quote("BTC-USD", "49999", "50000");
        desk
    }

    fn signed(&self, call: &str, nonce: u64, body: &str) -> Value {
        let path = format!("/0/private/{call}");
        let (key, secret) = self.bench.key();
        let hash = Sha256::digest(format!("{nonce}{body}"));
        let mut mac = Hmac::<Sha512>::new_from_slice(&STANDARD.decode(secret).unwrap()).unwrap();
        mac.update(path.as_bytes());
        mac.update(&hash);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let kind = if body.starts_with('{') { "json" } else { "x-www-form-urlencoded" };
        let headers =
            format!("API-Key: {key}\r\nAPI-Sign: {signature}\r\nContent-Type: application/{kind}\r\n");
        let reply = self.bench.send_with(&headers, "POST", &path, body).unwrap();
        // Whatever it says, the status is that of a success.
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    fn call(&self, call: &str, form: &str) -> Value {
        self.nonce.set(self.nonce.get() + 1);
        let nonce = self.nonce.get();
        self.signed(call, nonce, &format!("nonce={nonce}&{form}"))
    }

    /// The result of a call that is taken.
    fn ask(&self, call: &str, form: &str) -> Value {
        let said = self.call(call, form);
        assert_eq!(said["error"], serde_json::json!([]), "{call} {form}: {said}");
        said["result"].clone()
    }

    /// The error of a call that is refused.
    fn refused(&self, call: &str, form: &str) -> String {
        let said = self.call(call, form);
        assert!(said.get("result").is_none(), "{call} {form}: {said}");
        said["error"][0].as_str().unwrap().to_owned()
    }

    /// An order of one bitcoin, changed by more fields.
    fn order(more: &str) -> String {
        let has = |name: &str| more.split('&').any(|field| field.starts_with(&format!("{name}=")));
        let rest = [("pair", "XBTUSD"), ("type", "buy"), ("ordertype", "limit"), ("volume", "1")];
        let rest = rest.iter().filter(|(name, _)| !has(name)).map(|(name, value)| format!("&{name}={value}"));
        format!("{more}{}", rest.collect::<String>())
    }

    fn taken(&self, more: &str) -> String {
        self.ask("AddOrder", &Self::order(more))["txid"][0].as_str().unwrap().to_owned()
    }

    fn row(&self, id: &str) -> Value {
        self.ask("QueryOrders", &format!("txid={id}&trades=true"))[id].clone()
    }

    fn fill(&self, id: &str, quantity: &str) {
        let order = BrokerOrderId::new(id).unwrap();
        self.bench.act(Act::Happen(Happening::Fill { order, quantity: d(quantity), price: None }));
    }

    fn follow(&self, more: &str) -> Following {
        let token = self.ask("GetWebSocketsToken", "")["token"].as_str().unwrap().to_owned();
        let mut stream = self.bench.connect_to("/v2", false).unwrap();
        assert_eq!(stream.next().unwrap()["channel"], "status");
        stream.say(&format!(
            r#"{{"method":"subscribe","params":{{"channel":"executions","token":"{token}"{more}}},"req_id":7}}"#
        ));
        let answer = stream.next().unwrap();
        assert_eq!(
            (answer["success"].as_bool(), answer["req_id"].as_i64()),
            (Some(true), Some(7)),
            "{answer}"
        );
        assert!(answer["result"].get("token").is_none());
        stream
    }
}

/// The next message that is no heartbeat.
fn next(stream: &mut Following) -> Value {
    loop {
        let message = stream.next().unwrap();
        if message["channel"] != "heartbeat" {
            return message;
        }
    }
}

#[test]
fn a_nonce_is_used_once_and_only_the_right_signature_opens() {
    let desk = Desk::new();
    assert_eq!(desk.signed("Balance", 5, "nonce=5")["error"], serde_json::json!([]));
    for used in [5, 4] {
        assert_eq!(desk.signed("Balance", used, &format!("nonce={used}"))["error"][0], "EAPI:Invalid nonce");
    }
    assert_eq!(desk.signed("Balance", 6, r#"{"nonce": 6}"#)["error"], serde_json::json!([]), "as JSON");
    assert_eq!(
        desk.signed("Balance", 7, r#"{"nonce": "7"}"#)["error"],
        serde_json::json!([]),
        "as JSON text"
    );
    // A nonce that is not the one that was signed.
    assert_eq!(desk.signed("Balance", 8, "nonce=9")["error"][0], "EAPI:Invalid signature");
    let reply = desk.bench.send_with("API-Key: other\r\n", "POST", "/0/private/Balance", "nonce=10").unwrap();
    assert_eq!((reply.status, &reply.json()["error"][0]), (200, &"EAPI:Invalid key".into()));
    assert_eq!(desk.bench.get("/0/public/SystemStatus")["result"]["status"], "online");
}

#[test]
fn an_order_fills_at_the_touch_with_a_fee_in_the_quote_currency() {
    let desk = Desk::new();
    let answer = desk.ask(
        "AddOrder",
        &Desk::order("ordertype=market&volume=2&cl_ord_id=6d1b345e-2821-40e2-ad83-4ecb18a06876"),
    );
    assert_eq!(answer["descr"]["order"], "buy 2.00000000 XBTUSD @ market");
    let id = answer["txid"][0].as_str().unwrap();
    let row = desk.row(id);
    assert_eq!((row["status"].as_str(), row["vol_exec"].as_str()), (Some("closed"), Some("2.00000000")));
    assert_eq!((row["cost"].as_str(), row["fee"].as_str()), (Some("100000.00000"), Some("400.00000")));
    assert_eq!(row["cl_ord_id"], "6d1b345e-2821-40e2-ad83-4ecb18a06876");
    let trade = row["trades"][0].as_str().unwrap();
    let trades = desk.ask("TradesHistory", "");
    assert_eq!(
        (trades["count"].as_u64(), trades["trades"][trade]["ordertxid"].as_str()),
        (Some(1), Some(id))
    );
    assert_eq!(desk.ask("QueryTrades", &format!("txid={trade}"))[trade]["maker"], false);
    let balance = desk.ask("Balance", "");
    assert_eq!((balance["ZUSD"].as_str(), balance["XXBT"].as_str()), (Some("899600.0000"), Some("2.0000")));
    assert_eq!(desk.bench.double.fills()[0].id.as_str(), trade);
    assert_eq!(desk.bench.double.account().positions[&Symbol::new("BTC-USD").unwrap()], d("2"));
}

#[test]
fn what_the_venue_does_not_take_is_refused_in_its_words() {
    let desk = Desk::new();
    let cases = [
        ("pair=NONE", "EQuery:Unknown asset pair"),
        ("type=short&price=9", "EGeneral:Invalid arguments:type"),
        ("ordertype=limit", "EGeneral:Invalid arguments:price"),
        ("ordertype=market&price=5", "EGeneral:Invalid arguments:price"),
        ("price=5.55", "EOrder:Tick size check failed"),
        ("price=5&volume=0.00001", "EGeneral:Invalid arguments:volume minimum not met"),
        ("price=5&volume=0.000000001", "EGeneral:Invalid arguments:volume minimum not met"),
        ("price=5&volume=1.000000001", "EGeneral:Invalid arguments:volume"),
        ("price=0.1", "EOrder:Cost minimum not met"),
        ("price=50000&volume=21", "EOrder:Insufficient funds"),
        ("type=sell&price=60000", "EOrder:Insufficient funds"),
        ("price=50000&oflags=post", "EOrder:Post only order"),
        ("price=5&timeinforce=GTD", "EGeneral:Invalid arguments:timeinforce"),
        ("price=5&expiretm=12", "EGeneral:Invalid arguments:expiretm"),
        ("ordertype=market&timeinforce=FOK", "EGeneral:Invalid arguments:timeinforce"),
        ("price=5&cl_ord_id=a%20much%20too%20long%20text", "EGeneral:Invalid arguments:cl_ord_id"),
        ("price=5&cl_ord_id=a&userref=1", "EGeneral:Invalid arguments:cl_ord_id"),
        ("price=5&deadline=2026-03-02T14:59:59Z", "EService:Deadline elapsed"),
        ("price=5&deadline=2026-03-02T15:02:00Z", "EGeneral:Invalid arguments:deadline"),
        ("ordertype=trailing-stop&price=%2B5", "EGeneral:Invalid arguments:trailing-stop is not done"),
    ];
    for (more, error) in cases {
        let said = desk.refused("AddOrder", &Desk::order(more));
        assert!(said.starts_with(error), "{more}: {said}");
    }
    assert!(desk.bench.double.orders().is_empty());
    assert_eq!(desk.ask("AddOrder", &Desk::order("price=5&validate=true")).get("txid"), None);
    assert!(desk.bench.double.orders().is_empty());
}

#[test]
fn a_client_id_is_taken_once_among_the_orders_that_work_and_again_after_that() {
    let desk = Desk::new();
    let first = desk.taken("price=5&cl_ord_id=mine");
    assert_eq!(desk.refused("AddOrder", &Desk::order("price=5&cl_ord_id=mine")), "EOrder:Duplicate clordid");
    assert!(desk.ask("OpenOrders", "cl_ord_id=mine")["open"].get(&first).is_some());
    assert_eq!(desk.ask("CancelOrder", "cl_ord_id=mine")["count"], 1);
    until("the cancellation", || desk.row(&first)["status"] == "canceled");
    assert_eq!(desk.row(&first)["reason"], "User requested");
    // The venue forgets who has had the id.
    let second = desk.taken("price=5&cl_ord_id=mine");
    assert_ne!(first, second);
    assert_eq!(desk.ask("ClosedOrders", "cl_ord_id=mine")["count"], 1);
    for unknown in [first.as_str(), "OAAAAA-AAAAA-AAAAAA", "cl"] {
        assert_eq!(desk.refused("CancelOrder", &format!("txid={unknown}")), "EOrder:Unknown order");
    }
    desk.taken("price=6&userref=12");
    assert_eq!(desk.ask("CancelOrder", "txid=12")["count"], 1);
    until("the cancellation", || desk.bench.double.orders()[2].state == OrderState::Canceled);
    assert_eq!(desk.ask("CancelAll", "")["count"], 1);
}

#[test]
fn lives_of_orders_are_kept_and_end() {
    let desk = Desk::new();
    desk.taken("price=5&timeinforce=gtd&expiretm=%2B1");
    let tif = |number: usize| desk.bench.double.orders()[number].tif;
    assert_eq!(tif(0), TimeInForce::Day);
    // Each look at the test's clock is a microsecond.
    until("the end of its day", || {
        desk.bench.act(Act::Clock(2_000));
        desk.bench.double.orders()[0].state == OrderState::Expired
    });
    let none = desk.taken("price=5&timeinforce=IOC");
    assert_eq!((desk.row(&none)["status"].as_str(), tif(1)), (Some("canceled"), TimeInForce::Ioc));
    let all = desk.taken("price=50000&timeinforce=FOK");
    assert_eq!((desk.row(&all)["status"].as_str(), tif(2)), (Some("closed"), TimeInForce::Fok));
    let stop = desk.taken("type=sell&ordertype=stop-loss-limit&price=40000&price2=39990");
    let row = desk.row(&stop);
    assert_eq!(
        (row["descr"]["price"].as_str(), row["descr"]["price2"].as_str()),
        (Some("40000.0"), Some("39990.0"))
    );
    let order = &desk.bench.double.orders()[3];
    assert_eq!((order.stop_price, order.limit_price), (Some(d("40000")), Some(d("39990"))));
}

#[test]
fn orders_are_changed_in_place_or_by_another_one() {
    let desk = Desk::new();
    let id = desk.taken("price=5&volume=10&cl_ord_id=mine");
    desk.fill(&id, "4");
    assert!(desk.ask("AmendOrder", "cl_ord_id=mine&order_qty=6&limit_price=7")["amend_id"].is_string());
    let order = desk.bench.double.orders().pop().unwrap();
    assert_eq!((order.id.as_str(), order.quantity, order.limit_price), (id.as_str(), d("6"), Some(d("7"))));
    assert_eq!(order.state, OrderState::PartiallyFilled);
    // Crossing the market it fills.
    desk.ask("AmendOrder", &format!("txid={id}&limit_price=50000"));
    assert_eq!(desk.row(&id)["status"], "closed");
    assert_eq!(desk.refused("AmendOrder", &format!("txid={id}&limit_price=4")), "EOrder:Unknown order");
    let old = desk.taken("price=5&volume=10");
    let new = desk.ask("EditOrder", &format!("txid={old}&pair=XBTUSD&volume=3&price=6"));
    assert_eq!((new["originaltxid"].as_str(), new["volume"].as_str()), (Some(old.as_str()), Some("3")));
    assert_eq!(desk.row(&old)["reason"], "Order replaced");
    assert_eq!(desk.row(new["txid"].as_str().unwrap())["status"], "open");
}

#[test]
fn pages_begin_with_the_newest_and_start_is_exclusive() {
    let desk = Desk::new();
    let id = desk.taken("price=5&volume=60");
    for _ in 0..55 {
        desk.fill(&id, "1");
    }
    let page = |form: &str| {
        let said = desk.ask("TradesHistory", form);
        let rows = said["trades"].as_object().unwrap().clone();
        (said["count"].as_u64().unwrap(), rows)
    };
    let (count, first) = page("");
    let (_, second) = page("ofs=50");
    assert_eq!((count, first.len(), second.len()), (55, 50, 5));
    let times = |rows: &serde_json::Map<String, Value>| {
        rows.values().map(|row| row["time"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    let newest_of_old = times(&second).into_iter().fold(0.0, f64::max);
    assert!(times(&first).into_iter().all(|time| time > newest_of_old));
    let oldest = desk.bench.double.fills()[0].id.clone();
    assert_eq!(page(&format!("start={oldest}")).0, 54);
    desk.bench.act(Act::Happen(Happening::Cash { amount: d("-12.5") }));
    let ledger = desk.ask("Ledgers", "type=withdrawal");
    assert_eq!(ledger["count"], 1);
    assert_eq!(desk.ask("Ledgers", "asset=ZUSD")["count"], 56);
}

#[test]
fn the_stream_numbers_its_messages_from_its_snapshot_on() {
    let desk = Desk::new();
    let resting = desk.taken("price=5&volume=10");
    desk.fill(&resting, "1");
    let mut stream = desk.follow(r#","snap_trades":true"#);
    let snapshot = next(&mut stream);
    assert_eq!((snapshot["type"].as_str(), snapshot["sequence"].as_u64()), (Some("snapshot"), Some(1)));
    assert_eq!(snapshot["data"][0]["order_status"], "partially_filled");
    assert_eq!(
        (snapshot["data"][1]["exec_type"].as_str(), snapshot["data"][1]["last_qty"].as_f64()),
        (Some("trade"), Some(1.0))
    );
    desk.fill(&resting, "9");
    let trade = next(&mut stream);
    assert_eq!(trade["sequence"], 2);
    let row = &trade["data"][0];
    assert_eq!(
        (row["exec_id"].as_str(), row["symbol"].as_str()),
        (Some(desk.bench.double.fills()[1].id.as_str()), Some("BTC/USD"))
    );
    let filled = next(&mut stream);
    assert_eq!(
        (filled["sequence"].as_u64(), filled["data"][0]["exec_type"].as_str()),
        (Some(3), Some("filled"))
    );
    assert!(filled["data"][0].get("symbol").is_none(), "later rows tell what has changed");
    let other = desk.taken("price=5");
    let types: Vec<Value> = (0..2).map(|_| next(&mut stream)["data"][0]["exec_type"].clone()).collect();
    assert_eq!(types, ["pending_new", "new"]);
    desk.ask("CancelOrder", &format!("txid={other}"));
    let canceled = next(&mut stream);
    assert_eq!(
        (canceled["data"][0]["exec_type"].as_str(), canceled["sequence"].as_u64()),
        (Some("canceled"), Some(6))
    );
    stream.say(r#"{"method":"ping","req_id":3}"#);
    assert_eq!(next(&mut stream)["method"], "pong");
}

#[test]
fn the_stream_takes_orders_and_no_token_that_has_run_out() {
    let desk = Desk::new();
    let mut stream = desk.follow("");
    assert_eq!(next(&mut stream)["data"], serde_json::json!([]));
    let token = desk.ask("GetWebSocketsToken", "")["token"].as_str().unwrap().to_owned();
    stream.say(&format!(
        r#"{{"method":"add_order","params":{{"order_type":"stop-loss-limit","side":"sell","order_qty":0.5,"symbol":"BTC/USD",
        "limit_price":35900,"triggers":{{"reference":"last","price":36000}},"cl_ord_id":"mine","token":"{token}"}}}}"#
    ));
    assert_eq!(next(&mut stream)["error"], "EOrder:Insufficient funds");
    stream.say(&format!(
        r#"{{"method":"add_order","params":{{"order_type":"limit","side":"buy","order_qty":1.25,"symbol":"BTC/USD",
        "limit_price":37500,"time_in_force":"gtc","cl_ord_id":"mine","token":"{token}"}}}}"#
    ));
    let answer = next(&mut stream);
    assert_eq!(answer["result"]["order_id"], desk.bench.double.orders()[0].id.as_str());
    stream
        .say(&format!(r#"{{"method":"cancel_order","params":{{"cl_ord_id":["mine"],"token":"{token}"}}}}"#));
    until("the cancellation", || desk.bench.double.orders()[0].state == OrderState::Canceled);
    desk.bench.act(Act::ExpireTokens);
    let mut again = desk.bench.connect_to("/v2", false).unwrap();
    assert_eq!(again.next().unwrap()["channel"], "status");
    again.say(&format!(r#"{{"method":"subscribe","params":{{"channel":"executions","token":"{token}"}}}}"#));
    assert_eq!(again.next().unwrap()["error"], "ESession:Invalid session");
}

#[test]
fn everything_is_cancelled_when_nobody_says_otherwise() {
    let desk = Desk::new();
    desk.taken("price=5");
    desk.ask("CancelAllOrdersAfter", "timeout=60");
    assert_eq!(desk.bench.double.orders()[0].state, OrderState::Accepted);
    desk.bench.act(Act::Clock(61_000));
    until("the dead man's switch", || desk.bench.double.orders()[0].state == OrderState::Canceled);
}
