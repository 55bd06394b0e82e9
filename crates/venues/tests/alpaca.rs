//! Alpaca's rules, by a plain HTTP client.

mod client;

use client::{Bench, d, until};
use mts_foundation::double::{Act, Happening, VenueDouble};
use mts_foundation::{BrokerOrderId, OrderState, Symbol};

#[test]
fn orders_fill_at_the_touch_and_move_cash_and_position() {
    let bench = Bench::new();
    bench.quote("AAPL", "99.99", "100");
    let reply = bench.submit(r#""client_order_id": "mine""#);
    let order = reply.json();
    // The answer is of the order before it met the market.
    assert_eq!((order["status"].as_str(), order["filled_qty"].as_str()), (Some("pending_new"), Some("0")));
    let now = bench.get("/v2/orders:by_client_order_id?client_order_id=mine");
    assert_eq!((now["id"].clone(), now["status"].as_str()), (order["id"].clone(), Some("filled")));
    assert_eq!(now["filled_avg_price"], "100");
    let account = bench.get("/v2/account");
    assert_eq!((account["cash"].as_str(), account["equity"].as_str()), (Some("999000"), Some("1000000")));
    let position = bench.get("/v2/positions/AAPL");
    assert_eq!((position["qty"].as_str(), position["side"].as_str()), (Some("10"), Some("long")));
    assert_eq!(bench.double.account().positions[&Symbol::new("AAPL").unwrap()], d("10"));
    assert!(reply.head.to_lowercase().contains("x-ratelimit-remaining: 199"), "{}", reply.head);
}

#[test]
fn numbers_are_taken_as_numbers_and_as_text() {
    let bench = Bench::new();
    let id = bench.taken(r#""type": "limit", "qty": 10.0, "limit_price": 187.55, "time_in_force": "gtc""#);
    let order = bench.get(&format!("/v2/orders/{id}"));
    assert_eq!((order["qty"].as_str(), order["limit_price"].as_str()), (Some("10"), Some("187.55")));
    assert_eq!(order["status"], "new");
}

#[test]
fn what_the_venue_does_not_take_is_refused_with_its_codes() {
    let bench = Bench::new();
    bench.quote("AAPL", "99.99", "100");
    bench.quote("BTC-USD", "49999", "50000");
    let cases = [
        (r#""symbol": "NONE""#, 42_210_000, "asset \"NONE\" not found"),
        (r#""side": "short""#, 42_210_000, "invalid side"),
        (r#""type": "limit""#, 42_210_000, "limit orders require limit_price"),
        (r#""limit_price": "5""#, 42_210_000, "market orders do not take limit_price"),
        (r#""type": "limit", "limit_price": "187.555""#, 42_210_000, "sub-penny"),
        (r#""type": "limit", "limit_price": "0.12345""#, 42_210_000, "sub-penny"),
        (
            r#""type": "stop", "stop_price": "90", "time_in_force": "ioc""#,
            42_210_000,
            "invalid time_in_force ioc",
        ),
        (r#""extended_hours": true"#, 42_210_000, "extended hours order must be DAY limit"),
        (
            r#""type": "limit", "limit_price": "90", "time_in_force": "gtc", "extended_hours": true"#,
            42_210_000,
            "extended hours",
        ),
        (r#""qty": "0.5", "time_in_force": "gtc""#, 42_210_000, "fractional orders must be DAY"),
        (r#""qty": "0.5", "side": "sell""#, 42_210_000, "fractional orders cannot be sold short"),
        (r#""qty": "-1""#, 42_210_000, "qty must be > 0"),
        (r#""qty": "ten""#, 42_210_000, "invalid qty"),
        (r#""notional": "50""#, 42_210_000, "only one of qty or notional"),
        (r#""qty": null"#, 42_210_000, "qty or notional is required"),
        (r#""qty": "30000""#, 40_310_000, "insufficient buying power"),
        (r#""symbol": "BTC/USD", "time_in_force": "day""#, 42_210_000, "invalid crypto time_in_force"),
        (
            r#""symbol": "BTC/USD", "time_in_force": "gtc", "type": "stop", "stop_price": "9""#,
            42_210_000,
            "invalid order type for crypto",
        ),
        (
            r#""symbol": "BTC/USD", "time_in_force": "gtc", "side": "sell", "qty": "1""#,
            40_310_000,
            "insufficient balance for BTC (requested: 1, available: 0)",
        ),
        (
            r#""symbol": "BTC/USD", "time_in_force": "gtc", "qty": "21""#,
            40_310_000,
            "insufficient buying power",
        ),
    ];
    for (more, code, message) in cases {
        let reply = bench.submit(more);
        assert_eq!(reply.status, if code == 40_310_000 { 403 } else { 422 }, "{more}: {}", reply.body);
        assert_eq!(reply.code(), code, "{more}");
        assert!(reply.json()["message"].as_str().unwrap().contains(message), "{more}: {}", reply.body);
    }
    assert!(bench.double.orders().is_empty());
}

#[test]
fn a_client_id_is_taken_once() {
    let bench = Bench::new();
    let id = bench.taken(r#""client_order_id": "once", "type": "limit", "limit_price": "50""#);
    let again = bench.submit(r#""client_order_id": "once", "type": "limit", "limit_price": "50""#);
    assert_eq!((again.status, again.code()), (422, 40_010_001));
    assert_eq!(bench.double.orders().len(), 1);
    assert_eq!(bench.double.orders()[0].client_id.as_deref(), Some("once"));
    assert_eq!(bench.get("/v2/orders:by_client_order_id?client_order_id=once")["id"], id.as_str());
    let unknown = bench.send("GET", "/v2/orders:by_client_order_id?client_order_id=other", "");
    assert_eq!((unknown.status, unknown.code()), (404, 40_410_000));
}

#[test]
fn a_sale_cannot_go_through_zero_and_shorts_are_whole() {
    let bench = Bench::new();
    bench.quote("AAPL", "99.99", "100");
    bench.taken("");
    let more = bench.submit(r#""side": "sell", "qty": "11""#);
    assert_eq!((more.status, more.code()), (403, 40_310_000));
    // What is on offer already is not free.
    bench.taken(r#""side": "sell", "qty": "6", "type": "limit", "limit_price": "200""#);
    assert_eq!(bench.submit(r#""side": "sell", "qty": "5""#).status, 403);
    bench.taken(r#""side": "sell", "qty": "4""#);
    assert_eq!(bench.get("/v2/positions")[0]["qty_available"], "0");
    bench.send("DELETE", "/v2/orders", "");
    until("the cancellation", || bench.get("/v2/orders").as_array().unwrap().is_empty());
    bench.taken(r#""side": "sell", "qty": "6""#);
    assert!(bench.get("/v2/positions").as_array().unwrap().is_empty());
    bench.taken(r#""side": "sell", "qty": "3""#);
    let short = bench.get("/v2/positions/AAPL");
    assert_eq!((short["qty"].as_str(), short["side"].as_str()), (Some("-3"), Some("short")));
}

#[test]
fn immediate_orders_end_and_stops_wait() {
    let bench = Bench::new();
    let no_market = bench.taken(r#""type": "limit", "limit_price": "100", "time_in_force": "ioc""#);
    assert_eq!(bench.status(&no_market), "canceled");
    bench.quote("AAPL", "99.99", "100");
    let ioc = bench.taken(r#""type": "limit", "limit_price": "99", "time_in_force": "ioc""#);
    let fok = bench.taken(r#""type": "limit", "limit_price": "99", "time_in_force": "fok""#);
    let stop = bench.taken(r#""side": "sell", "type": "stop", "stop_price": "95", "time_in_force": "gtc""#);
    let opening = bench.taken(r#""time_in_force": "opg""#);
    assert_eq!([bench.status(&ioc), bench.status(&fok)], ["canceled", "canceled"]);
    assert_eq!([bench.status(&stop), bench.status(&opening)], ["new", "accepted"]);
    bench.quote("AAPL", "94.9", "95");
    assert_eq!(bench.status(&stop), "filled");
}

#[test]
fn a_cancellation_takes_effect_after_its_answer() {
    let bench = Bench::new();
    let id = bench.taken(r#""type": "limit", "limit_price": "50""#);
    let mut stream = bench.follow();
    assert_eq!(bench.send("DELETE", &format!("/v2/orders/{id}"), "").status, 204);
    assert_eq!(stream.events(2), ["pending_cancel", "canceled"]);
    assert_eq!(bench.status(&id), "canceled");
    let again = bench.send("DELETE", &format!("/v2/orders/{id}"), "");
    assert_eq!((again.status, again.code()), (422, 42_210_000));
    let unknown = bench.send("DELETE", "/v2/orders/00000000-0000-4000-a000-000000000000", "");
    assert_eq!((unknown.status, unknown.code()), (404, 40_410_000));
}

#[test]
fn a_cancellation_can_lose_its_race() {
    let bench = Bench::new();
    let id = bench.taken(r#""type": "limit", "limit_price": "50""#);
    let mut stream = bench.follow();
    bench.act(Act::CancelLosesRace);
    assert_eq!(bench.send("DELETE", &format!("/v2/orders/{id}"), "").status, 204);
    assert_eq!(stream.events(2), ["pending_cancel", "fill"]);
    assert_eq!(bench.status(&id), "filled");
    assert_eq!(bench.double.fills()[0].price, d("50"));
}

#[test]
fn all_orders_are_cancelled_with_a_row_each() {
    let bench = Bench::new();
    let ids = [
        bench.taken(r#""type": "limit", "limit_price": "50""#),
        bench.taken(r#""type": "limit", "limit_price": "51""#),
    ];
    let reply = bench.send("DELETE", "/v2/orders", "");
    assert_eq!(reply.status, 207);
    let rows = reply.json();
    let rows: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (row["id"].clone(), row["status"].clone())).collect();
    assert_eq!(rows, ids.map(|id| (id.into(), 200.into())).to_vec());
}

#[test]
fn a_replacement_is_a_new_order_for_what_is_left() {
    let bench = Bench::new();
    let old = bench.taken(r#""type": "limit", "limit_price": "50", "client_order_id": "old""#);
    let id = BrokerOrderId::new(&old).unwrap();
    bench.act(Act::Happen(Happening::Fill { order: id, quantity: d("4"), price: None }));
    let target = format!("/v2/orders/{old}");
    let reply = bench.send("PATCH", &target, r#"{"qty": 8, "limit_price": 51.5, "client_order_id": "new"}"#);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let new = reply.json();
    assert_eq!((new["replaces"].as_str(), new["qty"].as_str()), (Some(old.as_str()), Some("4")));
    assert_eq!((new["limit_price"].as_str(), new["client_order_id"].as_str()), (Some("51.5"), Some("new")));
    let old = bench.get(&target);
    assert_eq!((old["status"].as_str(), old["replaced_by"].clone()), (Some("replaced"), new["id"].clone()));
    assert_eq!(bench.send("PATCH", &target, r#"{"qty": 9}"#).status, 422);
    let sub_penny = bench.send(
        "PATCH",
        &format!("/v2/orders/{}", new["id"].as_str().unwrap()),
        r#"{"limit_price": 51.555}"#,
    );
    assert_eq!(sub_penny.status, 422);
    let states: Vec<OrderState> = bench.double.orders().iter().map(|order| order.state).collect();
    assert_eq!(states, [OrderState::Canceled, OrderState::Accepted]);
}

#[test]
fn lists_are_filtered_and_paged() {
    let bench = Bench::new();
    bench.quote("MSFT", "99.99", "100");
    let open: Vec<String> =
        (0..3).map(|n| bench.taken(&format!(r#""type": "limit", "limit_price": "5{n}""#))).collect();
    let filled = bench.taken(r#""symbol": "MSFT""#);
    let ids = |query: &str| -> Vec<String> {
        let rows = bench.get(&format!("/v2/orders{query}"));
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first: Vec<String> = open.iter().rev().cloned().collect();
    assert_eq!(ids(""), newest_first);
    assert_eq!(ids("?direction=asc&limit=2"), open[..2]);
    let last = bench.get(&format!("/v2/orders/{}", open[1]))["submitted_at"].as_str().unwrap().to_owned();
    assert_eq!(ids(&format!("?direction=asc&limit=2&after={last}")), open[2..]);
    assert_eq!(ids(&format!("?direction=asc&until={last}")), open[..1]);
    assert_eq!(ids("?status=all&symbols=MSFT,SPY"), ids("?status=closed"));
    assert_eq!(ids("?status=closed"), [filled]);
    assert_eq!(ids("?status=all").len(), 4);
    assert_eq!(bench.send("GET", "/v2/orders?limit=501", "").status, 422);
    assert_eq!(bench.send("GET", "/v2/orders?status=some", "").status, 422);
}

#[test]
fn fills_are_told_as_activities_in_pages() {
    let bench = Bench::new();
    bench.quote("AAPL", "99.99", "100");
    bench.act(Act::FillInParts(3));
    let id = bench.taken(r#""qty": "9""#);
    bench.taken(r#""qty": "1""#);
    bench.act(Act::Happen(Happening::Cash { amount: d("-12.5") }));
    let all = bench.get("/v2/account/activities/FILL?direction=asc");
    let rows = all.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let mut cumulative: Vec<&str> = rows
        .iter()
        .filter(|row| row["order_id"] == id.as_str())
        .map(|row| row["cum_qty"].as_str().unwrap())
        .collect();
    cumulative.sort_unstable();
    assert_eq!(cumulative, ["3", "6", "9"]);
    // The id begins with the time in New York.
    assert!(rows[0]["id"].as_str().unwrap().starts_with("20260302100000"), "{}", rows[0]["id"]);
    let first = bench.get("/v2/account/activities/FILL?direction=asc&page_size=3");
    let token = first[2]["id"].as_str().unwrap();
    let second =
        bench.get(&format!("/v2/account/activities/FILL?direction=asc&page_size=3&page_token={token}"));
    assert_eq!(second.as_array().unwrap().len(), 1);
    assert_eq!(second[0], all[3]);
    let after = all[2]["transaction_time"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/v2/account/activities/FILL?after={after}")).as_array().unwrap().len(), 1);
    let cash = bench.get("/v2/account/activities?activity_types=CSD,CSW");
    assert_eq!(
        (cash[0]["activity_type"].as_str(), cash[0]["net_amount"].as_str()),
        (Some("CSW"), Some("-12.5"))
    );
    let told: Vec<String> = bench.double.fills().iter().map(|fill| fill.id.to_string()).collect();
    assert_eq!(told[..2], [format!("{id}:3"), format!("{id}:6")]);
}

#[test]
fn crypto_trades_and_is_named_without_its_slash_among_the_positions() {
    let bench = Bench::new();
    bench.quote("BTC-USD", "49999.5", "50000");
    bench.taken(r#""symbol": "BTC/USD", "qty": "0.001", "time_in_force": "gtc""#);
    let position = bench.get("/v2/positions/BTCUSD");
    assert_eq!(
        (position["symbol"].as_str(), position["asset_class"].as_str()),
        (Some("BTCUSD"), Some("crypto"))
    );
    let quotes = bench.get("/v1beta3/crypto/us/latest/quotes?symbols=BTC%2FUSD");
    assert_eq!(quotes["quotes"]["BTC/USD"]["bp"].to_string(), "49999.5");
    let asset = bench.get("/v2/assets/BTC%2FUSD");
    assert_eq!((asset["class"].as_str(), asset["shortable"].as_bool()), (Some("crypto"), Some(false)));
}

#[test]
fn an_order_by_value_gets_units_of_the_touch() {
    let bench = Bench::new();
    bench.quote("AAPL", "399.99", "400");
    let reply = bench.submit(r#""qty": null, "notional": 100.5"#);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let order = reply.json();
    assert!(order["qty"].is_null() && order["notional"] == "100.5");
    assert_eq!(bench.double.fills()[0].quantity, d("0.25125"));
}

#[test]
fn market_facts_are_there() {
    let bench = Bench::new();
    let clock = bench.get("/v2/clock");
    assert!(
        clock["timestamp"].as_str().unwrap().starts_with("2026-03-02T10:00:00.") && clock["is_open"] == true
    );
    assert_eq!(
        (clock["next_open"].as_str(), clock["next_close"].as_str()),
        (Some("2026-03-03T09:30:00-05:00"), Some("2026-03-02T16:00:00-05:00"))
    );
    let days = bench.get("/v2/calendar?start=2026-07-01&end=2026-07-06");
    let days: Vec<&str> = days.as_array().unwrap().iter().map(|day| day["date"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-07-01", "2026-07-02", "2026-07-06"]);
    assert_eq!(bench.get("/v2/assets?asset_class=crypto").as_array().unwrap().len(), 2);
    bench.quote("AAPL", "99.99", "100");
    let quotes = bench.get("/v2/stocks/quotes/latest?symbols=AAPL,NONE");
    assert_eq!(
        (quotes["quotes"]["AAPL"]["ap"].as_u64(), quotes["quotes"]["NONE"].is_null()),
        (Some(100), true)
    );
}

#[test]
fn without_the_key_nothing_is_told() {
    let bench = Bench::new();
    for headers in ["", "APCA-API-KEY-ID: x\r\nAPCA-API-SECRET-KEY: y\r\n"] {
        let reply = bench.send_with(headers, "GET", "/v2/account", "").unwrap();
        assert_eq!((reply.status, reply.code()), (401, 40_110_000));
    }
    let mut stream = bench.connect();
    stream.say(r#"{"action":"authenticate","data":{"key_id":"x","secret_key":"y"}}"#);
    assert_eq!(stream.next().unwrap()["data"]["status"], "unauthorized");
    assert!(stream.next().is_none());
    let mut eager = bench.connect();
    eager.say(r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#);
    assert!(eager.next().unwrap()["data"]["streams"].as_array().unwrap().is_empty());
    assert_eq!(bench.double.streams(), 0);
}

#[test]
fn the_stream_tells_each_event_with_the_order_as_it_was() {
    let bench = Bench::new();
    let mut stream = bench.follow();
    bench.quote("AAPL", "99.99", "100");
    bench.act(Act::FillInParts(2));
    let id = bench.taken("");
    let messages: Vec<_> = (0..3).map(|_| stream.next().unwrap()["data"].clone()).collect();
    let told: Vec<_> = messages
        .iter()
        .map(|data| {
            let order = &data["order"];
            assert_eq!(order["id"], id.as_str());
            let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
            [
                text(&data["event"]),
                text(&order["status"]),
                text(&order["filled_qty"]),
                text(&data["qty"]),
                text(&data["position_qty"]),
            ]
        })
        .collect();
    assert_eq!(told[0], ["new", "new", "0", "-", "-"]);
    assert_eq!(told[1], ["partial_fill", "partially_filled", "5", "5", "5"]);
    assert_eq!(told[2], ["fill", "filled", "10", "5", "10"]);
    let executions: std::collections::BTreeSet<String> =
        messages.iter().map(|data| data["execution_id"].to_string()).collect();
    assert_eq!(executions.len(), 3);
}
