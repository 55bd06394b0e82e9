//! The real binary against a venue in another process: what survives `kill -9`, and what `mts kill` reaches. The venue's log
//! is the truth.

#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a live engine is waited for in real time")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test, and figures are printed"
)]

mod common;
#[path = "common/rehearsal.rs"]
mod rehearsal;

use common::{mts, text};
use mts_foundation::Timestamp;
use rehearsal::{Rehearsal, UNDER_WAY, draw, many, now, string, time_of, until};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

/// `MTS_KILLS` says how often (20), `MTS_KILL_SEED` which moments.
#[test]
fn killed_at_random_moments_it_books_what_the_venue_did() {
    let (kills, mut seed) = (many("MTS_KILLS", 20), many("MTS_KILL_SEED", 88_172_645) as u64);
    let faults = ["--latency-ms", "15", "--drop-acks", "10", "--cut", "5", "--seed", "7"];
    let mut rehearsal = Rehearsal::new(&faults, &[]);
    let mut early = 0;
    for round in 0..kills {
        rehearsal.start();
        // One time while it starts and recovers, the other while it trades.
        let longest = if round % 2 == 0 { 500_000 } else { 100_000 };
        if round % 2 == 0 {
            early += 1;
        } else {
            rehearsal.until_orders(3);
        }
        std::thread::sleep(Duration::from_micros(draw(&mut seed) % longest));
        if round % 20 == 19 && round + 1 < kills {
            // An order is sent again within 30 seconds and after two answers that nobody knows it, and given up when it
            // cannot be under way any more, which takes minutes. Most of these lives are too short for either; the last one,
            // after all kills, is not.
            rehearsal.until_what_is_unknown_is_known();
            println!("{} kills, {} orders at the venue", round + 1, rehearsal.orders_at_the_venue());
        }
        rehearsal.kill();
    }
    rehearsal.start();
    rehearsal.until_orders(10);
    println!("{kills} kills, {early} of them within 0.5 s of the start");
    rehearsal.settle_and_compare();
}

/// What `mts kill` has done, in its own words, and when it was started and had set the flag, by the test's clock.
struct Killed {
    began: Timestamp,
    flagged: Timestamp,
    /// Who the venue says asked.
    client: String,
    code: i32,
    said: String,
}

fn kill(rehearsal: &Rehearsal) -> Killed {
    let began = now();
    let mut command = Command::new(mts());
    command.args(["kill", "--reason", "drill", "--actor", "me", "--out", text(&rehearsal.out)]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let client = format!("mts {}", process.id());
    let mut errors = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    errors.read_line(&mut said).unwrap();
    assert!(said.contains("the flag is set"), "{said}");
    let flagged = now();
    errors.read_to_string(&mut said).unwrap();
    let code = process.wait_with_output().unwrap().status.code().unwrap_or(-1);
    Killed { began, flagged, client, code, said }
}

/// Nothing new has left after the flag, and everything that worked was asked to be cancelled in time: how long it took until
/// the last of it was, in milliseconds, and how many there were.
fn drill_holds(what: &str, rehearsal: &Rehearsal, killed: &Killed, own: bool, within: Duration) {
    // What was under way arrives.
    std::thread::sleep(Duration::from_millis(500));
    let log = rehearsal.log();
    let mut late = Vec::new();
    for line in log.iter().filter(|line| line.get("order").is_some()) {
        let made: Timestamp = serde_json::from_value(line["order"]["order"]["submitted_at"].clone()).unwrap();
        // What was made before may have been on its way.
        if made > killed.flagged || time_of(line) > killed.flagged.plus(UNDER_WAY) {
            late.push(string(&line["order"]["order"]["order_id"]));
        }
    }
    assert!(late.is_empty(), "{what}: orders left after the flag: {late:?}");
    let working = rehearsal.working(killed.began);
    let mut last = killed.began;
    let mut by_kill = 0;
    for key in &working {
        let asked = log.iter().find(|line| {
            line["cancel"]["key"] == key.as_str()
                && time_of(line) >= killed.began
                && (!own || line["cancel"]["client"] == killed.client.as_str())
        });
        match asked {
            Some(line) => {
                last = last.max(time_of(line));
                by_kill += usize::from(line["cancel"]["client"] == killed.client.as_str());
            }
            // It filled, or was cancelled by its strategy at that moment.
            None if !own && !rehearsal.working(killed.began.plus(within)).contains(key) => {}
            None => panic!("{what}: {key} was not asked to be cancelled: {}", killed.said),
        }
    }
    let took = last.since(killed.began);
    let left = rehearsal.working(now());
    assert!(left.is_empty(), "{what}: {left:?} still work: {}", killed.said);
    assert!(took <= within, "{what}: the last cancellation came after {took:?}");
    assert!(!working.is_empty(), "{what}: nothing worked when it was killed");
    println!(
        "{what}: {} orders worked, {by_kill} were asked for first by mts kill, the last after {} ms",
        working.len(),
        took.as_millis()
    );
}

#[test]
fn the_kill_switch_reaches_a_normal_and_a_busy_engine() {
    for (what, changes) in
        [("normal", &[("every_ms = 2", "every_ms = 10")][..]), ("busy", &[("every = 3", "every = 1")])]
    {
        let mut rehearsal = Rehearsal::new(&[], &[]);
        for (from, to) in changes {
            let written = std::fs::read_to_string(&rehearsal.config).unwrap();
            assert!(written.contains(from), "{from}");
            std::fs::write(&rehearsal.config, written.replace(from, to)).unwrap();
        }
        rehearsal.start();
        rehearsal.until_orders(20);
        until("something rests", Duration::from_secs(10), || rehearsal.working(now()).len() > 3);
        let killed = kill(&rehearsal);
        assert_eq!(killed.code, 0, "{what}: {}", killed.said);
        drill_holds(what, &rehearsal, &killed, false, Duration::from_secs(1));
        rehearsal.settle_and_compare();
    }
}

#[test]
fn the_kill_switch_cancels_itself_where_the_engine_hangs() {
    let mut rehearsal = Rehearsal::new(&[], &[]);
    rehearsal.start();
    rehearsal.until_orders(20);
    until("something rests", Duration::from_secs(10), || rehearsal.working(now()).len() > 3);
    rehearsal.signal("-STOP");
    let stopped = now();
    // Market orders that were on their way have met the market.
    std::thread::sleep(Duration::from_millis(100));
    let killed = kill(&rehearsal);
    assert_eq!(killed.code, 7, "{}", killed.said);
    assert!(killed.said.contains("does not answer"), "{}", killed.said);
    drill_holds("under SIGSTOP", &rehearsal, &killed, true, Duration::from_secs(2));
    rehearsal.signal("-CONT");
    until("the flag is taken", Duration::from_secs(20), || !rehearsal.out.join("KILL").exists());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(rehearsal.made_after(stopped), Vec::<String>::new(), "the engine sends again");
    rehearsal.settle_and_compare();
    assert_eq!(rehearsal.working(now()), Vec::<String>::new(), "what was on its way is cancelled too");
}

#[test]
fn the_kill_switch_cancels_also_where_no_engine_runs() {
    let mut rehearsal = Rehearsal::new(&[], &[]);
    rehearsal.start();
    rehearsal.until_orders(20);
    until("something rests", Duration::from_secs(10), || rehearsal.working(now()).len() > 3);
    rehearsal.kill();
    std::thread::sleep(Duration::from_millis(100));
    let killed = kill(&rehearsal);
    assert_eq!(killed.code, 0, "{}", killed.said);
    drill_holds("no engine", &rehearsal, &killed, true, Duration::from_secs(1));
    assert!(!rehearsal.out.join("KILL").exists(), "the journal has it");
    rehearsal.start();
    rehearsal.settle_and_compare();
    assert_eq!(rehearsal.status()["kill_switch"], "drill");
}
