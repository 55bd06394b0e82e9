//! What aggregation costs: a tick into a bar.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::calendar::MarketCalendar;
use mts_foundation::{Decimal, Symbol, Timestamp};
use mts_marketdata::aggregate::{
    Activity, Aggregator, BarKind, Cut, Expectations, Hours, Information, Measure, Part, Patience, Renko,
    Rule, Tape, Theta, Tick, TickAggregator, TickBars, TimeBars, TradeFilter, Trading,
};
use std::hint::black_box;

const TICKS: usize = 100_000;
/// The opening in New York of 2026-03-02.
const OPEN: i64 = 1_772_461_800_000_000_000;

/// A walk, two hundred ticks a second.
fn walk() -> Vec<Tick> {
    let (mut state, mut price) = (0x9E37_79B9_7F4A_7C15_u64, 18_000_i64);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let tick = |number: i64| {
        let random = next();
        price += i64::try_from(random % 3).unwrap() - 1;
        Tick { time: OPEN + number * 5_000_000, price, size: i64::try_from(random % 500).unwrap() + 1 }
    };
    (0..i64::try_from(TICKS).unwrap()).map(tick).collect()
}

fn time_bars(criterion: &mut Criterion) {
    let ticks = walk();
    let mut group = criterion.benchmark_group("time bars");
    group.throughput(Throughput::Elements(TICKS as u64));
    group.bench_function("bare", |bench| {
        bench.iter(|| {
            let mut bars = TimeBars::new(Patience::default());
            let slot = bars.add(Hours::always("1m".parse().unwrap()), Some(OPEN));
            for tick in black_box(&ticks) {
                bars.push(slot, *tick).unwrap();
            }
            bars.finish();
            bars.closed().count()
        });
    });
    let calendar = MarketCalendar::builtin("XNYS").unwrap();
    let filter = black_box(TradeFilter::default());
    group.bench_function("full", |bench| {
        bench.iter(|| {
            let patience = Patience { lateness: std::time::Duration::from_secs(1), ..Patience::default() };
            let mut bars = TimeBars::new(patience);
            for _ in 0..100 {
                bars.add(Hours::of(calendar, "1m".parse().unwrap(), Trading::Regular), Some(OPEN));
            }
            for (number, tick) in black_box(&ticks).iter().enumerate() {
                let codes = if number % 20 == 0 { *b"@FI" } else { *b"@F " };
                bars.push_part(number % 100, *tick, filter.part(Tape::Utp, codes)).unwrap();
            }
            bars.finish();
            bars.closed().count()
        });
    });
    group.finish();
}

fn tick_bars(criterion: &mut Criterion) {
    let ticks = walk();
    let mut group = criterion.benchmark_group("tick bars");
    group.throughput(Throughput::Elements(TICKS as u64));
    let around = Expectations::around(100.0);
    for (name, rule) in [
        ("trades", Rule::Activity(Activity::new(Measure::Trades, 100, Cut::Overshoot))),
        ("volume, overshoot", Rule::Activity(Activity::new(Measure::Volume, 25_000, Cut::Overshoot))),
        ("volume, split", Rule::Activity(Activity::new(Measure::Volume, 25_000, Cut::Split))),
        ("value, split", Rule::Activity(Activity::new(Measure::Value, 450_000_000, Cut::Split))),
        (
            "imbalance of volume",
            Rule::Information(Information::new(Theta::Imbalance, Measure::Volume, around)),
        ),
        ("runs of value", Rule::Information(Information::new(Theta::Runs, Measure::Value, around))),
        ("renko", Rule::Renko(Renko::new(5))),
    ] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let mut bars = TickBars::new(std::time::Duration::ZERO);
                let slot = bars.add(rule.clone(), None);
                for tick in black_box(&ticks) {
                    bars.push(slot, *tick).unwrap();
                }
                bars.finish();
                bars.closed().count()
            });
        });
    }
    group.finish();
}

fn decimals(criterion: &mut Criterion) {
    let ticks = walk();
    let symbols: Vec<Symbol> = (0..100).map(|number| Symbol::new(format!("S{number}")).unwrap()).collect();
    let ticks: Vec<(usize, Timestamp, Decimal, Decimal)> = ticks
        .iter()
        .enumerate()
        .map(|(number, tick)| {
            let time = Timestamp::from_nanos(tick.time);
            (number % 100, time, Decimal::new(tick.price, 2), Decimal::from(tick.size))
        })
        .collect();
    // Fewer, so that a run is short: the machine may have other work.
    let ticks = &ticks[..TICKS / 10];
    let mut group = criterion.benchmark_group("decimals");
    group.throughput(Throughput::Elements(ticks.len() as u64));
    group.bench_function("time bars, 100 symbols", |bench| {
        bench.iter(|| {
            let mut bars = Aggregator::new(Hours::always("1m".parse().unwrap()), Patience::default(), []);
            for (symbol, time, price, size) in black_box(ticks) {
                bars.tick(&symbols[*symbol], *time, *price, *size).unwrap();
            }
            bars.finish();
            bars.closed().count()
        });
    });
    group.bench_function("bars of volume, 100 symbols", |bench| {
        bench.iter(|| {
            let kind = BarKind::Volume(Decimal::from(25_000), Cut::Split);
            let mut bars = TickAggregator::new(kind, None, std::time::Duration::ZERO, []).unwrap();
            for (symbol, time, price, size) in black_box(ticks) {
                bars.tick(&symbols[*symbol], *time, (*price, *size), Part::ALL, None).unwrap();
            }
            bars.finish();
            bars.closed().count()
        });
    });
    group.finish();
}

criterion_group!(all, time_bars, tick_bars, decimals);
criterion_main!(all);
