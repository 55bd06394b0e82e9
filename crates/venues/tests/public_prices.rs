//! Prices that the doubles of Coinbase and Kraken tell to everybody.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;

use client::{PATIENCE, Steps, d, exchange, quote};
use mts_foundation::double::{Call, VenueDouble};
use mts_foundation::{Symbol, Timestamp, Trade, VenueName};
use mts_venues::{Double, Options, Venue};
use serde_json::{Value, json};
use std::sync::Arc;

fn double(venue: Venue) -> Double {
    venue.start(Options::new(Arc::new(Steps::new()))).unwrap()
}

fn get(double: &Double, target: &str) -> (u16, Value) {
    let reply = exchange(double, PATIENCE, "", "GET", target, "").unwrap();
    (reply.status, reply.json())
}

fn print(double: &Double, price: &str) {
    double.trades(&[Trade {
        trade_id: "".into(),
        symbol: Symbol::new("BTC-USD").unwrap(),
        price: d(price),
        size: d("0.5"),
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }]);
}

fn seconds(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().nanos() / 1_000_000_000
}

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn coinbase_tells_the_newest_first() {
    let double = double(Venue::Coinbase);
    double.quote(&quote("BTC-USD", "101", "102"));
    print(&double, "101.5");
    let product = "/api/v3/brokerage/market/products/BTC-USD";
    let (_, told) = get(&double, &format!("{product}/ticker?limit=3"));
    assert_eq!((&told["best_bid"], &told["best_ask"]), (&json!("101"), &json!("102")));
    let trades = rows(&told["trades"]);
    assert_eq!((trades.len(), &trades[0]["price"], &trades[0]["size"]), (3, &json!("101.5"), &json!("0.5")));
    let time = |row: &Value| row["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time(&trades[0]) > time(&trades[1]) && time(&trades[1]) > time(&trades[2]));
    let (start, end) = (seconds("2026-03-02T12:00:00Z"), seconds("2026-03-02T14:59:00Z"));
    let (_, told) = get(&double, &format!("{product}/candles?granularity=ONE_HOUR&start={start}&end={end}"));
    let starts: Vec<&str> = rows(&told["candles"]).iter().map(|row| row["start"].as_str().unwrap()).collect();
    assert_eq!(starts, [14, 13, 12].map(|hour| (start + (hour - 12) * 3_600).to_string()));
    assert_eq!(double.calls(Call::Prices), 2);
}

#[test]
fn coinbase_refuses_what_makes_no_sense() {
    let double = double(Venue::Coinbase);
    let product = "/api/v3/brokerage/market/products/BTC-USD";
    for (target, wanted) in [
        (format!("{product}/ticker?limit=0"), 400),
        (format!("{product}/ticker?start=soon"), 400),
        (format!("{product}/candles?granularity=ONE_HOUR"), 400),
        (format!("{product}/candles?granularity=HOUR&start=0&end=1"), 400),
        (format!("{product}/candles?granularity=ONE_MINUTE&start=0&end=21060"), 400),
        (format!("{product}/candles?granularity=ONE_MINUTE&start=0&end=21000"), 200),
        ("/api/v3/brokerage/market/products/NONE-USD/ticker".to_owned(), 404),
        (format!("{product}/unheard"), 404),
    ] {
        assert_eq!(get(&double, &target).0, wanted, "{target}");
    }
    // With a key the same stands elsewhere, and without one it is refused there.
    let reply = exchange(&double, PATIENCE, "", "GET", "/api/v3/brokerage/products/BTC-USD/ticker", "");
    assert_eq!(reply.unwrap().status, 401);
    double.quote(&quote("BTC-USD", "99", "100"));
    let (_, rates) = get(&double, "/v2/exchange-rates");
    assert_eq!(rates["data"]["rates"]["BTC"], "0.01");
    assert_eq!(rows(&get(&double, "/v2/currencies/crypto").1["data"]).len(), 3);
    assert_eq!(rows(&get(&double, "/v2/currencies").1["data"])[0]["id"], "USD");
}

#[test]
fn kraken_tells_what_came_after_an_instant() {
    let double = double(Venue::Kraken);
    double.quote(&quote("BTC-USD", "101", "102"));
    let whole = |told: &Value| rows(&told["result"]["XXBTZUSD"]).clone();
    let (_, told) = get(&double, "/0/public/Trades?pair=XBTUSD");
    assert_eq!(whole(&told).len(), 1_000);
    let last = told["result"]["last"].as_str().unwrap().to_owned();
    print(&double, "101.5");
    print(&double, "101.6");
    let (_, told) = get(&double, &format!("/0/public/Trades?pair=XBTUSD&since={last}"));
    let prices: Vec<_> = whole(&told).iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
    assert_eq!(prices, ["101.5", "101.6"]);
    let since = seconds("2026-03-01T00:00:00Z");
    let (_, first) = get(&double, &format!("/0/public/Trades?pair=XBTUSD&since={since}&count=5"));
    assert_eq!(whole(&first).len(), 5);
    assert!(whole(&first)[0][2].as_f64().unwrap() - (since as f64) < 600.0);

    let (_, told) = get(&double, &format!("/0/public/OHLC?pair=XBTUSD&interval=60&since={since}"));
    let candles = whole(&told);
    // Those that start later, with the one that is not over where it has a minute that is.
    assert_eq!(candles[0][0].as_i64().unwrap(), since + 3_600);
    assert!([38, 39].contains(&candles.len()), "{}", candles.len());
    assert_eq!(told["result"]["last"], seconds("2026-03-02T14:00:00Z"));
    let (_, minutes) = get(&double, "/0/public/OHLC?pair=XBTUSD");
    assert_eq!(whole(&minutes).len(), 720);

    let (_, ticker) = get(&double, "/0/public/Ticker?pair=XBTUSD");
    let ticker = &ticker["result"]["XXBTZUSD"];
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    assert!(number(&ticker["v"][1]) > number(&ticker["v"][0]) && number(&ticker["h"][1]) >= 101.6);
    assert!(ticker["t"][1].as_u64() > ticker["t"][0].as_u64());
}

#[test]
fn kraken_refuses_what_makes_no_sense() {
    let double = double(Venue::Kraken);
    for (target, wanted) in [
        ("/0/public/Trades?pair=NONE", "EQuery:Unknown asset pair"),
        ("/0/public/Trades", "EGeneral:Invalid arguments"),
        ("/0/public/Trades?pair=XBTUSD&count=0", "EGeneral:Invalid arguments:count"),
        ("/0/public/Trades?pair=XBTUSD&since=soon", "EGeneral:Invalid arguments:since"),
        ("/0/public/OHLC?pair=XBTUSD&interval=7", "EGeneral:Invalid arguments"),
    ] {
        assert_eq!(get(&double, target).1["error"], json!([wanted]), "{target}");
    }
}
