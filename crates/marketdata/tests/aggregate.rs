//! Bars by time: what is in them, when they close, and what comes too late for them.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::calendar::MarketCalendar;
use mts_foundation::{Bar, Decimal, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::aggregate::{Aggregator, Hours, Made, NotTaken, Patience, Tape, TradeFilter, Trading};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn always(interval: &str, patience: Patience) -> Aggregator {
    Aggregator::new(Hours::always(interval.parse().unwrap()), patience, [])
}

fn minutes() -> Aggregator {
    always("1m", Patience::default())
}

/// A tick of A at a second of 2026-03-02 14:30.
fn tick(aggregator: &mut Aggregator, second: &str, price: &str, size: &str) {
    let time = at("2026-03-02T14:30:00Z").plus(Duration::from_secs_f64(second.parse().unwrap()));
    aggregator.tick(&symbol("A"), time, d(price), d(size)).unwrap();
}

/// Start, open, high, low, close, volume, and P where it is partial.
fn words(made: &Made) -> String {
    let Bar { open, high, low, close, volume, timestamp, .. } = &made.bar;
    let end = timestamp.to_datetime().format("%H:%M:%S");
    let partial = if made.partial { " P" } else { "" };
    format!("{end} {open} {high} {low} {close} {volume}{partial}")
}

fn closed(aggregator: &mut Aggregator) -> Vec<String> {
    aggregator.closed().map(|made| words(&made)).collect()
}

#[test]
fn a_bar_closes_with_the_first_tick_of_a_later_one() {
    let mut bars = minutes();
    bars.whole_since(at("2026-03-02T14:30:00Z"));
    for (second, price, size) in
        [("1", "10", "5"), ("20", "11", "6"), ("40", "9", "7"), ("59.999999", "10.5", "1")]
    {
        tick(&mut bars, second, price, size);
    }
    assert!(closed(&mut bars).is_empty());
    tick(&mut bars, "60", "12", "2");
    assert_eq!(closed(&mut bars), ["14:31:00 10 11 9 10.5 19"]);
    // A minute without ticks has no bar.
    tick(&mut bars, "185", "13", "1");
    assert_eq!(closed(&mut bars), ["14:32:00 12 12 12 12 2"]);
    bars.finish();
    assert_eq!(closed(&mut bars), ["14:34:00 13 13 13 13 1 P"]);
    bars.finish();
    assert!(closed(&mut bars).is_empty() && bars.counts().bars == 3);
}

#[test]
fn what_began_before_the_data_is_partial() {
    let mut bars = minutes();
    tick(&mut bars, "30", "10", "5");
    tick(&mut bars, "60", "12", "2");
    tick(&mut bars, "120", "12", "2");
    assert_eq!(closed(&mut bars), ["14:31:00 10 10 10 10 5 P", "14:32:00 12 12 12 12 2"]);
}

#[test]
fn a_late_tick_changes_nothing_and_is_handed_out() {
    let mut bars = minutes();
    for (second, price) in [("1", "10"), ("61", "11"), ("59", "99")] {
        tick(&mut bars, second, price, "1");
    }
    assert_eq!(closed(&mut bars), ["14:31:00 10 10 10 10 1 P"]);
    tick(&mut bars, "121", "12", "1");
    assert_eq!(closed(&mut bars), ["14:32:00 11 11 11 11 1"]);
    let late: Vec<_> = bars.late().collect();
    assert_eq!(late, [(symbol("A"), at("2026-03-02T14:30:59Z"), d("99"), d("1"))]);
    assert_eq!((bars.counts().late, bars.counts().forgotten), (1, 0));
}

#[test]
fn within_a_bar_open_and_close_go_by_time_and_not_by_arrival() {
    let mut bars = minutes();
    for (second, price) in [("30", "10"), ("10", "8"), ("50", "12"), ("40", "20"), ("50", "11")] {
        tick(&mut bars, second, price, "1");
    }
    bars.finish();
    assert_eq!(closed(&mut bars), ["14:31:00 8 20 8 11 5 P"]);
}

#[test]
fn with_lateness_a_bar_waits_for_what_is_late() {
    let patience = Patience { lateness: Duration::from_secs(5), flush_after: Duration::from_secs(9) };
    let mut bars = always("1m", patience);
    for (second, price) in [("1", "10"), ("62", "11"), ("59", "9"), ("122", "12"), ("66", "13")] {
        tick(&mut bars, second, price, "1");
    }
    // The first closed with the tick at 122, which is more than five seconds later than its end; the second waits.
    assert_eq!(closed(&mut bars), ["14:31:00 10 10 9 9 2 P"]);
    bars.pass(at("2026-03-02T14:32:08Z"));
    assert!(closed(&mut bars).is_empty());
    assert_eq!(bars.next_due(), Some(at("2026-03-02T14:32:09Z")));
    bars.pass(at("2026-03-02T14:32:09Z"));
    assert_eq!(closed(&mut bars), ["14:32:00 11 13 11 13 2"]);
    tick(&mut bars, "66", "99", "1");
    assert_eq!(bars.counts().late, 1);
}

#[test]
fn time_that_passes_closes_bars_of_silent_instruments() {
    let mut bars = minutes();
    let (a, b) = (symbol("A"), symbol("B"));
    bars.tick(&a, at("2026-03-02T14:30:10Z"), d("1"), d("1")).unwrap();
    bars.tick(&b, at("2026-03-02T14:30:20Z"), d("2"), d("1")).unwrap();
    bars.tick(&a, at("2026-03-02T14:31:01Z"), d("3"), d("1")).unwrap();
    let names =
        |bars: &mut Aggregator| bars.closed().map(|made| made.bar.symbol.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&mut bars), ["A"], "the clock of one is not the clock of the other");
    bars.pass(at("2026-03-02T14:31:01.999999999Z"));
    assert!(names(&mut bars).is_empty(), "two seconds are not over");
    bars.pass(at("2026-03-02T14:31:02Z"));
    assert_eq!(names(&mut bars), ["B"]);
    // What comes for it now is late; time that goes back says nothing.
    bars.tick(&b, at("2026-03-02T14:30:59Z"), d("9"), d("1")).unwrap();
    bars.pass(at("2026-03-02T14:00:00Z"));
    assert_eq!((bars.counts().late, bars.next_due()), (1, Some(at("2026-03-02T14:32:02Z"))));
}

#[test]
fn smaller_bars_count_with_their_whole_range() {
    let mut bars = always("1m", Patience::default());
    let five = |end: &str, prices: [&str; 4], volume: &str| Bar {
        symbol: symbol("A"),
        interval: "5s".parse().unwrap(),
        open: d(prices[0]),
        high: d(prices[1]),
        low: d(prices[2]),
        close: d(prices[3]),
        volume: d(volume),
        vwap: Some(d("10.1")),
        n_trades: Some(3),
        timestamp: at(end),
        close_only: false,
        partial: false,
    };
    bars.bar(&five("2026-03-02T14:30:05Z", ["10", "12", "9", "11"], "7")).unwrap();
    bars.bar(&five("2026-03-02T14:31:00Z", ["11", "11.5", "8.5", "9.25"], "3.5")).unwrap();
    bars.bar(&five("2026-03-02T14:31:05Z", ["9", "9", "9", "9"], "1")).unwrap();
    let made: Vec<Made> = bars.closed().collect();
    assert_eq!(words(&made[0]), "14:31:00 10 12 8.5 9.25 10.5");
    assert_eq!((made[0].bar.vwap, made[0].bar.n_trades), (Some(d("10.1")), Some(6)));
    let day =
        Bar { interval: "1d".parse().unwrap(), ..five("2026-03-03T00:00:00Z", ["9", "9", "9", "9"], "1") };
    assert!(bars.bar(&day).unwrap_err().to_string().contains("does not fit"));
    let mad = five("2026-03-02T14:31:10Z", ["9", "8", "9", "9"], "1");
    assert!(matches!(bars.bar(&mad).unwrap_err(), NotTaken::Impossible { .. }));
}

#[test]
fn impossible_numbers_and_unwanted_instruments_change_nothing() {
    let mut bars = Aggregator::new(Hours::always("1m".parse().unwrap()), Patience::default(), [symbol("A")]);
    let time = at("2026-03-02T14:30:10Z");
    bars.tick(&symbol("B"), time, d("1"), d("1")).unwrap();
    for (price, size) in [("0", "1"), ("-1", "1"), ("1", "-1")] {
        assert!(bars.tick(&symbol("A"), time, d(price), d(size)).is_err(), "{price} {size}");
    }
    bars.finish();
    assert!(closed(&mut bars).is_empty() && bars.symbols() == 0);
}

#[test]
fn numbers_with_more_digits_are_added_exactly_or_refused() {
    let mut bars = minutes();
    tick(&mut bars, "1", "10", "1");
    tick(&mut bars, "2", "10.123456789", "0.000000001");
    tick(&mut bars, "3", "10.5", "1.99999999999999999");
    let time = at("2026-03-02T14:30:04Z");
    let refused = bars.tick(&symbol("A"), time, d("10.12345678901234567890123"), d("1")).unwrap_err();
    assert!(matches!(refused, NotTaken::Inexact { field: "price", digits: 9, .. }), "{refused}");
    let refused = bars.tick(&symbol("A"), time, d("10"), d("10000000000000000000")).unwrap_err();
    assert!(matches!(refused, NotTaken::Inexact { field: "size", .. }), "{refused}");
    bars.finish();
    assert_eq!(closed(&mut bars), ["14:31:00 10 10.5 10 10.5 3.000000001 P"]);
}

#[test]
fn the_close_of_a_session_is_waited_for_no_longer() {
    let calendar = MarketCalendar::builtin("XNYS").unwrap();
    let hours =
        |name| Hours::of(MarketCalendar::builtin(name).unwrap(), "1h".parse().unwrap(), Trading::Regular);
    let closes = |name, time| hours(name).is_close(at(time).nanos());
    assert!(closes("XNYS", "2026-03-02T21:00:00Z") && closes("XNYS", "2026-11-27T18:00:00Z"));
    assert!(!closes("XNYS", "2026-03-02T20:30:00Z") && !closes("24/7", "2026-03-02T00:00:00Z"));
    let hours = Hours::of(calendar, "1h".parse().unwrap(), Trading::Regular);
    let mut bars = Aggregator::new(hours, Patience::default(), []);
    for (tick, end, due) in [
        ("2026-03-02T20:10:00Z", "2026-03-02T20:30:00Z", "2026-03-02T20:30:02Z"),
        ("2026-03-02T20:59:59Z", "2026-03-02T21:00:00Z", "2026-03-02T21:00:00Z"),
    ] {
        bars.tick(&symbol("A"), at(tick), d("5"), d("1")).unwrap();
        assert_eq!((bars.next_end(), bars.next_due()), (Some(at(end)), Some(at(due))));
        let before = Timestamp::from_nanos(at(due).nanos() - 1);
        bars.pass(before);
        assert_eq!(bars.closed().count(), 0);
        bars.pass(at(due));
        assert_eq!(bars.closed().count(), 1);
    }
    assert_eq!((bars.next_end(), bars.next_due()), (None, None));
}

#[test]
fn bars_count_from_the_opening_and_end_with_the_session() {
    let calendar = MarketCalendar::builtin("XNYS").unwrap();
    let ends = |interval: &str, times: &[&str]| {
        let hours = Hours::of(calendar, interval.parse().unwrap(), Trading::Regular);
        let show = |nanos| Timestamp::from_nanos(nanos).to_datetime().format("%d %H:%M").to_string();
        let of = |time: &&str| match hours.bar_at(at(time).nanos()).unwrap() {
            Some((start, end)) => format!("{} - {}", show(start), show(end)),
            None => "closed".to_owned(),
        };
        times.iter().map(of).collect::<Vec<_>>()
    };
    // 14:30 to 21:00 in winter; the Friday after Thanksgiving ends at 18:00.
    let hour = ends(
        "1h",
        &[
            "2026-03-02T14:29:59Z",
            "2026-03-02T14:30:00Z",
            "2026-03-02T20:59:59Z",
            "2026-03-02T21:00:00Z",
            "2026-11-27T17:45:00Z",
        ],
    );
    assert_eq!(
        hour,
        ["closed", "02 14:30 - 02 15:30", "02 20:30 - 02 21:00", "closed", "27 17:30 - 27 18:00"]
    );
    assert_eq!(
        ends("1d", &["2026-03-02T15:00:00Z", "2026-11-27T15:00:00Z"]),
        ["02 14:30 - 02 21:00", "27 14:30 - 27 18:00"]
    );
    // Good Friday, 3 April 2026: the week ends on Thursday, in summer time.
    assert_eq!(ends("1w", &["2026-04-01T15:00:00Z"]), ["30 13:30 - 02 20:00"]);
    assert_eq!(ends("2w", &["2026-04-01T15:00:00Z"]).len(), 1);
    let two_days = ends("2d", &["2026-03-02T15:00:00Z", "2026-03-03T15:00:00Z", "2026-03-04T15:00:00Z"]);
    assert!(two_days[0] == two_days[1] || two_days[1] == two_days[2], "{two_days:?}");
    let tokyo = MarketCalendar::builtin("XHKG").unwrap();
    let hours = Hours::of(tokyo, "1h".parse().unwrap(), Trading::Regular);
    // Hong Kong: 01:30 to 04:00, and from 05:00 on again.
    let bar = |time: &str| hours.bar_at(at(time).nanos()).unwrap();
    let span = |start: &str, end: &str| Some((at(start).nanos(), at(end).nanos()));
    assert_eq!(bar("2026-03-02T03:45:00Z"), span("2026-03-02T03:30:00Z", "2026-03-02T04:00:00Z"));
    assert_eq!(bar("2026-03-02T04:30:00Z"), None);
    assert_eq!(bar("2026-03-02T05:10:00Z"), span("2026-03-02T05:00:00Z", "2026-03-02T06:00:00Z"));
    assert!(
        Hours::of(calendar, "1h".parse().unwrap(), Trading::Regular)
            .bar_at(at("1950-01-03T15:00:00Z").nanos())
            .is_err()
    );
}

#[test]
fn a_market_that_never_closes_counts_from_1970_and_its_weeks_from_monday() {
    let bar = |interval: &str, time: &str| {
        let (start, end) =
            Hours::always(interval.parse().unwrap()).bar_at(at(time).nanos()).unwrap().unwrap();
        (Timestamp::from_nanos(start).to_string(), Timestamp::from_nanos(end).to_string())
    };
    let span = |start: &str, end: &str| (start.to_owned(), end.to_owned());
    assert_eq!(bar("7m", "1970-01-01T00:20:00Z"), span("1970-01-01T00:14:00Z", "1970-01-01T00:21:00Z"));
    assert_eq!(bar("4h", "2026-03-02T05:00:00Z"), span("2026-03-02T04:00:00Z", "2026-03-02T08:00:00Z"));
    // 2 March 2026 is a Monday.
    assert_eq!(bar("1w", "2026-03-08T23:59:59Z"), span("2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"));
    assert_eq!(bar("1d", "1969-12-31T23:00:00Z"), span("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"));
}

#[test]
fn ticks_outside_of_the_session_are_counted_and_the_close_flushes() {
    let hours = Hours::of(MarketCalendar::builtin("XNYS").unwrap(), "1h".parse().unwrap(), Trading::Regular);
    let mut bars = Aggregator::new(hours, Patience::default(), []);
    for time in ["2026-03-02T14:00:00Z", "2026-03-02T20:45:00Z", "2026-03-02T21:00:01Z"] {
        bars.tick(&symbol("A"), at(time), d("10"), d("1")).unwrap();
    }
    assert_eq!(bars.counts().outside, 2);
    bars.pass(at("2026-03-02T21:00:02Z"));
    assert_eq!(closed(&mut bars), ["21:00:00 10 10 10 10 1 P"]);
}

/// Ticks of one minute each, by hand: what the bars must be.
fn by_hand(ticks: &[(usize, i64, i64, i64)], length: i64) -> BTreeMap<(usize, i64), [i64; 5]> {
    let mut sorted: Vec<_> = ticks.to_vec();
    sorted.sort_by_key(|(_, time, ..)| *time);
    let mut bars: BTreeMap<(usize, i64), [i64; 5]> = BTreeMap::new();
    for (slot, time, price, size) in sorted {
        let end = (time.div_euclid(length) + 1) * length;
        let bar = bars.entry((slot, end)).or_insert([price, price, price, price, 0]);
        *bar = [bar[0], bar[1].max(price), bar[2].min(price), price, bar[4] + size];
    }
    bars
}

proptest! {
    /// In order or shuffled within the lateness, the bars are those that a sorted list gives.
    #[test]
    fn bars_are_those_of_the_sorted_ticks(
        ticks in prop::collection::vec((0..3_usize, 0..40_i64, 1..1_000_i64, 0..50_i64), 1..120),
        seconds in 1..20_u32,
    ) {
        // Each comes at most four seconds late.
        let mut clock = 0;
        let ticks: Vec<(usize, i64, i64, i64)> = ticks
            .iter()
            .map(|(slot, step, price, size)| {
                clock += step / 10;
                (*slot, clock - step % 5, *price, *size)
            })
            .collect();
        let mut distinct = std::collections::BTreeSet::new();
        let ticks: Vec<_> = ticks.into_iter().filter(|(slot, time, ..)| distinct.insert((*slot, *time))).collect();
        let patience = Patience { lateness: Duration::from_secs(5), flush_after: Duration::from_secs(5) };
        let mut bars = always(&format!("{seconds}s"), patience);
        let names = ["A", "B", "C"].map(symbol);
        let mut found = BTreeMap::new();
        let mut take = |bars: &mut Aggregator| {
            for Made { bar, .. } in bars.closed() {
                let slot = names.iter().position(|name| *name == bar.symbol).unwrap();
                let row = [bar.open, bar.high, bar.low, bar.close, bar.volume].map(|value| i64::try_from(value).unwrap());
                let end = bar.timestamp.nanos() / 1_000_000_000;
                assert!(found.insert((slot, end), row).is_none(), "one bar twice");
            }
        };
        for (slot, time, price, size) in &ticks {
            let time = Timestamp::from_nanos(time * 1_000_000_000);
            bars.tick(&names[*slot], time, Decimal::from(*price), Decimal::from(*size)).unwrap();
            take(&mut bars);
        }
        bars.finish();
        take(&mut bars);
        prop_assert_eq!(bars.counts().late, 0);
        prop_assert_eq!(found, by_hand(&ticks, seconds.into()));
    }
}

/// A bar of a minute that ends then.
fn minute(end: &str, [open, high, low, close]: [&str; 4], volume: &str) -> Bar {
    Bar {
        symbol: symbol("A"),
        interval: "1m".parse().unwrap(),
        open: d(open),
        high: d(high),
        low: d(low),
        close: d(close),
        volume: d(volume),
        vwap: None,
        n_trades: Some(2),
        timestamp: at(end),
        close_only: false,
        partial: false,
    }
}

/// What closed, and R where it takes the place of what closed before.
fn revised(aggregator: &mut Aggregator) -> Vec<String> {
    let word = |made: Made| format!("{}{}", words(&made), if made.revision { " R" } else { "" });
    aggregator.closed().map(word).collect()
}

#[test]
fn a_corrected_bar_takes_the_place_of_the_one_before() {
    let mut bars = always("2m", Patience::default());
    bars.whole_since(at("2026-03-02T14:00:00Z"));
    bars.remember(1);
    let flat = |end, price: &'static str, volume| minute(end, [price; 4], volume);
    bars.bar(&flat("2026-03-02T14:31:00Z", "10", "5")).unwrap();
    bars.bar(&flat("2026-03-02T14:32:00Z", "11", "6")).unwrap();
    // While it is open, a correction is within what is handed out first.
    bars.revise(&minute("2026-03-02T14:31:00Z", ["10", "12", "9", "10.5"], "7")).unwrap();
    assert!(revised(&mut bars).is_empty());
    bars.bar(&flat("2026-03-02T14:33:00Z", "20", "1")).unwrap();
    assert_eq!(revised(&mut bars), ["14:32:00 10 12 9 11 13"]);
    // Afterwards it is handed out anew, again and again; one that had been missed is put in.
    bars.revise(&flat("2026-03-02T14:32:00Z", "8.5", "1")).unwrap();
    assert_eq!(revised(&mut bars), ["14:32:00 10 12 8.5 8.5 8 R"]);
    bars.revise(&flat("2026-03-02T14:32:00Z", "9.25", "2")).unwrap();
    assert_eq!(revised(&mut bars), ["14:32:00 10 12 9 9.25 9 R"]);
    bars.revise(&flat("2026-03-02T14:34:00Z", "21", "1")).unwrap();
    bars.revise(&flat("2026-03-02T14:35:00Z", "22", "1")).unwrap();
    assert_eq!(revised(&mut bars), ["14:34:00 20 21 20 21 2"]);
    // Only one is remembered.
    bars.revise(&flat("2026-03-02T14:32:00Z", "7", "2")).unwrap();
    assert!(revised(&mut bars).is_empty());
    let counts = bars.counts();
    assert_eq!((counts.bars, counts.revisions, counts.late), (2, 2, 1));
}

#[test]
fn what_is_not_remembered_or_not_of_bars_alone_is_not_revised() {
    // Nothing is remembered unless asked.
    let mut bars = minutes();
    let one = minute("2026-03-02T14:31:00Z", ["10"; 4], "5");
    bars.bar(&one).unwrap();
    bars.revise(&one).unwrap();
    bars.bar(&minute("2026-03-02T14:32:00Z", ["10"; 4], "5")).unwrap();
    bars.revise(&one).unwrap();
    assert_eq!(revised(&mut bars), ["14:31:00 10 10 10 10 5"]);
    assert_eq!(bars.counts().late, 2);
    // With a tick in it, the bar could not be made anew.
    let mut bars = always("2m", Patience::default());
    bars.remember(3);
    bars.bar(&one).unwrap();
    tick(&mut bars, "70", "12", "1");
    bars.revise(&minute("2026-03-02T14:31:00Z", ["1"; 4], "1")).unwrap();
    bars.finish();
    assert_eq!(revised(&mut bars), ["14:32:00 10 12 10 12 6 P"]);
    assert_eq!(bars.counts().late, 1);
}

#[test]
fn corrections_survive_more_digits() {
    let mut bars = always("2m", Patience::default());
    bars.remember(2);
    bars.bar(&minute("2026-03-02T14:31:00Z", ["10"; 4], "5")).unwrap();
    bars.bar(&minute("2026-03-02T14:33:00Z", ["10.125"; 4], "0.5")).unwrap();
    bars.revise(&minute("2026-03-02T14:32:00Z", ["9.0625"; 4], "0.25")).unwrap();
    assert_eq!(revised(&mut bars), ["14:32:00 10 10 10 10 5", "14:32:00 10 10 9.0625 9.0625 5.25 R"]);
}

#[test]
fn with_lateness_a_bar_closes_when_a_tick_of_the_next_is_late_enough() {
    let patience = Patience { lateness: Duration::from_secs(5), flush_after: Duration::from_secs(9) };
    let mut bars = always("1m", patience);
    for second in ["1", "61", "64.9"] {
        tick(&mut bars, second, "10", "1");
        assert!(closed(&mut bars).is_empty(), "{second}");
    }
    tick(&mut bars, "59", "9", "1");
    tick(&mut bars, "65", "11", "1");
    assert_eq!(closed(&mut bars), ["14:31:00 10 10 9 9 2 P"]);
    tick(&mut bars, "90", "12", "1");
    bars.finish();
    assert_eq!(closed(&mut bars), ["14:32:00 10 12 10 12 4 P"]);
}

#[test]
fn long_averages_of_smaller_bars_do_not_use_up_the_digits() {
    let mut bars = always("1h", Patience::default());
    for second in 1..30_i64 {
        let end = at("2026-03-02T14:30:00Z").plus(Duration::from_secs(second.unsigned_abs() * 60));
        let vwap = Some(d("10.123456789012345678901"));
        let bar = Bar { vwap, timestamp: end, ..minute("2026-03-02T14:31:00Z", ["10.12"; 4], "1") };
        bars.bar(&bar).unwrap();
    }
    bars.finish();
    let made: Vec<Made> = bars.closed().collect();
    assert_eq!((made.len(), made[0].bar.vwap), (1, Some(d("10.123457"))));
}

#[test]
fn of_a_print_counts_what_its_conditions_allow() {
    let filter = TradeFilter::default();
    let mut bars = minutes();
    let print = |second: i64, price: &str| Trade {
        trade_id: "1".into(),
        symbol: symbol("A"),
        price: d(price),
        size: d("10"),
        venue: VenueName::new("x").unwrap(),
        timestamp: Timestamp::from_nanos(at("2026-03-02T14:30:00Z").nanos() + second * 1_000_000_000),
    };
    for (second, price, codes) in
        [(0, "99", "@I"), (1, "10", "@"), (2, "12", "@Z"), (3, "8", "@W"), (4, "11", "@F"), (5, "50", "M")]
    {
        let part = filter.part(Tape::Utp, codes.bytes());
        bars.trade_with(&print(second, price), part).unwrap();
    }
    bars.finish();
    let made: Vec<Made> = bars.closed().collect();
    assert_eq!(words(&made[0]), "14:31:00 10 12 10 11 50 P");
    assert_eq!(made[0].bar.n_trades, Some(5));
}

#[test]
fn sums_beyond_all_bounds_say_nothing_and_do_not_fail() {
    let mut bars = minutes();
    // Sixteen times 2^62 times 2^62 is nought in 128 bits.
    for _ in 0..16 {
        tick(&mut bars, "1", "4611686018427387904", "4611686018427387904");
    }
    bars.finish();
    let made: Vec<Made> = bars.closed().collect();
    assert_eq!((made[0].bar.vwap, made[0].bar.volume), (None, d("73786976294838206464")));
}

#[test]
fn what_waits_to_be_collected_keeps_its_numbers_when_digits_come() {
    let mut bars = minutes();
    for (second, price) in [("1", "10"), ("61", "11"), ("59", "9"), ("62", "11.125")] {
        tick(&mut bars, second, price, "1");
    }
    assert_eq!(closed(&mut bars), ["14:31:00 10 10 10 10 1 P"]);
    let late: Vec<_> = bars.late().map(|(.., price, size)| (price, size)).collect();
    assert_eq!(late, [(d("9"), d("1"))]);
}
