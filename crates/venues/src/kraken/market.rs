//! Prints and candles, which anybody may ask for.

use super::pairs::{Pair, by_name};
use super::render::{fixed, seconds_number};
use super::{refused, result};
use crate::desk::Desk;
use crate::dialect::{Answer, Request};
use crate::market::Step;
use chrono_tz::UTC;
use mts_foundation::{Timestamp, num};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// Most candles of an answer.
const MAX_CANDLES: usize = 720;
/// Most prints of an answer.
const MAX_PRINTS: usize = 1_000;

fn asked(desk: &Desk, request: &Request) -> Result<Pair, Answer> {
    let name = request.parameter("pair").ok_or_else(|| refused("EGeneral:Invalid arguments"))?;
    by_name(desk, name).ok_or_else(|| refused("EQuery:Unknown asset pair"))
}

/// Seconds, or nanoseconds where there are as many digits as those have.
fn since(request: &Request) -> Result<Option<Timestamp>, Answer> {
    let Some(text) = request.parameter("since") else { return Ok(None) };
    let number = num::parse(text).map_err(|_| refused("EGeneral:Invalid arguments:since"))?;
    let is_nanos = number >= mts_foundation::Decimal::from(10_i64.pow(15));
    let nanos =
        if is_nanos { number } else { number.saturating_mul(mts_foundation::Decimal::from(1_000_000_000)) };
    let nanos = i64::try_from(nanos.trunc()).map_err(|_| refused("EGeneral:Invalid arguments:since"))?;
    Ok(Some(Timestamp::from_nanos(nanos)))
}

/// The prints after an instant, or the last ones, oldest first.
pub(super) fn trades(desk: &Desk, request: &Request) -> Result<Answer, Answer> {
    let pair = asked(desk, request)?;
    let count = match request.parameter("count").map(str::parse::<usize>) {
        None => MAX_PRINTS,
        Some(Ok(count @ 1..=MAX_PRINTS)) => count,
        Some(_) => return Err(refused("EGeneral:Invalid arguments:count")),
    };
    let since = since(request)?;
    let mut prints = desk.market().prints(&pair.symbol, since.unwrap_or(Timestamp::EPOCH), desk.clock());
    match since {
        Some(since) => prints.retain(|print| print.time > since),
        None => drop(prints.drain(..prints.len().saturating_sub(count))),
    }
    prints.truncate(count);
    let last = prints.last().map_or_else(|| since.unwrap_or_else(|| desk.clock()), |print| print.time);
    let rows: Vec<Value> = prints
        .iter()
        .map(|print| {
            json!([
                fixed(print.price, pair.places),
                fixed(print.size, 8),
                seconds_number(print.time),
                if print.bought { "b" } else { "s" },
                "m",
                "",
                print.number,
            ])
        })
        .collect();
    Ok(result(json!({pair.id(): rows, "last": last.nanos().to_string()})))
}

/// The candles after an instant, the last 720 at the most, with the one that is not over.
pub(super) fn candles(desk: &Desk, request: &Request) -> Result<Answer, Answer> {
    let pair = asked(desk, request)?;
    let interval = request.parameter("interval").map_or(Some(1), |text| text.parse().ok());
    let known = interval.filter(|minutes| [1, 5, 15, 30, 60, 240, 1_440, 10_080].contains(minutes));
    let step = known.and_then(|minutes| Step::minutes(minutes, UTC));
    let step = step.ok_or_else(|| refused("EGeneral:Invalid arguments"))?;
    let since = since(request)?.unwrap_or(Timestamp::EPOCH);
    let mut bars = desk.market().bars(&pair.symbol, step, [since, desk.clock()], desk.clock());
    bars.sort_by_key(|bar| Reverse(bar.start));
    bars.retain(|bar| bar.start > since);
    bars.truncate(MAX_CANDLES);
    bars.reverse();
    let seconds = |time: Timestamp| time.nanos().div_euclid(1_000_000_000);
    // The last one that is over.
    let over = bars.iter().rev().find(|bar| step.end(bar.start) <= desk.clock());
    let last = over.map_or_else(|| seconds(since), |bar| seconds(bar.start));
    let price = |value| fixed(value, pair.places);
    let rows: Vec<Value> = bars
        .iter()
        .map(|bar| {
            json!([
                seconds(bar.start),
                price(bar.open),
                price(bar.high),
                price(bar.low),
                price(bar.close),
                price(bar.vwap()),
                fixed(bar.volume, 8),
                bar.prints,
            ])
        })
        .collect();
    Ok(result(json!({pair.id(): rows, "last": last})))
}
