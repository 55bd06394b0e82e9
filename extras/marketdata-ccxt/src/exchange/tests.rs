use super::*;
use ccxt::ExchangeError;
use ccxt::types::Market;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

const MINUTE: i64 = 60_000;
/// A full hour, in milliseconds.
const ZERO: i64 = 1_700_002_800_000;

struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// What a made-up ccxt does when it is called.
enum Act {
    Give(Value),
    Fail(&'static str),
    Panic,
    Hang,
}

type Script = Arc<dyn Fn(&str, &[Value]) -> Act + Send + Sync>;

struct Fake(Script);

impl TypedExchange for Fake {
    fn call_raw<'a, 'b, 'c>(
        &'a mut self,
        method: &'b str,
        args: Vec<Value>,
    ) -> Pin<Box<dyn Future<Output = ccxt::Result<Value>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            match (self.0)(method, &args) {
                Act::Give(value) => Ok(value),
                Act::Fail(kind) => Err(ExchangeError::new(kind, "made up")),
                Act::Panic => panic!("made up"),
                Act::Hang => std::future::pending().await,
            }
        })
    }

    fn market(&self, _symbol: &str) -> ccxt::Result<Market> {
        unreachable!("markets are looked up in what load_markets answers")
    }

    fn markets(&self) -> Vec<Market> {
        unreachable!("markets are looked up in what load_markets answers")
    }
}

fn json(text: &str) -> Value {
    ccxt::runtime::json_parse(&Value::Str(text.to_owned().into()))
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An exchange of that name, and how often it was made.
fn scripted(
    name: &str,
    now: i64,
    script: impl Fn(&str, &[Value]) -> Act + Send + Sync + 'static,
) -> (CcxtExchange, Arc<AtomicUsize>) {
    let markets = json(r#"{"BTC/BRL": {}, "BTC/USDT:USDT": {}, "ETH/USD:ETH": {}}"#);
    let script: Script = Arc::new(move |method, arguments| match script(method, arguments) {
        Act::Give(Value::Null) if method == "load_markets" => Act::Give(markets.clone()),
        act => act,
    });
    let facts = Facts {
        has: json(r#"{"fetchOrderBook": true, "fetchTrades": true, "fetchOHLCV": true}"#),
        timeframes: json(r#"{"1m": "60", "1h": "3600"}"#),
    };
    let made = Arc::new(AtomicUsize::new(1));
    let count = made.clone();
    let fake = Box::new(Fake(script.clone()));
    let make = move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Fake(script.clone())) as Box<dyn TypedExchange>)
    };
    let clock = Arc::new(FixedClock(at(now)));
    (CcxtExchange::of(VenueName::new(name).unwrap(), facts, fake, Box::new(make), clock), made)
}

fn named(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

/// A candle whose open is the minute that it starts at, counted from then.
fn candle(start: i64) -> String {
    let open = (start - ZERO) / MINUTE;
    format!("[{start}, {open}.5, 900, 0.1, 2, 3]")
}

/// Candles of these starts.
fn candles(starts: impl IntoIterator<Item = i64>) -> Act {
    let rows: Vec<String> = starts.into_iter().map(candle).collect();
    Act::Give(json(&format!("[{}]", rows.join(","))))
}

/// Answers as an exchange does that heeds the start and the limit, with a candle for each of these minutes.
fn minutes(of: impl Fn(i64) -> bool + Send + Sync + 'static) -> impl Fn(&str, &[Value]) -> Act + Send + Sync {
    move |method, arguments| match (method, arguments) {
        ("fetch_ohlcv", [_, _, Value::Int(since), Value::Int(limit)]) => {
            // It answers with a window, as most do.
            let starts = (0..*limit).map(|row| (since / MINUTE + row) * MINUTE);
            candles(starts.filter(|start| of((start - ZERO) / MINUTE)))
        }
        _ => Act::Give(Value::Null),
    }
}

async fn bars(exchange: &CcxtExchange, from: i64, to: i64) -> Result<Vec<i64>, MarketDataError> {
    let (start, end) = (at(ZERO + from * MINUTE), at(ZERO + to * MINUTE));
    let bars = exchange.bars(&named("BTC-BRL"), Interval::MINUTE, start, Some(end)).await?;
    Ok(bars.iter().map(|bar| (bar.timestamp.nanos() / 1_000_000 - ZERO) / MINUTE).collect())
}

#[test]
fn what_is_not_there_says_the_way_out() {
    let new = |id, settings| {
        CcxtExchange::with_settings(id, settings, Arc::new(FixedClock(at(ZERO)))).unwrap_err().to_string()
    };
    let unknown = new("binance", "{}");
    assert!(unknown.contains("mts exchanges") && unknown.contains("\"binance\""), "{unknown}");
    for settings in ["", "[]", "{\"apiKey\": \"x\"}", "{\"verbose\": true}"] {
        let error = new("foxbit", settings);
        assert!(error.starts_with("settings: "), "{settings}: {error}");
        assert!(!error.contains("\"x\""), "{error}");
    }
    if !cfg!(feature = "zaif") {
        let missing = new("zaif", "{}");
        assert!(missing.contains("turn on the feature `zaif`"), "{missing}");
    }
}

#[tokio::test]
async fn a_panic_becomes_an_error_and_the_next_call_meets_a_new_exchange() {
    let calls = AtomicUsize::new(0);
    let (exchange, made) = scripted("x", ZERO, move |method, _| match method {
        "fetch_trades" if calls.fetch_add(1, Ordering::Relaxed) == 0 => Act::Panic,
        "fetch_trades" => Act::Give(json(r#"[{"price": 1, "amount": 2, "timestamp": 5}]"#)),
        _ => Act::Give(Value::Null),
    });
    let error = exchange.trades(&named("BTC-BRL"), at(ZERO)).await.unwrap_err();
    assert!(error.to_string().contains("panicked in fetch_trades"), "{error}");
    assert_eq!(made.load(Ordering::Relaxed), 1);
    assert_eq!(exchange.trades(&named("BTC-BRL"), at(ZERO)).await.unwrap().len(), 1);
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

/// ccxt keeps a stack of its calls, which a call that is dropped half way leaves behind.
#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_behind() {
    let calls = AtomicUsize::new(0);
    let (exchange, made) = scripted("x", ZERO, move |method, _| match method {
        "fetch_trades" if calls.fetch_add(1, Ordering::Relaxed) == 0 => Act::Hang,
        "fetch_trades" => Act::Give(json(r#"[{"price": 1, "amount": 2, "timestamp": 5}]"#)),
        _ => Act::Give(Value::Null),
    });
    let btc = named("BTC-BRL");
    let given_up = exchange.trades(&btc, at(ZERO)).now_or_never();
    assert!(given_up.is_none());
    assert_eq!(exchange.trades(&btc, at(ZERO)).await.unwrap().len(), 1);
    assert_eq!(made.load(Ordering::Relaxed), 2);
    // One that failed in order is kept.
    assert!(exchange.trades(&btc, at(ZERO)).await.is_ok());
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_error_of_ccxt_keeps_the_exchange() {
    let (exchange, made) = scripted("x", ZERO, |method, _| match method {
        "fetch_trades" => Act::Fail("RateLimitExceeded"),
        _ => Act::Give(Value::Null),
    });
    for _ in 0..2 {
        let error = exchange.trades(&named("BTC-BRL"), at(ZERO)).await.unwrap_err();
        assert!(error.to_string().contains("ask less often"), "{error}");
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn pages_are_joined_and_the_forming_candle_is_left_out() {
    // Half a minute into the minute that began at 250.
    let (exchange, _) = scripted("x", ZERO + 250 * MINUTE + 30_000, minutes(|_| true));
    // Ends in (0, 250]: the one that ends at 251 is forming.
    assert_eq!(bars(&exchange, 0, 300).await.unwrap(), (1..=250).collect::<Vec<_>>());
    assert_eq!(bars(&exchange, 3, 5).await.unwrap(), [4, 5]);
    assert!(bars(&exchange, 400, 500).await.unwrap().is_empty(), "the future holds none");
    let btc = named("BTC-BRL");
    let bars = exchange.bars(&btc, Interval::MINUTE, at(ZERO + 249 * MINUTE), None).await.unwrap();
    let [bar] = bars.as_slice() else { panic!("{bars:?}") };
    // It began at 249, so that is its open; its stamp is its end.
    assert_eq!((bar.timestamp, bar.open), (at(ZERO + 250 * MINUTE), "249.5".parse().unwrap()));
    assert_eq!((bar.high, bar.low), (900.into(), "0.1".parse().unwrap()));
}

#[tokio::test]
async fn hours_without_trades_do_not_end_the_pages() {
    let (exchange, _) = scripted("x", ZERO + 1_000 * MINUTE, minutes(|minute| !(20..700).contains(&minute)));
    let expected: Vec<i64> = (1..=20).chain(701..=720).collect();
    assert_eq!(bars(&exchange, 0, 720).await.unwrap(), expected);
}

#[tokio::test]
async fn a_market_that_began_later_is_an_error_that_says_when() {
    let (exchange, _) = scripted("x", ZERO + 1_000 * MINUTE, minutes(|minute| minute >= 500));
    let error = bars(&exchange, 0, 600).await.unwrap_err().to_string();
    assert!(error.contains("begin at 2023-11-15T07:20:00Z"), "{error}");
    assert_eq!(bars(&exchange, 500, 502).await.unwrap(), [501, 502]);
}

/// The newest hundred, whatever was asked for: what lies before them would be missing unsaid.
#[tokio::test]
async fn an_exchange_that_ignores_the_start_is_no_gap() {
    let newest = |method: &str, _: &[Value]| match method {
        "fetch_ohlcv" => candles((400..500).map(|minute| ZERO + minute * MINUTE)),
        _ => Act::Give(Value::Null),
    };
    let (exchange, _) = scripted("x", ZERO + 500 * MINUTE, newest);
    assert!(bars(&exchange, 0, 500).await.unwrap_err().to_string().contains("ask for them from then on"));
    assert_eq!(bars(&exchange, 410, 500).await.unwrap().len(), 90);
}

/// An answer in a shape that ccxt does not know comes out as an empty list.
#[tokio::test]
async fn no_rows_are_an_error() {
    let (exchange, _) = scripted("x", ZERO + 5 * MINUTE, |method, _| match method {
        "fetch_ohlcv" | "fetch_trades" => Act::Give(json("[]")),
        _ => Act::Give(Value::Null),
    });
    assert!(bars(&exchange, 0, 5).await.unwrap_err().to_string().contains("gave no rows"));
    let error = exchange.trades(&named("BTC-BRL"), at(ZERO)).await.unwrap_err();
    assert!(error.to_string().contains("gave no rows"), "{error}");
}

#[tokio::test]
async fn candles_of_another_length_are_refused() {
    let halves = |method: &str, _: &[Value]| match method {
        "fetch_ohlcv" => candles((-40..40).map(|half| ZERO + half * MINUTE / 2)),
        _ => Act::Give(Value::Null),
    };
    let (exchange, _) = scripted("x", ZERO + 10 * MINUTE, halves);
    assert!(bars(&exchange, 0, 9).await.unwrap_err().to_string().contains("shorter than 1m"));
    let btc = named("BTC-BRL");
    let other = exchange.bars(&btc, "7m".parse().unwrap(), at(ZERO), None).await.unwrap_err();
    assert_eq!(other.to_string(), "x does not offer 7m candles");
}

#[tokio::test]
async fn without_a_book_the_ticker_tells_the_best_prices() {
    let (mut exchange, _) = scripted("x", ZERO, |method, _| match method {
        "fetch_ticker" => Act::Give(json(r#"{"bid": 1.5, "ask": 1.75, "askVolume": 3, "timestamp": null}"#)),
        _ => Act::Give(Value::Null),
    });
    let btc = named("BTC-BRL");
    exchange.facts.has = json(r#"{"fetchTicker": true, "fetchOrderBook": "emulated"}"#);
    let quote = exchange.quote(&btc).await.unwrap();
    assert_eq!((quote.bid, quote.ask), ("1.5".parse().unwrap(), "1.75".parse().unwrap()));
    assert_eq!((quote.bid_size, quote.ask_size, quote.timestamp), (0.into(), 3.into(), at(ZERO)));
    exchange.facts.has = json("{}");
    assert!(matches!(exchange.quote(&btc).await, Err(MarketDataError::Unsupported { .. })));
    assert!(matches!(exchange.trades(&btc, at(ZERO)).await, Err(MarketDataError::Unsupported { .. })));
    assert!(matches!(bars(&exchange, 0, 5).await, Err(MarketDataError::Unsupported { .. })));
}

#[tokio::test]
async fn ndax_says_when_candles_end() {
    let (exchange, _) = scripted("ndax", ZERO + 5 * MINUTE, |method, _| match method {
        "fetch_ohlcv" => candles((-8..6).map(|minute| ZERO + minute * MINUTE)),
        _ => Act::Give(Value::Null),
    });
    let btc = named("BTC-BRL");
    let bars = exchange.bars(&btc, Interval::MINUTE, at(ZERO), Some(at(ZERO + 2 * MINUTE))).await.unwrap();
    let stamps: Vec<_> = bars.iter().map(|bar| (bar.timestamp, bar.open.to_string())).collect();
    assert_eq!(stamps, [(at(ZERO + MINUTE), "1.5".into()), (at(ZERO + 2 * MINUTE), "2.5".into())]);
}

#[tokio::test]
async fn a_span_that_needs_too_many_requests_is_refused() {
    let (exchange, _) = scripted("x", ZERO, |_, _| Act::Give(Value::Null));
    let error = exchange.page(&Value::Null, Interval::MINUTE, at(ZERO)).await.unwrap_err();
    assert!(error.to_string().contains("are no list"), "{error}");
    let (exchange, _) = scripted("x", ZERO + 300_000 * MINUTE, minutes(|_| false));
    let error = bars(&exchange, 0, 300_000).await.unwrap_err().to_string();
    assert!(error.contains("more than 2000 requests"), "{error}");
}

#[tokio::test]
async fn symbols_are_those_that_the_exchange_has() {
    let (exchange, _) = scripted("x", ZERO, |_, _| Act::Give(Value::Null));
    for (ours, theirs) in
        [("BTC-BRL", "BTC/BRL"), ("BTC-USDT-PERP", "BTC/USDT:USDT"), ("ETH-USD-PERP", "ETH/USD:ETH")]
    {
        assert_eq!(exchange.market(&named(ours)).await.unwrap().as_str(), Some(theirs));
    }
    for ours in ["BTC-USD", "BTC-BRL-PERP", "AAPL", "ESZ26"] {
        let error = exchange.market(&named(ours)).await.unwrap_err();
        assert!(matches!(&error, MarketDataError::Unsupported { what, .. } if what == ours), "{error}");
    }
}

/// ccxt keeps an empty list, as of a page of maintenance, for good.
#[tokio::test]
async fn an_empty_list_of_markets_is_asked_for_again() {
    let calls = AtomicUsize::new(0);
    let (exchange, made) = scripted("x", ZERO, move |method, _| match method {
        "load_markets" if calls.fetch_add(1, Ordering::Relaxed) == 0 => Act::Give(json("{}")),
        _ => Act::Give(Value::Null),
    });
    let error = exchange.market(&named("BTC-BRL")).await.unwrap_err().to_string();
    assert!(error.contains("markets came empty"), "{error}");
    assert!(exchange.market(&named("BTC-BRL")).await.is_ok());
    assert_eq!(made.load(Ordering::Relaxed), 2);
}
