//! Binance: prints, best bid and offer, klines, order books of spot and USD-M futures.
//!
//! Prints are numbered without holes, by instrument. The venue pings, and ends a connection after 24 hours; it takes five
//! messages a second (ten for futures) and 1,024 streams a connection. It acknowledges names that do not exist: such a topic
//! only becomes stale. The stream of an order book has only what changes: its snapshot is asked for by a request.

use super::read::{Levels, Text, decimal, level, millis, parse, part, short, text, venue, word};
use crate::stream::book::{Numbers, Update};
use crate::stream::protocol::{Channel, Facts, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::{Form, PairForm, SymbolKind};
use mts_foundation::{Bar, Decimal, Interval, Timestamp, Trade, VenueName, VenueSymbology};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::time::Duration;

const QUOTES: &[&str] = &[
    "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD1", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL", "JPY",
    "PLN", "ARS", "MXN", "ZAR", "UAH", "RON", "CZK", "IDRT", "DAI", "XRP", "TRX", "DOGE", "SOL",
];

const PAIR: PairForm = PairForm { separator: "", quotes: QUOTES, ..PairForm::PLAIN };

/// How spot is named.
pub const SPOT: VenueSymbology = VenueSymbology::new("binance", &[Form::Crypto(PAIR), Form::Fx(PAIR)]);

/// How perpetual futures are named: as spot is.
pub const PERPETUAL: VenueSymbology = VenueSymbology::new("binance", &[Form::Perpetual(PAIR)]);

const INTERVALS: &[(&str, &str)] = &[
    ("1s", "1s"),
    ("1m", "1m"),
    ("3m", "3m"),
    ("5m", "5m"),
    ("15m", "15m"),
    ("30m", "30m"),
    ("1h", "1h"),
    ("2h", "2h"),
    ("4h", "4h"),
    ("6h", "6h"),
    ("8h", "8h"),
    ("12h", "12h"),
    ("1d", "1d"),
];

/// Levels of each side in a snapshot, and what it weighs of the budget: of spot and of futures.
const SNAPSHOT: (usize, u32, u32) = (1_000, 50, 20);

/// Binance's public streams.
#[derive(Debug)]
pub struct Binance {
    topics: Topics,
    url: String,
    /// Where snapshots of order books are asked for.
    snapshots: String,
    is_futures: bool,
}

impl Binance {
    /// Spot.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what Binance does not have.
    pub fn spot(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::new(topics, &SPOT, "wss://stream.binance.com:9443/stream")
    }

    /// Perpetual futures in USDT and USDC.
    ///
    /// # Errors
    /// As [`Binance::spot`].
    pub fn futures(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::new(topics, &PERPETUAL, "wss://fstream.binance.com/stream")
    }

    /// With another table of names and another address of the combined streams.
    ///
    /// # Errors
    /// As [`Binance::spot`].
    pub fn new(
        topics: impl IntoIterator<Item = Topic>,
        table: &VenueSymbology,
        url: &str,
    ) -> Result<Self, MarketDataError> {
        let venue = venue("binance")?;
        let topics = Topics::new(&venue, table, topics, 1_024)?;
        for topic in topics.list() {
            if let Channel::Bars(interval) = topic.channel
                && word(INTERVALS, interval).is_none()
            {
                let what = format!("bars of {interval}");
                return Err(MarketDataError::Unsupported { source_name: venue.to_string(), what });
            }
        }
        let kind = |topic: &Topic| topic.symbol.parts().ok().map(|parts| parts.kind());
        let is_futures = topics.list().first().and_then(kind) == Some(SymbolKind::Perpetual);
        let snapshots = if is_futures {
            "https://fapi.binance.com/fapi/v1/depth"
        } else {
            "https://api.binance.com/api/v3/depth"
        };
        Ok(Self { topics, url: url.to_owned(), snapshots: snapshots.to_owned(), is_futures })
    }

    /// With another address of the snapshots of order books.
    #[must_use]
    pub fn with_snapshots(mut self, url: &str) -> Self {
        url.clone_into(&mut self.snapshots);
        self
    }

    fn book(&self, raw: &RawValue, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let depth: Depth<'_> = part(raw)?;
        let Some(topic) = self.topics.find(Channel::Book, &depth.s) else { return Ok(()) };
        let update = Update {
            is_snapshot: false,
            limit: None,
            numbers: Some(Numbers { first: depth.first, last: depth.u, previous: depth.pu }),
            checksum: None,
            time: millis(depth.traded.unwrap_or(depth.time)),
            bids: depth.b.0,
            asks: depth.a.0,
        };
        said.push(Said::Book { topic, update });
        Ok(())
    }

    fn trade(&self, raw: &RawValue, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let print: Print<'_> = part(raw)?;
        let Some(topic) = self.topics.find(Channel::Trades, &print.s) else { return Ok(()) };
        let Some((Topic { symbol, .. }, _)) = self.topics.get(topic) else { return Ok(()) };
        let (price, size) = (decimal(&print.p)?, decimal(&print.q)?);
        // Futures number liquidations and the like too, with a price of zero or another kind than MARKET.
        if price.is_zero() || print.x.as_deref().is_some_and(|kind| kind != "MARKET") {
            said.push(Said::Void { topic, number: print.t });
            return Ok(());
        }
        let trade = Trade {
            trade_id: smol_str::format_smolstr!("{}", print.t),
            symbol: symbol.clone(),
            price,
            size,
            venue: self.topics.venue().clone(),
            timestamp: millis(print.time),
        };
        said.push(Said::Trade { topic, trade, number: Some(print.t) });
        Ok(())
    }

    fn quote(&self, raw: &RawValue, now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let best: Best<'_> = part(raw)?;
        let Some(topic) = self.topics.find(Channel::Quotes, &best.s) else { return Ok(()) };
        let (bid, ask) = (level(&best.b, &best.bid_size)?, level(&best.a, &best.ask_size)?);
        // Spot does not say when.
        let time = best.time.map_or(now, millis);
        said.push(Said::Touch { topic, bid: Some(bid), ask: Some(ask), time, number: Some(best.u) });
        Ok(())
    }

    fn bar(&self, raw: &RawValue, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let Kline { s, k } = part(raw)?;
        let interval: Interval =
            k.i.parse()
                .map_err(|error: mts_foundation::market::InvalidInterval| Unreadable(error.to_string()))?;
        let Some(topic) = self.topics.find(Channel::Bars(interval), &s) else { return Ok(()) };
        let Some((Topic { symbol, .. }, _)) = self.topics.get(topic) else { return Ok(()) };
        let volume = decimal(&k.v)?;
        let bar = Bar {
            symbol: symbol.clone(),
            interval,
            open: decimal(&k.o)?,
            high: decimal(&k.h)?,
            low: decimal(&k.l)?,
            close: decimal(&k.c)?,
            volume,
            vwap: decimal(&k.q)?.checked_div(volume).filter(|vwap| *vwap > Decimal::ZERO),
            n_trades: Some(k.n),
            // The venue labels by the start, and ends a millisecond early.
            timestamp: millis(k.t).plus(interval.duration()),
            close_only: false,
            partial: false,
        };
        said.push(Said::Bar { topic, bar, is_closed: k.x });
        Ok(())
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    stream: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    id: Option<u64>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<Text<'a>>,
    #[serde(borrow)]
    e: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    t: u64,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    q: Text<'a>,
    #[serde(rename = "T")]
    time: i64,
    #[serde(borrow, rename = "X")]
    x: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Best<'a> {
    u: u64,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    b: Text<'a>,
    #[serde(borrow, rename = "B")]
    bid_size: Text<'a>,
    #[serde(borrow)]
    a: Text<'a>,
    #[serde(borrow, rename = "A")]
    ask_size: Text<'a>,
    #[serde(rename = "T")]
    time: Option<i64>,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(rename = "E")]
    time: i64,
    #[serde(rename = "T")]
    traded: Option<i64>,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    pu: Option<u64>,
    b: Levels,
    a: Levels,
}

#[derive(Deserialize)]
struct Snapshot {
    #[serde(rename = "lastUpdateId")]
    last: u64,
    #[serde(rename = "T")]
    time: Option<i64>,
    bids: Levels,
    asks: Levels,
}

#[derive(Deserialize)]
struct Kline<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    k: Candle<'a>,
}

#[derive(Deserialize)]
struct Candle<'a> {
    t: i64,
    #[serde(borrow)]
    i: Text<'a>,
    #[serde(borrow)]
    o: Text<'a>,
    #[serde(borrow)]
    c: Text<'a>,
    #[serde(borrow)]
    h: Text<'a>,
    #[serde(borrow)]
    l: Text<'a>,
    #[serde(borrow)]
    v: Text<'a>,
    #[serde(borrow)]
    q: Text<'a>,
    n: u64,
    x: bool,
}

impl Protocol for Binance {
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
            // Five a second, of which pings and pongs take some.
            pause: Duration::from_millis(300),
            ping: (Duration::from_secs(15), Duration::from_secs(10)),
            longest_silence: Duration::from_secs(60),
            lifetime: Some(Duration::from_secs(23 * 3_600 + 50 * 60)),
            bars_end_with_the_next: false,
        }
    }

    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let suffix = match channel {
            Some(Channel::Quotes) => SmolStr::new("bookTicker"),
            Some(Channel::Book) => SmolStr::new("depth@100ms"),
            Some(Channel::Bars(interval)) => smol_str::format_smolstr!("kline_{interval}"),
            Some(Channel::Trades) | None => SmolStr::new("trade"),
        };
        let params: Vec<String> =
            names.map(|name| format!("{}@{suffix}", name.to_ascii_lowercase())).collect();
        text(&json!({"method": "SUBSCRIBE", "params": params, "id": request}))
    }

    fn book_request(&self, topic: TopicIndex) -> Option<(String, u32)> {
        let (Topic { channel: Channel::Book, .. }, native) = self.topics.get(topic)? else { return None };
        let (limit, spot, futures) = SNAPSHOT;
        let weight = if self.is_futures { futures } else { spot };
        Some((format!("{}?symbol={native}&limit={limit}", self.snapshots), weight))
    }

    fn read_book(&self, answer: &[u8], now: Timestamp) -> Result<Update, Unreadable> {
        let snapshot: Snapshot = parse(answer)?;
        Ok(Update {
            is_snapshot: true,
            limit: Some(SNAPSHOT.0),
            numbers: Some(Numbers::one(snapshot.last)),
            checksum: None,
            time: snapshot.time.map_or(now, millis),
            bids: snapshot.bids.0,
            asks: snapshot.asks.0,
        })
    }

    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let envelope: Envelope<'_> = parse(frame)?;
        let Some(data) = envelope.data else {
            match (envelope.id, envelope.error) {
                (Some(request), None) if envelope.msg.is_none() => {
                    said.push(Said::RequestAcknowledged(request));
                }
                (Some(request), error) => {
                    let message = short(error.map_or("", RawValue::get));
                    said.push(Said::RequestRefused { request, message });
                }
                (None, Some(error)) => said.push(Said::Retry(short(error.get()))),
                (None, None) if envelope.e.as_deref() == Some("serverShutdown") => said.push(Said::EndsSoon),
                (None, None) => {}
            }
            return Ok(());
        };
        let stream = envelope.stream.unwrap_or_default();
        let kind = stream.split_once('@').map_or("", |(_, kind)| kind);
        match kind {
            "trade" => self.trade(data, said),
            "bookTicker" => self.quote(data, now, said),
            kind if kind.starts_with("depth@") => self.book(data, said),
            kind if kind.starts_with("kline_") => self.bar(data, said),
            _ => Ok(()),
        }
    }
}
