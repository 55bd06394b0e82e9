//! The real binary on a disk that fails: strace makes system calls fail, and a small file system in memory fills up. New orders
//! stop, cancellations still go, the exit code says so, and the next start is clean. The venue's log is the truth.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "a live engine is waited for in real time")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a helper that fails fails its test, and figures are printed"
)]

mod common;
#[path = "common/rehearsal.rs"]
mod rehearsal;

use common::{mts, text};
use mts_foundation::Timestamp;
use rehearsal::{Rehearsal, draw, many, now, string, time_of, until};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Positions of each fault: `MTS_DISK_FAULTS` (2); which ones: `MTS_DISK_SEED`.
fn positions() -> Vec<u64> {
    let mut seed = many("MTS_DISK_SEED", 362_436_069) as u64;
    (0..many("MTS_DISK_FAULTS", 2)).map(|_| 20 + draw(&mut seed) % 60).collect()
}

/// Whether strace is there and may trace. In CI it must be.
fn strace_works() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = tried.is_ok_and(|status| status.success());
    if !works {
        let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        assert!(!ci, "strace is missing or may not trace; .ci/run installs it");
        eprintln!("skipped: strace is missing or may not trace; install it (apt-get install strace)");
    }
    works
}

/// The engine under strace, with one system call on the journal that fails.
fn traced(rehearsal: &Rehearsal, call: &str, fault: &str) -> (Command, PathBuf) {
    let trace = rehearsal.folder().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-ttt", "--seccomp-bpf", "-qq", "-o", text(&trace)]);
    command.args(["-P", text(&rehearsal.out.join("journal.mts")), "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{fault}"), text(mts())]);
    (command, trace)
}

/// When strace made the call fail.
fn injected(trace: &Path) -> Option<Timestamp> {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    let line = text.lines().find(|line| line.contains("(INJECTED)") || line.contains("(DELAYED)"))?;
    // "4711 1795281062.123456 fdatasync(…"
    let (seconds, micros) = line.split_whitespace().nth(1)?.split_once('.')?;
    Some(Timestamp::from_nanos(
        seconds.parse::<i64>().ok()? * 1_000_000_000 + micros.parse::<i64>().ok()? * 1_000,
    ))
}

/// The disk failed at an instant: what the venue saw since, and that the next start is clean.
fn fails_safe(what: &str, rehearsal: &mut Rehearsal, failed: impl FnOnce() -> Option<Timestamp>) {
    let output = rehearsal.ended(Duration::from_secs(60));
    let ended = now();
    let failed = failed().unwrap_or_else(|| panic!("{what}: nothing failed: {}", rehearsal.errors()));
    assert_eq!(output.status.code(), Some(5), "{what}: {}", rehearsal.errors());
    std::thread::sleep(Duration::from_millis(200));
    let second = failed.plus(Duration::from_secs(1));
    let log = rehearsal.log();
    let late: Vec<String> = log
        .iter()
        .filter(|line| line.get("order").is_some() && time_of(line) > second)
        .map(|line| string(&line["order"]["order"]["order_id"]))
        .collect();
    assert!(late.is_empty(), "{what}: orders came more than a second after the disk failed: {late:?}");
    let working = rehearsal.working(failed);
    let asked: Vec<Timestamp> = log
        .iter()
        .filter(|line| {
            line["cancel"]["key"].as_str().is_some_and(|key| working.iter().any(|working| working == key))
        })
        .map(time_of)
        .filter(|time| *time >= failed)
        .collect();
    let left = rehearsal.working(now());
    assert!(left.is_empty(), "{what}: {left:?} still work: {}", rehearsal.errors());
    let last = asked.iter().max().map_or(Duration::ZERO, |last| last.since(failed));
    println!(
        "{what}: {} orders worked, the last of {} cancellations came {} ms after the fault, the process ended after {} ms",
        working.len(),
        asked.len(),
        last.as_millis(),
        ended.since(failed).as_millis()
    );
    rehearsal.start();
    rehearsal.settle_and_compare();
}

/// One fault of one system call, at several moments.
fn strace_fault(what: &str, call: &str, fault: &str) {
    if !strace_works() {
        return;
    }
    for position in positions() {
        let mut rehearsal = Rehearsal::new(&[], &[]);
        let (command, trace) = traced(&rehearsal, call, &format!("{fault}:when={position}"));
        rehearsal.start_under(command);
        fails_safe(&format!("{what} at {call} {position}"), &mut rehearsal, || injected(&trace));
    }
}

#[test]
fn a_sync_that_fails_ends_new_orders_and_cancels() {
    strace_fault("EIO", "fdatasync", "error=EIO");
}

#[test]
fn a_write_without_room_ends_new_orders_and_cancels() {
    strace_fault("ENOSPC", "pwrite64", "error=ENOSPC");
}

#[test]
fn a_write_that_writes_nothing_ends_new_orders_and_cancels() {
    strace_fault("short write", "pwrite64", "retval=0");
}

#[test]
fn nothing_leaves_while_a_sync_takes_its_time() {
    if !strace_works() {
        return;
    }
    let slow = Duration::from_millis(1_500);
    for position in positions() {
        let mut rehearsal = Rehearsal::new(&[], &[]);
        let fault = format!("delay_enter={}:when={position}", slow.as_micros());
        let (command, trace) = traced(&rehearsal, "fdatasync", &fault);
        rehearsal.start_under(command);
        until("the sync is slow", Duration::from_secs(60), || injected(&trace).is_some());
        let began = injected(&trace).unwrap();
        std::thread::sleep(slow);
        rehearsal.until_orders(5);
        // What was handed over before the sync began may still be under way.
        let (first, last) = (began.plus(Duration::from_millis(200)), began.plus(slow));
        let log = rehearsal.log();
        let meanwhile =
            log.iter().filter(|line| line.get("order").is_some() && (first..last).contains(&time_of(line)));
        assert_eq!(meanwhile.count(), 0, "orders left before their record was durable");
        println!("slow sync {position}: nothing left for {} ms", slow.as_millis());
        end_traced(&rehearsal);
        rehearsal.engine = None;
        rehearsal.start();
        rehearsal.settle_and_compare();
    }
}

/// Ends the engine that strace traces, in order.
fn end_traced(rehearsal: &Rehearsal) {
    let tracer = rehearsal.engine.as_ref().unwrap().id();
    let children = std::fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children")).unwrap();
    let engine = children.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-TERM", engine]).status().unwrap().success());
    until("the traced engine ends", Duration::from_secs(20), || {
        !Path::new(&format!("/proc/{engine}/exe")).exists()
    });
}

/// A small file system in memory, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// At the place of the run's folder; `None` where mounting is not permitted.
    fn mount(place: &Path) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "mts-test", text(place)]);
        if !command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: no file system may be mounted here");
            return None;
        }
        Some(Self(place.to_path_buf()))
    }

    /// Takes all the room that is left; when it was gone.
    fn fill(&self) -> Timestamp {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
        now()
    }

    /// Gives the room back.
    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

#[test]
fn a_disk_that_is_full_ends_new_orders_and_cancels() {
    for _ in positions() {
        let mut rehearsal = Rehearsal::new(&[], &[]);
        let Some(disk) = SmallDisk::mount(&rehearsal.out) else { return };
        rehearsal.start();
        rehearsal.until_orders(20);
        let full = disk.fill();
        fails_safe("full disk", &mut rehearsal, || {
            disk.empty();
            Some(full)
        });
    }
}

#[test]
fn the_kill_switch_cancels_on_a_full_disk() {
    let mut rehearsal = Rehearsal::new(&[], &[]);
    let Some(disk) = SmallDisk::mount(&rehearsal.out) else { return };
    rehearsal.start();
    rehearsal.until_orders(20);
    until("something rests", Duration::from_secs(10), || rehearsal.working(now()).len() > 3);
    // An engine that hangs cannot do it in its place.
    rehearsal.signal("-STOP");
    let stopped = now();
    std::thread::sleep(Duration::from_millis(100));
    disk.fill();
    let began = now();
    let working = rehearsal.working(began);
    let mut command = Command::new(mts());
    command.args(["kill", "--reason", "drill", "--actor", "me", "--out", text(&rehearsal.out)]);
    let process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let client = format!("mts {}", process.id());
    let said = String::from_utf8_lossy(&process.wait_with_output().unwrap().stderr).into_owned();
    assert!(rehearsal.out.join("KILL").exists(), "{said}");
    let log = rehearsal.log();
    let mut last = began;
    for key in &working {
        let by_kill = |line: &&serde_json::Value| {
            line["cancel"]["key"] == key.as_str() && line["cancel"]["client"] == client.as_str()
        };
        let asked = log.iter().find(by_kill).unwrap_or_else(|| panic!("{key} was not asked for: {said}"));
        last = last.max(time_of(asked));
    }
    let took = last.since(began);
    assert!(took < Duration::from_secs(2), "the last cancellation came after {took:?}");
    println!(
        "full disk: {} orders worked, the last was asked for after {} ms",
        working.len(),
        took.as_millis()
    );
    rehearsal.signal("-CONT");
    let output = rehearsal.ended(Duration::from_secs(30));
    assert_eq!(output.status.code(), Some(5), "{}", rehearsal.errors());
    assert_eq!(rehearsal.made_after(stopped), Vec::<String>::new(), "the engine sends again");
    disk.empty();
    rehearsal.start();
    until("the flag is taken", Duration::from_secs(20), || !rehearsal.out.join("KILL").exists());
    rehearsal.settle_and_compare();
    assert_eq!(rehearsal.working(now()), Vec::<String>::new(), "what was on its way is cancelled too");
}
