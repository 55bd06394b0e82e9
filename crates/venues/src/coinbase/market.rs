//! Prints and candles, with a key or without one, and the older API's lists of currencies, which clients ask with the markets.

use super::products::{Product, by_id, listed, product};
use super::{error, invalid, not_found};
use crate::desk::Desk;
use crate::dialect::{Answer, Request, number};
use crate::market::{Print, Step, Unit, before};
use chrono_tz::UTC;
use mts_foundation::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Most candles of an answer.
const MAX_CANDLES: i64 = 350;
/// Prints of an answer where the client says nothing, and the most.
const PRINTS: usize = 100;
const MAX_PRINTS: usize = 1_000;

/// Seconds of a parameter.
fn seconds(request: &Request, name: &str) -> Result<Option<Timestamp>, Answer> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let nanos = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
    nanos.map(|nanos| Some(Timestamp::from_nanos(nanos))).ok_or_else(|| invalid(format!("invalid {name}")))
}

/// `/products/{id}/ticker` and `/products/{id}/candles`, by what stands behind `/products/`.
pub(super) fn answer(desk: &Desk, request: &Request, rest: &str) -> Option<Answer> {
    let (id, what) = rest.split_once('/')?;
    let found = by_id(desk, &crate::server::decoded(id));
    let read = match what {
        "ticker" => prints,
        "candles" => candles,
        _ => return None,
    };
    Some(match found {
        Some(product) => read(desk, request, &product).unwrap_or_else(|refusal| refusal),
        None => not_found("product not found"),
    })
}

/// The newest prints first, with the best prices.
fn prints(desk: &Desk, request: &Request, product: &Product) -> Result<Answer, Answer> {
    let limit = match request.parameter("limit").map(str::parse::<usize>) {
        None => PRINTS,
        Some(Ok(limit @ 1..=MAX_PRINTS)) => limit,
        Some(_) => return Err(invalid("invalid limit")),
    };
    let end = seconds(request, "end")?.unwrap_or_else(|| desk.clock());
    let start = seconds(request, "start")?.unwrap_or_else(|| before(end, Duration::from_secs(86_400)));
    let rows = desk.market().prints(&product.symbol, start, end);
    let row = |print: &Print| {
        json!({
            "trade_id": print.number.to_string(), "product_id": product.id, "price": number(print.price),
            "size": number(print.size), "time": print.time.to_string(),
            "side": if print.bought { "BUY" } else { "SELL" }, "bid": "", "ask": "", "exchange": "",
        })
    };
    let trades: Vec<Value> = rows.iter().rev().take(limit).map(row).collect();
    let quote = desk.price(&product.symbol);
    let best = |price: Option<mts_foundation::Decimal>| price.map(number).unwrap_or_default();
    let (bid, ask) = (best(quote.map(|quote| quote.bid)), best(quote.map(|quote| quote.ask)));
    Ok(Answer::json(200, &json!({"trades": trades, "best_bid": bid, "best_ask": ask})))
}

/// The newest candles first.
fn candles(desk: &Desk, request: &Request, product: &Product) -> Result<Answer, Answer> {
    let (unit, count, length) = match request.parameter("granularity") {
        Some("ONE_MINUTE") => (Unit::Minute, 1, 60),
        Some("FIVE_MINUTE") => (Unit::Minute, 5, 300),
        Some("FIFTEEN_MINUTE") => (Unit::Minute, 15, 900),
        Some("THIRTY_MINUTE") => (Unit::Minute, 30, 1_800),
        Some("ONE_HOUR") => (Unit::Hour, 1, 3_600),
        Some("TWO_HOUR") => (Unit::Hour, 2, 7_200),
        Some("FOUR_HOUR") => (Unit::Hour, 4, 14_400),
        Some("SIX_HOUR") => (Unit::Hour, 6, 21_600),
        Some("ONE_DAY") => (Unit::Day, 1, 86_400),
        _ => return Err(invalid("unsupported granularity")),
    };
    let (Some(start), Some(end)) = (seconds(request, "start")?, seconds(request, "end")?) else {
        return Err(invalid("start and end are required"));
    };
    if (end.nanos() - start.nanos()) / 1_000_000_000 / length > MAX_CANDLES {
        let message = format!("number of candles requested should be less than {MAX_CANDLES}");
        return Err(error(400, "INVALID_ARGUMENT", message));
    }
    let step = Step::new(unit, count, UTC).ok_or_else(|| invalid("unsupported granularity"))?;
    let bars = desk.market().bars(&product.symbol, step, [start, end], desk.clock());
    let rows: Vec<Value> = bars
        .iter()
        .rev()
        .map(|bar| {
            json!({
                "start": (bar.start.nanos() / 1_000_000_000).to_string(), "low": number(bar.low),
                "high": number(bar.high), "open": number(bar.open), "close": number(bar.close),
                "volume": number(bar.volume),
            })
        })
        .collect();
    Ok(Answer::json(200, &json!({"candles": rows})))
}

/// What the older API tells of currencies, to anybody.
pub(super) fn older(desk: &Desk, path: &str) -> Option<Answer> {
    let coins: Vec<Product> = listed().iter().filter_map(|symbol| product(desk, symbol)).collect();
    let data = match path {
        "/v2/currencies" => json!([{"id": "USD", "name": "United States Dollar", "min_size": "0.01"}]),
        "/v2/currencies/crypto" => coins
            .iter()
            .zip(0_u64..)
            .map(|(coin, place)| {
                json!({
                    "asset_id": desk.uuid("asset", place), "code": coin.base, "name": coin.base, "exponent": 8,
                    "sort_index": place, "type": "crypto",
                })
            })
            .collect(),
        "/v2/exchange-rates" => {
            let rate = |coin: &Product| {
                let price = desk.meets(&coin.symbol, true)?;
                Some((coin.base.clone(), json!(number(mts_foundation::Decimal::ONE.checked_div(price)?))))
            };
            let mut rates: Map<String, Value> = coins.iter().filter_map(rate).collect();
            rates.insert("USD".to_owned(), json!("1"));
            json!({"currency": "USD", "rates": rates})
        }
        _ => return None,
    };
    Some(Answer::json(200, &json!({"data": data})))
}
