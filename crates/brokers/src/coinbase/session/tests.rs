//! The talk, frame by frame.

use super::super::watch::Found;
use super::*;
use mts_foundation::{BrokerEvent, BrokerOrderId, Order, OrderState, OrderType, Side, TimeInForce};
use serde_json::{Value, json};

const SECRET: &str = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputA=";

struct Talk {
    channel: UserChannel,
    watch: Arc<Watch>,
    number: u64,
}

impl Talk {
    fn new() -> Self {
        let watch = Arc::new(Watch::default());
        let signer = Arc::new(Signer::new("name".into(), &SECRET.into()).unwrap());
        let channel = UserChannel::watching(signer, Arc::default(), watch.clone(), Duration::from_secs(10));
        Self { channel, watch, number: 0 }
    }

    /// Takes a message; what is to be done, in words.
    fn take(&mut self, channel: &str, events: &Value) -> Vec<String> {
        let message = json!({"channel": channel, "client_id": "", "timestamp": "2026-11-22T03:00:00Z",
            "sequence_num": self.number, "events": events});
        self.number += 1;
        let mut steps = Vec::new();
        self.channel.take(message.to_string().as_bytes(), Timestamp::EPOCH, &mut steps).unwrap();
        let word = |step: &Step| match step {
            Step::Send(_) => "send".to_owned(),
            Step::Live => "live".to_owned(),
            Step::Look => "look".to_owned(),
            Step::Event(event) => match event.as_ref() {
                BrokerEvent::Order(report) => {
                    format!("{} {}/{}", report.state, report.filled, report.quantity)
                }
                other => panic!("{other:?}"),
            },
        };
        steps.iter().map(word).collect()
    }

    fn order(&mut self, kind: &str, status: &str, filled: &str, leaves: &str) -> Vec<String> {
        let row = json!({"order_id": "v1", "client_order_id": "c", "product_id": "BTC-USD", "order_side": "BUY",
            "status": status, "cumulative_quantity": filled, "leaves_quantity": leaves, "avg_price": "100", "limit_price": "100"});
        self.take("user", &json!([{"type": kind, "orders": [row]}]))
    }
}

fn state(state: OrderState, sums: &str) -> String {
    format!("{state} {sums}")
}

#[test]
fn both_channels_are_asked_for_with_a_token_each() {
    let frames = Talk::new().channel.open(Timestamp::from_millis(1_700_000_000_000));
    let messages: Vec<Value> = frames
        .iter()
        .map(|frame| match frame {
            Frame::Text(text) => serde_json::from_slice(text).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    let channels: Vec<&str> = messages.iter().map(|message| message["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["user", "heartbeats"]);
    assert_ne!(messages[0]["jwt"], messages[1]["jwt"]);
    assert_eq!((messages[0]["type"].as_str(), &messages[0]["product_ids"]), (Some("subscribe"), &json!([])));
}

#[test]
fn a_stream_is_live_when_the_user_channel_is_confirmed() {
    let mut talk = Talk::new();
    assert!(talk.take("subscriptions", &json!([{"subscriptions": {"heartbeats": ["u"]}}])).is_empty());
    assert_eq!(talk.take("subscriptions", &json!([{"subscriptions": {"user": ["u"]}}])), ["live"]);
}

#[test]
fn what_has_filled_is_looked_for_and_what_the_history_has_is_not() {
    let mut talk = Talk::new();
    let id = BrokerOrderId::new("v1").unwrap();
    assert_eq!(talk.order("update", "OPEN", "0", "10"), [state(OrderState::Accepted, "0/10")]);
    assert_eq!(
        talk.order("update", "OPEN", "4", "6"),
        ["look".to_owned(), state(OrderState::PartiallyFilled, "4/10")]
    );
    // Until the history shows it, each heartbeat looks again.
    assert_eq!(talk.take("heartbeats", &json!([{"heartbeat_counter": 1}])), ["look"]);
    let shown = vec![(id, Decimal::from(7))];
    talk.watch.note(Found { shown, ..Found::default() }, Timestamp::EPOCH);
    assert!(talk.take("heartbeats", &json!([])).is_empty());
    assert_eq!(talk.order("update", "OPEN", "7", "3"), [state(OrderState::PartiallyFilled, "7/10")]);
    // What comes late says nothing, and an end leaves nothing of what was wanted.
    assert!(talk.order("update", "OPEN", "4", "6").is_empty());
    assert_eq!(talk.order("update", "CANCELLED", "7", "0"), [state(OrderState::Canceled, "7/10")]);
    assert!(talk.order("update", "OPEN", "7", "3").is_empty());
    assert!(!talk.watch.is_due(Timestamp::EPOCH));
}

#[test]
fn a_snapshot_tells_what_was_wanted_and_no_news() {
    let mut talk = Talk::new();
    assert!(talk.order("snapshot", "OPEN", "4", "6").is_empty());
    assert!(!talk.watch.is_due(Timestamp::EPOCH));
    let looks = talk.order("update", "CANCELLED", "4", "0");
    assert_eq!(looks.last(), Some(&state(OrderState::Canceled, "4/10")));
}

#[test]
fn a_number_that_is_missing_makes_what_is_open_doubtful() {
    let mut talk = Talk::new();
    talk.order("update", "OPEN", "0", "10");
    talk.number += 1;
    assert_eq!(talk.take("heartbeats", &json!([])), ["look", "look"]);
    assert_eq!(talk.watch.doubtful().len(), 1);
    // Once; and messages that come late or twice are no gap.
    talk.watch.settled(&BrokerOrderId::new("v1").unwrap(), true);
    talk.number -= 2;
    assert!(talk.take("heartbeats", &json!([])).is_empty());
    assert!(talk.take("heartbeats", &json!([])).is_empty());
}

#[test]
fn what_is_not_understood_is_looked_up_once_a_heartbeat_and_only_where_it_is_ours() {
    let mut talk = Talk::new();
    let order = Order::builder().order_id("o1").idempotency_key("k1").symbol("BTC-USD").side(Side::Buy);
    let order = order.quantity(Decimal::TEN).order_type(OrderType::Market).tif(TimeInForce::Ioc).fund_id("f");
    let order = order.strategy_id("s").broker("coinbase").actor("a").created_at(Timestamp::EPOCH);
    let client = talk.channel.orders.insert(&order.build().unwrap());
    for (client, is_ours) in [("theirs", false), (client.as_str(), true)] {
        for filled in 4..7 {
            let row = json!({"order_id": "v1", "client_order_id": client, "product_id": "BTC-USD", "order_side": "HOLD",
                "status": "OPEN", "cumulative_quantity": filled.to_string(), "leaves_quantity": "6"});
            assert!(talk.take("user", &json!([{"type": "update", "orders": [row]}])).is_empty(), "{client}");
        }
        let looks = talk.take("heartbeats", &json!([]));
        assert_eq!((looks == ["look"], talk.watch.is_due(Timestamp::EPOCH)), (is_ours, is_ours), "{client}");
    }
    assert_eq!(talk.take("level9", &json!([{"a": 1}])), ["look"]);
    // A new status is no end.
    assert_eq!(Talk::new().order("update", "ON_HOLIDAY", "0", "10"), [state(OrderState::Accepted, "0/10")]);
}

#[test]
fn what_others_do_in_futures_is_never_looked_for() {
    let mut talk = Talk::new();
    for (kind, filled) in [("snapshot", 0), ("update", 0), ("update", 4), ("update", 5), ("update", 5)] {
        let row = json!({"order_id": "v1", "client_order_id": "c", "product_id": "BIT-28JUL23-CDE", "order_side": "BUY",
            "status": "OPEN", "cumulative_quantity": filled.to_string(), "leaves_quantity": "6"});
        assert!(talk.take("user", &json!([{"type": kind, "orders": [row]}])).is_empty(), "{kind} {filled}");
    }
    talk.watch.missed();
    assert!(!talk.watch.is_due(Timestamp::EPOCH) && talk.watch.doubtful().is_empty());
}

#[test]
fn refusals_and_nonsense_end_the_talk() {
    let of = |text: &str| {
        Talk::new().channel.take(text.as_bytes(), Timestamp::EPOCH, &mut Vec::new()).unwrap_err()
    };
    let refused = of(r#"{"type":"error","message":"authentication failure"}"#);
    assert_eq!((refused.kind, refused.status), (BrokerErrorKind::Auth, ErrorStatus::Permanent));
    assert!(refused.message.contains("api_key"), "{refused}");
    let other = of(r#"{"type":"error","message":"rate limit exceeded"}"#);
    assert_eq!((other.kind, other.status), (BrokerErrorKind::Protocol, ErrorStatus::Temporary));
    for text in
        ["", "[", r#"{"channel":"user","events":[{"orders":[{}]}]}"#, r#"{"channel":"user","events":{}}"#]
    {
        assert_eq!(of(text).status, ErrorStatus::Temporary, "{text}");
    }
}
