//! What the domain costs: an order built and validated, read and written as JSON, a fill booked.

#![allow(missing_docs, clippy::unwrap_used)]

use chrono::NaiveDate;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::{
    Decimal, Fill, FundId, LotBook, Order, OrderType, PositionBook, Side, Symbol, TaxLotMethod, Timestamp,
};
use std::hint::black_box;

fn limit_order() -> Order {
    Order::builder()
        .order_id("fund-1")
        .idempotency_key("fund-momentum-2026-01-05T21:00:00Z-AAPL-buy")
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::from(100))
        .order_type(OrderType::Limit)
        .limit_price(Decimal::new(18_050, 2))
        .fund_id("fund")
        .strategy_id("momentum")
        .broker("paper")
        .actor("engine")
        .created_at(Timestamp::from_millis(1_767_623_400_000))
        .build()
        .unwrap()
}

fn orders(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("order");
    bench.throughput(Throughput::Elements(1));
    bench.bench_function("build_and_validate", |bencher| bencher.iter(limit_order));
    bench.bench_function("refuse_with_ten_faults", |bencher| {
        bencher.iter(|| Order::builder().quantity(Decimal::ONE).build().unwrap_err());
    });
    let order = limit_order();
    let text = serde_json::to_string(&order).unwrap();
    bench.bench_function("write_json", |bencher| {
        bencher.iter(|| serde_json::to_string(black_box(&order)).unwrap());
    });
    bench.bench_function("read_json", |bencher| {
        bencher.iter(|| serde_json::from_str::<Order>(black_box(&text)).unwrap());
    });
    let bytes = postcard::to_stdvec(&order).unwrap();
    bench.bench_function("write_bytes", |bencher| {
        bencher.iter(|| postcard::to_stdvec(black_box(&order)).unwrap());
    });
    bench.bench_function("read_bytes", |bencher| {
        bencher.iter(|| postcard::from_bytes::<Order>(black_box(&bytes)).unwrap());
    });
    bench.finish();
}

/// Fills of 500 instruments, buying and selling in turn, so that the book stays at its size.
fn fills() -> Vec<Fill> {
    let symbols: Vec<String> = (0..500).map(|number| format!("SYM{number}")).collect();
    (0..10_000_usize)
        .map(|number| {
            let side = if (number / 500) % 3 == 2 { Side::Sell } else { Side::Buy };
            let quantity = if side == Side::Sell { 150 } else { 100 };
            let price = Decimal::new(10_000 + i64::try_from(number % 977).unwrap(), 2);
            let (id, symbol) = (format!("f{number}"), &symbols[number % 500]);
            Fill::new(&id, "o", symbol, side, Decimal::from(quantity), price, Timestamp::EPOCH).unwrap()
        })
        .collect()
}

fn books(criterion: &mut Criterion) {
    let fills = fills();
    let mut bench = criterion.benchmark_group("fill");
    bench.throughput(Throughput::Elements(fills.len() as u64));
    bench.bench_function("position_apply_500_instruments", |bencher| {
        bencher.iter_batched_ref(
            PositionBook::new,
            |book| {
                for fill in &fills {
                    let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
                    book.apply(symbol, *side, *quantity, *price, Decimal::ONE, *timestamp).unwrap();
                }
            },
            BatchSize::LargeInput,
        );
    });
    for method in [TaxLotMethod::Fifo, TaxLotMethod::Hifo] {
        bench.bench_function(format!("lots_apply_{method}_500_instruments"), |bencher| {
            let fund = FundId::new("f").unwrap();
            bencher.iter_batched_ref(
                || LotBook::new(fund.clone(), method),
                |book| {
                    for fill in &fills {
                        book.apply(fill, Decimal::ONE, NaiveDate::default(), None).unwrap();
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    let mut book = PositionBook::new();
    for fill in &fills[..1_000] {
        book.apply(&fill.symbol, fill.side, fill.quantity, fill.price, Decimal::ONE, fill.timestamp).unwrap();
    }
    let symbol = Symbol::new("SYM250").unwrap();
    bench.throughput(Throughput::Elements(1));
    bench.bench_function("mark_one_of_500", |bencher| {
        let mut cents = 10_000_i64;
        bencher.iter(|| {
            cents = if cents > 20_000 { 10_000 } else { cents + 1 };
            book.mark(black_box(&symbol), Decimal::new(cents, 2)).unwrap();
            book.market_value()
        });
    });
    bench.finish();
}

criterion_group!(benches, orders, books);
criterion_main!(benches);
