//! Polygon.

use super::{Answers, NOW, Reply, SECRET, answers, clock, damaged, decimal, ends, fine, ids, interval};
use super::{message, payload, symbol, time, wait};
use mts_foundation::{Interval, MarketData, SymbolParts};
use mts_marketdata::polygon::{Polygon, Settings};
use std::sync::Arc;

fn polygon_with(
    settings: Settings,
    answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> (Polygon, Arc<Answers>) {
    let answers = answers(answer);
    let polygon = Polygon::new(settings, SECRET.into(), Arc::clone(&answers) as _, clock()).unwrap();
    (polygon, answers)
}

fn polygon(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Polygon, Arc<Answers>) {
    polygon_with(Settings::default(), answer)
}

const NBBO: &str = r#"{"results":{"p":155.65,"s":1,"x":19,"P":155.66,"S":14,"X":11,"z":3,"T":"AAPL","t":1652192754171838599,"y":1652192754171619000,"q":26006043},"status":"OK","request_id":"a"}"#;

/// The reference has them swapped, and takes nanoseconds for milliseconds.
#[test]
fn small_letters_are_the_bid_capitals_the_ask_and_times_are_nanoseconds() {
    let (polygon, asked) = polygon(|_| fine(NBBO));
    let quote = wait(polygon.quote(&symbol("AAPL"))).unwrap();
    assert_eq!((quote.bid, quote.bid_size), (decimal("155.65"), decimal("1")));
    assert_eq!((quote.ask, quote.ask_size), (decimal("155.66"), decimal("14")));
    assert_eq!(quote.timestamp, time("2022-05-10T14:25:54.171838599Z"));
    assert!(quote.is_sane());
    let asked = asked.asked.lock().unwrap();
    assert_eq!(asked[0].uri(), "https://api.massive.com/v2/last/nbbo/AAPL");
    let key = &asked[0].headers()["authorization"];
    assert_eq!(key.to_str().unwrap(), format!("Bearer {SECRET}"));
    assert!(key.is_sensitive());
}

#[test]
fn sizes_in_lots_are_counted_in_shares_where_it_is_set() {
    let settings = Settings { quote_lot: decimal("100"), ..Settings::default() };
    let (polygon, _) = polygon_with(settings, |_| fine(NBBO));
    assert_eq!(wait(polygon.quote(&symbol("AAPL"))).unwrap().ask_size, decimal("1400"));
}

#[test]
fn a_quote_that_is_not_whole_or_of_another_is_an_error() {
    let cases = [
        (NBBO.replace("\"P\":155.66,", ""), "AAPL has no ask now"),
        (NBBO.replace("155.65", "0"), "AAPL has no bid now"),
        (NBBO.replace("\"AAPL\"", "\"MSFT\""), "asked for AAPL and answers with MSFT"),
        (r#"{"status":"OK"}"#.to_owned(), "no quote of AAPL"),
        ("<html>".to_owned(), "cannot be read"),
    ];
    for (body, expected) in cases {
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let said = message(wait(polygon.quote(&symbol("AAPL"))));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn quotes_of_options_and_currencies() {
    let (polygon, asked) = polygon(|address| {
        fine(match address.contains("/v3/quotes/") {
            true => {
                r#"{"status":"OK","results":[{"bid_price":1.05,"bid_size":7,"ask_price":1.1,"ask_size":9,"sip_timestamp":1652192754171838599}]}"#
            }
            false => {
                r#"{"status":"success","symbol":"EUR/USD","last":{"ask":1.0836,"bid":1.0835,"exchange":48,"timestamp":1772571600123}}"#
            }
        })
    });
    let option = wait(polygon.quote(&symbol("AAPL260116C00200000"))).unwrap();
    assert_eq!((option.bid, option.ask_size), (decimal("1.05"), decimal("9")));
    let pair = wait(polygon.quote(&symbol("EUR-USD"))).unwrap();
    assert_eq!((pair.bid, pair.ask), (decimal("1.0835"), decimal("1.0836")));
    assert_eq!(pair.timestamp, time("2026-03-03T21:00:00.123Z"));
    let asked = asked.asked();
    assert!(asked[0].contains("/v3/quotes/O:AAPL260116C00200000?order=desc"), "{asked:?}");
    assert!(asked[1].ends_with("/v1/last_quote/currencies/EUR/USD"), "{asked:?}");
    assert!(message(wait(polygon.quote(&symbol("BTC-USD")))).contains("does not offer"));
}

/// A minute bar by its start.
fn minute(start: &str, close: &str) -> String {
    let start = time(start).nanos() / 1_000_000;
    format!(r#"{{"v":100.5,"vw":10.05,"o":10.0,"c":{close},"h":10.3,"l":9.9,"t":{start},"n":3}}"#)
}

#[test]
fn bars_are_paged_to_the_end_and_stamped_at_their_end() {
    let (polygon, asked) = polygon(|address| {
        if address.contains("cursor=two") {
            // A page without a row is not the last one.
            return fine(
                r#"{"status":"OK","ticker":"AAPL","resultsCount":0,"next_url":"https://api.massive.com/v2/aggs/x?cursor=three"}"#,
            );
        }
        if address.contains("cursor=three") {
            let rows = [minute("2026-03-03T15:02:00Z", "10.12"), minute("2026-03-03T15:03:00Z", "10.13")];
            return fine(format!(r#"{{"status":"DELAYED","ticker":"AAPL","results":[{}]}}"#, rows.join(",")));
        }
        // Begins before what was asked for; the last row of a page comes again on the next.
        let rows = [
            minute("2026-03-03T14:59:00Z", "9.99"),
            minute("2026-03-03T15:00:00Z", "10.10"),
            minute("2026-03-03T15:01:00Z", "10.11"),
            minute("2026-03-03T15:02:00Z", "10.12"),
        ];
        let next = "https://api.polygon.io/v2/aggs/x?cursor=two";
        fine(format!(
            r#"{{"status":"OK","ticker":"AAPL","adjusted":false,"results":[{}],"next_url":"{next}"}}"#,
            rows.join(",")
        ))
    });
    let (start, end) = (time("2026-03-03T15:00:00Z"), time("2026-03-03T15:03:00Z"));
    let bars = wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, Some(end))).unwrap();
    // (start, end]: the bar that ends at the start is not wanted, the one that ends at the end is.
    assert_eq!(ends(&bars), ["2026-03-03T15:01:00Z", "2026-03-03T15:02:00Z", "2026-03-03T15:03:00Z"]);
    assert_eq!((bars[0].close, bars[0].volume), (decimal("10.10"), decimal("100.5")));
    assert_eq!((bars[0].vwap, bars[0].n_trades, bars[0].partial), (Some(decimal("10.05")), Some(3), false));
    let asked = asked.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].contains("/v2/aggs/ticker/AAPL/range/1/minute/"), "{asked:?}");
    assert!(asked[0].ends_with("adjusted=false&sort=asc&limit=50000"), "{asked:?}");
    // The other name of the vendor: the key goes to the address that was set, all the same.
    assert_eq!(asked[1], "https://api.massive.com/v2/aggs/x?cursor=two");
}

#[test]
fn the_key_goes_to_no_other_host() {
    for link in [
        "https://evil.example/v2/aggs/x?cursor=1",
        "http://api.massive.com/v2/aggs/x?cursor=1",
        "https://api.massive.com.evil.example/v2/x",
        "https://api.massive.com@evil.example/v2/x",
        "/v2/aggs/x?cursor=1",
        "https://api.massive.com:444/x",
        "not a link",
    ] {
        let (polygon, asked) =
            polygon(move |_| fine(format!(r#"{{"status":"OK","results":[],"next_url":"{link}"}}"#)));
        let start = time("2026-03-03T15:00:00Z");
        let said = message(wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, None)));
        assert!(said.contains("its link to the next page"), "{link}: {said}");
        assert_eq!(asked.asked().len(), 1, "{link}");
    }
}

#[test]
fn pages_without_end_are_an_error() {
    let (polygon, asked) = polygon(|address| {
        let page: u32 = address.split("cursor=").nth(1).map_or(0, |page| page.parse().unwrap());
        let next = page + 1;
        fine(format!(
            r#"{{"status":"OK","results":[],"next_url":"https://api.massive.com/v2/aggs/x?cursor={next}"}}"#
        ))
    });
    let start = time("2026-03-03T15:00:00Z");
    let said = message(wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, None)));
    assert!(said.contains("more than 1000 pages"), "{said}");
    assert_eq!(asked.asked().len(), 1_000);
    let (polygon, asked) = super::polygon::polygon(|_| {
        fine(r#"{"status":"OK","next_url":"https://api.massive.com/v2/x?cursor=1"}"#)
    });
    let said = message(wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, None)));
    assert!(said.contains("the one before"), "{said}");
    assert_eq!(asked.asked().len(), 2);
}

fn dated(rows: &[&str]) -> String {
    let rows: Vec<String> = rows.iter().map(|start| minute(start, "10.1")).collect();
    format!(r#"{{"status":"OK","results":[{}]}}"#, rows.join(","))
}

#[test]
fn days_and_weeks_end_at_the_close_of_their_session() {
    // The day after Thanksgiving closes at 13:00, and the year's time changes between the two.
    let (days, _) =
        polygon(|_| fine(dated(&["2025-07-03T04:00:00Z", "2025-11-26T05:00:00Z", "2025-11-28T05:00:00Z"])));
    let start = time("2025-07-01T00:00:00Z");
    let bars = wait(MarketData::bars(&days, &symbol("AAPL"), Interval::DAY, start, None)).unwrap();
    assert_eq!(ends(&bars), ["2025-07-03T17:00:00Z", "2025-11-26T21:00:00Z", "2025-11-28T18:00:00Z"]);
    // A week is labelled by its Sunday or by its Monday; Good Friday (2025-04-18) has no session.
    for label in ["2025-04-13T04:00:00Z", "2025-04-14T04:00:00Z"] {
        let (weeks, _) = polygon(move |_| fine(dated(&[label])));
        let start = time("2025-04-01T00:00:00Z");
        let bars = wait(MarketData::bars(&weeks, &symbol("AAPL"), interval("1w"), start, None)).unwrap();
        assert_eq!(ends(&bars), ["2025-04-17T20:00:00Z"]);
    }
    // Crypto has no sessions.
    let (crypto, _) = polygon(|_| fine(dated(&["2025-11-27T00:00:00Z"])));
    let bars = wait(MarketData::bars(&crypto, &symbol("BTC-USD"), Interval::DAY, start, None)).unwrap();
    assert_eq!(ends(&bars), ["2025-11-28T00:00:00Z"]);
    // A day without a session is not guessed at.
    let (odd, _) = polygon(|_| fine(dated(&["2025-11-27T05:00:00Z"])));
    let said = message(wait(MarketData::bars(&odd, &symbol("AAPL"), Interval::DAY, start, None)));
    assert!(said.contains("2025-11-27") && said.contains("XNYS"), "{said}");
}

#[test]
fn what_is_still_forming_is_left_out() {
    // NOW is 21:30: the hour from 21:00 on is not over, nor the session of the fourth.
    let (polygon, _) = polygon(|address| {
        fine(if address.contains("/hour/") {
            dated(&["2026-03-03T20:00:00Z", "2026-03-03T21:00:00Z"])
        } else {
            dated(&["2026-03-03T05:00:00Z", "2026-03-04T05:00:00Z"])
        })
    });
    let start = time("2026-03-02T00:00:00Z");
    for (of, end) in [("1h", "2026-03-03T21:00:00Z"), ("1d", "2026-03-03T21:00:00Z")] {
        // Also where a later end is asked for.
        for until in [None, Some(time("2026-03-10T00:00:00Z"))] {
            let bars = wait(MarketData::bars(&polygon, &symbol("AAPL"), interval(of), start, until)).unwrap();
            assert_eq!(ends(&bars), [end], "{of}");
        }
    }
    // Nothing to ask for.
    let bars = wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, time(NOW), None)).unwrap();
    assert!(bars.is_empty());
}

#[test]
fn a_start_within_a_bar_never_gives_a_part_of_it() {
    // The vendor cuts its first bar at the start of the request, so that the request begins a bar earlier.
    let (polygon, asked) =
        polygon(|_| fine(dated(&["2026-03-03T13:00:00Z", "2026-03-03T14:00:00Z", "2026-03-03T15:00:00Z"])));
    let start = time("2026-03-03T14:20:00Z");
    let bars = wait(MarketData::bars(&polygon, &symbol("AAPL"), interval("1h"), start, None)).unwrap();
    assert_eq!(ends(&bars), ["2026-03-03T15:00:00Z", "2026-03-03T16:00:00Z"]);
    let first = time("2026-03-03T13:00:00Z").nanos() / 1_000_000;
    assert!(asked.asked()[0].contains(&format!("/range/1/hour/{first}/")), "{:?}", asked.asked());
}

#[test]
fn intervals_that_are_not_there_are_named() {
    let (polygon, asked) = polygon(|_| fine(r#"{"status":"OK"}"#));
    let start = time("2026-03-02T00:00:00Z");
    for word in ["7m", "90m", "5h", "2d", "2w", "7s"] {
        let said = message(wait(MarketData::bars(&polygon, &symbol("AAPL"), interval(word), start, None)));
        assert!(said.contains(word) && said.contains("1d and 1w"), "{said}");
    }
    assert!(asked.asked().is_empty());
    for (word, path) in [("30s", "30/second"), ("15m", "15/minute"), ("4h", "4/hour"), ("1w", "1/week")] {
        let bars = wait(MarketData::bars(&polygon, &symbol("AAPL"), interval(word), start, None)).unwrap();
        assert!(bars.is_empty(), "a ticker without results");
        assert!(asked.asked().last().unwrap().contains(path), "{path}");
    }
}

#[test]
fn bars_that_cannot_be_are_refused() {
    let row = minute("2026-03-03T15:00:00Z", "10.1");
    for (was, is) in [("\"l\":9.9", "\"l\":10.2"), ("\"o\":10.0", "\"o\":-1"), ("100.5", "\"many\"")] {
        let body = format!(r#"{{"status":"OK","results":[{}]}}"#, row.replace(was, is));
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let start = time("2026-03-02T00:00:00Z");
        let said = message(wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, None)));
        assert!(said.contains("the bar of 2026-03-03T15:00:00Z"), "{said}");
    }
}

#[test]
fn prints_up_to_an_instant_oldest_first_with_ids_that_are_unique() {
    let (polygon, asked) = polygon(|_| {
        fine(
            r#"{"status":"OK","results":[
            {"id":"9","exchange":4,"trf_id":201,"price":10.5,"size":0,"decimal_size":"0.123456789","sip_timestamp":1772571600000000009,"sequence_number":9},
            {"id":"7","exchange":11,"price":10.4,"size":10,"sip_timestamp":1772571600000000007,"correction":8},
            {"id":"5","exchange":12,"price":10.3,"size":10,"sip_timestamp":1772571600000000005,"correction":1},
            {"id":"5","exchange":11,"price":10.2,"size":10.0,"sip_timestamp":1772571600000000004}],
            "next_url":"https://api.massive.com/v3/trades/AAPL?cursor=1"}"#,
        )
    });
    let asof = time("2026-03-03T21:00:00.000000009Z");
    let trades = wait(polygon.trades(&symbol("AAPL"), asof)).unwrap();
    // The same id at two exchanges is two prints; the cancelled one is none.
    assert_eq!(ids(&trades), ["11-0-5", "12-0-5", "4-201-9"]);
    assert_eq!(trades[2].size, decimal("0.123456789"), "every digit of it");
    assert_eq!(trades[0].timestamp, time("2026-03-03T21:00:00.000000004Z"));
    let asked = asked.asked();
    assert_eq!(asked.len(), 1, "one page, documented");
    assert!(asked[0].ends_with("timestamp.lte=1772571600000000009&order=desc&sort=timestamp&limit=5000"));
    let earlier = wait(polygon.trades(&symbol("AAPL"), time("2026-03-03T21:00:00.000000004Z"))).unwrap();
    assert_eq!(ids(&earlier), ["11-0-5"], "nothing later, whatever it answers");
}

#[test]
fn crypto_prints_have_the_exchanges_time() {
    let (polygon, asked) = polygon(|_| {
        fine(
            r#"{"status":"OK","results":[{"id":"1","exchange":1,"price":39976.89682331,"size":0.00000005,"participant_timestamp":1772571600000000000}]}"#,
        )
    });
    let trades = wait(polygon.trades(&symbol("BTC-USD"), time(NOW))).unwrap();
    assert_eq!((trades[0].price, trades[0].size), (decimal("39976.89682331"), decimal("0.00000005")));
    assert!(asked.asked()[0].contains("/v3/trades/X:BTCUSD?"));
    assert!(message(wait(polygon.trades(&symbol("EUR-USD"), time(NOW)))).contains("does not offer"));
}

#[test]
fn refusals_say_what_to_do_and_no_secret() {
    let with_key = format!(r#"{{"status":"ERROR","request_id":"1","error":"Unknown API Key {SECRET}"}}"#);
    let cases: Vec<(Reply, &[&str])> = vec![
        (Reply(401, vec![], with_key.clone()), &["HTTP 401", "***", "check the key"]),
        (
            Reply(403, vec![], r#"{"status":"NOT_AUTHORIZED","message":"upgrade your plan"}"#.into()),
            &["403", "upgrade", "plan"],
        ),
        (
            Reply(404, vec![], r#"{"status":"NOT_FOUND","message":"Data not found."}"#.into()),
            &["404", "check that it has AAPL"],
        ),
        (Reply(429, vec![("retry-after", "13")], String::new()), &["429", "Retry-After 13 s"]),
        (Reply(429, vec![], String::new()), &["429", "wait a minute"]),
        (Reply(502, vec![], "<html><body>bad gateway".into()), &["502", "a page of HTML", "try again"]),
        (Reply(200, vec![], with_key), &["ERROR", "Unknown API Key"]),
        (
            Reply(200, vec![], r#"{"status":"NOT_AUTHORIZED","message":"no","results":"x"}"#.into()),
            &["check the key"],
        ),
        (Reply(200, vec![], r#"{"status":"NOT_FOUND","message":"no"}"#.into()), &["check the symbol"]),
    ];
    for (reply, expected) in cases {
        let Reply(status, headers, body) = reply;
        let (polygon, _) = polygon(move |_| Reply(status, headers.clone(), body.clone()));
        let said = [
            message(wait(polygon.quote(&symbol("AAPL")))),
            message(wait(MarketData::bars(
                &polygon,
                &symbol("AAPL"),
                Interval::MINUTE,
                time("2026-03-03T20:00:00Z"),
                None,
            ))),
            message(wait(polygon.trades(&symbol("AAPL"), time(NOW)))),
        ];
        for said in said {
            assert!(expected.iter().all(|part| said.contains(part)), "{expected:?}: {said}");
        }
        assert!(!format!("{polygon:?}").contains(SECRET));
    }
}

#[test]
fn what_it_cannot_be_built_of() {
    for (base, key) in [
        ("api.massive.com", SECRET),
        ("ftp://x", SECRET),
        ("https://a:b@c", SECRET),
        ("https://x", " "),
        ("https://x", "a\nb"),
    ] {
        let settings = Settings { base_url: base.to_owned(), ..Settings::default() };
        let built = Polygon::new(settings, key.into(), answers(|_| fine("")), clock());
        assert!(built.is_err(), "{base} {key:?}");
        message(built);
    }
    let settings = Settings {
        base_url: "http://127.0.0.1:9/polygon/".to_owned(),
        adjusted: true,
        ..Settings::default()
    };
    let (polygon, asked) = polygon_with(settings, |_| {
        fine(r#"{"status":"OK","results":[],"next_url":"http://127.0.0.1:9/polygon/v2/next"}"#)
    });
    let start = time("2026-03-03T20:00:00Z");
    message(wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, None)));
    let asked = asked.asked();
    assert!(
        asked[0].starts_with("http://127.0.0.1:9/polygon/v2/aggs/") && asked[0].contains("adjusted=true"),
        "{asked:?}"
    );
    assert_eq!(asked[1], "http://127.0.0.1:9/polygon/v2/next");
}

#[test]
fn damaged_replies_never_panic() {
    let trades = r#"{"status":"OK","results":[{"id":"9","exchange":4,"price":10.5,"size":1,"sip_timestamp":1772571600000000009}]}"#;
    let bars = dated(&["2026-03-03T15:00:00Z"]);
    for body in damaged(&[NBBO, trades, &bars]) {
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let start = time("2026-03-02T00:00:00Z");
        if let Ok(quote) = wait(polygon.quote(&symbol("AAPL"))) {
            assert!(quote.bid > decimal("0") && quote.ask > decimal("0"));
        }
        if let Ok(bars) = wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::MINUTE, start, None)) {
            assert!(
                bars.iter().all(|bar| bar.is_sane() && bar.timestamp > start && bar.timestamp <= time(NOW))
            );
        }
        if let Ok(trades) = wait(polygon.trades(&symbol("AAPL"), time(NOW))) {
            assert!(trades.iter().all(|trade| trade.size > decimal("0")));
        }
    }
}

#[test]
fn fetched_replies() {
    let root = "marketdata_polygon/test_rest/mocks";
    if let Some(body) = payload(&format!("{root}/v2/last/nbbo/AAPL.json")) {
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let quote = wait(polygon.quote(&symbol("AAPL"))).unwrap();
        assert!(quote.bid < quote.ask, "{quote:?}");
        assert!(quote.timestamp.to_string().starts_with("2022-05-10T14:25:54"), "{quote:?}");
    }
    if let Some(body) = payload(&format!("{root}/v1/last_quote/currencies/AUD/USD.json")) {
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let pair = symbol("AUD-USD");
        assert!(matches!(pair.parts(), Ok(SymbolParts::Pair(_))));
        assert!(wait(polygon.quote(&pair)).unwrap().is_sane());
    }
    if let Some(body) = payload(&format!("{root}/v2/aggs/ticker/AAPL/range/1/day/2005-04-01/2005-04-04.json"))
    {
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let start = time("2005-03-01T00:00:00Z");
        let bars = wait(MarketData::bars(&polygon, &symbol("AAPL"), Interval::DAY, start, None)).unwrap();
        assert_eq!(ends(&bars), ["2005-04-01T21:00:00Z", "2005-04-04T20:00:00Z"]);
    }
    if let Some(body) = payload(&format!("{root}/v3/trades/AAPL&limit=2.json")) {
        let (polygon, _) = polygon(move |_| fine(body.clone()));
        let trades = wait(polygon.trades(&symbol("AAPL"), time(NOW))).unwrap();
        // One id at two exchanges.
        assert!(trades.len() == 2 && trades[0].trade_id != trades[1].trade_id, "{trades:?}");
    }
}
