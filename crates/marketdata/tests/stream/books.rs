//! Order books against venues that tell them wrong: nothing is handed on from a book that is not the venue's.

use super::world::book_venue::{BookVenue, TONGUES, Tongue, Wrong};
use super::world::{Fake, SECOND, Speech, ms, symbol};
use mts_foundation::io::Frame;
use mts_foundation::market_data::{DataFeed, MarketEvent, StaleCause};
use mts_foundation::{Decimal, Symbol, Timestamp, VenueName};
use mts_marketdata::stream::book::Update;
use mts_marketdata::stream::protocol::{Facts, Protocol, Said, TopicIndex, Unreadable};
use mts_marketdata::stream::venues::{Binance, Bybit, Coinbase, Kraken, Okx};
use mts_marketdata::stream::{Counts, Options, StreamFeed, Topic};
use std::sync::Arc;
use std::time::Duration;

type Events = Vec<(Duration, MarketEvent)>;

/// Any protocol.
struct Venue(Box<dyn Protocol>);

impl Protocol for Venue {
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
    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame {
        self.0.subscription(topics, request)
    }
    fn book_depth(&self) -> Option<usize> {
        self.0.book_depth()
    }
    fn book_request(&self, topic: TopicIndex) -> Option<(String, u32)> {
        self.0.book_request(topic)
    }
    fn read_book(&self, answer: &[u8], now: Timestamp) -> Result<Update, Unreadable> {
        self.0.read_book(answer, now)
    }
    fn book_anew(&self, topic: TopicIndex, request: u64) -> Vec<Frame> {
        self.0.book_anew(topic, request)
    }
    fn ping(&self) -> Frame {
        self.0.ping()
    }
    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        self.0.read(frame, now, said)
    }
}

type Feed = StreamFeed<Venue>;

fn instrument(tongue: Tongue) -> Symbol {
    if tongue == Tongue::Futures { Symbol::new("BTC-USDT-PERP").unwrap() } else { symbol() }
}

fn protocol(tongue: Tongue) -> Venue {
    let topics = [Topic::book(instrument(tongue))];
    Venue(match tongue {
        Tongue::Spot => Box::new(Binance::spot(topics).unwrap()),
        Tongue::Futures => Box::new(Binance::futures(topics).unwrap()),
        Tongue::Kraken => Box::new(Kraken::new(topics).unwrap()),
        Tongue::Okx => Box::new(Okx::new(topics).unwrap()),
        Tongue::Bybit => Box::new(Bybit::spot(topics).unwrap()),
        Tongue::Coinbase => Box::new(Coinbase::new(topics).unwrap()),
    })
}

fn world(tongue: Tongue) -> Fake {
    let speech = if matches!(tongue, Tongue::Spot | Tongue::Futures) { Speech::Binance } else { Speech::Okx };
    let world = Fake::new(speech);
    world.venue().book = Some(BookVenue::new(tongue));
    // No prints.
    world.venue().until = Duration::ZERO;
    world
}

fn feed(world: &Fake, tongue: Tongue, options: Options) -> Feed {
    world.feed(protocol(tongue), options, false).with_http(Arc::new(world.clone()))
}

/// Options under which a cut is mended at once.
fn quick() -> Options {
    Options { backoff: ms(5), backoff_cap: ms(5), quick_attempts: u32::MAX, ..Options::default() }
}

fn run(world: &Fake, feed: &mut Feed, until: Duration) -> (Events, Counts) {
    let events = world.run(feed, until, Duration::ZERO);
    (events, feed.counts())
}

fn health(events: &Events) -> Vec<(Duration, bool)> {
    let of = |(at, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Stale { .. } => Some((*at, false)),
        MarketEvent::Recovered { .. } => Some((*at, true)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// When quotes came; each was the venue's best bid and offer within the last second.
fn true_quotes(events: &Events, world: &Fake) -> Vec<Duration> {
    let venue = world.venue();
    let bests = &venue.book.as_ref().unwrap().bests;
    let mut times = Vec::new();
    for (at, event) in events {
        let MarketEvent::Quote(quote) = event else { continue };
        let quoted = (quote.bid, quote.bid_size, quote.ask, quote.ask_size);
        let from = bests.partition_point(|(since, _)| *since + SECOND < *at).saturating_sub(1);
        let recent = bests[from..].iter().take_while(|(since, _)| since <= at);
        assert!(recent.clone().any(|(_, best)| *best == quoted), "{quoted:?} at {at:?} was never so");
        times.push(*at);
    }
    times
}

/// The feed's book is the venue's, level by level.
fn same(feed: &Feed, world: &Fake, tongue: Tongue) {
    let venue = world.venue();
    let theirs = venue.book.as_ref().unwrap();
    let ours = feed.machine().book(&instrument(tongue)).unwrap_or_else(|| panic!("{tongue:?} has no book"));
    let bids: Vec<(Decimal, Decimal)> = ours.bids().map(|level| (level.price, level.size)).collect();
    let asks: Vec<(Decimal, Decimal)> = ours.asks().map(|level| (level.price, level.size)).collect();
    assert_eq!(bids, theirs.bids.iter().rev().map(|(price, size)| (*price, *size)).collect::<Vec<_>>());
    assert_eq!(asks, theirs.asks.iter().map(|(price, size)| (*price, *size)).collect::<Vec<_>>());
}

#[test]
fn the_book_is_the_venues() {
    for tongue in TONGUES {
        let world = world(tongue);
        let mut feed = feed(&world, tongue, Options::default());
        let (events, counts) = run(&world, &mut feed, 30 * SECOND);
        assert!(true_quotes(&events, &world).len() > 300, "{tongue:?} {}", events.len());
        assert_eq!((counts.books_lost, counts.lives, counts.unreadable), (0, 1, 0), "{tongue:?}");
        assert!(health(&events).is_empty(), "{tongue:?} {:?}", health(&events));
        same(&feed, &world, tongue);
    }
}

#[test]
fn a_dropped_update_is_seen_and_the_book_taken_anew() {
    // Coinbase's updates have no numbers.
    for tongue in TONGUES.into_iter().filter(|tongue| *tongue != Tongue::Coinbase) {
        for wrong in [Wrong::Dropped, Wrong::Late, Wrong::Garbled] {
            let world = world(tongue);
            world.venue().book.as_mut().unwrap().wrong.insert(500, wrong);
            let mut feed = feed(&world, tongue, Options::default());
            let (events, counts) = run(&world, &mut feed, 30 * SECOND);
            assert!(true_quotes(&events, &world).len() > 300);
            assert!((1..=2).contains(&counts.books_lost), "{tongue:?} {wrong:?} {counts:?}");
            assert_eq!(counts.lives, 1, "the connection is kept");
            same(&feed, &world, tongue);
        }
    }
}

#[test]
fn a_wrong_checksum_loses_the_book_at_once() {
    for tongue in [Tongue::Kraken, Tongue::Okx] {
        let world = world(tongue);
        {
            let mut venue = world.venue();
            let book = venue.book.as_mut().unwrap();
            (book.has_checksums, book.every) = (true, ms(100));
            book.wrong.insert(100, Wrong::Checksum);
        }
        let mut feed = feed(&world, tongue, Options::default());
        // The frame with the wrong one, and nothing after it.
        let at = ms(100) * 100 + ms(20);
        world.venue().book.as_mut().unwrap().has_no_snapshots = false;
        let mut events = world.run(&mut feed, at - ms(1), Duration::ZERO);
        assert!(feed.machine().book(&symbol()).is_some());
        world.venue().book.as_mut().unwrap().has_no_snapshots = true;
        let while_lost = world.run(&mut feed, at + 5 * SECOND, Duration::ZERO);
        assert!(feed.machine().book(&symbol()).is_none());
        assert!(true_quotes(&while_lost, &world).is_empty(), "{tongue:?} {while_lost:?}");
        let [(stale, false)] = *health(&while_lost) else { panic!("{while_lost:?}") };
        assert!(stale <= at + SECOND, "{stale:?}");
        assert_eq!(feed.machine().stale().count(), 1);
        let whose = while_lost.iter().find_map(|(_, event)| match event {
            MarketEvent::Stale { symbols, cause, .. } => Some((symbols.to_vec(), *cause)),
            _ => None,
        });
        // The stream itself is not interrupted: nothing of the past follows.
        assert_eq!(whose, Some((vec![symbol()], StaleCause::Silent)));
        events.extend(while_lost);
        world.venue().book.as_mut().unwrap().has_no_snapshots = false;
        events.extend(world.run(&mut feed, at + 60 * SECOND, Duration::ZERO));
        assert_eq!(health(&events).iter().map(|it| it.1).collect::<Vec<_>>(), [false, true]);
        assert_eq!((feed.counts().checksums, feed.counts().lives), (1, 1));
        assert!(true_quotes(&events, &world).len() > 100);
        same(&feed, &world, tongue);
    }
}

#[test]
fn updates_that_come_twice_count_once() {
    for tongue in TONGUES {
        let world = world(tongue);
        world.venue().book.as_mut().unwrap().twice = true;
        let mut feed = feed(&world, tongue, Options::default());
        let (events, counts) = run(&world, &mut feed, 10 * SECOND);
        assert!(true_quotes(&events, &world).len() > 100);
        assert_eq!(counts.books_lost, 0, "{tongue:?}");
        let is_numbered = !matches!(tongue, Tongue::Kraken | Tongue::Coinbase);
        assert_eq!(counts.duplicates > 400, is_numbered, "{tongue:?} {counts:?}");
        same(&feed, &world, tongue);
    }
}

#[test]
fn without_numbers_a_frame_that_cannot_be_read_loses_the_book() {
    let world = world(Tongue::Coinbase);
    world.venue().book.as_mut().unwrap().wrong.insert(200, Wrong::Garbled);
    let mut feed = feed(&world, Tongue::Coinbase, Options::default());
    let (events, counts) = run(&world, &mut feed, 10 * SECOND);
    assert_eq!((counts.books_lost, counts.unreadable), (1, 1));
    true_quotes(&events, &world);
    same(&feed, &world, Tongue::Coinbase);
}

#[test]
fn a_thousand_disconnects_in_a_minute_leave_no_wrong_book() {
    for tongue in TONGUES {
        let world = world(tongue);
        {
            let mut venue = world.venue();
            (venue.cut_every, venue.next_cut, venue.request_takes) = (Some(ms(55)), ms(1_000), ms(10));
            venue.book.as_mut().unwrap().every = ms(7);
        }
        let mut feed = feed(&world, tongue, quick());
        let (events, counts) = run(&world, &mut feed, 62 * SECOND);
        assert!(world.venue().cuts >= 1_000 && counts.lives >= 1_000, "{tongue:?} {counts:?}");
        assert!(true_quotes(&events, &world).len() > 1_000, "{tongue:?}");
        assert!(world.venue().most_lines <= 2);
    }
}

#[test]
fn stamps_from_the_future_are_not_handed_on_and_change_the_book() {
    for tongue in TONGUES {
        let world = world(tongue);
        world.venue().book.as_mut().unwrap().wrong =
            (100..200).map(|place| (place, Wrong::Ahead(60 * SECOND))).collect();
        let mut feed = feed(&world, tongue, Options::default());
        let (events, counts) = run(&world, &mut feed, 10 * SECOND);
        assert!(counts.future > 20 && counts.books_lost == 0, "{tongue:?} {counts:?}");
        let silent = true_quotes(&events, &world).into_iter().filter(|at| *at > ms(2_030) && *at < ms(4_000));
        assert_eq!(silent.count(), 0);
        same(&feed, &world, tongue);
    }
}

#[test]
fn a_planned_disconnect_hands_the_book_over() {
    for tongue in [Tongue::Spot, Tongue::Okx] {
        let world = world(tongue);
        let notice = match tongue {
            Tongue::Spot => r#"{"e":"serverShutdown","E":1}"#,
            _ => r#"{"event":"notice","code":"64008","msg":"soon","connId":"a"}"#,
        };
        world.venue().says.push_back((10 * SECOND, notice.to_owned()));
        let mut feed = feed(&world, tongue, quick());
        let (events, counts) = run(&world, &mut feed, 20 * SECOND);
        assert_eq!((counts.lives, counts.books_lost, world.venue().most_lines), (2, 0, 2));
        assert!(health(&events).is_empty());
        let times = true_quotes(&events, &world);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] < SECOND), "quotes go on");
        same(&feed, &world, tongue);
    }
}

#[test]
fn snapshots_are_asked_for_with_pauses_that_grow() {
    for tongue in TONGUES {
        let world = world(tongue);
        world.venue().book.as_mut().unwrap().has_no_snapshots = true;
        let mut feed = feed(&world, tongue, Options::default());
        let (events, _) = run(&world, &mut feed, 600 * SECOND);
        let asked = world.venue().book.as_ref().unwrap().snapshots;
        assert!((10..45).contains(&asked), "{tongue:?} {asked}");
        assert!(true_quotes(&events, &world).is_empty());
        assert!(matches!(*health(&events), [(_, false)]), "{tongue:?} {:?}", health(&events));
        world.venue().book.as_mut().unwrap().has_no_snapshots = false;
        let events = world.run(&mut feed, 660 * SECOND, Duration::ZERO);
        assert!(matches!(*health(&events), [(_, true)]), "{tongue:?} {:?}", health(&events));
        same(&feed, &world, tongue);
    }
}

#[test]
fn without_a_client_a_book_that_must_be_asked_for_never_comes() {
    let world = world(Tongue::Spot);
    let mut feed = world.feed(protocol(Tongue::Spot), Options::default(), false);
    let events = world.run(&mut feed, 60 * SECOND, Duration::ZERO);
    assert!(matches!(*health(&events), [(_, false)]), "{events:?}");
    assert!(true_quotes(&events, &world).is_empty());
    assert!(DataFeed::stats(&feed).running);
}
