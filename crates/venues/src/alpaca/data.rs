//! The data API: bars, prints, quotes and snapshots of shares and of crypto, in pages.

use super::assets::{Asset, by_native};
use super::read::instant;
use super::render::{latest_quotes, price};
use crate::desk::Desk;
use crate::dialect::{Answer, Request};
use crate::market::{Candle, Print, Step, Unit, before};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono_tz::America::{Chicago, New_York};
use chrono_tz::Tz;
use mts_foundation::{Quote, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How late the data of all exchanges is in the free plan.
const LATE: Duration = Duration::from_secs(15 * 60);
/// Most rows of a page, and how many there are without a wish.
const MAX_PAGE: usize = 10_000;
const PAGE: usize = 1_000;

/// Whether a path is one of this API.
pub(super) fn is_data(path: &str) -> bool {
    path.starts_with("/v2/stocks/") || path.starts_with("/v1beta3/crypto/us/")
}

/// Whether it answers everybody.
pub(super) fn is_public(path: &str) -> bool {
    path.starts_with("/v1beta3/crypto/us/")
}

/// A refusal in the words of this API, which has no codes.
fn refused(status: u16, message: impl Into<String>) -> Answer {
    Answer::json(status, &json!({"message": message.into()}))
}

/// Answers a request; `has_sip` = the plan has the newest data of all exchanges.
pub(super) fn answer(desk: &Desk, request: &Request, has_sip: bool) -> Answer {
    let path = request.path.as_str();
    let what = path.strip_prefix("/v2/stocks/").or_else(|| path.strip_prefix("/v1beta3/crypto/us/"));
    let (what, is_crypto) = (what.unwrap_or_default(), path.starts_with("/v1beta3/"));
    if request.parameter("symbols").unwrap_or_default().is_empty() {
        return refused(400, "symbols is required");
    }
    let feed = request.parameter("feed").unwrap_or("iex");
    if !["iex", "sip", "delayed_sip", "otc", "boats", "overnight"].contains(&feed) {
        return refused(400, format!("invalid feed: {feed}"));
    }
    let late = before(desk.clock(), LATE);
    let until = request.parameter("end").and_then(instant);
    if feed == "sip" && !has_sip && until.is_none_or(|until| until > late) {
        return refused(403, "subscription does not permit querying recent SIP data");
    }
    let wanted = match Wanted::read(desk, request, is_crypto) {
        Ok(wanted) => wanted,
        Err(message) => return refused(400, message),
    };
    let latest = |name: &str, row: &dyn Fn(&Asset) -> Option<Value>| {
        Answer::json(200, &json!({name: wanted.map(|asset| row(asset))}))
    };
    match what {
        "bars" => match request.parameter("timeframe").map(|text| step(text, is_crypto)) {
            Some(Some(step)) => wanted.page(
                "bars",
                |asset| desk.market().bars(&asset.symbol, step, wanted.span, desk.clock()),
                |bar: &Candle| bar.start,
                |_, row| bar(row),
            ),
            _ => refused(400, "invalid timeframe"),
        },
        "trades" => {
            let [from, to] = wanted.span;
            wanted.page(
                "trades",
                |asset| desk.market().prints(&asset.symbol, from, to),
                |print: &Print| print.time,
                print,
            )
        }
        "quotes" => {
            let [from, to] = wanted.span;
            wanted.page(
                "quotes",
                |asset| desk.market().quotes(&asset.symbol, from, to),
                |quote: &Quote| quote.timestamp,
                quote,
            )
        }
        "quotes/latest" | "latest/quotes" => latest_quotes(desk, request),
        "trades/latest" | "latest/trades" => latest("trades", &|asset| last_print(desk, asset)),
        "bars/latest" | "latest/bars" => {
            latest("bars", &|asset| Some(bars_back(desk, asset, Unit::Minute)?.0))
        }
        "latest/orderbooks" if is_crypto => latest("orderbooks", &|asset| book(desk, asset)),
        "snapshots" if is_crypto => latest("snapshots", &|asset| Some(snapshot(desk, asset))),
        "snapshots" => Answer::json(200, &wanted.map(|asset| Some(snapshot(desk, asset)))),
        _ => refused(404, "endpoint not found"),
    }
}

/// Where days begin.
fn zone(is_crypto: bool) -> Tz {
    if is_crypto { Chicago } else { New_York }
}

/// The length of bars: `1Min` or `1T`, `4Hour` or `4H`, and so on.
fn step(text: &str, is_crypto: bool) -> Option<Step> {
    let (count, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "Min" | "min" | "T" => Unit::Minute,
        "Hour" | "H" => Unit::Hour,
        "Day" | "D" => Unit::Day,
        "Week" | "W" => Unit::Week,
        "Month" | "M" => Unit::Month,
        _ => return None,
    };
    let count = count.parse().ok().filter(|count| unit != Unit::Minute || *count < 60)?;
    Step::new(unit, count, zone(is_crypto))
}

/// What a request wants.
struct Wanted {
    assets: Vec<Asset>,
    span: [Timestamp; 2],
    limit: usize,
    newest_first: bool,
    /// Behind which row it goes on: its instrument, instant, and place among the rows of the instant.
    after: Option<(String, i64, usize)>,
}

impl Wanted {
    fn read(desk: &Desk, request: &Request, is_crypto: bool) -> Result<Self, String> {
        let names = request.parameter("symbols").unwrap_or_default().split(',');
        let mut assets: Vec<Asset> = names
            .filter_map(|name| by_native(desk, name))
            .filter(|asset| asset.is_crypto == is_crypto)
            .collect();
        assets.sort_by(|a, b| a.native.cmp(&b.native));
        assets.dedup_by(|a, b| a.native == b.native);
        let time = |name: &str, other: Timestamp| match request.parameter(name) {
            None => Ok(other),
            Some(text) => instant(text).ok_or_else(|| format!("invalid {name}: {text}")),
        };
        let now = desk.clock();
        let today = Timestamp::from_nanos(now.nanos().div_euclid(86_400_000_000_000) * 86_400_000_000_000);
        let span = [time("start", today)?, time("end", now)?];
        if span[0] > span[1] {
            return Err("end should not be before start".to_owned());
        }
        let limit = match request.parameter("limit") {
            None => PAGE,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_PAGE).contains(limit))
                .ok_or_else(|| format!("invalid limit: {text}"))?,
        };
        let newest_first = match request.parameter("sort") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(format!("invalid sort: {other}")),
        };
        let token = request.parameter("page_token").filter(|token| !token.is_empty());
        let after = match token {
            None => None,
            Some(token) => Some(read_token(token).ok_or("invalid page_token")?),
        };
        Ok(Self { assets, span, limit, newest_first, after })
    }

    /// By instrument, without those that have nothing.
    fn map(&self, row: impl Fn(&Asset) -> Option<Value>) -> Value {
        let rows = self.assets.iter().filter_map(|asset| Some((asset.native.clone(), row(asset)?)));
        Value::Object(rows.collect())
    }

    /// A page: instruments by their names, each by time. It may end within an instrument.
    fn page<T>(
        &self,
        name: &str,
        rows: impl Fn(&Asset) -> Vec<T>,
        time: impl Fn(&T) -> Timestamp,
        render: impl Fn(&Asset, &T) -> Value,
    ) -> Answer {
        let (mut lists, mut left, mut token) = (Map::new(), self.limit, None);
        for asset in &self.assets {
            let after = self.after.as_ref();
            if after.is_some_and(|(name, ..)| asset.native < *name) {
                continue;
            }
            let after =
                after.filter(|(name, ..)| asset.native == *name).map(|(_, time, place)| (*time, *place));
            let rows = numbered(rows(asset), &time);
            let wanted = |key: &(i64, usize)| {
                after.is_none_or(|after| if self.newest_first { *key < after } else { *key > after })
            };
            let mut rows: Vec<_> = rows.into_iter().filter(|(key, _)| wanted(key)).collect();
            if self.newest_first {
                rows.reverse();
            }
            if left == 0 {
                if !rows.is_empty() {
                    break;
                }
                continue;
            }
            let is_more = rows.len() > left;
            rows.truncate(left);
            left -= rows.len();
            if let Some(((time, place), _)) = rows.last() {
                token = Some(write_token(&asset.native, *time, *place));
                let list = rows.iter().map(|(_, row)| render(asset, row)).collect();
                lists.insert(asset.native.clone(), list);
            }
            if is_more {
                return Answer::json(200, &json!({name: lists, "next_page_token": token}));
            }
        }
        // The page is full at the end of an instrument, and others follow.
        let last = lists.keys().next_back().cloned();
        let others =
            self.assets.iter().filter(|asset| last.as_ref().is_some_and(|last| asset.native > *last));
        let is_more = left == 0 && others.into_iter().any(|asset| !rows(asset).is_empty());
        Answer::json(200, &json!({name: lists, "next_page_token": token.filter(|_| is_more)}))
    }
}

/// Rows with their instants and their places among those of the instant.
fn numbered<T>(rows: Vec<T>, time: impl Fn(&T) -> Timestamp) -> Vec<((i64, usize), T)> {
    let (mut last, mut place) = (i64::MIN, 0);
    rows.into_iter()
        .map(|row| {
            let at = time(&row).nanos();
            place = if at == last { place + 1 } else { 0 };
            last = at;
            ((at, place), row)
        })
        .collect()
}

fn write_token(native: &str, time: i64, place: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{native}|{time}|{place}"))
}

fn read_token(token: &str) -> Option<(String, i64, usize)> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.split('|');
    Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A bar.
pub(super) fn bar(bar: &Candle) -> Value {
    json!({
        "t": bar.start.to_string(), "o": price(bar.open), "h": price(bar.high), "l": price(bar.low),
        "c": price(bar.close), "v": price(bar.volume), "n": bar.prints, "vw": price(bar.vwap()),
    })
}

/// A print.
pub(super) fn print(asset: &Asset, print: &Print) -> Value {
    let mut row = json!({
        "t": print.time.to_string(), "p": price(print.price), "s": price(print.size), "i": print.id,
    });
    let more = if asset.is_crypto {
        json!({"tks": if print.bought { "B" } else { "S" }})
    } else {
        json!({"x": "V", "c": ["@"], "z": "C"})
    };
    add(&mut row, more);
    row
}

/// A quote.
pub(super) fn quote(asset: &Asset, quote: &Quote) -> Value {
    let mut row = json!({
        "t": quote.timestamp.to_string(), "bp": price(quote.bid), "bs": price(quote.bid_size),
        "ap": price(quote.ask), "as": price(quote.ask_size),
    });
    if !asset.is_crypto {
        add(&mut row, json!({"bx": "V", "ax": "V", "c": ["R"], "z": "C"}));
    }
    row
}

fn add(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}

fn last_print(desk: &Desk, asset: &Asset) -> Option<Value> {
    desk.market().last(&asset.symbol, desk.clock()).map(|last| print(asset, &last))
}

/// The last bar of a length, and the one before.
fn bars_back(desk: &Desk, asset: &Asset, unit: Unit) -> Option<(Value, Option<Value>)> {
    let step = Step::new(unit, 1, zone(asset.is_crypto))?;
    let now = desk.clock();
    let from = before(now, Duration::from_secs(7 * 86_400));
    let bars = desk.market().bars(&asset.symbol, step, [from, now], now);
    let mut bars = bars.iter().rev().map(bar);
    Some((bars.next()?, bars.next()))
}

fn snapshot(desk: &Desk, asset: &Asset) -> Value {
    let (day, before) = bars_back(desk, asset, Unit::Day).unwrap_or_default();
    json!({
        "latestTrade": last_print(desk, asset), "latestQuote": touch(desk, asset).map(|touch| quote(asset, &touch)),
        "minuteBar": bars_back(desk, asset, Unit::Minute).map(|bars| bars.0), "dailyBar": day, "prevDailyBar": before,
    })
}

/// The last quote: that which was told, else of the past.
fn touch(desk: &Desk, asset: &Asset) -> Option<Quote> {
    let from = before(desk.clock(), Duration::from_secs(7 * 86_400));
    desk.market().quotes(&asset.symbol, from, desk.clock()).pop()
}

/// A book of one level a side.
fn book(desk: &Desk, asset: &Asset) -> Option<Value> {
    touch(desk, asset).map(|touch| levels(&touch))
}

/// The levels of a book that a quote is.
pub(super) fn levels(touch: &Quote) -> Value {
    json!({
        "t": touch.timestamp.to_string(),
        "b": [{"p": price(touch.bid), "s": price(touch.bid_size)}],
        "a": [{"p": price(touch.ask), "s": price(touch.ask_size)}],
    })
}
