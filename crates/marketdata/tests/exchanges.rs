//! Exchanges over a client that answers from a list, and the descriptors that are built in.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::Bytes;
use mts_foundation::io::{HttpClient, RequestOptions, TransportError};
use mts_foundation::market_data::MarketDataError;
use mts_foundation::ready::ready;
use mts_foundation::{Clock, Decimal, Interval, MarketData, Symbol, Timestamp};
use mts_marketdata::exchanges::{DESCRIPTORS, DescribedExchange, Descriptor, Json, Method};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

type Answer = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// Answers every request with what a function makes of its address, and keeps the addresses.
struct Answers {
    asked: Mutex<Vec<String>>,
    answer: Box<Answer>,
}

impl HttpClient for Answers {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        assert!(options.idempotent);
        let address = request.uri().to_string();
        let (status, body) = (self.answer)(&address);
        self.asked.lock().unwrap().push(address);
        Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
    }
}

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

const NOW: i64 = 1_700_000_400_000;

fn exchange(
    text: &str,
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (DescribedExchange, Arc<Answers>) {
    let descriptor = Arc::new(Descriptor::read("test", text).unwrap());
    let answers = Arc::new(Answers { asked: Mutex::default(), answer: Box::new(answer) });
    let clock = Arc::new(At(Timestamp::from_millis(NOW)));
    (DescribedExchange::new(descriptor, Arc::clone(&answers) as _, clock).unwrap(), answers)
}

fn built_in(name: &str) -> &'static str {
    mts_marketdata::exchanges::find(name).unwrap().text
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    ready(future).unwrap()
}

fn number(address: &str, key: &str) -> i64 {
    let found = address.split(['?', '&']).find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
    found.unwrap().parse().unwrap()
}

/// Minutes from one time to another, as OKX tells them: newest first, at most `limit`, the last one still forming.
fn okx_candles(address: &str) -> (u16, String) {
    let (before, after) = (number(address, "before"), number(address, "after"));
    let minute = 60_000;
    let first = (before / minute + 1) * minute;
    let limit = usize::try_from(number(address, "limit")).unwrap();
    let mut rows: Vec<i64> = (first..after.min(NOW)).step_by(60_000).collect();
    rows.reverse();
    rows.truncate(limit);
    let row = |start: &i64| {
        let closed = i32::from(start + minute <= NOW);
        format!(r#"["{start}","10.10","10.30","10.00","10.20","1.5","15","15","{closed}"]"#)
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    (200, format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, rows.join(",")))
}

#[test]
fn bars_are_paged_forward_closed_and_stamped_at_their_end() {
    let (okx, asked) = exchange(built_in("okx"), okx_candles);
    let start = Timestamp::from_millis(NOW / 60_000 * 60_000 - 250 * 60_000);
    let bars = wait(MarketData::bars(&okx, &symbol("BTC-USDT"), Interval::MINUTE, start, None)).unwrap();
    // 250 minutes that are over; the one that is forming is not among them, and none is missing or told twice.
    assert_eq!(bars.len(), 250);
    let ends: Vec<i64> = bars.iter().map(|bar| bar.timestamp.nanos() / 60_000_000_000).collect();
    assert!(ends.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(bars[0].timestamp, start.plus(std::time::Duration::from_secs(60)));
    assert!(bars.iter().all(|bar| bar.timestamp <= Timestamp::from_millis(NOW)));
    assert_eq!((bars[0].high, bars[0].volume), (Decimal::new(103, 1), Decimal::new(15, 1)));
    let asked = asked.asked.lock().unwrap();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].contains("instId=BTC-USDT&") && asked[0].contains("bar=1m"), "{asked:?}");
}

/// An exchange may be behind the clock: what it says itself counts.
#[test]
fn a_candle_that_the_exchange_calls_open_is_none_although_its_time_is_over() {
    let start = NOW / 60_000 * 60_000 - 120_000;
    let rows = move |last: &str| {
        let row = |at: i64, word: &str| format!(r#"["{at}","10","11","9","10","1","15","15","{word}"]"#);
        format!(r#"{{"code":"0","msg":"","data":[{},{}]}}"#, row(start + 60_000, last), row(start, "1"))
    };
    let gate = move |last: &str| {
        let row = |at: i64, word: &str| format!(r#"["{}","15","10","11","9","10","1","{word}"]"#, at / 1_000);
        format!("[{},{}]", row(start, "true"), row(start + 60_000, last))
    };
    for (name, open, closed) in [
        ("okx", rows("0"), rows("1")),
        ("okxus", rows("0"), rows("1")),
        ("myokx", rows("0"), rows("1")),
        ("gate", gate("false"), gate("true")),
        ("gateeu", gate("false"), gate("true")),
    ] {
        for (reply, expected) in [(open, 1), (closed, 2)] {
            let (exchange, _) = exchange(built_in(name), move |_| (200, reply.clone()));
            let from = Timestamp::from_millis(start);
            let to = Some(Timestamp::from_millis(start + 120_000));
            let bars = wait(MarketData::bars(&exchange, &symbol("BTC-USDT"), Interval::MINUTE, from, to));
            assert_eq!(bars.unwrap().len(), expected, "{name}");
        }
    }
}

#[test]
fn bars_end_where_they_shall() {
    let (okx, _) = exchange(built_in("okx"), okx_candles);
    let last = Timestamp::from_millis(NOW / 60_000 * 60_000 - 100 * 60_000);
    let start = Timestamp::from_millis(NOW / 60_000 * 60_000 - 110 * 60_000);
    let bars =
        wait(MarketData::bars(&okx, &symbol("BTC-USDT"), Interval::MINUTE, start, Some(last))).unwrap();
    assert_eq!((bars.len(), bars.last().unwrap().timestamp), (10, last));
}

#[test]
fn candles_that_do_not_reach_back_are_no_answer() {
    // Gemini has no start: it answers with its newest page, whatever is asked for.
    let newest = |_: &str| (200, format!("[[{},1,2,1,2,3]]", NOW / 60_000 * 60_000 - 60_000));
    let (gemini, _) = exchange(built_in("gemini"), newest);
    let start = Timestamp::from_millis(NOW - 86_400_000);
    let bars = wait(MarketData::bars(&gemini, &symbol("BTC-USD"), Interval::MINUTE, start, None));
    assert!(matches!(bars, Err(MarketDataError::Venue { message, .. }) if message.contains("reach back")));
}

#[test]
fn candles_say_how_far_back_they_reach() {
    let begin = NOW / 60_000 * 60_000 - 60_000;
    let (gemini, _) = exchange(built_in("gemini"), move |_: &str| (200, format!("[[{begin},1,2,1,2,3]]")));
    let start = Timestamp::from_millis(NOW - 86_400_000);
    let told = wait(gemini.candles(&symbol("BTC-USD"), Interval::MINUTE, start, None)).unwrap();
    assert_eq!((told.since, told.bars.len()), (Timestamp::from_millis(begin), 1));
    let (okx, _) = exchange(built_in("okx"), okx_candles);
    let told = wait(okx.candles(&symbol("BTC-USDT"), Interval::MINUTE, start, None)).unwrap();
    assert_eq!((told.since, told.bars.len()), (start, 1_440));
}

#[test]
fn an_exchange_that_does_not_heed_the_times_is_no_answer() {
    let newest = |_: &str| {
        let start = NOW / 60_000 * 60_000 - 60_000;
        (200, format!(r#"{{"code":"0","msg":"","data":[["{start}","1","2","1","2","3","3","3","1"]]}}"#))
    };
    let (okx, _) = exchange(built_in("okx"), newest);
    let start = Timestamp::from_millis(NOW - 86_400_000);
    let bars = wait(MarketData::bars(&okx, &symbol("BTC-USDT"), Interval::MINUTE, start, None));
    assert!(matches!(bars, Err(MarketDataError::Venue { message, .. }) if message.contains("reach back")));
}

#[test]
fn a_quote_has_the_exchanges_digits() {
    let reply = r#"{"code":"0","msg":"","data":[{"last":"0.1","bidPx":"0.10000000000000000001","bidSz":"3",
        "askPx":0.3,"askSz":"4","ts":"1700000000123"}]}"#;
    let (okx, asked) = exchange(built_in("okx"), move |_| (200, reply.to_owned()));
    let quote = wait(MarketData::quote(&okx, &symbol("BTC-USDT"))).unwrap();
    assert_eq!(quote.bid.to_string(), "0.10000000000000000001");
    assert_eq!((quote.ask, quote.timestamp), (Decimal::new(3, 1), Timestamp::from_millis(1_700_000_000_123)));
    let asked = asked.asked.lock().unwrap();
    assert_eq!(asked[0], "https://www.okx.com/api/v5/market/ticker?instId=BTC-USDT");
}

#[test]
fn an_error_at_http_200_is_an_error() {
    let reply = r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#;
    let (okx, _) = exchange(built_in("okx"), move |_| (200, reply.to_owned()));
    let error = wait(MarketData::quote(&okx, &symbol("BTC-USDT"))).unwrap_err();
    assert_eq!(error.to_string(), "okx: 50011: Too Many Requests");
    let (kraken, _) =
        exchange(built_in("kraken"), |_| (200, r#"{"error":["EQuery:Unknown asset pair"]}"#.to_owned()));
    let error = wait(MarketData::quote(&kraken, &symbol("BTC-USD"))).unwrap_err();
    assert!(error.to_string().starts_with("kraken: "), "{error}");
    let (okx, _) = exchange(built_in("okx"), |_| (429, "slow down".to_owned()));
    let error = wait(MarketData::quote(&okx, &symbol("BTC-USDT"))).unwrap_err();
    assert_eq!(error.to_string(), "okx: HTTP 429: slow down");
}

#[test]
fn trades_are_told_as_of_a_time_oldest_first() {
    let reply = r#"{"code":"0","msg":"","data":[
        {"tradeId":"3","px":"3","sz":"1","side":"buy","ts":"1700000000003"},
        {"tradeId":"2","px":"2","sz":"1","side":"buy","ts":"1700000000002"},
        {"tradeId":"1","px":"1","sz":"1","side":"buy","ts":"1700000000001"}]}"#;
    let (okx, _) = exchange(built_in("okx"), move |_| (200, reply.to_owned()));
    let asof = |millis| wait(MarketData::trades(&okx, &symbol("BTC-USDT"), Timestamp::from_millis(millis)));
    let ids: Vec<String> =
        asof(1_700_000_000_002).unwrap().iter().map(|trade| trade.trade_id.to_string()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert!(asof(1_700_000_000_000).unwrap_err().to_string().contains("reach back"));
}

#[test]
fn what_is_not_described_is_not_offered() {
    let (okx, asked) = exchange(built_in("okx"), |_| (200, "{}".to_owned()));
    for symbol in ["AAPL", "BTC-USDT-PERP"].map(symbol) {
        let error = wait(MarketData::quote(&okx, &symbol)).unwrap_err();
        assert!(matches!(error, MarketDataError::Unsupported { .. }), "{error}");
    }
    assert!(asked.asked.lock().unwrap().is_empty());
}

#[test]
fn the_table_is_the_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/exchanges/descriptors");
    let files =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.map(|file| file.strip_suffix(".toml").unwrap().to_owned()).collect();
    let table: Vec<String> = DESCRIPTORS.iter().map(|embedded| embedded.name.to_owned()).collect();
    assert_eq!(table, files.into_iter().collect::<Vec<_>>());
}

#[test]
fn every_descriptor_is_read_and_makes_addresses() {
    for embedded in DESCRIPTORS {
        let exchange = embedded.read().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(exchange.id, embedded.name);
        assert!(exchange.methods().all(|(_, cases)| cases > 0), "{}", embedded.name);
        for form in &exchange.markets {
            let base = form.bases.first().map_or("ETH", String::as_str);
            let quote = form.quotes.first().map_or("USDT", String::as_str);
            let suffix = if form.perpetual { "-PERP" } else { "" };
            let (_, mut asked) = exchange.market(&symbol(&format!("{base}-{quote}{suffix}"))).unwrap();
            (asked.start, asked.end) = (Some(Timestamp::from_millis(NOW)), Some(Timestamp::from_millis(NOW)));
            (asked.now, asked.limit) = (Some(Timestamp::from_millis(NOW)), Some(10));
            let ticker = Method::of(&exchange.ticker, &form.name).map(|method| &method.get);
            let trades = Method::of(&exchange.trades, &form.name).map(|method| &method.get);
            let candles = Method::of(&exchange.candles, &form.name).map(|method| &method.get);
            for timeframe in exchange.timeframes.values() {
                asked.timeframe = Some(timeframe.clone());
                for get in [ticker, trades, candles].into_iter().flatten() {
                    let address = get.fill(&asked).unwrap();
                    let uri: http::Uri = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
                    assert_eq!(uri.scheme_str(), Some("https"), "{address}");
                    assert!(!address.contains(['{', '}', '<', '>', ' ']), "{address}");
                }
            }
        }
    }
}

#[test]
fn a_wrong_descriptor_says_where_and_what_to_write() {
    let good = built_in("okx");
    for (from, to, words) in [
        ("pace_ms", "pace", &["unknown field `pace`", "pace_ms"][..]),
        ("ts|ms", "ts|millis", &["\"millis\" is no reading", "ms"]),
        ("instId={id}", "instId={symbol}", &["{symbol} is no blank", "{id}"]),
        ("<&limit={limit}>", "<&limit={limit}", &["does not end it"]),
        ("markets = [\"spot\"]", "markets = [\"sport\"]", &["\"sport\"", "[[markets]]"]),
        ("|map:buy=buy", "|map:buy", &["map needs pairs"]),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Descriptor::read("okx", &good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with("okx: "), "{error}");
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let nothing =
        Descriptor::read("x", "id = \"x\"\npace_ms = 1\n[[markets]]\nname = \"spot\"\nid = \"{BASE}\"\n");
    assert!(nothing.unwrap_err().message.contains("it has no method"));
}

/// What becomes of a reply under every method of an exchange; what it is does not matter here.
/// Minute candles of a made-up exchange, with these bounds in its address.
fn minutes(bounds: &str, more: &str) -> String {
    format!(
        r#"
id = "test"
pace_ms = 10
[timeframes]
"1m" = "1"
[[markets]]
name = "spot"
id = "{{BASE}}{{QUOTE}}"
[[candles]]
get = "https://x.test/c?m={{id}}{bounds}"
{more}
[candles.read]
start = "0|ms"
open = "1"
high = "1"
low = "1"
close = "1"
"#
    )
}

/// Ten minutes that begin by an instant.
fn ten_until(to: i64) -> (u16, String) {
    let last = to.div_euclid(60_000) * 60_000;
    let rows: Vec<String> = (0..10).rev().map(|back| format!("[{},5]", last - back * 60_000)).collect();
    (200, format!("[{}]", rows.join(",")))
}

#[test]
fn what_takes_an_end_alone_is_paged_by_it() {
    let text = minutes("<&to={end.ms}>", "limit = 10");
    let (paged, answers) = exchange(&text, |address: &str| ten_until(number(address, "to")));
    let now = NOW.div_euclid(60_000) * 60_000;
    let start = Timestamp::from_millis(now - 35 * 60_000);
    let bars = wait(MarketData::bars(&paged, &symbol("BTC-USD"), Interval::MINUTE, start, None)).unwrap();
    let ends: Vec<i64> = bars.iter().map(|bar| bar.timestamp.nanos() / 60_000_000_000).collect();
    let first = now / 60_000 - 34;
    assert_eq!(ends, (first..first + 35).collect::<Vec<_>>());
    assert!(answers.asked.lock().unwrap().len() >= 4);
}

#[test]
fn what_an_exchange_does_not_keep_is_not_missing_in_silence() {
    let text = minutes("<&to={end.ms}>", "limit = 10\nkeeps = 20");
    let (short, _) = exchange(&text, |address: &str| ten_until(number(address, "to")));
    let bars = |minutes: i64| {
        let start = Timestamp::from_millis(NOW - minutes * 60_000);
        wait(MarketData::bars(&short, &symbol("BTC-USD"), Interval::MINUTE, start, None))
    };
    assert!(bars(15).is_ok());
    let error = bars(30).unwrap_err().to_string();
    assert!(error.contains("do not reach back to the start"), "{error}");
}

#[test]
fn a_limit_that_is_refused_beside_bounds_is_left_out() {
    let text = minutes("<&to={end.ms}><&n={limit}>", "limit = 10\nlimit_alone = true");
    let (polite, answers) = exchange(&text, |address: &str| ten_until(number(address, "to")));
    let start = Timestamp::from_millis(NOW - 300_000);
    wait(MarketData::bars(&polite, &symbol("BTC-USD"), Interval::MINUTE, start, None)).unwrap();
    assert!(answers.asked.lock().unwrap().iter().all(|address| !address.contains("n=")));
}

fn read_all(exchange: &Descriptor, reply: &Json) {
    let _failure = mts_marketdata::exchanges::failure(exchange, reply);
    exchange.ticker.iter().for_each(|method| drop(method.ticker(reply, "BTC-USDT")));
    exchange.trades.iter().for_each(|method| drop(method.trades(reply, "BTC-USDT")));
    exchange.candles.iter().for_each(|method| drop(method.candles(reply, "BTC-USDT")));
    exchange.funding.iter().for_each(|method| drop(method.funding(reply, "BTC-USDT")));
}

#[test]
fn a_reply_that_is_nested_without_end_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Json::parse(&deep).is_err());
    assert!(Json::parse(&"{\"a\":".repeat(100_000)).is_err());
}

fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        (any::<i32>(), -400_i32..400).prop_map(|(number, exponent)| format!("{number}e{exponent}")),
        "[a-z0-9.:T-]{0,24}".prop_map(|text| format!("{text:?}")),
    ];
    let keys = prop_oneof![
        Just("data"),
        Just("result"),
        Just("list"),
        Just("0"),
        Just("p"),
        Just("ts"),
        Just("time")
    ];
    scalar.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|entries| {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_reply_panics(text in any_json(), which in 0..DESCRIPTORS.len()) {
        let exchange = DESCRIPTORS[which].read().unwrap();
        read_all(&exchange, &Json::parse(&text).unwrap());
    }

    #[test]
    fn no_truncated_or_damaged_reply_panics(cut in 0_usize..400, byte in any::<char>(), at in 0_usize..400) {
        let (_, whole) = okx_candles("?before=1699999000000&after=1700000400000&limit=20");
        let mut signs: Vec<char> = whole.chars().collect();
        if let Some(sign) = signs.get_mut(at) {
            *sign = byte;
        }
        signs.truncate(signs.len().saturating_sub(cut));
        let exchange = Descriptor::read("okx", built_in("okx")).unwrap();
        if let Ok(reply) = Json::parse(&signs.into_iter().collect::<String>()) {
            read_all(&exchange, &reply);
        }
    }
}
