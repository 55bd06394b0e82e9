//! Kraken, version 2 of its stream: prints, best bid and offer, candles, order books.
//!
//! Prints are numbered without holes, by pair. Prices are JSON numbers, read from their digits. A heartbeat comes every second
//! in which nothing else does. A candle is final when the next one begins, or when we give up on it; a minute without prints has
//! none. Order books have a checksum instead of numbers, which is made of the digits of their numbers as they were sent.

use super::read::{Text, instant, number, parse, part, short, text, venue};
use crate::stream::book::{Checksum, Update};
use crate::stream::protocol::{Channel, Facts, Level, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::{Form, PairForm};
use mts_foundation::{Bar, Decimal, Interval, Timestamp, Trade, VenueName, VenueSymbology};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

const SLASHED: PairForm = PairForm { separator: "/", ..PairForm::PLAIN };

/// How pairs are named in the stream.
pub const SYMBOLS: VenueSymbology =
    VenueSymbology::new("kraken", &[Form::Crypto(SLASHED), Form::Fx(SLASHED)]);

/// Levels of each side of an order book.
const DEPTH: usize = 100;

/// In minutes.
const INTERVALS: [u64; 8] = [1, 5, 15, 30, 60, 240, 1_440, 10_080];

fn minutes(interval: Interval) -> u64 {
    interval.duration().as_secs() / 60
}

/// Kraken's public stream.
#[derive(Debug)]
pub struct Kraken {
    topics: Topics,
    url: String,
}

impl Kraken {
    /// At Kraken's address.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what Kraken does not have.
    pub fn new(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::at(topics, "wss://ws.kraken.com/v2")
    }

    /// At another address.
    ///
    /// # Errors
    /// As [`Kraken::new`].
    pub fn at(topics: impl IntoIterator<Item = Topic>, url: &str) -> Result<Self, MarketDataError> {
        let venue = venue("kraken")?;
        let topics = Topics::new(&venue, &SYMBOLS, topics, 2_000)?;
        for topic in topics.list() {
            if let Channel::Bars(interval) = topic.channel
                && (!INTERVALS.contains(&minutes(interval)) || interval.duration().as_secs() % 60 != 0)
            {
                let what = format!("bars of {interval}");
                return Err(MarketDataError::Unsupported { source_name: venue.to_string(), what });
            }
        }
        Ok(Self { topics, url: url.to_owned() })
    }

    fn channel(&self, name: &str, interval: Option<u64>) -> Option<Channel> {
        match name {
            "trade" => Some(Channel::Trades),
            "ticker" => Some(Channel::Quotes),
            "book" => Some(Channel::Book),
            "ohlc" => {
                let of = |topic: &Topic| match topic.channel {
                    Channel::Bars(other) if Some(minutes(other)) == interval => Some(topic.channel),
                    _ => None,
                };
                self.topics.list().iter().find_map(of)
            }
            _ => None,
        }
    }

    fn answer(&self, message: &Message<'_>, said: &mut Vec<Said>) {
        let told = message.result.as_ref();
        let symbol = message.symbol.as_deref().or(told.and_then(|told| told.symbol.as_deref()));
        let topic = told
            .and_then(|told| self.channel(told.channel.as_deref()?, told.interval))
            .zip(symbol)
            .and_then(|(channel, symbol)| self.topics.find(channel, symbol));
        if message.success == Some(true) {
            said.extend(topic.map(Said::Acknowledged));
            return;
        }
        let why = short(message.error.as_deref().unwrap_or_default());
        if why.contains("Rate limit") || why.contains("rate limit") {
            said.push(Said::Retry(why));
            return;
        }
        // A refusal names the pair, not the channel: the pair is not known in any.
        let all = self.topics.list().iter().enumerate();
        let of_pair = all.filter_map(|(index, _)| {
            let (_, native) = self.topics.get(index)?;
            (Some(native.as_str()) == symbol).then_some(index)
        });
        said.extend(of_pair.map(|topic| Said::Refused { topic, message: why.clone() }));
    }

    fn trades(&self, data: &RawValue, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        for print in part::<Vec<Print<'_>>>(data)? {
            let Some(topic) = self.topics.find(Channel::Trades, &print.symbol) else { continue };
            let Some((Topic { symbol, .. }, _)) = self.topics.get(topic) else { continue };
            let trade = Trade {
                trade_id: smol_str::format_smolstr!("{}", print.trade_id),
                symbol: symbol.clone(),
                price: number(print.price)?,
                size: number(print.qty)?,
                venue: self.topics.venue().clone(),
                timestamp: instant(&print.timestamp)?,
            };
            said.push(Said::Trade { topic, trade, number: Some(print.trade_id) });
        }
        Ok(())
    }

    fn quotes(&self, data: &RawValue, now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        for best in part::<Vec<Best<'_>>>(data)? {
            let Some(topic) = self.topics.find(Channel::Quotes, &best.symbol) else { continue };
            let bid = Level { price: number(best.bid)?, size: number(best.bid_qty)? };
            let ask = Level { price: number(best.ask)?, size: number(best.ask_qty)? };
            let time = best.timestamp.as_deref().map_or(Ok(now), instant)?;
            said.push(Said::Touch { topic, bid: Some(bid), ask: Some(ask), time, number: None });
        }
        Ok(())
    }

    fn books(
        &self,
        data: &RawValue,
        is_snapshot: bool,
        now: Timestamp,
        said: &mut Vec<Said>,
    ) -> Result<(), Unreadable> {
        let side = |rows: &[Row<'_>]| {
            let level = |row: &Row<'_>| Ok(Level { price: number(row.price)?, size: number(row.qty)? });
            rows.iter().map(level).collect::<Result<Vec<Level>, Unreadable>>()
        };
        for depth in part::<Vec<Depth<'_>>>(data)? {
            let Some(topic) = self.topics.find(Channel::Book, &depth.symbol) else { continue };
            let update = Update {
                is_snapshot,
                limit: None,
                numbers: None,
                checksum: Some(Checksum::Kraken(depth.checksum)),
                time: depth.timestamp.as_deref().map_or(Ok(now), instant)?,
                bids: side(&depth.bids)?,
                asks: side(&depth.asks)?,
            };
            said.push(Said::Book { topic, update });
        }
        Ok(())
    }

    fn message(&self, word: &str, topics: &[TopicIndex], request: u64) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let symbol: Vec<&str> = names.map(smol_str::SmolStr::as_str).collect();
        let params = match channel {
            Some(Channel::Quotes) => json!({"channel": "ticker", "symbol": symbol, "event_trigger": "bbo"}),
            Some(Channel::Book) => json!({"channel": "book", "symbol": symbol, "depth": DEPTH}),
            Some(Channel::Bars(interval)) => {
                json!({"channel": "ohlc", "symbol": symbol, "interval": minutes(interval), "snapshot": false})
            }
            Some(Channel::Trades) | None => json!({"channel": "trade", "symbol": symbol, "snapshot": false}),
        };
        text(&json!({"method": word, "params": params, "req_id": request}))
    }

    fn bars(&self, data: &RawValue, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        for candle in part::<Vec<Candle<'_>>>(data)? {
            let Some(channel @ Channel::Bars(interval)) = self.channel("ohlc", Some(candle.interval)) else {
                continue;
            };
            let Some(topic) = self.topics.find(channel, &candle.symbol) else { continue };
            let Some((Topic { symbol, .. }, _)) = self.topics.get(topic) else { continue };
            let bar = Bar {
                symbol: symbol.clone(),
                interval,
                open: number(candle.open)?,
                high: number(candle.high)?,
                low: number(candle.low)?,
                close: number(candle.close)?,
                volume: number(candle.volume)?,
                vwap: Some(number(candle.vwap)?).filter(|vwap| *vwap > Decimal::ZERO),
                n_trades: Some(candle.trades),
                timestamp: instant(&candle.interval_begin)?.plus(interval.duration()),
                close_only: false,
                partial: false,
            };
            said.push(Said::Bar { topic, bar, is_closed: false });
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    result: Option<Told<'a>>,
    success: Option<bool>,
    #[serde(borrow)]
    symbol: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    #[serde(borrow)]
    symbol: Option<Text<'a>>,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    trade_id: u64,
    #[serde(borrow)]
    timestamp: Text<'a>,
}

#[derive(Deserialize)]
struct Best<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    bid: &'a RawValue,
    #[serde(borrow)]
    bid_qty: &'a RawValue,
    #[serde(borrow)]
    ask: &'a RawValue,
    #[serde(borrow)]
    ask_qty: &'a RawValue,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow, default)]
    bids: Vec<Row<'a>>,
    #[serde(borrow, default)]
    asks: Vec<Row<'a>>,
    checksum: u32,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

#[derive(Deserialize)]
struct Candle<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    open: &'a RawValue,
    #[serde(borrow)]
    high: &'a RawValue,
    #[serde(borrow)]
    low: &'a RawValue,
    #[serde(borrow)]
    close: &'a RawValue,
    trades: u64,
    #[serde(borrow)]
    volume: &'a RawValue,
    #[serde(borrow)]
    vwap: &'a RawValue,
    #[serde(borrow)]
    interval_begin: Text<'a>,
    interval: u64,
}

impl Protocol for Kraken {
    fn venue(&self) -> &VenueName {
        self.topics.venue()
    }

    fn topics(&self) -> &[Topic] {
        self.topics.list()
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn facts(&self) -> Facts {
        Facts {
            batch: 100,
            pause: Duration::from_millis(200),
            ping: (Duration::from_secs(20), Duration::from_secs(10)),
            // A heartbeat comes every second.
            longest_silence: Duration::from_secs(10),
            lifetime: None,
            bars_end_with_the_next: true,
        }
    }

    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame {
        self.message("subscribe", topics, request)
    }

    fn book_depth(&self) -> Option<usize> {
        Some(DEPTH)
    }

    fn book_anew(&self, topic: TopicIndex, request: u64) -> Vec<Frame> {
        ["unsubscribe", "subscribe"].map(|word| self.message(word, &[topic], request)).into()
    }

    fn ping(&self) -> Frame {
        text(&json!({"method": "ping"}))
    }

    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let message: Message<'_> = parse(frame)?;
        match (message.channel.as_deref(), message.data, message.method.as_deref()) {
            (Some("trade"), Some(data), _) => self.trades(data, said),
            (Some("ticker"), Some(data), _) => self.quotes(data, now, said),
            (Some("ohlc"), Some(data), _) => self.bars(data, said),
            (Some("book"), Some(data), _) => {
                self.books(data, message.kind.as_deref() == Some("snapshot"), now, said)
            }
            (_, _, Some("subscribe")) => {
                self.answer(&message, said);
                Ok(())
            }
            (_, _, Some("pong")) => {
                said.push(Said::Pong);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
