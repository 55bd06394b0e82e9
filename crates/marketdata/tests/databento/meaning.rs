//! What records mean. Each of the reference feed's defects has a test here.

use super::made::{
    NASDAQ, OPEN, SECOND, bar, drain, feed_of, file, head, letter, only, played, shares, symbol, told, top,
    trade,
};
use dbn::{
    BboMsg, ErrorCode, ErrorMsg, FlagSet, MboMsg, Mbp10Msg, RecordHeader, SType, Schema, StatusMsg,
    SymbolMappingMsg, UNDEF_PRICE, UNDEF_TIMESTAMP, rtype,
};
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Decimal, VenueName};
use mts_marketdata::databento::Replay;

const USD: i64 = 1_000_000_000;
const NONE: (i64, u32) = (UNDEF_PRICE, 0);

/// The reference ignores the filter.
#[test]
fn only_wanted_symbols_come() {
    let bytes = file(&shares(Schema::Trades), &[trade(1, 0, USD, 1), trade(2, SECOND, 2 * USD, 2)]);
    let mut feed = feed_of(vec![bytes.clone()], &only(&["BRK.B"])).unwrap();
    let (events, _) = drain(&mut feed);
    assert_eq!(told(&events), ["BRK.B 2x100 @1"]);
    assert_eq!((feed.counts().unwanted, feed.counts().trades), (1, 1));
    assert_eq!(feed.symbols().iter().map(|it| it.as_str()).collect::<Vec<_>>(), ["BRK.B"]);
    let error = feed_of(vec![bytes], &only(&["MSFT", "BRK.B"])).unwrap_err().to_string();
    assert!(error.contains("MSFT: no file has them"), "{error}");
}

/// The reference knows no names and says UNKNOWN.
#[test]
fn numbers_stand_for_what_they_stood_for_on_their_day_or_are_counted() {
    // The number 1 is another share the next day.
    let head = head("XNAS.ITCH", Schema::Trades, &[("AAPL", 1, 0, 1), ("MSFT", 1, 1, 2)]);
    let day = 86_400 * SECOND;
    let records = [
        trade(1, 0, USD, 1),
        trade(7, 1, USD, 2),
        trade(7, 2, USD, 3),
        trade(1, day, USD, 4),
        trade(1, 2 * day, USD, 5),
    ];
    let (events, feed) = played(file(&head, &records));
    assert_eq!(told(&events), ["AAPL 1x100 @0", "MSFT 1x100 @86400"]);
    let counts = feed.counts();
    assert_eq!((counts.records, counts.unmapped), (5, 3));
    assert_eq!(counts.unmapped_ids.into_iter().collect::<Vec<_>>(), [1, 7]);
}

#[test]
fn names_become_canonical_or_are_refused_by_name() {
    let day = 86_400 * SECOND;
    for (dataset, native, canonical) in [
        ("GLBX.MDP3", "ESH6", Some("ESH26")),
        // The first such year from the day of the name on.
        ("GLBX.MDP3", "ESH5", Some("ESH35")),
        ("GLBX.MDP3", "ESH6-ESM6", None),
        ("OPRA.PILLAR", "AAPL  260116C00200000", Some("AAPL260116C00200000")),
        ("XNAS.ITCH", "BRK.B", Some("BRK.B")),
        ("XNAS.ITCH", "ZXYZ.A+", None),
    ] {
        let head = head(dataset, Schema::Trades, &[(native, 1, 0, 2)]);
        let (events, feed) = played(file(&head, &[trade(1, day, USD, 1)]));
        let seen = events.first().map(|event| match event {
            MarketEvent::Trade(it) => it.symbol.to_string(),
            other => format!("{other:?}"),
        });
        assert_eq!(seen.as_deref(), canonical, "{native}");
        let refused = feed.counts().unreadable_names;
        assert_eq!(refused.get(native).copied(), canonical.is_none().then_some(1), "{native}");
    }
}

#[test]
fn a_name_can_be_given() {
    let head = head("GLBX.MDP3", Schema::Trades, &[("ES.c.0", 1, 0, 2)]);
    let names = [("ES.c.0".into(), symbol("ES-CONT"))].into();
    let replay = Replay { names, ..only(&["ES-CONT"]) };
    let (events, _) = drain(&mut feed_of(vec![file(&head, &[trade(1, 0, USD, 1)])], &replay).unwrap());
    assert_eq!(told(&events), ["ES-CONT 1x100 @0"]);
}

/// The reference takes every change of the book for a print, because its records have a price.
#[test]
fn the_book_is_quotes_and_only_prints_are_prints() {
    let records = [
        top(1, 0, b'A', (USD, 10), (2 * USD, 20)),
        top(1, SECOND, b'C', (USD, 10), (3 * USD, 20)),
        top(1, 2 * SECOND, b'T', (USD, 10), (3 * USD, 20)),
    ];
    let (events, _) = played(file(&shares(Schema::Mbp1), &records));
    assert_eq!(told(&events), ["AAPL 1/2 @0", "AAPL 1/3 @1", "AAPL 1/3 @2", "AAPL 1x7 @2"]);
    let Some(MarketEvent::Quote(quote)) = events.first() else { panic!("{events:?}") };
    assert_eq!((quote.bid_size, quote.ask_size), (Decimal::from(10), Decimal::from(20)));
    assert_eq!(quote.venue, VenueName::new("XNAS").unwrap());
}

/// The reference divides it by a billion and trades on 9.2 billion dollars.
#[test]
fn no_price_is_no_number() {
    let mut nothing = trade(1, 3, USD, 3);
    nothing.size = 0;
    let (events, feed) = played(file(
        &shares(Schema::Trades),
        &[trade(1, 1, UNDEF_PRICE, 1), trade(1, 2, -37_630_000_000, 2), nothing],
    ));
    // A spread or crude oil can be worth less than nothing.
    assert_eq!(events.len(), 1);
    assert!(matches!(&events[0], MarketEvent::Trade(it) if it.price == "-37.63".parse().unwrap()));
    assert_eq!(feed.counts().no_price, 2);

    let (events, feed) = played(file(
        &shares(Schema::Mbp1),
        &[top(1, 0, b'A', NONE, (USD, 1)), top(1, 1, b'A', (USD, 1), NONE), top(1, 2, b'A', NONE, NONE)],
    ));
    assert!(events.is_empty());
    assert_eq!(feed.counts().one_sided, 3);

    let (events, feed) =
        played(file(&shares(Schema::Ohlcv1M), &[bar(1, rtype::OHLCV_1M, OPEN, UNDEF_PRICE)]));
    assert!(events.is_empty());
    assert_eq!(feed.counts().no_price, 1);
}

#[test]
fn prices_are_exact_and_short() {
    for (nanos, text) in [
        (1, "0.000000001"),
        (150_250_000_000, "150.25"),
        (0, "0"),
        (USD, "1"),
        (i64::MAX - 1, "9223372036.854775806"),
    ] {
        let (events, _) = played(file(&shares(Schema::Trades), &[trade(1, 0, nanos, 1)]));
        let Some(MarketEvent::Trade(it)) = events.first() else { panic!("{events:?}") };
        assert_eq!(it.price.to_string(), text);
    }
}

#[test]
fn bars_are_stamped_with_their_end_and_come_together() {
    let minute = 60 * SECOND;
    let records = [
        bar(2, rtype::OHLCV_1M, OPEN, 2 * USD),
        bar(1, rtype::OHLCV_1M, OPEN, USD),
        bar(1, rtype::OHLCV_1M, OPEN + minute, 3 * USD),
        // Of another publisher: bars of one event are of different instruments.
        bar(1, rtype::OHLCV_1M, OPEN + minute, USD),
    ];
    let (events, feed) = played(file(&shares(Schema::Ohlcv1M), &records));
    assert_eq!(told(&events), ["[AAPL 1m 1, BRK.B 1m 2] @60", "[AAPL 1m 3] @120", "[AAPL 1m 1] @120"]);
    assert_eq!((feed.counts().bars, feed.counts().backwards), (4, 0));
    let Some(MarketEvent::Bars { bars, .. }) = events.first() else { panic!("{events:?}") };
    let text = |it: Decimal| it.to_string();
    let first = &bars[0];
    assert_eq!([first.open, first.high, first.low, first.volume].map(text), ["1", "3", "0.5", "12"]);
    for (kind, seconds) in [(rtype::OHLCV_1S, 1), (rtype::OHLCV_1H, 3_600), (rtype::OHLCV_1D, 86_400)] {
        let (events, _) = played(file(&shares(Schema::Ohlcv1S), &[bar(1, kind, OPEN, USD)]));
        assert!(told(&events)[0].ends_with(&format!("@{seconds}")), "{events:?}");
        let Some(MarketEvent::Bars { bars, .. }) = events.first() else { panic!("{events:?}") };
        assert_eq!(bars[0].interval.duration().as_secs(), seconds);
    }
    // The end of a trading day is nowhere in such a record.
    let (events, feed) = played(file(&shares(Schema::OhlcvEod), &[bar(1, rtype::OHLCV_EOD, OPEN, USD)]));
    assert!(events.is_empty());
    assert_eq!(feed.counts().other, 1);
}

#[test]
fn the_time_is_that_of_receipt_else_of_the_event_else_there_is_none() {
    let mut no_receipt = trade(1, SECOND, USD, 1);
    no_receipt.ts_recv = UNDEF_TIMESTAMP;
    let mut neither = no_receipt.clone();
    neither.hd.ts_event = UNDEF_TIMESTAMP;
    let mut inaccurate = trade(1, SECOND, USD, 3);
    inaccurate.flags = FlagSet::new(dbn::flags::BAD_TS_RECV);
    let records = [no_receipt, neither, inaccurate, trade(1, 0, USD, 4)];
    let (events, feed) = played(file(&shares(Schema::Trades), &records));
    assert_eq!(told(&events), ["AAPL 1x100 @0.999", "AAPL 1x100 @1", "AAPL 1x100 @0"]);
    let counts = feed.counts();
    assert_eq!((counts.no_time, counts.doubtful_times, counts.backwards), (1, 1, 1));
}

#[test]
fn a_book_that_may_be_wrong_is_a_gap_and_no_quotes() {
    let quote = |after: u64, flags: u8| {
        let mut it = top(1, after * SECOND, b'T', (USD, 1), (2 * USD, 1));
        it.flags = FlagSet::new(flags);
        it
    };
    let bad = dbn::flags::MAYBE_BAD_BOOK;
    let records = [quote(0, 0), quote(1, bad), quote(2, bad), quote(3, 0), quote(4, bad)];
    let (events, feed) = played(file(&shares(Schema::Mbp1), &records));
    let expected = [
        "AAPL 1/2 @0",
        "AAPL 1x7 @0",
        "gap XNAS 0-1",
        "AAPL 1x7 @1",
        "AAPL 1x7 @2",
        "AAPL 1/2 @3",
        "AAPL 1x7 @3",
        "gap XNAS 3-4",
        "AAPL 1x7 @4",
    ];
    assert_eq!(told(&events), expected);
    assert_eq!(feed.counts().doubtful_quotes, 3);
}

#[test]
fn prints_of_one_message_have_ids_of_their_own() {
    let records = [trade(1, 0, USD, 5), trade(1, 1, USD, 5), trade(2, 1, USD, 5), trade(1, 2, USD, 6)];
    let (events, _) = played(file(&shares(Schema::Trades), &records));
    let ids: Vec<_> = events
        .iter()
        .filter_map(|it| if let MarketEvent::Trade(it) = it { Some(&*it.trade_id) } else { None })
        .collect();
    assert_eq!(ids, ["5", "5-1", "5", "6"]);
}

#[test]
fn of_deeper_books_the_top_and_of_single_orders_the_prints() {
    let mut deep = Mbp10Msg { ts_recv: OPEN, action: letter(b'A'), ..Mbp10Msg::default() };
    deep.hd = RecordHeader::new::<Mbp10Msg>(rtype::MBP_10, NASDAQ, 1, OPEN);
    deep.levels[0] = top(1, 0, b'A', (USD, 3), (2 * USD, 4)).levels[0].clone();
    let (events, _) = played(file(&shares(Schema::Mbp10), &[deep]));
    assert_eq!(told(&events), ["AAPL 1/2 @0"]);

    let order = |action: u8| {
        let mut it =
            MboMsg { price: USD, size: 3, action: letter(action), ts_recv: OPEN, ..MboMsg::default() };
        it.hd = RecordHeader::new::<MboMsg>(rtype::MBO, NASDAQ, 1, OPEN);
        it
    };
    // The fill is the other side of the trade.
    let (events, feed) = played(file(&shares(Schema::Mbo), &[b'A', b'T', b'F', b'C', b'M', b'R'].map(order)));
    assert_eq!(told(&events), ["AAPL 1x3 @0"]);
    assert_eq!(feed.counts().other, 5);

    let mut sampled = BboMsg::default_for_schema(Schema::Bbo1S);
    sampled.hd = RecordHeader::new::<BboMsg>(rtype::BBO_1S, NASDAQ, 1, UNDEF_TIMESTAMP);
    (sampled.price, sampled.size, sampled.ts_recv) = (USD, 5, OPEN + SECOND);
    sampled.levels[0] = top(1, 0, b'A', (USD, 3), (2 * USD, 4)).levels[0].clone();
    let (events, _) = played(file(&shares(Schema::Bbo1S), &[sampled]));
    assert_eq!(told(&events), ["AAPL 1/2 @1"]);
}

#[test]
fn what_has_no_price_is_counted() {
    let status = StatusMsg {
        hd: RecordHeader::new::<StatusMsg>(rtype::STATUS, NASDAQ, 1, OPEN),
        ..StatusMsg::default()
    };
    let (events, feed) = played(file(&shares(Schema::Status), &[status]));
    assert!(events.is_empty());
    assert_eq!((feed.counts().records, feed.counts().other), (1, 1));
}

/// A live stream that was written to a file: names on the way, and what the gateway left out.
#[test]
fn a_recorded_stream_names_its_instruments_on_the_way() {
    let mapping = |name: &str| {
        SymbolMappingMsg::new(1, OPEN, SType::RawSymbol, name, SType::InstrumentId, name, OPEN, OPEN + SECOND)
            .unwrap()
    };
    let mut bytes = file(&head("XNAS.ITCH", Schema::Trades, &[]), &[mapping("AAPL")]);
    bytes.extend_from_slice(trade(1, 0, USD, 1).as_ref());
    bytes.extend_from_slice(mapping("MSFT").as_ref());
    let skipped =
        ErrorMsg::new(OPEN + SECOND, Some(ErrorCode::SkippedRecordsAfterSlowReading), "skipped", true);
    bytes.extend_from_slice(skipped.as_ref());
    bytes.extend_from_slice(trade(1, 2 * SECOND, USD, 2).as_ref());
    let (events, _) = played(bytes.clone());
    assert_eq!(told(&events), ["AAPL 1x100 @0", "gap databento 0-1", "MSFT 1x100 @2"]);
    let (events, _) = drain(&mut feed_of(vec![bytes], &only(&["MSFT"])).unwrap());
    assert_eq!(told(&events).last().unwrap(), "MSFT 1x100 @2");
}
