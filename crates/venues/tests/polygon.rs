//! The double of Polygon: its prices, as plain requests and messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;

use client::{Following, PATIENCE, Steps, d, exchange, quote};
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::{Bar, Interval, Symbol, Timestamp, Trade, VenueName};
use mts_venues::{Double, Options, Venue};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;

fn double(variants: &[&str]) -> Double {
    let mut options = Options::new(Arc::new(Steps::new()));
    options.variants = variants.iter().map(ToString::to_string).collect();
    Venue::Polygon.start(options).unwrap()
}

fn key(double: &Double) -> String {
    double.credentials()["api_key"].expose_secret().to_owned()
}

fn get(double: &Double, target: &str) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {}\r\n", key(double));
    let reply = exchange(double, PATIENCE, &headers, "GET", target, "").unwrap();
    (reply.status, reply.json())
}

fn print(double: &Double, of: &str, price: &str) {
    double.trades(&[Trade {
        trade_id: "".into(),
        symbol: Symbol::new(of).unwrap(),
        price: d(price),
        size: d("5.5"),
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }]);
}

/// All rows of a question, link by link, and how many pages there were.
fn pages(double: &Double, target: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut target, mut count) = (Vec::new(), target.to_owned(), 0);
    loop {
        let (status, page) = get(double, &target);
        assert_eq!(status, 200, "{target}: {page}");
        count += 1;
        rows.extend(page["results"].as_array().into_iter().flatten().cloned());
        match page["next_url"].as_str() {
            Some(next) => target = next.strip_prefix("http://x").unwrap().to_owned(),
            None => return (rows, count),
        }
    }
}

#[test]
fn pages_together_are_what_one_page_is() {
    let double = double(&[]);
    let aggs = "/v2/aggs/ticker/AAPL/range";
    for (target, limit, pages_of) in [
        (format!("{aggs}/1/minute/2026-02-27/2026-02-27?limit="), 100, 100),
        (format!("{aggs}/1/hour/2026-02-23/2026-02-27?sort=desc&limit="), 600, 10),
        (format!("{aggs}/30/second/2026-02-27/2026-02-27?limit="), 1_500, 50),
        ("/v2/aggs/ticker/X:BTCUSD/range/1/day/2026-02-21/2026-03-01?limit=".to_owned(), 4, 4),
        ("/v3/trades/AAPL?timestamp.gte=2026-02-27&timestamp.lt=2026-02-28&limit=".to_owned(), 70, 70),
        ("/v3/trades/X:BTCUSD?timestamp=2026-02-27&order=asc&limit=".to_owned(), 700, 700),
        ("/v3/quotes/AAPL?timestamp.gt=2026-02-26&order=asc&limit=".to_owned(), 100, 100),
    ] {
        let (whole, one) = pages(&double, &format!("{target}50000"));
        let (parts, count) = pages(&double, &format!("{target}{limit}"));
        assert_eq!((&parts, one), (&whole, 1), "{target}");
        assert_eq!(count, whole.len().div_ceil(pages_of), "{target}: {}", whole.len());
        assert!(count > 1, "{target}: {}", whole.len());
        let time = |row: &Value| row["t"].as_i64().or(row["participant_timestamp"].as_i64()).unwrap();
        let newest_first = whole.windows(2).all(|two| time(&two[0]) > time(&two[1]));
        let asc = target.contains("asc") || target.contains("aggs") && !target.contains("desc");
        assert_eq!(newest_first, !asc, "{target}");
    }
}

#[test]
fn days_of_shares_begin_in_new_york() {
    let double = double(&[]);
    let (_, page) = get(&double, "/v2/aggs/ticker/AAPL/range/1/day/2026-02-27/2026-02-27");
    let midnight: Timestamp = "2026-02-27T05:00:00Z".parse().unwrap();
    assert_eq!(page["results"][0]["t"].as_i64().unwrap(), midnight.nanos() / 1_000_000);
    let (_, none) = get(&double, "/v2/aggs/ticker/NONE/range/1/day/2026-02-27/2026-02-27");
    assert_eq!((&none["resultsCount"], none.get("results")), (&json!(0), None));
}

#[test]
fn the_last_of_each_is_what_was_told() {
    let double = double(&[]);
    print(&double, "AAPL", "123.45");
    double.quote(&quote("AAPL", "123.4", "123.5"));
    double.quote(&quote("EUR-USD", "1.1", "1.2"));
    let (_, nbbo) = get(&double, "/v2/last/nbbo/AAPL");
    let nbbo = &nbbo["results"];
    // Small letters are the bid.
    assert_eq!((&nbbo["p"], &nbbo["P"], &nbbo["T"]), (&json!(123.4), &json!(123.5), &json!("AAPL")));
    let (_, trade) = get(&double, "/v2/last/trade/AAPL");
    assert_eq!((&trade["results"]["p"], &trade["results"]["ds"]), (&json!(123.45), &json!("5.5")));
    let (_, pair) = get(&double, "/v1/last_quote/currencies/EUR/USD");
    assert_eq!((&pair["last"]["bid"], &pair["symbol"]), (&json!(1.1), &json!("EUR/USD")));
    assert_eq!(get(&double, "/v2/last/nbbo/NONE").0, 404);
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let double = double(&[]);
    for target in [
        "/v2/aggs/ticker/AAPL/range/7/minute/2026-02-27/2026-02-27",
        "/v2/aggs/ticker/AAPL/range/1/fortnight/2026-02-27/2026-02-27",
        "/v2/aggs/ticker/AAPL/range/1/day/soon/2026-02-27",
        "/v2/aggs/ticker/AAPL/range/1/day/2026-02-27/2026-02-27?limit=50001",
        "/v3/trades/AAPL?order=up",
        "/v3/trades/AAPL?sort=price",
        "/v3/trades/AAPL?timestamp.gte=soon",
        "/v3/trades/AAPL?cursor=%21",
    ] {
        let (status, body) = get(&double, target);
        assert_eq!((status, &body["status"]), (400, &json!("ERROR")), "{target}: {body}");
    }
    let reply = exchange(&double, PATIENCE, "", "GET", "/v3/trades/AAPL?apiKey=wrong", "").unwrap();
    assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some("Unknown API Key")));
    let asked = format!("/v3/trades/AAPL?apiKey={}", key(&double));
    assert_eq!(exchange(&double, PATIENCE, "", "GET", &asked, "").unwrap().status, 200);
    let fault = CallFault::TooMany { retry_after: Some(3) };
    double.act(&Act::Call { call: Call::Prices, fault, times: 1 }).unwrap();
    assert_eq!(get(&double, "/v3/trades/AAPL").0, 429);
    // It has no account to which anything could happen.
    assert!(double.act(&Act::CancelLosesRace).is_err());
}

fn stream(double: &Double, key: &str) -> (Following, Value) {
    let mut stream = Following::of(double, "/stocks", false).unwrap();
    assert_eq!(stream.next().unwrap()[0]["status"], "connected");
    stream.say(&json!({"action": "auth", "params": key}).to_string());
    let answer = stream.next().unwrap()[0]["status"].clone();
    (stream, answer)
}

#[test]
fn the_stream_tells_what_was_asked_for() {
    let double = double(&[]);
    let (mut stream, answer) = stream(&double, &key(&double));
    assert_eq!(answer, "auth_success");
    stream.say(r#"{"action": "subscribe", "params": "T.AAPL,Q.AAPL,AM.*,X.AAPL"}"#);
    let answers = stream.next().unwrap();
    let said: Vec<&str> =
        answers.as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        ["subscribed to: T.AAPL", "subscribed to: Q.AAPL", "subscribed to: AM.*", "invalid subscription"]
    );
    print(&double, "MSFT", "1");
    print(&double, "BTC-USD", "1");
    double.act(&Act::Stream(StreamFault::Twice)).unwrap();
    print(&double, "AAPL", "101.5");
    double.quote(&quote("AAPL", "101", "102"));
    let bar = Bar {
        symbol: Symbol::new("MSFT").unwrap(),
        interval: Interval::MINUTE,
        open: d("100"),
        high: d("120"),
        low: d("90"),
        close: d("111"),
        volume: d("7"),
        vwap: None,
        n_trades: Some(3),
        timestamp: "2026-03-02T15:01:00Z".parse().unwrap(),
        close_only: false,
        partial: false,
    };
    double.bars(std::slice::from_ref(&bar));
    double.bars(&[bar]);
    let told: Vec<_> = (0..4).map(|_| stream.next().unwrap()[0].clone()).collect();
    assert_eq!(told[0], told[1]);
    assert_eq!((&told[0]["p"], &told[0]["s"], &told[0]["ds"]), (&json!(101.5), &json!(5), &json!("5.5")));
    assert_eq!((&told[2]["ev"], &told[2]["bp"]), (&json!("Q"), &json!(101)));
    assert_eq!((&told[3]["ev"], &told[3]["sym"], &told[3]["c"]), (&json!("AM"), &json!("MSFT"), &json!(111)));
    assert_eq!(told[3]["e"].as_i64().unwrap() - told[3]["s"].as_i64().unwrap(), 60_000);
    stream.say(r#"{"action": "unsubscribe", "params": "T.AAPL"}"#);
    assert_eq!(stream.next().unwrap()[0]["message"], "unsubscribed to: T.AAPL");
    print(&double, "AAPL", "102");
    assert!(stream.is_quiet());
}

#[test]
fn streams_are_refused_as_the_venue_does() {
    let double = double(&["bars_only"]);
    let (mut wrong, answer) = stream(&double, "wrong");
    assert_eq!((answer, wrong.next()), (json!("auth_failed"), None));
    let (mut first, _) = stream(&double, &key(&double));
    let (mut second, answer) = stream(&double, &key(&double));
    assert_eq!((answer, second.next()), (json!("max_connections"), None));
    first.say(r#"{"action": "subscribe", "params": "Q.AAPL,AM.AAPL"}"#);
    let answers = first.next().unwrap();
    assert_eq!(
        (&answers[0]["message"], &answers[1]["status"]),
        (&json!("not authorized"), &json!("success"))
    );
    let mut eager = Following::of(&double, "/stocks", false).unwrap();
    eager.next();
    eager.say(r#"{"action": "subscribe", "params": "AM.AAPL"}"#);
    assert_eq!(eager.next().unwrap()[0]["message"], "authentication required");
}
