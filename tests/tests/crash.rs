//! Killed at any moment and started again, a run ends in the same state.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, mts, root, run, start, text};
use std::path::Path;
use std::time::Duration;

/// A shorter run, so that many crashes fit: 1,006 sessions with 45 rebalances.
fn short() -> (tempfile::TempDir, std::path::PathBuf) {
    changed("momentum.toml", &[("end = 2022-12-31", "end = 2003-12-31")])
}

fn hash(config: &Path, out: &Path) -> String {
    let result = run(["run", text(config), "--out", text(out), "--json"]).json();
    assert_eq!(result["incidents"], 0);
    result["state_hash"].as_str().unwrap().to_owned()
}

fn journal_bytes(out: &Path) -> u64 {
    std::fs::metadata(out.join("journal.mts")).map_or(0, |file| file.len())
}

/// Kills the run once its journal has grown to so many bytes; false when it was done before.
fn kill_at(config: &Path, out: &Path, bytes: u64) -> bool {
    let mut child = start(["run", text(config), "--out", text(out), "--json"]);
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if journal_bytes(out) >= bytes {
            // SIGKILL: nothing is flushed, nothing is said.
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_run_killed_at_many_points_ends_in_the_same_state() {
    let (_folder, config) = short();
    let whole = folder();
    let expected = hash(&config, whole.path());
    let total = journal_bytes(whole.path());
    let mut killed = 0;
    for point in 0..24 {
        let out = folder();
        if kill_at(&config, out.path(), total * point / 24) {
            killed += 1;
        }
        assert_eq!(hash(&config, out.path()), expected, "killed at {point}/24 of the journal");
    }
    assert!(killed >= 12, "only {killed} of 24 runs were killed before their end: the test shows nothing");
}

#[test]
fn a_run_killed_again_and_again_ends_in_the_same_state() {
    let (_folder, config) = short();
    let whole = folder();
    let expected = hash(&config, whole.path());
    let total = journal_bytes(whole.path());
    let out = folder();
    let mut killed = 0;
    for step in 1..=16 {
        if kill_at(&config, out.path(), total * step / 17) {
            killed += 1;
        }
    }
    assert!(killed >= 6, "only {killed} kills");
    assert_eq!(hash(&config, out.path()), expected);
}

/// What a power cut leaves: the journal up to any byte. Resumed from there, the end is the same.
#[test]
fn a_journal_cut_anywhere_leads_to_the_same_state() {
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-12-29")]);
    let whole = folder();
    let expected = hash(&config, whole.path());
    let bytes = std::fs::read(whole.path().join("journal.mts")).unwrap();
    // The first group holds the configuration; before its end there is no run yet. Around its record stand the header of
    // the segment (56 bytes), what every record has (20) and the commit record (52).
    let begun = mts_journal::FileJournal::read_only(whole.path()).unwrap().first_record().unwrap().unwrap();
    let first = 56 + 20 + begun.payload.len() + 52;
    for point in 0..40 {
        let at = first + (bytes.len() - first) * point / 40 + point * 13 % 97;
        let out = folder();
        std::fs::write(out.path().join("journal.mts"), &bytes[..at.min(bytes.len())]).unwrap();
        assert_eq!(hash(&config, out.path()), expected, "cut at byte {at} of {}", bytes.len());
    }
}

#[test]
fn a_damaged_or_emptied_journal_is_refused_not_restarted() {
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-12-29")]);
    let out = folder();
    hash(&config, out.path());
    let journal = out.path().join("journal.mts");
    let mut bytes = std::fs::read(&journal).unwrap();
    std::fs::remove_file(out.path().join("result.json")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let damaged = run(["run", text(&config), "--out", text(out.path())]);
    assert_eq!(damaged.code, 5, "{}", damaged.stderr);
    assert!(damaged.stderr.contains("damaged at byte"), "{}", damaged.stderr);
    std::fs::write(&journal, &bytes[..16]).unwrap();
    let emptied = run(["run", text(&config), "--out", text(out.path())]);
    assert_eq!(emptied.code, 5, "{}", emptied.stderr);
    assert!(emptied.stderr.contains("journal is empty although the run existed"), "{}", emptied.stderr);
}

#[test]
fn two_processes_do_not_write_one_run() {
    let (_folder, config) = short();
    let out = folder();
    assert!(kill_at(&config, out.path(), 2_000), "the run was too quick to be caught");
    let lock = std::fs::File::options().write(true).open(out.path().join("journal.lock")).unwrap();
    lock.try_lock().unwrap();
    let second = run(["run", text(&config), "--out", text(out.path())]);
    assert_eq!(second.code, 5, "{}", second.stderr);
    assert!(second.stderr.contains("in use by another process"), "{}", second.stderr);
}

/// Two starts at the same moment: whoever comes second is told, or goes on after the first; the run is whole.
#[test]
fn two_starts_at_once_make_one_run() {
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-12-29")]);
    let expected = hash(&config, folder().path());
    for _ in 0..8 {
        let out = folder();
        let args = || ["run", text(&config), "--out", text(out.path()), "--json"];
        for mut child in [start(args()), start(args())] {
            let code = child.wait().unwrap().code();
            assert!(matches!(code, Some(0 | 5)), "{code:?}");
        }
        let result = run(args()).json();
        assert_eq!(result["state_hash"], expected.as_str());
        assert_eq!((result["sessions"].as_u64(), result["finished"].as_bool()), (Some(252), Some(true)));
    }
}

#[test]
fn the_binary_is_the_one_of_this_tree() {
    assert!(mts().exists() && mts().starts_with(root()) || std::env::var_os("CARGO_TARGET_DIR").is_some());
}
