//! Files made of records, and a clock of our own.

use dbn::encode::{DbnEncodable, DbnEncoder, EncodeRecord};
use dbn::{
    BidAskPair, FlagSet, MappingInterval, Mbp1Msg, Metadata, OhlcvMsg, RecordHeader, SType, Schema,
    SymbolMapping, TradeMsg, rtype,
};
use mts_foundation::Symbol;
use mts_foundation::Timestamp;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{DataFeed, MarketDataError, MarketEvent};
use mts_foundation::ready::ready;
use mts_foundation::time::Clock;
use mts_marketdata::databento::{DatabentoFeed, File, Replay};
use std::ffi::c_char;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2026-03-02T14:30:00Z.
pub(super) const OPEN: u64 = 1_772_461_800_000_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// The publisher of XNAS.ITCH.
pub(super) const NASDAQ: u16 = 2;

pub(super) fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

pub(super) fn letter(letter: u8) -> c_char {
    letter as c_char
}

/// The head of a file: instruments by name, number, first day and day after the last, counted from the day of [`OPEN`].
pub(super) fn head(dataset: &str, schema: Schema, named: &[(&str, u32, u64, u64)]) -> Metadata {
    let begun = |day: u64| {
        let builder = Metadata::builder().dataset(dataset).schema(Some(schema)).start(OPEN + day * DAY);
        builder.stype_in(Some(SType::RawSymbol)).stype_out(SType::InstrumentId)
    };
    // The type of dates is that of a library we do not name.
    let date = |day: u64| begun(day).build().start().date();
    let mappings = named.iter().map(|(name, id, from, to)| SymbolMapping {
        raw_symbol: (*name).to_owned(),
        intervals: vec![MappingInterval {
            start_date: date(*from),
            end_date: date(*to),
            symbol: id.to_string(),
        }],
    });
    begun(0).mappings(mappings.collect()).build()
}

/// AAPL is 1, BRK.B is 2.
pub(super) fn shares(schema: Schema) -> Metadata {
    head("XNAS.ITCH", schema, &[("AAPL", 1, 0, 2), ("BRK.B", 2, 0, 2)])
}

pub(super) fn file<R: DbnEncodable>(metadata: &Metadata, records: &[R]) -> Vec<u8> {
    let mut encoder = DbnEncoder::new(Vec::new(), metadata).unwrap();
    encoder.encode_records(records).unwrap();
    encoder.get_ref().clone()
}

/// A print a so many nanoseconds after the opening was received, 1 ms after it happened.
pub(super) fn trade(id: u32, after: u64, price: i64, sequence: u32) -> TradeMsg {
    TradeMsg {
        hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, NASDAQ, id, OPEN + after - 1_000_000.min(after)),
        price,
        size: 100,
        action: letter(b'T'),
        side: letter(b'B'),
        flags: FlagSet::empty(),
        depth: 0,
        ts_recv: OPEN + after,
        ts_in_delta: 0,
        sequence,
    }
}

pub(super) fn top(id: u32, after: u64, action: u8, bid: (i64, u32), ask: (i64, u32)) -> Mbp1Msg {
    let level =
        BidAskPair { bid_px: bid.0, ask_px: ask.0, bid_sz: bid.1, ask_sz: ask.1, bid_ct: 1, ask_ct: 1 };
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, NASDAQ, id, OPEN + after),
        price: bid.0,
        size: 7,
        action: letter(action),
        ts_recv: OPEN + after,
        sequence: 9,
        levels: [level],
        ..Mbp1Msg::default()
    }
}

pub(super) fn bar(id: u32, kind: u8, start: u64, close: i64) -> OhlcvMsg {
    let hd = RecordHeader::new::<OhlcvMsg>(kind, NASDAQ, id, start);
    OhlcvMsg { hd, open: 1_000_000_000, high: 3_000_000_000, low: 500_000_000, close, volume: 12 }
}

/// Time that passes when somebody sleeps, and by so much more.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: Mutex<Duration>,
    pub(super) slept: Mutex<Vec<Duration>>,
    pub(super) oversleep: Duration,
    /// Sleeps do not end.
    pub(super) hangs: Mutex<bool>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(self.monotonic())
    }
    fn monotonic(&self) -> Duration {
        *self.now.lock().unwrap()
    }
}

impl Sleep for World {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.slept.lock().unwrap().push(time);
        if *self.hangs.lock().unwrap() {
            return Box::pin(std::future::pending());
        }
        *self.now.lock().unwrap() += time + self.oversleep;
        Box::pin(std::future::ready(()))
    }
}

/// Which instruments, as fast as possible.
pub(super) fn only(symbols: &[&str]) -> Replay {
    let symbols = symbols.iter().map(|text| symbol(text)).collect();
    Replay { symbols, replay_speed: 0.0, ..Replay::default() }
}

pub(super) fn feed_of(files: Vec<Vec<u8>>, replay: &Replay) -> Result<DatabentoFeed, MarketDataError> {
    feed_in(files, replay, &Arc::new(World::default()))
}

pub(super) fn feed_in(
    files: Vec<Vec<u8>>,
    replay: &Replay,
    world: &Arc<World>,
) -> Result<DatabentoFeed, MarketDataError> {
    let named = |(number, bytes): (usize, Vec<u8>)| -> File {
        (format!("{number}.dbn"), Box::new(Cursor::new(bytes)))
    };
    let files = files.into_iter().enumerate().map(named).collect();
    let mut feed = DatabentoFeed::from_files(files, replay, world.clone(), world.clone())?;
    ready(DataFeed::start(&mut feed)).unwrap()?;
    Ok(feed)
}

/// All events up to the end or the error.
pub(super) fn drain(feed: &mut DatabentoFeed) -> (Vec<MarketEvent>, Option<MarketDataError>) {
    let mut events = Vec::new();
    loop {
        match ready(DataFeed::next(feed)).unwrap() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

/// Of one file, all of it.
pub(super) fn played(bytes: Vec<u8>) -> (Vec<MarketEvent>, DatabentoFeed) {
    let mut feed = feed_of(vec![bytes], &only(&[])).unwrap();
    let (events, error) = drain(&mut feed);
    assert!(error.is_none(), "{error:?}");
    (events, feed)
}

/// Events in short: kind, symbol, prices, seconds after the opening.
pub(super) fn told(events: &[MarketEvent]) -> Vec<String> {
    let at = |time: Timestamp| {
        let open = Timestamp::from_nanos(i64::try_from(OPEN).unwrap());
        time.since(open).as_secs_f64()
    };
    let tell = |event: &MarketEvent| match event {
        MarketEvent::Quote(it) => format!("{} {}/{} @{}", it.symbol, it.bid, it.ask, at(it.timestamp)),
        MarketEvent::Trade(it) => format!("{} {}x{} @{}", it.symbol, it.price, it.size, at(it.timestamp)),
        MarketEvent::Bars { time, bars } => {
            let bars: Vec<_> =
                bars.iter().map(|bar| format!("{} {} {}", bar.symbol, bar.interval, bar.close)).collect();
            format!("[{}] @{}", bars.join(", "), at(*time))
        }
        MarketEvent::Gap { venue, from, to } => format!("gap {venue} {}-{}", at(*from), at(*to)),
        other => format!("{other:?}"),
    };
    events.iter().map(tell).collect()
}
