//! What it costs to make a panel: 300 instruments over a year of sessions, and 3,000 over ten with `MTS_BENCH_FULL=1`.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mts_foundation::corporate_action::{CorporateAction, CorporateActionKind};
use mts_foundation::symbol::Currency;
use mts_foundation::{Bar, Decimal, Instrument, InstrumentTable, Interval, Symbol, Timestamp, UniversePanel};
use mts_marketdata::panel::{Adjustment, PanelBuilder, adjust, ffill};
use std::hint::black_box;

const DAY: i64 = 86_400_000;

/// A bar of each instrument; prices and ends are set as they are needed, so that the bars of ten years need no room.
fn templates(columns: usize) -> Vec<Bar> {
    (0..columns)
        .map(|column| {
            let symbol = Symbol::new(format!("S{column:04}")).unwrap();
            let mut bar = Bar::close_only(symbol, Interval::DAY, Decimal::ONE, Timestamp::EPOCH);
            bar.close_only = false;
            bar
        })
        .collect()
}

fn set(bar: &mut Bar, row: usize, column: usize) {
    let cents = 1_000 + i64::try_from((row * 31 + column * 17) % 9_000).unwrap();
    bar.timestamp = Timestamp::from_millis(i64::try_from(row + 1).unwrap() * DAY);
    (bar.open, bar.low) = (Decimal::new(cents, 2), Decimal::new(cents - 50, 2));
    (bar.high, bar.close) = (Decimal::new(cents + 75, 2), Decimal::new(cents + 25, 2));
    bar.volume = Decimal::from(cents * 100);
}

fn build(rows: usize, bars: &mut [Bar], by_time: bool) -> UniversePanel {
    let mut builder = PanelBuilder::new(Interval::DAY);
    let columns = bars.len();
    for step in 0..rows * columns {
        let (row, column) =
            if by_time { (step / columns, step % columns) } else { (step % rows, step / rows) };
        let bar = &mut bars[column];
        set(bar, row, column);
        builder.push(bar).unwrap();
    }
    builder.finish().unwrap()
}

/// A split of every instrument in the middle, and a dividend a quarter.
fn actions(panel: &UniversePanel) -> (Vec<CorporateAction>, InstrumentTable) {
    let rows = panel.dates().len();
    let date = |row: usize| panel.dates()[row].to_datetime().date_naive();
    let mut actions = Vec::new();
    for symbol in panel.symbols() {
        let mut act = |row: usize, kind| {
            let action_id = format!("{symbol}-{row}-{}", actions.len()).into();
            actions.push(CorporateAction { action_id, symbol: symbol.clone(), ex_date: date(row), kind });
        };
        act(rows / 2, CorporateActionKind::Split { new_units: Decimal::TWO, old_units: Decimal::ONE });
        for row in (63..rows).step_by(63) {
            let amount = Decimal::new(5, 2);
            act(row, CorporateActionKind::CashDividend { amount, currency: Currency::USD });
        }
    }
    let shares = panel.symbols().iter().cloned().map(Instrument::us_share);
    (actions, InstrumentTable::from_instruments(shares).unwrap())
}

fn panels(criterion: &mut Criterion) {
    let full = std::env::var_os("MTS_BENCH_FULL").is_some();
    let (rows, columns) = if full { (2_520, 3_000) } else { (252, 300) };
    let mut bars = templates(columns);
    let mut bench = criterion.benchmark_group(format!("panel of {rows} by {columns}"));
    bench.sample_size(10);
    bench.bench_function("by time", |bencher| bencher.iter(|| build(rows, black_box(&mut bars), true)));
    bench
        .bench_function("by instrument", |bencher| bencher.iter(|| build(rows, black_box(&mut bars), false)));
    let panel = build(rows, &mut bars, true);
    let (actions, table) = actions(&panel);
    let last = *panel.dates().last().unwrap();
    let copy = || panel.clone();
    bench.bench_function("total return", |bencher| {
        let work = |panel| adjust(panel, &actions, Adjustment::TotalReturn, last, &table).unwrap();
        bencher.iter_batched(copy, work, BatchSize::PerIteration);
    });
    bench.bench_function("ffill", |bencher| {
        bencher.iter_batched(copy, |panel| ffill(panel, 5).unwrap(), BatchSize::PerIteration);
    });
    bench.finish();
}

criterion_group!(benches, panels);
criterion_main!(benches);
