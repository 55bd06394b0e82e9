//! What Alpaca's adapter costs: a frame of the stream to an event, an order to its request with the key.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/common/alpaca.rs"]
mod alpaca;
#[path = "../tests/common/saying.rs"]
mod saying;

use alpaca::{broker, order};
use criterion::{Criterion, criterion_group, criterion_main};
use mts_brokers::alpaca::TradeUpdates;
use mts_brokers::kit::Session;
use mts_foundation::broker::{Broker, SubmitOutcome};
use mts_foundation::ready::ready;
use mts_foundation::{AccountId, Timestamp};
use saying::Venue;
use std::hint::black_box;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn frame(number: u64) -> String {
    // An order of its own each time, filled whole.
    let id = format!("{number:036}");
    serde_json::json!({"stream": "trade_updates", "data": {"event": "fill", "execution_id": "e", "price": "180.01",
        "qty": "10", "position_qty": "10", "timestamp": "2026-11-22T03:00:00.123456Z",
        "order": {"id": id, "client_order_id": "c", "asset_class": "us_equity", "symbol": "AAPL", "qty": "10",
            "filled_qty": "10", "filled_avg_price": "180.01", "side": "buy", "type": "market", "time_in_force": "day",
            "status": "filled", "limit_price": null, "stop_price": null, "extended_hours": false,
            "created_at": "2026-11-22T03:00:00Z", "submitted_at": "2026-11-22T03:00:00Z",
            "updated_at": "2026-11-22T03:00:00Z", "filled_at": "2026-11-22T03:00:00Z"}}})
    .to_string()
}

fn talk() -> TradeUpdates {
    TradeUpdates::new(("id".into(), "secret".into()), AccountId::new("A1").unwrap(), Arc::default())
}

fn benches(criterion: &mut Criterion) {
    let frames: Vec<String> = (0..4_096).map(frame).collect();
    criterion.bench_function("alpaca: frame to fill", |bench| {
        let (mut session, mut number, mut steps) = (talk(), 0, Vec::new());
        bench.iter(|| {
            if number == frames.len() {
                (number, session) = (0, talk());
            }
            session.take(frames[number].as_bytes(), NOW, &mut steps).unwrap();
            number += 1;
            black_box(steps.drain(..).count())
        });
    });
    // Checked, named, noted, written, made a request with the key; the refusal is read, so that the next one is sent too.
    let refusal = r#"{"code": 40310000, "message": "insufficient buying power"}"#;
    let venue = Venue::saying(vec![refusal.into()], 403);
    criterion.bench_function("alpaca: order to request with key", |bench| {
        bench.iter_batched(
            || broker(venue.fresh().connections()),
            |broker| {
                let outcome = ready(broker.submit(black_box(&order()))).unwrap();
                assert!(matches!(outcome, SubmitOutcome::Rejected { .. }), "{outcome:?}");
            },
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(group, benches);
criterion_main!(group);
