//! A day of minutes at each broker, through the real programs: what it ends with is the same wherever it was traded, and whatever
//! was cut, lost or down on the way.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test, and figures are printed"
)]

mod common;

use common::{mts, root, text};
use mts_foundation::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Each broker and what it trades of the day; the first needs no venue.
const BROKERS: &[(&str, &[&str])] = &[
    ("paper", &["AAPL", "ETH-USD", "KO", "MSFT"]),
    ("alpaca", &["AAPL", "KO", "MSFT"]),
    ("coinbase", &["ETH-USD"]),
    ("ibkr", &["AAPL", "KO", "MSFT"]),
    ("kraken", &["ETH-USD"]),
];

/// Units that the strategy holds of everything at the end of the day.
const UNITS: &str = "10";

/// A double in a process of its own, ended with the test.
struct Double(Child);

impl Drop for Double {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts a double; its credentials as variables, its control channel, and the section of a run that trades there.
fn double(name: &str, faults: bool) -> (Double, Vec<(String, String)>, String, String) {
    let mut command = Command::new(mts());
    command.current_dir(root()).args(["venue", name]).stdin(Stdio::null()).stdout(Stdio::piped());
    if faults {
        command.args(["--script", "examples/live-day-faults.toml"]);
    }
    if name == "coinbase" {
        // Keys of the other kind have several lines.
        command.args(["--variant", "ed25519"]);
    }
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let double = Double(process);
    let (mut variables, mut control, mut section) = (Vec::new(), String::new(), String::new());
    for line in lines.by_ref() {
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
            variables.push((name.to_owned(), value.to_owned()));
        }
        if let Some(address) = line.strip_prefix("# control = ") {
            control = address.trim_matches('"').to_owned();
        }
        if line == "[broker.params]" || !section.is_empty() {
            // The end of what it says of itself is an empty line.
            if line.is_empty() {
                break;
            }
            section.push_str(&line);
            section.push('\n');
        }
    }
    // What its script does is of no interest, and must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (double, variables, control, section)
}

/// What is left of a day.
struct Ended {
    /// Positions of the run, by symbol.
    held: Value,
    /// Positions of the account, where there is a venue.
    at_venue: Option<Value>,
    /// The order of a symbol whose fate is still unknown, as the units that it may have added.
    unknown: BTreeMap<String, Decimal>,
    /// What went wrong on the way, and the last orders.
    story: String,
}

/// Trades the day.
fn day(broker: &str, symbols: &[&str], faults: bool) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let example = std::fs::read_to_string(root().join("examples/live-day.toml")).unwrap();
    let (head, _) = example.split_once("\n[broker]\n").unwrap();
    let mut config = head.replace("\"data/day", &format!("\"{}/examples/data/day", root().display()));
    config = config.replace("every_ms = 50", "every_ms = 40");
    config += &format!("\n\n[broker]\nname = {broker:?}\nsymbols = {symbols:?}\n");
    let venue = (broker != "paper").then(|| double(broker, faults));
    let mut command = Command::new(mts());
    if let Some((_, variables, control, section)) = &venue {
        config = config.replace("mode = \"paper\"", "mode = \"live\"\nenvironment = \"live\"");
        config += &format!("control = {control:?}\n\n{section}");
        if *broker == *"kraken" {
            // A day in 16 seconds asks as often as one in hours.
            config += "calls_a_minute = 6000\n";
        }
        command.envs(variables.iter().map(|(name, value)| (name, value))).arg("run");
        command.env("XDG_STATE_HOME", folder.path().join("state"));
    } else {
        command.arg("run");
    }
    let (path, out) = (folder.path().join("day.toml"), folder.path().join("out"));
    std::fs::write(&path, config).unwrap();
    command.current_dir(root()).args([text(&path), "--out", text(&out), "--json"]);
    if venue.is_some() {
        command.args(["--live", "--log-level", "debug"]);
        // The socket of Interactive Brokers is its own library's.
        if broker != "ibkr" {
            command.args(["--record", text(&folder.path().join("tape"))]);
        }
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{broker}: {} {said}", output.status);
    if let Some((_, variables, ..)) = &venue {
        std::fs::write(folder.path().join("stdout"), &output.stdout).unwrap();
        std::fs::write(folder.path().join("stderr"), &output.stderr).unwrap();
        let looked_at = no_secret_in(folder.path(), variables);
        assert!(looked_at > 100_000, "{broker}: only {looked_at} bytes were written");
    }
    let (orders, fills) = (rows(&["orders"], &out), rows(&["fills"], &out));
    println!("{broker}, faults {faults}: {} orders, {} fills", orders.len(), fills.len());
    // While the venue is away the day goes on, and turns are left out.
    let turns = if faults { 1 } else { 9 };
    assert!(
        fills.len() >= turns * symbols.len(),
        "{broker}: a day has more fills than {}: {said}",
        fills.len()
    );
    let last = orders.iter().rev().take(symbols.len());
    let story = rows(&["incidents"], &out).into_iter().chain(last.cloned());
    let story = story.map(|row| format!("\n{row}")).collect();
    let held = rows(&["positions"], &out);
    let held = held.iter().map(|row| (row["symbol"].as_str().unwrap().to_owned(), row["quantity"].clone()));
    let at_venue = venue.map(|(double, _, control, _)| {
        let account = account(&control);
        drop(double);
        account["positions"].clone()
    });
    let unknown = orders.iter().filter(|row| row["state"] == "unknown").map(|row| {
        let order = &row["order"];
        let units: Decimal = order["quantity"].as_str().unwrap().parse().unwrap();
        let units = if order["side"] == "sell" { -units } else { units };
        (order["symbol"].as_str().unwrap().to_owned(), units)
    });
    Ended { held: Value::Object(held.collect()), at_venue, unknown: unknown.collect(), story }
}

/// The positions are those that the day leads to, at the run and at the venue.
///
/// A connection that is cut while an order leaves makes its fate unknown, and a venue that does not show it is believed after two
/// minutes only, which this day does not have. Until then nothing is traded there, so the run holds what it held; the venue has the
/// order or has it not, and nothing else.
fn as_wanted(ended: &Ended, symbols: &[&str], what: &str) {
    let units = |positions: &Value, symbol: &str| -> Decimal {
        positions.get(symbol).map_or(Decimal::ZERO, |text| text.as_str().unwrap().parse().unwrap())
    };
    let story = &ended.story;
    let wanted: Decimal = UNITS.parse().unwrap();
    for symbol in symbols {
        let held = units(&ended.held, symbol);
        let unknown = ended.unknown.get(*symbol);
        assert!(
            held == wanted || unknown.is_some() && held.is_zero(),
            "{what}: {symbol}: {held} are held: {story}"
        );
        let Some(at_venue) = &ended.at_venue else { continue };
        let differs = units(at_venue, symbol) - held;
        assert!(
            differs.is_zero() || Some(&differs) == unknown,
            "{what}: {symbol}: the venue has {differs} more: {story}"
        );
    }
    for positions in [Some(&ended.held), ended.at_venue.as_ref()].into_iter().flatten() {
        let others = positions.as_object().unwrap().keys().find(|symbol| !symbols.contains(&symbol.as_str()));
        assert_eq!(others, None, "{what}: nobody trades that: {story}");
    }
}

/// No secret stands in anything that was written: journal, reports, tape, state, log and result. Returns how many bytes there are.
fn no_secret_in(folder: &Path, variables: &[(String, String)]) -> usize {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            bytes += no_secret_in(&path, variables);
            continue;
        }
        // Sockets cannot be read.
        let Ok(content) = std::fs::read(&path) else { continue };
        bytes += content.len();
        let content = String::from_utf8_lossy(&content);
        for (name, secret) in variables {
            assert!(!content.contains(secret), "{} has {name}", path.display());
        }
    }
    bytes
}

/// What the venue itself says of the account.
fn account(control: &str) -> Value {
    use std::io::{Read, Write};
    let address = control.strip_prefix("http://").unwrap();
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    write!(socket, "GET /_mts/account HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn rows(command: &[&str], out: &Path) -> Vec<Value> {
    let mut program = Command::new(mts());
    program.args(command).args([text(out), "--json", "--limit", "100000"]);
    let output = program.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_day_ends_the_same_at_every_broker_with_and_without_disconnects() {
    mts();
    std::thread::scope(|scope| {
        for (broker, symbols) in BROKERS {
            for faults in [false, true] {
                // Nothing goes wrong within the process.
                if faults && *broker == "paper" {
                    continue;
                }
                scope.spawn(move || {
                    let ended = day(broker, symbols, faults);
                    let what = format!("{broker}, faults {faults}");
                    assert!(faults || ended.unknown.is_empty(), "{what}: {}", ended.story);
                    as_wanted(&ended, symbols, &what);
                });
            }
        }
    });
}
