//! What the readers of files are held to, for any bytes. The fuzz target `data_files` of `fuzz/` runs this too.
//!
//! The first line names the kind of file (any other is read as each), the rest is the file.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "helpers of tests")]

use mts_foundation::market_data::{DataFeed, MarketDataError};
use mts_foundation::ready::ready;
use mts_foundation::{Interval, MarketCalendar};
use mts_marketdata::panel::{Membership, long_bars, wide_bars};
use mts_marketdata::{ClosesFeed, TicksFeed, instruments};
use std::fmt::Debug;

const TABLE: &str = "symbol,asset_class,currency,calendar,tick,lot,multiplier\n\
                     AAPL,equities,USD,XNYS,0.01,1,1\nBTC-USD,crypto,USD,24/7,0.1,0.0001,1\n";

/// Most events that are drawn of a feed.
const EVENTS: usize = 10_000;

fn look<T: Debug>(read: Result<T, MarketDataError>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn draw(mut feed: impl DataFeed) {
    ready(feed.start()).unwrap().unwrap();
    for _ in 0..EVENTS {
        match look(ready(feed.next()).unwrap()) {
            Some(Some(_)) => {}
            _ => return,
        }
    }
}

/// Recordings of Databento; where that is not built, nothing is read.
#[cfg(feature = "databento")]
fn recording(bytes: &[u8]) {
    use mts_foundation::broker::BoxFuture;
    use mts_foundation::io::Sleep;
    use mts_foundation::{Clock, Timestamp};
    use mts_marketdata::databento::{DatabentoFeed, Replay};
    use std::sync::Arc;
    use std::time::Duration;

    struct Still;
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }
    }
    impl Sleep for Still {
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }
    let file = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let replay = Replay { replay_speed: 0.0, ..Replay::default() };
    if let Some(feed) =
        look(DatabentoFeed::from_file("file", file, &replay, Arc::new(Still), Arc::new(Still)))
    {
        let _ = feed.range();
        draw(feed);
    }
}

#[cfg(not(feature = "databento"))]
fn recording(_: &[u8]) {}

/// Whatever comes is read or refused with a reason.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (kind, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let known: [&[u8]; 7] =
        [b"closes", b"ticks", b"instruments", b"membership", b"long", b"wide", b"recording"];
    let is = |name: &[u8]| kind == name || !known.contains(&kind);
    if is(b"recording") {
        recording(file);
    }
    let Ok(text) = std::str::from_utf8(file) else { return };
    let table = instruments::from_csv("table", TABLE).unwrap();
    let calendar = MarketCalendar::builtin("XNYS").unwrap();
    if is(b"closes")
        && let Some(feed) = look(ClosesFeed::from_csv("file", text, &table, calendar))
    {
        draw(feed);
    }
    if is(b"ticks")
        && let Some(feed) = look(TicksFeed::from_jsonl("file", text, &table))
    {
        draw(feed);
    }
    if is(b"instruments") {
        look(instruments::from_csv("file", text));
    }
    if is(b"membership") {
        look(Membership::from_csv("file", text));
    }
    let mut sane = |bar: mts_foundation::Bar| {
        assert!(!bar.symbol.as_str().is_empty());
        Ok(())
    };
    if is(b"long") {
        look(long_bars("file", text, calendar, Interval::DAY, &mut sane));
    }
    if is(b"wide") {
        look(wide_bars("file", text, calendar, Interval::DAY, &mut sane));
    }
}
