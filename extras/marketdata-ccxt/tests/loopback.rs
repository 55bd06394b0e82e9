//! Two exchanges through all of ccxt, down to the socket: their servers are made up and listen on the loopback. Shapes of answers
//! are those of the samples in ccxt's source; numbers are our own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Clock, Decimal, Interval, MarketData, Symbol, Timestamp};
use mts_marketdata_ccxt::CcxtExchange;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// 2026-03-02T14:00:00Z, in milliseconds.
const ZERO: i64 = 1_772_460_000_000;
const MINUTE: i64 = 60_000;

struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

/// The value of a name in the query of an address, with `%20`, `+` and `%3A` as they were.
fn queried(address: &str, name: &str) -> Option<String> {
    let pairs = address.split_once('?')?.1.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(key, _)| *key == name)?.1;
    Some(value.replace("%20", " ").replace('+', " ").replace("%3A", ":"))
}

/// A server of made-up answers (status, body) for the path and query of a request.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 65_536 {
                    if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let address = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, body) = answer(&address);
                log.lock().unwrap().push(address);
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close", body.len());
                let reply = format!("{head}\r\ncontent-type: application/json\r\n\r\n{body}");
                drop(socket.write_all(reply.as_bytes()).await);
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

const FOXBIT_MARKETS: &str = r#"{"data": [{
    "symbol": "btcbrl", "quantity_min": "0.00000236", "quantity_increment": "0.00000001", "quantity_precision": 8,
    "price_min": "0.0001", "price_increment": "0.0001", "price_precision": 4,
    "default_fees": {"maker": "0.001", "taker": "0.001"},
    "base": {"symbol": "btc", "name": "Bitcoin", "type": "CRYPTO", "precision": 8},
    "quote": {"symbol": "brl", "name": "Real", "type": "FIAT", "precision": 2},
    "order_type": ["LIMIT", "MARKET"]
}]}"#;

/// A candle of foxbit of that start, its open the minute that it starts at.
fn foxbit_candle(start: i64) -> String {
    let minute = (start - ZERO) / MINUTE;
    let end = start + MINUTE - 1;
    format!(r#"["{start}", "{minute}.12345678", "900.5", "0.25", "7", "{end}", "1.5", "9", "3", "1", "1"]"#)
}

fn foxbit(address: &str) -> (u16, String) {
    let path = address.split('?').next().unwrap_or_default();
    match path {
        "/rest/v3/currencies" => ok(r#"{"data": []}"#),
        "/rest/v3/markets" => ok(FOXBIT_MARKETS),
        "/rest/v3/markets/btcbrl/orderbook" => ok(&format!(
            r#"{{"sequence_id": 1, "timestamp": {ZERO},
                "bids": [["354317.01000000", "0.30000000"], ["354316.99", "1"]],
                "asks": [["354317.03000001", "0.00000236"], ["354400", "2"]]}}"#
        )),
        "/rest/v3/markets/btcbrl/trades/history" => ok(r#"{"data": [
                {"id": 2, "price": "354317.02", "volume": "0.001", "taker_side": "SELL", "created_at": "2026-03-02T14:00:01.250Z"},
                {"id": 1, "price": "354300.00000001", "volume": "2", "taker_side": "BUY", "created_at": "2026-03-02T13:59:59.000Z"}
            ]}"#),
        "/rest/v3/markets/btcbrl/candlesticks" => {
            // `start_time` is ISO-8601; the mock knows it by the hour and minute.
            let since = queried(address, "start_time").unwrap();
            let (hour, minute) = (since.get(11..13).unwrap(), since.get(14..16).unwrap());
            let minutes = |text: &str| text.parse::<i64>().unwrap();
            let since = ZERO + ((minutes(hour) - 14) * 60 + minutes(minute)) * MINUTE;
            let limit: i64 = queried(address, "limit").unwrap().parse().unwrap();
            // The market's newest candle is the one that is forming at 150.
            let starts =
                (0..limit).map(|row| since + row * MINUTE).filter(|start| *start <= ZERO + 150 * MINUTE);
            ok(&format!("[{}]", starts.map(foxbit_candle).collect::<Vec<_>>().join(",")))
        }
        _ => (404, r#"{"error": {"code": 404, "message": "no such path", "details": []}}"#.to_owned()),
    }
}

async fn foxbit_at(
    now: i64,
    answer: impl Fn(&str) -> (u16, String) + Send + 'static,
) -> (CcxtExchange, Server) {
    let server = Server::start(answer).await;
    let settings = format!(r#"{{"urls": {{"api": {{"public": "http://127.0.0.1:{}"}}}}}}"#, server.port);
    (CcxtExchange::with_settings("foxbit", &settings, Arc::new(FixedClock(at(now)))).unwrap(), server)
}

#[tokio::test]
async fn foxbit_quotes_are_the_top_of_its_book() {
    let (exchange, server) = foxbit_at(ZERO, foxbit).await;
    let quote = exchange.quote(&symbol("BTC-BRL")).await.unwrap();
    assert_eq!((quote.bid, quote.bid_size), (decimal("354317.01"), decimal("0.3")));
    assert_eq!((quote.ask, quote.ask_size), (decimal("354317.03000001"), decimal("0.00000236")));
    assert_eq!((quote.timestamp, quote.venue.as_str()), (at(ZERO), "foxbit"));
    // Markets are read once.
    exchange.quote(&symbol("BTC-BRL")).await.unwrap();
    let markets = server.asked().iter().filter(|address| *address == "/rest/v3/markets").count();
    assert_eq!(markets, 1, "{:?}", server.asked());
    let missing = exchange.quote(&symbol("ETH-BRL")).await.unwrap_err();
    assert_eq!(missing.to_string(), "foxbit does not offer ETH-BRL");
}

#[tokio::test]
async fn foxbit_trades_come_oldest_first_and_not_after_the_instant() {
    let (exchange, _server) = foxbit_at(ZERO, foxbit).await;
    let trades = exchange.trades(&symbol("BTC-BRL"), at(ZERO + 2_000)).await.unwrap();
    let rows: Vec<_> =
        trades.iter().map(|trade| (trade.trade_id.as_str(), trade.price, trade.size)).collect();
    assert_eq!(
        rows,
        [("1", decimal("354300.00000001"), decimal("2")), ("2", decimal("354317.02"), decimal("0.001"))]
    );
    assert_eq!(trades[1].timestamp, at(ZERO + 1_250));
    assert_eq!(exchange.trades(&symbol("BTC-BRL"), at(ZERO)).await.unwrap().len(), 1);
    let early = exchange.trades(&symbol("BTC-BRL"), at(ZERO - MINUTE)).await.unwrap_err().to_string();
    assert!(early.contains("do not reach back"), "{early}");
}

#[tokio::test]
async fn foxbit_candles_are_paged_closed_and_stamped_at_their_end() {
    let (exchange, server) = foxbit_at(ZERO + 150 * MINUTE + 1, foxbit).await;
    let btc = symbol("BTC-BRL");
    let bars = exchange.bars(&btc, Interval::MINUTE, at(ZERO), None).await.unwrap();
    let stamps: Vec<i64> =
        bars.iter().map(|bar| (bar.timestamp.nanos() / 1_000_000 - ZERO) / MINUTE).collect();
    assert_eq!(stamps, (1..=150).collect::<Vec<_>>());
    let first = bars.first().unwrap();
    assert_eq!((first.open, first.high), (decimal("0.12345678"), decimal("900.5")));
    assert_eq!((first.low, first.close, first.volume), (decimal("0.25"), decimal("7"), decimal("1.5")));
    let pages = server.asked().iter().filter(|address| address.contains("candlesticks")).count();
    assert_eq!(pages, 2, "{:?}", server.asked());
}

#[tokio::test]
async fn refusals_and_faults_of_the_wire_are_errors() {
    let busy = |address: &str| match address {
        "/rest/v3/markets/btcbrl/orderbook?depth=20" | "/rest/v3/markets/btcbrl/trades/history" => {
            (429, r#"{"error": {"code": 429, "message": "Too many requests", "details": []}}"#.to_owned())
        }
        other => foxbit(other),
    };
    let (exchange, server) = foxbit_at(ZERO, busy).await;
    let error = exchange.trades(&symbol("BTC-BRL"), at(ZERO)).await.unwrap_err().to_string();
    assert!(error.contains("RateLimitExceeded") && error.contains("ask less often"), "{error}");
    assert!(exchange.quote(&symbol("BTC-BRL")).await.is_err(), "{:?}", server.asked());

    for (status, body) in
        [(503, "down"), (200, "<html>maintenance</html>"), (200, "{\"data\": 7}"), (200, "")]
    {
        let (exchange, _server) = foxbit_at(ZERO, move |_| (status, body.to_owned())).await;
        let error = exchange.quote(&symbol("BTC-BRL")).await.unwrap_err();
        assert!(matches!(error, MarketDataError::Venue { .. }), "{status} {body}: {error}");
    }

    // Answers that ccxt reads as an empty list.
    let html = |address: &str| match address.contains("/btcbrl/") {
        true => ok("<html>maintenance</html>"),
        false => foxbit(address),
    };
    let (exchange, _server) = foxbit_at(ZERO, html).await;
    let btc = symbol("BTC-BRL");
    assert!(exchange.trades(&btc, at(ZERO)).await.is_err());
    assert!(exchange.bars(&btc, Interval::MINUTE, at(ZERO - MINUTE), None).await.is_err());
    assert!(exchange.quote(&btc).await.is_err());

    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let settings = format!(r#"{{"urls": {{"api": {{"public": "http://127.0.0.1:{port}"}}}}}}"#);
    let exchange = CcxtExchange::with_settings("foxbit", &settings, Arc::new(FixedClock(at(ZERO)))).unwrap();
    let error = exchange.quote(&symbol("BTC-BRL")).await.unwrap_err().to_string();
    assert!(error.contains("NetworkError") && error.contains("try again later"), "{error}");
}

fn ndax(address: &str) -> (u16, String) {
    let path = address.split('?').next().unwrap_or_default();
    match path {
        "/AP/GetProducts" => ok("[]"),
        "/AP/GetInstruments" => ok(
            r#"[{"OMSId": 1, "InstrumentId": 8, "Symbol": "BTCCAD", "Product1": 1, "Product1Symbol": "BTC",
                "Product2": 7, "Product2Symbol": "CAD", "InstrumentType": "Standard", "SessionStatus": "Running",
                "QuantityIncrement": 0.00000001, "PriceIncrement": 0.01, "MinimumQuantity": 0.00001, "MinimumPrice": 1,
                "IsDisable": false}]"#,
        ),
        // Update, accounts, time, action, last price, orders, price, instrument, size, side (1 = sell).
        "/AP/GetL2Snapshot" => ok(&format!(
            "[[97244115,1,{ZERO},0,93001.5,1,93000.01,8,0.25,0],[97244115,1,{ZERO},0,93001.5,1,93002.5,8,1.5,1],
              [97244115,1,{ZERO},0,93001.5,1,92999,8,4,0]]"
        )),
        // Trade, instrument, size, price, orders, time, direction, taker's side.
        "/AP/GetLastTrades" => ok(&format!("[[6913253,8,0.03340802,93001.5,2543425077,2543425482,{ZERO},0,1,0,0]]")),
        // End, high, low, open, close, volume, bid, ask, instrument, start.
        "/AP/GetTickerHistory" => {
            let row = |minute: i64| {
                let (start, end) = (ZERO + minute * MINUTE, ZERO + (minute + 1) * MINUTE);
                format!("[{end},9,0.5,{minute}.25,3,2.5,1,2,8,{start}]")
            };
            let from = queried(address, "FromDate").unwrap();
            assert!(from.starts_with("2026-03-02 "), "{from}");
            ok(&format!("[{}]", (-15..5).map(row).collect::<Vec<_>>().join(",")))
        }
        _ => (404, "{}".to_owned()),
    }
}

#[tokio::test]
async fn ndax_answers_through_ccxt_too() {
    let server = Server::start(ndax).await;
    let settings = format!(
        r#"{{"urls": {{"api": {{"public": "http://127.0.0.1:{}/AP"}}}}, "rateLimit": 1}}"#,
        server.port
    );
    let clock = Arc::new(FixedClock(at(ZERO + 4 * MINUTE)));
    let exchange = CcxtExchange::with_settings("ndax", &settings, clock).unwrap();
    let btc = symbol("BTC-CAD");

    let quote = exchange.quote(&btc).await.unwrap();
    assert_eq!((quote.bid, quote.bid_size), (decimal("93000.01"), decimal("0.25")));
    assert_eq!((quote.ask, quote.ask_size, quote.timestamp), (decimal("93002.5"), decimal("1.5"), at(ZERO)));

    let trades = exchange.trades(&btc, at(ZERO)).await.unwrap();
    let [trade] = trades.as_slice() else { panic!("{trades:?}") };
    assert_eq!(
        (trade.trade_id.as_str(), trade.price, trade.size),
        ("6913253", decimal("93001.5"), decimal("0.03340802"))
    );

    // ccxt hands on the end of each candle as if it were its start; the bar that began at 1 has the open 1.25.
    let bars = exchange.bars(&btc, Interval::MINUTE, at(ZERO), None).await.unwrap();
    let rows: Vec<_> = bars.iter().map(|bar| (bar.timestamp, bar.open)).collect();
    let expected = ["0.25", "1.25", "2.25", "3.25"];
    let expected = (1..).zip(expected).map(|(end, open)| (at(ZERO + end * MINUTE), decimal(open)));
    assert_eq!(rows, expected.collect::<Vec<_>>());
    assert!(server.asked().iter().any(|address| address.contains("Interval=60")), "{:?}", server.asked());

    let none = exchange.bars(&btc, "3m".parse().unwrap(), at(ZERO), None).await.unwrap_err();
    assert!(matches!(none, MarketDataError::Unsupported { .. }), "{none}");
}
