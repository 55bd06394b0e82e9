//! Databento's binary encoding, version 3: the head of a live stream and its records. All numbers are little-endian.

use mts_foundation::{Decimal, Timestamp};

/// The version of the encoding.
const VERSION: u8 = 3;
/// Bytes of a symbol, with the zero behind it.
const SYMBOL: usize = 71;
/// What is not told: of a time, the kind of records, the kind of symbols.
const NO_TIME: u64 = u64::MAX;
const NO_SCHEMA: u16 = u16::MAX;
const NO_SYMBOLOGY: u8 = u8::MAX;
/// A price that is not told.
const NO_PRICE: i64 = i64::MAX;
/// The last message of an exchange's event.
const LAST: u8 = 1 << 7;

/// The publisher of Nasdaq's own feed.
const PUBLISHER: u16 = 2;

/// Kinds of records.
const TRADE: u8 = 0x00;
const TOP: u8 = 0x01;
const FAILURE: u8 = 0x15;
const MAPPING: u8 = 0x16;
const SYSTEM: u8 = 0x17;
const MINUTE: u8 = 0x21;
/// No kind that there is.
const UNHEARD_OF: u8 = 0xee;

/// Kinds of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbology {
    InstrumentId = 0,
    RawSymbol = 1,
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    ConnectionLimit = 3,
    UnknownSymbol = 4,
    InvalidSubscription = 5,
    Internal = 6,
    Skipped = 7,
    Unset = 255,
}

impl Failure {
    /// Whether the connection ends after it.
    pub(super) fn is_fatal(self) -> bool {
        !matches!(self, Self::UnknownSymbol | Self::Skipped | Self::Unset)
    }
}

/// What a message of the gateway about itself is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    Heartbeat = 0,
    Subscribed = 1,
    SlowReader = 2,
}

/// A side of the book: price, and whole units.
pub(super) type Side = (Option<Decimal>, u32);

/// What records of the market say of where and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) instrument: u32,
    pub(super) time: Timestamp,
    /// Number of the exchange's message.
    pub(super) sequence: u32,
}

/// A price and whole units, and who came to the market: `A`, `B`, or `N` for nobody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    pub(super) price: Option<Decimal>,
    pub(super) size: u32,
    pub(super) side: u8,
}

/// Writes the records of one stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Encoder {
    /// Each record ends with the time at which it was sent.
    pub(super) sent_times: bool,
}

/// A price in 1e-9; what has no place there is not told.
fn nanos(price: Option<Decimal>) -> i64 {
    let whole = price.and_then(|price| price.checked_mul(Decimal::from(1_000_000_000)));
    whole.filter(Decimal::is_integer).and_then(|whole| i64::try_from(whole).ok()).unwrap_or(NO_PRICE)
}

fn since_epoch(time: Timestamp) -> u64 {
    u64::try_from(time.nanos()).unwrap_or(NO_TIME)
}

/// Text in so many bytes, the last of them zero; what does not fit is left out.
fn padded(bytes: &mut Vec<u8>, text: &str, length: usize) {
    let ascii = text.bytes().map(|byte| if byte.is_ascii() { byte } else { b'?' });
    let end = bytes.len() + length;
    bytes.extend(ascii.take(length.saturating_sub(1)));
    bytes.resize(end, 0);
}

impl Encoder {
    /// The head of a stream of any records, whose instruments are named later.
    pub(super) fn head(self, dataset: &str, start: Timestamp) -> Vec<u8> {
        let mut body = Vec::new();
        padded(&mut body, dataset, 16);
        body.extend(NO_SCHEMA.to_le_bytes());
        body.extend(since_epoch(start).to_le_bytes());
        body.extend(NO_TIME.to_le_bytes());
        // No limit of records.
        body.extend(0_u64.to_le_bytes());
        body.extend([NO_SYMBOLOGY, Symbology::InstrumentId as u8, u8::from(self.sent_times)]);
        body.extend(u16::try_from(SYMBOL).unwrap_or_default().to_le_bytes());
        body.extend([0; 53]);
        // No description of records; no symbols, none in part, none not found, none mapped.
        body.extend([0; 5 * 4]);
        // Records begin at a multiple of eight bytes.
        body.resize(body.len().next_multiple_of(8), 0);
        let length = u32::try_from(body.len()).unwrap_or_default();
        [b"DBN".as_slice(), &[VERSION], &length.to_le_bytes(), &body].concat()
    }

    /// A record: its head, then what is in it, then the time of sending.
    fn record(
        self,
        kind: u8,
        publisher: u16,
        place: (u32, Timestamp),
        body: &[u8],
        now: Timestamp,
    ) -> Vec<u8> {
        let mut bytes = vec![0, kind];
        bytes.extend(publisher.to_le_bytes());
        bytes.extend(place.0.to_le_bytes());
        bytes.extend(since_epoch(place.1).to_le_bytes());
        bytes.extend(body);
        if self.sent_times {
            bytes.extend(since_epoch(now).to_le_bytes());
        }
        // The length is counted in words of four bytes.
        let words = u8::try_from(bytes.len() / 4).unwrap_or_default();
        if let Some(first) = bytes.first_mut() {
            *first = words;
        }
        bytes
    }

    /// What a print and the book's top begin with.
    fn message(place: Place, action: u8, touch: Touch) -> Vec<u8> {
        let mut body = nanos(touch.price).to_le_bytes().to_vec();
        body.extend(touch.size.to_le_bytes());
        // At depth 0.
        body.extend([action, touch.side, LAST, 0]);
        body.extend(since_epoch(place.time).to_le_bytes());
        // It takes no time from the exchange to the gateway.
        body.extend(0_i32.to_le_bytes());
        body.extend(place.sequence.to_le_bytes());
        body
    }

    /// A print.
    pub(super) fn trade(self, place: Place, touch: Touch, now: Timestamp) -> Vec<u8> {
        let body = Self::message(place, b'T', touch);
        self.record(TRADE, PUBLISHER, (place.instrument, place.time), &body, now)
    }

    /// The book's top, with what has happened.
    pub(super) fn top(
        self,
        place: Place,
        action: u8,
        touch: Touch,
        [bid, ask]: [Side; 2],
        now: Timestamp,
    ) -> Vec<u8> {
        let mut body = Self::message(place, action, touch);
        body.extend(nanos(bid.0).to_le_bytes());
        body.extend(nanos(ask.0).to_le_bytes());
        body.extend(bid.1.to_le_bytes());
        body.extend(ask.1.to_le_bytes());
        // How many orders: one, where there is a price.
        body.extend(u32::from(bid.0.is_some()).to_le_bytes());
        body.extend(u32::from(ask.0.is_some()).to_le_bytes());
        self.record(TOP, PUBLISHER, (place.instrument, place.time), &body, now)
    }

    /// A bar of a minute, by its start: open, high, low, close.
    pub(super) fn minute(
        self,
        place: (u32, Timestamp),
        prices: [Decimal; 4],
        volume: u64,
        now: Timestamp,
    ) -> Vec<u8> {
        let mut body: Vec<u8> = prices.iter().flat_map(|price| nanos(Some(*price)).to_le_bytes()).collect();
        body.extend(volume.to_le_bytes());
        self.record(MINUTE, PUBLISHER, place, &body, now)
    }

    /// What the number of an instrument stands for from now on: as it was asked for, and its name.
    pub(super) fn mapping(
        self,
        instrument: u32,
        asked: (Symbology, &str),
        name: &str,
        now: Timestamp,
    ) -> Vec<u8> {
        let mut body = vec![asked.0 as u8];
        padded(&mut body, asked.1, SYMBOL);
        body.push(match asked.0 {
            Symbology::RawSymbol => Symbology::InstrumentId as u8,
            Symbology::InstrumentId => Symbology::RawSymbol as u8,
        });
        padded(&mut body, name, SYMBOL);
        body.extend(since_epoch(now).to_le_bytes());
        body.extend(NO_TIME.to_le_bytes());
        self.record(MAPPING, PUBLISHER, (instrument, now), &body, now)
    }

    /// An error.
    pub(super) fn failure(self, failure: Failure, words: &str, is_last: bool, now: Timestamp) -> Vec<u8> {
        let mut body = Vec::new();
        padded(&mut body, words, 302);
        body.extend([failure as u8, u8::from(is_last)]);
        self.record(FAILURE, 0, (0, now), &body, now)
    }

    /// What the gateway says of itself.
    pub(super) fn notice(self, notice: Notice, words: &str, now: Timestamp) -> Vec<u8> {
        let mut body = Vec::new();
        padded(&mut body, words, 303);
        body.push(notice as u8);
        self.record(SYSTEM, 0, (0, now), &body, now)
    }

    /// A record of a kind that nobody has seen before.
    pub(super) fn unheard_of(self, now: Timestamp) -> Vec<u8> {
        self.record(UNHEARD_OF, PUBLISHER, (0, now), &[0; 8], now)
    }

    /// What is no record: one that says that it has no length.
    pub(super) fn garbage() -> Vec<u8> {
        vec![0; 16]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time() -> Timestamp {
        "2026-03-02T15:00:00Z".parse().unwrap()
    }

    /// Lengths are those of the publisher's own types.
    #[test]
    fn records_say_how_long_they_are() {
        let place = Place { instrument: 7, time: time(), sequence: 9 };
        let touch = Touch { price: Some(Decimal::ONE), size: 5, side: b'B' };
        let side = (Some(Decimal::ONE), 1);
        for (sent_times, more) in [(false, 0), (true, 8)] {
            let encoder = Encoder { sent_times };
            let records = [
                (encoder.trade(place, touch, time()), 48),
                (encoder.top(place, b'A', touch, [side, (None, 0)], time()), 80),
                (encoder.minute((7, time()), [Decimal::ONE; 4], 3, time()), 56),
                (encoder.mapping(7, (Symbology::RawSymbol, "AAPL"), "AAPL", time()), 176),
                (encoder.failure(Failure::Internal, &"é".repeat(400), true, time()), 320),
                (encoder.notice(Notice::Heartbeat, "Heartbeat", time()), 320),
                (encoder.unheard_of(time()), 24),
            ];
            for (bytes, length) in records {
                assert_eq!((bytes.len(), usize::from(bytes[0]) * 4), (length + more, length + more));
            }
            let head = encoder.head("XNAS.ITCH", time());
            assert_eq!((&head[..4], head.len() % 8, head.len()), (b"DBN\x03".as_slice(), 0, 128));
        }
    }

    #[test]
    fn prices_are_exact_or_not_told() {
        assert_eq!(nanos("101.25".parse().ok()), 101_250_000_000);
        assert_eq!(nanos("-0.000000001".parse().ok()), -1);
        // No price is rounded.
        assert_eq!(
            [nanos("0.0000000001".parse().ok()), nanos(None), nanos(Some(Decimal::MAX))],
            [NO_PRICE; 3]
        );
    }
}
