//! Recorded order books of five venues, where the folder with the recordings is there: every update fits, and the book is that of
//! a model, of the venue's checksums, or of its own best bid and offer.

use super::recordings::{frames, lines_of, recording, symbols};
use super::world::SECOND;
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::{Decimal, Symbol, Timestamp};
use mts_marketdata::stream::book::{Book, Outcome, Synchroniser};
use mts_marketdata::stream::machine::{Action, Input, Machine};
use mts_marketdata::stream::protocol::{Protocol, Said};
use mts_marketdata::stream::venues::{Binance, Coinbase, Kraken, Okx};
use mts_marketdata::stream::{Counts, Moment, Options, Patience, Topic};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

type Side = BTreeMap<Decimal, Decimal>;

fn books(symbols: &[Symbol]) -> Vec<Topic> {
    symbols.iter().cloned().map(Topic::book).collect()
}

/// Plays frames, and answers that were asked for once their time has come; `look` sees every frame and what it has made of the book.
fn played<P: Protocol>(
    protocol: P,
    frames: &[(Timestamp, String)],
    answers: &[(Symbol, Timestamp, String)],
    mut look: impl FnMut(&str, &Machine<P>),
) -> Counts {
    let patience = |_: &_| Patience::always(3_600 * SECOND);
    let begun = frames[0].0;
    let moment = |time: Timestamp| Moment { time, mono: time.since(begun) };
    let mut machine = Machine::new(protocol, patience, Options::default(), false, 1, moment(begun));
    machine.take(Input::Start, moment(begun));
    machine.take(Input::Opened(1), moment(begun));
    let mut open = Vec::new();
    let mut answers = answers.to_vec();
    for (time, frame) in frames {
        while let Some(action) = machine.action() {
            match action {
                Action::AskBook(_, topic) => open.push(topic),
                Action::Send(_, Frame::Text(text)) => {
                    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
                    if value["method"] == "SUBSCRIBE" {
                        let answer = format!(r#"{{"result":null,"id":{}}}"#, value["id"]);
                        machine.take(Input::Frame(1, Frame::Text(answer.into())), moment(*time));
                    }
                }
                _ => {}
            }
        }
        open.retain(|topic| {
            let symbol = &machine.protocol().topics()[*topic].symbol;
            let Some(place) = answers.iter().position(|(of, at, _)| of == symbol && at <= time) else {
                return true;
            };
            let (_, _, body) = answers.remove(place);
            machine.take(Input::Book(1, *topic, Some(body.into())), moment(*time));
            false
        });
        machine.take(Input::Frame(1, Frame::Pong(Bytes::new())), moment(*time));
        machine.take(Input::Frame(1, Frame::Text(Bytes::from(frame.clone()))), moment(*time));
        while machine.event().is_some() {}
        look(frame, &machine);
    }
    assert_eq!(machine.counts().unreadable, 0);
    machine.counts()
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

fn change(side: &mut Side, rows: &Value) {
    for row in rows.as_array().unwrap() {
        side.remove(&number(&row[0]));
        if !number(&row[1]).is_zero() {
            side.insert(number(&row[0]), number(&row[1]));
        }
    }
}

/// Level by level, as far as the book goes; at least so far.
fn same(book: &Book, bids: &Side, asks: &Side, least: usize) {
    let pairs = |side: Vec<(Decimal, Decimal)>| side;
    let ours = pairs(book.bids().map(|level| (level.price, level.size)).collect());
    let theirs = pairs(bids.iter().rev().take(ours.len()).map(|(price, size)| (*price, *size)).collect());
    assert!(ours.len() >= least.min(bids.len()), "{} bids", ours.len());
    assert_eq!(ours, theirs);
    let ours = pairs(book.asks().map(|level| (level.price, level.size)).collect());
    let theirs = pairs(asks.iter().take(ours.len()).map(|(price, size)| (*price, *size)).collect());
    assert!(ours.len() >= least.min(asks.len()), "{} asks", ours.len());
    assert_eq!(ours, theirs);
}

/// Binance's own best bid and offer, of another stream, by the number they have in common.
#[test]
fn hftbacktest_binance() {
    for (name, native, symbol, is_spot) in [
        ("spot/btcusdt_20240808.gz", "BTCUSDT", "BTC-USDT", true),
        ("usdm/btcusdt_20240808.gz", "BTCUSDT", "BTC-USDT-PERP", false),
    ] {
        let Some(mut frames) = lines_of(&format!("hftbacktest-binance/{name}")) else { return };
        let symbol = Symbol::new(symbol).unwrap();
        let place = frames.iter().position(|(_, frame)| frame.contains("lastUpdateId")).unwrap();
        let (at, snapshot) = frames.remove(place);
        for (_, frame) in &mut frames {
            *frame = frame.replace("@depth@0ms", "@depth@100ms");
        }
        let mut touches: BTreeMap<u64, [Decimal; 4]> = BTreeMap::new();
        for (_, frame) in frames.iter().filter(|(_, frame)| frame.contains("@bookTicker")) {
            let value: Value = serde_json::from_str(frame).unwrap();
            let data = &value["data"];
            touches.insert(data["u"].as_u64().unwrap(), ["b", "B", "a", "A"].map(|name| number(&data[name])));
        }
        let protocol = {
            let topics = books(std::slice::from_ref(&symbol));
            if is_spot { Binance::spot(topics) } else { Binance::futures(topics) }
        };
        let (mut bids, mut asks) = (Side::new(), Side::new());
        let value: Value = serde_json::from_str(&snapshot).unwrap();
        change(&mut bids, &value["bids"]);
        change(&mut asks, &value["asks"]);
        let from = value["lastUpdateId"].as_u64().unwrap();
        let (mut updates, mut compared, mut left) = (0, 0, 0);
        let answers = [(symbol.clone(), at, snapshot)];
        let counts = played(protocol.unwrap(), &frames, &answers, |frame, machine| {
            let value: Value = serde_json::from_str(frame).unwrap();
            let data = &value["data"];
            if data["e"] != "depthUpdate" || data["u"].as_u64().unwrap() <= from {
                return;
            }
            change(&mut bids, &data["b"]);
            change(&mut asks, &data["a"]);
            let Some(book) = machine.book(&symbol) else { return };
            updates += 1;
            if updates % 50 == 0 {
                same(book, &bids, &asks, 1);
            }
            left = book.bids().count().min(book.asks().count());
            let last = data["u"].as_u64().unwrap();
            let Some((_, [bid, bid_size, ask, ask_size])) = touches.range(..=last).next_back() else {
                return;
            };
            let (Some(best), Some(offer)) = book.best() else { panic!("{native} has no best") };
            assert_eq!([best.price, best.size, offer.price, offer.size], [*bid, *bid_size, *ask, *ask_size]);
            compared += 1;
        });
        println!("{name}: {updates} updates, {compared} beside the venue's own best; {left} levels are left");
        assert!(updates > 2_400 && compared + 20 > updates, "{updates} {compared}");
        assert_eq!(counts.future, 0);
        // Lost only in a jump when little was left of the one snapshot that was recorded; the next was asked for long before.
        assert!(counts.books_lost == 0 || counts.books_lost == 1 && left < 250, "{left} {counts:?}");
    }
}

/// With the snapshots that were asked for while it was recorded.
#[test]
fn cryptofeed_binance() {
    let (Some(stream), Some(asked)) = (
        recording("cryptofeed/sample_data/BINANCE.ws.1.0"),
        recording("cryptofeed/sample_data/BINANCE.http.0.0"),
    ) else {
        return;
    };
    let frames = frames(&stream);
    let names = ["NKN-USDT", "BLZ-ETH", "LRC-BTC", "RUNE-EUR"];
    let text = std::fs::read_to_string(asked).unwrap();
    let mut answers = Vec::new();
    for line in text.lines().filter(|line| line.contains("/depth?")) {
        let (url, rest) = line.split_once(" -> ").unwrap();
        let (at, body) = rest.split_once(": ").unwrap();
        let native = url.split_once("symbol=").unwrap().1.split('&').next().unwrap();
        let symbol =
            symbols(&names).into_iter().find(|name| name.to_string().replace('-', "") == native).unwrap();
        answers.push((symbol, super::recordings::wall_of(at.parse().unwrap()), body.to_owned()));
    }
    assert_eq!(answers.len(), 4);
    let mut shown = 0;
    let mut known = 0;
    let counts =
        played(Binance::spot(books(&symbols(&names))).unwrap(), &frames, &answers, |frame, machine| {
            known = symbols(&names).iter().filter(|symbol| machine.book(symbol).is_some()).count();
            shown += usize::from(frame.contains("depthUpdate") && known > 0);
        });
    assert_eq!((counts.books_lost, known), (0, 4), "{counts:?}");
    assert!(shown > 100, "{shown}");
}

/// OKX's checksums of 2022.
#[test]
fn cryptofeed_okx() {
    let Some(path) = recording("cryptofeed/sample_data/OKX.ws.1.0") else { return };
    let frames = frames(&path);
    let symbols = symbols(&["UNI-USD-PERP", "BTC-USDT"]);
    let mut updates = 0;
    let counts = played(Okx::new(books(&symbols)).unwrap(), &frames, &[], |frame, machine| {
        updates += usize::from(frame.contains(r#""action":"update""#) && !frame.contains("220527"));
        if updates > 0 {
            assert!(symbols.iter().all(|symbol| machine.book(symbol).is_some()));
        }
    });
    assert!(updates > 100, "{updates}");
    assert_eq!((counts.books_lost, counts.checksums), (0, 0), "{counts:?}");
}

/// The books of ten products, beside a model.
#[test]
fn cryptofeed_coinbase() {
    let Some(path) = recording("cryptofeed/sample_data/COINBASE.ws.28.0") else { return };
    let names = [
        "SKL-USD", "SKL-BTC", "BAND-GBP", "NMR-EUR", "BAND-BTC", "YFI-BTC", "DASH-BTC", "NU-GBP", "CRV-EUR",
        "SKL-GBP",
    ];
    let frames = frames(&path);
    let mut models: BTreeMap<String, (Side, Side)> = BTreeMap::new();
    let mut compared = 0;
    let counts = played(Coinbase::new(books(&symbols(&names))).unwrap(), &frames, &[], |frame, machine| {
        let value: Value = serde_json::from_str(frame).unwrap();
        let product = value["product_id"].as_str().unwrap_or_default();
        let (bids, asks) = models.entry(product.to_owned()).or_default();
        match value["type"].as_str().unwrap() {
            "snapshot" => {
                change(bids, &value["bids"]);
                change(asks, &value["asks"]);
            }
            "l2update" => {
                for row in value["changes"].as_array().unwrap() {
                    let side = if row[0] == "buy" { &mut *bids } else { &mut *asks };
                    change(side, &serde_json::json!([[row[1], row[2]]]));
                }
            }
            _ => return,
        }
        compared += 1;
        if compared % 20 == 0 {
            same(machine.book(&Symbol::new(product).unwrap()).unwrap(), bids, asks, 100);
        }
    });
    assert_eq!(compared, 9_729);
    assert_eq!((counts.books_lost, counts.faulty), (0, 0), "{counts:?}");
}

/// Kraken's checksums, of the first version of its stream, whose frames are made into those of the second.
#[test]
fn cryptofeed_kraken() {
    let Some(path) = recording("cryptofeed/sample_data/KRAKEN.ws.50.0") else { return };
    let frames = frames(&path);
    let options = Options::default();
    let mut syncs: BTreeMap<String, Synchroniser> = BTreeMap::new();
    let (mut snapshots, mut updates) = (0, 0);
    for (time, frame) in &frames {
        let value: Value = serde_json::from_str(frame).unwrap();
        let Some(parts) = value.as_array() else { continue };
        let pair = parts.last().unwrap().as_str().unwrap();
        let rows = |name: &str| -> Vec<Value> {
            let rows = parts.iter().filter_map(|part| part.get(name)?.as_array()).flatten();
            rows.map(|row| serde_json::json!({"price": row[0], "qty": row[1]})).collect()
        };
        let is_snapshot = parts[1].get("as").is_some();
        let (bids, asks) = if is_snapshot { (rows("bs"), rows("as")) } else { (rows("b"), rows("a")) };
        let sum = parts.iter().find_map(|part| part.get("c")?.as_str());
        let symbol = Symbol::new(pair.replace('/', "-").as_str()).unwrap();
        let kraken = Kraken::new([Topic::book(symbol)]).unwrap();
        let kind = if is_snapshot { "snapshot" } else { "update" };
        let checksum: u32 = sum.unwrap_or("0").parse().unwrap();
        let frame = serde_json::json!({
            "channel": "book", "type": kind,
            "data": [{"symbol": pair, "bids": bids, "asks": asks, "checksum": checksum}],
        });
        let mut said = Vec::new();
        kraken.read(frame.to_string().as_bytes(), *time, &mut said).unwrap();
        let [Said::Book { update, .. }] = said.as_mut_slice() else { panic!("{said:?}") };
        if is_snapshot {
            // The first version's snapshots have none.
            update.checksum = None;
        }
        (snapshots, updates) = (snapshots + u32::from(is_snapshot), updates + u32::from(!is_snapshot));
        let sync =
            syncs.entry(pair.to_owned()).or_insert_with(|| Synchroniser::new(Some(1_000), false, &options));
        let outcome = sync.take(update.clone(), Duration::ZERO, &options);
        assert_eq!(outcome, Outcome::Valid, "{pair} after {updates} updates");
    }
    println!("kraken: {updates} checksums of {} pairs", syncs.len());
    assert!(snapshots == 10 && updates > 3_000, "{snapshots} {updates}");
}
