//! Bybit, version 5: prints, best bid and offer, klines, order books of spot and linear perpetual futures.
//!
//! Prints have ids without order: what is missing cannot be told from them. A subscription names ten topics at most. The venue
//! wants a ping every 20 seconds.

use super::read::{Levels, Text, decimal, level, millis, parse, part, short, text, venue, word};
use crate::stream::book::{Numbers, Update};
use crate::stream::protocol::{Channel, Facts, Level, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::{Form, PairForm};
use mts_foundation::{Bar, Timestamp, Trade, VenueName, VenueSymbology};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::time::Duration;

const PAIR: PairForm = PairForm {
    separator: "",
    quotes: &["USDT", "USDC", "USDE", "USD1", "BTC", "ETH", "EUR", "BRL", "TRY", "MNT", "DAI"],
    ..PairForm::PLAIN
};

/// How spot is named.
pub const SPOT: VenueSymbology = VenueSymbology::new("bybit", &[Form::Crypto(PAIR), Form::Fx(PAIR)]);

/// How linear perpetual futures in USDT are named: as spot is.
pub const LINEAR: VenueSymbology =
    VenueSymbology::new("bybit", &[Form::Perpetual(PairForm { quotes: &["USDT"], ..PAIR })]);

const INTERVALS: &[(&str, &str)] = &[
    ("1m", "1"),
    ("3m", "3"),
    ("5m", "5"),
    ("15m", "15"),
    ("30m", "30"),
    ("1h", "60"),
    ("2h", "120"),
    ("4h", "240"),
    ("6h", "360"),
    ("12h", "720"),
    ("1d", "D"),
    ("1w", "W"),
];

/// Levels of each side of an order book.
const DEPTH: usize = 200;

/// Bybit's public streams.
#[derive(Debug)]
pub struct Bybit {
    topics: Topics,
    url: String,
}

impl Bybit {
    /// Spot.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what Bybit does not have.
    pub fn spot(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::new(topics, &SPOT, "wss://stream.bybit.com/v5/public/spot")
    }

    /// Perpetual futures in USDT.
    ///
    /// # Errors
    /// As [`Bybit::spot`].
    pub fn linear(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::new(topics, &LINEAR, "wss://stream.bybit.com/v5/public/linear")
    }

    /// With another table of names and another address.
    ///
    /// # Errors
    /// As [`Bybit::spot`].
    pub fn new(
        topics: impl IntoIterator<Item = Topic>,
        table: &VenueSymbology,
        url: &str,
    ) -> Result<Self, MarketDataError> {
        let venue = venue("bybit")?;
        let topics = Topics::new(&venue, table, topics, 500)?;
        for topic in topics.list() {
            if let Channel::Bars(interval) = topic.channel
                && word(INTERVALS, interval).is_none()
            {
                let what = format!("bars of {interval}");
                return Err(MarketDataError::Unsupported { source_name: venue.to_string(), what });
            }
        }
        Ok(Self { topics, url: url.to_owned() })
    }

    fn find(&self, name: &str) -> Option<TopicIndex> {
        let (kind, native) = name.rsplit_once('.')?;
        let channel = match kind {
            "publicTrade" => Channel::Trades,
            "orderbook.1" => Channel::Quotes,
            "orderbook.200" => Channel::Book,
            kind => {
                let word = kind.strip_prefix("kline.")?;
                let (ours, _) = INTERVALS.iter().find(|(_, other)| *other == word)?;
                Channel::Bars(ours.parse().ok()?)
            }
        };
        self.topics.find(channel, native)
    }

    fn data(&self, name: &str, message: &Message<'_>, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let (Some(topic), Some(data)) = (self.find(name), message.data) else { return Ok(()) };
        let Some((Topic { symbol, channel }, _)) = self.topics.get(topic) else { return Ok(()) };
        match channel {
            Channel::Trades => {
                for print in part::<Vec<Print<'_>>>(data)? {
                    let trade = Trade {
                        trade_id: SmolStr::new(&print.id),
                        symbol: symbol.clone(),
                        price: decimal(&print.price)?,
                        size: decimal(&print.size)?,
                        venue: self.topics.venue().clone(),
                        timestamp: millis(print.time),
                    };
                    said.push(Said::Trade { topic, trade, number: None });
                }
            }
            Channel::Quotes => {
                let book: Book<'_> = part(data)?;
                let (bid, ask) = (best(&book.b)?, best(&book.a)?);
                let time = millis(message.ts.unwrap_or_default());
                said.push(Said::Touch { topic, bid, ask, time, number: None });
            }
            Channel::Book => {
                let depth: Depth = part(data)?;
                let update = Update {
                    // Number 1 is a book that begins anew.
                    is_snapshot: message.kind.as_deref() == Some("snapshot") || depth.u == 1,
                    limit: None,
                    numbers: Some(Numbers::one(depth.u)),
                    checksum: None,
                    time: millis(message.cts.or(message.ts).unwrap_or_default()),
                    bids: depth.b.0,
                    asks: depth.a.0,
                };
                said.push(Said::Book { topic, update });
            }
            Channel::Bars(interval) => {
                for kline in part::<Vec<Kline<'_>>>(data)? {
                    let bar = Bar {
                        symbol: symbol.clone(),
                        interval: *interval,
                        open: decimal(&kline.open)?,
                        high: decimal(&kline.high)?,
                        low: decimal(&kline.low)?,
                        close: decimal(&kline.close)?,
                        volume: decimal(&kline.volume)?,
                        vwap: None,
                        n_trades: None,
                        timestamp: millis(kline.start).plus(interval.duration()),
                        close_only: false,
                        partial: false,
                    };
                    said.push(Said::Bar { topic, bar, is_closed: kline.confirm });
                }
            }
        }
        Ok(())
    }

    fn message(&self, op: &str, topics: &[TopicIndex], request: u64) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let kind = match channel {
            Some(Channel::Quotes) => "orderbook.1".to_owned(),
            Some(Channel::Book) => format!("orderbook.{DEPTH}"),
            Some(Channel::Bars(interval)) => {
                format!("kline.{}", word(INTERVALS, interval).unwrap_or_default())
            }
            Some(Channel::Trades) | None => "publicTrade".to_owned(),
        };
        let args: Vec<String> = names.map(|name| format!("{kind}.{name}")).collect();
        text(&json!({"req_id": request.to_string(), "op": op, "args": args}))
    }
}

/// The best level of a side; a level of no size is one that is gone.
fn best(side: &[(Text<'_>, Text<'_>)]) -> Result<Option<Level>, Unreadable> {
    for (price, size) in side {
        let level = level(price, size)?;
        if !level.size.is_zero() {
            return Ok(Some(level));
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    topic: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    ts: Option<i64>,
    cts: Option<i64>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    success: Option<bool>,
    #[serde(borrow)]
    op: Option<Text<'a>>,
    #[serde(borrow)]
    ret_msg: Option<Text<'a>>,
    #[serde(borrow)]
    req_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(rename = "T")]
    time: i64,
    #[serde(borrow, rename = "v")]
    size: Text<'a>,
    #[serde(borrow, rename = "p")]
    price: Text<'a>,
    #[serde(borrow, rename = "i")]
    id: Text<'a>,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow, default)]
    b: Vec<(Text<'a>, Text<'a>)>,
    #[serde(borrow, default)]
    a: Vec<(Text<'a>, Text<'a>)>,
}

#[derive(Deserialize)]
struct Depth {
    #[serde(default)]
    b: Levels,
    #[serde(default)]
    a: Levels,
    u: u64,
}

#[derive(Deserialize)]
struct Kline<'a> {
    start: i64,
    #[serde(borrow)]
    open: Text<'a>,
    #[serde(borrow)]
    close: Text<'a>,
    #[serde(borrow)]
    high: Text<'a>,
    #[serde(borrow)]
    low: Text<'a>,
    #[serde(borrow)]
    volume: Text<'a>,
    confirm: bool,
}

impl Protocol for Bybit {
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
            batch: 10,
            pause: Duration::from_millis(100),
            ping: (Duration::from_secs(20), Duration::from_secs(10)),
            longest_silence: Duration::from_secs(45),
            lifetime: None,
            bars_end_with_the_next: false,
        }
    }

    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame {
        self.message("subscribe", topics, request)
    }

    fn book_depth(&self) -> Option<usize> {
        Some(DEPTH)
    }

    fn book_anew(&self, topic: TopicIndex, request: u64) -> Vec<Frame> {
        ["unsubscribe", "subscribe"].map(|op| self.message(op, &[topic], request)).into()
    }

    fn ping(&self) -> Frame {
        text(&json!({"op": "ping"}))
    }

    fn read(&self, frame: &[u8], _now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let message: Message<'_> = parse(frame)?;
        if let Some(name) = message.topic.as_deref() {
            return self.data(name, &message, said);
        }
        let words = message.ret_msg.as_deref().unwrap_or_default();
        match message.op.as_deref() {
            Some("pong") => said.push(Said::Pong),
            Some("ping") if words == "pong" => said.push(Said::Pong),
            Some("subscribe") => {
                let request = message.req_id.as_deref().and_then(|id| id.parse().ok());
                said.push(match (request, message.success) {
                    (Some(request), Some(true)) => Said::RequestAcknowledged(request),
                    (Some(request), _) => Said::RequestRefused { request, message: short(words) },
                    (None, _) => Said::Retry(short(words)),
                });
            }
            _ => {}
        }
        Ok(())
    }
}
