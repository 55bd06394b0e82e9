//! `mts data`: bars on disk, by the real program.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use common::{folder, root, run, text};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const LONG: &str = "date,symbol,open,high,low,close,volume\n\
                    2019-11-27,AAPL,265.58,267.98,265.31,267.84,16386100\n\
                    2019-11-29,AAPL,266.60,268.00,265.90,267.25,11654400\n\
                    2019-11-29,MSFT,152.10,152.30,151.28,151.38,11978300\n\
                    2020-01-02,AAPL,296.24,300.60,295.19,300.35,33870100\n";

/// A store in `DIR/prices` of the CSV beside it.
fn imported(dir: &Path) -> (PathBuf, PathBuf) {
    let (csv, store) = (dir.join("bars.csv"), dir.join("prices"));
    std::fs::write(&csv, LONG).unwrap();
    let said = run(["data", "import", text(&csv), "--into", text(&store), "--json"]).json();
    assert_eq!((&said["source"], &said["interval"]), (&Value::from("csv"), &Value::from("1d")));
    assert_eq!((&said["received"], &said["added"]), (&Value::from(4), &Value::from(4)));
    (csv, store)
}

#[test]
fn a_file_is_brought_in_once_and_shown() {
    let dir = folder();
    let (csv, store) = imported(dir.path());
    let again = run(["data", "import", text(&csv), "--into", text(&store), "--json"]).json();
    assert_eq!((&again["added"], &again["same"]), (&Value::from(0), &Value::from(4)));

    let info = run(["data", "info", text(&store), "--json"]).json();
    let series = &info["series"][0];
    assert_eq!((&series["rows"], &series["parts"]), (&Value::from(4), &Value::from(2)));
    // The close of a half-day.
    assert_eq!(series["first"], "2019-11-27T21:00:00Z");
    let symbols = run(["data", "info", text(&store), "--symbols", "--json"]).json();
    assert_eq!(symbols["instruments"][1]["symbol"], "MSFT");
    assert_eq!(symbols["instruments"][1]["last"], "2019-11-29T18:00:00Z");
    let said = run(["data", "info", text(&store)]);
    assert!(said.code == 0 && said.stdout.contains("csv"), "{}", said.stdout);
    let said = run(["data", "verify", text(&store)]);
    assert!(said.code == 0 && said.stdout.starts_with("2 parts, 4 bars and "), "{}", said.stdout);
}

#[test]
fn a_bar_that_differs_is_refused_with_its_line_unless_the_last_one_wins() {
    let dir = folder();
    let (csv, store) = imported(dir.path());
    std::fs::write(&csv, LONG.replace("267.84", "267.85")).unwrap();
    let said = run(["data", "import", text(&csv), "--into", text(&store)]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("differ in close: 267.84 is there, 267.85 came"), "{}", said.stderr);
    let said = run(["data", "import", text(&csv), "--into", text(&store), "--last-wins", "--json"]).json();
    assert_eq!((&said["same"], &said["replaced"]), (&Value::from(3), &Value::from(1)));
    std::fs::write(&csv, "date,symbol,close\n2019-11-28,AAPL,1\n").unwrap();
    let said = run(["data", "import", text(&csv), "--into", text(&store)]);
    assert!(said.code == 4 && said.stderr.contains("line 2: 2019-11-28 is no session"), "{}", said.stderr);
}

#[test]
fn wide_files_are_read_too() {
    let dir = folder();
    let (csv, store) = (dir.path().join("wide.csv"), dir.path().join("prices"));
    std::fs::write(&csv, "timestamp,A,B\n2020-01-02T10:01:00Z,1.5,\n2020-01-02T10:02:00Z,1.25,7\n").unwrap();
    let interval = ["data", "import", text(&csv), "--into", text(&store), "--interval", "1m", "--json"];
    assert_eq!(run(interval).json()["added"], 3);
    assert!(store.join("csv/1m/2020-01-02-000001.parquet").exists());
}

#[test]
fn damage_is_named_with_exit_code_1() {
    let dir = folder();
    let (_, store) = imported(dir.path());
    let part = store.join("csv/1d/2020-000002.parquet");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[20] ^= 4;
    std::fs::write(&part, bytes).unwrap();
    let said = run(["data", "verify", text(&store)]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("csv/1d/2020-000002.parquet"), "{}", said.stderr);
    let said = run(["data", "verify", text(&store), "--json"]);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, &found["faults"][0]["part"]), (1, &Value::from("csv/1d/2020-000002.parquet")));
    std::fs::write(store.join("manifest.json"), "{}").unwrap();
    let said = run(["data", "verify", text(&store)]);
    assert!(said.code == 1 && said.stderr.contains("manifest"), "{}", said.stderr);
}

#[test]
fn pictures_break_their_lines_where_bars_are_missing() {
    let dir = folder();
    let (_, store) = imported(dir.path());
    let (svg, html) = (dir.path().join("x.svg"), dir.path().join("x.html"));
    for out in [&svg, &html] {
        let said = run(["data", "plot", text(&store), "--symbols", "AAPL", "--out", text(out)]);
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(
        drawn.starts_with("<svg xmlns=") && drawn.contains("Close: AAPL") && drawn.contains("Volume: AAPL")
    );
    let page = std::fs::read_to_string(&html).unwrap();
    // All of December is missing, Thanksgiving is not.
    assert!(page.contains("bars are missing in 1 places"), "a gap is said");
    assert!(page.contains("Missing: 1."), "and has no value");
    let said = run(["data", "plot", text(&store), "--symbols", "TSLA", "--out", text(&svg)]);
    assert!(said.code == 4 && said.stderr.contains("no bars of TSLA"), "{}", said.stderr);
    let said = run(["data", "plot", text(&store), "--symbols", "AAPL", "--out", "x.png"]);
    assert_eq!(said.code, 2);
}

/// An exchange on this machine that has a candle for each hour of two days, at midnight of which the second one is forming.
struct Candles {
    asked: Arc<Mutex<Vec<String>>>,
    address: String,
}

impl Candles {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || answer(stream, &seen));
            }
        });
        Self { asked, address }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Hour of 1 January 2024 in milliseconds.
const FIRST: i64 = 1_704_067_200_000;
const HOUR: i64 = 3_600_000;

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        while line.trim() != "" {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
        }
        let number = |name: &str| -> i64 {
            let value = path.split_once(&format!("{name}=")).map_or("", |(_, rest)| rest);
            value.split('&').next().unwrap_or_default().parse().unwrap_or(0)
        };
        let (start, end) = (number("start"), number("end"));
        let rows: Vec<String> = (0..60)
            .map(|hour| FIRST + hour * HOUR)
            .filter(|time| *time >= start && *time <= end)
            .map(|time| format!("[{time},\"1.5\",\"2\",\"1\",\"1.{:02}\",\"10\"]", 25 + (time / HOUR) % 50))
            .collect();
        seen.lock().unwrap().push(path);
        let body = format!("[{}]", rows.join(","));
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn candles_are_fetched_and_the_next_time_those_after_them() {
    let dir = folder();
    let venue = Candles::start();
    let (descriptor, store) = (dir.path().join("venue.toml"), dir.path().join("prices"));
    let toml = format!(
        "id = \"here\"\npace_ms = 1\nevidence = {{ candles = 1 }}\n[timeframes]\n\"1h\" = \"1h\"\n\
         [[markets]]\nname = \"spot\"\nid = \"{{BASE}}{{QUOTE}}\"\n\
         [[candles]]\nmarkets = [\"spot\"]\nlimit = 20\n\
         get = \"http://{}/k?id={{id}}&start={{start.ms}}&end={{end.ms}}\"\n\
         [candles.read]\nstart = \"0|ms\"\nopen = \"1\"\nhigh = \"2\"\nlow = \"3\"\nclose = \"4\"\nvolume = \"5\"\n",
        venue.address
    );
    std::fs::write(&descriptor, toml).unwrap();
    let fetch = |to: &str| {
        let (descriptor, store) = (text(&descriptor), text(&store));
        run([
            "data",
            "fetch",
            "--descriptor",
            descriptor,
            "--symbols",
            "BTC-USDT,ETH-USDT",
            "--interval",
            "1h",
            "--from",
            "2024-01-01",
            "--to",
            to,
            "--into",
            store,
            "--json",
        ])
        .json()
    };
    let first = fetch("2024-01-02");
    assert_eq!((&first["source"], &first["added"]), (&Value::from("here"), &Value::from(48)));
    let asked = venue.asked().len();
    assert!(asked >= 4, "pages of 20: {asked}");

    // Up to 10:30, so the candle of 10:00 is not over yet.
    let second = fetch("2024-01-02T10:30:00Z");
    assert_eq!((&second["received"], &second["added"]), (&Value::from(20), &Value::from(20)));
    let info = run(["data", "info", text(&store), "--symbols", "--json"]).json();
    for instrument in info["instruments"].as_array().unwrap() {
        assert_eq!(
            (&instrument["rows"], &instrument["last"]),
            (&Value::from(34), &Value::from("2024-01-02T10:00:00Z"))
        );
    }
    let start = FIRST + 23 * HOUR;
    let early = |path: &String| path.contains(&format!("start={FIRST}&"));
    assert!(!venue.asked()[asked..].iter().any(early), "asked from the beginning again, not from {start}");
    let said = run(["data", "verify", text(&store)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[test]
fn a_run_reads_a_store() {
    let dir = folder();
    let store = dir.path().join("prices");
    let config = std::fs::read_to_string(root().join("examples/momentum.toml")).unwrap();
    let table: toml::Table = config.parse().unwrap();
    let csv = root().join("examples").join(table["data"]["path"].as_str().unwrap());
    let said = run(["data", "import", text(&csv), "--into", text(&store), "--json"]).json();
    assert!(said["added"].as_u64().unwrap() > 1_000, "{said}");
    let beside = |kind: &str, lines: &str| {
        let path = dir.path().join(format!("{kind}.toml"));
        let mut own = table.clone();
        own["data"] = toml::Value::Table(lines.parse().unwrap());
        let instruments = root().join("examples").join(table["instruments"]["path"].as_str().unwrap());
        own["instruments"]["path"] = text(&instruments).into();
        std::fs::write(&path, own.to_string()).unwrap();
        let out = dir.path().join(kind);
        run(["run", text(&path), "--out", text(&out), "--json"]).json()
    };
    let closes = beside("closes", &format!("kind = \"closes\"\npath = {:?}", text(&csv)));
    let manifest = store.join("manifest.json");
    let stored = beside("store", &format!("kind = \"store\"\npath = {:?}", text(&manifest)));
    assert!(closes["fills"].as_u64().unwrap() > 0);
    for value in ["final_nav", "fills", "orders", "sessions"] {
        assert_eq!(closes[value], stored[value], "{value}");
    }
}
