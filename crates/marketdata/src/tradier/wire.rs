//! Replies: one of a list comes without the list, and nothing as `null` or the text `"null"`.

use crate::stream::venues::read::Text;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What may be there, as an object.
pub(super) fn there<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
) -> Result<Option<T>, serde_json::Error> {
    match raw.map(RawValue::get) {
        None | Some("null" | "\"null\"" | "\"\"") => Ok(None),
        Some(text) => serde_json::from_str(text).map(Some),
    }
}

/// None, one or many.
pub(super) fn many<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<Vec<T>, serde_json::Error> {
    match raw.map(RawValue::get) {
        Some(text) if text.starts_with('[') => serde_json::from_str(text),
        _ => there(raw).map(|one| one.into_iter().collect()),
    }
}

/// A reply around what was asked for. `errors` come with HTTP 200.
#[derive(Debug, Deserialize)]
pub(super) struct Reply<'a> {
    #[serde(borrow)]
    pub(super) quotes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) history: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) series: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) errors: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) fault: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Quotes<'a> {
    #[serde(borrow)]
    pub(super) quote: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Quote<'a> {
    #[serde(borrow)]
    pub(super) symbol: Text<'a>,
    #[serde(borrow)]
    pub(super) bid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) ask: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) bidsize: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) asksize: Option<&'a RawValue>,
    /// Milliseconds.
    pub(super) bid_date: Option<i64>,
    pub(super) ask_date: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct History<'a> {
    #[serde(borrow)]
    pub(super) day: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Day<'a> {
    #[serde(borrow)]
    pub(super) date: Text<'a>,
    #[serde(borrow)]
    pub(super) open: &'a RawValue,
    #[serde(borrow)]
    pub(super) high: &'a RawValue,
    #[serde(borrow)]
    pub(super) low: &'a RawValue,
    #[serde(borrow)]
    pub(super) close: &'a RawValue,
    #[serde(borrow)]
    pub(super) volume: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Series<'a> {
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Minute<'a> {
    /// Its start, in seconds.
    pub(super) timestamp: i64,
    #[serde(borrow)]
    pub(super) open: &'a RawValue,
    #[serde(borrow)]
    pub(super) high: &'a RawValue,
    #[serde(borrow)]
    pub(super) low: &'a RawValue,
    #[serde(borrow)]
    pub(super) close: &'a RawValue,
    #[serde(borrow)]
    pub(super) volume: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) vwap: Option<&'a RawValue>,
}
