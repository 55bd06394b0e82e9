//! Published worked examples of taxes, to the cent. Each test names its source; where the source gives no dates, ours are
//! said to be ours. The figures of Reg. § 1.1091-1(h) are those of the Code of Federal Regulations as we remember them: no
//! copy with the examples was at hand when this was written. All others were read in the page that is named.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use chrono::NaiveDate;
use mts_foundation::lots::LotPick;
use mts_foundation::{Decimal, Fill, FundId, LotBook, Side, TaxLotMethod, Timestamp};
use mts_portfolio::tax::{
    AdjustmentCode, OpenPiece, TaxHistory, TaxRecord, TaxReport, Term, WashSalesEverywhere, long_term_from,
};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Day, side, units, and money of the whole fill, fees included.
type Traded<'a> = (&'a str, Side, &'a str, &'a str);

/// Books fills of one stock; the id of a fill, and of its lot, is its number. Only the last fill may have picks.
fn picked(method: TaxLotMethod, fills: &[Traded<'_>], picks: Option<&[LotPick]>) -> TaxRecord {
    let fund = FundId::new("f").unwrap();
    let mut lots = LotBook::new(fund.clone(), method);
    let mut history = TaxHistory::new(fund);
    for (number, (on, side, quantity, money)) in fills.iter().enumerate() {
        let (id, price) = (number.to_string(), d(money) / d(quantity));
        let fill = Fill::new(&id, "o", "M", *side, d(quantity), price, Timestamp::EPOCH).unwrap();
        let picks = picks.filter(|_| number + 1 == fills.len());
        history.apply(&lots.apply(&fill, Decimal::ONE, day(on), picks).unwrap()).unwrap();
    }
    history.record(&WashSalesEverywhere).unwrap()
}

fn traded(fills: &[Traded<'_>]) -> TaxRecord {
    picked(TaxLotMethod::Fifo, fills, None)
}

/// Units, basis and beginning of the holding period of what is open.
fn open(record: &TaxRecord) -> Vec<(Decimal, Decimal, NaiveDate)> {
    record
        .open
        .iter()
        .map(|OpenPiece { quantity, basis, held_from, .. }| (*quantity, *basis, *held_from))
        .collect()
}

/// What is allowed and what is disallowed of the only row with a loss.
fn loss(record: &TaxRecord) -> (Decimal, Decimal) {
    let row = record.rows.iter().find(|row| row.gain.is_sign_negative() || row.code.is_some()).unwrap();
    (row.gain, row.adjustment)
}

/// IRS, Publication 550, "Wash Sales", example 1; also Link & Learn Taxes, "Capital Gain or Loss", case study 1
/// (<https://apps.irs.gov/app/vita/content/10s/10_04_011.jsp>): 100 shares for $1,000, sold for $750, within 30 days 100
/// for $800: the loss of $250 is not deductible, the new basis is $1,050. The dates are ours.
#[test]
fn publication_550_wash_sale() {
    let record = traded(&[
        ("2025-02-03", Side::Buy, "100", "1000"),
        ("2025-06-02", Side::Sell, "100", "750"),
        ("2025-06-20", Side::Buy, "100", "800"),
    ]);
    assert_eq!(loss(&record), (d("0"), d("250")));
    assert_eq!(record.rows[0].code, Some(AdjustmentCode::W));
    assert_eq!(open(&record)[0].1, d("1050"));
}

/// Publication 550, "Loss and gain on same day": blocks of 100 at $158, $100 and $95, bought in 2007, are sold together at
/// $125 on 27 December 2012; 250 are bought on 9 January 2013. The loss of $33 a share on the first block is not deductible
/// and does not reduce the gains on the others. The days of 2007 and the price of 2013 are ours.
#[test]
fn publication_550_loss_and_gain_on_the_same_day() {
    let record = traded(&[
        ("2007-02-05", Side::Buy, "100", "15800"),
        ("2007-05-07", Side::Buy, "100", "10000"),
        ("2007-09-04", Side::Buy, "100", "9500"),
        ("2012-12-27", Side::Sell, "300", "37500"),
        ("2013-01-09", Side::Buy, "250", "31250"),
    ]);
    assert_eq!(loss(&record), (d("0"), d("3300")));
    let report = TaxReport::of_year(&record, 2012).unwrap();
    assert_eq!((report.long.gain, report.long.adjustment), (d("5500"), d("3300")));
    let bases: Vec<_> = open(&record).iter().map(|(units, basis, _)| (*units, *basis)).collect();
    assert_eq!(bases, [(d("100"), d("15800")), (d("150"), d("18750"))]);
}

/// Treas. Reg. § 1.1091-1(h), example 1: bought 1 December 1954 for $10,000 and 15 December for $9,000, 100 shares each;
/// those of the first day sold on 3 January 1955 for $9,000: no loss is allowable.
#[test]
fn regulation_1091_1_h_example_1() {
    let record = traded(&[
        ("1954-12-01", Side::Buy, "100", "10000"),
        ("1954-12-15", Side::Buy, "100", "9000"),
        ("1955-01-03", Side::Sell, "100", "9000"),
    ]);
    assert_eq!(loss(&record), (d("0"), d("1000")));
    assert_eq!(open(&record), [(d("100"), d("10000"), day("1954-12-15") - chrono::Days::new(33))]);
}

/// Treas. Reg. § 1.1091-1(h), example 2: 100 shares for $5,000; 50 more for $2,750 and 25 more for $1,125 in the 61 days
/// around the sale of the first 100 for $4,000. $750 are not deductible, $250 are; the new bases are $3,250 and $1,375.
#[test]
fn regulation_1091_1_h_example_2() {
    let record = traded(&[
        ("1954-09-21", Side::Buy, "100", "5000"),
        ("1954-12-21", Side::Buy, "50", "2750"),
        ("1954-12-27", Side::Buy, "25", "1125"),
        ("1955-01-03", Side::Sell, "100", "4000"),
    ]);
    assert_eq!(loss(&record), (d("-250"), d("750")));
    let bases: Vec<_> = open(&record).iter().map(|(units, basis, _)| (*units, *basis)).collect();
    assert_eq!(bases, [(d("50"), d("3250")), (d("25"), d("1375"))]);
    let report = TaxReport::of_year(&record, 1955).unwrap();
    assert_eq!((report.short.gain, report.short.adjustment, report.long.rows), (d("-250"), d("750"), 0));
}

/// Treas. Reg. § 1.1091-1(h), example 3: 100 shares of 15 September 1954 for $5,000 are sold on 1 February 1956 for $4,000;
/// 50 are bought for $2,000 on each of four days from 15 February. The first 100 replace them, and the time for which the
/// old ones were held is counted for them.
#[test]
fn regulation_1091_1_h_example_3() {
    let record = traded(&[
        ("1954-09-15", Side::Buy, "100", "5000"),
        ("1956-02-01", Side::Sell, "100", "4000"),
        ("1956-02-15", Side::Buy, "50", "2000"),
        ("1956-02-16", Side::Buy, "50", "2000"),
        ("1956-02-17", Side::Buy, "50", "2000"),
        ("1956-02-18", Side::Buy, "50", "2000"),
    ]);
    assert_eq!(loss(&record), (d("0"), d("1000")));
    let held = chrono::Days::new(504);
    let expected = [
        (d("50"), d("2500"), day("1956-02-15") - held),
        (d("50"), d("2500"), day("1956-02-16") - held),
        (d("50"), d("2000"), day("1956-02-17")),
        (d("50"), d("2000"), day("1956-02-18")),
    ];
    assert_eq!(open(&record), expected);
}

/// Treas. Reg. § 1.1091-2(a), examples 1 and 2: a share of 1935 for $100, sold on 15 January 1955 for $80, and one bought
/// on 1 February 1955 for $90 or $70: its basis is $110 or $90 (text: <https://touchtax.edrich.de/1d.php?v=sr&s=1.1091-2>).
#[test]
fn regulation_1091_2_a_examples_1_and_2() {
    for (price, basis) in [("90", "110"), ("70", "90")] {
        let record = traded(&[
            ("1935-06-03", Side::Buy, "1", "100"),
            ("1955-01-15", Side::Sell, "1", "80"),
            ("1955-02-01", Side::Buy, "1", price),
        ]);
        assert_eq!((loss(&record), open(&record)[0].1), ((d("0"), d("20")), d(basis)));
        assert_eq!(record.rows[0].term, Term::Long);
    }
}

/// Two examples printed in <https://redian.news/mitbbs/stock/33209381>: 100 shares for $2,000 sold on 27 March 2009 for
/// $1,300. With 50 for $1,200 and 25 for $650 bought in March, $525 are disallowed and the bases are $1,550 and $825; with
/// 100 for $2,400 and 50 for $1,300, all $700 go to the first 100.
#[test]
fn fewer_and_more_units_bought_than_sold() {
    let bought = |first: [&str; 2], second: [&str; 2]| {
        traded(&[
            ("2008-12-01", Side::Buy, "100", "2000"),
            ("2009-03-01", Side::Buy, first[0], first[1]),
            ("2009-03-10", Side::Buy, second[0], second[1]),
            ("2009-03-27", Side::Sell, "100", "1300"),
        ])
    };
    let fewer = bought(["50", "1200"], ["25", "650"]);
    assert_eq!(loss(&fewer), (d("-175"), d("525")));
    assert_eq!([open(&fewer)[0].1, open(&fewer)[1].1], [d("1550"), d("825")]);
    let more = bought(["100", "2400"], ["50", "1300"]);
    assert_eq!(loss(&more), (d("0"), d("700")));
    assert_eq!([open(&more)[0].1, open(&more)[1].1], [d("3100"), d("1300")]);
}

/// <http://boards.fool.com/heres-how-you-enter-the-sales-on-sch-d-20-shrs-a-16573298.aspx>: 20 shares for $1,010 are sold
/// for $790, commissions included; 25 bought for $810 are sold for $1,190. The 20 that replace the first have a gain of $84,
/// the other 5 one of $76. The day of the sale is the one that puts the purchase into the window.
#[test]
fn a_lot_that_replaces_in_part_is_sold_in_two_rows() {
    let record = traded(&[
        ("2001-03-01", Side::Buy, "20", "1010"),
        ("2001-04-15", Side::Sell, "20", "790"),
        ("2001-05-15", Side::Buy, "25", "810"),
        ("2001-10-15", Side::Sell, "25", "1190"),
    ]);
    let rows: Vec<_> = record.rows.iter().map(|row| (row.quantity, row.adjustment, row.gain)).collect();
    let zero = d("0");
    assert_eq!(rows, [(d("20"), d("220"), zero), (d("20"), zero, d("84")), (d("5"), zero, d("76"))]);
}

/// Scottrade, "Wash Sales and Holding Period Calculations", tacking method
/// (<https://www.scottrade.com/knowledge-center/investment-education/learn-the-basics/taxes/wash-sale-holding-period-calculations.html>):
/// bought 12 January 2013, sold at a loss on the 20th, bought again on 2 February: held from 25 January 2013, long-term on 26
/// January 2014.
#[test]
fn a_holding_period_is_tacked_on() {
    let record = traded(&[
        ("2013-01-12", Side::Buy, "10", "1000"),
        ("2013-01-20", Side::Sell, "10", "900"),
        ("2013-02-02", Side::Buy, "10", "900"),
        ("2014-01-26", Side::Sell, "10", "1200"),
    ]);
    let row = &record.rows[1];
    assert_eq!((row.held_from, row.term), (day("2013-01-25"), Term::Long));
    assert_eq!(long_term_from(row.held_from), day("2014-01-26"));
    assert_eq!((row.cost_basis, row.gain), (d("1000"), d("200")));
}

/// When a holding is long-term: The Motley Fool, "How to Calculate a Holding Period"
/// (<https://www.fool.com/personal-finance/taxes/how-to-calculate-a-holding-period.aspx>: 1 January 2008, long from 2 January
/// 2009); J. K. Lasser 2013, § 5.9 (19 September 2012, long from 20 September 2013); a bulletin on § 1222 (1 November 1998,
/// long from 2 November 1999: <https://si.frajer.net/readmsg.aspx?msgid=8354634>); Fairmark, "Don't Sell on Leap Day"
/// (<http://fairmark.com/dont-sell-on-leap-day/>: 28 February 2015, long from 1 March 2016).
#[test]
fn published_holding_periods() {
    for (bought, long) in [
        ("2008-01-01", "2009-01-02"),
        ("2012-09-19", "2013-09-20"),
        ("1998-11-01", "1999-11-02"),
        ("2015-02-28", "2016-03-01"),
    ] {
        let last_short = day(long).pred_opt().unwrap();
        let terms = [last_short, day(long)].map(|sold| Term::of(day(bought), sold));
        assert_eq!(terms, [Term::Short, Term::Long], "{bought}");
    }
}

/// Proceeds minus basis of the last fill under one method.
fn realised(method: TaxLotMethod, fills: &[Traded<'_>]) -> Decimal {
    picked(method, fills, None).rows.iter().map(|row| row.proceeds - row.cost_basis).sum()
}

/// Recap, "Cost Basis Methods"
/// (<https://docs.recap.io/us-tax-guide-for-individuals/cryptocurrency-tax/capital-gains-tax/cost-basis-methods>): 1 BTC for
/// $2,000, 2 for $5,000 and 1 for $8,000; one is sold for $4,000.
#[test]
fn four_methods_by_recap() {
    let fills = [
        ("2017-09-22", Side::Buy, "1", "2000"),
        ("2018-01-06", Side::Buy, "2", "5000"),
        ("2018-04-19", Side::Buy, "1", "8000"),
        ("2018-05-03", Side::Sell, "1", "4000"),
    ];
    for (method, gain) in [
        (TaxLotMethod::Lifo, "-4000"),
        (TaxLotMethod::Fifo, "2000"),
        (TaxLotMethod::Hifo, "-4000"),
        (TaxLotMethod::Loifo, "2000"),
    ] {
        assert_eq!(realised(method, &fills), d(gain), "{method}");
    }
}

/// Accointing, quoted in <https://beta.ninjastic.space/post/62942487>: five times 1 BTC, three sold for $60,000.
#[test]
fn three_methods_by_accointing() {
    let fills = [
        ("2021-01-01", Side::Buy, "1", "10000"),
        ("2021-02-01", Side::Buy, "1", "12000"),
        ("2021-03-01", Side::Buy, "1", "9000"),
        ("2021-04-01", Side::Buy, "1", "15000"),
        ("2021-05-01", Side::Buy, "1", "18000"),
        ("2021-09-01", Side::Sell, "3", "60000"),
    ];
    for (method, gain) in
        [(TaxLotMethod::Fifo, "29000"), (TaxLotMethod::Lifo, "18000"), (TaxLotMethod::Hifo, "15000")]
    {
        assert_eq!(realised(method, &fills), d(gain), "{method}");
    }
}

/// CertFuel, "Cost Valuation Methods"
/// (<https://app.certfuel.com/series7/learn/equity-securities/equity-tax-treatment/cost-valuation-methods>): 100 shares at
/// $30, $40 and $50, 100 sold at $55: $2,500 first in first out, $500 last in first out, $1,500 when the second lot is named.
/// The days are ours.
#[test]
fn specific_identification_by_certfuel() {
    let fills = [
        ("2025-01-06", Side::Buy, "100", "3000"),
        ("2025-04-07", Side::Buy, "100", "4000"),
        ("2025-07-07", Side::Buy, "100", "5000"),
        ("2025-11-03", Side::Sell, "100", "5500"),
    ];
    assert_eq!(realised(TaxLotMethod::Fifo, &fills), d("2500"));
    assert_eq!(realised(TaxLotMethod::Lifo, &fills), d("500"));
    let picks = [LotPick { lot_id: "1".into(), quantity: d("100") }];
    assert_eq!(picked(TaxLotMethod::Specid, &fills, Some(&picks)).rows[0].gain, d("1500"));
}
