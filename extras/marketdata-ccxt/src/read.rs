//! What ccxt answers, read into foundation's types. Nothing is made up: a row that lacks what it needs is an error.

use ccxt::{ExchangeError, Value};
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Decimal, Timestamp, num};

/// How much of what an exchange says is told.
const MAX_TOLD: usize = 200;

/// A candle, by its start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candle {
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: Decimal,
}

/// Best prices of a book or of a ticker.
#[derive(Debug, PartialEq)]
pub(crate) struct Top {
    pub(crate) bid: Decimal,
    pub(crate) bid_size: Decimal,
    pub(crate) ask: Decimal,
    pub(crate) ask_size: Decimal,
    pub(crate) time: Option<Timestamp>,
}

/// A print.
#[derive(Debug, PartialEq)]
pub(crate) struct Print {
    pub(crate) id: String,
    pub(crate) price: Decimal,
    pub(crate) size: Decimal,
    pub(crate) time: Timestamp,
}

/// A number, or the text of one. A float is the shortest decimal that reads back as the same float; one that is not
/// finite, or needs more than 28 places, is none.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(whole) => Some(Decimal::from(*whole)),
        Value::Float(float) if float.is_finite() => num::parse(&float.to_string()).ok(),
        Value::Str(text) => num::parse(text).ok(),
        _ => None,
    }
}

/// Milliseconds since 1970.
fn time(value: &Value) -> Option<Timestamp> {
    let millis = match value {
        Value::Int(millis) => *millis,
        other => i64::try_from(decimal(other)?.trunc()).ok()?,
    };
    (millis > 0).then(|| Timestamp::from_millis(millis))
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.as_map().and_then(|map| map.get(name)).unwrap_or(&Value::Null)
}

/// The rows of an answer.
fn rows<'a>(venue: &str, answer: &'a Value, what: &str) -> Result<&'a [Value], MarketDataError> {
    answer.as_array().map(Vec::as_slice).ok_or_else(|| fault(venue, &format!("its {what} are no list")))
}

/// `read` of every row, or the number of the first that lacks something.
fn each<T>(
    venue: &str,
    rows: &[Value],
    what: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, MarketDataError> {
    let lacking = |line: u64| MarketDataError::Record {
        path: venue.to_owned(),
        line,
        message: format!("this row lacks {what}, or has a number of more than 28 digits: ask for other rows"),
    };
    (1..).zip(rows).map(|(line, row)| read(row).ok_or_else(|| lacking(line))).collect()
}

/// Candles with the time that the exchange gives them, which is when they start unless it is known to be otherwise.
pub(crate) fn candles(venue: &str, answer: &Value) -> Result<Vec<(Timestamp, Candle)>, MarketDataError> {
    each(venue, rows(venue, answer, "candles")?, "a time or a price", |row| {
        let [start, open, high, low, close, volume, ..] = row.as_array()?.as_slice() else { return None };
        let volume = if volume.is_null() { Decimal::ZERO } else { decimal(volume)? };
        let (open, high, low, close) = (decimal(open)?, decimal(high)?, decimal(low)?, decimal(close)?);
        Some((time(start)?, Candle { open, high, low, close, volume }))
    })
}

/// Trades, the oldest first.
pub(crate) fn trades(venue: &str, answer: &Value) -> Result<Vec<Print>, MarketDataError> {
    let mut trades = each(venue, rows(venue, answer, "trades")?, "a time, a price or a size", |row| {
        Some(Print {
            id: field(row, "id").as_str().unwrap_or_default().to_owned(),
            price: decimal(field(row, "price"))?,
            size: decimal(field(row, "amount"))?,
            time: time(field(row, "timestamp"))?,
        })
    })?;
    trades.sort_by_key(|trade| trade.time);
    Ok(trades)
}

/// The top of an order book, in whatever order its levels come; empty levels do not count.
pub(crate) fn book(venue: &str, answer: &Value) -> Result<Top, MarketDataError> {
    let side = |name: &str| {
        let levels = each(venue, rows(venue, field(answer, name), name)?, "a price or a size", |level| {
            let [price, size, ..] = level.as_array()?.as_slice() else { return None };
            Some((decimal(price)?, decimal(size)?))
        })?;
        Ok(levels.into_iter().filter(|(_, size)| *size > Decimal::ZERO).collect::<Vec<_>>())
    };
    let (bids, asks) = (side("bids")?, side("asks")?);
    let best = (bids.into_iter().max_by_key(|level| level.0), asks.into_iter().min_by_key(|level| level.0));
    let (Some((bid, bid_size)), Some((ask, ask_size))) = best else {
        return Err(fault(venue, "its book has an empty side: there are no two best prices"));
    };
    Ok(Top { bid, bid_size, ask, ask_size, time: time(field(answer, "timestamp")) })
}

/// The best prices of a ticker; sizes that it does not say are zero.
pub(crate) fn ticker(venue: &str, answer: &Value) -> Result<Top, MarketDataError> {
    let size = |name: &str| decimal(field(answer, name)).unwrap_or_default();
    let (Some(bid), Some(ask)) = (decimal(field(answer, "bid")), decimal(field(answer, "ask"))) else {
        return Err(lacks(venue, "best prices in its ticker"));
    };
    let (bid_size, ask_size) = (size("bidVolume"), size("askVolume"));
    Ok(Top { bid, bid_size, ask, ask_size, time: time(field(answer, "timestamp")) })
}

/// What ccxt says went wrong. Its kinds are names of classes in a hierarchy.
pub(crate) fn failure(venue: &str, error: &ExchangeError) -> MarketDataError {
    let ExchangeError { kind, message } = error;
    let message = short(message);
    if error.is("NotSupported") || error.is("BadSymbol") {
        return lacks(venue, &format!("this ({kind}: {message})"));
    }
    let remedy = if error.is("RateLimitExceeded") || error.is("DDoSProtection") {
        ": ask less often"
    } else if error.is("AuthenticationError") {
        ": it stands behind a key, and this crate takes none"
    } else if error.is("NetworkError") {
        ": try again later"
    } else {
        ""
    };
    // A panic inside ccxt comes out as a plain `ExchangeError`, or with whatever stood between its first brackets.
    let kind = if error.is("BaseError") { kind.as_str() } else { "ccxt" };
    fault(venue, &format!("{kind}: {message}{remedy}"))
}

pub(crate) fn lacks(venue: &str, what: &str) -> MarketDataError {
    MarketDataError::Unsupported { source_name: venue.to_owned(), what: what.to_owned() }
}

pub(crate) fn fault(venue: &str, message: &str) -> MarketDataError {
    MarketDataError::Venue { source_name: venue.to_owned(), message: message.to_owned() }
}

/// A text of a peer, cut to what a message can hold and on one line.
fn short(text: &str) -> String {
    text.chars().take(MAX_TOLD).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        ccxt::runtime::json_parse(&Value::Str(text.to_owned().into()))
    }

    #[test]
    fn floats_become_the_decimals_that_were_sent() {
        for text in ["0.1", "67123.45", "0.00000001", "123456789.012345", "1e-9", "3402823466000000000"] {
            let float: f64 = text.parse().unwrap();
            let sent = Decimal::from_scientific(text).or_else(|_| text.parse()).unwrap();
            assert_eq!(decimal(&Value::Float(float)), Some(sent), "{text}");
        }
        assert_eq!(decimal(&Value::Str("19069.310000000000000000000000".into())), "19069.31".parse().ok());
        assert_eq!(decimal(&Value::Int(7)), Some(Decimal::from(7)));
    }

    #[test]
    fn what_is_no_decimal_is_none() {
        let beyond = [f64::NAN, f64::INFINITY, 1e-30, 1e30].map(Value::Float);
        for none in beyond.into_iter().chain([Value::Null, Value::Bool(true), Value::Str("12,5".into())]) {
            assert_eq!(decimal(&none), None, "{none:?}");
        }
    }

    #[test]
    fn a_price_that_is_missing_is_an_error_and_not_zero() {
        let good = "[1700000000000, 1, 2, 0.5, 1.5, null]";
        let candle = candles("x", &value(&format!("[{good}]"))).unwrap().remove(0).1;
        assert_eq!((candle.close, candle.volume), ("1.5".parse().unwrap(), Decimal::ZERO));
        for bad in
            ["[1700000000000, 1, null, 0.5, 1.5, 3]", "[null, 1, 2, 0.5, 1.5, 3]", "[1700000000000, 1]", "{}"]
        {
            let error = candles("x", &value(&format!("[{good}, {bad}]"))).unwrap_err();
            assert!(matches!(error, MarketDataError::Record { line: 2, .. }), "{bad}: {error}");
        }
        assert!(matches!(candles("x", &Value::Null), Err(MarketDataError::Venue { .. })));
        let trade = value(r#"[{"id": "1", "price": 5, "amount": 1}]"#);
        assert!(matches!(trades("x", &trade), Err(MarketDataError::Record { line: 1, .. })));
    }

    #[test]
    fn the_best_level_counts_wherever_it_stands() {
        let levels = r#"{"bids": [[9, 0], [7, 1], [8.5, 2]], "asks": [[12, 1], [11, 3]], "timestamp": 5}"#;
        let top = book("x", &value(levels)).unwrap();
        assert_eq!((top.bid, top.bid_size), ("8.5".parse().unwrap(), Decimal::TWO));
        assert_eq!((top.ask, top.time), (Decimal::from(11), Some(Timestamp::from_millis(5))));
        let error = book("x", &value(r#"{"bids": [], "asks": [[1, 1]]}"#)).unwrap_err();
        assert!(error.to_string().contains("empty side"), "{error}");
    }

    #[test]
    fn kinds_of_ccxt_become_ours() {
        let of = |kind: &str| failure("x", &ExchangeError::new(kind, "y\nz"));
        assert!(matches!(of("BadSymbol"), MarketDataError::Unsupported { .. }));
        assert!(matches!(of("NotSupported"), MarketDataError::Unsupported { .. }));
        for (kind, told) in [
            ("RateLimitExceeded", "x: RateLimitExceeded: y z: ask less often"),
            ("RequestTimeout", "x: RequestTimeout: y z: try again later"),
            (
                "PermissionDenied",
                "x: PermissionDenied: y z: it stands behind a key, and this crate takes none",
            ),
            ("BadResponse", "x: BadResponse: y z"),
            ("u8; 4", "x: ccxt: y z"),
        ] {
            assert_eq!(of(kind).to_string(), told);
        }
        let long = failure("x", &ExchangeError::new("ExchangeError", "y".repeat(9_000))).to_string();
        assert!(long.len() < 300, "{}", long.len());
    }
}
