//! Reading what clients send: numbers come as JSON numbers or as text, and the venue takes both.

use super::unprocessable;
use crate::dialect::Answer;
use mts_foundation::{Decimal, Timestamp, num};
use serde_json::Value;

/// A number above zero, where there is one.
pub(super) fn positive(body: &Value, field: &str) -> Result<Option<Decimal>, Answer> {
    let number = match body.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => num::parse(text).ok(),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(whole) => Some(Decimal::from(whole)),
            None => number.as_f64().and_then(num::as_written),
        },
        Some(_) => None,
    };
    match number {
        Some(number) if number > Decimal::ZERO => Ok(Some(number.normalize())),
        Some(_) => Err(unprocessable(format!("{field} must be > 0"))),
        None => Err(unprocessable(format!("invalid {field}"))),
    }
}

/// A text, where there is one.
pub(super) fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field).and_then(Value::as_str)
}

/// An instant or a day.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}
