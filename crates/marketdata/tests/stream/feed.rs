//! The feed against a venue that misbehaves.

use super::world::{Fake, SECOND, Speech, Venue, ms, symbol, wall};
use mts_foundation::io::Frame;
use mts_foundation::market_data::{DataFeed, MarketEvent, StaleCause};
use mts_foundation::ready::ready;
use mts_foundation::{Symbol, Timestamp, VenueName};
use mts_marketdata::stream::machine::State;
use mts_marketdata::stream::protocol::{Facts, Protocol, Said, TopicIndex, Unreadable};
use mts_marketdata::stream::venues::{Binance, Okx};
use mts_marketdata::stream::{Options, StreamFeed, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Events = Vec<(Duration, MarketEvent)>;

fn binance() -> Binance {
    Binance::spot([Topic::trades(symbol())]).unwrap()
}

fn okx() -> Okx {
    Okx::new([Topic::trades(symbol())]).unwrap()
}

/// Options under which a cut is mended at once.
fn quick() -> Options {
    Options {
        backoff: ms(5),
        backoff_cap: ms(5),
        quick_attempts: u32::MAX,
        history_after: Duration::ZERO,
        ..Options::default()
    }
}

fn gaps(events: &Events) -> Vec<(Timestamp, Timestamp)> {
    let gap = |event: &MarketEvent| match event {
        MarketEvent::Gap { from, to, .. } => Some((*from, *to)),
        _ => None,
    };
    events.iter().filter_map(|(_, event)| gap(event)).collect()
}

fn health(events: &Events) -> Vec<(Duration, bool)> {
    let of = |(at, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Stale { .. } => Some((*at, false)),
        MarketEvent::Recovered { .. } => Some((*at, true)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Whose prices were said to be stale, and why.
fn stale(events: &Events) -> Vec<(Vec<Symbol>, StaleCause)> {
    let of = |(_, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Stale { symbols, cause, .. } => Some((symbols.to_vec(), *cause)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// No print came twice, and each from the first on to the last that came, or that the venue made until then, came or lies in a
/// gap. How many came.
fn whole(events: &Events, venue: &Venue) -> usize {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (_, event) in events {
        if let MarketEvent::Trade(trade) = event {
            *times.entry(trade.trade_id.to_string()).or_default() += 1;
        }
    }
    assert!(times.values().all(|times| *times == 1), "a print came twice");
    let gaps = gaps(events);
    let came = |place: &usize| times.contains_key(venue.prints[*place].trade_id.as_str());
    let places = 0..venue.prints.len();
    let (first, last) = (places.clone().find(came).unwrap(), places.rev().find(came).unwrap());
    for place in first..=last {
        let at = venue.prints[place].timestamp;
        let is_told = gaps.iter().any(|(from, to)| *from <= at && at <= *to);
        assert!(came(&place) || is_told, "print {place} at {at} is missing and in no gap of {gaps:?}");
    }
    times.len()
}

#[test]
fn a_thousand_disconnects_in_a_minute_lose_and_double_nothing() {
    for (speech, gap_count) in [(Speech::Binance, 0), (Speech::Okx, 0)] {
        let world = Fake::new(speech);
        {
            let mut venue = world.venue();
            (venue.every, venue.cut_every, venue.next_cut) = (ms(7), Some(ms(55)), ms(1_000));
        }
        let (events, counts, kept) = match speech {
            Speech::Binance => run(&world, &mut world.feed(binance(), quick(), true), 62 * SECOND),
            Speech::Okx => run(&world, &mut world.feed(okx(), quick(), true), 62 * SECOND),
        };
        let venue = world.venue();
        assert!(venue.cuts >= 1_000, "{}", venue.cuts);
        assert!(counts.lives >= 1_000, "{counts:?}");
        let came = whole(&events, &venue);
        assert!(came >= venue.prints.len() - 20, "{came} of {}", venue.prints.len());
        assert_eq!(gaps(&events).len(), gap_count, "{:?}", gaps(&events));
        assert!(counts.backfilled > 200, "{counts:?}");
        assert!(kept.0 <= 10_008 && kept.1 <= 20_000 && kept.2 <= 1_024, "{kept:?}");
        assert!(venue.most_lines <= 2);
    }
}

type Ran = (Events, mts_marketdata::stream::Counts, (usize, usize, usize));

fn run<P: Protocol>(world: &Fake, feed: &mut StreamFeed<P>, until: Duration) -> Ran {
    let events = world.run(feed, until, Duration::ZERO);
    (events, feed.counts(), feed.machine().kept())
}

#[test]
fn attempts_keep_the_venues_budget() {
    let world = Fake::new(Speech::Binance);
    world.venue().is_up = false;
    let mut feed = world.feed(binance(), Options::default(), false);
    let events = world.run(&mut feed, 600 * SECOND, Duration::ZERO);
    let venue = world.venue();
    let pauses: Vec<Duration> = venue.connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (tries, pause) in (0_u32..).zip(&pauses) {
        let most = (ms(500) * 2_u32.pow(tries.min(10))).min(30 * SECOND);
        assert!(*pause <= most + ms(1), "attempt {tries} after {pause:?}");
        assert!(tries < 5 || *pause >= SECOND, "attempt {tries} after {pause:?}");
    }
    assert!((15..100).contains(&pauses.len()), "{}", pauses.len());
    assert_eq!(health(&events).len(), 1, "stale once, and no end of it");
    assert_eq!(feed.machine().fault(), Some("down"));
}

#[test]
fn a_connection_that_was_healthy_begins_the_pauses_anew() {
    let world = Fake::new(Speech::Binance);
    world.venue().cut_every = Some(40 * SECOND);
    world.venue().next_cut = 40 * SECOND;
    let mut feed = world.feed(binance(), Options::default(), false);
    world.run(&mut feed, 1_000 * SECOND, Duration::ZERO);
    let venue = world.venue();
    for pair in venue.connects.windows(2) {
        assert!(pair[1] - pair[0] <= 40 * SECOND + ms(500), "{:?}", venue.connects);
    }
}

#[test]
fn a_dropped_number_is_backfilled_before_what_follows() {
    let world = Fake::new(Speech::Binance);
    world.venue().never_sent.extend([50, 51]);
    let mut feed = world.feed(binance(), Options::default(), true);
    let (events, counts, _) = run(&world, &mut feed, 20 * SECOND);
    let venue = world.venue();
    assert!(whole(&events, &venue) >= 195);
    assert!(gaps(&events).is_empty());
    assert_eq!((counts.missing, counts.lives), (0, 1));
    // The range is announced, and the prints are in their order.
    let marker =
        events.iter().position(|(_, event)| matches!(event, MarketEvent::Backfilled { .. })).unwrap();
    let MarketEvent::Backfilled { from, .. } = &events[marker].1 else { panic!() };
    assert_eq!(*from, venue.prints[49].timestamp);
    let ids = |(_, event): &(_, MarketEvent)| match event {
        MarketEvent::Trade(trade) => Some(trade.trade_id.parse::<u64>().unwrap()),
        _ => None,
    };
    let ids: Vec<u64> = events.iter().filter_map(ids).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(events[marker - 1].1 == MarketEvent::Trade(venue_print(&events, 1_049)));
}

fn venue_print(events: &Events, id: u64) -> mts_foundation::Trade {
    let of = |(_, event): &(_, MarketEvent)| match event {
        MarketEvent::Trade(trade) if trade.trade_id == id.to_string() => Some(trade.clone()),
        _ => None,
    };
    events.iter().find_map(of).unwrap()
}

#[test]
fn without_a_history_a_dropped_number_is_a_gap_at_once() {
    for (has_history, fails) in [(false, false), (true, true)] {
        let world = Fake::new(Speech::Binance);
        world.venue().never_sent.extend([50, 51]);
        world.venue().history_fails = fails;
        let mut feed = world.feed(binance(), Options::default(), has_history);
        let (events, counts, _) = run(&world, &mut feed, 20 * SECOND);
        let venue = world.venue();
        whole(&events, &venue);
        assert_eq!(gaps(&events), [(venue.prints[49].timestamp, venue.prints[52].timestamp)]);
        assert_eq!(counts.missing, 2);
        assert_eq!(counts.history_failures, u64::from(fails));
    }
}

#[test]
fn a_history_that_does_not_reach_back_leaves_a_gap() {
    for speech in [Speech::Binance, Speech::Okx] {
        let world = Fake::new(speech);
        {
            let mut venue = world.venue();
            (venue.history_page, venue.next_cut) = (20, 10 * SECOND);
        }
        let slow = Options { backoff: 60 * SECOND, pause: 10 * SECOND, quick_attempts: 0, ..quick() };
        let (events, ..) = match speech {
            Speech::Binance => run(&world, &mut world.feed(binance(), slow, true), 60 * SECOND),
            Speech::Okx => run(&world, &mut world.feed(okx(), slow, true), 60 * SECOND),
        };
        let venue = world.venue();
        whole(&events, &venue);
        let [(from, to)] = *gaps(&events).as_slice() else { panic!("{:?}", gaps(&events)) };
        assert!(from <= wall(10 * SECOND) && to.since(from) > 5 * SECOND, "{from} {to}");
    }
}

#[test]
fn a_history_that_is_late_is_asked_again() {
    let world = Fake::new(Speech::Binance);
    {
        let mut venue = world.venue();
        (venue.history_lag, venue.next_cut, venue.every) = (ms(1_500), 10 * SECOND, ms(50));
    }
    let mut feed = world.feed(binance(), Options { quick_attempts: 0, ..quick() }, true);
    let (events, ..) = run(&world, &mut feed, 30 * SECOND);
    let venue = world.venue();
    assert!(whole(&events, &venue) > 590, "{}", whole(&events, &venue));
    assert!(gaps(&events).is_empty(), "{:?}", gaps(&events));
    assert!(venue.history_calls > 1);
}

#[test]
fn a_history_that_is_behind_is_not_taken_for_whole() {
    for (lag, gap_count) in [(ms(1_500), 0), (30 * SECOND, 1)] {
        let world = Fake::new(Speech::Okx);
        {
            let mut venue = world.venue();
            (venue.history_lag, venue.next_cut, venue.every) = (lag, 40 * SECOND, ms(50));
        }
        let mut feed = world.feed(okx(), Options { history_after: ms(500), ..quick() }, true);
        let slow = Options { backoff: 4 * SECOND, pause: 2 * SECOND, quick_attempts: 0, ..quick() };
        let mut late = world.feed(okx(), slow, true);
        let feed = if gap_count == 0 { &mut late } else { &mut feed };
        let (events, ..) = run(&world, feed, 60 * SECOND);
        let venue = world.venue();
        whole(&events, &venue);
        assert_eq!(gaps(&events).len(), gap_count, "{:?}", gaps(&events));
        assert_eq!(feed.machine().kept().1, 0, "nothing waits for ever");
    }
}

#[test]
fn a_print_is_compared_with_the_history_where_none_had_come_when_it_answered() {
    let world = Fake::new(Speech::Okx);
    {
        let mut venue = world.venue();
        // Three prints a minute; the one at 100 s is missed and comes into the history when it has been asked.
        (venue.every, venue.next_print) = (20 * SECOND, 20 * SECOND);
        (venue.next_cut, venue.history_lag) = (99 * SECOND + ms(500), 3 * SECOND);
    }
    let slow = Options {
        backoff: 3 * SECOND,
        backoff_cap: 3 * SECOND,
        pause: 3 * SECOND,
        quick_attempts: 0,
        ..quick()
    };
    let mut feed = world.feed(okx(), slow, true);
    let (events, counts, _) = run(&world, &mut feed, 200 * SECOND);
    let venue = world.venue();
    assert_eq!(whole(&events, &venue), venue.prints.len());
    assert!(gaps(&events).is_empty(), "{:?}", gaps(&events));
    // The one that was missed, and the one that waited for it.
    assert_eq!(counts.backfilled, 2);
    let recovered = health(&events).iter().find(|(_, is_well)| *is_well).map(|(at, _)| *at);
    assert!(recovered.is_some_and(|at| at < 110 * SECOND), "no print is waited for: {recovered:?}");
}

#[test]
fn a_history_with_other_ids_is_not_used() {
    for speech in [Speech::Binance, Speech::Okx] {
        let world = Fake::new(speech);
        {
            let mut venue = world.venue();
            (venue.history_renames, venue.next_cut) = (true, 10 * SECOND);
        }
        let slow = Options { backoff: 4 * SECOND, pause: 2 * SECOND, quick_attempts: 0, ..quick() };
        let (events, counts, kept) = match speech {
            Speech::Binance => run(&world, &mut world.feed(binance(), slow, true), 60 * SECOND),
            Speech::Okx => run(&world, &mut world.feed(okx(), slow, true), 60 * SECOND),
        };
        let venue = world.venue();
        let ours: BTreeSet<&str> = venue.prints.iter().map(|print| print.trade_id.as_str()).collect();
        for (_, event) in &events {
            if let MarketEvent::Trade(trade) = event {
                assert!(ours.contains(trade.trade_id.as_str()), "{} is a print once more", trade.trade_id);
            }
        }
        whole(&events, &venue);
        assert_eq!(gaps(&events).len(), 1, "{:?}", gaps(&events));
        assert_eq!((counts.backfilled, kept.1), (0, 0));
        assert!(counts.history_failures > 0);
    }
}

#[test]
fn no_pong_ends_the_connection() {
    let world = Fake::new(Speech::Binance);
    world.venue().pongs = false;
    let mut feed = world.feed(binance(), Options::default(), false);
    world.run(&mut feed, 40 * SECOND, Duration::ZERO);
    let venue = world.venue();
    // A ping after 15 s, patience for 10 s.
    assert!(venue.connects[1] >= 25 * SECOND && venue.connects[1] < 27 * SECOND, "{:?}", venue.connects);
    assert!(feed.machine().fault().unwrap().contains("ping"));
}

#[test]
fn silence_of_the_socket_ends_the_connection() {
    let world = Fake::new(Speech::Okx);
    world.venue().pongs = false;
    world.venue().until = Duration::ZERO;
    let mut feed = world.feed(okx(), Options::default(), false);
    world.run(&mut feed, 40 * SECOND, Duration::ZERO);
    let second = world.venue().connects[1];
    assert!(second >= 28 * SECOND && second < 31 * SECOND, "{second:?}");
}

#[test]
fn a_silent_topic_is_stale_within_a_second_and_recovers() {
    let world = Fake::new(Speech::Binance);
    {
        let mut venue = world.venue();
        // Silent from 10 s on, for 50 s.
        venue.until = 10 * SECOND;
    }
    let mut feed = world.feed(binance(), Options::default(), false);
    let mut events = world.run(&mut feed, 60 * SECOND, Duration::ZERO);
    assert_eq!(feed.machine().stale().count(), 1);
    {
        let mut venue = world.venue();
        (venue.next_print, venue.until) = (60 * SECOND + ms(100), Duration::MAX);
    }
    events.extend(world.run(&mut feed, 70 * SECOND, Duration::ZERO));
    let health = health(&events);
    assert_eq!(health.len(), 2, "{health:?}");
    assert!(!health[0].1 && health[0].0 >= 40 * SECOND && health[0].0 <= 41 * SECOND, "{health:?}");
    assert!(health[1].1 && health[1].0 <= 61 * SECOND, "{health:?}");
    let since = events.iter().find_map(|(_, event)| match event {
        MarketEvent::Stale { since, .. } => Some(*since),
        _ => None,
    });
    assert_eq!(since, Some(wall(10 * SECOND)));
    assert_eq!(stale(&events), [(vec![symbol()], StaleCause::Silent)]);
}

#[test]
fn a_lost_connection_is_stale_within_a_second() {
    let world = Fake::new(Speech::Binance);
    let mut feed = world.feed(binance(), Options::default(), false);
    let mut events = world.run(&mut feed, 10 * SECOND, Duration::ZERO);
    world.venue().is_up = false;
    world.venue().cut();
    events.extend(world.run(&mut feed, 20 * SECOND, Duration::ZERO));
    world.venue().is_up = true;
    events.extend(world.run(&mut feed, 60 * SECOND, Duration::ZERO));
    let health = health(&events);
    assert_eq!(health.iter().map(|it| it.1).collect::<Vec<_>>(), [false, true]);
    assert!(health[0].0 <= 11 * SECOND, "{health:?}");
    assert_eq!(stale(&events), [(vec![symbol()], StaleCause::Interrupted)]);
    whole(&events, &world.venue());
}

#[test]
fn a_slow_consumer_hears_what_it_misses() {
    let world = Fake::new(Speech::Binance);
    world.venue().every = ms(1);
    world.venue().until = 30 * SECOND;
    let options = Options { queue: 100, ..Options::default() };
    let mut feed = world.feed(binance(), options, true);
    let mut events = world.run(&mut feed, 30 * SECOND, ms(20));
    events.extend(world.run(&mut feed, 40 * SECOND, Duration::ZERO));
    let (dropped, _) = feed.machine().overflow();
    assert!(dropped > 1_000, "{dropped}");
    assert!(feed.machine().kept().0 <= 108);
    let venue = world.venue();
    let came = whole(&events, &venue);
    assert!(came as u64 + dropped >= 29_900, "{came} {dropped}");
    assert_eq!(feed.counts().lives, 1);
}

#[test]
fn frames_that_come_twice_count_once() {
    for speech in [Speech::Binance, Speech::Okx] {
        let world = Fake::new(speech);
        world.venue().twice = true;
        let (events, counts, _) = match speech {
            Speech::Binance => run(&world, &mut world.feed(binance(), quick(), false), 20 * SECOND),
            Speech::Okx => run(&world, &mut world.feed(okx(), quick(), false), 20 * SECOND),
        };
        let came = whole(&events, &world.venue());
        assert!(came > 190);
        assert_eq!(counts.duplicates, came as u64);
        assert!(gaps(&events).is_empty());
    }
}

#[test]
fn stamps_from_the_future_are_refused_counted_and_told() {
    let world = Fake::new(Speech::Binance);
    world.venue().stamps_ahead = Some((50, 3_600 * SECOND));
    let mut feed = world.feed(binance(), Options::default(), false);
    let (events, counts, _) = run(&world, &mut feed, 20 * SECOND);
    assert_eq!((counts.future, counts.missing), (1, 0));
    let came = whole(&events, &world.venue());
    assert_eq!(came, world.venue().prints.len() - 1);
    assert_eq!(gaps(&events).len(), 1);
    // Five seconds are allowed.
    let world = Fake::new(Speech::Binance);
    world.venue().stamps_ahead = Some((50, 4 * SECOND));
    let mut feed = world.feed(binance(), Options::default(), false);
    let (events, counts, _) = run(&world, &mut feed, 20 * SECOND);
    assert_eq!(counts.future, 0);
    assert!(counts.backwards > 0 && gaps(&events).is_empty());
}

/// A venue that wants a key.
struct Keyed(Binance);

impl Protocol for Keyed {
    fn venue(&self) -> &VenueName {
        self.0.venue()
    }
    fn topics(&self) -> &[Topic] {
        self.0.topics()
    }
    fn url(&self) -> &str {
        self.0.url()
    }
    fn facts(&self) -> Facts {
        self.0.facts()
    }
    fn authentication(&self, _: Timestamp) -> Option<Frame> {
        Some(Frame::Text("key".into()))
    }
    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame {
        self.0.subscription(topics, request)
    }
    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        match frame {
            b"welcome" => said.push(Said::Authenticated),
            b"go away" => said.push(Said::Fatal("the key is refused; check it".to_owned())),
            frame => return self.0.read(frame, now, said),
        }
        Ok(())
    }
}

#[test]
fn a_refused_key_ends_the_feed_at_once() {
    let world = Fake::new(Speech::Binance);
    world.venue().answer = Some("go away".to_owned());
    let mut feed = world.feed(Keyed(binance()), Options::default(), true);
    let events = world.run(&mut feed, 600 * SECOND, Duration::ZERO);
    let [(_, MarketEvent::Fatal { message, .. })] = events.as_slice() else { panic!("{events:?}") };
    assert!(message.contains("check it"));
    assert_eq!(world.venue().connects, [Duration::ZERO]);
    assert_eq!(world.venue().now, Duration::ZERO);
    assert_eq!(feed.machine().state(), State::Closed);
    assert!(!DataFeed::stats(&feed).running);
    assert!(world.venue().lines.is_empty(), "the socket is closed");
}

#[test]
fn the_key_comes_before_the_subscriptions_and_its_answer_is_waited_for() {
    let world = Fake::new(Speech::Binance);
    let mut feed = world.feed(Keyed(binance()), Options::default(), true);
    world.run(&mut feed, 9 * SECOND, Duration::ZERO);
    assert_eq!(feed.machine().state(), State::Authenticating);
    assert_eq!(world.venue().sent, ["key"]);
    world.venue().answer = Some("welcome".to_owned());
    let events = world.run(&mut feed, 30 * SECOND, Duration::ZERO);
    assert_eq!(feed.machine().state(), State::Live);
    assert!(whole(&events, &world.venue()) > 100);
    assert_eq!(world.venue().connects.len(), 2, "the first was not answered in time");
}

#[test]
fn what_is_not_acknowledged_is_asked_for_again() {
    let world = Fake::new(Speech::Okx);
    {
        let mut venue = world.venue();
        // No data either: that would acknowledge it.
        (venue.acks, venue.until) = (false, Duration::ZERO);
    }
    let mut feed = world.feed(okx(), Options::default(), false);
    world.run(&mut feed, 9 * SECOND, Duration::ZERO);
    assert_eq!(feed.machine().state(), State::Subscribing);
    world.venue().acks = true;
    world.run(&mut feed, 15 * SECOND, Duration::ZERO);
    assert_eq!(feed.machine().state(), State::Live);
    assert!(feed.machine().fault().unwrap().contains("BTC-USDT"));
    let subscriptions = world.venue().sent.iter().filter(|text| text.contains("subscribe")).count();
    assert_eq!((subscriptions, world.venue().connects.len()), (2, 2));
}

#[test]
fn planned_disconnects_overlap() {
    let notice =
        r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a"}"#;
    // The new connection is behind the old one, or ahead of it.
    for lateness in [[ms(0), ms(400)], [ms(400), ms(0)]] {
        for speech in [Speech::Okx, Speech::Binance] {
            let world = Fake::new(speech);
            {
                let mut venue = world.venue();
                venue.lateness = lateness.to_vec();
                venue.every = ms(20);
                let text = if speech == Speech::Okx { notice } else { r#"{"e":"serverShutdown","E":1}"# };
                venue.says.push_back((10 * SECOND, text.to_owned()));
            }
            let (events, counts, _) = match speech {
                Speech::Binance => run(&world, &mut world.feed(binance(), quick(), false), 30 * SECOND),
                Speech::Okx => run(&world, &mut world.feed(okx(), quick(), false), 30 * SECOND),
            };
            let venue = world.venue();
            assert_eq!((venue.connects.len(), venue.most_lines, counts.lives), (2, 2, 2));
            assert!(venue.connects[1] >= 10 * SECOND && venue.connects[1] < 11 * SECOND);
            let came = whole(&events, &venue);
            assert!(came > 1_450, "{came}");
            assert!(counts.duplicates > 50, "{counts:?}");
            assert!(gaps(&events).is_empty() && health(&events).is_empty(), "{:?}", gaps(&events));
        }
    }
}

#[test]
fn a_connection_is_replaced_before_the_venue_ends_it() {
    let world = Fake::new(Speech::Binance);
    world.venue().every = 10 * SECOND;
    let mut feed = world.feed(binance(), Options::default(), false);
    let events = world.run(&mut feed, Duration::from_secs(25 * 3_600), Duration::ZERO);
    let venue = world.venue();
    assert_eq!((venue.connects.len(), venue.most_lines), (2, 2), "{:?}", venue.connects);
    assert!(venue.connects[1] < 24 * 3_600 * SECOND);
    whole(&events, &venue);
    assert!(gaps(&events).is_empty() && health(&events).is_empty());
}

#[test]
fn an_interruption_without_numbers_and_history_is_a_gap() {
    let world = Fake::new(Speech::Okx);
    world.venue().next_cut = 10 * SECOND;
    let mut feed = world.feed(okx(), quick(), false);
    let (events, ..) = run(&world, &mut feed, 20 * SECOND);
    assert_eq!(gaps(&events).len(), 1);
    whole(&events, &world.venue());
    // With numbers it is proven that nothing is missing.
    let world = Fake::new(Speech::Binance);
    world.venue().next_cut = 10 * SECOND + ms(1);
    let mut feed = world.feed(binance(), quick(), false);
    let (events, ..) = run(&world, &mut feed, 20 * SECOND);
    assert!(gaps(&events).is_empty());
    assert!(whole(&events, &world.venue()) > 190);
}

#[test]
fn starting_and_stopping_twice_is_once_and_a_restart_goes_on() {
    let world = Fake::new(Speech::Binance);
    let mut feed = world.feed(binance(), quick(), true);
    let mut events = world.run(&mut feed, 10 * SECOND, Duration::ZERO);
    for _ in 0..2 {
        ready(DataFeed::stop(&mut feed)).unwrap().unwrap();
        assert!(!DataFeed::stats(&feed).running);
    }
    assert!(world.venue().lines.is_empty());
    assert_eq!(ready(DataFeed::next(&mut feed)).unwrap().unwrap(), None);
    world.venue().now = 20 * SECOND;
    events.extend(world.run(&mut feed, 30 * SECOND, Duration::ZERO));
    assert_eq!(world.venue().connects.len(), 2);
    assert!(whole(&events, &world.venue()) > 290, "what came between is backfilled");
    assert!(gaps(&events).is_empty());
    let stats = DataFeed::stats(&feed);
    assert!(stats.running && stats.ticks == events.len() as u64 && stats.symbols == 1);
}

#[test]
fn the_same_world_twice_is_the_same_feed() {
    let run = || {
        let world = Fake::new(Speech::Binance);
        world.venue().cut_every = Some(3 * SECOND);
        world.venue().next_cut = 3 * SECOND;
        let mut feed = world.feed(binance(), Options::default(), true);
        world.run(&mut feed, 60 * SECOND, Duration::ZERO)
    };
    assert_eq!(run(), run());
}
