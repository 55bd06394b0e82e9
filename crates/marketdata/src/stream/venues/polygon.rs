//! Polygon, now Massive: shares of the United States; prints, best bid and offer, bars of a second and of a minute.
//!
//! One connection to each cluster and account. Frames are lists of events, times are milliseconds. Sequence numbers (`q`) have
//! holes and begin anew each day, so that nothing is concluded from them. A print's id is unique together with its exchange
//! and trade reporting facility, and so it is told here and in requests ([`trade_id`]).

use super::read::{Text, each, millis, number, short, text, venue};
use crate::polygon::SYMBOLS;
use crate::stream::protocol::{Channel, Facts, Level, Protocol, Said, Topic, TopicIndex, Topics, Unreadable};
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::symbology::SymbolKind;
use mts_foundation::{Bar, Decimal, Interval, Timestamp, Trade, VenueName};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use smol_str::{SmolStr, format_smolstr};
use std::time::Duration;

/// The id of a print: exchange, trade reporting facility (0 = none), and the id there.
#[must_use]
pub fn trade_id(exchange: u32, facility: Option<u32>, id: &str) -> SmolStr {
    format_smolstr!("{exchange}-{}-{id}", facility.unwrap_or(0))
}

/// Polygon's stream of shares.
#[derive(Debug)]
pub struct Polygon {
    topics: Topics,
    url: String,
    key: SecretString,
    quote_lot: Decimal,
}

impl Polygon {
    /// At Polygon's address.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what it does not have: other instruments than shares, other bars than 1s and 1m.
    pub fn new(topics: impl IntoIterator<Item = Topic>, key: SecretString) -> Result<Self, MarketDataError> {
        Self::at(topics, "wss://socket.massive.com/stocks", key)
    }

    /// At another address.
    ///
    /// # Errors
    /// As [`Polygon::new`].
    pub fn at(
        topics: impl IntoIterator<Item = Topic>,
        url: &str,
        key: SecretString,
    ) -> Result<Self, MarketDataError> {
        let venue = venue("polygon")?;
        let topics = Topics::new(&venue, &SYMBOLS, topics, 10_000)?;
        let lacks = |what: String| MarketDataError::Unsupported { source_name: venue.to_string(), what };
        for Topic { channel, symbol } in topics.list() {
            if !symbol.parts().is_ok_and(|parts| parts.kind() == SymbolKind::Equity) {
                return Err(lacks(format!("{symbol} in its stream of shares")));
            }
            if *channel == Channel::Book {
                return Err(lacks("order books in its stream".to_owned()));
            }
            if matches!(channel, Channel::Bars(interval) if seconds(*interval) != 1 && seconds(*interval) != 60)
            {
                return Err(lacks("bars of that length in its stream; it has 1s and 1m".to_owned()));
            }
        }
        Ok(Self { topics, url: url.to_owned(), key, quote_lot: Decimal::ONE })
    }

    /// With so many shares in a unit of a quote's size; 1 since 2025-11-03.
    #[must_use]
    pub fn with_quote_lot(mut self, quote_lot: Decimal) -> Self {
        self.quote_lot = quote_lot;
        self
    }

    fn find(&self, word: &str, native: &str) -> Option<TopicIndex> {
        match word {
            "T" => self.topics.find(Channel::Trades, native),
            "Q" => self.topics.find(Channel::Quotes, native),
            "AM" | "A" => {
                let length = if word == "A" { 1 } else { 60 };
                let bars = self.topics.list().iter().map(|topic| topic.channel);
                let mut bars = bars.filter(
                    |channel| matches!(channel, Channel::Bars(interval) if seconds(*interval) == length),
                );
                bars.find_map(|channel| self.topics.find(channel, native))
            }
            _ => None,
        }
    }

    fn status(&self, event: &Event<'_>, said: &mut Vec<Said>) {
        let words = event.message.as_deref().unwrap_or_default();
        let words = short(&words.replace(self.key.expose_secret(), "***"));
        let lower = words.to_ascii_lowercase();
        match event.status.as_deref().unwrap_or_default() {
            "connected" => said.push(Said::Greeted),
            "auth_success" => said.push(Said::Authenticated),
            "success" if lower == "authenticated" => said.push(Said::Authenticated),
            "success" => {
                // subscribed to: T.AAPL
                let topics = words.strip_prefix("subscribed to:").unwrap_or_default().split(',');
                let topics = topics.filter_map(|topic| topic.trim().split_once('.'));
                said.extend(
                    topics.filter_map(|(word, native)| self.find(word, native)).map(Said::Acknowledged),
                );
            }
            "auth_failed" => {
                let what = "check the key, and that its plan has the stream of this address";
                said.push(Said::Fatal(format!("polygon refuses the key: {words}; {what}")));
            }
            "error" if lower.contains("authentication failed") => {
                said.push(Said::Fatal(format!("polygon refuses the key: {words}; check it")));
            }
            "error" | "not_authorized" if lower.contains("authorized") || lower.contains("access") => {
                said.push(Said::Fatal(format!("the plan does not have what was asked for: {words}")));
            }
            // Too many connections: the one before may still be closing.
            status @ ("max_connections" | "auth_timeout" | "force_disconnect" | "error") => {
                said.push(Said::Retry(format!("{status}: {words}")));
            }
            _ => {}
        }
    }

    fn event(&self, event: &Event<'_>, now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        let word = &*event.ev;
        if word == "status" {
            self.status(event, said);
            return Ok(());
        }
        let native = event.sym.as_deref().unwrap_or_default();
        let Some(topic) = self.find(word, native) else { return Ok(()) };
        let Some((Topic { symbol, channel }, _)) = self.topics.get(topic) else { return Ok(()) };
        let read = |raw: Option<&RawValue>, name: &str| {
            raw.map_or_else(|| Err(Unreadable(format!("{word} of {native} without {name}"))), number)
        };
        match channel {
            Channel::Trades => {
                let trade = Trade {
                    trade_id: trade_id(
                        event.x,
                        event.trfi,
                        event.i.map_or("", |id| id.get().trim_matches('"')),
                    ),
                    symbol: symbol.clone(),
                    price: read(event.p, "p")?,
                    size: read(event.ds.or(event.s), "s")?,
                    venue: self.topics.venue().clone(),
                    timestamp: event.t.map(millis).ok_or_else(|| Unreadable("T without t".to_owned()))?,
                };
                said.push(Said::Trade { topic, trade, number: None });
            }
            Channel::Quotes => {
                let side = |price: Option<&RawValue>, size: Option<&RawValue>, name: &str| {
                    let size = size.map(number).transpose()?.unwrap_or_default();
                    let size = size.checked_mul(self.quote_lot).unwrap_or_default();
                    Ok::<_, Unreadable>(Level { price: read(price, name)?, size })
                };
                let (bid, ask) = (side(event.bp, event.bs, "bp")?, side(event.ap, event.asks, "ap")?);
                let time = event.t.map_or(now, millis);
                said.push(Said::Touch { topic, bid: Some(bid), ask: Some(ask), time, number: None });
            }
            Channel::Book => {}
            Channel::Bars(interval) => {
                // Its start.
                let start = read(event.s, "s")?;
                let start = i64::try_from(start).map_err(|_| Unreadable(format!("{start} is no time")))?;
                let bar = Bar {
                    symbol: symbol.clone(),
                    interval: *interval,
                    open: read(event.o, "o")?,
                    high: read(event.h, "h")?,
                    low: read(event.l, "l")?,
                    close: read(event.c, "c")?,
                    volume: read(event.dv.or(event.v), "v")?,
                    vwap: event.vw.map(number).transpose()?.filter(|vwap| *vwap > Decimal::ZERO),
                    n_trades: None,
                    timestamp: millis(start).plus(interval.duration()),
                    close_only: false,
                    partial: false,
                };
                said.push(Said::Bar { topic, bar, is_closed: true });
            }
        }
        Ok(())
    }
}

fn seconds(interval: Interval) -> u64 {
    interval.duration().as_secs()
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    ev: Text<'a>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    sym: Option<Text<'a>>,
    /// The exchange of a print.
    #[serde(default)]
    x: u32,
    /// The id of a print; indicators of a quote, which are not read.
    #[serde(borrow)]
    i: Option<&'a RawValue>,
    trfi: Option<u32>,
    #[serde(borrow)]
    p: Option<&'a RawValue>,
    /// The size of a print; the start of a bar, in milliseconds.
    #[serde(borrow)]
    s: Option<&'a RawValue>,
    /// The size of a print with its fraction.
    #[serde(borrow)]
    ds: Option<&'a RawValue>,
    t: Option<i64>,
    #[serde(borrow)]
    bp: Option<&'a RawValue>,
    #[serde(borrow)]
    bs: Option<&'a RawValue>,
    #[serde(borrow)]
    ap: Option<&'a RawValue>,
    #[serde(borrow, rename = "as")]
    asks: Option<&'a RawValue>,
    #[serde(borrow)]
    o: Option<&'a RawValue>,
    #[serde(borrow)]
    h: Option<&'a RawValue>,
    #[serde(borrow)]
    l: Option<&'a RawValue>,
    /// The close of a bar; conditions of a print, which are not read.
    #[serde(borrow)]
    c: Option<&'a RawValue>,
    #[serde(borrow)]
    v: Option<&'a RawValue>,
    /// The volume of a bar with its fraction.
    #[serde(borrow)]
    dv: Option<&'a RawValue>,
    #[serde(borrow)]
    vw: Option<&'a RawValue>,
}

impl Protocol for Polygon {
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
        Some(text(&json!({"action": "auth", "params": self.key.expose_secret()})))
    }

    fn subscription(&self, topics: &[TopicIndex], _request: u64) -> Frame {
        let (channel, names) = self.topics.named(topics);
        let word = match channel {
            Some(Channel::Quotes) => "Q",
            Some(Channel::Bars(interval)) if seconds(interval) == 1 => "A",
            Some(Channel::Bars(_)) => "AM",
            Some(Channel::Trades | Channel::Book) | None => "T",
        };
        let names: Vec<String> = names.map(|name| format!("{word}.{name}")).collect();
        text(&json!({"action": "subscribe", "params": names.join(",")}))
    }

    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable> {
        each(frame, |event: &Event<'_>| self.event(event, now, said))
    }
}
