//! Our live feed of Databento against the double of its gateway, over real sockets. The gateway gives nothing again: what is
//! missed is a gap, and nothing comes twice.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::broker::BoxFuture;
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{MarketEvent, StaleCause};
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_foundation::{Bar, Clock, DataFeed, Decimal, Interval, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::databento::{Live, LiveFeed, LiveWorld};
use mts_transport::{SystemClock, TcpConnector};
use mts_venues::{Double, Options, Venue};
use secrecy::SecretString;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Prints of a run with cuts, and how many prints there are for each cut.
const PRINTS: u32 = 200;
const EACH: u32 = 10;
/// So much faster than that of this machine passes the time of both sides.
const SPEED: u32 = 50;

/// A fast clock that began on Monday, 2 March 2026, at 15:00 UTC, with this process; who sleeps by it sleeps as much
/// shorter.
#[derive(Debug)]
struct Fast;

impl Clock for Fast {
    fn now(&self) -> Timestamp {
        "2026-03-02T15:00:00Z".parse::<Timestamp>().unwrap().plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        static BEGAN: LazyLock<Duration> = LazyLock::new(|| SystemClock.monotonic());
        let began = *BEGAN;
        SystemClock.monotonic().saturating_sub(began) * SPEED
    }
}

impl Sleep for Fast {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time / SPEED))
    }
}

/// A key that is at hand.
struct Key(SecretString);

impl SecretSource for Key {
    fn secret<'a>(&'a self, _: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn double() -> Double {
    Venue::Databento.start(Options::new(Arc::new(Fast))).unwrap()
}

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(240), what).await.unwrap() })
}

fn feed_with(double: &Double, key: SecretString, schemas: &[&str]) -> LiveFeed {
    let subscriptions = schemas.iter().map(|schema| ((*schema).to_owned(), [symbol("AAPL")].into()));
    let live = Live {
        dataset: double.endpoints()["dataset"].clone(),
        gateway: Some(double.endpoints()["gateway"].clone()),
        key: "env:DATABENTO_API_KEY".parse().unwrap(),
        subscriptions: subscriptions.collect(),
        names: [].into(),
    };
    let world = LiveWorld {
        connector: Arc::new(TcpConnector::default()),
        secrets: Arc::new(Key(key)),
        clock: Arc::new(Fast),
        sleep: Arc::new(Fast),
    };
    LiveFeed::new(live, world, 7).unwrap()
}

fn feed(double: &Double, schemas: &[&str]) -> LiveFeed {
    feed_with(double, double.credentials()["api_key"].clone(), schemas)
}

fn print(double: &Double, price: u32) {
    double.trades(&[Trade {
        trade_id: "".into(),
        symbol: symbol("AAPL"),
        price: Decimal::from(price),
        size: Decimal::ONE,
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }]);
}

fn until(what: &str, check: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if check() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    unreachable!("{what} did not come to pass");
}

/// A print that came, or a time of which none did.
#[derive(Debug, PartialEq)]
enum Came {
    Print(u32),
    Gap(Timestamp, Timestamp),
}

/// Follows prints until one has this price.
async fn follow(feed: &mut LiveFeed, last: u32) -> Vec<Came> {
    let mut came = Vec::new();
    feed.start().await.unwrap();
    loop {
        match feed.next().await.unwrap() {
            Some(MarketEvent::Trade(trade)) => {
                let price = u32::try_from(trade.price).unwrap();
                came.push(Came::Print(price));
                if price == last {
                    feed.stop().await.unwrap();
                    return came;
                }
            }
            Some(MarketEvent::Gap { from, to, .. }) => came.push(Came::Gap(from, to)),
            Some(MarketEvent::Fatal { message, .. }) => unreachable!("{message}"),
            Some(_) => {}
            None => unreachable!("the feed has ended"),
        }
    }
}

/// No print comes twice, each one that does not come is in a gap that is told in its place.
fn is_whole(came: &[Came], told_at: &[Timestamp]) -> usize {
    let (mut next, mut missed, mut gaps) = (1, 0, Vec::new());
    for one in came {
        match one {
            Came::Gap(from, to) => gaps.push((*from, *to)),
            Came::Print(price) => {
                assert!(*price >= next, "{price} came after {}", next - 1);
                for lost in next..*price {
                    let at = told_at[lost as usize - 1];
                    assert!(
                        gaps.iter().any(|(from, to)| *from <= at && at <= *to),
                        "{lost} of {at} is in none of {gaps:?}"
                    );
                    missed += 1;
                }
                next = price + 1;
                gaps.clear();
            }
        }
    }
    missed
}

#[test]
fn each_print_comes_once_or_is_in_a_gap_through_twenty_cuts() {
    let double = double();
    let (came, told_at) = std::thread::scope(|scope| {
        let told = scope.spawn(|| {
            let mut told_at = Vec::new();
            for number in 1..=PRINTS + 1 {
                // The first of each ten come, the others are told while nobody is there; the very last one comes.
                if number % EACH == 1 {
                    until("a stream", || double.streams() > 0);
                }
                told_at.push(Fast.now());
                print(&double, number);
                if number % EACH == EACH / 2 {
                    // Time enough for these to arrive.
                    std::thread::sleep(Duration::from_millis(20));
                    double.act(&Act::Stream(StreamFault::Cut)).unwrap();
                }
            }
            told_at
        });
        let came = run(async { follow(&mut feed(&double, &["trades"]), PRINTS + 1).await });
        (came, told.join().unwrap())
    });
    let missed = is_whole(&came, &told_at);
    let gaps = came.iter().filter(|one| matches!(one, Came::Gap(..))).count();
    let cuts = usize::try_from(PRINTS / EACH).unwrap();
    // A stream that is cut before it has begun is no gap of its own.
    assert!(gaps > cuts / 2, "{gaps} gaps of {cuts} cuts");
    // Those that were told while nobody was there, and the others.
    assert!(missed >= cuts && told_at.len() - missed >= cuts, "{missed} of {}", told_at.len());
}

/// What ends a feed.
async fn fatal(mut feed: LiveFeed) -> String {
    feed.start().await.unwrap();
    loop {
        match feed.next().await.unwrap() {
            Some(MarketEvent::Fatal { message, .. }) => {
                assert!(feed.next().await.unwrap().is_none());
                return message;
            }
            Some(_) => {}
            None => unreachable!("it ends without a word"),
        }
    }
}

#[test]
fn refusals_end_the_feed_with_what_to_do() {
    let double = double();
    run(async {
        let wrong = SecretString::from(format!("db-{}", "A".repeat(29)));
        let message = fatal(feed_with(&double, wrong, &["trades"])).await;
        assert!(message.contains("Authentication failed") && message.contains("check the key"), "{message}");
        let message = fatal(feed(&double, &["mbo"])).await;
        assert!(
            message.contains("mbo") && message.contains("check the key and the subscriptions"),
            "{message}"
        );
        assert_eq!(double.calls(Call::Stream), 2);
    });
}

#[test]
fn silence_is_stale_and_what_it_hid_is_a_gap() {
    let double = double();
    run(async {
        let mut feed = feed(&double, &["trades"]);
        feed.start().await.unwrap();
        let (mut told_at, mut was_stale, mut gap) = (None, false, None);
        loop {
            if double.streams() == 1 && told_at.is_none() {
                print(&double, 1);
            }
            // Heartbeats keep it alive, and nothing comes of them.
            let Ok(event) = tokio::time::timeout(Duration::from_millis(20), feed.next()).await else {
                continue;
            };
            match event.unwrap().unwrap() {
                MarketEvent::Trade(trade) if trade.price == Decimal::ONE && told_at.is_none() => {
                    double.act(&Act::Stream(StreamFault::Silent)).unwrap();
                    told_at = Some(Fast.now());
                    print(&double, 2);
                }
                MarketEvent::Trade(trade) if trade.price == Decimal::ONE => {}
                MarketEvent::Stale { cause, .. } if told_at.is_some() => {
                    assert_eq!(cause, StaleCause::Interrupted);
                    was_stale = true;
                }
                MarketEvent::Gap { from, to, .. } if told_at.is_some() => gap = Some((from, to)),
                MarketEvent::Recovered { .. } if told_at.is_some() => break,
                MarketEvent::Trade(trade) => unreachable!("{trade:?}"),
                MarketEvent::Fatal { message, .. } => unreachable!("{message}"),
                _ => {}
            }
        }
        let ((from, to), at) = (gap.unwrap(), told_at.unwrap());
        assert!(was_stale && from <= at && at <= to, "{from} {at} {to}");
        assert_eq!(feed.fault(), Some("nothing came for too long"));
    });
}

#[test]
fn trouble_is_no_end() {
    let double = double();
    let call = |call, fault| Act::Call { call, fault, times: 1 };
    let troubles = [
        Act::Stream(StreamFault::UnknownMessage),
        Act::Stream(StreamFault::Garbage),
        call(Call::Stream, CallFault::TooMany { retry_after: None }),
        call(Call::Stream, CallFault::NotRead),
        call(Call::Prices, CallFault::AnswerCut),
        call(Call::Prices, CallFault::Down { status: 503 }),
    ];
    let last = u32::try_from(troubles.len()).unwrap() * 2 + 1;
    let (came, told_at) = std::thread::scope(|scope| {
        let told = scope.spawn(|| {
            let mut told_at = Vec::new();
            let mut tell = |number| {
                told_at.push(Fast.now());
                print(&double, number);
            };
            for (number, trouble) in (0..).zip(&troubles) {
                until("a stream", || double.streams() > 0);
                tell(number * 2 + 1);
                double.act(trouble).unwrap();
                if matches!(trouble, Act::Call { .. }) {
                    double.act(&Act::Stream(StreamFault::Cut)).unwrap();
                }
                tell(number * 2 + 2);
                // Until what was said is read: garbage ends a stream, and another one begins.
                std::thread::sleep(Duration::from_millis(50));
            }
            until("a stream", || double.streams() > 0);
            tell(last);
            told_at
        });
        let came = run(async { follow(&mut feed(&double, &["trades"]), last).await });
        (came, told.join().unwrap())
    });
    let missed = is_whole(&came, &told_at);
    assert!(missed > 0, "{came:?}");
}

#[test]
fn quotes_and_bars_come_too() {
    let double = double();
    let end = "2026-03-02T15:00:00Z".parse().unwrap();
    let d = |text: &str| text.parse::<Decimal>().unwrap();
    let bar = Bar {
        symbol: symbol("AAPL"),
        interval: Interval::MINUTE,
        open: d("100"),
        high: d("120"),
        low: d("90"),
        close: d("111.25"),
        volume: d("7"),
        vwap: None,
        n_trades: None,
        timestamp: end,
        close_only: false,
        partial: false,
    };
    let quote = Quote {
        symbol: symbol("AAPL"),
        bid: d("99.99"),
        ask: d("100.01"),
        bid_size: d("3"),
        ask_size: d("4"),
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    };
    run(async {
        let mut feed = feed(&double, &["mbp-1", "ohlcv-1m"]);
        feed.start().await.unwrap();
        let (mut told, mut quotes, mut prints, mut bars) = (false, 0, 0, 0);
        while quotes < 2 || prints == 0 || bars == 0 {
            if double.streams() == 1 && !told {
                told = true;
                double.quote(&quote);
                print(&double, 100);
                double.bars(std::slice::from_ref(&bar));
            }
            let Ok(event) = tokio::time::timeout(Duration::from_millis(20), feed.next()).await else {
                continue;
            };
            match event.unwrap().unwrap() {
                MarketEvent::Quote(it) => {
                    assert_eq!(
                        (it.bid, it.ask, it.bid_size, it.ask_size),
                        (quote.bid, quote.ask, d("3"), d("4"))
                    );
                    assert_eq!(it.venue.as_str(), "XNAS");
                    quotes += 1;
                }
                MarketEvent::Trade(it) => {
                    assert_eq!((it.price, it.size), (d("100"), Decimal::ONE));
                    prints += 1;
                }
                MarketEvent::Bars { time, bars: it } => {
                    assert_eq!((time, it.as_ref()), (end, std::slice::from_ref(&bar)));
                    bars += 1;
                }
                event => unreachable!("{event:?}"),
            }
        }
        // The second quote is that of the print: the book as it was before.
        assert_eq!((quotes, prints, bars), (2, 1, 1));
    });
}

#[test]
fn a_slow_reader_of_ours_hears_of_it() {
    let double = double();
    run(async {
        let mut feed = feed(&double, &["trades", "mbp-1"]);
        feed.start().await.unwrap();
        while double.streams() == 0 {
            // Nothing comes before the stream begins.
            tokio::time::timeout(Duration::from_millis(20), feed.next()).await.unwrap_err();
        }
        let many = vec![
            Trade {
                trade_id: "".into(),
                symbol: symbol("AAPL"),
                price: Decimal::ONE,
                size: Decimal::ONE,
                venue: VenueName::new("test").unwrap(),
                timestamp: Timestamp::EPOCH,
            };
            20_000
        ];
        for _ in 0..4 {
            double.trades(&many);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        loop {
            match feed.next().await.unwrap().unwrap() {
                MarketEvent::Gap { from, to, .. } => {
                    assert!(from < to, "{from} {to}");
                    break;
                }
                MarketEvent::Trade(_) | MarketEvent::Quote(_) => {}
                event => unreachable!("{event:?}"),
            }
        }
        assert_eq!((feed.counts().slow_warnings, feed.fault()), (1, None));
        assert!(feed.complaints()[0].contains("skipped"), "{:?}", feed.complaints());
    });
}
