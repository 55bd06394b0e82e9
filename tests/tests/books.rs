//! The books of a run: they agree with the ledger, every cent has a reason, and the tear sheet says where the profit came from.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]
#![expect(clippy::disallowed_methods, reason = "a live engine is waited for in real time")]

mod common;

use common::{Done, changed, folder, mts, root, run, text};
use mts_foundation::Decimal;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn d(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value} is no decimal")).parse().unwrap()
}

fn sum(rows: &Value, field: &str) -> Decimal {
    rows.as_array().unwrap().iter().map(|row| d(&row[field])).sum()
}

/// A back-test of four years, in a folder of its own.
fn back_test(changes: &[(&str, &str)]) -> (tempfile::TempDir, std::path::PathBuf, Value) {
    back_test_of("targets.toml", changes)
}

fn back_test_of(example: &str, changes: &[(&str, &str)]) -> (tempfile::TempDir, std::path::PathBuf, Value) {
    let (at, config) = changed(example, changes);
    let out = at.path().join("out");
    let result = run(["run", text(&config), "--out", text(&out), "--json"]).json();
    (at, out, result)
}

#[test]
fn books_explain_every_cent_of_a_back_test() {
    let (_at, out, result) = back_test(&[]);
    let books = run(["books", text(&out), "--postings", "--json"]).json();
    assert_eq!(d(&books["nav_usd"]), d(&result["final_nav"]));
    assert_eq!(d(&books["cash_usd"]), d(&result["final_cash"]));
    assert_eq!(d(&books["fees"]), d(&result["fees"]));
    // Opening cash and everything that moved since.
    let postings = &books["postings"];
    assert_eq!(postings.as_array().unwrap().len() as u64, result["fills"].as_u64().unwrap());
    let moved = sum(postings, "amount") - sum(postings, "fees");
    assert_eq!(d(&books["opening_cash"]) + moved, d(&books["cash_usd"]));
    // Realised, unrealised and fees are the whole profit; lots are the positions.
    let profit = d(&books["realized"]) + d(&books["unrealized"]) - d(&books["fees"]);
    assert_eq!(profit.round_dp(9), (d(&result["final_nav"]) - d(&result["initial_cash"])).round_dp(9));
    let held: Vec<Value> = run(["positions", text(&out), "--json"])
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!held.is_empty());
    for position in &held {
        let lots = books["lots"].as_array().unwrap().iter().filter(|lot| lot["symbol"] == position["symbol"]);
        let units: Decimal = lots.map(|lot| d(&lot["open_qty"]) - d(&lot["close_qty"])).sum();
        assert_eq!(units, d(&position["quantity"]), "{}", position["symbol"]);
    }
    let sectors: Decimal =
        books["exposures"]["by_sector"].as_object().unwrap().values().map(|side| d(&side["long"])).sum();
    assert_eq!(sectors, d(&books["long_usd"]));
    let shown = run(["books", text(&out), "--lots", "--postings"]);
    assert!(
        shown.stdout.contains("books and ledger agree") && shown.stdout.contains("opening cash"),
        "{}",
        shown.stdout
    );

    // As they stood before.
    let then = run(["books", text(&out), "--until", "2020-06-01", "--json"]).json();
    let nav = std::fs::read_to_string(out.join("nav.csv")).unwrap();
    let row = nav.lines().find(|line| line.starts_with("2020-05-29")).unwrap();
    assert_eq!(d(&then["nav_usd"]), row.split(',').nth(1).unwrap().parse().unwrap());
    assert!(then["time"].as_str().unwrap().starts_with("2020-05-29"));
    let wrong = run(["books", text(&out), "--fund", "other"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("it has targets"), "{}", wrong.stderr);
}

#[test]
fn the_lots_that_are_sold_are_those_of_the_method_or_those_that_were_picked() {
    let of = |method: &str| {
        let cash = "initial_cash = \"1000000\"";
        let with_method = format!("{cash}\ntax_lot_method = \"{method}\"");
        back_test_of("momentum.toml", &[(cash, &with_method), ("end = 2022-12-31", "end = 2006-12-31")])
    };
    let realized = |books: &Value| -> Decimal {
        let closed = books["postings"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row["lots"]["closed"].as_array().unwrap());
        closed.map(|lot| d(&lot["realized"])).sum()
    };
    let shown = |out: &Path, more: &[&str]| -> Done {
        let mut command = Command::new(mts());
        command.current_dir(root()).args(["books", text(out), "--postings", "--json"]).args(more);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Done { code: output.status.code().unwrap_or(-1), stdout, stderr }
    };
    let books = |method: &str| shown(&of(method).1, &[]).json();
    let (fifo, hifo, loifo) = (books("fifo"), books("hifo"), books("loifo"));
    // Within a sale the lots go in the order of their method.
    let in_order = |books: &Value, right: fn(&Value, &Value) -> bool| {
        let sales = books["postings"].as_array().unwrap().iter();
        let closed = sales.map(|row| row["lots"]["closed"].as_array().unwrap());
        let pairs: Vec<bool> =
            closed.flat_map(|closed| closed.windows(2).map(|pair| right(&pair[0], &pair[1]))).collect();
        assert!(pairs.len() > 5, "{}", pairs.len());
        pairs.into_iter().all(|right| right)
    };
    fn cost(lot: &Value) -> Decimal {
        (d(&lot["open_cost"]) / d(&lot["quantity"])).round_dp(9)
    }
    assert!(in_order(&fifo, |first, then| first["open_date"].as_str() <= then["open_date"].as_str()));
    assert!(in_order(&hifo, |first, then| cost(first) >= cost(then)));
    assert!(in_order(&loifo, |first, then| cost(first) <= cost(then)));
    assert!(realized(&hifo) != realized(&fifo) && realized(&fifo) != realized(&loifo));
    assert_eq!(
        (&hifo["nav_usd"], &hifo["realized"]),
        (&fifo["nav_usd"], &fifo["realized"]),
        "the money is the same"
    );

    let (at, out, _) = of("specid");
    let oldest = shown(&out, &[]).json();
    let sale = oldest["postings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| !row["lots"]["closed"].as_array().unwrap().is_empty())
        .unwrap();
    let (fill, lot) = (sale["cause"].as_str().unwrap(), &sale["lots"]["closed"][0]);
    let picks = at.path().join("picks.csv");
    std::fs::write(&picks, format!("fill_id,lot_id,quantity\n{fill},nobody,1\n")).unwrap();
    let refused = shown(&out, &["--picks", text(&picks)]);
    assert!(refused.code != 0 && refused.stderr.contains("lot nobody"), "{}", refused.stderr);
    std::fs::write(
        &picks,
        format!(
            "fill_id,lot_id,quantity\n{fill},{},{}\n",
            lot["lot_id"].as_str().unwrap(),
            d(&lot["quantity"])
        ),
    )
    .unwrap();
    assert_eq!(realized(&shown(&out, &["--picks", text(&picks)]).json()), realized(&oldest));
    std::fs::write(&picks, "fill,lot\n").unwrap();
    let refused = shown(&out, &["--picks", text(&picks)]);
    assert!(
        refused.stderr.contains("line 1: the header is \"fill,lot\"; write fill_id,lot_id,quantity"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_tax_of_all_years_is_what_the_lots_realised() {
    let (at, out, _) = back_test(&[]);
    let books = run(["books", text(&out), "--postings", "--json"]).json();
    let closed: Vec<&Value> = books["postings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row["lots"]["closed"].as_array().unwrap())
        .collect();
    let of_lots = |field: &str| -> Decimal { closed.iter().map(|lot| d(&lot[field])).sum() };
    let realized = of_lots("realized") - of_lots("open_fees") - of_lots("close_fees");
    let mut total = Decimal::ZERO;
    for year in ["2019", "2020", "2021", "2022"] {
        let tax = run(["tax", text(&out), "--year", year, "--json"]);
        assert_eq!(tax.stderr.contains("may still disallow"), year == "2022", "{}", tax.stderr);
        let tax = tax.json();
        let gain = d(&tax["short"]["gain"]) + d(&tax["long"]["gain"]);
        assert_eq!(sum(&tax["rows"], "gain"), gain, "{year}");
        total += gain - sum(&tax["rows"], "adjustment") + sum(&tax["rows"], "basis_added");
    }
    assert_eq!(total.round_dp(9), realized.round_dp(9));
    let file = at.path().join("2020.csv");
    let told = run(["tax", text(&out), "--year", "2020", "--out", text(&file)]);
    assert!(told.stdout.contains("no tax advice") && told.stdout.contains("long-term"), "{}", told.stdout);
    let rows = std::fs::read_to_string(&file).unwrap();
    assert!(rows.starts_with("description,date_acquired,date_sold,proceeds,cost_basis,code"), "{rows}");
    assert!(told.stdout.contains(&format!("{} rows in", rows.lines().count() - 1)), "{}", told.stdout);
}

#[test]
fn a_statement_that_is_right_agrees_and_a_wrong_one_is_explained() {
    let (at, out, _) = back_test(&[]);
    let (first, last, next) = ("2020-01-01", "2020-12-31", "2021-01-01");
    let then = run(["books", text(&out), "--until", next, "--postings", "--json"]).json();
    let mut lines = vec!["kind,date,symbol,side,quantity,price,fees,amount,currency,id".to_owned()];
    for row in then["postings"].as_array().unwrap() {
        let (date, fill) = (row["date"].as_str().unwrap(), &row["kind"]["fill"]);
        if date >= first {
            let symbol = row["symbol"].as_str().unwrap();
            let [side, quantity, price] =
                ["side", "quantity", "price"].map(|field| fill[field].as_str().unwrap());
            let fees = row["fees"].as_str().unwrap();
            lines.push(format!("trade,{date},{symbol},{side},{quantity},{price},{fees},,USD,"));
        }
    }
    let trades = lines.len() - 1;
    assert!(trades > 3, "{lines:#?}");
    let mut held: std::collections::BTreeMap<&str, Decimal> = std::collections::BTreeMap::new();
    for lot in then["lots"].as_array().unwrap() {
        *held.entry(lot["symbol"].as_str().unwrap()).or_default() +=
            d(&lot["open_qty"]) - d(&lot["close_qty"]);
    }
    lines.extend(held.iter().map(|(symbol, units)| format!("position,{last},{symbol},,{units},,,,USD,")));
    lines.push(format!("cash,{last},,,,,,{},USD,", d(&then["cash_usd"])));
    let file = at.path().join("statement.csv");
    let compared = |lines: &[String], json: &str| {
        std::fs::write(&file, lines.join("\n")).unwrap();
        let (out, file) = (text(&out), text(&file));
        run(["statement", out, file, "--from", first, "--to", last, json])
    };
    let right = compared(&lines, "--format=csv");
    assert_eq!(right.code, 0, "{}{}", right.stdout, right.stderr);
    assert!(right.stdout.contains("statement and books agree"), "{}", right.stdout);
    assert!(right.stdout.contains(&format!("{trades} trades")), "{}", right.stdout);
    let missing = lines.remove(1);
    let wrong = compared(&lines, "--json");
    assert_eq!(wrong.code, 8, "{}", wrong.stderr);
    let wrong: Value = serde_json::from_str(&wrong.stdout).unwrap();
    assert_eq!(wrong["found"][0]["kind"], "trade_missing_in_statement", "{missing}: {wrong:#}");
    assert_eq!(wrong["matched_trades"], trades - 1);
    std::fs::write(&file, "kind,date\ntrade,yesterday\n").unwrap();
    let unread = run(["statement", text(&out), text(&file)]);
    assert!(unread.code != 0 && unread.stderr.contains("line"), "{}", unread.stderr);
}

#[test]
fn a_tear_sheet_adds_up() {
    let (_at, out, result) = back_test(&[]);
    let sheets = folder();
    let at = sheets.path().join("new/folder");
    let sheet = run(["report", text(&out), "--out", text(&at), "--json"]).json();
    for name in ["report.html", "report.json", "nav.csv", "attribution.csv", "lots.csv", "postings.csv"] {
        assert!(at.join(name).metadata().unwrap().len() > 50, "{name}");
    }
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(at.join("report.json")).unwrap()).unwrap();
    assert_eq!(kept, sheet);
    let total: f64 = d(&sheet["time_weighted"]).to_string().parse().unwrap();
    assert!(
        (total - result["total_return"].as_f64().unwrap()).abs() < 1e-9,
        "without flows it is the simple one"
    );
    for parts in ["by_strategy", "by_symbol", "by_sector"] {
        let money = sum(&sheet[parts], "money");
        assert_eq!(money.round_dp(9), d(&sheet["profit"]).round_dp(9), "{parts}");
        let linked: f64 =
            sheet[parts].as_array().unwrap().iter().map(|part| part["linked"].as_f64().unwrap()).sum();
        assert!((linked - total).abs() < 1e-6, "{parts}: {linked} and {total}");
    }
    let months: f64 = sheet["months"]
        .as_array()
        .unwrap()
        .iter()
        .map(|month| 1.0 + month["return"].as_f64().unwrap())
        .product();
    assert!((months - 1.0 - total).abs() < 1e-9);
    assert_eq!(sheet["months"].as_array().unwrap().len(), 48);
    assert_eq!(d(&sheet["costs"]["parts"]["fees"]), d(&result["fees"]));
    let page = std::fs::read_to_string(at.join("report.html")).unwrap();
    for words in
        ["Time-weighted return", "Contribution by sector", "Returns by month", "Deepest drawdowns", "<svg"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<script") && !page.contains("src=\"http"), "it stands on its own");
    let early = run(["report", text(&out), "--out", text(&at), "--until", "2018-01-01"]);
    assert!(early.stderr.contains("nothing had happened in"), "{}", early.stderr);
}

#[test]
fn an_issuers_action_is_booked_by_the_running_engine_and_once() {
    let (at, config) = changed(
        "paper.toml",
        &[("[metrics]\nport = 9464\n", ""), ("units = 10, every = 7", "units = 10, every = 7, rest = false")],
    );
    let out = at.path().join("out");
    let mut engine = Command::new(mts());
    engine.current_dir(root()).args(["run", text(&config), "--out", text(&out), "--json"]);
    let mut engine = engine.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let today = chrono::Utc::now().date_naive().to_string();
    let began = Instant::now();
    // Where orders work the action is refused, and the drill trades on: again, until it meets a quiet moment.
    let (symbol, booked) = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing could be split");
        std::thread::sleep(Duration::from_millis(100));
        let held = run(["positions", text(&out), "--json"]).stdout;
        let Some(first) = held.lines().next() else { continue };
        let first: Value = serde_json::from_str(first).unwrap();
        let symbol = first["symbol"].as_str().unwrap().to_owned();
        let split = [
            "action",
            "split",
            &symbol,
            "4:1",
            "--ex",
            &today,
            "--id",
            "one",
            "--actor",
            "me",
            "--reason",
            "told",
            "--out",
            text(&out),
            "--json",
        ];
        let done = run(split);
        if done.code == 0 {
            let done = done.json();
            let events = done["events"].as_array().unwrap().clone();
            if let Some(applied) = events.iter().find(|event| event["event"] == "corporate_action_applied") {
                break (symbol, applied.clone());
            }
        } else {
            assert!(done.stderr.contains("not booked"), "{}", done.stderr);
        }
    };
    assert_eq!(d(&booked["position_after"]), d(&booked["position_before"]) * Decimal::from(4));
    let again = run([
        "action",
        "split",
        &symbol,
        "4:1",
        "--ex",
        &today,
        "--id",
        "one",
        "--actor",
        "me",
        "--reason",
        "told",
        "--out",
        text(&out),
    ]);
    assert_eq!(again.code, 7, "{}", again.stderr);
    assert!(again.stdout.contains("it was booked with ex-date"), "{}", again.stdout);
    let wrong = run([
        "action",
        "split",
        &symbol,
        "4-1",
        "--ex",
        &today,
        "--actor",
        "me",
        "--reason",
        "told",
        "--out",
        text(&out),
    ]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("such as 4:1"), "{}", wrong.stderr);
    let books = run(["books", text(&out), "--postings", "--json"]).json();
    let actions: Vec<_> =
        books["postings"].as_array().unwrap().iter().filter(|row| row["cause"] == "one").collect();
    assert_eq!(actions.len(), 1, "{books:#}");
    assert!(Command::new("kill").args(["-TERM", &engine.id().to_string()]).status().unwrap().success());
    engine.wait().unwrap();
}
