//! Orders of which nothing is known, and accounts that say something else than the books.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{AccountAnswer, Input, LookUp, OperatorAct};
use mts_engine::{Action, Core, Output};
use mts_foundation::broker::{CancelOutcome, OrderRef, SubmitOutcome};
use mts_foundation::risk::RejectCode;
use mts_foundation::strategy::Command;
use mts_foundation::{ActorId, Decimal, Order, OrderState, Symbol};
use std::time::Duration;

/// Sends an order whose answer never comes.
fn lost(core: &mut Core, key: &str, minute: i64) -> Order {
    let order = submitted(&step(core, &decide(minute, vec![buy(key, 10)])))[0].clone();
    let outcome = SubmitOutcome::Unknown { cause: "no answer in 30 s".into() };
    let output =
        step(core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(minute) });
    assert_eq!(incidents(&output), ["ORDER_UNKNOWN"]);
    order
}

fn answer(core: &mut Core, order: &Order, answer: LookUp, minute: i64) -> Output {
    step(core, &Input::LookedUp { order_id: order.order_id.clone(), answer, time: at(minute) })
}

fn asked(outputs: &[(mts_foundation::Timestamp, Output)]) -> usize {
    let of = |output: &Output| {
        output.actions.iter().filter(|action| matches!(action, Action::LookUp { .. })).count()
    };
    outputs.iter().map(|(_, output)| of(output)).sum()
}

#[test]
fn what_is_not_known_is_asked_for_with_growing_pauses_and_then_told() {
    let mut core = live_core(0);
    let order = lost(&mut core, "k", 1);
    let said = wait(&mut core, at(1).plus(Duration::from_secs(46)));
    let look_ups: Vec<_> = said
        .iter()
        .filter(|(_, output)| output.actions.iter().any(|action| matches!(action, Action::LookUp { .. })))
        .map(|(time, _)| time.since(at(1)).as_millis())
        .collect();
    assert_eq!(look_ups, [500, 1_500, 3_500, 7_500, 15_500, 45_500]);
    let told: Vec<_> = said.iter().flat_map(|(_, output)| incidents(output)).collect();
    assert_eq!(told, ["ORDER_STAYS_UNKNOWN"]);
    let by_key = |action: &Action| matches!(action, Action::LookUp { reference: OrderRef::Key(key), .. } if *key == order.idempotency_key);
    assert!(said.iter().any(|(_, output)| output.actions.iter().any(by_key)));
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Unknown);
}

#[test]
fn an_unknown_order_blocks_its_strategy_in_its_instrument_until_it_is_found() {
    let mut core = live_core(0);
    let order = lost(&mut core, "k", 1);
    let refused = step(&mut core, &decide(2, vec![buy("other", 5)]));
    assert_eq!(code(&refused), Some(RejectCode::UnknownOrderPending));
    answer(&mut core, &order, LookUp::Found(Box::new(report(&order, OrderState::Accepted, 0, 2))), 2);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Accepted);
    assert_eq!(core.unknown_orders().count(), 0);
    let passes = step(&mut core, &decide(2, vec![buy("third", 5)]));
    assert_eq!(submitted(&passes).len(), 1);
    assert_eq!(asked(&wait(&mut core, at(30))), 0, "nobody asks any more");
}

#[test]
fn a_venue_that_does_not_know_the_order_proves_nothing_unless_it_dedupes() {
    let mut core = live_core(0);
    let order = lost(&mut core, "k", 1);
    for minute in 2..10 {
        assert!(answer(&mut core, &order, LookUp::NotKnown, minute).actions.is_empty());
    }
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Unknown);
    let act = OperatorAct::Settle {
        order_id: order.order_id.clone(),
        actor: ActorId::new("ann").unwrap(),
        reason: "the venue's desk says it never came".into(),
    };
    let output = step(&mut core, &Input::Operator { act, time: at(10) });
    assert_eq!(incidents(&output), ["ORDER_SETTLED"]);
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 0);
}

#[test]
fn a_venue_that_dedupes_gets_the_same_order_again_but_not_an_old_one() {
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    let at_second = |second| at(1).plus(Duration::from_secs(second));
    let not_known = |core: &mut Core, second| {
        let time = at_second(second);
        step(core, &Input::LookedUp { order_id: order.order_id.clone(), answer: LookUp::NotKnown, time })
    };
    assert!(not_known(&mut core, 1).actions.is_empty(), "it may still be on its way");
    assert!(not_known(&mut core, 3).actions.is_empty(), "once is not enough");
    assert_eq!(
        submitted(&not_known(&mut core, 4)),
        [&core.state().order(&order.order_id).unwrap().order.clone()]
    );
    let outcome = SubmitOutcome::NotSent { reason: "no connection".into() };
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at_second(5) });
    let state = core.state().order(&order.order_id).unwrap().state;
    assert_eq!(state, OrderState::Unknown, "that the second did not leave says nothing of the first");
    not_known(&mut core, 40);
    assert!(not_known(&mut core, 41).actions.is_empty(), "meant for another market");
}

fn deduping_core() -> Core {
    let mut core = core_with(true, |config| {
        let facts = mts_engine::VenueFacts { client_id_dedupe: true, ..Default::default() };
        config.venues.insert("paper".parse().unwrap(), facts);
    });
    step(&mut core, &Input::Started { time: at(0) });
    step(&mut core, &seen(&[], &[], 0));
    open(&mut core, 0);
    core
}

#[test]
fn fills_that_never_come_are_stood_for_once_and_give_way_to_the_real_ones() {
    let mut core = live_core(0);
    let order = lost(&mut core, "k", 1);
    let filled = report(&order, OrderState::Filled, 10, 2);
    let mut told = Vec::new();
    for minute in 2..6 {
        let output = answer(&mut core, &order, LookUp::Found(Box::new(filled.clone())), minute);
        told.extend(incidents(&output).into_iter().map(str::to_owned));
    }
    assert_eq!(told, ["SYNTHETIC_FILL"]);
    let book = |core: &Core| {
        let book = core.state().ledger().fund(&fund_id()).unwrap();
        (book.positions().quantity(&Symbol::new("AAPL").unwrap()), book.cash())
    };
    assert_eq!(book(&core), (Decimal::TEN, Decimal::from(900)));
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Filled);
    let output = step(&mut core, &fill(&order, "x1", 10, 7));
    assert_eq!(incidents(&output), ["SYNTHETIC_FILL_REPLACED"]);
    assert_eq!(book(&core), (Decimal::TEN, Decimal::from(900)), "not booked twice");
}

#[test]
fn nothing_leaves_before_the_account_is_compared() {
    let mut core = core(true);
    step(&mut core, &Input::Started { time: at(0) });
    open(&mut core, 0);
    let refused = step(&mut core, &decide(1, vec![buy("k", 10)]));
    assert_eq!(code(&refused), Some(RejectCode::AccountNotReconciled));
    let failed = AccountAnswer::Failed { message: "503".into() };
    let output = step(
        &mut core,
        &Input::AccountSeen { broker: "paper".parse().unwrap(), answer: failed, time: at(1) },
    );
    assert_eq!(incidents(&output), ["ACCOUNT_UNREADABLE"]);
    let refused = step(&mut core, &decide(1, vec![buy("k2", 10)]));
    assert_eq!(code(&refused), Some(RejectCode::AccountNotReconciled), "a failed question is never flat");
    assert_eq!(wait(&mut core, at(2)).len(), 1, "asked again");
    step(&mut core, &seen(&[], &[], 2));
    assert_eq!(submitted(&step(&mut core, &decide(2, vec![buy("k3", 10)]))).len(), 1);
}

#[test]
fn a_difference_that_stays_blocks_its_instrument_until_it_is_adopted() {
    let mut core = live_core(0);
    let first = step(&mut core, &seen(&[("AAPL", 7)], &[], 1));
    assert!(incidents(&first).is_empty(), "a fill may be on its way");
    let second = step(&mut core, &seen(&[("AAPL", 7)], &[], 2));
    assert_eq!(incidents(&second), ["POSITION_UNEXPLAINED", "CASH_DIFFERS"]);
    let refused = step(&mut core, &decide(3, vec![buy("k", 10)]));
    assert_eq!(code(&refused), Some(RejectCode::PositionUnexplained));
    let act = OperatorAct::Adopt {
        broker: "paper".parse().unwrap(),
        fund_id: fund_id(),
        symbol: Symbol::new("AAPL").unwrap(),
        actor: ActorId::new("ann").unwrap(),
        reason: "bought by hand".into(),
    };
    let output = step(&mut core, &Input::Operator { act: act.clone(), time: at(4) });
    assert_eq!(incidents(&output), ["POSITION_ADOPTED"]);
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    assert_eq!(book.positions().quantity(&Symbol::new("AAPL").unwrap()), Decimal::from(7));
    assert_eq!(book.cash(), Decimal::from(1_000), "it came without money");
    assert_eq!(submitted(&step(&mut core, &decide(5, vec![buy("k2", 10)]))).len(), 1);
    let again = step(&mut core, &Input::Operator { act, time: at(6) });
    assert_eq!(incidents(&again), ["NOTHING_TO_ADOPT"]);
}

#[test]
fn an_account_that_has_a_fill_first_is_no_difference() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &seen(&[("AAPL", 10)], &[report(&order, OrderState::PartiallyFilled, 0, 1)], 1));
    step(&mut core, &fill(&order, "x", 10, 1));
    let output = step(&mut core, &seen(&[("AAPL", 10)], &[], 2));
    assert!(incidents(&output).is_empty(), "{:?}", output.events);
    assert!(core.accounts().all(|account| account.unexplained.is_empty() && account.reconciled.is_some()));
}

#[test]
fn an_order_that_the_venue_shows_no_more_is_asked_for() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &seen(&[], &[], 2));
    assert!(asked(&wait(&mut core, at(2).plus(Duration::from_secs(1)))) == 1);
    answer(&mut core, &order, LookUp::Found(Box::new(report(&order, OrderState::Canceled, 0, 3))), 3);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Canceled);
}

#[test]
fn orders_of_others_are_told_once() {
    let mut core = live_core(0);
    let mut foreign = report(&lost_elsewhere(), OrderState::Accepted, 0, 1);
    foreign.idempotency_key = None;
    assert_eq!(incidents(&step(&mut core, &seen(&[], &[foreign.clone()], 1))), ["FOREIGN_ORDER"]);
    assert!(incidents(&step(&mut core, &seen(&[], &[foreign], 2))).is_empty());
}

fn lost_elsewhere() -> Order {
    let mut other = live_core(0);
    lost(&mut other, "elsewhere", 1)
}

#[test]
fn a_restart_asks_for_what_was_under_way_and_forgets_no_timer() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    // The process died between the intent and the answer.
    step(&mut core, &Input::Started { time: at(2) });
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Unknown);
    assert_eq!(asked(&wait(&mut core, at(2).plus(Duration::from_secs(1)))), 1);
}

#[test]
fn a_cancel_without_an_answer_is_asked_after_and_asked_for_again() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &decide(2, vec![Command::Cancel(order.order_id.clone())]));
    let outcome = CancelOutcome::Unknown { cause: "no answer".into() };
    step(&mut core, &Input::Canceled { order_id: order.order_id.clone(), outcome, time: at(2) });
    assert_eq!(asked(&wait(&mut core, at(2).plus(Duration::from_secs(1)))), 1);
    let still =
        answer(&mut core, &order, LookUp::Found(Box::new(report(&order, OrderState::Accepted, 0, 3))), 3);
    assert!(still.actions.iter().any(|action| matches!(action, Action::Cancel(_))), "asked for again");
    answer(&mut core, &order, LookUp::Found(Box::new(report(&order, OrderState::Canceled, 0, 4))), 4);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Canceled);
}

#[test]
fn too_many_unknown_orders_block_the_account() {
    let mut core = core_with(true, |config| {
        let aapl = config.instruments.get(&Symbol::new("AAPL").unwrap()).unwrap().clone();
        let others = ["B", "C", "D", "E"]
            .map(|name| mts_foundation::Instrument { symbol: Symbol::new(name).unwrap(), ..aapl.clone() });
        config.instruments =
            mts_foundation::InstrumentTable::from_instruments(others.into_iter().chain([aapl])).unwrap();
    });
    step(&mut core, &Input::Started { time: at(0) });
    step(&mut core, &seen(&[], &[], 0));
    open(&mut core, 0);
    let buy_of = |symbol: &str| {
        let mut request = mts_foundation::strategy::OrderRequest::market(
            Symbol::new(symbol).unwrap(),
            mts_foundation::Side::Buy,
            Decimal::ONE,
        );
        request.idempotency_key = Some(mts_foundation::IdempotencyKey::new(symbol).unwrap());
        Command::Submit(request)
    };
    for symbol in ["AAPL", "B", "C", "D"] {
        let output = step(&mut core, &decide(1, vec![buy_of(symbol)]));
        let order = submitted(&output)[0].clone();
        let outcome = SubmitOutcome::Unknown { cause: "no answer".into() };
        step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(1) });
    }
    let refused = step(&mut core, &decide(1, vec![buy_of("E")]));
    assert_eq!(code(&refused), Some(RejectCode::UnknownOrderPending));
}

#[test]
fn an_unclear_cancel_of_an_order_that_is_filled_is_not_asked_after() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &decide(2, vec![Command::Cancel(order.order_id.clone())]));
    step(&mut core, &fill(&order, "x", 10, 2));
    let outcome = CancelOutcome::Unknown { cause: "no answer".into() };
    let output = step(&mut core, &Input::Canceled { order_id: order.order_id.clone(), outcome, time: at(2) });
    assert!(incidents(&output).is_empty(), "{:?}", output.events);
    assert_eq!(core.state().sizes().inquiries, 0);
}

#[test]
fn an_answer_that_does_not_come_for_an_order_that_is_filled_is_no_incident() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    step(&mut core, &fill(&order, "x", 10, 1));
    let outcome = SubmitOutcome::Unknown { cause: "no answer".into() };
    let output =
        step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(2) });
    assert!(output.events.is_empty(), "{:?}", output.events);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Filled);
}

#[test]
fn an_order_that_the_venue_forgot_can_be_settled_and_one_that_works_cannot() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    let settle = |minute: i64| Input::Operator {
        act: OperatorAct::Settle {
            order_id: order.order_id.clone(),
            actor: ActorId::new("ann").unwrap(),
            reason: "the venue's screen does not show it".into(),
        },
        time: at(minute),
    };
    assert_eq!(incidents(&step(&mut core, &settle(1))), ["NOTHING_TO_SETTLE"]);
    // The account does not show it, and the venue does not know it.
    step(&mut core, &seen(&[], &[], 2));
    answer(&mut core, &order, LookUp::NotKnown, 3);
    assert_eq!(incidents(&step(&mut core, &settle(4))), ["ORDER_SETTLED"]);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Canceled);
    assert_eq!(core.state().sizes().inquiries, 0);
}

#[test]
fn a_report_of_another_order_under_the_same_venue_id_is_not_believed() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    let outcome = SubmitOutcome::Unknown { cause: "no answer".into() };
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(1) });
    let mut other = report(&order, OrderState::Filled, 10, 2);
    other.idempotency_key = Some(mts_foundation::IdempotencyKey::new("another").unwrap());
    let output = answer(&mut core, &order, LookUp::Found(Box::new(other)), 2);
    assert_eq!(incidents(&output), ["REPORT_MISMATCH"]);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Unknown);
}
