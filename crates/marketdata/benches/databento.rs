//! What reading costs: from the bytes of a file to market events.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dbn::encode::{DbnEncodable, DbnEncoder, EncodeRecord};
use dbn::{
    BidAskPair, MappingInterval, Mbp1Msg, Metadata, RecordHeader, SType, Schema, SymbolMapping, TradeMsg,
    rtype,
};
use mts_foundation::Timestamp;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use mts_foundation::market_data::DataFeed;
use mts_foundation::ready::ready;
use mts_foundation::time::Clock;
use mts_marketdata::databento::{DatabentoFeed, Replay};
use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

const RECORDS: u32 = 100_000;
/// 2026-03-02T14:30:00Z.
const OPEN: u64 = 1_772_461_800_000_000_000;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
}

impl Sleep for Still {
    fn sleep(&self, _: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A hundred instruments.
fn head(schema: Schema) -> Metadata {
    let begun = |start: u64| {
        let builder = Metadata::builder().dataset("XNAS.ITCH").schema(Some(schema)).start(start);
        builder.stype_in(Some(SType::RawSymbol)).stype_out(SType::InstrumentId)
    };
    let date = |days: u64| begun(OPEN + days * 86_400_000_000_000).build().start().date();
    let letters = (b'A'..=b'J').map(char::from);
    let names = letters.clone().flat_map(|one| letters.clone().map(move |two| format!("{one}{two}")));
    let mappings = (0_u32..).zip(names).map(|(id, raw_symbol)| SymbolMapping {
        raw_symbol,
        intervals: vec![MappingInterval { start_date: date(0), end_date: date(1), symbol: id.to_string() }],
    });
    begun(OPEN).mappings(mappings.collect()).build()
}

fn price(number: u32) -> i64 {
    150_000_000_000 + i64::from(number % 997) * 10_000_000
}

fn trade(number: u32) -> TradeMsg {
    let time = OPEN + u64::from(number) * 1_000;
    TradeMsg {
        hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 2, number % 100, time),
        price: price(number),
        size: 100,
        action: b'T'.cast_signed(),
        ts_recv: time,
        sequence: number,
        ..TradeMsg::default()
    }
}

fn quote(number: u32) -> Mbp1Msg {
    let time = OPEN + u64::from(number) * 1_000;
    let (bid_px, ask_px) = (price(number), price(number) + 10_000_000);
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 2, number % 100, time),
        action: b'A'.cast_signed(),
        ts_recv: time,
        levels: [BidAskPair { bid_px, ask_px, bid_sz: 100, ask_sz: 200, bid_ct: 1, ask_ct: 1 }],
        ..Mbp1Msg::default()
    }
}

fn packed<R: DbnEncodable>(schema: Schema, records: &[R]) -> Vec<u8> {
    let mut bytes = Vec::new();
    DbnEncoder::with_zstd(&mut bytes, &head(schema)).unwrap().encode_records(records).unwrap();
    bytes
}

fn plain<R: DbnEncodable>(schema: Schema, records: &[R]) -> Vec<u8> {
    let mut bytes = Vec::new();
    DbnEncoder::new(&mut bytes, &head(schema)).unwrap().encode_records(records).unwrap();
    bytes
}

fn play(bytes: &[u8]) -> u32 {
    let replay = Replay { replay_speed: 0.0, ..Replay::default() };
    let file = Box::new(Cursor::new(bytes.to_vec()));
    let mut feed =
        DatabentoFeed::from_file("bench", file, &replay, Arc::new(Still), Arc::new(Still)).unwrap();
    ready(DataFeed::start(&mut feed)).unwrap().unwrap();
    let mut events = 0;
    while let Some(event) = ready(DataFeed::next(&mut feed)).unwrap().unwrap() {
        black_box(event);
        events += 1;
    }
    events
}

fn read(criterion: &mut Criterion) {
    let trades: Vec<_> = (0..RECORDS).map(trade).collect();
    let quotes: Vec<_> = (0..RECORDS).map(quote).collect();
    let mut group = criterion.benchmark_group("databento");
    group.throughput(Throughput::Elements(u64::from(RECORDS)));
    for (name, bytes) in [
        ("trades", plain(Schema::Trades, &trades)),
        ("trades, zstd", packed(Schema::Trades, &trades)),
        ("mbp-1", plain(Schema::Mbp1, &quotes)),
        ("mbp-1, zstd", packed(Schema::Mbp1, &quotes)),
    ] {
        assert_eq!(play(&bytes), RECORDS);
        group.bench_function(name, |bench| bench.iter(|| play(black_box(&bytes))));
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
