//! What looking things up in a calendar costs.

#![allow(missing_docs, clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use mts_foundation::MarketCalendar;
use mts_foundation::calendar::{DayRoll, WindowKind};
use std::hint::black_box;

const XNYS: &str = include_str!("../data/calendars/XNYS.cal");

/// Instants of many years, five hours and some apart, so that no look-up is like the one before.
fn instants() -> impl Iterator<Item = DateTime<Utc>> {
    let start: DateTime<Utc> = "1995-01-01T00:00:00Z".parse().unwrap();
    let step = TimeDelta::seconds(18_731);
    std::iter::successors(Some(start), move |at| Some(*at + step))
        .take(50_000)
        .collect::<Vec<_>>()
        .into_iter()
        .cycle()
}

fn look_ups(criterion: &mut Criterion) {
    let calendar = MarketCalendar::builtin("XNYS").unwrap();
    let roll: DayRoll = "17:00 America/New_York".parse().unwrap();
    let mut bench = criterion.benchmark_group("calendar");
    let mut at = instants();
    let mut next = || at.next().unwrap();
    bench.bench_function("session_at", |bencher| {
        bencher.iter(|| calendar.session_at(black_box(next())).unwrap())
    });
    bench.bench_function("next_session", |bencher| {
        bencher.iter(|| calendar.next_session(black_box(next()).date_naive()).unwrap());
    });
    bench.bench_function("trading_day", |bencher| {
        bencher.iter(|| calendar.trading_day(black_box(next())).unwrap())
    });
    bench.bench_function("window_at", |bencher| {
        bencher.iter(|| calendar.window_at(black_box(next())).unwrap())
    });
    bench.bench_function("next_window", |bencher| {
        bencher.iter(|| calendar.next_window(black_box(next()), WindowKind::Post).unwrap());
    });
    bench.bench_function("day_roll", |bencher| bencher.iter(|| roll.day_of(black_box(next()))));
    bench.bench_function("expand_xnys", |bencher| {
        bencher.iter(|| MarketCalendar::parse(black_box(XNYS)).unwrap());
    });
    bench.finish();
}

criterion_group!(benches, look_ups);
criterion_main!(benches);
