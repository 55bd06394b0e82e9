//! What books cost: a fill with lookup, average price and realised profit, with lots and strategies, in several currencies; net
//! asset value after a mark and from scratch; a rebalance of three thousand names to orders.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a benchmark fails loudly")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::event::Event;
use mts_foundation::ledger::MarkKind;
use mts_foundation::position::{Holding, PositionBook};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::sizing::{PlanRequest, PlanStage, TargetPlanner};
use mts_foundation::{
    Currency, Decimal, Fill, FundId, Instrument, InstrumentTable, Ledger, Side, Symbol, TaxLotMethod,
    Timestamp,
};
use mts_portfolio::{Books, VirtualPortfolio, WeightPlanner};
use std::hint::black_box;

const INSTRUMENTS: i64 = 500;

/// Fills of one measurement: each instrument is bought, added to, sold in part, sold out and turned around.
const FILLS: i64 = 10_000;

fn fund() -> FundId {
    "f".parse().unwrap()
}

fn name(number: i64) -> Symbol {
    Symbol::new(format!("SYM{number}")).unwrap()
}

fn table(count: i64, foreign: bool) -> InstrumentTable {
    let euro = Currency::new("EUR").unwrap();
    let instruments = (0..count).map(|number| {
        let mut share = Instrument::us_share(name(number));
        share.sector = format!("sector {}", number % 11).into();
        if foreign && number % 2 == 1 {
            share.currency = euro;
        }
        share
    });
    InstrumentTable::from_instruments(instruments).unwrap()
}

fn fills() -> Vec<Fill> {
    (0..FILLS)
        .map(|number| {
            let (symbol, round) = (name(number % INSTRUMENTS), number / INSTRUMENTS);
            let (side, quantity) =
                [(Side::Buy, 100), (Side::Buy, 50), (Side::Sell, 70), (Side::Sell, 120), (Side::Cover, 40)]
                    [usize::try_from(round % 5).unwrap()];
            let (id, price) = (number.to_string(), Decimal::new(10_000 + number % 977, 2));
            let mut fill =
                Fill::new(&id, &id, symbol.as_str(), side, Decimal::from(quantity), price, Timestamp::EPOCH)
                    .unwrap();
            fill.fees = Decimal::new(35, 2);
            fill
        })
        .collect()
}

fn apply(criterion: &mut Criterion) {
    let fills = fills();
    let mut bench = criterion.benchmark_group("fill");
    bench.throughput(Throughput::Elements(fills.len() as u64));
    bench.bench_function("position_book_500", |bencher| {
        bencher.iter_batched_ref(
            PositionBook::new,
            |book| {
                for fill in &fills {
                    let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
                    black_box(
                        book.apply(symbol, *side, *quantity, *price, Decimal::ONE, *timestamp).unwrap(),
                    );
                    black_box(book.get(symbol).map(|held| held.average_price));
                }
            },
            BatchSize::LargeInput,
        );
    });
    for (what, foreign) in [("one_currency", false), ("two_currencies", true)] {
        bench.bench_function(format!("virtual_portfolio_500_{what}"), |bencher| {
            bencher.iter_batched_ref(
                || VirtualPortfolio::default().with_instruments(table(INSTRUMENTS, foreign)),
                |portfolio| {
                    for fill in &fills {
                        black_box(portfolio.process_fill(fill).unwrap());
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    // As the engine tells them, with what its ledger came to.
    let (instruments, mut ledger) = (table(INSTRUMENTS, false), Ledger::new());
    ledger.open_fund(fund(), Currency::USD, Decimal::from(1_000_000_000)).unwrap();
    let events: Vec<Event> = fills
        .iter()
        .map(|fill| {
            let change = ledger.book_fill(&instruments, &fund(), fill).unwrap();
            let book = ledger.fund(&fund()).unwrap();
            Event::FillCreated {
                fund_id: fund(),
                fill: fill.clone(),
                position_before: change.before,
                position_after: change.after,
                realized: change.realized,
                cash: book.cash(),
                nav: book.nav(),
                strategy_id: Some("s".parse().unwrap()),
            }
        })
        .collect();
    for method in [TaxLotMethod::Fifo, TaxLotMethod::Hifo] {
        bench.bench_function(format!("books_with_lots_and_strategies_500_{method}"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut books = Books::new(instruments.clone());
                    books.open_fund(fund(), Currency::USD, Decimal::from(1_000_000_000), method).unwrap();
                    books
                },
                |books| {
                    for event in &events {
                        black_box(books.apply(event).unwrap());
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    bench.finish();
}

fn value(criterion: &mut Criterion) {
    let mut book = PositionBook::new();
    for fill in fills().iter().take(500) {
        let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
        book.apply(symbol, *side, *quantity, *price, Decimal::ONE, *timestamp).unwrap();
    }
    assert_eq!(book.len(), 500);
    let (symbol, cash) = (name(250), Decimal::from(1_000_000));
    let mut bench = criterion.benchmark_group("nav");
    bench.throughput(Throughput::Elements(1));
    bench.bench_function("after_one_mark_of_500", |bencher| {
        let mut cents = 10_000_i64;
        bencher.iter(|| {
            cents = if cents > 20_000 { 10_000 } else { cents + 1 };
            book.mark(black_box(&symbol), Decimal::new(cents, 2)).unwrap();
            cash + book.market_value()
        });
    });
    bench.bench_function("from_scratch_500", |bencher| {
        bencher.iter(|| {
            black_box(&book).iter().map(|(_, held)| Holding::market_value(held)).sum::<Decimal>() + cash
        });
    });
    bench.finish();
}

fn rebalance(criterion: &mut Criterion) {
    const NAMES: i64 = 3_000;
    let instruments = table(NAMES, false);
    let mut ledger = Ledger::new();
    ledger.open_fund(fund(), Currency::USD, Decimal::from(100_000_000)).unwrap();
    for number in 0..NAMES {
        let price = Decimal::new(2_000 + number * 7 % 30_000, 2);
        ledger.mark(&instruments, &name(number), price, MarkKind::Close, Timestamp::EPOCH).unwrap();
        // Half of the names are held already.
        if number % 2 == 0 {
            let id = number.to_string();
            let fill = Fill::new(
                &id,
                &id,
                name(number).as_str(),
                Side::Buy,
                Decimal::from(150),
                price,
                Timestamp::EPOCH,
            );
            ledger.book_fill(&instruments, &fund(), &fill.unwrap()).unwrap();
        }
    }
    let weights = (0..NAMES).filter(|number| number % 3 != 0).map(|number| TargetWeight {
        symbol: name(number),
        weight: Decimal::new(4, 4),
        rank: u32::try_from(number).ok(),
        signal: None,
    });
    let targets = TargetSet {
        fund_id: fund(),
        strategy_id: "s".parse().unwrap(),
        asof: Timestamp::EPOCH,
        weights: weights.collect(),
    };
    let planner = WeightPlanner::new(Decimal::new(1, 2)).unwrap();
    let mut bench = criterion.benchmark_group("rebalance");
    bench.throughput(Throughput::Elements(NAMES as u64));
    bench.bench_function("to_orders_3000_names", |bencher| {
        bencher.iter(|| {
            let plan = |stage| {
                let request = PlanRequest {
                    targets: black_box(&targets),
                    stage,
                    ledger: &ledger,
                    instruments: &instruments,
                };
                planner.plan(&request).unwrap().len()
            };
            let orders = plan(PlanStage::Reduce) + plan(PlanStage::Increase);
            assert!(orders > 2_000, "{orders}");
            orders
        });
    });
    bench.finish();
}

criterion_group!(benches, apply, value, rebalance);
criterion_main!(benches);
