//! OKX, version 5: prints, best bid and offer, candles, order books.
//!
//! Candles come from another address than the rest: a feed has either. The `trades` channel sums up the prints that one order
//! makes at one price, under the last one's id, so ids have holes and nothing can be told from them. Notice 64008 says that the
//! connection will end in a minute. The numbers of order books form a chain; the checksum is zero since 2026 and is then not
//! one.

use super::read::{Levels, Text, decimal, level, millis_text, parse, part, short, text, venue, word};
use crate::stream::book::{Checksum, Numbers, Update};
use crate::stream::protocol::{Channel, Facts, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::{Form, PairForm};
use mts_foundation::{Bar, Timestamp, Trade, VenueName, VenueSymbology};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::time::Duration;

const SWAP: PairForm = PairForm { suffix: "-SWAP", ..PairForm::PLAIN };

/// How pairs and perpetual futures are named.
pub const SYMBOLS: VenueSymbology = VenueSymbology::new(
    "okx",
    &[Form::Crypto(PairForm::PLAIN), Form::Fx(PairForm::PLAIN), Form::Perpetual(SWAP)],
);

const INTERVALS: &[(&str, &str)] = &[
    ("1s", "candle1s"),
    ("1m", "candle1m"),
    ("3m", "candle3m"),
    ("5m", "candle5m"),
    ("15m", "candle15m"),
    ("30m", "candle30m"),
    ("1h", "candle1H"),
    ("2h", "candle2H"),
    ("4h", "candle4H"),
    ("6h", "candle6Hutc"),
    ("12h", "candle12Hutc"),
    ("1d", "candle1Dutc"),
    ("1w", "candle1Wutc"),
];

/// OKX's public streams.
#[derive(Debug)]
pub struct Okx {
    topics: Topics,
    url: String,
}

impl Okx {
    /// At OKX's address for what is wanted.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what OKX does not have, and for bars beside other topics.
    pub fn new(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::at(topics, "wss://ws.okx.com:8443/ws/v5")
    }

    /// At another address: its European, American or demo host, without `/public` and `/business`.
    ///
    /// # Errors
    /// As [`Okx::new`].
    pub fn at(topics: impl IntoIterator<Item = Topic>, base: &str) -> Result<Self, MarketDataError> {
        let venue = venue("okx")?;
        let topics = Topics::new(&venue, &SYMBOLS, topics, 480)?;
        let fault = |what: String| MarketDataError::Unsupported { source_name: venue.to_string(), what };
        let mut bars = 0;
        for topic in topics.list() {
            if let Channel::Bars(interval) = topic.channel {
                bars += 1;
                word(INTERVALS, interval).ok_or_else(|| fault(format!("bars of {interval}")))?;
            }
        }
        let path = match bars {
            0 => "public",
            bars if bars == topics.list().len() => "business",
            _ => return Err(fault("bars and other topics in one stream; make a feed of each".to_owned())),
        };
        Ok(Self { topics, url: format!("{base}/{path}") })
    }

    fn find(&self, argument: &Argument<'_>) -> Option<TopicIndex> {
        let channel = match &*argument.channel {
            "trades" => Channel::Trades,
            "bbo-tbt" | "tickers" => Channel::Quotes,
            "books" => Channel::Book,
            other => {
                let (ours, _) = INTERVALS.iter().find(|(_, word)| *word == other)?;
                Channel::Bars(ours.parse().ok()?)
            }
        };
        self.topics.find(channel, argument.inst_id.as_deref()?)
    }

    fn message(&self, op: &str, topics: &[TopicIndex], request: u64) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let channel = match channel {
            Some(Channel::Quotes) => "bbo-tbt",
            Some(Channel::Book) => "books",
            Some(Channel::Bars(interval)) => word(INTERVALS, interval).unwrap_or_default(),
            Some(Channel::Trades) | None => "trades",
        };
        let args: Vec<_> = names.map(|name| json!({"channel": channel, "instId": name.as_str()})).collect();
        text(&json!({"id": request.to_string(), "op": op, "args": args}))
    }

    fn data(
        &self,
        argument: &Argument<'_>,
        action: Option<&str>,
        data: &RawValue,
        said: &mut Vec<Said>,
    ) -> Result<(), Unreadable> {
        let Some(topic) = self.find(argument) else { return Ok(()) };
        let Some((Topic { symbol, channel }, _)) = self.topics.get(topic) else { return Ok(()) };
        match channel {
            Channel::Trades => {
                for print in part::<Vec<Print<'_>>>(data)? {
                    let trade = Trade {
                        trade_id: SmolStr::new(&print.trade_id),
                        symbol: symbol.clone(),
                        price: decimal(&print.px)?,
                        size: decimal(&print.sz)?,
                        venue: self.topics.venue().clone(),
                        timestamp: millis_text(&print.ts)?,
                    };
                    said.push(Said::Trade { topic, trade, number: None });
                }
            }
            Channel::Quotes if argument.channel == "tickers" => {
                for best in part::<Vec<Ticker<'_>>>(data)? {
                    let (bid, ask) = (level(&best.bid, &best.bid_size)?, level(&best.ask, &best.ask_size)?);
                    let time = millis_text(&best.ts)?;
                    said.push(Said::Touch { topic, bid: Some(bid), ask: Some(ask), time, number: None });
                }
            }
            Channel::Quotes => {
                for book in part::<Vec<Book<'_>>>(data)? {
                    let best = |side: &[Vec<Text<'_>>]| match side.first().map(Vec::as_slice) {
                        Some([price, size, ..]) => level(price, size).map(Some),
                        _ => Ok(None),
                    };
                    let (bid, ask) = (best(&book.bids)?, best(&book.asks)?);
                    let time = millis_text(&book.ts)?;
                    said.push(Said::Touch { topic, bid, ask, time, number: book.seq_id });
                }
            }
            Channel::Book => {
                for depth in part::<Vec<Depth<'_>>>(data)? {
                    said.push(Said::Book { topic, update: depth.update(action == Some("snapshot"))? });
                }
            }
            Channel::Bars(interval) => {
                for row in part::<Vec<Vec<Text<'_>>>>(data)? {
                    let [start, open, high, low, close, contracts, base, _, confirmed] = row.as_slice()
                    else {
                        return Err(Unreadable("a candle has not nine columns".to_owned()));
                    };
                    // Of swaps the first volume counts contracts.
                    let is_swap = argument.inst_id.as_deref().is_some_and(|id| id.ends_with("-SWAP"));
                    let bar = Bar {
                        symbol: symbol.clone(),
                        interval: *interval,
                        open: decimal(open)?,
                        high: decimal(high)?,
                        low: decimal(low)?,
                        close: decimal(close)?,
                        volume: decimal(if is_swap { base } else { contracts })?,
                        vwap: None,
                        n_trades: None,
                        timestamp: millis_text(start)?.plus(interval.duration()),
                        close_only: false,
                        partial: false,
                    };
                    said.push(Said::Bar { topic, bar, is_closed: confirmed == "1" });
                }
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    arg: Option<Argument<'a>>,
    #[serde(borrow)]
    action: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    msg: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Argument<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow, rename = "instId")]
    inst_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(borrow, rename = "tradeId")]
    trade_id: Text<'a>,
    #[serde(borrow)]
    px: Text<'a>,
    #[serde(borrow)]
    sz: Text<'a>,
    #[serde(borrow)]
    ts: Text<'a>,
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow, rename = "bidPx")]
    bid: Text<'a>,
    #[serde(borrow, rename = "bidSz")]
    bid_size: Text<'a>,
    #[serde(borrow, rename = "askPx")]
    ask: Text<'a>,
    #[serde(borrow, rename = "askSz")]
    ask_size: Text<'a>,
    #[serde(borrow)]
    ts: Text<'a>,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow, default)]
    bids: Vec<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    asks: Vec<Vec<Text<'a>>>,
    #[serde(borrow)]
    ts: Text<'a>,
    #[serde(rename = "seqId")]
    seq_id: Option<u64>,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(default)]
    bids: Levels,
    #[serde(default)]
    asks: Levels,
    #[serde(borrow)]
    ts: Text<'a>,
    checksum: Option<i32>,
    #[serde(rename = "prevSeqId")]
    previous: Option<i64>,
    #[serde(rename = "seqId")]
    number: Option<i64>,
}

impl Depth<'_> {
    fn update(self, is_snapshot: bool) -> Result<Update, Unreadable> {
        let number =
            |number: i64| u64::try_from(number).map_err(|_| Unreadable(format!("{number} is no number")));
        let numbers = match (self.number, self.previous) {
            (Some(last), _) if is_snapshot => Some(Numbers::one(number(last)?)),
            (Some(last), Some(previous)) => {
                let last = number(last)?;
                Some(Numbers { first: last, last, previous: Some(number(previous)?) })
            }
            _ => None,
        };
        Ok(Update {
            is_snapshot,
            limit: None,
            numbers,
            checksum: self.checksum.filter(|checksum| *checksum != 0).map(Checksum::Okx),
            time: millis_text(&self.ts)?,
            bids: self.bids.0,
            asks: self.asks.0,
        })
    }
}

impl Protocol for Okx {
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
            pause: Duration::from_millis(500),
            // The venue ends what is silent for 30 s.
            ping: (Duration::from_secs(20), Duration::from_secs(8)),
            longest_silence: Duration::from_secs(30),
            lifetime: None,
            bars_end_with_the_next: false,
        }
    }

    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame {
        self.message("subscribe", topics, request)
    }

    fn book_depth(&self) -> Option<usize> {
        Some(400)
    }

    fn book_anew(&self, topic: TopicIndex, request: u64) -> Vec<Frame> {
        ["unsubscribe", "subscribe"].map(|op| self.message(op, &[topic], request)).into()
    }

    fn ping(&self) -> Frame {
        Frame::Text(Bytes::from_static(b"ping"))
    }

    fn read(&self, frame: &[u8], _now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        if frame == b"pong" {
            said.push(Said::Pong);
            return Ok(());
        }
        let message: Message<'_> = parse(frame)?;
        if let (None, Some(argument), Some(data)) = (&message.event, &message.arg, message.data) {
            return self.data(argument, message.action.as_deref(), data, said);
        }
        let words = || short(message.msg.as_deref().unwrap_or_default());
        let code = message.code.as_deref().unwrap_or_default();
        match message.event.as_deref() {
            Some("subscribe") => {
                let topic = message.arg.as_ref().and_then(|argument| self.find(argument));
                said.extend(topic.map(Said::Acknowledged));
            }
            Some("notice") if code == "64008" => said.push(Said::EndsSoon),
            Some("error") if matches!(code, "60005" | "60006" | "60007" | "60009" | "60024") => {
                said.push(Said::Fatal(format!("okx refuses the login, {code}: {}; check the key", words())));
            }
            Some("error") => match message.id.as_deref().and_then(|id| id.parse().ok()) {
                Some(request) if code != "60014" => {
                    said.push(Said::RequestRefused { request, message: words() });
                }
                _ => said.push(Said::Retry(format!("{code}: {}", words()))),
            },
            Some("channel-conn-count-error") => said.push(Said::Retry("too many connections".to_owned())),
            _ => {}
        }
        Ok(())
    }
}
