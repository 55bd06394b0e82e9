//! What the readers of venues' streams are held to, for any bytes. The fuzz target `streams` of `fuzz/` runs this too.
//!
//! Every venue reads every frame: what is not its own is refused or of no concern.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "helpers of tests")]

use mts_foundation::{Interval, Symbol, Timestamp};
use mts_marketdata::alpaca::Feed;
use mts_marketdata::stream::protocol::{Protocol, Said};
use mts_marketdata::stream::venues::{Alpaca, Binance, Bybit, Coinbase, Kraken, Okx, Polygon};
use mts_marketdata::stream::{Channel, Topic};
use std::sync::OnceLock;

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
            Box::new(Binance::spot(topics("BTC-USDT", true)).unwrap()),
            Box::new(Binance::futures(topics("BTC-USDT-PERP", true)).unwrap()),
            Box::new(Kraken::new(topics("BTC-USD", true)).unwrap()),
            Box::new(Okx::new(topics("BTC-USDT-PERP", false)).unwrap()),
            Box::new(Okx::new([minutes]).unwrap()),
            Box::new(Coinbase::new(topics("BTC-USD", false)).unwrap()),
            Box::new(Bybit::linear(topics("BTC-USDT-PERP", true)).unwrap()),
            Box::new(Polygon::new(topics("AAPL", true), "key".into()).unwrap()),
            Box::new(Alpaca::stocks(topics("AAPL", true), Feed::Sip, ("id".into(), "key".into())).unwrap()),
        ]
    })
}

/// Whatever comes is said of a topic that was asked for, or refused with a reason. Whether its numbers can be is for the tape to
/// judge.
pub fn check(frame: &[u8]) {
    for protocol in all() {
        let mut said = Vec::new();
        if let Err(error) = protocol.read(frame, Timestamp::EPOCH, &mut said) {
            assert!(!error.to_string().is_empty());
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
