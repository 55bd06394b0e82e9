//! The journal in a file: writing, going on, locking, reading beside a writer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use common::{GROUPS, add_group, assert_holds, read, record, sample};
use mts_foundation::journal::{Journal, JournalError, MAX_RECORD_BYTES};
use mts_journal::{
    COMMIT_KIND, FILE_NAME, FileJournal, JournalOptions, LOCK_NAME, MemoryJournal, SyncPolicy,
};
use proptest::prelude::*;

fn kind(error: &JournalError) -> Option<ErrorKind> {
    if let JournalError::Io { source, .. } = error { Some(source.kind()) } else { None }
}

#[test]
fn what_goes_in_comes_out_after_any_number_of_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap();
    let mut memory = MemoryJournal::new();
    assert_holds(&journal, 0);
    for (round, count) in (1u64..).zip(GROUPS) {
        add_group(&mut journal, count);
        add_group(&mut memory, count);
        assert_eq!((journal.syncs(), journal.head_hash()), (1, memory.head_hash()), "round {round}");
        assert_holds(&journal, memory.durable());
        drop(journal);
        journal = FileJournal::open(folder.path()).unwrap();
        assert_eq!((journal.head_hash(), journal.recovered_bytes()), (memory.head_hash(), 0));
        assert_holds(&journal, memory.durable());
    }
    assert_eq!(std::fs::read(folder.path().join(FILE_NAME)).unwrap(), memory.bytes());
    assert_eq!(memory.bytes(), sample().0);
}

#[test]
fn only_what_is_committed_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap();
    add_group(&mut journal, 3);
    let written = journal.bytes_written();
    journal.append(1, b"pending").unwrap();
    assert_eq!((journal.durable(), journal.next_sequence()), (3, 4));
    assert_eq!(read(&journal).unwrap().len(), 3);
    drop(journal);
    let mut journal = FileJournal::open(folder.path()).unwrap();
    assert_holds(&journal, 3);
    journal.commit().unwrap();
    journal.commit().unwrap();
    assert_eq!((journal.bytes_written(), journal.syncs()), (0, 0), "an empty commit writes nothing");
    assert_eq!(
        std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().len(),
        common::HEAD as u64 + written
    );
}

#[test]
fn the_longest_record_fits_and_a_longer_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap().with_sync(SyncPolicy::WriteOnly);
    let long: Vec<u8> = (0..=MAX_RECORD_BYTES).map(|place| (place % 251) as u8).collect();
    journal.append(2, b"").unwrap();
    assert!(matches!(journal.append(2, &long), Err(JournalError::TooLong { .. })));
    journal.append(2, &long[1..]).unwrap();
    assert_eq!(kind(&journal.append(COMMIT_KIND, b"").unwrap_err()), Some(ErrorKind::InvalidInput));
    journal.commit().unwrap();
    assert_eq!(journal.syncs(), 0);
    drop(journal);
    let journal = FileJournal::open(folder.path()).unwrap();
    let records = read(&journal).unwrap();
    assert_eq!((records.len(), records[0].payload.len()), (2, 0));
    assert!(records[1].payload == long[1..], "the long payload changed");
}

#[test]
fn one_writer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::create(folder.path()).unwrap();
    for _ in 0..2 {
        let path = folder.path().join(FILE_NAME).display().to_string();
        assert!(
            matches!(FileJournal::open(folder.path()), Err(JournalError::Locked { path: named }) if named == path)
        );
        assert!(matches!(FileJournal::create(folder.path()), Err(JournalError::Locked { .. })));
    }
    drop(journal);
    assert_eq!(kind(&FileJournal::create(folder.path()).unwrap_err()), Some(ErrorKind::AlreadyExists));
    drop(FileJournal::open(folder.path()).unwrap());
    FileJournal::open(folder.path()).unwrap();
}

#[test]
fn a_reader_beside_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(folder.path()).unwrap();
    add_group(&mut journal, 5);
    let before = FileJournal::read_only(folder.path()).unwrap();
    journal.append(0, b"pending").unwrap();
    assert_eq!(FileJournal::read_only(folder.path()).unwrap().durable(), 5);
    journal.commit().unwrap();
    let after = FileJournal::read_only(folder.path()).unwrap();
    assert_eq!((before.durable(), after.durable()), (5, 6));
    assert_eq!((after.head_hash(), after.torn_bytes()), (journal.head_hash(), 0));
    let mut numbers = Vec::new();
    before
        .replay(&mut |record| {
            numbers.push(record.sequence);
            Ok(())
        })
        .unwrap();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

/// A reader never sees anything but whole groups, however the writer is caught.
#[test]
fn readers_of_a_busy_writer_see_whole_groups() {
    let options = JournalOptions { sync: SyncPolicy::WriteOnly, ..JournalOptions::default() };
    see_whole_groups(options, 300, 50, Duration::ZERO);
}

/// Looking over the room takes longer than the writer needs for its next group.
#[test]
fn readers_of_a_busy_writer_see_whole_groups_also_where_room_is_set_aside() {
    let options = JournalOptions { sync: SyncPolicy::WriteOnly, ..JournalOptions::live() };
    see_whole_groups(options, 1_000, 1, Duration::from_millis(1));
}

fn see_whole_groups(options: JournalOptions, groups: u64, group: u64, pause: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::begin_with(folder.path(), &[], options).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..groups {
                for _ in 0..group {
                    journal.append(1, &[9; 700]).unwrap();
                }
                journal.commit().unwrap();
                std::thread::sleep(pause);
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut last = 0;
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            let reader = FileJournal::read_only(folder.path()).unwrap();
            assert!(reader.durable() >= last && reader.durable().is_multiple_of(group));
            last = reader.durable();
            let mut count = 0;
            reader
                .replay(&mut |_| {
                    count += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(count, last);
        }
    });
}

#[test]
fn a_visitor_can_stop() {
    let mut journal = MemoryJournal::new();
    add_group(&mut journal, 4);
    let mut seen = 0;
    let stopped = journal.replay(&mut |record| {
        seen = record.sequence;
        if record.sequence == 2 { Err(JournalError::Stopped) } else { Ok(()) }
    });
    assert!(matches!(stopped, Err(JournalError::Stopped)));
    assert_eq!(seen, 2);
}

#[test]
fn a_missing_journal_is_an_error_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kind(&FileJournal::open(folder.path()).unwrap_err()), Some(ErrorKind::NotFound));
    assert_eq!(kind(&FileJournal::read_only(folder.path()).unwrap_err()), Some(ErrorKind::NotFound));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn reading_needs_no_lock_file() {
    let folder = tempfile::tempdir().unwrap();
    drop(FileJournal::create(folder.path()).unwrap());
    std::fs::remove_file(folder.path().join(LOCK_NAME)).unwrap();
    assert_eq!(FileJournal::read_only(folder.path()).unwrap().durable(), 0);
    assert!(!folder.path().join(LOCK_NAME).exists());
}

#[cfg(unix)]
#[test]
fn everything_is_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("runs/today");
    let _journal = FileJournal::create(&inner).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner.join(FILE_NAME)), 0o600);
    assert_eq!(mode(&inner.join(LOCK_NAME)), 0o600);
    assert_eq!((mode(&inner), mode(&folder.path().join("runs"))), (0o700, 0o700));
}

/// As for trading, but for the size of segments: several are begun before the kill.
fn as_live() -> JournalOptions {
    JournalOptions { segment_bytes: 5_000, reserve_bytes: 10_000, ..JournalOptions::live() }
}

/// The whole length of a journal's segments.
fn bytes(folder: &Path) -> u64 {
    let segments = FileJournal::read_only(folder).and_then(|reader| reader.segments());
    segments.map_or(0, |all| all.iter().map(|segment| segment.bytes).sum())
}

/// Not a test of its own: the process that [`a_killed_writer_frees_the_lock`] kills.
#[test]
#[ignore = "started by a_killed_writer_frees_the_lock"]
fn write_until_killed() {
    let Some(folder) = std::env::var_os("MTS_JOURNAL_VICTIM") else { return };
    let mut journal = FileJournal::begin_with(folder, &[], as_live()).unwrap();
    loop {
        add_group(&mut journal, 7);
        if journal.durable().is_multiple_of(70) {
            journal.save_snapshot(journal.durable(), b"state").unwrap();
        }
    }
}

#[test]
fn a_killed_writer_frees_the_lock() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "write_until_killed"])
            .env("MTS_JOURNAL_VICTIM", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while bytes(folder.path()) < 20_000 {
            assert!(victim.try_wait().unwrap().is_none(), "the writer ended by itself");
            std::thread::yield_now();
        }
        assert!(matches!(FileJournal::open(folder.path()), Err(JournalError::Locked { .. })));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let mut journal = FileJournal::open_with(folder.path(), as_live()).unwrap();
        assert!(journal.durable() > 7 && journal.durable().is_multiple_of(7));
        assert_holds(&journal, journal.durable());
        add_group(&mut journal, 1);
    }
}

#[derive(Debug, Clone)]
enum Act {
    Append(u16, Vec<u8>),
    Commit,
    Restart,
    Tear(usize),
    Save,
    SpoilSnapshot,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..COMMIT_KIND, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(kind, bytes)| Act::Append(kind, bytes)),
        3 => Just(Act::Commit),
        1 => Just(Act::Restart),
        1 => (0usize..300).prop_map(Act::Tear),
        1 => Just(Act::Save),
        1 => Just(Act::SpoilSnapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Against the simplest model: a list of committed and a list of pending records, and the last snapshot.
    #[test]
    fn like_two_lists(
        acts in prop::collection::vec(act(), 0..60),
        segment_bytes in 0u64..3000,
        preallocate: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = JournalOptions {
            segment_bytes,
            preallocate,
            sync: SyncPolicy::WriteOnly,
            ..JournalOptions::default()
        };
        let mut journal = FileJournal::begin_with(folder.path(), &[], options.clone()).unwrap();
        let mut saved = Vec::new();
        let (mut durable, mut pending) = (Vec::new(), Vec::new());
        for act in acts {
            match act {
                Act::Append(kind, payload) => {
                    let sequence = journal.append(kind, &payload).unwrap();
                    prop_assert_eq!(sequence, (durable.len() + pending.len()) as u64);
                    pending.push((kind, payload));
                }
                Act::Commit => {
                    journal.commit().unwrap();
                    durable.append(&mut pending);
                }
                Act::Restart | Act::Tear(_) => {
                    drop(journal);
                    pending.clear();
                    if let Act::Tear(length) = act {
                        let reader = FileJournal::read_only(folder.path()).unwrap();
                        let path = reader.segments().unwrap().pop().unwrap().path;
                        let torn = [std::fs::read(&path).unwrap(), vec![0xA5; length]].concat();
                        std::fs::write(&path, torn).unwrap();
                    }
                    journal = FileJournal::open_with(folder.path(), options.clone()).unwrap();
                }
                Act::Save => {
                    let sequence = journal.durable();
                    journal.save_snapshot(sequence, &sequence.to_le_bytes()).unwrap();
                    saved.retain(|other| *other != sequence);
                    saved.push(sequence);
                    // Two are kept.
                    saved.drain(..saved.len().saturating_sub(2));
                }
                Act::SpoilSnapshot => {
                    // The newest is gone; the one before it serves from the next start on.
                    if let Some(sequence) = saved.pop() {
                        drop(journal);
                        pending.clear();
                        let name = format!("snapshot-{sequence:020}.mts");
                        std::fs::write(folder.path().join(name), b"spoilt").unwrap();
                        journal = FileJournal::open_with(folder.path(), options.clone()).unwrap();
                    }
                }
            }
            prop_assert_eq!(journal.durable(), durable.len() as u64);
            let newest = saved.last().map(|sequence| (*sequence, sequence.to_le_bytes().to_vec()));
            prop_assert_eq!(journal.snapshot().unwrap(), newest);
        }
        let records: Vec<_> = read(&journal).unwrap().into_iter().map(|r| (r.kind, r.payload)).collect();
        prop_assert_eq!(records, durable);
        prop_assert_eq!(FileJournal::read_only(folder.path()).unwrap().head_hash(), journal.head_hash());
    }
}

#[test]
fn the_sample_is_varied() {
    assert!((0..64).any(|number| record(number).1.is_empty()));
    assert!((0..64).any(|number| record(number).0 == COMMIT_KIND - 1));
}
