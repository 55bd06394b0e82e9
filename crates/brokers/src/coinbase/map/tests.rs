//! Words, both ways.

use super::*;
use crate::kit::client_id;
use serde_json::{Value, json};

fn order(order_type: OrderType, tif: TimeInForce, side: Side) -> Order {
    let mut order = Order::builder().order_id("o1").idempotency_key("k1").symbol("BTC-USD").side(side);
    order = order.quantity(Decimal::new(10, 2)).order_type(order_type).tif(tif);
    if order_type.takes_limit_price() {
        order = order.limit_price(Decimal::from(60_000));
    }
    if order_type.takes_stop_price() {
        order = order.stop_price(Decimal::from(59_000));
    }
    let time = Timestamp::from_millis(NOW);
    order.fund_id("f").strategy_id("s").broker("coinbase").actor("s").created_at(time).build().unwrap()
}

/// 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000;

fn body(order: &Order, now: i64) -> Value {
    let body = new_order(order, "BTC-USD", "c", Timestamp::from_millis(now)).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn wire(status: &str, filled: &str) -> WireOrder {
    let row = json!({
        "order_id": "v1", "client_order_id": client_id(&order(OrderType::Limit, TimeInForce::Gtc, Side::Buy).idempotency_key),
        "product_id": "BTC-USD", "side": "BUY", "status": status, "filled_size": filled, "average_filled_price": "0",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.10", "limit_price": "60000.00", "post_only": false}},
        "created_time": "2023-11-14T22:13:20.123456789Z", "fee": "", "a_new_field": {}
    });
    serde_json::from_str(&row.to_string()).unwrap()
}

fn fill(change: impl FnOnce(&mut Value)) -> WireFill {
    let mut row = json!({
        "entry_id": "e1", "trade_id": "t1", "order_id": "v1", "trade_time": "2023-11-26T10:19:47.504Z",
        "trade_type": "FILL", "price": "0.392", "size": "10", "commission": "0.03136", "product_id": "ADA-USD",
        "sequence_timestamp": "2023-11-26T10:19:47.507001Z", "liquidity_indicator": "TAKER", "size_in_quote": false,
        "side": "SELL", "cursor": "114994851"
    });
    change(&mut row);
    serde_json::from_str(&row.to_string()).unwrap()
}

#[test]
fn each_kind_of_order_has_its_configuration() {
    use {OrderType as T, TimeInForce as F};
    let day = "2023-11-15T00:00:00Z";
    let (size, limit, stop) = ("0.1", "60000", "59000");
    let cases = [
        (T::Market, F::Ioc, Side::Buy, json!({"market_market_ioc": {"base_size": size}})),
        (
            T::Limit,
            F::Gtc,
            Side::Buy,
            json!({"limit_limit_gtc": {"base_size": size, "limit_price": limit, "post_only": false}}),
        ),
        (
            T::Limit,
            F::Day,
            Side::Buy,
            json!({"limit_limit_gtd": {"base_size": size, "limit_price": limit, "post_only": false, "end_time": day}}),
        ),
        (
            T::MarketableLimit,
            F::Ioc,
            Side::Sell,
            json!({"sor_limit_ioc": {"base_size": size, "limit_price": limit}}),
        ),
        (T::Limit, F::Fok, Side::Sell, json!({"limit_limit_fok": {"base_size": size, "limit_price": limit}})),
        (
            T::StopLimit,
            F::Gtc,
            Side::Buy,
            json!({"stop_limit_stop_limit_gtc": {
            "base_size": size, "limit_price": limit, "stop_price": stop, "stop_direction": "STOP_DIRECTION_STOP_UP"}}),
        ),
        (
            T::StopLimit,
            F::Day,
            Side::Sell,
            json!({"stop_limit_stop_limit_gtd": {
            "base_size": size, "limit_price": limit, "stop_price": stop, "stop_direction": "STOP_DIRECTION_STOP_DOWN", "end_time": day}}),
        ),
    ];
    for (order_type, tif, side, configuration) in cases {
        let mut body = body(&order(order_type, tif, side), NOW);
        // Numbers as numbers: how many zeros a text has is no matter.
        let terms = body["order_configuration"].as_object_mut().unwrap().values_mut().next().unwrap();
        for field in ["base_size", "limit_price", "stop_price"] {
            if let Some(text) = terms.get(field).and_then(Value::as_str) {
                let number: Decimal = text.parse().unwrap();
                terms[field] = json!(number.normalize().to_string());
            }
        }
        let side = if side == Side::Buy { "BUY" } else { "SELL" };
        let wanted = json!({"client_order_id": "c", "product_id": "BTC-USD", "side": side, "order_configuration": configuration});
        assert_eq!(body, wanted);
    }
}

#[test]
fn a_day_ends_at_the_next_midnight_that_is_a_minute_away() {
    let end = |now: i64| end_of_day(Timestamp::from_millis(now));
    let midnight = 1_700_006_400_000;
    assert_eq!(end(NOW), "2023-11-15T00:00:00Z");
    assert_eq!(end(midnight - 61_000), "2023-11-15T00:00:00Z");
    assert_eq!(end(midnight - 59_000), "2023-11-16T00:00:00Z");
    assert_eq!(end(midnight), "2023-11-16T00:00:00Z");
}

#[test]
fn a_success_is_one_only_if_it_is_about_this_order() {
    let order = order(OrderType::Limit, TimeInForce::Gtc, Side::Buy);
    let answer =
        |answer: Value| submitted(serde_json::from_str(&answer.to_string()).unwrap(), &order, "BTC-USD", "c");
    let success = |id: &str, side: &str| {
        json!({"success": true, "failure_reason": "UNKNOWN_FAILURE_REASON", "success_response": {
        "order_id": "v1", "product_id": "BTC-USD", "side": side, "client_order_id": id}, "order_configuration": null})
    };
    assert_eq!(answer(success("c", "BUY")).unwrap().order_id, "v1");
    for other in [success("d", "BUY"), success("c", "SELL"), json!({"success": true})] {
        assert_eq!(answer(other).unwrap_err().kind, FailureKind::Unreadable);
    }
    let cases = [
        (
            json!({"success": false, "failure_reason": "UNKNOWN_FAILURE_REASON", "error_response": {
            "error": "INSUFFICIENT_FUND", "message": "Insufficient balance in source account",
            "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND", "new_order_failure_reason": "INSUFFICIENT_FUND"}}),
            Some("INSUFFICIENT_FUND"),
        ),
        (
            json!({"success": false, "error_response": {"error": "UNKNOWN_FAILURE_REASON", "message": "",
            "preview_failure_reason": "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"}}),
            Some("PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
        ),
        (json!({"success": false}), None),
    ];
    for (refused, code) in cases {
        let failure = answer(refused).unwrap_err();
        assert_eq!((failure.kind, failure.code.as_deref()), (FailureKind::Refused, code));
        assert!(!failure.message.is_empty());
    }
}

#[test]
fn the_order_of_a_used_key_is_compared_in_all_its_terms() {
    let meant = order(OrderType::Limit, TimeInForce::Gtc, Side::Buy);
    let id = client_id(&meant.idempotency_key);
    assert!(is_of(&meant, &wire("OPEN", "0"), &id, "BTC-USD").is_ok());
    let other = Order::builder().order_id("o1").idempotency_key("k1").symbol("BTC-USD").side(Side::Buy);
    let other =
        other.quantity(Decimal::new(11, 2)).order_type(OrderType::Limit).limit_price(Decimal::from(60_000));
    let other = other.tif(TimeInForce::Gtc).fund_id("f").strategy_id("s").broker("coinbase").actor("s");
    let other = other.created_at(Timestamp::EPOCH).build().unwrap();
    assert!(is_of(&other, &wire("OPEN", "0"), &id, "BTC-USD").is_err());
    assert!(is_of(&meant, &wire("OPEN", "0"), &id, "ETH-USD").is_err());
    assert!(is_of(&meant, &wire("OPEN", "0"), "another", "BTC-USD").is_err());
    let stop = order(OrderType::StopLimit, TimeInForce::Gtc, Side::Buy);
    assert!(is_of(&stop, &wire("OPEN", "0"), &id, "BTC-USD").is_err());
}

#[test]
fn a_status_is_an_end_only_if_the_documents_say_so() {
    let cases = [
        ("PENDING", "0", OrderState::Accepted),
        ("QUEUED", "0", OrderState::Accepted),
        ("OPEN", "0", OrderState::Accepted),
        ("OPEN", "0.05", OrderState::PartiallyFilled),
        ("EDIT_QUEUED", "0.05", OrderState::PartiallyFilled),
        ("CANCEL_QUEUED", "0.05", OrderState::PendingCancel),
        ("FILLED", "0.1", OrderState::Filled),
        ("CANCELLED", "0.05", OrderState::Canceled),
        ("EXPIRED", "0", OrderState::Expired),
        ("FAILED", "0", OrderState::Rejected),
        ("UNKNOWN_ORDER_STATUS", "0", OrderState::Accepted),
    ];
    for (status, filled, state) in cases {
        let report = report(&wire(status, filled), &KnownOrders::default()).unwrap();
        assert_eq!(report.state, state, "{status}");
        let reason = report.reason.unwrap_or_default();
        assert_eq!(reason.starts_with("status "), status == "UNKNOWN_ORDER_STATUS", "{status}");
        assert_eq!(reason.contains("refused"), status == "FAILED", "{status}");
    }
}

#[test]
fn a_report_has_what_was_ordered() {
    let orders = KnownOrders::default();
    let unknown = report(&wire("OPEN", "0"), &orders).unwrap();
    assert_eq!(
        (unknown.order_type, unknown.order_id, unknown.quantity),
        (OrderType::Limit, None, Decimal::new(10, 2))
    );
    orders.insert(&order(OrderType::MarketableLimit, TimeInForce::Gtc, Side::Buy));
    let known = report(&wire("OPEN", "0"), &orders).unwrap();
    assert_eq!((known.order_type, known.average_price), (OrderType::MarketableLimit, None));
    assert_eq!(known.order_id.unwrap().as_str(), "o1");
    // Of a stranger's order that has ended the stream does not say what it wanted.
    let row = json!({"order_id": "v2", "client_order_id": "x", "product_id": "BTC-USD", "order_side": "BUY", "status": "CANCELLED",
        "cumulative_quantity": "0.02", "leaves_quantity": "0", "avg_price": "60000"});
    let row: UserOrder = serde_json::from_str(&row.to_string()).unwrap();
    let told = |before| report_of_stream(&row, before, &orders, Timestamp::EPOCH).unwrap().quantity;
    assert_eq!((told(None), told(Some(Decimal::ONE))), (Decimal::new(2, 2), Decimal::ONE));
    let mut own = row.clone();
    own.client_order_id = client_id(&order(OrderType::Limit, TimeInForce::Gtc, Side::Buy).idempotency_key);
    own.order_id = "v1".into();
    let own = report_of_stream(&own, None, &orders, Timestamp::EPOCH).unwrap();
    assert_eq!(
        (own.quantity, own.state, own.filled),
        (Decimal::new(10, 2), OrderState::Canceled, Decimal::new(2, 2))
    );
}

#[test]
fn a_fill_has_its_units_and_its_fees_in_the_accounts_currency() {
    let account = AccountId::new("p").unwrap();
    let of = |row: &WireFill, currency: &str| {
        let currency = Currency::new(currency).unwrap();
        match of_fill(row, None, &account, currency).unwrap() {
            BrokerEvent::Fill { fill, fees, cursor, .. } => (fill, fees, cursor),
            other => panic!("{other:?}"),
        }
    };
    let (told, fees, cursor) = of(&fill(|_| {}), "USD");
    assert_eq!((told.fill_id.as_str(), told.order_id.as_str()), ("e1", "coinbase:v1"));
    assert_eq!((told.quantity, told.fees, fees), (Decimal::TEN, Decimal::new(3_136, 5), FeeStatus::Known));
    assert_eq!(cursor.as_str(), "2023-11-26T10:19:47.507001Z");
    assert_eq!((told.raw["trade_id"].as_str(), told.raw["liquidity_indicator"].as_str()), ("t1", "TAKER"));
    // Paid in another currency: nobody knows yet what that is worth.
    let (told, fees, _) = of(&fill(|_| {}), "EUR");
    assert_eq!(
        (told.fees, fees, told.raw["commission"].as_str()),
        (Decimal::ZERO, FeeStatus::Pending, "0.03136")
    );
    assert_eq!(told.raw["commission_currency"], "USD");
    // By value: so many units as the value buys.
    let (told, ..) = of(
        &fill(|row| {
            row["size"] = json!("3.92");
            row["size_in_quote"] = json!(true);
        }),
        "USD",
    );
    assert_eq!(told.quantity, Decimal::TEN);
    let zero = fill(|row| {
        row["price"] = json!("0");
        row["size_in_quote"] = json!(true);
    });
    assert!(of_fill(&zero, None, &account, Currency::USD).is_err());
    assert!(of_fill(&fill(|row| row["side"] = json!("HOLD")), None, &account, Currency::USD).is_err());
}

/// What was recorded elsewhere and must not be copied here: looked at where it is.
#[test]
fn recorded_answers_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/payloads/coinbase");
    let payload = |name: &str| -> Option<Value> {
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).ok()?;
        Some(serde_json::from_str::<Value>(&text).unwrap()["payload"].take())
    };
    let account = AccountId::new("p").unwrap();
    let mut count = 0;
    for name in ["ccxt_fetch_order_1", "ccxtstatic_orders_closed_market_sell", "ccxt_fetch_orders_1"] {
        let Some(payload) = payload(name) else { continue };
        let rows = payload["orders"].as_array().cloned().unwrap_or_else(|| vec![payload["order"].clone()]);
        for row in rows {
            let wire: WireOrder = serde_json::from_str(&row.to_string()).unwrap();
            let report = report(&wire, &KnownOrders::default()).unwrap();
            assert!(report.quantity > Decimal::ZERO, "{name}");
            count += 1;
        }
    }
    for name in ["ccxtstatic_fills_spot", "ccxt_fetch_my_trades_1"] {
        let Some(payload) = payload(name) else { continue };
        for row in payload["fills"].as_array().unwrap() {
            let wire: WireFill = serde_json::from_str(&row.to_string()).unwrap();
            of_fill(&wire, None, &account, Currency::USD).unwrap();
            count += 1;
        }
    }
    if let Some(payload) = payload("ccxtpro_handle_order_1") {
        let row: UserOrder = serde_json::from_str(&payload["events"][0]["orders"][0].to_string()).unwrap();
        report_of_stream(&row, None, &KnownOrders::default(), Timestamp::EPOCH).unwrap();
    }
    assert!(count == 0 || count >= 4, "{count} rows are fewer than there were");
}
