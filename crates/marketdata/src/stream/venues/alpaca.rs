//! Alpaca: shares of the United States and crypto; prints, best bid and offer, bars of a minute.
//!
//! One connection to each address and account. Frames are lists of messages. The answer to a subscription is the list of all
//! that is sent, which is held against what was asked for. With bars come their corrections (`u`) about 30 s later, with
//! prints theirs (`c`) and cancellations (`x`): they are counted ([`Counts`](crate::stream::Counts)), and of prints a `Gap` is
//! said, for [`MarketEvent`](mts_foundation::market_data::MarketEvent) has no word for them.

use super::read::{Text, each, instant, number, short, text, venue};
use crate::alpaca::{Feed, SYMBOLS, trade_id};
use crate::stream::protocol::{Channel, Facts, Level, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::SymbolKind;
use mts_foundation::{Bar, Decimal, Interval, Timestamp, Trade, VenueName};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

/// Where the streams are.
const URL: &str = "wss://stream.data.alpaca.markets";

/// Alpaca's stream of shares or of crypto.
#[derive(Debug)]
pub struct Alpaca {
    topics: Topics,
    url: String,
    /// Id and secret.
    key: (SecretString, SecretString),
    quote_lot: Decimal,
}

impl Alpaca {
    /// Shares of a feed, at Alpaca's address.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what it does not have: other instruments than shares, other bars than 1m.
    pub fn stocks(
        topics: impl IntoIterator<Item = Topic>,
        feed: Feed,
        key: (SecretString, SecretString),
    ) -> Result<Self, MarketDataError> {
        Self::at(topics, &format!("{URL}/v2/{}", feed.word()), key)
    }

    /// Crypto, at Alpaca's address.
    ///
    /// # Errors
    /// As [`Alpaca::stocks`].
    pub fn crypto(
        topics: impl IntoIterator<Item = Topic>,
        key: (SecretString, SecretString),
    ) -> Result<Self, MarketDataError> {
        Self::at(topics, &format!("{URL}/v1beta3/crypto/us"), key)
    }

    /// Shares or crypto, at another address.
    ///
    /// # Errors
    /// As [`Alpaca::stocks`], and for shares and crypto together: they have an address each.
    pub fn at(
        topics: impl IntoIterator<Item = Topic>,
        url: &str,
        key: (SecretString, SecretString),
    ) -> Result<Self, MarketDataError> {
        let venue = venue("alpaca")?;
        let topics = Topics::new(&venue, &SYMBOLS, topics, 10_000)?;
        let lacks = |what: String| MarketDataError::Unsupported { source_name: venue.to_string(), what };
        let kind = |topic: &Topic| topic.symbol.parts().ok().map(|parts| parts.kind());
        let first = topics.list().first().and_then(kind);
        for topic in topics.list() {
            if kind(topic) != first {
                return Err(lacks(format!("shares and crypto in one stream; give {} its own", topic.symbol)));
            }
            if topic.channel == Channel::Book {
                return Err(lacks("order books in this stream".to_owned()));
            }
            if matches!(topic.channel, Channel::Bars(interval) if interval != Interval::MINUTE) {
                return Err(lacks("bars of that length in its stream; it has 1m".to_owned()));
            }
        }
        let is_crypto = first == Some(SymbolKind::Crypto);
        if is_crypto != url.contains("/crypto/") {
            return Err(lacks(format!("these instruments at {url}; shares and crypto have an address each")));
        }
        Ok(Self { topics, url: url.to_owned(), key, quote_lot: Decimal::ONE })
    }

    /// With so many shares in a unit of a quote's size; 1 since 2025-11-03.
    #[must_use]
    pub fn with_quote_lot(mut self, quote_lot: Decimal) -> Self {
        self.quote_lot = quote_lot;
        self
    }

    fn error(code: Option<u32>, words: &str, said: &mut Vec<Said>) {
        let code = code.unwrap_or_default();
        let fatal = |what: &str| Said::Fatal(format!("alpaca: {code} {words}; {what}"));
        said.push(match code {
            400 => fatal("check the symbols"),
            402 => fatal("check the key"),
            // Already authenticated: as we are.
            403 => return,
            405 => fatal("the plan has fewer symbols: ask for fewer, or for a larger plan"),
            409 => fatal("the plan does not have this feed: choose another"),
            410 => fatal("the feed does not have this channel: ask for others"),
            411 => fatal("the key may not read market data: make one that may"),
            // 401 and 404: the login came too late or not at all. 406: another connection is open, perhaps ours of before.
            // 407: we were too slow. 500: theirs. What is not known may pass.
            _ => Said::Retry(format!("{code} {words}")),
        });
    }

    fn bar(&self, topic: TopicIndex, message: &Message<'_>) -> Result<Option<Bar>, Unreadable> {
        let Some((Topic { symbol, channel: Channel::Bars(interval) }, _)) = self.topics.get(topic) else {
            return Ok(None);
        };
        Ok(Some(Bar {
            symbol: symbol.clone(),
            interval: *interval,
            open: message.number(message.open)?,
            high: message.number(message.high)?,
            low: message.number(message.low)?,
            close: message.number(message.c)?,
            volume: message.number(message.volume)?,
            vwap: message.vwap.map(number).transpose()?.filter(|vwap| *vwap > Decimal::ZERO),
            n_trades: message.trades_in,
            // Labelled by its start.
            timestamp: message.time()?.plus(interval.duration()),
            close_only: false,
            partial: false,
        }))
    }

    fn message(&self, message: &Message<'_>, now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let words = message.msg.as_deref().unwrap_or_default();
        let words = words.replace(self.key.1.expose_secret(), "***");
        let words = short(&words.replace(self.key.0.expose_secret(), "***"));
        let native = message.symbol.as_deref().unwrap_or_default();
        let minutes = || self.topics.find(Channel::Bars(Interval::MINUTE), native);
        let prints = || self.topics.find(Channel::Trades, native);
        match &*message.kind {
            "success" if words == "connected" => said.push(Said::Greeted),
            "success" if words == "authenticated" => said.push(Said::Authenticated),
            "error" => Self::error(message.code, &words, said),
            "subscription" => {
                let lists = [
                    (Channel::Trades, message.trades.as_deref()),
                    (Channel::Quotes, message.quotes.as_deref()),
                    (Channel::Bars(Interval::MINUTE), message.bars.as_deref()),
                ];
                let all = lists.into_iter().flat_map(|(channel, names)| {
                    names.unwrap_or_default().iter().filter_map(move |name| self.topics.find(channel, name))
                });
                said.push(Said::Subscribed(all.collect()));
            }
            "t" => {
                let Some(topic) = prints() else { return Ok(()) };
                let Some((Topic { symbol, .. }, _)) = self.topics.get(topic) else { return Ok(()) };
                let trade = Trade {
                    trade_id: trade_id(
                        message.exchange.as_deref(),
                        message.id.and_then(|id| id.get().parse().ok()),
                    ),
                    symbol: symbol.clone(),
                    price: message.number(message.price)?,
                    size: message.number(message.size)?,
                    venue: self.topics.venue().clone(),
                    timestamp: message.time()?,
                };
                said.push(Said::Trade { topic, trade, number: None });
            }
            "q" => {
                let Some(topic) = self.topics.find(Channel::Quotes, native) else { return Ok(()) };
                let side = |price, size| {
                    let size = message.number(size)?.checked_mul(self.quote_lot).unwrap_or_default();
                    Ok::<_, Unreadable>(Level { price: message.number(price)?, size })
                };
                let bid = side(message.bid, message.bid_size)?;
                let ask = side(message.ask, message.ask_size)?;
                let time = message.time()?;
                said.push(Said::Touch { topic, bid: Some(bid), ask: Some(ask), time, number: None });
            }
            "b" | "u" => {
                let Some(topic) = minutes() else { return Ok(()) };
                let bar = self.bar(topic, message)?;
                said.extend(bar.map(|bar| match &*message.kind {
                    "u" => Said::Revised(topic, bar),
                    _ => Said::Bar { topic, bar, is_closed: true },
                }));
            }
            "c" | "x" => {
                let time = message.time().unwrap_or(now);
                said.extend(prints().map(|topic| Said::Withdrawn { topic, time }));
            }
            _ => {}
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "T")]
    kind: Text<'a>,
    #[serde(borrow)]
    msg: Option<Text<'a>>,
    code: Option<u32>,
    #[serde(borrow)]
    trades: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    quotes: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    bars: Option<Vec<Text<'a>>>,
    #[serde(borrow, rename = "S")]
    symbol: Option<Text<'a>>,
    #[serde(borrow, rename = "t")]
    at: Option<Text<'a>>,
    #[serde(borrow, rename = "x")]
    exchange: Option<Text<'a>>,
    /// The id of a print; something else in messages of other kinds.
    #[serde(borrow, rename = "i")]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "p")]
    price: Option<&'a RawValue>,
    #[serde(borrow, rename = "s")]
    size: Option<&'a RawValue>,
    #[serde(borrow, rename = "bp")]
    bid: Option<&'a RawValue>,
    #[serde(borrow, rename = "bs")]
    bid_size: Option<&'a RawValue>,
    #[serde(borrow, rename = "ap")]
    ask: Option<&'a RawValue>,
    #[serde(borrow, rename = "as")]
    ask_size: Option<&'a RawValue>,
    #[serde(borrow, rename = "o")]
    open: Option<&'a RawValue>,
    #[serde(borrow, rename = "h")]
    high: Option<&'a RawValue>,
    #[serde(borrow, rename = "l")]
    low: Option<&'a RawValue>,
    /// The close of a bar; conditions of prints and quotes, which are not read.
    #[serde(borrow)]
    c: Option<&'a RawValue>,
    #[serde(borrow, rename = "v")]
    volume: Option<&'a RawValue>,
    #[serde(rename = "n")]
    trades_in: Option<u64>,
    #[serde(borrow, rename = "vw")]
    vwap: Option<&'a RawValue>,
}

impl Message<'_> {
    fn number(&self, raw: Option<&RawValue>) -> Result<Decimal, Unreadable> {
        raw.map_or_else(|| Err(Unreadable(format!("a message {} lacks a number", self.kind))), number)
    }

    fn time(&self) -> Result<Timestamp, Unreadable> {
        let lacking = || Unreadable(format!("a message {} lacks its time", self.kind));
        instant(self.at.as_deref().ok_or_else(lacking)?)
    }
}

impl Protocol for Alpaca {
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
            batch: 500,
            pause: Duration::from_millis(200),
            ping: (Duration::from_secs(15), Duration::from_secs(10)),
            // At night nothing comes but the answers to our pings.
            longest_silence: Duration::from_secs(45),
            lifetime: None,
            bars_end_with_the_next: false,
        }
    }

    fn greets(&self) -> bool {
        true
    }

    fn authentication(&self, _now: Timestamp) -> Option<Frame> {
        let (key, secret) = (self.key.0.expose_secret(), self.key.1.expose_secret());
        Some(text(&json!({"action": "auth", "key": key, "secret": secret})))
    }

    fn subscription(&self, topics: &[TopicIndex], _request: u64) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let names: Vec<&str> = names.map(smol_str::SmolStr::as_str).collect();
        text(&match channel {
            Some(Channel::Quotes) => json!({"action": "subscribe", "quotes": names}),
            Some(Channel::Bars(_)) => json!({"action": "subscribe", "bars": names, "updatedBars": names}),
            Some(Channel::Trades | Channel::Book) | None => json!({"action": "subscribe", "trades": names}),
        })
    }

    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        each(frame, |message: &Message<'_>| self.message(message, now, said))
    }
}
