//! Wash sales against a ledger of single units: every unit is one entry, every search looks through all of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

use chrono::{Datelike, Days, NaiveDate};
use mts_foundation::lots::{LotChange, LotClosure};
use mts_foundation::{Decimal, Fill, FundId, LotBook, Side, TaxLotMethod, Timestamp};
use mts_portfolio::tax::{TaxHistory, Term, WINDOW_DAYS, WashSalesEverywhere};
use proptest::prelude::*;

/// Money in billionths is exact enough to compare by: what is divided comes within a few of them.
const NANO: i128 = 1_000_000_000;
const NEAR: i128 = 1_000;

/// Money in 1e-18, which leaves room for division.
fn money(value: Decimal) -> i128 {
    value.mantissa() * 10_i128.pow(18 - value.normalize().scale().min(18))
        / 10_i128.pow(value.scale() - value.normalize().scale())
}

/// One unit of one lot.
#[derive(Clone)]
struct Unit {
    lot: usize,
    short: bool,
    open_date: NaiveDate,
    held_from: NaiveDate,
    /// Which match of a row and a lot this unit replaced in, and the loss it took over.
    replaced: Option<usize>,
    added: i128,
    sold: bool,
}

/// What a row should be.
#[derive(Debug, PartialEq)]
struct Expected {
    lot: String,
    fill: String,
    quantity: usize,
    held_from: NaiveDate,
    term: Term,
    washed: bool,
}

struct Row {
    expected: Expected,
    lot: usize,
    short: bool,
    held: i64,
    sold: NaiveDate,
    added: i128,
    gain: i128,
    disallowed: i128,
}

/// A year and a day later, by comparing years, months and days alone.
fn is_long(acquired: NaiveDate, sold: NaiveDate) -> bool {
    let begins = acquired + Days::new(1);
    (begins.year() + 1, begins.month(), begins.day()) <= (sold.year(), sold.month(), sold.day())
}

/// Takes units of the closure's lot, one after the other: earliest held first, those that replace nothing last.
fn close(units: &mut [Unit], closure: &LotClosure, rows: &mut Vec<Row>) {
    let lot: usize = closure.lot_id.parse().unwrap();
    let count = closure.quantity.abs().mantissa();
    let short = closure.quantity.is_sign_negative();
    let sign = if short { -1 } else { 1 };
    let bought = money(closure.open_cost) + sign * money(closure.open_fees);
    let brought = money(closure.proceeds) - sign * money(closure.close_fees);
    let gain_each = sign * (brought - bought) / count;
    let mut last = None;
    for _ in 0..count {
        let next = units
            .iter()
            .enumerate()
            .filter(|(_, unit)| unit.lot == lot && !unit.sold)
            .min_by_key(|(_, unit)| (unit.held_from, unit.replaced.is_none(), unit.replaced))
            .map(|(index, _)| index)
            .unwrap();
        units[next].sold = true;
        let unit = &units[next];
        if last != Some(unit.replaced) {
            last = Some(unit.replaced);
            let long = !short && is_long(unit.held_from, closure.close_date);
            let expected = Expected {
                lot: closure.lot_id.to_string(),
                fill: closure.fill_id.to_string(),
                quantity: 0,
                held_from: unit.held_from,
                term: if long { Term::Long } else { Term::Short },
                washed: false,
            };
            let held = (closure.close_date - unit.held_from).num_days();
            let sold = closure.close_date;
            rows.push(Row { expected, lot, short, held, sold, added: 0, gain: 0, disallowed: 0 });
        }
        let row = rows.last_mut().unwrap();
        row.expected.quantity += 1;
        row.added += unit.added;
        row.gain += gain_each - unit.added;
    }
}

/// Gives the loss of a row, unit for unit, to the first units that may take it.
fn wash(units: &mut [Unit], row: &mut Row, matches: &mut Vec<(usize, usize)>, number: usize) {
    if row.gain >= 0 {
        return;
    }
    let each = -row.gain / i128::try_from(row.expected.quantity).unwrap();
    for _ in 0..row.expected.quantity {
        let may = |unit: &Unit| {
            let apart = (unit.open_date - row.sold).num_days().abs();
            unit.short == row.short
                && unit.lot != row.lot
                && !unit.sold
                && unit.replaced.is_none()
                && apart <= i64::try_from(WINDOW_DAYS).unwrap()
        };
        let next = units.iter().enumerate().filter(|(_, unit)| may(unit));
        let Some((index, _)) = next.min_by_key(|(_, unit)| (unit.open_date, unit.lot)) else { break };
        let unit = &mut units[index];
        if matches.last() != Some(&(number, unit.lot)) {
            matches.push((number, unit.lot));
        }
        unit.replaced = Some(matches.len());
        unit.added = each;
        unit.held_from = unit.open_date - Days::new(u64::try_from(row.held).unwrap());
        row.disallowed += each;
        row.expected.washed = true;
    }
    row.gain += row.disallowed;
}

/// All rows, and what was added to each unit that is still open.
fn slow(changes: &[LotChange]) -> (Vec<Row>, i128) {
    let mut units = Vec::new();
    for lot in changes.iter().filter_map(|change| change.opened.as_ref()) {
        let unit = Unit {
            lot: lot.lot_id.parse().unwrap(),
            short: lot.open_qty.is_sign_negative(),
            open_date: lot.open_date,
            held_from: lot.open_date,
            replaced: None,
            added: 0,
            sold: false,
        };
        let count = usize::try_from(lot.open_qty.abs().mantissa()).unwrap();
        units.extend(std::iter::repeat_n(unit, count));
    }
    let (mut rows, mut matches) = (Vec::new(), Vec::new());
    for change in changes {
        let first = rows.len();
        for closure in &change.closed {
            // Each closure begins a row of its own.
            let mut own = Vec::new();
            close(&mut units, closure, &mut own);
            rows.extend(own);
        }
        for (number, row) in rows.iter_mut().enumerate().skip(first) {
            wash(&mut units, row, &mut matches, number);
        }
    }
    let open = units.iter().filter(|unit| !unit.sold).map(|unit| unit.added).sum();
    (rows, open)
}

fn near(value: Decimal, expected: i128) -> bool {
    (money(value) - expected).abs() / NANO < NEAR
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_unit_is_where_a_slow_search_puts_it(
        method in prop::sample::select(TaxLotMethod::ALL.to_vec()),
        fills in prop::collection::vec((0_usize..4, 1_i64..9, 900_i64..1_100, -20_i64..60, 0_u64..40), 1..40),
    ) {
        let fund = FundId::new("f").unwrap();
        let (mut lots, mut history) = (LotBook::new(fund.clone(), method), TaxHistory::new(fund));
        let mut day = NaiveDate::from_ymd_opt(2023, 1, 28).unwrap();
        let mut changes = Vec::new();
        for (number, (side, quantity, cents, fees, days)) in fills.into_iter().enumerate() {
            day = day + Days::new(days);
            let (quantity, price) = (Decimal::from(quantity), Decimal::new(cents, 2));
            let id = number.to_string();
            let mut fill =
                Fill::new(&id, "o", "X", Side::ALL[side], quantity, price, Timestamp::EPOCH).unwrap();
            // Never so that a gain of nothing hangs on how thirds are rounded.
            fill.fees = Decimal::new(fees, 2) + Decimal::new(1 + 7 * i64::try_from(number).unwrap(), 7);
            let change = lots.apply(&fill, Decimal::ONE, day, None).unwrap();
            history.apply(&change).unwrap();
            changes.push(change);
        }
        let record = history.record(&WashSalesEverywhere).unwrap();
        let (rows, open_added) = slow(&changes);
        prop_assert_eq!(record.rows.len(), rows.len());
        for (found, slow) in record.rows.iter().zip(&rows) {
            let shown = Expected {
                lot: found.lot_id.to_string(),
                fill: found.fill_id.to_string(),
                quantity: usize::try_from(found.quantity.mantissa()).unwrap() / 10_usize.pow(found.quantity.scale()),
                held_from: found.held_from,
                term: found.term,
                washed: found.code.is_some(),
            };
            prop_assert_eq!(&shown, &slow.expected);
            prop_assert!(near(found.gain, slow.gain), "{:?} {}", found, slow.gain);
            prop_assert!(near(found.adjustment, slow.disallowed) && near(found.basis_added, slow.added));
        }
        let added: Decimal = record.open.iter().map(|piece| piece.basis_added).sum();
        prop_assert!(near(added, open_added));
    }
}
