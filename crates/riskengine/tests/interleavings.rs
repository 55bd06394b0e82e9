//! Interleavings, dropped calls, crashes and lags that a venue which answers at once never shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod house;
mod venue;

use house::{House, now, ticket, wide};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::risk::*;
use mts_foundation::*;
use mts_riskengine::safe_broker::*;
use mts_riskengine::{LiveLimits, SafeBroker};
use std::future::Future;
use std::sync::Arc;
use venue::{Mood, Venue, d, symbol};

#[test]
fn identical_orders_of_many_threads_pass_once_within_the_window() {
    let house = House::new();
    let safe = house.builder(LiveLimits { dedup_window_seconds: Some(1.0), ..wide() });
    let safe = safe.forgetful().start().unwrap();
    house.quote(&safe, "A");
    let mut both = 0;
    for _ in 0..1_000 {
        house.clock.wait(2_000);
        let barrier = std::sync::Barrier::new(4);
        let ok: usize = std::thread::scope(|s| {
            let hs: Vec<_> = (0..4)
                .map(|_| {
                    s.spawn(|| {
                        barrier.wait();
                        now(safe.submit_order(ticket("A", "1"))).is_ok() as usize
                    })
                })
                .collect();
            hs.into_iter().map(|h| h.join().unwrap()).sum()
        });
        if ok > 1 {
            both += 1;
            if both > 3 {
                break;
            }
        }
    }
    assert_eq!(both, 0);
}

#[test]
fn a_day_begins_with_the_first_value_and_not_without_one() {
    let house = House::new();
    let limits = || LiveLimits { max_daily_loss: Some(5_000.0), ..wide() };
    let safe = house.start(limits());
    now(safe.tick()).unwrap();
    house.venue.inside().extra = d("10000");
    now(safe.tick()).unwrap();
    drop(safe);
    house.clock.wait(86_400_000);
    let safe = house.start(limits());
    house.venue.inside().account_fails = true;
    assert!(now(safe.tick()).is_err());
    house.venue.inside().account_fails = false;
    now(safe.tick()).unwrap();
    house.venue.inside().extra = d("-4999"); // lost 14,999 today
    now(safe.tick()).unwrap();
    assert!(safe.killed().is_some(), "lost 14,999 of 5,000 allowed");
}

fn flow(house: &House) -> BrokerEvent {
    let flow = CashFlow {
        id: "c-1".into(),
        kind: CashKind::Withdrawal,
        amount: d("-50000"),
        currency: Currency::USD,
        symbol: None,
        time: house.clock.now(),
    };
    BrokerEvent::Cash { flow, cursor: Cursor::new("1").unwrap() }
}
fn poll(safe: &SafeBroker) {
    let mut events = Broker::events(safe, None);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..3 {
        let _x = events.as_mut().poll_next(&mut cx);
    }
}

#[test]
fn a_withdrawal_that_is_told_before_it_is_read_is_no_loss() {
    let house = House::new();
    let safe = house.start(LiveLimits { max_drawdown_pct: Some(0.05), ..wide() });
    now(safe.tick()).unwrap();
    house.venue.inside().cash = d("50000");
    house.venue.inside().events.push_back(flow(&house));
    poll(&safe);
    house.quote(&safe, "A");
    now(safe.tick()).unwrap();
    assert_eq!(safe.killed(), None);
}

#[test]
fn an_order_id_is_used_once() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let safe = house.start(LiveLimits { max_position_shares: Some(100.0), ..wide() });
    let mut n = 0;
    for (q, p) in [("60", "99"), ("40", "98"), ("60", "97")] {
        n += 1;
        let order = Order::builder()
            .order_id("o1")
            .idempotency_key(format!("k{n}"))
            .symbol("A")
            .side(Side::Buy)
            .quantity(d(q))
            .order_type(OrderType::Limit)
            .limit_price(d(p))
            .fund_id("account")
            .strategy_id("s")
            .broker("venue")
            .actor("a")
            .created_at(house.clock.now())
            .build()
            .unwrap();
        let outcome = now(Broker::submit(&safe, &order));
        assert_eq!(matches!(outcome, SubmitOutcome::Accepted(_)), n == 1, "{outcome:?}");
        now(safe.tick()).unwrap();
    }
    let worst = house.venue.inside().worst;
    assert!(worst <= d("100"), "worst {worst}");
}

#[test]
fn an_order_that_the_venue_forgot_can_be_resolved_and_closed_around() {
    let house = House::new();
    house.venue.hold("A", "10");
    house.venue.inside().mood = Mood::Rests;
    let safe = house.start(wide());
    let o = now(safe.submit_order(ticket("A", "-10").limit(d("101")))).unwrap();
    house.venue.inside().orders.clear();
    for _ in 0..20 {
        house.clock.wait(3_600_000);
        now(safe.tick()).unwrap();
    }
    house.quote(&safe, "A");
    let waits = now(safe.close_position(&symbol("A")));
    assert!(matches!(waits, Err(SafeBrokerError::CancelUnconfirmed { .. })), "{waits:?}");
    safe.resolve(&o.order_id, "not in the account").unwrap();
    let closed = now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    assert_eq!((closed.side, closed.quantity), (Side::Sell, d("10")));
}

#[test]
fn a_replaced_state_begins_with_the_kill_switch_on() {
    use mts_riskengine::store::StateFile;
    let house = House::new();
    let safe = house.start(wide());
    now(safe.enable_kill_switch("drill")).unwrap();
    drop(safe);
    let path = house.folder.path().join("state");
    std::fs::write(&path, b"rubbish").unwrap();
    let safe = house.builder(wide()).store(Box::new(StateFile::replace(&path).unwrap())).start().unwrap();
    assert!(safe.killed().is_some());
}

#[test]
fn readings_count_when_the_clock_goes_back() {
    let house = House::new();
    let safe = house.start(LiveLimits { max_daily_loss: Some(5_000.0), ..wide() });
    now(safe.tick()).unwrap();
    house.clock.wait(-3_600_000);
    house.venue.inside().extra = d("-50000");
    for _ in 0..100 {
        house.clock.wait(1_000);
        now(safe.tick()).unwrap();
    }
    assert!(safe.killed().is_some());
}

#[test]
fn what_nobody_described_does_not_keep_the_rest_from_being_closed() {
    let house = House::new();
    house.venue.hold("A", "10");
    house.venue.hold("SPIN", "1");
    let table = InstrumentTable::from_instruments([Instrument::us_share(symbol("A"))]).unwrap();
    let safe = house.builder(wide()).instruments(table).start().unwrap();
    house.quote(&safe, "A");
    let closed = now(safe.close_position(&symbol("A")));
    assert!(closed.is_ok());
}
struct Gate1;
impl AsyncRiskGate for Gate1 {
    fn name(&self) -> &str {
        "g"
    }
    async fn check(
        &self,
        o: &Order,
        _: Option<&RiskEnvelope>,
        _: &OrderContext,
    ) -> Result<(), Box<Rejection>> {
        if o.symbol == symbol("A") {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[test]
fn a_restart_frees_what_was_reserved() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let lim = || LiveLimits { max_position_shares: Some(100.0), ..wide() };
    let safe = house.builder(lim()).async_gates(vec![Arc::new(Gate1)]).start().unwrap();
    house.quote(&safe, "A");
    house.quote(&safe, "B");
    let mut waiting = Box::pin(safe.submit_order(ticket("A", "100").limit(d("99"))));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    now(safe.submit_order(ticket("B", "1").limit(d("99")))).unwrap(); // saves
    // the process dies: what is on disk now
    let kept = std::fs::read(house.folder.path().join("state")).unwrap();
    drop(waiting);
    drop(safe);
    let house2 = House::new();
    std::fs::write(house2.folder.path().join("state"), kept).unwrap();
    let safe = house2.builder(lim()).start().unwrap();
    house2.quote(&safe, "A");
    let got = now(safe.submit_order(ticket("A", "1").limit(d("99"))));
    assert!(got.is_ok());
}

#[test]
fn the_same_key_is_no_success_while_its_order_is_asked_about() {
    let house = House::new();
    let safe = house.builder(wide()).async_gates(vec![Arc::new(Gate1)]).start().unwrap();
    house.quote(&safe, "A");
    let keyed =
        || OrderTicket { idempotency_key: Some(IdempotencyKey::new("k").unwrap()), ..ticket("A", "5") };
    let mut waiting = Box::pin(safe.submit_order(keyed()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    let got = now(safe.submit_order(keyed()));
    assert!(got.is_err(), "nothing was sent");
    drop(waiting);
}

struct Slow {
    inner: Arc<Venue>,
    hold_account: std::sync::atomic::AtomicBool,
    hold_cancel: std::sync::atomic::AtomicBool,
    hold_open: std::sync::atomic::AtomicBool,
}
use std::sync::atomic::Ordering::SeqCst;
async fn wait_while(flag: &std::sync::atomic::AtomicBool) {
    std::future::poll_fn(|_| {
        if flag.load(SeqCst) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await
}
impl Broker for Slow {
    fn name(&self) -> &str {
        "venue"
    }
    fn capabilities(&self) -> &Capabilities {
        Broker::capabilities(&*self.inner)
    }
    async fn connect(&self) -> Result<(), mts_foundation::broker::BrokerError> {
        Ok(())
    }
    async fn close(&self) -> Result<(), mts_foundation::broker::BrokerError> {
        Ok(())
    }
    async fn health(&self) -> mts_foundation::broker::Health {
        Broker::health(&*self.inner).await
    }
    async fn submit(&self, o: &Order) -> mts_foundation::broker::SubmitOutcome {
        Broker::submit(&*self.inner, o).await
    }
    async fn cancel(
        &self,
        o: &mts_foundation::broker::BrokerOrderRef,
    ) -> mts_foundation::broker::CancelOutcome {
        wait_while(&self.hold_cancel).await;
        Broker::cancel(&*self.inner, o).await
    }
    async fn order(
        &self,
        o: &mts_foundation::broker::OrderRef,
    ) -> Result<Option<OrderReport>, mts_foundation::broker::BrokerError> {
        Broker::order(&*self.inner, o).await
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, mts_foundation::broker::BrokerError> {
        wait_while(&self.hold_open).await;
        Broker::open_orders(&*self.inner).await
    }
    async fn positions(&self) -> Result<Vec<Position>, mts_foundation::broker::BrokerError> {
        Broker::positions(&*self.inner).await
    }
    async fn account(&self) -> Result<Account, mts_foundation::broker::BrokerError> {
        wait_while(&self.hold_account).await;
        Broker::account(&*self.inner).await
    }
    fn events(&self, a: Option<Cursor>) -> mts_foundation::broker::BrokerEventStream<'_> {
        Broker::events(&*self.inner, a)
    }
    async fn diagnose(&self, s: Option<&Symbol>) -> Vec<mts_foundation::broker::Check> {
        Broker::diagnose(&*self.inner, s).await
    }
}
fn slow(house: &House) -> Arc<Slow> {
    Arc::new(Slow {
        inner: house.venue.clone(),
        hold_account: false.into(),
        hold_cancel: false.into(),
        hold_open: false.into(),
    })
}
fn wrap(house: &House, s: &Arc<Slow>, l: LiveLimits) -> SafeBroker {
    SafeBroker::wrap(s.clone(), house.clock.clone())
        .live_limits(LiveLimits { state_file: house.folder.path().join("state"), ..l })
        .start()
        .unwrap()
}
fn pend<F: Future>(f: &mut std::pin::Pin<Box<F>>) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    f.as_mut().poll(&mut cx).is_pending()
}

#[test]
fn an_older_reading_does_not_bring_a_closed_position_back() {
    let house = House::new();
    house.venue.hold("A", "10");
    let s = slow(&house);
    let safe = wrap(&house, &s, wide());
    house.quote(&safe, "A");
    house.quote(&safe, "B");
    now(safe.tick()).unwrap();
    s.hold_account.store(true, SeqCst);
    let mut tick = Box::pin(safe.tick());
    assert!(pend(&mut tick)); // has positions A:10, waits for the balances
    s.hold_account.store(false, SeqCst);
    house.clock.wait(100);
    now(safe.submit_order(ticket("A", "-10"))).unwrap(); // fills
    now(safe.tick()).unwrap(); // reads: 0 held
    house.clock.wait(100);
    house.venue.inside().events.push_back(flow(&house)); // any event or answer
    now(safe.submit_order(ticket("B", "1"))).unwrap();
    assert!(!pend(&mut tick));
    let side = now(safe.submit_order(ticket("A", "-10"))).map(|order| order.side).unwrap();
    assert_eq!(side, Side::Short, "nothing is held that could be sold");
}

#[test]
fn an_older_reading_lets_nothing_past_a_limit() {
    let house = House::new();
    let s = slow(&house);
    let safe = wrap(&house, &s, LiveLimits { max_position_shares: Some(100.0), ..wide() });
    house.quote(&safe, "A");
    house.quote(&safe, "B");
    now(safe.tick()).unwrap();
    s.hold_account.store(true, SeqCst);
    let mut tick = Box::pin(safe.tick());
    assert!(pend(&mut tick));
    s.hold_account.store(false, SeqCst);
    house.clock.wait(100);
    now(safe.submit_order(ticket("A", "100"))).unwrap();
    now(safe.tick()).unwrap();
    house.clock.wait(100);
    now(safe.submit_order(ticket("B", "1"))).unwrap();
    assert!(!pend(&mut tick));
    assert!(now(safe.submit_order(ticket("A", "100"))).is_err(), "100 are held already");
    assert!(house.venue.inside().worst <= d("100"), "{}", house.venue.inside().worst);
}

#[test]
fn a_dropped_kill_still_cancels() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let s = slow(&house);
    let safe = wrap(&house, &s, wide());
    house.quote(&safe, "A");
    now(safe.submit_order(ticket("A", "5").limit(d("99")))).unwrap();
    s.hold_cancel.store(true, SeqCst);
    let mut kill = Box::pin(safe.enable_kill_switch("drill"));
    assert!(pend(&mut kill));
    drop(kill); // a timeout
    s.hold_cancel.store(false, SeqCst);
    for _ in 0..5 {
        house.clock.wait(1_000);
        now(safe.tick()).unwrap();
    }
    assert!(safe.killed().is_some());
    let open = now(Broker::open_orders(&*house.venue)).unwrap().len();
    assert_eq!(open, 0, "an order works under the kill");
}

#[test]
fn a_restart_after_a_kill_cancels_again() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let s = slow(&house);
    let safe = wrap(&house, &s, wide());
    house.quote(&safe, "A");
    now(safe.submit_order(ticket("A", "5").limit(d("99")))).unwrap();
    s.hold_cancel.store(true, SeqCst);
    let mut kill = Box::pin(safe.enable_kill_switch("drill"));
    assert!(pend(&mut kill));
    drop(kill);
    drop(safe); // the process dies
    s.hold_cancel.store(false, SeqCst);
    let safe = wrap(&house, &s, wide());
    for _ in 0..5 {
        house.clock.wait(1_000);
        now(safe.tick()).unwrap();
    }
    assert!(safe.killed().is_some());
    assert_eq!(now(Broker::open_orders(&*house.venue)).unwrap().len(), 0, "an order works under the kill");
}
fn with_stop(house: &House, s: &Arc<Slow>) -> SafeBroker {
    let mut e = RiskEnvelope::with_defaults(
        EnvelopeId::new("e").unwrap(),
        FundId::new("account").unwrap(),
        d("100000"),
        house.clock.now(),
    );
    e.synthetic_stop_pct = 0.1;
    e.daily_loss_halt_pct = 1.0;
    e.allowed_brokers = vec!["venue".parse().unwrap()];
    SafeBroker::wrap(s.clone(), house.clock.clone())
        .envelope(e)
        .state_file(house.folder.path().join("state"))
        .unwrap()
        .start()
        .unwrap()
}

#[test]
fn a_stop_whose_close_never_left_is_closed_after_the_restart() {
    let house = House::new();
    house.venue.hold("A", "10");
    let s = slow(&house);
    let safe = with_stop(&house, &s);
    now(safe.tick()).unwrap();
    house.venue.price("A", "80");
    s.hold_open.store(true, SeqCst);
    let q = Quote {
        symbol: symbol("A"),
        bid: d("80"),
        ask: d("80"),
        bid_size: Decimal::ONE,
        ask_size: Decimal::ONE,
        venue: "venue".parse().unwrap(),
        timestamp: house.clock.now(),
    };
    let mut mark = Box::pin(safe.on_quote(&q));
    assert!(pend(&mut mark));
    drop(mark);
    drop(safe);
    s.hold_open.store(false, SeqCst);
    let safe = with_stop(&house, &s);
    for _ in 0..60 {
        house.clock.wait(1_000);
        now(safe.tick()).unwrap();
        house.quote(&safe, "A");
    }
    assert_eq!(house.venue.count("submit"), 1, "the stop never left");
}

#[test]
fn a_dropped_close_can_be_asked_for_again() {
    let house = House::new();
    house.venue.hold("A", "10");
    let s = slow(&house);
    let safe = SafeBroker::wrap(s.clone(), house.clock.clone())
        .live_limits(wide())
        .forgetful()
        .account_age(std::time::Duration::ZERO)
        .start()
        .unwrap();
    house.quote(&safe, "A");
    now(safe.tick()).unwrap();
    s.hold_account.store(true, SeqCst);
    let a = symbol("A");
    let mut close = Box::pin(safe.close_position(&a));
    assert!(pend(&mut close)); // in close's own reading
    drop(close);
    s.hold_account.store(false, SeqCst);
    for _ in 0..3 {
        house.clock.wait(60_000);
        now(safe.tick()).unwrap();
    }
    let again = now(safe.close_position(&symbol("A"))).unwrap();
    assert!(again.is_some());
}

#[test]
fn a_position_is_closed_without_balances() {
    let house = House::new();
    house.venue.hold("A", "10");
    let safe = house.start(wide());
    now(safe.tick()).unwrap();
    house.venue.inside().account_fails = true;
    let r = now(safe.close_position(&symbol("A")));
    assert!(r.is_ok());
}

#[test]
fn a_price_of_the_future_is_stale() {
    let house = House::new();
    let safe = house.start(LiveLimits { max_data_staleness_seconds: Some(5.0), ..wide() });
    let q = Quote {
        symbol: symbol("A"),
        bid: d("100"),
        ask: d("100"),
        bid_size: Decimal::ONE,
        ask_size: Decimal::ONE,
        venue: "venue".parse().unwrap(),
        timestamp: Timestamp::from_millis(house.clock.now().nanos() / 1_000_000 + 86_400_000),
    };
    now(safe.on_quote(&q)).unwrap();
    house.clock.wait(3_600_000);
    assert!(now(safe.submit_order(ticket("A", "1"))).is_err(), "an hour old");
}

#[test]
fn positions_that_lag_are_not_closed_twice() {
    let house = House::new();
    house.venue.hold("A", "10");
    let safe = house.start(wide());
    now(safe.close_position(&symbol("A"))).unwrap().unwrap();
    house.venue.hold("A", "10"); // positions() lags behind the order endpoint
    house.clock.wait(200);
    now(safe.tick()).unwrap();
    let again = now(safe.close_position(&symbol("A")));
    assert!(matches!(again, Err(SafeBrokerError::Unsettled { .. })), "{again:?}");
    assert_eq!(house.venue.count("submit"), 1, "closed twice");
}

#[test]
fn no_order_is_live_under_a_kill_that_was_confirmed() {
    let mut live = 0;
    for _ in 0..3000 {
        let house = House::new();
        house.venue.inside().mood = Mood::Rests;
        let safe = house.builder(wide()).forgetful().start().unwrap();
        house.quote(&safe, "A");
        let barrier = std::sync::Barrier::new(2);
        let killed = std::thread::scope(|s| {
            s.spawn(|| {
                barrier.wait();
                now(safe.submit_order(ticket("A", "1").limit(d("99")))).is_ok()
            });
            let k = s.spawn(|| {
                barrier.wait();
                for _ in 0..20 {
                    std::hint::spin_loop();
                }
                now(safe.enable_kill_switch("drill"))
            });
            k.join().unwrap()
        });
        now(safe.tick()).unwrap();
        now(safe.tick()).unwrap();
        if killed.is_ok() && !now(Broker::open_orders(&*house.venue)).unwrap().is_empty() {
            live += 1;
            if live >= 3 {
                break;
            }
        }
    }
    assert_eq!(live, 0);
}

#[test]
fn two_shells_make_different_ids() {
    let house = House::new();
    house.venue.inside().mood = Mood::Rests;
    let lim = || LiveLimits { max_position_shares: Some(100.0), ..wide() };
    let one = house.builder(lim()).forgetful().start().unwrap();
    house.clock.wait(1);
    let two = house.builder(lim()).forgetful().start().unwrap();
    for s in [&one, &two] {
        house.quote(s, "A");
    }
    let first = now(one.submit_order(ticket("A", "10").limit(d("99")))).unwrap();
    // the other process has its own first order in B
    house.quote(&two, "B");
    let other = now(two.submit_order(ticket("B", "10").limit(d("99")))).unwrap();
    assert_ne!((&first.order_id, &first.idempotency_key), (&other.order_id, &other.idempotency_key));
    now(two.tick()).unwrap();
    // two sees 10 of A working by the other: 91 more would pass 100
    let r = now(two.submit_order(ticket("A", "95").limit(d("98"))));
    assert!(r.is_err());
}
