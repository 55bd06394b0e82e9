//! What a market event costs, and an order from signal to books: `mts-bench-path [--json] [--quick] [--dir DIR] [--orders N]`.
//!
//! One run of 1,000,000 orders (100,000 with `--quick`), of a fund with 128 instruments and the documented gates on: a
//! strategy's decision, key, gates, journal, paper broker, fill, books. 64 orders are in flight, so that one sync makes 64
//! intents durable. The cost is looked at around 1,000, 10,000, 100,000 and 1,000,000 orders: it must not grow. *Durable* is
//! what an order is held back from its decision until it may leave: the rest of its group and the sync. *Sent* is what it
//! waits until the broker is called with it. The memory holds eight bytes an order of the benchmark's own for these figures.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod bars;
mod journal;
mod market;
mod portfolio;
#[cfg(feature = "databento")]
mod recording;
mod world;

use bars::Bars;
use journal::Discarding;
use market::Market;
use mts_foundation::journal::Journal;
use mts_journal::FileJournal;
use portfolio::Booked;
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use world::{IN_FLIGHT, Waits, World};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Numbers of orders at which the cost is looked at.
const STATIONS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The dearest station may cost so many times the cheapest.
const FLAT: f64 = 1.3;

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What one kind of journal gives.
struct Figures {
    name: &'static str,
    orders: u64,
    took: Duration,
    /// Orders a second around each station, and memory there in MiB.
    stations: Vec<(u64, f64, f64)>,
    /// What orders waited, each list sorted.
    waits: Waits,
    note: String,
}

impl Figures {
    fn rate(&self) -> f64 {
        per_second(self.orders, self.took)
    }

    fn flatness(&self) -> f64 {
        let rates = self.stations.iter().map(|(_, rate, _)| *rate);
        let (slowest, fastest) =
            rates.fold((f64::MAX, 0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
        fastest / slowest
    }

    fn json(&self) -> Value {
        json!({
            "journal": self.name, "orders": self.orders, "seconds": self.took.as_secs_f64(),
            "orders_per_second": self.rate(), "flatness": self.flatness(),
            "stations": self.stations.iter().map(|(at, rate, memory)| {
                json!({ "orders": at, "orders_per_second": rate, "memory_mib": memory })
            }).collect::<Vec<_>>(),
            "durable_ns": percentiles(&self.waits.durable),
            "sent_ns": percentiles(&self.waits.sent),
            "note": self.note,
        })
    }

    fn tell(&self) {
        println!("{}: {:.0} orders/s over {} orders; {}", self.name, self.rate(), self.orders, self.note);
        for (at, rate, memory) in &self.stations {
            println!("  around {at:>9} orders  {rate:>9.0} orders/s  {memory:>8.1} MiB");
        }
        for (name, list) in [("durable", &self.waits.durable), ("sent", &self.waits.sent)] {
            tell_waits(&format!("from the decision until {name:7}"), list);
        }
        println!("  dearest station {:.2} times the cheapest", self.flatness());
    }
}

/// The percentiles that are told, in thousandths.
const RANKS: [usize; 3] = [500, 990, 999];

/// The value of a rank in a sorted list.
fn ranked(list: &[u32], per_thousand: usize) -> u32 {
    let place = list.len().saturating_sub(1) * per_thousand / 1_000;
    list.get(place).copied().unwrap_or_default()
}

/// What was waited, on a line.
fn tell_waits(what: &str, list: &[u32]) {
    let [median, rare, rarest] = RANKS.map(|rank| f64::from(ranked(list, rank)) / 1e3);
    println!("  {what}  p50 {median:.2} us, p99 {rare:.2} us, p99.9 {rarest:.2} us");
}

fn percentiles(list: &[u32]) -> Value {
    let [median, rare, rarest] = RANKS.map(|rank| ranked(list, rank));
    json!({ "p50": median, "p99": rare, "p999": rarest })
}

/// The file system of a folder, as the system's table of mounts names it.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let rows = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = rows.filter(|(point, _)| folder.starts_with(point));
    // Of several at the same point the last one is on top.
    let nearest = above.max_by_key(|(point, _)| point.len());
    nearest.map_or("unknown", |(_, kind)| kind).to_owned()
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Resident memory of this process in MiB; zero where the system does not say.
fn memory() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split(' ').nth(1)?.parse::<f64>().ok());
    resident.unwrap_or_default() * 4_096.0 / f64::from(1 << 20)
}

/// Sends orders up to the last station and looks at each.
fn measure<J: Journal>(name: &'static str, journal: J, orders: u64) -> Fallible<(Figures, World<J>)> {
    let mut world = World::new(journal)?;
    let mut waits = Waits::of(usize::try_from(orders)?);
    let mut stations = Vec::new();
    let began = Instant::now();
    let mut sent = 0;
    for station in STATIONS.into_iter().filter(|station| *station <= orders) {
        // A tenth of the station on its far side, but at least a thousand orders.
        let window = (station / 10).max(1_000).min(station);
        while sent < station.saturating_sub(window) {
            sent += world.turn(&mut waits)?;
        }
        let (from, since) = (sent, Instant::now());
        while sent < station {
            sent += world.turn(&mut waits)?;
        }
        stations.push((station, per_second(sent - from, since.elapsed()), memory()));
    }
    let took = began.elapsed();
    world.check(sent)?;
    waits.durable.sort_unstable();
    waits.sent.sort_unstable();
    Ok((Figures { name, orders: sent, took, stations, waits, note: String::new() }, world))
}

fn bench() -> Fallible<()> {
    let (mut as_json, mut orders, mut dir) = (false, 1_000_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--quick" | "--bench" => orders = 100_000,
            "--orders" => orders = arguments.next().ok_or("--orders needs a number")?.parse()?,
            "--dir" => dir = Some(PathBuf::from(arguments.next().ok_or("--dir needs a folder")?)),
            other => return Err(format!("{other:?} is unknown; see the head of this program").into()),
        }
    }
    let bars = Bars::measure()?;
    let portfolio = Booked::measure()?;
    let mut market = vec![Market::measure(true, orders)?, Market::measure(false, orders)?];
    market.extend(recordings(orders)?);
    let (mut in_memory, world) = measure("in memory", Discarding::default(), orders)?;
    let bytes = world.journal().bytes();
    in_memory.note =
        format!("{:.0} bytes of records an order, none kept", bytes as f64 / in_memory.orders as f64);
    drop(world);
    let kept = dir.map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let (mut durable, world) = measure("durable", FileJournal::create(kept.path())?, orders)?;
    let journal = world.journal();
    durable.note = format!(
        "{} in flight, {} syncs ({:.4} an order), {:.0} bytes an order, in {} ({})",
        IN_FLIGHT,
        journal.syncs(),
        journal.syncs() as f64 / durable.orders as f64,
        journal.bytes_written() as f64 / durable.orders as f64,
        kept.path().display(),
        file_system(kept.path())
    );
    if as_json {
        println!(
            "{}",
            json!({ "bars": bars.json(), "portfolio": portfolio.json(), "market": market.iter().map(Market::json).collect::<Vec<_>>(), "in_memory": in_memory.json(), "durable": durable.json() })
        );
    } else {
        bars.tell();
        portfolio.tell();
        market.iter().for_each(Market::tell);
        in_memory.tell();
        durable.tell();
        println!(
            "aims on one core: 3,000,000 events/s, 200,000 orders/s in memory, 50,000 durable, at most {FLAT} times dearer anywhere"
        );
        for figures in [&in_memory, &durable].into_iter().filter(|figures| figures.flatness() > FLAT) {
            println!(
                "{}: dearer than {FLAT} times somewhere; on a machine that does something else as well that says little",
                figures.name
            );
        }
    }
    Ok(())
}

#[cfg(feature = "databento")]
fn recordings(orders: u64) -> Fallible<Vec<Market>> {
    recording::measure(orders)
}

#[cfg(not(feature = "databento"))]
fn recordings(_: u64) -> Fallible<Vec<Market>> {
    Ok(Vec::new())
}
