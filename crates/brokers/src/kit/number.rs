//! Exact decimals of a venue's JSON, whether it sends them as text or as numbers. Never through a float.
//!
//! For `#[serde(deserialize_with = "number::exact")]`; the `_option` twin takes `null`, an empty text and an absent field
//! (with `#[serde(default)]`) for nothing.

use mts_foundation::Decimal;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Longest text of a number that is looked at; more digits than that are no money.
const MAX_DIGITS: usize = 64;

/// A decimal from a JSON text or number.
///
/// # Errors
/// When it is neither, or does not fit a [`Decimal`] exactly.
pub fn exact<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    let text = plain(raw.get());
    parse(&text).ok_or_else(|| no_decimal(raw.get()))
}

/// A decimal, or nothing.
///
/// # Errors
/// As [`exact`].
pub fn exact_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    let Some(raw) = <Option<&RawValue>>::deserialize(from)? else { return Ok(None) };
    let text = plain(raw.get());
    if text.is_empty() || text == "null" {
        return Ok(None);
    }
    parse(&text).map(Some).ok_or_else(|| no_decimal(raw.get()))
}

/// A decimal in a text of its own.
#[must_use]
pub fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_DIGITS {
        return None;
    }
    let value = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok()?,
        false => Decimal::from_str_exact(text).ok()?,
    };
    Some(value.normalize())
}

/// What stands between the quotation marks. A number with an escape in it is no number.
fn plain(raw: &str) -> Cow<'_, str> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(raw),
    }
}

fn no_decimal<E: Error>(raw: &str) -> E {
    let start: String = raw.chars().take(MAX_DIGITS).collect();
    E::custom(format!("{start} is no decimal number that can be kept exactly"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(serde::Deserialize)]
    struct Row {
        #[serde(deserialize_with = "exact")]
        price: Decimal,
        #[serde(deserialize_with = "exact_option", default)]
        stop: Option<Decimal>,
    }

    fn row(text: &str) -> Result<Row, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn texts_and_numbers_are_read_digit_by_digit() {
        let one = |text: &str| row(text).unwrap().price.to_string();
        assert_eq!(one(r#"{"price":"0.1"}"#), "0.1");
        assert_eq!(one(r#"{"price":0.1}"#), "0.1");
        assert_eq!(one(r#"{"price":12345678901234567890.12345678}"#), "12345678901234567890.12345678");
        assert_eq!(one(r#"{"price":1e-8}"#), "0.00000001");
        assert_eq!(one(r#"{"price":-2.50}"#), "-2.5");
        for (text, stop) in [
            (r#"{"price":1}"#, None),
            (r#"{"price":1,"stop":null}"#, None),
            (r#"{"price":1,"stop":""}"#, None),
            (r#"{"price":1,"stop":"2.5"}"#, Some("2.5")),
        ] {
            assert_eq!(row(text).unwrap().stop.map(|stop| stop.to_string()).as_deref(), stop, "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_number_is_refused() {
        let long = format!(r#"{{"price":{}}}"#, "9".repeat(40));
        let deep = format!(r#"{{"price":0.{}}}"#, "1".repeat(40));
        for wrong in [
            r#"{"price":"NaN"}"#,
            r#"{"price":"Infinity"}"#,
            r#"{"price":1e40}"#,
            r#"{"price":""}"#,
            r#"{"price":true}"#,
            r#"{"price":[1]}"#,
            r#"{"price":"\u0031"}"#,
            r#"{"price":"1 2"}"#,
            long.as_str(),
            deep.as_str(),
        ] {
            assert!(row(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_read_back(units in any::<i64>(), scale in 0_u32..18) {
            let value = Decimal::new(units, scale);
            let (text, number) = (format!(r#"{{"price":"{value}"}}"#), format!(r#"{{"price":{value}}}"#));
            prop_assert_eq!(row(&text).unwrap().price, value);
            prop_assert_eq!(row(&number).unwrap().price, value);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let read = row(&format!(r#"{{"price":{text}}}"#));
            // What JSON takes for a number is read in the same way without JSON.
            if let Ok(read) = read {
                prop_assert_eq!(parse(text.trim().trim_matches('"')), Some(read.price));
            }
        }
    }
}
