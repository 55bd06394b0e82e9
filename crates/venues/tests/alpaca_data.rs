//! The double of Alpaca: the data API and its streams, as plain requests and messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;

use client::{Bench, Following, Steps, d, until};
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::{Bar, Interval, Symbol, Trade, VenueName};
use mts_venues::{Options, Venue};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn print(bench: &Bench, of: &str, price: &str) {
    bench.double.trades(&[Trade {
        trade_id: "".into(),
        symbol: symbol(of),
        price: d(price),
        size: d("5"),
        venue: VenueName::new("test").unwrap(),
        timestamp: mts_foundation::Timestamp::EPOCH,
    }]);
}

fn minute(bench: &Bench, of: &str, close: &str) {
    bench.double.bars(&[Bar {
        symbol: symbol(of),
        interval: Interval::MINUTE,
        open: d("100"),
        high: d("120"),
        low: d("90"),
        close: d(close),
        volume: d("7"),
        vwap: Some(d("101.5")),
        n_trades: Some(3),
        timestamp: "2026-03-02T15:01:00Z".parse().unwrap(),
        close_only: false,
        partial: false,
    }]);
}

/// A stream that is authenticated.
fn stream(bench: &Bench, path: &str) -> Following {
    let mut stream = bench.connect_to(path, false).unwrap();
    assert_eq!(stream.next().unwrap(), json!([{"T": "success", "msg": "connected"}]));
    let (key, secret) = bench.key();
    stream.say(&json!({"action": "auth", "key": key, "secret": secret}).to_string());
    stream
}

fn subscribed(bench: &Bench, path: &str, wanted: &str) -> Following {
    let mut stream = stream(bench, path);
    assert_eq!(stream.next().unwrap(), json!([{"T": "success", "msg": "authenticated"}]));
    stream.say(&format!(r#"{{"action": "subscribe", {wanted}}}"#));
    assert_eq!(stream.next().unwrap()[0]["T"], "subscription");
    stream
}

fn code(message: &Value) -> u64 {
    assert_eq!(message[0]["T"], "error", "{message}");
    message[0]["code"].as_u64().unwrap()
}

/// All rows of a question, page by page, and how many pages there were.
fn pages(bench: &Bench, path: &str, what: &str) -> (Vec<(String, Value)>, usize) {
    let (mut rows, mut token, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let page = bench.get(&format!("{path}{token}"));
        count += 1;
        for (symbol, list) in page[what].as_object().unwrap() {
            rows.extend(list.as_array().unwrap().iter().map(|row| (symbol.clone(), row.clone())));
        }
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return (rows, count),
        }
    }
}

const SPAN: &str = "start=2026-02-27T00:00:00Z&end=2026-03-02T15:00:00Z";

#[test]
fn pages_together_are_what_one_page_is() {
    let bench = Bench::new();
    for (path, what) in [
        (format!("/v2/stocks/bars?symbols=MSFT,AAPL,NONE&timeframe=1Hour&{SPAN}"), "bars"),
        (format!("/v2/stocks/trades?symbols=AAPL&{SPAN}"), "trades"),
        (format!("/v2/stocks/quotes?symbols=AAPL,MSFT&sort=desc&{SPAN}"), "quotes"),
        (format!("/v1beta3/crypto/us/bars?symbols=BTC/USD&timeframe=15Min&{SPAN}"), "bars"),
    ] {
        let (whole, one) = pages(&bench, &format!("{path}&limit=10000"), what);
        let (parts, count) = pages(&bench, &format!("{path}&limit=7"), what);
        assert_eq!((&parts, one, count), (&whole, 1, whole.len().div_ceil(7)), "{path}");
        assert!(whole.len() > 14, "{path}: {}", whole.len());
        let times: Vec<&str> = whole
            .iter()
            .filter(|(symbol, _)| *symbol == whole[0].0)
            .map(|(_, row)| row["t"].as_str().unwrap())
            .collect();
        assert_eq!(times.is_sorted(), !path.contains("desc"), "{path}");
    }
}

#[test]
fn a_full_page_at_the_end_of_all_has_no_other_behind_it() {
    let bench = Bench::new();
    let path = format!("/v2/stocks/bars?symbols=AAPL,MSFT&timeframe=1Day&{SPAN}");
    let (rows, _) = pages(&bench, &path, "bars");
    assert_eq!(rows.len(), 4);
    // Two days each: a page ends where an instrument ends, and there is another one.
    for (limit, count) in [(2, 2), (4, 1), (3, 2)] {
        assert_eq!(pages(&bench, &format!("{path}&limit={limit}"), "bars"), (rows.clone(), count));
    }
}

#[test]
fn days_of_shares_begin_in_new_york_and_bars_hold_the_prints() {
    let bench = Bench::new();
    let bars = bench.get(&format!("/v2/stocks/bars?symbols=AAPL&timeframe=1Day&{SPAN}"));
    let day = &bars["bars"]["AAPL"][0];
    assert_eq!(day["t"], "2026-02-27T05:00:00Z");
    let of_day = "start=2026-02-27T05:00:00Z&end=2026-02-28T04:59:59Z";
    let (prints, _) = pages(&bench, &format!("/v2/stocks/trades?symbols=AAPL&{of_day}"), "trades");
    assert_eq!(day["n"], prints.len());
    let volume: f64 = prints.iter().map(|(_, print)| print["s"].as_f64().unwrap()).sum();
    assert!((day["v"].as_f64().unwrap() - volume).abs() < 1e-6);
    assert_eq!((&day["o"], &day["c"]), (&prints[0].1["p"], &prints.last().unwrap().1["p"]));
}

#[test]
fn what_is_told_is_the_latest() {
    let bench = Bench::new();
    print(&bench, "AAPL", "123.45");
    minute(&bench, "AAPL", "111");
    bench.quote("AAPL", "123.4", "123.5");
    let latest = |what: &str| bench.get(&format!("/v2/stocks/{what}/latest?symbols=AAPL,NONE"));
    assert_eq!(latest("trades")["trades"]["AAPL"]["p"], 123.45);
    assert_eq!(latest("quotes")["quotes"]["AAPL"]["ap"], 123.5);
    assert!(latest("trades")["trades"].get("NONE").is_none());
    let snapshot = bench.get("/v2/stocks/snapshots?symbols=AAPL");
    assert_eq!(snapshot["AAPL"]["latestTrade"]["p"], 123.45);
    assert_eq!(snapshot["AAPL"]["latestQuote"]["bp"], 123.4);
    let crypto = bench.get("/v1beta3/crypto/us/snapshots?symbols=BTC/USD");
    assert_ne!(
        crypto["snapshots"]["BTC/USD"]["prevDailyBar"]["t"],
        crypto["snapshots"]["BTC/USD"]["dailyBar"]["t"]
    );
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    for (path, status, words) in [
        ("/v2/stocks/bars?symbols=AAPL", 400, "timeframe"),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=90Min", 400, "timeframe"),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=60Min", 400, "timeframe"),
        ("/v2/stocks/bars?timeframe=1Min", 400, "symbols"),
        ("/v2/stocks/trades?symbols=AAPL&limit=10001", 400, "limit"),
        ("/v2/stocks/trades?symbols=AAPL&sort=up", 400, "sort"),
        ("/v2/stocks/trades?symbols=AAPL&start=soon", 400, "start"),
        ("/v2/stocks/trades?symbols=AAPL&start=2027-01-01", 400, "end"),
        ("/v2/stocks/trades?symbols=AAPL&page_token=x", 400, "page_token"),
        ("/v2/stocks/trades?symbols=AAPL&feed=all", 400, "feed"),
        ("/v2/stocks/trades?symbols=AAPL&feed=sip", 403, "recent SIP"),
        ("/v2/stocks/trades?symbols=AAPL&feed=sip&end=2026-03-02T14:50:00Z", 403, "recent SIP"),
        ("/v2/stocks/auctions?symbols=AAPL", 404, "endpoint"),
    ] {
        let reply = bench.send("GET", path, "");
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        assert!(reply.json()["message"].as_str().unwrap().contains(words), "{path}: {}", reply.body);
    }
    bench.get("/v2/stocks/trades?symbols=AAPL&feed=sip&start=2026-02-27&end=2026-03-02T14:45:00Z");
    let unnamed = |path: &str| bench.send_with("", "GET", path, "").unwrap().status;
    assert_eq!(unnamed("/v2/stocks/trades?symbols=AAPL"), 401);
    assert_eq!(unnamed("/v1beta3/crypto/us/trades?symbols=BTC/USD"), 200);
}

#[test]
fn the_stream_tells_what_was_asked_for() {
    let bench = Bench::new();
    let wanted = r#""trades": ["AAPL"], "quotes": ["AAPL"], "bars": ["*"], "updatedBars": ["AAPL"]"#;
    let mut stream = subscribed(&bench, "/v2/iex", wanted);
    for of in ["MSFT", "BTC-USD", "AAPL"] {
        print(&bench, of, "101.5");
        bench.quote(of, "101", "102");
    }
    let [trade, quote] = [stream.next().unwrap(), stream.next().unwrap()];
    assert_eq!(
        (&trade[0]["T"], &trade[0]["S"], &trade[0]["p"]),
        (&json!("t"), &json!("AAPL"), &json!(101.5))
    );
    assert_eq!((&quote[0]["T"], &quote[0]["bp"], &quote[0]["ap"]), (&json!("q"), &json!(101), &json!(102)));
    minute(&bench, "MSFT", "110");
    minute(&bench, "AAPL", "111");
    minute(&bench, "AAPL", "112");
    let told: Vec<_> = (0..3).map(|_| stream.next().unwrap()[0].clone()).collect();
    let told: Vec<_> = told.iter().map(|bar| (&bar["T"], &bar["S"], &bar["c"], &bar["t"])).collect();
    let t = json!("2026-03-02T15:00:00Z");
    assert_eq!(told[0], (&json!("b"), &json!("MSFT"), &json!(110), &t));
    assert_eq!(told[1], (&json!("b"), &json!("AAPL"), &json!(111), &t));
    assert_eq!(told[2], (&json!("u"), &json!("AAPL"), &json!(112), &t));
    stream.say(r#"{"action": "unsubscribe", "trades": ["AAPL"]}"#);
    let list = stream.next().unwrap();
    assert_eq!((&list[0]["trades"], &list[0]["quotes"]), (&json!([]), &json!(["AAPL"])));
    print(&bench, "AAPL", "103");
    assert!(stream.is_quiet());
}

#[test]
fn crypto_has_a_stream_of_its_own_with_books() {
    let bench = Bench::new();
    let mut stream =
        subscribed(&bench, "/v1beta3/crypto/us", r#""trades": ["BTC/USD"], "orderbooks": ["BTC/USD"]"#);
    print(&bench, "AAPL", "1");
    print(&bench, "BTC-USD", "50000");
    bench.quote("BTC-USD", "49999", "50001");
    let [trade, book] = [stream.next().unwrap(), stream.next().unwrap()];
    assert_eq!((&trade[0]["S"], &trade[0]["p"]), (&json!("BTC/USD"), &json!(50000)));
    assert_eq!(
        (&book[0]["T"], &book[0]["b"][0]["p"], &book[0]["r"]),
        (&json!("o"), &json!(49999), &json!(true))
    );
}

#[test]
fn streams_refuse_with_the_codes_of_the_venue() {
    let bench = Bench::new();
    let subscribe = r#"{"action": "subscribe", "trades": ["AAPL"]}"#;
    let mut eager = bench.connect_to("/v2/iex", false).unwrap();
    eager.next();
    for (said, wanted) in [(subscribe, 401), ("{}", 400), ("no json", 400)] {
        eager.say(said);
        assert_eq!(code(&eager.next().unwrap()), wanted, "{said}");
    }
    eager.say(r#"{"action": "auth", "key": "x", "secret": "y"}"#);
    assert_eq!(code(&eager.next().unwrap()), 402);
    assert!(eager.next().is_none());

    let mut first = stream(&bench, "/v2/iex");
    first.next();
    let mut second = stream(&bench, "/v2/iex");
    assert_eq!(code(&second.next().unwrap()), 406);
    let (key, secret) = bench.key();
    first.say(&json!({"action": "auth", "key": key, "secret": secret}).to_string());
    assert_eq!(code(&first.next().unwrap()), 403);
    first.say(r#"{"action": "subscribe", "orderbooks": ["AAPL"]}"#);
    assert_eq!(code(&first.next().unwrap()), 410);
    let many: Vec<String> = (0..31).map(|number| format!("S{number}")).collect();
    first.say(&json!({"action": "subscribe", "trades": many}).to_string());
    assert_eq!(code(&first.next().unwrap()), 405);
    // A refusal changes nothing.
    first.say(r#"{"action": "subscribe", "bars": ["AAPL"]}"#);
    let list = first.next().unwrap();
    assert_eq!((&list[0]["trades"], &list[0]["bars"]), (&json!([]), &json!(["AAPL"])));

    assert_eq!(code(&stream(&bench, "/v2/sip").next().unwrap()), 409);
    bench.fault(Call::Stream, CallFault::NotAuthorised);
    assert_eq!(code(&stream(&bench, "/v1beta3/crypto/us").next().unwrap()), 402);
    assert!(bench.connect_to("/v2/otc", false).is_none());
    // Its seat is free again when it has gone.
    drop((first, second));
    until("a free seat", || stream(&bench, "/v2/iex").next().unwrap()[0]["T"] == "success");
}

#[test]
fn a_plan_that_is_paid_for_has_all_exchanges_and_more_symbols() {
    let mut options = Options::new(Arc::new(Steps::new()));
    options.variants = vec!["paid".to_owned()];
    let double = Venue::Alpaca.start(options).unwrap();
    let key = ["key_id", "secret_key"].map(|name| double.credentials()[name].expose_secret().to_owned());
    let mut stream = Following::of(&double, "/v2/sip", false).unwrap();
    stream.next();
    stream.say(&json!({"action": "auth", "key": key[0], "secret": key[1]}).to_string());
    assert_eq!(stream.next().unwrap()[0]["msg"], "authenticated");
    let many: Vec<String> = (0..31).map(|number| format!("S{number}")).collect();
    stream.say(&json!({"action": "subscribe", "trades": many}).to_string());
    assert_eq!(stream.next().unwrap()[0]["trades"].as_array().unwrap().len(), 31);
}

#[test]
fn who_does_not_authenticate_is_sent_away() {
    let clock = Arc::new(Steps::new());
    let double = Venue::Alpaca.start(Options::new(Arc::clone(&clock) as _)).unwrap();
    let mut stream = Following::of(&double, "/v2/iex", false).unwrap();
    stream.next();
    clock.skip(11);
    assert_eq!(code(&stream.next().unwrap()), 404);
    assert!(stream.next().is_none());
}

#[test]
fn prices_go_wrong_as_a_script_says() {
    let bench = Bench::new();
    let mut stream = subscribed(&bench, "/v2/iex", r#""trades": ["AAPL"]"#);
    let prices = |stream: &mut Following, count: usize| -> Vec<f64> {
        (0..count).map(|_| stream.next().unwrap()[0]["p"].as_f64().unwrap()).collect()
    };
    bench.act(Act::Stream(StreamFault::Twice));
    print(&bench, "AAPL", "1");
    bench.act(Act::Stream(StreamFault::Lost));
    print(&bench, "AAPL", "2");
    bench.act(Act::Stream(StreamFault::Swapped));
    print(&bench, "AAPL", "3");
    print(&bench, "AAPL", "4");
    assert_eq!(prices(&mut stream, 4), [1.0, 1.0, 4.0, 3.0]);
    bench.act(Act::Stream(StreamFault::UnknownName));
    print(&bench, "AAPL", "5");
    assert_eq!(stream.next().unwrap()[0]["T"], "mts_unheard_of");
    bench.act(Act::Stream(StreamFault::UnknownMessage));
    bench.act(Act::Stream(StreamFault::Garbage));
    print(&bench, "AAPL", "6");
    assert_eq!(stream.next().unwrap()[0]["since"], 2027);
    assert!(serde_json::from_str::<Value>(&stream.raw().unwrap()).is_err());
    assert_eq!(prices(&mut stream, 1), [6.0]);
    bench.act(Act::Stream(StreamFault::Cut));
    assert!(stream.next().is_none());
    // The history has what was lost on the way.
    let after = "symbols=AAPL&start=2026-03-02T15:00:00Z";
    let (prints, _) = pages(&bench, &format!("/v2/stocks/trades?{after}"), "trades");
    assert_eq!(
        prints.iter().map(|(_, print)| print["p"].as_f64().unwrap()).collect::<Vec<_>>(),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
}
