//! How fast a store is written and read, and how large it is: `cargo bench -p mts-marketdata --features store --bench store`,
//! with `MTS_BENCH_FULL=1` for 3,000 instruments over 2,520 sessions.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and measures by the clock"
)]

use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp};
use mts_marketdata::store::{Duplicates, Selection, Series, Store};
use std::error::Error;
use std::time::Instant;

/// 21:00 UTC of 4 January 2010.
const FIRST: i64 = 1_262_638_800_000_000_000;
const DAY: i64 = 86_400_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let full = std::env::var_os("MTS_BENCH_FULL").is_some();
    let (symbols, days) = if full { (3_000, 2_520) } else { (300, 252) };
    let folder = std::env::temp_dir().join(format!("mts-store-speed-{}", std::process::id()));
    let series = Series::new("walk", Interval::DAY)?;
    let mut store = Store::open_or_create(&folder)?;

    let began = Instant::now();
    let mut append = store.append(series.clone(), Duplicates::Refuse)?;
    let mut seed = 1_u64;
    // Prices walk in cents, volumes are any whole number: as those of shares do.
    let mut draw = |below: i64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(seed >> 33).unwrap_or(0) % below
    };
    let names = (0..symbols).map(|n| Symbol::new(format!("S{n:04}"))).collect::<Result<Vec<_>, _>>()?;
    let mut cents: Vec<i64> = (0..symbols).map(|_| 2_000 + draw(20_000)).collect();
    for day in 0..days {
        for (name, cents) in names.iter().zip(&mut cents) {
            let open = *cents;
            *cents = (open + draw(201) - 100).max(500);
            let price = |cents| Decimal::new(cents, 2);
            let (high, low) = (open.max(*cents) + draw(100), open.min(*cents) - draw(100));
            append.push(Bar {
                open: price(open),
                high: price(high),
                low: price(low),
                volume: Decimal::from(10_000 + draw(5_000_000)),
                close_only: false,
                ..Bar::close_only(
                    name.clone(),
                    Interval::DAY,
                    price(*cents),
                    Timestamp::from_nanos(FIRST + day * DAY),
                )
            })?;
        }
    }
    append.commit()?;
    let wrote = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let mut rows = 0_u32;
    for bar in store.read(&series, Selection::default()) {
        bar?;
        rows += 1;
    }
    let read = began.elapsed().as_secs_f64();
    let bytes: u64 = store.series().iter().map(|series| series.bytes).sum();
    let rows = f64::from(rows);
    println!("{rows} bars: {:.0} written a second, {:.0} read a second", rows / wrote, rows / read);
    println!("{:.1} bytes a bar in {} parts", bytes as f64 / rows, store.parts().len());
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
