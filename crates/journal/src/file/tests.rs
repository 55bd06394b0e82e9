#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::OpenOptions;

use super::*;

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

/// A sync of `/dev/null` is an error, a write is not.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_sync_stops_the_journal() {
    let (folder, journal) = with_file("/dev/null", OpenOptions::new().append(true));
    assert_stops(&folder, journal, "sync");
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
