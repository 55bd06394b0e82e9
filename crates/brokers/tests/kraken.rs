//! Kraken's adapter against answers that the test writes: what it sends, and when it does not send.

#![cfg(feature = "kraken")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

#[path = "common/kraken_world.rs"]
mod kraken_world;

use bytes::Bytes;
use kraken_world::World;
use mts_brokers::{Kraken, KrakenConfig};
use mts_foundation::broker::{Broker, BrokerErrorKind, SubmitOutcome};
use mts_foundation::{Decimal, Order, OrderType, Side, TimeInForce, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The venue as the test writes it: answers by the name of the call, each used once, and what was sent.
#[derive(Clone)]
struct Venue {
    answers: Arc<Mutex<BTreeMap<String, VecDeque<Option<String>>>>>,
    sent: Arc<Mutex<Vec<(String, String)>>>,
    world: World,
}

/// What a call gives that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    mts_foundation::ready::ready(future).unwrap()
}

const PAIRS: &str = r#"{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD",
    "pair_decimals":1,"lot_decimals":8,"tick_size":"0.1"}}}"#;
const ADDED: &str = r#"{"error":[],"result":{"txid":["OUF4EM-FRGI2-MQMWZD"],"descr":{"order":"buy 2.00000000 XBTUSD @ limit 100.0"}}}"#;
const NO_OPEN: &str = r#"{"error":[],"result":{"open":{}}}"#;
const NO_CLOSED: &str = r#"{"error":[],"result":{"closed":{},"count":0}}"#;
const INVALID_NONCE: &str = r#"{"error":["EAPI:Invalid nonce"]}"#;

impl Venue {
    fn new() -> Self {
        let (answers, sent) = (
            Arc::<Mutex<BTreeMap<String, VecDeque<Option<String>>>>>::default(),
            Arc::<Mutex<Vec<_>>>::default(),
        );
        let (queues, log) = (Arc::clone(&answers), Arc::clone(&sent));
        let world = World::new(move |call: &str, body: &str| {
            log.lock().unwrap().push((call.to_owned(), body.to_owned()));
            queues.lock().unwrap().get_mut(call)?.pop_front()?.map(Bytes::from)
        });
        Self { answers, sent, world }
    }

    fn answer(&self, call: &str, text: &str) {
        self.answers.lock().unwrap().entry(call.to_owned()).or_default().push_back(Some(text.to_owned()));
    }

    fn silence(&self, call: &str) {
        self.answers.lock().unwrap().entry(call.to_owned()).or_default().push_back(None);
    }

    fn bodies(&self, call: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(name, _)| name == call).map(|(_, body)| body.clone()).collect()
    }

    fn broker(&self, change: impl FnOnce(&mut KrakenConfig)) -> Kraken {
        self.world.broker(change)
    }
}

fn order(key: &str) -> Order {
    let order = Order::builder().order_id("o1").idempotency_key(key).symbol("BTC-USD").side(Side::Buy);
    let order = order.quantity(Decimal::TWO).order_type(OrderType::Limit).limit_price(Decimal::from(100));
    let order = order.tif(TimeInForce::Gtc).fund_id("f").strategy_id("s").broker("kraken").actor("s");
    order.created_at(Timestamp::from_millis(1_700_000_000_000)).build().unwrap()
}

fn nonce(body: &str) -> u64 {
    body.strip_prefix("nonce=").unwrap().split('&').next().unwrap().parse().unwrap()
}

#[test]
fn a_key_that_may_withdraw_is_refused_unless_it_is_allowed() {
    let info = |permissions: &str| {
        format!(
            r#"{{"error":[],"result":{{"apiKey":"the-key","permissions":[{permissions}],"iban":"AA88 N84G"}}}}"#
        )
    };
    let connect = |permissions: &str, allow: bool| {
        let world = Venue::new();
        world.answer("GetApiKeyInfo", &info(permissions));
        world.answer("Time", r#"{"error":[],"result":{"unixtime":1700000000}}"#);
        world.answer("AssetPairs", PAIRS);
        ready(world.broker(|config| config.allow_withdrawal_key = allow).connect())
            .map_err(|error| (error.kind, error.message))
    };
    assert_eq!(connect(r#""query-funds","modify-trades""#, false), Ok(()));
    for right in ["withdraw-funds", "add-withdraw-address"] {
        let (kind, message) = connect(&format!(r#""query-funds","{right}""#), false).unwrap_err();
        assert_eq!(kind, BrokerErrorKind::Auth);
        assert!(message.contains("allow_withdrawal_key"), "{message}");
        assert_eq!(connect(&format!(r#""query-funds","{right}""#), true), Ok(()));
    }
}

#[test]
fn after_a_nonce_that_came_too_late_the_call_is_signed_anew_with_a_higher_one() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    for answer in [INVALID_NONCE, INVALID_NONCE, ADDED] {
        world.answer("AddOrder", answer);
    }
    let outcome = ready(world.broker(|_| {}).submit(&order("k")));
    assert!(
        matches!(&outcome, SubmitOutcome::Accepted(order) if order.broker_order_id.as_ref().unwrap().as_str() == "OUF4EM-FRGI2-MQMWZD"),
        "{outcome:?}"
    );
    let nonces: Vec<u64> = world.bodies("AddOrder").iter().map(|body| nonce(body)).collect();
    assert_eq!(nonces.len(), 3);
    assert!(nonces.is_sorted_by(|left, right| left < right), "{nonces:?}");
    // Another program is ahead for ever: what to do about it is said.
    world.answer("AssetPairs", PAIRS);
    for _ in 0..40 {
        world.answer("OpenOrders", INVALID_NONCE);
    }
    let error = ready(world.broker(|_| {}).open_orders()).unwrap_err();
    assert_eq!(error.kind, BrokerErrorKind::Auth);
    assert!(error.message.contains("a key of its own"), "{error}");
    assert!(world.bodies("OpenOrders").len() <= 12);
    // A process that begins later goes on above what the one before it used.
    assert!(nonce(&world.bodies("OpenOrders")[0]) > nonces[2]);
}

#[test]
fn an_order_whose_fate_is_unknown_is_looked_up_and_never_sent_a_second_time() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    world.silence("AddOrder");
    let broker = world.broker(|_| {});
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Unknown { .. }));
    // Kraken would take the same client id again once the first order has ended, so its silence proves nothing.
    world.answer("OpenOrders", NO_OPEN);
    world.answer("ClosedOrders", NO_CLOSED);
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Unknown { .. }));
    let client_id = world.bodies("OpenOrders")[0].rsplit('=').next().unwrap().to_owned();
    world.answer("OpenOrders", NO_OPEN);
    let row = format!(
        r#"{{"error":[],"result":{{"closed":{{"OUF4EM-FRGI2-MQMWZD":{{"cl_ord_id":"{client_id}","status":"closed","opentm":1700000000.5,
        "closetm":1700000001.5,"descr":{{"pair":"XBTUSD","type":"buy","ordertype":"limit"}},"vol":"2.0","vol_exec":"2.0","price":"99.9"}}}},"count":1}}}}"#
    );
    world.answer("ClosedOrders", &row);
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Accepted(_)));
    assert_eq!(world.bodies("AddOrder").len(), 1);
    assert!(world.bodies("AddOrder")[0].contains(&client_id));
    // A process that was told of the order is as careful.
    let other = world.broker(|_| {});
    other.recall(&[order("k")]);
    world.answer("AssetPairs", PAIRS);
    world.answer("OpenOrders", NO_OPEN);
    world.answer("ClosedOrders", &row);
    assert!(matches!(ready(other.submit(&order("k"))), SubmitOutcome::Accepted(_)));
    assert_eq!(world.bodies("AddOrder").len(), 1);
}

#[test]
fn an_order_that_was_refused_may_be_sent_again() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    world.answer("AddOrder", r#"{"error":["EOrder:Insufficient funds"]}"#);
    world.answer("AddOrder", r#"{"error":["EService:Deadline elapsed"]}"#);
    world.answer("AddOrder", ADDED);
    let broker = world.broker(|_| {});
    for _ in 0..2 {
        assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Rejected { .. }));
    }
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Accepted(_)));
    assert!(world.bodies("OpenOrders").is_empty());
}

#[test]
fn settings_are_read_and_what_is_unknown_is_refused() {
    let config: KrakenConfig = serde_json::from_str(r#"{"tier": "pro", "currency": "EUR"}"#).unwrap();
    assert_eq!((config.budget(), config.currency.as_str()), (60, "EUR"));
    let own: KrakenConfig = serde_json::from_str(r#"{"calls_a_minute": 6000}"#).unwrap();
    assert_eq!((own.budget(), KrakenConfig::default().budget()), (6_000, 19));
    assert_eq!(config.rest_url(), "https://api.kraken.com");
    assert!(!config.allow_withdrawal_key);
    assert_eq!(serde_json::from_str::<KrakenConfig>("{}").unwrap(), KrakenConfig::default());
    assert!(serde_json::from_str::<KrakenConfig>(r#"{"passphrase": "x"}"#).is_err());
    let short: KrakenConfig = serde_json::from_str(r#"{"order_deadline_ms": 1}"#).unwrap();
    assert_eq!(short.order_deadline(), Duration::from_secs(2));
}
