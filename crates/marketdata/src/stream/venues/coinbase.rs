//! Coinbase Exchange: prints, the best bid and offer as of each print, and order books.
//!
//! Prints are numbered without holes, by product. On subscribing, the venue tells the last one before, which says what was
//! missed. Its `side` is the maker's; our prints have no side, so that there is nothing to invert. There are no candles. The
//! `ticker` channel speaks when there is a print: a quote is as old as the last one. Order books come whole, and what changes
//! every 50 ms, without numbers: that a change is missing shows only where the book is crossed by it.

use super::read::{Levels, Text, decimal, instant, level, parse, part, short, text, venue};
use crate::stream::book::Update;
use crate::stream::protocol::{Channel, Facts, Level, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::{Form, PairForm};
use mts_foundation::{Decimal, Timestamp, Trade, VenueName, VenueSymbology};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

/// How products are named: as we do.
pub const SYMBOLS: VenueSymbology =
    VenueSymbology::new("coinbase", &[Form::Crypto(PairForm::PLAIN), Form::Fx(PairForm::PLAIN)]);

/// Coinbase Exchange's public feed.
#[derive(Debug)]
pub struct Coinbase {
    topics: Topics,
    url: String,
}

impl Coinbase {
    /// At Coinbase's address.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for bars, and for what Coinbase does not have.
    pub fn new(topics: impl IntoIterator<Item = Topic>) -> Result<Self, MarketDataError> {
        Self::at(topics, "wss://ws-feed.exchange.coinbase.com")
    }

    /// At another address.
    ///
    /// # Errors
    /// As [`Coinbase::new`].
    pub fn at(topics: impl IntoIterator<Item = Topic>, url: &str) -> Result<Self, MarketDataError> {
        let venue = venue("coinbase")?;
        let topics = Topics::new(&venue, &SYMBOLS, topics, 1_000)?;
        if topics.list().iter().any(|topic| matches!(topic.channel, Channel::Bars(_))) {
            let what = "bars in its stream; make them of prints".to_owned();
            return Err(MarketDataError::Unsupported { source_name: venue.to_string(), what });
        }
        Ok(Self { topics, url: url.to_owned() })
    }

    fn print(&self, message: &Message<'_>, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let missing = || Unreadable("a match has no product, id, price, size or time".to_owned());
        let product = message.product_id.as_deref().ok_or_else(missing)?;
        let number = message.trade_id.ok_or_else(missing)?;
        let Some(topic) = self.topics.find(Channel::Trades, product) else { return Ok(()) };
        let Some((Topic { symbol, .. }, _)) = self.topics.get(topic) else { return Ok(()) };
        if message.kind == "last_match" {
            said.push(Said::Newest { topic, number });
            return Ok(());
        }
        let trade = Trade {
            trade_id: smol_str::format_smolstr!("{number}"),
            symbol: symbol.clone(),
            price: decimal(message.price.as_deref().ok_or_else(missing)?)?,
            size: decimal(message.size.as_deref().ok_or_else(missing)?)?,
            venue: self.topics.venue().clone(),
            timestamp: instant(message.time.as_deref().ok_or_else(missing)?)?,
        };
        said.push(Said::Trade { topic, trade, number: Some(number) });
        Ok(())
    }

    fn quote(&self, message: &Message<'_>, now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let product = message.product_id.as_deref().unwrap_or_default();
        let Some(topic) = self.topics.find(Channel::Quotes, product) else { return Ok(()) };
        // Sizes are told since 2022.
        let side = |price: &Option<Text<'_>>, size: &Option<Text<'_>>| match (price, size) {
            (None, _) => Ok(None),
            (Some(price), Some(size)) => level(price, size).map(Some),
            (Some(price), None) => Ok(Some(Level { price: decimal(price)?, size: Decimal::ZERO })),
        };
        let bid = side(&message.best_bid, &message.best_bid_size)?;
        let ask = side(&message.best_ask, &message.best_ask_size)?;
        let time = message.time.as_deref().map_or(Ok(now), instant)?;
        said.push(Said::Touch { topic, bid, ask, time, number: message.sequence });
        Ok(())
    }

    fn book(&self, message: &Message<'_>, now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let missing = || Unreadable("a book has no product or no levels".to_owned());
        let product = message.product_id.as_deref().ok_or_else(missing)?;
        let Some(topic) = self.topics.find(Channel::Book, product) else { return Ok(()) };
        let is_snapshot = message.kind == "snapshot";
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        if is_snapshot {
            Levels(bids) = part(message.bids.ok_or_else(missing)?)?;
            Levels(asks) = part(message.asks.ok_or_else(missing)?)?;
        } else {
            for (side, price, size) in part::<Vec<Change<'_>>>(message.changes.ok_or_else(missing)?)? {
                match side {
                    "buy" => bids.push(level(price, size)?),
                    "sell" => asks.push(level(price, size)?),
                    other => return Err(Unreadable(format!("{other:?} is no side"))),
                }
            }
        }
        let time = message.time.as_deref().map_or(Ok(now), instant)?;
        let (limit, numbers, checksum) = (None, None, None);
        said.push(Said::Book {
            topic,
            update: Update { is_snapshot, limit, numbers, checksum, time, bids, asks },
        });
        Ok(())
    }

    fn message(&self, word: &str, topics: &[TopicIndex]) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let channels: &[&str] = match (channel, word) {
            (Some(Channel::Book), "subscribe") => &["level2_batch", "heartbeat"],
            (Some(Channel::Book), _) => &["level2_batch"],
            (Some(Channel::Quotes), _) => &["ticker", "heartbeat"],
            _ => &["matches", "heartbeat"],
        };
        let products: Vec<&str> = names.map(smol_str::SmolStr::as_str).collect();
        text(&json!({"type": word, "product_ids": products, "channels": channels}))
    }

    fn error(&self, message: &Message<'_>, said: &mut Vec<Said>) {
        let words = message.message.as_deref().unwrap_or_default();
        let reason = message.reason.as_deref().unwrap_or_default();
        let all = short(&format!("{words}: {reason}"));
        if all.to_ascii_lowercase().contains("authentication") {
            said.push(Said::Fatal(format!("coinbase refuses the login: {all}; check the key")));
            return;
        }
        // "XXX-USD is not a valid product"
        let named = reason.split_whitespace().next().unwrap_or_default();
        let channels = [Channel::Trades, Channel::Quotes, Channel::Book];
        let topics: Vec<TopicIndex> =
            channels.into_iter().filter_map(|channel| self.topics.find(channel, named)).collect();
        if topics.is_empty() {
            said.push(Said::Retry(all));
        } else {
            said.extend(topics.into_iter().map(|topic| Said::Refused { topic, message: all.clone() }));
        }
    }
}

/// Side, price and the size that is left.
type Change<'a> = (&'a str, &'a str, &'a str);

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    product_id: Option<Text<'a>>,
    trade_id: Option<u64>,
    sequence: Option<u64>,
    #[serde(borrow)]
    price: Option<Text<'a>>,
    #[serde(borrow)]
    size: Option<Text<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow)]
    best_bid: Option<Text<'a>>,
    #[serde(borrow)]
    best_ask: Option<Text<'a>>,
    #[serde(borrow)]
    best_bid_size: Option<Text<'a>>,
    #[serde(borrow)]
    best_ask_size: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    channels: Vec<Subscribed<'a>>,
    #[serde(borrow)]
    bids: Option<&'a RawValue>,
    #[serde(borrow)]
    asks: Option<&'a RawValue>,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Subscribed<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    product_ids: Vec<Text<'a>>,
}

impl Protocol for Coinbase {
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
            ping: (Duration::from_secs(15), Duration::from_secs(10)),
            // Heartbeats come every second and product.
            longest_silence: Duration::from_secs(10),
            lifetime: None,
            bars_end_with_the_next: false,
        }
    }

    fn subscription(&self, topics: &[TopicIndex], _request: u64) -> Frame {
        self.message("subscribe", topics)
    }

    fn book_anew(&self, topic: TopicIndex, _request: u64) -> Vec<Frame> {
        ["unsubscribe", "subscribe"].map(|word| self.message(word, &[topic])).into()
    }

    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let message: Message<'_> = parse(frame)?;
        match &*message.kind {
            "match" | "last_match" => self.print(&message, said)?,
            "ticker" => self.quote(&message, now, said)?,
            "snapshot" | "l2update" => self.book(&message, now, said)?,
            "subscriptions" => {
                for Subscribed { name, product_ids } in &message.channels {
                    let channel = match &**name {
                        "matches" => Channel::Trades,
                        "ticker" => Channel::Quotes,
                        "level2" | "level2_50" | "level2_batch" => Channel::Book,
                        _ => continue,
                    };
                    let topics = product_ids.iter().filter_map(|id| self.topics.find(channel, id));
                    said.extend(topics.map(Said::Acknowledged));
                }
            }
            "error" => self.error(&message, said),
            _ => {}
        }
        Ok(())
    }
}
