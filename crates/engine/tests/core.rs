//! The core alone, with a risk machine and a planner that do as they are told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{Input, MarkUpdate, OperatorAct};
use mts_engine::{Action, Output};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::risk::RejectCode;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{ActorId, BrokerOrderId, Decimal, Event, Order, OrderState, Side, Symbol, VenueName};

#[test]
fn nothing_leaves_without_the_risk_machine() {
    let mut refusing = core(false);
    open(&mut refusing, 0);
    let output = step(&mut refusing, &decide(1, vec![buy("k", 10)]));
    assert!(output.actions.is_empty());
    assert!(output.events.iter().any(|event| matches!(event, Event::GateFailed(_))));
    assert_eq!(refusing.state().ledger().fund(&fund_id()).unwrap().working_count(), 0);
    let mut approving = core(true);
    open(&mut approving, 0);
    assert_eq!(submitted(&step(&mut approving, &decide(1, vec![buy("k", 10)]))).len(), 1);
}

#[test]
fn what_feeds_say_of_their_prices_is_in_the_books_until_they_or_the_process_begin_anew() {
    let mut core = core(true);
    open(&mut core, 0);
    let (symbol, venue) = (Symbol::new("AAPL").unwrap(), VenueName::new("feed").unwrap());
    let told = |second, symbols: &[Symbol]| Input::StalePrices {
        venue: venue.clone(),
        symbols: symbols.to_vec(),
        time: at(second),
    };
    step(&mut core, &told(1, std::slice::from_ref(&symbol)));
    let stale = |core: &mts_engine::Core| core.state().ledger().stale_at(&symbol).cloned();
    assert_eq!(stale(&core), Some(venue.clone()));
    step(&mut core, &told(2, &[]));
    assert_eq!(stale(&core), None);
    step(&mut core, &told(3, std::slice::from_ref(&symbol)));
    step(&mut core, &Input::Started { time: at(4) });
    assert_eq!(stale(&core), None, "feeds have begun anew");
}

#[test]
fn the_same_key_is_sent_once() {
    let mut core = core(true);
    open(&mut core, 0);
    let first = step(&mut core, &decide(1, vec![buy("k", 10), buy("k", 10)]));
    assert_eq!(submitted(&first).len(), 1);
    let order = submitted(&first)[0].clone();
    assert!(
        step(&mut core, &decide(2, vec![buy("k", 10)])).actions.is_empty(),
        "open: the stored record stands"
    );
    let other = step(&mut core, &decide(2, vec![buy("k", 11)]));
    assert!(other.actions.is_empty());
    let code = |output: &Output| {
        output.events.iter().find_map(|event| match event {
            Event::GateFailed(failed) => Some(failed.rejection.code),
            _ => None,
        })
    };
    assert_eq!(code(&other), Some(RejectCode::IdempotencyConflict));
    accept(&mut core, &order, 3);
    step(&mut core, &fill(&order, "x1", 10, 3));
    assert_eq!(code(&step(&mut core, &decide(4, vec![buy("k", 10)]))), None, "within the window: silently");
    let late = step(&mut core, &decide(10, vec![buy("k", 10)]));
    assert_eq!(code(&late), Some(RejectCode::IdempotencyKeyReused));
    assert_eq!(core.state().counters().fills, 1);
}

#[test]
fn two_orders_of_one_decision_are_two_orders() {
    let mut core = core(true);
    open(&mut core, 0);
    let plain =
        || Command::Submit(OrderRequest::market(Symbol::new("AAPL").unwrap(), Side::Buy, Decimal::from(2)));
    let output = step(&mut core, &decide(1, vec![plain(), plain()]));
    let keys: Vec<_> = submitted(&output).iter().map(|order| order.idempotency_key.to_string()).collect();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].ends_with("-AAPL-buy#1") && keys[1].ends_with("-AAPL-buy#2"), "{keys:?}");
    assert!(
        step(&mut core, &decide(1, vec![plain(), plain()])).actions.is_empty(),
        "the same decision again"
    );
}

#[test]
fn a_fill_seen_twice_has_its_effect_once() {
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "x1", 4, 2));
    let twice = step(&mut core, &fill(&order, "x1", 4, 2));
    assert!(twice.events.is_empty());
    let other = step(&mut core, &fill(&order, "x1", 5, 2));
    assert_eq!(incidents(&other), ["FILL_DIFFERS"], "the same id with something else is told, not booked");
    step(&mut core, &fill(&order, "x2", 6, 3));
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    assert_eq!((book.cash(), book.nav()), (Decimal::from(900), Decimal::from(1_000)));
    assert_eq!(book.working_count(), 0);
    assert_eq!((core.state().counters().fills, core.state().counters().duplicate_fills), (2, 2));
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Filled);
}

#[test]
fn fills_that_fit_nothing_are_booked_or_raised_never_lost() {
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    let over = step(&mut core, &fill(&order, "x1", 12, 2));
    assert_eq!(incidents(&over), ["OVERFILL"]);
    assert_eq!(
        core.state().ledger().fund(&fund_id()).unwrap().positions().quantity(&order.symbol),
        Decimal::from(12)
    );
    let mut stranger = order.clone();
    stranger = serde_json::from_str(&serde_json::to_string(&stranger).unwrap().replace("f-000001", "other"))
        .unwrap();
    assert_eq!(incidents(&step(&mut core, &fill(&stranger, "x2", 1, 3))), ["FILL_WITHOUT_ORDER"]);
}

#[test]
fn an_unknown_outcome_keeps_counting_until_there_is_evidence() {
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
    let answer =
        step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(2) });
    assert_eq!(incidents(&answer), ["ORDER_UNKNOWN"]);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Unknown);
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 1);
    assert!(step(&mut core, &decide(1_000, vec![buy("k", 10)])).actions.is_empty(), "never sent again");
    step(&mut core, &fill(&order, "x1", 10, 1_001));
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Filled);
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 0);
}

#[test]
fn a_close_cancels_first_and_closes_what_is_then_held() {
    let mut core = core(true);
    open(&mut core, 0);
    let held = submitted(&step(&mut core, &decide(1, vec![buy("k1", 10)])))[0].clone();
    accept(&mut core, &held, 1);
    step(&mut core, &fill(&held, "x1", 10, 1));
    let working = submitted(&step(&mut core, &decide(2, vec![buy("k2", 5)])))[0].clone();
    accept(&mut core, &working, 2);
    let symbol = Symbol::new("AAPL").unwrap();
    let asked = step(&mut core, &decide(3, vec![Command::Close(symbol.clone())]));
    assert!(matches!(asked.actions.as_slice(), [Action::Cancel(_)]), "{:?}", asked.actions);
    let again = step(&mut core, &decide(3, vec![Command::Close(symbol)]));
    assert_eq!(again.actions, asked.actions, "asking again asks the venue again, and closes nothing twice");
    step(&mut core, &fill(&working, "x2", 2, 3));
    let confirmed = Input::Canceled {
        order_id: working.order_id.clone(),
        outcome: CancelOutcome::Confirmed,
        time: at(4),
    };
    let closing = step(&mut core, &confirmed);
    let [close] = submitted(&closing)[..] else { panic!("{:?}", closing.actions) };
    assert_eq!((close.side, close.quantity), (Side::Sell, Decimal::from(12)));
}

#[test]
fn the_kill_switch_cancels_everything_that_works() {
    let mut core = core(true);
    open(&mut core, 0);
    let output = step(&mut core, &decide(1, vec![buy("k1", 1), buy("k2", 2)]));
    let orders: Vec<Order> = submitted(&output).into_iter().cloned().collect();
    for order in &orders {
        accept(&mut core, order, 1);
    }
    let act = OperatorAct::Kill { reason: "drill".to_owned(), actor: ActorId::new("me").unwrap() };
    let killed = step(&mut core, &Input::Operator { act, time: at(2) });
    assert_eq!(killed.actions.iter().filter(|action| matches!(action, Action::Cancel(_))).count(), 2);
    assert!(submitted(&step(&mut core, &decide(3, vec![buy("k3", 1)]))).is_empty());
}

#[test]
fn a_held_instrument_that_loses_its_price_is_told_once() {
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "x", 10, 2));
    let date = at(0).to_datetime().date_naive();
    let mut close = |minute: i64, marks: Vec<MarkUpdate>| {
        step(&mut core, &Input::Closes { time: at(minute), marks });
        let output = step(&mut core, &Input::SessionClose { date, time: at(minute) });
        incidents(&output).iter().map(|code| (*code).to_owned()).collect::<Vec<_>>()
    };
    assert!(close(3, vec![mark(11)]).is_empty());
    assert_eq!(close(4, vec![]), ["POSITION_WITHOUT_PRICE"]);
    assert!(close(5, vec![]).is_empty(), "once is enough");
    assert!(close(6, vec![mark(9)]).is_empty());
    assert_eq!(close(7, vec![]), ["POSITION_WITHOUT_PRICE"]);
}

#[test]
fn orders_of_a_closed_market_wait_for_the_open() {
    let mut core = core(true);
    open(&mut core, 0);
    let date = at(0).to_datetime().date_naive();
    step(&mut core, &Input::SessionClose { date, time: at(1) });
    assert!(step(&mut core, &decide(1, vec![buy("k", 10)])).actions.is_empty());
    assert_eq!(submitted(&open(&mut core, 60)).len(), 1);
}

#[test]
fn time_does_not_go_back() {
    let mut core = core(true);
    open(&mut core, 5);
    let before = core.state_hash();
    let error = core.step(&decide(1, vec![]), &mut Output::default()).unwrap_err();
    assert!(error.to_string().contains("time went back"));
    assert_eq!(core.state_hash(), before);
}

#[test]
fn what_is_remembered_has_a_bound() {
    let mut core = core(true);
    for day in 0..50 {
        let minute = day * 1_440;
        open(&mut core, minute);
        let order =
            submitted(&step(&mut core, &decide(minute + 1, vec![buy(&format!("k{day}"), 1)])))[0].clone();
        accept(&mut core, &order, minute + 1);
        step(&mut core, &fill(&order, &format!("x{day}"), 1, minute + 2));
    }
    assert!(core.state().orders().len() <= 3, "{} orders are remembered", core.state().orders().len());
    assert_eq!(core.state().counters().fills, 50);
}

#[test]
fn the_same_inputs_give_the_same_state_and_any_other_input_another() {
    let run = |quantity: i64| {
        let mut core = core(true);
        open(&mut core, 0);
        step(&mut core, &decide(1, vec![buy("k", quantity)]));
        core.state_hash()
    };
    assert_eq!(run(10), run(10));
    assert_ne!(run(10), run(11));
}

#[test]
fn inputs_survive_the_journal_bit_for_bit() {
    let order_input = decide(1, vec![buy("k", 10)]);
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &order_input))[0].clone();
    let inputs = [
        order_input,
        fill(&order, "x", 3, 2),
        Input::Closes { time: at(3), marks: vec![mark(7)] },
        Input::Submitted {
            order_id: order.order_id.clone(),
            outcome: SubmitOutcome::Accepted(order.clone().accepted(at(3), BrokerOrderId::new("b").unwrap())),
            time: at(3),
        },
        Input::Canceled { order_id: order.order_id.clone(), outcome: CancelOutcome::NotFound, time: at(4) },
    ];
    let mut buffer = Vec::new();
    for input in inputs {
        mts_engine::record::encode(&input, &mut buffer).unwrap();
        assert_eq!(mts_engine::record::decode(1, mts_engine::record::INPUT_V1, &buffer).unwrap(), input);
    }
}
