//! Each explanation, and that explanations add up to the differences.

use super::super::{StatementAction, StatementMovement, StatementTrade, Unread};
use super::DifferenceKind::*;
use super::*;
use mts_foundation::reconcile::Difference;
use mts_foundation::{CashKind, Side};
use proptest::prelude::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn named(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

/// `2026-03-02 buy 100 A 10 1`: the fees last.
fn trade(text: &str) -> StatementTrade {
    let words: Vec<&str> = text.split(' ').collect();
    let (side, quantity, price) = (words[1].parse::<Side>().unwrap(), d(words[2]), d(words[4]));
    StatementTrade {
        id: words.get(6).map(|id| (*id).to_owned()),
        date: day(words[0]),
        symbol: named(words[3]),
        side,
        quantity,
        price,
        fees: d(words[5]),
        proceeds: -side.signed(quantity * price),
        currency: Currency::USD,
    }
}

/// `2026-03-02 fee -10`, and the symbol.
fn movement(text: &str) -> StatementMovement {
    let words: Vec<&str> = text.split(' ').collect();
    StatementMovement {
        id: words.get(4).map(|id| (*id).to_owned()),
        date: day(words[0]),
        kind: words[1].parse::<CashKind>().unwrap(),
        amount: d(words[2]),
        currency: Currency::USD,
        symbol: words.get(3).filter(|name| !name.is_empty()).map(|name| named(name)),
        text: String::new(),
    }
}

/// The books of March, which began flat with 10,000.
fn books(trades: &[&str], movements: &[&str]) -> BookedRecords {
    let mut books = BookedRecords {
        trades: trades.iter().map(|text| trade(text)).collect(),
        movements: movements.iter().map(|text| movement(text)).collect(),
        ..BookedRecords::default()
    };
    let until = day("2026-03-31");
    let mut cash = d("10000");
    for one in books.trades.iter().filter(|one| one.date <= until) {
        *books.positions.entry(one.symbol.clone()).or_default() += one.units();
        cash += one.cash();
    }
    cash += books.movements.iter().filter(|one| one.date <= until).map(|one| one.amount).sum::<Decimal>();
    books.cash.insert(Currency::USD, cash);
    books
}

/// The statement of March with the same beginning, right in itself.
fn statement(trades: &[&str], movements: &[&str]) -> Statement {
    let books = books(trades, movements);
    Statement {
        broker: "b".to_owned(),
        account: "1".to_owned(),
        from: day("2026-03-01"),
        to: day("2026-03-31"),
        base: Currency::USD,
        opening: BTreeMap::from([(Currency::USD, d("10000"))]),
        closing: books.cash,
        trades: books.trades,
        movements: books.movements,
        actions: Vec::new(),
        positions: Some(books.positions),
        unread: Vec::new(),
    }
}

fn kinds(found: &Comparison) -> Vec<DifferenceKind> {
    found.found.iter().map(|one| one.kind).collect()
}

const BUY: &str = "2026-03-02 buy 100 A 10 1";
const SELL: &str = "2026-03-05 sell 40 A 11 1";
const FEE: &str = "2026-03-03 fee -10";

#[test]
fn two_sides_that_say_the_same() {
    // Ids of another kind, another order, another word for the sale.
    let ours = books(&["2026-03-05 sell 40 A 11 1 x2", "2026-03-02 buy 100 A 10 1 x1"], &[FEE]);
    let theirs = statement(&[BUY, "2026-03-05 short 40 A 11 1"], &["2026-03-03 fee -10  f1"]);
    let found = compare(&theirs, &ours);
    assert!(found.agrees() && found.found.is_empty(), "{found:?}");
    assert_eq!((found.matched_trades, found.matched_movements), (2, 1));
    assert_eq!((found.positions.len(), found.cash.len(), found.not_compared.len()), (0, 0, 0));
}

#[test]
fn a_trade_that_the_books_lack() {
    let found = compare(&statement(&[BUY, SELL], &[]), &books(&[BUY], &[]));
    assert_eq!(kinds(&found), [TradeMissingInBooks]);
    let only = &found.found[0];
    assert_eq!((only.units, only.cash), (d("-40"), d("439")));
    assert_eq!(
        (only.ours.as_deref(), only.theirs.as_deref()),
        (None, Some("2026-03-05 sell 40 at 11, fees 1"))
    );
    assert!(only.remedy.contains("mts reconcile --adopt A"), "{}", only.remedy);
    assert_eq!((found.positions[0].by(), found.cash[0].ours), (d("-40"), d("8999")));
    assert!(!found.agrees() && found.unexplained().next().is_none());
}

#[test]
fn a_trade_that_the_statement_lacks() {
    let found = compare(&statement(&[BUY], &[]), &books(&[BUY, SELL], &[]));
    assert_eq!(kinds(&found), [TradeMissingInStatement]);
    assert_eq!((found.found[0].units, found.found[0].cash), (d("40"), d("-439")));
}

#[test]
fn the_same_trade_with_other_figures() {
    for (theirs, units, cash, word) in [
        ("2026-03-02 buy 100 A 10.05 1", "0", "-5", "differs in price"),
        ("2026-03-02 buy 100 A 10 1.50", "0", "-0.5", "differs in fees"),
        ("2026-03-02 buy 101 A 10 1", "1", "-10", "differs in quantity"),
        ("2026-03-02 buy 100 A 10.05 2", "0", "-6", "differs in price and fees"),
    ] {
        let found = compare(&statement(&[theirs], &[]), &books(&[BUY], &[]));
        assert_eq!(kinds(&found), [TradeDiffers], "{theirs}");
        let only = &found.found[0];
        assert_eq!((only.units, only.cash), (d(units), d(cash)), "{theirs}");
        assert!(only.sentence.ends_with(word), "{}", only.sentence);
        assert_eq!(only.remedy.contains("--book-cash"), only.units.is_zero());
    }
    // Two of a day stay two: pairs of the same quantity, not sums.
    let theirs = statement(&["2026-03-02 buy 100 A 10.1 1", "2026-03-02 buy 200 A 11.1 1"], &[]);
    let ours = books(&[BUY, "2026-03-02 buy 200 A 11 1"], &[]);
    assert_eq!(kinds(&compare(&theirs, &ours)), [TradeDiffers, TradeDiffers]);
    // One id, another direction; and cash that is not quantity × price on one side.
    let found = compare(
        &statement(&["2026-03-02 sell 100 A 10 1 i"], &[]),
        &books(&["2026-03-02 buy 100 A 10 1 i"], &[]),
    );
    assert_eq!((kinds(&found), found.found[0].units), (vec![TradeDiffers], d("-200")));
    assert!(found.found[0].sentence.ends_with("differs in direction"), "{}", found.found[0].sentence);
    let mut theirs = statement(&[BUY], &[]);
    theirs.trades[0].proceeds = d("-100000");
    assert!(compare(&theirs, &books(&[BUY], &[])).found[0].sentence.ends_with("differs in amount"));
    // An id is surer than what the trade says: without it, the first would be alike.
    let theirs = statement(&["2026-03-02 buy 100 A 10 1 i2"], &[]);
    let ours = books(&["2026-03-02 buy 100 A 10 1 i1", "2026-03-02 buy 100 A 9 1 i2"], &[]);
    assert_eq!(kinds(&compare(&theirs, &ours)), [TradeDiffers, TradeMissingInStatement]);
}

#[test]
fn an_order_is_the_sum_of_its_fills() {
    let fills =
        ["2026-03-02 buy 30 A 10 0.3", "2026-03-02 buy 50 A 10.02 0.5", "2026-03-02 buy 20 A 10.05 0.2"];
    // 300 + 501 + 201 = 1002.
    let found = compare(&statement(&["2026-03-02 buy 100 A 10.02 1"], &[]), &books(&fills, &[]));
    assert!(found.found.is_empty(), "{found:?}");
    assert_eq!(found.matched_trades, 1);
    let found = compare(&statement(&["2026-03-02 buy 100 A 10.03 1"], &[]), &books(&fills, &[]));
    assert_eq!(kinds(&found), [TradeDiffers]);
    assert_eq!(found.found[0].cash, d("-1"));
    assert_eq!(found.found[0].ours.as_ref().unwrap().matches("buy").count(), 3);
    // What does not add up is not pressed together.
    let found = compare(&statement(&["2026-03-02 buy 90 A 10 1"], &[]), &books(&fills, &[]));
    assert_eq!(kinds(&found).len(), 4);
}

#[test]
fn movements_that_one_side_lacks_or_words_otherwise() {
    let missing = compare(&statement(&[], &[FEE]), &books(&[], &[]));
    assert_eq!(kinds(&missing), [MovementMissingInBooks]);
    assert_eq!(missing.found[0].remedy, "book it with `mts reconcile --book-cash -10 --kind fee`");
    let missing = compare(&statement(&[], &[]), &books(&[], &[FEE]));
    assert_eq!((kinds(&missing), missing.found[0].cash), (vec![MovementMissingInStatement], d("10")));
    let other = compare(&statement(&[], &["2026-03-03 fee -12"]), &books(&[], &[FEE]));
    assert_eq!((kinds(&other), other.found[0].cash), (vec![MovementDiffers], d("-2")));
    assert!(other.found[0].remedy.contains("--book-cash -2 --kind fee"), "the difference, not the whole");
    let same = compare(&statement(&[], &["2026-03-05 other -10"]), &books(&[], &[FEE]));
    assert!(same.found.is_empty(), "another day and another word for the same money");
    // A dividend and the tax on it against what was paid.
    let theirs = statement(&[], &["2026-03-10 dividend 24 A", "2026-03-10 dividend -3.6 A"]);
    assert!(compare(&theirs, &books(&[], &["2026-03-10 dividend 20.4 A"])).found.is_empty());
}

#[test]
fn rounding_to_cents_is_told_once() {
    let ours = books(
        &["2026-03-02 buy 3 A 10.3333 0.004", "2026-03-03 buy 3 B 10.3333 0.004", SELL],
        &["2026-03-04 interest 1.234"],
    );
    let mut theirs = statement(
        &["2026-03-02 buy 3 A 10.3333 0", "2026-03-03 buy 3 B 10.3333 0", SELL],
        &["2026-03-04 interest 1.23"],
    );
    let found = compare(&theirs, &ours);
    assert_eq!((kinds(&found), found.found[0].cash), (vec![Rounding], d("0.004")));
    assert!(found.agrees() && found.cash.len() == 1);
    // The balance itself is rounded: still. Three cents are not.
    *theirs.closing.get_mut(&Currency::USD).unwrap() += d("0.0098");
    assert_eq!(kinds(&compare(&theirs, &ours)), [Rounding]);
    *theirs.closing.get_mut(&Currency::USD).unwrap() += d("0.03");
    let found = compare(&theirs, &ours);
    assert_eq!((kinds(&found)[0], found.agrees()), (UnexplainedCash, false));
}

#[test]
fn rounding_may_be_as_much_as_its_records() {
    let of = |fees: &str| -> Vec<String> {
        (1..=20).map(|units| format!("2026-03-02 buy {units} A 10 {fees}")).collect()
    };
    let (ours, theirs) = (of("1.006"), of("1.01"));
    let found = compare(&statement(&refs(&theirs), &[]), &books(&refs(&ours), &[]));
    assert_eq!((kinds(&found), found.found[0].cash), (vec![Rounding], d("-0.08")));
}

#[test]
fn a_trade_on_the_other_side_of_the_end() {
    // Ours on the last day, theirs on the next: the statement of March does not count it, and has it not at all.
    let last = "2026-03-31 buy 10 A 10 1";
    let found = compare(&statement(&[BUY], &[]), &books(&[BUY, last], &[]));
    assert_eq!((kinds(&found), found.found[0].units), (vec![PeriodShift], d("-10")));
    assert!(found.found[0].remedy.contains("next statement"));
    // Theirs on the last day, ours on the next: our books at the end do not have it.
    let found = compare(&statement(&[BUY, last], &[]), &books(&[BUY, "2026-04-01 buy 10 A 10 1"], &[]));
    assert_eq!(
        (kinds(&found), found.found[0].units, found.found[0].cash),
        (vec![PeriodShift], d("10"), d("-101"))
    );
    // At the beginning: both have it at the end, and cash and units agree.
    let mut theirs = statement(&["2026-03-02 buy 10 A 10 1"], &[]);
    theirs.opening.clear();
    let found = compare(&theirs, &books(&["2026-02-27 buy 10 A 10 1"], &[]));
    assert_eq!(
        (kinds(&found), found.found[0].units, found.found[0].cash),
        (vec![PeriodShift], d("0"), d("0"))
    );
    // One of ours that is too late for the first of theirs waits for the second.
    let theirs = statement(&["2026-03-20 buy 10 A 10 1", "2026-03-30 buy 10 A 10 1"], &[]);
    let found = compare(&theirs, &books(&["2026-04-02 buy 10 A 10 1"], &[]));
    assert_eq!(kinds(&found), [PeriodShift, TradeMissingInBooks]);
    // Too far away to be the same.
    let found = compare(&statement(&[last], &[]), &books(&["2026-04-07 buy 10 A 10 1"], &[]));
    assert_eq!(kinds(&found), [TradeMissingInBooks]);
    // Money, too.
    let found = compare(&statement(&[], &["2026-03-31 fee -5"]), &books(&[], &["2026-04-02 fee -5"]));
    assert_eq!((kinds(&found), found.found[0].cash), (vec![PeriodShift], d("-5")));
    // Another day of the same period is no difference.
    assert!(compare(&statement(&["2026-03-03 buy 100 A 10 1"], &[]), &books(&[BUY], &[])).found.is_empty());
}

#[test]
fn a_split_is_told_from_what_is_unexplained() {
    let held = |units: &str| {
        let mut theirs = statement(&[BUY], &[]);
        theirs.positions = Some(BTreeMap::from([(named("A"), d(units))]));
        theirs
    };
    let ours = books(&[BUY], &[]);
    for (units, word) in [("200", "2 for 1"), ("10", "1 for 10"), ("150", "3 for 2"), ("125", "5 for 4")] {
        let found = compare(&held(units), &ours);
        assert_eq!(kinds(&found), [Split], "{units}");
        assert!(found.found[0].sentence.contains(word) && found.found[0].sentence.contains("names none"));
        assert_eq!(found.found[0].units, d(units) - d("100"));
    }
    for units in ["101", "-200", "0", "133", "10100"] {
        let found = compare(&held(units), &ours);
        assert_eq!(kinds(&found), [UnexplainedUnits], "{units}");
        assert_eq!(found.unexplained().count(), 1);
    }
    // A corporate action explains what no ratio would.
    let mut theirs = held("137");
    let text = "A(US0000000001) Merged".to_owned();
    theirs.actions.push(StatementAction {
        date: day("2026-03-09"),
        symbol: named("A"),
        units: d("37"),
        text,
    });
    let found = compare(&theirs, &ours);
    assert_eq!((kinds(&found), found.found[0].date), (vec![Split], Some(day("2026-03-09"))));
    theirs.actions[0].units = d("36");
    assert_eq!(kinds(&compare(&theirs, &ours)), [UnexplainedUnits]);
    // A split after a trade that is missing.
    let mut theirs = statement(&[BUY, SELL], &[]);
    theirs.positions = Some(BTreeMap::from([(named("A"), d("120"))]));
    assert_eq!(kinds(&compare(&theirs, &ours)), [TradeMissingInBooks, Split]);
}

#[test]
fn positions_that_agree_although_the_trades_do_not() {
    let mut ours = books(&[BUY], &[]);
    ours.positions.insert(named("A"), d("60"));
    let found = compare(&statement(&[BUY, SELL], &[]), &ours);
    assert_eq!(kinds(&found), [TradeMissingInBooks, UnexplainedUnits]);
    assert!(found.positions.is_empty() && found.found[1].sentence.contains("came another way"));
    assert_eq!(found.found[0].units + found.found[1].units, d("0"));
}

#[test]
fn what_is_not_stated_is_not_compared_and_says_so() {
    let mut theirs = statement(&[BUY], &[]);
    (theirs.positions, theirs.closing) = (None, BTreeMap::new());
    theirs.unread.push(Unread { line: 7, reason: "x".to_owned() });
    let found = compare(&theirs, &books(&[BUY], &[]));
    assert!(found.found.is_empty());
    assert_eq!(
        found.not_compared,
        ["positions: the statement states none", "cash of USD: the statement states no closing balance"]
    );
    assert_eq!(found.unread.len(), 1);
}

#[test]
fn a_statement_that_does_not_add_up_is_told() {
    let mut theirs = statement(&[BUY], &[FEE]);
    let dropped = theirs.movements.pop();
    assert!(dropped.is_some());
    let found = compare(&theirs, &books(&[BUY], &[FEE]));
    assert_eq!(kinds(&found), [MovementMissingInStatement, UnexplainedCash, StatementDoesNotAddUp]);
    let last = &found.found[2];
    assert_eq!((last.ours.as_deref(), last.theirs.as_deref()), (Some("8999"), Some("8989")));
    assert!(last.sentence.contains("-10 are missing"), "{}", last.sentence);
}

#[test]
fn a_comparison_is_written_and_read() {
    let found = compare(&statement(&[BUY, SELL], &[FEE]), &books(&[BUY], &[]));
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.contains("\"trade_missing_in_books\"") && text.contains("\"units\":\"-40\""), "{text}");
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), found);
}

fn refs(side: &[String]) -> Vec<&str> {
    side.iter().map(String::as_str).collect()
}

proptest! {
    /// Whatever two sides say, the explanations add up to the differences of units and cash, and none is lost.
    #[test]
    fn explanations_add_up(
        rows in prop::collection::vec(
            (0_u64..45, any::<bool>(), 1_i64..4, 0_usize..2, 1_i64..3, 0_u8..8, any::<bool>()),
            0..25,
        ),
        lump in -3_i64..3,
    ) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut our_moves, mut their_moves) = (Vec::new(), Vec::new());
        for (after, buy, quantity, name, price, who, id) in rows {
            let date = day("2026-02-20") + chrono::Days::new(after);
            let (side, name) = (if buy { "buy" } else { "sell" }, ["A", "B"][name]);
            let id = if id { format!(" {after}-{quantity}") } else { String::new() };
            let text = format!("{date} {side} {quantity} {name} {price} 1{id}");
            let money = format!("{date} {} {price}", if buy { "deposit" } else { "interest" });
            if who & 1 > 0 { ours.push(text.clone()); our_moves.push(money.clone()); }
            if who & 2 > 0 && (day("2026-03-01")..=day("2026-03-31")).contains(&date) {
                theirs.push(text);
                their_moves.push(money);
            }
        }
        let books = books(&refs(&ours), &refs(&our_moves));
        let mut statement = statement(&refs(&theirs), &refs(&their_moves));
        *statement.closing.get_mut(&Currency::USD).unwrap() += Decimal::from(lump);
        let found = compare(&statement, &books);
        for name in ["A", "B"] {
            let by: Decimal = found.positions.iter().filter(|one| one.symbol == named(name)).map(Difference::by).sum();
            let told = found.found.iter().filter(|one| one.symbol == Some(named(name)));
            prop_assert_eq!(told.map(|one| one.units).sum::<Decimal>(), by);
        }
        let by: Decimal = found.cash.iter().map(|one| one.theirs - one.ours).sum();
        prop_assert_eq!(found.found.iter().map(|one| one.cash).sum::<Decimal>(), by);
        prop_assert_eq!(found.agrees(), found.found.is_empty());
        let unmatched = found.found.iter().filter(|one| one.kind == TradeMissingInBooks).count();
        prop_assert_eq!(found.matched_trades + unmatched, statement.trades.len());
    }
}
