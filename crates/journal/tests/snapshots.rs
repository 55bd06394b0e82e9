//! Snapshots: a cache that shortens the start and is never believed more than the journal.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

mod common;

use std::path::{Path, PathBuf};

use common::{add_group, assert_holds, numbers, read};
use mts_foundation::journal::{Journal, JournalError};
use mts_journal::{FileJournal, JournalOptions, MemoryJournal, Retention, SyncPolicy};

fn options(retention: Retention) -> JournalOptions {
    JournalOptions { segment_bytes: 700, sync: SyncPolicy::WriteOnly, retention, ..JournalOptions::default() }
}

/// Groups of five records; after each of `saves` records a snapshot.
fn with_snapshots(retention: Retention, saves: &[u64]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::begin_with(folder.path(), &[], options(retention)).unwrap();
    while journal.durable() < 200 {
        add_group(&mut journal, 5);
        let durable = journal.durable();
        if saves.contains(&durable) {
            journal.save_snapshot(durable, format!("state {durable}").as_bytes()).unwrap();
        }
    }
    folder
}

fn files(folder: &Path, what: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(what)).collect();
    found.sort();
    found
}

fn state(journal: &dyn Journal) -> Option<(u64, String)> {
    journal.snapshot().unwrap().map(|(sequence, state)| (sequence, String::from_utf8(state).unwrap()))
}

fn flip(path: &Path, place: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[place] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_newest_snapshot_is_found_and_the_rest_follows() {
    let folder = with_snapshots(Retention::All, &[50, 100, 150]);
    let journal = FileJournal::open(folder.path()).unwrap();
    assert_eq!(state(&journal), Some((150, "state 150".to_owned())));
    assert!(journal.ignored_snapshots().is_empty());
    assert_eq!(numbers(&journal, 150).unwrap(), (150..200).collect::<Vec<_>>());
    assert_holds(&journal, 200);
    assert_eq!(files(folder.path(), "snapshot").len(), 2, "two are kept");
}

/// A start reads from the newest snapshot on: what is wrong before it is found by who reads that, or everything.
#[test]
fn opening_does_not_read_what_lies_before_the_snapshot() {
    let folder = with_snapshots(Retention::All, &[150]);
    let segments = files(folder.path(), "journal-");
    flip(&segments[1], 100);
    let reader = FileJournal::read_only(folder.path()).unwrap();
    assert_eq!(reader.durable(), 200);
    assert_eq!(FileJournal::open(folder.path()).unwrap().durable(), 200);
    reader.replay_from(150, &mut |_| Ok(())).unwrap();
    for error in [reader.verify().unwrap_err(), reader.replay(&mut |_| Ok(())).unwrap_err()] {
        let JournalError::Damaged { path, .. } = error else { panic!("{error}") };
        assert_eq!(path, segments[1].display().to_string());
    }
    // The segment of the snapshot is read, also before its place.
    flip(&segments[1], 100);
    reader.verify().unwrap();
    let of_snapshot = segments.iter().rfind(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        name.trim_start_matches("journal-").parse::<u64>().unwrap() <= 150
    });
    flip(of_snapshot.unwrap(), 60);
    assert!(matches!(FileJournal::open(folder.path()), Err(JournalError::Damaged { .. })));
}

#[test]
fn a_snapshot_that_is_damaged_foreign_or_ahead_is_passed_over_with_a_reason() {
    let folder = with_snapshots(Retention::All, &[100, 150]);
    let snapshots = files(folder.path(), "snapshot");
    let whole = std::fs::read(&snapshots[1]).unwrap();
    let expect = |reason: &str, sequence: u64| {
        let journal = FileJournal::open(folder.path()).unwrap();
        assert_eq!(state(&journal).map(|(sequence, _)| sequence).unwrap_or_default(), sequence);
        let ignored = journal.ignored_snapshots();
        assert!(ignored.iter().any(|one| one.reason.contains(reason)), "no {reason:?} in {ignored:?}");
        assert_holds(&journal, 200);
    };
    flip(&snapshots[1], 70);
    expect("its checksum is wrong", 100);
    std::fs::write(&snapshots[1], &whole[..50]).unwrap();
    expect("too short", 100);
    std::fs::write(&snapshots[1], b"").unwrap();
    expect("too short", 100);

    // Another journal's.
    let other = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::begin(other.path(), &[(9, b"another past")]).unwrap();
    add_group(&mut journal, 149);
    journal.save_snapshot(150, b"foreign").unwrap();
    add_group(&mut journal, 150);
    journal.save_snapshot(300, b"foreign").unwrap();
    let foreign = files(other.path(), "snapshot");
    std::fs::copy(&foreign[0], &snapshots[1]).unwrap();
    expect("it belongs to another journal", 100);
    std::fs::copy(&foreign[1], &snapshots[1]).unwrap();
    expect("stands for 300 records, but no group", 100);
    std::fs::remove_file(&snapshots[1]).unwrap();
    flip(&snapshots[0], 3);
    expect("does not start as a snapshot does", 0);
    std::fs::remove_file(&snapshots[0]).unwrap();
    let journal = FileJournal::open(folder.path()).unwrap();
    assert_eq!((state(&journal), journal.ignored_snapshots()), (None, &[][..]));
}

#[test]
fn only_the_state_at_the_end_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = FileJournal::create(folder.path()).unwrap();
    let mut memory = MemoryJournal::new();
    for journal in [&mut file as &mut dyn Journal, &mut memory] {
        add_group(journal, 3);
        journal.append(1, b"pending").unwrap();
        for wrong in [0, 2, 4] {
            let error = journal.save_snapshot(wrong, b"x").unwrap_err().to_string();
            assert!(error.contains("3 are durable"), "{error}");
        }
        journal.save_snapshot(3, b"x").unwrap();
        journal.commit().unwrap();
        assert_eq!((state(journal), journal.durable()), (Some((3, "x".to_owned())), 4));
    }
    assert_eq!(Journal::head_hash(&file), Journal::head_hash(&memory));
}

#[test]
fn retention_removes_whole_segments_before_both_snapshots() {
    let kept = with_snapshots(Retention::All, &[50, 100, 150]);
    let all = files(kept.path(), "journal-").len();
    let folder = with_snapshots(Retention::Segments(0), &[50, 100, 150]);
    let left = files(folder.path(), "journal-");
    assert!(left.len() < all && folder.path().join("journal.mts").exists(), "{} of {all}", left.len());
    let one_more = with_snapshots(Retention::Segments(1), &[50, 100, 150]);
    assert_eq!(files(one_more.path(), "journal-").len(), left.len() + 1);

    // One snapshot alone removes nothing.
    let single = with_snapshots(Retention::Segments(0), &[150]);
    assert_eq!(files(single.path(), "journal-").len(), all);

    let journal = FileJournal::open(folder.path()).unwrap();
    let whole = FileJournal::read_only(kept.path()).unwrap();
    assert_eq!((journal.durable(), journal.head_hash()), (200, whole.head_hash()));
    assert_eq!(state(&journal), Some((150, "state 150".to_owned())));
    // The genesis is still there, and then the gap is named.
    let mut seen = Vec::new();
    let error = journal.replay(&mut |record| {
        seen.push(record.sequence);
        Ok(())
    });
    let Err(JournalError::Removed { from, to, .. }) = error else { panic!("{error:?}") };
    assert_eq!(seen, (0..from).collect::<Vec<_>>());
    assert!(from > 0 && to < 100, "{from} to {to}");
    let verified = FileJournal::read_only(folder.path()).unwrap().verify().unwrap();
    assert_eq!(verified.removed, Some((from, to)));
    for first in [to + 1, 100, 150, 199] {
        assert_eq!(numbers(&journal, first).unwrap(), (first..200).collect::<Vec<_>>());
    }
    for first in [from, to] {
        assert!(matches!(numbers(&journal, first), Err(JournalError::Removed { .. })));
    }
}

/// What the older snapshot stands for is removed only while that can be read.
#[test]
fn nothing_is_removed_when_the_older_snapshot_is_spoilt() {
    for spoilt in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal =
            FileJournal::begin_with(folder.path(), &[], options(Retention::Segments(0))).unwrap();
        for sequence in [100, 150] {
            while journal.durable() < sequence {
                add_group(&mut journal, 5);
            }
            if let (true, [older]) = (spoilt, files(folder.path(), "snapshot").as_slice()) {
                flip(older, 70);
            }
            journal.save_snapshot(sequence, b"state").unwrap();
        }
        let removed = FileJournal::read_only(folder.path()).unwrap().verify().unwrap().removed;
        assert_eq!(removed.is_none(), spoilt);
    }
}

/// With the newest snapshot gone the one before it still has all that it needs; with both gone the gap is an error.
#[test]
fn what_the_older_snapshot_needs_is_still_there() {
    let folder = with_snapshots(Retention::Segments(0), &[50, 100, 150]);
    let snapshots = files(folder.path(), "snapshot");
    flip(&snapshots[1], 70);
    let mut journal = FileJournal::open_with(folder.path(), options(Retention::Segments(0))).unwrap();
    assert_eq!(state(&journal), Some((100, "state 100".to_owned())));
    assert_eq!(journal.durable(), 200);
    let before = files(folder.path(), "journal-").len();
    journal.save_snapshot(200, b"state 200").unwrap();
    assert_eq!(files(folder.path(), "journal-").len(), before, "only one sound snapshot was there");
    drop(journal);
    for path in files(folder.path(), "snapshot") {
        std::fs::remove_file(path).unwrap();
    }
    let error = FileJournal::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no snapshot stands for them"), "{error}");
}

/// Damage behind the snapshot is named as such, also where a gap lies before it.
#[test]
fn damage_behind_a_snapshot_is_not_taken_for_a_gap() {
    let folder = with_snapshots(Retention::Segments(0), &[50, 100, 150]);
    let last = files(folder.path(), "journal-").pop().unwrap();
    flip(&last, 80);
    match FileJournal::open(folder.path()) {
        Err(JournalError::Damaged { path, offset, .. }) => {
            assert_eq!((path, offset), (last.display().to_string(), 56));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_and_file_agree_on_snapshots() {
    let mut journal = MemoryJournal::new();
    assert_eq!(journal.snapshot().unwrap(), None);
    add_group(&mut journal, 7);
    journal.save_snapshot(7, b"seven").unwrap();
    add_group(&mut journal, 2);
    assert_eq!(journal.snapshot().unwrap(), Some((7, b"seven".to_vec())));
    assert_eq!((numbers(&journal, 7).unwrap(), read(&journal).unwrap().len()), (vec![7, 8], 9));
    assert!(!journal.release_reserve().unwrap());
}
