//! What a commit costs by the size of its group, in memory and on disk, and what a start costs after a million records.

#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::journal::{Journal, JournalError};
use mts_journal::{FileJournal, JournalOptions, MemoryJournal, SyncPolicy};

/// About the size of a journalled order.
const PAYLOAD: [u8; 256] = [0x5A; 256];
/// Records of the journal that is opened.
const MANY: u64 = 1_000_000;
/// Records after its snapshot.
const SINCE: u64 = 10_000;

fn group(journal: &mut dyn Journal, records: u64) -> Result<(), JournalError> {
    for _ in 0..records {
        journal.append(1, &PAYLOAD)?;
    }
    journal.commit()
}

/// Ways to keep a journal on disk.
fn kept() -> [(&'static str, JournalOptions); 3] {
    let durable = JournalOptions::default();
    [
        ("write_only", JournalOptions { sync: SyncPolicy::WriteOnly, ..durable.clone() }),
        ("every_commit", durable.clone()),
        ("every_commit_room_set_aside", JournalOptions { preallocate: true, ..durable }),
    ]
}

fn append(criterion: &mut Criterion) {
    for records in [1, 8, 64, 256] {
        let mut bench = criterion.benchmark_group(format!("append_commit_{records}"));
        // Short, because the journal grows by up to a gigabyte a second.
        bench.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        bench.throughput(Throughput::Elements(records)).sample_size(20);
        bench.bench_function("memory", |bencher| {
            bencher.iter_batched_ref(
                MemoryJournal::new,
                |journal| group(journal, records).unwrap(),
                criterion::BatchSize::NumIterations(100_000 / records),
            );
        });
        for (name, options) in kept() {
            let folder = tempfile::tempdir().unwrap();
            let mut journal = FileJournal::begin_with(folder.path(), &[], options).unwrap();
            bench.bench_function(name, |bencher| bencher.iter(|| group(&mut journal, records).unwrap()));
        }
        bench.finish();
    }
}

/// Opens and reads what a start needs: everything, or a snapshot and the rest.
fn start(folder: &Path) -> u64 {
    let journal = FileJournal::open(folder).unwrap();
    let first = journal.snapshot().unwrap().map_or(0, |(sequence, _)| sequence);
    let mut read = 0;
    let visit = &mut |_| {
        read += 1;
        Ok(())
    };
    journal.replay_from(first, visit).unwrap();
    assert_eq!(read, journal.durable() - first);
    read
}

/// A journal of [`MANY`] records, and a snapshot [`SINCE`] records before its end if that is wanted.
fn many(snapshot: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let [(_, options), ..] = kept();
    let mut journal = FileJournal::begin_with(folder.path(), &[], options).unwrap();
    while journal.durable() < MANY {
        group(&mut journal, 100).unwrap();
        if snapshot && journal.durable() == MANY - SINCE {
            journal.save_snapshot(MANY - SINCE, &[0x5A; 1 << 20]).unwrap();
        }
    }
    folder
}

fn recover(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("start_1000000");
    bench.sample_size(10).throughput(Throughput::Elements(MANY));
    for (name, snapshot) in [("without_snapshot", false), ("with_snapshot", true)] {
        let folder = many(snapshot);
        bench.bench_function(name, |bencher| bencher.iter(|| start(folder.path())));
    }
    bench.finish();
}

criterion_group!(benches, append, recover);
criterion_main!(benches);
