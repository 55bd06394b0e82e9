#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::OpenOptions;

use super::*;
use crate::FILE_NAME;

/// A journal with one durable record whose file is then exchanged for `path`.
fn with_file(path: &str, open: &OpenOptions) -> (tempfile::TempDir, FileJournal) {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap();
    journal.append(1, b"kept").unwrap();
    journal.commit().unwrap();
    let path = if path.is_empty() { folder.path().join(FILE_NAME) } else { PathBuf::from(path) };
    journal.file = open.open(path).unwrap();
    (folder, journal)
}

/// Appends and commits, which fails in `operation`; from then on nothing works but reading, and a restart finds what
/// was durable.
fn assert_stops(folder: &tempfile::TempDir, mut journal: FileJournal, operation: &str) {
    let hash = journal.head_hash();
    assert_eq!(journal.append(1, b"lost").unwrap(), 1);
    assert_eq!(journal.next_sequence(), 2);
    match journal.commit() {
        Err(JournalError::Io { operation: failed, .. }) => assert_eq!(failed, operation),
        other => panic!("{other:?}"),
    }
    assert!(journal.is_stopped());
    assert!(matches!(journal.append(1, b"x"), Err(JournalError::Stopped)));
    assert!(matches!(journal.commit(), Err(JournalError::Stopped)));
    assert!(matches!(journal.commit(), Err(JournalError::Stopped)));
    assert_eq!((journal.durable(), journal.next_sequence(), journal.syncs()), (1, 1, 1));
    assert_eq!(journal.head_hash(), hash);
    drop(journal);
    let again = FileJournal::open(folder.path()).unwrap();
    assert_eq!((again.durable(), again.head_hash()), (1, hash));
}

#[test]
fn a_failed_write_stops_the_journal_but_not_its_reading() {
    let (folder, journal) = with_file("", OpenOptions::new().read(true));
    let mut seen = Vec::new();
    journal
        .replay(&mut |record| {
            seen.push(record.payload);
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, [b"kept"]);
    assert_stops(&folder, journal, "write");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_journal() {
    let (folder, journal) = with_file("/dev/full", OpenOptions::new().append(true));
    assert_stops(&folder, journal, "write");
}

/// With a reserve a full disk ends nothing at once: what was pending and the cancels still become durable.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_room_for_the_cancels_where_there_is_a_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let reserve = folder.path().join(crate::reserve::RESERVE_NAME);
    let options = JournalOptions { reserve_bytes: 100_000, ..JournalOptions::default() };
    let mut journal = FileJournal::begin_with(folder.path(), &[(1, b"genesis")], options.clone()).unwrap();
    assert!(journal.has_reserve() && reserve.exists());
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let file = std::mem::replace(&mut journal.file, full);
    journal.append(1, b"order").unwrap();
    for _ in 0..2 {
        let error = journal.commit().unwrap_err();
        assert!(error.is_disk_full(), "{error}");
        assert!(journal.append(1, b"another order").unwrap_err().is_disk_full());
    }
    assert_eq!((journal.is_stopped(), journal.durable(), journal.next_sequence()), (false, 1, 2));
    // The write left half of itself.
    journal.file = file;
    system::write_at(&journal.file, journal.trail.head.offset, b"half a gro").unwrap();
    assert!(journal.release_reserve().unwrap());
    assert!(!journal.has_reserve() && !reserve.exists());
    assert_eq!(journal.append(2, b"cancel").unwrap(), 2);
    journal.commit().unwrap();
    assert_eq!(journal.durable(), 3);
    assert!(!journal.release_reserve().unwrap(), "there is only one");
    // The second time it is final.
    journal.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    journal.append(2, b"too late").unwrap();
    assert!(journal.commit().unwrap_err().is_disk_full());
    assert!(journal.is_stopped() && matches!(journal.release_reserve(), Err(JournalError::Stopped)));
    drop(journal);
    let journal = FileJournal::open_with(folder.path(), options).unwrap();
    assert_eq!((journal.durable(), journal.recovered_bytes(), reserve.exists()), (3, 0, true));
}

/// Nothing of a full disk's room goes into a new segment while the reserve is being used up.
#[test]
fn no_segment_is_begun_on_the_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions { reserve_bytes: 100, segment_bytes: 200, ..JournalOptions::default() };
    let mut journal = FileJournal::begin_with(folder.path(), &[], options).unwrap();
    let mut add = |release: bool| {
        if release {
            assert!(journal.release_reserve().unwrap());
        }
        for _ in 0..5 {
            journal.append(1, &[7; 60]).unwrap();
            journal.commit().unwrap();
        }
        journal.trail.segments.len()
    };
    assert_eq!((add(false), add(true)), (5, 5));
}

/// A sync of `/dev/null` is an error, a write is not.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_sync_stops_the_journal_whether_there_is_a_reserve_or_not() {
    for bytes in [0, 1000] {
        let (folder, mut journal) = with_file("/dev/null", OpenOptions::new().append(true));
        journal.reserve = Reserve::keep(folder.path(), bytes);
        assert_stops(&folder, journal, "sync");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn write_only_does_not_sync() {
    let (_folder, journal) = with_file("/dev/null", OpenOptions::new().append(true));
    let mut journal = journal.with_sync(SyncPolicy::WriteOnly);
    journal.append(1, b"x").unwrap();
    journal.commit().unwrap();
    assert_eq!((journal.durable(), journal.syncs()), (2, 1));
}

#[test]
fn a_journal_begins_with_its_records_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(STAGING_NAME), b"left by a start that was killed").unwrap();
    let journal = FileJournal::begin(folder.path(), &[(1, b"genesis"), (2, b"more")]).unwrap();
    assert_eq!((journal.durable(), folder.path().join(STAGING_NAME).exists()), (2, false));
    assert!(matches!(FileJournal::begin(folder.path(), &[]), Err(JournalError::Locked { .. })));
    drop(journal);
    let error = FileJournal::begin(folder.path(), &[(1, b"other")]).unwrap_err();
    assert!(error.to_string().contains("there is a journal already"), "{error}");
    assert_eq!(FileJournal::open(folder.path()).unwrap().durable(), 2);
}

/// Eight start at once: one begins, the others are told, and what it wrote stays.
#[test]
fn of_several_starts_at_once_one_begins() {
    let folder = tempfile::tempdir().unwrap();
    let started: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u8)
            .map(|number| {
                let path = folder.path();
                scope.spawn(move || {
                    FileJournal::begin(path, &[(1, &[number])]).map(|journal| (number, journal))
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
    });
    let [(number, _)] = started.as_slice() else { panic!("{} began", started.len()) };
    let mut found = Vec::new();
    let visit = &mut |record: JournalRecord| {
        found.push(record.payload.to_vec());
        Ok(())
    };
    FileJournal::read_only(folder.path()).unwrap().replay(visit).unwrap();
    assert_eq!(found, [vec![*number]]);
}
