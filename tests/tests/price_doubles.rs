//! Our clients of market data against doubles over real sockets: pages, streams with faults, refusals. No print is lost or
//! doubled, whatever the connection does.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_foundation::Clock;
use mts_foundation::double::{Act, Call, CallFault, StreamFault, VenueDouble};
use mts_foundation::market_data::{self, MarketEvent};
use mts_foundation::{
    Bar, DataFeed, Decimal, Interval, MarketData, Quote, Symbol, Timestamp, Trade, VenueName,
};
use mts_marketdata::exchanges::{self, DescribedExchange, Descriptor};
use mts_marketdata::stream::{Channel, Options, Patience, Protocol, StreamFeed, Topic, World, venues};
use mts_marketdata::{alpaca, polygon};
use mts_transport::{ReconnectOptions, Stack, SystemClock, TokioSleep};
use mts_venues::{Double, Venue};
use secrecy::SecretString;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Prints of a run with faults.
const PRINTS: u32 = 200;

/// A clock that began on Monday, 2 March 2026, at 15:00 UTC, with this process: the past of the doubles is always the same.
#[derive(Debug)]
struct Then;

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

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn double(venue: Venue) -> Double {
    venue.start(mts_venues::Options::new(Arc::new(Then))).unwrap()
}

fn stack(name: &str) -> Stack {
    let reconnect = ReconnectOptions {
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(10),
        failures: u32::MAX,
        ..ReconnectOptions::default()
    };
    Stack::builder(name, Arc::new(Then)).reconnect(reconnect).build().unwrap()
}

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), what).await.unwrap() })
}

fn print(double: &Double, of: &str, price: u32) {
    double.trades(&[Trade {
        trade_id: "".into(),
        symbol: symbol(of),
        price: Decimal::from(price),
        size: Decimal::ONE,
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }]);
}

fn alpaca_key(double: &Double) -> (SecretString, SecretString) {
    let secrets = double.credentials();
    (secrets["key_id"].clone(), secrets["secret_key"].clone())
}

fn our_alpaca(double: &Double, stack: &Stack, page: u32) -> alpaca::Alpaca {
    let base_url = double.endpoints()["data"].clone();
    let settings = alpaca::Settings { base_url, page, ..alpaca::Settings::default() };
    alpaca::Alpaca::new(settings, alpaca_key(double), stack.http(), Arc::new(Then)).unwrap()
}

fn our_polygon(double: &Double, stack: &Stack, page: u32) -> polygon::Polygon {
    let base_url = double.endpoints()["rest"].clone();
    let settings = polygon::Settings { base_url, page, ..polygon::Settings::default() };
    let key = double.credentials()["api_key"].clone();
    polygon::Polygon::new(settings, key, stack.http(), Arc::new(Then)).unwrap()
}

/// What every client of prices must read: bars in pages that are those of one page, prints, the newest quote.
async fn reads(double: &Double, few: &impl MarketData, all: &impl MarketData) {
    let now = Then.now();
    let start = Timestamp::from_nanos(now.nanos() - 9 * 86_400_000_000_000);
    for of in ["AAPL", "BTC-USD"] {
        let of = symbol(of);
        let before = double.calls(Call::Prices);
        let paged = few.bars(&of, Interval::HOUR, start, None).await.unwrap();
        assert!(double.calls(Call::Prices) - before > 2, "{of}: more pages than that");
        let whole = all.bars(&of, Interval::HOUR, start, None).await.unwrap();
        assert_eq!(paged, whole);
        assert!(whole.len() > 30 && whole.is_sorted_by_key(|bar| bar.timestamp), "{of}: {}", whole.len());
        let minutes = all.bars(&of, Interval::MINUTE, start, None).await.unwrap();
        let sum = |bars: &[Bar]| bars.iter().map(|bar| bar.volume).sum::<Decimal>();
        let upto = |bars: &[Bar], end: Timestamp| {
            bars.iter().filter(|bar| bar.timestamp <= end).cloned().collect::<Vec<_>>()
        };
        let (first, last) = (whole[0].timestamp, whole.last().unwrap().timestamp);
        let inside: Vec<Bar> = upto(&minutes, last).into_iter().filter(|bar| bar.timestamp > first).collect();
        assert_eq!(sum(&inside), sum(&whole[1..]), "{of}");
        let prints = all.trades(&of, now).await.unwrap();
        assert!(prints.len() > 500 && prints.is_sorted_by_key(|print| print.timestamp), "{of}");
        let asof = prints[prints.len() / 2].timestamp;
        assert_eq!(all.trades(&of, asof).await.unwrap().last().unwrap().timestamp, asof, "{of}");
    }
    let days = all.bars(&symbol("AAPL"), Interval::DAY, start, None).await.unwrap();
    assert!(days.len() >= 5, "{}", days.len());
}

#[test]
fn our_client_of_alpaca_reads_the_double() {
    let double = double(Venue::Alpaca);
    run(async {
        let stack = stack("alpaca");
        let (few, all) = (our_alpaca(&double, &stack, 10), our_alpaca(&double, &stack, 10_000));
        reads(&double, &few, &all).await;
        for of in ["AAPL", "ETH-USD"] {
            double.quote(&quote(of));
            let found = all.quote(&symbol(of)).await.unwrap();
            assert_eq!((found.bid, found.ask), (Decimal::from(99), Decimal::from(101)));
        }
    });
}

#[test]
fn our_client_of_polygon_reads_the_double() {
    let double = double(Venue::Polygon);
    run(async {
        let stack = stack("polygon");
        let (few, all) = (our_polygon(&double, &stack, 600), our_polygon(&double, &stack, 50_000));
        reads(&double, &few, &all).await;
        for of in ["AAPL", "EUR-USD"] {
            double.quote(&quote(of));
            let found = all.quote(&symbol(of)).await.unwrap();
            assert_eq!((found.bid, found.ask), (Decimal::from(99), Decimal::from(101)));
        }
    });
}

fn quote(of: &str) -> Quote {
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

fn feed<P: Protocol>(
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

fn alpaca_stream(double: &Double, topics: impl IntoIterator<Item = Topic>) -> venues::Alpaca {
    let url = format!("ws://{}/v2/iex", double.address());
    venues::Alpaca::at(topics, &url, alpaca_key(double)).unwrap()
}

fn polygon_stream(double: &Double, topics: impl IntoIterator<Item = Topic>) -> venues::Polygon {
    let url = double.endpoints()["stream"].clone();
    venues::Polygon::at(topics, &url, double.credentials()["api_key"].clone()).unwrap()
}

/// What goes wrong at some of the prints.
fn trouble(number: u32) -> Vec<Act> {
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
fn prints_through_trouble<P: Protocol + Send>(
    double: &Double,
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
                print(double, "AAPL", number);
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

fn is_whole<P: Protocol>(prices: &[u32], feed: &StreamFeed<P>) {
    assert_eq!(prices, (1..=PRINTS).collect::<Vec<_>>());
    let counts = feed.counts();
    // Four cuts in each forty prints.
    assert_eq!(counts.lives, u64::from(PRINTS / 40 * 4 + 1), "{counts:?}");
    assert!(counts.duplicates >= u64::from(PRINTS / 40) && counts.backfilled > 0, "{counts:?}");
}

#[test]
fn no_print_of_alpaca_is_lost_or_doubled_through_trouble() {
    let double = double(Venue::Alpaca);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stack = runtime.block_on(async { stack("alpaca") });
    let history = Arc::new(our_alpaca(&double, &stack, 10_000));
    let protocol = alpaca_stream(&double, [Topic { channel: Channel::Trades, symbol: symbol("AAPL") }]);
    let (prices, feed) = prints_through_trouble(&double, feed(&stack, protocol, Some(history)));
    is_whole(&prices, &feed);
}

#[test]
fn no_print_of_polygon_is_lost_or_doubled_through_trouble() {
    let double = double(Venue::Polygon);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stack = runtime.block_on(async { stack("polygon") });
    let history = Arc::new(our_polygon(&double, &stack, 50_000));
    let protocol = polygon_stream(&double, [Topic { channel: Channel::Trades, symbol: symbol("AAPL") }]);
    let (prices, feed) = prints_through_trouble(&double, feed(&stack, protocol, Some(history)));
    is_whole(&prices, &feed);
}

/// What ends a feed.
async fn fatal<P: Protocol>(mut feed: StreamFeed<P>) -> String {
    feed.start().await.unwrap();
    loop {
        match feed.next().await.unwrap() {
            Some(MarketEvent::Fatal { message, .. }) => return message,
            Some(_) => {}
            None => unreachable!("it ends without a word"),
        }
    }
}

#[test]
fn refusals_of_alpaca_end_a_stream_with_what_to_do() {
    let double = double(Venue::Alpaca);
    run(async {
        let stack = stack("alpaca");
        let many = (0..31_u8).map(|number| {
            let letters = [number / 26, number % 26].map(|place| char::from(b'A' + place));
            Topic::quotes(symbol(&letters.iter().collect::<String>()))
        });
        let message = fatal(feed(&stack, alpaca_stream(&double, many), None)).await;
        assert!(message.contains("405") && message.contains("ask for fewer"), "{message}");
        double.act(&Act::Call { call: Call::Stream, fault: CallFault::NotAuthorised, times: 1 }).unwrap();
        let one = [Topic::quotes(symbol("AAPL"))];
        let message = fatal(feed(&stack, alpaca_stream(&double, one.clone()), None)).await;
        assert!(message.contains("402") && message.contains("check the key"), "{message}");
        let sip = format!("ws://{}/v2/sip", double.address());
        let sip = venues::Alpaca::at(one, &sip, alpaca_key(&double)).unwrap();
        let message = fatal(feed(&stack, sip, None)).await;
        assert!(message.contains("409") && message.contains("choose another"), "{message}");
    });
}

#[test]
fn refusals_of_polygon_end_a_stream_with_what_to_do() {
    let mut options = mts_venues::Options::new(Arc::new(Then));
    options.variants = vec!["bars_only".to_owned()];
    let double = Venue::Polygon.start(options).unwrap();
    run(async {
        let stack = stack("polygon");
        let one = [Topic::quotes(symbol("AAPL"))];
        let message = fatal(feed(&stack, polygon_stream(&double, one.clone()), None)).await;
        assert!(message.contains("plan does not have"), "{message}");
        double.act(&Act::Call { call: Call::Stream, fault: CallFault::NotAuthorised, times: 1 }).unwrap();
        let message = fatal(feed(&stack, polygon_stream(&double, one), None)).await;
        assert!(message.contains("refuses the key"), "{message}");
    });
}

/// Quotes, bars of a minute and prints of one stream each, as they are told.
async fn follows<P: Protocol>(double: &Double, mut feed: StreamFeed<P>) {
    let end = "2026-03-02T15:01:00Z".parse().unwrap();
    let bar = Bar {
        symbol: symbol("AAPL"),
        interval: Interval::MINUTE,
        open: Decimal::from(100),
        high: Decimal::from(120),
        low: Decimal::from(90),
        close: Decimal::from(111),
        volume: Decimal::from(7),
        vwap: Some(Decimal::from(101)),
        n_trades: Some(3),
        timestamp: end,
        close_only: false,
        partial: false,
    };
    feed.start().await.unwrap();
    let (mut told, mut quotes, mut bars) = (false, 0, 0);
    while quotes == 0 || bars == 0 {
        if feed.counts().lives == 1 && !told {
            told = true;
            double.quote(&quote("AAPL"));
            double.bars(std::slice::from_ref(&bar));
        }
        let Ok(event) = tokio::time::timeout(Duration::from_millis(20), feed.next()).await else { continue };
        match event.unwrap().unwrap() {
            MarketEvent::Quote(quote) => {
                assert_eq!((quote.bid, quote.ask_size), (Decimal::from(99), Decimal::TWO));
                quotes += 1;
            }
            MarketEvent::Bars { time, bars: told } => {
                let told = &told[0];
                assert_eq!((time, told.close, told.volume), (end, bar.close, bar.volume));
                assert_eq!(
                    (told.open, told.high, told.low, told.vwap),
                    (bar.open, bar.high, bar.low, bar.vwap)
                );
                bars += 1;
            }
            MarketEvent::Fatal { message, .. } => unreachable!("{message}"),
            _ => {}
        }
    }
    assert_eq!((quotes, bars), (1, 1));
}

#[test]
fn quotes_and_bars_come_through_our_streams() {
    let wanted = [Channel::Quotes, Channel::Bars(Interval::MINUTE)];
    let topics = wanted.map(|channel| Topic { channel, symbol: symbol("AAPL") });
    let alpaca = double(Venue::Alpaca);
    let polygon = double(Venue::Polygon);
    run(async {
        let stack = stack("alpaca");
        follows(&alpaca, feed(&stack, alpaca_stream(&alpaca, topics.clone()), None)).await;
        follows(&polygon, feed(&stack, polygon_stream(&polygon, topics), None)).await;
    });
}

/// A descriptor whose addresses lead to a double.
fn described(name: &str, hosts: &[&str], double: &Double, stack: &Stack) -> DescribedExchange {
    let at = format!("http://{}", double.address());
    let text = exchanges::find(name).unwrap().text;
    let text = hosts.iter().fold(text.to_owned(), |text, host| text.replace(host, &at));
    assert!(!text.contains("https://"), "{name} has another host");
    let descriptor = Arc::new(Descriptor::read(name, &text).unwrap());
    DescribedExchange::new(descriptor, stack.http(), Arc::new(Then)).unwrap()
}

#[test]
fn our_descriptors_read_the_doubles() {
    let cases = [
        ("kraken", Venue::Kraken, "https://api.kraken.com"),
        ("coinbase", Venue::Coinbase, "https://api.coinbase.com"),
        ("alpaca", Venue::Alpaca, "https://data.alpaca.markets"),
    ];
    for (name, venue, host) in cases {
        let double = double(venue);
        run(async {
            let exchange = described(name, &[host], &double, &stack(name));
            let btc = symbol("BTC-USD");
            double.quote(&quote("BTC-USD"));
            for number in 1..=3 {
                print(&double, "BTC-USD", 100 + number);
            }
            // That of Alpaca has no ticker, and its prints are the first of the day.
            if name != "alpaca" {
                let ticker = exchange.ticker(&btc).await.unwrap();
                let sides = [ticker.bid, ticker.ask];
                assert_eq!(sides, [Some(Decimal::from(99)), Some(Decimal::from(101))], "{name}");
                let now = Then.now();
                let prints = exchange.trades(&btc, now).await.unwrap();
                let last: Vec<Decimal> = prints.iter().rev().take(3).map(|print| print.price).collect();
                assert_eq!(last, [103, 102, 101].map(Decimal::from), "{name}");
            }
            // Candles of an hour are those of its minutes.
            let hour: Timestamp = "2026-03-02T13:00:00Z".parse().unwrap();
            let end = hour.plus(Duration::from_secs(3_600));
            let whole = exchange.candles(&btc, Interval::HOUR, hour, Some(end)).await.unwrap().bars;
            let minutes = exchange.candles(&btc, Interval::MINUTE, hour, Some(end)).await.unwrap().bars;
            assert_eq!((whole.len(), whole[0].timestamp), (1, end), "{name}");
            assert!(minutes.len() > 30 && minutes.len() <= 60, "{name}: {}", minutes.len());
            let sum: Decimal = minutes.iter().map(|bar| bar.volume).sum();
            let high = minutes.iter().map(|bar| bar.high).max();
            assert_eq!(
                (sum, high, minutes.last().map(|bar| bar.close)),
                (whole[0].volume, Some(whole[0].high), Some(whole[0].close))
            );
        });
    }
}
