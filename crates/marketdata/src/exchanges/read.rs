//! Replies read by a descriptor's rules: in exact decimals, oldest first.

use super::ReplyError;
use super::descriptor::{CandleRules, Descriptor, FundingRules, Method, TickerRules, TradeRules};
use super::json::Json;
use super::rules::{At, Rule};
use mts_foundation::{Decimal, Side, Timestamp};

/// Most rows of one reply that are read.
const MAX_ROWS: usize = 20_000;

/// A ticker; what an exchange does not say is absent.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of a ticker explain themselves")]
pub struct Ticker {
    pub last: Option<Decimal>,
    pub bid: Option<Decimal>,
    pub ask: Option<Decimal>,
    pub bid_size: Option<Decimal>,
    pub ask_size: Option<Decimal>,
    pub open: Option<Decimal>,
    pub high: Option<Decimal>,
    pub low: Option<Decimal>,
    /// Units of the base in 24 hours.
    pub volume: Option<Decimal>,
    /// Units of the quote in 24 hours.
    pub quote_volume: Option<Decimal>,
    pub time: Option<Timestamp>,
}

/// A trade.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields of a trade explain themselves")]
pub struct TradeRow {
    pub id: Option<String>,
    pub price: Decimal,
    pub size: Decimal,
    /// Of the taker.
    pub side: Option<Side>,
    pub time: Timestamp,
}

/// A candle.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields of a candle explain themselves")]
pub struct Candle {
    pub start: Timestamp,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    pub volume: Option<Decimal>,
    /// Whether the exchange says that it is closed.
    pub closed: Option<bool>,
}

/// A funding rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Funding {
    /// The rate, as a fraction of the position's value.
    pub rate: Decimal,
    /// The mark price.
    pub mark: Option<Decimal>,
    /// The index price.
    pub index: Option<Decimal>,
    /// When it is paid.
    pub due: Option<Timestamp>,
    /// When the one after it is paid.
    pub next: Option<Timestamp>,
    /// The rate of that one, where the exchange foretells it.
    pub next_rate: Option<Decimal>,
}

/// A failure that the exchange reports in a reply.
#[must_use]
pub fn failure(descriptor: &Descriptor, reply: &Json) -> Option<String> {
    let at = At { top: reply, item: reply, id: "" };
    descriptor.errors.iter().find_map(|envelope| {
        let said = match envelope.at.text(at) {
            Ok(None) => return None,
            Ok(Some(said)) if envelope.ok.contains(&said) => return None,
            Ok(Some(said)) => said,
            // A list or an object where all is well when nothing is there.
            Err(_) => "a list of errors".to_owned(),
        };
        let message = envelope.message.as_ref().and_then(|rule| rule.text(at).ok().flatten());
        let text = message.map_or_else(|| said.clone(), |message| format!("{said}: {message}"));
        Some(text.chars().take(200).collect())
    })
}

fn number(rule: Option<&Rule>, at: At<'_>) -> Result<Option<Decimal>, ReplyError> {
    rule.map_or(Ok(None), |rule| rule.number(at))
}

fn time(rule: Option<&Rule>, at: At<'_>) -> Result<Option<Timestamp>, ReplyError> {
    rule.map_or(Ok(None), |rule| rule.time(at))
}

fn needed<T>(value: Option<T>, field: &str) -> Result<T, ReplyError> {
    value.ok_or_else(|| ReplyError::new(format!("the reply has no {field}")))
}

impl<R> Method<R> {
    /// The single item of a reply.
    fn item<'a>(&self, reply: &'a Json, id: &'a str) -> Result<At<'a>, ReplyError> {
        let top = At { top: reply, item: reply, id };
        let found = needed(self.at.find(top), "item where it should be")?;
        let Some(pick) = &self.pick else { return Ok(At { item: found, ..top }) };
        let inside: Vec<&Json> = match found {
            Json::List(items) => items.iter().collect(),
            Json::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        };
        let of = |item: &&Json| pick.text(At { item, ..top }).is_ok_and(|said| said.as_deref() == Some(id));
        let item = needed(inside.into_iter().find(of), "such market")?;
        Ok(At { item, ..top })
    }

    /// The rows of a reply, oldest first, each read by `read`.
    fn rows<T>(
        &self,
        reply: &Json,
        id: &str,
        time: impl Fn(&T) -> Timestamp,
        read: impl Fn(At<'_>) -> Result<T, ReplyError>,
    ) -> Result<Vec<T>, ReplyError> {
        let top = At { top: reply, item: reply, id };
        let Some(found) = self.at.find(top) else { return Ok(Vec::new()) };
        let turned = if self.columns { Some(turn(found)?) } else { None };
        let items = match turned.as_ref().unwrap_or(found) {
            Json::List(items) => items.as_slice(),
            _ => return Err(ReplyError::new("there is no list of rows where it should be")),
        };
        if items.len() > MAX_ROWS {
            return Err(ReplyError::new(format!("the reply has more than {MAX_ROWS} rows")));
        }
        let read = |item: &Json| read(At { item, ..top });
        let mut rows = items.iter().map(read).collect::<Result<Vec<T>, _>>()?;
        if self.newest_first {
            rows.reverse();
        }
        rows.sort_by_key(time);
        Ok(rows)
    }
}

/// Rows of an object of lists.
fn turn(columns: &Json) -> Result<Json, ReplyError> {
    let Json::Map(entries) = columns else {
        return Err(ReplyError::new("there is no object of lists where it should be"));
    };
    let mut rows: Vec<Vec<(String, Json)>> = Vec::new();
    for (name, column) in entries {
        let Json::List(values) = column else { continue };
        for (row, value) in values.iter().take(MAX_ROWS).enumerate() {
            let cell = (name.clone(), value.clone());
            match rows.get_mut(row) {
                Some(cells) => cells.push(cell),
                None => rows.push(vec![cell]),
            }
        }
    }
    Ok(Json::List(rows.into_iter().map(Json::Map).collect()))
}

impl Method<TickerRules> {
    /// The ticker of a reply.
    ///
    /// # Errors
    /// [`ReplyError`] when it is not there, or a field is not what it should be.
    pub fn ticker(&self, reply: &Json, id: &str) -> Result<Ticker, ReplyError> {
        self.read.item(self.item(reply, id)?)
    }
}

impl TickerRules {
    /// One ticker.
    ///
    /// # Errors
    /// [`ReplyError`] when there is no price, or a field is not what it should be.
    pub fn item(&self, at: At<'_>) -> Result<Ticker, ReplyError> {
        let ticker = Ticker {
            last: number(self.last.as_ref(), at)?,
            bid: number(self.bid.as_ref(), at)?,
            ask: number(self.ask.as_ref(), at)?,
            bid_size: number(self.bid_size.as_ref(), at)?,
            ask_size: number(self.ask_size.as_ref(), at)?,
            open: number(self.open.as_ref(), at)?,
            high: number(self.high.as_ref(), at)?,
            low: number(self.low.as_ref(), at)?,
            volume: number(self.volume.as_ref(), at)?,
            quote_volume: number(self.quote_volume.as_ref(), at)?,
            time: time(self.time.as_ref(), at)?,
        };
        needed(ticker.last.or(ticker.bid).or(ticker.ask), "price")?;
        Ok(ticker)
    }
}

impl Method<TradeRules> {
    /// The trades of a reply, oldest first.
    ///
    /// # Errors
    /// As [`Method::ticker`].
    pub fn trades(&self, reply: &Json, id: &str) -> Result<Vec<TradeRow>, ReplyError> {
        self.rows(reply, id, |row: &TradeRow| row.time, |at| self.read.item(at))
    }
}

impl TradeRules {
    /// One trade.
    ///
    /// # Errors
    /// As [`TickerRules::item`].
    pub fn item(&self, at: At<'_>) -> Result<TradeRow, ReplyError> {
        Ok(TradeRow {
            id: self.id.as_ref().map_or(Ok(None), |rule| rule.text(at))?,
            price: needed(self.price.number(at)?, "price")?,
            size: needed(self.size.number(at)?, "size")?,
            side: self.side.as_ref().map_or(Ok(None), |rule| rule.side(at))?,
            time: needed(self.time.time(at)?, "time")?,
        })
    }
}

impl Method<CandleRules> {
    /// The candles of a reply, oldest first.
    ///
    /// # Errors
    /// As [`Method::ticker`].
    pub fn candles(&self, reply: &Json, id: &str) -> Result<Vec<Candle>, ReplyError> {
        self.rows(reply, id, |row: &Candle| row.start, |at| self.read.item(at))
    }
}

impl CandleRules {
    /// One candle.
    ///
    /// # Errors
    /// As [`TickerRules::item`].
    pub fn item(&self, at: At<'_>) -> Result<Candle, ReplyError> {
        let closed = self.closed.as_ref().map_or(Ok(None), |rule| rule.text(at))?;
        Ok(Candle {
            start: needed(self.start.time(at)?, "time")?,
            open: needed(self.open.number(at)?, "open")?,
            high: needed(self.high.number(at)?, "high")?,
            low: needed(self.low.number(at)?, "low")?,
            close: needed(self.close.number(at)?, "close")?,
            volume: number(self.volume.as_ref(), at)?,
            closed: closed.map(|said| said == "true"),
        })
    }
}

impl Method<FundingRules> {
    /// The funding rate of a reply.
    ///
    /// # Errors
    /// As [`Method::ticker`].
    pub fn funding(&self, reply: &Json, id: &str) -> Result<Funding, ReplyError> {
        self.read.item(self.item(reply, id)?)
    }
}

impl FundingRules {
    /// One funding rate.
    ///
    /// # Errors
    /// As [`TickerRules::item`].
    pub fn item(&self, at: At<'_>) -> Result<Funding, ReplyError> {
        Ok(Funding {
            rate: needed(self.rate.number(at)?, "rate")?,
            mark: number(self.mark.as_ref(), at)?,
            index: number(self.index.as_ref(), at)?,
            due: time(self.due.as_ref(), at)?,
            next: time(self.next.as_ref(), at)?,
            next_rate: number(self.next_rate.as_ref(), at)?,
        })
    }
}
