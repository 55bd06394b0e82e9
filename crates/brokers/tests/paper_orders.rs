//! Orders of the paper broker: every type with every time in force, by quotes and by bars, with its delay, fees, short sales
//! and refusals.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "common/paper.rs"]
mod world;

use mts_brokers::{PaperBroker, PaperConfig};
use mts_foundation::broker::{Broker, BrokerEventStream, OrderRef, SimulatedBroker, SubmitOutcome};
use mts_foundation::risk::SessionPhase::{Closed, Regular};
use mts_foundation::{
    BrokerEvent, Decimal, Instrument, InstrumentTable, Order, OrderType, Side, Symbol, TimeInForce,
};
use mts_matching::{ClosedMarket, ExchangeConfig, ScriptedReject, Shorting};
use std::time::Duration;
use world::{at, bar, broker, d, draft, drain, fills, limit, market, order, quote, ready, submit, with};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Drive {
    Quotes,
    Bars,
}

const DRIVES: [Drive; 2] = [Drive::Quotes, Drive::Bars];

/// Shows `size` units at `price`, by bars over the minute that ends then.
fn show(broker: &PaperBroker, drive: Drive, price: &str, size: &str, time: i64) {
    match drive {
        Drive::Quotes => broker.on_quote(&quote(price, price, size, time)),
        Drive::Bars => broker.on_bars(&[bar(price, size, time)]),
    }
}

/// As documented, with the whole volume of a bar to take.
fn documented() -> PaperConfig {
    let exchange = ExchangeConfig { participation: Some(d("1")), ..PaperConfig::default().exchange };
    with(exchange)
}

/// What the stream tells, in words.
fn said(stream: &mut BrokerEventStream<'_>) -> Vec<String> {
    let say = |event: &BrokerEvent| match event {
        BrokerEvent::Fill { fill, .. } => {
            format!("{} @{} for {}", fill.quantity.normalize(), fill.price, fill.fees.normalize())
        }
        BrokerEvent::Order(report) => report.state.to_string(),
        other => panic!("{other:?}"),
    };
    drain(stream).iter().map(say).collect()
}

/// Cash, position and report are what the fills make of them.
fn agrees(broker: &PaperBroker, sent: &Order, stream: &mut BrokerEventStream<'_>) {
    let events = drain(stream);
    let fills = fills(&events);
    let flow: Decimal = fills.iter().map(|fill| fill.net_proceeds()).sum();
    let units: Decimal = fills.iter().map(|fill| fill.side.signed(fill.quantity)).sum();
    let filled: Decimal = fills.iter().map(|fill| fill.quantity).sum();
    assert_eq!(ready(Broker::account(broker)).unwrap().cash, d("100000") + flow);
    let held: Decimal = ready(Broker::positions(broker)).unwrap().iter().map(|held| held.quantity).sum();
    assert_eq!(held, units);
    let report = report(broker, sent).unwrap();
    assert_eq!(report.filled, filled, "{report:?}");
    let open = ready(Broker::open_orders(broker)).unwrap();
    assert_eq!(open.len(), usize::from(!report.state.is_terminal()));
}

fn report(broker: &PaperBroker, order: &Order) -> Option<mts_foundation::OrderReport> {
    ready(Broker::order(broker, &OrderRef::Key(order.idempotency_key.clone()))).unwrap()
}

/// What becomes of an order to buy 10 (limit 100, stop 100) when first 6 and then 100 units are shown at `price`, and the
/// session ends.
fn life(drive: Drive, kind: OrderType, tif: TimeInForce, price: &str) -> Vec<String> {
    let broker = broker(documented());
    let mut stream = Broker::events(&broker, None);
    let mut again = Broker::events(&broker, None);
    broker.on_session(Closed, at(0));
    let wanted = order("k", Side::Buy, "10", kind, tif, "100");
    if tif == TimeInForce::Opg {
        drop(ready(Broker::submit(&broker, &wanted)));
    }
    broker.on_session(Regular, at(60_000));
    // For the second time, where it waits for the opening: that changes nothing.
    match ready(Broker::submit(&broker, &wanted)) {
        SubmitOutcome::Accepted(_) => {}
        SubmitOutcome::NotSent { .. } => return vec!["not sent".to_owned()],
        other => panic!("{other:?}"),
    }
    show(&broker, drive, price, "6", 120_000);
    show(&broker, drive, price, "100", 180_000);
    broker.on_session(Closed, at(240_000));
    agrees(&broker, &wanted, &mut again);
    said(&mut stream)
}

#[test]
fn every_type_and_time_in_force_where_the_price_is_reached() {
    const SIX: &str = "6 @100 for 0.3";
    for drive in DRIVES {
        for kind in OrderType::ALL.iter().copied() {
            for tif in TimeInForce::ALL.iter().copied() {
                let waits = matches!(kind, OrderType::Stop | OrderType::StopLimit);
                let expected = match tif {
                    TimeInForce::Ioc | TimeInForce::Fok | TimeInForce::Opg if waits => vec!["not sent"],
                    TimeInForce::Ioc | TimeInForce::Opg => vec![SIX, "expired"],
                    TimeInForce::Fok => vec!["rejected"],
                    TimeInForce::Day | TimeInForce::Gtc => vec![SIX, "4 @100 for 0.2"],
                };
                assert_eq!(life(drive, kind, tif, "100"), expected, "{drive:?} {kind} {tif}");
            }
        }
    }
}

#[test]
fn every_type_and_time_in_force_where_it_is_not() {
    for drive in DRIVES {
        for kind in OrderType::ALL.iter().copied().filter(|kind| *kind != OrderType::Market) {
            // A limit to buy at 100 is too low for a market at 101, a stop to buy at 100 too high for one at 99.
            let waits = matches!(kind, OrderType::Stop | OrderType::StopLimit);
            let price = if waits { "99" } else { "101" };
            for tif in TimeInForce::ALL.iter().copied() {
                let expected = match tif {
                    TimeInForce::Ioc | TimeInForce::Fok | TimeInForce::Opg if waits => vec!["not sent"],
                    TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Opg => vec!["expired"],
                    TimeInForce::Fok => vec!["rejected"],
                    TimeInForce::Gtc => vec![],
                };
                assert_eq!(life(drive, kind, tif, price), expected, "{drive:?} {kind} {tif}");
            }
        }
    }
}

#[test]
fn immediate_or_cancel_takes_what_there_is_and_fill_or_kill_all_or_nothing() {
    for drive in DRIVES {
        for kind in [OrderType::Market, OrderType::Limit, OrderType::MarketableLimit] {
            let run = |tif, shown| {
                let broker = broker(documented());
                let mut stream = Broker::events(&broker, None);
                let mut again = Broker::events(&broker, None);
                let sent = submit(&broker, &order("k", Side::Buy, "10000", kind, tif, "100"));
                show(&broker, drive, "100", shown, 60_000);
                agrees(&broker, &sent, &mut again);
                // Nothing of it is left to meet what comes.
                show(&broker, drive, "100", "50000", 120_000);
                let reason = report(&broker, &sent).unwrap().reason;
                (said(&mut stream), reason.map(|reason| reason.to_string()))
            };
            let told = |events: &[&str], reason: Option<&str>| {
                (events.iter().map(ToString::to_string).collect::<Vec<_>>(), reason.map(str::to_owned))
            };
            // Five basis points of 650,000.
            let ioc = run(TimeInForce::Ioc, "6500");
            assert_eq!(ioc, told(&["6500 @100 for 325", "expired"], None), "{drive:?} {kind}");
            let (events, reason) = run(TimeInForce::Fok, "9999");
            assert_eq!(events, ["rejected"], "{drive:?} {kind}");
            assert!(reason.unwrap().starts_with("only 9999 of 10000"), "{drive:?} {kind}");
            let fok = run(TimeInForce::Fok, "10000");
            assert_eq!(fok, told(&["10000 @100 for 500"], None), "{drive:?} {kind}");
        }
    }
}

#[test]
fn an_order_under_way_is_not_filled_by_what_was_there_before_it_arrived() {
    // The touch goes away before the order is there.
    let quoted = broker(documented());
    let mut stream = Broker::events(&quoted, None);
    quoted.on_quote(&quote("99", "100", "10", 0));
    quoted.set_time(at(1_000));
    submit(&quoted, &market("m", "10"));
    submit(&quoted, &limit("l", Side::Buy, "10", "100"));
    submit(&quoted, &order("i", Side::Buy, "10", OrderType::Limit, TimeInForce::Ioc, "100"));
    quoted.on_quote(&quote("104", "105", "30", 1_050));
    assert!(said(&mut stream).is_empty(), "nothing is there yet");
    quoted.set_time(at(1_100));
    assert_eq!(said(&mut stream), ["10 @105 for 0.525", "expired"]);
    // A quote of the very instant of an arrival counts before it.
    let at_once = broker(documented());
    let mut stream = Broker::events(&at_once, None);
    submit(&at_once, &market("m", "10"));
    at_once.on_quote(&quote("99", "100", "4", 100));
    assert_eq!(said(&mut stream), ["4 @100 for 0.2"]);

    // The bar that an order was decided on is over, and of the one after it the open too.
    for (delay, price) in [(100, "110"), (0, "105")] {
        let exchange = ExchangeConfig { submit_delay: Duration::from_millis(delay), ..documented().exchange };
        let barred = broker(with(exchange));
        let mut stream = Broker::events(&barred, None);
        barred.on_bars(&[bar("100", "1000", 60_000)]);
        submit(&barred, &market("m", "10"));
        barred.on_bars(&[bar("100", "1000", 60_000)]);
        assert!(said(&mut stream).is_empty(), "the bar had ended");
        let mut next = bar("105", "1000", 120_000);
        (next.high, next.close) = (d("110"), d("110"));
        barred.on_bars(&[next]);
        assert_eq!(said(&mut stream), [format!("10 @{price} for {}", d(price) / d("200"))], "{delay}");
    }
}

#[test]
fn short_sales_are_taken_refused_here_or_as_far_as_units_can_be_borrowed() {
    for drive in DRIVES {
        let broker = broker(documented());
        let mut stream = Broker::events(&broker, None);
        submit(&broker, &order("s", Side::Short, "10", OrderType::Market, TimeInForce::Gtc, ""));
        show(&broker, drive, "100", "10", 60_000);
        let held = ready(Broker::positions(&broker)).unwrap();
        assert_eq!(held.iter().map(|held| held.quantity).collect::<Vec<_>>(), [d("-10")], "{drive:?}");
        assert_eq!(ready(Broker::account(&broker)).unwrap().cash, d("100999.5"));
        submit(&broker, &order("c", Side::Cover, "10", OrderType::Market, TimeInForce::Gtc, ""));
        show(&broker, drive, "90", "10", 120_000);
        // The offer that was quoted still stands; a bar is over.
        let (cover, cash) = match drive {
            Drive::Quotes => ("10 @100 for 0.5", "99999"),
            Drive::Bars => ("10 @90 for 0.45", "100099.05"),
        };
        assert_eq!(said(&mut stream), ["10 @100 for 0.5", cover], "{drive:?}");
        assert_eq!(ready(Broker::account(&broker)).unwrap().cash, d(cash));
    }
    let shorting = |shorting| broker(with(ExchangeConfig { shorting, ..documented().exchange }));
    // What is not claimed does not reach the market.
    let refusing = shorting(Shorting::Refused);
    let short = limit("s", Side::Short, "1", "100");
    let outcome = ready(Broker::submit(&refusing, &short));
    assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
    assert_eq!(report(&refusing, &short), None);
    // A sale of more than is held is the market's to refuse.
    let sale = ready(Broker::submit(&refusing, &limit("b", Side::Sell, "1", "100")));
    assert!(matches!(&sale, SubmitOutcome::Rejected { reason } if reason.contains("0 are held")), "{sale:?}");
    let listed = shorting(Shorting::Borrow([(Symbol::new("X").unwrap(), d("15"))].into()));
    assert!(Broker::capabilities(&listed).shorting);
    submit(&listed, &limit("one", Side::Short, "10", "100"));
    let beyond = ready(Broker::submit(&listed, &limit("two", Side::Short, "10", "100")));
    assert!(matches!(&beyond, SubmitOutcome::Rejected { reason } if reason.contains("5 can")), "{beyond:?}");
}

#[test]
fn a_refusal_says_why_and_leaves_nothing() {
    let lots = Instrument { lot: d("10"), ..Instrument::us_share(Symbol::new("X").unwrap()) };
    let table = InstrumentTable::from_instruments([lots]).unwrap();
    let exchange = ExchangeConfig {
        instruments: Some(table),
        check_funds: true,
        price_band: Some(d("0.5")),
        closed_market: ClosedMarket::Refuse,
        script: vec![ScriptedReject { nth: 1, reason: "the test says no".into() }],
        ..documented().exchange
    };
    let broker = broker(with(exchange));
    let mut stream = Broker::events(&broker, None);
    broker.on_bars(&[bar("100", "1000", 60_000)]);
    let before = ready(Broker::account(&broker)).unwrap();
    let other = draft("other", Side::Buy, "10", OrderType::Limit, TimeInForce::Gtc, "100");
    let other = other.symbol("Y").build().unwrap();
    let refused = [
        (limit("scripted", Side::Buy, "10", "100"), "the test says no"),
        (other, "not traded here"),
        (limit("tick", Side::Buy, "10", "100.001"), "no multiple of the tick"),
        (limit("lot", Side::Buy, "11", "100"), "no multiple of the lot"),
        (limit("band", Side::Buy, "10", "151"), "further than"),
        (limit("funds", Side::Buy, "1010", "100"), "is free"),
    ];
    let check = |order: &Order, why: &str| {
        let outcome = ready(Broker::submit(&broker, order));
        assert!(
            matches!(&outcome, SubmitOutcome::Rejected { reason } if reason.contains(why)),
            "{outcome:?}"
        );
        assert_eq!(report(&broker, order), None, "{why}");
    };
    for (order, why) in &refused {
        check(order, why);
    }
    broker.on_session(Closed, at(60_001));
    check(&limit("closed", Side::Buy, "10", "100"), "while the market is closed");
    broker.on_session(Regular, at(60_002));
    assert!(ready(Broker::open_orders(&broker)).unwrap().is_empty());
    assert_eq!(ready(Broker::account(&broker)).unwrap().cash, before.cash);
    assert!(said(&mut stream).is_empty(), "what was never taken is not told of");
    // The same key may be used for what is taken: the refusal was final.
    submit(&broker, &limit("scripted", Side::Buy, "10", "100"));
}

#[test]
fn good_till_cancelled_ends_on_the_last_day_that_it_claims() {
    const DAY: i64 = 86_400_000;
    let broker = broker(with(ExchangeConfig { gtc_max_days: Some(2), ..documented().exchange }));
    assert_eq!(Broker::capabilities(&broker).gtc_max_days, Some(2));
    let mut stream = Broker::events(&broker, None);
    for day in 0..3 {
        broker.on_session(Regular, at(day * DAY + 50_000_000));
        if day == 0 {
            submit(&broker, &limit("k", Side::Buy, "10", "100"));
        }
        assert!(said(&mut stream).is_empty(), "day {day}");
        broker.on_session(Closed, at(day * DAY + 70_000_000));
    }
    assert_eq!(said(&mut stream), ["expired"]);
}
