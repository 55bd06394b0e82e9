//! Alpaca.

use super::{Answers, NOW, Reply, SECRET, answers, clock, damaged, decimal, ends, fine, ids, interval};
use super::{message, payload, symbol, time, wait};
use mts_foundation::{Interval, MarketData};
use mts_marketdata::alpaca::{Adjustment, Alpaca, Feed, Settings};
use std::sync::Arc;

fn alpaca_with(
    settings: Settings,
    answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> (Alpaca, Arc<Answers>) {
    let answers = answers(answer);
    let key = ("id-of-nobody".into(), SECRET.into());
    (Alpaca::new(settings, key, Arc::clone(&answers) as _, clock()).unwrap(), answers)
}

fn alpaca(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Alpaca, Arc<Answers>) {
    alpaca_with(Settings::default(), answer)
}

const QUOTE: &str = r#"{"quotes":{"AAPL":{"t":"2026-03-03T20:59:59.651613184Z","ax":"P","ap":161.11,"as":1300,"bx":"K","bp":161.1,"bs":200,"c":["R"],"z":"C"}}}"#;

#[test]
fn the_newest_quote_of_a_share() {
    let (alpaca, asked) = alpaca(|_| fine(QUOTE));
    let quote = wait(alpaca.quote(&symbol("AAPL"))).unwrap();
    assert_eq!((quote.bid, quote.bid_size), (decimal("161.1"), decimal("200")));
    assert_eq!((quote.ask, quote.ask_size), (decimal("161.11"), decimal("1300")));
    assert_eq!(quote.timestamp, time("2026-03-03T20:59:59.651613184Z"));
    let asked = asked.asked.lock().unwrap();
    assert_eq!(asked[0].uri(), "https://data.alpaca.markets/v2/stocks/quotes/latest?symbols=AAPL&feed=iex");
    let (id, secret) = (&asked[0].headers()["apca-api-key-id"], &asked[0].headers()["apca-api-secret-key"]);
    assert_eq!((id.to_str().unwrap(), secret.to_str().unwrap()), ("id-of-nobody", SECRET));
    assert!(id.is_sensitive() && secret.is_sensitive());
}

/// The reference knows crypto by what it is quoted in, and asks for ETH/BTC among shares.
#[test]
fn crypto_is_known_by_what_it_is() {
    let (alpaca, asked) = alpaca(|_| {
        let quote = r#"{"t":"2026-03-03T20:59:59Z","bp":0.05,"bs":0.3544,"ap":0.051,"as":3.252}"#;
        fine(format!(r#"{{"quotes":{{"BTC/USD":{quote},"ETH/BTC":{quote}}}}}"#))
    });
    for pair in ["BTC-USD", "ETH-BTC"] {
        let quote = wait(alpaca.quote(&symbol(pair))).unwrap();
        assert_eq!(quote.bid_size, decimal("0.3544"));
    }
    let asked = asked.asked();
    assert!(asked[0].ends_with("/v1beta3/crypto/us/latest/quotes?symbols=BTC%2FUSD"), "{asked:?}");
    assert!(asked[1].ends_with("/v1beta3/crypto/us/latest/quotes?symbols=ETH%2FBTC"), "{asked:?}");
    for other in ["EUR-USD", "ESZ26", "AAPL260116C00200000"] {
        assert!(message(wait(alpaca.quote(&symbol(other)))).contains("does not offer"), "{other}");
    }
}

#[test]
fn a_quote_that_is_not_there_or_has_one_side_is_an_error() {
    let cases = [
        (r#"{"quotes":{}}"#.to_owned(), "no quote of AAPL"),
        (r#"{"quotes":null}"#.to_owned(), "no quote of AAPL"),
        (QUOTE.replace("161.11", "0"), "AAPL has no ask now"),
        (QUOTE.replace("\"bp\":161.1,", ""), "AAPL has no bid now"),
    ];
    for (body, expected) in cases {
        let (alpaca, _) = alpaca(move |_| fine(body.clone()));
        let said = message(wait(alpaca.quote(&symbol("AAPL"))));
        assert!(said.contains(expected), "{said}");
    }
}

fn row(start: &str, close: &str) -> String {
    format!(r#"{{"t":"{start}","o":10.0,"h":10.3,"l":9.9,"c":{close},"v":100,"n":3,"vw":10.05}}"#)
}

fn page(symbol: &str, rows: &[String], token: &str) -> String {
    format!(r#"{{"bars":{{"{symbol}":[{}]}},"next_page_token":{token}}}"#, rows.join(","))
}

#[test]
fn a_page_may_end_anywhere_and_may_be_empty() {
    let (alpaca, asked) = alpaca(|address| {
        fine(match address.split("page_token=").nth(1) {
            None => page(
                "AAPL",
                &[row("2026-03-03T14:59:00Z", "9.99"), row("2026-03-03T15:00:00Z", "10.1")],
                "\"one=|\"",
            ),
            Some("one%3D%7C") => r#"{"bars":{},"next_page_token":"two"}"#.to_owned(),
            Some("two") => r#"{"bars":null,"next_page_token":"three"}"#.to_owned(),
            Some("three") => page("AAPL", &[row("2026-03-03T15:01:00Z", "10.2")], "\"four\""),
            _ => page("AAPL", &[row("2026-03-03T15:02:00Z", "10.25")], "null"),
        })
    });
    let (start, end) = (time("2026-03-03T15:00:00Z"), time("2026-03-03T15:03:00Z"));
    let bars = wait(MarketData::bars(&alpaca, &symbol("AAPL"), Interval::MINUTE, start, Some(end))).unwrap();
    assert_eq!(ends(&bars), ["2026-03-03T15:01:00Z", "2026-03-03T15:02:00Z", "2026-03-03T15:03:00Z"]);
    assert_eq!((bars[2].close, bars[2].n_trades), (decimal("10.25"), Some(3)));
    let asked = asked.asked();
    assert_eq!(asked.len(), 5);
    let first = "/v2/stocks/bars?symbols=AAPL&feed=iex&timeframe=1Min&start=2026-03-03T14:59:00Z&\
                 end=2026-03-03T15:03:00Z&limit=10000&sort=asc&adjustment=raw";
    assert!(asked[0].ends_with(first), "{}", asked[0]);
}

#[test]
fn the_feed_and_the_adjustment_are_settings() {
    let settings = Settings { feed: Feed::DelayedSip, adjustment: Adjustment::All, ..Settings::default() };
    let (alpaca, asked) = alpaca_with(settings, |_| fine(r#"{"bars":{},"next_page_token":null}"#));
    let start = time("2026-03-03T15:00:00Z");
    assert!(
        wait(MarketData::bars(&alpaca, &symbol("AAPL"), interval("4h"), start, None)).unwrap().is_empty()
    );
    assert!(
        wait(MarketData::bars(&alpaca, &symbol("BTC-USD"), interval("1h"), start, None)).unwrap().is_empty()
    );
    let asked = asked.asked();
    assert!(asked[0].contains("feed=delayed_sip") && asked[0].contains("timeframe=4Hour"), "{asked:?}");
    assert!(asked[0].ends_with("adjustment=all"), "{asked:?}");
    assert!(!asked[1].contains("feed=") && !asked[1].contains("adjustment="), "{asked:?}");
}

#[test]
fn days_weeks_and_what_is_forming() {
    let (shares, _) = alpaca(|address| {
        fine(if address.contains("1Week") {
            page("AAPL", &[row("2025-04-14T04:00:00Z", "10.1"), row("2026-03-02T05:00:00Z", "10.1")], "null")
        } else {
            let days = ["2025-11-28T05:00:00Z", "2026-03-03T05:00:00Z", "2026-03-04T05:00:00Z"];
            page("AAPL", &days.map(|day| row(day, "10.1")), "null")
        })
    });
    let start = time("2025-04-01T00:00:00Z");
    let days = wait(MarketData::bars(&shares, &symbol("AAPL"), Interval::DAY, start, None)).unwrap();
    assert_eq!(ends(&days), ["2025-11-28T18:00:00Z", "2026-03-03T21:00:00Z"]);
    let weeks = wait(MarketData::bars(&shares, &symbol("AAPL"), interval("1w"), start, None)).unwrap();
    assert_eq!(ends(&weeks), ["2025-04-17T20:00:00Z"], "this week is not over");
    // A minute of crypto without prints has a bar of quotes, with no volume.
    let (crypto, _) = alpaca(|_| {
        fine(
            r#"{"bars":{"BTC/USD":[{"t":"2026-03-03T06:00:00Z","o":9,"h":9,"l":9,"c":9,"v":0,"n":0,"vw":0}]},"next_page_token":null}"#,
        )
    });
    let bars = wait(MarketData::bars(&crypto, &symbol("BTC-USD"), Interval::MINUTE, start, None)).unwrap();
    assert_eq!((bars[0].volume, bars[0].vwap), (decimal("0"), None));
}

#[test]
fn intervals_that_are_not_there_are_named() {
    let (alpaca, asked) = alpaca(|_| fine("{}"));
    let start = time("2026-03-02T00:00:00Z");
    for word in ["5s", "7m", "60m", "90m", "5h", "24h", "2d"] {
        let said = message(wait(MarketData::bars(&alpaca, &symbol("AAPL"), interval(word), start, None)));
        assert!(said.contains(word) && said.contains("1d and 1w"), "{said}");
    }
    assert!(asked.asked().is_empty());
}

#[test]
fn pages_without_end_are_an_error() {
    let (alpaca, asked) = alpaca(|address| {
        let page: u32 = address.split("page_token=").nth(1).map_or(0, |page| page.parse().unwrap());
        fine(format!(r#"{{"bars":{{}},"next_page_token":"{}"}}"#, page + 1))
    });
    let start = time("2026-03-03T15:00:00Z");
    let said = message(wait(MarketData::bars(&alpaca, &symbol("AAPL"), Interval::MINUTE, start, None)));
    assert!(said.contains("more than 1000 pages") && asked.asked().len() == 1_000, "{said}");
    let (alpaca, _) = super::alpaca::alpaca(|_| fine(r#"{"bars":{},"next_page_token":"same"}"#));
    let said = message(wait(MarketData::bars(&alpaca, &symbol("AAPL"), Interval::MINUTE, start, None)));
    assert!(said.contains("the one before"), "{said}");
}

#[test]
fn prints_up_to_an_instant_without_those_that_were_taken_back() {
    let (alpaca, asked) = alpaca(|_| {
        fine(
            r#"{"trades":{"AAPL":[
            {"t":"2026-03-03T20:59:59.000000009Z","x":"D","p":161.5,"s":1,"c":["@"],"i":151,"z":"C"},
            {"t":"2026-03-03T20:59:59.000000008Z","x":"D","p":161.4,"s":1,"i":150,"u":"canceled"},
            {"t":"2026-03-03T20:59:59.000000007Z","x":"D","p":161.4,"s":1,"i":149,"u":"incorrect"},
            {"t":"2026-03-03T20:59:59.000000007Z","x":"D","p":161.3,"s":1,"i":148,"u":"corrected"},
            {"t":"2026-03-03T20:59:59Z","x":"V","p":161.2,"s":1,"i":151}]},"next_page_token":"more"}"#,
        )
    });
    let asof = time("2026-03-03T20:59:59.000000009Z");
    let trades = wait(alpaca.trades(&symbol("AAPL"), asof)).unwrap();
    assert_eq!(ids(&trades), ["V-151", "D-148", "D-151"], "one id at two exchanges is two prints");
    let asked = asked.asked();
    let expected = "/v2/stocks/trades?symbols=AAPL&feed=iex&start=2026-02-24T20:59:59.000000009Z&\
                    end=2026-03-03T20:59:59.000000009Z&limit=5000&sort=desc";
    assert!(asked.len() == 1 && asked[0].ends_with(expected), "{asked:?}");
    let (crypto, _) = super::alpaca::alpaca(|_| {
        fine(
            r#"{"trades":{"BTC/USD":[{"t":"2026-03-03T06:00:00Z","p":41516.08,"s":0.00315427,"tks":"B","i":293648598}]}}"#,
        )
    });
    let trades = wait(crypto.trades(&symbol("BTC-USD"), time(NOW))).unwrap();
    assert_eq!((ids(&trades), trades[0].size), (vec!["293648598"], decimal("0.00315427")));
    let (none, _) = super::alpaca::alpaca(|_| fine(r#"{"trades":{}}"#));
    assert!(wait(none.trades(&symbol("AAPL"), time(NOW))).unwrap().is_empty());
}

#[test]
fn refusals_say_what_to_do_and_no_secret() {
    // 17 s after NOW.
    let reset = [("x-ratelimit-reset", "1772573417")];
    let cases: Vec<(Reply, &[&str])> = vec![
        (
            Reply(401, vec![], format!(r#"{{"message":"unauthorized {SECRET} id-of-nobody"}}"#)),
            &["HTTP 401", "*** ***", "check the key"],
        ),
        (
            Reply(
                403,
                vec![],
                r#"{"message":"subscription does not permit querying recent SIP data"}"#.into(),
            ),
            &["403", "recent SIP", "plan"],
        ),
        (Reply(404, vec![], r#"{"message":"endpoint not found."}"#.into()), &["404", "AAPL"]),
        (Reply(429, reset.to_vec(), r#"{"message":"too many requests."}"#.into()), &["429", "wait 17 s"]),
        (Reply(400, vec![], r#"{"code":400,"message":"invalid symbol"}"#.into()), &["400", "invalid symbol"]),
    ];
    for (reply, expected) in cases {
        let Reply(status, headers, body) = reply;
        let (alpaca, _) = alpaca(move |_| Reply(status, headers.clone(), body.clone()));
        let start = time("2026-03-03T20:00:00Z");
        let said = [
            message(wait(alpaca.quote(&symbol("AAPL")))),
            message(wait(MarketData::bars(&alpaca, &symbol("AAPL"), Interval::MINUTE, start, None))),
            message(wait(alpaca.trades(&symbol("AAPL"), time(NOW)))),
        ];
        for said in said {
            assert!(expected.iter().all(|part| said.contains(part)), "{expected:?}: {said}");
        }
        assert!(!format!("{alpaca:?}").contains(SECRET));
    }
}

#[test]
fn damaged_replies_never_panic() {
    let bars = page("AAPL", &[row("2026-03-03T15:00:00Z", "10.1")], "null");
    let trades = r#"{"trades":{"AAPL":[{"t":"2026-03-03T20:59:59Z","x":"V","p":161.2,"s":1,"i":151}]}}"#;
    for body in damaged(&[QUOTE, &bars, trades]) {
        let (alpaca, _) = alpaca(move |_| fine(body.clone()));
        let start = time("2026-03-02T00:00:00Z");
        if let Ok(quote) = wait(alpaca.quote(&symbol("AAPL"))) {
            assert!(quote.bid > decimal("0") && quote.ask > decimal("0"));
        }
        if let Ok(bars) = wait(MarketData::bars(&alpaca, &symbol("AAPL"), Interval::MINUTE, start, None)) {
            assert!(
                bars.iter().all(|bar| bar.is_sane() && bar.timestamp > start && bar.timestamp <= time(NOW))
            );
        }
        if let Ok(trades) = wait(alpaca.trades(&symbol("AAPL"), time(NOW))) {
            assert!(trades.iter().all(|trade| trade.size > decimal("0")));
        }
    }
}

#[test]
fn fetched_replies() {
    let Some(text) = payload("marketdata_alpaca/rest.json") else { return };
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let (mut quotes, mut bars_read, mut trades_read) = (0, 0, 0);
    for case in cases {
        let url = case["url"].as_str().unwrap();
        if url.contains("options") || url.contains("snapshots") || url.contains("orderbook") {
            continue;
        }
        let body = case["response"].to_string();
        let at = if url.contains("crypto") { "BTC-USD" } else { "AAPL" };
        let (alpaca, _) = alpaca(move |_| match body.contains("next_page_token\":\"") {
            // One page of it is there.
            true => fine(body.replace("next_page_token", "was")),
            false => fine(body.clone()),
        });
        let start = time("2020-01-01T00:00:00Z");
        let symbol = symbol(at);
        if url.contains("quotes") && url.contains("latest") {
            quotes += usize::from(wait(alpaca.quote(&symbol)).is_ok());
        } else if url.contains("bars") && !url.contains("latest") {
            let of = if at == "AAPL" { Interval::DAY } else { Interval::MINUTE };
            bars_read += wait(MarketData::bars(&alpaca, &symbol, of, start, None)).unwrap().len();
        } else if url.contains("trades") && !url.contains("latest") {
            trades_read += wait(alpaca.trades(&symbol, time(NOW))).unwrap().len();
        }
    }
    assert!(quotes >= 2 && bars_read >= 3 && trades_read >= 3, "{quotes} {bars_read} {trades_read}");
}
