//! What a message of Interactive Brokers costs on its way to an event. What an order costs on its way to bytes is the library's
//! business: its encoders are not public.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mts_brokers::ibkr::{OrderUpdates, Shared};
use mts_brokers::kit::Session as _;
use mts_foundation::{AccountId, Timestamp};
use std::hint::black_box;
use std::time::Duration;

/// What TWS tells of an order that fills in one part.
const TOLD: [&str; 3] = [
    r#"{"order":{"order_id":1,"client_id":1,"perm_id":1001000000,"order_ref":"87cfa40f-486d-55bd-ad5f-175c90393d16","account":"DU1234567","contract":{"con_id":265598,"sec_type":"STK","symbol":"AAPL","local_symbol":"AAPL","multiplier":"1","exchange":"SMART","currency":"USD"},"action":"BUY","quantity":"10","order_type":"LMT","limit_price":"99","tif":"DAY","status":"Submitted"}}"#,
    r#"{"execution":{"execution":{"id":"b9bf8787.00000001.01.01","order_id":1,"client_id":1,"perm_id":1001000000,"order_ref":"87cfa40f-486d-55bd-ad5f-175c90393d16","account":"DU1234567","contract":{"con_id":265598,"sec_type":"STK","symbol":"AAPL","local_symbol":"AAPL","multiplier":"1","exchange":"SMART","currency":"USD"},"bought":true,"quantity":"10","price":"98.76","cumulative":"10","exchange":"NASDAQ","time":"2026-11-22T04:08:49Z"},"fees":{"id":"b9bf8787.00000001.01.01","amount":"1","currency":"USD","rate":"1"}}}"#,
    r#"{"status":{"order_id":1,"client_id":1,"perm_id":1001000000,"status":"Filled","filled":"10","average_price":"98.76"}}"#,
];

fn frames(criterion: &mut Criterion) {
    let account = AccountId::new("DU1234567").unwrap();
    let mut group = criterion.benchmark_group("ibkr");
    group.throughput(Throughput::Elements(TOLD.len() as u64));
    group.bench_function("three messages to three events", |bencher| {
        bencher.iter_batched(
            || OrderUpdates::new(account.clone(), Shared::of_client(1), Duration::from_secs(1)),
            |mut session| {
                let mut steps = Vec::with_capacity(TOLD.len());
                for told in TOLD {
                    session.take(black_box(told.as_bytes()), Timestamp::EPOCH, &mut steps).unwrap();
                }
                assert_eq!(steps.len(), TOLD.len());
                (session, steps)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
