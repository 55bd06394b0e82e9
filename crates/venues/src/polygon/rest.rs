//! Requests: bars, prints and quotes in pages with links, and the last of each.

use super::{SPELLING, by_native, price, refused, request_id};
use crate::desk::Desk;
use crate::dialect::{Answer, Request, number};
use crate::market::{Candle, Print, Step, Unit, before};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use chrono_tz::America::New_York;
use chrono_tz::{Tz, UTC};
use mts_foundation::symbology::SymbolKind;
use mts_foundation::{Quote, Symbol, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// Most rows of a page, of bars counted in their smallest parts.
const MAX_PAGE: usize = 50_000;
/// How far back the last of anything is looked for.
const A_WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Where days of an instrument begin.
fn zone(symbol: &Symbol) -> Tz {
    let is_share = symbol.parts().is_ok_and(|parts| parts.kind() == SymbolKind::Equity);
    if is_share { New_York } else { UTC }
}

/// Answers a request.
pub(super) fn answer(desk: &Desk, request: &Request) -> Answer {
    let parts: Vec<&str> = request.path.split('/').skip(1).collect();
    let decoded = crate::server::decoded;
    match parts.as_slice() {
        ["v2", "aggs", "ticker", native, "range", count, unit, from, to] => {
            bars(desk, request, &decoded(native), [count, unit], [from, to])
        }
        ["v3", "trades", native] => listed(desk, request, &decoded(native), |symbol, [from, to]| {
            desk.market()
                .prints(symbol, from, to)
                .into_iter()
                .map(|row| (row.time, print(symbol, &row)))
                .collect()
        }),
        ["v3", "quotes", native] => listed(desk, request, &decoded(native), |symbol, [from, to]| {
            desk.market()
                .quotes(symbol, from, to)
                .into_iter()
                .map(|row| (row.timestamp, quote(&row)))
                .collect()
        }),
        ["v2", "last", "nbbo", native] => last(desk, &decoded(native), last_quote),
        ["v2", "last", "trade", native] => last(desk, &decoded(native), last_print),
        ["v1", "last_quote", "currencies", base, other] => currencies(desk, base, other),
        _ => refused(desk, 404, "NOT_FOUND", "page not found"),
    }
}

/// A link to the rest: the question, and behind which row it goes on.
fn link(request: &Request, asked: &Asked, after: (i64, usize)) -> String {
    let kept = asked.0.iter().filter(|(name, _)| !["apiKey", "after", "place"].contains(&name.as_str()));
    let kept: String = kept.map(|(name, value)| format!("{name}={value}&")).collect();
    let cursor = BASE64_URL_SAFE_NO_PAD.encode(format!("{kept}after={}&place={}", after.0, after.1));
    let host = request.header("host").unwrap_or_default();
    format!("http://{host}{}?cursor={cursor}", request.path)
}

/// What is asked, here or in the link that is followed.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn read(request: &Request) -> Option<Self> {
        let Some(cursor) = request.parameter("cursor") else { return Some(Self(request.query.clone())) };
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// How many rows, and whether the newest come first.
    fn page(&self, other: usize, order: &str) -> Option<(usize, bool)> {
        let limit = self.get("limit").map_or(Some(other), |text| text.parse().ok())?;
        let newest_first = self.get(order).unwrap_or(if order == "order" { "desc" } else { "asc" });
        let known = (1..=MAX_PAGE).contains(&limit) && ["asc", "desc"].contains(&newest_first);
        known.then_some((limit, newest_first == "desc"))
    }

    /// Behind which row it goes on.
    fn after(&self) -> Option<(i64, usize)> {
        Some((self.get("after")?.parse().ok()?, self.get("place")?.parse().ok()?))
    }
}

/// Rows of a page, each with what it counts; and behind which one the rest begins, where there is a rest.
fn page(
    rows: Vec<(Timestamp, Value)>,
    asked: &Asked,
    (limit, newest_first): (usize, bool),
    weight: usize,
) -> (Vec<Value>, Option<(i64, usize)>) {
    let (mut last, mut place) = (i64::MIN, 0);
    let mut numbered: Vec<((i64, usize), Value)> = rows
        .into_iter()
        .map(|(time, row)| {
            place = if time.nanos() == last { place + 1 } else { 0 };
            last = time.nanos();
            ((last, place), row)
        })
        .collect();
    if newest_first {
        numbered.reverse();
    }
    if let Some(after) = asked.after() {
        numbered.retain(|(key, _)| if newest_first { *key < after } else { *key > after });
    }
    let most = (limit / weight).max(1);
    let rest = numbered.len() > most;
    numbered.truncate(most);
    let after = numbered.last().map(|(key, _)| *key).filter(|_| rest);
    (numbered.into_iter().map(|(_, row)| row).collect(), after)
}

fn bars(
    desk: &Desk,
    request: &Request,
    native: &str,
    [count, unit]: [&str; 2],
    [from, to]: [&str; 2],
) -> Answer {
    let bad = |what: &str| refused(desk, 400, "ERROR", format!("could not parse {what}"));
    let Some(asked) = Asked::read(request) else { return bad("cursor") };
    let Some(order) = asked.page(5_000, "sort") else { return bad("limit or sort") };
    let symbol = by_native(desk, native);
    let zone = symbol.as_ref().map_or(New_York, zone);
    // How many of the smallest bars one has.
    let (unit, parts) = match unit {
        "second" => (Unit::Second, 1),
        "minute" => (Unit::Minute, 1),
        "hour" => (Unit::Hour, 60),
        "day" => (Unit::Day, 1),
        "week" => (Unit::Week, 7),
        "month" => (Unit::Month, 31),
        _ => return bad("timespan"),
    };
    let count: u32 = count.parse().unwrap_or_default();
    let Some(step) = Step::new(unit, count, zone) else { return bad("multiplier") };
    let weight = parts * usize::try_from(count).unwrap_or(1);
    let (Some(from), Some(to)) = (day_or_millis(from, zone, false), day_or_millis(to, zone, true)) else {
        return bad("from or to");
    };
    let candles = symbol.map(|symbol| desk.market().bars(&symbol, step, [from, to], desk.clock()));
    let rows = candles.unwrap_or_default().iter().map(|candle| (candle.start, bar(candle))).collect();
    let (rows, after) = page(rows, &asked, order, weight);
    let mut body = json!({
        "ticker": native, "adjusted": asked.get("adjusted") != Some("false"), "status": "OK",
        "queryCount": rows.len() * weight, "resultsCount": rows.len(), "count": rows.len(),
        "request_id": request_id(desk),
    });
    if let Some(body) = body.as_object_mut() {
        if !rows.is_empty() {
            body.insert("results".to_owned(), json!(rows));
        }
        if let Some(after) = after {
            body.insert("next_url".to_owned(), json!(link(request, &asked, after)));
        }
    }
    Answer::json(200, &body)
}

/// A day, its first or last moment, or milliseconds.
fn day_or_millis(text: &str, zone: Tz, last: bool) -> Option<Timestamp> {
    if let Ok(millis) = text.parse::<i64>() {
        return millis.checked_mul(1_000_000).map(Timestamp::from_nanos);
    }
    let noon = text.parse::<NaiveDate>().ok()?.and_hms_opt(12, 0, 0)?.and_utc();
    let day = Step::new(Unit::Day, 1, zone)?;
    let noon = Timestamp::from_nanos(noon.timestamp_nanos_opt()?);
    Some(if last { Timestamp::from_nanos(day.end(noon).nanos() - 1) } else { day.start(noon) })
}

/// A list of what has an instant.
fn listed(
    desk: &Desk,
    request: &Request,
    native: &str,
    rows: impl Fn(&Symbol, [Timestamp; 2]) -> Vec<(Timestamp, Value)>,
) -> Answer {
    let bad = |what: &str| refused(desk, 400, "ERROR", format!("could not parse {what}"));
    let Some(asked) = Asked::read(request) else { return bad("cursor") };
    let Some(order) = asked.page(1_000, "order") else { return bad("limit or order") };
    if asked.get("sort").is_some_and(|sort| sort != "timestamp") {
        return bad("sort");
    }
    let mut span = [Timestamp::EPOCH, desk.clock()];
    for (name, value) in asked.0.iter().filter(|(name, _)| name.starts_with("timestamp")) {
        let day = |last| value.contains('-').then(|| day_or_millis(value, UTC, last)).flatten();
        let nanos = value.parse().ok().map(Timestamp::from_nanos);
        let (Some(first), Some(last)) = (nanos.or_else(|| day(false)), nanos.or_else(|| day(true))) else {
            return bad(name);
        };
        let moved = |time: Timestamp, by: i64| Timestamp::from_nanos(time.nanos().saturating_add(by));
        let [from, to] = span;
        span = match name.as_str() {
            "timestamp" => [first, last],
            "timestamp.gte" => [from.max(first), to],
            "timestamp.gt" => [from.max(moved(last, 1)), to],
            "timestamp.lte" => [from, to.min(last)],
            "timestamp.lt" => [from, to.min(moved(first, -1))],
            _ => return bad(name),
        };
    }
    let found = by_native(desk, native).map(|symbol| rows(&symbol, span)).unwrap_or_default();
    let (rows, after) = page(found, &asked, order, 1);
    let mut body = json!({"results": rows, "status": "OK", "request_id": request_id(desk)});
    if let (Some(after), Some(body)) = (after, body.as_object_mut()) {
        body.insert("next_url".to_owned(), json!(link(request, &asked, after)));
    }
    Answer::json(200, &body)
}

fn last(desk: &Desk, native: &str, row: fn(&Desk, &Symbol, &str) -> Option<Value>) -> Answer {
    let found = by_native(desk, native).and_then(|symbol| row(desk, &symbol, native));
    match found {
        Some(row) => {
            Answer::json(200, &json!({"results": row, "status": "OK", "request_id": request_id(desk)}))
        }
        None => refused(desk, 404, "NOT_FOUND", "Data not found."),
    }
}

/// The last quote of an instrument.
fn touch(desk: &Desk, symbol: &Symbol) -> Option<Quote> {
    desk.market().quotes(symbol, before(desk.clock(), A_WEEK), desk.clock()).pop()
}

/// Small letters are the bid, capitals the offer.
fn last_quote(desk: &Desk, symbol: &Symbol, native: &str) -> Option<Value> {
    let quote = touch(desk, symbol)?;
    let time = quote.timestamp.nanos();
    Some(json!({
        "T": native, "p": price(quote.bid), "s": price(quote.bid_size), "x": 11, "P": price(quote.ask),
        "S": price(quote.ask_size), "X": 12, "t": time, "y": time, "q": time / 1_000_000 % 10_000_000, "z": 3,
    }))
}

fn last_print(desk: &Desk, symbol: &Symbol, native: &str) -> Option<Value> {
    let last = desk.market().last(symbol, desk.clock())?;
    let time = last.time.nanos();
    Some(json!({
        "T": native, "p": price(last.price), "s": price(last.size), "ds": number(last.size), "x": 4,
        "i": last.id.to_string(), "c": [14], "t": time, "y": time, "q": last.id, "z": 3,
    }))
}

fn currencies(desk: &Desk, base: &str, other: &str) -> Answer {
    let symbol = SPELLING.from_native(&format!("C:{base}{other}")).ok();
    let Some(quote) = symbol.and_then(|symbol| touch(desk, &symbol)) else {
        return refused(desk, 404, "NOT_FOUND", "Data not found.");
    };
    let last = json!({
        "bid": price(quote.bid), "ask": price(quote.ask), "exchange": 48,
        "timestamp": quote.timestamp.nanos() / 1_000_000,
    });
    let symbol = format!("{base}/{other}");
    Answer::json(
        200,
        &json!({"last": last, "symbol": symbol, "status": "success", "request_id": request_id(desk)}),
    )
}

fn bar(bar: &Candle) -> Value {
    json!({
        "t": bar.start.nanos() / 1_000_000, "o": price(bar.open), "h": price(bar.high), "l": price(bar.low),
        "c": price(bar.close), "v": price(bar.volume), "vw": price(bar.vwap()), "n": bar.prints,
    })
}

/// A print; crypto has the exchange's time alone.
fn print(symbol: &Symbol, print: &Print) -> Value {
    let time = print.time.nanos();
    if zone(symbol) == UTC {
        return json!({
            "conditions": [if print.bought { 2 } else { 1 }], "exchange": 1, "id": print.id.to_string(),
            "participant_timestamp": time, "price": price(print.price), "size": price(print.size),
        });
    }
    json!({
        "conditions": [14], "exchange": 4, "id": print.id.to_string(), "participant_timestamp": time,
        "price": price(print.price), "sequence_number": print.id, "sip_timestamp": time,
        "size": price(print.size), "decimal_size": number(print.size), "tape": 3,
    })
}

fn quote(quote: &Quote) -> Value {
    let time = quote.timestamp.nanos();
    json!({
        "bid_price": price(quote.bid), "bid_size": price(quote.bid_size), "bid_exchange": 11,
        "ask_price": price(quote.ask), "ask_size": price(quote.ask_size), "ask_exchange": 12,
        "participant_timestamp": time, "sip_timestamp": time, "sequence_number": time / 1_000_000 % 10_000_000,
        "tape": 3,
    })
}
