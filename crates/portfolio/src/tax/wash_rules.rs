//! Each rule of wash sales in a short story.

use super::testing::{Story, d, day};
use super::{AdjustmentCode, InstrumentPolicy, Term, WashSalesEverywhere};
use mts_foundation::{AssetClass, Currency, Instrument, InstrumentTable, Symbol};

/// Bought for 10 on the second of June, sold for 8 on `sold`, bought again on `again`.
fn disallowed(sold: &str, again: &str) -> String {
    let story =
        Story::new().buy("2025-06-02", "X", "10", "10").sell(sold, "X", "10", "8").buy(again, "X", "10", "9");
    story.record().rows[0].adjustment.to_string()
}

#[test]
fn thirty_days_before_and_after_are_the_window() {
    assert_eq!(disallowed("2026-03-10", "2026-04-09"), "20");
    assert_eq!(disallowed("2026-03-10", "2026-04-10"), "0");
    let earlier = |bought: &str| {
        let story = Story::new().buy("2025-06-02", "X", "10", "10").buy(bought, "X", "10", "9").sell(
            "2026-03-10",
            "X",
            "10",
            "8",
        );
        story.record().rows[0].adjustment.to_string()
    };
    assert_eq!(earlier("2026-02-08"), "20");
    assert_eq!(earlier("2026-02-07"), "0");
}

#[test]
fn what_is_left_of_the_same_lot_replaces_nothing() {
    let story = Story::new().buy("2026-01-05", "X", "10", "10").sell("2026-01-12", "X", "4", "8");
    let record = story.record();
    assert_eq!((record.rows[0].gain, record.washes.len()), (d("-8"), 0));
    assert_eq!(record.open[0].basis, d("60"));
}

#[test]
fn what_is_sold_in_the_same_sale_or_before_replaces_nothing() {
    let story = Story::new().buy("2026-01-05", "X", "10", "10").buy("2026-01-06", "X", "10", "11").sell(
        "2026-01-12",
        "X",
        "20",
        "8",
    );
    assert_eq!(story.record().washes, []);
    let story = Story::new()
        .buy("2026-01-05", "X", "10", "10")
        .buy("2026-01-06", "X", "10", "7")
        .picked("2026-01-09", "X", "10", "8", "1")
        .sell("2026-01-12", "X", "10", "8");
    assert_eq!(story.record().washes, []);
    let kept = Story::new().buy("2026-01-05", "X", "10", "10").buy("2026-01-06", "X", "10", "11").sell(
        "2026-01-12",
        "X",
        "15",
        "8",
    );
    let record = kept.record();
    let found: Vec<_> = record.washes.iter().map(|wash| (wash.row, wash.units, wash.amount)).collect();
    assert_eq!(found, [(0, d("5"), d("10"))], "the loss of the first lot has five units left to go to");
}

#[test]
fn each_lot_that_one_sale_closes_at_a_loss_looks_for_its_own_replacement() {
    let story = Story::new()
        .buy("2025-01-06", "X", "5", "10")
        .buy("2025-02-03", "X", "5", "12")
        .sell("2026-01-12", "X", "10", "8")
        .buy("2026-01-14", "X", "8", "8");
    let record = story.record();
    let found: Vec<_> = record.washes.iter().map(|wash| (wash.row, wash.units, wash.amount)).collect();
    assert_eq!(found, [(0, d("5"), d("10")), (1, d("3"), d("12"))]);
}

#[test]
fn each_replacement_unit_counts_once_and_the_first_acquired_first() {
    let story = Story::new()
        .buy("2025-01-06", "X", "30", "10")
        .sell("2026-01-12", "X", "10", "8")
        .sell("2026-01-13", "X", "10", "7")
        .buy("2026-01-14", "X", "12", "6")
        .buy("2026-01-15", "X", "4", "6");
    let record = story.record();
    let found: Vec<_> = record
        .washes
        .iter()
        .map(|wash| (wash.row, wash.replacement_lot_id.as_str(), wash.units, wash.amount))
        .collect();
    let expected = [(0, "3", d("10"), d("20")), (1, "3", d("2"), d("6")), (1, "4", d("4"), d("12"))];
    assert_eq!(found, expected);
    assert_eq!((record.rows[1].adjustment, record.rows[1].gain), (d("18"), d("-12")));
}

#[test]
fn losses_chain() {
    let story = Story::new()
        .buy("2026-01-05", "X", "10", "10")
        .sell("2026-01-12", "X", "10", "8")
        .buy("2026-01-14", "X", "10", "9")
        .sell("2026-01-20", "X", "10", "9.5")
        .buy("2026-01-22", "X", "10", "9")
        .sell("2026-05-20", "X", "10", "12");
    let record = story.record();
    let figures: Vec<_> = record.rows.iter().map(|row| (row.cost_basis, row.adjustment, row.gain)).collect();
    // The second sale would be a gain of 5; with the loss of 20 in its basis it is a loss of 15, which moves on.
    let zero = d("0");
    assert_eq!(figures, [(d("100"), d("20"), zero), (d("110"), d("15"), zero), (d("105"), zero, d("15"))]);
    assert_eq!(record.rows[2].held_from, day("2026-01-22") - chrono::Days::new(6 + 7));
    assert_eq!(record.rows.iter().map(|row| row.gain).sum::<mts_foundation::Decimal>(), d("15"));
}

#[test]
fn the_piece_with_the_earlier_holding_period_is_closed_first() {
    let story = Story::new()
        .buy("2024-01-08", "X", "4", "10")
        .sell("2026-01-12", "X", "4", "7")
        .buy("2026-01-14", "X", "10", "8")
        .sell("2026-03-16", "X", "6", "9")
        .sell("2026-03-17", "X", "4", "9");
    let record = story.record();
    let rows: Vec<_> = record
        .rows
        .iter()
        .map(|row| (row.quantity, row.cost_basis, row.basis_added, row.gain, row.term))
        .collect();
    assert_eq!(
        rows,
        [
            (d("4"), d("40"), d("0"), d("0"), Term::Long),
            (d("4"), d("44"), d("12"), d("-8"), Term::Long),
            (d("2"), d("16"), d("0"), d("2"), Term::Short),
            (d("4"), d("32"), d("0"), d("4"), Term::Short),
        ]
    );
    assert_eq!((record.rows[1].open_date, record.rows[1].held_from), (day("2026-01-14"), day("2024-01-10")));
}

#[test]
fn short_sales_follow_the_same_rule_among_themselves() {
    let story = Story::new()
        .short("2026-01-05", "X", "10", "10")
        .cover("2026-01-12", "X", "10", "13")
        .buy("2026-01-13", "X", "10", "13")
        .sell("2026-01-14", "X", "10", "13")
        .short("2026-01-15", "X", "6", "13")
        .cover("2027-02-15", "X", "6", "11");
    let record = story.record();
    let first = &record.rows[0];
    assert_eq!((first.proceeds, first.cost_basis, first.gain), (d("100"), d("130"), d("-12")));
    assert_eq!((first.date_acquired, first.date_sold), (day("2026-01-12"), day("2026-01-12")));
    assert_eq!((first.code, first.adjustment), (Some(AdjustmentCode::W), d("18")));
    assert_eq!(record.washes[0].replacement_lot_id, "4", "a purchase replaces no short sale");
    let last = &record.rows[2];
    assert_eq!((last.proceeds, last.cost_basis, last.basis_added), (d("78"), d("84"), d("18")));
    assert_eq!((last.gain, last.term), (d("-6"), Term::Short), "13 months, and short-term all the same");
}

#[test]
fn commissions_belong_to_basis_and_proceeds() {
    let story = Story::new()
        .fees("1")
        .buy("2025-01-06", "X", "10", "10")
        .sell("2026-01-12", "X", "10", "10")
        .fees("0")
        .buy("2026-01-13", "X", "10", "10");
    let record = story.record();
    let row = &record.rows[0];
    assert_eq!((row.proceeds, row.cost_basis, row.adjustment), (d("99"), d("101"), d("2")));
    assert_eq!(record.open[0].basis, d("102"));
    let rebate =
        Story::new().fees("-1").buy("2025-01-06", "X", "10", "10").sell("2026-01-12", "X", "10", "9.9");
    assert_eq!(rebate.record().rows[0].gain, d("1"));
}

#[test]
fn units_are_compared_after_splits_and_under_all_names() {
    for (new, old, again) in [("3", "1", "90"), ("1", "3", "10"), ("7", "3", "70")] {
        let story = Story::new()
            .buy("2025-01-06", "X", "30", "10")
            .sell("2026-01-12", "X", "30", "7")
            .rename("X", "Y")
            .split("Y", new, old)
            .buy("2026-01-14", "Y", again, "2")
            .buy("2026-01-15", "Y", "1", "2");
        let record = story.record();
        assert_eq!(record.rows[0].adjustment, d("90"), "{new} for {old}");
        let replaced: Vec<_> = record.open.iter().filter(|piece| piece.basis_added == d("90")).collect();
        assert_eq!((replaced.len(), replaced[0].quantity, replaced[0].symbol.as_str()), (1, d(again), "Y"));
    }
    let other = Story::new()
        .buy("2025-01-06", "X", "10", "10")
        .sell("2026-01-12", "X", "10", "7")
        .rename("X", "Y")
        .buy("2026-01-14", "X", "10", "2");
    assert_eq!(other.record().washes, [], "what is called X now is something else");
}

#[test]
fn a_lot_that_was_split_unevenly_is_closed_whole() {
    let story = Story::new()
        .buy("2025-01-06", "X", "10", "10")
        .split("X", "3", "7")
        .sell("2025-01-07", "X", "1", "30")
        .sell("2025-01-08", "X", "1", "30")
        .sell("2025-01-09", "X", "1", "30")
        .sell_all("2025-01-10", "X", "30");
    let record = story.record();
    assert_eq!(record.open, []);
    let cost: mts_foundation::Decimal = record.rows.iter().map(|row| row.cost_basis).sum();
    assert_eq!(cost, d("100"));
}

#[test]
fn the_policy_says_where_wash_sales_apply_and_what_money_is_worth() {
    let symbol = Symbol::new("X").unwrap();
    let euro = Currency::new("EUR").unwrap();
    let mut coin = Instrument::us_share(symbol.clone());
    coin.asset_class = AssetClass::Crypto;
    let story = Story::new()
        .fees("1")
        .buy("2025-01-06", "X", "10", "10")
        .sell("2026-01-12", "X", "10", "7")
        .buy("2026-01-13", "X", "10", "7");
    let table = InstrumentTable::from_instruments([coin.clone()]).unwrap();
    let policy = InstrumentPolicy::new(&table, Currency::USD);
    assert_eq!(story.history.record(&policy).unwrap().rows[0].gain, d("-32"));
    assert_eq!(story.history.record(&WashSalesEverywhere).unwrap().rows[0].gain, d("0"));
    coin.currency = euro;
    let table = InstrumentTable::from_instruments([coin]).unwrap();
    let mut policy = InstrumentPolicy::new(&table, Currency::USD);
    let error = story.history.record(&policy).unwrap_err().to_string();
    assert!(error.contains("currency of X was worth on 2025-01-06"), "{error}");
    for (date, rate) in [("2025-01-06", "1.1"), ("2026-01-12", "1.2"), ("2026-01-13", "1.3")] {
        policy.rates.insert((euro, day(date)), d(rate));
    }
    let record = story.history.record(&policy).unwrap();
    assert_eq!((record.rows[0].cost_basis, record.rows[0].proceeds), (d("111"), d("83")));
    assert_eq!(record.open[0].basis, d("92"));
}
