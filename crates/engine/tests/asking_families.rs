//! Children of algorithms and orders of groups that wait for an asynchronous gate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod room;

use common::*;
use mts_engine::input::Input;
use mts_foundation::algorithm::{Algorithm, AlgorithmRequest, Iceberg};
use mts_foundation::contingent::OrderGroup;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{Decimal, Order, OrderState, OrderType, Side, Symbol};
use room::*;

/// Thirty units, ten at a time.
fn iceberg() -> Command {
    let symbol = Symbol::new("AAPL").unwrap();
    let parent = OrderRequest {
        order_type: OrderType::Limit,
        limit_price: Some(Decimal::TEN),
        ..OrderRequest::market(symbol, Side::Buy, Decimal::from(30))
    };
    let iceberg =
        Iceberg { display_qty: Decimal::TEN, refill_threshold: Decimal::from(5), limit_price: Decimal::TEN };
    Command::Algorithm(AlgorithmRequest::new(parent, Algorithm::Iceberg(iceberg)))
}

#[test]
fn a_child_that_waits_counts_for_its_parent_and_is_not_sent_twice() {
    let mut core = asking();
    let output = step(&mut core, &decide(1, vec![iceberg()]));
    let [question] = &questions(&output)[..] else { panic!("{:?}", output.actions) };
    let child = question.order.clone();
    let parent = core.state().order(&child.order_id).unwrap().parent.clone().unwrap();
    // Time and prices go on, the child waits: nothing else is sent for the same units.
    for minute in 2..5 {
        let output = step(&mut core, &Input::Marks { time: at(minute), marks: vec![mark(10)] });
        assert_eq!(output.actions, []);
        assert_eq!(step(&mut core, &Input::Timer { time: at(minute) }).actions, []);
    }
    let left = submitted(&pass(&mut core, &child, 5))[0].clone();
    accept(&mut core, &left, 5);
    let next = step(&mut core, &fill(&left, "x", 10, 6));
    let [question] = &questions(&next)[..] else { panic!("{:?}", next.actions) };
    let second = question.order.clone();
    // A refused child is tried again later, and a cancelled parent takes the child that waits along.
    answer(&mut core, &second, veto(), 7);
    let retries: Vec<_> = wait(&mut core, at(9)).iter().flat_map(|(_, output)| questions(output)).collect();
    let [third] = &retries[..] else { panic!("{retries:?}") };
    assert_ne!(third.order.order_id, second.order_id);
    let output = step(&mut core, &decide(10, vec![Command::Cancel(parent.clone())]));
    assert_eq!(output.actions, []);
    assert_eq!(core.state().order(&parent).unwrap().state, OrderState::Canceled);
    assert_eq!((working(&core), core.state().sizes().asked), (Decimal::ZERO, 0));
}

#[test]
fn a_child_for_which_its_siblings_left_no_room_ends_and_the_rest_is_asked_for_anew() {
    let mut core = asking();
    let first = questions(&step(&mut core, &decide(1, vec![iceberg()])))[0].order.clone();
    let left = submitted(&pass(&mut core, &first, 2))[0].clone();
    accept(&mut core, &left, 2);
    let second = questions(&step(&mut core, &fill(&left, "x", 10, 3)))[0].order.clone();
    // The venue fills more of the first than it was: ten more are too many now.
    step(&mut core, &fill(&left, "y", 15, 4));
    let output = pass(&mut core, &second, 5);
    assert_eq!((submitted(&output).len(), state(&core, &second)), (0, OrderState::Canceled));
    let [rest] = &questions(&output)[..] else { panic!("{:?}", output.actions) };
    assert_eq!(rest.order.quantity, Decimal::from(5));
    assert_eq!(submitted(&pass(&mut core, &rest.order, 6)).len(), 1);
}

#[test]
fn a_group_waits_for_its_entry_and_ends_with_its_refusal() {
    let symbol = Symbol::new("AAPL").unwrap();
    let limit = |side, price: i64| OrderRequest {
        order_type: OrderType::Limit,
        limit_price: Some(Decimal::from(price)),
        ..OrderRequest::market(symbol.clone(), side, Decimal::from(60))
    };
    let bracket = OrderGroup::bracket(limit(Side::Buy, 10), Decimal::from(12), Decimal::from(9));
    for passes in [true, false] {
        let mut core = asking();
        let output = step(&mut core, &decide(1, vec![Command::Group(bracket.clone())]));
        let [question] = &questions(&output)[..] else { panic!("{:?}", output.actions) };
        let entry = question.order.clone();
        if !passes {
            let output = answer(&mut core, &entry, veto(), 2);
            assert_eq!((output.actions.len(), incidents(&output).len()), (0, 0));
            assert_eq!((working(&core), core.next_timer()), (Decimal::ZERO, None));
            continue;
        }
        let left = submitted(&pass(&mut core, &entry, 2))[0].clone();
        accept(&mut core, &left, 2);
        let exits = step(&mut core, &fill(&left, "x", 60, 3));
        assert_eq!((submitted(&exits).len(), questions(&exits).len()), (2, 0), "exits reduce");
    }
    // Alternatives that open count once, while they wait and after it.
    let mut core = asking();
    let pair = OrderGroup::one_cancels_other(vec![limit(Side::Buy, 10), limit(Side::Buy, 9)]);
    let output = step(&mut core, &decide(1, vec![Command::Group(pair)]));
    let pair: Vec<Order> = questions(&output).into_iter().map(|question| question.order).collect();
    assert_eq!((pair.len(), working(&core)), (2, Decimal::from(60)));
    let left = submitted(&pass(&mut core, &pair[0], 2))[0].clone();
    assert_eq!(working(&core), Decimal::from(60));
    accept(&mut core, &left, 2);
    // What one fills is taken from the other, which has not even left: it is asked about anew.
    let output = step(&mut core, &fill(&left, "x", 20, 3));
    assert_eq!(state(&core, &pair[1]), OrderState::Canceled);
    let [smaller] = &questions(&output)[..] else { panic!("{:?}", output.actions) };
    assert_eq!((smaller.order.quantity, working(&core)), (Decimal::from(40), Decimal::from(40)));
    assert_eq!(submitted(&pass(&mut core, &smaller.order, 4)).len(), 1);
    assert_eq!(working(&core), Decimal::from(40));
}
