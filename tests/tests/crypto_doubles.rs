//! Our streams of Kraken and Coinbase Exchange against doubles over real sockets: no print is lost or doubled, whatever the
//! connection does, what is missing is said, and order books are the venue's.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "common/prices.rs"]
mod prices;

use bytes::Bytes;
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::io::{
    DynHttpClient, DynSocketConnector, HttpClient, RequestOptions, Socket, SocketConnector, TransportError,
};
use mts_foundation::market_data::{DynMarketData, MarketEvent};
use mts_foundation::{Bar, DataFeed, Decimal, Interval, Quote};
use mts_marketdata::feeds::{CryptoConfig, CryptoFeed, FeedWorld};
use mts_marketdata::stream::{Protocol, StreamFeed, Topic, venues};
use mts_transport::{Stack, TokioSleep};
use mts_venues::{Double, Venue};
use prices::{
    Then, described, double, fatal, feed, is_whole, print, prints_through_trouble, quote, run, stack, symbol,
};
use std::sync::Arc;
use std::time::Duration;

const KRAKEN_PAST: &str = include_str!("../../crates/marketdata/src/feeds/history/kraken.toml");
const COINBASE_PAST: &str = include_str!("../../crates/marketdata/src/feeds/history/coinbase.toml");
const HOSTS: [&str; 2] = ["https://api.kraken.com", "https://api.exchange.coinbase.com"];

fn kraken(double: &Double, topics: impl IntoIterator<Item = Topic>) -> venues::Kraken {
    venues::Kraken::at(topics, &double.endpoints()["stream"]).unwrap()
}

fn coinbase(double: &Double, topics: impl IntoIterator<Item = Topic>) -> venues::Coinbase {
    venues::Coinbase::at(topics, &double.endpoints()["stream"]).unwrap()
}

/// What the shipped feed asks for what it has missed.
fn past(venue: Venue, double: &Double, stack: &Stack) -> Option<Arc<dyn DynMarketData>> {
    let text = if venue == Venue::Kraken { KRAKEN_PAST } else { COINBASE_PAST };
    Some(Arc::new(described(venue.as_str(), text, &HOSTS, double, stack)))
}

fn btc() -> Topic {
    Topic::trades(symbol("BTC-USD"))
}

/// A runtime of its own, for clients that are made outside of one.
fn stack_of(venue: Venue) -> Stack {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { stack(venue.as_str()) })
}

#[test]
fn no_print_of_kraken_is_lost_or_doubled_through_trouble() {
    let (double, stack) = (double(Venue::Kraken), stack_of(Venue::Kraken));
    let past = past(Venue::Kraken, &double, &stack);
    let feed = feed(&stack, kraken(&double, [btc()]), past);
    let (prices, feed) = prints_through_trouble(&double, "BTC-USD", feed);
    is_whole(&prices, &feed, 1);
}

#[test]
fn no_print_of_coinbase_is_lost_or_doubled_through_trouble() {
    let (double, stack) = (double(Venue::Coinbase), stack_of(Venue::Coinbase));
    let past = past(Venue::Coinbase, &double, &stack);
    let feed = feed(&stack, coinbase(&double, [btc()]), past);
    let (prices, feed) = prints_through_trouble(&double, "BTC-USD", feed);
    is_whole(&prices, &feed, 1);
}

/// Events until one is wanted; the next acts come when the feed follows.
async fn until<P: Protocol>(
    feed: &mut StreamFeed<P>,
    mut events: Vec<MarketEvent>,
    wanted: impl Fn(&[MarketEvent], &StreamFeed<P>) -> bool,
) -> Vec<MarketEvent> {
    while !wanted(&events, feed) {
        // Who asks the feed for nothing is told nothing: the time runs out so that its counts are looked at.
        let Ok(event) = tokio::time::timeout(Duration::from_millis(20), feed.next()).await else { continue };
        match event.unwrap().unwrap() {
            MarketEvent::Fatal { message, .. } => unreachable!("{message}"),
            event => events.push(event),
        }
    }
    events
}

fn prices_of(events: &[MarketEvent]) -> Vec<u32> {
    let price = |event: &MarketEvent| match event {
        MarketEvent::Trade(trade) => Some(u32::try_from(trade.price).unwrap()),
        _ => None,
    };
    events.iter().filter_map(price).collect()
}

/// A print that the venue drops is seen by its number: fetched where there is a past to ask, else said to be missing.
async fn loses_a_print<P: Protocol>(double: &Double, mut feed: StreamFeed<P>, has_past: bool) {
    feed.start().await.unwrap();
    let events = until(&mut feed, Vec::new(), |_, feed| feed.counts().lives == 1).await;
    print(double, "BTC-USD", 1);
    // Prints of another instrument are no holes.
    print(double, "ETH-USD", 1);
    print(double, "BTC-USD", 2);
    let events = until(&mut feed, events, |events, _| prices_of(events).len() == 2).await;
    double.act(&Act::Stream(StreamFault::Lost)).unwrap();
    print(double, "BTC-USD", 3);
    print(double, "BTC-USD", 4);
    let events = until(&mut feed, events, |events, _| prices_of(events).last() == Some(&4)).await;
    let gaps = events.iter().filter(|event| matches!(event, MarketEvent::Gap { .. })).count();
    let counts = feed.counts();
    if has_past {
        assert_eq!((prices_of(&events), gaps), (vec![1, 2, 3, 4], 0));
        // The past has the one that waits, too.
        assert_eq!((counts.backfilled, counts.missing, counts.lives), (2, 0, 1), "{counts:?}");
    } else {
        assert_eq!((prices_of(&events), gaps), (vec![1, 2, 4], 1));
        assert_eq!((counts.backfilled, counts.missing, counts.lives), (0, 1, 1), "{counts:?}");
    }
    feed.stop().await.unwrap();
}

#[test]
fn a_print_that_the_venue_drops_is_seen_by_its_number() {
    run(async {
        for has_past in [true, false] {
            let (at, of) = (double(Venue::Kraken), stack("kraken"));
            let past_of = past(Venue::Kraken, &at, &of).filter(|_| has_past);
            loses_a_print(&at, feed(&of, kraken(&at, [btc()]), past_of), has_past).await;
            let (at, of) = (double(Venue::Coinbase), stack("coinbase"));
            let past_of = past(Venue::Coinbase, &at, &of).filter(|_| has_past);
            loses_a_print(&at, feed(&of, coinbase(&at, [btc()]), past_of), has_past).await;
        }
    });
}

fn best(bid: i64, ask: i64) -> Quote {
    Quote { bid: Decimal::new(bid, 1), ask: Decimal::new(ask, 1), ..quote("BTC-USD") }
}

fn quotes_of(events: &[MarketEvent]) -> Vec<(Decimal, Decimal)> {
    let quote = |event: &MarketEvent| match event {
        MarketEvent::Quote(quote) => Some((quote.bid, quote.ask)),
        _ => None,
    };
    events.iter().filter_map(quote).collect()
}

/// An order book is followed; how many quotes are told of it.
async fn follows_a_book<P: Protocol>(double: &Double, mut feed: StreamFeed<P>) -> StreamFeed<P> {
    double.quote(&best(990, 1_010));
    feed.start().await.unwrap();
    let mut events = until(&mut feed, Vec::new(), |events, _| quotes_of(events).len() == 1).await;
    for (step, lost) in [(1, false), (2, true), (3, false), (4, false)] {
        if lost {
            double.act(&Act::Stream(StreamFault::Lost)).unwrap();
        }
        double.quote(&best(990 + step, 1_010 + step));
        let wanted = (Decimal::new(990 + step, 1), Decimal::new(1_010 + step, 1));
        if !lost {
            events = until(&mut feed, events, |events, _| quotes_of(events).last() == Some(&wanted)).await;
        }
    }
    let told = quotes_of(&events);
    assert!(told.iter().all(|(bid, ask)| *ask - *bid == Decimal::TWO), "{told:?}");
    let book = feed.machine().book(&symbol("BTC-USD")).unwrap();
    assert_eq!((book.bids().count(), book.asks().count()), (1, 1));
    feed.stop().await.unwrap();
    feed
}

#[test]
fn a_book_of_kraken_is_taken_anew_when_its_checksum_does_not_fit() {
    let double = double(Venue::Kraken);
    run(async {
        let topic = Topic::book(symbol("BTC-USD"));
        let stack = stack("kraken");
        let feed = follows_a_book(&double, feed(&stack, kraken(&double, [topic]), None)).await;
        let counts = feed.counts();
        assert_eq!((counts.books_lost, counts.checksums, counts.lives), (1, 1, 1), "{counts:?}");
    });
}

#[test]
fn a_book_of_coinbase_is_followed() {
    let double = double(Venue::Coinbase);
    run(async {
        double.quote(&best(990, 1_010));
        let topic = Topic::book(symbol("BTC-USD"));
        let stack = stack("coinbase");
        let mut feed = feed(&stack, coinbase(&double, [topic]), None);
        feed.start().await.unwrap();
        let mut events = until(&mut feed, Vec::new(), |events, _| quotes_of(events).len() == 1).await;
        for step in 1..=3 {
            double.quote(&best(990 + step, 1_010 + step));
            events = until(&mut feed, events, |events, _| {
                quotes_of(events).len() > usize::try_from(step).unwrap()
            })
            .await;
        }
        let wanted = (0..=3).map(|step| (Decimal::new(990 + step, 1), Decimal::new(1_010 + step, 1)));
        assert_eq!(quotes_of(&events), wanted.collect::<Vec<_>>());
        assert_eq!(feed.counts().books_lost, 0);
    });
}

#[test]
fn best_prices_of_coinbase_come_with_its_prints() {
    let double = double(Venue::Coinbase);
    run(async {
        let stack = stack("coinbase");
        double.quote(&best(990, 1_010));
        let mut feed = feed(&stack, coinbase(&double, [Topic::quotes(symbol("BTC-USD"))]), None);
        feed.start().await.unwrap();
        let events = until(&mut feed, Vec::new(), |events, _| !quotes_of(events).is_empty()).await;
        double.quote(&best(980, 1_020));
        double.quote(&best(985, 1_025));
        print(&double, "BTC-USD", 100);
        let events = until(&mut feed, events, |events, _| quotes_of(events).len() > 1).await;
        let wanted = [(990, 1_010), (985, 1_025)];
        assert_eq!(quotes_of(&events), wanted.map(|(bid, ask)| (Decimal::new(bid, 1), Decimal::new(ask, 1))));
    });
}

fn minute(end: &str, close: u32) -> Bar {
    Bar {
        symbol: symbol("BTC-USD"),
        interval: Interval::MINUTE,
        open: Decimal::from(100),
        high: Decimal::from(130),
        low: Decimal::from(90),
        close: Decimal::from(close),
        volume: Decimal::from(7),
        vwap: Some(Decimal::from(101)),
        n_trades: Some(3),
        timestamp: end.parse().unwrap(),
        close_only: false,
        partial: false,
    }
}

#[test]
fn quotes_and_candles_of_kraken_come_through_our_stream() {
    let double = double(Venue::Kraken);
    run(async {
        let stack = stack("kraken");
        let topics = [Topic::quotes(symbol("BTC-USD")), Topic::bars(symbol("BTC-USD"), Interval::MINUTE)];
        let mut feed = feed(&stack, kraken(&double, topics), None);
        feed.start().await.unwrap();
        let events = until(&mut feed, Vec::new(), |_, feed| feed.counts().lives == 1).await;
        double.quote(&best(995, 1_005));
        // A candle is over when the next one begins.
        let bars = [minute("2026-03-02T14:59:00Z", 110), minute("2026-03-02T15:00:00Z", 120)];
        double.bars(&bars[..1]);
        double.bars(&bars[1..]);
        let is_bar = |event: &MarketEvent| matches!(event, MarketEvent::Bars { .. });
        let is_done = |events: &[MarketEvent], _: &_| {
            events.iter().any(is_bar)
                && quotes_of(events).contains(&(Decimal::new(995, 1), Decimal::new(1_005, 1)))
        };
        let events = until(&mut feed, events, is_done).await;
        let told: Vec<&Bar> = events
            .iter()
            .filter_map(|event| match event {
                MarketEvent::Bars { bars, .. } => bars.first(),
                _ => None,
            })
            .collect();
        assert_eq!(told, [&bars[0]]);
    });
}

#[test]
fn pairs_that_the_doubles_do_not_have_end_a_stream_with_its_reason() {
    let (at_kraken, at_coinbase) = (double(Venue::Kraken), double(Venue::Coinbase));
    run(async {
        let none = || [Topic::trades(symbol("NONE-USD"))];
        let of_kraken = feed(&stack("kraken"), kraken(&at_kraken, none()), None);
        let message = fatal(of_kraken).await;
        assert!(message.contains("Currency pair not supported NONE/USD"), "{message}");
        let of_coinbase = feed(&stack("coinbase"), coinbase(&at_coinbase, none()), None);
        let message = fatal(of_coinbase).await;
        assert!(message.contains("NONE-USD is not a valid product"), "{message}");
    });
}

/// The world as it is, but for the venue's hosts: they are the double.
struct Rerouted {
    stack: Stack,
    host: String,
    stream: String,
}

impl Rerouted {
    fn to(&self, scheme: &str, uri: &http::Uri, whole: Option<&str>) -> http::Uri {
        let here = format!("{scheme}://{}{}", self.host, uri.path_and_query().unwrap());
        whole.map_or(here, str::to_owned).parse().unwrap()
    }
}

impl HttpClient for Rerouted {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        *request.uri_mut() = self.to("http", request.uri(), None);
        self.stack.http().send(request, options).await
    }
}

impl SocketConnector for Rerouted {
    async fn connect(
        &self,
        mut request: http::Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        *request.uri_mut() = self.to("ws", request.uri(), Some(&self.stream));
        self.stack.sockets().connect(request, deadline).await
    }
}

/// The feed that runs ship with, cut for longer than prices may be gone: it says so, and nothing is missing.
async fn is_cut_and_recovers(venue: Venue) {
    let double = double(venue);
    let name = venue.as_str();
    let world = Arc::new(Rerouted {
        stack: stack(name),
        host: double.address().to_string(),
        stream: double.endpoints()["stream"].clone(),
    });
    let world = FeedWorld {
        http: Arc::clone(&world) as Arc<dyn DynHttpClient>,
        sockets: world as Arc<dyn DynSocketConnector>,
        clock: Arc::new(Then),
        sleep: Arc::new(TokioSleep),
        random: 7,
    };
    let symbols = ["BTC-USD", "ETH-USD"];
    let config = CryptoConfig {
        stream_trades: true,
        stream_ohlcv: false,
        ..CryptoConfig::new(name, symbols.map(symbol))
    };
    let mut feed = CryptoFeed::new(&config, &world).unwrap();
    feed.start().await.unwrap();
    let (mut events, mut step) = (Vec::new(), 0);
    let (mut stale, mut recovered) = (None, None);
    while recovered.is_none() || prices_of(&events).len() < 18 {
        let told = |numbers: std::ops::Range<u32>| {
            for number in numbers {
                for of in symbols {
                    print(&double, of, number);
                }
            }
        };
        match step {
            0 if double.streams() == 1 => {
                told(1..4);
                step = 1;
            }
            1 if prices_of(&events).len() == 6 => {
                let late = CallFault::Late { by_millis: 1_500 };
                double.act(&Act::Call { call: Call::Stream, fault: late, times: 1 }).unwrap();
                double.act(&Act::Stream(StreamFault::Cut)).unwrap();
                told(4..7);
                step = 2;
            }
            2 if stale.is_some() && double.streams() == 1 => {
                told(7..10);
                step = 3;
            }
            _ => {}
        }
        let Ok(event) = tokio::time::timeout(Duration::from_millis(20), feed.next()).await else { continue };
        let event = event.unwrap().unwrap();
        match &event {
            MarketEvent::Stale { .. } => stale = Some(events.len()),
            MarketEvent::Recovered { .. } => recovered = Some(events.len()),
            MarketEvent::Gap { .. } | MarketEvent::Fatal { .. } => unreachable!("{event:?} after {events:?}"),
            _ => {}
        }
        events.push(event);
    }
    assert!(stale < recovered, "{events:?}");
    let backfilled = events.iter().filter(|event| matches!(event, MarketEvent::Backfilled { .. })).count();
    assert_eq!(backfilled, symbols.len(), "{events:?}");
    for of in symbols {
        let of = symbol(of);
        let own: Vec<MarketEvent> = events
            .iter()
            .filter(|event| matches!(event, MarketEvent::Trade(trade) if trade.symbol == of))
            .cloned()
            .collect();
        assert_eq!(prices_of(&own), (1..10).collect::<Vec<_>>(), "{of}");
    }
    feed.stop().await.unwrap();
}

#[test]
fn the_feed_of_kraken_says_that_it_is_cut_and_that_it_is_back() {
    run(is_cut_and_recovers(Venue::Kraken));
}

#[test]
fn the_feed_of_coinbase_says_that_it_is_cut_and_that_it_is_back() {
    run(is_cut_and_recovers(Venue::Coinbase));
}

/// Without a past to ask, what came during a cut is said to be missing.
async fn is_cut_without_a_past<P: Protocol>(double: &Double, mut feed: StreamFeed<P>) {
    feed.start().await.unwrap();
    let events = until(&mut feed, Vec::new(), |_, feed| feed.counts().lives == 1).await;
    print(double, "BTC-USD", 1);
    let events = until(&mut feed, events, |events, _| prices_of(events) == [1]).await;
    double.act(&Act::Stream(StreamFault::Cut)).unwrap();
    print(double, "BTC-USD", 2);
    let events = until(&mut feed, events, |_, feed| feed.counts().lives == 2).await;
    print(double, "BTC-USD", 3);
    let events = until(&mut feed, events, |events, _| prices_of(events).last() == Some(&3)).await;
    let gap = events.iter().position(|event| matches!(event, MarketEvent::Gap { .. })).unwrap();
    assert_eq!((prices_of(&events[..gap]), prices_of(&events[gap..])), (vec![1], vec![3]));
    assert_eq!(feed.counts().missing, 1);
    feed.stop().await.unwrap();
}

#[test]
fn what_came_during_a_cut_is_said_to_be_missing_where_nobody_can_be_asked() {
    let (at_kraken, at_coinbase) = (double(Venue::Kraken), double(Venue::Coinbase));
    run(async {
        let of_kraken = feed(&stack("kraken"), kraken(&at_kraken, [btc()]), None);
        is_cut_without_a_past(&at_kraken, of_kraken).await;
        let of_coinbase = feed(&stack("coinbase"), coinbase(&at_coinbase, [btc()]), None);
        is_cut_without_a_past(&at_coinbase, of_coinbase).await;
    });
}
