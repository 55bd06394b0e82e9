//! The ways out of a position through `SafeBroker`: closing, which passes what holds other orders back, and stops.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod house;
mod venue;

use house::{House, now, send, ticket, wide};
use mts_foundation::{Broker, Clock, EnvelopeId, FundId, RiskEnvelope, Side};
use mts_riskengine::safe_broker::{NoticeKind, SafeBrokerError};
use mts_riskengine::{LiveLimits, SafeBroker};
use venue::{Mood, d, symbol};

#[test]
fn closing_passes_the_kill_switch_cancels_first_and_happens_once() {
    let house = House::new();
    house.venue.hold("A", "10");
    let safe = house.start(LiveLimits { max_order_shares: Some(1.0), ..wide() });
    let held = [now(safe.positions()), now(Broker::positions(&safe))];
    for held in held.map(Result::unwrap) {
        assert_eq!(
            held.iter().map(|held| (held.symbol.as_str(), held.quantity)).collect::<Vec<_>>(),
            [("A", d("10"))]
        );
    }
    house.venue.inside().mood = Mood::Rests;
    send(&safe, ticket("A", "1").limit(d("99"))).unwrap();
    send(&safe, ticket("A", "-1").limit(d("101"))).unwrap();
    now(safe.enable_kill_switch("drill")).unwrap();
    let first = now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    assert_eq!((first.side, first.quantity), (Side::Sell, d("10")));
    let again = now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    assert_eq!(again.order_id, first.order_id);
    assert_eq!(house.venue.count("submit"), 3, "two limit orders and one close");
    house.venue.fill_first("10");
    now(safe.tick()).unwrap();
    assert_eq!(now(safe.close_position(&symbol("A"))).unwrap(), None, "nothing is held");
    assert_eq!(now(safe.get_position(&symbol("A"))).unwrap(), None);
}

#[test]
fn many_threads_close_once() {
    let house = House::new();
    house.venue.hold("A", "10");
    house.venue.hold("B", "-7");
    let safe = house.start(wide());
    house.venue.inside().mood = Mood::Rests;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| match now(safe.close_position(&symbol("A"))) {
                Ok(_) | Err(SafeBrokerError::ClosingAlready { .. }) => {}
                Err(error) => panic!("{error}"),
            });
            scope.spawn(|| now(safe.close_all_positions()).unwrap());
        }
    });
    let inside = house.venue.inside();
    let mut sent: Vec<_> = inside
        .orders
        .iter()
        .map(|(order, _)| (order.symbol.to_string(), order.side, order.quantity))
        .collect();
    sent.sort();
    assert_eq!(sent, [("A".to_owned(), Side::Sell, d("10")), ("B".to_owned(), Side::Cover, d("7"))]);
}

#[test]
fn a_close_waits_for_cancellations_that_are_not_confirmed() {
    let house = House::new();
    house.venue.hold("A", "10");
    let safe = house.start(wide());
    house.venue.inside().mood = Mood::Rests;
    send(&safe, ticket("A", "-4").limit(d("101"))).unwrap();
    house.venue.inside().cancels_unknown = true;
    let refused = now(safe.close_position(&symbol("A")));
    assert!(matches!(refused, Err(SafeBrokerError::CancelUnconfirmed { .. })), "{refused:?}");
    house.venue.fill_first("4");
    house.venue.inside().cancels_unknown = false;
    let closed = now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    assert_eq!(closed.quantity, d("6"), "what was filled meanwhile is not closed again");
}

#[test]
fn a_close_without_a_fresh_price_says_so() {
    let house = House::new();
    house.venue.hold("A", "10");
    let safe = house.builder(LiveLimits { max_data_staleness_seconds: Some(5.0), ..wide() }).start().unwrap();
    house.quote(&safe, "A");
    now(safe.tick()).unwrap();
    let told = || {
        let mut notices = safe.notices().into_iter();
        notices.any(|notice| matches!(notice.kind, NoticeKind::ClosedWithoutReference { .. }))
    };
    send(&safe, ticket("A", "1")).unwrap();
    send(&safe, ticket("A", "-1")).unwrap();
    now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    assert!(!told(), "nothing lacked a price");
    house.venue.hold("A", "10");
    now(safe.tick()).unwrap();
    house.clock.wait(6_000);
    house.venue.inside().mood = Mood::Rests;
    // The quote is six seconds old; how old the account's own price is nobody knows.
    now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    assert!(told());
}

#[test]
fn a_position_that_reaches_its_stop_is_closed_once_also_over_a_restart() {
    let house = House::new();
    house.venue.hold("A", "10");
    let with_stop = || {
        let clock = house.clock.now();
        let id = EnvelopeId::new("e").unwrap();
        let mut envelope =
            RiskEnvelope::with_defaults(id, FundId::new("account").unwrap(), d("100000"), clock);
        envelope.synthetic_stop_pct = 0.1;
        envelope.daily_loss_halt_pct = 1.0;
        envelope.allowed_brokers = vec!["venue".parse().unwrap()];
        SafeBroker::wrap(house.venue.clone(), house.clock.clone())
            .envelope(envelope)
            .state_file(house.state_file())
            .unwrap()
            .start()
            .unwrap()
    };
    let safe = with_stop();
    house.venue.inside().mood = Mood::Rests;
    now(safe.tick()).unwrap();
    house.venue.price("A", "90.01");
    house.quote(&safe, "A");
    assert_eq!(house.venue.count("submit"), 0, "9.99 % is not 10");
    house.venue.price("A", "90");
    house.quote(&safe, "A");
    assert_eq!(house.venue.count("submit"), 1);
    house.quote(&safe, "A");
    now(safe.tick()).unwrap();
    assert_eq!(house.venue.count("submit"), 1, "once");
    drop(safe);
    let safe = with_stop();
    now(safe.tick()).unwrap();
    house.quote(&safe, "A");
    assert_eq!(house.venue.count("submit"), 1, "also over a restart");
    house.venue.fill_first("10");
    now(safe.tick()).unwrap();
    house.venue.hold("A", "10");
    now(safe.tick()).unwrap();
    assert_eq!(house.venue.count("submit"), 1, "the account may just lag behind the close");
    house.clock.wait(60_000);
    now(safe.tick()).unwrap();
    assert_eq!(house.venue.count("submit"), 2, "another position has a stop of its own");
}
