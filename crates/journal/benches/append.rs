//! What a commit costs: one record or 64, with and without waiting for the disk.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mts_foundation::journal::{Journal, JournalError};
use mts_journal::{FileJournal, SyncPolicy};

/// About the size of a journalled order.
const PAYLOAD: [u8; 256] = [0x5A; 256];

fn group(journal: &mut dyn Journal, records: u64) -> Result<(), JournalError> {
    for _ in 0..records {
        journal.append(1, &PAYLOAD)?;
    }
    journal.commit()
}

fn append(criterion: &mut Criterion) {
    for records in [1, 64] {
        let mut bench = criterion.benchmark_group(format!("append_commit_{records}"));
        // Short, because the file grows by up to a gigabyte a second.
        bench.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        bench.throughput(Throughput::Elements(records));
        for (name, policy) in
            [("every_commit", SyncPolicy::EveryCommit), ("write_only", SyncPolicy::WriteOnly)]
        {
            let folder = tempfile::tempdir().unwrap();
            let mut journal = FileJournal::create(folder.path()).unwrap().with_sync(policy);
            bench.bench_function(name, |bencher| bencher.iter(|| group(&mut journal, records).unwrap()));
        }
        bench.finish();
    }
}

fn replay(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap().with_sync(SyncPolicy::WriteOnly);
    for _ in 0..1_000 {
        group(&mut journal, 64).unwrap();
    }
    let mut bench = criterion.benchmark_group("replay_64000");
    bench.sample_size(10).throughput(Throughput::Elements(journal.durable()));
    bench.bench_function("read", |bencher| bencher.iter(|| journal.replay(&mut |_| Ok(())).unwrap()));
    bench.bench_function("open_read_only", |bencher| {
        bencher.iter(|| FileJournal::read_only(folder.path()).unwrap());
    });
    bench.finish();
}

criterion_group!(benches, append, replay);
criterion_main!(benches);
