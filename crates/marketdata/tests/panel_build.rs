//! Panels of bars: rows, columns, what is missing, and what is refused.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Bar, Decimal, Interval, MarketCalendar, Symbol, Timestamp, UniversePanel};
use mts_marketdata::panel::{BuildError, Limits, PanelBuilder, Revisions, Rows, ffill, read_long, read_wide};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn close(name: &str, at: i64, price: i64) -> Bar {
    Bar::close_only(symbol(name), Interval::DAY, Decimal::from(price), Timestamp::from_millis(at))
}

fn whole(name: &str, at: i64, price: i64, volume: i64) -> Bar {
    let price = Decimal::from(price);
    let (open, low, high) =
        (price - Decimal::new(25, 2), price - Decimal::new(5, 1), price + Decimal::new(125, 3));
    Bar {
        open,
        low,
        high,
        volume: Decimal::from(volume),
        close_only: false,
        close: price,
        ..close(name, at, 0)
    }
}

fn days() -> PanelBuilder {
    PanelBuilder::new(Interval::DAY)
}

fn of(builder: PanelBuilder, bars: &[Bar]) -> Result<UniversePanel, BuildError> {
    let mut builder = builder;
    for bar in bars {
        builder.push(bar)?;
    }
    builder.finish()
}

fn names(panel: &UniversePanel) -> Vec<&str> {
    panel.symbols().iter().map(Symbol::as_str).collect()
}

/// Rows as text: end in milliseconds and closes, `-` where there is none.
fn words(panel: &UniversePanel) -> Vec<String> {
    let word = |close: &f64| if close.is_nan() { "-".to_owned() } else { close.to_string() };
    panel
        .dates()
        .iter()
        .zip(panel.close().outer_iter())
        .map(|(end, row)| {
            let row: Vec<_> = row.iter().map(word).collect();
            format!("{} {}", end.nanos() / 1_000_000, row.join(" "))
        })
        .collect()
}

/// All that a panel holds, so that NaN equals NaN.
fn bits(panel: &UniversePanel) -> (Vec<Timestamp>, Vec<Symbol>, Vec<Vec<u64>>) {
    let others = [&panel.open, &panel.high, &panel.low, &panel.volume].into_iter().flatten();
    let arrays = others.chain([panel.close()]);
    let arrays = arrays.map(|array| array.iter().map(|value| value.to_bits()).collect());
    (panel.dates().to_vec(), panel.symbols().to_vec(), arrays.collect())
}

#[test]
fn rows_are_the_union_or_the_intersection_of_bar_ends() {
    // B begins late, C ends early, D has a hole.
    let bars = [
        close("B", 2, 20),
        close("A", 1, 10),
        close("A", 2, 11),
        close("A", 3, 12),
        close("C", 1, 30),
        close("C", 2, 31),
        close("B", 3, 21),
        close("D", 1, 40),
        close("D", 3, 42),
        close("D", 2, 41),
        close("A", 4, 13),
        close("B", 4, 22),
        close("D", 4, 43),
    ];
    let panel = of(days(), &bars).unwrap();
    assert_eq!(names(&panel), ["A", "B", "C", "D"]);
    assert_eq!(words(&panel), ["1 10 - 30 40", "2 11 20 31 41", "3 12 21 - 42", "4 13 22 - 43"]);
    assert!(panel.open.is_none() && panel.volume.is_none(), "closes alone say nothing of the rest");
    assert!(panel.members().is_none() && panel.filled().is_none());
    let common = of(days().rows(Rows::Intersection), &bars).unwrap();
    assert_eq!(words(&common), ["2 11 20 31 41"]);
}

#[test]
fn all_five_columns_are_there_and_a_close_only_bar_says_no_more_than_it_knows() {
    let panel = of(days(), &[whole("A", 1, 10, 700), close("A", 2, 11), whole("B", 1, 20, 800)]).unwrap();
    let column = |array: &Option<ndarray::Array2<f64>>| array.as_ref().unwrap().column(0).to_vec();
    for (array, first) in
        [(&panel.open, 9.75), (&panel.high, 10.125), (&panel.low, 9.5), (&panel.volume, 700.0)]
    {
        let values = column(array);
        assert_eq!(values[0].to_string(), first.to_string());
        assert!(values[1].is_nan(), "not the close again, and no volume of zero");
    }
    assert_eq!(words(&panel), ["1 10 20", "2 11 -"]);
    assert_eq!(panel.valid(), ndarray::array![[true, true], [true, false]]);
}

#[test]
fn a_universe_gives_the_columns_and_their_order() {
    let universe = || days().universe([symbol("Z"), symbol("A"), symbol("NONE")]).unwrap();
    let panel = of(universe(), &[close("A", 1, 10), close("Z", 1, 20)]).unwrap();
    assert_eq!((names(&panel), words(&panel)), (vec!["Z", "A", "NONE"], vec!["1 20 10 -".to_owned()]));
    let stranger = of(universe(), &[close("B", 1, 1)]).unwrap_err();
    assert_eq!(stranger.to_string(), "B is not in the universe; add it, or leave its bars out");
    let none = of(universe().rows(Rows::Intersection), &[close("A", 1, 10), close("Z", 1, 20)]);
    assert_eq!(none.unwrap_err(), BuildError::NothingInCommon);
    let twice = days().universe([symbol("A"), symbol("A")]).unwrap_err();
    assert_eq!(twice.to_string(), "A stands twice in the universe; remove one");
}

#[test]
fn a_bar_that_comes_twice_counts_once_and_two_that_differ_are_refused() {
    let same = [close("A", 2, 10), close("A", 2, 10), close("A", 1, 9), close("A", 2, 10)];
    assert_eq!(words(&of(days(), &same).unwrap()), ["1 9", "2 10"]);
    let expected = "A: two bars end at 1970-01-01T00:00:00.002Z and differ in close, 10 and 11; remove one, or mark it as \
                    a revision";
    // At once where bars come in order, at the end where they do not.
    for bars in [
        vec![close("A", 2, 10), close("A", 2, 11)],
        vec![close("A", 2, 10), close("A", 1, 9), close("A", 2, 11)],
    ] {
        assert_eq!(of(days(), &bars).unwrap_err().to_string(), expected);
    }
    let vague = of(days(), &[whole("A", 1, 10, 5), close("A", 1, 10)]).unwrap_err().to_string();
    assert!(vague.contains("differ in open, 9.75 and NaN"), "{vague}");
}

#[test]
fn a_revision_takes_the_place_of_the_bar_where_that_is_allowed() {
    let revise = |policy, revisions: &[Bar], bars: &[Bar]| {
        let mut builder = days().revisions(policy);
        for bar in revisions {
            builder.revise(bar)?;
        }
        of(builder, bars)
    };
    let bars = [close("A", 1, 10), close("A", 3, 12), close("A", 2, 11)];
    // Two of one bar, and one whose bar never came: the last word counts, before its bar too.
    let revisions = [close("A", 3, 77), close("A", 4, 13), close("A", 3, 78), close("A", 2, 66)];
    let panel = revise(Revisions::LastWins, &revisions, &bars).unwrap();
    assert_eq!(words(&panel), ["1 10", "2 66", "3 78", "4 13"]);
    assert!(matches!(revise(Revisions::Refuse, &revisions[..1], &bars), Err(BuildError::Conflict { .. })));
    let same = revise(Revisions::Refuse, &bars, &bars).unwrap();
    assert_eq!(words(&same), ["1 10", "2 11", "3 12"]);
}

#[test]
fn what_cannot_be_is_refused_with_symbol_time_and_field() {
    let good = whole("A", 1, 10, 1);
    let cases = [
        (Bar { low: Decimal::ZERO, ..good.clone() }, "low 0"),
        (Bar { high: Decimal::ONE, ..good.clone() }, "high 1"),
        (Bar { open: Decimal::from(11), ..good.clone() }, "open 11"),
        (Bar { close: Decimal::from(9), ..good.clone() }, "close 9"),
        (Bar { volume: Decimal::NEGATIVE_ONE, ..good.clone() }, "volume -1"),
    ];
    for (bar, field) in cases {
        let error = of(days(), &[bar]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "A: {field} of the bar that ends at 1970-01-01T00:00:00.001Z is not possible; check the source"
            )
        );
    }
    let minute = of(days(), &[Bar { interval: Interval::MINUTE, ..good.clone() }]).unwrap_err().to_string();
    assert!(minute.contains("is one of 1m, the panel's are of 1d"), "{minute}");
    let part = of(days(), &[Bar { partial: true, ..good.clone() }]).unwrap_err().to_string();
    assert!(part.contains("holds a part of its interval only"), "{part}");
    assert_eq!(of(days(), &[]).unwrap_err(), BuildError::Empty);
    // Tokyo and New York never close together.
    let venues = [close("7203.T", 6, 1), close("AAPL", 21, 2), close("7203.T", 30, 3), close("AAPL", 45, 4)];
    assert_eq!(words(&of(days(), &venues).unwrap()), ["6 1 -", "21 - 2", "30 3 -", "45 - 4"]);
    assert_eq!(of(days().rows(Rows::Intersection), &venues).unwrap_err(), BuildError::NothingInCommon);
}

#[test]
fn nothing_grows_without_bound() {
    let limits = |symbols, cells| days().limits(Limits { symbols, cells });
    let text = |builder, bars: &[Bar]| of(builder, bars).unwrap_err().to_string();
    let two = [close("A", 1, 1), close("B", 1, 1)];
    assert_eq!(of(limits(2, 2), &two).unwrap().shape(), (1, 2));
    assert!(text(limits(1, 9), &two).starts_with("2 instruments are more than the limit of 1;"));
    assert!(limits(1, 9).universe([symbol("A"), symbol("B")]).is_err());
    assert!(text(limits(9, 1), &two).starts_with("2 bars are more than the limit of 1;"));
    // Three bars, but nine cells: none ends with another.
    let apart = [close("A", 1, 1), close("B", 2, 1), close("C", 3, 1)];
    assert!(text(limits(9, 5), &apart).starts_with("6 cells are more than the limit of 5;"));
    assert_eq!(of(limits(9, 9), &apart).unwrap().shape(), (3, 3));
    let mut revised = limits(9, 1).revisions(Revisions::LastWins);
    revised.revise(&close("A", 1, 1)).unwrap();
    revised.revise(&close("A", 1, 2)).unwrap();
    assert!(revised.revise(&close("A", 2, 2)).is_err());
}

#[test]
fn closes_are_carried_on_request_no_further_than_asked_and_marked() {
    let bars = [
        whole("A", 1, 10, 5),
        close("T", 1, 1),
        close("T", 2, 1),
        close("T", 3, 1),
        close("T", 4, 1),
        close("T", 5, 1),
        whole("A", 5, 14, 6),
        close("B", 3, 20),
    ];
    let panel = of(days(), &bars).unwrap();
    assert_eq!(words(&panel), ["1 10 - 1", "2 - - 1", "3 - 20 1", "4 - - 1", "5 14 - 1"]);
    let filled = ffill(panel.clone(), 2).unwrap();
    assert_eq!(words(&filled), ["1 10 - 1", "2 10 - 1", "3 10 20 1", "4 - 20 1", "5 14 20 1"]);
    let marks: Vec<_> =
        filled.filled().unwrap().indexed_iter().filter(|(_, mark)| **mark).map(|(at, _)| at).collect();
    assert_eq!(marks, [(1, 0), (2, 0), (3, 1), (4, 1)]);
    assert_eq!(bits(&filled).2[..4], bits(&panel).2[..4], "a price that is carried is no bar");
    // Filling again carries no further than once, and nothing is filled that was not asked for.
    assert_eq!(bits(&ffill(filled.clone(), 2).unwrap()), bits(&filled));
    assert_eq!(bits(&ffill(panel.clone(), 0).unwrap()), bits(&panel));
}

fn xnys() -> &'static MarketCalendar {
    MarketCalendar::builtin("XNYS").unwrap()
}

fn long(text: &str) -> Result<UniversePanel, MarketDataError> {
    let mut builder = days();
    read_long("long.csv", text, xnys(), &mut builder)?;
    Ok(builder.finish().unwrap())
}

fn wide(text: &str) -> Result<UniversePanel, MarketDataError> {
    let mut builder = days();
    read_wide("wide.csv", text, xnys(), &mut builder)?;
    Ok(builder.finish().unwrap())
}

#[test]
fn the_long_and_the_wide_form_give_the_same_panel() {
    let rows = "date,Symbol,open,high,low,close,volume\n\
                2019-11-29,A,2.5,4,2,3,1000\n2019-11-27,A,1,2,0.5,1.5,900\n2019-11-27,B,,,,7,\n2019-11-29,B,,,,,\n";
    let columns = "Date,A open,A high,A low,A,A volume,B close\n\
                   2019-11-27,1,2,0.5,1.5,900,7\n2019-11-29,2.5,4,2,3,1000,\n";
    let panel = long(rows).unwrap();
    assert_eq!(bits(&panel), bits(&wide(columns).unwrap()));
    // The day after Thanksgiving New York closes at 13:00.
    assert_eq!(panel.dates()[0].to_string(), "2019-11-27T21:00:00Z");
    assert_eq!(panel.dates()[1].to_string(), "2019-11-29T18:00:00Z");
    assert!(panel.open.as_ref().unwrap().column(1).iter().all(|open| open.is_nan()));
    let instants =
        "symbol,timestamp,close\nBTC-USD,2024-01-02T00:00:00Z,44000.5\nBTC-USD,2024-01-01T00:00:00Z,42500\n";
    assert_eq!(words(&long(instants).unwrap()), ["1704067200000 42500", "1704153600000 44000.5"]);
}

#[test]
fn faults_of_a_file_name_the_line_and_the_field() {
    let head = "date,symbol,open,high,low,close,volume\n";
    let cases = [
        ("symbol,close\n", "column date or timestamp is missing"),
        ("date,close\n", "column symbol is missing"),
        ("date,symbol\n", "column \"close\" is missing"),
        ("date,symbol,close,open\n", "column \"high\" is missing"),
        ("date,symbol,close,adj\n", "column \"adj\" is unknown"),
        ("date,timestamp,symbol,close\n", "date beside timestamp"),
        (&format!("{head}2019-11-27,A,1,2,x,1,5\n"), "line 2: A low: \"x\" is not a decimal"),
        (&format!("{head}2019-11-27,A,1,2,,1,5\n"), "line 2: A low: \"\" is not a decimal"),
        (&format!("{head}2019-11-27,A,1,2,1,,5\n"), "line 2: A: close is empty and open is not"),
        (&format!("{head}2019-11-27,A,1,2,1,-1,5\n"), "line 2: A close: -1 is not greater than zero"),
        (&format!("{head}2019-11-27,A,1,2000000000000,1,1,5\n"), "line 2: A high: 2000000000000 is beyond"),
        (
            &format!("{head}2019-11-27,A,1,2,1.5,2,5\n"),
            "line 2: A: open 1 of the bar that ends at 2019-11-27T21:00:00Z",
        ),
        (&format!("{head}2019-11-27,A,1,2,1,1,-5\n"), "line 2: A: volume -5"),
        (&format!("{head}2019-11-27,A B,1,2,1,1,5\n"), "line 2: "),
        (&format!("{head}2019-11-27,A,1,2,1,1\n"), "line 2: "),
        (&format!("{head}2019-11-28,A,1,2,1,1,5\n"), "line 2: 2019-11-28 is no session of XNYS"),
        (&format!("{head}28.11.2019,A,1,2,1,1,5\n"), "line 2: date \"28.11.2019\""),
        (
            "date,symbol,close\n2019-11-27,A,1\n2019-11-27,A,2\n",
            "line 3: A: two bars end at 2019-11-27T21:00:00Z",
        ),
        ("timestamp,symbol,close\n2019-11-27,A,1\n", "line 2: timestamp: \"2019-11-27\" is not an instant"),
    ];
    for (text, expected) in cases {
        let error = long(text).unwrap_err().to_string();
        assert!(error.starts_with("long.csv") && error.contains(expected), "{text:?}: {error}");
    }
    let cases = [
        ("symbol,A\n", "first column must be date or timestamp"),
        ("date,A price\n", "column \"A price\": write a symbol"),
        ("date,A close x\n", "column \"A close x\": write a symbol"),
        ("date,A,A close\n", "column \"A close\" stands twice"),
        ("date,A open\n", "column \"A close\" is missing"),
        ("date,A,A open,A high,A low\n", "column \"A volume\" is missing"),
        ("date,A,B\n2019-11-27,1,0\n", "line 2: B close: 0 is not greater than zero"),
        ("date,A,B\n2019-11-27,1\n", "line 2: "),
    ];
    for (text, expected) in cases {
        let error = wide(text).unwrap_err().to_string();
        assert!(error.starts_with("wide.csv") && error.contains(expected), "{text:?}: {error}");
    }
    let mut minutes = PanelBuilder::new(Interval::MINUTE);
    let error = read_wide("m.csv", "date,A\n2019-11-27,1\n", xnys(), &mut minutes).unwrap_err().to_string();
    assert!(error.contains("bars of 1m need a column timestamp"), "{error}");
}

/// Bars at few instants of few instruments, so that they often meet; each says the same whenever it comes.
fn some_bars() -> impl Strategy<Value = Vec<Bar>> {
    let bar = (0..5_usize, 1..12_i64).prop_map(|(name, at)| {
        let price = 100 + at * 7 + i64::try_from(name).unwrap();
        let name = ["A", "B", "C", "D", "E"][name];
        if at % 4 == 0 { close(name, at, price) } else { whole(name, at, price, price * 3) }
    });
    prop::collection::vec(bar, 1..60)
}

proptest! {
    #[test]
    fn every_cell_is_that_of_its_bar_or_missing(bars in some_bars()) {
        let panel = of(days(), &bars).unwrap();
        let by_place: BTreeMap<_, _> = bars.iter().map(|bar| ((bar.timestamp, &bar.symbol), bar)).collect();
        let times: BTreeSet<_> = bars.iter().map(|bar| bar.timestamp).collect();
        prop_assert!(panel.dates().iter().eq(&times));
        let valid = panel.valid();
        let field = |array: &Option<ndarray::Array2<f64>>, at| array.as_ref().map_or(f64::NAN, |array| array[at]);
        for (t, time) in panel.dates().iter().enumerate() {
            for (a, symbol) in panel.symbols().iter().enumerate() {
                let bar = by_place.get(&(*time, symbol));
                prop_assert_eq!(valid[(t, a)], bar.is_some());
                prop_assert_eq!(panel.close()[(t, a)].is_nan(), bar.is_none());
                let full = bar.filter(|bar| !bar.close_only);
                let number = |value: Option<Decimal>| value.map_or(f64::NAN, |value| value.to_string().parse().unwrap());
                let pairs = [
                    (panel.close()[(t, a)], number(bar.map(|bar| bar.close))),
                    (field(&panel.open, (t, a)), number(full.map(|bar| bar.open))),
                    (field(&panel.high, (t, a)), number(full.map(|bar| bar.high))),
                    (field(&panel.low, (t, a)), number(full.map(|bar| bar.low))),
                    (field(&panel.volume, (t, a)), number(full.map(|bar| bar.volume))),
                ];
                for (have, want) in pairs {
                    prop_assert_eq!(have.to_bits(), want.to_bits());
                }
            }
        }
    }

    #[test]
    fn the_order_of_bars_does_not_matter((bars, shuffled) in some_bars().prop_flat_map(|bars| {
        (Just(bars.clone()), Just(bars).prop_shuffle())
    })) {
        prop_assert_eq!(bits(&of(days(), &bars).unwrap()), bits(&of(days(), &shuffled).unwrap()));
        let common = |bars: &[Bar]| of(days().rows(Rows::Intersection), bars).map(|panel| bits(&panel));
        prop_assert_eq!(common(&bars), common(&shuffled));
    }

    #[test]
    fn the_union_contains_the_intersection(bars in some_bars()) {
        let union = of(days(), &bars).unwrap();
        let complete: Vec<_> = words(&union).into_iter().filter(|row| !row.contains('-')).collect();
        match of(days().rows(Rows::Intersection), &bars) {
            Ok(common) => prop_assert_eq!(words(&common), complete),
            Err(error) => {
                prop_assert_eq!(error, BuildError::NothingInCommon);
                prop_assert!(complete.is_empty());
            }
        }
    }

    /// Prices and volumes become the nearest float, whatever their digits.
    #[test]
    fn decimals_become_the_nearest_float(digits in 1..i64::MAX, shift in 0..60_u32, scale in 0..29_u32) {
        let value = Decimal::new((digits >> shift).max(1), scale);
        let bar = Bar::close_only(symbol("A"), Interval::DAY, value, Timestamp::EPOCH);
        let nearest: f64 = value.to_string().parse().unwrap();
        prop_assert_eq!(of(days(), &[bar]).unwrap().close()[(0, 0)].to_bits(), nearest.to_bits());
    }
}
