//! Strategies that talk with their broker, on the live engine (decision S2).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod desk;

use common::{core_with, fund_id};
use desk::{Desk, Log, Quotes, SystemClock};
use mts_engine::shell::Trader;
use mts_engine::shell::live::{LiveEngine, LiveParts, LiveRules, Venue};
use mts_foundation::broker_handle::{BrokerHandle, HandleError, HandleStrategy, Handled, OrderAsk, Placed};
use mts_foundation::strategy::StrategyError;
use mts_foundation::{Decimal, OrderState, StrategyId, Symbol, View};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Said = Arc<Mutex<Vec<String>>>;

/// Talks with its broker at its first data, and notes the answers.
struct Talker<F> {
    id: StrategyId,
    talk: Option<F>,
    said: Said,
}

impl<F: FnOnce(&mut BrokerHandle<'_>, &Said) + Send> HandleStrategy for Talker<F> {
    fn id(&self) -> &StrategyId {
        &self.id
    }
    fn on_data(&mut self, _: &View<'_>, broker: &mut BrokerHandle<'_>) -> Result<(), StrategyError> {
        if let Some(talk) = self.talk.take() {
            talk(broker, &self.said);
        }
        Ok(())
    }
}

fn ask(units: i64) -> OrderAsk {
    OrderAsk::market(Symbol::new("AAPL").unwrap(), Decimal::from(units))
}

fn note(said: &Said, line: impl std::fmt::Display) {
    said.lock().unwrap().push(line.to_string());
}

/// Runs an engine with one talk; what was said, and the engine.
fn talk(
    desk: &Arc<Desk>,
    approve: bool,
    order_within: Duration,
    talk: impl FnOnce(&mut BrokerHandle<'_>, &Said) + Send + 'static,
) -> (Vec<String>, LiveEngine<Log>) {
    let said = Said::default();
    let talker = Talker { id: "s".parse().unwrap(), talk: Some(talk), said: Arc::clone(&said) };
    let mut engine = LiveEngine::new(LiveParts {
        core: core_with(approve, |config| config.sessions = false),
        journal: Log::begun(),
        clock: Arc::new(SystemClock),
        venues: BTreeMap::from([("paper".parse().unwrap(), Venue::Real(desk.clone()))]),
        gates: Vec::new(),
        feeds: vec![Box::new(Quotes {
            last: Vec::new(),
            left: 5,
            every: Duration::from_millis(2),
            silent_after: false,
        })],
        traders: vec![Trader { strategy: Box::new(Handled(talker)), fund_id: fund_id() }],
        calendar: None,
        rules: LiveRules {
            call_deadline: Duration::from_millis(300),
            order_within,
            drain_within: Duration::from_secs(3),
            end_with_feed: true,
            ..LiveRules::default()
        },
        kill_flag: None,
        observe: Box::new(|_| {}),
    })
    .unwrap();
    engine.connect().unwrap();
    engine.run().unwrap();
    let said = said.lock().unwrap().clone();
    (said, engine)
}

#[test]
fn an_order_is_answered_by_the_broker_and_its_fill_is_seen_in_the_same_call() {
    let desk = Desk::new();
    desk.fills.store(true, Ordering::SeqCst);
    let (said, engine) = talk(&desk, true, Duration::from_secs(10), |broker, said| {
        note(said, format!("connected {}", broker.is_connected().unwrap()));
        note(said, format!("cash {}", broker.get_cash().unwrap()));
        let Placed::Order(order) = broker.submit_order(ask(2)).unwrap() else { panic!("the market is open") };
        note(said, format!("{} {}", order.order.side, order.order.quantity));
        let symbol = Symbol::new("AAPL").unwrap();
        // The fill comes on a way of its own.
        let held = (0..200).find_map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            broker.get_position(&symbol).unwrap()
        });
        note(said, format!("held {}", held.unwrap().quantity));
        note(said, format!("pending {}", broker.pending_orders().unwrap().len()));
        note(said, broker.submit_order(ask(-5)).unwrap_err());
    });
    assert_eq!(said[..5], ["connected true", "cash 1000", "buy 2", "held 2", "pending 0"].map(str::to_owned));
    assert!(said[5].contains("sell 2 closes the position") && said[5].contains("short 3 opens"), "{said:?}");
    assert_eq!(desk.sent(), 1, "what goes through zero never left");
    assert_eq!(engine.core().state().counters().orders, 1);
}

#[test]
fn a_refusal_of_the_gates_reaches_the_strategy_with_its_code_and_words() {
    let desk = Desk::new();
    let (said, _) = talk(&desk, false, Duration::from_secs(10), |broker, said| {
        match broker.submit_order(ask(2)).unwrap_err() {
            HandleError::Rejected { code, message, .. } => note(said, format!("{code}: {message}")),
            other => panic!("{other}"),
        }
    });
    assert_eq!(said.len(), 1);
    assert!(!said[0].contains("nothing more is known"), "{said:?}");
    assert_eq!(desk.sent(), 0);
}

/// The strategy is told that nothing is known yet; the engine finds out and nothing is sent twice.
#[test]
fn an_order_that_times_out_is_resolved_and_not_abandoned() {
    let desk = Desk::new();
    desk.mute.store(true, Ordering::SeqCst);
    let (said, engine) = talk(&desk, true, Duration::from_millis(50), |broker, said| {
        let HandleError::Timeout { order_id } = broker.submit_order(ask(2)).unwrap_err() else {
            panic!("the broker is mute")
        };
        let state = (0..400).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            let orders = broker.pending_orders().unwrap();
            orders
                .iter()
                .find(|record| record.order.order_id == order_id)
                .map(|record| record.state)
                .filter(|state| *state == OrderState::Accepted)
        });
        note(said, format!("{state:?}"));
        let record = broker.cancel_order(&"f-999999".parse().unwrap()).unwrap_err();
        note(said, record);
    });
    assert_eq!(said[0], "Some(Accepted)");
    assert!(said[1].contains("none of this strategy's"), "{said:?}");
    assert_eq!(desk.sent(), 1, "never sent again");
    assert_eq!(engine.core().state().counters().orders, 1);
}

#[test]
fn a_cancellation_is_waited_for() {
    let desk = Desk::new();
    let (said, _) = talk(&desk, true, Duration::from_secs(10), |broker, said| {
        let Placed::Order(order) = broker.submit_order(ask(2)).unwrap() else { panic!("the market is open") };
        let record = broker.cancel_order(&order.order.order_id).unwrap();
        note(said, record.state);
        let again = broker.cancel_order(&order.order.order_id).unwrap();
        note(said, again.state);
    });
    assert_eq!(said, ["canceled", "canceled"]);
    assert_eq!(desk.book.lock().unwrap().cancels.len(), 1);
}
