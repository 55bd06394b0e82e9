//! Recorded sessions of venues through the parsers, where the folder with the recordings is there.

use super::world::{SECOND, wall};
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Interval, Symbol, Timestamp};
use mts_marketdata::stream::machine::{Action, Input, Machine};
use mts_marketdata::stream::protocol::Protocol;
use mts_marketdata::stream::venues::{Binance, Coinbase, Okx};
use mts_marketdata::stream::{Moment, Options, Patience, Topic};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A recording, or a line that says why not.
pub(super) fn recording(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MTS_DATA").map(PathBuf::from);
    let folders = [folder, Some("/work/shared/data".into())].into_iter().flatten();
    let file = folders.map(|folder| folder.join(name)).find(|file| file.exists());
    if file.is_none() {
        println!("skipped: there is no {name}; MTS_DATA names the folder with recordings");
    }
    file
}

/// The frames of a recording of cryptofeed: `seconds: frame`.
pub(super) fn frames(path: &Path) -> Vec<(Timestamp, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let frame = |line: &str| {
        let (seconds, frame) = line.split_once(": ")?;
        let seconds: f64 = seconds.parse().ok()?;
        Some((wall_of(seconds), frame.to_owned()))
    };
    text.lines().filter_map(frame).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a time of 2021")]
pub(super) fn wall_of(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1_000.0) as i64)
}

/// What a feed makes of frames: prints, quotes, bars, gaps.
fn played<P: Protocol>(protocol: P, frames: &[(Timestamp, String)]) -> ([usize; 4], Machine<P>) {
    let patience = |_: &_| Patience::always(3_600 * SECOND);
    let moment = |time: Timestamp| Moment { time, mono: time.since(frames[0].0) };
    let mut machine = Machine::new(protocol, patience, Options::default(), false, 1, moment(frames[0].0));
    machine.take(Input::Start, moment(frames[0].0));
    machine.take(Input::Opened(1), moment(frames[0].0));
    let mut counts = [0; 4];
    for (time, frame) in frames {
        machine.take(Input::Frame(1, Frame::Text(Bytes::from(frame.clone()))), moment(*time));
        while let Some(action) = machine.action() {
            // Who plays the recording answers pings and, where it says nothing of them, subscriptions.
            let Action::Send(_, sent) = action else { continue };
            machine.take(Input::Frame(1, Frame::Pong(Bytes::new())), moment(*time));
            if let Frame::Text(text) = sent
                && let Ok(value) = serde_json::from_slice::<serde_json::Value>(&text)
                && value["method"] == "SUBSCRIBE"
            {
                let answer = format!(r#"{{"result":null,"id":{}}}"#, value["id"]);
                machine.take(Input::Frame(1, Frame::Text(answer.into())), moment(*time));
            }
        }
        while let Some(event) = machine.event() {
            let kind = match event {
                MarketEvent::Trade(_) => 0,
                MarketEvent::Quote(_) => 1,
                MarketEvent::Bars { .. } => 2,
                MarketEvent::Gap { .. } => 3,
                _ => continue,
            };
            counts[kind] += 1;
        }
    }
    assert_eq!(machine.counts().unreadable, 0);
    (counts, machine)
}

pub(super) fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| Symbol::new(name).unwrap()).collect()
}

/// The frames of a recording of hftbacktest, `nanoseconds frame`.
pub(super) fn lines_of(name: &str) -> Option<Vec<(Timestamp, String)>> {
    let path = recording(name)?;
    let Ok(output) = Command::new("gzip").arg("-dc").arg(&path).output() else {
        println!("skipped: there is no gzip");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let frame = |line: &str| {
        let (nanos, frame) = line.split_once(' ')?;
        Some((Timestamp::from_nanos(nanos.parse().unwrap()), frame.to_owned()))
    };
    Some(text.lines().filter_map(frame).collect())
}

fn prints_and_quotes(symbols: &[Symbol]) -> Vec<Topic> {
    symbols.iter().flat_map(|symbol| [Topic::trades(symbol.clone()), Topic::quotes(symbol.clone())]).collect()
}

/// cryptofeed's own test counts 84 tickers and two candles, both still forming.
#[test]
fn cryptofeed_binance() {
    let Some(path) = recording("cryptofeed/sample_data/BINANCE.ws.1.0") else { return };
    let symbols = symbols(&["NKN-USDT", "BLZ-ETH", "LRC-BTC", "RUNE-EUR"]);
    let mut topics = prints_and_quotes(&symbols);
    topics.extend(symbols.iter().map(|symbol| Topic::bars(symbol.clone(), Interval::MINUTE)));
    let (counts, _) = played(Binance::spot(topics).unwrap(), &frames(&path));
    // Its prints are aggregates, which are not asked for here.
    assert_eq!(counts, [0, 84, 0, 0]);
}

/// cryptofeed counts 107 tickers, and 107 prints of which ten are the last ones before the subscription.
#[test]
fn cryptofeed_coinbase() {
    let Some(path) = recording("cryptofeed/sample_data/COINBASE.ws.28.0") else { return };
    let names = [
        "SKL-USD", "SKL-BTC", "BAND-GBP", "NMR-EUR", "BAND-BTC", "YFI-BTC", "DASH-BTC", "NU-GBP", "CRV-EUR",
        "SKL-GBP",
    ];
    let frames = frames(&path);
    let (counts, machine) = played(Coinbase::new(prints_and_quotes(&symbols(&names))).unwrap(), &frames);
    assert_eq!(counts, [97, 107, 0, 0]);
    assert_eq!(machine.counts().missing, 0, "the numbers have no holes");
}

/// cryptofeed counts 74 prints and 28 tickers, with a dated future that has no canonical name.
#[test]
fn cryptofeed_okx() {
    let Some(path) = recording("cryptofeed/sample_data/OKX.ws.1.0") else { return };
    let frames = frames(&path);
    let count = |channel: &str| {
        let items = |frame: &str| {
            let value: serde_json::Value = serde_json::from_str(frame).unwrap();
            let is_ours = value["arg"]["channel"] == channel && value["arg"]["instId"] != "BTC-USD-220527";
            value["data"].as_array().filter(|_| is_ours).map_or(0, Vec::len)
        };
        frames.iter().map(|(_, frame)| items(frame)).sum::<usize>()
    };
    let (prints, tickers) = (count("trades"), count("tickers"));
    assert!(prints > 40 && tickers > 10, "{prints} {tickers}");
    let symbols = symbols(&["UNI-USD-PERP", "BTC-USDT"]);
    let (counts, _) = played(Okx::new(prints_and_quotes(&symbols)).unwrap(), &frames);
    assert_eq!(counts, [prints, tickers, 0, 0]);
}

/// The prints of the recordings are numbered without holes; what the parser makes of them has the same count and sum.
#[test]
fn hftbacktest_binance() {
    for (name, native, symbol, is_spot) in [
        ("spot/btcusdt_20240808.gz", "BTCUSDT", "BTC-USDT", true),
        ("spot/ethusdt_20240809.gz", "ETHUSDT", "ETH-USDT", true),
        ("usdm/btcusdt_20240808.gz", "BTCUSDT", "BTC-USDT-PERP", false),
    ] {
        let Some(frames) = lines_of(&format!("hftbacktest-binance/{name}")) else { return };
        let marked = |mark: &str| frames.iter().filter(|(_, frame)| frame.contains(mark)).count();
        let (prints, quotes) = (marked(r#""e":"trade""#), marked("@bookTicker"));
        let topics = prints_and_quotes(&symbols(&[symbol]));
        let protocol = if is_spot { Binance::spot(topics) } else { Binance::futures(topics) };
        let begun = Instant::now();
        let (counts, machine) = played(protocol.unwrap(), &frames);
        let took = begun.elapsed();
        println!("{name}: {} frames of {native} in {took:?}", frames.len());
        let outdated = usize::try_from(machine.counts().outdated).unwrap();
        assert_eq!(counts[0], prints);
        assert_eq!(counts[1] + outdated, quotes, "{:?}", machine.counts());
        assert_eq!((counts[3], machine.counts().missing), (0, 0));
        assert!(took < Duration::from_secs(60));
        assert!(wall(Duration::ZERO) > frames[0].0);
    }
}
