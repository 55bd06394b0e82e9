//! Our clients of market data and the doubles of venues that they read: what their tests share.
#![allow(unreachable_pub, dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::Clock;
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::market_data::{self, MarketEvent};
use mts_foundation::{DataFeed, Decimal, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::exchanges::{DescribedExchange, Descriptor};
use mts_marketdata::stream::{Options, Patience, Protocol, StreamFeed, World};
use mts_transport::{ReconnectOptions, Stack, SystemClock, TokioSleep};
use mts_venues::{Double, Venue};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Prints of a run with faults.
pub const PRINTS: u32 = 200;

/// A clock that began on Monday, 2 March 2026, at 15:00 UTC, with this process: the past of the doubles is always the same.
#[derive(Debug)]
pub struct Then;

impl Clock for Then {
    fn now(&self) -> Timestamp {
        static BEGAN: LazyLock<Duration> = LazyLock::new(|| SystemClock.monotonic());
        let began = *BEGAN;
        "2026-03-02T15:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .plus(SystemClock.monotonic().saturating_sub(began))
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

pub fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

pub fn double(venue: Venue) -> Double {
    venue.start(mts_venues::Options::new(Arc::new(Then))).unwrap()
}

pub fn stack(name: &str) -> Stack {
    let reconnect = ReconnectOptions {
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(10),
        failures: u32::MAX,
        ..ReconnectOptions::default()
    };
    Stack::builder(name, Arc::new(Then)).reconnect(reconnect).build().unwrap()
}

pub fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), what).await.unwrap() })
}

pub fn print(double: &Double, of: &str, price: u32) {
    double.trades(&[Trade {
        trade_id: "".into(),
        symbol: symbol(of),
        price: Decimal::from(price),
        size: Decimal::ONE,
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }]);
}

pub fn quote(of: &str) -> Quote {
    Quote {
        symbol: symbol(of),
        bid: Decimal::from(99),
        ask: Decimal::from(101),
        bid_size: Decimal::ONE,
        ask_size: Decimal::TWO,
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }
}

pub fn feed<P: Protocol>(
    stack: &Stack,
    protocol: P,
    history: Option<Arc<dyn market_data::DynMarketData>>,
) -> StreamFeed<P> {
    let world =
        World { connector: stack.sockets(), sleep: Arc::new(TokioSleep), clock: Arc::new(Then), history };
    let options = Options {
        backoff: Duration::from_millis(5),
        backoff_cap: Duration::from_millis(20),
        quick_attempts: 10_000,
        history_after: Duration::from_millis(20),
        ..Options::default()
    };
    StreamFeed::new(protocol, |_| Patience::always(Duration::from_secs(60)), options, world, 7)
}

/// What goes wrong at some of the prints.
pub fn trouble(number: u32) -> Vec<Act> {
    let call = |call, fault| Act::Call { call, fault, times: 1 };
    match number % 40 {
        5 => vec![Act::Stream(StreamFault::Twice)],
        10 => vec![Act::Stream(StreamFault::Cut)],
        15 => vec![Act::Stream(StreamFault::UnknownMessage)],
        // A slow handshake, and a slow history after it.
        20 => vec![
            call(Call::Stream, CallFault::Late { by_millis: 100 }),
            call(Call::Prices, CallFault::Late { by_millis: 100 }),
            Act::Stream(StreamFault::Cut),
        ],
        // No handshake at first.
        30 => vec![call(Call::Stream, CallFault::NotRead), Act::Stream(StreamFault::Cut)],
        // The history is down once.
        35 => vec![call(Call::Prices, CallFault::Down { status: 503 }), Act::Stream(StreamFault::Cut)],
        _ => Vec::new(),
    }
}

/// Follows prints through all that, and gives back their prices and what it has counted.
pub fn prints_through_trouble<P: Protocol + Send>(
    double: &Double,
    of: &str,
    mut feed: StreamFeed<P>,
) -> (Vec<u32>, StreamFeed<P>) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=PRINTS {
                let acts = trouble(number);
                // The next trouble comes when the last one is over; prints come all the time.
                for _ in 0..5_000 {
                    if (number != 1 && acts.is_empty()) || double.streams() > 0 {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                print(double, of, number);
                for act in acts {
                    double.act(&act).unwrap();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        run(async {
            let mut prices = Vec::new();
            feed.start().await.unwrap();
            while prices.last() != Some(&PRINTS) {
                match feed.next().await.unwrap() {
                    Some(MarketEvent::Trade(trade)) => prices.push(u32::try_from(trade.price).unwrap()),
                    Some(MarketEvent::Fatal { message, .. }) => unreachable!("{message}"),
                    Some(gap @ MarketEvent::Gap { .. }) => unreachable!("{gap:?} after {:?}", prices.last()),
                    Some(_) => {}
                    None => unreachable!("the feed has ended"),
                }
            }
            feed.stop().await.unwrap();
            (prices, feed)
        })
    })
}

/// All prints have come once, in their order, through as many connections as there were cuts; of those that came twice at least
/// so many showed. What waits for a history by its number shows none.
pub fn is_whole<P: Protocol>(prices: &[u32], feed: &StreamFeed<P>, duplicates: u32) {
    assert_eq!(prices, (1..=PRINTS).collect::<Vec<_>>());
    let counts = feed.counts();
    // Four cuts in each forty prints.
    assert_eq!(counts.lives, u64::from(PRINTS / 40 * 4 + 1), "{counts:?}");
    assert!(counts.duplicates >= u64::from(duplicates) && counts.backfilled > 0, "{counts:?}");
}

/// What ends a feed.
pub async fn fatal<P: Protocol>(mut feed: StreamFeed<P>) -> String {
    feed.start().await.unwrap();
    loop {
        match feed.next().await.unwrap() {
            Some(MarketEvent::Fatal { message, .. }) => return message,
            Some(_) => {}
            None => unreachable!("it ends without a word"),
        }
    }
}

/// An exchange by its descriptor, whose addresses lead to a double.
pub fn described(
    name: &str,
    text: &str,
    hosts: &[&str],
    double: &Double,
    stack: &Stack,
) -> DescribedExchange {
    let at = format!("http://{}", double.address());
    let text = hosts.iter().fold(text.to_owned(), |text, host| text.replace(host, &at));
    assert!(!text.contains("https://"), "{name} has another host");
    let descriptor = Arc::new(Descriptor::read(name, &text).unwrap());
    DescribedExchange::new(descriptor, stack.http(), Arc::new(Then)).unwrap()
}
