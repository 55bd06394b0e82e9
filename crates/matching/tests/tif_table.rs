//! The table of docs/matching.md cell by cell: source × order type × time in force.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{World, at, d, spec, symbol};
use mts_foundation::risk::SessionPhase::{Closed, Regular};
use mts_foundation::{OrderType, Side, TimeInForce};
use mts_matching::{BookOrder, BookSide, ExchangeConfig, Participant};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Bars,
    Quotes,
    Trades,
    Book,
}

const SOURCES: [Source; 4] = [Source::Bars, Source::Quotes, Source::Trades, Source::Book];

fn other(world: &mut World, side: BookSide, quantity: &str, price: &str, tif: TimeInForce, time: i64) {
    let participant = Participant(if side == BookSide::Ask { 1 } else { 2 });
    let order = BookOrder { tag: 0, participant, side, quantity: d(quantity), limit: Some(d(price)), tif };
    world.exchange.feed(&symbol(), &order, at(time), &mut world.events, &mut Vec::new()).unwrap();
}

/// Shows `size` units at `price`.
fn show(world: &mut World, source: Source, price: &str, size: &str, time: i64) {
    match source {
        Source::Bars => world.exchange.on_bars(&[common::bar([price; 4], size, time)], &mut world.events),
        Source::Quotes => {
            world.exchange.on_quote(&common::quote(price, size, price, size, time), &mut world.events);
        }
        Source::Trades => world.exchange.on_trade(&common::trade(price, size, time), &mut world.events),
        Source::Book => other(world, BookSide::Ask, size, price, TimeInForce::Gtc, time),
    }
}

/// What becomes of an order to buy 10 (limit 100, stop 100) when first 6 and then 100 units are shown at `price`, and
/// the session ends.
fn life(source: Source, order_type: OrderType, tif: TimeInForce, price: &str) -> Vec<String> {
    let config = ExchangeConfig { participation: Some(d("1")), ..ExchangeConfig::default() };
    let mut world = World::new(config);
    let order = spec("o", Side::Buy, "10", order_type).tif(tif);
    let opens = tif == TimeInForce::Opg;
    world.exchange.on_session(Closed, at(0), &mut world.events);
    if source == Source::Book {
        // A trade makes a last price, which stops listen to; six units are left.
        other(&mut world, BookSide::Ask, "7", price, TimeInForce::Gtc, 0);
        other(&mut world, BookSide::Bid, "1", price, TimeInForce::Ioc, 0);
    }
    if opens && world.submit(&order, 1).is_err() {
        return vec!["refused".to_owned()];
    }
    world.exchange.on_session(Regular, at(60_000), &mut world.events);
    if !opens && world.submit(&order, 60_000).is_err() {
        return vec!["refused".to_owned()];
    }
    if source != Source::Book {
        show(&mut world, source, price, "6", 120_000);
    }
    show(&mut world, source, price, "100", 180_000);
    world.exchange.on_session(Closed, at(240_000), &mut world.events);
    let mut said = world.said();
    if world.works("o") {
        said.push("works".to_owned());
    }
    said.iter().map(|text| text.strip_prefix("o ").unwrap_or(text).to_owned()).collect()
}

fn expected_reached(source: Source, order_type: OrderType, tif: TimeInForce) -> Vec<&'static str> {
    use OrderType::{Limit, Market, MarketableLimit, Stop, StopLimit};
    const SIX: &str = "taker 6 @100";
    match (order_type, tif) {
        (Stop | StopLimit, TimeInForce::Ioc | TimeInForce::Fok | TimeInForce::Opg) => vec!["refused"],
        (_, TimeInForce::Ioc | TimeInForce::Opg) => vec![SIX, "expired"],
        (_, TimeInForce::Fok) => vec!["rejected"],
        // The rest of a market order takes what comes next; in a book it never rests.
        (Market | Stop, _) if source == Source::Book => vec![SIX, "cancelled"],
        (Market | Stop, _) => vec![SIX, "taker 4 @100"],
        // The rest of a limit order rests; a bar that opens at its price is taken at the open.
        (Limit | MarketableLimit | StopLimit, _) if source == Source::Bars => vec![SIX, "taker 4 @100"],
        (Limit | MarketableLimit | StopLimit, _) => vec![SIX, "maker 4 @100"],
    }
}

#[test]
fn every_cell_when_the_price_is_reached() {
    for source in SOURCES {
        for order_type in OrderType::ALL.iter().copied() {
            for tif in TimeInForce::ALL.iter().copied() {
                let found = life(source, order_type, tif, "100");
                let expected = expected_reached(source, order_type, tif);
                assert_eq!(found, expected, "{source:?} {order_type} {tif}");
            }
        }
    }
}

#[test]
fn every_cell_when_the_price_is_not_reached() {
    use OrderType::{Market, Stop, StopLimit};
    for source in SOURCES {
        for order_type in OrderType::ALL.iter().copied().filter(|kind| *kind != Market) {
            let waits = matches!(order_type, Stop | StopLimit);
            // A buy limit of 100 is too low for a market at 101, a buy stop of 100 too high for one at 99.
            let price = if waits { "99" } else { "101" };
            for tif in TimeInForce::ALL.iter().copied() {
                let expected = match tif {
                    _ if waits && !matches!(tif, TimeInForce::Day | TimeInForce::Gtc) => "refused",
                    TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Opg => "expired",
                    TimeInForce::Fok => "rejected",
                    TimeInForce::Gtc => "works",
                };
                let found = life(source, order_type, tif, price);
                assert_eq!(found, [expected], "{source:?} {order_type} {tif}");
            }
        }
    }
}

#[test]
fn the_documented_examples() {
    for source in [Source::Bars, Source::Quotes, Source::Trades] {
        let run = |tif: TimeInForce, shown: &str| {
            let config = ExchangeConfig { participation: Some(d("1")), ..ExchangeConfig::default() };
            let mut world = World::new(config);
            world.take(&spec("o", Side::Buy, "10000", OrderType::Limit).tif(tif), 0);
            show(&mut world, source, "100", shown, 60_000);
            assert!(!world.works("o"), "nothing stays working");
            world.said()
        };
        assert_eq!(run(TimeInForce::Ioc, "6500"), ["o taker 6500 @100", "o expired"], "{source:?}");
        assert_eq!(run(TimeInForce::Fok, "9999"), ["o rejected"], "{source:?}");
        assert_eq!(run(TimeInForce::Fok, "10000"), ["o taker 10000 @100"], "{source:?}");
    }
}
