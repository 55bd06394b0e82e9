//! The machine alone: topics, sessions, bars, subscriptions.

use super::world::{SECOND, ms, wall};
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::market_data::{MarketEvent, StaleCause};
use mts_foundation::{Bar, Decimal, Interval, MarketCalendar, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::stream::machine::{Action, Input, Machine, State};
use mts_marketdata::stream::protocol::Protocol;
use mts_marketdata::stream::queue::{Queue, RESERVE};
use mts_marketdata::stream::venues::{Binance, Kraken, Okx};
use mts_marketdata::stream::{History, Moment, Options, Patience, Topic};
use std::sync::Arc;
use std::time::Duration;

fn at(mono: Duration) -> Moment {
    Moment { time: wall(mono), mono }
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn machine<P: Protocol>(protocol: P, has_history: bool) -> Machine<P> {
    let patience = |_: &_| Patience::always(3_600 * SECOND);
    let mut machine = Machine::new(protocol, patience, Options::default(), has_history, 1, at(ms(0)));
    machine.take(Input::Start, at(ms(0)));
    machine
}

fn text(text: &str) -> Frame {
    Frame::Text(Bytes::from(text.to_owned()))
}

fn actions<P: Protocol>(machine: &mut Machine<P>) -> Vec<Action> {
    std::iter::from_fn(|| machine.action()).collect()
}

fn events<P: Protocol>(machine: &mut Machine<P>) -> Vec<MarketEvent> {
    std::iter::from_fn(|| machine.event()).collect()
}

/// What was sent.
fn sent<P: Protocol>(machine: &mut Machine<P>) -> Vec<serde_json::Value> {
    let json = |action| match action {
        Action::Send(_, Frame::Text(bytes)) => serde_json::from_slice(&bytes).ok(),
        _ => None,
    };
    actions(machine).into_iter().filter_map(json).collect()
}

#[test]
fn subscriptions_come_in_batches_at_the_venues_pace() {
    let topics: Vec<Topic> = (0..250)
        .flat_map(|number| {
            let symbol = symbol(&format!("A{number}-USDT"));
            [Topic::trades(symbol.clone()), Topic::quotes(symbol)]
        })
        .collect();
    let mut machine = machine(Binance::spot(topics).unwrap(), false);
    machine.take(Input::Opened(1), at(ms(0)));
    let mut sizes = Vec::new();
    for tick in 0..40 {
        machine.take(Input::Tick, at(ms(100 * tick)));
        let now = sent(&mut machine);
        assert!(now.len() <= 1, "never two messages at once");
        for message in now {
            let params = message["params"].as_array().unwrap();
            let kind =
                |param: &serde_json::Value| param.as_str().unwrap().split_once('@').unwrap().1.to_owned();
            assert!(params.iter().all(|param| kind(param) == kind(&params[0])), "one channel each");
            sizes.push((tick, params.len(), message["id"].as_u64().unwrap()));
        }
    }
    let (ticks, counts): (Vec<u64>, Vec<usize>) = sizes.iter().map(|(tick, size, _)| (*tick, *size)).unzip();
    assert_eq!(counts, [100, 100, 50, 100, 100, 50]);
    assert!(ticks.windows(2).all(|pair| pair[1] - pair[0] >= 3), "{ticks:?}");
    for (_, _, id) in &sizes {
        assert_eq!(machine.state(), State::Subscribing);
        machine.take(Input::Frame(1, text(&format!(r#"{{"result":null,"id":{id}}}"#))), at(ms(4_000)));
    }
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn one_refused_topic_does_not_spoil_the_others() {
    let topics = ["BTC-USDT", "NO-USDT", "ETH-USDT"].map(|name| Topic::trades(symbol(name)));
    let mut machine = machine(Okx::new(topics).unwrap(), false);
    machine.take(Input::Opened(1), at(ms(0)));
    assert_eq!(sent(&mut machine).len(), 1);
    let refusal = |id: u32| {
        text(&format!(
            r#"{{"id":"{id}","event":"error","code":"60018","msg":"NO-USDT does not exist","connId":"a"}}"#
        ))
    };
    machine.take(Input::Frame(1, refusal(1)), at(ms(10)));
    let mut asked = Vec::new();
    for tick in 1..10 {
        machine.take(Input::Tick, at(ms(500 * tick)));
        for message in sent(&mut machine) {
            let name = message["args"][0]["instId"].as_str().unwrap().to_owned();
            let id = message["id"].as_str().unwrap();
            let answer = if name == "NO-USDT" {
                refusal(id.parse().unwrap())
            } else {
                let arg = &message["args"][0];
                text(&format!(r#"{{"id":"{id}","event":"subscribe","arg":{arg},"connId":"a"}}"#))
            };
            machine.take(Input::Frame(1, answer), at(ms(500 * tick + 1)));
            asked.push(name);
        }
    }
    assert_eq!(asked, ["BTC-USDT", "ETH-USDT", "NO-USDT"]);
    assert_eq!(machine.state(), State::Live);
    let refused: Vec<_> =
        machine.refused().map(|(topic, why)| (topic.symbol.to_string(), why.to_owned())).collect();
    assert_eq!(refused, [("NO-USDT".to_owned(), "NO-USDT does not exist".to_owned())]);
    // It is not asked for again.
    machine.take(Input::Closed(1, String::new()), at(6 * SECOND));
    machine.take(Input::Tick, at(8 * SECOND));
    machine.take(Input::Opened(2), at(8 * SECOND));
    let messages = sent(&mut machine);
    assert_eq!(messages[0]["args"].as_array().unwrap().len(), 2);
}

#[test]
fn with_no_topic_left_the_feed_ends() {
    let mut machine = machine(Okx::new([Topic::trades(symbol("NO-USDT"))]).unwrap(), false);
    machine.take(Input::Opened(1), at(ms(0)));
    let refusal = text(r#"{"id":"1","event":"error","code":"60018","msg":"NO-USDT does not exist"}"#);
    machine.take(Input::Frame(1, refusal), at(ms(10)));
    let [MarketEvent::Fatal { message, .. }] = &*events(&mut machine) else { panic!() };
    assert!(message.contains("NO-USDT does not exist"));
    assert_eq!(machine.state(), State::Closed);
}

#[test]
fn silence_counts_in_sessions_only() {
    let calendar = Arc::new(MarketCalendar::builtin("XNYS").unwrap().clone());
    let patience = Patience::in_sessions(30 * SECOND, calendar);
    let hour = 3_600 * SECOND;
    let utc = |text: &str| text.parse::<Timestamp>().unwrap().to_datetime();
    // A Monday: 03:00 in New York, the open at 09:30, half past noon, after the close.
    assert!(!patience.is_over(60 * hour, utc("2026-03-02T08:00:00Z")));
    assert!(!patience.is_over(60 * hour, utc("2026-03-02T14:30:29Z")), "silence counts from the open");
    assert!(patience.is_over(60 * hour, utc("2026-03-02T14:30:30Z")));
    assert!(patience.is_over(30 * SECOND, utc("2026-03-02T17:30:00Z")));
    assert!(!patience.is_over(29 * SECOND, utc("2026-03-02T17:30:00Z")));
    assert!(!patience.is_over(hour, utc("2026-03-02T21:00:00Z")));
    assert!(!patience.is_over(hour, utc("2026-03-01T17:30:00Z")), "a Sunday");
    assert!(patience.is_over(hour, utc("2100-03-01T17:30:00Z")), "a day the calendar does not know");
    assert!(Patience::always(30 * SECOND).is_over(30 * SECOND, utc("2026-03-01T08:00:00Z")));
}

fn kline(symbol: &str, start: Duration, close: &str, is_closed: bool) -> Frame {
    let start = wall(start).nanos() / 1_000_000;
    let end = start + 59_999;
    let low = symbol.to_ascii_lowercase();
    text(&format!(
        r#"{{"stream":"{low}@kline_1m","data":{{"e":"kline","E":1,"s":"{symbol}","k":{{"t":{start},"T":{end},"s":"{symbol}","i":"1m","f":1,"L":2,"o":"10","c":"{close}","h":"12","l":"9","v":"4","n":2,"x":{is_closed},"q":"44","V":"1","Q":"1","B":"0"}}}}}}"#
    ))
}

/// A frame, from a venue that answers pings.
fn hear<P: Protocol>(machine: &mut Machine<P>, frame: Frame, now: Duration) {
    machine.take(Input::Frame(1, Frame::Pong(Bytes::new())), at(now));
    machine.take(Input::Frame(1, frame), at(now));
}

fn live(machine: &mut Machine<Binance>, id: u64, now: Duration) {
    machine.take(Input::Opened(id), at(now));
    actions(machine);
    machine.take(Input::Frame(id, text(r#"{"result":null,"id":1}"#)), at(now));
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn bars_of_an_instant_come_together_and_once() {
    let topics = ["BTC-USDT", "ETH-USDT"].map(|name| Topic::bars(symbol(name), Interval::MINUTE));
    let mut machine = machine(Binance::spot(topics).unwrap(), false);
    live(&mut machine, 1, ms(0));
    let minute = 60 * SECOND;
    hear(&mut machine, kline("ETHUSDT", ms(0), "11", false), 30 * SECOND);
    hear(&mut machine, kline("ETHUSDT", ms(0), "11", true), minute);
    assert_eq!(events(&mut machine), [], "a bar that is not closed is none, and the other one is waited for");
    hear(&mut machine, kline("BTCUSDT", ms(0), "11.5", true), minute + ms(10));
    hear(&mut machine, kline("BTCUSDT", ms(0), "11.5", true), minute + ms(11));
    let [MarketEvent::Bars { time, bars }] = &*events(&mut machine) else { panic!() };
    assert_eq!((*time, bars.len()), (wall(minute), 2));
    assert_eq!(bars[0].symbol, symbol("BTC-USDT"));
    assert_eq!((bars[0].close, bars[0].vwap), (Decimal::new(115, 1), Some(Decimal::from(11))));
    assert_eq!(machine.counts().duplicates, 1);
    // One that does not come is not waited for longer than a second, and comes alone.
    hear(&mut machine, kline("ETHUSDT", minute, "11", true), 2 * minute);
    machine.take(Input::Tick, at(2 * minute + SECOND));
    assert!(matches!(&*events(&mut machine), [MarketEvent::Bars { bars, .. }] if bars.len() == 1));
    hear(&mut machine, kline("BTCUSDT", minute, "11", true), 2 * minute + 2 * SECOND);
    assert!(matches!(&*events(&mut machine), [MarketEvent::Bars { bars, .. }] if bars.len() == 1));
    assert_eq!(machine.counts().late_bars, 1);
}

#[test]
fn bars_that_were_missed_come_from_the_history_before_those_that_wait() {
    for has_history in [true, false] {
        let topic = Topic::bars(symbol("BTC-USDT"), Interval::MINUTE);
        let mut machine = machine(Binance::spot([topic.clone()]).unwrap(), has_history);
        live(&mut machine, 1, ms(0));
        let minute = 60 * SECOND;
        machine.take(Input::Frame(1, kline("BTCUSDT", ms(0), "11", true)), at(minute));
        assert_eq!(events(&mut machine).len(), 1);
        machine.take(Input::Closed(1, String::new()), at(minute + SECOND));
        machine.take(Input::Tick, at(3 * minute + 30 * SECOND));
        actions(&mut machine);
        live(&mut machine, 2, 3 * minute + 30 * SECOND);
        machine.take(Input::Tick, at(3 * minute + 40 * SECOND));
        let asked =
            actions(&mut machine).into_iter().filter(|action| matches!(action, Action::Ask(_))).count();
        assert_eq!(asked, usize::from(has_history));
        machine.take(Input::Frame(2, kline("BTCUSDT", 3 * minute, "11", true)), at(4 * minute));
        if has_history {
            let bar = |end| Bar::close_only(symbol("BTC-USDT"), Interval::MINUTE, Decimal::ONE, wall(end));
            let bars = (1..=4).map(|end| bar(end * minute)).collect();
            machine.take(Input::History(0, Some(History::Bars(bars))), at(4 * minute + SECOND));
        }
        machine.take(Input::Tick, at(4 * minute + 2 * SECOND));
        let mut said: Vec<String> = Vec::new();
        for event in events(&mut machine) {
            said.push(match event {
                MarketEvent::Bars { time, .. } => (time.since(wall(ms(0))).as_secs() / 60).to_string(),
                MarketEvent::Backfilled { from, to, .. } => {
                    format!("backfilled {}", to.since(from).as_secs() / 60)
                }
                MarketEvent::Gap { from, to, .. } => format!("gap {}", to.since(from).as_secs() / 60),
                MarketEvent::Stale { .. } | MarketEvent::Recovered { .. } => continue,
                other => format!("{other:?}"),
            });
        }
        if has_history {
            assert_eq!(said, ["backfilled 3", "2", "3", "4"]);
        } else {
            assert_eq!(said, ["gap 2", "4"]);
        }
    }
}

#[test]
fn where_the_venue_does_not_close_bars_the_next_one_does() {
    let topic = Topic::bars(symbol("BTC-USD"), Interval::MINUTE);
    let mut machine = machine(Kraken::new([topic]).unwrap(), false);
    machine.take(Input::Opened(1), at(ms(0)));
    let candle = |begin: &str, close: &str| {
        text(&format!(
            r#"{{"channel":"ohlc","type":"update","timestamp":"x","data":[{{"symbol":"BTC/USD","open":10.1,"high":12.0,"low":9.5,"close":{close},"trades":2,"volume":4.0,"vwap":10.5,"interval_begin":"{begin}","interval":1,"timestamp":"x"}}]}}"#
        ))
    };
    for (begin, close, mono) in [
        ("2026-03-02T00:00:00.000000000Z", "10.2", 10),
        ("2026-03-02T00:00:00.000000000Z", "10.3", 50),
        ("2026-03-02T00:01:00.000000000Z", "10.4", 61),
    ] {
        machine.take(Input::Frame(1, text(r#"{"method":"pong"}"#)), at(mono * SECOND));
        machine.take(Input::Frame(1, candle(begin, close)), at(mono * SECOND));
    }
    let [MarketEvent::Bars { time, bars }] = &*events(&mut machine) else { panic!() };
    assert_eq!((*time, bars[0].close), (wall(60 * SECOND), Decimal::new(103, 1)));
}

fn best(bid: &str, number: u64) -> Frame {
    text(&format!(
        r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{number},"s":"BTCUSDT","b":"{bid}","B":"1","a":"12","A":"2"}}}}"#
    ))
}

#[test]
fn quotes_conflate_and_outdated_ones_are_dropped() {
    let mut machine = machine(Binance::spot([Topic::quotes(symbol("BTC-USDT"))]).unwrap(), false);
    live(&mut machine, 1, ms(0));
    for (bid, number) in [("10", 1), ("10.5", 2), ("11", 3), ("9", 2)] {
        machine.take(Input::Frame(1, best(bid, number)), at(SECOND));
    }
    let [MarketEvent::Quote(quote)] = &*events(&mut machine) else { panic!() };
    assert_eq!(quote.bid, Decimal::from(11));
    assert_eq!((machine.overflow().1, machine.counts().outdated), (2, 1));
}

#[test]
fn what_cannot_be_read_is_counted_and_told() {
    let mut machine = machine(Binance::spot([Topic::quotes(symbol("BTC-USDT"))]).unwrap(), false);
    live(&mut machine, 1, ms(0));
    machine.take(Input::Frame(1, text("nonsense")), at(SECOND));
    assert!(matches!(&*events(&mut machine), [MarketEvent::Gap { .. }]));
    assert_eq!(machine.counts().unreadable, 1);
    assert_eq!(machine.state(), State::Live);
}

fn venue() -> VenueName {
    VenueName::new("x").unwrap()
}

fn trade(number: u64) -> Trade {
    Trade {
        trade_id: number.to_string().into(),
        symbol: symbol("BTC-USDT"),
        price: Decimal::ONE,
        size: Decimal::ONE,
        venue: venue(),
        timestamp: wall(ms(number)),
    }
}

fn quote(name: &str, second: u64) -> Quote {
    Quote {
        symbol: symbol(name),
        bid: Decimal::ONE,
        ask: Decimal::TWO,
        bid_size: Decimal::ONE,
        ask_size: Decimal::ONE,
        venue: venue(),
        timestamp: wall(Duration::from_secs(second)),
    }
}

#[test]
fn the_queue_is_bounded_and_says_what_it_lost() {
    let mut queue = Queue::new(venue(), 10);
    for number in 0..1_000 {
        let time = wall(ms(number));
        queue.event(MarketEvent::Trade(trade(number)), time);
        queue.quote(quote(if number % 2 == 0 { "A" } else { "B" }, number));
        let (venue, since) = (venue(), time);
        queue.health(if number % 2 == 0 {
            MarketEvent::Stale { venue, since, symbols: [symbol("A")].into(), cause: StaleCause::Silent }
        } else {
            MarketEvent::Recovered { venue, time }
        });
        queue.gap(time, time);
        assert!(queue.len() <= 10 + 2 + RESERVE);
    }
    let mut trades = 0;
    let mut gaps = Vec::new();
    let mut health = Vec::new();
    let mut quotes = Vec::new();
    while let Some(event) = queue.pop() {
        match event {
            MarketEvent::Trade(_) => trades += 1,
            MarketEvent::Gap { from, to, .. } => gaps.push((from, to)),
            MarketEvent::Stale { .. } => health.push(false),
            MarketEvent::Recovered { .. } => health.push(true),
            MarketEvent::Quote(quote) => quotes.push((quote.symbol.to_string(), quote.timestamp)),
            other => panic!("{other:?}"),
        }
    }
    assert!(queue.is_empty());
    assert_eq!(trades + queue.dropped(), 1_000);
    // To the first instant after what was dropped.
    let after = |number| wall(ms(number)).plus(Duration::from_nanos(1));
    assert_eq!(gaps.last().unwrap().1, after(999));
    assert_eq!(health, [false, true], "changes that nobody saw are not told");
    // The latest of each, and no more.
    assert_eq!(quotes, [("A".to_owned(), wall(998 * SECOND)), ("B".to_owned(), wall(999 * SECOND))]);
    assert_eq!(queue.conflated(), 998);
}

#[test]
fn a_gap_stands_where_something_is_missing() {
    let mut queue = Queue::new(venue(), 2);
    for number in 1..=4 {
        queue.event(MarketEvent::Trade(trade(number)), wall(ms(number)));
    }
    assert_eq!(queue.pop(), Some(MarketEvent::Trade(trade(1))));
    queue.event(MarketEvent::Trade(trade(5)), wall(ms(5)));
    assert_eq!(queue.pop(), Some(MarketEvent::Trade(trade(2))));
    let to = wall(ms(4)).plus(Duration::from_nanos(1));
    let gap = MarketEvent::Gap { venue: venue(), from: wall(ms(2)), to };
    assert_eq!(queue.pop(), Some(gap));
    assert_eq!(queue.pop(), Some(MarketEvent::Trade(trade(5))));
    assert_eq!(queue.pop(), None);
}
