//! The state file, cut, flipped, without room and killed at any moment: never a lost halt, never a counter that begins anew.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use mts_riskengine::store::{JournalStore, RISK_STATE, RiskStore, StateFile, StoreError};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// A file with this state.
    fn with(state: &[u8]) -> Self {
        let folder = Self::new();
        StateFile::create(folder.file()).unwrap().save(state).unwrap();
        folder
    }

    fn load(&self) -> Result<Vec<u8>, StoreError> {
        StateFile::open(self.file())?.load().map(|state| state.unwrap_or_default())
    }
}

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

/// Runs this test program again as a child that saves; see [`child`].
fn saving(path: &Path, saves: u64, shell: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    let script = format!("{shell} exec \"$0\" child --exact --nocapture --ignored");
    command
        .args(["-c", &script])
        .arg(this)
        .env("MTS_TEST_STATE", path)
        .env("MTS_TEST_SAVES", saves.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Not a test of its own: what the children of the others do. It says each number once its save has returned.
#[test]
#[ignore = "started by other tests"]
fn child() {
    let Some(path) = std::env::var_os("MTS_TEST_STATE") else { return };
    let saves: u64 = std::env::var("MTS_TEST_SAVES").unwrap().parse().unwrap();
    let mut file = StateFile::open_or_create(PathBuf::from(path)).unwrap();
    let before = file.load().unwrap().unwrap_or_default();
    let first: u64 = String::from_utf8(before).unwrap().trim().parse().unwrap_or(0);
    for number in first + 1..=first.saturating_add(saves) {
        // Longer than a block, so that a write can end in the middle.
        if let Err(error) = file.save(format!("{number:>3000}").as_bytes()) {
            panic!("refused {error}");
        }
        println!("saved {number}");
    }
}

fn numbers(text: impl Iterator<Item = String>) -> Option<u64> {
    text.filter_map(|line| line.trim().strip_prefix("saved ")?.parse().ok()).last()
}

fn number_in(folder: &Folder) -> u64 {
    String::from_utf8(folder.load().unwrap()).unwrap().trim().parse().unwrap()
}

#[test]
fn a_process_that_is_killed_at_any_moment_loses_nothing_that_it_said_was_saved() {
    let folder = Folder::with(b"0");
    let mut said;
    for round in 0..20 {
        let mut process = saving(&folder.file(), u64::MAX / 2, "").spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        // It is at work once it has said two numbers, however loaded the machine is.
        let at_work = lines.by_ref().filter(|line| line.trim().starts_with("saved ")).take(2);
        said = numbers(at_work).unwrap();
        let reader = std::thread::spawn(move || numbers(lines));
        std::thread::sleep(Duration::from_micros(701 * round));
        process.kill().unwrap();
        process.wait().unwrap();
        said = reader.join().unwrap().unwrap_or(said);
        let kept = number_in(&folder);
        assert!(kept == said || kept == said + 1, "{kept} is kept, {said} was said");
    }
}

#[test]
fn a_disk_without_room_refuses_and_keeps_the_old_state() {
    let folder = Folder::with(b"0");
    let enough = saving(&folder.file(), 3, "").output().unwrap();
    assert!(enough.status.success());
    // At most two blocks of 512 bytes a file; the signal that goes with it is ignored, so that the write fails.
    let full = saving(&folder.file(), 3, "trap '' XFSZ; ulimit -f 2;").output().unwrap();
    assert!(!full.status.success());
    let said = String::from_utf8_lossy(&full.stderr).into_owned() + &String::from_utf8_lossy(&full.stdout);
    assert!(said.contains("refused risk state") && said.contains("writing failed"), "{said}");
    assert_eq!(number_in(&folder), 3);
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
