//! Prices that the doubles of Coinbase Exchange and Kraken stream to everybody.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking, and compares prices that are exact"
)]

mod client;

use client::{Bench, Following, PATIENCE, d, exchange, quote};
use mts_foundation::double::{Act, StreamFault, VenueDouble};
use mts_foundation::{Bar, Interval, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_venues::Venue;
use serde_json::{Value, json};

fn print(bench: &Bench, symbol: &str, price: &str) {
    bench.double.trades(&[Trade {
        trade_id: "".into(),
        symbol: Symbol::new(symbol).unwrap(),
        price: d(price),
        size: d("0.5"),
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }]);
}

/// Best prices with sizes.
fn sized(bid: &str, bid_size: &str, ask: &str, ask_size: &str) -> Quote {
    Quote { bid_size: d(bid_size), ask_size: d(ask_size), ..quote("BTC-USD", bid, ask) }
}

/// The next message that is no heartbeat.
fn next(stream: &mut Following) -> Value {
    loop {
        let message = stream.next().unwrap();
        if message["channel"] != "heartbeat" && message["type"] != "heartbeat" {
            return message;
        }
    }
}

fn kraken() -> (Bench, Following) {
    let bench = Bench::of(Venue::Kraken, ["api_key", "api_secret"]);
    let mut stream = bench.connect_to("/v2", false).unwrap();
    assert_eq!(next(&mut stream)["channel"], "status");
    (bench, stream)
}

fn ask(stream: &mut Following, params: &Value) -> Value {
    stream.say(&json!({"method": "subscribe", "params": params, "req_id": 7}).to_string());
    next(stream)
}

#[test]
fn kraken_streams_prints_with_the_numbers_of_its_requests() {
    let (bench, mut stream) = kraken();
    let answer = ask(&mut stream, &json!({"channel": "trade", "symbol": ["BTC/USD"]}));
    assert_eq!((&answer["success"], &answer["req_id"]), (&json!(true), &json!(7)));
    assert_eq!(answer["result"], json!({"channel": "trade", "symbol": "BTC/USD", "snapshot": true}));
    let past = next(&mut stream);
    assert_eq!((&past["type"], past["data"].as_array().unwrap().len()), (&json!("snapshot"), 50));
    let last = past["data"][49]["trade_id"].as_u64().unwrap();
    let number = |place: usize| past["data"][place]["trade_id"].as_u64().unwrap();
    assert!((1..50).all(|place| number(place) == number(place - 1) + 1), "{past}");
    // Prints of another pair take no number, and nobody has asked for them.
    print(&bench, "ETH-USD", "50");
    print(&bench, "BTC-USD", "101.5");
    print(&bench, "ETH-USD", "51");
    print(&bench, "BTC-USD", "101.25");
    for (number, price) in [(last + 1, 101.5), (last + 2, 101.25)] {
        let told = next(&mut stream);
        let row = &told["data"][0];
        assert_eq!((&told["channel"], &told["type"]), (&json!("trade"), &json!("update")));
        assert_eq!((&row["symbol"], &row["trade_id"]), (&json!("BTC/USD"), &json!(number)));
        assert_eq!((&row["price"], &row["qty"]), (&json!(price), &json!(0.5)));
    }
    let trades = bench.get("/0/public/Trades?pair=XBTUSD");
    assert_eq!(trades["result"]["XXBTZUSD"][999][6], last + 2);
    // Nothing more when it is given back.
    stream.say(r#"{"method":"unsubscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}"#);
    assert_eq!(next(&mut stream)["success"], true);
    print(&bench, "BTC-USD", "102");
    assert_eq!(bench.double.streams(), 1);
    stream.say(r#"{"method":"ping"}"#);
    assert_eq!(next(&mut stream)["method"], "pong");
}

#[test]
fn kraken_refuses_pairs_and_settings_that_it_does_not_have() {
    let (_bench, mut stream) = kraken();
    // One answer a symbol.
    let answer = ask(&mut stream, &json!({"channel": "ticker", "symbol": ["XBT/USD", "BTC/USD"]}));
    assert_eq!((&answer["success"], &answer["symbol"]), (&json!(false), &json!("XBT/USD")));
    assert_eq!(answer["error"], "Currency pair not supported XBT/USD");
    assert_eq!(next(&mut stream)["result"]["event_trigger"], "trades");
    assert_eq!(next(&mut stream)["type"], "snapshot");
    for (params, error) in [
        (json!({"channel": "ohlc", "interval": 7}), "Subscription ohlc interval not supported"),
        (json!({"channel": "book", "depth": 11}), "Subscription depth not supported"),
        (json!({"channel": "ticker", "event_trigger": "all"}), "Subscription event_trigger not supported"),
    ] {
        let mut params = params;
        params["symbol"] = json!(["BTC/USD"]);
        let answer = ask(&mut stream, &params);
        assert_eq!((&answer["error"], &answer["success"]), (&json!(error), &json!(false)));
    }
    assert_eq!(ask(&mut stream, &json!({"channel": "trade"}))["success"], false);
}

#[test]
fn kraken_streams_best_prices_by_quote_and_by_print() {
    let (bench, mut stream) = kraken();
    bench.double.quote(&sized("99", "2", "101", "3"));
    ask(&mut stream, &json!({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo"}));
    let first = next(&mut stream);
    let of = |message: &Value, name: &str| message["data"][0][name].clone();
    assert_eq!((of(&first, "bid"), of(&first, "ask_qty")), (json!(99), json!(3)));
    print(&bench, "BTC-USD", "102");
    bench.double.quote(&sized("98", "2", "103", "3"));
    let told = next(&mut stream);
    assert_eq!((of(&told, "bid"), of(&told, "ask"), of(&told, "last")), (json!(98), json!(103), json!(102)));
    assert!(of(&told, "volume").as_f64() > Some(1.0), "{told}");
    stream.say(
        r#"{"method":"unsubscribe","params":{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"bbo"}}"#,
    );
    assert_eq!(next(&mut stream)["success"], true);
    let answer = ask(&mut stream, &json!({"channel": "ticker", "symbol": ["BTC/USD"], "snapshot": false}));
    assert_eq!(answer["result"]["snapshot"], false);
    bench.double.quote(&sized("97", "2", "104", "3"));
    print(&bench, "BTC-USD", "100");
    let told = next(&mut stream);
    assert_eq!((of(&told, "last"), of(&told, "bid")), (json!(100), json!(97)), "as of the print");
}

#[test]
fn kraken_streams_candles_as_they_form() {
    let (bench, mut stream) = kraken();
    for interval in [1, 5] {
        ask(&mut stream, &json!({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": interval}));
        let past = next(&mut stream);
        let rows = past["data"].as_array().unwrap();
        assert_eq!((&past["type"], &rows[0]["interval"]), (&json!("snapshot"), &json!(interval)));
        assert!(rows.len() > 500 && rows.len() <= 720, "{}", rows.len());
    }
    let mut told = |price: &str| {
        print(&bench, "BTC-USD", price);
        [next(&mut stream)["data"][0].clone(), next(&mut stream)["data"][0].clone()]
    };
    told("100");
    told("103");
    for row in told("101") {
        let shape = [("open", 100), ("high", 103), ("low", 100), ("close", 101), ("trades", 3)];
        assert!(shape.iter().all(|(name, value)| row[name] == json!(value)), "{row}");
        assert_eq!(
            (&row["trades"], &row["interval_begin"]),
            (&json!(3), &json!("2026-03-02T15:00:00.000000Z"))
        );
    }
    // A minute that was told takes the place of its prints, in longer candles too.
    bench.double.bars(&[Bar {
        symbol: Symbol::new("BTC-USD").unwrap(),
        interval: Interval::MINUTE,
        open: d("100"),
        high: d("120"),
        low: d("90"),
        close: d("111"),
        volume: d("7"),
        vwap: None,
        n_trades: Some(9),
        timestamp: "2026-03-02T15:01:00Z".parse().unwrap(),
        close_only: false,
        partial: false,
    }]);
    for _ in 0..2 {
        let row = next(&mut stream)["data"][0].clone();
        assert_eq!((&row["high"], &row["trades"], &row["volume"]), (&json!(120), &json!(9), &json!(7)));
    }
}

/// CRC-32, by its definition.
fn crc(text: &str) -> u64 {
    let mut state = u32::MAX;
    for bit in text.bytes().flat_map(|byte| (0..8).map(move |place| (byte >> place) & 1)) {
        let is_odd = (state & 1) != u32::from(bit) & 1;
        state = (state >> 1) ^ if is_odd { 0xedb8_8320 } else { 0 };
    }
    u64::from(!state)
}

#[test]
fn kraken_streams_books_with_checksums() {
    let (bench, mut stream) = kraken();
    bench.double.quote(&sized("99.5", "2", "101", "0.3"));
    let answer = ask(&mut stream, &json!({"channel": "book", "symbol": ["BTC/USD"], "snapshot": false}));
    assert_eq!(answer["result"]["depth"], 10);
    let whole = next(&mut stream);
    let row = &whole["data"][0];
    assert_eq!((&whole["type"], &row["bids"]), (&json!("snapshot"), &json!([{"price": 99.5, "qty": 2.0}])));
    // Prices of the pair have one place and quantities eight.
    assert_eq!(row["checksum"], crc(&["1010", "30000000", "995", "200000000"].concat()));
    bench.double.quote(&sized("99.5", "2", "101", "0.3"));
    bench.double.quote(&sized("100", "1", "101", "0.4"));
    let told = stream_text(&mut stream);
    let row = &serde_json::from_str::<Value>(&told).unwrap()["data"][0];
    assert_eq!(row["bids"], json!([{"price": 99.5, "qty": 0.0}, {"price": 100.0, "qty": 1.0}]));
    assert_eq!(row["asks"], json!([{"price": 101.0, "qty": 0.4}]));
    assert_eq!(row["checksum"], crc(&["1010", "40000000", "1000", "100000000"].concat()));
    // Its digits are those of the checksum.
    assert!(told.contains(r#""asks":[{"price":101.0,"qty":0.40000000}]"#), "{told}");
}

fn stream_text(stream: &mut Following) -> String {
    loop {
        let text = stream.raw().unwrap();
        if !text.contains("heartbeat") {
            return text;
        }
    }
}

fn coinbase() -> (Bench, Following) {
    let bench = Bench::of(Venue::Coinbase, ["api_key", "api_secret"]);
    let stream = bench.connect_to("/", false).unwrap();
    (bench, stream)
}

fn subscribe(stream: &mut Following, channels: &[&str], products: &[&str]) -> Value {
    stream.say(&json!({"type": "subscribe", "channels": channels, "product_ids": products}).to_string());
    next(stream)
}

#[test]
fn coinbase_streams_prints_with_the_numbers_of_its_requests() {
    let (bench, mut stream) = coinbase();
    let answer = subscribe(&mut stream, &["matches", "heartbeat"], &["BTC-USD", "ETH-USD"]);
    let both = json!(["BTC-USD", "ETH-USD"]);
    assert_eq!(answer["channels"][1], json!({"name": "matches", "product_ids": both}));
    assert_eq!(answer["channels"][0], json!({"name": "heartbeat", "product_ids": both}));
    let last = [next(&mut stream), next(&mut stream)].map(|last| {
        assert_eq!(last["type"], "last_match");
        last["trade_id"].as_u64().unwrap()
    });
    for (symbol, price) in [("BTC-USD", "101.5"), ("ETH-USD", "50"), ("BTC-USD", "102")] {
        print(&bench, symbol, price);
    }
    for (product, number, price) in
        [("BTC-USD", last[0] + 1, "101.5"), ("ETH-USD", last[1] + 1, "50"), ("BTC-USD", last[0] + 2, "102")]
    {
        let told = next(&mut stream);
        assert_eq!((&told["type"], &told["product_id"]), (&json!("match"), &json!(product)));
        assert_eq!((&told["trade_id"], &told["price"]), (&json!(number), &json!(price)));
    }
    let beat = loop {
        let message = stream.next().unwrap();
        if message["type"] == "heartbeat" && message["product_id"] == "BTC-USD" {
            break message;
        }
    };
    assert_eq!(beat["last_trade_id"], last[0] + 2);
    // The same by a request, newest first, in pages that go back.
    let ask = |target: &str| exchange(&bench.double, PATIENCE, "", "GET", target, "").unwrap();
    let page = ask("/products/BTC-USD/trades?limit=2").json();
    assert_eq!((&page[0]["trade_id"], &page[1]["price"]), (&json!(last[0] + 2), &json!("101.5")));
    let older = ask(&format!("/products/BTC-USD/trades?limit=1&after={}", last[0] + 1)).json();
    assert_eq!((older.as_array().unwrap().len(), &older[0]["trade_id"]), (1, &json!(last[0])));
    assert_eq!(ask("/products/NONE-EUR/trades").status, 404);
    assert_eq!(ask("/products/BTC-USD/trades?limit=x").status, 400);
}

#[test]
fn coinbase_refuses_products_and_channels_that_it_does_not_have() {
    let (bench, mut stream) = coinbase();
    for (channels, products, reason) in [
        (&["matches"][..], &["BTC-USD", "NONE-EUR"][..], "NONE-EUR is not a valid product"),
        (&["matches", "moon"], &["BTC-USD"], "moon is not a valid channel"),
        (&["heartbeat"], &[], "You need to specify at least one product ID for channel heartbeat"),
        (&["level2"], &["BTC-USD"], "level2, level3, and full channels now require authentication"),
    ] {
        let refused = subscribe(&mut stream, channels, products);
        assert_eq!(refused["message"], "Failed to subscribe");
        assert_eq!((&refused["type"], &refused["reason"]), (&json!("error"), &json!(reason)));
    }
    // Nothing of a refused request is taken.
    assert_eq!(bench.double.streams(), 0);
    // Who asks for nothing is sent away.
    assert_eq!(stream.next(), None);
}

#[test]
fn coinbase_streams_best_prices_as_of_each_print_and_a_book() {
    let (bench, mut stream) = coinbase();
    bench.double.quote(&sized("99.5", "2", "101", "0.3"));
    subscribe(&mut stream, &["ticker"], &["BTC-USD"]);
    assert_eq!(next(&mut stream)["type"], "ticker");
    subscribe(&mut stream, &["level2_batch"], &["BTC-USD"]);
    let whole = next(&mut stream);
    assert_eq!((&whole["bids"], &whole["asks"]), (&json!([["99.5", "2"]]), &json!([["101", "0.3"]])));
    bench.double.quote(&sized("100", "1", "101", "0.4"));
    let told = next(&mut stream);
    assert_eq!(told["type"], "l2update");
    assert_eq!(told["changes"], json!([["buy", "99.5", "0"], ["buy", "100", "1"], ["sell", "101", "0.4"]]));
    print(&bench, "BTC-USD", "100.5");
    let told = next(&mut stream);
    let of = |name: &str| told[name].as_str().unwrap().to_owned();
    assert_eq!(
        [of("type"), of("price"), of("best_bid"), of("best_ask_size")],
        ["ticker", "100.5", "100", "0.4"]
    );
    stream.say(r#"{"type":"unsubscribe","channels":["ticker"],"product_ids":["BTC-USD"]}"#);
    let left = json!([{"name": "level2_batch", "product_ids": ["BTC-USD"]}]);
    assert_eq!(next(&mut stream)["channels"], left);
}

#[test]
fn faults_meet_the_streams_of_prices() {
    for (mut told, bench) in [
        {
            let (bench, mut stream) = kraken();
            ask(&mut stream, &json!({"channel": "trade", "symbol": ["BTC/USD"], "snapshot": false}));
            (stream, bench)
        },
        {
            let (bench, mut stream) = coinbase();
            subscribe(&mut stream, &["matches"], &["BTC-USD"]);
            assert_eq!(next(&mut stream)["type"], "last_match");
            (stream, bench)
        },
    ] {
        for (fault, prices) in [
            (StreamFault::Twice, vec!["1", "1", "2"]),
            (StreamFault::Lost, vec!["2"]),
            (StreamFault::Swapped, vec!["2", "1"]),
        ] {
            bench.act(Act::Stream(fault));
            print(&bench, "BTC-USD", "1");
            print(&bench, "BTC-USD", "2");
            for price in prices {
                let message = next(&mut told);
                let found = if message["data"].is_array() {
                    message["data"][0]["price"].as_f64().unwrap()
                } else {
                    message["price"].as_str().unwrap().parse().unwrap()
                };
                assert_eq!(found, price.parse::<f64>().unwrap(), "{fault:?}: {message}");
            }
        }
        bench.act(Act::Stream(StreamFault::UnknownMessage));
        let unheard = next(&mut told);
        assert!(unheard.to_string().contains("mts_unheard_of"), "{unheard}");
        bench.act(Act::Stream(StreamFault::Cut));
        assert_eq!(told.next(), None);
    }
}
