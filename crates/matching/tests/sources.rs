//! What fills when: quotes, prints, bars, sessions, delays, refusals.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{World, at, d, limit, market, spec, stop, symbol};
use mts_foundation::broker::OrderChange;
use mts_foundation::risk::SessionPhase::{Closed, Extended, Regular};
use mts_foundation::{
    AssetClass, Currency, Decimal, Instrument, InstrumentTable, Order, OrderId, OrderType, Side, Symbol,
    TimeInForce, Timestamp,
};
use mts_matching::{
    BookEvent, BookOrder, BookSide, CancelAnswer, ClosedMarket, Displayed, Exchange, ExchangeConfig,
    MatchEvent, Participant, Reject, ReplaceAnswer, RestingFill, ScriptedReject, Shorting, Standing,
    StopTrigger,
};
use std::collections::BTreeMap;
use std::time::Duration;

fn world() -> World {
    World::new(ExchangeConfig::default())
}

fn delayed(submit: u64, cancel: u64) -> World {
    World::new(ExchangeConfig {
        submit_delay: Duration::from_millis(submit),
        cancel_delay: Duration::from_millis(cancel),
        ..ExchangeConfig::default()
    })
}

fn id(text: &str) -> OrderId {
    OrderId::new(text).unwrap()
}

#[test]
fn an_order_that_arrives_takes_the_touch_as_far_as_its_size_goes() {
    let mut world = world();
    world.quote("99", "5", "101", "7", 1);
    world.take(&market("b", Side::Buy, "10"), 2);
    assert_eq!(world.said(), ["b taker 7 @101"]);
    world.take(&limit("s", Side::Sell, "3", "98"), 3);
    assert_eq!(world.said(), ["s taker 3 @99"]);
    world.take(&market("t", Side::Sell, "9"), 4);
    assert_eq!(world.said(), ["t taker 2 @99"], "two of five were left");
    assert_eq!(world.quote("99", "100", "102", "100", 5), ["b taker 3 @102", "t taker 7 @99"]);
    let config = ExchangeConfig { displayed: Displayed::Unlimited, ..ExchangeConfig::default() };
    let mut deep = World::new(config);
    deep.quote("99", "5", "101", "7", 1);
    deep.take(&market("b", Side::Buy, "10"), 2);
    assert_eq!(deep.said(), ["b taker 10 @101"]);
}

#[test]
fn a_resting_limit_fills_at_its_own_price_by_the_configured_rule() {
    for (rule, at_touch) in [(RestingFill::Touch, true), (RestingFill::Through, false)] {
        let config = ExchangeConfig { resting_fill: rule, ..ExchangeConfig::default() };
        let mut world = World::new(config.clone());
        world.quote("99", "10", "101", "10", 1);
        world.take(&limit("b", Side::Buy, "10", "100"), 2);
        let said = world.quote("99", "10", "100", "10", 3);
        assert_eq!(said.is_empty(), !at_touch, "{said:?}");
        if !at_touch {
            assert_eq!(world.quote("98", "10", "99", "4", 4), ["b maker 4 @100"]);
        }
        let mut prints = World::new(config);
        prints.trade("101", "10", 1);
        prints.take(&limit("b", Side::Buy, "10", "100"), 2);
        assert!(prints.trade("101", "10", 3).is_empty());
        assert_eq!(prints.trade("100", "10", 4).is_empty(), !at_touch);
        if !at_touch {
            assert_eq!(prints.trade("99", "10", 5), ["b maker 10 @100"]);
        }
    }
}

#[test]
fn crossed_one_sided_and_late_quotes_fill_nothing() {
    let mut world = world();
    world.take(&market("b", Side::Buy, "10"), 0);
    for (bid, ask) in [("102", "101"), ("0", "101"), ("99", "0")] {
        assert!(world.quote(bid, "10", ask, "10", 5).is_empty(), "{bid} {ask}");
    }
    assert!(world.quote("99", "10", "101", "10", 4).is_empty(), "older than the last");
    assert_eq!(world.quote("99", "10", "101", "0", 6), ["b taker 10 @101"], "a size that is not stated");
}

#[test]
fn what_there_is_goes_to_market_orders_then_to_better_prices_then_to_the_older() {
    let mut world = world();
    world.quote("90", "1", "110", "1", 1);
    for (name, price) in [("low", "99"), ("old", "100"), ("new", "100")] {
        world.take(&limit(name, Side::Buy, "5", price), 2);
    }
    world.quote("0", "0", "0", "0", 3);
    world.take(&market("market", Side::Buy, "5"), 4);
    let said = world.quote("98", "1", "99", "12", 5);
    assert_eq!(said, ["old maker 5 @100", "new maker 2 @100", "market taker 5 @99"]);
    assert_eq!(world.quote("98", "1", "99", "12", 6), ["low maker 5 @99", "new maker 3 @100"]);
}

#[test]
fn stops_listen_to_the_stated_price_and_gaps_are_met_at_the_worse_price() {
    let mut by_print = world();
    by_print.trade("100", "10", 1);
    by_print.take(&stop("b", Side::Buy, "5", "105"), 2);
    assert!(by_print.quote("104", "10", "106", "10", 3).is_empty(), "a quote does not trigger");
    assert_eq!(by_print.trade("107", "10", 4), ["b taker 5 @106"], "at the offer that is known");
    let quote = ExchangeConfig { stop_trigger: StopTrigger::Quote, ..ExchangeConfig::default() };
    let mut by_quote = World::new(quote);
    by_quote.trade("100", "10", 1);
    by_quote.take(&stop("s", Side::Sell, "5", "95"), 2);
    assert!(by_quote.trade("90", "10", 3).is_empty(), "a print does not trigger");
    assert_eq!(by_quote.quote("80", "10", "82", "10", 4), ["s taker 5 @80"], "the gap");
    let mut prints = world();
    prints.take(&stop("b", Side::Buy, "5", "105"), 0);
    prints.take(&spec("l", Side::Buy, "5", OrderType::StopLimit), 0);
    assert_eq!(prints.trade("110", "9", 1), ["b taker 5 @110", "l triggered"], "110 is beyond the limit 100");
    assert_eq!(prints.trade("100", "9", 2), ["l maker 5 @100"]);
}

#[test]
fn a_share_of_the_volume_is_all_there_is() {
    let config = ExchangeConfig { participation: Some(d("0.1")), ..ExchangeConfig::default() };
    let mut world = World::new(config);
    world.take(&market("a", Side::Buy, "8"), 0);
    world.take(&market("b", Side::Buy, "8"), 0);
    assert_eq!(world.bar(["100", "101", "99", "100"], "100", 60_000), ["a taker 8 @100", "b taker 2 @100"]);
    assert!(world.bar(["100", "101", "99", "100"], "0", 120_000).is_empty());
    assert_eq!(world.bar(["101", "101", "99", "100"], "1000", 180_000), ["b taker 6 @101"]);
    let whole =
        |share: &str| World::new(ExchangeConfig { participation: Some(d(share)), ..Default::default() });
    let mut triggered = whole("0.5");
    triggered.take(&stop("s", Side::Sell, "10", "99"), 0);
    assert_eq!(triggered.bar(["100", "101", "98", "100"], "0", 60_000), ["s triggered"]);
    assert_eq!(triggered.bar(["97", "101", "96", "100"], "100", 120_000), ["s taker 10 @97"]);
}

#[test]
fn an_order_under_way_is_overtaken_and_a_cancellation_loses_to_a_fill() {
    let mut world = delayed(100, 100);
    world.quote("99", "10", "100", "10", 0);
    world.take(&limit("b", Side::Buy, "5", "100"), 10);
    assert!(
        world.quote("100", "10", "101", "10", 50).is_empty(),
        "the offer is gone before the order arrives"
    );
    world.exchange.set_time(at(110), &mut world.events);
    assert!(world.said().is_empty() && world.works("b"));
    let answer = world.exchange.cancel(&id("b"), at(200), &mut world.events);
    assert_eq!(answer, CancelAnswer::UnderWay);
    assert_eq!(world.quote("99", "10", "100", "3", 250), ["b maker 3 @100"], "filled while it is under way");
    world.exchange.cancel(&id("b"), at(260), &mut world.events);
    world.exchange.set_time(at(299), &mut world.events);
    assert!(world.said().is_empty());
    world.exchange.set_time(at(300), &mut world.events);
    assert_eq!(world.said(), ["b cancelled"], "by the first request, not the second");
    let gone = world.exchange.cancel(&id("b"), at(301), &mut world.events);
    assert_eq!(gone, CancelAnswer::NotWorking);
}

#[test]
fn an_order_under_way_misses_the_open_and_a_bar_that_ended() {
    let mut world = delayed(100, 0);
    world.take(&market("a", Side::Buy, "1"), 0);
    assert_eq!(world.bar(["100", "103", "99", "102"], "9", 60_000), ["a taker 1 @102"], "not the open");
    world.take(&market("b", Side::Buy, "1"), 119_950);
    assert!(world.bar(["100", "103", "99", "102"], "9", 120_000).is_empty());
    assert_eq!(world.bar(["104", "104", "104", "104"], "9", 180_000), ["b taker 1 @104"]);
}

#[test]
fn day_orders_of_extended_hours_live_in_their_session_only() {
    let mut world = world();
    let session = |world: &mut World, phase, time| {
        world.exchange.on_session(phase, at(time), &mut world.events);
        world.said()
    };
    session(&mut world, Extended, 1_000);
    world.take(&limit("pre", Side::Buy, "1", "90").extended(), 1_100);
    world.take(&limit("day", Side::Buy, "1", "90"), 1_100);
    world.take(&limit("gtc", Side::Buy, "1", "90").tif(TimeInForce::Gtc), 1_100);
    world.take(&limit("both", Side::Buy, "1", "90").tif(TimeInForce::Gtc).extended(), 1_100);
    let refused = world.submit(&market("m", Side::Buy, "1").extended(), 1_100).unwrap_err();
    assert!(matches!(refused, Reject::ClosedMarket { phase: Extended, .. }), "{refused}");
    assert_eq!(session(&mut world, Regular, 2_000), ["pre expired"]);
    assert_eq!(session(&mut world, Extended, 3_000), ["day expired"]);
    assert_eq!(
        world.quote("80", "9", "85", "9", 3_100),
        ["both taker 1 @85"],
        "the other waits for its session"
    );
    assert!(session(&mut world, Closed, 4_000).is_empty());
    assert!(world.quote("80", "9", "85", "9", 4_100).is_empty());
    session(&mut world, Regular, 5_000);
    assert_eq!(world.quote("80", "9", "85", "9", 5_100), ["gtc taker 1 @85"]);
}

#[test]
fn good_till_cancelled_ends_at_the_venues_most_days() {
    let mut world = World::new(ExchangeConfig { gtc_max_days: Some(2), ..ExchangeConfig::default() });
    world.take(&limit("o", Side::Buy, "1", "1").tif(TimeInForce::Gtc), 0);
    for (day, ended) in [(1, false), (2, true)] {
        world.exchange.on_session_close(at(day * 86_400_000), &mut world.events);
        assert_eq!(!world.works("o"), ended, "day {day}");
    }
    assert_eq!(world.said(), ["o expired"]);
}

#[test]
fn an_order_for_the_opening_meets_the_next_one_and_no_other() {
    let mut world = world();
    world.exchange.on_session(Regular, at(0), &mut world.events);
    world.take(&market("o", Side::Buy, "5").tif(TimeInForce::Opg), 1_000);
    assert!(world.bar(["100", "100", "100", "100"], "9", 60_000).is_empty(), "that opening is over");
    world.exchange.on_session(Closed, at(120_000), &mut world.events);
    assert!(world.said().is_empty() && world.works("o"));
    world.exchange.on_session(Regular, at(180_000), &mut world.events);
    world.take(&market("late", Side::Buy, "5").tif(TimeInForce::Opg), 180_001);
    assert_eq!(world.bar(["104", "105", "100", "101"], "9", 240_000), ["o taker 5 @104"]);
    assert!(world.works("late"));
    let mut blind = self::world();
    blind.exchange.on_session(Closed, at(0), &mut blind.events);
    blind.take(&market("o", Side::Buy, "5").tif(TimeInForce::Opg), 1);
    blind.exchange.on_session(Regular, at(60_000), &mut blind.events);
    assert_eq!(
        blind.bar(["104", "105", "100", "101"], "9", 180_000),
        ["o expired"],
        "the opening was not seen"
    );
}

#[test]
fn a_closed_market_queues_or_refuses() {
    for (rule, taken) in [(ClosedMarket::Queue, true), (ClosedMarket::Refuse, false)] {
        let mut world = World::new(ExchangeConfig { closed_market: rule, ..ExchangeConfig::default() });
        world.exchange.on_session(Closed, at(0), &mut world.events);
        assert_eq!(world.submit(&market("o", Side::Buy, "1"), 1).is_ok(), taken);
        assert!(
            world.submit(&market("i", Side::Buy, "1").tif(TimeInForce::Ioc), 1).is_err(),
            "nothing is there"
        );
    }
}

fn table() -> InstrumentTable {
    InstrumentTable::from_instruments([Instrument {
        symbol: symbol(),
        name: "".into(),
        asset_class: AssetClass::Equities,
        currency: Currency::USD,
        calendar: "XNYS".into(),
        sector: "".into(),
        country: "".into(),
        tick: d("0.01"),
        lot: d("10"),
        multiplier: Decimal::ONE,
        expiry: None,
    }])
    .unwrap()
}

#[test]
fn refusals_are_typed_and_leave_nothing() {
    let config = ExchangeConfig {
        instruments: Some(table()),
        price_band: Some(d("0.1")),
        check_funds: true,
        max_orders: 2,
        script: vec![ScriptedReject { nth: 9, reason: "as the test wants".into() }],
        ..ExchangeConfig::default()
    };
    let mut world = World::new(config);
    world.bar(["100", "100", "100", "100"], "9", 60_000);
    let unknown = common::Spec { symbol: "Y", ..market("o", Side::Buy, "10") };
    type Matches = fn(&Reject) -> bool;
    let cases: [(common::Spec, Matches); 5] = [
        (unknown, |reject| matches!(reject, Reject::UnknownInstrument { .. })),
        (limit("o", Side::Buy, "10", "99.995"), |reject| matches!(reject, Reject::Tick { .. })),
        (market("o", Side::Buy, "15"), |reject| matches!(reject, Reject::Lot { .. })),
        (limit("o", Side::Buy, "10", "89.99"), |reject| matches!(reject, Reject::PriceBand { .. })),
        (limit("o", Side::Buy, "20000", "100"), |reject| matches!(reject, Reject::InsufficientFunds { .. })),
    ];
    for (order, expected) in cases {
        let refused = world.submit(&order, 60_000).unwrap_err();
        assert!(expected(&refused), "{refused}");
        assert!(!world.works("o"));
    }
    world.take(&limit("o", Side::Buy, "6000", "100"), 60_000);
    let second = world.submit(&limit("p", Side::Buy, "6000", "100"), 60_000).unwrap_err();
    assert_eq!(second, Reject::InsufficientFunds { needed: d("600000"), available: d("400000") });
    world.take(&limit("p", Side::Buy, "10", "100"), 60_000);
    let scripted = world.submit(&limit("q", Side::Buy, "10", "100"), 60_000).unwrap_err();
    assert_eq!(scripted.to_string(), "as the test wants", "the ninth");
    let full = world.submit(&limit("q", Side::Buy, "10", "100"), 60_000).unwrap_err();
    assert_eq!(full, Reject::Full { limit: 2 });
    world.standing.position = d("15");
    world.exchange.cancel(&id("p"), at(60_000), &mut world.events);
    world.take(&market("out", Side::Sell, "15"), 60_000);
}

#[test]
fn short_sales_need_permission_or_a_borrow() {
    let mut refused = World::new(ExchangeConfig { shorting: Shorting::Refused, ..ExchangeConfig::default() });
    refused.standing.position = d("10");
    assert!(matches!(refused.submit(&market("s", Side::Short, "1"), 0), Err(Reject::NoShorting { .. })));
    refused.take(&market("a", Side::Sell, "6"), 0);
    let beyond = refused.submit(&market("b", Side::Sell, "6"), 0).unwrap_err();
    assert_eq!(beyond, Reject::NoShorting { wanted: d("12"), held: d("10") });
    let list = BTreeMap::from([(symbol(), d("10"))]);
    let config = ExchangeConfig { shorting: Shorting::Borrow(list), ..ExchangeConfig::default() };
    let mut world = World::new(config);
    world.take(&market("a", Side::Short, "8"), 0);
    let short = world.submit(&market("b", Side::Short, "3"), 0).unwrap_err();
    assert_eq!(short, Reject::NoBorrow { symbol: symbol(), wanted: d("3"), available: d("2") });
    world.exchange.cancel(&id("a"), at(0), &mut world.events);
    world.take(&market("b", Side::Short, "10"), 0);
    world.bar(["100", "100", "100", "100"], "9", 60_000);
    assert!(world.submit(&market("c", Side::Short, "1"), 60_000).is_err(), "filled and still borrowed");
    world.take(&market("d", Side::Cover, "4"), 60_000);
    world.bar(["100", "100", "100", "100"], "9", 120_000);
    world.take(&market("c", Side::Short, "4"), 120_000);
}

#[test]
fn a_change_takes_effect_after_its_delay_and_keeps_the_place_only_for_less_quantity() {
    let change = |quantity: Option<&str>, price: Option<&str>| OrderChange {
        quantity: quantity.map(d),
        limit_price: price.map(d),
        stop_price: None,
    };
    for (wanted, expected) in [
        (change(Some("6"), None), vec!["a maker 6 @100", "b maker 2 @100"]),
        (change(Some("12"), None), vec!["b maker 8 @100"]),
        (change(None, Some("101")), vec!["a maker 8 @101"]),
        (change(None, Some("99")), vec!["b maker 8 @100"]),
    ] {
        let mut world = delayed(0, 100);
        world.quote("90", "9", "110", "9", 0);
        world.take(&limit("a", Side::Buy, "10", "100"), 1);
        world.take(&limit("b", Side::Buy, "10", "100"), 2);
        let answer =
            world.exchange.replace(&id("a"), &wanted, &Standing::default(), at(10), &mut world.events);
        assert_eq!(answer, ReplaceAnswer::UnderWay);
        world.exchange.set_time(at(110), &mut world.events);
        assert!(world.said().iter().any(|text| text.starts_with("a replaced")));
        assert_eq!(world.quote("90", "9", "99.5", "8", 120), expected, "{wanted:?}");
    }
    let mut world = world();
    world.quote("90", "9", "110", "4", 0);
    world.take(&limit("a", Side::Buy, "10", "100"), 1);
    let at_market = change(None, Some("110"));
    assert_eq!(
        world.exchange.replace(&id("a"), &at_market, &Standing::default(), at(2), &mut world.events),
        ReplaceAnswer::Replaced
    );
    assert_eq!(world.said(), ["a taker 4 @110"], "it meets the market where it is now");
    for wrong in [
        change(Some("4"), None),
        change(None, Some("-1")),
        OrderChange { stop_price: Some(d("5")), ..Default::default() },
    ] {
        let answer = world.exchange.replace(&id("a"), &wrong, &Standing::default(), at(3), &mut world.events);
        assert!(matches!(answer, ReplaceAnswer::Rejected(Reject::Terms { .. })), "{answer:?}");
    }
}

/// A row of stops each of which sets off the next ends, however long it is.
#[test]
fn stops_may_set_off_each_other_without_end() {
    const STOPS: i64 = 20_000;
    let mut world = world();
    let mut seen = Vec::new();
    let feed = |world: &mut World, tag: u64, side: BookSide, cents: i64, seen: &mut Vec<BookEvent>| {
        let order = BookOrder {
            tag,
            participant: Participant(if side == BookSide::Ask { 1 } else { 2 }),
            side,
            quantity: Decimal::ONE,
            limit: Some(Decimal::new(cents, 2)),
            tif: TimeInForce::Gtc,
        };
        let symbol = Symbol::new("A").unwrap();
        world.exchange.feed(&symbol, &order, at(1), &mut world.events, seen).unwrap();
    };
    for level in 0..STOPS {
        feed(&mut world, level.unsigned_abs(), BookSide::Ask, 10_001 + level, &mut seen);
    }
    for level in 0..STOPS {
        let stop = Order::builder()
            .order_id(format!("s{level}"))
            .idempotency_key(format!("s{level}"))
            .symbol("A")
            .side(Side::Buy)
            .quantity(Decimal::ONE)
            .order_type(OrderType::Stop)
            .stop_price(Decimal::new(10_001 + level, 2))
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::EPOCH)
            .build()
            .unwrap();
        world.exchange.submit(stop, &Standing::default(), at(2), &mut world.events).unwrap();
    }
    world.events.clear();
    feed(&mut world, 1_000_000, BookSide::Bid, 10_001, &mut seen);
    let filled = world.events.iter().filter(|event| matches!(event, MatchEvent::Filled { .. })).count();
    assert_eq!(
        filled,
        usize::try_from(STOPS).unwrap() - 1,
        "each takes the ask above its stop, and the last finds none"
    );
}

#[test]
fn a_change_is_held_to_what_a_new_order_is_held_to() {
    let change = OrderChange { quantity: Some(Decimal::from(1_000)), limit_price: None, stop_price: None };
    let ten = Standing { position: Decimal::TEN, cash: Decimal::from(1_000) };
    let config = ExchangeConfig { shorting: Shorting::Refused, ..ExchangeConfig::default() };
    let mut exchange = Exchange::new(config).unwrap();
    let mut events = Vec::new();
    let order = |id: &str, side: Side| {
        Order::builder()
            .order_id(id)
            .idempotency_key(id)
            .symbol("A")
            .side(side)
            .quantity(Decimal::TEN)
            .order_type(OrderType::Limit)
            .limit_price(Decimal::from(100))
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::EPOCH)
            .build()
            .unwrap()
    };
    exchange.submit(order("a", Side::Sell), &ten, at(1), &mut events).unwrap();
    let answer = exchange.replace(&id("a"), &change, &ten, at(2), &mut events);
    assert!(matches!(answer, ReplaceAnswer::Rejected(Reject::NoShorting { .. })), "{answer:?}");

    let config = ExchangeConfig { check_funds: true, ..ExchangeConfig::default() };
    let mut exchange = Exchange::new(config).unwrap();
    exchange.submit(order("b", Side::Buy), &ten, at(1), &mut events).unwrap();
    let answer = exchange.replace(&id("b"), &change, &ten, at(2), &mut events);
    assert!(matches!(answer, ReplaceAnswer::Rejected(Reject::InsufficientFunds { .. })), "{answer:?}");

    let config =
        ExchangeConfig { shorting: Shorting::Borrow(Default::default()), ..ExchangeConfig::default() };
    let mut exchange = Exchange::new(config).unwrap();
    let sold = exchange.submit(order("c", Side::Sell), &Standing::default(), at(1), &mut events);
    assert!(matches!(sold, Err(Reject::NoShorting { .. })), "{sold:?}");
}

#[test]
fn a_book_whose_first_order_is_refused_is_none() {
    let mut world = world();
    let symbol = Symbol::new("A").unwrap();
    let nothing = BookOrder {
        tag: 1,
        participant: Participant(1),
        side: BookSide::Ask,
        quantity: Decimal::ZERO,
        limit: None,
        tif: TimeInForce::Gtc,
    };
    let refused = world.exchange.feed(&symbol, &nothing, at(1), &mut world.events, &mut Vec::new());
    assert!(refused.is_err() && world.exchange.book(&symbol).is_none());
}
