//! The state file, cut, flipped, gone and older: never a lost halt, never a counter that begins anew.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod state_folder;

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_riskengine::store::{JournalStore, RISK_STATE, RiskStore, StateFile, StoreError};
use state_folder::Folder;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_state_comes_back_is_its_owners_and_has_one_writer() {
    let folder = Folder::with(b"first");
    let mut file = StateFile::open(folder.file()).unwrap();
    assert_eq!(file.load().unwrap().as_deref(), Some(b"first".as_slice()));
    assert!(matches!(StateFile::open(folder.file()), Err(StoreError::Locked { .. })));
    assert!(matches!(StateFile::replace(folder.file()), Err(StoreError::Locked { .. })));
    file.save(b"second").unwrap();
    drop(file);
    assert_eq!(folder.load().unwrap(), b"second");
    for entry in std::fs::read_dir(folder.0.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let folder = Folder::with(b"killed; high water 123456.78");
    let whole = std::fs::read(folder.file()).unwrap();
    for length in 0..whole.len() {
        std::fs::write(folder.file(), &whole[..length]).unwrap();
        assert!(matches!(folder.load(), Err(StoreError::Damaged { .. })), "cut at {length}");
    }
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(folder.file(), &bytes).unwrap();
        assert!(matches!(folder.load(), Err(StoreError::Damaged { .. })), "bit {bit}");
    }
    let mut longer = whole.clone();
    longer.push(b' ');
    std::fs::write(folder.file(), &longer).unwrap();
    assert!(matches!(folder.load(), Err(StoreError::Damaged { .. })));
    std::fs::write(folder.file(), &whole).unwrap();
    assert_eq!(folder.load().unwrap(), b"killed; high water 123456.78");
}

#[test]
fn what_was_being_written_when_the_process_died_changes_nothing() {
    let folder = Folder::with(b"old");
    let newer = Folder::with(b"old");
    StateFile::open(newer.file()).unwrap().save(b"newer").unwrap();
    let unfinished = std::fs::read(newer.file()).unwrap();
    let beside = folder.0.path().join("state.new");
    for length in 0..=unfinished.len() {
        std::fs::write(&beside, &unfinished[..length]).unwrap();
        assert_eq!(folder.load().unwrap(), b"old", "{length} bytes written");
    }
    // Put in place, and the process died before it noted the generation.
    std::fs::rename(&beside, folder.file()).unwrap();
    assert_eq!(folder.load().unwrap(), b"newer");
}

#[test]
fn a_file_that_is_gone_or_older_is_no_fresh_start() {
    let folder = Folder::with(b"one");
    let old = std::fs::read(folder.file()).unwrap();
    StateFile::open(folder.file()).unwrap().save(b"two").unwrap();
    std::fs::write(folder.file(), old).unwrap();
    assert!(matches!(folder.load(), Err(StoreError::Lost { .. })), "an older copy");
    std::fs::remove_file(folder.file()).unwrap();
    assert!(matches!(folder.load(), Err(StoreError::Lost { .. })), "deleted");
    assert!(matches!(StateFile::create(folder.file()), Err(StoreError::Lost { .. })));
    assert!(matches!(StateFile::open_or_create(folder.file()), Err(StoreError::Lost { .. })));
    let mut replaced = StateFile::replace(folder.file()).unwrap();
    replaced.save(b"three").unwrap();
    drop(replaced);
    assert_eq!(folder.load().unwrap(), b"three");
    assert!(matches!(Folder::new().load(), Err(StoreError::Missing { .. })));
    assert!(matches!(StateFile::create(folder.file()), Err(StoreError::Exists { .. })));
}

#[test]
fn a_failed_save_is_the_last_one_and_leaves_the_old_state() {
    let folder = Folder::with(b"old");
    let mut file = StateFile::open(folder.file()).unwrap();
    // Where the file should come there is a folder: that refuses root, too, whom no rights bind.
    let beside = folder.0.path().join("state.new");
    std::fs::create_dir(&beside).unwrap();
    assert!(matches!(file.save(b"lost"), Err(StoreError::Io { .. })));
    std::fs::remove_dir(&beside).unwrap();
    assert!(matches!(file.save(b"lost"), Err(StoreError::Stopped { .. })), "no second try");
    drop(file);
    assert_eq!(folder.load().unwrap(), b"old");
}

/// A journal in memory that other records are in, too.
#[derive(Debug, Default)]
struct Log {
    records: Vec<JournalRecord>,
    full: bool,
}

impl Journal for Log {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        let sequence = self.next_sequence();
        self.records.push(JournalRecord { sequence, kind, payload: payload.to_vec() });
        Ok(sequence)
    }
    fn commit(&mut self) -> Result<(), JournalError> {
        if self.full { Err(JournalError::Stopped) } else { Ok(()) }
    }
    fn next_sequence(&self) -> Sequence {
        self.records.len() as u64
    }
    fn durable(&self) -> Sequence {
        self.next_sequence()
    }
    fn replay(
        &self,
        visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.records.iter().cloned().try_for_each(visit)
    }
}

#[test]
fn a_journal_keeps_the_state_among_other_records() {
    let mut log = Log::default();
    log.append(7, b"another kind").unwrap();
    let mut store = JournalStore::new(log);
    assert_eq!(store.load().unwrap(), None);
    store.save(b"one").unwrap();
    store.save(b"two").unwrap();
    assert_eq!(store.load().unwrap().as_deref(), Some(b"two".as_slice()));
    let mut full = Log { full: true, ..Log::default() };
    full.append(RISK_STATE, b"kept").unwrap();
    let mut store = JournalStore::new(full);
    assert!(store.save(b"lost").is_err());
}
