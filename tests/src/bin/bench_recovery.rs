//! How long a start takes: `mts-bench-recovery [--json] [--quick] [--dir DIR] [--records N]`.
//!
//! A journal of 1,000,000 records (100,000 with `--quick`) of orders, their answers and fills, as `mts-bench-path` makes them, is
//! opened and brought into a new core: from its newest snapshot and what follows it, then without snapshots. One snapshot is
//! kept every 100,000 records, as a live run does, so that there is something left to replay. Files are in the system's cache.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

#[path = "bench_path/world.rs"]
#[allow(dead_code, reason = "the benchmark of the path uses the rest")]
mod world;

use mts_engine::shell::driver::Driver;
use mts_engine::shell::live::LiveRules;
use mts_foundation::journal::Journal;
use mts_journal::{FileJournal, JournalOptions, SyncPolicy};
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use world::{Waits, World};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Most that a start may take, with a snapshot and without.
const AIMS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Several starts of one kind.
struct Starts {
    name: &'static str,
    /// Records of the journal, and those that were replayed.
    records: u64,
    replayed: u64,
    state_hash: [u8; 32],
    /// Sorted.
    took: Vec<Duration>,
    /// Time on a core, sorted: what a start takes where nobody else wants one. Zero where the system does not say.
    on_core: Vec<Duration>,
}

/// Time that this thread has been on a core.
fn on_core() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = text.and_then(|text| text.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// A value of a sorted list.
fn at(sorted: &[Duration], per_hundred: usize) -> f64 {
    let place = (sorted.len() * per_hundred).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default().as_secs_f64()
}

impl Starts {
    /// Opens the journal and recovers the core, again and again.
    fn measure(name: &'static str, folder: &Path, times: usize) -> Fallible<Self> {
        let (took, cores) = (Vec::new(), Vec::new());
        let mut starts = Self { name, records: 0, replayed: 0, state_hash: [0; 32], took, on_core: cores };
        for _ in 0..times {
            let mut replayed = 0;
            let core = world::parts()?.core;
            let (began, before) = (Instant::now(), on_core());
            let journal = FileJournal::open(folder)?;
            let driver = Driver::recover(core, journal, &mut |_, _| replayed += 1)?;
            starts.took.push(began.elapsed());
            starts.on_core.push(on_core().saturating_sub(before));
            (starts.records, starts.replayed) = (driver.journal().durable(), replayed);
            starts.state_hash = driver.core().state_hash();
        }
        starts.took.sort_unstable();
        starts.on_core.sort_unstable();
        Ok(starts)
    }

    fn json(&self) -> Value {
        json!({
            "records": self.records, "replayed": self.replayed, "starts": self.took.len(),
            "p50_s": at(&self.took, 50), "p99_s": at(&self.took, 99),
            "on_core_p50_s": at(&self.on_core, 50), "on_core_p99_s": at(&self.on_core, 99),
        })
    }

    fn tell(&self) {
        println!(
            "{}: {} records, {} replayed, {} starts, p50 {:.3} s, p99 {:.3} s; on a core {:.3} s and {:.3} s",
            self.name,
            self.records,
            self.replayed,
            self.took.len(),
            at(&self.took, 50),
            at(&self.took, 99),
            at(&self.on_core, 50),
            at(&self.on_core, 99)
        );
    }
}

/// Makes the journal; the bytes of its last snapshot.
fn fill(folder: &Path, records: u64) -> Fallible<usize> {
    // How long it takes to make is not asked here.
    let options = JournalOptions { sync: SyncPolicy::WriteOnly, ..JournalOptions::default() };
    let mut world = World::new(FileJournal::begin_with(folder, &[], options)?)?;
    world.driver = world.driver.with_snapshots(LiveRules::default().snapshot_every);
    let (mut orders, mut waits) = (0, Waits::of(0));
    while world.journal().durable() < records {
        orders += world.turn(&mut waits)?;
        world.driver.commit()?;
        world.driver.keep_snapshot_if_due()?;
    }
    world.check(orders)?;
    Ok(world.journal().snapshot()?.map(|(_, state)| state.len()).unwrap_or_default())
}

fn bench() -> Fallible<()> {
    let (mut as_json, mut records, mut times, mut dir) = (false, 1_000_000, 15, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--quick" | "--bench" => (records, times) = (100_100, 3),
            "--records" => records = arguments.next().ok_or("--records needs a number")?.parse()?,
            "--dir" => dir = Some(PathBuf::from(arguments.next().ok_or("--dir needs a folder")?)),
            other => return Err(format!("{other:?} is unknown; see the head of this program").into()),
        }
    }
    let kept = dir.map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let folder = kept.path();
    let bytes = fill(folder, records)?;
    let with = Starts::measure("from a snapshot", folder, times)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapshot-")) {
            std::fs::remove_file(path)?;
        }
    }
    let without = Starts::measure("without", folder, times)?;
    if with.state_hash != without.state_hash || with.replayed >= without.replayed {
        return Err("a start from the snapshot gives another state, or replays as much".into());
    }
    if as_json {
        println!("{}", json!({ "snapshot_bytes": bytes, "with": with.json(), "without": without.json() }));
        return Ok(());
    }
    with.tell();
    without.tell();
    println!(
        "the snapshot has {bytes} bytes; in {}; aims: {:?} with, {:?} without",
        folder.display(),
        AIMS[0],
        AIMS[1]
    );
    Ok(())
}
