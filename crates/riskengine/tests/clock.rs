//! A shell whose clock is put back (R8): no window, rate, day or delay becomes looser by it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod house;
mod venue;

use house::{House, code, now, send, ticket, wide};
use mts_foundation::ActorId;
use mts_foundation::risk::RejectCode;
use mts_riskengine::LiveLimits;
use venue::d;

/// A second, an hour, and a day: over midnight into a trading day that has ended.
const BACK: [i64; 3] = [-1_000, -3_600_000, -86_400_000];

#[test]
fn a_clock_that_is_put_back_opens_no_window_and_gives_no_rate_again() {
    for back in BACK {
        let house = House::new();
        let safe = house.start(LiveLimits {
            max_orders_per_minute: Some(2.0),
            dedup_window_seconds: Some(5.0),
            ..wide()
        });
        send(&safe, ticket("A", "1")).unwrap();
        house.clock.wait(back);
        assert_eq!(code(send(&safe, ticket("A", "1"))), RejectCode::DuplicateContent, "{back}");
        send(&safe, ticket("A", "2")).unwrap();
        assert_eq!(code(send(&safe, ticket("A", "3"))), RejectCode::OrderRate, "{back}");
        // The second counts as sent with the first, so that both leave the window together, a minute after that.
        house.clock.wait(60_000);
        assert_eq!(code(send(&safe, ticket("A", "3"))), RejectCode::OrderRate, "{back}");
        house.clock.wait(-back);
        send(&safe, ticket("A", "3")).unwrap();
    }
}

#[test]
fn a_day_that_has_begun_does_not_begin_again() {
    for back in BACK {
        let house = House::new();
        let safe = house.start(LiveLimits { max_daily_loss: Some(5_000.0), ..wide() });
        now(safe.tick()).unwrap();
        house.venue.inside().extra = d("-4000");
        now(safe.tick()).unwrap();
        house.clock.wait(back);
        now(safe.tick()).unwrap();
        let state = safe.risk_state();
        assert_eq!((state.date.as_str(), state.daily_loss), ("2026-03-02", d("4000")), "{back}");
        house.venue.inside().extra = d("-5001");
        now(safe.tick()).unwrap();
        assert!(safe.killed().unwrap().contains("DAILY_LOSS"), "{back}");
    }
}

#[test]
fn a_delay_does_not_end_sooner() {
    for back in BACK {
        let house = House::new();
        let safe = house.start(wide());
        now(safe.enable_kill_switch("drill")).unwrap();
        house.clock.wait(back);
        let ann = [ActorId::new("ann").unwrap()];
        let refused = safe.disable_kill_switch(&ann, "over").unwrap_err();
        assert!(refused.to_string().contains("from 2026-03-02T15:01:00Z on"), "{back}: {refused}");
        assert!(safe.killed().is_some());
    }
}

#[test]
fn a_price_of_the_future_is_as_stale_as_one_of_the_past() {
    for (away, stale) in [(10_000, false), (10_001, true), (-10_000, false), (-10_001, true)] {
        let house = House::new();
        let safe = house.start(LiveLimits { max_data_staleness_seconds: Some(10.0), ..wide() });
        house.clock.wait(away);
        let sent = send(&safe, ticket("A", "1").limit(d("99")));
        assert_eq!(sent.is_err(), stale, "{away}: {sent:?}");
        if stale {
            assert_eq!(code(sent), RejectCode::StaleReferencePrice, "{away}");
        }
    }
}
