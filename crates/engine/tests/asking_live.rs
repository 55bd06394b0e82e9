//! The live engine and asynchronous gates: answers, refusals, gates that are slow, panic or fail open.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod desk;

use common::{core_with, fund_id};
use desk::{Desk, Doer, Log, Quotes, SystemClock, buy};
use mts_engine::input::OperatorAct;
use mts_engine::shell::Trader;
use mts_engine::shell::driver::Driver;
use mts_engine::shell::live::{LiveEngine, LiveError, LiveParts, LiveRules, LiveStats, Told, Venue};
use mts_foundation::risk::{AsyncRiskGate, DynAsyncRiskGate, Gate, OrderContext, RejectCode, Rejection};
use mts_foundation::{ActorId, Event, IdempotencyKey, Order, OrderState, RiskEnvelope};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Does what the key of the order says.
#[derive(Default)]
struct Obliging {
    failures: Mutex<Vec<String>>,
}

impl AsyncRiskGate for Obliging {
    fn name(&self) -> &str {
        "told"
    }
    async fn check(
        &self,
        order: &Order,
        envelope: Option<&RiskEnvelope>,
        context: &OrderContext,
    ) -> Result<(), Box<Rejection>> {
        assert!(envelope.is_some() && context.open_orders < 10);
        match order.idempotency_key.as_str() {
            "never" => std::future::pending().await,
            "panics" => panic!("as told"),
            "vetoed" => Err(Box::new(Rejection {
                gate: Gate::Veto,
                code: RejectCode::Vetoed,
                limit: None,
                observed: None,
                message: "x".repeat(10_000),
            })),
            "no opinion" => {
                self.failures.lock().unwrap().push("no opinion".to_owned());
                Ok(())
            }
            _ => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(())
            }
        }
    }
    fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut self.failures.lock().unwrap())
    }
}

struct Ran {
    desk: Arc<Desk>,
    log: Log,
    engine: LiveEngine<Log>,
    stats: LiveStats,
    heard: Vec<String>,
}

impl Ran {
    fn state(&self, key: &str) -> OrderState {
        self.engine.core().state().order_of_key(&IdempotencyKey::new(key).unwrap()).unwrap().state
    }
    fn place(&self, line: &str) -> usize {
        self.heard
            .iter()
            .position(|heard| heard == line)
            .unwrap_or_else(|| panic!("{line}: {:?}", self.heard))
    }
}

type Heard = Arc<Mutex<Vec<String>>>;

fn engine(
    keys: &'static [&'static str],
    async_gates: bool,
    gates: Vec<Arc<dyn DynAsyncRiskGate>>,
    (desk, log, heard): (Arc<Desk>, Log, Heard),
) -> Result<LiveEngine<Log>, LiveError> {
    let doer = Doer::new(move |nth, _, commands| {
        if nth == 1 {
            keys.iter().for_each(|key| commands.submit(buy(key, 10)));
        }
        Ok(())
    });
    LiveEngine::new(LiveParts {
        core: core_with(true, |config| (config.sessions, config.async_gates) = (false, async_gates)),
        journal: log,
        clock: Arc::new(SystemClock),
        venues: BTreeMap::from([("paper".parse().unwrap(), Venue::Real(desk))]),
        gates,
        feeds: vec![Box::new(Quotes {
            last: Vec::new(),
            left: 5,
            every: Duration::from_millis(2),
            silent_after: false,
        })],
        traders: vec![Trader { strategy: Box::new(doer), fund_id: fund_id() }],
        calendar: None,
        rules: LiveRules {
            gate_deadline: Duration::from_millis(400),
            drain_within: Duration::from_secs(2),
            end_with_feed: true,
            ..LiveRules::default()
        },
        kill_flag: None,
        observe: Box::new(move |told| {
            if let Told::Event(event) = told {
                let line = match event {
                    Event::Incident { code, .. } => code.to_string(),
                    Event::OrderAccepted(record) => format!("{} accepted", record.order.idempotency_key),
                    Event::OrderRejected(record) => format!("{} rejected", record.order.idempotency_key),
                    Event::OrderCanceled(record) => format!("{} canceled", record.order.idempotency_key),
                    _ => return,
                };
                heard.lock().unwrap().push(line);
            }
        }),
    })
}

/// Runs an engine whose strategy sends orders with these keys at once.
fn run(keys: &'static [&'static str], meanwhile: impl FnOnce(&LiveEngine<Log>)) -> Ran {
    let (desk, log, heard) = (Desk::new(), Log::begun(), Heard::default());
    let parts = (Arc::clone(&desk), log.clone(), Arc::clone(&heard));
    let mut engine = engine(keys, true, vec![Arc::new(Obliging::default())], parts).unwrap();
    engine.connect().unwrap();
    meanwhile(&engine);
    let stats = engine.run().unwrap();
    let heard = heard.lock().unwrap().clone();
    Ran { desk, log, engine, stats, heard }
}

#[test]
fn an_order_that_the_gate_lets_pass_leaves_and_the_journal_knows_why() {
    let ran = run(&["a", "b"], |_| {});
    assert_eq!(
        (ran.desk.sent(), ran.state("a"), ran.state("b")),
        (2, OrderState::Accepted, OrderState::Accepted)
    );
    let gates = ran.stats.gates;
    assert_eq!((gates.count, gates.counts.iter().sum::<u64>()), (2, 2));
    assert!(gates.longest_nanos >= 5_000_000 && gates.nanos >= 10_000_000, "{gates:?}");
    assert_eq!(ran.stats.decisions.count, ran.stats.inputs);
    let core = core_with(true, |config| (config.sessions, config.async_gates) = (false, true));
    let again = Driver::recover(core, ran.log.clone(), &mut |_, _| {}).unwrap();
    assert_eq!(again.core().state_hash(), ran.engine.core().state_hash());
}

#[test]
fn a_slow_gate_holds_up_nobody_else_and_lets_nothing_pass() {
    let ran = run(&["never", "quick"], |_| {});
    assert_eq!((ran.desk.sent(), ran.state("never")), (1, OrderState::Rejected));
    assert!(ran.place("quick accepted") < ran.place("GATE_UNANSWERED"));
    let code = ran.engine.core().state().counters().by_code.get(&RejectCode::GateUnanswered);
    assert_eq!(code, Some(&1));
    assert!(ran.stats.gates.longest_nanos >= 400_000_000, "{:?}", ran.stats.gates);
}

#[test]
fn a_gate_that_panics_refuses_that_order_and_goes_on() {
    let ran = run(&["panics", "a"], |_| {});
    assert_eq!((ran.state("panics"), ran.state("a")), (OrderState::Rejected, OrderState::Accepted));
    ran.place("GATE_UNANSWERED");
}

#[test]
fn a_veto_refuses_and_a_failure_that_lets_pass_is_told() {
    let ran = run(&["vetoed", "no opinion"], |_| {});
    assert_eq!((ran.desk.sent(), ran.state("vetoed")), (1, OrderState::Rejected));
    assert_eq!(ran.state("no opinion"), OrderState::Accepted);
    ran.place("GATE_FAILED_OPEN");
}

#[test]
fn a_kill_ends_what_waits_at_once() {
    let ran = run(&["never"], |engine| {
        let (handle, kept) = (engine.handle(), engine.runtime().handle().clone());
        let act = OperatorAct::Kill { reason: "drill".to_owned(), actor: ActorId::new("me").unwrap() };
        kept.spawn(async move {
            let second = Duration::from_secs(1);
            let waits = |core: &mts_engine::Core, _: &LiveStats| core.state().pending_orders().count();
            while handle.ask(waits, second).await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            handle.operate(act, second).await.unwrap();
        });
    });
    assert_eq!((ran.desk.sent(), ran.state("never")), (0, OrderState::Canceled));
    assert_eq!(ran.heard.iter().filter(|line| *line == "never canceled").count(), 1);
    assert!(
        !ran.heard.iter().any(|line| line == "GATE_UNANSWERED"),
        "it was not waited for: {:?}",
        ran.heard
    );
}

#[test]
fn gates_without_questions_and_questions_without_gates_are_refused() {
    let parts = || (Desk::new(), Log::begun(), Heard::default());
    assert!(matches!(engine(&[], true, Vec::new(), parts()), Err(LiveError::NoGates)));
    let gates: Vec<Arc<dyn DynAsyncRiskGate>> = vec![Arc::new(Obliging::default())];
    assert!(matches!(engine(&[], false, gates, parts()), Err(LiveError::GatesUnasked)));
}
