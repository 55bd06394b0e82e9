//! What the readers of vendors' replies are held to, for any bytes. The fuzz target `vendors` of `fuzz/` runs this too.
//!
//! The first line names the vendor (any other chooses one), the rest is the reply to everything that it is asked; that of
//! `ibkr` is one of its prints in each line.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "helpers of tests")]

use bytes::Bytes;
use mts_foundation::io::{HttpClient, RequestOptions, TransportError};
use mts_foundation::market_data::{MarketData, MarketDataError};
use mts_foundation::ready::ready;
use mts_foundation::{Clock, Interval, Symbol, Timestamp};
use mts_marketdata::{alpaca, polygon, tradier};
use secrecy::SecretString;
use std::fmt::Debug;
use std::sync::Arc;

/// What no message may hold.
const SECRET: &str = "k3y-of-nobody";

/// 2026-03-03T21:30:00Z: a Tuesday, after the close in New York.
const NOW: i64 = 1_772_573_400_000;

struct Always(Bytes);

impl HttpClient for Always {
    async fn send(
        &self,
        _: http::Request<Bytes>,
        _: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        Ok(http::Response::builder().status(200).body(self.0.clone()).unwrap())
    }
}

struct At;

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW)
    }
}

/// A refusal has words, and no secret among them.
fn look<T: Debug>(answer: Result<T, MarketDataError>) {
    if let Err(error) = answer {
        let words = error.to_string();
        assert!(!words.is_empty() && !words.contains(SECRET));
    }
}

fn ask(vendor: &impl MarketData) {
    let symbol = Symbol::new("AAPL").unwrap();
    let (now, day) = (Timestamp::from_millis(NOW), Timestamp::from_millis(NOW - 86_400_000));
    look(ready(vendor.quote(&symbol)).unwrap());
    look(ready(vendor.bars(&symbol, Interval::MINUTE, day, Some(now))).unwrap());
    look(ready(vendor.trades(&symbol, now)).unwrap());
}

/// Of the words of a print something is left that can be one, or nothing; and the volume of a day is not told twice.
#[cfg(feature = "ibkr")]
fn words(reply: &[u8]) {
    let text = String::from_utf8_lossy(reply);
    let since = Timestamp::from_millis(NOW - 1_000);
    let told = mts_marketdata::ibkr::prints_of_words(since, text.lines());
    let zero = mts_foundation::Decimal::ZERO;
    assert!(told.iter().all(|(price, size, _)| *price > zero && *size > zero), "{told:?}");
    let again = mts_marketdata::ibkr::prints_of_words(since, text.lines().flat_map(|line| [line, line]));
    assert_eq!(told, again);
}

/// Whatever comes is read or refused with a reason.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (name, reply) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    #[cfg(feature = "ibkr")]
    if name == b"ibkr" {
        return words(reply);
    }
    let http = Arc::new(Always(Bytes::copy_from_slice(reply)));
    let key = || SecretString::from(SECRET);
    let clock: Arc<dyn Clock> = Arc::new(At);
    match (name, name.first().copied().unwrap_or_default() % 3) {
        (b"alpaca", _) | (_, 0) => {
            ask(&alpaca::Alpaca::new(alpaca::Settings::default(), (key(), key()), http, clock).unwrap());
        }
        (b"polygon", _) | (_, 1) => {
            ask(&polygon::Polygon::new(polygon::Settings::default(), key(), http, clock).unwrap());
        }
        _ => ask(&tradier::Tradier::new(tradier::Settings::default(), key(), http, clock).unwrap()),
    }
}
