//! Orders, trades and numbers as the venue writes them: over HTTP numbers are texts and instants seconds, in the stream numbers are
//! numbers and instants texts.

use super::pairs::{Pair, pair};
use crate::desk::{Desk, FillRow, Row, State, Wanted, ids};
use mts_foundation::{Decimal, OrderType, TimeInForce, Timestamp};
use serde_json::{Value, json};

/// A number as it is.
pub(super) fn number(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A number with at least so many places.
pub(super) fn fixed(value: Decimal, places: u32) -> String {
    let value = value.normalize();
    let places = usize::try_from(value.scale().max(places)).unwrap_or_default();
    format!("{value:.places$}")
}

/// A JSON number.
pub(super) fn float(value: Decimal) -> Value {
    serde_json::from_str(&number(value)).unwrap_or(Value::Null)
}

/// An instant in seconds with six places.
pub(super) fn seconds(time: Timestamp) -> String {
    let micros = time.nanos().div_euclid(1_000);
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// The same as a JSON number.
pub(super) fn seconds_number(time: Timestamp) -> Value {
    serde_json::from_str(&seconds(time)).unwrap_or(Value::Null)
}

/// An instant as text, to the microsecond.
pub(super) fn instant(time: Timestamp) -> String {
    time.to_datetime().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// An id in the venue's form, `OAAAAA-BBBBB-CCCCCC`.
pub(super) fn id(prefix: char, seed: u64, kind: &str, number: u64) -> String {
    let letters = ids::letters(seed, kind, number, 16);
    let part = |from: usize, to: usize| letters.get(from..to).unwrap_or_default().to_owned();
    format!("{prefix}{}-{}-{}", part(0, 5), part(5, 10), part(10, 16))
}

/// The id of an execution, in the stream and over HTTP.
pub(super) fn trade_id(seed: u64, fill: &FillRow) -> String {
    id('T', seed, "trade", fill.number)
}

/// The state over HTTP.
pub(super) fn status(row: &Row) -> &'static str {
    match row.state {
        State::Open | State::Triggered | State::PendingCancel => "open",
        State::Filled => "closed",
        State::Canceled | State::Rejected | State::Replaced => "canceled",
        State::Expired => "expired",
    }
}

/// The venue's name of a type.
pub(super) fn order_type(wanted: &Wanted) -> &'static str {
    match wanted.order_type {
        OrderType::Market => "market",
        OrderType::Limit | OrderType::MarketableLimit => "limit",
        OrderType::Stop => "stop-loss",
        OrderType::StopLimit => "stop-loss-limit",
    }
}

pub(super) fn side(buys: bool) -> &'static str {
    if buys { "buy" } else { "sell" }
}

/// The venue's name of a life.
pub(super) fn time_in_force(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::Day | TimeInForce::Opg => "GTD",
        TimeInForce::Gtc => "GTC",
    }
}

/// What an order is, in words and parts.
pub(super) fn description(wanted: &Wanted, pair: &Pair) -> Value {
    let price =
        |value: Option<Decimal>| value.map_or_else(|| "0".to_owned(), |value| fixed(value, pair.places));
    let (first, second) = match wanted.order_type {
        OrderType::Stop | OrderType::StopLimit => (wanted.stop_price, wanted.limit_price),
        _ => (wanted.limit_price, None),
    };
    let mut text = format!(
        "{} {} {} @ {}",
        side(wanted.buys),
        fixed(wanted.quantity, 8),
        pair.altname(),
        // Of a stop with a limit the limit stands at the end.
        order_type(wanted).trim_end_matches("-limit").replace('-', " ")
    );
    if first.is_some() {
        text = format!("{text} {}", price(first));
    }
    if second.is_some() {
        text = format!("{text} -> limit {}", price(second));
    }
    json!({
        "pair": pair.altname(), "type": side(wanted.buys), "ordertype": order_type(wanted), "price": price(first),
        "price2": price(second), "leverage": "none", "order": text, "close": "",
    })
}

/// An order over HTTP, with its executions if they are asked for.
pub(super) fn order(desk: &Desk, seed: u64, row: &Row, trades: bool) -> Value {
    let wanted = &row.wanted;
    let Some(pair) = pair(desk, &wanted.symbol) else { return Value::Null };
    let word = |name: &str| wanted.words.get(name).cloned();
    let triggered = |value: Option<Decimal>| match (row.state, value) {
        (State::Triggered, Some(value)) => fixed(value, pair.places),
        _ => "0.00000".to_owned(),
    };
    let mut order = json!({
        "refid": row.replaces, "userref": word("userref").and_then(|text| text.parse::<i64>().ok()),
        "cl_ord_id": wanted.client_id, "status": status(row), "opentm": seconds_number(row.created), "starttm": 0,
        "expiretm": wanted.expires.map_or(json!(0), seconds_number), "descr": description(wanted, &pair),
        "vol": fixed(wanted.quantity, 8), "vol_exec": fixed(row.filled, 8), "cost": fixed(row.value, 5),
        "fee": fixed(row.fees, 5), "price": fixed(row.average_price().unwrap_or_default().round_dp(10), pair.places),
        "stopprice": triggered(wanted.stop_price), "limitprice": triggered(wanted.limit_price), "misc": "",
        "oflags": word("oflags").unwrap_or_else(|| "fciq".to_owned()),
    });
    let Some(object) = order.as_object_mut() else { return order };
    if wanted.stop_price.is_some() {
        object.insert("trigger".to_owned(), json!(word("trigger").unwrap_or_else(|| "last".to_owned())));
    }
    if let Some(ended) = row.ended {
        object.insert("closetm".to_owned(), seconds_number(ended));
        object.insert("reason".to_owned(), json!(reason(row)));
    }
    if trades {
        let of = desk.fills().iter().filter(|fill| fill.order == row.number);
        object.insert("trades".to_owned(), of.map(|fill| json!(trade_id(seed, fill))).collect());
    }
    order
}

/// Why an order ended before it was filled.
pub(super) fn reason(row: &Row) -> Option<String> {
    match row.state {
        State::Canceled if row.cancel_asked.is_some() => Some("User requested".to_owned()),
        State::Replaced => Some("Order replaced".to_owned()),
        State::Canceled | State::Rejected => row.reason.as_ref().map(ToString::to_string),
        _ => None,
    }
}

/// An execution over HTTP.
pub(super) fn trade(desk: &Desk, fill: &FillRow) -> Option<Value> {
    let pair = pair(desk, &fill.symbol)?;
    let row = desk.order(fill.order_id.as_str())?;
    Some(json!({
        "ordertxid": fill.order_id, "postxid": "TKH2SE-M7IF5-CFI7LT", "pair": pair.id(),
        "time": seconds_number(fill.time), "type": side(fill.bought), "ordertype": order_type(&row.wanted),
        "price": fixed(fill.price, pair.places), "cost": fixed(fill.quantity.saturating_mul(fill.price), 5),
        "fee": fixed(fill.fees, 5), "vol": fixed(fill.quantity, 8), "margin": "0.00000", "leverage": "0", "misc": "",
        "trade_id": fill.number + 1, "maker": fill.maker,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_instants_are_written_as_the_venue_does() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(fixed(d("37500"), 1), "37500.0");
        assert_eq!(fixed(d("98.12345678"), 1), "98.12345678");
        assert_eq!(float(d("1.250")).to_string(), "1.25");
        let time = Timestamp::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(
            (seconds(time).as_str(), instant(time).as_str()),
            ("1700000000.123456", "2023-11-14T22:13:20.123456Z")
        );
        assert_eq!(seconds_number(time).to_string(), "1700000000.123456");
        let txid = id('O', 1, "order", 0);
        assert_eq!(txid.split('-').map(str::len).collect::<Vec<_>>(), [6, 5, 6]);
    }
}
