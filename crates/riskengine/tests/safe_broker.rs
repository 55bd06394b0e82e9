//! The shell around a broker, against a venue that misbehaves on command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod house;
mod venue;

use house::{House, code, now, send, ticket, wide};
use mts_foundation::broker::{CancelOutcome, DynBroker, OrderRef, SubmitOutcome};
use mts_foundation::risk::{
    AsyncRiskGate, Gate, HaltMode, HaltRequest, HaltScope, OrderContext, RejectCode, Rejection,
    ResumeRequest, RiskAction,
};
use mts_foundation::{
    ActorId, Broker, BrokerEvent, CashFlow, CashKind, Clock, Currency, Cursor, Decimal, FundId,
    IdempotencyKey, Order, OrderType, RiskEnvelope, Side,
};
use mts_riskengine::safe_broker::{NoticeKind, OrderTicket, SafeBrokerError, StartError};
use mts_riskengine::store::StateFile;
use mts_riskengine::{LiveLimits, SafeBroker};
use std::sync::{Arc, Mutex};
use venue::{Mood, d, symbol};

fn ann() -> Vec<ActorId> {
    vec![ActorId::new("ann").unwrap()]
}

#[test]
fn the_sign_and_the_position_make_the_side() {
    let house = House::new();
    house.venue.hold("A", "10");
    house.venue.hold("B", "-10");
    let safe = house.start(wide());
    let side = |name: &str, units: &str| send(&safe, ticket(name, units)).unwrap().side;
    assert_eq!((side("A", "5"), side("A", "-5")), (Side::Buy, Side::Sell));
    assert_eq!((side("B", "5"), side("B", "-5")), (Side::Cover, Side::Short));
    assert_eq!((side("C", "-5"), side("C", "5")), (Side::Short, Side::Cover));
    assert!(matches!(send(&safe, ticket("A", "-11")), Err(SafeBrokerError::ThroughZero(_))));
    assert!(matches!(send(&safe, ticket("A", "0")), Err(SafeBrokerError::Quantity { .. })));
    let mut signed = ticket("A", "-1");
    signed.side = Some(mts_foundation::order_intent::Intent::Buy);
    assert!(matches!(send(&safe, signed), Err(SafeBrokerError::Quantity { .. })));
    let priced = OrderTicket { limit_price: Some(d("5")), ..ticket("A", "1") };
    assert!(matches!(send(&safe, priced), Err(SafeBrokerError::Invalid(_))));
    assert_eq!(house.venue.count("submit"), 6, "what is not well formed never leaves");
}

#[test]
fn a_refusal_has_code_limit_and_observed_value_and_nothing_leaves() {
    let house = House::new();
    let safe = house.start(LiveLimits::default());
    let Err(SafeBrokerError::Refused(rejection)) = send(&safe, ticket("A", "501")) else { panic!("passed") };
    assert_eq!((rejection.gate, rejection.code), (Gate::OrderQuantity, RejectCode::MaxOrderQuantity));
    assert_eq!((rejection.limit, rejection.observed), (Some(d("500")), Some(d("501"))));
    assert_eq!(house.venue.count("submit"), 0);
    let kinds: Vec<_> = safe.notices().into_iter().map(|notice| notice.kind).collect();
    assert!(matches!(kinds.as_slice(), [NoticeKind::Refused { .. }]), "{kinds:?}");
    let order = Order::builder()
        .order_id("own")
        .idempotency_key("own")
        .symbol("A")
        .side(Side::Buy)
        .quantity(d("501"))
        .order_type(OrderType::Market)
        .fund_id("account")
        .strategy_id("s")
        .broker("venue")
        .actor("a")
        .created_at(house.clock.now())
        .build()
        .unwrap();
    let SubmitOutcome::NotSent { reason } = now(Broker::submit(&safe, &order)) else { panic!("passed") };
    assert!(reason.starts_with("MAX_ORDER_QUANTITY: "), "{reason}");
}

#[test]
fn working_orders_of_this_and_of_other_programs_count() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let safe = house.start(LiveLimits { max_position_shares: Some(100.0), ..wide() });
    let first = send(&safe, ticket("A", "60").limit(d("99"))).unwrap();
    assert_eq!(code(send(&safe, ticket("A", "41").limit(d("98")))), RejectCode::MaxPositionQuantity);
    house.venue.fill_first("20");
    send(&safe, ticket("A", "40").limit(d("97"))).unwrap();
    assert!(now(safe.cancel_order(&first.order_id)).unwrap());
    // 20 held, 40 working.
    send(&safe, ticket("A", "40").limit(d("96"))).unwrap();
    assert_eq!(code(send(&safe, ticket("A", "1").limit(d("95")))), RejectCode::MaxPositionQuantity);
    let stranger = House::new();
    stranger.venue.inside().mood = Mood::Rests;
    let other =
        stranger.builder(wide()).state_file(stranger.folder.path().join("other")).unwrap().start().unwrap();
    stranger.quote(&other, "A");
    send(&other, ticket("A", "90").limit(d("99"))).unwrap();
    let safe = stranger.start(LiveLimits { max_position_shares: Some(100.0), ..wide() });
    assert_eq!(code(send(&safe, ticket("A", "11"))), RejectCode::MaxPositionQuantity);
}

#[test]
fn many_threads_cannot_race_past_a_limit() {
    for mood in [Mood::Fills, Mood::Rests] {
        let house = House::new();
        house.venue.inside().mood = mood;
        let limits =
            LiveLimits { max_position_shares: Some(100.0), max_orders_per_minute: Some(150.0), ..wide() };
        let safe = house.start(limits);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let (safe, house) = (&safe, &house);
                    scope.spawn(move || {
                        let mut passed = 0;
                        for round in 0..100 {
                            let units = 1 + (thread * 7 + round) % 5;
                            let name = if round % 2 == 0 { "A" } else { "B" };
                            let order = match mood {
                                Mood::Rests => ticket(name, &units.to_string()).limit(d("90")),
                                _ => ticket(name, &units.to_string()),
                            };
                            if send(safe, order).is_ok() {
                                passed += 1;
                            }
                            house.clock.wait(1);
                        }
                        passed
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(house.venue.inside().orders.len(), passed);
        assert!(passed <= 150, "{passed}");
        // However the threads were scheduled, what they left of the limit can be used, and no more.
        let met = (0..400).any(|_| {
            house.clock.wait(1);
            let order = match mood {
                Mood::Rests => ticket("A", "1").limit(d("90")),
                _ => ticket("A", "1"),
            };
            send(&safe, order).is_err_and(|error| code(Err(error)) == RejectCode::MaxPositionQuantity)
        });
        let worst = house.venue.inside().worst;
        assert!(met && worst == d("100"), "{mood:?}: {worst}");
    }
}

#[test]
fn the_same_key_is_sent_once_also_by_many_threads() {
    let house = House::new();
    let safe = house.start(wide());
    let keyed =
        || OrderTicket { idempotency_key: Some(IdempotencyKey::new("k").unwrap()), ..ticket("A", "5") };
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| match send(&safe, keyed()) {
                Ok(_) | Err(SafeBrokerError::UnderWay { .. }) => {}
                Err(error) => panic!("{error}"),
            });
        }
    });
    assert_eq!(house.venue.count("submit"), 1);
    let other = OrderTicket { quantity: d("6"), ..keyed() };
    assert_eq!(code(send(&safe, other)), RejectCode::IdempotencyConflict);
    drop(safe);
    let safe = house.start(wide());
    send(&safe, keyed()).unwrap();
    assert_eq!(house.venue.count("submit"), 1, "a restart forgets no key");
    house.clock.wait(299_000);
    send(&safe, keyed()).unwrap();
    assert_eq!(house.venue.count("submit"), 1);
    house.clock.wait(1_000);
    assert_eq!(code(send(&safe, keyed())), RejectCode::IdempotencyKeyReused);
    drop(safe);
    let safe = house.start(wide());
    house.clock.wait(86_399_000);
    assert_eq!(code(send(&safe, keyed())), RejectCode::IdempotencyKeyReused);
    house.clock.wait(2_000);
    send(&safe, keyed()).unwrap();
    assert_eq!(house.venue.count("submit"), 2, "after a day the key is new");
}

#[test]
fn windows_and_counters_survive_a_restart() {
    let house = House::new();
    let limits =
        || LiveLimits { max_orders_per_minute: Some(2.0), dedup_window_seconds: Some(5.0), ..wide() };
    let safe = house.start(limits());
    send(&safe, ticket("A", "1")).unwrap();
    assert_eq!(code(send(&safe, ticket("A", "1"))), RejectCode::DuplicateContent);
    drop(safe);
    let safe = house.start(limits());
    assert_eq!(code(send(&safe, ticket("A", "1"))), RejectCode::DuplicateContent);
    send(&safe, ticket("A", "2")).unwrap();
    drop(safe);
    // The envelope of the configuration is a moment younger than the one that was kept.
    house.clock.wait(1);
    let safe = house.start(limits());
    assert_eq!(code(send(&safe, ticket("A", "3"))), RejectCode::OrderRate);
    assert_eq!(safe.risk_state().orders_placed, 2);
    house.clock.wait(60_000);
    send(&safe, ticket("A", "3")).unwrap();
}

#[test]
fn the_kill_switch_stays_over_restarts_and_days_and_cancels_everything() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let safe = house.start(wide());
    send(&safe, ticket("A", "5").limit(d("99"))).unwrap();
    now(safe.enable_kill_switch("Manual")).unwrap();
    assert!(now(Broker::open_orders(&safe)).unwrap().is_empty(), "working orders are cancelled");
    assert_eq!(code(send(&safe, ticket("B", "1"))), RejectCode::KillSwitch);
    drop(safe);
    house.clock.wait(86_400_000);
    let safe = house.start(wide());
    assert_eq!(safe.killed().as_deref(), Some("Manual"));
    assert_eq!(code(send(&safe, ticket("B", "1"))), RejectCode::KillSwitch);
    let state = safe.risk_state();
    assert_eq!((state.kill_switch_activated, state.kill_switch_reason.as_str()), (true, "Manual"));
    let refused = safe.disable_kill_switch(&[ActorId::new("eve").unwrap()], "fine").unwrap_err();
    assert!(refused.to_string().contains("eve is no operator"), "{refused}");
    safe.disable_kill_switch(&ann(), "looked at it").unwrap();
    send(&safe, ticket("B", "1").limit(d("99"))).unwrap();
}

#[test]
fn one_operator_alone_waits_and_two_do_not() {
    let house = House::new();
    let safe = house.start(wide());
    now(safe.enable_kill_switch("drill")).unwrap();
    house.clock.wait(59_999);
    let refused = safe.disable_kill_switch(&ann(), "over").unwrap_err();
    assert!(refused.to_string().contains("from 2026-03-02T15:01:00Z on"), "{refused}");
    let both = ["ann", "bob"].map(|name| ActorId::new(name).unwrap());
    safe.disable_kill_switch(&both, "over").unwrap();
    now(safe.enable_kill_switch("drill")).unwrap();
    house.clock.wait(60_000);
    safe.disable_kill_switch(&ann(), "over").unwrap();
}

#[test]
fn a_loss_beyond_its_limit_refuses_kills_and_stays() {
    for (limits, code_of_loss, at, beyond) in [
        (LiveLimits { max_daily_loss: Some(5_000.0), ..wide() }, RejectCode::DailyLoss, "95000", "94999.99"),
        (LiveLimits { max_drawdown_pct: Some(0.05), ..wide() }, RejectCode::Drawdown, "95000", "94999.99"),
    ] {
        let house = House::new();
        let safe = house.start(limits.clone());
        house.venue.inside().mood = Mood::Rests;
        send(&safe, ticket("A", "1").limit(d("99"))).unwrap();
        house.venue.inside().extra = d(at) - d("100000");
        send(&safe, ticket("A", "1").limit(d("98"))).unwrap();
        house.venue.inside().extra = d(beyond) - d("100000");
        assert_eq!(code(send(&safe, ticket("A", "1").limit(d("97")))), code_of_loss);
        assert_eq!(code(send(&safe, ticket("A", "1").limit(d("96")))), RejectCode::KillSwitch);
        assert!(now(Broker::open_orders(&safe)).unwrap().is_empty(), "a kill cancels what works");
        house.venue.inside().extra = Decimal::ZERO;
        drop(safe);
        let safe = house.start(limits);
        assert_eq!(code(send(&safe, ticket("A", "1"))), RejectCode::KillSwitch);
    }
}

#[test]
fn losses_are_found_without_orders_and_the_day_rolls_in_a_running_process() {
    let house = House::new();
    let limits = LiveLimits { max_daily_loss: Some(5_000.0), ..wide() };
    let safe = house.start(limits);
    now(safe.tick()).unwrap();
    house.venue.inside().extra = d("-4000");
    now(safe.tick()).unwrap();
    assert_eq!((safe.risk_state().daily_loss, safe.killed()), (d("4000"), None));
    house.clock.wait(9 * 3_600_000);
    now(safe.tick()).unwrap();
    assert_eq!(safe.risk_state().date, "2026-03-03");
    assert_eq!(safe.risk_state().daily_loss, Decimal::ZERO, "a new day begins at the value of its beginning");
    house.venue.inside().extra = d("-9000");
    now(safe.tick()).unwrap();
    assert_eq!(safe.killed(), None, "5,000 is the limit itself");
    house.venue.inside().extra = d("-9001");
    now(safe.tick()).unwrap();
    assert!(safe.killed().unwrap().contains("DAILY_LOSS"), "nobody sent an order");
}

#[test]
fn a_short_that_loses_is_a_loss_and_one_that_gains_is_none() {
    let house = House::new();
    house.venue.hold("A", "-500");
    house.venue.inside().cash = d("150000");
    let safe = house.start(LiveLimits { max_drawdown_pct: Some(0.05), ..wide() });
    now(safe.tick()).unwrap();
    house.venue.price("A", "80");
    house.quote(&safe, "A");
    now(safe.tick()).unwrap();
    assert_eq!((safe.killed(), safe.risk_state().high_water_mark), (None, d("110000")));
    house.venue.price("A", "92");
    house.quote(&safe, "A");
    assert!(safe.killed().is_some(), "104,000 is more than 5 % below 110,000");
}

#[test]
fn capital_flows_are_no_loss() {
    let house = House::new();
    let safe =
        house.start(LiveLimits { max_daily_loss: Some(5_000.0), max_drawdown_pct: Some(0.05), ..wide() });
    now(safe.tick()).unwrap();
    house.venue.inside().cash = d("50000");
    let flow = CashFlow {
        id: "c-1".into(),
        kind: CashKind::Withdrawal,
        amount: d("-50000"),
        currency: Currency::USD,
        symbol: None,
        time: house.clock.now(),
    };
    let event = BrokerEvent::Cash { flow, cursor: Cursor::new("1").unwrap() };
    house.venue.inside().events.extend([event.clone(), event]);
    let mut events = Broker::events(&safe, None);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..3 {
        let _seen = events.as_mut().poll_next(&mut context);
    }
    drop(events);
    now(safe.tick()).unwrap();
    assert_eq!(safe.killed(), None, "told twice, counted once");
    assert_eq!(safe.risk_state().high_water_mark, d("50000"));
}

#[test]
fn an_account_that_cannot_be_read_lets_nothing_pass() {
    let house = House::new();
    let safe = house.start(wide());
    house.venue.inside().account_fails = true;
    assert!(matches!(send(&safe, ticket("A", "1")), Err(SafeBrokerError::Account(_))));
    assert_eq!(house.venue.count("submit"), 0);
}

#[test]
fn an_order_that_may_be_live_counts_blocks_and_is_resolved_by_evidence() {
    let house = House::new();
    let safe = house.start(LiveLimits { max_position_shares: Some(100.0), ..wide() });
    house.venue.inside().mood = Mood::Swallows;
    assert!(matches!(send(&safe, ticket("A", "60").limit(d("99"))), Err(SafeBrokerError::Unknown { .. })));
    house.venue.inside().mood = Mood::Rests;
    // The next reading finds it at the venue.
    assert_eq!(code(send(&safe, ticket("A", "41").limit(d("98")))), RejectCode::MaxPositionQuantity);
    house.venue.inside().mood = Mood::Loses;
    assert!(matches!(send(&safe, ticket("B", "60").limit(d("99"))), Err(SafeBrokerError::Unknown { .. })));
    house.venue.inside().mood = Mood::Rests;
    let Err(SafeBrokerError::Unresolved { order_id, .. }) = send(&safe, ticket("B", "1").limit(d("98")))
    else {
        panic!("passed")
    };
    // Of the same strategy nothing is opened elsewhere either; what closes elsewhere does not wait.
    assert!(matches!(send(&safe, ticket("C", "1").limit(d("98"))), Err(SafeBrokerError::Unresolved { .. })));
    house.venue.hold("C", "1");
    now(safe.tick()).unwrap();
    send(&safe, ticket("C", "-1").limit(d("102"))).unwrap();
    drop(safe);
    let safe = house.start(LiveLimits { max_position_shares: Some(100.0), ..wide() });
    assert!(matches!(send(&safe, ticket("B", "1").limit(d("98"))), Err(SafeBrokerError::Unresolved { .. })));
    safe.resolve(&order_id, "not in the account").unwrap();
    send(&safe, ticket("B", "100").limit(d("98"))).unwrap();
}

#[test]
fn what_the_venue_refuses_or_never_gets_counts_no_longer() {
    let house = House::new();
    let limits = LiveLimits {
        max_position_shares: Some(100.0),
        max_orders_per_minute: Some(2.0),
        dedup_window_seconds: Some(1.0),
        ..wide()
    };
    let safe = house.start(limits);
    house.venue.inside().mood = Mood::Rejects;
    assert!(matches!(send(&safe, ticket("A", "100")), Err(SafeBrokerError::VenueRejected { .. })));
    // What the venue refused has been sent; what it never got has not.
    assert_eq!(code(send(&safe, ticket("A", "100"))), RejectCode::DuplicateContent);
    house.clock.wait(1_000);
    house.venue.inside().mood = Mood::Down;
    for _ in 0..5 {
        assert!(matches!(send(&safe, ticket("A", "100")), Err(SafeBrokerError::NotSent { .. })));
    }
    house.venue.inside().mood = Mood::Fills;
    send(&safe, ticket("A", "100")).unwrap();
    assert_eq!(safe.risk_state().orders_placed, 1);
}

/// Answers what a test puts in, after the test did something.
struct Asked {
    answer: Mutex<Option<Box<Rejection>>>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl AsyncRiskGate for Asked {
    fn name(&self) -> &str {
        "asked"
    }
    async fn check(
        &self,
        _: &Order,
        _: Option<&RiskEnvelope>,
        _: &OrderContext,
    ) -> Result<(), Box<Rejection>> {
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        self.answer.lock().unwrap().take().map_or(Ok(()), Err)
    }
}

#[test]
fn the_pure_gates_run_again_after_somebody_was_asked_and_a_veto_frees_what_was_reserved() {
    let house = House::new();
    let gate = Arc::new(Asked { answer: Mutex::new(None), meanwhile: Mutex::new(None) });
    let limits = LiveLimits { max_position_shares: Some(100.0), ..wide() };
    let safe = Arc::new(house.builder(limits).async_gates(vec![gate.clone()]).start().unwrap());
    house.quote(&safe, "A");
    house.venue.inside().mood = Mood::Rests;
    // While it is asked about 60, another 41 must not pass: the 60 are reserved.
    let inner = safe.clone();
    *gate.meanwhile.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(code(send(&inner, ticket("A", "41").limit(d("99")))), RejectCode::MaxPositionQuantity);
    }));
    send(&safe, ticket("A", "60").limit(d("99"))).unwrap();
    // The kill switch goes on while it is asked.
    let inner = safe.clone();
    *gate.meanwhile.lock().unwrap() = Some(Box::new(move || {
        now(inner.enable_kill_switch("meanwhile")).unwrap();
    }));
    assert_eq!(code(send(&safe, ticket("A", "10").limit(d("98")))), RejectCode::KillSwitch);
    let both = ["ann", "bob"].map(|name| ActorId::new(name).unwrap());
    safe.disable_kill_switch(&both, "over").unwrap();
    let veto = Rejection {
        gate: Gate::Veto,
        code: RejectCode::Vetoed,
        limit: None,
        observed: None,
        message: "no".to_owned(),
    };
    *gate.answer.lock().unwrap() = Some(Box::new(veto));
    assert_eq!(code(send(&safe, ticket("A", "100").limit(d("98")))), RejectCode::Vetoed);
    send(&safe, ticket("A", "100").limit(d("98"))).unwrap();
}

#[test]
fn a_position_that_nobody_ordered_is_an_incident_and_past_a_size_a_halt() {
    let house = House::new();
    house.venue.hold("A", "10");
    let safe = house.builder(wide()).reconcile_halt_value(d("1500")).start().unwrap();
    let mismatches = |safe: &SafeBroker| {
        let notices = safe.notices().into_iter();
        notices.filter(|notice| matches!(notice.kind, NoticeKind::PositionMismatch { .. })).count()
    };
    now(safe.reconcile()).unwrap();
    send(&safe, ticket("A", "5")).unwrap();
    now(safe.reconcile()).unwrap();
    now(safe.reconcile()).unwrap();
    assert_eq!(mismatches(&safe), 0, "our own fills explain what changed");
    house.venue.hold("A", "30");
    assert_eq!(now(safe.reconcile()).unwrap(), [], "once may be a fill between two questions");
    assert_eq!(now(safe.reconcile()).unwrap().len(), 1);
    assert_eq!((mismatches(&safe), safe.halts().len()), (1, 0), "1,500 is the size itself");
    now(safe.reconcile()).unwrap();
    now(safe.reconcile()).unwrap();
    assert_eq!(mismatches(&safe), 0, "each difference is told once");
    house.venue.hold("A", "46");
    now(safe.reconcile()).unwrap();
    now(safe.reconcile()).unwrap();
    assert_eq!(safe.halts().first().unwrap().requested_by.as_str(), "exit-reconciler");
    assert_eq!(code(send(&safe, ticket("A", "1"))), RejectCode::FundHalted);
    send(&safe, ticket("A", "-1")).unwrap();
}

#[test]
fn positions_are_compared_once_in_a_while_and_not_at_every_tick() {
    let house = House::new();
    let safe = house.builder(wide()).reconcile_halt_value(d("1")).start().unwrap();
    now(safe.tick()).unwrap();
    house.venue.hold("A", "10");
    for _ in 0..3 {
        house.clock.wait(59_999);
        now(safe.tick()).unwrap();
        now(safe.tick()).unwrap();
        assert!(safe.halts().is_empty(), "at most one comparison saw it");
        house.clock.wait(1);
        if safe.halts().is_empty() {
            now(safe.tick()).unwrap();
        }
        if !safe.halts().is_empty() {
            return;
        }
    }
    panic!("a minute is over more than twice, and nobody compared");
}

#[test]
fn a_state_that_cannot_be_saved_stops_new_orders_and_lets_closes_pass() {
    #[derive(Debug)]
    struct Full(Arc<Mutex<bool>>);
    impl mts_riskengine::store::RiskStore for Full {
        fn load(&mut self) -> Result<Option<Vec<u8>>, mts_riskengine::store::StoreError> {
            Ok(None)
        }
        fn save(&mut self, _: &[u8]) -> Result<(), mts_riskengine::store::StoreError> {
            if *self.0.lock().unwrap() {
                let source = std::io::Error::other("no space left");
                let (path, operation) = ("state".into(), "writing");
                return Err(mts_riskengine::store::StoreError::Io { path, operation, source });
            }
            Ok(())
        }
    }
    let house = House::new();
    house.venue.hold("A", "10");
    let full = Arc::new(Mutex::new(false));
    let safe = house.builder(wide()).store(Box::new(Full(full.clone()))).start().unwrap();
    house.quote(&safe, "A");
    house.quote(&safe, "B");
    send(&safe, ticket("A", "1")).unwrap();
    *full.lock().unwrap() = true;
    assert!(matches!(send(&safe, ticket("B", "1")), Err(SafeBrokerError::State(_))));
    *full.lock().unwrap() = false;
    assert!(matches!(send(&safe, ticket("B", "1")), Err(SafeBrokerError::State(_))), "no second try");
    assert_eq!(house.venue.count("submit"), 1);
    assert!(now(safe.close_position(&symbol("A"))).unwrap().is_some());
    assert!(safe.halts().is_empty());
}

#[test]
fn a_state_that_is_gone_damaged_or_in_use_is_no_fresh_start() {
    let house = House::new();
    let safe = house.start(wide());
    now(safe.enable_kill_switch("drill")).unwrap();
    let again = house.builder(wide()).start().unwrap_err();
    assert!(matches!(&again, StartError::Store(error) if error.to_string().contains("in use")), "{again}");
    drop(safe);
    let bytes = std::fs::read(house.state_file()).unwrap();
    std::fs::remove_file(house.state_file()).unwrap();
    let gone = house.builder(wide()).start().unwrap_err().to_string();
    assert!(gone.contains("was there and is gone"), "{gone}");
    std::fs::write(house.state_file(), &bytes[..bytes.len() - 1]).unwrap();
    let torn = house.builder(wide()).start().unwrap_err().to_string();
    assert!(torn.contains("damaged"), "{torn}");
    std::fs::write(house.state_file(), &bytes).unwrap();
    assert_eq!(house.start(wide()).killed().as_deref(), Some("drill"));
    std::fs::remove_file(house.state_file()).unwrap();
    drop(StateFile::replace(house.state_file()).unwrap());
    let none = SafeBroker::wrap(house.venue.clone(), house.clock.clone()).start().unwrap_err();
    assert!(matches!(none, StartError::NoStore));
}

#[test]
fn halts_of_people_are_sticky_and_resumed_by_operators() {
    let house = House::new();
    let safe = house.start(wide());
    let scope = HaltScope::Fund(FundId::new("account").unwrap());
    let halt = HaltRequest {
        scope: scope.clone(),
        mode: HaltMode::Full,
        reason: "news".to_owned(),
        causes: Vec::new(),
        requested_by: ActorId::new("ann").unwrap(),
        timestamp: house.clock.now(),
    };
    safe.halt(halt).unwrap();
    drop(safe);
    let safe = house.start(wide());
    assert_eq!(code(send(&safe, ticket("A", "1"))), RejectCode::FundHalted);
    let resume = ResumeRequest {
        scope: Some(scope),
        operators: vec![ActorId::new("ann").unwrap(), ActorId::new("bob").unwrap()],
        reason: "read it".to_owned(),
        timestamp: house.clock.now(),
    };
    safe.resume(resume).unwrap();
    send(&safe, ticket("A", "1")).unwrap();
    let told = safe.notices().into_iter();
    let resumed = told.filter(|notice| matches!(notice.kind, NoticeKind::Risk(RiskAction::Resumed { .. })));
    assert_eq!(resumed.count(), 1);
}

#[test]
fn changes_in_place_are_not_offered_and_the_rest_passes_through() {
    let house = House::new();
    let safe = house.start(wide());
    let safe: &dyn DynBroker = &safe;
    assert!(!safe.capabilities().replace);
    assert_eq!(safe.name(), "safe-venue");
    now(safe.connect()).unwrap();
    now(safe.close()).unwrap();
    assert!(now(safe.health()).connected);
    assert_eq!((house.venue.count("connect"), house.venue.count("close")), (1, 1));
    assert!(now(safe.order(&OrderRef::Key(IdempotencyKey::new("x").unwrap()))).unwrap().is_none());
    assert_eq!(now(safe.account()).unwrap().equity, d("100000"));
    let reference = mts_foundation::broker::BrokerOrderRef {
        order_id: "x".parse().unwrap(),
        idempotency_key: IdempotencyKey::new("x").unwrap(),
        broker_order_id: "x".parse().unwrap(),
        symbol: symbol("A"),
    };
    assert_eq!(now(safe.cancel(&reference)), CancelOutcome::NotFound);
}
