//! What Coinbase's adapter costs: a frame of the stream to an event, an order to its signed bytes.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/common/coinbase.rs"]
mod coinbase;
#[path = "../tests/common/saying.rs"]
mod saying;

use coinbase::{broker, order};
use criterion::{Criterion, criterion_group, criterion_main};
use mts_brokers::coinbase::{Signer, UserChannel};
use mts_brokers::kit::Session;
use mts_foundation::broker::Broker;
use mts_foundation::ready::ready;
use mts_foundation::{Clock, Timestamp};
use saying::{SECRET, Venue};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn frame(number: u64) -> String {
    // An order of its own each time: what was told already says nothing.
    serde_json::json!({"channel": "user", "client_id": "", "timestamp": "2026-11-22T03:00:00.123456Z", "sequence_num": number,
        "events": [{"type": "update", "orders": [{"order_id": format!("{number:036}"), "client_order_id": "c",
            "cumulative_quantity": "0.4", "leaves_quantity": "0.6", "avg_price": "60000", "total_fees": "96",
            "status": "OPEN", "product_id": "BTC-USD", "creation_time": "2026-11-22T03:00:00Z", "order_side": "BUY",
            "order_type": "Limit", "limit_price": "60000", "cancel_reason": "", "reject_reason": "",
            "time_in_force": "GOOD_UNTIL_CANCELLED", "number_of_fills": "1", "filled_value": "24000"}]}]})
    .to_string()
}

fn frames(criterion: &mut Criterion) {
    let frames: Vec<String> = (0..4_096).map(frame).collect();
    criterion.bench_function("coinbase: frame to event", |bench| {
        let signer = Arc::new(Signer::new("name".into(), &SECRET.into()).unwrap());
        let mut channel = UserChannel::new(signer.clone(), Arc::default(), Duration::from_secs(10));
        let (mut number, mut steps) = (0, Vec::new());
        bench.iter(|| {
            if number == frames.len() {
                (number, channel) =
                    (0, UserChannel::new(signer.clone(), Arc::default(), Duration::from_secs(10)));
            }
            channel.take(frames[number].as_bytes(), NOW, &mut steps).unwrap();
            number += 1;
            black_box(steps.drain(..).count())
        });
    });
}

fn orders(criterion: &mut Criterion) {
    let uri = Some("POST api.coinbase.com/api/v3/brokerage/orders");
    // Any 32 bytes are a key of either kind; the armour is put around in the program, so that no file holds a key.
    let es256 = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let pem = es256.to_sec1_pem(p256::pkcs8::LineEnding::LF).unwrap().to_string();
    for (kind, secret) in [("ed25519", SECRET), ("es256", pem.as_str())] {
        let signer = Signer::new("organizations/o/apiKeys/k".into(), &secret.into()).unwrap();
        criterion.bench_function(&format!("coinbase: token, {kind}"), |bench| {
            bench.iter(|| black_box(signer.token(NOW, uri)));
        });
    }
    let venue = Venue::saying(vec![bytes::Bytes::new()], 200);
    assert_eq!(venue.now(), NOW);
    let (broker, order) = (broker(venue.connections()), order());
    criterion.bench_function("coinbase: order to signed bytes, ed25519", |bench| {
        bench.iter(|| black_box(ready(Broker::submit(&broker, &order)).unwrap()));
    });
}

criterion_group!(benches, frames, orders);
criterion_main!(benches);
