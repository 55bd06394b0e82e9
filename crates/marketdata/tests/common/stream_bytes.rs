//! What the readers of venues' streams are held to, for any bytes. The fuzz target `streams` of `fuzz/` runs this too.
//!
//! Every venue reads every frame: what is not its own is refused or of no concern. What it says of an order book is applied to one,
//! behind a snapshot that every venue could have sent.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "helpers of tests")]

use mts_foundation::{Decimal, Interval, Symbol, Timestamp};
use mts_marketdata::alpaca::Feed;
use mts_marketdata::stream::book::{Numbers, Outcome, Synchroniser, Update};
use mts_marketdata::stream::protocol::{Level, Protocol, Said};
use mts_marketdata::stream::venues::{Alpaca, Binance, Bybit, Coinbase, Kraken, Okx, Polygon};
use mts_marketdata::stream::{Channel, Options, Topic};
use std::sync::OnceLock;
use std::time::Duration;

/// With an order book.
fn booked(name: &str, has_bars: bool) -> Vec<Topic> {
    let mut topics = topics(name, has_bars);
    topics.push(Topic::book(Symbol::new(name).unwrap()));
    topics
}

fn topics(name: &str, has_bars: bool) -> Vec<Topic> {
    let symbol = Symbol::new(name).unwrap();
    let mut topics = vec![Topic::trades(symbol.clone()), Topic::quotes(symbol.clone())];
    if has_bars {
        topics.push(Topic::bars(symbol, Interval::MINUTE));
    }
    topics
}

type All = Vec<Box<dyn Protocol + Sync>>;

fn all() -> &'static All {
    static ALL: OnceLock<All> = OnceLock::new();
    ALL.get_or_init(|| {
        let minutes = Topic::bars(Symbol::new("BTC-USDT-PERP").unwrap(), Interval::MINUTE);
        vec![
            Box::new(Binance::spot(booked("BTC-USDT", true)).unwrap()),
            Box::new(Binance::futures(booked("BTC-USDT-PERP", true)).unwrap()),
            Box::new(Kraken::new(booked("BTC-USD", true)).unwrap()),
            Box::new(Okx::new(booked("BTC-USDT-PERP", false)).unwrap()),
            Box::new(Okx::new([minutes]).unwrap()),
            Box::new(Coinbase::new(booked("BTC-USD", false)).unwrap()),
            Box::new(Bybit::linear(booked("BTC-USDT-PERP", true)).unwrap()),
            Box::new(Polygon::new(topics("AAPL", true), "key".into()).unwrap()),
            Box::new(Alpaca::stocks(topics("AAPL", true), Feed::Sip, ("id".into(), "key".into())).unwrap()),
        ]
    })
}

/// A book that is shown is bounded and not crossed, whatever has come.
fn check_book(depth: Option<usize>, update: Update) {
    let options = Options { levels: 20, ..Options::default() };
    let side = |price: u32| vec![Level { price: Decimal::from(price), size: Decimal::ONE }];
    let snapshot = Update {
        is_snapshot: true,
        limit: None,
        numbers: update.numbers.map(|numbers| Numbers::one(numbers.first.saturating_sub(1))),
        checksum: None,
        time: Timestamp::EPOCH,
        bids: side(10),
        asks: side(100_000),
    };
    for by_request in [false, true] {
        let mut sync = Synchroniser::new(depth, by_request, &options);
        assert_eq!(sync.take(snapshot.clone(), Duration::ZERO, &options), Outcome::Valid);
        sync.take(update.clone(), Duration::ZERO, &options);
        if let Some(book) = sync.book() {
            let most = depth.unwrap_or(options.levels);
            assert!(book.bids().count() <= most && book.asks().count() <= most);
            assert!(book.bids().map(|level| level.price).is_sorted_by(|one, next| one > next));
            assert!(book.asks().map(|level| level.price).is_sorted_by(|one, next| one < next));
            if let (Some(bid), Some(ask)) = book.best() {
                assert!(bid.price < ask.price);
            }
        }
    }
}

/// Whatever comes is said of a topic that was asked for, or refused with a reason. Whether its numbers can be is for the tape to
/// judge.
pub fn check(frame: &[u8]) {
    for protocol in all() {
        let mut said = Vec::new();
        if let Err(error) = protocol.read(frame, Timestamp::EPOCH, &mut said) {
            assert!(!error.to_string().is_empty());
        }
        if let Ok(update) = protocol.read_book(frame, Timestamp::EPOCH) {
            assert!(update.is_snapshot && update.numbers.is_some());
            check_book(None, update);
        }
        let channel = |topic: usize| protocol.topics()[topic].channel;
        for said in said {
            match said {
                Said::Trade { topic, trade, .. } => {
                    assert!(channel(topic) == Channel::Trades);
                    assert_eq!(protocol.topics()[topic].symbol, trade.symbol);
                }
                Said::Touch { topic, .. } => assert!(channel(topic) == Channel::Quotes),
                Said::Bar { topic, bar, .. } | Said::Revised(topic, bar) => {
                    assert!(channel(topic) == Channel::Bars(bar.interval));
                }
                Said::Book { topic, update } => {
                    assert!(channel(topic) == Channel::Book);
                    check_book(protocol.book_depth(), update);
                }
                Said::Void { topic, .. }
                | Said::Newest { topic, .. }
                | Said::Acknowledged(topic)
                | Said::Withdrawn { topic, .. }
                | Said::Refused { topic, .. } => assert!(topic < protocol.topics().len()),
                Said::Subscribed(all) => assert!(all.iter().all(|topic| *topic < protocol.topics().len())),
                Said::Fatal(why) | Said::Retry(why) => assert!(!why.is_empty()),
                _ => {}
            }
        }
    }
}
