//! What the parsers share: numbers and times from text, exactly.

use crate::stream::protocol::{Level, Unreadable};
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::{Decimal, Interval, Timestamp, VenueName, num};
use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A text, borrowed where it has no escapes.
pub(crate) type Text<'a> = Cow<'a, str>;

/// A frame of JSON.
pub(crate) fn parse<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, Unreadable> {
    Ok(serde_json::from_slice(frame)?)
}

/// A part of a frame.
pub(super) fn part<'a, T: Deserialize<'a>>(part: &'a RawValue) -> Result<T, Unreadable> {
    Ok(serde_json::from_str(part.get())?)
}

/// A decimal from its digits.
pub(crate) fn decimal(text: &str) -> Result<Decimal, Unreadable> {
    num::parse(text).map_err(Unreadable)
}

/// A decimal that is written as a number or a text.
pub(crate) fn number(raw: &RawValue) -> Result<Decimal, Unreadable> {
    decimal(raw.get().trim_matches('"'))
}

/// A level of an order book: a list of price, size, and whatever else.
struct Row(Level);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a list of price and size")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Row, A::Error> {
                let mut next = || {
                    let raw = row.next_element::<&RawValue>()?;
                    number(raw.ok_or_else(|| A::Error::custom("a level has no price or no size"))?)
                        .map_err(A::Error::custom)
                };
                let level = Level { price: next()?, size: next()? };
                while row.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Row(level))
            }
        }
        deserializer.deserialize_seq(Columns)
    }
}

/// The levels of one side of an order book.
#[derive(Default)]
pub(super) struct Levels(pub(super) Vec<Level>);

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Row>::deserialize(deserializer)?;
        Ok(Self(rows.into_iter().map(|Row(level)| level).collect()))
    }
}

/// Price and size of a level.
pub(super) fn level(price: &str, size: &str) -> Result<Level, Unreadable> {
    Ok(Level { price: decimal(price)?, size: decimal(size)? })
}

/// An instant in milliseconds since 1970.
pub(crate) fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An instant in milliseconds since 1970, as text.
pub(super) fn millis_text(text: &str) -> Result<Timestamp, Unreadable> {
    text.parse().map(millis).map_err(|_| Unreadable(format!("{:?} is no time", short(text))))
}

/// An instant in ISO-8601.
pub(crate) fn instant(text: &str) -> Result<Timestamp, Unreadable> {
    text.parse().map_err(|error: mts_foundation::time::InvalidTimestamp| Unreadable(error.to_string()))
}

/// The start of the venue's words, for a message.
pub(super) fn short(words: &str) -> String {
    if words.trim().is_empty() { "it says no reason".to_owned() } else { words.chars().take(200).collect() }
}

/// A text frame.
pub(super) fn text(value: &serde_json::Value) -> Frame {
    Frame::Text(Bytes::from(value.to_string()))
}

/// The name of a venue of ours.
pub(super) fn venue(name: &str) -> Result<VenueName, mts_foundation::market_data::MarketDataError> {
    VenueName::new(name).map_err(|error| mts_foundation::market_data::MarketDataError::Unsupported {
        source_name: name.to_owned(),
        what: error.to_string(),
    })
}

/// The venue's word for an interval.
pub(super) fn word(table: &[(&'static str, &'static str)], interval: Interval) -> Option<&'static str> {
    let ours = interval.to_string();
    table.iter().find(|(name, _)| *name == ours).map(|(_, word)| *word)
}

/// The messages of a frame that is a list of them: one that cannot be read does not hide those after it.
///
/// # Errors
/// The first that cannot be read.
pub(super) fn each<'a, T: Deserialize<'a>>(
    frame: &'a [u8],
    mut take: impl FnMut(&T) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let messages: Vec<&RawValue> = parse(frame)?;
    let mut fault = Ok(());
    for message in messages {
        let taken = part::<T>(message).and_then(|message| take(&message));
        fault = fault.and(taken);
    }
    fault
}
