//! The public channels of the WebSocket: prints, best prices, candles and order books of the pairs that a client names.

use super::orders::Said;
use super::pairs::{Pair, all, pair};
use super::render::{fixed, float, instant, side};
use crate::desk::Desk;
use crate::market::{Candle, News, Print, Step, before};
use chrono_tz::UTC;
use mts_foundation::{Decimal, Quote, Symbol, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Lengths of candles, in minutes.
const LENGTHS: [u32; 8] = [1, 5, 15, 30, 60, 240, 1_440, 10_080];
/// Levels of a side that a book may be asked for with. The double has one.
const DEPTHS: [u64; 5] = [10, 25, 100, 500, 1_000];
/// Prints of a snapshot.
const SNAPSHOT_PRINTS: usize = 50;
/// Candles of a snapshot.
const SNAPSHOT_CANDLES: usize = 720;
/// Places of a quantity.
const LOT_PLACES: u32 = 8;
/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// What can be followed of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    /// With the depth that was asked for.
    Book(u64),
    /// By their length in minutes.
    Candles(u32),
    Prints,
    /// Best prices; each change of theirs, or as of each print.
    Ticker {
        each_quote: bool,
    },
}

impl Channel {
    /// The channel that parameters ask for; `None` where its name is none of a public one.
    fn of(params: &Value) -> Option<Said<Self>> {
        let number = |name: &str, default: u64| match params.get(name) {
            None => Some(default),
            Some(value) => value.as_u64(),
        };
        Some(match params.get("channel").and_then(Value::as_str)? {
            "trade" => Ok(Self::Prints),
            "ticker" => match params.get("event_trigger").and_then(Value::as_str) {
                None | Some("trades") => Ok(Self::Ticker { each_quote: false }),
                Some("bbo") => Ok(Self::Ticker { each_quote: true }),
                Some(_) => Err("Subscription event_trigger not supported".to_owned()),
            },
            "ohlc" => {
                let known = |length: &u32| number("interval", 1) == Some(u64::from(*length));
                let length = LENGTHS.into_iter().find(known);
                length.map(Self::Candles).ok_or_else(|| "Subscription ohlc interval not supported".to_owned())
            }
            "book" => {
                let depth = number("depth", 10).filter(|depth| DEPTHS.contains(depth));
                depth.map(Self::Book).ok_or_else(|| "Subscription depth not supported".to_owned())
            }
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Book(_) => "book",
            Self::Candles(_) => "ohlc",
            Self::Prints => "trade",
            Self::Ticker { .. } => "ticker",
        }
    }

    /// What was taken, as the answer tells it.
    fn told(self, symbol: &str, snapshot: bool) -> Value {
        let mut told = json!({"channel": self.name(), "symbol": symbol, "snapshot": snapshot});
        let more = match self {
            Self::Book(depth) => Some(("depth", json!(depth))),
            Self::Candles(length) => Some(("interval", json!(length))),
            Self::Ticker { each_quote } => {
                Some(("event_trigger", json!(if each_quote { "bbo" } else { "trades" })))
            }
            Self::Prints => None,
        };
        if let (Some(told), Some((name, value))) = (told.as_object_mut(), more) {
            told.insert(name.to_owned(), value);
        }
        told
    }
}

/// What is said of one of the symbols that a request names.
pub(super) struct Told {
    pub(super) symbol: String,
    pub(super) answer: Said<Value>,
    /// What the channel begins with.
    pub(super) snapshot: Option<String>,
}

/// Price and quantity of a side of a book.
type Level = (Decimal, Decimal);

/// What a client follows.
#[derive(Debug, Default)]
pub(super) struct Prices {
    /// With the best bid and offer as a book has told them last.
    wanted: BTreeMap<(Symbol, Channel), [Option<Level>; 2]>,
}

/// A message of a channel.
fn message(channel: Channel, kind: &str, data: &Value) -> String {
    json!({"channel": channel.name(), "type": kind, "data": data}).to_string()
}

impl Prices {
    /// Whether anything is followed.
    pub(super) fn follows(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Takes a request for a public channel, or to end it; `None` where it is for another one.
    pub(super) fn change(&mut self, desk: &Desk, params: &Value, adds: bool) -> Option<Vec<Told>> {
        let channel = Channel::of(params)?;
        let names = params.get("symbol").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let snapshot = adds && params.get("snapshot").and_then(Value::as_bool).unwrap_or(true);
        let mut told = Vec::new();
        for name in names {
            let found = all(desk).into_iter().find(|pair| pair.stream_name() == name);
            let found = found.ok_or_else(|| format!("Currency pair not supported {name}"));
            let (answer, first) = match channel.clone().and_then(|channel| Ok((channel, found?))) {
                Err(error) => (Err(error), None),
                Ok((channel, pair)) => {
                    let key = (pair.symbol.clone(), channel);
                    if adds {
                        self.wanted.entry(key).or_default();
                    } else {
                        self.wanted.remove(&key);
                    }
                    // A book cannot be followed without it.
                    let begins = snapshot || (adds && matches!(channel, Channel::Book(_)));
                    let first = begins.then(|| self.snapshot(desk, &pair, channel)).flatten();
                    (Ok(channel.told(name, snapshot)), first)
                }
            };
            told.push(Told { symbol: name.to_owned(), answer, snapshot: first });
        }
        if told.is_empty() {
            let answer = Err("Symbol(s) must be given".to_owned());
            told.push(Told { symbol: String::new(), answer, snapshot: None });
        }
        Some(told)
    }

    fn snapshot(&mut self, desk: &Desk, pair: &Pair, channel: Channel) -> Option<String> {
        let now = desk.clock();
        match channel {
            Channel::Prints => {
                let prints = desk.market().prints(&pair.symbol, before(now, DAY), now);
                let newest = prints.iter().skip(prints.len().saturating_sub(SNAPSHOT_PRINTS));
                Some(message(channel, "snapshot", &newest.map(|print| printed(pair, print)).collect()))
            }
            Channel::Ticker { .. } => ticker(desk, pair, desk.price(&pair.symbol), now)
                .map(|row| message(channel, "snapshot", &row)),
            Channel::Candles(length) => {
                let step = Step::minutes(length, UTC)?;
                let span = Duration::from_secs(u64::from(length) * 60).checked_mul(720)?;
                let mut bars = desk.market().bars(&pair.symbol, step, [before(now, span), now], now);
                bars.drain(..bars.len().saturating_sub(SNAPSHOT_CANDLES));
                let rows: Value = bars.iter().map(|bar| candle(pair, length, step, bar)).collect();
                Some(candles("snapshot", &rows, now))
            }
            Channel::Book(_) => {
                let sides = desk.price(&pair.symbol).map_or([None, None], sides);
                self.wanted.insert((pair.symbol.clone(), channel), sides);
                let rows = sides.map(|level| level.map(|level| row(pair, level)).into_iter().collect());
                Some(book(pair, "snapshot", &rows, sides, None))
            }
        }
    }

    /// Tells of the market what is followed of it.
    pub(super) fn tell(&mut self, desk: &Desk, news: &News) -> Vec<String> {
        let symbol = news.symbol();
        let from = (symbol.clone(), Channel::Book(0));
        let of_symbol = self.wanted.range(from..).map(|(key, _)| key).take_while(|(of, _)| of == symbol);
        let channels: Vec<Channel> = of_symbol.map(|(_, channel)| *channel).collect();
        let Some(pair) = pair(desk, symbol).filter(|_| !channels.is_empty()) else { return Vec::new() };
        channels.into_iter().filter_map(|channel| self.tell_one(desk, &pair, channel, news)).collect()
    }

    fn tell_one(&mut self, desk: &Desk, pair: &Pair, channel: Channel, news: &News) -> Option<String> {
        match (channel, news) {
            (Channel::Prints, News::Print(print)) => {
                Some(message(channel, "update", &json!([printed(pair, print)])))
            }
            (Channel::Ticker { each_quote: true }, News::Quote(quote)) => {
                ticker(desk, pair, Some(quote), quote.timestamp).map(|row| message(channel, "update", &row))
            }
            (Channel::Ticker { each_quote: false }, News::Print(print)) => {
                let row = ticker(desk, pair, desk.price(&pair.symbol), print.time);
                row.map(|row| message(channel, "update", &row))
            }
            (Channel::Candles(length), News::Print(print)) => {
                forming(desk, pair, length, print.time, print.time)
            }
            (Channel::Candles(length), News::Minute { candle, .. }) => {
                forming(desk, pair, length, candle.start, candle.start.plus(Duration::from_secs(60)))
            }
            (Channel::Book(_), News::Quote(quote)) => {
                let new @ [bid, ask] = sides(quote);
                let [old_bid, old_ask] =
                    self.wanted.insert((pair.symbol.clone(), channel), new).unwrap_or_default();
                let changes = [changes(pair, old_bid, bid), changes(pair, old_ask, ask)];
                let is_same = changes.iter().all(Vec::is_empty);
                (!is_same).then(|| book(pair, "update", &changes, new, Some(quote.timestamp)))
            }
            _ => None,
        }
    }
}

/// A print.
fn printed(pair: &Pair, print: &Print) -> Value {
    json!({
        "symbol": pair.stream_name(), "side": side(print.bought), "price": float(print.price),
        "qty": float(print.size), "ord_type": "market", "trade_id": print.number, "timestamp": instant(print.time),
    })
}

/// A quantity of a quote; one without sizes means any.
fn quantity(size: Decimal) -> Decimal {
    if size.is_zero() { Decimal::ONE } else { size }
}

/// Best prices, and the last 24 hours; `None` where nobody has traded in them.
fn ticker(desk: &Desk, pair: &Pair, quote: Option<&Quote>, time: Timestamp) -> Option<Value> {
    let now = desk.clock();
    let day = desk.market().since(&pair.symbol, before(now, DAY), now)?;
    let last = day.close;
    let (bid, ask) = quote.map_or((last, last), |quote| (quote.bid, quote.ask));
    let size = |read: fn(&Quote) -> Decimal| float(quantity(quote.map(read).unwrap_or_default()));
    let change = last.saturating_sub(day.open);
    let percent = change.saturating_mul(Decimal::ONE_HUNDRED).checked_div(day.open).unwrap_or_default();
    Some(json!([{
        "symbol": pair.stream_name(), "bid": float(bid), "bid_qty": size(|quote| quote.bid_size), "ask": float(ask),
        "ask_qty": size(|quote| quote.ask_size), "last": float(last), "volume": float(day.volume),
        "vwap": float(day.vwap()), "low": float(day.low), "high": float(day.high), "change": float(change),
        "change_pct": float(percent.round_dp(2)), "timestamp": instant(time),
    }]))
}

/// A row of a candle.
fn candle(pair: &Pair, length: u32, step: Step, bar: &Candle) -> Value {
    json!({
        "symbol": pair.stream_name(), "open": float(bar.open), "high": float(bar.high), "low": float(bar.low),
        "close": float(bar.close), "trades": bar.prints, "volume": float(bar.volume), "vwap": float(bar.vwap()),
        "interval_begin": instant(bar.start), "interval": length, "timestamp": instant(step.end(bar.start)),
    })
}

/// A message of candles, which has a time of its own.
fn candles(kind: &str, rows: &Value, time: Timestamp) -> String {
    json!({"channel": "ohlc", "type": kind, "timestamp": instant(time), "data": rows}).to_string()
}

/// The candle of an instant as it stands at another one.
fn forming(desk: &Desk, pair: &Pair, length: u32, time: Timestamp, now: Timestamp) -> Option<String> {
    let step = Step::minutes(length, UTC)?;
    let bar = desk.market().forming(&pair.symbol, step, time, now)?;
    Some(candles("update", &json!([candle(pair, length, step, &bar)]), desk.clock()))
}

/// The sides of a book that a quote is, bid and ask.
fn sides(quote: &Quote) -> [Option<Level>; 2] {
    let level = |price: Decimal, size: Decimal| (price > Decimal::ZERO).then(|| (price, quantity(size)));
    [level(quote.bid, quote.bid_size), level(quote.ask, quote.ask_size)]
}

/// A level with all the digits that count for the checksum, the last zeros included.
fn row(pair: &Pair, (price, size): Level) -> String {
    format!(r#"{{"price":{},"qty":{}}}"#, fixed(price, pair.places), fixed(size, LOT_PLACES))
}

/// What changes a side: the level that is gone, and the one that has come or has another quantity.
fn changes(pair: &Pair, old: Option<Level>, new: Option<Level>) -> Vec<String> {
    let is_gone = |(price, _): &Level| new.is_none_or(|(other, _)| other != *price);
    let gone = old.filter(is_gone).map(|(price, _)| (price, Decimal::ZERO));
    let come = new.filter(|level| Some(*level) != old);
    gone.into_iter().chain(come).map(|level| row(pair, level)).collect()
}

/// A message of a book. It is text, because a JSON value would not keep the last zeros of a number.
fn book(
    pair: &Pair,
    kind: &str,
    [bids, asks]: &[Vec<String>; 2],
    sides: [Option<Level>; 2],
    time: Option<Timestamp>,
) -> String {
    let time = time.map(|time| format!(r#","timestamp":"{}""#, instant(time))).unwrap_or_default();
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{}","bids":[{}],"asks":[{}],"checksum":{}{time}}}]}}"#,
        pair.stream_name(),
        bids.join(","),
        asks.join(","),
        checksum(pair, sides),
    )
}

/// CRC-32 of the digits of the best ten offers, then of the best ten bids: prices and quantities without their points and
/// the zeros before them.
fn checksum(pair: &Pair, [bid, ask]: [Option<Level>; 2]) -> u32 {
    let digits = |text: String| text.replace('.', "").trim_start_matches('0').to_owned();
    let mut state = u32::MAX;
    for (price, size) in [ask, bid].into_iter().flatten() {
        let text = digits(fixed(price, pair.places)) + &digits(fixed(size, LOT_PLACES));
        for byte in text.bytes() {
            state ^= u32::from(byte);
            for _ in 0..8 {
                state = if state & 1 == 1 { (state >> 1) ^ 0xedb8_8320 } else { state >> 1 };
            }
        }
    }
    !state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_digits_as_they_are_sent() {
        let pair = Pair::of_places(1);
        let level = |price: &str, size: &str| Some((price.parse().unwrap(), size.parse().unwrap()));
        // "123456789" has the checksum that every description of CRC-32 names.
        assert_eq!(checksum(&pair, [level("0.0", "0.00006789"), level("1.2", "0.00000345")]), 0xcbf4_3926);
        // The last zeros count.
        let whole = checksum(&pair, [level("100", "1"), None]);
        assert_eq!(whole, checksum(&pair, [level("100.0", "1.00000000"), None]));
        assert_ne!(whole, checksum(&pair, [level("10", "1"), None]));
    }
}
