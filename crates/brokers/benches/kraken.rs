//! What Kraken's adapter costs between the wire and the broker's words: `cargo xtask bench brokers`.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/common/kraken_world.rs"]
mod kraken_world;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kraken_world::{World, order, session};
use mts_brokers::kit::Session;
use mts_foundation::Timestamp;
use mts_foundation::broker::{Broker, SubmitOutcome};
use mts_foundation::ready::ready;
use std::hint::black_box;

const NEW: &str = r#"{"order_id":"OK4GJX-KSTLS-7DZZO5","symbol":"BTC/USD","order_qty":1000000000,"cum_cost":0.0,"time_in_force":"GTC",
    "exec_type":"pending_new","side":"sell","order_type":"limit","limit_price_type":"static","limit_price":26500.0,
    "cl_ord_id":"6d1b345e-2821-40e2-ad83-4ecb18a06876","order_status":"pending_new","timestamp":"2023-09-22T10:33:05.709950Z"}"#;
const TRADE: &str = r#"{"order_id":"OK4GJX-KSTLS-7DZZO5","cl_ord_id":"6d1b345e-2821-40e2-ad83-4ecb18a06876",
    "exec_id":"T5DIUI-5N4KO-Z5BPXK","exec_type":"trade","trade_id":8253473,"symbol":"BTC/USD","side":"sell","last_qty":0.005,
    "last_price":26500.0,"liquidity_ind":"t","cost":132.5,"cum_qty":0.005,"order_status":"partially_filled","order_type":"limit",
    "fees":[{"asset":"USD","qty":0.3458}],"fee_usd_equiv":0.3458,"timestamp":"2023-09-22T10:33:06.709950Z"}"#;

fn message(sequence: u64, row: &str) -> Vec<u8> {
    format!(r#"{{"channel":"executions","type":"update","data":[{row}],"sequence":{sequence}}}"#).into_bytes()
}

fn kraken(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kraken");
    let (mut talk, mut steps, mut number) = (session(), Vec::new(), 1);
    talk.take(&message(number, NEW), Timestamp::EPOCH, &mut steps).unwrap();
    group.bench_function("frame_to_fill", |bencher| {
        let next = || {
            number += 1;
            message(number, TRADE)
        };
        let take = |frame: &mut Vec<u8>| {
            steps.clear();
            talk.take(frame, Timestamp::EPOCH, &mut steps).unwrap();
            black_box(steps.len())
        };
        bencher.iter_batched_ref(next, take, BatchSize::SmallInput);
    });
    // Checked, named, noted, signed, made a request; the refusal is read, so that the next one is sent too.
    let world = World::same(r#"{"error":["EOrder:Insufficient funds"]}"#.into());
    let (broker, order) = (world.broker(|_| {}), order());
    group.bench_function("order_to_signed_request", |bencher| {
        bencher.iter(|| {
            let outcome = ready(broker.submit(black_box(&order))).unwrap();
            assert!(matches!(outcome, SubmitOutcome::Rejected { .. }));
        });
    });
    group.finish();
}

criterion_group!(benches, kraken);
criterion_main!(benches);
