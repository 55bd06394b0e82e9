//! The commands as a person uses them: messages, exit codes, what they leave behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{changed, folder, root, run, text};
use std::path::Path;

fn refused(config: &Path, code: i32, words: &[&str]) {
    let out = folder();
    let dir = out.path().join("run");
    let done = run(["run", text(config), "--out", text(&dir)]);
    assert_eq!(done.code, code, "{}", done.stderr);
    for word in words {
        assert!(done.stderr.contains(word), "no {word:?} in: {}", done.stderr);
    }
    assert!(done.stderr.starts_with("error: ") && done.stdout.is_empty());
    assert!(!dir.exists(), "nothing may be half-written");
}

#[test]
fn wrong_configurations_say_what_is_wrong_and_what_to_do() {
    let cases: &[(&str, &str, i32, &[&str])] = &[
        (
            "max_sector_pct",
            "max_sectr_pct",
            3,
            &["unknown key envelope.max_sectr_pct", "did you mean max_sector_pct?"],
        ),
        ("[gates]", "[gate]", 3, &["unknown section [gate]", "did you mean gates?"]),
        (
            "max_position_pct = 0.25",
            "max_position_pct = 25",
            3,
            &["max_position_pct is 25", "above 0 and at most 1"],
        ),
        ("max_position_pct = 0.25", "max_position_pct = nan", 3, &["envelope.max_position_pct", "NaN"]),
        ("max_position_pct = 0.25", "max_position_pct = \"much\"", 3, &["envelope.max_position_pct", "much"]),
        (
            "start = 2000-01-01",
            "start = 2030-01-01",
            3,
            &["run.end 2022-12-31 lies before run.start 2030-01-01"],
        ),
        ("end = 2022-12-31", "end = 1980-01-01", 3, &["run.end"]),
        ("n = 5", "n = 0", 3, &["equal_weight_long", "n is 0"]),
        ("n = 5", "m = 5", 3, &["unknown field `m`"]),
        ("h_skip = 21", "h_skp = 21", 3, &["h_skp"]),
        ("f_momentum_12_1", "f_momentum", 3, &["no such factor", "f_momentum_12_1"]),
        ("equal_weight_long", "equal_weight", 3, &["no such sizer", "equal_weight_long"]),
        (
            "kind = \"factor\"",
            "kind = \"magic\"",
            3,
            &["strategy.kind is \"magic\"", "factor, shift, targets"],
        ),
        (
            "allowed_brokers = [\"paper\"]",
            "allowed_brokers = []",
            3,
            &["allowed_brokers does not list \"paper\""],
        ),
        ("initial_cash = \"1000000\"", "initial_cash = \"-5\"", 3, &["fund.initial_cash is -5"]),
        ("initial_cash = \"1000000\"", "initial_cash = 0.1", 3, &["fund.initial_cash", "not exact"]),
        ("cash_buffer = \"0.01\"", "cash_buffer = \"1\"", 3, &["cash_buffer is 1"]),
        ("cash_buffer = \"0.01\"", "turnover_cap = \"0\"", 3, &["sizer.turnover_cap is 0", "above 0"]),
        ("cash_buffer = \"0.01\"", "minimum_trade = \"-1\"", 3, &["minimum_trade is -1", "at least 0"]),
        ("resume = \"next_session\"", "resume = \"soon\"", 3, &["soon", "next_session"]),
        (
            "fee_bps_per_side = 5",
            "participation = \"0.1\"",
            3,
            &["broker.participation is a share of the volume", "remove it"],
        ),
        ("fee_bps_per_side = 5", "fees = { maker_bps = \"1\" }", 3, &["broker.fees: maker_bps stands alone"]),
        ("fee_bps_per_side = 5", "shorting = \"never\"", 3, &["broker.shorting", "allowed"]),
        ("[broker]", "[broker", 3, &["TOML"]),
        (
            "data/us20/closes.csv",
            "data/us20/close.csv",
            4,
            &["data file", "close.csv cannot be read", "check the path"],
        ),
        ("data/us20/instruments.csv", "data/us20/NOTICE.md", 4, &["NOTICE.md"]),
    ];
    for (from, to, code, words) in cases {
        let (_folder, config) = changed("momentum.toml", &[(from, to)]);
        refused(&config, *code, words);
    }
    refused(
        Path::new("examples/nothing.toml"),
        3,
        &["examples/nothing.toml cannot be read", "check the path"],
    );
}

#[test]
fn corrupt_data_names_the_line() {
    let closes = std::fs::read_to_string(root().join("examples/data/us20/closes.csv")).unwrap();
    let cases = [
        ("1990-01-04,", "1990-01-0x,", "line 4: date \"1990-01-0x\""),
        ("1990-01-04,", "1990-01-06,", "line 4: 1990-01-06 is no session of XNYS"),
        ("1990-01-03,0.266,", "1990-01-03,-0.266,", "line 3: AAPL: price -0.266 is not greater than zero"),
        ("1990-01-03,0.266,", "1990-01-03,", "line 3"),
        ("1990-01-03,0.266,", "1990-01-03,oops,", "line 3: AAPL: \"oops\" is not a decimal"),
        ("Date,AAPL,", "Date,ZZZZ,", "column ZZZZ is not in the instrument table"),
    ];
    for (from, to, words) in cases {
        assert!(closes.contains(from));
        let data = folder();
        let file = data.path().join("closes.csv");
        std::fs::write(&file, closes.replacen(from, to, 1)).unwrap();
        let (_folder, config) =
            changed("momentum.toml", &[("\"data/us20/closes.csv\"", &format!("{file:?}"))]);
        refused(&config, 4, &[words]);
    }
}

#[test]
fn a_folder_with_changed_data_is_refused() {
    let data = folder();
    let file = data.path().join("closes.csv");
    let closes = std::fs::read_to_string(root().join("examples/data/us20/closes.csv")).unwrap();
    std::fs::write(&file, &closes).unwrap();
    let (_folder, config) = changed(
        "momentum.toml",
        &[("\"data/us20/closes.csv\"", &format!("{file:?}")), ("end = 2022-12-31", "end = 2000-12-29")],
    );
    let out = folder();
    assert_eq!(run(["run", text(&config), "--out", text(out.path()), "--until", "2000-06-30"]).code, 0);
    std::fs::write(&file, closes.replacen("0.264", "0.265", 1)).unwrap();
    let done = run(["run", text(&config), "--out", text(out.path())]);
    assert_eq!(done.code, 5);
    assert!(done.stderr.contains("another data file"), "{}", done.stderr);
}

#[test]
fn an_unwritable_output_says_so() {
    let out = folder();
    let file = out.path().join("file");
    std::fs::write(&file, "").unwrap();
    let done = run(["run", "examples/momentum.toml", "--out", text(&file.join("run"))]);
    assert_eq!(done.code, 6, "{}", done.stderr);
    assert!(done.stderr.contains("cannot be written") && done.stderr.contains("--out"), "{}", done.stderr);
}

#[test]
fn explain_tells_the_whole_story_of_an_order() {
    let out = folder();
    let dir = text(out.path());
    let (_folder, config) = changed("momentum.toml", &[("end = 2022-12-31", "end = 2000-12-29")]);
    assert_eq!(run(["run", text(&config), "--out", dir, "--json"]).code, 0);
    let bought = run(["explain", "momentum-000001", "--out", dir, "--json"]).json();
    assert_eq!(bought["target"]["rank"], 1);
    assert_eq!(bought["target"]["weight"], "0.2");
    assert!(bought["target"]["signal"].as_str().unwrap().parse::<f64>().unwrap() > 1.0);
    assert_eq!(bought["gates"].as_array().unwrap().len(), 25);
    let gate = |name: &str| {
        let gates = bought["gates"].as_array().unwrap();
        gates.iter().find(|line| line["gate"] == name).unwrap().clone()
    };
    assert_eq!(gate("position")["verdict"], "pass");
    let number =
        |value: &serde_json::Value| value.as_str().unwrap().parse::<mts_foundation::Decimal>().unwrap();
    assert_eq!(number(&gate("position")["limit"]), "250000".parse().unwrap());
    let effect = &bought["effects"][0];
    let fill = &effect["fill"];
    let paid = number(&fill["quantity"]) * number(&fill["price"]) + number(&fill["fees"]);
    assert_eq!(number(&effect["cash_before"]) - number(&effect["cash_after"]), paid);
    assert_eq!(number(&effect["nav_before"]) - number(&effect["nav_after"]), number(&fill["fees"]));
    assert_eq!(effect["position_after"], fill["quantity"]);
    let story = run(["explain", "momentum-000001", "--out", dir]).stdout;
    for words in ["f_momentum_12_1", "rank 1", "accepted as PAPER-", "filled", "concentration", "before"] {
        assert!(story.contains(words), "no {words:?} in: {story}");
    }
    let unknown = run(["explain", "momentum-999999", "--out", dir]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("momentum-000001"), "{}", unknown.stderr);
}

#[test]
fn explain_shows_what_refused_an_order() {
    let out = folder();
    let dir = text(out.path());
    let (_folder, config) = changed("momentum-strict.toml", &[("end = 2022-12-31", "end = 2000-12-29")]);
    assert_eq!(run(["run", text(&config), "--out", dir]).code, 0);
    let orders = std::fs::read_to_string(out.path().join("orders.jsonl")).unwrap();
    let refused: serde_json::Value = orders
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|record| record["state"] == "rejected")
        .unwrap();
    let id = refused["order"]["order_id"].as_str().unwrap();
    let story = run(["explain", id, "--out", dir, "--json"]).json();
    assert_eq!(story["rejection"]["code"], "MAX_SECTOR");
    let concentration = &story["gates"][19];
    assert_eq!(
        (concentration["number"].as_u64(), concentration["verdict"].as_str()),
        (Some(20), Some("reject"))
    );
    assert_eq!(story["gates"][20]["verdict"], "not_reached");
    assert!(run(["explain", id, "--out", dir]).stdout.contains("refused by concentration: MAX_SECTOR"));
}

#[test]
fn impossible_orders_of_a_file_become_incidents_that_are_shown() {
    let dir = folder();
    let orders = dir.path().join("orders.jsonl");
    std::fs::write(
        &orders,
        "{\"date\":\"2019-01-31\",\"orders\":[{\"symbol\":\"KO\",\"side\":\"buy\",\"quantity\":\"5\"},\
         {\"symbol\":\"KO\",\"side\":\"buy\",\"quantity\":\"7\"},\
         {\"symbol\":\"HD\",\"side\":\"buy\",\"quantity\":\"1\",\"order_type\":\"limit\"}]}\n",
    )
    .unwrap();
    let (_folder, config) = changed(
        "targets.toml",
        &[("\"data/targets.csv\"", &format!("{orders:?}")), ("end = 2022-12-31", "end = 2019-03-29")],
    );
    let out = folder();
    let result = run(["run", text(&config), "--out", text(out.path()), "--json"]).json();
    assert_eq!((result["fills"].as_u64(), result["incidents"].as_u64()), (Some(2), Some(1)));
    let incidents = std::fs::read_to_string(out.path().join("incidents.jsonl")).unwrap();
    assert!(incidents.contains("ORDER_INVALID") && incidents.contains("limit_price"), "{incidents}");
    assert!(std::fs::read_to_string(out.path().join("report.html")).unwrap().contains("ORDER_INVALID"));
}

#[test]
fn config_check_explains_and_runs_nothing() {
    let done = run(["config", "check", "examples/momentum.toml"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for words in ["20 instruments, 1990-01-02 to 2022-12-28", "60.00% of NAV", "f_momentum_12_1", "is fine"] {
        assert!(done.stdout.contains(words), "no {words:?} in: {}", done.stdout);
    }
    let json = run(["config", "check", "examples/momentum.toml", "--json"]).json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["config"]["envelope"]["max_sector_pct"], 0.6);
}

#[test]
fn the_documentation_of_the_configuration_is_complete() {
    let tables = run(["config", "keys", "--markdown"]).stdout;
    let docs = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    assert!(
        docs.contains(tables.trim()),
        "docs/configuration.md: paste what `mts config keys --markdown` prints"
    );
    let keys = run(["config", "keys", "--json"]).json();
    assert!(keys.as_array().unwrap().len() > 70);
}

#[test]
fn a_wrong_command_line_is_told_with_code_two() {
    let done = run(["rum", "x"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("run"), "{}", done.stderr);
    assert_eq!(run(["--help"]).code, 0);
    assert!(run(["--version"]).stdout.starts_with("mts "));
}

#[test]
fn new_strategy_writes_the_crate_that_the_examples_show() {
    let dir = folder();
    let target = dir.path().join("own_strategy");
    let root = root().canonicalize().unwrap();
    let done = run(["new", "strategy", "own_strategy", "--dir", text(&target), "--mts", text(&root)]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for file in ["Cargo.toml", "src/main.rs", "own_strategy.toml", "README.md"] {
        let made = std::fs::read_to_string(target.join(file)).unwrap().replace(text(&root), "../..");
        let shown = std::fs::read_to_string(root.join("examples/own_strategy").join(file)).unwrap();
        assert_eq!(made, shown, "{file}: examples/own_strategy is what mts new strategy writes");
    }
    let again = run(["new", "strategy", "own_strategy", "--dir", text(&target)]);
    assert_eq!(again.code, 6);
    let wrong = run(["new", "strategy", "My-Strategy"]);
    assert_eq!(wrong.code, 2);
}
