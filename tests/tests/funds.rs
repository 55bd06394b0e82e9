//! `mts fund`: the firm of the documents from its first fund to an executed allocation, and funds whose value is that of
//! their runs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

mod common;

use common::{Done, changed, folder, mts, root, run, run_list, text};
use mts_engine::record::{INPUT_V1, encode};
use mts_engine::{Input, OperatorAct};
use mts_foundation::{ActorId, BrokerName, CashKind, Decimal, FundId, Journal};
use mts_journal::FileJournal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// `mts fund …` with this registry.
fn fund(registry: &Path, args: &[&str]) -> Done {
    let mut all = vec!["fund"];
    all.extend(args);
    all.extend(["--registry", text(registry)]);
    run_list(&all)
}

fn done(registry: &Path, args: &[&str]) -> String {
    let done = fund(registry, args);
    assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
    done.stdout
}

fn json(registry: &Path, args: &[&str]) -> Value {
    let mut args = args.to_vec();
    args.push("--json");
    fund(registry, &args).json()
}

fn refused(registry: &Path, args: &[&str], code: i32, words: &str) {
    let before = journal(registry);
    let done = fund(registry, args);
    assert_eq!(done.code, code, "{args:?}: {}", done.stderr);
    assert!(done.stderr.contains(words), "no {words:?} in: {}", done.stderr);
    assert_eq!(journal(registry), before, "a refused command has recorded something: {args:?}");
}

fn journal(registry: &Path) -> Option<Vec<u8>> {
    std::fs::read(registry.join("journal.mts")).ok()
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).parse().unwrap()
}

fn float(value: &Value) -> f64 {
    f64::try_from(decimal(value)).unwrap()
}

const BY: [&str; 4] = ["--actor", "ann", "--reason", "the year's result"];

/// The four funds of the documents, worth 112,400, 48,200, 24,800 and 38,750.
fn firm() -> (tempfile::TempDir, PathBuf) {
    let out = folder();
    let registry = out.path().join("funds");
    for (name, nav, broker) in [
        ("equities", "100000", "ibkr"),
        ("crypto", "50000", "coinbase"),
        ("options", "25000", "ibkr"),
        ("futures", "40000", "ibkr"),
    ] {
        done(&registry, &["create", "--fund-id", name, "--nav", nav, "--broker", broker]);
    }
    for (act, name, amount) in [
        ("deposit", "equities", "12400"),
        ("withdraw", "crypto", "1800.00"),
        ("withdraw", "options", "200"),
        ("withdraw", "futures", "1250"),
    ] {
        done(&registry, &[&[act, name, amount], BY.as_slice()].concat());
    }
    (out, registry)
}

/// The words of a table's line.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn the_list_is_that_of_the_documents() {
    let (_out, registry) = firm();
    let list = done(&registry, &["list"]);
    let lines: Vec<Vec<&str>> = list.lines().map(words).collect();
    assert_eq!(lines[0], ["fund_id", "broker", "target_nav", "current_nav", "pct_firm"]);
    assert_eq!(lines[1][..5], ["crypto", "coinbase", "50,000.00", "48,200.00", "21.5%"]);
    assert_eq!(lines[2][..5], ["equities", "ibkr", "100,000.00", "112,400.00", "50.1%"]);
    assert_eq!(lines[3][..5], ["futures", "ibkr", "40,000.00", "38,750.00", "17.3%"]);
    assert_eq!(lines[4][..5], ["options", "ibkr", "25,000.00", "24,800.00", "11.1%"]);
    assert_eq!(lines[5], ["Firm", "NAV", "224,150.00"]);
    let list = json(&registry, &["list"]);
    assert_eq!((decimal(&list["firm_nav"]), &list["currency"]), (Decimal::from(224_150), &"USD".into()));
    assert_eq!(list["funds"].as_array().unwrap().len(), 4);
    let shown = json(&registry, &["show", "equities"]);
    assert_eq!(shown["moves"][0]["reason"], "the year's result");
    assert_eq!((&shown["capital"], &shown["source"]), (&"112400".into(), &"registry".into()));
    assert!(done(&registry, &["show", "equities"]).contains("12,400.00"));
    done(
        &registry,
        &[
            "create",
            "--fund-id",
            "empty",
            "--nav",
            "0",
            "--broker",
            "ibkr",
            "--account",
            "U1",
            "--lot-method",
            "hifo",
            "--strategy",
            "carry",
            "--strategy",
            "trend",
            "--asset-class",
            "equities",
        ],
    );
    let empty = &json(&registry, &["show", "empty"])["fund"];
    assert_eq!((&empty["broker_account_id"], &empty["tax_lot_method"]), (&"U1".into(), &"hifo".into()));
    assert_eq!((&empty["strategies"][1], &empty["asset_classes"][0]), (&"trend".into(), &"equities".into()));
    let history = done(&registry, &["history"]);
    assert_eq!(history.lines().count(), 10);
    assert!(history.contains("1,800.00 withdrawn from fund crypto"), "{history}");
}

#[test]
fn what_is_wrong_is_refused_and_records_nothing() {
    let (out, registry) = firm();
    let mut create = vec!["create", "--fund-id", "equities", "--nav", "1", "--broker", "ibkr"];
    refused(&registry, &create, 7, "fund_id equities exists already");
    create[2] = "other";
    create[4] = "-1";
    refused(&registry, &create, 2, "target_nav_usd is -1; it must be at least 0");
    create[4] = "1.001";
    refused(&registry, &create, 2, "give whole cents");
    create[4] = "1,000";
    refused(&registry, &create, 2, "it is no decimal number");
    create[4] = "1";
    refused(&registry, &[create.as_slice(), &["--base-currency", "EUR"]].concat(), 7, "fund other keeps EUR");
    refused(&registry, &[create.as_slice(), &["--run", "nowhere"]].concat(), 5, "there is no run in");
    let by = |args: &[&'static str]| [args, BY.as_slice()].concat();
    refused(
        &registry,
        &by(&["deposit", "equites", "5"]),
        2,
        "there is no fund equites in the registry; it has crypto",
    );
    refused(&registry, &by(&["deposit", "equities", "0"]), 2, "amount is 0; it must be above 0");
    refused(&registry, &by(&["withdraw", "options", "24800.01"]), 7, "24,800.01 cannot be withdrawn");
    refused(&registry, &["deposit", "equities", "5", "--actor", "ann", "--reason", " "], 2, "it is empty");
    refused(&registry, &by(&["change", "equities"]), 2, "names nothing");
    done(&registry, &by(&["deposit", "equities", "5", "--reference", "wire 7"]));
    refused(&registry, &by(&["deposit", "equities", "5", "--reference", "wire 7"]), 7, "\"wire 7\" already");
    let nothing = out.path().join("nothing");
    refused(&nothing, &["list"], 5, "there is no registry of funds in");
    assert!(!nothing.exists(), "a look makes nothing");
}

#[test]
fn plans_are_made_kept_and_executed_once_by_two() {
    let (_out, registry) = firm();
    let before = journal(&registry);
    let printed = done(&registry, &["plan", "--method", "equal", "--dry-run"]);
    assert_eq!(journal(&registry), before, "a dry run records nothing");
    for line in [
        "Allocation dry run",
        "Firm NAV:    $224,150.00",
        "Method:      equal",
        "ETA: 1-2 business days by ACH",
    ] {
        assert!(printed.contains(line), "no {line:?} in: {printed}");
    }
    assert!(
        printed.contains("Constraints: min $25,000 per fund, max 50% per fund, max sleeve correlation 0.7")
    );
    let lines: Vec<Vec<&str>> = printed.lines().map(words).collect();
    assert!(lines.contains(&vec!["fund", "current", "target", "delta", "reason"]));
    assert!(lines.contains(&vec!["equities", "112,400.00", "56,037.50", "-56,362.50"]));
    assert!(lines.contains(&vec!["total", "delta", "$0"]));

    let planned = json(&registry, &["plan", "--method", "equal"]);
    assert_eq!(planned["plan_id"], "plan-1");
    let rows = planned["plan"]["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| decimal(&row["delta"])).sum::<Decimal>(), Decimal::ZERO);
    assert!(rows.iter().all(|row| decimal(&row["target"]) == "56037.50".parse().unwrap()));
    assert_eq!(planned["plan"]["transfers"].as_array().unwrap().len(), 3);
    // By the funds' targets: 100,000 of 215,000 of the firm is below half of it.
    let manual = json(&registry, &["plan", "--method", "manual"]);
    assert_eq!(decimal(&manual["plan"]["rows"][1]["target"]), "104255.81".parse().unwrap());

    refused(&registry, &["execute", "plan-1"], 2, "say --confirm REBALANCE");
    let word = ["execute", "plan-1", "--confirm", "REBALANCE"];
    refused(&registry, &["execute", "plan-1", "--confirm", "rebalance"], 2, "say --confirm REBALANCE");
    refused(&registry, &word, 2, "two different operators");
    let with = |names: &[&'static str]| [word.as_slice(), names].concat();
    refused(&registry, &with(&["--actor", "ann"]), 2, "two different operators");
    refused(&registry, &with(&["--actor", "ann", "--cosigned-by", "ann"]), 7, "ann is named twice");
    refused(&registry, &with(&["--actor", "operator-script", "--cosigned-by", "ann"]), 2, "no person");
    let both = ["--actor", "ann", "--cosigned-by", "bob"];
    refused(
        &registry,
        &["execute", "plan-9", "--confirm", "REBALANCE", "--actor", "ann", "--cosigned-by", "bob"],
        2,
        "no plan-9",
    );
    let executed = done(&registry, &with(&both));
    assert!(executed.contains("plan-1 is in force") && executed.contains("31,237.50"), "{executed}");
    refused(&registry, &with(&both), 7, "executed already");
    let two = ["execute", "plan-2", "--confirm", "REBALANCE", "--actor", "ann", "--cosigned-by", "bob"];
    refused(&registry, &two, 7, "plan-2 is out of date");
    let shown = json(&registry, &["show", "equities"]);
    assert_eq!(decimal(&shown["fund"]["target_nav_usd"]), "56037.50".parse().unwrap());
    assert_eq!(shown["current_nav"], "112400", "an instruction is not money that has arrived");
    assert!(done(&registry, &["history"]).contains("ann, bob"));
    let again = fund(&registry, &["plan", "--method", "equal", "--dry-run"]);
    assert!(again.stderr.contains("plan-1 was executed before"), "{}", again.stderr);
}

#[test]
fn a_fund_that_does_not_trade_keeps_its_capital() {
    let (_out, registry) = firm();
    done(&registry, &[["change", "equities", "--active", "false"].as_slice(), &BY].concat());
    assert!(done(&registry, &["list"]).contains("does not trade"));
    let kept = json(&registry, &["plan", "--method", "equal", "--dry-run"]);
    assert_eq!(kept["plan"]["rows"][1]["delta"], "0");
    let given =
        json(&registry, &["plan", "--method", "equal", "--dry-run", "--preserve-capital-dnt", "false"]);
    assert_eq!(decimal(&given["plan"]["rows"][1]["delta"]), Decimal::from(-112_400));
    refused(&registry, &["plan", "--method", "equal", "--max-per-fund-pct", "0.1"], 7, "more than the 22415");
    refused(
        &registry,
        &["plan", "--method", "equal", "--min-per-fund-usd", "50000"],
        7,
        "3 funds need 150000",
    );
    refused(&registry, &["plan", "--method", "equal", "--max-sleeve-correlation", "2"], 2, "from 0 to 1");
    refused(&registry, &["plan", "--method", "best"], 2, "equal, risk_parity, kelly, manual");
    refused(&registry, &["plan"], 4, "fund crypto has 0 daily returns, risk_parity needs 20");
}

#[test]
fn commands_that_collide_or_are_killed_leave_nothing_half_done() {
    let out = folder();
    let registry = out.path().join("funds");
    let start = |args: &[&str]| {
        Command::new(mts())
            .current_dir(root())
            .arg("fund")
            .args(args)
            .args(["--registry", text(&registry)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    // Eight at once want the same fund: one has it.
    let create = ["create", "--fund-id", "a", "--nav", "100", "--broker", "paper"];
    let all: Vec<_> = (0..8).map(|_| start(&create)).collect();
    let codes: Vec<i32> = all.into_iter().map(|mut one| one.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| [0, 5, 7].contains(code)), "{codes:?}");
    assert_eq!(json(&registry, &["list"])["funds"].as_array().unwrap().len(), 1);
    // Killed at any moment, a deposit is there whole or not at all, and repeating it with its reference books it once.
    for attempt in 0..30 {
        let reference = format!("wire {attempt}");
        let deposit =
            ["deposit", "a", "1", "--actor", "ann", "--reason", "a test", "--reference", reference.as_str()];
        let mut child = start(&deposit);
        std::thread::sleep(Duration::from_micros(300 * attempt));
        child.kill().unwrap();
        child.wait().unwrap();
        let again = fund(&registry, &deposit);
        assert!([0, 7].contains(&again.code), "{}", again.stderr);
        let shown = json(&registry, &["show", "a"]);
        assert_eq!(shown["moves"].as_array().unwrap().len() as u64, attempt + 1);
        assert_eq!(decimal(&shown["capital"]), Decimal::from(101 + attempt));
    }
    assert_eq!(run(["journal", "verify", text(&registry)]).code, 0);
    // A bit that has turned is not guessed at.
    let file = registry.join("journal.mts");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    refused(&registry, &["list"], 5, "damaged");
}

/// A year of an example, with two operators.
fn year(example: &str) -> (tempfile::TempDir, PathBuf) {
    let (start, end) = match example {
        "momentum.toml" => ("start = 2000-01-01", "end = 2022-12-31"),
        _ => ("start = 2019-01-01", "end = 2022-12-31"),
    };
    let mut changes = vec![(start, "start = 2019-01-01"), (end, "end = 2019-12-31")];
    if example == "momentum.toml" {
        changes.push(("resume = \"next_session\"", "operators = [\"ann\", \"bob\"]"));
    }
    changed(example, &changes)
}

fn ran(config: &Path, until: Option<&str>) -> PathBuf {
    let out = config.parent().unwrap().join("run");
    let mut args = vec!["run", text(config), "--out", text(&out), "--json"];
    args.extend(until.into_iter().flat_map(|date| ["--until", date]));
    run_list(&args).json();
    out
}

fn with_run(registry: &Path, name: &str, run: &Path) {
    done(
        registry,
        &["create", "--fund-id", name, "--nav", "1000000", "--broker", "paper", "--run", text(run)],
    );
}

/// Yearly volatility of the second column of a run's nav.csv, by another way than the program's.
fn volatility(run: &Path) -> f64 {
    let nav = std::fs::read_to_string(run.join("nav.csv")).unwrap();
    let values: Vec<f64> =
        nav.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    let returns: Vec<f64> = values.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let count = returns.len() as f64;
    let (sum, squares) =
        returns.iter().fold((0.0, 0.0), |(sum, squares), one| (sum + one, squares + one * one));
    ((squares - sum * sum / count) / (count - 1.0) * 252.0).sqrt()
}

#[test]
fn funds_with_runs_are_worth_what_their_books_say_and_share_the_risk() {
    let ((_one, momentum), (_two, targets)) = (year("momentum.toml"), year("targets.toml"));
    let (momentum, targets) = (ran(&momentum, None), ran(&targets, None));
    let out = folder();
    let registry = out.path().join("funds");
    with_run(&registry, "momentum", &momentum);
    let wrong = ["create", "--fund-id", "other", "--nav", "1", "--broker", "paper", "--run", text(&targets)];
    refused(&registry, &wrong, 4, "has no fund other, it has targets");
    with_run(&registry, "targets", &targets);

    let list = json(&registry, &["list"]);
    for (row, run) in list["funds"].as_array().unwrap().iter().zip([&momentum, &targets]) {
        let nav = std::fs::read_to_string(run.join("nav.csv")).unwrap();
        let last: Decimal = nav.lines().last().unwrap().split(',').nth(1).unwrap().parse().unwrap();
        assert_eq!((decimal(&row["current_nav"]), &row["source"]), (last.round_dp(2), &"run".into()));
    }

    let free = ["--max-per-fund-pct", "1", "--max-sleeve-correlation", "1"];
    let plan = json(&registry, &[["plan", "--dry-run"].as_slice(), &free].concat());
    assert_eq!(plan["plan"]["method"], "risk_parity");
    let rows = plan["plan"]["rows"].as_array().unwrap();
    for (row, run) in rows.iter().zip([&momentum, &targets]) {
        assert!((float(&row["contribution"]) - 0.5).abs() < 1e-6, "{row}");
        assert!((float(&row["volatility"]) - volatility(run)).abs() < 1e-8, "{row} {}", volatility(run));
    }
    // Of two, whatever their correlation, risk parity is in inverse proportion to volatility.
    let ratio = float(&rows[0]["target"]) / float(&rows[1]["target"]);
    assert!((ratio - volatility(&targets) / volatility(&momentum)).abs() < 1e-4, "{ratio}");
    let printed = done(&registry, &[["plan", "--dry-run"].as_slice(), &free].concat());
    assert!(printed.contains("contribution 50.0%"), "{printed}");
    let kelly = json(&registry, &[["plan", "--dry-run", "--method", "kelly"].as_slice(), &free].concat());
    assert_eq!(kelly["plan"]["correlations_known"], true);

    // The run of momentum names its operators: only they may move its capital.
    json(&registry, &[["plan"].as_slice(), &free].concat());
    let execute = |cosigner| {
        ["execute", "plan-1", "--confirm", "REBALANCE", "--actor", "ann", "--cosigned-by", cosigner]
    };
    refused(&registry, &execute("eve"), 7, "eve is no operator of fund momentum; its run names ann, bob");
    done(&registry, &execute("bob"));
    // More than the fund has cannot be withdrawn, whatever was put in.
    let much = ["withdraw", "targets", "9000000", "--actor", "ann", "--reason", "all of it"];
    refused(&registry, &much, 7, "by the books of its run");
}

/// What an operator's act at the running engine leaves in the journal of the run.
fn book_cash(run: &Path, kind: CashKind, amount: i64, time: &str) {
    let act = OperatorAct::BookCash {
        broker: BrokerName::new("paper").unwrap(),
        fund_id: FundId::new("targets").unwrap(),
        kind,
        amount: Decimal::from(amount),
        actor: ActorId::new("ann").unwrap(),
        reason: "new money".to_owned(),
    };
    let mut record = Vec::new();
    encode(&Input::Operator { act, time: time.parse().unwrap() }, &mut record).unwrap();
    let mut journal = FileJournal::open(run).unwrap();
    journal.append(INPUT_V1, &record).unwrap();
    journal.commit().unwrap();
}

#[test]
fn a_short_history_is_told_and_capital_is_no_return() {
    let (_one, config) = year("targets.toml");
    let short = ran(&config, Some("2019-01-30"));
    let out = folder();
    let registry = out.path().join("funds");
    with_run(&registry, "targets", &short);
    refused(&registry, &["plan"], 4, "fund targets has 19 daily returns, risk_parity needs 20");
    // Half of the fund's value comes in between two days.
    ran(&config, Some("2019-06-28"));
    let volatility = || {
        let plan = json(&registry, &["plan", "--dry-run", "--max-per-fund-pct", "1"]);
        float(&plan["plan"]["rows"][0]["volatility"])
    };
    let before = volatility();
    book_cash(&short, CashKind::Deposit, 500_000, "2019-06-28T20:00:00Z");
    assert!(decimal(&json(&registry, &["list"])["firm_nav"]) > Decimal::from(1_400_000));
    ran(&config, Some("2019-07-02"));
    let after = volatility();
    assert!((before - after).abs() < 0.01, "{before} {after}");
    // What a plan asks of a fund must still be there when it is executed.
    done(&registry, &["create", "--fund-id", "small", "--nav", "10", "--broker", "paper"]);
    json(&registry, &["plan", "--method", "equal"]);
    book_cash(&short, CashKind::Withdrawal, -1_000_000, "2019-07-02T20:00:00Z");
    let execute = ["execute", "plan-1", "--confirm", "REBALANCE", "--actor", "ann", "--cosigned-by", "bob"];
    refused(&registry, &execute, 7, "by now; plan again");
}
