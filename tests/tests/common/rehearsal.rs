//! A rehearsal: the venue in a process of its own, and an engine that may be ended in every way.
#![allow(unreachable_pub, dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test, and figures are printed"
)]

use crate::common::{changed, mts, root, run, text};
use mts_foundation::{Clock, Decimal, Timestamp};
use mts_tests::venue_log::{Books, compare};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The limit of a position in the configuration, money.
const LARGEST: u32 = 6_000;

/// How long an order may stay unknown: it may be sent again for 30 s and be on its way for two minutes; then the account is
/// compared and it is asked for again, every 60 and every 30 s.
const KNOWN_WITHIN: Duration = Duration::from_secs(420);

/// A venue and the engine that trades there.
pub struct Rehearsal {
    /// The engine's configuration.
    pub config: PathBuf,
    /// Folder of the run.
    pub out: PathBuf,
    /// The engine, while one runs.
    pub engine: Option<Child>,
    log: PathBuf,
    errors: PathBuf,
    venue: Child,
    folder: tempfile::TempDir,
}

/// The time of day, as the venue's log has it.
pub fn now() -> Timestamp {
    struct Wall;
    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
        }
    }
    Wall.now()
}

/// How long an order may be on its way to the venue.
pub const UNDER_WAY: Duration = Duration::from_millis(250);

/// Numbers that look random and are the same every time (xorshift, Marsaglia 2003).
pub fn draw(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// A number from the environment, for the long runs.
pub fn many(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Waits until something is so.
pub fn until(what: &str, within: Duration, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Rehearsal {
    /// A venue with these options, and the example's configuration with these changes, trading fast.
    pub fn new(venue: &[&str], changes: &[(&str, &str)]) -> Self {
        // Thousands of orders cost more fees than a day, a week and a month may lose by default.
        let losses = "daily_loss_halt_pct = 1.0\nweekly_loss_halt_pct = 1.0\nmonthly_loss_halt_pct = 1.0";
        let limit = format!("max_position_usd = {LARGEST}\nmax_position_pct = 0.2\n{losses}");
        let mut all = vec![
            ("every_ms = 20", "every_ms = 2"),
            ("every = 7", "every = 3"),
            ("max_position_pct = 0.2", limit.as_str()),
            ("call_deadline_ms = 2000", "call_deadline_ms = 500"),
        ];
        all.extend_from_slice(changes);
        let (folder, config) = changed("rehearsal.toml", &all);
        let log = folder.path().join("venue.jsonl");
        let mut command = Command::new(mts());
        command.current_dir(root()).args(["venue", "serve", text(&config), "--listen", "127.0.0.1:0"]);
        command.args(["--log", text(&log)]).args(venue).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut venue = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(venue.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.strip_prefix("listening on ").and_then(|rest| rest.split(';').next());
        let address = address.unwrap_or_else(|| panic!("the venue says {said:?}"));
        let written = std::fs::read_to_string(&config).unwrap().replace("127.0.0.1:7411", address);
        std::fs::write(&config, written).unwrap();
        let (out, errors) = (folder.path().join("out"), folder.path().join("errors"));
        Self { config, out, engine: None, log, errors, venue, folder }
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the engine.
    pub fn start(&mut self) {
        self.start_under(Command::new(mts()));
    }

    /// Starts the engine as the last arguments of another command.
    pub fn start_under(&mut self, mut command: Command) {
        let errors = File::options().create(true).append(true).open(&self.errors).unwrap();
        command.current_dir(root()).args(["run", text(&self.config), "--out", text(&self.out)]);
        command.args(["--live", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        self.engine = Some(command.spawn().unwrap());
    }

    /// What the engines said on their error streams.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// Sends the engine a signal.
    pub fn signal(&self, name: &str) {
        let id = self.engine.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Ends the engine in the middle of whatever it does.
    pub fn kill(&mut self) {
        let mut engine = self.engine.take().unwrap();
        engine.kill().unwrap();
        engine.wait().unwrap();
    }

    /// Waits for the engine's end.
    pub fn ended(&mut self, within: Duration) -> Output {
        let mut engine = self.engine.take().unwrap();
        let began = Instant::now();
        while engine.try_wait().unwrap().is_none() {
            if began.elapsed() > within {
                engine.kill().ok();
                panic!("the engine does not end within {within:?}: {}", self.errors());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        engine.wait_with_output().unwrap()
    }

    /// The venue's log so far.
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Orders that the venue got so far.
    pub fn orders_at_the_venue(&self) -> usize {
        self.log().iter().filter(|line| line.get("order").is_some()).count()
    }

    /// Waits until the venue got so many orders more.
    pub fn until_orders(&mut self, more: usize) {
        let wanted = self.orders_at_the_venue() + more;
        let began = Instant::now();
        while self.orders_at_the_venue() < wanted {
            let ended = self.engine.as_mut().unwrap().try_wait().unwrap();
            let late = began.elapsed() > Duration::from_secs(60);
            if ended.is_some() || late {
                panic!("no {more} orders more ({ended:?}): {:#}\n{}", self.status(), self.errors());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What `mts status` says.
    pub fn status(&self) -> Value {
        run(["status", text(&self.out), "--json"]).json()
    }

    /// Orders at the venue that the engine made after an instant.
    pub fn made_after(&self, time: Timestamp) -> Vec<String> {
        let log = self.log();
        let orders = log.iter().filter_map(|line| line.pointer("/order/order"));
        let made = |order: &&Value| {
            serde_json::from_value::<Timestamp>(order["submitted_at"].clone()).unwrap() > time
        };
        orders.filter(made).map(|order| string(&order["order_id"])).collect()
    }

    /// Keys of the orders that work at the venue by its log, whose last line counts as `at`.
    pub fn working(&self, at: Timestamp) -> Vec<String> {
        let mut working: Vec<(String, String)> = Vec::new();
        for line in self.log().iter().filter(|line| time_of(line) <= at) {
            if line.pointer("/order/outcome/Accepted").is_some() {
                let order = &line["order"]["order"];
                let pair = (string(&order["order_id"]), string(&order["idempotency_key"]));
                if !working.contains(&pair) {
                    working.push(pair);
                }
            }
            // Fills of the rehearsal are whole.
            let ended = line.pointer("/event/Fill/fill").or_else(|| line.pointer("/event/Order"));
            if let Some(ended) = ended {
                working.retain(|(id, _)| *id != string(&ended["order_id"]));
            }
        }
        working.into_iter().map(|(_, key)| key).collect()
    }

    /// Waits until the engine knows what became of the orders that it does not know of now. It trades on, and what it does not
    /// know next is not waited for.
    pub fn until_what_is_unknown_is_known(&self) {
        let unknown = || -> Vec<String> {
            let rows = rows(&["orders", text(&self.out), "--unknown"]);
            rows.iter().map(|row| string(&row["order"]["order_id"])).collect()
        };
        let first = unknown();
        until("what was unknown is known", KNOWN_WITHIN, || {
            let still = unknown();
            let left = first.iter().any(|id| still.contains(id));
            if left {
                // Each look replays the journal, on the cores that the engine needs.
                std::thread::sleep(Duration::from_secs(1));
            }
            !left
        });
    }

    /// Waits until the engine knows what became of all its orders, and has compared the account: after a halt, for one that
    /// trades always has something that it does not know yet.
    pub fn until_nothing_is_unknown(&self) {
        let began = Instant::now();
        loop {
            let status = self.status();
            let compared = status["accounts"].as_array().unwrap();
            if status["unknown_orders"] == 0 && compared.iter().all(|account| !account["compared"].is_null())
            {
                return;
            }
            assert!(began.elapsed() < KNOWN_WITHIN, "still unknown: {status:#}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Lets the engine find out what it does not know, ends trading and the engine in order, and compares its books with the
    /// venue's log.
    pub fn settle_and_compare(&mut self) {
        let began = Instant::now();
        // While the engine has not begun, a halt would take the journal's lock from it.
        until("the engine begins", Duration::from_secs(20), || self.status()["is_written"] == true);
        until("the engine takes a halt", Duration::from_secs(20), || {
            let mut command = Command::new(mts());
            command.args(["halt", "--fund", "rehearsal", "--reason", "settle", "--actor", "me"]);
            command.args(["--mode", "full", "--json", "--out"]).arg(&self.out).stdin(Stdio::null());
            let said = command.output().unwrap().stdout;
            serde_json::from_slice::<Value>(&said).is_ok_and(|done| done["running"] == true)
        });
        self.until_nothing_is_unknown();
        // What was under way to the market and back arrives, and the strategy asks for nothing more: two looks are the same.
        let moving = |row: &Value| row["order"]["order_type"] == "market" || row["state"] == "pending_cancel";
        let mut before = None;
        until("no order is on its way", Duration::from_secs(20), || {
            let open = rows(&["orders", text(&self.out), "--open"]);
            let still = !open.iter().any(moving) && before.as_ref() == Some(&open);
            before = Some(open);
            if !still {
                std::thread::sleep(UNDER_WAY);
            }
            still
        });
        self.signal("-TERM");
        let output = self.ended(Duration::from_secs(20));
        assert_eq!(output.status.code(), Some(143), "{}: {}", output.status, self.errors());
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verified = run(["journal", "verify", text(&self.out)]);
        assert_eq!(verified.code, 0, "{}", verified.stderr);
        let replayed = run(["replay", text(&self.out), "--json"]).json();
        assert_eq!(replayed["state_hash"], result["state_hash"], "{replayed}");
        let books = Books {
            orders: rows(&["orders", text(&self.out)]),
            fills: rows(&["fills", text(&self.out)]),
            positions: rows(&["positions", text(&self.out)]),
            status: self.status(),
        };
        let findings = compare(&self.log(), &books, Decimal::from(LARGEST));
        let incidents = rows(&["incidents", text(&self.out)]);
        let told: Vec<_> =
            incidents.iter().map(|row| format!("{} {}", row["code"], row["message"])).collect();
        assert!(findings.is_empty(), "{findings:#?}\nincidents: {told:#?}\n{}", self.errors());
        println!(
            "{} orders and {} fills at the venue, {} orders given up, {} lines of log, compared after {:.1} s",
            self.orders_at_the_venue(),
            books.fills.len(),
            incidents.iter().filter(|row| row["code"] == "ORDER_NEVER_SENT").count(),
            self.log().len(),
            began.elapsed().as_secs_f64()
        );
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        for process in self.engine.iter_mut().chain([&mut self.venue]) {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// The instant of a line of the venue's log.
pub fn time_of(line: &Value) -> Timestamp {
    serde_json::from_value(line["time"].clone()).unwrap()
}

/// A text in JSON.
pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// All rows of a list.
pub fn rows(args: &[&str]) -> Vec<Value> {
    let mut command = Command::new(mts());
    command.args(args).args(["--json", "--limit", "10000000"]).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
