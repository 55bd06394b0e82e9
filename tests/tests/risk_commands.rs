//! `mts risk check` and `mts risk show` through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{Done, changed, folder, mts, root, run, text};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const CONFIG: &str = "examples/momentum.toml";

/// `mts risk check` with the order on standard input.
fn check(order: &Value, args: &[&str]) -> (i32, Value) {
    let mut child = Command::new(mts())
        .current_dir(root())
        .args(["risk", "check", "--config", CONFIG, "--order", "-", "--json"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let answer = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said} {}", String::from_utf8_lossy(&done.stderr)));
    (done.status.code().unwrap(), answer)
}

fn gate<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == name).unwrap()
}

fn buy(quantity: &str) -> Value {
    json!({ "symbol": "AAPL", "side": "buy", "quantity": quantity, "order_type": "market" })
}

fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (text(&path).to_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Net asset value at the last close before a day: what the first open of that day begins with.
fn nav_before(out: &Path, day: &str) -> f64 {
    let table = std::fs::read_to_string(out.join("nav.csv")).unwrap();
    let last = table.lines().skip(1).take_while(|line| *line < day).last().unwrap();
    last.split(',').nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_order_meets_all_gates_with_the_room_that_is_left() {
    let (code, answer) = check(&buy("100"), &["--price", "AAPL=100"]);
    assert_eq!((code, &answer["answer"]), (0, &"approved".into()), "{answer}");
    let gates = answer["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 25);
    assert!(gates.iter().enumerate().all(|(place, gate)| gate["number"] == place as u64 + 1));
    assert!(gates.iter().all(|gate| gate["verdict"] != "not_reached"), "{answer}");
    let position = gate(&answer, "position");
    for (field, value) in [("observed", 10_000.0), ("limit", 250_000.0), ("headroom", 240_000.0_f64)] {
        let number: f64 = position[field].as_str().unwrap().parse().unwrap();
        assert!((number - value).abs() < 1e-9, "{field}: {position}");
    }
    assert_eq!(position["headroom_share"], 0.96);
    assert_eq!(answer["filled_in"][0], "order_id");
    assert_eq!(answer["order"]["fund_id"], "momentum");
    for name in ["idempotency", "schema"] {
        assert_eq!(gate(&answer, name)["verdict"], "pass");
    }
}

#[test]
fn a_refusal_names_gate_code_and_numbers_and_has_its_exit_code() {
    let (code, answer) = check(&buy("3000"), &["--price", "AAPL=100"]);
    assert_eq!(code, 7);
    assert_eq!(answer["rejection"]["code"], "MAX_ORDER_NOTIONAL_PCT");
    assert_eq!(gate(&answer, "order_notional")["verdict"], "reject");
    assert_eq!(gate(&answer, "order_notional")["headroom_share"], -0.2);
    // What else stands in the way, and what does not, is told as well.
    assert_eq!(gate(&answer, "position")["verdict"], "reject");
    assert_eq!(gate(&answer, "exposure")["verdict"], "pass");
    let (code, answer) = check(&buy("1"), &[]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"NO_REFERENCE_PRICE".into()));
    let (code, answer) = check(&buy("1"), &["--price", "AAPL=100", "--session", "closed"]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"MARKET_CLOSED".into()));
    let limit = json!({ "symbol": "AAPL", "side": "buy", "quantity": "1", "order_type": "limit", "limit_price": "90" });
    let (code, answer) = check(&limit, &[]);
    assert_eq!((code, &answer["assumed_price"][1]), (0, &"90".into()), "{answer}");
    let (code, answer) = check(&json!({ "symbol": "AAPL", "side": "hold" }), &[]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"SCHEMA_INVALID".into()));
    let message = answer["rejection"]["message"].as_str().unwrap();
    for field in ["side", "quantity", "order_type"] {
        assert!(message.contains(&format!("{field}: ")), "{message}");
    }
}

#[test]
fn the_table_is_for_people() {
    let at = folder();
    let file = at.path().join("order.json");
    std::fs::write(&file, buy("3000").to_string()).unwrap();
    let Done { code, stdout, stderr } =
        run(["risk", "check", "--config", CONFIG, "--order", text(&file), "--price", "AAPL=100"]);
    assert_eq!(code, 7);
    assert!(
        stdout.contains("14  order_notional      REJECT     300000   250000    -50000  -20.0%"),
        "{stdout}"
    );
    assert!(stdout.contains("filled in: order_id, idempotency_key"), "{stdout}");
    assert!(stderr.contains("refused by order_notional: MAX_ORDER_NOTIONAL_PCT: "), "{stderr}");
    let order = run(["risk", "check", "--config", CONFIG, "--order", "nowhere.json"]);
    assert_eq!(order.code, 2, "{}", order.stderr);
    let price = run(["risk", "check", "--config", CONFIG, "--order", text(&file), "--price", "ZZZZ=1"]);
    assert!(price.code == 2 && price.stderr.contains("ZZZZ"), "{}", price.stderr);
}

#[test]
fn the_state_of_a_run_is_asked_and_left_alone() {
    let at = folder();
    let out = text(at.path());
    let result = run(["run", CONFIG, "--out", out, "--until", "2000-06-30", "--json"]).json();
    let before = bytes(at.path());
    let (code, answer) = check(&buy("20000"), &["--out", out]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"MAX_GROSS_EXPOSURE".into()), "{answer}");
    let sell = json!({ "symbol": "AAPL", "side": "sell", "quantity": "10", "order_type": "market" });
    let (code, answer) = check(&sell, &["--out", out]);
    assert_eq!((code, &gate(&answer, "position")["verdict"]), (0, &"exempt".into()), "{answer}");
    let shown = run(["risk", "show", "--config", CONFIG, "--out", out, "--json"]).json();
    assert_eq!(shown["nav"], result["final_nav"]);
    let limits = shown["limits"].as_array().unwrap();
    let sector = limits.iter().find(|limit| limit["limit"] == "envelope.max_sector_pct").unwrap();
    assert_eq!(sector["of"], "Information Technology");
    assert!((0.5..1.0).contains(&sector["share"].as_f64().unwrap()), "{sector}");
    let month = limits.iter().find(|limit| limit["limit"] == "envelope.monthly_loss_halt_pct").unwrap();
    let number = |field: &str| month[field].as_str().unwrap().parse::<f64>().unwrap();
    let opened = nav_before(at.path(), "2000-06-01");
    assert!((number("allowed") - 0.30 * opened).abs() < 0.01, "{month}: {opened}");
    let now: f64 = result["final_nav"].as_str().unwrap().parse().unwrap();
    assert!((number("used") - (opened - now).max(0.0)).abs() < 0.01, "{month}: {opened} {now}");
    assert_eq!((&shown["kill_switch"], &shown["halts"]), (&Value::Null, &json!([])));
    assert_eq!(bytes(at.path()), before, "nothing is written");
    let (_other, config) = changed("momentum.toml", &[("max_sector_pct = 0.60", "max_sector_pct = 0.50")]);
    let other = run(["risk", "show", "--config", text(&config), "--out", out]);
    assert!(other.code == 5 && other.stderr.contains("another configuration"), "{}", other.stderr);
}

#[test]
fn a_key_that_the_run_remembers_is_refused_before_the_other_gates() {
    let at = folder();
    let out = text(at.path());
    run(["run", CONFIG, "--out", out, "--until", "2000-07-03", "--json"]).json();
    let orders = std::fs::read_to_string(at.path().join("orders.jsonl")).unwrap();
    let last: Value = serde_json::from_str(orders.lines().last().unwrap()).unwrap();
    let order = last["order"].clone();
    assert!(order["created_at"].as_str().unwrap().starts_with("2000-07-03"), "{order}");
    let (code, answer) = check(&order, &["--out", out]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"IDEMPOTENCY_KEY_REUSED".into()));
    let mut other = order;
    other["quantity"] = "1".into();
    let (code, answer) = check(&other, &["--out", out]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"IDEMPOTENCY_CONFLICT".into()));
    assert_eq!(gate(&answer, "idempotency")["verdict"], "reject");
    assert_eq!(gate(&answer, "authorised")["verdict"], "not_reached");
}

#[test]
fn halts_and_the_kill_switch_are_shown_and_met() {
    let at = folder();
    let out = text(at.path());
    run(["run", CONFIG, "--out", out, "--until", "2000-06-30", "--json"]).json();
    let halt = ["halt", "--fund", "momentum", "--reason", "an audit", "--actor", "ann", "--out", out];
    assert_eq!(run(halt).code, 0);
    let (code, answer) = check(&buy("1"), &["--out", out]);
    assert_eq!((code, &answer["rejection"]["code"]), (7, &"FUND_HALTED".into()));
    assert_eq!(run(["kill", "--reason", "fire", "--actor", "ann", "--out", out]).code, 0);
    let (_, answer) = check(&buy("1"), &["--out", out]);
    assert_eq!(answer["rejection"]["code"], "KILL_SWITCH");
    let sell = json!({ "symbol": "AAPL", "side": "sell", "quantity": "10", "order_type": "market" });
    assert_eq!(check(&sell, &["--out", out]).0, 7);
    assert_eq!(check(&sell, &["--out", out, "--closing"]).0, 0, "closing passes");
    let shown = run(["risk", "show", "--config", CONFIG, "--out", out]).stdout;
    assert!(shown.contains("kill switch: ON, fire"), "{shown}");
    assert!(shown.contains("halt: fund momentum (reduce_only) since 2000-06-30T20:00:00Z, by ann: an audit"));
}
