//! Feeds made of feeds: bars of ticks, mergers, throttles; replayed, and live on a made-up clock.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a helper that fails fails its test"
)]

use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{self, DataFeed, FeedStats, MarketDataError, MarketEvent, StaleCause};
use mts_foundation::{Bar, Clock, Decimal, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::aggregate::{Aggregator, Hours, Patience};
use mts_marketdata::feeds::{AggregatedFeed, MergedFeed, Passing, Prices, ThrottledFeed};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Runs to the end, however often it must be asked.
fn done<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("it waits for ever")
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn trade(name: &str, seconds: f64, price: i64, size: i64) -> MarketEvent {
    MarketEvent::Trade(Trade {
        trade_id: format!("{name}{seconds}").into(),
        symbol: symbol(name),
        price: price.into(),
        size: size.into(),
        venue: VenueName::new("x").unwrap(),
        timestamp: at(seconds),
    })
}

fn quote(name: &str, seconds: f64, bid: i64, ask: i64) -> MarketEvent {
    MarketEvent::Quote(Quote {
        symbol: symbol(name),
        bid: bid.into(),
        ask: ask.into(),
        bid_size: Decimal::ONE,
        ask_size: Decimal::ONE,
        venue: VenueName::new("x").unwrap(),
        timestamp: at(seconds),
    })
}

fn gap(from: f64, to: f64) -> MarketEvent {
    MarketEvent::Gap { venue: VenueName::new("x").unwrap(), from: at(from), to: at(to) }
}

type Feed = Box<dyn market_data::DynDataFeed>;

/// A clock, and when which event comes by it.
struct World {
    now: Mutex<Timestamp>,
    coming: Mutex<VecDeque<(Timestamp, MarketEvent)>>,
}

impl World {
    /// Events that come by the clock so many seconds after it began at the same time as they.
    fn of(events: impl IntoIterator<Item = (f64, MarketEvent)>) -> Arc<Self> {
        let coming = events.into_iter().map(|(seconds, event)| (at(seconds), event)).collect();
        Arc::new(Self { now: Mutex::new(Timestamp::EPOCH), coming: Mutex::new(coming) })
    }
}

struct TheClock(Arc<World>);

impl Clock for TheClock {
    fn now(&self) -> Timestamp {
        *self.0.now.lock().unwrap()
    }
}

struct TheSleep(Arc<World>);

impl Sleep for TheSleep {
    /// Nothing else waits, so time goes on to the end of the wait, or to the next event.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let world = Arc::clone(&self.0);
        let until = world.now.lock().unwrap().plus(time);
        Box::pin(poll_fn(move |_| {
            let next = world.coming.lock().unwrap().front().map(|(time, _)| *time);
            let mut now = world.now.lock().unwrap();
            if *now >= until {
                return Poll::Ready(());
            }
            *now = next.unwrap_or(until).min(until).max(*now);
            if *now >= until { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

fn live(world: &Arc<World>) -> Passing {
    Passing::Live {
        clock: Arc::new(TheClock(Arc::clone(world))),
        sleep: Arc::new(TheSleep(Arc::clone(world))),
    }
}

/// What the world has, when it has come; without an end.
struct LiveSource(Arc<World>);

impl DataFeed for LiveSource {
    fn name(&self) -> &str {
        "live"
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        poll_fn(|_| {
            let now = *self.0.now.lock().unwrap();
            let mut coming = self.0.coming.lock().unwrap();
            match coming.front() {
                Some((time, _)) if *time <= now => {
                    Poll::Ready(Ok(coming.pop_front().map(|(_, event)| event)))
                }
                _ => Poll::Pending,
            }
        })
        .await
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    fn stats(&self) -> FeedStats {
        FeedStats::default()
    }
}

/// Events one after the other; `None` among them fails once.
struct Recorded(&'static str, VecDeque<Option<MarketEvent>>);

impl Recorded {
    fn of(events: impl IntoIterator<Item = MarketEvent>) -> Self {
        Self("recorded", events.into_iter().map(Some).collect())
    }
}

impl DataFeed for Recorded {
    fn name(&self) -> &str {
        self.0
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        match self.1.pop_front() {
            Some(None) => {
                Err(MarketDataError::Venue { source_name: self.0.to_owned(), message: "cut".to_owned() })
            }
            event => Ok(event.flatten()),
        }
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    fn stats(&self) -> FeedStats {
        FeedStats { symbols: 1, ..FeedStats::default() }
    }
}

/// Begins a feed and takes so many of its events, fewer if it ends.
fn events(feed: &mut impl DataFeed, most: usize) -> Vec<MarketEvent> {
    done(feed.start()).unwrap();
    (0..most).map_while(|_| done(feed.next()).unwrap()).collect()
}

/// Bars as `A@60 1-9 v5`, a star for partial ones; gaps as `gap`.
fn told(events: &[MarketEvent]) -> Vec<String> {
    let tell = |event: &MarketEvent| match event {
        MarketEvent::Bars { bars, .. } => bars.iter().map(tell_bar).collect::<Vec<_>>().join(" "),
        MarketEvent::Gap { .. } => "gap".to_owned(),
        MarketEvent::Revised(bar) => format!("revised {}", tell_bar(bar)),
        other => format!("{other:?}"),
    };
    events.iter().map(tell).collect()
}

fn tell_bar(bar: &Bar) -> String {
    let star = if bar.partial { "*" } else { "" };
    let end = bar.timestamp.nanos() / 1_000_000_000;
    format!("{}@{end} {}-{} v{}{star}", bar.symbol, bar.low, bar.high, bar.volume)
}

fn bars_of(interval: &str) -> Aggregator {
    let mut aggregator = Aggregator::new(Hours::always(interval.parse().unwrap()), Patience::default(), []);
    aggregator.whole_since(Timestamp::EPOCH);
    aggregator
}

fn replayed(interval: &str, source: impl IntoIterator<Item = MarketEvent>) -> Vec<String> {
    told(&events(&mut AggregatedFeed::new(Box::new(Recorded::of(source)), bars_of(interval)), 100))
}

#[test]
fn each_instrument_closes_by_its_own_ticks_and_the_end_loses_nothing() {
    let source = [
        trade("A", 10.0, 5, 1),
        trade("B", 30.0, 7, 2),
        trade("A", 60.5, 6, 1),
        trade("B", 61.0, 8, 1),
        trade("A", 90.0, 4, 3),
    ];
    let expected = ["A@60 5-5 v1", "B@60 7-7 v2", "A@120 4-6 v4* B@120 8-8 v1*"];
    assert_eq!(replayed("1m", source), expected);

    // Time has reached the end of A's bar, though no tick of A has.
    let source = [trade("A", 10.0, 5, 1), trade("B", 60.5, 7, 2)];
    assert_eq!(replayed("1m", source), ["A@60 5-5 v1", "B@120 7-7 v2*"]);
}

#[test]
fn a_silent_instrument_is_closed_by_the_time_of_the_others_and_ends_never_go_back() {
    // B's bar to second 1 closes two seconds later; A's bars to 2 and 3 wait for it.
    let source =
        (1..=60).map(|tenth| trade("A", f64::from(tenth) / 10.0, 5, 1)).chain([trade("C", 6.5, 1, 1)]);
    let source = [trade("B", 0.05, 9, 1)].into_iter().chain(source);
    let bars = replayed("1s", source);
    let (b, a2) = (position(&bars, "B@1 "), position(&bars, "A@2 "));
    assert!(position(&bars, "A@1 ") < b && b < a2, "{bars:?}");
    let ends: Vec<u64> =
        bars.iter().map(|bar| bar.split(['@', ' ']).nth(1).unwrap().parse().unwrap()).collect();
    assert!(ends.is_sorted(), "{ends:?}");
    assert_eq!(bars.iter().filter(|bar| bar.starts_with("A@")).count(), 7);
}

fn position(bars: &[String], start: &str) -> usize {
    bars.iter().position(|bar| bar.contains(start)).unwrap_or_else(|| panic!("no {start} in {bars:?}"))
}

#[test]
fn a_gap_makes_the_bars_partial_that_it_touches() {
    let source = [
        trade("A", 10.0, 5, 1),
        trade("A", 70.0, 5, 1),
        gap(80.0, 130.0),
        trade("A", 140.0, 5, 1),
        trade("A", 190.0, 5, 1),
        trade("A", 250.0, 5, 1),
    ];
    let expected = ["A@60 5-5 v1", "gap", "A@120 5-5 v1*", "A@180 5-5 v1*", "A@240 5-5 v1", "A@300 5-5 v1*"];
    assert_eq!(replayed("1m", source), expected);
}

#[test]
fn a_source_that_fails_and_is_started_again_leaves_a_partial_bar() {
    let mut source = Recorded::of([trade("A", 10.0, 5, 1)]);
    source.1.push_back(None);
    let after = [trade("A", 65.0, 5, 1), trade("A", 125.0, 5, 1), trade("A", 185.0, 5, 1)];
    source.1.extend(after.into_iter().map(Some));
    let mut feed = AggregatedFeed::new(Box::new(source), bars_of("1m")).whole_bars_only();
    done(feed.start()).unwrap();
    assert!(done(feed.next()).unwrap_err().to_string().contains("cut"));
    done(feed.stop()).unwrap();
    assert_eq!(told(&events(&mut feed, 9)), ["A@180 5-5 v1"]);
}

#[test]
fn smaller_bars_keep_their_range_and_quotes_can_be_bars_too() {
    let five = |seconds: i64, low: i64, high: i64| Bar {
        interval: "5s".parse().unwrap(),
        low: low.into(),
        high: high.into(),
        volume: Decimal::TWO,
        close_only: false,
        ..Bar::close_only(
            symbol("A"),
            "5s".parse().unwrap(),
            high.into(),
            Timestamp::from_millis(seconds * 1_000),
        )
    };
    let bars = |bar: Bar| MarketEvent::Bars { time: bar.timestamp, bars: [bar].into() };
    let source = [bars(five(5, 3, 9)), bars(five(10, 1, 4)), bars(five(65, 2, 2))];
    assert_eq!(replayed("1m", source), ["A@60 1-9 v4", "A@120 2-2 v2*"]);
    let part = Bar { partial: true, ..five(10, 1, 4) };
    let source = [bars(five(5, 3, 9)), bars(part), bars(five(65, 2, 2)), bars(five(125, 2, 2))];
    assert_eq!(replayed("1m", source), ["A@60 1-9 v4*", "A@120 2-2 v2", "A@180 2-2 v2*"]);

    let quotes =
        [quote("A", 1.0, 10, 12), trade("A", 2.0, 99, 1), quote("A", 3.0, 20, 22), quote("A", 61.0, 1, 1)];
    let mut feed =
        AggregatedFeed::new(Box::new(Recorded::of(quotes)), bars_of("1m")).of(Prices::Mids).whole_bars_only();
    assert_eq!(told(&events(&mut feed, 9)), ["A@60 11-21 v0"]);
}

#[test]
fn what_cannot_be_taken_ends_a_replay_and_is_counted_live() {
    let source = [trade("A", 1.0, 0, 1), trade("A", 2.0, 5, 1), trade("A", 61.0, 5, 1)];
    let mut feed = AggregatedFeed::new(Box::new(Recorded::of(source.clone())), bars_of("1m"));
    done(feed.start()).unwrap();
    let error = done(feed.next()).unwrap_err().to_string();
    assert!(error.contains("recorded") && error.contains("price 0"), "{error}");

    let world = World::of([1.0, 2.0, 61.0].into_iter().zip(source));
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    *world.now.lock().unwrap() = at(61.0);
    assert_eq!(told(&events(&mut feed, 1)), ["A@60 5-5 v1"]);
    let (refused, why) = feed.refused();
    assert!(refused == 1 && why.unwrap().to_string().contains("price 0"));
}

#[test]
fn live_a_bar_comes_two_seconds_after_its_end_though_nothing_else_does() {
    let world = World::of([(0.5, trade("A", 0.5, 5, 1)), (500.0, trade("A", 500.0, 5, 1))]);
    *world.now.lock().unwrap() = at(0.5);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    assert_eq!(told(&events(&mut feed, 1)), ["A@60 5-5 v1"]);
    assert_eq!(*world.now.lock().unwrap(), at(62.0));

    // Nor earlier, though something is stamped an hour ahead.
    let world = World::of([(0.5, trade("A", 0.5, 5, 1)), (1.0, trade("B", 3_601.0, 5, 1))]);
    *world.now.lock().unwrap() = at(0.5);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    assert_eq!(told(&events(&mut feed, 1)), ["A@60 5-5 v1"]);
    assert_eq!(*world.now.lock().unwrap(), at(62.0));
}

#[test]
fn live_a_source_that_lags_by_minutes_is_not_cut_and_a_stamp_of_the_future_closes_nothing_early() {
    // Everything comes 300 s late, and one print is stamped an hour ahead.
    let ticks = [1.0, 20.0, 40.0, 59.0, 61.0, 100.0, 121.0];
    let mut coming: Vec<_> = ticks.map(|time| (time + 300.0, trade("A", time, 5, 1))).into();
    coming.insert(1, (302.0, trade("B", 3_900.0, 5, 1)));
    let world = World::of(coming);
    *world.now.lock().unwrap() = at(301.0);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    assert_eq!(told(&events(&mut feed, 2)), ["A@60 5-5 v4", "A@120 5-5 v2"]);
    assert_eq!((feed.counts().late, feed.refused().0), (0, 1));

    let world = World::of(ticks.map(|time| (time + 300.0, trade("A", time, 5, 1))));
    *world.now.lock().unwrap() = at(301.0);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    assert_eq!(told(&events(&mut feed, 2)), ["A@60 5-5 v4", "A@120 5-5 v2"]);
    assert_eq!((feed.counts().late, feed.late().count()), (0, 0));
}

#[test]
fn live_an_interruption_that_the_history_fills_cuts_no_bar() {
    let venue = || VenueName::new("x").unwrap();
    let stale = stale("AB", 50.0, StaleCause::Interrupted);
    let recovered = MarketEvent::Recovered { venue: venue(), time: at(100.0) };
    let filled =
        MarketEvent::Backfilled { venue: venue(), symbol: symbol("A"), from: at(40.0), to: at(100.0) };
    let coming = [
        (40.0, trade("A", 40.0, 5, 1)),
        (50.5, stale),
        (100.0, filled),
        (100.0, trade("A", 55.0, 9, 1)),
        (100.0, trade("A", 70.0, 7, 1)),
        (100.0, recovered),
        (100.5, trade("A", 100.5, 5, 1)),
    ];
    let world = World::of(coming);
    *world.now.lock().unwrap() = at(40.0);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    let mut said = Vec::new();
    done(feed.start()).unwrap();
    for time in [50.5, 100.0, 100.0, 100.0, 100.0] {
        *world.now.lock().unwrap() = at(time);
        said.push(done(feed.next()).unwrap().unwrap());
    }
    let bars: Vec<_> =
        said.iter().filter(|event| matches!(event, MarketEvent::Bars { .. })).cloned().collect();
    assert_eq!(told(&bars), ["A@60 5-9 v2", "A@120 5-7 v2"]);
    assert_eq!(feed.counts().late, 0);
}

#[test]
fn live_what_is_stamped_ahead_is_refused_and_what_is_quoted_meanwhile_moves_no_time() {
    // A's own stamp of the future closes nothing either; the quote of the stalled consumer is later than the prints behind it.
    let coming = [
        (1.0, trade("A", 1.0, 5, 1)),
        (2.0, trade("A", 3_900.0, 5, 1)),
        (59.0, quote("A", 63.0, 5, 6)),
        (59.0, trade("A", 58.0, 5, 1)),
        (61.0, trade("A", 61.0, 5, 1)),
    ];
    let world = World::of(coming);
    *world.now.lock().unwrap() = at(1.0);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    assert_eq!(told(&events(&mut feed, 1)), ["A@60 5-5 v2"]);
    assert_eq!((feed.refused().0, feed.counts().late), (1, 0));
}

#[test]
fn a_smaller_bar_that_its_source_corrects_corrects_the_bars_of_it() {
    let minute = |seconds: i64, close: i64| Bar {
        volume: Decimal::TWO,
        close_only: false,
        ..Bar::close_only(
            symbol("A"),
            "1m".parse().unwrap(),
            close.into(),
            Timestamp::from_millis(seconds * 1_000),
        )
    };
    let of = |seconds, close| MarketEvent::Bars {
        time: Timestamp::from_millis(seconds * 1_000),
        bars: [minute(seconds, close)].into(),
    };
    let revised = |seconds, close| MarketEvent::Revised(minute(seconds, close));
    let source = [of(60, 5), of(120, 6), of(180, 7), revised(120, 8), of(240, 7)];
    assert_eq!(replayed("2m", source), ["A@120 5-6 v4", "revised A@120 5-8 v4", "A@240 7-7 v4"]);
    // What has not been handed out is right when it is.
    assert_eq!(replayed("2m", [of(60, 5), revised(60, 9), of(120, 6)]), ["A@120 6-9 v4"]);
}

/// That prices of instruments with names of one letter are stale.
fn stale(symbols: &str, since: f64, cause: StaleCause) -> MarketEvent {
    MarketEvent::Stale {
        venue: VenueName::new("x").unwrap(),
        since: at(since),
        symbols: symbols.chars().map(|name| symbol(&name.to_string())).collect(),
        cause,
    }
}

#[test]
fn live_an_instrument_with_nothing_to_say_holds_up_no_other() {
    let coming = [
        (40.0, trade("A", 40.0, 5, 1)),
        (50.0, stale("B", 45.0, StaleCause::Silent)),
        (62.1, trade("A", 62.1, 5, 1)),
    ];
    let world = World::of(coming);
    *world.now.lock().unwrap() = at(40.0);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    let said = events(&mut feed, 2);
    assert!(matches!(said[0], MarketEvent::Stale { .. }), "{said:?}");
    assert_eq!(told(&said[1..]), ["A@60 5-5 v1"]);
}

#[test]
fn live_time_stands_still_for_all_until_the_source_has_recovered() {
    let venue = || VenueName::new("x").unwrap();
    let coming = [
        (40.0, trade("A", 40.0, 5, 1)),
        (40.0, trade("B", 40.0, 7, 1)),
        (50.0, stale("AB", 45.0, StaleCause::Interrupted)),
        // A is whole again, B is not: B's bar waits for its history.
        (62.1, trade("A", 62.1, 5, 1)),
        (63.0, trade("B", 55.0, 9, 1)),
        (63.0, MarketEvent::Recovered { venue: venue(), time: at(63.0) }),
    ];
    let world = World::of(coming);
    *world.now.lock().unwrap() = at(40.0);
    let mut feed =
        AggregatedFeed::new(Box::new(LiveSource(Arc::clone(&world))), bars_of("1m")).passing(live(&world));
    done(feed.start()).unwrap();
    let mut bars = Vec::new();
    for time in [50.0, 62.1, 63.0, 63.0] {
        *world.now.lock().unwrap() = at(time);
        bars.push(done(feed.next()).unwrap().unwrap());
    }
    bars.retain(|event| matches!(event, MarketEvent::Bars { .. }));
    assert_eq!(told(&bars), ["A@60 5-5 v1", "B@60 7-9 v2"]);
}

#[test]
fn an_instrument_that_comes_late_takes_no_bar_back_in_time() {
    let source =
        [trade("A", 119.0, 5, 1), trade("A", 120.5, 5, 1), trade("C", 30.0, 7, 1), trade("A", 200.0, 5, 1)];
    let mut feed = AggregatedFeed::new(Box::new(Recorded::of(source)), bars_of("1m"));
    assert_eq!(told(&events(&mut feed, 9)), ["A@120 5-5 v1", "A@180 5-5 v1", "A@240 5-5 v1*"]);
    assert_eq!(feed.outdated(), 1);
}

fn boxed(name: &'static str, events: impl IntoIterator<Item = MarketEvent>) -> Feed {
    Box::new(Recorded(name, events.into_iter().map(Some).collect()))
}

fn times(events: &[MarketEvent]) -> Vec<i64> {
    events.iter().map(|event| event.priced_at().map_or(-1, |time| time.nanos() / 1_000_000_000)).collect()
}

#[test]
fn feeds_merge_by_time_and_what_is_said_between_stays_between() {
    let one = [trade("A", 1.0, 1, 1), gap(1.0, 4.0), trade("A", 5.0, 1, 1)];
    let other = [trade("B", 2.0, 1, 1), trade("B", 5.0, 2, 1), trade("B", 6.0, 1, 1)];
    let mut feed = MergedFeed::by_time(vec![boxed("one", one), boxed("other", other)]).unwrap();
    let merged = events(&mut feed, 9);
    assert_eq!(times(&merged), [1, -1, 2, 5, 5, 6]);
    assert!(matches!(&merged[3], MarketEvent::Trade(trade) if trade.symbol == symbol("A")));
    assert_eq!(feed.stats().symbols, 2);
    assert!(MergedFeed::by_time(Vec::new()).unwrap_err().to_string().contains("0 feeds"));
}

#[test]
fn live_feeds_do_not_wait_for_each_other_and_a_busy_one_silences_nobody() {
    let silent = World::of([]);
    let busy = (0..50).map(|second| trade("A", f64::from(second), 1, 1));
    let other = (0..50).map(|second| trade("B", f64::from(second), 1, 1));
    let feeds: Vec<Feed> = vec![Box::new(LiveSource(silent)), boxed("busy", busy), boxed("other", other)];
    let mut feed = MergedFeed::as_they_come(feeds).unwrap();
    let first = events(&mut feed, 20);
    let of_b = first
        .iter()
        .filter(|event| matches!(event, MarketEvent::Trade(trade) if trade.symbol == symbol("B")));
    assert!((5..=15).contains(&of_b.count()));
    assert_eq!(times(&events(&mut feed, 80)).len(), 80);
}

#[test]
fn a_merger_names_the_feed_that_fails_and_loses_nothing_of_the_others() {
    let mut failing = Recorded("failing", VecDeque::from([None, Some(trade("A", 2.0, 1, 1))]));
    failing.0 = "failing";
    let feeds: Vec<Feed> = vec![boxed("good", [trade("B", 1.0, 1, 1)]), Box::new(failing)];
    let mut feed = MergedFeed::by_time(feeds).unwrap();
    done(feed.start()).unwrap();
    assert!(done(feed.next()).unwrap_err().to_string().contains("failing"));
    assert_eq!(times(&events(&mut feed, 9)), [1, 2]);
}

#[test]
fn a_throttle_of_one_instrument_does_not_concern_another() {
    let source = [
        trade("A", 0.0, 1, 1),
        trade("A", 0.02, 2, 2),
        trade("B", 0.03, 7, 7),
        trade("A", 0.05, 3, 3),
        quote("A", 0.06, 1, 2),
        trade("B", 0.2, 8, 8),
    ];
    let mut feed = ThrottledFeed::new(Box::new(Recorded::of(source)), Duration::from_millis(100));
    let all = events(&mut feed, 9);
    let tell = |event: &MarketEvent| match event {
        MarketEvent::Trade(trade) => Some(format!("{} {} {}", trade.symbol, trade.price, trade.size)),
        _ => None,
    };
    let trades: Vec<_> = all.iter().filter_map(tell).collect();
    assert_eq!(trades, ["A 1 1", "B 7 7", "A 3 5", "B 8 8"]);
    assert_eq!((all.len(), feed.stats().throttled), (5, 1));
}

#[test]
fn live_what_a_throttle_holds_comes_when_its_time_is_over() {
    let world = World::of([(0.0, trade("A", 0.0, 1, 1)), (0.01, trade("A", 0.01, 2, 2))]);
    let mut feed = ThrottledFeed::new(Box::new(LiveSource(Arc::clone(&world))), Duration::from_millis(100))
        .passing(live(&world));
    assert_eq!(events(&mut feed, 1).len(), 1);
    *world.now.lock().unwrap() = at(0.01);
    assert_eq!(events(&mut feed, 1).len(), 1);
    assert_eq!(*world.now.lock().unwrap(), at(0.1));
}

proptest! {
    /// Every unit that was traded comes out once, whoever is busy.
    #[test]
    fn no_volume_is_lost_or_counted_twice(ticks in prop::collection::vec((0_u8..4, 0_u16..50, 1_i64..9), 0..200)) {
        let mut now = 0.0;
        let mut sums: BTreeMap<Symbol, Decimal> = BTreeMap::new();
        let source: Vec<_> = ticks.iter().map(|(name, wait, size)| {
            now += f64::from(*wait) / 1_000.0;
            let name = ["A", "B", "C", "D"][usize::from(*name)];
            *sums.entry(symbol(name)).or_default() += Decimal::from(*size);
            trade(name, now, 5, *size)
        }).collect();
        let count = source.len();
        let mut feed = ThrottledFeed::new(Box::new(Recorded::of(source)), Duration::from_millis(40));
        let mut out: BTreeMap<Symbol, Decimal> = BTreeMap::new();
        let all = events(&mut feed, 1_000);
        for event in &all {
            if let MarketEvent::Trade(trade) = event {
                *out.entry(trade.symbol.clone()).or_default() += trade.size;
            }
        }
        prop_assert_eq!(out, sums);
        prop_assert_eq!(all.len() as u64 + feed.stats().throttled, count as u64);
    }
}
