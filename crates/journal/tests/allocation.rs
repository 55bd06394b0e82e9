//! What appending costs the heap: nothing, once the buffer has grown to the size of a group.

#![allow(clippy::unwrap_used, missing_docs)]

use mts_foundation::journal::Journal;
use mts_journal::{FileJournal, JournalOptions, SyncPolicy};

#[test]
fn appending_and_committing_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for preallocate in [false, true] {
        let options =
            JournalOptions { preallocate, sync: SyncPolicy::WriteOnly, ..JournalOptions::default() };
        let name = if preallocate { "aside" } else { "plain" };
        let mut journal = FileJournal::begin_with(folder.path().join(name), &[], options).unwrap();
        let mut group = || {
            for _ in 0..64 {
                journal.append(1, &[7; 256]).unwrap();
            }
            journal.commit().unwrap();
        };
        group();
        let counted = allocation_counter::measure(|| {
            for _ in 0..100 {
                group();
            }
        });
        assert_eq!(counted.count_total, 0, "{name}");
    }
}
