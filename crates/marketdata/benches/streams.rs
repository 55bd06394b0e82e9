//! What a frame of a venue's stream costs: from its JSON to the prints in it, and to the order book that it changes.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::{Decimal, Symbol, Timestamp};
use mts_marketdata::stream::book::{Numbers, Outcome, Synchroniser, Update};
use mts_marketdata::stream::protocol::{Level, Protocol, Said};
use mts_marketdata::stream::venues::{Binance, Bybit, Coinbase, Kraken, Okx};
use mts_marketdata::stream::{Options, Topic};
use std::hint::black_box;
use std::time::Duration;

/// A frame with one print each, made up after the venues' documents.
const BINANCE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000001","T":1723161255342,"m":true,"M":true}}"#;
const KRAKEN: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":61837.1,"qty":0.02000001,"ord_type":"market","trade_id":4665906,"timestamp":"2026-03-02T07:49:37.708706Z"}]}"#;
const OKX: &str = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"61837.6","sz":"0.12060306","side":"buy","ts":"1723161255342"}]}"#;
const COINBASE: &str = r#"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","time":"2026-03-02T07:49:37.708706Z","product_id":"BTC-USD","size":"0.02000001","price":"61837.63","side":"sell"}"#;
const BYBIT: &str = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}]}"#;

fn trades(name: &str) -> Vec<Topic> {
    vec![Topic::trades(Symbol::new(name).unwrap())]
}

fn frames(criterion: &mut Criterion) {
    let now: Timestamp = "2026-03-02T07:49:38Z".parse().unwrap();
    let mut group = criterion.benchmark_group("frame to print");
    group.throughput(Throughput::Elements(1));
    let venues: [(&str, Box<dyn Protocol>, &str); 5] = [
        ("binance", Box::new(Binance::spot(trades("BTC-USDT")).unwrap()), BINANCE),
        ("bybit", Box::new(Bybit::linear(trades("BTC-USDT-PERP")).unwrap()), BYBIT),
        ("coinbase", Box::new(Coinbase::new(trades("BTC-USD")).unwrap()), COINBASE),
        ("kraken", Box::new(Kraken::new(trades("BTC-USD")).unwrap()), KRAKEN),
        ("okx", Box::new(Okx::new(trades("BTC-USDT")).unwrap()), OKX),
    ];
    for (name, protocol, frame) in &venues {
        let mut said = Vec::new();
        protocol.read(frame.as_bytes(), now, &mut said).unwrap();
        assert!(said.iter().any(|said| matches!(said, Said::Trade { .. })), "{name}: {said:?}");
        group.bench_function(*name, |bench| {
            bench.iter(|| {
                said.clear();
                protocol.read(black_box(frame.as_bytes()), now, &mut said).unwrap();
                said.len()
            });
        });
    }
    group.finish();
}

/// Four levels change, both best ones among them; the book has a hundred of each side. Kraken's checksum is that of the result.
const BOOKS: [(&str, &str, &str); 5] = [
    (
        "binance",
        "BTC-USDT",
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255308,"s":"BTCUSDT","U":101,"u":105,"b":[["61837.60000000","0.50000000"],["61836.10000000","0.00000000"]],"a":[["61837.90000000","0.32332000"],["61844.30000000","0.40163000"]]}}"#,
    ),
    (
        "bybit",
        "BTC-USDT-PERP",
        r#"{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":1672304484979,"data":{"s":"BTCUSDT","b":[["61837.60","0.5"],["61836.10","0"]],"a":[["61837.90","0.32332"],["61844.30","0.40163"]],"u":101,"seq":7961638725},"cts":1672304484977}"#,
    ),
    (
        "coinbase",
        "BTC-USD",
        r#"{"type":"l2update","product_id":"BTC-USD","changes":[["buy","61837.60","0.50000000"],["buy","61836.10","0.00000000"],["sell","61837.90","0.32332000"],["sell","61844.30","0.40163000"]],"time":"2022-08-04T15:25:05.010758Z"}"#,
    ),
    (
        "kraken",
        "BTC-USD",
        r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":61837.6,"qty":0.50000000},{"price":61836.1,"qty":0.00000000}],"asks":[{"price":61837.9,"qty":0.32332000},{"price":61844.3,"qty":0.40163000}],"checksum":4245281721,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#,
    ),
    (
        "okx",
        "BTC-USDT",
        r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["61837.9","0.32332","0","1"],["61844.3","0.40163","0","2"]],"bids":[["61837.6","0.5","0","1"],["61836.1","0","0","0"]],"ts":"1597026383185","checksum":0,"prevSeqId":100,"seqId":105}]}"#,
    ),
];

fn protocol(venue: &str, symbol: &str) -> Box<dyn Protocol> {
    let topics = vec![Topic::book(Symbol::new(symbol).unwrap())];
    match venue {
        "binance" => Box::new(Binance::spot(topics).unwrap()),
        "bybit" => Box::new(Bybit::linear(topics).unwrap()),
        "coinbase" => Box::new(Coinbase::new(topics).unwrap()),
        "kraken" => Box::new(Kraken::new(topics).unwrap()),
        _ => Box::new(Okx::new(topics).unwrap()),
    }
}

/// A book of a hundred levels of each side before the update.
fn book(protocol: &dyn Protocol, update: &Update) -> Synchroniser {
    let level = |mantissa: i64| Level { price: Decimal::new(mantissa, 1), size: Decimal::new(10_000_000, 8) };
    let snapshot = Update {
        is_snapshot: true,
        numbers: update.numbers.map(|_| Numbers::one(100)),
        checksum: None,
        bids: (0..100).map(|place| level(618_376 - place)).collect(),
        asks: (0..100).map(|place| level(618_379 + place)).collect(),
        ..update.clone()
    };
    let options = Options::default();
    let mut sync = Synchroniser::new(protocol.book_depth(), false, &options);
    assert_eq!(sync.take(snapshot, Duration::ZERO, &options), Outcome::Valid);
    sync
}

fn books(criterion: &mut Criterion) {
    let now: Timestamp = "2026-03-02T07:49:38Z".parse().unwrap();
    let options = Options::default();
    let mut group = criterion.benchmark_group("frame to book");
    group.throughput(Throughput::Elements(1));
    for (venue, symbol, frame) in BOOKS {
        let protocol = protocol(venue, symbol);
        let read = |frame: &[u8], said: &mut Vec<Said>| {
            protocol.read(frame, now, said).unwrap();
            let Some(Said::Book { update, .. }) = said.pop() else { unreachable!("{venue} says {said:?}") };
            update
        };
        let before = book(&*protocol, &read(frame.as_bytes(), &mut Vec::new()));
        let mut said = Vec::new();
        group.bench_function(venue, |bench| {
            bench.iter_batched_ref(
                || before.clone(),
                |sync| {
                    let update = read(black_box(frame.as_bytes()), &mut said);
                    assert_eq!(sync.take(update, Duration::ZERO, &options), Outcome::Valid);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(all, frames, books);
criterion_main!(all);
