//! The live engine beside a clock that is set, venues that answer some calls and not others, and accounts that cannot be read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod desk;

use common::{core_with, fund_id};
use desk::{Desk, Doer, Log, Quotes, SteppingClock, SystemClock, buy};
use mts_engine::input::OperatorAct;
use mts_engine::record::decode;
use mts_engine::shell::Trader;
use mts_engine::shell::driver::Driver;
use mts_engine::shell::live::{Handle, LiveEngine, LiveParts, LiveRules, Told, Venue};
use mts_engine::{ClockFault, Core, Input};
use mts_foundation::{ActorId, BrokerName, Clock, Event, FundId, OrderState, View};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Heard = Arc<Mutex<Vec<String>>>;

/// How long something that must happen may take.
const SOON: Duration = Duration::from_secs(5);

struct Scene {
    core: Core,
    log: Log,
    clock: Arc<dyn Clock>,
    desks: BTreeMap<BrokerName, Arc<Desk>>,
    left: u64,
    call_deadline: Duration,
    heard: Heard,
}

impl Scene {
    fn new() -> Self {
        Self {
            core: core_with(true, |config| config.sessions = false),
            log: Log::begun(),
            clock: Arc::new(SystemClock),
            desks: BTreeMap::from([("paper".parse().unwrap(), Desk::new())]),
            left: 5,
            call_deadline: Duration::from_secs(30),
            heard: Heard::default(),
        }
    }

    fn desk(&self) -> Arc<Desk> {
        self.desks.values().next().unwrap().clone()
    }

    /// An engine whose feed falls silent after its quotes, so that it goes on until it is stopped.
    fn engine(self, doers: Vec<(FundId, Doer)>) -> LiveEngine<Log> {
        let heard = self.heard;
        let trader = |(fund_id, doer)| Trader { strategy: Box::new(doer), fund_id };
        let mut engine = LiveEngine::new(LiveParts {
            core: self.core,
            journal: self.log,
            clock: self.clock,
            venues: self.desks.into_iter().map(|(name, desk)| (name, Venue::Real(desk))).collect(),
            gates: Vec::new(),
            feeds: vec![Box::new(Quotes {
                last: Vec::new(),
                left: self.left,
                every: Duration::from_millis(2),
                silent_after: true,
            })],
            traders: doers.into_iter().map(trader).collect(),
            calendar: None,
            rules: LiveRules {
                call_deadline: self.call_deadline,
                drain_within: Duration::from_millis(200),
                ..LiveRules::default()
            },
            kill_flag: None,
            observe: Box::new(move |told| {
                let line = match told {
                    Told::Event(Event::Incident { code, message, .. }) => format!("{code}: {message}"),
                    Told::Event(Event::HaltRequested(halt)) => {
                        format!("{} of {}: {}", halt.mode, halt.scope, halt.requested_by)
                    }
                    _ => return,
                };
                heard.lock().unwrap().push(line);
            }),
        })
        .unwrap();
        engine.connect().unwrap();
        engine
    }
}

/// Runs an engine beside what somebody does meanwhile, and stops it after that.
fn beside<T: Send + 'static>(
    mut engine: LiveEngine<Log>,
    act: impl AsyncFnOnce(Handle) -> T + Send + 'static,
) -> (LiveEngine<Log>, T) {
    let (handle, stopper) = (engine.handle(), engine.stopper());
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(act(handle))));
        stopper.stop();
        done
    });
    engine.run().unwrap();
    let done = other.join().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    (engine, done)
}

/// Waits until something is so.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let looks = SOON.as_millis() / 5;
    for _ in 0..looks {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within {SOON:?}");
}

fn nothing() -> Doer {
    Doer::new(|_, _, _| Ok(()))
}

#[test]
fn a_clock_that_jumps_either_way_is_told_and_halts_the_firm_within_a_second() {
    let clock = Arc::new(SteppingClock::default());
    let scene = Scene { clock: clock.clone(), ..Scene::new() };
    let (log, heard) = (scene.log.clone(), Arc::clone(&scene.heard));
    let (engine, ()) = beside(scene.engine(vec![(fund_id(), nothing())]), async move |_| {
        clock.step(-900);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "less than a second is no jump");
        for (nth, (millis, words)) in
            [(3_600_000, "3600 s forward"), (-7_200_000, "7200 s back")].into_iter().enumerate()
        {
            clock.step(millis);
            // It takes half a second, and longer on a machine with much else to do.
            until("the jump is told", || heard.lock().unwrap().len() > 2 * nth + 1).await;
            tokio::time::sleep(Duration::from_millis(600)).await;
            let heard = heard.lock().unwrap();
            assert_eq!(heard.len(), 2 * (nth + 1), "told once: {heard:?}");
            assert!(heard[2 * nth].starts_with("CLOCK_JUMP") && heard[2 * nth].contains(words), "{heard:?}");
            assert_eq!(heard[2 * nth + 1], "reduce_only of the firm: engine");
        }
    });
    let inputs: Vec<Input> = log
        .committed
        .lock()
        .unwrap()
        .iter()
        .skip(1)
        .map(|record| decode(record.sequence, record.kind, &record.payload).unwrap())
        .collect();
    assert!(inputs.iter().map(Input::time).is_sorted(), "time never goes back");
    let again = Driver::recover(core_with(true, |config| config.sessions = false), log, &mut |_, _| {});
    assert_eq!(again.unwrap().core().state_hash(), engine.core().state_hash());
}

#[test]
fn a_restart_with_the_clock_behind_the_journal_says_so_and_what_is_due_stays_due() {
    let clock = Arc::new(SteppingClock::default());
    clock.step(3_600_000);
    let scene = Scene { clock, call_deadline: Duration::from_millis(200), ..Scene::new() };
    let (desk, log) = (scene.desk(), scene.log.clone());
    desk.mute.store(true, Ordering::SeqCst);
    desk.hangs.store(true, Ordering::SeqCst);
    let doer = Doer::new(|nth, _, commands| {
        if nth == 1 {
            commands.submit(buy("k", 10));
        }
        Ok(())
    });
    let sent = Arc::clone(&desk);
    beside(scene.engine(vec![(fund_id(), doer)]), async move |_| {
        until("the order leaves", || sent.sent() == 1).await;
    });

    // The clock was put right, and the process begins again.
    desk.hangs.store(false, Ordering::SeqCst);
    let scene = Scene { log: log.clone(), ..Scene::new() };
    let scene = Scene { desks: BTreeMap::from([("paper".parse().unwrap(), desk)]), ..scene };
    let heard = Arc::clone(&scene.heard);
    let (engine, ()) = beside(scene.engine(vec![(fund_id(), nothing())]), async move |handle| {
        for _ in 0..100 {
            let found =
                |core: &Core, _: &_| core.state().orders().all(|order| order.state == OrderState::Accepted);
            if handle.ask(found, SOON).await.unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the order is asked for within seconds, not after an hour");
    });
    let heard = heard.lock().unwrap();
    let behind: Vec<_> = heard.iter().filter(|line| line.starts_with("CLOCK_BEHIND")).collect();
    assert!(
        behind.len() == 1
            && (behind[0].contains(" 35") || behind[0].contains(" 3600 s"))
            && behind[0].contains("clock by"),
        "{heard:?}"
    );
    assert!(!heard.iter().any(|line| line.contains("of the firm")), "{heard:?}");
    let jumps = log.committed.lock().unwrap().iter().skip(1).any(|record| {
        let input = decode(record.sequence, record.kind, &record.payload).unwrap();
        matches!(input, Input::ClockWrong { fault: ClockFault::Jumped { .. }, .. })
    });
    assert!(!jumps && engine.core().state().now() > SystemClock.now());
}

#[test]
fn a_venue_that_answers_no_question_holds_up_no_cancellation() {
    let orders = 100;
    let scene = Scene::new();
    let (desk, log) = (scene.desk(), Arc::new(Mutex::new(None)));
    let doer = Doer::new(move |nth, _, commands| {
        if nth == 1 {
            (0..orders).for_each(|order| commands.submit(buy(&format!("k{order}"), 1)));
        }
        Ok(())
    });
    let (asked, took) = (Arc::clone(&desk), Arc::clone(&log));
    beside(scene.engine(vec![(fund_id(), doer)]), async move |handle| {
        until("all orders leave", || asked.sent() == orders).await;
        // An account without them: what became of each is asked, and never answered.
        asked.hangs.store(true, Ordering::SeqCst);
        let actor = ActorId::new("ann").unwrap();
        let look = OperatorAct::Reconcile { broker: None, actor: actor.clone() };
        handle.operate(look, SOON).await.unwrap();
        until("questions hang", || asked.look_ups.load(Ordering::SeqCst) >= 64).await;
        let began = SystemClock.now();
        handle.operate(OperatorAct::Kill { reason: "drill".into(), actor }, SOON).await.unwrap();
        until("all cancellations leave", || asked.book.lock().unwrap().cancels.len() == orders).await;
        *took.lock().unwrap() = Some(SystemClock.now().since(began));
    });
    let took = log.lock().unwrap().unwrap();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_broker_that_never_answers_a_connection_is_told_as_disconnected() {
    let scene = Scene { call_deadline: Duration::from_millis(200), ..Scene::new() };
    let (desk, heard) = (scene.desk(), Arc::clone(&scene.heard));
    desk.deaf.store(true, Ordering::SeqCst);
    beside(scene.engine(vec![(fund_id(), nothing())]), async move |_| {
        until("it is told", || heard.lock().unwrap().iter().any(|line| line.starts_with("DISCONNECTED")))
            .await;
    });
}

#[test]
fn a_trade_between_the_questions_for_cash_and_positions_is_no_money_that_nobody_can_explain() {
    let scene = Scene::new();
    let (desk, heard) = (scene.desk(), Arc::clone(&scene.heard));
    desk.trades_after.store(true, Ordering::SeqCst);
    let (_, told) = beside(scene.engine(vec![(fund_id(), nothing())]), async move |_| {
        until("somebody has traded", || !desk.trades_after.load(Ordering::SeqCst)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        heard.lock().unwrap().clone()
    });
    assert!(told.iter().all(|line| !line.starts_with("CASH_DIFFERS")), "{told:?}");
}

/// A strategy that notes when its quotes are of and what time it is for it.
fn noting(seen: &Arc<Mutex<Vec<(i64, i64)>>>) -> Doer {
    let seen = Arc::clone(seen);
    Doer::new(move |_, view: &View<'_>, _| {
        seen.lock()
            .unwrap()
            .extend(view.quotes.iter().map(|quote| (quote.timestamp.nanos(), view.time.nanos())));
        Ok(())
    })
}

#[test]
fn an_account_that_cannot_be_read_holds_up_its_own_strategies_and_they_begin_with_the_present() {
    let (here, other) = (Arc::default(), Arc::default());
    let second = FundId::new("g").unwrap();
    let elsewhere: BrokerName = "other".parse().unwrap();
    let core = core_with(true, |config| {
        config.sessions = false;
        let mut setup = config.funds[0].clone();
        (setup.config.fund_id, setup.config.broker) = (second.clone(), elsewhere.clone());
        config.funds.push(setup);
    });
    let mut scene = Scene { core, left: 200, ..Scene::new() };
    let desk = Desk::new();
    desk.unreadable.store(true, Ordering::SeqCst);
    scene.desks.insert(elsewhere, Arc::clone(&desk));
    let doers = vec![(fund_id(), noting(&here)), (second, noting(&other))];
    let (first, held) = (Arc::clone(&here), Arc::clone(&other));
    let (engine, ()) = beside(scene.engine(doers), async move |_| {
        until("the other fund has its data", || first.lock().unwrap().len() == 200).await;
        assert_eq!(held.lock().unwrap().len(), 0, "its account is not compared");
        desk.unreadable.store(false, Ordering::SeqCst);
        until("the account is compared", || !held.lock().unwrap().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    let (here, other) = (here.lock().unwrap(), other.lock().unwrap());
    assert_eq!(other.len(), 1, "of 200 quotes that waited only the newest is of use");
    assert_eq!((here.len(), other[0].0), (200, here.last().unwrap().0));
    assert_eq!(engine.stats().data_dropped, 199);
}
