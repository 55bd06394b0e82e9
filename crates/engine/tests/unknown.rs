//! Orders of which nothing is known, and accounts that say something else than the books.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{AccountAnswer, Input, LookUp, OperatorAct};
use mts_engine::{Action, Core, Output};
use mts_foundation::broker::{CancelOutcome, OrderRef, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
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
    let outcome = SubmitOutcome::Unknown { cause: "no answer".into() };
    let output =
        step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at_second(6) });
    assert!(output.events.is_empty(), "nor that the second has no answer: {:?}", output.events);
    not_known(&mut core, 40);
    assert!(not_known(&mut core, 41).actions.is_empty(), "meant for another market");
}

/// Says so many seconds after minute 1 that the venue does not know the order.
fn not_known_after(core: &mut Core, order: &Order, seconds: &[u64]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for second in seconds {
        let time = at(1).plus(Duration::from_secs(*second));
        let answer = LookUp::NotKnown;
        outputs.push(step(core, &Input::LookedUp { order_id: order.order_id.clone(), answer, time }));
    }
    outputs
}

#[test]
fn an_order_that_its_venue_never_had_ends_as_never_sent_after_the_last_moment_at_which_it_could_arrive() {
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    // It is too old to be sent again after 30 s, and on its way for two minutes at most.
    not_known_after(&mut core, &order, &[31, 60, 90, 119]);
    step(&mut core, &seen(&[], &[], 4));
    let state = |core: &Core| core.state().order(&order.order_id).unwrap().state;
    not_known_after(&mut core, &order, &[181]);
    assert_eq!(state(&core), OrderState::Unknown, "one late answer is not enough");
    let [output] = not_known_after(&mut core, &order, &[182]).try_into().unwrap();
    assert_eq!(state(&core), OrderState::NotSent);
    assert_eq!(incidents(&output), ["ORDER_NEVER_SENT"]);
    assert!(output.actions.is_empty(), "it is not sent again");
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 0);
    assert_eq!(core.state().sizes().inquiries, 0);
    assert_eq!(submitted(&step(&mut core, &decide(5, vec![buy("next", 5)]))).len(), 1);
}

#[test]
fn no_order_counts_as_never_sent_where_the_account_was_not_seen_late_enough_or_holds_what_it_asked_for() {
    let late = [181, 182, 183, 184];
    let unknown = |core: &Core, order: &Order| {
        core.state().order(&order.order_id).unwrap().state == OrderState::Unknown
    };
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    step(&mut core, &seen(&[], &[], 2));
    not_known_after(&mut core, &order, &late);
    assert!(unknown(&core, &order), "the account was seen a minute after it left");

    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    step(&mut core, &seen(&[("AAPL", 10)], &[], 3));
    step(&mut core, &seen(&[("AAPL", 10)], &[], 4));
    not_known_after(&mut core, &order, &late);
    assert!(unknown(&core, &order), "the account holds what it asked for");

    let mut core = live_core(0);
    let order = lost(&mut core, "k", 1);
    step(&mut core, &seen(&[], &[], 4));
    not_known_after(&mut core, &order, &late);
    assert!(unknown(&core, &order), "this venue does not find orders by their keys");

    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    step(&mut core, &seen(&[], &[], 4));
    for second in 181..190 {
        let (answer, time) =
            (LookUp::Failed { message: "503".into() }, at(1).plus(Duration::from_secs(second)));
        step(&mut core, &Input::LookedUp { order_id: order.order_id.clone(), answer, time });
    }
    assert!(unknown(&core, &order), "a question that fails is no answer");

    let mut core = deduping_core();
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &decide(1, vec![Command::Cancel(order.order_id.clone())]));
    step(&mut core, &seen(&[], &[], 4));
    not_known_after(&mut core, &order, &late);
    let state = core.state().order(&order.order_id).unwrap().state;
    assert_eq!(state, OrderState::PendingCancel, "the venue had it: that it forgot it says nothing");
}

#[test]
fn what_is_sent_again_is_not_given_up_before_it_has_an_answer_and_the_time_to_arrive() {
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    let again = not_known_after(&mut core, &order, &[3, 4]);
    assert_eq!(again.iter().flat_map(submitted).count(), 1);
    step(&mut core, &seen(&[], &[], 4));
    let waiting = not_known_after(&mut core, &order, &[181, 182, 183, 184]);
    assert!(waiting.iter().all(|output| output.actions.is_empty()), "it waits for its place in a queue");
    let state = |core: &Core| core.state().order(&order.order_id).unwrap().state;
    assert_eq!(state(&core), OrderState::Unknown);
    let outcome = SubmitOutcome::Unknown { cause: "no answer".into() };
    let time = at(1).plus(Duration::from_secs(185));
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time });
    step(&mut core, &seen(&[], &[], 5));
    not_known_after(&mut core, &order, &[241, 250, 304]);
    assert_eq!(state(&core), OrderState::Unknown, "it may have left just now");
    step(&mut core, &seen(&[], &[], 7));
    not_known_after(&mut core, &order, &[361, 362, 363]);
    assert_eq!(state(&core), OrderState::NotSent);
}

#[test]
fn an_order_that_counts_as_never_sent_and_works_after_all_is_told_cancelled_and_booked() {
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    step(&mut core, &seen(&[], &[], 4));
    not_known_after(&mut core, &order, &[181, 182, 183]);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::NotSent);
    let output = step(&mut core, &seen(&[], &[report(&order, OrderState::Accepted, 0, 5)], 5));
    assert_eq!(incidents(&output), ["ORDER_SENT_AFTER_ALL"]);
    assert!(
        matches!(&output.actions[..], [Action::Cancel(asked)] if asked.order_id == order.order_id),
        "{:?}",
        output.actions
    );
    let output = step(&mut core, &fill(&order, "x", 4, 6));
    assert_eq!(incidents(&output), ["FILL_AFTER_END"]);
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    assert_eq!(book.positions().quantity(&Symbol::new("AAPL").unwrap()), Decimal::from(4));
    assert_eq!(book.working_count(), 1, "what is left of it counts again");
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

/// The venue showed a fill that did not come yet: a person who says that the order is not live does not say that.
#[test]
fn an_order_that_the_venue_shows_filled_is_not_settled_before_its_fills_are_booked() {
    let mut core = live_core(0);
    let order = lost(&mut core, "k", 1);
    let settle = |minute| Input::Operator {
        act: OperatorAct::Settle {
            order_id: order.order_id.clone(),
            actor: ActorId::new("ann").unwrap(),
            reason: "the venue's screen does not show it".into(),
        },
        time: at(minute),
    };
    answer(&mut core, &order, LookUp::Found(Box::new(report(&order, OrderState::Filled, 10, 2))), 2);
    assert_eq!(incidents(&step(&mut core, &settle(2))), ["SETTLE_TOO_EARLY"]);
    assert!(core.state().order(&order.order_id).unwrap().state.is_working());
    // It takes that back.
    answer(&mut core, &order, LookUp::NotKnown, 3);
    assert_eq!(incidents(&step(&mut core, &settle(3))), ["ORDER_SETTLED"]);
}

#[test]
fn a_cancellation_that_may_not_have_left_leaves_again_at_the_start() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &decide(2, vec![Command::Cancel(order.order_id.clone())]));
    let started = step(&mut core, &Input::Started { time: at(3) });
    assert_eq!(cancelled(&started), std::slice::from_ref(&order.order_id));
}

#[test]
fn an_end_with_more_filled_than_came_is_asked_about_before_it_counts() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    let report =
        OrderReport { order_id: Some(order.order_id.clone()), ..report(&order, OrderState::Canceled, 4, 2) };
    let event = BrokerEvent::Order(report.clone());
    step(&mut core, &Input::Broker { broker: "paper".parse().unwrap(), event, time: at(2) });
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Accepted);
    step(&mut core, &fill(&order, "x", 4, 2));
    assert_eq!(asked(&wait(&mut core, at(2).plus(Duration::from_secs(1)))), 1);
    answer(&mut core, &order, LookUp::Found(Box::new(report)), 3);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Canceled);
    assert_eq!(core.state().sizes().inquiries, 0);
}

/// The account has seven units that nobody booked, and something is traded at every moment.
#[test]
fn a_difference_is_found_while_its_instrument_is_traded() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 50)])))[0].clone();
    accept(&mut core, &order, 1);
    assert!(incidents(&step(&mut core, &seen(&[("AAPL", 7)], &[], 2))).is_empty());
    step(&mut core, &fill(&order, "x1", 3, 3));
    wait(&mut core, at(4));
    let second = step(&mut core, &seen(&[("AAPL", 10)], &[], 4));
    assert!(incidents(&second).contains(&"POSITION_UNEXPLAINED"), "the difference is the same seven");
    let standing = core.accounts().next().unwrap();
    assert_eq!(
        (standing.unexplained[0].ours, standing.unexplained[0].by()),
        (Decimal::from(3), Decimal::from(7))
    );
    let refused = step(&mut core, &decide(5, vec![buy("k2", 1)]));
    assert_eq!(code(&refused), Some(RejectCode::PositionUnexplained));
    // More of it is traded: it is the same difference, which is not told again.
    step(&mut core, &fill(&order, "x2", 2, 6));
    wait(&mut core, at(7));
    assert!(incidents(&step(&mut core, &seen(&[("AAPL", 12)], &[], 7))).is_empty());
    assert_eq!(core.accounts().next().unwrap().unexplained[0].ours, Decimal::from(5));
}

/// Between every question and its answer something is filled, and no two looks are alike.
#[test]
fn a_difference_that_never_looks_the_same_is_not_waited_for_for_ever() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 50)])))[0].clone();
    accept(&mut core, &order, 1);
    for look in 1..=5 {
        wait(&mut core, at(1 + look));
        step(&mut core, &fill(&order, &format!("x{look}"), 1, 1 + look));
        let told = step(&mut core, &seen(&[("AAPL", 7 + 2 * look)], &[], 1 + look));
        assert_eq!(incidents(&told).contains(&"POSITION_UNEXPLAINED"), look == 5, "look {look}");
        let passes = core.accounts().next().unwrap().suspects.len();
        assert_eq!(passes, usize::from(look < 5));
    }
    let refused = step(&mut core, &decide(7, vec![buy("k2", 1)]));
    assert_eq!(code(&refused), Some(RejectCode::PositionUnexplained));
    // It was fills after all, and that is looked at at once, not a minute later.
    step(&mut core, &fill(&order, "x6", 5, 8));
    let asked = |core: &mut Core, until| {
        let said = wait(core, until);
        let asks = |action: &&Action| matches!(action, Action::Snapshot { .. });
        said.iter().map(|(_, output)| output.actions.iter().filter(asks).count()).sum::<usize>()
    };
    assert_eq!(asked(&mut core, at(8).plus(Duration::from_secs(2))), 1);
    // One question at a time.
    let Input::Broker { broker, event, time } = fill(&order, "x7", 7, 8) else { panic!("it is a fill") };
    let time = time.plus(Duration::from_secs(3));
    step(&mut core, &Input::Broker { broker, event, time });
    assert_eq!(asked(&mut core, at(8).plus(Duration::from_secs(30))), 0);
    assert_eq!(incidents(&step(&mut core, &seen(&[("AAPL", 17)], &[], 9))), ["POSITION_EXPLAINED"]);
}

/// Both sides shrink with every exit; after the last nothing more may leave as a way out.
#[test]
fn a_way_out_is_measured_on_what_is_held_now() {
    let mut core = live_core(0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "x", 10, 1));
    step(&mut core, &seen(&[("AAPL", 17)], &[], 2));
    wait(&mut core, at(3));
    step(&mut core, &seen(&[("AAPL", 17)], &[], 3));
    let out = |key: &str| {
        let Command::Submit(mut request) = buy(key, 10) else { panic!("it submits") };
        request.side = mts_foundation::Side::Sell;
        Command::Submit(request)
    };
    let exit = submitted(&step(&mut core, &decide(4, vec![out("out")])))[0].clone();
    accept(&mut core, &exit, 4);
    step(&mut core, &fill(&exit, "y", 10, 4));
    let refused = step(&mut core, &decide(5, vec![out("again")]));
    assert_eq!(code(&refused), Some(RejectCode::PositionUnexplained));
}

/// The venue does not know the order, twice: it would be sent again, had nobody asked for the contrary since.
#[test]
fn nothing_is_sent_again_that_nobody_wants_any_more() {
    let ann = || ActorId::new("ann").unwrap();
    let at_second = |second| at(1).plus(Duration::from_secs(second));
    let reason = || "drill".to_owned();
    let acts = || {
        [
            None,
            Some(OperatorAct::Kill { reason: reason(), actor: ann() }),
            Some(OperatorAct::Flatten { fund_id: None, actor: ann() }),
        ]
    };
    for number in 0..3 {
        let mut core = deduping_core();
        let order = lost(&mut core, "k", 1);
        let act = acts()[number].clone();
        let unwanted = act.is_some();
        if let Some(act) = act {
            let output = step(&mut core, &Input::Operator { act, time: at_second(1) });
            assert!(submitted(&output).is_empty() && incidents(&output).is_empty(), "{:?}", output.events);
        }
        let mut sent = 0;
        for second in 3..8 {
            let (order_id, time) = (order.order_id.clone(), at_second(second));
            let output = step(&mut core, &Input::LookedUp { order_id, answer: LookUp::NotKnown, time });
            sent += submitted(&output).len();
        }
        assert_eq!(sent == 0, unwanted, "act {number}: sent {sent} times");
    }
    // Nor where the connection is down, and the account may say more than the order's absence.
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    let broker = "paper".parse().unwrap();
    step(&mut core, &Input::Connection { broker, connected: false, time: at_second(2) });
    for second in 3..8 {
        let (order_id, time) = (order.order_id.clone(), at_second(second));
        let output = step(&mut core, &Input::LookedUp { order_id, answer: LookUp::NotKnown, time });
        assert!(submitted(&output).is_empty());
    }
}

/// What looks like a refusal of the second may be that of a venue that has the first.
#[test]
fn a_refusal_of_an_order_that_was_sent_again_is_looked_into() {
    let mut core = deduping_core();
    let order = lost(&mut core, "k", 1);
    let at_second = |second| at(1).plus(Duration::from_secs(second));
    let looked = |core: &mut Core, answer, second| {
        let (order_id, time) = (order.order_id.clone(), at_second(second));
        step(core, &Input::LookedUp { order_id, answer, time })
    };
    looked(&mut core, LookUp::NotKnown, 3);
    assert_eq!(submitted(&looked(&mut core, LookUp::NotKnown, 4)).len(), 1);
    let outcome = SubmitOutcome::Rejected { reason: "client id already used".into() };
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at_second(5) });
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Unknown);
    let live = LookUp::Found(Box::new(report(&order, OrderState::Accepted, 0, 1)));
    looked(&mut core, live, 6);
    assert_eq!(core.state().order(&order.order_id).unwrap().state, OrderState::Accepted);
}
