//! What a row of a panel may know: membership, adjustment, and that nothing looks ahead.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use chrono::NaiveDate;
use mts_foundation::corporate_action::{CorporateAction, CorporateActionKind};
use mts_foundation::symbol::Currency;
use mts_foundation::{
    Bar, Decimal, Instrument, InstrumentTable, Interval, MarketCalendar, Symbol, Timestamp, UniversePanel,
};
use mts_marketdata::panel::{AdjustError, Adjustment, Membership, PanelBuilder, adjust, ffill, read_wide};
use proptest::prelude::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn xnys() -> &'static MarketCalendar {
    MarketCalendar::builtin("XNYS").unwrap()
}

fn of_closes(text: &str) -> UniversePanel {
    let mut builder = PanelBuilder::new(Interval::DAY);
    read_wide("closes.csv", text, xnys(), &mut builder).unwrap();
    builder.finish().unwrap()
}

fn shares(names: &[&str]) -> InstrumentTable {
    InstrumentTable::from_instruments(names.iter().map(|name| Instrument::us_share(symbol(name)))).unwrap()
}

fn action(id: &str, name: &str, ex_date: &str, kind: CorporateActionKind) -> CorporateAction {
    CorporateAction { action_id: id.into(), symbol: symbol(name), ex_date: date(ex_date), kind }
}

fn split(id: &str, name: &str, ex_date: &str, (new, old): (i64, i64)) -> CorporateAction {
    let (new_units, old_units) = (Decimal::from(new), Decimal::from(old));
    action(id, name, ex_date, CorporateActionKind::Split { new_units, old_units })
}

fn dividend(id: &str, name: &str, ex_date: &str, amount: &str) -> CorporateAction {
    let kind = CorporateActionKind::CashDividend { amount: d(amount), currency: Currency::USD };
    action(id, name, ex_date, kind)
}

/// The first column, to two places.
fn cents(panel: &UniversePanel) -> Vec<String> {
    panel.close().column(0).iter().map(|close| format!("{close:.2}")).collect()
}

fn adjusted(panel: &UniversePanel, actions: &[CorporateAction], how: Adjustment) -> UniversePanel {
    let names: Vec<_> = panel.symbols().iter().map(Symbol::as_str).collect();
    adjust(panel.clone(), actions, how, *panel.dates().last().unwrap(), &shares(&names)).unwrap()
}

/// All that a panel holds, so that NaN equals NaN.
fn bits(panel: &UniversePanel) -> (Vec<Timestamp>, Vec<Vec<u64>>) {
    let arrays =
        [&panel.open, &panel.high, &panel.low, &panel.volume].into_iter().flatten().chain([panel.close()]);
    (
        panel.dates().to_vec(),
        arrays.map(|array| array.iter().map(|value| value.to_bits()).collect()).collect(),
    )
}

/// The worked example of Yahoo's help page "What is the adjusted close?" (sln28256).
#[test]
fn the_published_example_of_a_split_and_a_dividend_is_met() {
    let mut builder = PanelBuilder::new(Interval::DAY);
    let closes = [
        (16, "46.99"),
        (17, "48.30"),
        (18, "24.96"),
        (19, "24.91"),
        (20, "24.95"),
        (21, "24.53"),
        (22, "24.54"),
    ];
    for (day, close) in closes {
        let end = format!("2012-02-{day}T21:00:00Z").parse().unwrap();
        builder.push(&Bar::close_only(symbol("A"), Interval::DAY, d(close), end)).unwrap();
    }
    let panel = builder.finish().unwrap();
    let actions = [dividend("2", "A", "2012-02-21", "0.08"), split("1", "A", "2012-02-18", (2, 1))];
    let total = adjusted(&panel, &actions, Adjustment::TotalReturn);
    assert_eq!(cents(&total), ["23.42", "24.07", "24.88", "24.83", "24.87", "24.53", "24.54"]);
    let split = adjusted(&panel, &actions, Adjustment::Split);
    assert_eq!(cents(&split), ["23.50", "24.15", "24.96", "24.91", "24.95", "24.53", "24.54"]);
    assert_eq!(bits(&adjusted(&panel, &actions, Adjustment::None)), bits(&panel));
}

/// Apple split four for one on 2020-08-31 and paid 0.82 on 2020-08-07; closes as they were on the tape.
const APPLE: &str = "date,AAPL,AAPL open,AAPL high,AAPL low,AAPL volume\n\
    2020-08-06,455.61,441.62,457.65,439.19,50607200\n2020-08-07,444.45,452.82,454.70,441.17,49453300\n\
    2020-08-28,499.23,504.05,505.77,498.31,46907479\n2020-08-31,129.04,127.58,131.00,126.00,225702700\n";

fn apple() -> [CorporateAction; 2] {
    [split("s", "AAPL", "2020-08-31", (4, 1)), dividend("d", "AAPL", "2020-08-07", "0.82")]
}

#[test]
fn a_split_divides_prices_and_multiplies_volumes_of_before() {
    let panel = of_closes(APPLE);
    let split = adjusted(&panel, &apple(), Adjustment::Split);
    assert_eq!(cents(&split), ["113.90", "111.11", "124.81", "129.04"]);
    let column = |array: &Option<ndarray::Array2<f64>>| array.as_ref().unwrap().column(0).to_vec();
    assert_eq!(column(&split.volume).map_to_text(), ["202428800", "197813200", "187629916", "225702700"]);
    assert_eq!(column(&split.high).map_to_text(), ["114.4125", "113.675", "126.4425", "131"]);
    let total = adjusted(&panel, &apple(), Adjustment::TotalReturn);
    assert_eq!(cents(&total), ["113.70", "111.11", "124.81", "129.04"]);
    assert_eq!(column(&total.volume).map_to_text(), column(&split.volume).map_to_text());
    // Ten old shares become one: prices go up.
    let reverse = [split_of("r", (1, 10))];
    assert_eq!(cents(&adjusted(&panel, &reverse, Adjustment::Split))[0], "4556.10");
}

fn split_of(id: &str, ratio: (i64, i64)) -> CorporateAction {
    split(id, "AAPL", "2020-08-31", ratio)
}

trait Text {
    fn map_to_text(&self) -> Vec<String>;
}

impl Text for Vec<f64> {
    fn map_to_text(&self) -> Vec<String> {
        self.iter().map(f64::to_string).collect()
    }
}

#[test]
fn as_of_an_instant_later_actions_and_rows_do_not_exist() {
    let panel = of_closes(APPLE);
    let table = shares(&["AAPL"]);
    let at = |time: &str| {
        adjust(panel.clone(), &apple(), Adjustment::TotalReturn, time.parse().unwrap(), &table).unwrap()
    };
    assert_eq!(cents(&at("2020-08-06T20:00:00Z")), ["455.61"]);
    assert_eq!(cents(&at("2020-08-28T20:00:00Z")), ["454.79", "444.45", "499.23"]);
    // Sunday night in New York, then the morning of the ex-date: the split has come, no bar of the day has.
    assert_eq!(cents(&at("2020-08-31T03:59:00Z")), ["454.79", "444.45", "499.23"]);
    assert_eq!(cents(&at("2020-08-31T12:00:00Z")), ["113.70", "111.11", "124.81"]);
}

#[test]
fn actions_around_what_is_missing_take_the_close_that_was_there() {
    // No bar between the 25th and the 30th: the split comes in the hole, then a dividend per new share.
    let panel = of_closes("date,A,B\n2024-09-24,96,1\n2024-09-25,100,1\n2024-09-30,49,1\n2024-10-01,50,1\n");
    let actions = [split("s", "A", "2024-09-26", (2, 1)), dividend("d", "A", "2024-09-27", "1")];
    assert_eq!(
        cents(&adjusted(&panel, &actions, Adjustment::TotalReturn)),
        ["47.04", "49.00", "49.00", "50.00"]
    );
    // On one ex-date the order of the books: a dividend per old share, then the split.
    let same_day = [dividend("d", "A", "2024-09-30", "2"), split("s", "A", "2024-09-30", (2, 1))];
    assert_eq!(cents(&adjusted(&panel, &same_day, Adjustment::TotalReturn))[1], "49.00");
    // Before the first close and after the last there is nothing to do; other instruments' are passed over.
    let outside = [
        dividend("1", "A", "2024-09-24", "500"),
        split("2", "A", "2024-09-20", (7, 1)),
        split("3", "A", "2024-10-02", (7, 1)),
        split("4", "ELSE", "2024-09-30", (7, 1)),
    ];
    assert_eq!(bits(&adjusted(&panel, &outside, Adjustment::TotalReturn)), bits(&panel));
    // The same action twice takes effect once.
    let twice = [split("s", "A", "2024-09-30", (2, 1)), split("s", "A", "2024-09-30", (2, 1))];
    assert_eq!(cents(&adjusted(&panel, &twice, Adjustment::Split))[0], "48.00");
}

#[test]
fn what_cannot_be_adjusted_is_an_error() {
    let panel = of_closes("date,A\n2024-09-24,96\n2024-09-25,100\n");
    let last = *panel.dates().last().unwrap();
    let error = |actions: &[CorporateAction], table: &InstrumentTable| {
        adjust(panel.clone(), actions, Adjustment::TotalReturn, last, table).unwrap_err().to_string()
    };
    let table = shares(&["A"]);
    let two = [split("s", "A", "2024-09-25", (2, 1)), split("s", "A", "2024-09-25", (3, 1))];
    assert!(error(&two, &table).contains("s of A stands twice and differs"));
    assert!(error(&[split("s", "A", "2024-09-25", (0, 1))], &table).contains("must be greater than zero"));
    assert!(error(&two[..1], &shares(&[])).contains("A is not in the instrument table"));
    assert!(error(&[dividend("d", "A", "2024-09-25", "96")], &table).contains("whose close before it is 96"));
    let kind = CorporateActionKind::CashDividend { amount: d("1"), currency: Currency::new("EUR").unwrap() };
    let euro = error(&[action("d", "A", "2024-09-25", kind)], &table);
    assert!(euro.contains("a dividend in EUR while A is priced in USD"), "{euro}");
    let lost = Instrument { calendar: "XXXX".into(), ..Instrument::us_share(symbol("A")) };
    let lost = InstrumentTable::from_instruments([lost]).unwrap();
    assert!(error(&two[..1], &lost).starts_with("A: "));
    let filled = ffill(panel.clone(), 1).unwrap();
    let refused = adjust(filled.clone(), &[], Adjustment::Split, last, &table);
    assert!(matches!(refused, Err(AdjustError::Filled)));
    assert!(adjust(filled, &[], Adjustment::None, last, &table).is_ok());
}

#[test]
fn a_delisted_instrument_ends_and_a_late_one_begins() {
    let panel = of_closes("date,GONE,NEW\n2024-09-24,9,\n2024-09-25,8,\n2024-09-26,,50\n2024-09-27,,51\n");
    let ended = CorporateActionKind::Delisting { amount: d("8.5"), currency: Currency::USD };
    let actions = [action("x", "GONE", "2024-09-26", ended)];
    let total = adjusted(&panel, &actions, Adjustment::TotalReturn);
    assert_eq!(total.valid(), ndarray::array![[true, false], [true, false], [false, true], [false, true]]);
    let table =
        Membership::from_csv("m.csv", "symbol,from,to\nGONE,2000-01-01,2024-09-26\nNEW,2024-09-26,\n")
            .unwrap();
    let marked = table.mark(total, xnys()).unwrap();
    assert_eq!(marked.members(), Some(&marked.valid()));
}

#[test]
fn membership_is_that_of_the_date_of_the_row() {
    let text = "symbol,from,to,from_known,to_known\n\
                A,2024-09-24,2024-09-26,,\nA,2024-09-30,,,\n\
                B,2024-09-24,2024-09-27,2024-09-24,2024-09-27\nC,2024-09-25,2024-09-26,2024-09-26,\n";
    let membership = Membership::from_csv("members.csv", text).unwrap();
    let panel = of_closes(
        "date,A,B,C,D\n2024-09-24,1,1,1,1\n2024-09-25,1,1,1,1\n2024-09-26,1,1,1,1\n2024-09-27,1,1,1,1\n2024-09-30,1,1,1,1\n",
    );
    let marked = membership.mark(panel, xnys()).unwrap();
    // B's news came on the evenings of the 24th and the 27th; that of C came when it was over; D never was a member.
    let expected = [
        [true, false, false, false],
        [true, true, false, false],
        [false, true, false, false],
        [false, true, false, false],
        [true, false, false, false],
    ];
    assert_eq!(marked.members().unwrap(), &ndarray::arr2(&expected));
    assert!(membership.contains(&symbol("A"), date("2030-01-02")));
    assert!(membership.symbols().map(Symbol::as_str).eq(["A", "B", "C"]));
    let mut scores = marked.close().clone();
    marked.members_only(&mut scores).unwrap();
    assert_eq!(scores.mapv(|score| !score.is_nan()), ndarray::arr2(&expected));
}

#[test]
fn faults_of_a_membership_file_name_the_line_and_the_column() {
    let cases = [
        ("symbol,from\n", "column \"to\" is missing"),
        ("symbol,from,to,weight\n", "column \"weight\" is unknown"),
        ("symbol,from,to\nA,,\n", "line 2: from is empty"),
        ("symbol,from,to\nA,1/2/2024,\n", "line 2: from \"1/2/2024\""),
        ("symbol,from,to\nA,2024-01-02,2024-01-02\n", "line 2: A: to 2024-01-02 is not after from"),
        (
            "symbol,from,to\nA,2024-01-02,\nA,2025-01-02,\n",
            "line 3: A: from 2025-01-02 overlaps with the membership from 2024-01-02",
        ),
        ("symbol,from,to\n ,2024-01-02,\n", "line 2: "),
        ("symbol,from,to\nA,2024-01-02\n", "line 2: "),
        ("symbol,from,to,to_known\nA,2024-01-02,,2024-01-03\n", "line 2: A: to_known stands without to"),
    ];
    for (text, expected) in cases {
        let error = Membership::from_csv("members.csv", text).unwrap_err().to_string();
        assert!(error.starts_with("members.csv") && error.contains(expected), "{text:?}: {error}");
    }
    let back = "symbol,from,to\nA,2024-01-02,2024-02-01\nA,2024-02-01,\n";
    assert!(Membership::from_csv("members.csv", back).is_ok(), "to is excluded");
}

const ROWS: u32 = 12;

/// A day of the property tests: consecutive, from 2024-03-01 on, across the change of clocks.
fn day(row: u32) -> NaiveDate {
    date("2024-03-01") + chrono::Days::new(u64::from(row))
}

fn end(row: u32) -> Timestamp {
    let hour = if row < 9 { "21" } else { "20" };
    format!("{}T{hour}:00:00Z", day(row)).parse().unwrap()
}

fn some_bars() -> impl Strategy<Value = Vec<(u32, Bar)>> {
    let bar = (0..ROWS, prop::sample::select(vec!["A", "B", "C"]), 500..900_i64, 1..90_i64);
    let bar = bar.prop_map(|(row, name, close, volume)| {
        let close = Decimal::new(close, 2);
        let (open, low, high) = (close, close - Decimal::ONE, close + Decimal::ONE);
        let closes = Bar::close_only(symbol(name), Interval::DAY, close, end(row));
        let bar = Bar { open, low, high, volume: Decimal::from(volume), close_only: false, ..closes };
        ((row, name), (row, bar))
    });
    prop::collection::vec(bar, 1..40).prop_map(|bars| {
        let by_place: std::collections::BTreeMap<_, _> = bars.into_iter().collect();
        by_place.into_values().collect()
    })
}

fn some_actions() -> impl Strategy<Value = Vec<(u32, CorporateAction)>> {
    let one = (0..ROWS, prop::sample::select(vec!["A", "B", "C"]), 1..5_i64, 1..5_i64, any::<bool>());
    prop::collection::vec(one, 0..8).prop_map(|actions| {
        let actions = actions.into_iter().enumerate().map(|(id, (row, name, new, old, is_split))| {
            let (id, ex_date) = (id.to_string(), day(row).to_string());
            let cents = Decimal::new(new * old, 2).to_string();
            let action = if is_split {
                split(&id, name, &ex_date, (new, old))
            } else {
                dividend(&id, name, &ex_date, &cents)
            };
            (row, action)
        });
        actions.collect()
    })
}

fn build<'a>(bars: impl Iterator<Item = &'a Bar>) -> Option<UniversePanel> {
    let mut builder = PanelBuilder::new(Interval::DAY).universe(["A", "B", "C"].map(symbol)).unwrap();
    bars.for_each(|bar| builder.push(bar).unwrap());
    builder.finish().ok()
}

proptest! {
    /// With all the future handed in, the panel as of an instant is the one that could be made then.
    #[test]
    fn nothing_looks_ahead(bars in some_bars(), actions in some_actions(), now in 0..ROWS, limit in 0..4_usize) {
        let Some(then) = build(bars.iter().filter(|(row, _)| *row <= now).map(|(_, bar)| bar)) else { return Ok(()) };
        let whole = build(bars.iter().map(|(_, bar)| bar)).unwrap();
        let known: Vec<_> = actions.iter().filter(|(row, _)| *row <= now).map(|(_, action)| action.clone()).collect();
        let all: Vec<_> = actions.into_iter().map(|(_, action)| action).collect();
        prop_assert_eq!(bits(&whole.clone().up_to(end(now))), bits(&then));
        let table = shares(&["A", "B", "C"]);
        for how in [Adjustment::None, Adjustment::Split, Adjustment::TotalReturn] {
            let early = adjust(then.clone(), &known, how, end(now), &table).unwrap();
            let late = adjust(whole.clone(), &all, how, end(now), &table).unwrap();
            prop_assert_eq!(bits(&early), bits(&late));
            prop_assert_eq!(early.valid(), then.valid(), "an adjustment makes no price and loses none");
            let early = ffill(early, limit).unwrap();
            let late = ffill(late, limit).unwrap();
            prop_assert_eq!(bits(&early), bits(&late));
        }
        let filled = ffill(whole, limit).unwrap().up_to(end(now));
        let then = ffill(then, limit).unwrap();
        prop_assert_eq!(bits(&filled), bits(&then));
        prop_assert_eq!(filled.filled(), then.filled());
    }

    /// What is known of joining and leaving later does not change who was a member before.
    #[test]
    fn membership_does_not_look_ahead(
        spells in prop::collection::vec((0..ROWS, 1..ROWS, prop::option::of(0..ROWS), prop::option::of(0..ROWS)), 3),
        now in 0..ROWS,
    ) {
        let table = |until: Option<u32>| {
            let mut text = "symbol,from,to,from_known,to_known\n".to_owned();
            for (name, (from, length, from_known, to_known)) in ["A", "B", "C"].into_iter().zip(&spells) {
                let to = from + length;
                // Of news that come on an evening nothing is known before the next day.
                let secret = |fact: u32, known: &Option<u32>| {
                    until.is_some_and(|now| fact > now || known.is_some_and(|known| known >= now))
                };
                let cell = |row: &Option<u32>| row.map(|row| day(row).to_string()).unwrap_or_default();
                if secret(*from, from_known) {
                    continue;
                }
                let (to, to_known) =
                    if secret(to, to_known) { (None, None) } else { (Some(to), *to_known) };
                text += &format!("{name},{},{},{},{}\n", day(*from), cell(&to), cell(from_known), cell(&to_known));
            }
            Membership::from_csv("m.csv", &text).unwrap()
        };
        let bars: Vec<_> = (0..ROWS).map(|row| Bar::close_only(symbol("A"), Interval::DAY, Decimal::ONE, end(row))).collect();
        let panel = build(bars.iter()).unwrap();
        let late = table(None).mark(panel.clone(), xnys()).unwrap().up_to(end(now));
        let early = table(Some(now)).mark(panel.up_to(end(now)), xnys()).unwrap();
        prop_assert_eq!(late.members(), early.members());
    }

    /// What was paid and what came from it is the same on every basis: the value of a holding, with dividends reinvested at the
    /// close before the ex-date, grows as total-return closes do.
    #[test]
    fn total_return_closes_grow_as_a_holding_does(
        closes in prop::collection::vec(500..900_i64, ROWS as usize), actions in some_actions(),
    ) {
        let closes: Vec<_> = closes.into_iter().map(|close| Decimal::new(close, 2)).collect();
        let bars: Vec<_> =
            (0..).zip(&closes).map(|(row, close)| Bar::close_only(symbol("A"), Interval::DAY, *close, end(row))).collect();
        let panel = build(bars.iter()).unwrap();
        let all: Vec<_> = actions.iter().map(|(_, action)| action.clone()).collect();
        let total = adjust(panel, &all, Adjustment::TotalReturn, end(ROWS), &shares(&["A", "B", "C"])).unwrap();
        let mut units = 1.0;
        let mut before = f64::NAN;
        for (row, close) in (0..).zip(&closes) {
            for (_, action) in actions.iter().filter(|(ex, action)| *ex == row && action.symbol == symbol("A")) {
                match &action.kind {
                    CorporateActionKind::Split { new_units, old_units } => {
                        let ratio = new_units.as_f64() / old_units.as_f64();
                        units *= ratio;
                        before /= ratio;
                    }
                    CorporateActionKind::CashDividend { amount, .. } if row > 0 => {
                        let amount = amount.as_f64();
                        units *= 1.0 / (1.0 - amount / before);
                    }
                    _ => {}
                }
            }
            if row == 0 {
                units = 1.0;
            }
            before = close.as_f64();
            let grown = units * before / closes[0].as_f64();
            let column = total.close().column(0);
            let adjusted = column[row as usize] / column[0];
            prop_assert!((grown / adjusted - 1.0).abs() < 1e-12, "row {}: {} against {}", row, grown, adjusted);
        }
    }
}
