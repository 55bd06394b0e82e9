//! Replies. Numbers stay digits until they are decimals.

use crate::stream::venues::read::Text;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A reply around what was asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Reply<'a, T> {
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ticker: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) next_url: Option<Text<'a>>,
    pub(super) results: Option<T>,
    /// Of currencies, instead of `results`.
    pub(super) last: Option<T>,
}

/// The best bid and offer of a share: small letters are the bid, capitals the ask.
#[derive(Debug, Deserialize)]
pub(super) struct Nbbo<'a> {
    #[serde(borrow, rename = "T")]
    pub(super) ticker: Option<Text<'a>>,
    #[serde(borrow, rename = "p")]
    pub(super) bid: Option<&'a RawValue>,
    #[serde(borrow, rename = "s")]
    pub(super) bid_size: Option<&'a RawValue>,
    #[serde(borrow, rename = "P")]
    pub(super) ask: Option<&'a RawValue>,
    #[serde(borrow, rename = "S")]
    pub(super) ask_size: Option<&'a RawValue>,
    /// Nanoseconds.
    #[serde(rename = "t")]
    pub(super) time: i64,
}

/// A quote of the past.
#[derive(Debug, Deserialize)]
pub(super) struct PastQuote<'a> {
    #[serde(borrow)]
    pub(super) bid_price: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) bid_size: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) ask_price: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) ask_size: Option<&'a RawValue>,
    /// Nanoseconds.
    pub(super) sip_timestamp: i64,
}

/// The last quote of two currencies.
#[derive(Debug, Deserialize)]
pub(super) struct Currencies<'a> {
    #[serde(borrow)]
    pub(super) bid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) ask: Option<&'a RawValue>,
    /// Milliseconds.
    pub(super) timestamp: i64,
}

/// A bar.
#[derive(Debug, Deserialize)]
pub(super) struct Aggregate<'a> {
    /// Its start, in milliseconds.
    #[serde(rename = "t")]
    pub(super) start: i64,
    #[serde(borrow, rename = "o")]
    pub(super) open: &'a RawValue,
    #[serde(borrow, rename = "h")]
    pub(super) high: &'a RawValue,
    #[serde(borrow, rename = "l")]
    pub(super) low: &'a RawValue,
    #[serde(borrow, rename = "c")]
    pub(super) close: &'a RawValue,
    #[serde(borrow, rename = "v")]
    pub(super) volume: Option<&'a RawValue>,
    #[serde(borrow, rename = "vw")]
    pub(super) vwap: Option<&'a RawValue>,
    #[serde(borrow, rename = "n")]
    pub(super) trades: Option<&'a RawValue>,
}

/// A print.
#[derive(Debug, Deserialize)]
pub(super) struct Print<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(default)]
    pub(super) exchange: u32,
    pub(super) trf_id: Option<u32>,
    #[serde(borrow)]
    pub(super) price: &'a RawValue,
    #[serde(borrow)]
    pub(super) size: Option<&'a RawValue>,
    /// The size with its fraction, as text.
    #[serde(borrow)]
    pub(super) decimal_size: Option<&'a RawValue>,
    /// Nanoseconds; crypto has the exchange's time alone.
    pub(super) sip_timestamp: Option<i64>,
    pub(super) participant_timestamp: Option<i64>,
    /// What became of it: see [`Print::is_void`].
    #[serde(default)]
    pub(super) correction: u32,
}

impl Print<'_> {
    /// Whether it is an error or was cancelled, by the code of the tapes (7, 8), or is the notice of that (10, 11).
    pub(super) fn is_void(&self) -> bool {
        matches!(self.correction, 7 | 8 | 10 | 11)
    }
}
