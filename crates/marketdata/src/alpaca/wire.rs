//! Replies. Numbers stay digits until they are decimals. All are maps by symbol; a symbol that is not known is not in them.

use crate::stream::venues::read::Text;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// By symbol.
pub(super) type Map<'a, T> = BTreeMap<Text<'a>, T>;

/// A page of bars. `bars` may be an empty map, and `null`, also where another page follows.
#[derive(Debug, Deserialize)]
pub(super) struct Bars<'a> {
    #[serde(borrow)]
    pub(super) bars: Option<Map<'a, Option<Vec<Bar<'a>>>>>,
    #[serde(borrow)]
    pub(super) next_page_token: Option<Text<'a>>,
}

/// A bar.
#[derive(Debug, Deserialize)]
pub(super) struct Bar<'a> {
    /// Its start.
    #[serde(borrow)]
    pub(super) t: Text<'a>,
    #[serde(borrow)]
    pub(super) o: &'a RawValue,
    #[serde(borrow)]
    pub(super) h: &'a RawValue,
    #[serde(borrow)]
    pub(super) l: &'a RawValue,
    #[serde(borrow)]
    pub(super) c: &'a RawValue,
    #[serde(borrow)]
    pub(super) v: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) n: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) vw: Option<&'a RawValue>,
}

/// The newest quotes.
#[derive(Debug, Deserialize)]
pub(super) struct Quotes<'a> {
    #[serde(borrow)]
    pub(super) quotes: Option<Map<'a, Quote<'a>>>,
}

/// A quote.
#[derive(Debug, Deserialize)]
pub(super) struct Quote<'a> {
    #[serde(borrow)]
    pub(super) t: Text<'a>,
    #[serde(borrow)]
    pub(super) bp: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) bs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) ap: Option<&'a RawValue>,
    #[serde(borrow, rename = "as")]
    pub(super) asks: Option<&'a RawValue>,
}

/// A page of prints.
#[derive(Debug, Deserialize)]
pub(super) struct Prints<'a> {
    #[serde(borrow)]
    pub(super) trades: Option<Map<'a, Option<Vec<Print<'a>>>>>,
}

/// A print.
#[derive(Debug, Deserialize)]
pub(super) struct Print<'a> {
    #[serde(borrow)]
    pub(super) t: Text<'a>,
    #[serde(borrow)]
    pub(super) p: &'a RawValue,
    #[serde(borrow)]
    pub(super) s: &'a RawValue,
    #[serde(borrow)]
    pub(super) x: Option<Text<'a>>,
    pub(super) i: Option<u64>,
    /// What became of it: `canceled`, `corrected` (the new one of two), `incorrect` (the old one).
    #[serde(borrow)]
    pub(super) u: Option<Text<'a>>,
}
