//! The same from the bytes of a recording of Databento: decoding, the map of instruments and all.

use crate::Fallible;
use crate::market::{INSTRUMENTS, Market, PAUSE, steps};
use dbn::encode::{DbnEncoder, EncodeRecord};
use dbn::{
    BidAskPair, HasRType, MappingInterval, Mbp1Msg, Metadata, Record, RecordHeader, SType, Schema,
    SymbolMapping, TradeMsg, rtype,
};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use mts_foundation::time::Clock;
use mts_foundation::{Symbol, Timestamp};
use mts_marketdata::databento::{DatabentoFeed, Replay};
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

/// Nobody waits between records at full speed, and nobody asks for the time.
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

/// Both kinds of records that strategies hear of, plain and packed.
pub(crate) fn measure(count: u64) -> Fallible<Vec<Market>> {
    let mut figures = Vec::new();
    for (kind, packed) in [("dbn trades", false), ("dbn trades, zstd", true)] {
        figures.push(Market::of(kind, count, |now, symbols| {
            replay(Schema::Trades, packed, now, symbols, records(count, now, trade)?)
        })?);
    }
    for (kind, packed) in [("dbn mbp-1", false), ("dbn mbp-1, zstd", true)] {
        figures.push(Market::of(kind, count, |now, symbols| {
            replay(Schema::Mbp1, packed, now, symbols, records(count, now, quote)?)
        })?);
    }
    Ok(figures)
}

/// Instruments in turn, with the walk and the pauses of the other events.
fn records<R>(count: u64, now: Timestamp, record: fn(u32, u64, i64) -> R) -> Fallible<Vec<R>> {
    let mut cents = [10_000_i64; INSTRUMENTS];
    let (mut time, pause) = (u64::try_from(now.nanos())?, u64::try_from(PAUSE.as_nanos())?);
    let mut records = Vec::with_capacity(usize::try_from(count)?);
    for ((place, id), step) in
        (0..INSTRUMENTS).zip(0_u32..).cycle().zip(steps()).take(usize::try_from(count)?)
    {
        cents[place] = (cents[place] + step).max(100);
        time += pause;
        // Prices are in billionths.
        records.push(record(id, time, cents[place] * 10_000_000));
    }
    Ok(records)
}

fn trade(id: u32, time: u64, price: i64) -> TradeMsg {
    TradeMsg {
        hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 2, id, time),
        price,
        size: 100,
        action: b'T'.cast_signed(),
        ts_recv: time,
        ..TradeMsg::default()
    }
}

fn quote(id: u32, time: u64, price: i64) -> Mbp1Msg {
    let (bid_px, ask_px) = (price - 10_000_000, price + 10_000_000);
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 2, id, time),
        action: b'A'.cast_signed(),
        ts_recv: time,
        levels: [BidAskPair { bid_px, ask_px, bid_sz: 100, ask_sz: 100, bid_ct: 1, ask_ct: 1 }],
        ..Mbp1Msg::default()
    }
}

/// A feed over the bytes of these records.
fn replay<R: Record + HasRType + dbn::encode::DbnEncodable>(
    schema: Schema,
    packed: bool,
    now: Timestamp,
    symbols: &[Symbol],
    records: Vec<R>,
) -> Fallible<DatabentoFeed> {
    let start = u64::try_from(now.nanos())?;
    let begun = |start: u64| {
        let builder = Metadata::builder().dataset("XNAS.ITCH").schema(Some(schema)).start(start);
        builder.stype_in(Some(SType::RawSymbol)).stype_out(SType::InstrumentId)
    };
    let date = |days: u64| begun(start + days * 86_400_000_000_000).build().start().date();
    let mappings = symbols.iter().take(INSTRUMENTS).enumerate().map(|(id, symbol)| SymbolMapping {
        raw_symbol: symbol.as_str().to_owned(),
        intervals: vec![MappingInterval { start_date: date(0), end_date: date(30), symbol: id.to_string() }],
    });
    let head = begun(start).mappings(mappings.collect()).build();
    let mut bytes = Vec::new();
    if packed {
        DbnEncoder::with_zstd(&mut bytes, &head)?.encode_records(&records)?;
    } else {
        DbnEncoder::new(&mut bytes, &head)?.encode_records(&records)?;
    }
    let settings = Replay { replay_speed: 0.0, ..Replay::default() };
    Ok(DatabentoFeed::from_file(
        "bench",
        Box::new(Cursor::new(bytes)),
        &settings,
        Arc::new(Still),
        Arc::new(Still),
    )?)
}
