//! Tax lots against a slow, independent ledger: whatever the fills and the method, nothing is lost.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use chrono::{Days, NaiveDate};
use mts_foundation::lots::{LotChange, LotError, LotPick};
use mts_foundation::{Decimal, Fill, FundId, LotBook, PositionBook, Side, Symbol, TaxLotMethod, Timestamp};
use proptest::prelude::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn x() -> Symbol {
    Symbol::new("X").unwrap()
}

fn book(method: TaxLotMethod) -> LotBook {
    LotBook::new(FundId::new("f").unwrap(), method)
}

fn day(number: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 5).unwrap() + Days::new(number as u64)
}

fn fill(number: usize, side: Side, quantity: &str, price: &str) -> Fill {
    let id = format!("f{number}");
    Fill::new(&id, "o", "X", side, d(quantity), d(price), Timestamp::EPOCH).unwrap()
}

/// Books fills one a day; the number of a fill is its lot's id.
fn booked(method: TaxLotMethod, fills: &[(Side, &str, &str)]) -> (LotBook, Vec<LotChange>) {
    let mut book = book(method);
    let changes = fills
        .iter()
        .enumerate()
        .map(|(number, (side, quantity, price))| {
            book.apply(&fill(number, *side, quantity, price), Decimal::ONE, day(number), None).unwrap()
        })
        .collect();
    (book, changes)
}

/// Lots consumed and profits realised by the last fill.
fn consumed(changes: &[LotChange]) -> Vec<(String, Decimal)> {
    changes.last().unwrap().closed.iter().map(|part| (part.lot_id.to_string(), part.realized)).collect()
}

#[test]
fn each_method_consumes_its_lots_first() {
    let buys = [(Side::Buy, "10", "20"), (Side::Buy, "10", "30"), (Side::Buy, "10", "10")];
    let shorts = buys.map(|(_, quantity, price)| (Side::Short, quantity, price));
    for (method, long, short) in [
        (TaxLotMethod::Fifo, [("f0", "50"), ("f1", "-25")], [("f0", "-50"), ("f1", "25")]),
        (TaxLotMethod::Lifo, [("f2", "150"), ("f1", "-25")], [("f2", "-150"), ("f1", "25")]),
        (TaxLotMethod::Hifo, [("f1", "-50"), ("f0", "25")], [("f2", "-150"), ("f0", "-25")]),
        (TaxLotMethod::Loifo, [("f2", "150"), ("f0", "25")], [("f1", "50"), ("f0", "-25")]),
        (TaxLotMethod::Specid, [("f0", "50"), ("f1", "-25")], [("f0", "-50"), ("f1", "25")]),
    ] {
        for (opening, side, expected) in [(buys, Side::Sell, long), (shorts, Side::Cover, short)] {
            let mut fills = opening.to_vec();
            fills.push((side, "15", "25"));
            let (left, changes) = booked(method, &fills);
            let expected = expected.map(|(lot, profit)| (lot.to_owned(), d(profit)));
            assert_eq!(consumed(&changes), expected, "{method} {side}");
            assert_eq!(left.quantity(&x()).abs(), d("15"));
            assert!(changes.last().unwrap().opened.is_none());
        }
    }
}

#[test]
fn a_flip_closes_all_lots_and_opens_one() {
    let (book, changes) = booked(TaxLotMethod::Fifo, &[(Side::Buy, "10", "20"), (Side::Sell, "15", "22")]);
    assert_eq!(consumed(&changes), [("f0".to_owned(), d("20"))]);
    let lot = book.lots(&x()).next().unwrap();
    assert_eq!((lot.open_qty, lot.open_price, lot.lot_id.as_str()), (d("-5"), d("22"), "f1"));
    assert_eq!(changes[1].closed[0].days_held(), 1);
}

#[test]
fn an_operator_picks_lots() {
    let buys = [(Side::Buy, "10", "20"), (Side::Buy, "10", "30")];
    let pick = |lot: &str, quantity: &str| LotPick { lot_id: lot.into(), quantity: d(quantity) };
    let sell = |picks: &[LotPick]| {
        let (mut book, _) = booked(TaxLotMethod::Specid, &buys);
        let before = book.clone();
        let result = book.apply(&fill(2, Side::Sell, "12", "25"), Decimal::ONE, day(2), Some(picks));
        assert_eq!(result.is_err(), book == before, "an error changes nothing");
        result
    };
    let closed = sell(&[pick("f1", "10"), pick("f0", "2")]).unwrap();
    assert_eq!(consumed(&[closed]), [("f1".to_owned(), d("-50")), ("f0".to_owned(), d("10"))]);
    for (picks, expected) in [
        (vec![pick("f9", "12")], "lot f9 of X is not open"),
        (vec![pick("f0", "11"), pick("f1", "1")], "11 units are picked of lot f0, which has 10"),
        (vec![pick("f0", "6"), pick("f0", "6")], "12 units are picked of lot f0, which has 10"),
        (vec![pick("f0", "0"), pick("f1", "10")], "0 units are picked of lot f0"),
        (vec![pick("f0", "10")], "closes 12 units and 10 are picked"),
        (vec![], "closes 12 units and 0 are picked"),
    ] {
        let error = sell(&picks).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (mut book, _) = booked(TaxLotMethod::Specid, &buys);
    let opening = book.apply(&fill(3, Side::Buy, "1", "25"), Decimal::ONE, day(3), Some(&[pick("f0", "1")]));
    assert!(matches!(opening, Err(LotError::PicksDoNotAddUp { .. })));
}

#[test]
fn a_split_changes_units_and_prices_but_no_cost() {
    let (mut book, _) = booked(
        TaxLotMethod::Hifo,
        &[(Side::Buy, "10", "100"), (Side::Buy, "7", "55"), (Side::Sell, "4", "60")],
    );
    let cost = |book: &LotBook| book.lots(&x()).map(|lot| lot.open_cost).sum::<Decimal>();
    let before = cost(&book);
    book.split(&x(), d("3"), d("1")).unwrap();
    assert_eq!((book.quantity(&x()), cost(&book)), (d("39"), before));
    let change = book.apply(&fill(9, Side::Sell, "39", "20"), Decimal::ONE, day(9), None).unwrap();
    let realized: Decimal = change.closed.iter().map(|part| part.realized).sum();
    assert_eq!(realized, d("780") - before, "what was lost to a third of 100 comes back with the last unit");
    assert!(book.lots(&x()).next().is_none());
}

#[test]
fn lots_follow_their_instrument_to_a_new_symbol() {
    let (mut book, _) = booked(TaxLotMethod::Lifo, &[(Side::Buy, "10", "100"), (Side::Buy, "7", "55")]);
    let y = Symbol::new("Y").unwrap();
    book.rename(&x(), &y).unwrap();
    assert_eq!(book.quantity(&x()), Decimal::ZERO);
    let lots: Vec<_> = book.lots(&y).map(|lot| (lot.lot_id.as_str(), lot.symbol.as_str())).collect();
    assert_eq!(lots, [("f1", "Y"), ("f0", "Y")]);
    book.apply(&fill(7, Side::Short, "1", "9"), Decimal::ONE, day(7), None).unwrap();
    let before = book.clone();
    let error = book.rename(&x(), &y).unwrap_err().to_string();
    assert!(error.contains("Y has open lots already"), "{error}");
    assert_eq!(book, before);
}

/// Whatever the ratio, lots add up to what the position becomes.
#[test]
fn lots_split_like_their_position() {
    for (new_units, old_units) in [("1", "3"), ("1", "10"), ("3", "2"), ("7", "3"), ("105", "100")] {
        let (new_units, old_units) = (d(new_units), d(old_units));
        for side in [Side::Buy, Side::Short] {
            let (mut book, _) =
                booked(TaxLotMethod::Fifo, &[(side, "10", "100"), (side, "13", "55"), (side, "7", "60")]);
            let kind = mts_foundation::CorporateActionKind::Split { new_units, old_units };
            let (action_id, symbol, ex_date) = ("ca".into(), x(), day(4));
            let action = mts_foundation::CorporateAction { action_id, symbol, ex_date, kind };
            let effect = action.effect_on(side.signed(d("30")), Decimal::ONE).unwrap();
            book.split(&x(), new_units, old_units).unwrap();
            assert_eq!(book.quantity(&x()), effect.quantity, "{new_units} for {old_units}");
            let closing = if side == Side::Buy { Side::Sell } else { Side::Cover };
            let mut close = fill(9, closing, "1", "20");
            close.quantity = effect.quantity.abs();
            assert!(
                book.apply(&close, Decimal::ONE, day(9), None).unwrap().opened.is_none(),
                "nothing is left over"
            );
        }
    }
    let error = book(TaxLotMethod::Fifo).split(&x(), d("-1"), d("1")).unwrap_err().to_string();
    assert!(error.contains("both must be greater than zero"), "{error}");
}

/// Parts that do not come out even are rounded where sums of them stay exact: thirds of large fees, and of what units cost
/// after a split of three for one.
#[test]
fn thirds_add_up_to_the_last_decimal() {
    let mut book = book(TaxLotMethod::Fifo);
    let mut paid = Decimal::ZERO;
    for number in 0..30 {
        let mut fill = fill(number, Side::Buy, "10", "1000.01");
        fill.fees = d("77777.77") + Decimal::from(number);
        paid += fill.fees;
        book.apply(&fill, Decimal::ONE, day(number), None).unwrap();
    }
    book.split(&x(), d("3"), d("1")).unwrap();
    let (mut cost, mut fees) = (Decimal::ZERO, Decimal::ZERO);
    for number in 30..152 {
        let quantity = ["1", "5", "7", "11", "13"][number % 5];
        let mut fill = fill(number, Side::Sell, quantity, "400");
        fill.fees = d("33.33");
        paid += fill.fees;
        for part in book.apply(&fill, Decimal::ONE, day(number), None).unwrap().closed {
            cost += part.open_cost;
            fees += part.open_fees + part.close_fees;
        }
    }
    for lot in book.lots(&x()) {
        cost += lot.open_cost;
        fees += lot.open_fees;
    }
    assert_eq!((cost, fees), (d("300003"), paid));
}

proptest! {
    /// Lots add up to the position; profit of closures and open lots is what cash says; fees are divided without rest;
    /// what is written comes back.
    #[test]
    fn nothing_is_lost(
        method in prop::sample::select(TaxLotMethod::ALL.to_vec()),
        multiplier in prop::sample::select(vec![1_i64, 100]),
        fills in prop::collection::vec((0_usize..4, 1_i64..500, 1_i64..100_000, -300_i64..300), 1..60),
    ) {
        let multiplier = Decimal::from(multiplier);
        let (mut lots, mut position) = (book(method), PositionBook::new());
        let (mut cash, mut fees) = (Decimal::ZERO, Decimal::ZERO);
        let (mut realized, mut fees_closed, mut last) = (Decimal::ZERO, Decimal::ZERO, Decimal::ONE);
        for (number, (side, quantity, cents, fee)) in fills.into_iter().enumerate() {
            let side = Side::ALL[side];
            let mut fill = fill(number, side, "1", "1");
            (fill.quantity, fill.price) = (Decimal::from(quantity), Decimal::new(cents, 2));
            fill.fees = Decimal::new(fee, 3);
            let change = lots.apply(&fill, multiplier, day(number), None).unwrap();
            position
                .apply(&fill.symbol, side, fill.quantity, fill.price, multiplier, Timestamp::EPOCH)
                .unwrap();
            cash -= side.signed(fill.gross() * multiplier);
            fees += fill.fees;
            last = fill.price;
            for part in &change.closed {
                realized += part.realized;
                fees_closed += part.open_fees + part.close_fees;
                prop_assert!(part.quantity.is_sign_negative() != (side == Side::Sell || side == Side::Short)
                    || part.quantity.is_zero());
            }
            let moved: Decimal = change.closed.iter().map(|part| part.quantity.abs()).sum();
            let opened = change.opened.map_or(Decimal::ZERO, |lot| lot.open_qty.abs());
            prop_assert_eq!(moved + opened, fill.quantity);
            prop_assert_eq!(lots.quantity(&x()), position.quantity(&x()));
        }
        let open: Vec<_> = lots.lots(&x()).cloned().collect();
        let signs: std::collections::BTreeSet<_> = open.iter().map(|lot| lot.open_qty.is_sign_negative()).collect();
        prop_assert!(signs.len() <= 1, "long and short lots at once");
        let unrealized: Decimal = open.iter().map(|lot| lot.unrealized(last)).sum();
        let value = lots.quantity(&x()) * last * multiplier;
        prop_assert_eq!(realized + unrealized, cash + value, "not a digit is lost");
        let open_fees: Decimal = open.iter().map(|lot| lot.open_fees).sum();
        prop_assert_eq!(fees_closed + open_fees, fees);
        let text = serde_json::to_string(&lots).unwrap();
        prop_assert_eq!(&serde_json::from_str::<LotBook>(&text).unwrap(), &lots);
        let bytes = postcard::to_stdvec(&lots).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<LotBook>(&bytes).unwrap(), &lots);
    }
}
