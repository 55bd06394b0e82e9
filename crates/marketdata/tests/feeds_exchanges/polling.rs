//! Exchanges that are asked: gate (prints with ids, candles by start and end), mexc (prints without ids).

use super::web::{MINUTE, Reply, Web, bars, ends, gaps, health, ids, millis, named, number, stop};
use super::world::{SECOND, ms, wall};
use mts_foundation::market_data::{DataFeed, MarketDataError, MarketEvent};
use mts_foundation::ready::ready;
use mts_foundation::{Decimal, Interval};
use mts_marketdata::feeds::{CryptoConfig, CryptoFeed};
use std::sync::Arc;
use std::time::Duration;

/// A print every so often, also before the world began, when it was the thousandth; the newest page of gate.
fn gate_prints(now: Duration, every: Duration, page: u128) -> Reply {
    let last = 1_000 + now.as_millis() / every.as_millis();
    let row = |id: u128| {
        let since = i64::try_from(id).unwrap() - 1_000;
        let time = millis(Duration::ZERO) + since * i64::try_from(every.as_millis()).unwrap();
        let price = 100 + id % 7;
        format!(r#"{{"id":"{id}","create_time_ms":"{time}.5","side":"buy","amount":"1","price":"{price}"}}"#)
    };
    let rows: Vec<String> = (last + 1 - page..=last).rev().map(row).collect();
    Reply::Is(format!("[{}]", rows.join(",")))
}

/// Minutes as gate tells them. The present one changes, and so does the last one for a second and a half after its end.
fn gate_candles(address: &str, now: Duration) -> Reply {
    let (from, to) = (number(address, "from").unwrap(), number(address, "to").unwrap());
    let now = millis(now);
    let first = from.div_euclid(60) + i64::from(from.rem_euclid(60) > 0);
    let last = to.min(now / 1_000).div_euclid(60);
    let row = |minute: i64| {
        let is_final = now >= (minute + 1) * 60_000 + 1_500;
        let close = if is_final { 100 + minute % 5 } else { 777 };
        format!(r#"["{}","5","{close}","1000","50","100","7","{is_final}"]"#, minute * 60)
    };
    let rows: Vec<String> = (first..=last).map(row).collect();
    Reply::Is(format!("[{}]", rows.join(",")))
}

fn gate(address: &str, now: Duration) -> Reply {
    if address.contains("/trades") { gate_prints(now, ms(700), 100) } else { gate_candles(address, now) }
}

fn prints(exchange: &str, symbols: &[&str]) -> CryptoConfig {
    let symbols = symbols.iter().map(|name| named(name));
    CryptoConfig { stream_trades: true, stream_ohlcv: false, ..CryptoConfig::new(exchange, symbols) }
}

fn candles(symbols: &[&str]) -> CryptoConfig {
    CryptoConfig::new("gate", symbols.iter().map(|name| named(name)))
}

fn feed(config: &CryptoConfig, web: &Arc<Web>) -> CryptoFeed {
    CryptoFeed::new(config, &web.parts()).unwrap()
}

#[test]
fn polling_does_not_hand_out_the_same_prints_again() {
    let web = Web::new(gate);
    let events = web.run(&mut feed(&prints("gate", &["BTC-USDT"]), &web), 300 * SECOND);
    let ids = ids(&events);
    assert!((425..=430).contains(&ids.len()), "{}", ids.len());
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    // What was before the start is not handed out, and nothing is missing.
    assert_eq!((ids[0], gaps(&events).len(), health(&events).len()), (1_000, 0, 0));
    let MarketEvent::Trade(first) = &events[0].1 else { panic!("{:?}", events[0]) };
    assert_eq!(first.timestamp, wall(Duration::from_micros(500)));
    assert!((295..=301).contains(&web.count("/trades")), "{}", web.count("/trades"));
}

#[test]
fn equal_prints_without_ids_are_neither_lost_nor_doubled() {
    // Every second there are three prints that are equal to the last digit; once the third comes an answer later.
    let mexc = |_: &str, now: Duration| {
        let row = |second: i64| {
            format!(r#"{{"p":"10","q":"1","m":true,"T":{}}}"#, millis(Duration::ZERO) + second * 1_000)
        };
        let last = i64::try_from(now.as_secs()).unwrap();
        let mut rows: Vec<String> = (-5..=last).flat_map(|second| vec![row(second); 3]).collect();
        if last == 10 {
            rows.pop();
        }
        Reply::Is(format!("[{}]", rows.join(",")))
    };
    let web = Web::new(mexc);
    let events = web.run(&mut feed(&prints("mexc", &["BTC-USDT"]), &web), 60 * SECOND);
    let came = events.iter().filter(|(_, event)| matches!(event, MarketEvent::Trade(_))).count();
    let asked = web.asked.lock().unwrap().last().unwrap().0.as_secs();
    assert_eq!(came as u64, (asked + 1) * 3);
    assert!(gaps(&events).is_empty(), "{:?}", gaps(&events));
}

#[test]
fn a_page_that_does_not_reach_back_is_a_gap() {
    // 20 prints a second, and a page of 10: half of them are missed.
    let web = Web::new(|_, now| gate_prints(now, ms(50), 10));
    let mut feed = feed(&prints("gate", &["BTC-USDT"]), &web);
    let events = web.run(&mut feed, 20 * SECOND);
    let (ids, gaps) = (ids(&events), gaps(&events));
    assert!(ids.is_sorted() && ids.len() < 220, "{}", ids.len());
    for pair in ids.windows(2).filter(|pair| pair[1] > pair[0] + 1) {
        for missing in pair[0] + 1..pair[1] {
            let at = wall(ms(50) * u32::try_from(missing - 1_000).unwrap());
            assert!(gaps.iter().any(|(from, to)| *from <= at && at <= *to), "{missing} in no gap");
        }
    }
    assert!(gaps.len() >= 18, "{}", gaps.len());
}

#[test]
fn polling_never_hands_out_the_forming_candle_and_always_its_final_form() {
    let web = Web::new(gate);
    let events = web.run(&mut feed(&candles(&["BTC-USDT"]), &web), 10 * MINUTE);
    let bars = bars(&events);
    assert_eq!(ends(&bars), (1..=9).collect::<Vec<_>>(), "each once, stamped at its end");
    for (at, bar) in &bars {
        let minute = bar.timestamp.nanos() / 60_000_000_000 - 1;
        assert_eq!(bar.close, Decimal::from(100 + minute % 5), "{bar:?}");
        assert_eq!((bar.volume, bar.interval, bar.partial), (Decimal::from(7), Interval::MINUTE, false));
        // Not while the exchange may still change it.
        let late = wall(*at).since(bar.timestamp);
        assert!(late >= 3 * SECOND && late < 4 * SECOND, "{late:?}");
    }
    assert!(gaps(&events).is_empty() && health(&events).is_empty());
    assert!(web.count("/candlesticks") <= 10);
}

#[test]
fn bars_of_one_instant_come_together() {
    let web = Web::new(gate);
    let config = candles(&["BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT", "DOT-USDT"]);
    let events = web.run(&mut feed(&config, &web), 5 * MINUTE);
    let sizes: Vec<usize> = events
        .iter()
        .filter_map(
            |(_, event)| if let MarketEvent::Bars { bars, .. } = event { Some(bars.len()) } else { None },
        )
        .collect();
    assert_eq!(sizes, [6, 6, 6, 6]);
    // The exchange's pace: 50 ms between two questions.
    let asked = web.asked.lock().unwrap();
    assert!(asked.windows(2).all(|pair| pair[1].0 - pair[0].0 >= ms(50)), "{asked:?}");
}

#[test]
fn an_error_of_one_symbol_ends_neither_it_nor_the_others() {
    // ETH fails for two minutes, in every way there is.
    let failing = |address: &str, now: Duration| {
        if !address.contains("ETH") || now < 2 * MINUTE || now > 4 * MINUTE {
            return gate(address, now);
        }
        match now.as_secs() % 4 {
            0 => Reply::Status(500, "oops"),
            1 => Reply::Is("<html>".to_owned()),
            2 => Reply::Status(0, "refused"),
            _ => Reply::Is(r#"{"label":"INVALID"}"#.to_owned()),
        }
    };
    let web = Web::new(failing);
    let mut feed = feed(&candles(&["BTC-USDT", "ETH-USDT"]), &web);
    let events = web.run(&mut feed, 8 * MINUTE);
    let of = |name: &str| {
        let of: Vec<_> = bars(&events).into_iter().filter(|(_, bar)| bar.symbol == named(name)).collect();
        assert_eq!(ends(&of), (1..=7).collect::<Vec<_>>(), "{name}: all of them, once, in their order");
        of
    };
    let (btc, eth) = (of("BTC-USDT"), of("ETH-USDT"));
    assert!(btc.iter().all(|(at, bar)| wall(*at).since(bar.timestamp) < 10 * SECOND), "BTC does not wait");
    assert!(eth[1].0 > 4 * MINUTE && eth[1].0 < 6 * MINUTE, "{:?}", eth[1].0);
    let health = health(&events);
    assert_eq!(health.iter().map(|(_, good)| *good).collect::<Vec<_>>(), [false, true]);
    assert!(health[0].0 < 2 * MINUTE + 10 * SECOND && health[1].0 < 6 * MINUTE, "{health:?}");
    // What is late is announced, and comes after it.
    let place =
        |found: &dyn Fn(&MarketEvent) -> bool| events.iter().position(|(_, event)| found(event)).unwrap();
    let marker = place(
        &|event| matches!(event, MarketEvent::Backfilled { symbol, .. } if *symbol == named("ETH-USDT")),
    );
    let missed = |event: &MarketEvent| matches!(event, MarketEvent::Bars { bars, .. } if bars.iter().any(|bar| *bar == eth[1].1));
    assert!(marker < place(&missed));
    assert!(gaps(&events).is_empty(), "{:?}", gaps(&events));
}

#[test]
fn an_exchange_that_does_not_answer_is_stale_and_asked_again() {
    let silent = |address: &str, now: Duration| {
        if now >= 10 * SECOND && now < 20 * SECOND { Reply::Never } else { gate(address, now) }
    };
    let web = Web::new(silent);
    let events = web.run(&mut feed(&prints("gate", &["BTC-USDT"]), &web), 200 * SECOND);
    let ids = ids(&events);
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1) && ids.len() > 270, "{}", ids.len());
    let health = health(&events);
    // One question is not answered for half a minute; it is asked again soon, and the page reaches back.
    assert!(gaps(&events).is_empty(), "{:?}", gaps(&events));
    assert_eq!(health.iter().map(|(_, good)| *good).collect::<Vec<_>>(), [false, true]);
    assert!(health[0].0 <= 41 * SECOND && health[1].0 <= 45 * SECOND, "{health:?}");
    let longest = web.asked.lock().unwrap().windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest > 29 * SECOND && longest < 33 * SECOND, "{longest:?}");
}

#[test]
fn a_venue_without_news_is_stale() {
    let frozen = |address: &str, now: Duration| gate(address, now.min(60 * SECOND));
    let web = Web::new(frozen);
    let config = CryptoConfig { silence: 30 * SECOND, ..prints("gate", &["BTC-USDT"]) };
    let events = web.run(&mut feed(&config, &web), 200 * SECOND);
    let health = health(&events);
    assert_eq!(health.len(), 1, "{health:?}");
    assert!(!health[0].1 && health[0].0 >= 89 * SECOND && health[0].0 <= 92 * SECOND, "{health:?}");
}

#[test]
fn stop_ends_the_questions_and_a_new_start_goes_on() {
    let web = Web::new(gate);
    let mut feed = feed(&candles(&["BTC-USDT"]), &web);
    let mut events = web.run(&mut feed, 3 * MINUTE + 10 * SECOND);
    for _ in 0..2 {
        stop(&mut feed);
        assert!(!DataFeed::stats(&feed).running);
        assert_eq!(ready(DataFeed::next(&mut feed)).unwrap().unwrap(), None);
    }
    let asked = web.asked.lock().unwrap().len();
    web.world.venue().now = 8 * MINUTE + 10 * SECOND;
    assert_eq!(web.asked.lock().unwrap().len(), asked);
    for _ in 0..2 {
        ready(DataFeed::start(&mut feed)).unwrap().unwrap();
    }
    events.extend(web.run(&mut feed, 10 * MINUTE + 10 * SECOND));
    assert_eq!(ends(&bars(&events)), (1..=10).collect::<Vec<_>>());
    assert!(events.iter().any(|(_, event)| matches!(event, MarketEvent::Backfilled { .. })));
    let stats = DataFeed::stats(&feed);
    assert_eq!((stats.running, stats.ticks, stats.symbols), (true, events.len() as u64, 1));
    assert_eq!(stats.last_time, Some(wall(10 * MINUTE)));
}

#[test]
fn a_long_absence_is_bounded_and_its_beginning_a_gap() {
    let web = Web::new(gate);
    let mut feed = feed(&candles(&["BTC-USDT"]), &web);
    let mut events = web.run(&mut feed, MINUTE + 10 * SECOND);
    stop(&mut feed);
    web.world.venue().now = MINUTE * 3_000;
    events.extend(web.run(&mut feed, MINUTE * 3_001 + 10 * SECOND));
    let (bars, gaps) = (bars(&events), gaps(&events));
    // The first, the thousand before the return, and those since.
    assert_eq!(bars.len(), 1 + 1_000 + 2);
    assert_eq!(gaps, [(wall(MINUTE), wall(MINUTE * 2_000 - SECOND * 3))]);
    assert!(ends(&bars)[1..].windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn what_cannot_be_is_refused_and_told() {
    let odd = |address: &str, now: Duration| {
        let Reply::Is(text) = gate(address, now) else { panic!() };
        let row = |size: u32| {
            format!(
                r#"{{"id":"1050","create_time_ms":"{}.5","side":"buy","amount":"{size}""#,
                millis(35 * SECOND)
            )
        };
        Reply::Is(text.replace(&row(1), &row(0)))
    };
    let web = Web::new(odd);
    let events = web.run(&mut feed(&prints("gate", &["BTC-USDT"]), &web), 60 * SECOND);
    let ids = ids(&events);
    assert!(!ids.contains(&1_050) && ids.contains(&1_049) && ids.contains(&1_051));
    assert_eq!(gaps(&events).len(), 1, "{:?}", gaps(&events));
}

#[test]
fn what_an_exchange_does_not_have_is_said_before_the_start() {
    let web = Web::new(gate);
    let said = |config: &CryptoConfig| match CryptoFeed::new(config, &web.parts()) {
        Err(error @ MarketDataError::Unsupported { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(said(&CryptoConfig::new("nowhere", [named("BTC-USDT")])).contains("mts exchanges"));
    assert!(said(&CryptoConfig::new("gate", [])).contains("nothing"));
    assert!(said(&CryptoConfig::new("gate", [named("AAPL")])).contains("AAPL"));
    let nothing = CryptoConfig { stream_ohlcv: false, ..candles(&["BTC-USDT"]) };
    assert!(said(&nothing).contains("nothing"));
}
