//! Files that are cut, spoiled, or none.

use super::made::{OPEN, SECOND, drain, feed_of, file, letter, only, played, shares, told, trade};
use dbn::encode::{DbnEncoder, EncodeRecord};
use dbn::{Mbp10Msg, RecordHeader, Schema, rtype};
use mts_foundation::market_data::MarketDataError;
use proptest::prelude::*;

const USD: i64 = 1_000_000_000;
const LENGTH: usize = size_of::<dbn::TradeMsg>();

fn three() -> Vec<u8> {
    let records = [trade(1, 0, USD, 1), trade(1, SECOND, USD, 2), trade(1, 2 * SECOND, USD, 3)];
    file(&shares(Schema::Trades), &records)
}

#[test]
fn a_cut_file_gives_what_it_has_and_then_says_where_it_ends() {
    let whole = three();
    let head = whole.len() - 3 * LENGTH;
    for length in 0..whole.len() {
        let bytes = whole[..length].to_vec();
        if length < head {
            let error = feed_of(vec![bytes], &only(&[])).unwrap_err().to_string();
            assert!(error.contains("0.dbn: "), "{error}");
            continue;
        }
        let (events, error) = drain(&mut feed_of(vec![bytes], &only(&[])).unwrap());
        assert_eq!(events.len(), (length - head) / LENGTH);
        let rest = (length - head) % LENGTH;
        match error {
            None => assert_eq!(rest, 0),
            Some(MarketDataError::Record { path, line, message }) => {
                assert_eq!((path.as_str(), line), ("0.dbn", events.len() as u64 + 1));
                assert!(message.contains(&format!("after {rest} bytes")), "{message}");
            }
            Some(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_length_that_no_record_has_ends_the_file() {
    let whole = three();
    let second = whole.len() - 2 * LENGTH;
    for words in [1, 5, 11, 13, 255] {
        let mut bytes = whole.clone();
        bytes[second] = words;
        let (events, error) = drain(&mut feed_of(vec![bytes], &only(&[])).unwrap());
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(events.len(), 1, "{message}");
        assert!(
            message.contains(&format!("{} bytes long, which is no multiple of 8", words as usize * 4)),
            "{message}"
        );
    }
}

#[test]
fn compressed_files_are_read_and_their_missing_end_is_told() {
    let records = [trade(1, 0, USD, 1), trade(1, SECOND, USD, 2), trade(1, 2 * SECOND, USD, 3)];
    let mut compressed = Vec::new();
    {
        let mut encoder = DbnEncoder::with_zstd(&mut compressed, &shares(Schema::Trades)).unwrap();
        encoder.encode_records(&records).unwrap();
    }
    let (plain, _) = played(three());
    let (events, _) = played(compressed.clone());
    assert_eq!(events, plain);
    compressed.truncate(compressed.len() - 5);
    let error = feed_of(vec![compressed], &only(&[])).map(|mut feed| drain(&mut feed).1);
    assert!(matches!(error, Err(_) | Ok(Some(_))));
}

#[test]
fn older_versions_are_read() {
    for version in 1..=3 {
        let mut head = shares(Schema::Trades);
        head.version = version;
        if version == 1 {
            head.symbol_cstr_len = 22;
        }
        let (events, _) = played(file(&head, &[trade(1, 0, USD, 1)]));
        assert_eq!(told(&events), ["AAPL 1x100 @0"], "{version}");
    }
}

/// What says that it is long and is short must not be read past its end.
#[test]
fn a_record_shorter_than_its_kind_is_an_error() {
    let mut record = Mbp10Msg { action: letter(b'A'), ts_recv: OPEN, ..Mbp10Msg::default() };
    record.hd = RecordHeader::new::<Mbp10Msg>(rtype::MBP_10, 2, 1, OPEN);
    let mut bytes = file(&shares(Schema::Mbp10), &[record]);
    let at = bytes.len() - size_of::<Mbp10Msg>();
    bytes[at] = 6;
    bytes.truncate(at + 24);
    let (events, error) = drain(&mut feed_of(vec![bytes], &only(&[])).unwrap());
    assert!(events.is_empty());
    let error = error.unwrap().to_string();
    assert!(error.contains("line 1") && error.contains("0x0a has 24 bytes, too few"), "{error}");
}

#[test]
fn other_files_are_refused() {
    for (bytes, says) in [
        (b"date,close\n2026-01-02,1\n".to_vec(), ".dbz"),
        (b"DBN\x03\xff\xff\xff\xff".to_vec(), "4294967295 bytes long"),
        (b"DBN\x09\x80\x00\x00\x00".to_vec(), "version"),
        (Vec::new(), "ends within its head"),
    ] {
        let error = feed_of(vec![bytes], &only(&[])).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

proptest! {
    /// Whatever is in a file, it ends or is refused.
    #[test]
    fn spoiled_files_end(places in proptest::collection::vec((0_usize..700, any::<u8>()), 1..20)) {
        let mut bytes = three();
        for (place, byte) in places {
            let length = bytes.len();
            // The length of the head is what makes room: it has a test of its own.
            if !(4..8).contains(&(place % length)) {
                bytes[place % length] = byte;
            }
        }
        if let Ok(mut feed) = feed_of(vec![bytes], &only(&[])) {
            drain(&mut feed);
        }
    }
}
