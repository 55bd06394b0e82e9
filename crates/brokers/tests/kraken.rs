//! Kraken's adapter against answers that the test writes: what it sends, and when it does not send.

#![cfg(feature = "kraken")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

#[path = "common/kraken_world.rs"]
mod kraken_world;

use bytes::Bytes;
use futures_util::StreamExt;
use kraken_world::World;
use mts_brokers::{Kraken, KrakenConfig};
use mts_foundation::broker::{Broker, BrokerErrorKind, ErrorStatus, OrderRef, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, Cursor, OrderReport};
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
    order_of(key, "BTC-USD", TimeInForce::Gtc)
}

fn order_of(key: &str, symbol: &str, tif: TimeInForce) -> Order {
    let order = Order::builder().order_id("o1").idempotency_key(key).symbol(symbol).side(Side::Buy);
    let order = order.quantity(Decimal::TWO).order_type(OrderType::Limit).limit_price(Decimal::from(100));
    let order = order.tif(tif).fund_id("f").strategy_id("s").broker("kraken").actor("s");
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
        "closetm":1700000001.5,"descr":{{"pair":"XBTUSD","type":"buy","ordertype":"limit","price":"100.0"}},"vol":"2.0","vol_exec":"2.0","price":"99.9"}}}},"count":1}}}}"#
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

#[test]
fn a_time_of_nothing_is_refused_with_the_way_out() {
    for field in ["deadline_ms", "look_every_ms", "silence_ms"] {
        let config: KrakenConfig = serde_json::from_str(&format!(r#"{{"{field}": 0}}"#)).unwrap();
        let words = format!("{field} is 0; write the milliseconds, 1 or more");
        assert_eq!(config.validate().unwrap_err().to_string(), words);
        let error = ready(Venue::new().broker(|changed| *changed = config).connect()).unwrap_err();
        assert_eq!((error.kind, error.message), (BrokerErrorKind::InvalidRequest, words));
    }
    assert_eq!(KrakenConfig::default().validate(), Ok(()));
}

/// Kraken has none of the order, and a client id is not known again there: a doubt would wait for a person.
#[test]
fn an_order_over_the_limit_is_refused_and_may_be_sent_again() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    let broker = world.broker(|_| {});
    for error in ["EOrder:Rate limit exceeded", "EAPI:Rate limit exceeded", "EService:Throttled: 1700000001"]
    {
        world.answer("AddOrder", &format!(r#"{{"error":["{error}"]}}"#));
        let outcome = ready(broker.submit(&order("k")));
        assert!(
            matches!(&outcome, SubmitOutcome::Rejected { reason } if reason.contains(error)),
            "{outcome:?}"
        );
    }
    world.answer("AddOrder", r#"{"error":["EService:Busy"]}"#);
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Unknown { .. }));
    assert_eq!(world.bodies("AddOrder").len(), 4);
    // From now on it is looked up.
    for call in ["OpenOrders", "OpenOrders"] {
        world.answer(call, r#"{"error":["EAPI:Rate limit exceeded"]}"#);
    }
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Unknown { .. }));
    assert_eq!(world.bodies("AddOrder").len(), 4);
}

#[test]
fn where_secrets_cannot_be_reached_nothing_is_sent_and_it_may_be_tried_again() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    let broker = world.broker(|_| {});
    for (temporary, kind, status) in [
        (true, BrokerErrorKind::Disconnected, ErrorStatus::Temporary),
        (false, BrokerErrorKind::Auth, ErrorStatus::Permanent),
    ] {
        world.world.turn(|turns| turns.no_secrets = Some(temporary));
        assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::NotSent { .. }));
        let error = ready(broker.open_orders()).unwrap_err();
        assert_eq!((error.kind, error.status), (kind, status), "{error}");
    }
    world.world.turn(|turns| turns.no_secrets = None);
    world.answer("AddOrder", ADDED);
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Accepted(_)));
    assert_eq!(world.bodies("AddOrder").len(), 1);
}

/// The order of the key may live: that this call cannot be made says nothing of it.
#[test]
fn an_order_that_was_sent_before_is_never_called_not_sent() {
    let world = Venue::new();
    let broker = world.broker(|_| {});
    broker.recall(&[order("k")]);
    // There is no list of pairs.
    let outcome = ready(broker.submit(&order("k")));
    assert!(matches!(outcome, SubmitOutcome::Unknown { .. }), "{outcome:?}");
    let outcome = ready(broker.submit(&order("another")));
    assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
    world.answer("AssetPairs", PAIRS);
    world.world.turn(|turns| turns.no_secrets = Some(true));
    let outcome = ready(broker.submit(&order("k")));
    assert!(matches!(outcome, SubmitOutcome::Unknown { .. }), "{outcome:?}");
}

#[test]
fn an_order_of_the_key_that_is_another_one_is_not_taken_for_it() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    let broker = world.broker(|_| {});
    broker.recall(&[order("k")]);
    let client_id = mts_brokers::kit::client_id(&order("k").idempotency_key);
    let closed = |descr: &str, volume: &str| {
        world.answer("OpenOrders", NO_OPEN);
        let row = format!(
            r#"{{"error":[],"result":{{"closed":{{"OUF4EM-FRGI2-MQMWZD":{{"cl_ord_id":"{client_id}","status":"closed",
            "opentm":1700000000.5,"descr":{descr},"vol":"{volume}","vol_exec":"2.0","price":"99.9"}}}},"count":1}}}}"#
        );
        world.answer("ClosedOrders", &row);
    };
    let right = r#"{"pair":"XBTUSD","type":"buy","ordertype":"limit","price":"100.0","price2":"0"}"#;
    for (from, to, is_known) in [
        ("XBTUSD", "XETHXXBT", false),
        ("buy", "sell", false),
        ("limit", "market", false),
        // As an amendment leaves it; the order that is sent again must have the price that it was sent with.
        ("100.0", "100.1", true),
    ] {
        let wrong = right.replace(from, to);
        closed(&wrong, "2.0");
        let outcome = ready(broker.submit(&order("k")));
        assert!(matches!(outcome, SubmitOutcome::Unknown { .. }), "{wrong}: {outcome:?}");
        closed(&wrong, "2.0");
        let told = ready(broker.order(&OrderRef::Key(order("k").idempotency_key.clone())));
        assert_eq!(told.is_ok(), is_known, "{wrong}: {told:?}");
    }
    closed(right, "1.9");
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Unknown { .. }));
    closed(right, "2.0");
    assert!(matches!(ready(broker.submit(&order("k"))), SubmitOutcome::Accepted(_)));
}

/// A row of somebody else's in a pair that Kraken does not list, such as one for a dark pool.
fn nameless(id: &str, time: u32) -> String {
    format!(
        r#""{id}":{{"ordertxid":"OSTRAN-GERAA-AAAAAA","pair":"TSLAxUSD","time":{time}.5,"type":"buy","price":"1","fee":"0","vol":"1"}}"#
    )
}

const OURS: &str = r#""TCCCTY-WJ6EO-4FP4VZ":{"ordertxid":"OUF4EM-FRGI2-MQMWZD","pair":"XXBTZUSD","time":1699999999.5,"type":"buy",
    "price":"100.0","fee":"0.5","vol":"2.0"}"#;

#[test]
fn what_others_do_in_a_pair_without_a_name_stops_nothing_and_is_told_as_a_gap_once() {
    let world = Venue::new();
    for _ in 0..2 {
        world.answer("GetApiKeyInfo", r#"{"error":[],"result":{"permissions":[],"iban":"AA88 N84G"}}"#);
        world.answer("GetWebSocketsToken", r#"{"error":[],"result":{"token":"token"}}"#);
    }
    world.answer("AssetPairs", PAIRS);
    let client_id = mts_brokers::kit::client_id(&order("k").idempotency_key);
    let trades = |rows: &[&str]| {
        world.answer(
            "TradesHistory",
            &format!(r#"{{"error":[],"result":{{"trades":{{{}}}}}}}"#, rows.join(",")),
        );
        let owners = format!(
            r#"{{"error":[],"result":{{"OUF4EM-FRGI2-MQMWZD":{{"cl_ord_id":"{client_id}","status":"closed","opentm":1,"vol":"2",
            "vol_exec":"2","descr":{{"pair":"XBTUSD","type":"buy","ordertype":"limit","price":"-1.5%"}}}}}}}}"#
        );
        world.answer("QueryOrders", &owners);
        // Of an asset that is not listed, and so no money.
        let entry = r#""L1":{"asset":"TSLAx","type":"deposit","time":1699999999,"amount":"1","fee":"0"}"#;
        world.answer("Ledgers", &format!(r#"{{"error":[],"result":{{"ledger":{{{entry}}}}}}}"#));
    };
    let broker = world.broker(|_| {});
    broker.recall(&[order("k")]);
    // Twice a message that makes the history be asked, between which a second stranger's row comes.
    let odd = |sequence| {
        format!(
            r#"{{"channel":"executions","type":"update","data":[{{"order_id":"O1","exec_type":"odd"}}],"sequence":{sequence}}}"#
        )
    };
    trades(&[&nameless("T1", 1_699_999_990), OURS]);
    trades(&[&nameless("T1", 1_699_999_990), OURS]);
    trades(&[&nameless("T1", 1_699_999_990), &nameless("T2", 1_699_999_995), OURS]);
    world.world.turn(|turns| turns.frames = [odd(1), odd(2)].into());
    let cursor = || Some(Cursor::new("2023-11-14T22:13:00Z").unwrap());
    let told = |broker: &Kraken| {
        let events: Vec<_> =
            ready(broker.events(cursor()).take_while(|event| std::future::ready(event.is_ok())).collect());
        events
            .into_iter()
            .map(|event| match event.unwrap() {
                BrokerEvent::Fill { fill, .. } => format!("{} {}", fill.order_id, fill.symbol),
                BrokerEvent::Gap { from, recoverable: false, .. } => format!("gap {from}"),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let gaps = ["gap 2023-11-14T22:13:10.500Z", "gap 2023-11-14T22:13:15.500Z"];
    assert_eq!(told(&broker), ["o1 BTC-USD", gaps[0], gaps[1]]);
    assert_eq!(world.bodies("AssetPairs").len(), 1, "not asked anew within a minute");
    // A new stream tells it again: what the one before it told may have been lost with it.
    world.world.turn(|turns| turns.passed = 61);
    world.answer("AssetPairs", PAIRS);
    trades(&[&nameless("T1", 1_699_999_990), OURS]);
    assert_eq!(told(&broker), ["o1 BTC-USD", gaps[0]]);
    assert_eq!(world.bodies("AssetPairs").len(), 2, "asked anew for the new stream");
}

#[test]
fn what_cannot_be_said_of_an_order_of_others_is_passed_over() {
    let world = Venue::new();
    world.answer("AssetPairs", PAIRS);
    let client_id = mts_brokers::kit::client_id(&order("k").idempotency_key);
    let row = |id: &str, own: &str, pair: &str, kind: &str| {
        format!(
            r#""{id}":{{{own}"status":"open","opentm":1,"vol":"2","vol_exec":"0","descr":{{"pair":"{pair}","type":"buy","ordertype":"{kind}"}}}}"#
        )
    };
    let own = format!(r#""cl_ord_id":"{client_id}","#);
    let open = |rows: [String; 4]| {
        world.answer("OpenOrders", &format!(r#"{{"error":[],"result":{{"open":{{{}}}}}}}"#, rows.join(",")))
    };
    let broker = world.broker(|_| {});
    broker.recall(&[order("k")]);
    let rows = |own_pair: &str| {
        [
            row("OAAAAA-BBBBB-CCCCC1", &own, own_pair, "limit"),
            row("OAAAAA-BBBBB-CCCCC2", "", "TSLAxUSD", "limit"),
            row("OAAAAA-BBBBB-CCCCC3", "", "XBTUSD", "moonshot"),
            row("OAAAAA-BBBBB-CCCCC4", "", "XBTUSD", "limit"),
        ]
    };
    let ids = |told: Vec<OrderReport>| -> Vec<(String, bool)> {
        told.iter().map(|report| (report.symbol.to_string(), report.order_id.is_some())).collect()
    };
    let both = [("BTC-USD".to_owned(), true), ("BTC-USD".to_owned(), false)];
    open(rows("XBTUSD"));
    assert_eq!(ids(ready(broker.open_orders()).unwrap()), both);
    // Ours, and its pair has left the list.
    open(rows("XBTUSDold"));
    assert_eq!(ids(ready(broker.open_orders()).unwrap()), both);
    // Ours, and nobody knows what it is: it is not left out.
    let [own, others @ ..] = rows("XBTUSD");
    let [one, two, three] = others;
    open([own.replace("buy", "hold"), one, two, three]);
    assert!(ready(broker.open_orders()).is_err());
}

#[test]
fn an_entry_that_cannot_be_said_is_a_gap_and_without_a_place_nobody_asks_for_any() {
    let world = Venue::new();
    world.answer("GetApiKeyInfo", r#"{"error":[],"result":{"permissions":[],"iban":"AA88 N84G"}}"#);
    world.answer("AssetPairs", PAIRS);
    world.answer("Time", r#"{"error":[],"result":{"unixtime":1700000000}}"#);
    world.answer("OpenOrders", NO_OPEN);
    let most = Decimal::MAX;
    let entries = format!(
        r#""L1":{{"asset":"ZUSD","type":"deposit","time":1699999999,"amount":"-{most}","fee":"{most}"}},
           "L2":{{"asset":"ZUSD","type":"deposit","time":1699999999,"amount":"5","fee":"0"}}"#
    );
    world.answer("Ledgers", &format!(r#"{{"error":[],"result":{{"ledger":{{{entries}}}}}}}"#));
    for _ in 0..2 {
        world.answer("GetWebSocketsToken", r#"{"error":[],"result":{"token":"token"}}"#);
        world.answer("TradesHistory", r#"{"error":[],"result":{"trades":{}}}"#);
    }
    let broker = world.broker(|_| {});
    broker.recall(&[order("k")]);
    let told = |after: Option<&str>| {
        let events = broker.events(after.map(|place| Cursor::new(place).unwrap()));
        let events: Vec<_> =
            ready(events.take_while(|event| std::future::ready(event.is_ok())).collect::<Vec<_>>());
        let word = |event: Result<BrokerEvent, _>| match event.unwrap() {
            BrokerEvent::Cash { flow, .. } => flow.amount.to_string(),
            BrokerEvent::Gap { recoverable: false, .. } => "gap".to_owned(),
            other => panic!("{other:?}"),
        };
        events.into_iter().map(word).collect::<Vec<_>>()
    };
    assert_eq!(told(None), Vec::<String>::new());
    assert_eq!((world.bodies("TradesHistory").len(), world.bodies("Ledgers").len()), (1, 0));
    assert_eq!(told(Some("2023-11-14T22:13:00Z")), ["5", "gap"]);
    assert_eq!(world.bodies("Ledgers").len(), 1);
}

#[test]
fn a_pair_that_is_listed_later_is_found_within_a_minute() {
    let world = Venue::new();
    let broker = world.broker(|_| {});
    world.answer("AssetPairs", PAIRS);
    let eth = order_of("k", "ETH-USD", TimeInForce::Gtc);
    for seconds in [0, 59] {
        world.world.turn(|turns| turns.passed = seconds);
        assert!(matches!(ready(broker.submit(&eth)), SubmitOutcome::NotSent { .. }));
        assert_eq!(world.bodies("AssetPairs").len(), 1);
    }
    // It cannot be asked now: what was known stays.
    world.world.turn(|turns| turns.passed = 60);
    assert!(
        matches!(ready(broker.submit(&eth)), SubmitOutcome::NotSent { reason } if reason.contains("no such pair"))
    );
    world.answer("AddOrder", ADDED);
    assert!(matches!(ready(broker.submit(&order("k2"))), SubmitOutcome::Accepted(_)));
    let more = r#"{"XXBTZUSD":"#;
    let listed = PAIRS.replace(
        more,
        r#"{"XETHZUSD":{"altname":"ETHUSD","wsname":"ETH/USD","base":"XETH","quote":"ZUSD","pair_decimals":2,"lot_decimals":8},"XXBTZUSD":"#,
    );
    world.answer("AssetPairs", &listed);
    world.answer("AddOrder", &ADDED.replace("XBTUSD", "ETHUSD"));
    assert!(matches!(ready(broker.submit(&eth)), SubmitOutcome::NotSent { .. }), "a minute has not passed");
    world.world.turn(|turns| turns.passed = 120);
    assert!(matches!(ready(broker.submit(&eth)), SubmitOutcome::Accepted(_)));
    assert_eq!(world.bodies("AssetPairs").len(), 3);
}

/// The books are by it: it is the number that Kraken tells, or the name that was given, and never one made up.
#[test]
fn the_account_has_the_same_name_whatever_the_key() {
    let fill_of = |answer: &str, name: Option<&str>| {
        let world = Venue::new();
        world.answer("GetApiKeyInfo", answer);
        world.answer("AssetPairs", PAIRS);
        world.answer("GetWebSocketsToken", r#"{"error":[],"result":{"token":"token"}}"#);
        world.answer("TradesHistory", &format!(r#"{{"error":[],"result":{{"trades":{{{OURS}}}}}}}"#));
        world.answer("QueryOrders", r#"{"error":[],"result":{}}"#);
        world.answer("Ledgers", r#"{"error":[],"result":{"ledger":{}}}"#);
        let broker = world.broker(|config| config.account = name.map(str::to_owned));
        let cursor = Cursor::new("2023-11-14T22:13:00Z").unwrap();
        match ready(broker.events(Some(cursor)).next()).unwrap() {
            Ok(BrokerEvent::Fill { account, .. }) => Ok(account.as_str().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.message),
        }
    };
    let told =
        |iban: &str| format!(r#"{{"error":[],"result":{{"apiKey":"the-key","permissions":[]{iban}}}}}"#);
    let number = told(r#","iban":"AA88 N84G WOZ5 RHPY""#);
    assert_eq!(fill_of(&number, None).as_deref(), Ok("AA88N84GWOZ5RHPY"));
    assert_eq!(fill_of(&number, Some("main")).as_deref(), Ok("main"));
    for none in [told(""), told(r#","iban":null"#), told(r#","iban":" ""#)] {
        let error = fill_of(&none, None).unwrap_err();
        assert!(error.contains("set account to a name") && !error.contains("the-key"), "{error}");
        assert_eq!(fill_of(&none, Some("main")).as_deref(), Ok("main"));
    }
}

#[test]
fn nothing_of_an_answer_with_a_token_is_ever_repeated() {
    const CANARY: &str = "c4n4ry-t0ken";
    let answers = [
        r#"{"error":[],"result":"c4n4ry-t0ken"}"#,
        r#"{"error":[],"result":["c4n4ry-t0ken"]}"#,
        r#"{"error":[],"result":{"token":["c4n4ry-t0ken"]}}"#,
        r#"{"error":[],"result":{"token":{"c4n4ry-t0ken":1}}}"#,
        r#"{"error":"c4n4ry-t0ken","result":{}}"#,
        r#"{"error":[],"result":{"token":"c4n4ry-t0ken"}"#,
        r#""c4n4ry-t0ken""#,
        "c4n4ry-t0ken",
    ];
    for status in [200, 202, 302, 400, 401, 403, 404, 429, 500, 503] {
        let status = http::StatusCode::from_u16(status).unwrap();
        for answer in answers {
            let world = Venue::new();
            world.answer("GetApiKeyInfo", r#"{"error":[],"result":{"permissions":[],"iban":"AA88 N84G"}}"#);
            world.answer("AssetPairs", PAIRS);
            let broker = world.broker(|_| {});
            // What comes before the token is learnt while all is well.
            ready(broker.events(None).next()).unwrap().unwrap_err();
            world.answer("GetWebSocketsToken", answer);
            world.world.turn(|turns| turns.status = Some(status));
            let error = ready(broker.events(None).next()).unwrap().unwrap_err();
            assert_eq!(world.bodies("GetWebSocketsToken").len(), 2, "{status} {answer}");
            let said = format!("{error} {error:?}");
            assert!(!said.contains(CANARY), "{status} {answer}: {said}");
        }
    }
}

#[test]
fn the_most_absurd_time_of_the_venue_is_no_panic() {
    for seconds in ["9223372036854775807", "-9223372036854775808", "9223372036854775", "-9223372036854775"] {
        let world = Venue::new();
        for _ in 0..3 {
            world.answer("Time", &format!(r#"{{"error":[],"result":{{"unixtime":{seconds}}}}}"#));
        }
        let broker = world.broker(|_| {});
        let checks = ready(broker.diagnose(None));
        assert!(checks.iter().any(|check| check.name == "time skew" && !check.ok), "{seconds}: {checks:?}");
        world.answer("AssetPairs", PAIRS);
        world.answer("AddOrder", ADDED);
        let day = order_of("k", "BTC-USD", TimeInForce::Day);
        assert!(matches!(ready(broker.submit(&day)), SubmitOutcome::Accepted(_)));
    }
}
