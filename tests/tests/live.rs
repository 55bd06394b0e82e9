//! The real binary in real time: paper trading on made-up prices and on those of a venue, operators beside it, and ends of
//! every kind.

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
use mts_foundation::double::{Act, StreamFault, VenueDouble};
use mts_foundation::{Decimal, Quote, Symbol, Timestamp, VenueName};
use mts_transport::SystemClock;
use mts_venues::{Double, Options, Venue};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Engine {
    config: PathBuf,
    out: PathBuf,
    process: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Engine {
    /// An engine that trades fast.
    fn new(changes: &[(&str, &str)]) -> Self {
        let mut all = vec![("[metrics]\nport = 9464\n", ""), ("every_ms = 20", "every_ms = 2")];
        all.extend_from_slice(changes);
        let (folder, config) = changed("paper.toml", &all);
        let out = folder.path().join("out");
        Self { config, out, process: None, _folder: folder }
    }

    fn start(&mut self) {
        self.start_with(|_| {});
    }

    /// Starts it with more arguments or variables.
    fn start_with(&mut self, more: impl FnOnce(&mut Command)) {
        let mut command = Command::new(mts());
        command.current_dir(root()).args(["run", text(&self.config), "--out", text(&self.out), "--json"]);
        more(&mut command);
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        self.process = Some(process.unwrap());
    }

    /// Waits until the journal holds a number of orders.
    fn until_orders(&self, wanted: u64) {
        let began = Instant::now();
        while orders(&self.out) < wanted {
            if began.elapsed() > Duration::from_secs(60) {
                let status = run(["status", text(&self.out)]).stdout;
                panic!("no {wanted} orders in a minute: {status}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Ends it in order and gives back what it said.
    fn stop(&mut self) -> Value {
        self.signal("-TERM");
        let output = self.process.take().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    fn status(&self) -> Value {
        run(["status", text(&self.out), "--json"]).json()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

fn orders(out: &Path) -> u64 {
    lines(&["orders", text(out), "--limit", "1000000"]).len() as u64
}

/// The lines of JSON of a list; none while there is no journal yet.
fn lines(args: &[&str]) -> Vec<Value> {
    let output = Command::new(mts()).args(args).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// Every fill has its effect once, no order is filled beyond its size, and the positions are what the fills make.
fn books_are_right(out: &Path) {
    let fills = lines(&["fills", text(out), "--limit", "1000000"]);
    let ids: BTreeSet<&str> = fills.iter().map(|fill| fill["fill"]["fill_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), fills.len(), "a fill is there twice");
    let mut held: BTreeMap<String, Decimal> = BTreeMap::new();
    for fill in &fills {
        let fill = &fill["fill"];
        let sign = if matches!(fill["side"].as_str().unwrap(), "buy" | "cover") { 1 } else { -1 };
        *held.entry(fill["symbol"].as_str().unwrap().to_owned()).or_default() +=
            number(&fill["quantity"]) * Decimal::from(sign);
    }
    held.retain(|_, units| !units.is_zero());
    let positions = lines(&["positions", text(out), "--limit", "1000000"]);
    let told: BTreeMap<String, Decimal> = positions
        .iter()
        .map(|held| (held["symbol"].as_str().unwrap().to_owned(), number(&held["quantity"])))
        .collect();
    assert_eq!(told, held);
    for order in lines(&["orders", text(out), "--limit", "1000000"]) {
        assert!(number(&order["filled"]) <= number(&order["order"]["quantity"]), "{order}");
    }
}

#[test]
fn a_running_engine_is_looked_at_and_acted_upon() {
    let mut engine = Engine::new(&[]);
    engine.start();
    engine.until_orders(5);
    let out = text(&engine.out).to_owned();
    let sent = run([
        "order", "submit", "buy", "3", "AAPL", "--type", "limit", "--limit", "1", "--actor", "me", "--out",
        &out, "--json",
    ]);
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    let open = lines(&["orders", &out, "--open"]);
    let ours = open.iter().find(|order| order["order"]["actor"] == "me").expect("it works");
    let id = ours["order"]["order_id"].as_str().unwrap().to_owned();
    // The strategy has come by every instrument meanwhile, and left it alone.
    engine.until_orders(orders(&engine.out) + 30);
    assert!(lines(&["orders", &out, "--open"]).iter().any(|order| order["order"]["order_id"] == id.as_str()));
    assert_eq!(run(["order", "cancel", &id, "--actor", "me", "--out", &out]).code, 0);
    let halted =
        run(["halt", "--fund", "drill", "--reason", "test", "--actor", "me", "--out", &out, "--json"]);
    assert_eq!(halted.json()["running"], true);
    let refused = run(["order", "submit", "buy", "3", "AAPL", "--actor", "me", "--out", &out]);
    assert_eq!(refused.code, 7, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains("FUND_HALTED"), "{}", refused.stdout);
    let nobody = run(["resume", "--fund", "drill", "--operator", "me", "--reason", "fine", "--out", &out]);
    assert_eq!(nobody.code, 7, "one operator is not enough");
    let resumed = run([
        "resume",
        "--fund",
        "drill",
        "--operator",
        "me",
        "--operator",
        "you",
        "--reason",
        "fine",
        "--out",
        &out,
    ]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert_eq!(run(["flatten", "--actor", "me", "--yes", "--out", &out]).code, 0);
    assert_eq!(run(["reconcile", "--out", &out]).code, 0);
    let booked = run([
        "reconcile",
        "--book-cash",
        "-2.50",
        "--kind",
        "fee",
        "--actor",
        "me",
        "--reason",
        "statement",
        "--out",
        &out,
    ]);
    assert_eq!(booked.code, 0, "{}", booked.stderr);
    assert!(
        booked.stdout.contains("CASH_BOOKED: fee of -2.50 at paper is booked into fund drill: by me"),
        "{}",
        booked.stdout
    );
    let unnamed = run(["reconcile", "--book-cash", "5", "--out", &out]);
    assert_eq!(unnamed.code, 2, "{}", unnamed.stderr);
    let canceled = lines(&["orders", &out, "--state", "canceled"]);
    assert!(canceled.iter().any(|order| order["order"]["order_id"] == id.as_str()));
    let ended = engine.stop();
    let replayed = run(["replay", &out, "--json"]).json();
    assert_eq!(replayed["state_hash"], ended["state_hash"], "{replayed}");
    books_are_right(&engine.out);
    let gone = run(["flatten", "--actor", "me", "--yes", "--out", &out]);
    assert_eq!(gone.code, 7);
    assert!(gone.stderr.contains("no engine runs"), "{}", gone.stderr);
}

#[test]
fn killed_again_and_again_it_goes_on_and_its_books_are_right() {
    let mut engine = Engine::new(&[]);
    // Moments that differ from round to round and are the same every time.
    let mut seed = 88_172_645_463_325_252_u64;
    let mut before = 0;
    for round in 0..10 {
        engine.start();
        engine.until_orders(before + 1);
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_millis(seed % 150));
        engine.signal("-KILL");
        engine.process.take().unwrap().wait().unwrap();
        before = orders(&engine.out);
        assert!(before > round, "{before} orders after {round} kills");
    }
    engine.start();
    engine.until_orders(before + 3);
    // What the last kill left without an answer is asked for, sent again or told within a few seconds.
    let began = Instant::now();
    while engine.status()["unknown"].as_array().is_some_and(|unknown| !unknown.is_empty()) {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", engine.status());
        std::thread::sleep(Duration::from_millis(100));
    }
    let ended = engine.stop();
    assert_eq!(
        ended["incidents"],
        incidents_without_alarm(&engine.out),
        "{:?}",
        lines(&["incidents", text(&engine.out)])
    );
    books_are_right(&engine.out);
    assert_eq!(run(["replay", text(&engine.out), "--json"]).json()["state_hash"], ended["state_hash"]);
}

#[test]
fn an_end_in_order_leaves_a_snapshot_with_which_the_next_start_goes_on() {
    let mut engine = Engine::new(&[]);
    let out = engine.out.clone();
    let mut before = 0;
    for _ in 0..3 {
        engine.start();
        engine.until_orders(before + 3);
        let ended = engine.stop();
        before = orders(&out);
        let shown = run(["journal", "show", text(&out), "--json"]).json();
        assert_eq!(shown["snapshot"]["records"], shown["records"], "{shown}");
        // The lists come from all records, the state from the snapshot: both say the same.
        books_are_right(&out);
        let replayed = run(["replay", text(&out), "--json"]).json();
        assert_eq!(replayed["state_hash"], ended["state_hash"]);
        assert_eq!(
            ended["incidents"],
            incidents_without_alarm(&out),
            "{:?}",
            lines(&["incidents", text(&out)])
        );
    }
    // One that cannot be used costs time and nothing else.
    let last = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let last = last.filter(|path| path.to_string_lossy().contains("snapshot-")).max().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    engine.start();
    engine.until_orders(before + 3);
    engine.stop();
    books_are_right(&out);
}

/// Incidents that a kill explains: an answer that never came.
fn incidents_without_alarm(out: &Path) -> usize {
    let harmless = ["ORDER_UNKNOWN", "CANCEL_UNCONFIRMED"];
    let incidents = lines(&["incidents", text(out)]);
    incidents.iter().filter(|incident| harmless.contains(&incident["code"].as_str().unwrap())).count()
}

#[test]
fn the_kill_flag_holds_while_the_engine_hangs() {
    let mut engine = Engine::new(&[]);
    engine.start();
    engine.until_orders(3);
    engine.signal("-STOP");
    let out = text(&engine.out).to_owned();
    let began = Instant::now();
    let killed = run(["kill", "--reason", "drill", "--actor", "me", "--out", &out]);
    assert!(began.elapsed() < Duration::from_secs(10), "nobody waits for an engine that hangs");
    assert_eq!(killed.code, 7, "{}{}", killed.stdout, killed.stderr);
    assert!(killed.stderr.contains("does not answer"), "{}", killed.stderr);
    assert!(engine.out.join("KILL").exists());
    let before = orders(&engine.out);
    engine.signal("-CONT");
    let began = Instant::now();
    while engine.out.join("KILL").exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "the flag is taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let ended = engine.stop();
    let after = lines(&["orders", &out, "--limit", "1000000"]);
    let left =
        after.iter().skip(usize::try_from(before).unwrap()).filter(|order| order["state"] != "rejected");
    let left = left.filter(|order| order["state"] != "not_sent").count();
    assert_eq!(left, 0, "nothing new left after the flag: {ended}");
    let again = run(["status", &out]);
    assert!(again.stdout.contains("drill"), "{}", again.stdout);
}

#[test]
fn metrics_are_served_on_the_loopback_address_alone() {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let (folder, config) = changed("paper.toml", &[("port = 9464", &format!("port = {port}"))]);
    let out = folder.path().join("out");
    let mut engine = Engine { config, out, process: None, _folder: folder };
    engine.start();
    engine.until_orders(1);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    for metric in [
        "mts_inputs_total ",
        "mts_nav{fund=\"drill\"} ",
        "mts_killed 0",
        "mts_orders{state=\"unknown\"} 0",
        "mts_feed_age_seconds ",
        "mts_decide_seconds_bucket{le=\"0.001\"} ",
        "mts_decide_seconds_bucket{le=\"+Inf\"} ",
        "mts_decide_seconds_sum ",
        "mts_longest_decide_seconds ",
        "mts_gate_seconds_count 0",
    ] {
        assert!(text.contains(metric), "{metric} is missing: {text}");
    }
    engine.stop();
}

#[test]
fn real_orders_want_two_words() {
    let (_folder, config) = changed("paper.toml", &[("mode = \"paper\"", "mode = \"live\"")]);
    let one = run(["run", text(&config)]);
    assert_eq!(one.code, 3);
    assert!(one.stderr.contains("environment"), "{}", one.stderr);
    let (_folder, config) = changed("paper.toml", &[]);
    let other = run(["run", text(&config), "--live"]);
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("live.mode"), "{}", other.stderr);
}

/// Waits until the journal holds a number of records more than it did.
fn grow(engine: &Engine, by: u64) {
    let records = || {
        let shown = run(["journal", "show", text(&engine.out), "--json"]);
        if shown.code == 0 { shown.json()["records"].as_u64().unwrap() } else { 0 }
    };
    let (began, before) = (Instant::now(), records());
    while records() < before + by {
        assert!(began.elapsed() < Duration::from_secs(60), "no {by} records in a minute");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_journal_that_cannot_be_kept_so_is_refused() {
    for (example, keys, words) in [
        ("paper.toml", "retention = { segments = 0 }", "journal.retention is 0; keep at least one segment"),
        (
            "paper.toml",
            "segment_bytes = 5",
            "journal.segment_bytes is 5; it must be from 16384 to 4294967296",
        ),
        (
            "paper.toml",
            "retention = { bytes = 9 }\nsnapshot_every = 0",
            "journal.snapshot_every is 0; give a number",
        ),
        ("paper.toml", "retention = { days = 3 }", "journal.retention: unknown variant `days`"),
        ("momentum.toml", "retention = { segments = 3 }", "it is for runs in real time, remove it"),
    ] {
        let (_folder, config) = changed(example, &[("[fund]\n", &format!("[journal]\n{keys}\n\n[fund]\n"))]);
        let done = run(["config", "check", text(&config)]);
        assert_eq!(done.code, 3, "{}", done.stderr);
        assert!(done.stderr.contains(words), "no {words:?} in: {}", done.stderr);
    }
}

/// Old segments go, what a restart needs stays, and what is left is said to be whole and not all of it.
#[test]
fn a_run_that_keeps_little_starts_again_from_its_snapshot() {
    let kept = "[journal]\nretention = { segments = 1 }\nsegment_bytes = 16384\nsnapshot_every = 100\n";
    let mut engine = Engine::new(&[("[broker]", &format!("{kept}\n[broker]"))]);
    for _ in 0..3 {
        engine.start();
        grow(&engine, 400);
        engine.stop();
    }
    let before = engine.status();
    let verified = run(["journal", "verify", text(&engine.out), "--json"]).json();
    let [first, last] =
        [0, 1].map(|place| verified["removed"][place].as_u64().expect("something was removed"));
    assert!(0 < first && first < last, "{first} to {last}");
    let shown = run(["journal", "show", text(&engine.out), "--json"]).json();
    assert!(shown["snapshot"]["records"].as_u64().unwrap() > last, "{shown}");
    let said = run(["journal", "verify", text(&engine.out)]).stdout;
    assert!(said.contains(&format!("{first} to {last}")), "{said}");
    // What is left goes on where the rest ended, and the funds are the same.
    let replayed = run(["replay", text(&engine.out), "--json"]).json();
    assert_eq!(replayed["inputs"], before["sequence"]);
    engine.start();
    grow(&engine, 50);
    let told = engine.stop();
    assert!(told["final_nav"].as_str().is_some(), "{told}");
    let after = engine.status();
    assert!(after["sequence"].as_u64() > before["sequence"].as_u64());
    assert_eq!(after["incidents_by_code"].as_object().unwrap().len(), 0, "{}", after["incidents_by_code"]);
    // The same journal, kept in full from now on: the key is no part of what the run is.
    let all = std::fs::read_to_string(&engine.config).unwrap().replace("{ segments = 1 }", "\"all\"");
    std::fs::write(&engine.config, all).unwrap();
    engine.start();
    grow(&engine, 50);
    engine.stop();
}

/// An engine that hears Interactive Brokers' double and trades on every price, with these further changes.
fn on_ticks_of(double: &Double, changes: &[(&str, &str)]) -> Engine {
    let at = double.address();
    let data = format!(
        "kind = \"ibkr\"\nparams = {{ host = \"{}\", port = {}, tick_throttle_ms = 0 }}",
        at.ip(),
        at.port()
    );
    let walk = "kind = \"walk\"\npath = \"data/us20/closes.csv\"\nparams = { every_ms = 2 }";
    let mut all = vec![(walk, data.as_str()), ("every = 7", "every = 1")];
    all.extend_from_slice(changes);
    Engine::new(&all)
}

/// Tells the double of prices until something is so.
fn tell_until(double: &Double, engine: &Engine, what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    // Only what changes is told of: the size does, and the price does not.
    for size in 1_u32.. {
        double.quote(&Quote {
            symbol: Symbol::new("AAPL").unwrap(),
            bid: Decimal::from(180),
            ask: Decimal::from(181),
            bid_size: Decimal::from(size % 100 + 100),
            ask_size: Decimal::from(1_000),
            venue: VenueName::new("test").unwrap(),
            timestamp: Timestamp::EPOCH,
        });
        if so() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not in a minute: {what}: {}", engine.status());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ibkr() -> Double {
    Venue::Ibkr.start(Options::new(Arc::new(SystemClock))).unwrap()
}

/// Prices of a venue decide on orders of the paper broker, also after the connection was lost; what the venue does not have
/// is left out, and the log says so.
#[test]
fn ticks_of_interactive_brokers_are_traded_on_paper() {
    let double = ibkr();
    let folder = common::folder();
    let log = folder.path().join("log");
    let section = format!("[log]\nfile = {log:?}\n\n[fund]\n");
    let mut engine = on_ticks_of(&double, &[("[fund]\n", &section)]);
    engine.start();
    tell_until(&double, &engine, "six orders", || orders(&engine.out) >= 6);
    double.act(&Act::Stream(StreamFault::Cut)).unwrap();
    let before = orders(&engine.out);
    tell_until(&double, &engine, "six more after a cut", || orders(&engine.out) >= before + 6);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    tell_until(&double, &engine, "what is left out is told", || said().contains("AMD: code 200"));
    assert!(said().contains("the connection to TWS is lost"), "{}", said());
    engine.stop();
    books_are_right(&engine.out);
    let fills = lines(&["fills", text(&engine.out), "--limit", "1000000"]);
    assert!(fills.len() >= 6, "{fills:?}");
    for fill in fills {
        let fill = &fill["fill"];
        let price = if fill["side"] == "buy" { 181 } else { 180 };
        assert!(fill["symbol"] == "AAPL" && number(&fill["price"]) == Decimal::from(price), "{fill}");
    }
    assert!(double.orders().is_empty(), "{:?}", double.orders());
}

/// Prices and orders go to the same TWS, as two clients.
#[test]
fn ticks_and_orders_of_interactive_brokers_share_a_tws() {
    let double = ibkr();
    let at = double.address();
    let broker = format!("name = \"ibkr\"\nparams = {{ host = \"{}\", port = {} }}\n", at.ip(), at.port());
    let mut engine = on_ticks_of(
        &double,
        &[
            ("name = \"paper\"\n", &broker),
            ("[\"paper\"]", "[\"ibkr\"]"),
            ("mode = \"paper\"", "mode = \"live\"\nenvironment = \"live\""),
        ],
    );
    let state = common::folder();
    engine.start_with(|command| {
        command.arg("--live").env("XDG_STATE_HOME", state.path());
    });
    tell_until(&double, &engine, "six fills at the venue", || double.fills().len() >= 6);
    engine.stop();
    books_are_right(&engine.out);
    assert!(double.fills().iter().all(|fill| fill.symbol.as_str() == "AAPL"), "{:?}", double.fills());
}
