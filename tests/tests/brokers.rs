//! The suite of brokers over this project's adapters. `cargo xtask conformance --broker all` runs it over all of them, as CI does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::{root, run as run_mts};
use mts_conformance::Outcome;
use mts_tests::conformance::brokers::{BROKERS, Row, coinbase, run};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_paper_broker_passes_in_each_of_its_modes_and_says_why_it_leaves_out_what_it_does() {
    let mut tried = BTreeSet::new();
    for row in BROKERS.iter().filter(|row| row.broker() == "paper") {
        let report = (row.suite)().run().unwrap();
        report.assert();
        assert_eq!(report.subject, row.name);
        // A suite that could try nothing passes as well.
        assert!(report.count(Outcome::Passed) >= row.least, "{report}");
        let reasons = report.cases.iter().filter(|case| case.outcome == Outcome::Skipped);
        assert!(reasons.clone().all(|case| case.notes.iter().all(|note| note.len() > 12)), "{report}");
        tried.extend(report.ids(Outcome::Passed).map(str::to_owned));
    }
    // What one mode cannot be asked another can.
    for case in ["S-05", "S-06", "A-07", "E-03", "R-01", "R-12", "X-13"] {
        assert!(tried.contains(case), "{case} in {tried:?}");
    }
}

/// What the documents and the users of Coinbase say differently, and keys of the other kind.
#[test]
fn coinbase_may_be_either_way() {
    for variant in ["ed25519", "duplicates_refused"] {
        coinbase(&[variant]).run().unwrap().assert();
    }
    // A key that may move money out lets nobody in.
    let report = coinbase(&["transfer_key"]).run_some(|case| case == "C-04").unwrap().to_string();
    assert!(report.contains("transfer") && report.contains("allow_withdrawal_key = true"), "{report}");
}

#[test]
fn the_runner_knows_its_brokers() {
    let arguments = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (text, green) = run("paper", &arguments("C-01 --json")).unwrap();
    let reports: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(
        green && reports[0]["subject"] == "paper" && reports[0]["cases"][0]["outcome"] == "passed",
        "{text}"
    );
    assert!(run("paper-bars", &arguments("C-01")).unwrap().0.contains(": paper-bars"));
    assert!(run("papier", &[]).unwrap_err().contains("paper, paper-bars, "));
    assert!(run("all", &arguments("--lst")).is_err());
}

/// A page of the documentation has a part that the program writes, between two comments.
fn included(page: &Path, name: &str, wanted: &str) {
    let text = std::fs::read_to_string(page).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{} has no {begin}", page.display()));
    let (_, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{} has no {end}", page.display()));
    let wanted = format!("{head}{begin}{wanted}\n{end}{tail}");
    if std::env::var_os("MTS_UPDATE_GOLDEN").is_some() {
        std::fs::write(page, wanted).unwrap();
        return;
    }
    assert!(text == wanted, "{} differs; run this test with MTS_UPDATE_GOLDEN=1", page.display());
}

/// The live test of each adapter, against its double.
#[test]
fn an_order_is_placed_found_and_cancelled_at_every_double() {
    for (broker, symbol) in
        [("alpaca", "AAPL"), ("coinbase", "ETH-USD"), ("ibkr", "AAPL"), ("kraken", "ETH-USD")]
    {
        let args = [
            "brokers", "test", "--broker", broker, "--double", "--symbol", symbol, "--order", "10", "--json",
        ];
        let said = run_mts(args).json();
        let names: Vec<&str> =
            said["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
        assert!(said["passed"] == true && names.contains(&"order cancelled"), "{broker}: {said:#}");
    }
    let said = run_mts(["brokers", "test", "--broker", "alpaca", "--symbol", "AAPL", "--order", "10"]);
    assert!(said.code == 2 && said.stderr.contains("--live"), "{}", said.stderr);
}

#[test]
fn the_page_of_cases_is_up_to_date() {
    let cases = mts_conformance::broker::cases_table();
    included(&root().join("docs/conformance.md"), "cases", &cases);
}

/// Each adapter has a page, with what it can do as the program says it.
#[test]
fn the_pages_of_brokers_say_what_they_can_do() {
    let names: BTreeSet<&str> = BROKERS.iter().map(Row::broker).collect();
    for name in &names {
        let said = run_mts(["brokers", "capabilities", name, "--markdown"]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let page = root().join(format!("docs/brokers/{name}.md"));
        included(&page, "capabilities", &format!("\n{}", said.stdout));
    }
    let said = run_mts(["brokers", "capabilities", "--markdown"]);
    assert!(names.iter().all(|name| said.stdout.lines().next().unwrap().contains(name)), "{}", said.stdout);
    included(&root().join("README.md"), "capabilities", &format!("\n{}", said.stdout));
}
