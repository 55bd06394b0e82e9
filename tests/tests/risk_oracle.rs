//! The risk machine agrees with a plain model of its documentation; and the comparison finds what is wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_foundation::risk::RejectCode;
use mts_tests::risk_oracle::oracle::KNOWN;
use mts_tests::risk_oracle::run::{ORDERS_OF_A_STREAM, Request, run};
use mts_tests::risk_oracle::stream::faults::{Fault, Limit};
use mts_tests::risk_oracle::stream::{self, Mismatch, Options};
use std::path::Path;

/// Codes that no stream reaches: 3, 4, 25 and the engine's blocks are not the machine's, and no number here is near the end of the range.
const ELSEWHERE: &[RejectCode] = &[
    RejectCode::IdempotencyConflict,
    RejectCode::IdempotencyKeyReused,
    RejectCode::SchemaInvalid,
    RejectCode::ArithmeticRange,
    RejectCode::Vetoed,
    RejectCode::UnknownOrderPending,
    RejectCode::AccountNotReconciled,
    RejectCode::PositionUnexplained,
    RejectCode::GateUnanswered,
];

/// Limits of losses are mostly reached by a price; orders meet them themselves in longer runs only.
const RARE: &[RejectCode] =
    &[RejectCode::DailyLoss, RejectCode::WeeklyLoss, RejectCode::MonthlyLoss, RejectCode::Drawdown];

#[test]
fn machine_and_oracle_agree_and_every_code_is_met() {
    let request = Request { orders: 20_000, seed: 1, threads: 2, json: false, known: KNOWN };
    let tally = run(&request, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(tally.orders, 20_000);
    let missing: Vec<_> = RejectCode::ALL
        .iter()
        .filter(|code| !ELSEWHERE.contains(code) && !RARE.contains(code) && !tally.codes.contains_key(code))
        .collect();
    assert!(missing.is_empty(), "never refused with {missing:?}");
    let refused: u64 = tally.codes.values().sum();
    assert_eq!(tally.accepted + refused, tally.orders);
    assert!(tally.counted > 2_000 && tally.asked_again > 500 && tally.restarts > 100, "{tally:?}");
}

/// Streams that a planted fault may need until one of them shows it.
const STREAMS: u64 = 250;

/// The first mismatch that a fault leads to.
fn found(fault: Fault) -> Option<Mismatch> {
    let options = Options { fault: Some(fault), ..Options::default() };
    (1..=STREAMS).find_map(|seed| {
        let error = stream::run(seed, ORDERS_OF_A_STREAM, options).err()?;
        error.downcast::<Mismatch>().ok().map(|mismatch| *mismatch)
    })
}

fn missed(faults: &[Fault]) -> Vec<Fault> {
    faults.iter().copied().filter(|fault| found(*fault).is_none()).collect()
}

#[test]
fn a_raised_limit_is_found() {
    let faults: Vec<Fault> = Limit::ALL.iter().map(|limit| Fault::Raised(*limit)).collect();
    let (left, right) = faults.split_at(faults.len() / 2);
    let missed = std::thread::scope(|scope| {
        let left = scope.spawn(|| missed(left));
        [missed(right), left.join().unwrap()].concat()
    });
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}

#[test]
fn what_the_machine_does_not_hear_of_is_found() {
    assert_eq!(missed(Fault::UNHEARD), []);
}

#[test]
fn a_mismatch_can_be_made_again() {
    let mismatch = found(Fault::ReservationsForgotten).unwrap();
    let options = Options { fault: Some(Fault::ReservationsForgotten), ..Options::default() };
    let again = stream::run(mismatch.seed, ORDERS_OF_A_STREAM, options).unwrap_err();
    assert_eq!(again.to_string(), mismatch.to_string());
    assert!(again.to_string().starts_with(&format!("seed {}, step {}:", mismatch.seed, mismatch.step)));
}

#[test]
fn the_oracle_knows_nothing_of_what_it_judges() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/risk_oracle");
    let mut files = vec![folder.join("bounds.rs")];
    for folder in [folder.join("oracle"), folder.join("oracle/gates")] {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.is_file()));
    }
    assert!(files.len() > 7, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in
            ["mts_riskengine", "mts_engine", "Ledger", "FundBook", "PositionBook", "GateTrace", "may_be_sent"]
        {
            assert!(!text.contains(name), "{} mentions {name}", file.display());
        }
    }
}

#[test]
fn the_command_line_says_what_it_does_not_know() {
    let parse = |line: &str| {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Request::parse(&arguments)
    };
    let request = parse("--orders 7 --seed 3 --threads 2 --json --strict").unwrap().unwrap();
    assert_eq!((request.orders, request.seed, request.threads, request.json), (7, 3, 2, true));
    assert!(request.known.is_empty());
    assert!(parse("--help").unwrap().is_none());
    assert!(parse("--orders many").unwrap_err().contains("\"many\" is no number"));
    assert!(parse("--seed").unwrap_err().contains("needs a value"));
    assert!(parse("--quiet").unwrap_err().contains("--help lists them"));
    assert!(parse("--without luck").unwrap_err().contains("is no deviation"));
}
