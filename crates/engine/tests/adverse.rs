//! What venues do at the wrong moment: answers that cross, fills that fit nothing, cancels that are not confirmed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::{
    accept, at, buy, cancel_answer, cancelled, core, decide, fill, fund_id, held, incidents, live_core, mark,
    open, seen, step, submitted,
};
use mts_engine::input::{Input, OperatorAct};
use mts_engine::{Core, Output};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{ActorId, BrokerOrderId, Decimal, FundId, Order, OrderState, Side, StrategyId, Symbol};
use proptest::prelude::*;
use std::time::Duration;

fn aapl() -> Symbol {
    Symbol::new("AAPL").unwrap()
}

/// A core whose market is open, and an order that left and is not answered yet.
fn under_way() -> (Core, Order) {
    let mut core = core(true);
    open(&mut core, 0);
    let order = submitted(&step(&mut core, &decide(1, vec![buy("k", 10)])))[0].clone();
    (core, order)
}

fn kill(core: &mut Core, minute: i64) -> Output {
    let act = OperatorAct::Kill { reason: "drill".to_owned(), actor: ActorId::new("me").unwrap() };
    step(core, &Input::Operator { act, time: at(minute) })
}

fn cancels(output: &Output) -> usize {
    cancelled(output).len()
}

fn state(core: &Core, order: &Order) -> OrderState {
    core.state().order(&order.order_id).unwrap().state
}

fn report(order: &Order, state: OrderState, minute: i64) -> Input {
    let report = OrderReport {
        broker_order_id: BrokerOrderId::new("B-1").unwrap(),
        order_id: Some(order.order_id.clone()),
        idempotency_key: None,
        symbol: order.symbol.clone(),
        side: order.side,
        order_type: order.order_type,
        quantity: order.quantity,
        filled: Decimal::ZERO,
        average_price: None,
        state,
        reason: None,
        timestamp: at(minute),
    };
    Input::Broker { broker: "paper".parse().unwrap(), event: BrokerEvent::Order(report), time: at(minute) }
}

#[test]
fn an_order_under_way_when_the_kill_switch_goes_on_is_cancelled_as_soon_as_the_venue_has_it() {
    let (mut core, order) = under_way();
    assert_eq!(cancels(&kill(&mut core, 2)), 0, "no venue id is known yet");
    assert_eq!(cancels(&accept(&mut core, &order, 3)), 1);
    assert_eq!(state(&core, &order), OrderState::PendingCancel);
}

#[test]
fn an_unknown_order_is_cancelled_when_the_venue_reports_it() {
    let (mut core, order) = under_way();
    kill(&mut core, 2);
    let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(3) });
    assert_eq!(cancels(&step(&mut core, &report(&order, OrderState::Accepted, 4))), 1);
}

#[test]
fn a_close_waits_for_the_order_under_way_and_then_closes_what_is_held() {
    let (mut core, order) = under_way();
    let asked = step(&mut core, &decide(2, vec![Command::Close(aapl())]));
    assert!(asked.actions.is_empty());
    assert_eq!(cancels(&accept(&mut core, &order, 3)), 1);
    step(&mut core, &fill(&order, "x", 4, 4));
    let closing = step(&mut core, &cancel_answer(&order, CancelOutcome::Confirmed, 5));
    let [close] = submitted(&closing)[..] else { panic!("{:?}", closing.actions) };
    assert_eq!((close.side, close.quantity), (Side::Sell, Decimal::from(4)));
}

#[test]
fn a_close_that_waits_is_told_at_the_end_of_the_session_and_can_be_asked_again() {
    let (mut core, order) = under_way();
    accept(&mut core, &order, 1);
    assert_eq!(cancels(&step(&mut core, &decide(2, vec![Command::Close(aapl())]))), 1);
    let answer = step(&mut core, &cancel_answer(&order, CancelOutcome::NotFound, 3));
    assert_eq!(incidents(&answer), ["CANCEL_UNCONFIRMED"]);
    let date = at(4).to_datetime().date_naive();
    let closed = step(&mut core, &Input::SessionClose { date, time: at(4) });
    assert_eq!(incidents(&closed), ["CLOSE_WAITING"]);
    assert_eq!(cancels(&step(&mut core, &decide(5, vec![Command::Close(aapl())]))), 1);
}

#[test]
fn an_acknowledgement_older_than_the_cancel_does_not_undo_it() {
    let (mut core, order) = under_way();
    accept(&mut core, &order, 1);
    step(&mut core, &decide(2, vec![Command::Cancel(order.order_id.clone())]));
    step(&mut core, &report(&order, OrderState::Accepted, 3));
    assert_eq!(state(&core, &order), OrderState::PendingCancel);
    step(&mut core, &report(&order, OrderState::Canceled, 4));
    assert_eq!(state(&core, &order), OrderState::Canceled);
}

#[test]
fn a_cancel_that_comes_too_late_takes_what_the_venue_says() {
    for (said, expected) in [
        (OrderState::Canceled, OrderState::Canceled),
        (OrderState::Expired, OrderState::Expired),
        (OrderState::Filled, OrderState::PendingCancel),
        (OrderState::PartiallyFilled, OrderState::PendingCancel),
    ] {
        let (mut core, order) = under_way();
        accept(&mut core, &order, 1);
        step(&mut core, &decide(2, vec![Command::Cancel(order.order_id.clone())]));
        let answer = step(&mut core, &cancel_answer(&order, CancelOutcome::TooLate { state: said }, 3));
        assert_eq!(state(&core, &order), expected, "{said}");
        assert_eq!(incidents(&answer).len(), usize::from(!said.is_terminal()), "{said}");
        step(&mut core, &fill(&order, "x", 10, 4));
        assert_eq!(state(&core, &order), OrderState::Filled, "the fill counts whatever was said");
    }
}

#[test]
fn fills_are_told_apart_by_broker_and_account() {
    let (mut core, order) = under_way();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "1", 2, 2));
    let Input::Broker { event, time, .. } = fill(&order, "1", 3, 3) else { panic!() };
    step(&mut core, &Input::Broker { broker: "other".parse().unwrap(), event, time });
    assert_eq!(held(&core), Decimal::from(5));
    assert_eq!(core.state().counters().duplicate_fills, 0);
    assert_eq!(core.state().cursor(&"paper".parse().unwrap()).unwrap().as_str(), "1");
}

#[test]
fn a_fill_that_belongs_to_nothing_is_set_aside_once() {
    let (mut core, order) = under_way();
    let text = serde_json::to_string(&order).unwrap();
    let stranger: Order = serde_json::from_str(&text.replace("f-000001", "other")).unwrap();
    assert_eq!(incidents(&step(&mut core, &fill(&stranger, "x", 1, 2))), ["FILL_WITHOUT_ORDER"]);
    assert!(incidents(&step(&mut core, &fill(&stranger, "x", 1, 3))).is_empty(), "told once");
    let unknown: Order = serde_json::from_str(&text.replace("AAPL", "MSFT")).unwrap();
    assert_eq!(incidents(&step(&mut core, &fill(&unknown, "y", 1, 4))), ["FILL_WITHOUT_INSTRUMENT"]);
    let kept: Vec<_> = core.state().unbooked_fills().map(|fill| fill.fill_id.to_string()).collect();
    assert_eq!(kept, ["x", "y"]);
    assert_eq!(held(&core), Decimal::ZERO);
}

#[test]
fn a_fill_of_the_other_side_moves_money_and_not_the_order() {
    let (mut core, order) = under_way();
    accept(&mut core, &order, 1);
    let text = serde_json::to_string(&order).unwrap();
    let other: Order = serde_json::from_str(&text.replace("\"buy\"", "\"sell\"")).unwrap();
    assert_eq!(incidents(&step(&mut core, &fill(&other, "x", 3, 2))), ["FILL_MISMATCH"]);
    assert_eq!(held(&core), Decimal::from(-3));
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    assert_eq!(book.symbol_exposure(&aapl()).buys, Decimal::from(10), "the order counts on, whole");
    assert_eq!(core.state().order(&order.order_id).unwrap().filled, Decimal::ZERO);
}

#[test]
fn an_order_that_lives_after_all_counts_again() {
    let (mut core, order) = under_way();
    let outcome = SubmitOutcome::NotSent { reason: "closed".into() };
    step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(2) });
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().working_count(), 0);
    assert_eq!(incidents(&step(&mut core, &fill(&order, "x", 4, 3))), ["FILL_AFTER_END"]);
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    assert_eq!((state(&core, &order), book.working_count()), (OrderState::PartiallyFilled, 1));
    assert_eq!(book.symbol_exposure(&aapl()).buys, Decimal::from(6));
}

#[test]
fn a_price_that_is_none_is_not_taken() {
    let (mut core, order) = under_way();
    accept(&mut core, &order, 1);
    step(&mut core, &fill(&order, "x", 10, 2));
    let told = step(&mut core, &Input::Closes { time: at(3), marks: vec![mark(0), mark(-1)] });
    assert_eq!(incidents(&told), ["BAD_PRICE", "BAD_PRICE"]);
    assert_eq!(core.state().ledger().fund(&fund_id()).unwrap().nav(), Decimal::from(1_000));
}

#[test]
fn decisions_and_memories_belong_to_a_strategy_of_a_fund() {
    let mut core = core(true);
    open(&mut core, 0);
    let (strategy, other) = (StrategyId::new("s").unwrap(), FundId::new("g").unwrap());
    let Input::Decided { time, .. } = decide(1, Vec::new()) else { panic!() };
    for (fund, memory) in [(fund_id(), 1_u8), (other.clone(), 2)] {
        let (strategy_id, fund_id) = (strategy.clone(), fund);
        let commands = Vec::new();
        step(&mut core, &Input::Decided { strategy_id, fund_id, time, commands, memory: Some(vec![memory]) });
    }
    assert_eq!(core.state().memory(&fund_id(), &strategy), Some([1].as_slice()));
    assert_eq!(core.state().memory(&other, &strategy), Some([2].as_slice()));
    assert_eq!(core.state().last_decision(&other, &strategy), Some(at(1)));
    assert_eq!(core.state().last_decision(&FundId::new("h").unwrap(), &strategy), None);
}

proptest! {
    /// Whatever the venue says in whatever order: what the ledger counts as working is what the records say can still
    /// fill, and the position is the sum of the fills.
    #[test]
    fn the_ledger_and_the_records_agree(steps in prop::collection::vec((0_u8..9, 0_usize..4, 1_i64..12), 1..40)) {
        let mut core = core(true);
        open(&mut core, 0);
        let mut orders: Vec<Order> = Vec::new();
        let mut position = Decimal::ZERO;
        for (number, (what, which, units)) in steps.into_iter().enumerate() {
            let minute = i64::try_from(number).unwrap() + 1;
            if what == 0 || orders.is_empty() {
                let side = if units % 2 == 0 { Side::Buy } else { Side::Short };
                let request = OrderRequest::market(aapl(), side, Decimal::from(10));
                let output = step(&mut core, &decide(minute, vec![Command::Submit(request)]));
                orders.extend(submitted(&output).into_iter().cloned());
                continue;
            }
            let order = orders[which % orders.len()].clone();
            let answered = |outcome| {
                Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(minute) }
            };
            let input = match what {
                1 => {
                    accept(&mut core, &order, minute);
                    continue;
                }
                2 => answered(SubmitOutcome::Rejected { reason: "no".into() }),
                3 => answered(SubmitOutcome::NotSent { reason: "no".into() }),
                4 => answered(SubmitOutcome::Unknown { cause: "?".into() }),
                5 => cancel_answer(&order, CancelOutcome::Confirmed, minute),
                6 => report(&order, OrderState::Expired, minute),
                7 => decide(minute, vec![Command::Cancel(order.order_id.clone())]),
                _ => {
                    position += order.side.signed(Decimal::from(units));
                    fill(&order, &format!("x{number}"), units, minute)
                }
            };
            step(&mut core, &input);
            let book = core.state().ledger().fund(&fund_id()).unwrap();
            for record in core.state().orders() {
                let working = book.working().find(|(id, _)| **id == record.order.order_id);
                let expected = record.state.is_working().then(|| record.remaining());
                prop_assert_eq!(working.map(|(_, working)| working.remaining), expected, "{:?}", record.state);
            }
            prop_assert_eq!(held(&core), position);
        }
    }
}

/// A core that holds 4, whose position somebody wants closed; what was said to that.
fn closing(core: &mut Core, minute: i64) -> Output {
    let order = submitted(&step(core, &decide(minute, vec![buy("k", 4)])))[0].clone();
    accept(core, &order, minute);
    step(core, &fill(&order, "x", 4, minute));
    step(core, &decide(minute, vec![Command::Close(aapl())]))
}

#[test]
fn a_close_that_is_refused_is_sent_again_and_told_when_that_is_in_vain() {
    for refusals in [2, 5] {
        let mut core = core(true);
        open(&mut core, 0);
        let mut output = closing(&mut core, 1);
        let mut told = Vec::new();
        for number in 1..=refusals {
            let order = submitted(&output)[0].clone();
            let outcome = SubmitOutcome::Rejected { reason: "busy".into() };
            let time = core.state().now();
            output = step(&mut core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time });
            told.extend(incidents(&output).into_iter().map(str::to_owned));
            assert!(submitted(&output).is_empty(), "not at once");
            if number < 5 {
                let next = core.next_timer().unwrap();
                assert_eq!(next.since(time), Duration::from_secs(10));
                output = step(&mut core, &Input::Timer { time: next });
            }
        }
        let given_up = refusals == 5;
        assert_eq!(told.contains(&"CLOSE_REFUSED".to_owned()), given_up, "{told:?}");
        assert_eq!(
            (submitted(&output).len(), core.state().sizes().closes),
            if given_up { (0, 0) } else { (1, 1) }
        );
        if !given_up {
            let order = submitted(&output)[0].clone();
            accept(&mut core, &order, 3);
            step(&mut core, &fill(&order, "y", 4, 3));
            assert_eq!((held(&core), core.state().sizes().closes), (Decimal::ZERO, 0));
        }
    }
}

#[test]
fn a_close_waits_for_the_account_and_one_that_is_cancelled_is_over() {
    let mut core = live_core(0);
    let close = submitted(&closing(&mut core, 1))[0].clone();
    accept(&mut core, &close, 1);
    let over = step(&mut core, &cancel_answer(&close, CancelOutcome::Confirmed, 2));
    assert_eq!((incidents(&over), core.state().sizes().closes), (vec!["CLOSE_CANCELLED"], 0));
    let broker = || "paper".parse().unwrap();
    step(&mut core, &Input::Connection { broker: broker(), connected: false, time: at(3) });
    let waits = step(&mut core, &decide(4, vec![Command::Close(aapl())]));
    assert!(submitted(&waits).is_empty() && incidents(&waits) == ["CLOSE_WAITS"], "{:?}", waits.events);
    step(&mut core, &Input::Connection { broker: broker(), connected: true, time: at(5) });
    assert_eq!(submitted(&step(&mut core, &seen(&[("AAPL", 4)], &[], 5))).len(), 1);
}
