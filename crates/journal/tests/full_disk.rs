//! A disk that is really full.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use mts_foundation::journal::{Journal, JournalError};
use mts_journal::{FileJournal, JournalOptions};

/// For instance: `mount -t tmpfs -o size=8m none /mnt/small && MTS_SMALL_DISK=/mnt/small cargo test -p mts-journal --test
/// full_disk -- --ignored`.
#[test]
#[ignore = "needs MTS_SMALL_DISK, an empty folder on a file system of a few megabytes"]
fn the_cancels_of_a_full_disk_fit_and_the_restart_is_clean() {
    let folder = std::path::PathBuf::from(std::env::var_os("MTS_SMALL_DISK").unwrap()).join("run");
    let options = JournalOptions { segment_bytes: 1 << 20, reserve_bytes: 1 << 20, ..JournalOptions::live() };
    let mut journal = FileJournal::begin_with(&folder, &[(1, b"genesis")], options.clone()).unwrap();
    assert!(journal.has_reserve());
    let (mut records, mut groups) = (1, 0);
    let error = loop {
        for _ in 0..100 {
            journal.append(1, &[7; 300]).unwrap();
        }
        match journal.commit() {
            Ok(()) => records += 100,
            Err(error) => break error,
        }
        groups += 1;
        assert!(groups < 100_000, "this disk is not small");
    };
    assert!(error.is_disk_full() && !journal.is_stopped(), "{error}");
    assert_eq!((journal.durable(), journal.next_sequence()), (records, records + 100));
    // Nothing new, but what is pending and a thousand cancels.
    assert!(journal.append(2, b"order").unwrap_err().is_disk_full());
    assert!(journal.release_reserve().unwrap());
    for _ in 0..1_000 {
        journal.append(2, &[8; 300]).unwrap();
    }
    journal.commit().unwrap();
    let end = records + 1_100;
    let hash = journal.head_hash();
    drop(journal);

    // While the disk is full there is no new reserve, and no new beginning either: the journal opens and says so.
    let mut journal = FileJournal::open_with(&folder, options.clone()).unwrap();
    assert_eq!((journal.durable(), journal.head_hash()), (end, hash));
    let last = loop {
        for _ in 0..100 {
            if journal.append(1, &[7; 300]).is_err() {
                break;
            }
        }
        match journal.commit() {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(last.is_disk_full(), "{last}");
    if !journal.has_reserve() {
        assert!(journal.is_stopped() && matches!(journal.commit(), Err(JournalError::Stopped)));
    }
    let durable = journal.durable();
    drop(journal);
    let reader = FileJournal::read_only(&folder).unwrap();
    assert_eq!(reader.durable(), durable);
    reader.verify().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
