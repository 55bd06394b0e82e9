//! Tradier.

use super::{Answers, NOW, Reply, SECRET, answers, clock, damaged, decimal, ends, fine, interval};
use super::{message, payload, symbol, time, wait};
use mts_foundation::{Interval, MarketData};
use mts_marketdata::tradier::{Settings, Tradier};
use std::sync::Arc;

fn tradier_with(
    settings: Settings,
    answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> (Tradier, Arc<Answers>) {
    let answers = answers(answer);
    (Tradier::new(settings, SECRET.into(), Arc::clone(&answers) as _, clock()).unwrap(), answers)
}

fn tradier(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Tradier, Arc<Answers>) {
    tradier_with(Settings::default(), answer)
}

const QUOTE: &str = r#"{"symbol":"BRK/B","type":"stock","bid":281.84,"bidsize":60,"bidexch":"M","bid_date":1772571599000,"ask":281.85,"asksize":6,"askexch":"Z","ask_date":1772571600000,"last":null}"#;

#[test]
fn a_quote_alone_or_in_a_list_with_sizes_in_shares() {
    for body in [
        format!(r#"{{"quotes":{{"quote":{QUOTE}}}}}"#),
        format!(r#"{{"quotes":{{"quote":[{QUOTE}],"unmatched_symbols":{{"symbol":"X"}}}}}}"#),
    ] {
        let (tradier, asked) = tradier(move |_| fine(body.clone()));
        let quote = wait(tradier.quote(&symbol("BRK.B"))).unwrap();
        assert_eq!((quote.bid, quote.bid_size), (decimal("281.84"), decimal("6000")));
        assert_eq!((quote.ask, quote.ask_size), (decimal("281.85"), decimal("600")));
        assert_eq!(quote.timestamp, time("2026-03-03T21:00:00Z"), "of the later side");
        let asked = asked.asked.lock().unwrap();
        assert_eq!(asked[0].uri(), "https://api.tradier.com/v1/markets/quotes?symbols=BRK%2FB&greeks=false");
        assert_eq!(asked[0].headers()["authorization"].to_str().unwrap(), format!("Bearer {SECRET}"));
        assert_eq!(asked[0].headers()["accept"], "application/json", "or it answers in XML");
    }
}

#[test]
fn no_quote_is_an_error() {
    let cases = [
        (r#"{"quotes":{"unmatched_symbols":{"symbol":"BRK/B"}}}"#.to_owned(), "no quote of BRK.B"),
        (r#"{"quotes":"null"}"#.to_owned(), "no quote of BRK.B"),
        (r#"{"quotes":null}"#.to_owned(), "no quote of BRK.B"),
        (format!(r#"{{"quotes":{{"quote":{}}}}}"#, QUOTE.replace("281.84", "0")), "no bid"),
        (format!(r#"{{"quotes":{{"quote":{}}}}}"#, QUOTE.replace("BRK/B", "BRK")), "no quote of BRK.B"),
        (r#"{"errors":{"error":["Backoffice said no"]}}"#.to_owned(), "Backoffice said no"),
        (
            format!(r#"{{"fault":{{"faultstring":"Invalid Access Token {SECRET}"}}}}"#),
            "Invalid Access Token ***",
        ),
    ];
    for (body, expected) in cases {
        let (tradier, _) = tradier(move |_| fine(body.clone()));
        let said = message(wait(tradier.quote(&symbol("BRK.B"))));
        assert!(said.contains(expected), "{said}");
    }
}

fn day(date: &str) -> String {
    format!(r#"{{"date":"{date}","open":10.0,"high":10.3,"low":9.9,"close":10.10,"volume":100}}"#)
}

#[test]
fn days_and_weeks_end_at_the_close_of_their_session() {
    let (days, asked) = tradier(|_| {
        let days = ["2025-11-26", "2025-11-28", "2026-03-03", "2026-03-04"].map(day);
        fine(format!(r#"{{"history":{{"day":[{}]}}}}"#, days.join(",")))
    });
    let start = time("2025-11-26T21:00:00Z");
    let bars = wait(MarketData::bars(&days, &symbol("AAPL"), Interval::DAY, start, None)).unwrap();
    // The bar that ends at the start is not wanted, the fourth of March has no session yet.
    assert_eq!(ends(&bars), ["2025-11-28T18:00:00Z", "2026-03-03T21:00:00Z"]);
    assert_eq!(bars[0].close, decimal("10.10"));
    let path = "/markets/history?symbol=AAPL&interval=daily&start=2025-11-24&end=2026-03-03";
    assert!(asked.asked()[0].ends_with(path), "{:?}", asked.asked());
    // One alone comes without the list.
    let (weeks, _) = tradier(|_| fine(format!(r#"{{"history":{{"day":{}}}}}"#, day("2025-04-14"))));
    let bars =
        wait(MarketData::bars(&weeks, &symbol("AAPL"), interval("1w"), time("2025-04-01T00:00:00Z"), None))
            .unwrap();
    assert_eq!(ends(&bars), ["2025-04-17T20:00:00Z"]);
    for nothing in [r#"{"history":null}"#, r#"{"history":"null"}"#, r#"{"history":{"day":null}}"#] {
        let (none, _) = tradier(move |_| fine(nothing));
        assert!(
            wait(MarketData::bars(&none, &symbol("AAPL"), Interval::DAY, start, None)).unwrap().is_empty()
        );
    }
}

#[test]
fn minutes_reach_back_so_far_and_no_further() {
    let (tradier, asked) = tradier(|_| {
        let start = time("2026-03-03T15:00:00Z").nanos() / 1_000_000_000;
        let row = |at: i64| {
            format!(
                r#"{{"time":"x","timestamp":{at},"price":10.05,"open":10.0,"high":10.3,"low":9.9,"close":10.1,"volume":7,"vwap":10.02}}"#
            )
        };
        fine(format!(r#"{{"series":{{"data":[{},{},{}]}}}}"#, row(start - 60), row(start), row(start + 60)))
    });
    let (start, end) = (time("2026-03-03T15:00:00Z"), time("2026-03-03T15:02:00Z"));
    let bars = wait(MarketData::bars(&tradier, &symbol("AAPL"), Interval::MINUTE, start, Some(end))).unwrap();
    assert_eq!(ends(&bars), ["2026-03-03T15:01:00Z", "2026-03-03T15:02:00Z"]);
    assert_eq!((bars[0].vwap, bars[0].volume), (Some(decimal("10.02")), decimal("7")));
    // In the time of New York.
    let path = "/markets/timesales?symbol=AAPL&interval=1min&start=2026-03-03%2009:59&end=2026-03-03%2010:02&session_filter=open";
    assert!(asked.asked()[0].ends_with(path), "{:?}", asked.asked());
    // It would answer with the last days and say nothing of those before.
    let early = time("2026-02-01T00:00:00Z");
    let said = message(wait(MarketData::bars(&tradier, &symbol("AAPL"), Interval::MINUTE, early, None)));
    assert!(said.contains("20 days"), "{said}");
    assert!(wait(MarketData::bars(&tradier, &symbol("AAPL"), interval("5m"), early, None)).is_ok());
    for word in ["2m", "1h", "1s", "2d"] {
        let said = message(wait(MarketData::bars(&tradier, &symbol("AAPL"), interval(word), start, None)));
        assert!(said.contains("1m, 5m, 15m, 1d and 1w"), "{said}");
    }
}

#[test]
fn what_is_not_there_is_refused() {
    let (tradier, asked) = tradier(|_| fine("{}"));
    assert!(message(wait(tradier.trades(&symbol("AAPL"), time(NOW)))).contains("does not offer"));
    assert!(message(wait(tradier.quote(&symbol("BTC-USD")))).contains("does not offer"));
    let mut stream = tradier.stream_quotes(&[symbol("AAPL")]);
    assert!(super::quotes::next(&mut stream).unwrap().is_err());
    assert!(super::quotes::next(&mut stream).is_none());
    assert!(asked.asked().is_empty());
}

#[test]
fn refusals_say_what_to_do_and_no_secret() {
    let expiry = [("x-ratelimit-expiry", "1772573417000")];
    let cases: Vec<(Reply, &[&str])> = vec![
        (
            Reply(401, vec![], r#"{"fault":{"faultstring":"Access Token expired"}}"#.into()),
            &["401", "Access Token expired", "key"],
        ),
        (Reply(401, vec![], format!("Invalid Access Token {SECRET}")), &["401", "***"]),
        (Reply(429, expiry.to_vec(), "Quota Violation".into()), &["429", "Quota Violation", "wait 17 s"]),
        (Reply(502, vec![], "<html>".into()), &["502", "HTML"]),
    ];
    for (reply, expected) in cases {
        let Reply(status, headers, body) = reply;
        let (tradier, _) = tradier(move |_| Reply(status, headers.clone(), body.clone()));
        let said = message(wait(tradier.quote(&symbol("AAPL"))));
        assert!(expected.iter().all(|part| said.contains(part)), "{expected:?}: {said}");
    }
}

#[test]
fn damaged_replies_never_panic() {
    let quote = format!(r#"{{"quotes":{{"quote":[{}]}}}}"#, QUOTE.replace("BRK/B", "AAPL"));
    let days = format!(r#"{{"history":{{"day":[{}]}}}}"#, day("2026-03-03"));
    for body in damaged(&[&quote, &days]) {
        let (tradier, _) = tradier(move |_| fine(body.clone()));
        let start = time("2026-03-02T00:00:00Z");
        let _quote = wait(tradier.quote(&symbol("AAPL")));
        if let Ok(bars) = wait(MarketData::bars(&tradier, &symbol("AAPL"), Interval::DAY, start, None)) {
            assert!(bars.iter().all(|bar| bar.is_sane() && bar.timestamp > start));
        }
    }
}

#[test]
fn fetched_replies() {
    let Some(text) = payload("tradier/fault_401.json") else { return };
    let body = serde_json::from_str::<serde_json::Value>(&text).unwrap()["payload"].to_string();
    let (tradier, _) = tradier(move |_| Reply(401, vec![], body.clone()));
    assert!(message(wait(tradier.quote(&symbol("AAPL")))).contains("Access Token expired"));
}
