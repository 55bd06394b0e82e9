//! The live engine in real time, with a broker, a feed and strategies that do as they are told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod desk;

use common::{core_with, fund_id};
use desk::{Desk, Doer, Log, Quotes, SteppingClock, SystemClock, buy};
use mts_engine::input::OperatorAct;
use mts_engine::record::decode;
use mts_engine::shell::Trader;
use mts_engine::shell::live::{
    KillFlag, LiveEngine, LiveError, LiveParts, LiveRules, LiveStats, Stopper, Told, Venue,
};
use mts_foundation::market_data::{MarketEvent, StaleCause};
use mts_foundation::strategy::Strategy;
use mts_foundation::{ActorId, Clock, Decimal, Event, FundingRate, OrderState, Symbol, VenueName};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Heard = Arc<Mutex<Vec<String>>>;

struct Scene {
    desk: Arc<Desk>,
    log: Log,
    feed: Quotes,
    rules: LiveRules,
    heard: Heard,
    kill_flag: Option<Box<dyn KillFlag>>,
    clock: Arc<dyn Clock>,
}

impl Scene {
    fn new() -> Self {
        Self {
            desk: Desk::new(),
            log: Log::begun(),
            feed: Quotes { last: Vec::new(), left: 5, every: Duration::from_millis(2), silent_after: false },
            rules: LiveRules {
                call_deadline: Duration::from_millis(300),
                drain_within: Duration::from_secs(2),
                end_with_feed: true,
                ..LiveRules::default()
            },
            heard: Heard::default(),
            kill_flag: None,
            clock: Arc::new(SystemClock),
        }
    }

    fn engine(self, strategy: impl Strategy + 'static) -> LiveEngine<Log> {
        let core = core_with(true, |config| config.sessions = false);
        let heard = self.heard;
        LiveEngine::new(LiveParts {
            core,
            journal: self.log,
            clock: self.clock,
            venues: BTreeMap::from([("paper".parse().unwrap(), Venue::Real(self.desk))]),
            gates: Vec::new(),
            feeds: vec![Box::new(self.feed)],
            traders: vec![Trader { strategy: Box::new(strategy), fund_id: fund_id() }],
            calendar: None,
            rules: self.rules,
            kill_flag: self.kill_flag,
            observe: Box::new(move |told| {
                let line = match told {
                    Told::Event(Event::Incident { code, .. }) => code.to_string(),
                    Told::Event(event) => event.subject().to_string(),
                    Told::StrategyError { error, .. } => format!("error: {error}"),
                    Told::Notice(text) => text.to_owned(),
                    _ => String::new(),
                };
                heard.lock().unwrap().push(line);
            }),
        })
        .unwrap()
    }
}

fn run(mut engine: LiveEngine<Log>) -> (LiveEngine<Log>, LiveStats) {
    engine.connect().unwrap();
    engine.connect().unwrap();
    let stats = engine.run().unwrap();
    (engine, stats)
}

fn held(engine: &LiveEngine<Log>) -> Decimal {
    let book = engine.core().state().ledger().fund(&fund_id()).unwrap();
    book.positions().quantity(&Symbol::new("AAPL").unwrap())
}

/// Stops an engine after a while, from another thread.
fn stop_after(stopper: Stopper, millis: u64) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(millis));
        stopper.stop();
        stopper.stop();
    })
}

#[test]
fn an_order_goes_from_the_strategy_to_the_broker_and_its_fill_into_the_books() {
    let scene = Scene::new();
    let (desk, heard, log) = (Arc::clone(&scene.desk), Arc::clone(&scene.heard), scene.log.clone());
    desk.fills.store(true, Ordering::SeqCst);
    let doer = Doer::new(|nth, _, commands| {
        if nth == 1 {
            commands.submit(buy("k", 10));
        }
        Ok(())
    });
    let told = Arc::clone(&doer.events);
    let (engine, stats) = run(scene.engine(doer));
    assert_eq!((desk.sent(), held(&engine)), (1, Decimal::TEN));
    assert_eq!((stats.market_events, stats.error_count, stats.running), (5, 0, false));
    assert!(stats.feed_ended && stats.commits > 0);
    let heard = heard.lock().unwrap();
    assert!(heard.iter().any(|line| line == "mts.v1.engine.fills.created"), "{heard:?}");
    assert!(told.lock().unwrap().iter().any(|event| matches!(event, Event::FillCreated { .. })));
    // The journal alone gives the same state.
    let again = mts_engine::shell::driver::Driver::recover(
        core_with(true, |config| config.sessions = false),
        log,
        &mut |_, _| {},
    )
    .unwrap();
    assert_eq!(again.core().state_hash(), engine.core().state_hash());
}

#[test]
fn what_a_feed_says_besides_prices_reaches_people_strategies_and_the_books() {
    let (symbol, venue) = (Symbol::new("AAPL").unwrap(), VenueName::new("feed").unwrap());
    let mut scene = Scene::new();
    let stale = |symbols: &[Symbol]| MarketEvent::Stale {
        venue: venue.clone(),
        since: SystemClock.now(),
        symbols: symbols.into(),
        cause: StaleCause::Silent,
    };
    let rate = FundingRate {
        venue: venue.clone(),
        symbol: symbol.clone(),
        rate: Decimal::new(1, 4),
        time: SystemClock.now(),
        next_rate: None,
        next_time: None,
    };
    // Of an instrument that nobody trades the books are told nothing.
    let stranger = Symbol::new("ZZZ").unwrap();
    scene.feed.last = vec![stale(&[symbol.clone(), stranger.clone()]), MarketEvent::Funding(rate.clone())];
    let heard = Arc::clone(&scene.heard);
    let told = Arc::new(Mutex::new(Vec::new()));
    let rates = Arc::clone(&told);
    let doer = Doer::new(move |_, view, _| {
        rates.lock().unwrap().extend(view.funding.iter().cloned());
        Ok(())
    });
    let (engine, _) = run(scene.engine(doer));
    assert_eq!(*told.lock().unwrap(), [rate]);
    let ledger = engine.core().state().ledger();
    assert_eq!((ledger.stale_at(&symbol), ledger.stale_at(&stranger)), (Some(&venue), None));
    let heard = heard.lock().unwrap();
    let word = heard.iter().find(|line| line.starts_with("market data of feed is stale since")).unwrap();
    assert!(word.ends_with("nothing comes: AAPL, ZZZ"), "{word}");
}

#[test]
fn a_clock_that_steps_back_ends_nothing_and_no_time_in_the_journal_goes_back() {
    let clock = Arc::new(SteppingClock::default());
    let mut scene = Scene { clock: clock.clone(), ..Scene::new() };
    // Of many quotes a strategy that is held up sees a few all the same.
    scene.feed.left = 100;
    let (desk, log) = (Arc::clone(&scene.desk), scene.log.clone());
    desk.fills.store(true, Ordering::SeqCst);
    let stepped = Arc::clone(&clock);
    let doer = Doer::new(move |nth, _, commands| {
        match nth {
            1 => commands.submit(buy("k", 10)),
            // An hour, and another second.
            2 => stepped.step(-3_600_000),
            3 => stepped.step(-1_000),
            4 => commands.submit(buy("l", 5)),
            _ => {}
        }
        Ok(())
    });
    let (engine, stats) = run(scene.engine(doer));
    assert_eq!((desk.sent(), held(&engine), stats.error_count), (2, Decimal::from(15), 0));
    let times: Vec<_> = log
        .committed
        .lock()
        .unwrap()
        .iter()
        .skip(1)
        .map(|record| decode(record.sequence, record.kind, &record.payload).unwrap().time())
        .collect();
    assert!(times.is_sorted() && times.len() > 10, "{times:?}");
    assert!(*times.last().unwrap() > clock.now(), "the clock did step back");
}

#[test]
fn an_order_whose_answer_never_comes_is_asked_for_and_found() {
    let mut scene = Scene::new();
    (scene.feed.silent_after, scene.rules.end_with_feed) = (true, false);
    let desk = Arc::clone(&scene.desk);
    desk.mute.store(true, Ordering::SeqCst);
    let doer = Doer::new(|nth, _, commands| {
        if nth == 1 {
            commands.submit(buy("k", 10));
        }
        Ok(())
    });
    let mut engine = scene.engine(doer);
    engine.connect().unwrap();
    let stop = stop_after(engine.stopper(), 1_800);
    engine.run().unwrap();
    stop.join().unwrap();
    assert_eq!(desk.sent(), 1, "never sent again");
    assert!(desk.look_ups.load(Ordering::SeqCst) >= 1);
    let states: Vec<_> = engine.core().state().orders().map(|record| record.state).collect();
    assert_eq!(states, [OrderState::Accepted]);
}

#[test]
fn a_silent_feed_does_not_keep_the_engine_from_ending() {
    let mut scene = Scene::new();
    scene.feed = Quotes { last: Vec::new(), left: 1, every: Duration::ZERO, silent_after: true };
    scene.rules.end_with_feed = false;
    scene.rules.feed_silence = Duration::from_millis(100);
    let heard = Arc::clone(&scene.heard);
    let mut engine = scene.engine(Doer::new(|_, _, _| Ok(())));
    engine.connect().unwrap();
    let stop = stop_after(engine.stopper(), 1_500);
    let stats = engine.run().unwrap();
    stop.join().unwrap();
    assert!(stats.feed_silent);
    assert!(heard.lock().unwrap().iter().any(|line| line.contains("no market data")));
}

#[test]
fn errors_of_a_strategy_are_counted_and_a_panic_halts_it_alone() {
    let scene = Scene::new();
    let (desk, heard) = (Arc::clone(&scene.desk), Arc::clone(&scene.heard));
    let doer = Doer::new(|nth, _, commands| match nth {
        1 => Err("bad data".into()),
        2 => panic!("a bug"),
        _ => {
            commands.submit(buy("k", 1));
            Ok(())
        }
    });
    let (_, stats) = run(scene.engine(doer));
    assert_eq!((stats.error_count, stats.strategies_lost, desk.sent()), (2, 1, 0));
    let heard = heard.lock().unwrap();
    assert!(
        heard.iter().any(|line| line == "error: bad data") && heard.iter().any(|line| line == "error: a bug")
    );
}

#[test]
fn halt_on_error_ends_the_engine_with_the_strategys_words() {
    let mut scene = Scene::new();
    scene.rules.halt_on_error = true;
    let mut engine = scene.engine(Doer::new(|_, _, _| Err("bad data".into())));
    engine.connect().unwrap();
    let error = engine.run().unwrap_err();
    assert!(error.to_string().contains("bad data"), "{error}");
}

#[test]
fn a_slow_strategy_holds_up_neither_fills_nor_the_end() {
    let mut scene = Scene::new();
    (scene.feed.silent_after, scene.rules.end_with_feed) = (true, false);
    scene.rules.strategy_deadline = Duration::from_millis(100);
    scene.rules.drain_within = Duration::from_millis(200);
    let (desk, heard) = (Arc::clone(&scene.desk), Arc::clone(&scene.heard));
    let doer = Doer::new(|nth, _, commands| {
        if nth == 1 {
            commands.submit(buy("k", 10));
        } else {
            std::thread::sleep(Duration::from_secs(30));
        }
        Ok(())
    });
    let mut engine = scene.engine(doer);
    engine.connect().unwrap();
    let (stopper, filler) = (engine.stopper(), Arc::clone(&desk));
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        filler.fill("k");
        std::thread::sleep(Duration::from_millis(1_000));
        stopper.stop();
    });
    engine.run().unwrap();
    other.join().unwrap();
    assert_eq!(held(&engine), Decimal::TEN, "the fill is booked while the strategy sleeps");
    assert!(heard.lock().unwrap().iter().any(|line| line.contains("thinks for longer")));
}

#[test]
fn a_journal_that_fails_ends_new_orders_and_cancels_what_works() {
    let mut scene = Scene::new();
    scene.feed.left = 1_000;
    scene.rules.end_with_feed = false;
    let (desk, fails) = (Arc::clone(&scene.desk), Arc::clone(&scene.log.fails));
    let doer = Doer::new(|nth, _, commands| {
        match nth {
            1 => commands.submit(buy("k1", 10)),
            _ if nth > 100 => commands.submit(buy(&format!("late-{nth}"), 1)),
            _ => {}
        }
        Ok(())
    });
    let mut engine = scene.engine(doer);
    engine.connect().unwrap();
    let waiting = Arc::clone(&desk);
    let other = std::thread::spawn(move || {
        while waiting.sent() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(50));
        fails.store(true, Ordering::SeqCst);
    });
    let error = engine.run().unwrap_err();
    other.join().unwrap();
    assert!(matches!(error, LiveError::Driver(_, 1)), "{error}");
    assert_eq!(desk.sent(), 1, "nothing new after it");
    assert_eq!(desk.book.lock().unwrap().cancels.len(), 1);
}

#[test]
fn a_full_disk_ends_new_orders_and_cancels_with_a_record_of_it() {
    let mut scene = Scene::new();
    scene.feed.left = 1_000;
    scene.rules.end_with_feed = false;
    let (desk, log) = (Arc::clone(&scene.desk), scene.log.clone());
    let full = Arc::clone(&log.full);
    let doer = Doer::new(move |nth, _, commands| {
        match nth {
            1 => commands.submit(buy("k1", 10)),
            20 => {
                full.store(true, Ordering::SeqCst);
                commands.submit(buy("k2", 10));
            }
            _ => {}
        }
        Ok(())
    });
    let mut engine = scene.engine(doer);
    engine.connect().unwrap();
    let error = engine.run().unwrap_err();
    assert!(matches!(error, LiveError::Driver(_, 1)), "{error}");
    assert_eq!((desk.sent(), desk.book.lock().unwrap().cancels.len()), (1, 1));
    // The next start knows both: what was cancelled, and what never left.
    let again = mts_engine::shell::driver::Driver::recover(
        core_with(true, |config| config.sessions = false),
        log,
        &mut |_, _| {},
    )
    .unwrap();
    let mut states: Vec<_> = again.core().state().orders().map(|record| record.state).collect();
    states.sort();
    let mut wanted = [OrderState::PendingCancel, OrderState::NotSent];
    wanted.sort();
    assert_eq!(states, wanted);
}

#[test]
fn an_operator_is_answered_when_the_act_is_durable() {
    let mut scene = Scene::new();
    (scene.feed.silent_after, scene.rules.end_with_feed) = (true, false);
    let (desk, log) = (Arc::clone(&scene.desk), scene.log.clone());
    let doer = Doer::new(|nth, _, commands| {
        if nth == 1 {
            commands.submit(buy("k", 10));
        }
        Ok(())
    });
    let mut engine = scene.engine(doer);
    engine.connect().unwrap();
    let (handle, stopper) = (engine.handle(), engine.stopper());
    let operator = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let soon = Duration::from_secs(2);
            while handle.ask(|core, _| core.state().orders().len(), soon).await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            let before = log.committed.lock().unwrap().len();
            let act = OperatorAct::Kill { reason: "drill".into(), actor: ActorId::new("ann").unwrap() };
            let events = handle.operate(act, soon).await.unwrap();
            assert!(events.iter().any(|event| matches!(event, Event::Killed { .. })), "{events:?}");
            assert!(log.committed.lock().unwrap().len() > before);
            tokio::time::sleep(Duration::from_millis(300)).await;
            stopper.stop();
            handle
        })
    });
    engine.run().unwrap();
    let handle = operator.join().unwrap();
    assert_eq!(desk.book.lock().unwrap().cancels.len(), 1, "what worked is cancelled");
    drop(engine);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let gone = runtime.block_on(handle.ask(|_, _| (), Duration::from_secs(1)));
    assert!(gone.is_err(), "an engine that has ended answers nobody");
}

#[test]
fn run_without_connect_is_refused() {
    let mut engine = Scene::new().engine(Doer::new(|_, _, _| Ok(())));
    assert!(matches!(engine.run(), Err(LiveError::NotConnected)));
}

/// A flag that is set as soon as an order is about to leave for the second time.
struct Second {
    looks: u32,
    taken: Arc<Mutex<bool>>,
    log: Log,
}

impl KillFlag for Second {
    fn wanted(&mut self) -> Option<(String, ActorId)> {
        self.looks += 1;
        let orders = self.log.committed.lock().unwrap().len();
        (orders > 8 && !*self.taken.lock().unwrap())
            .then(|| ("drill".to_owned(), ActorId::new("ann").unwrap()))
    }
    fn taken(&mut self) {
        *self.taken.lock().unwrap() = true;
    }
}

#[test]
fn a_kill_flag_from_outside_holds_back_what_was_decided_before_it() {
    let mut scene = Scene::new();
    (scene.feed.left, scene.feed.every) = (40, Duration::from_millis(5));
    let (desk, heard, taken) =
        (Arc::clone(&scene.desk), Arc::clone(&scene.heard), Arc::new(Mutex::new(false)));
    scene.kill_flag = Some(Box::new(Second { looks: 0, taken: Arc::clone(&taken), log: scene.log.clone() }));
    let doer = Doer::new(|nth, _, commands| {
        commands.submit(buy(&format!("k{nth}"), 1));
        Ok(())
    });
    let (engine, _) = run(scene.engine(doer));
    assert!(*taken.lock().unwrap());
    assert!(heard.lock().unwrap().iter().any(|line| line == "mts.v1.risk.kill.activated"));
    let (sent, cancels) = (desk.sent(), desk.book.lock().unwrap().cancels.len());
    assert!(sent < 40 && sent == cancels, "{sent} sent, {cancels} cancelled");
    assert!(engine.core().risk().killed().is_some());
}
