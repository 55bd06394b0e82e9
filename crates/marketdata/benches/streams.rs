//! What a frame of a venue's stream costs: from its JSON to the prints in it.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::{Symbol, Timestamp};
use mts_marketdata::stream::Topic;
use mts_marketdata::stream::protocol::{Protocol, Said};
use mts_marketdata::stream::venues::{Binance, Bybit, Coinbase, Kraken, Okx};
use std::hint::black_box;

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

criterion_group!(all, frames);
criterion_main!(all);
