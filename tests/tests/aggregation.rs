//! Bars of smaller bars are those of the ticks: on data made here, and on LEAN's own seconds and minutes where they are.

mod common;

use mts_marketdata::aggregate::{FixedBar, Hours, Patience, Tick, TimeBars};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Beside the repository; nothing of it is part of it.
const LEAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/lean-equity");

fn kernel(interval: &str) -> TimeBars {
    let mut bars = TimeBars::new(Patience::default());
    bars.add(Hours::always(interval.parse().unwrap()), Some(0));
    bars
}

fn closed(bars: &mut TimeBars) -> Vec<FixedBar> {
    bars.closed().map(|closed| closed.bar).collect()
}

/// A walk of prices, a few ticks a second, with silences.
fn ticks() -> Vec<Tick> {
    let (mut state, mut time, mut price) = (42_u64, 0_i64, 480_000_i64);
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((state >> 33) % below).unwrap()
    };
    let tick = |_| {
        time += random(700) * 1_000_000 + if random(500) == 0 { 90_000_000_000 } else { 0 };
        price += random(9) - 4;
        Tick { time, price, size: 1 + random(500) }
    };
    (0..100_000).map(tick).collect()
}

#[test]
fn minutes_of_seconds_are_minutes_of_ticks() {
    let (mut seconds, mut minutes, mut of_seconds) = (kernel("1s"), kernel("1m"), kernel("1m"));
    for tick in ticks() {
        seconds.push(0, tick).unwrap();
        minutes.push(0, tick).unwrap();
    }
    for bars in [&mut seconds, &mut minutes] {
        bars.finish();
    }
    for bar in closed(&mut seconds) {
        of_seconds.push_bar(0, &bar).unwrap();
    }
    of_seconds.finish();
    let (expected, made) = (closed(&mut minutes), closed(&mut of_seconds));
    assert!(expected.len() > 500, "{}", expected.len());
    assert_eq!(made, expected);
}

/// The lines of the only file of an archive.
fn lines(archive: &Path) -> Vec<Vec<i64>> {
    let program = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); sys.stdout.write(z.read(z.namelist()[0]).decode())";
    let out = Command::new("python3").args(["-c", program]).arg(archive).output().unwrap();
    assert!(out.status.success(), "{}: {}", archive.display(), String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| line.split(',').map(|field| field.parse().unwrap()).collect()).collect()
}

/// Bid and offer of a line: milliseconds of the day, four prices of the bid, its last size, and so for the offer.
fn sides(line: &[i64], length: i64) -> [FixedBar; 2] {
    let side = |at: usize| {
        let (start, size) = (line[0] * 1_000_000, line[at + 4]);
        let [open, high, low, close] = [line[at], line[at + 1], line[at + 2], line[at + 3]];
        FixedBar {
            start,
            end: start + length,
            open,
            high,
            low,
            close,
            volume: size.into(),
            value: 0,
            count: 1,
        }
    };
    [side(1), side(6)]
}

#[test]
fn seconds_of_quotes_give_the_vendors_own_minutes() {
    if !Path::new(LEAN).is_dir() {
        println!("skipped: {LEAN} is not there");
        return;
    }
    let mut compared = 0;
    for symbol in ["aig", "bac", "ibm"] {
        for day in 7..=11 {
            let archive =
                |length: &str| Path::new(LEAN).join(format!("{length}/{symbol}/201310{day:02}_quote.zip"));
            let mut bars = TimeBars::new(Patience::default());
            for _ in 0..2 {
                bars.add(Hours::always("1m".parse().unwrap()), Some(0));
            }
            for line in lines(&archive("second")) {
                for (slot, bar) in sides(&line, 1_000_000_000).iter().enumerate() {
                    bars.push_bar(slot, bar).unwrap();
                }
            }
            bars.finish();
            let mut made: Vec<_> = bars.closed().collect();
            made.sort_by_key(|closed| (closed.bar.start, closed.slot));
            let expected: Vec<_> =
                lines(&archive("minute")).iter().flat_map(|line| sides(line, 60_000_000_000)).collect();
            assert_eq!(made.len(), expected.len(), "{symbol} {day}");
            for (made, expected) in made.iter().zip(&expected) {
                let prices = |bar: &FixedBar| (bar.start, bar.end, bar.open, bar.high, bar.low, bar.close);
                assert_eq!(prices(&made.bar), prices(expected), "{symbol} {day}");
            }
            compared += expected.len() / 2;
        }
    }
    println!("{compared} minutes are the vendor's");
    assert_eq!(compared, 8_667);
}

/// A price of the walk, in dollars.
fn dollars(price: &i64) -> String {
    format!("{}.{:03}", price / 1_000, price % 1_000)
}

/// A run over prints with `data.bars` is the run over the bars that they make.
#[test]
fn the_program_makes_bars_of_prints() {
    let time =
        |nanos: i64| chrono::DateTime::from_timestamp_nanos(1_767_623_400_000_000_000 + nanos).to_rfc3339();
    let (mut prints, mut minutes) = (String::new(), BTreeMap::<i64, Vec<(i64, i64)>>::new());
    for (count, tick) in ticks().into_iter().take(5_000).enumerate() {
        // The first print begins its minute, so that this one is whole.
        let at = if count == 0 { 0 } else { tick.time };
        let line = json!({"type": "trade", "trade_id": count.to_string(), "symbol": "AAPL", "price": dollars(&tick.price),
            "size": tick.size.to_string(), "venue": "x", "timestamp": time(at)});
        prints += &format!("{line}\n");
        minutes.entry(at / 60_000_000_000).or_default().push((tick.price, tick.size));
    }
    minutes.pop_last();
    let bars = minutes.iter().map(|(minute, ticks)| {
        let prices = || ticks.iter().map(|(price, _)| price);
        let volume: i64 = ticks.iter().map(|(_, size)| size).sum();
        let line = json!({"type": "bar", "symbol": "AAPL", "interval": "1m", "open": prices().next().map(dollars),
            "high": prices().max().map(dollars), "low": prices().min().map(dollars),
            "close": prices().last().map(dollars), "volume": volume.to_string(),
            "timestamp": time((minute + 1) * 60_000_000_000)});
        format!("{line}\n")
    });
    let bars: String = bars.collect();

    let folder = common::folder();
    let run = |name: &str, lines: &str, section: &str| {
        let file = folder.path().join(format!("{name}.jsonl"));
        std::fs::write(&file, lines).unwrap();
        let data = format!("kind = \"ticks\"\npath = \"{}\"\n{section}", common::text(&file));
        let (_example, config) = common::changed(
            "live-day.toml",
            &[
                ("mode = \"paper\"", "mode = \"replay\""),
                ("path = \"data/day/instruments.csv\"", "path = \"data/us20/instruments.csv\""),
                (
                    "kind = \"minutes\"\npath = \"data/day/closes.csv\"\nparams = { every_ms = 50, seed = 1 }",
                    &data,
                ),
                ("bars = 39", "bars = 3"),
            ],
        );
        let out = folder.path().join(name);
        common::run(["run", common::text(&config), "--out", common::text(&out), "--json"]).json()
    };
    let (of_bars, of_prints) = (run("bars", &bars, ""), run("prints", &prints, "bars = \"1m\""));
    assert!(of_bars["fills"].as_u64().unwrap() > 3, "{of_bars}");
    assert_eq!(of_prints["fills"], of_bars["fills"], "{of_prints}");
    assert_eq!(of_prints["nav"], of_bars["nav"]);
}
