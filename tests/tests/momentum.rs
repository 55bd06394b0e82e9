//! The main job: equal to an independent calculation, the same every time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, root, run, text};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Runs the independent calculation; `None` where there is no Python (never in CI).
fn independent(config: &Path, out: &Path) -> Option<()> {
    let python = Command::new("python3")
        .current_dir(root())
        .arg("tests/independent/momentum.py")
        .args(["--closes", "examples/data/us20/closes.csv"])
        .args(["--instruments", "examples/data/us20/instruments.csv"])
        .args(["--calendar", "crates/foundation/data/calendars/XNYS.cal"])
        .arg("--config")
        .arg(config)
        .arg("--out")
        .arg(out)
        .output();
    match python {
        Ok(done) => {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            Some(())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "python3 is needed in CI: {error}");
            println!("SKIPPED: python3 is not installed");
            None
        }
    }
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Every trade and every day's value and cash are the same, digit for digit.
fn equals_the_independent_calculation(config: &Path, trades_wanted: usize) {
    let (ours, theirs) = (folder(), folder());
    let result = run(["run", text(config), "--out", text(ours.path()), "--json"]).json();
    if independent(config, theirs.path()).is_none() {
        return;
    }
    let nav = rows(&ours.path().join("nav.csv"));
    let expected = rows(&theirs.path().join("nav.csv"));
    assert_eq!(nav.len(), 5_785);
    assert_eq!(nav.len(), expected.len());
    for (day, wanted) in nav.iter().zip(&expected) {
        assert_eq!(day[..3], wanted[..3], "value and cash of a day differ");
    }
    let fills = std::fs::read_to_string(ours.path().join("fills.jsonl")).unwrap();
    let trades: Vec<Vec<String>> = fills
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let fill = &event["fill"];
            let number = |name: &str| {
                let value: mts_foundation::Decimal = fill[name].as_str().unwrap().parse().unwrap();
                value.normalize().to_string()
            };
            let date = fill["timestamp"].as_str().unwrap()[..10].to_owned();
            let text = |name: &str| fill[name].as_str().unwrap().to_owned();
            vec![date, text("symbol"), text("side"), number("quantity"), number("price"), number("fees")]
        })
        .collect();
    let mut expected = rows(&theirs.path().join("trades.csv"));
    expected.iter_mut().for_each(|trade| trade[2] = trade[2].to_lowercase());
    assert_eq!((trades.len(), expected.len()), (trades_wanted, trades_wanted));
    // Sells of one day are independent of each other; they are compared as a set, purchases in their order.
    let by_day = |trades: &[Vec<String>]| {
        let mut days: BTreeMap<(String, String), Vec<Vec<String>>> = BTreeMap::new();
        for trade in trades {
            days.entry((trade[0].clone(), trade[2].clone())).or_default().push(trade.clone());
        }
        for ((_, side), day) in &mut days {
            if side == "sell" {
                day.sort();
            }
        }
        days
    };
    let (trades, expected) = (by_day(&trades), by_day(&expected));
    assert!(trades.keys().eq(expected.keys()));
    for (day, wanted) in &expected {
        assert_eq!(&trades[day], wanted, "trades of {day:?} differ");
    }
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows(&theirs.path().join("rejections.csv")) {
        *codes.entry(row[4].clone()).or_default() += 1;
    }
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    for (_, by_code) in result["rejections_by_gate"].as_object().unwrap() {
        for (code, count) in by_code.as_object().unwrap() {
            *refused.entry(code.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    assert_eq!(refused, codes);
    let halts = rows(&theirs.path().join("halts.csv")).len();
    assert_eq!(result["halts"].as_u64().unwrap(), halts as u64);
}

#[test]
fn the_example_equals_an_independent_calculation_to_the_last_digit() {
    equals_the_independent_calculation(&root().join("examples/momentum.toml"), 1_878);
}

#[test]
fn halts_and_resumes_equal_the_independent_calculation() {
    let (_folder, config) = changed(
        "momentum.toml",
        &[
            ("daily_loss_halt_pct = 0.12", "daily_loss_halt_pct = 0.03"),
            ("weekly_loss_halt_pct = 0.20", "weekly_loss_halt_pct = 0.05"),
            ("monthly_loss_halt_pct = 0.30", "monthly_loss_halt_pct = 0.07"),
        ],
    );
    equals_the_independent_calculation(&config, 1_838);
}

#[test]
fn the_paper_broker_does_what_its_section_says() {
    let golden = std::fs::read_to_string(root().join("tests/golden/momentum.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let nav = |keys: &str| {
        let (_folder, config) = changed("momentum.toml", &[("fee_bps_per_side = 5", keys)]);
        let out = folder();
        run(["run", text(&config), "--out", text(out.path()), "--json"]).json()["final_nav"].clone()
    };
    // Orders meet the close of a bar that has nothing else, with and without the delay.
    assert_eq!(
        nav("fees = { taker_bps = \"5\" }\ndelay_ms = 0\nshorting = \"refused\""),
        golden["final_nav"]
    );
    assert_ne!(nav("fees = { per_unit = \"0.005\", minimum = \"1\", places = 2 }"), golden["final_nav"]);
}

#[test]
fn the_default_daily_halt_trips_on_the_ninth_of_february_2000_and_stays() {
    let (_folder, config) = changed(
        "momentum.toml",
        &[
            ("daily_loss_halt_pct = 0.12", "daily_loss_halt_pct = 0.03"),
            ("resume = \"next_session\"", "resume = \"never\""),
        ],
    );
    let out = folder();
    let result = run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    assert_eq!(result["halts"], 1);
    let refused = result["rejections_by_gate"]["halts"]["FUND_HALTED"].as_u64().unwrap();
    assert!(refused > 1_000, "{refused}");
    let report = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(report.contains("2000-02-09T21:00:00Z"));
}

#[test]
fn the_state_is_the_same_every_time_and_in_every_profile() {
    let golden = root().join("tests/golden/momentum.json");
    let mut found = Vec::new();
    for _ in 0..2 {
        let out = folder();
        let result = run(["run", "examples/momentum.toml", "--out", text(out.path()), "--json"]).json();
        let keys = ["state_hash", "config_hash", "final_nav", "orders", "fills", "rejections", "events"];
        found.push(serde_json::Value::Object(
            keys.iter().map(|key| ((*key).to_owned(), result[key].clone())).collect(),
        ));
        assert!(result["seconds"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(found[0], found[1]);
    let text = format!("{}\n", serde_json::to_string_pretty(&found[0]).unwrap());
    if std::env::var_os("MTS_UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    // The same file is compared with the release build's result by `cargo xtask ci`.
    assert_eq!(
        std::fs::read_to_string(&golden).unwrap(),
        text,
        "MTS_UPDATE_GOLDEN=1 takes the new state as right"
    );
}

#[test]
fn the_strict_example_shows_what_the_defaults_stop() {
    let out = folder();
    let result = run(["run", "examples/momentum-strict.toml", "--out", text(out.path()), "--json"]).json();
    for (gate, code) in
        [("concentration", "MAX_SECTOR"), ("order_notional", "MAX_ORDER_NOTIONAL"), ("halts", "FUND_HALTED")]
    {
        assert!(result["rejections_by_gate"][gate][code].as_u64().unwrap() > 0, "{gate} {code}");
    }
    let report = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(report.contains("MAX_SECTOR") && report.contains("<svg"));
    assert!(!report.contains("src=\"http") && !report.contains("<script"));
}

#[test]
fn targets_from_a_file_are_traded() {
    let out = folder();
    let result = run(["run", "examples/targets.toml", "--out", text(out.path()), "--json"]).json();
    assert!(result["fills"].as_u64().unwrap() > 0);
    assert_eq!(result["incidents"], 0);
}

#[test]
fn a_finished_run_prints_its_stored_result_and_fresh_never_touches_it() {
    let out = folder();
    let dir = text(out.path());
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2001-12-31")]);
    let first = run(["run", text(&config), "--out", dir, "--json"]).json();
    let again = run(["run", text(&config), "--out", dir, "--json"]).json();
    assert_eq!(first, again, "seconds included: nothing was run again");
    let refused = run(["run", text(&config), "--out", dir, "--fresh"]);
    assert_eq!(refused.code, 6);
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
    let other = run(["run", "examples/momentum-strict.toml", "--out", dir]);
    assert_eq!(other.code, 5);
    assert!(other.stderr.contains("another configuration"), "{}", other.stderr);
}

#[test]
fn until_stops_early_and_the_same_command_goes_on_to_the_same_end() {
    let (whole, parts) = (folder(), folder());
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2003-12-31")]);
    let expected = run(["run", text(&config), "--out", text(whole.path()), "--json"]).json();
    for until in ["2000-06-30", "2000-07-03", "2002-01-31"] {
        let stopped =
            run(["run", text(&config), "--out", text(parts.path()), "--until", until, "--json"]).json();
        assert_eq!(stopped["last_session"], until);
        assert_eq!(stopped["finished"], false);
    }
    let back = run(["run", text(&config), "--out", text(parts.path()), "--until", "2000-06-30"]);
    assert_eq!(back.code, 2, "{}", back.stderr);
    let done = run(["run", text(&config), "--out", text(parts.path()), "--json"]).json();
    assert_eq!(done["state_hash"], expected["state_hash"]);
    for file in ["orders.jsonl", "fills.jsonl", "nav.csv"] {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(read(whole.path()), read(parts.path()), "{file}");
    }
}
