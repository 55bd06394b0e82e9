//! The state file of a process that is killed at any moment or has no room on its disk.
//!
//! A program of its own: a child that has just been forked holds, until it runs another program, every lock of its parent, and with
//! it those of tests beside this one.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod state_folder;

use mts_riskengine::store::{RiskStore, StateFile};
use state_folder::Folder;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One test at a time, for the same reason.
static ALONE: Mutex<()> = Mutex::new(());

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
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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
