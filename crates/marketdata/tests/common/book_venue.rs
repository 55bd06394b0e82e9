//! A venue's order book that changes by chance and can be told wrong: what six venues say of it, made after their documents,
//! without a line of what reads it.

use super::wall;
use mts_foundation::Decimal;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tongue {
    Spot,
    Futures,
    Kraken,
    Okx,
    Bybit,
    Coinbase,
}

pub(crate) const TONGUES: [Tongue; 6] =
    [Tongue::Spot, Tongue::Futures, Tongue::Kraken, Tongue::Okx, Tongue::Bybit, Tongue::Coinbase];

/// What is wrong with the frame of an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wrong {
    /// It does not come.
    Dropped,
    /// It comes after the next one.
    Late,
    /// Its checksum is of another book.
    Checksum,
    /// Half of it is missing.
    Garbled,
    /// It is stamped so long ahead.
    Ahead(Duration),
}

/// Best bid and its size, best offer and its size.
pub(crate) type Best = (Decimal, Decimal, Decimal, Decimal);

type Side = BTreeMap<Decimal, Decimal>;

pub(crate) struct BookVenue {
    tongue: Tongue,
    pub(crate) bids: Side,
    pub(crate) asks: Side,
    number: u64,
    random: u64,
    pub(crate) every: Duration,
    pub(crate) next: Duration,
    pub(crate) made: usize,
    pub(crate) wrong: BTreeMap<usize, Wrong>,
    pub(crate) twice: bool,
    /// No snapshot comes, however it is asked for.
    pub(crate) has_no_snapshots: bool,
    pub(crate) snapshots: usize,
    /// OKX's books had checksums until 2026.
    pub(crate) has_checksums: bool,
    /// What was true since when.
    pub(crate) bests: Vec<(Duration, Best)>,
    late: VecDeque<String>,
}

impl BookVenue {
    pub(crate) fn new(tongue: Tongue) -> Self {
        let level = |price: i64| (Decimal::new(price, 2), Decimal::new(1_000 + price % 7_000, 3));
        let mut venue = Self {
            tongue,
            bids: (9_970..10_000).map(level).collect(),
            asks: (10_001..10_031).map(level).collect(),
            number: 1_000,
            random: 42,
            every: Duration::from_millis(20),
            next: Duration::from_millis(20),
            made: 0,
            wrong: BTreeMap::new(),
            twice: false,
            has_no_snapshots: false,
            snapshots: 0,
            has_checksums: false,
            bests: Vec::new(),
            late: VecDeque::new(),
        };
        venue.note(Duration::ZERO);
        venue
    }

    fn chance(&mut self, most: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % most
    }

    pub(crate) fn best(&self) -> Best {
        let (bid, ask) = (self.bids.iter().next_back().unwrap(), self.asks.iter().next().unwrap());
        (*bid.0, *bid.1, *ask.0, *ask.1)
    }

    fn note(&mut self, now: Duration) {
        self.bests.push((now, self.best()));
    }

    /// The next change, as frames.
    pub(crate) fn step(&mut self) -> Vec<String> {
        let now = self.next;
        self.next += self.every;
        let (mut bids, mut asks) = (Side::new(), Side::new());
        for _ in 0..1 + self.chance(4) {
            let is_bid = self.chance(2) == 0;
            let is_gone = self.chance(3) == 0;
            let best = self.best();
            let depth = i64::try_from(self.chance(12)).unwrap();
            let size = Decimal::new(i64::try_from(1 + self.chance(90_000)).unwrap(), 3);
            let (side, changes) =
                if is_bid { (&mut self.bids, &mut bids) } else { (&mut self.asks, &mut asks) };
            // Now and then between the best ones, never across.
            let price = if is_bid {
                best.0 - Decimal::new(depth - 1, 2)
            } else {
                best.2 + Decimal::new(depth - 1, 2)
            };
            let price = if price <= best.0 && !is_bid || price >= best.2 && is_bid {
                if is_bid { best.0 } else { best.2 }
            } else {
                price
            };
            if is_gone && side.len() > 15 {
                if side.remove(&price).is_some() {
                    changes.insert(price, Decimal::new(0, 3));
                }
            } else if side.len() < 90 {
                side.insert(price, size);
                changes.insert(price, size);
            }
        }
        self.note(now);
        let place = self.made;
        self.made += 1;
        let wrong = self.wrong.get(&place).copied();
        let frame = self.frame(&bids, &asks, now, wrong);
        let mut frames = match wrong {
            Some(Wrong::Dropped) => Vec::new(),
            Some(Wrong::Garbled) => vec![frame[..frame.len() / 2].to_owned()],
            Some(Wrong::Late) => {
                self.late.push_back(frame);
                return Vec::new();
            }
            _ if self.twice => vec![frame.clone(), frame],
            _ => vec![frame],
        };
        frames.extend(self.late.drain(..));
        frames
    }

    fn rows(side: &Side, reversed: bool, object: bool) -> String {
        let row = |(price, size): (&Decimal, &Decimal)| match object {
            true => format!(r#"{{"price":{price},"qty":{size}}}"#),
            false => format!(r#"["{price}","{size}"]"#),
        };
        let rows: Vec<String> =
            if reversed { side.iter().rev().map(row).collect() } else { side.iter().map(row).collect() };
        rows.join(",")
    }

    fn frame(&mut self, bids: &Side, asks: &Side, now: Duration, wrong: Option<Wrong>) -> String {
        let ahead = if let Some(Wrong::Ahead(ahead)) = wrong { ahead } else { Duration::ZERO };
        let time = wall(now + ahead);
        let ms = time.nanos() / 1_000_000;
        let before = self.number;
        let is_kraken = self.tongue == Tongue::Kraken;
        let (b, a) = (Self::rows(bids, true, is_kraken), Self::rows(asks, false, is_kraken));
        let more = 1 + self.chance(5);
        let skipped = self.chance(3);
        match self.tongue {
            Tongue::Spot => {
                self.number += more;
                let (first, last) = (before + 1, self.number);
                format!(
                    r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"s":"BTCUSDT","U":{first},"u":{last},"b":[{b}],"a":[{a}]}}}}"#
                )
            }
            // Their numbers have holes between updates.
            Tongue::Futures => {
                self.number += more + skipped;
                let (first, last) = (before + 1 + skipped, self.number);
                format!(
                    r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"BTCUSDT","U":{first},"u":{last},"pu":{before},"b":[{b}],"a":[{a}]}}}}"#
                )
            }
            Tongue::Kraken => {
                let sum = self.kraken_sum() ^ u32::from(wrong == Some(Wrong::Checksum));
                format!(
                    r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USDT","bids":[{b}],"asks":[{a}],"checksum":{sum},"timestamp":"{time}"}}]}}"#
                )
            }
            Tongue::Okx => {
                self.number += more;
                let last = self.number;
                let sum = self.okx_sum() ^ i32::from(wrong == Some(Wrong::Checksum));
                format!(
                    r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"update","data":[{{"bids":[{b}],"asks":[{a}],"ts":"{ms}","checksum":{sum},"prevSeqId":{before},"seqId":{last}}}]}}"#
                )
            }
            Tongue::Bybit => {
                self.number += 1;
                let last = self.number;
                format!(
                    r#"{{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":{ms},"data":{{"s":"BTCUSDT","b":[{b}],"a":[{a}],"u":{last},"seq":{ms}}},"cts":{ms}}}"#
                )
            }
            Tongue::Coinbase => {
                let rows = |side: &Side, word: &str| {
                    let row =
                        |(price, size): (&Decimal, &Decimal)| format!(r#"["{word}","{price}","{size}"]"#);
                    side.iter().map(row).collect::<Vec<_>>()
                };
                let changes = [rows(bids, "buy"), rows(asks, "sell")].concat().join(",");
                format!(
                    r#"{{"type":"l2update","product_id":"BTC-USDT","changes":[{changes}],"time":"{time}"}}"#
                )
            }
        }
    }

    /// The whole book, as the stream begins with it.
    fn snapshot(&self, now: Duration) -> String {
        let time = wall(now);
        let ms = time.nanos() / 1_000_000;
        let is_kraken = self.tongue == Tongue::Kraken;
        let (b, a) = (Self::rows(&self.bids, true, is_kraken), Self::rows(&self.asks, false, is_kraken));
        let number = self.number;
        match self.tongue {
            Tongue::Spot => format!(r#"{{"lastUpdateId":{number},"bids":[{b}],"asks":[{a}]}}"#),
            Tongue::Futures => {
                format!(r#"{{"lastUpdateId":{number},"E":{ms},"T":{ms},"bids":[{b}],"asks":[{a}]}}"#)
            }
            Tongue::Kraken => format!(
                r#"{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/USDT","bids":[{b}],"asks":[{a}],"checksum":{},"timestamp":"{time}"}}]}}"#,
                self.kraken_sum()
            ),
            Tongue::Okx => format!(
                r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"snapshot","data":[{{"bids":[{b}],"asks":[{a}],"ts":"{ms}","checksum":{},"prevSeqId":-1,"seqId":{number}}}]}}"#,
                self.okx_sum()
            ),
            Tongue::Bybit => format!(
                r#"{{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":{ms},"data":{{"s":"BTCUSDT","b":[{b}],"a":[{a}],"u":{number},"seq":{ms}}},"cts":{ms}}}"#
            ),
            Tongue::Coinbase => format!(
                r#"{{"type":"snapshot","product_id":"BTC-USDT","bids":[{b}],"asks":[{a}],"time":"{time}"}}"#
            ),
        }
    }

    /// The answer to a request for the book.
    pub(crate) fn rest(&mut self, now: Duration) -> Option<String> {
        self.snapshots += 1;
        (!self.has_no_snapshots).then(|| self.snapshot(now))
    }

    /// What it answers, and whether the line follows the book from now on.
    pub(crate) fn hear(&mut self, text: &str, now: Duration) -> (Vec<String>, Option<bool>) {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let (number, word) = (&value["id"], |name: &str| value[name].as_str().unwrap_or_default().to_owned());
        match self.tongue {
            Tongue::Spot | Tongue::Futures => {
                return (vec![format!(r#"{{"result":null,"id":{number}}}"#)], Some(true));
            }
            Tongue::Kraken if word("method") == "ping" => {
                return (vec![r#"{"method":"pong"}"#.to_owned()], None);
            }
            Tongue::Bybit if word("op") == "ping" => {
                return (vec![r#"{"success":true,"ret_msg":"pong","op":"ping"}"#.to_owned()], None);
            }
            _ => {}
        }
        let said = [word("method"), word("op"), word("type")].concat();
        let mut answers = vec![match self.tongue {
            Tongue::Kraken => format!(
                r#"{{"method":"{said}","result":{{"channel":"book","symbol":"BTC/USDT","depth":100}},"success":true,"req_id":1}}"#
            ),
            Tongue::Okx => format!(
                r#"{{"event":"{said}","arg":{{"channel":"books","instId":"BTC-USDT"}},"connId":"a"}}"#
            ),
            Tongue::Bybit => {
                format!(r#"{{"success":true,"ret_msg":"","op":"{said}","req_id":{}}}"#, value["req_id"])
            }
            _ => {
                r#"{"type":"subscriptions","channels":[{"name":"level2_batch","product_ids":["BTC-USDT"]}]}"#
                    .to_owned()
            }
        }];
        let follows = said == "subscribe";
        if follows {
            self.snapshots += 1;
            if !self.has_no_snapshots {
                answers.push(self.snapshot(now));
            }
        }
        (answers, Some(follows))
    }

    fn kraken_sum(&self) -> u32 {
        let digits =
            |number: &Decimal| number.to_string().replace('.', "").trim_start_matches('0').to_owned();
        let row = |(price, size): (&Decimal, &Decimal)| digits(price) + &digits(size);
        let asks: String = self.asks.iter().take(10).map(row).collect();
        let bids: String = self.bids.iter().rev().take(10).map(row).collect();
        crc32(&(asks + &bids))
    }

    fn okx_sum(&self) -> i32 {
        if !self.has_checksums {
            return 0;
        }
        let row = |(price, size): (&Decimal, &Decimal)| format!("{price}:{size}");
        let asks: Vec<String> = self.asks.iter().take(25).map(row).collect();
        let bids: Vec<String> = self.bids.iter().rev().take(25).map(row).collect();
        let by_turns = (0..25).flat_map(|place| [bids.get(place), asks.get(place)]).flatten();
        crc32(&by_turns.cloned().collect::<Vec<_>>().join(":")).cast_signed()
    }
}

/// Bit by bit, as the standard has it.
pub(crate) fn crc32(text: &str) -> u32 {
    let mut state = u32::MAX;
    for byte in text.bytes() {
        state ^= u32::from(byte);
        for _ in 0..8 {
            state = if state & 1 == 1 { (state >> 1) ^ 0xedb8_8320 } else { state >> 1 };
        }
    }
    !state
}
