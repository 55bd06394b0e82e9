//! Interactive Brokers' rules, by a plain client in both dialects.

mod client;
mod gateway;

use gateway::{BOTH, Bench, Dialect, Wanted, d, until, wanted};
use mts_foundation::double::{Act, Call, Happening, VenueDouble};
use mts_foundation::{OrderState, OrderType, Symbol, TimeInForce};
use std::time::Duration;

#[test]
fn a_client_agrees_on_a_version_and_is_let_in() {
    let bench = Bench::new();
    for (versions, agreed) in [
        ("v157..178", Some("178")),
        ("v100..193", Some("178")),
        ("v100..225 +PACEAPI", Some("225")),
        ("v213..226", Some("225")),
        ("v100..213", Some("213")),
        ("v230..240", None),
        ("nonsense", None),
    ] {
        let (_, answer) = bench.knock(versions);
        let answer = answer.map(|fields| (fields[0].clone(), fields[1].clone()));
        let wanted = agreed.map(|version| (version.to_owned(), "20260302 10:00:00 EST".to_owned()));
        assert_eq!(answer, wanted, "{versions}");
    }
    for dialect in BOTH {
        let mut client = bench.greeted(dialect);
        assert_eq!(bench.double.streams(), 0);
        client.ask(71, &[(1, 3.into())], &["2", "3", ""]);
        let [accounts, next, farm, ..] = &client.some(5)[..] else { panic!() };
        assert_eq!((accounts.id, next.id, farm.id), (15, 9, 4));
        assert!(accounts.text(1, &[1]).starts_with("DU"));
        assert_eq!(next.text(1, &[1]), "1");
        assert_eq!(farm.error().1, "2104");
        until("the stream", || bench.double.streams() == 1);
        drop(client);
        until("its end", || bench.double.streams() == 0);
    }
}

#[test]
fn an_id_is_of_one_client_at_a_time() {
    let bench = Bench::new();
    for dialect in BOTH {
        let first = bench.client(dialect, 7);
        let mut second = bench.greeted(dialect);
        second.ask(71, &[(1, 7.into())], &["2", "7", ""]);
        assert_eq!(second.next().unwrap().error().1, "326");
        assert!(second.next().is_none());
        drop(first);
        until("the end of the first", || bench.double.streams() == 0);
    }
}

#[test]
fn an_order_that_rests_is_told_of_and_listed() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        let order = Wanted { reference: "key-1", outside: true, tif: "GTC", ..wanted(4) };
        let said = client.rest(&order);
        let told: Vec<_> = said.iter().map(|message| (message.id, message.status())).collect();
        let both = |status: &str| [(5, status.to_owned()), (3, status.to_owned())];
        assert_eq!(told, [both("PreSubmitted"), both("Submitted")].concat());
        let [open, status] = &said[2..] else { panic!() };
        let order = &bench.double.orders()[0];
        assert_eq!((open.text(0, &[1]), open.text(24, &[3, 3])), ("4".to_owned(), order.id.to_string()));
        assert_eq!((open.text(12, &[3, 5]), open.text(13, &[3, 6])), ("BUY".to_owned(), "10".to_owned()));
        assert_eq!((open.text(14, &[3, 8]), open.text(15, &[3, 9])), ("LMT".to_owned(), "50".to_owned()));
        assert_eq!((open.text(17, &[3, 11]), open.text(25, &[3, 19])), ("GTC".to_owned(), "1".to_owned()));
        assert_eq!((open.text(22, &[3, 28]), open.text(23, &[3, 1])), ("key-1".to_owned(), "1".to_owned()));
        assert_eq!((open.text(1, &[2, 1]), open.text(2, &[2, 2])), ("265598".to_owned(), "AAPL".to_owned()));
        assert_eq!((status.text(2, &[3]), status.text(3, &[4])), ("0".to_owned(), "10".to_owned()));
        assert_eq!(order.client_id.as_deref(), Some("key-1"));
        assert!(order.extended_hours && order.tif == TimeInForce::Gtc && order.limit_price == Some(d("50")));
        let rows = client.list(5, 53);
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [5, 3]);
        assert_eq!(rows[0].text(24, &[3, 3]), order.id.to_string());
        // Another client sees it only among everybody's.
        let mut other = bench.client(dialect, 2);
        assert!(other.list(5, 53).is_empty());
        assert_eq!(other.list(16, 53).len(), 2);
        assert_eq!(bench.double.calls(Call::Submit), 1);
    }
}

#[test]
fn an_order_at_the_market_fills_and_moves_cash_and_position() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        client.place(&Wanted { reference: "mine", ..wanted(1) }.market());
        assert_eq!(client.ids(4), [5, 3, 5, 3]);
        let [execution, open, status, commission] = &client.some(4)[..] else { panic!() };
        assert_eq!([execution.id, open.id, status.id, commission.id], [11, 5, 3, 59]);
        let of = |message: &gateway::Message, pairs: [(usize, &[u32]); 7]| {
            pairs.map(|(place, path)| message.text(place, path))
        };
        let told = of(
            execution,
            [
                (0, &[1]),
                (1, &[3, 1]),
                (17, &[3, 6]),
                (18, &[3, 7]),
                (19, &[3, 8]),
                (23, &[3, 12]),
                (25, &[3, 14]),
            ],
        );
        assert_eq!(told, ["-1", "1", "BOT", "10", "100", "10", "mine"]);
        assert_eq!(execution.text(14, &[3, 3]), "20260302 10:00:00 US/Eastern");
        let id = execution.text(13, &[3, 2]);
        assert_eq!(id, format!("{}.01", bench.double.fills()[0].id));
        assert_eq!((open.status(), status.status()), ("Filled".to_owned(), "Filled".to_owned()));
        assert_eq!((status.text(2, &[3]), status.text(4, &[5])), ("10".to_owned(), "100".to_owned()));
        assert_eq!((commission.text(1, &[1]), commission.text(2, &[2])), (id, "1".to_owned()));
        let account = bench.double.account();
        assert_eq!(account.cash, d("998999"));
        assert_eq!(account.positions[&Symbol::new("AAPL").unwrap()], d("10"));
        let rows = client.list(61, 62);
        assert_eq!((rows[0].text(13, &[3]), rows[0].text(14, &[4])), ("10".to_owned(), "100".to_owned()));
        let rows = client.list(99, 102);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text(22, &[2, 3]), bench.double.orders()[0].id.to_string());
    }
}

#[test]
fn the_account_is_told_by_its_tags() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        client.place(&wanted(1).market());
        client.some(8);
        bench.quote("AAPL", "109.99", "110.01");
        let tags = "NetLiquidation,AvailableFunds,TotalCashValue,Nonsense";
        client.ask(62, &[(1, 9.into()), (2, "All".into()), (3, tags.into())], &["1", "9", "All", tags]);
        let rows = client.until(64);
        let told: Vec<_> =
            rows[..3].iter().map(|row| (row.text(3, &[3]), row.text(4, &[4]), row.text(5, &[5]))).collect();
        let row = |tag: &str, value: &str| (tag.to_owned(), value.to_owned(), "USD".to_owned());
        let wanted = [
            row("NetLiquidation", "1000099.00"),
            row("TotalCashValue", "998999.00"),
            row("AvailableFunds", "998999.00"),
        ];
        assert_eq!(told, wanted);
        assert_eq!(rows.len(), 4);
        client.ask(6, &[(1, 1.into()), (2, "".into())], &["2", "1", ""]);
        let rows = client.until(54);
        let values: Vec<_> = rows.iter().filter(|row| row.id == 6).collect();
        let value = |key: &str, currency: &str| {
            let found = values.iter().find(|row| row.text(1, &[1]) == key && row.text(3, &[3]) == currency);
            found.map(|row| row.text(2, &[2])).unwrap()
        };
        assert_eq!(value("CashBalance", "BASE"), "998999.00");
        assert_eq!(value("ExchangeRate", "USD"), "1.00");
        let portfolio = rows.iter().find(|row| row.id == 7).unwrap();
        assert_eq!((portfolio.text(12, &[2]), portfolio.text(13, &[3])), ("10".to_owned(), "110".to_owned()));
        client.ask(76, &[(1, 8.into()), (4, 1.into())], &["1", "8", "", "", "1"]);
        let rows = client.until(74);
        assert!(rows.iter().any(|row| row.id == 73 && row.text(4, &[4]) == "CashBalance"));
        // Who follows the account is told after the next trade.
        client.place(&gateway::wanted(2).market());
        assert!(client.until(8).iter().any(|row| row.id == 7 && row.text(12, &[2]) == "20"));
    }
}

#[test]
fn what_the_venue_does_not_take_is_refused_with_its_codes() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        bench.quote("BTC-USD", "49999", "50000");
        let mut client = bench.client(dialect, 1);
        let crypto =
            |id| Wanted { symbol: "BTC", kind: "CRYPTO", exchange: "PAXOS", tif: "GTC", ..wanted(id) };
        let cases = [
            (Wanted { symbol: "NONE", ..wanted(1) }, "200"),
            (Wanted { con_id: 1, ..wanted(1) }, "200"),
            (Wanted { exchange: "MOON", ..wanted(1) }, "200"),
            (Wanted { action: "SHORT", ..wanted(1) }, "321"),
            (Wanted { quantity: "0", ..wanted(1) }, "434"),
            (Wanted { quantity: "ten", ..wanted(1) }, "321"),
            (Wanted { quantity: "0.5", ..wanted(1) }, "10243"),
            (Wanted { order_type: "TRAIL", ..wanted(1) }, "387"),
            (Wanted { limit: None, ..wanted(1) }, "321"),
            (Wanted { limit: Some(50.005), ..wanted(1) }, "110"),
            (Wanted { tif: "GTD", ..wanted(1) }, "201"),
            (Wanted { order_type: "STP", stop: Some(110.0), tif: "IOC", ..wanted(1) }, "201"),
            (Wanted { parent: 9, ..wanted(1) }, "201"),
            (Wanted { transmit: false, ..wanted(1) }, "201"),
            (Wanted { quantity: "30000", ..wanted(1) }, "201"),
            (Wanted { action: "SELL", ..crypto(2) }, "201"),
            (Wanted { tif: "OPG", ..crypto(2) }, "201"),
            (Wanted { quantity: "0.000000001", ..crypto(2) }, "10243"),
        ];
        for (order, code) in cases {
            client.place(&order);
            let (id, told, words) = client.next().unwrap().error();
            assert_eq!((id, told.as_str()), (order.id.to_string(), code), "{words} of {order:?}");
        }
        assert!(bench.double.orders().is_empty());
        assert_eq!(client.rest(&wanted(3)).len(), 4);
    }
}

#[test]
fn an_id_of_an_order_is_used_once_and_ids_rise() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        client.rest(&wanted(5));
        client.place(&wanted(4));
        assert_eq!(client.next().unwrap().error().1, "103");
        client.place(&wanted(6).market());
        client.until(59);
        client.place(&wanted(6).market());
        assert_eq!(client.next().unwrap().error().1, "104");
        client.cancel(5);
        assert_eq!(client.statuses("Cancelled"), ["PendingCancel", "Cancelled"]);
        assert_eq!(client.next().unwrap().error().1, "202");
        client.place(&wanted(5));
        assert_eq!(client.next().unwrap().error().1, "103");
        assert_eq!(bench.double.orders().len(), 2);
        client.ask(8, &[(1, 1.into())], &["1", "1"]);
        assert_eq!(client.next().unwrap().text(1, &[1]), "7");
        // Ids of one client say nothing about those of another.
        bench.client(dialect, 2).rest(&wanted(1));
    }
}

#[test]
fn the_same_id_once_more_is_a_change() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        client.rest(&wanted(1));
        let id = bench.double.orders()[0].id.clone();
        bench.act(Act::Happen(Happening::Fill { order: id.clone(), quantity: d("4"), price: None }));
        client.until(59);
        client.place(&Wanted { quantity: "6", limit: Some(51.5), ..wanted(1) });
        let [open, status] = &client.some(2)[..] else { panic!() };
        assert_eq!((open.text(13, &[3, 6]), open.text(15, &[3, 9])), ("6".to_owned(), "51.5".to_owned()));
        assert_eq!((status.text(2, &[3]), status.text(3, &[4])), ("4".to_owned(), "2".to_owned()));
        let order = &bench.double.orders()[0];
        assert_eq!((bench.double.orders().len(), &order.id), (1, &id));
        assert_eq!((order.quantity, order.limit_price), (d("6"), Some(d("51.5"))));
        for (other, code) in [
            (Wanted { action: "SELL", ..wanted(1) }, "105"),
            (Wanted { symbol: "MSFT", ..wanted(1) }, "105"),
            (Wanted { quantity: "4", ..wanted(1) }, "201"),
        ] {
            client.place(&other);
            assert_eq!(client.next().unwrap().error().1, code, "{other:?}");
        }
        assert_eq!((bench.double.calls(Call::Submit), bench.double.calls(Call::Replace)), (1, 4));
        // A change that crosses the market fills.
        client.place(&Wanted { quantity: "6", limit: Some(100.0), ..wanted(1) });
        let execution = client.until(11).pop().unwrap();
        assert_eq!(
            (execution.text(18, &[3, 7]), execution.text(19, &[3, 8])),
            ("2".to_owned(), "100".to_owned())
        );
        assert_eq!(bench.double.orders()[0].state, OrderState::Filled);
    }
}

#[test]
fn a_cancellation_says_what_has_become_of_the_order() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        client.cancel(9);
        let (id, code, _) = client.next().unwrap().error();
        assert_eq!((id.as_str(), code.as_str()), ("9", "10147"));
        client.rest(&wanted(1));
        // Only who has placed an order can cancel it under its id.
        let mut other = bench.client(dialect, 2);
        other.cancel(1);
        assert_eq!(other.next().unwrap().error().1, "10147");
        bench.act(Act::CancelLosesRace);
        client.cancel(1);
        assert_eq!(client.statuses("Filled"), ["PendingCancel", "Filled"]);
        client.until(59);
        client.cancel(1);
        let (_, code, words) = client.next().unwrap().error();
        assert_eq!(code, "10148");
        assert!(words.ends_with("state: Filled."), "{words}");
        client.rest(&wanted(2));
        client.rest(&wanted(3));
        client.ask(58, &[], &["1", ""]);
        client.until(4);
        client.until(4);
        assert!(client.list(16, 53).is_empty());
        let rows = client.list(99, 102);
        assert_eq!(rows.len(), 3);
    }
}

#[test]
fn of_a_group_one_order_fills() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        let of_group = |id, limit| Wanted { group: "either", limit: Some(limit), ..wanted(id) };
        let said = client.rest(&of_group(1, 50.0));
        assert_eq!(said[0].text(18, &[3, 27]), "either");
        client.rest(&of_group(2, 51.0));
        client.rest(&wanted(3));
        // Another client's group of this name is another one.
        bench.client(dialect, 2).rest(&of_group(1, 50.0));
        bench.quote("AAPL", "49.99", "50.5");
        assert_eq!(client.statuses("Cancelled"), ["Filled", "Cancelled"]);
        let states: Vec<_> = bench.double.orders().iter().map(|order| order.state).collect();
        use OrderState::{Accepted, Canceled, Filled};
        assert_eq!(states, [Canceled, Filled, Accepted, Accepted]);
    }
}

#[test]
fn orders_wait_or_end_as_their_time_in_force_says() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        let mut place = |order: Wanted, last: &str| {
            client.place(&order);
            client.statuses(last)
        };
        assert_eq!(place(Wanted { tif: "IOC", ..wanted(1) }, "Cancelled").last().unwrap(), "Cancelled");
        assert_eq!(place(Wanted { tif: "FOK", ..wanted(2) }, "Cancelled").last().unwrap(), "Cancelled");
        let stop = Wanted { order_type: "STP", limit: None, stop: Some(110.0), ..wanted(3) };
        assert_eq!(place(stop, "PreSubmitted"), ["PreSubmitted"]);
        let stop =
            Wanted { order_type: "STP LMT", stop: Some(110.0), limit: Some(120.0), tif: "GTC", ..wanted(4) };
        assert_eq!(place(stop, "PreSubmitted"), ["PreSubmitted"]);
        assert_eq!(place(Wanted { tif: "OPG", ..wanted(5) }.market(), "PreSubmitted"), ["PreSubmitted"]);
        let types: Vec<_> =
            bench.double.orders().iter().map(|order| (order.order_type, order.tif, order.state)).collect();
        assert_eq!(types[3], (OrderType::StopLimit, TimeInForce::Gtc, OrderState::Accepted));
        bench.quote("AAPL", "110", "110.5");
        client.until(59);
        client.until(59);
        assert_eq!(bench.double.orders()[2].state, OrderState::Filled);
        // At the market nothing waits for other hours: a warning, and the order is taken.
        client.place(&Wanted { outside: true, ..wanted(6) }.market());
        let warning = client.next().unwrap();
        assert_eq!(warning.error().1, "2109");
        client.until(59);
        assert!(!bench.double.orders()[5].extended_hours);
    }
}

#[test]
fn what_happens_at_the_venue_is_told() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        let mut other = bench.client(dialect, 2);
        let mut master = bench.client(dialect, 0);
        client.rest(&wanted(1));
        client.rest(&wanted(2));
        let ids: Vec<_> = bench.double.orders().iter().map(|order| order.id.clone()).collect();
        bench.act(Act::Happen(Happening::Cancel { order: ids[0].clone() }));
        assert_eq!(client.statuses("Cancelled"), ["Cancelled"]);
        assert_eq!(client.next().unwrap().error().1, "202");
        bench.act(Act::Happen(Happening::Reject { order: ids[1].clone() }));
        let said = client.some(3);
        assert_eq!(said[0].error().1, "201");
        assert_eq!((said[1].status(), said[2].status()), ("Inactive".to_owned(), "Inactive".to_owned()));
        assert!(other.is_quiet());
        // The master client sees it all, without the codes.
        assert_eq!(master.statuses("Inactive"), ["Submitted", "Submitted", "Cancelled", "Inactive"]);
        let expire = Act::Happen(Happening::Expire { order: ids[0].clone() });
        assert!(bench.double.act(&expire).unwrap_err().reason.contains("expiry"));
    }
}

#[test]
fn executions_are_listed_by_filters_and_corrected_by_their_last_part() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        bench.quote("EUR-USD", "1.1", "1.2");
        let mut client = bench.client(dialect, 1);
        bench.act(Act::FillInParts(2));
        client.place(&wanted(1).market());
        client.until(59);
        client.until(59);
        let euro = Wanted { symbol: "EUR", kind: "CASH", exchange: "IDEALPRO", action: "SELL", ..wanted(2) };
        client.place(&euro.market());
        client.until(59);
        let ids = |rows: &[gateway::Message]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(&client.executions(&[], &["0"])), [11, 59, 11, 59, 11, 59]);
        assert_eq!(client.executions(&[(4, "EUR".into())], &["0", "", "", "EUR"]).len(), 2);
        assert_eq!(client.executions(&[(7, "BUY".into())], &["0", "", "", "", "", "", "BUY"]).len(), 4);
        assert_eq!(client.executions(&[(5, "OPT".into())], &["0", "", "", "", "OPT"]).len(), 0);
        let late = "20260302 10:00:01 US/Eastern";
        assert_eq!(client.executions(&[(3, late.into())], &["0", "", late]).len(), 0);
        let early = "20260302-15:00:00";
        assert_eq!(client.executions(&[(3, early.into())], &["0", "", early]).len(), 6);
        assert_eq!(bench.client(dialect, 2).executions(&[], &["0"]).len(), 0);
        assert_eq!(bench.client(dialect, 0).executions(&[], &["0"]).len(), 6);
        let fill = bench.double.fills()[1].id.clone();
        bench.act(Act::Happen(Happening::Correct { fill: fill.clone(), quantity: d("3"), price: d("99") }));
        let said = client.some(2);
        assert_eq!(
            (said[0].text(13, &[3, 2]), said[0].text(18, &[3, 7])),
            (format!("{fill}.02"), "3".to_owned())
        );
        assert_eq!(said[1].text(1, &[1]), format!("{fill}.02"));
        let rows = client.executions(&[], &["0"]);
        assert_eq!((rows.len(), rows[2].text(13, &[3, 2])), (6, format!("{fill}.02")));
        // Five at 100 and three at 99.
        assert_eq!(
            (rows[2].text(23, &[3, 12]), rows[2].text(24, &[3, 13])),
            ("8".to_owned(), "99.625".to_owned())
        );
        // Tomorrow only those who ask for more days see them.
        bench.clock.forward(Duration::from_secs(86_400));
        assert_eq!(client.executions(&[], &["0"]).len(), 0);
        if dialect == Dialect::Protobuf {
            assert_eq!(client.executions(&[(8, 2.into())], &[]).len(), 6);
            assert_eq!(client.executions(&[(9, 20_260_302.into())], &[]).len(), 6);
            assert_eq!(client.executions(&[(9, 20_260_303.into())], &[]).len(), 0);
        }
    }
}

#[test]
fn commissions_can_come_late() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(dialect, 1);
        bench.act(Act::FeesLate(60_000));
        client.place(&wanted(1).market());
        assert_eq!(client.ids(7), [5, 3, 5, 3, 11, 5, 3]);
        assert!(client.is_quiet());
        assert_eq!(client.executions(&[], &["0"]).len(), 1);
        bench.clock.forward(Duration::from_secs(61));
        let commission = client.next().unwrap();
        assert_eq!((commission.id, commission.text(2, &[2])), (59, "1".to_owned()));
        assert_eq!(client.executions(&[], &["0"]).len(), 2);
    }
}

/// Symbol, kind, exchange, what more says which contract it is in both dialects, and our symbol.
type Kind = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(u32, f64, &'static str)],
    [&'static str; 4],
    &'static str,
);

#[test]
fn contracts_of_every_kind_are_found_and_trade() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        let mut orders = 0;
        for symbol in bench.double.symbols() {
            bench.quote(symbol.as_str(), "99.5", "100");
        }
        // Found by its id, which its own details tell.
        let kinds: [Kind; 6] = [
            ("AAPL", "STK", "SMART", &[], ["", "", "", ""], "AAPL"),
            ("BRK B", "STK", "SMART", &[], ["", "", "", ""], "BRK.B"),
            ("EUR", "CASH", "IDEALPRO", &[], ["", "", "", ""], "EUR-USD"),
            ("BTC", "CRYPTO", "PAXOS", &[], ["", "", "", ""], "BTC-USD"),
            ("ES", "FUT", "CME", &[(4, 0.0, "202912")], ["202912", "", "", ""], "ESZ29"),
            (
                "AAPL",
                "OPT",
                "SMART",
                &[(4, 0.0, "20291221"), (5, 200.0, ""), (6, 0.0, "C")],
                ["20291221", "200.0", "C", "100"],
                "AAPL291221C00200000",
            ),
        ];
        for (symbol, kind, exchange, more, [expiry, strike, right, multiplier], ours) in kinds {
            let mut contract =
                vec![(2, symbol.into()), (3, kind.into()), (8, exchange.into()), (10, "USD".into())];
            contract.extend(more.iter().map(|(tag, number, text)| {
                (*tag, if text.is_empty() { (*number).into() } else { (*text).into() })
            }));
            let fields = [
                "8", "5", "0", symbol, kind, expiry, strike, right, multiplier, exchange, "", "USD", "", "",
                "0", "", "", "",
            ];
            client.ask(9, &[(1, 5.into()), (2, contract[..].into())], &fields);
            let details = client.until(52).swap_remove(0);
            assert_eq!(details.id, 10, "{ours}: {details:?}");
            let id: i64 = details.text(11, &[2, 1]).parse().unwrap();
            orders += 1;
            client.rest(&Wanted { con_id: id, symbol: "", kind: "", limit: Some(50.0), ..wanted(orders) });
            let order = bench.double.orders().pop().unwrap();
            assert_eq!(order.symbol.as_str(), ours);
        }
        // A hundred shares stand behind an option, fifty dollars behind a point of the future.
        let option = bench.double.orders().pop().unwrap();
        let before = bench.double.account().cash;
        bench.act(Act::Happen(Happening::Fill { order: option.id, quantity: d("2"), price: Some(d("5")) }));
        assert_eq!(before - bench.double.account().cash, d("1001.3"));
        client.until(59);
        client.ask(
            9,
            &[(1, 5.into()), (2, [(2, "NONE".into()), (3, "STK".into())][..].into())],
            &["8", "5", "0", "NONE", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "", "0", "", "", ""],
        );
        assert_eq!(
            client.next().unwrap().error(),
            (
                "5".to_owned(),
                "200".to_owned(),
                "No security definition has been found for the request".to_owned()
            )
        );
    }
}

#[test]
fn prices_come_once_or_as_they_change() {
    for dialect in BOTH {
        let bench = Bench::new();
        bench.quote("AAPL", "99.99", "100.01");
        let mut client = bench.client(dialect, 1);
        let mut ask = |request: i64, snapshot: i64| {
            let contract = [(2, "AAPL".into()), (3, "STK".into()), (8, "SMART".into())];
            let (request_text, snapshot_text) = (request.to_string(), snapshot.to_string());
            client.ask(
                1,
                &[(1, request.into()), (2, contract[..].into()), (4, snapshot.into())],
                &[
                    "11",
                    &request_text,
                    "0",
                    "AAPL",
                    "STK",
                    "",
                    "0.0",
                    "",
                    "",
                    "SMART",
                    "",
                    "USD",
                    "",
                    "",
                    "0",
                    "",
                    &snapshot_text,
                    "0",
                    "",
                ],
            );
            client.some(8)
        };
        let said = ask(1, 0);
        assert_eq!(said.iter().map(|row| row.id).collect::<Vec<_>>(), [81, 58, 1, 2, 1, 2, 1, 2]);
        let price = |row: &gateway::Message| (row.text(2, &[2]), row.text(3, &[3]));
        assert_eq!(price(&said[2]), ("1".to_owned(), "99.99".to_owned()));
        assert_eq!(price(&said[4]), ("2".to_owned(), "100.01".to_owned()));
        assert_eq!(price(&said[6]), ("4".to_owned(), "100".to_owned()));
        ask(2, 1);
        assert_eq!(client.next().unwrap().id, 57);
        bench.quote("AAPL", "99.99", "100.03");
        let said = client.some(4);
        assert_eq!(price(&said[0]), ("2".to_owned(), "100.03".to_owned()));
        client.ask(2, &[(1, 1.into())], &["2", "1"]);
        client.ask(49, &[], &["1"]);
        assert_eq!(client.next().unwrap().text(1, &[1]), "1772463600");
        bench.quote("AAPL", "99.99", "100.05");
        assert!(client.is_quiet());
    }
}

#[test]
fn what_an_order_would_cost_is_told_without_placing_it() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        client.place(&Wanted { what_if: true, ..wanted(1) });
        let said = client.next().unwrap();
        assert_eq!((said.id, said.text(96, &[4, 5])), (5, "500".to_owned()));
        assert!(bench.double.orders().is_empty());
        client.rest(&wanted(1));
    }
}

#[test]
fn more_than_fifty_messages_of_a_second_are_refused() {
    for dialect in BOTH {
        let bench = Bench::new();
        let mut client = bench.client(dialect, 1);
        for _ in 0..53 {
            client.ask(49, &[], &["1"]);
        }
        assert_eq!(client.ids(50), [49; 50]);
        for _ in 0..3 {
            assert_eq!(client.next().unwrap().error().1, "100");
        }
        assert!(client.next().is_none());
        bench.clock.forward(Duration::from_secs(1));
        until("the end of the first", || bench.double.streams() == 0);
        let mut client = bench.client(dialect, 1);
        client.ask(49, &[], &["1"]);
        assert_eq!(client.next().unwrap().id, 49);
    }
}

#[test]
fn two_doubles_of_a_seed_say_the_same() {
    let said = |seed: u64| {
        let bench = Bench::of_seed(seed);
        bench.quote("AAPL", "99.99", "100");
        let mut client = bench.client(Dialect::Text, 1);
        client.place(&wanted(1).market());
        client.until(59).into_iter().map(|message| message.fields).collect::<Vec<_>>()
    };
    assert_eq!(said(3), said(3));
    assert_ne!(said(3), said(4));
}

#[test]
fn what_is_no_message_ends_the_connection_or_is_an_error() {
    let bench = Bench::new();
    for dialect in BOTH {
        let mut client = bench.client(dialect, 1);
        client.send_frame(b"");
        client.send_frame(b"\xff\xff");
        client.ask(188, &[], &["1"]);
        let codes: Vec<_> = (0..3).map(|_| client.next().unwrap().error().1).collect();
        assert_eq!(codes, ["320", "320", "505"]);
        use std::io::Write;
        client.stream.write_all(&[0xff; 8]).unwrap();
        assert!(client.next().is_none());
        until("its end", || bench.double.streams() == 0);
    }
    // Nothing goes before the start.
    let mut client = bench.greeted(Dialect::Protobuf);
    client.ask(5, &[], &[]);
    assert!(client.next().is_none());
}
