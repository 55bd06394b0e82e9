//! What matching costs: book operations with few and many resting orders, and a bar that touches one of many orders.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::{Bar, Decimal, Interval, Order, OrderType, Side, Symbol, TimeInForce, Timestamp};
use mts_matching::{
    BookEvent, BookOrder, BookOrderId, BookSide, Exchange, ExchangeConfig, OrderBook, Participant, Standing,
};
use std::hint::black_box;

const RESTING: [u64; 3] = [10, 1_000, 100_000];
/// Operations in one measured round.
const ROUND: u64 = 1_000;

fn order(tag: u64, side: BookSide, price: u64, participant: u32, tif: TimeInForce) -> BookOrder {
    let participant = Participant(participant);
    BookOrder { tag, participant, side, quantity: Decimal::TEN, limit: Some(Decimal::from(price)), tif }
}

/// A book with so many orders over up to 500 prices a side.
fn book(resting: u64) -> (OrderBook, Vec<BookOrderId>) {
    let (mut book, mut events) = (OrderBook::default(), Vec::new());
    let ids = (0..resting)
        .filter_map(|tag| {
            let away = (tag / 2) % 500;
            let (side, price) =
                if tag % 2 == 0 { (BookSide::Bid, 10_000 - away) } else { (BookSide::Ask, 10_001 + away) };
            book.submit(&order(tag, side, price, 1, TimeInForce::Gtc), &mut events).unwrap().id
        })
        .collect();
    (book, ids)
}

fn books(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("book");
    for resting in RESTING {
        let (start, _) = book(resting);
        let mut filled = start.clone();
        let mut ids = Vec::new();
        let mut events: Vec<BookEvent> = Vec::new();
        group.throughput(Throughput::Elements(2 * ROUND));
        group.bench_function(BenchmarkId::new("insert_and_cancel", resting), |bench| {
            bench.iter(|| {
                ids.clear();
                for tag in 0..ROUND {
                    let order = order(tag, BookSide::Bid, 9_500 + (tag * 7) % 500, 1, TimeInForce::Gtc);
                    ids.extend(filled.submit(&order, &mut events).unwrap().id);
                }
                for id in &ids {
                    black_box(filled.cancel(*id).unwrap());
                }
            });
        });
        // A maker at the touch and a taker that fills it: two orders and a trade.
        let mut filled = start.clone();
        group.bench_function(BenchmarkId::new("insert_and_match", resting), |bench| {
            bench.iter(|| {
                events.clear();
                for tag in 0..ROUND {
                    let maker = order(tag, BookSide::Bid, 10_000, 2, TimeInForce::Gtc);
                    filled.submit(&maker, &mut events).unwrap();
                    let taker = order(tag, BookSide::Ask, 10_000, 3, TimeInForce::Ioc);
                    black_box(filled.submit(&taker, &mut events).unwrap());
                }
            });
        });
        // Six insertions, three cancellations and one taker of ten.
        group.throughput(Throughput::Elements(ROUND));
        group.bench_function(BenchmarkId::new("mix", resting), |bench| {
            bench.iter_batched_ref(
                || {
                    (
                        start.clone(),
                        Vec::<BookOrderId>::with_capacity(1_000),
                        Vec::<BookEvent>::with_capacity(4_000),
                    )
                },
                |(book, ids, events)| {
                    for step in 0..ROUND {
                        match step % 10 {
                            0..6 => {
                                let away = (step * 13) % 400;
                                let (side, price) = if step % 2 == 0 {
                                    (BookSide::Bid, 10_000 - away)
                                } else {
                                    (BookSide::Ask, 10_001 + away)
                                };
                                ids.extend(
                                    book.submit(&order(step, side, price, 2, TimeInForce::Gtc), events)
                                        .unwrap()
                                        .id,
                                );
                            }
                            6..9 => {
                                if let Some(id) = ids.pop() {
                                    drop(black_box(book.cancel(id)));
                                }
                            }
                            _ => {
                                let taker = order(step, BookSide::Bid, 10_100, 3, TimeInForce::Ioc);
                                black_box(book.submit(&taker, events).unwrap());
                            }
                        }
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn limit_order(name: &str, price: u64) -> Order {
    Order::builder()
        .order_id(name)
        .idempotency_key(name)
        .symbol("X")
        .side(Side::Buy)
        .quantity(Decimal::TEN)
        .order_type(OrderType::Limit)
        .limit_price(Decimal::from(price))
        .tif(TimeInForce::Gtc)
        .fund_id("f")
        .strategy_id("s")
        .broker("paper")
        .actor("a")
        .created_at(Timestamp::EPOCH)
        .build()
        .unwrap()
}

/// A bar that fills one new order, with so many others out of reach.
fn bars(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange_on_bars");
    group.throughput(Throughput::Elements(1));
    for resting in [1_u64, 100, 10_000] {
        let mut exchange = Exchange::new(ExchangeConfig::default()).unwrap();
        let mut events = Vec::new();
        for number in 0..resting {
            let order = limit_order(&format!("far-{number}"), 1 + number % 50);
            exchange.submit(order, &Standing::default(), Timestamp::EPOCH, &mut events).unwrap();
        }
        let near = limit_order("near", 100);
        let price = Decimal::from(99);
        let mut minute = 0;
        group.bench_function(BenchmarkId::new("one_fill", resting), |bench| {
            bench.iter(|| {
                minute += 1;
                let time = Timestamp::from_millis(minute * 60_000);
                exchange.submit(near.clone(), &Standing::default(), exchange.now(), &mut events).unwrap();
                let bar = Bar::close_only(Symbol::new("X").unwrap(), Interval::DAY, price, time);
                exchange.on_bars(&[bar], &mut events);
                assert_eq!(events.len(), 1);
                events.clear();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, books, bars);
criterion_main!(benches);
