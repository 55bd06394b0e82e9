//! R8 end to end: the real binary in paper mode under a wall clock that steps back half a second and jumps an hour either way,
//! also while it is down, by libfaketime, which puts itself between the program and the system (Debian: `libfaketime`). The monotonic clock stays true,
//! as it does on a machine whose clock is set.

#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a live engine is waited for in real time")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, mts, root, run, text};
use mts_foundation::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIBRARY: &str = "libfaketimeMT.so.1";

/// Where Debian and others put the library, or where `MTS_FAKETIME` says.
fn library() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MTS_FAKETIME") {
        return Some(PathBuf::from(named));
    }
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].into_iter().flat_map(|folder| {
        let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        below.chain([PathBuf::from(folder)]).collect::<Vec<_>>()
    });
    folders.map(|folder| folder.join("faketime").join(LIBRARY)).find(|path| path.exists())
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The records of the journal as JSON.
fn records(out: &Path) -> Vec<Value> {
    let done = run(["journal", "export", text(out)]);
    // A group that is being written is not read.
    done.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The times of all inputs, in their order.
fn times(records: &[Value]) -> Vec<Timestamp> {
    let inputs = records.iter().filter_map(|record| record.get("input")?.as_object()?.values().next());
    inputs.map(|input| input["time"].as_str().unwrap().parse().unwrap()).collect()
}

fn orders(out: &Path) -> usize {
    run(["orders", text(out), "--json", "--limit", "1000000"]).stdout.lines().count()
}

fn latest(out: &Path) -> Timestamp {
    *times(&records(out)).last().unwrap()
}

/// Waits until there are more orders: what is due is done, so timers are not held up.
fn goes_on(out: &Path, what: &str) {
    let (began, before) = (Instant::now(), orders(out));
    while orders(out) < before + 3 {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: no orders in 30 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The codes of all incidents, in their order.
fn incidents(out: &Path) -> Vec<String> {
    let listed = run(["incidents", text(out), "--json"]).stdout;
    let code = |line: &str| serde_json::from_str::<Value>(line).unwrap()["code"].as_str().unwrap().to_owned();
    listed.lines().map(code).collect()
}

/// Waits until the last incident is this one, and there are so many.
fn told(out: &Path, count: usize, code: &str) {
    let began = Instant::now();
    loop {
        let told = incidents(out);
        if told.len() == count && told.last().is_some_and(|last| last == code) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{count} incidents, the last {code}: {told:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Nothing that grows a position leaves any more, until two operators have resumed the firm.
fn halted_until_resumed(out: &Path) {
    let bought = ["order", "submit", "buy", "1", "KO", "--actor", "me", "--out", text(out)];
    let refused = run(bought);
    assert_eq!(refused.code, 7, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains("FIRM_HALTED"), "{}", refused.stdout);
    let resumed = run([
        "resume",
        "--firm",
        "--operator",
        "me",
        "--operator",
        "you",
        "--reason",
        "the clock is right",
        "--out",
        text(out),
    ]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let passed = run(bought);
    assert_eq!(passed.code, 0, "{}{}", passed.stdout, passed.stderr);
}

/// Time goes on evenly, ahead of the wall: it neither stands still until the wall has caught up, nor leaps.
fn runs_evenly(out: &Path, what: &str) {
    let (before, watch) = (latest(out), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    goes_on(out, what);
    let (passed, real) = (latest(out).since(before), watch.elapsed());
    assert!(
        passed > Duration::from_secs(1) && passed < real + Duration::from_secs(2),
        "{what}: {passed:?} in {real:?}"
    );
}

/// Ends it as SIGTERM does.
fn end(mut process: Running) {
    let id = process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let began = Instant::now();
    let code = loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            break status.code();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(code, Some(143));
}

#[test]
fn jumps_of_the_wall_clock_halt_and_neither_turn_time_back_nor_hold_up_what_is_due() {
    let Some(library) = library() else {
        let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        assert!(
            !ci,
            "libfaketime is not installed: apt-get install libfaketime, or set MTS_FAKETIME to the library"
        );
        eprintln!("SKIPPED: {LIBRARY} is not installed (Debian: libfaketime)");
        return;
    };
    let (folder, config) =
        changed("paper.toml", &[("[metrics]\nport = 9464\n", ""), ("every_ms = 20", "every_ms = 5")]);
    let (out, offset) = (folder.path().join("out"), folder.path().join("offset"));
    // Moved into place whole, so that no half of it is ever read.
    let set = |seconds: f64| {
        let beside = folder.path().join("offset.new");
        std::fs::write(&beside, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(&beside, &offset).unwrap();
    };
    set(0.0);
    let start = || {
        let mut command = Command::new(mts());
        command.current_dir(root()).args(["run", text(&config), "--out", text(&out), "--json"]);
        command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", &offset);
        command
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    };
    let process = start();
    let began = Instant::now();
    while orders(&out) < 3 {
        assert!(began.elapsed() < Duration::from_secs(60), "no orders in a minute");
        std::thread::sleep(Duration::from_millis(50));
    }

    let first = latest(&out);
    set(-0.5);
    goes_on(&out, "half a second back");
    assert_eq!(incidents(&out), Vec::<String>::new(), "that is no jump");
    set(3_600.0);
    told(&out, 1, "CLOCK_JUMP");
    halted_until_resumed(&out);
    goes_on(&out, "an hour forward");
    let forward = latest(&out);
    assert!(forward.since(first) >= Duration::from_secs(3_590), "the jump is taken: {first}, {forward}");
    set(-3_600.0);
    told(&out, 2, "CLOCK_JUMP");
    halted_until_resumed(&out);
    runs_evenly(&out, "two hours back");

    // The next process knows how late it was.
    end(process);
    let process = start();
    told(&out, 3, "CLOCK_BEHIND");
    runs_evenly(&out, "begun again, still back");
    set(0.0);
    told(&out, 4, "CLOCK_JUMP");
    goes_on(&out, "the right time again");

    let status = run(["status", text(&out), "--json"]).json();
    assert_eq!(status["unknown"].as_array().map(Vec::len), Some(0), "{status}");
    end(process);

    let records = records(&out);
    let times = times(&records);
    let back = times.iter().zip(times.iter().skip(1)).filter(|(earlier, later)| later < earlier).count();
    assert!(
        times.len() > 50 && back == 0,
        "{back} of {} inputs are earlier than the one before",
        times.len()
    );
    // Every stage of an order's life is behind the one before, over all jumps.
    for order in run(["orders", text(&out), "--json", "--limit", "1000000"]).stdout.lines() {
        let order: Value = serde_json::from_str(order).unwrap();
        let at = |name: &str| order["order"][name].as_str().map(|time| time.parse::<Timestamp>().unwrap());
        let stages: Vec<_> =
            ["created_at", "submitted_at", "accepted_at"].into_iter().filter_map(at).collect();
        assert!(stages.is_sorted(), "{order}");
    }
}
