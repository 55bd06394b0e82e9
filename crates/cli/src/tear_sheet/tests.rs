//! The golden journal goes on for some sessions in which capital comes and goes and nothing is earned.

use super::TearSheet;
use crate::app::App;
use crate::history::History;
use crate::run_folder::Until;
use chrono::NaiveDate;
use mts_engine::record::{INPUT_V1, encode};
use mts_engine::{Input, OperatorAct};
use mts_foundation::journal::Journal;
use mts_foundation::{ActorId, CashKind, Decimal, Timestamp};
use mts_journal::FileJournal;
use std::path::Path;
use std::time::Duration;

fn deposit(amount: i64, kind: CashKind) -> OperatorAct {
    OperatorAct::BookCash {
        broker: "paper".parse().unwrap(),
        fund_id: "golden".parse().unwrap(),
        kind,
        amount: Decimal::from(amount),
        actor: ActorId::new("ann").unwrap(),
        reason: "the bank says so".to_owned(),
    }
}

/// The golden journal in a folder of its own, with more inputs at its end, a second each.
fn longer(inputs: &[&dyn Fn(Timestamp) -> Input]) -> tempfile::TempDir {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/journal-v1");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden.join(mts_journal::FILE_NAME), folder.path().join(mts_journal::FILE_NAME)).unwrap();
    let history = History::read(&App::new(), folder.path(), Until::END, None).unwrap();
    let mut time = history.core.state().now();
    let (mut journal, mut buffer) = (FileJournal::open(folder.path()).unwrap(), Vec::new());
    for input in inputs {
        time = time.plus(Duration::from_secs(1));
        encode(&input(time), &mut buffer).unwrap();
        journal.append(INPUT_V1, &buffer).unwrap();
    }
    journal.commit().unwrap();
    folder
}

fn sessions(folder: &Path) -> History {
    History::read_sessions(&App::new(), folder, Until::END, None).unwrap()
}

fn day(of: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, of).unwrap()
}

#[test]
fn capital_is_neither_profit_nor_loss_whenever_it_is_booked() {
    let close = |of| move |time| Input::SessionClose { date: day(of), time };
    let open = |of| move |time| Input::SessionOpen { date: day(of), time };
    let act = |amount, kind| move |time| Input::Operator { act: deposit(amount, kind), time };
    let plain = longer(&[]);
    let before = sessions(plain.path());
    let before = TearSheet::of(&before, None).unwrap();
    // After a close, within a session, and once more after the last close.
    let folder = longer(&[
        &act(50_000, CashKind::Deposit),
        &open(6),
        &close(6),
        &open(7),
        &act(-20_000, CashKind::Withdrawal),
        &close(7),
        &act(7_000, CashKind::Deposit),
    ]);
    let history = sessions(folder.path());
    let sheet = TearSheet::of(&history, None).unwrap();
    assert_eq!((sheet.profit, sheet.time_weighted), (before.profit, before.time_weighted));
    assert_eq!(sheet.capital, Decimal::from(30_000));
    let flows: Vec<_> = sheet.returns.steps.iter().map(|step| (step.to, step.flows)).collect();
    let amounts = [0, 50_000, -20_000].map(Decimal::from);
    assert_eq!(flows, [(day(5), amounts[0]), (day(6), amounts[1]), (day(7), amounts[2])]);
    assert_eq!(sheet.residual, before.residual);
    // Everything on the page is of the last session's end: what came after it is not there yet.
    assert_eq!(sheet.books.nav(), sheet.final_nav);
    assert_eq!(sheet.final_nav, before.final_nav + Decimal::from(30_000));
    let page = sheet.page().unwrap();
    assert!(page.contains("Time-weighted return"), "{page}");
}

#[test]
fn what_was_adopted_is_capital_and_no_trade_and_late_fees_are_the_fills() {
    let folder = longer(&[]);
    let history = sessions(folder.path());
    let sheet = TearSheet::of(&history, None).unwrap();
    // 400, 600 and 800 were bought; five shares were taken over.
    assert_eq!(sheet.costs.parts.bought, Decimal::from(1_800));
    assert_eq!((sheet.costs.total, sheet.costs.parts.fees), (Decimal::ONE, Decimal::ONE));
    let late = history.postings.iter().find(|posting| posting.cause == "x2").unwrap();
    assert_eq!(late.lots.opened.as_ref().unwrap().open_fees, Decimal::ONE);
    assert_eq!(sheet.by_strategy.iter().map(|part| part.part.money).sum::<Decimal>(), sheet.profit);
}
