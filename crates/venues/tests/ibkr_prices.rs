//! Market data of Interactive Brokers' double, by a plain client in both dialects.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod client;
mod gateway;

use gateway::{BOTH, Bench, Client, Message, Value, d, until};
use mts_foundation::double::{Call, CallFault, VenueDouble};
use mts_foundation::{Bar, Symbol, Timestamp, Trade, VenueName};
use std::time::Duration;

const CONTRACT: [&str; 12] = ["0", "AAPL", "STK", "", "0", "", "", "SMART", "", "USD", "", ""];

fn contract(symbol: &str) -> Value {
    let fields: [(u32, Value); 4] =
        [(2, symbol.into()), (3, "STK".into()), (8, "SMART".into()), (10, "USD".into())];
    Value::from(&fields[..])
}

/// The fields of a request of the text dialect: some, a contract, and more.
fn text<'a>(before: &[&'a str], symbol: &'a str, after: &[&'a str]) -> Vec<&'a str> {
    let mut contract = CONTRACT;
    contract[1] = symbol;
    [before, &contract[..], after].concat()
}

fn follow(client: &mut Client, symbol: &str, snapshot: bool) {
    let proto = [(1, 7.into()), (2, contract(symbol)), (3, "233".into()), (4, i64::from(snapshot).into())];
    let fields = text(&["11", "7"], symbol, &["0", "233", if snapshot { "1" } else { "0" }, "0", ""]);
    client.ask(1, &proto, &fields);
}

fn history(client: &mut Client, end: &str, size: &str, duration: &str) {
    let proto = [
        (1, 8.into()),
        (2, contract("AAPL")),
        (3, end.into()),
        (4, size.into()),
        (5, duration.into()),
        (6, 1.into()),
        (7, "TRADES".into()),
        (8, 2.into()),
    ];
    let fields = text(&["8"], "AAPL", &["0", end, size, duration, "1", "TRADES", "2", "0", ""]);
    client.ask(20, &proto, &fields);
}

fn trade(price: &str, size: &str, time: &str) -> Trade {
    Trade {
        trade_id: "".into(),
        symbol: Symbol::new("AAPL").unwrap(),
        price: d(price),
        size: d(size),
        venue: VenueName::new("test").unwrap(),
        timestamp: time.parse().unwrap(),
    }
}

fn bar(interval: &str, close: &str, end: &str) -> Bar {
    let end: Timestamp = end.parse().unwrap();
    let close = d(close);
    let bar = Bar::close_only(Symbol::new("AAPL").unwrap(), interval.parse().unwrap(), close, end);
    Bar { volume: d("300"), n_trades: Some(3), close_only: false, ..bar }
}

/// The kind and the text of each tick: a price, a size or words.
fn ticks(said: &[Message]) -> Vec<(u32, String, String)> {
    let of = |said: &Message| (said.id, said.text(2, &[2]), said.text(3, &[3]));
    said.iter().filter(|said| matches!(said.id, 1 | 2 | 46)).map(of).collect()
}

fn row(id: u32, kind: &str, value: &str) -> (u32, String, String) {
    (id, kind.to_owned(), value.to_owned())
}

#[test]
fn prices_come_with_their_size_twice_and_prints_with_the_volume_so_far() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "179.99", "180.01");
        bench.double.trades(&[trade("180", "5", "2026-03-02T14:59:00Z")]);
        let mut client = bench.client(dialect, 1);
        follow(&mut client, "AAPL", true);
        let said = client.until(57);
        let [bid, ask, last] = [("1", "179.99", "0"), ("2", "180.01", "3"), ("4", "180", "5")];
        let price =
            |(kind, price, size): (&str, &str, &str), units: &str| [row(1, kind, price), row(2, size, units)];
        let wanted = [
            &price(bid, "100")[..],
            &price(ask, "100"),
            &price(last, "5"),
            &[row(46, "45", "1772463540"), row(2, "8", "5")],
        ];
        assert_eq!(ticks(&said), wanted.concat(), "{dialect:?}");
        assert_eq!(bench.double.calls(Call::Prices), 1);

        follow(&mut client, "AAPL", false);
        client.some(10);
        assert!(client.is_quiet());
        // Both come to one look: what is told is the last of them, and the volume of both.
        let time = "2026-03-02T14:59:59.250Z";
        bench.double.trades(&[trade("180.5", "3", time), trade("180.25", "2", time)]);
        let said = client.some(5);
        let wanted = [
            row(1, "4", "180.25"),
            row(2, "5", "2"),
            row(46, "45", "1772463599"),
            row(2, "8", "10"),
            row(46, "48", "180.25;2;1772463599250;10;180.25;false"),
        ];
        assert_eq!(ticks(&said), wanted, "{dialect:?}");
        bench.quote("AAPL", "179.98", "180.01");
        assert_eq!(ticks(&client.some(2)), price(("1", "179.98", "0"), "100"));
        client.ask(2, &[(1, 7.into())], &["2", "7"]);
        until("the end", || bench.double.calls(Call::Prices) == 2);
        client.ask(49, &[], &["1"]);
        assert_eq!(client.next().unwrap().id, 49);
        bench.quote("AAPL", "179.97", "180.01");
        assert!(client.is_quiet());
    }
}

#[test]
fn prints_come_one_by_one_where_they_are_asked_for() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "179.99", "180.01");
        let mut client = bench.client(dialect, 1);
        for (id, kind) in [(11, "AllLast"), (12, "BidAsk")] {
            let proto = [(1, id.into()), (2, contract("AAPL")), (3, kind.into()), (4, 0.into())];
            let id = id.to_string();
            client.ask(97, &proto, &text(&[&id], "AAPL", &[kind, "0", "0"]));
        }
        let said = client.next().unwrap();
        assert_eq!((said.id, said.text(1, &[2])), (99, "3".to_owned()));
        assert_eq!(
            (said.text(3, &[4, 3]), said.text(4, &[4, 4])),
            ("179.99".to_owned(), "180.01".to_owned())
        );
        let time = "2026-03-02T14:59:59.250Z";
        bench.double.trades(&[trade("180.5", "3", time), trade("180.25", "2", time)]);
        let told: Vec<_> =
            client.some(2).iter().map(|said| (said.text(3, &[3, 3]), said.text(4, &[3, 4]))).collect();
        let wanted =
            [("180.5", "3"), ("180.25", "2")].map(|(price, size)| (price.to_owned(), size.to_owned()));
        assert_eq!(told, wanted, "{dialect:?}");
        client.ask(98, &[(1, 11.into())], &["11"]);
        // The prints of the past: the last one, with the other of its second.
        let proto = [
            (1, 13.into()),
            (2, contract("AAPL")),
            (4, "20260302-15:00:00".into()),
            (5, 1.into()),
            (6, "TRADES".into()),
            (7, 1.into()),
        ];
        let after = ["0", "", "20260302-15:00:00", "1", "TRADES", "1", "0", ""];
        client.ask(96, &proto, &text(&["13"], "AAPL", &after));
        let said = client.next().unwrap();
        assert_eq!(said.id, 98, "{said:?}");
        if dialect == gateway::Dialect::Text {
            let wanted = "13 2 1772463599 0 180.5 3 NASDAQ  1772463599 0 180.25 2 NASDAQ  1";
            assert_eq!(said.fields.join(" "), wanted);
        }
        bench.double.trades(&[trade("180", "1", time)]);
        assert!(client.is_quiet(), "it was cancelled");
    }
}

#[test]
fn bars_end_where_they_are_asked_to_and_are_labelled_by_their_start() {
    for dialect in BOTH {
        let bench = Bench::new();
        for (close, end) in [("180", "14:57"), ("181", "14:58"), ("182", "14:59"), ("183", "15:00")] {
            bench.double.bars(&[bar("1m", close, &format!("2026-03-02T{end}:00Z"))]);
        }
        bench.double.bars(&[bar("1d", "179", "2026-02-27T21:00:00Z")]);
        let mut client = bench.client(dialect, 1);
        let mut closes = |end: &str, size: &str, duration: &str| {
            history(&mut client, end, size, duration);
            let said = client.next().unwrap();
            assert_eq!(said.id, 17, "{said:?}");
            if dialect == gateway::Dialect::Protobuf {
                assert_eq!(client.next().unwrap().id, 108);
                // The last of the repeated field.
                return (said.text(0, &[2, 1]), said.text(0, &[2, 5]));
            }
            let count: usize = said.fields[3].parse().unwrap();
            let last = 4 + 8 * (count - 1);
            (said.fields[last].clone(), said.fields[last + 4].clone())
        };
        let (start, close) = closes("", "1 min", "120 S");
        assert_eq!((start.as_str(), close.as_str()), ("1772463540", "183"));
        assert_eq!(closes("20260302 09:58:00 US/Eastern", "1 min", "60 S").1, "181");
        assert_eq!(closes("20260302 14:57:00 UTC", "1 min", "1 D").1, "180");
        assert_eq!(closes("", "1 day", "1 W"), ("20260227".to_owned(), "179".to_owned()));
        for (end, size, duration, code) in [
            ("20250302 14:57:00 UTC", "1 min", "1 D", "162"),
            ("", "1 min", "2 D", "162"),
            ("", "7 mins", "1 D", "321"),
            ("yesterday", "1 min", "1 D", "10314"),
        ] {
            history(&mut client, end, size, duration);
            assert_eq!(client.next().unwrap().error().1, code, "{size} {duration}");
        }
    }
}

#[test]
fn what_is_refused_has_the_venues_codes() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        follow(&mut client, "NOPE", false);
        assert_eq!(client.next().unwrap().error().1, "200");
        bench.fault(Call::Prices, CallFault::NotAuthorised);
        follow(&mut client, "AAPL", false);
        assert_eq!(client.next().unwrap().error().1, "354");
        for fault in [CallFault::TooMany { retry_after: None }, CallFault::NotAuthorised] {
            bench.fault(Call::Prices, fault);
            history(&mut client, "", "1 min", "1 D");
            assert_eq!(client.next().unwrap().error().1, "162");
        }
        bench.fault(Call::Prices, CallFault::TooMany { retry_after: None });
        let proto = [(1, 9.into()), (2, contract("AAPL")), (3, "Last".into())];
        client.ask(97, &proto, &text(&["9"], "AAPL", &["Last", "0", "0"]));
        assert_eq!(client.next().unwrap().error().1, "420");
        bench.clock.forward(Duration::from_secs(1));
    }
}
