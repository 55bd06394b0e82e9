//! Bars by ticks, against slow models that say the rule in decimals, a unit and a brick at a time.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::calendar::MarketCalendar;
use mts_foundation::{Decimal, Symbol, Timestamp};
use mts_marketdata::aggregate::{
    Activity, AggregationError, Aggressor, BarKind, Cut, Expectations, Hours, Information, Measure, NotTaken,
    Part, Renko, Rule, Theta, Tick, TickAggregator, TickBar, TickBars, Trading,
};
use proptest::prelude::*;
use std::time::Duration;

const FLUSH: Duration = Duration::from_secs(2);

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn symbol() -> Symbol {
    Symbol::new("A").unwrap()
}

/// Seconds, price, size.
type Row = (i64, Decimal, Decimal);

/// What a bar says: start, end, open, high, low, close, volume, number of trades, whether it is partial.
type Said = (i64, i64, [Decimal; 4], Decimal, u64, bool);

fn said(bar: &TickBar) -> Said {
    let seconds = |time: Timestamp| time.nanos() / 1_000_000_000;
    let prices = [bar.open, bar.high, bar.low, bar.close];
    (seconds(bar.start), seconds(bar.end), prices, bar.volume, bar.n_trades, bar.partial)
}

fn bars_of(kind: BarKind, rows: &[Row]) -> Vec<Said> {
    let mut bars = TickAggregator::new(kind, None, FLUSH, []).unwrap();
    for (seconds, price, size) in rows {
        let time = Timestamp::from_nanos(seconds * 1_000_000_000);
        bars.tick(&symbol(), time, (*price, *size), Part::ALL, None).unwrap();
    }
    bars.finish();
    bars.closed().map(|bar| said(&bar)).collect()
}

/// A bar that a model makes: each price with its time, and what was paid.
#[derive(Default)]
struct Model {
    prices: Vec<(i64, Decimal)>,
    volume: Decimal,
    value: Decimal,
    trades: u64,
    done: Vec<Said>,
}

impl Model {
    fn take(&mut self, time: i64, price: Decimal, size: Decimal) {
        self.prices.push((time, price));
        self.volume += size;
        self.value += price * size;
        self.trades += 1;
    }

    fn close(&mut self, partial: bool) {
        let (Some(first), Some(last)) = (self.prices.first(), self.prices.last()) else { return };
        let high = self.prices.iter().map(|(_, price)| *price).max().unwrap();
        let low = self.prices.iter().map(|(_, price)| *price).min().unwrap();
        let bar = (first.0, last.0, [first.1, high, low, last.1], self.volume, self.trades, partial);
        self.done.push(bar);
        *self = Self { done: std::mem::take(&mut self.done), ..Self::default() };
    }

    fn measured(&self, measure: Measure) -> Decimal {
        match measure {
            Measure::Trades => self.trades.into(),
            Measure::Volume => self.volume,
            Measure::Value => self.value,
        }
    }
}

/// Times that never go back.
fn in_order(rows: &[Row]) -> Vec<Row> {
    let mut latest = i64::MIN;
    let forward = |(time, price, size): &Row| {
        latest = latest.max(*time);
        (latest, *price, *size)
    };
    rows.iter().map(forward).collect()
}

fn activity(rows: &[Row], measure: Measure, most: Decimal, cut: Cut, unit: Decimal) -> Vec<Said> {
    let mut model = Model::default();
    for (time, price, size) in in_order(rows) {
        let whole = cut == Cut::Overshoot || size.is_zero() || measure == Measure::Trades;
        if whole {
            model.take(time, price, size);
        } else {
            // A unit at a time; in each bar it is one trade.
            let (mut rest, mut fresh) = (size, true);
            while rest > Decimal::ZERO {
                model.take(time, price, unit);
                model.trades -= u64::from(!fresh);
                rest -= unit;
                fresh = model.measured(measure) >= most;
                if fresh {
                    model.close(false);
                }
            }
            continue;
        }
        if model.measured(measure) >= most {
            model.close(false);
        }
    }
    model.close(true);
    model.done
}

fn renko(rows: &[Row], brick: Decimal) -> Vec<Said> {
    let mut model = Model::default();
    let mut last: Option<(Decimal, Decimal)> = None;
    for (time, price, size) in in_order(rows) {
        model.take(time, price, size);
        let line = (price / brick).floor() * brick;
        let (mut bottom, mut top) = last.unwrap_or((line, line));
        loop {
            let (open, close) = if price >= top + brick {
                (top, top + brick)
            } else if price <= bottom - brick {
                (bottom, bottom - brick)
            } else {
                break;
            };
            (bottom, top) = (open.min(close), open.max(close));
            // The first brick of a tick has what was traded; those after have nothing, at the time of the tick.
            model.close(false);
            model.done.last_mut().unwrap().2 = [open, top, bottom, close];
            model.prices = vec![(time, price)];
        }
        // What stands in for a price there is no tick.
        if model.trades == 0 {
            model.prices.clear();
        }
        last = Some((bottom, top));
    }
    model.close(true);
    model.done
}

/// Which side each tick is of, by the change of the price.
fn information(rows: &[Row], theta: Theta, measure: Measure, set: Expectations) -> Vec<Said> {
    let mut model = Model::default();
    let mut flow: Vec<(f64, f64)> = Vec::new();
    let (mut side, mut last) = (0.0, None);
    let mut expected: Option<[f64; 4]> = None;
    let number = |value: Decimal| f64::from(i32::try_from(value).unwrap());
    for (time, price, size) in in_order(rows) {
        side = match last {
            Some(before) if price > before => 1.0,
            Some(before) if price < before => -1.0,
            _ => side,
        };
        last = Some(price);
        model.take(time, price, size);
        let weight = match measure {
            Measure::Trades => 1.0,
            Measure::Volume => number(size),
            Measure::Value => number(price * size),
        };
        flow.push((side, weight));
        let sum = |wanted: f64| -> f64 {
            flow.iter().filter(|(side, _)| (side - wanted).abs() < 0.5).map(|(_, weight)| weight).sum()
        };
        let all: f64 = flow.iter().map(|(_, weight)| weight).sum();
        let (bought, sold, count) = (sum(1.0), sum(-1.0), f64::from(u32::try_from(flow.len()).unwrap()));
        let full = match expected {
            None => count >= set.length,
            Some([length, weight, buys, sells]) => match theta {
                Theta::Imbalance => {
                    let least = set.floor * weight / length.sqrt();
                    (bought - sold).abs() >= (length * (buys - sells).abs().max(least)).max(1.0)
                }
                Theta::Runs => {
                    let least = weight / 2.0 + 0.4 * (set.floor * weight / length.sqrt());
                    bought.max(sold) >= (length * buys.max(sells).max(least)).max(1.0)
                }
            },
        };
        if full {
            let bar = [count, all / count, bought / count, sold / count];
            let windows = [set.length_window, set.flow_window, set.flow_window, set.flow_window];
            let before = expected.unwrap_or([set.length, bar[1], bar[2], bar[3]]);
            let next = |place: usize| {
                let alpha = 2.0 / (f64::from(windows[place]) + 1.0);
                before[place] + alpha * (bar[place] - before[place])
            };
            let first = expected.is_none();
            let length = next(0).clamp(set.shortest, set.longest);
            expected = Some([length, next(1), next(2), next(3)]);
            model.close(first);
            flow.clear();
        }
    }
    model.close(true);
    model.done
}

fn kept(rows: &[Row], bars: &[Said]) {
    let traded: Decimal = rows.iter().map(|(_, _, size)| *size).sum();
    assert_eq!(bars.iter().map(|bar| bar.3).sum::<Decimal>(), traded, "volume is lost or made");
    for (start, end, [open, high, low, close], ..) in bars {
        assert!(start <= end && low <= open && low <= close && open <= high && close <= high);
    }
    assert!(bars.windows(2).all(|pair| pair[0].1 <= pair[1].0), "times go back");
}

/// Prices with two digits, sizes with one, times that go back at times. The first has all digits that are to come.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (-2..9_i64, -30..31_i64, 0..120_i64);
    prop::collection::vec(row, 1..80).prop_map(|steps| {
        let (mut time, mut price) = (0, 1_001);
        let mut rows = vec![(0, Decimal::new(price, 2), Decimal::new(1, 1))];
        for (later, change, size) in steps {
            time += later;
            price = (price + change).max(1);
            rows.push((time, Decimal::new(price, 2), Decimal::new(size, 1)));
        }
        rows
    })
}

/// Whole prices and sizes.
fn whole_rows() -> impl Strategy<Value = Vec<Row>> {
    rows().prop_map(|rows| {
        let ten = Decimal::TEN;
        rows.into_iter().map(|(time, price, size)| (time, price * ten * ten, (size * ten).trunc())).collect()
    })
}

proptest! {
    #[test]
    fn bars_of_trades_are_the_models(rows in rows(), count in 1..9_u64) {
        let bars = bars_of(BarKind::Trades(count), &rows);
        kept(&rows, &bars);
        prop_assert_eq!(bars, activity(&rows, Measure::Trades, count.into(), Cut::Overshoot, Decimal::ONE));
    }

    #[test]
    fn bars_of_volume_are_the_models(rows in rows(), tenths in 1..300_i64, split: bool) {
        let (most, cut) = (Decimal::new(tenths, 1), if split { Cut::Split } else { Cut::Overshoot });
        let bars = bars_of(BarKind::Volume(most, cut), &rows);
        kept(&rows, &bars);
        prop_assert!(!split || bars.iter().all(|bar| bar.3 == most || bar.5));
        prop_assert_eq!(bars, activity(&rows, Measure::Volume, most, cut, d("0.1")));
    }

    #[test]
    fn bars_of_value_are_the_models(rows in rows(), money in 1..3_000_i64, split: bool) {
        let (most, cut) = (Decimal::new(money, 1), if split { Cut::Split } else { Cut::Overshoot });
        let bars = bars_of(BarKind::Value(most, cut), &rows);
        kept(&rows, &bars);
        prop_assert_eq!(bars, activity(&rows, Measure::Value, most, cut, d("0.1")));
    }

    #[test]
    fn bricks_are_the_models(rows in rows(), cents in 1..80_i64) {
        let brick = Decimal::new(cents, 2);
        let bars = bars_of(BarKind::Renko(brick), &rows);
        kept(&rows, &bars);
        prop_assert!(bars.iter().all(|bar| bar.5 || (bar.2[3] - bar.2[0]).abs() == brick));
        prop_assert_eq!(bars, renko(&rows, brick));
    }

    #[test]
    fn imbalance_and_run_bars_are_the_models(
        rows in whole_rows(), length in 1..12_u32, runs: bool, measure in 0..3_usize,
    ) {
        let theta = if runs { Theta::Runs } else { Theta::Imbalance };
        let measure = [Measure::Trades, Measure::Volume, Measure::Value][measure];
        let set = Expectations { shortest: 1.0, ..Expectations::around(length.into()) };
        let bars = bars_of(BarKind::Information(theta, measure, set), &rows);
        kept(&rows, &bars);
        prop_assert_eq!(bars, information(&rows, theta, measure, set));
    }
}

fn tick(time: i64, price: i64, size: i64) -> Tick {
    Tick { time, price, size }
}

fn kernel(rule: Rule) -> TickBars {
    let mut bars = TickBars::new(FLUSH);
    assert_eq!(bars.add(rule, None), 0);
    bars
}

#[test]
fn a_trade_that_is_too_large_overshoots_or_is_split() {
    let rows = [(1, d("10"), d("60")), (2, d("11"), d("250"))];
    let prices = |bar: &Said| format!("{} {} {}", bar.3, bar.4, if bar.5 { "P" } else { "" });
    let words = |cut| bars_of(BarKind::Volume(d("100"), cut), &rows).iter().map(prices).collect::<Vec<_>>();
    assert_eq!(words(Cut::Overshoot), ["310 2 "]);
    assert_eq!(words(Cut::Split), ["100 2 ", "100 1 ", "100 1 ", "10 1 P"]);
    // 600 and 11 a unit: 37 of them make 1,007; then 91 each.
    let values = bars_of(BarKind::Value(d("1000"), Cut::Split), &rows);
    assert_eq!(values.iter().map(prices).collect::<Vec<_>>(), ["97 2 ", "91 1 ", "91 1 ", "31 1 P"]);
}

#[test]
fn one_tick_makes_so_many_bars_and_no_more() {
    for (rule, enough, too_many) in [
        (
            Rule::Activity(Activity::new(Measure::Volume, 1, Cut::Split)),
            tick(2, 10, 10_000),
            tick(2, 10, 10_001),
        ),
        (
            Rule::Activity(Activity::new(Measure::Value, 100, Cut::Split)),
            tick(2, 10, 100_000),
            tick(2, 10, 100_010),
        ),
        (Rule::Renko(Renko::new(1)), tick(2, 10_010, 1), tick(2, 10_011, 1)),
    ] {
        let mut bars = kernel(rule);
        bars.push(0, tick(1, 10, 0)).unwrap();
        let refused = bars.push(0, too_many).unwrap_err();
        assert!(matches!(refused, AggregationError::TooManyBars { bars: 10_001 }), "{refused}");
        assert_eq!(bars.closed().count(), 0, "nothing has changed");
        bars.push(0, enough).unwrap();
        assert_eq!(bars.closed().count(), 10_000);
    }
    // Such a trade may overshoot.
    let mut bars = kernel(Rule::Activity(Activity::new(Measure::Volume, 1, Cut::Overshoot)));
    bars.push(0, tick(1, 10, i64::MAX)).unwrap();
    assert_eq!(bars.closed().map(|bar| bar.bar.volume).collect::<Vec<_>>(), [i64::MAX.into()]);
}

#[test]
fn what_sets_no_price_counts_and_a_bar_without_a_price_waits() {
    let mut bars = kernel(Rule::Activity(Activity::new(Measure::Volume, 100, Cut::Split)));
    bars.push_part(0, tick(1, 99, 150), Part::VOLUME, None).unwrap();
    assert_eq!(bars.closed().count(), 0, "nothing has a price");
    bars.push(0, tick(2, 10, 5)).unwrap();
    let made: Vec<_> = bars.closed().map(|made| made.bar).collect();
    assert_eq!((made[0].volume, made[0].open, made[0].high, made.len()), (155, 10, 10, 1));
    bars.push(0, tick(3, 10, 5)).unwrap();
    bars.push_part(0, tick(4, 12, 5), Part::RANGE, None).unwrap();
    bars.push_part(0, tick(5, 8, 50), Part::PRICE, None).unwrap();
    bars.finish();
    let made: Vec<_> = bars.closed().collect();
    let bar = made[0].bar;
    assert!(made[0].partial);
    assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.volume, bar.count), (10, 12, 8, 8, 10, 2));
}

#[test]
fn a_tick_that_comes_late_counts_with_the_time_of_the_latest() {
    let mut bars = kernel(Rule::Activity(Activity::new(Measure::Trades, 2, Cut::Overshoot)));
    for (time, price) in [(5, 10), (9, 11), (3, 12), (4, 13)] {
        bars.push(0, tick(time, price, 1)).unwrap();
    }
    let made: Vec<_> = bars.closed().map(|made| (made.bar.start, made.bar.end, made.bar.close)).collect();
    assert_eq!(made, [(5, 9, 11), (9, 9, 13)]);
    assert_eq!(bars.counts().unsorted, 2);
}

#[test]
fn the_end_of_the_session_ends_a_bar() {
    let calendar = MarketCalendar::builtin("XNYS").unwrap();
    let hours = Hours::of(calendar, "1d".parse().unwrap(), Trading::Regular);
    let mut bars = TickAggregator::new(BarKind::Trades(2), Some(hours), FLUSH, []).unwrap();
    let take = |bars: &mut TickAggregator, times: &[&str]| {
        for time in times {
            bars.tick(&symbol(), at(time), (d("10"), d("1")), Part::ALL, None).unwrap();
        }
        let ends = bars.closed().map(|bar| (bar.end.to_string(), bar.n_trades, bar.partial));
        ends.collect::<Vec<_>>()
    };
    let monday =
        ["2026-03-02T14:00:00Z", "2026-03-02T15:00:00Z", "2026-03-02T15:00:01Z", "2026-03-02T20:59:59Z"];
    let first = take(&mut bars, &monday);
    assert_eq!(first, [("2026-03-02T15:00:01Z".to_owned(), 2, false)]);
    assert_eq!(bars.next_due(), Some(at("2026-03-02T21:00:02Z")));
    bars.pass(at("2026-03-02T21:00:01Z"));
    assert_eq!(take(&mut bars, &[]), []);
    bars.pass(at("2026-03-02T21:00:02Z"));
    assert_eq!(take(&mut bars, &[]), [("2026-03-02T20:59:59Z".to_owned(), 1, true)]);
    assert_eq!(bars.next_due(), None);
    // Without word of the time, the next session's first tick ends the bar.
    let next = take(&mut bars, &["2026-03-03T15:00:00Z", "2026-03-04T15:00:00Z"]);
    assert_eq!(next, [("2026-03-03T15:00:00Z".to_owned(), 1, true)]);
    assert_eq!(bars.counts().outside, 1);
}

#[test]
fn numbers_may_get_more_digits_within_a_bar_and_the_rule_grows_with_them() {
    for kind in [
        BarKind::Volume(d("3"), Cut::Split),
        BarKind::Value(d("32"), Cut::Overshoot),
        BarKind::Renko(d("1")),
        BarKind::Information(Theta::Imbalance, Measure::Value, Expectations::around(2.0)),
    ] {
        let rough = [(1, d("10"), d("1")), (2, d("11"), d("1")), (3, d("12"), d("1")), (4, d("13"), d("4"))];
        let mut fine = rough;
        fine[1].1 = d("11.000000001");
        (fine[1].2, fine[2].2) = (d("1.000001"), d("0.999999"));
        let (rough, fine) = (bars_of(kind.clone(), &rough), bars_of(kind.clone(), &fine));
        let counts = |bars: &[Said]| bars.iter().map(|bar| (bar.0, bar.1, bar.5)).collect::<Vec<_>>();
        assert_eq!(counts(&rough[..2]), counts(&fine[..2]), "{kind:?}");
    }
    let mut bars = TickAggregator::new(BarKind::Renko(d("1000000000")), None, FLUSH, []).unwrap();
    let fine = (d("0.0000000000001"), d("1"));
    let refused = bars.tick(&symbol(), at("2026-03-02T15:00:00Z"), fine, Part::ALL, None).unwrap_err();
    assert!(matches!(refused, NotTaken::Inexact { .. }), "{refused}");
    for kind in [BarKind::Trades(0), BarKind::Volume(d("0"), Cut::Split), BarKind::Renko(d("-1"))] {
        assert!(TickAggregator::new(kind, None, FLUSH, []).is_err());
    }
}

#[test]
fn a_side_that_is_known_goes_before_the_change_of_the_price() {
    let set =
        Expectations { length: 3.0, shortest: 3.0, longest: 3.0, floor: 0.0, ..Expectations::around(3.0) };
    let close = |aggressor| {
        let mut bars = kernel(Rule::Information(Information::new(Theta::Runs, Measure::Trades, set)));
        for time in 0..20 {
            // The price falls; the buyers may say otherwise.
            bars.push_part(0, tick(time, 100 - time, 1), Part::ALL, aggressor).unwrap();
        }
        let Some(Rule::Information(rule)) = bars.rule(0) else { unreachable!() };
        rule.expected().map(|expected| (expected.bought, expected.sold)).unwrap()
    };
    let (bought, sold) = close(Some(Aggressor::Buyer));
    assert!(bought > 0.99 && sold < 0.01, "{bought} {sold}");
    let (bought, sold) = close(None);
    assert!(bought < 0.01 && sold > 0.6, "{bought} {sold}");
}

/// Runs need not be in a row: a buy between two sells takes nothing from them.
#[test]
fn runs_are_counted_within_the_bar_and_not_in_a_row() {
    let set = Expectations { length: 4.0, shortest: 4.0, longest: 4.0, ..Expectations::around(4.0) };
    let mut bars = kernel(Rule::Information(Information::new(Theta::Runs, Measure::Trades, set)));
    use Aggressor::{Buyer, Seller};
    // The first four make the expectation: all sold, so that four sales end a bar.
    let mut sides = vec![Seller; 4];
    sides.extend([Seller, Buyer, Seller, Buyer, Seller, Buyer, Seller]);
    for (time, side) in sides.into_iter().enumerate() {
        bars.push_part(0, tick(i64::try_from(time).unwrap(), 10, 1), Part::ALL, Some(side)).unwrap();
    }
    let made: Vec<_> = bars.closed().map(|made| (made.bar.count, made.partial)).collect();
    assert_eq!(made, [(4, true), (7, false)]);
}

/// With sides by chance the threshold neither runs away nor falls to a tick, be they a coin's or last over ticks that leave
/// the price.
#[test]
fn what_is_expected_stays_within_its_bounds() {
    let mut state = 42_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from((state >> 11) % below).unwrap()
    };
    let measures = [Measure::Trades, Measure::Volume, Measure::Value];
    for (theta, measure, stays) in [Theta::Imbalance, Theta::Runs].into_iter().flat_map(|theta| {
        measures.into_iter().flat_map(move |measure| [(theta, measure, false), (theta, measure, true)])
    }) {
        let mut bars =
            kernel(Rule::Information(Information::new(theta, measure, Expectations::around(100.0))));
        let (mut price, mut made) = (100_000, 0);
        for time in 0..100_000 {
            price += if stays { random(3) - 1 } else { random(2) * 2 - 1 };
            bars.push(0, tick(time, price, random(500) + 1)).unwrap();
            made += bars.closed().count();
            let Some(Rule::Information(rule)) = bars.rule(0) else { unreachable!() };
            if let Some(expected) = rule.expected() {
                assert!((10.0..=1_000.0).contains(&expected.length), "{expected:?}");
            }
        }
        let mean = 100_000 / made;
        // The bars themselves are about as long as expected.
        assert!((5..=2_000).contains(&mean), "{theta:?} {measure:?} {stays}: {mean} ticks a bar");
    }
}
