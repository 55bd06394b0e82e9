//! Our clients of market data against doubles over real sockets: pages, streams with faults, refusals. No print is lost or
//! doubled, whatever the connection does.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "common/prices.rs"]
mod prices;

use mts_foundation::Clock;
use mts_foundation::double::{Act, Call, CallFault, VenueDouble};
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Bar, DataFeed, Decimal, Interval, MarketData, Timestamp};
use mts_marketdata::exchanges;
use mts_marketdata::stream::{Channel, Protocol, StreamFeed, Topic, venues};
use mts_marketdata::{alpaca, polygon};
use mts_transport::Stack;
use mts_venues::{Double, Venue};
use prices::{
    PRINTS, Then, described, double, fatal, feed, is_whole, print, prints_through_trouble, quote, run, stack,
    symbol,
};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

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

fn alpaca_stream(double: &Double, topics: impl IntoIterator<Item = Topic>) -> venues::Alpaca {
    let url = format!("ws://{}/v2/iex", double.address());
    venues::Alpaca::at(topics, &url, alpaca_key(double)).unwrap()
}

fn polygon_stream(double: &Double, topics: impl IntoIterator<Item = Topic>) -> venues::Polygon {
    let url = double.endpoints()["stream"].clone();
    venues::Polygon::at(topics, &url, double.credentials()["api_key"].clone()).unwrap()
}

#[test]
fn no_print_of_alpaca_is_lost_or_doubled_through_trouble() {
    let double = double(Venue::Alpaca);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stack = runtime.block_on(async { stack("alpaca") });
    let history = Arc::new(our_alpaca(&double, &stack, 10_000));
    let protocol = alpaca_stream(&double, [Topic { channel: Channel::Trades, symbol: symbol("AAPL") }]);
    let (prices, feed) = prints_through_trouble(&double, "AAPL", feed(&stack, protocol, Some(history)));
    is_whole(&prices, &feed, PRINTS / 40);
}

#[test]
fn no_print_of_polygon_is_lost_or_doubled_through_trouble() {
    let double = double(Venue::Polygon);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stack = runtime.block_on(async { stack("polygon") });
    let history = Arc::new(our_polygon(&double, &stack, 50_000));
    let protocol = polygon_stream(&double, [Topic { channel: Channel::Trades, symbol: symbol("AAPL") }]);
    let (prices, feed) = prints_through_trouble(&double, "AAPL", feed(&stack, protocol, Some(history)));
    is_whole(&prices, &feed, PRINTS / 40);
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
            let exchange =
                described(name, exchanges::find(name).unwrap().text, &[host], &double, &stack(name));
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
