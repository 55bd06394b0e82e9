//! The streams of data vendors, which speak first and want a key. The frames are made up after the vendors' documents.

use super::world::{SECOND, ms, wall};
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Decimal, Interval, Symbol, Timestamp};
use mts_marketdata::alpaca::Feed;
use mts_marketdata::stream::machine::{Action, Input, Machine, State};
use mts_marketdata::stream::protocol::{Protocol, Said};
use mts_marketdata::stream::venues::{Alpaca, Polygon};
use mts_marketdata::stream::{Channel, Moment, Options, Patience, Topic};
use proptest::prelude::*;
use std::time::Duration;

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn topics(name: &str) -> Vec<Topic> {
    let symbol = symbol(name);
    vec![Topic::trades(symbol.clone()), Topic::quotes(symbol.clone()), Topic::bars(symbol, Interval::MINUTE)]
}

fn polygon() -> Polygon {
    Polygon::new(topics("AAPL"), "k3y-of-nobody".into()).unwrap()
}

fn alpaca() -> Alpaca {
    Alpaca::stocks(topics("AAPL"), Feed::Sip, ("id-of-nobody".into(), "s3cret".into())).unwrap()
}

fn read(protocol: &dyn Protocol, frame: &str) -> Vec<Said> {
    let mut said = Vec::new();
    protocol.read(frame.as_bytes(), wall(ms(0)), &mut said).unwrap();
    said
}

const POLYGON: &[&str] = &[
    r#"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#,
    r#"[{"ev":"status","status":"auth_success","message":"authenticated"}]"#,
    r#"[{"ev":"status","status":"success","message":"subscribed to: T.AAPL"},{"ev":"status","status":"success","message":"subscribed to: AM.AAPL"}]"#,
    r#"[{"ev":"T","sym":"AAPL","x":4,"i":"12345","trfi":201,"z":3,"p":114.125,"s":0,"ds":"0.25","c":[0,12],"t":1772409600123,"q":3681328},{"ev":"T","sym":"AAPL","x":11,"i":"12345","z":3,"p":114.13,"s":100,"t":1772409600124,"q":3681330}]"#,
    r#"[{"ev":"Q","sym":"AAPL","bx":4,"bp":114.125,"bs":100,"ax":7,"ap":114.128,"as":160,"c":0,"i":[604],"t":1772409600833,"z":3,"q":50385480}]"#,
    r#"[{"ev":"AM","sym":"AAPL","v":4110,"dv":"4110.5","av":9470157,"op":0.4372,"vw":114.488,"o":114.48,"c":114.49,"h":114.50,"l":114.47,"a":114.1,"z":685,"s":1772409540000,"e":1772409600000}]"#,
];

#[test]
fn polygon_frames() {
    let polygon = polygon();
    assert_eq!(read(&polygon, POLYGON[0]), [Said::Greeted]);
    assert_eq!(read(&polygon, POLYGON[1]), [Said::Authenticated]);
    let place = |channel| polygon.topics().iter().position(|topic| topic.channel == channel).unwrap();
    let minutes = Channel::Bars(Interval::MINUTE);
    assert_eq!(
        read(&polygon, POLYGON[2]),
        [Said::Acknowledged(place(Channel::Trades)), Said::Acknowledged(place(minutes))]
    );
    let prints = read(&polygon, POLYGON[3]);
    let [Said::Trade { trade: first, number: None, .. }, Said::Trade { trade: second, .. }] = &*prints else {
        panic!("{prints:?}")
    };
    // Sequence numbers have holes: a hole says nothing. The ids are those of requests.
    assert_eq!((&*first.trade_id, &*second.trade_id), ("4-201-12345", "11-0-12345"));
    assert_eq!((first.size, first.price), (decimal("0.25"), decimal("114.125")));
    assert_eq!(first.timestamp, time("2026-03-02T00:00:00.123Z"));
    let said = read(&polygon, POLYGON[4]);
    let [Said::Touch { bid: Some(bid), ask: Some(ask), number: None, time: at, .. }] = &*said else {
        panic!("{said:?}")
    };
    assert_eq!(
        (bid.price, bid.size, ask.price, ask.size),
        (decimal("114.125"), decimal("100"), decimal("114.128"), decimal("160"))
    );
    assert_eq!(*at, time("2026-03-02T00:00:00.833Z"));
    let said = read(&polygon, POLYGON[5]);
    let [Said::Bar { bar, is_closed: true, .. }] = &*said else { panic!("{said:?}") };
    assert_eq!((bar.timestamp, bar.volume, bar.open), (wall(ms(0)), decimal("4110.5"), decimal("114.48")));
    // Lots of a hundred.
    let lots = Polygon::new(topics("AAPL"), "k".into()).unwrap().with_quote_lot(decimal("100"));
    let said = read(&lots, POLYGON[4]);
    assert!(
        matches!(&*said, [Said::Touch { bid: Some(bid), .. }] if bid.size == decimal("10000")),
        "{said:?}"
    );
}

#[test]
fn polygon_statuses() {
    let polygon = polygon();
    let status = |status: &str, message: &str| {
        read(&polygon, &format!(r#"[{{"ev":"status","status":"{status}","message":"{message}"}}]"#))
    };
    for (word, message) in [
        ("auth_failed", "authentication failed"),
        ("error", "authentication failed"),
        ("error", "not authorized for Q.AAPL k3y-of-nobody"),
    ] {
        let said = status(word, message);
        let [Said::Fatal(why)] = &*said else { panic!("{said:?}") };
        assert!(!why.contains("k3y"), "{why}");
    }
    for word in ["max_connections", "auth_timeout", "force_disconnect", "error"] {
        assert!(matches!(&*status(word, "x"), [Said::Retry(_)]), "{word}");
    }
    assert_eq!(status("success", "authenticated"), [Said::Authenticated]);
    assert_eq!(status("success", "subscribed to: T.MSFT"), []);
    for wanted in [Topic::trades(symbol("BTC-USD")), Topic::bars(symbol("AAPL"), "5m".parse().unwrap())] {
        assert!(Polygon::new([wanted], "k".into()).is_err());
    }
    let seconds = Polygon::new([Topic::bars(symbol("AAPL"), "1s".parse().unwrap())], "k".into()).unwrap();
    let frame = POLYGON[5].replace("AM", "A");
    assert_eq!(read(&seconds, &frame).len(), 1);
    assert_eq!(read(&seconds, POLYGON[5]), [], "a minute is no second");
    let Frame::Text(text) = seconds.subscription(&[0], 1) else { panic!() };
    assert_eq!(text, r#"{"action":"subscribe","params":"A.AAPL"}"#);
    assert!(!format!("{polygon:?}").contains("k3y"));
}

const ALPACA: &[&str] = &[
    r#"[{"T":"success","msg":"connected"}]"#,
    r#"[{"T":"success","msg":"authenticated"}]"#,
    r#"[{"T":"t","i":96921,"S":"AAPL","x":"D","p":126.55,"s":1,"t":"2026-03-01T23:59:59.208123456Z","c":["@","I"],"z":"C"}]"#,
    r#"[{"T":"q","S":"AAPL","bx":"U","bp":87.66,"bs":200,"ax":"Q","ap":87.68,"as":400,"t":"2026-03-01T23:59:59.508206948Z","c":["R"],"z":"A"}]"#,
    r#"[{"T":"b","S":"AAPL","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.06,"t":"2026-03-01T23:59:00Z"}]"#,
    r#"[{"T":"u","S":"AAPL","o":388.985,"h":389.5,"l":388.975,"c":389.12,"v":49398,"n":462,"vw":389.06,"t":"2026-03-01T23:59:00Z"}]"#,
    r#"[{"T":"c","S":"AAPL","x":"M","oi":1,"op":72.01,"os":20,"oc":["@"],"ci":2,"cp":72.02,"cs":10,"cc":["@"],"z":"C","t":"2026-03-01T23:59:58Z"}]"#,
    r#"[{"T":"x","S":"AAPL","i":1,"x":"D","p":72.01,"s":10,"a":"C","z":"C","t":"2026-03-01T23:59:58Z"}]"#,
    r#"[{"T":"subscription","trades":["AAPL"],"quotes":["AAPL"],"bars":["AAPL"],"updatedBars":["AAPL"],"dailyBars":[],"statuses":[],"lulds":[],"corrections":["AAPL"],"cancelErrors":["AAPL"]}]"#,
];

#[test]
fn alpaca_frames() {
    let alpaca = alpaca();
    assert_eq!(alpaca.url(), "wss://stream.data.alpaca.markets/v2/sip");
    assert_eq!(read(&alpaca, ALPACA[0]), [Said::Greeted]);
    assert_eq!(read(&alpaca, ALPACA[1]), [Said::Authenticated]);
    let said = read(&alpaca, ALPACA[2]);
    let [Said::Trade { trade, .. }] = &*said else { panic!("{said:?}") };
    assert_eq!((&*trade.trade_id, trade.price), ("D-96921", decimal("126.55")));
    assert_eq!(trade.timestamp, time("2026-03-01T23:59:59.208123456Z"));
    let said = read(&alpaca, ALPACA[3]);
    let [Said::Touch { bid: Some(bid), ask: Some(ask), .. }] = &*said else { panic!("{said:?}") };
    assert_eq!((bid.price, ask.price, ask.size), (decimal("87.66"), decimal("87.68"), decimal("400")));
    let said = read(&alpaca, ALPACA[4]);
    let [Said::Bar { bar, is_closed: true, .. }] = &*said else { panic!("{said:?}") };
    assert_eq!((bar.timestamp, bar.close, bar.n_trades), (wall(ms(0)), decimal("389.12"), Some(461)));
    let place = |channel| alpaca.topics().iter().position(|topic| topic.channel == channel).unwrap();
    let said = read(&alpaca, ALPACA[5]);
    let [Said::Revised(topic, bar)] = &*said else { panic!("{said:?}") };
    assert_eq!((*topic, bar.interval), (place(Channel::Bars(Interval::MINUTE)), Interval::MINUTE));
    let withdrawn = Said::Withdrawn { topic: place(Channel::Trades), time: time("2026-03-01T23:59:58Z") };
    for frame in [ALPACA[6], ALPACA[7]] {
        assert_eq!(read(&alpaca, frame), std::slice::from_ref(&withdrawn));
    }
    let said = read(&alpaca, ALPACA[8]);
    let [Said::Subscribed(all)] = &*said else { panic!("{said:?}") };
    assert_eq!(all.len(), 3);
    // A running day is no minute.
    assert_eq!(read(&alpaca, &ALPACA[4].replace("\"T\":\"b\"", "\"T\":\"d\"")), []);
    // One that cannot be read does not hide the next.
    let mut said = Vec::new();
    let frame = format!("[{{\"T\":\"t\",\"S\":\"AAPL\"}},{}", &ALPACA[2][1..]);
    assert!(alpaca.read(frame.as_bytes(), wall(ms(0)), &mut said).is_err());
    assert_eq!(said.len(), 1);
}

#[test]
fn alpaca_errors_are_final_or_not() {
    let alpaca = alpaca();
    let error = |code: u32| {
        read(&alpaca, &format!(r#"[{{"T":"error","code":{code},"msg":"no s3cret of id-of-nobody"}}]"#))
    };
    for code in [400, 402, 405, 409, 410, 411] {
        let said = error(code);
        let [Said::Fatal(why)] = &*said else { panic!("{code}: {said:?}") };
        assert!(why.contains("no *** of ***") && why.contains(&code.to_string()), "{why}");
    }
    for code in [401, 404, 406, 407, 500, 999] {
        assert!(matches!(&*error(code), [Said::Retry(_)]), "{code}");
    }
    assert_eq!(error(403), [], "already authenticated");
    let key = || ("a".into(), "b".into());
    assert!(Alpaca::stocks(topics("BTC-USD"), Feed::Iex, key()).is_err());
    assert!(Alpaca::crypto(topics("AAPL"), key()).is_err());
    assert!(Alpaca::crypto(topics("ETH-BTC"), key()).is_ok());
    assert!(Alpaca::stocks([Topic::bars(symbol("AAPL"), "5m".parse().unwrap())], Feed::Iex, key()).is_err());
}

/// A machine with one connection, and what it sends.
struct Run<P> {
    machine: Machine<P>,
    now: Duration,
    id: u64,
}

impl<P: Protocol> Run<P> {
    fn new(protocol: P) -> Self {
        let patience = |_: &_| Patience::always(3_600 * SECOND);
        let at = Moment { time: wall(ms(0)), mono: ms(0) };
        let mut run = Self {
            machine: Machine::new(protocol, patience, Options::default(), false, 1, at),
            now: ms(0),
            id: 0,
        };
        run.take(Input::Start);
        assert!(run.sent().is_empty());
        run.take(Input::Opened(run.id));
        run
    }

    fn take(&mut self, input: Input) {
        self.machine.take(input, Moment { time: wall(self.now), mono: self.now });
    }

    fn hears(&mut self, text: &str) {
        self.take(Input::Frame(self.id, Frame::Text(Bytes::from(text.to_owned()))));
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.take(Input::Tick);
    }

    fn sent(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(action) = self.machine.action() {
            match action {
                Action::Open(id) => self.id = id,
                Action::Send(_, Frame::Text(text)) => sent.push(String::from_utf8(text.to_vec()).unwrap()),
                _ => {}
            }
        }
        sent
    }

    fn events(&mut self) -> Vec<MarketEvent> {
        std::iter::from_fn(|| self.machine.event()).collect()
    }
}

#[test]
fn the_key_is_told_after_the_greeting_and_once() {
    let mut run = Run::new(alpaca());
    assert_eq!(run.machine.state(), State::Authenticating);
    assert!(run.sent().is_empty(), "the venue speaks first");
    run.hears(ALPACA[0]);
    assert_eq!(run.sent(), [r#"{"action":"auth","key":"id-of-nobody","secret":"s3cret"}"#]);
    run.hears(ALPACA[0]);
    assert!(run.sent().is_empty(), "once");
    run.hears(ALPACA[1]);
    assert_eq!(run.machine.state(), State::Subscribing);
    // A venue that never greets is given up.
    let mut silent = Run::new(polygon());
    silent.passes(11 * SECOND);
    assert_eq!(silent.machine.state(), State::Reconnecting);
    assert!(silent.machine.fault().unwrap().contains("authentication"));
}

/// Authenticated, all asked for.
fn asked() -> Run<Alpaca> {
    let mut run = Run::new(alpaca());
    run.hears(ALPACA[0]);
    run.hears(ALPACA[1]);
    for _ in 0..4 {
        run.passes(ms(250));
    }
    let sent = run.sent();
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent.iter().any(|text| text.contains("updatedBars")), "{sent:?}");
    run
}

#[test]
fn what_the_venue_lists_is_held_against_what_is_wanted() {
    let mut run = asked();
    run.hears(r#"[{"T":"subscription","trades":["AAPL"],"quotes":[],"bars":[]}]"#);
    run.hears(r#"[{"T":"subscription","trades":["AAPL"],"quotes":["AAPL"],"bars":[]}]"#);
    assert_eq!(run.machine.state(), State::Subscribing, "answers to the first two requests");
    run.hears(ALPACA[8]);
    assert_eq!(run.machine.state(), State::Live);
    // Later a topic is missing: not live, although nothing says an error.
    run.hears(r#"[{"T":"subscription","trades":["AAPL"],"quotes":[],"bars":["AAPL"]}]"#);
    assert_eq!(run.machine.state(), State::Reconnecting);
    assert!(run.machine.fault().unwrap().contains("1 topics less"), "{:?}", run.machine.fault());
    // Nor is a last answer that lacks one.
    let mut run = asked();
    for _ in 0..3 {
        run.hears(r#"[{"T":"subscription","trades":["AAPL"],"quotes":["AAPL"],"bars":[]}]"#);
    }
    assert_eq!(run.machine.state(), State::Reconnecting);
}

/// The reference takes no notice of corrections.
#[test]
fn corrections_of_bars_are_handed_on_and_those_of_prints_are_gaps() {
    let mut run = asked();
    for _ in 0..3 {
        run.hears(ALPACA[8]);
    }
    run.hears(ALPACA[4]);
    run.hears(ALPACA[5]);
    let events = run.events();
    let [MarketEvent::Bars { bars, .. }, MarketEvent::Revised(bar)] = &*events else { panic!("{events:?}") };
    assert_eq!((bars.len(), &bars[0].symbol, bars[0].timestamp), (1, &bar.symbol, bar.timestamp));
    assert_ne!(bars[0].volume, bar.volume);
    assert_eq!((run.machine.counts().revised, run.machine.counts().withdrawn), (1, 0));
    run.hears(ALPACA[6]);
    run.hears(ALPACA[2]);
    let events = run.events();
    let [MarketEvent::Gap { from, to, .. }, MarketEvent::Trade(_)] = &*events else { panic!("{events:?}") };
    assert_eq!((*from, *to), (time("2026-03-01T23:59:58Z"), wall(run.now)));
    assert_eq!(run.machine.counts().withdrawn, 1);
}

#[test]
fn a_plan_that_is_too_small_is_final() {
    let mut run = asked();
    run.hears(r#"[{"T":"error","code":405,"msg":"symbol limit exceeded"}]"#);
    assert_eq!(run.machine.state(), State::Closed);
    let events = run.events();
    assert!(
        matches!(&*events, [MarketEvent::Fatal { message, .. }] if message.contains("fewer")),
        "{events:?}"
    );
    // Another connection is open, which may be ours of before.
    let mut run = asked();
    run.hears(r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#);
    assert_eq!(run.machine.state(), State::Reconnecting);
}

fn frames() -> Vec<String> {
    [POLYGON, ALPACA].concat().into_iter().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut said = Vec::new();
        let _read = polygon().read(&bytes, wall(ms(0)), &mut said);
        let _read = alpaca().read(&bytes, wall(ms(0)), &mut said);
    }

    #[test]
    fn damaged_frames_never_panic(
        frame in prop::sample::select(frames()),
        at in any::<prop::sample::Index>(),
        put in "[0-9eE.\\-\"{}\\[\\],:a-zA-Z]{0,12}",
        cut in 0_usize..12,
    ) {
        let mut bytes = frame.into_bytes();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        let mut said = Vec::new();
        let _read = polygon().read(&bytes, wall(ms(0)), &mut said);
        let _read = alpaca().read(&bytes, wall(ms(0)), &mut said);
        for said in said {
            if let Said::Bar { bar, .. } = said {
                prop_assert_eq!(bar.interval, Interval::MINUTE);
            }
        }
    }
}
