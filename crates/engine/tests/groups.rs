//! Contingent groups: what is sent, what is cancelled, and that no exit is ever larger than what it protects.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::*;
use mts_engine::input::{Input, LookUp, OperatorAct};
use mts_engine::{Action, Core, Output};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::contingent::OrderGroup;
use mts_foundation::risk::{HaltMode, HaltRequest, HaltScope};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{ActorId, Decimal, IdempotencyKey, Order, OrderId, OrderState, OrderType, Side, Symbol};
use proptest::prelude::*;

fn aapl() -> Symbol {
    Symbol::new("AAPL").unwrap()
}

fn request(side: Side, quantity: i64, limit: Option<i64>, stop: Option<i64>) -> OrderRequest {
    OrderRequest {
        order_type: match (limit, stop) {
            (Some(_), _) => OrderType::Limit,
            (None, Some(_)) => OrderType::Stop,
            (None, None) => OrderType::Market,
        },
        limit_price: limit.map(Decimal::from),
        stop_price: stop.map(Decimal::from),
        ..OrderRequest::market(aapl(), side, Decimal::from(quantity))
    }
}

fn keyed(mut group: OrderGroup, key: &str) -> Command {
    group.idempotency_key = Some(IdempotencyKey::new(key).unwrap());
    Command::Group(group)
}

fn bracket(quantity: i64) -> Command {
    let entry = request(Side::Buy, quantity, Some(10), None);
    keyed(OrderGroup::bracket(entry, Decimal::from(12), Decimal::from(9)), "b")
}

fn pair(quantity: i64) -> Command {
    let orders =
        vec![request(Side::Sell, quantity, Some(12), None), request(Side::Sell, quantity, None, Some(9))];
    keyed(OrderGroup::one_cancels_other(orders), "o")
}

fn orders(output: &Output) -> Vec<Order> {
    submitted(output).into_iter().cloned().collect()
}

fn one(output: &Output) -> Order {
    let [order] = &orders(output)[..] else { panic!("{:?}", output.actions) };
    order.clone()
}

fn two(output: &Output) -> [Order; 2] {
    orders(output).try_into().unwrap_or_else(|_| panic!("{:?}", output.actions))
}

fn state(core: &Core, order: &Order) -> OrderState {
    core.state().order(&order.order_id).unwrap().state
}

/// A bracket whose entry is filled with `filled` of 100 and then cancelled, and its exits as they work.
fn partly_entered(filled: i64) -> (Core, [Order; 2]) {
    let mut core = core(true);
    open(&mut core, 0);
    let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
    accept(&mut core, &entry, 1);
    let exits = two(&step(&mut core, &fill(&entry, "e", filled, 2)));
    exits.iter().for_each(|exit| drop(accept(&mut core, exit, 2)));
    let asked = step(&mut core, &decide(3, vec![Command::Cancel(entry.order_id.clone())]));
    assert_eq!(cancelled(&asked), std::slice::from_ref(&entry.order_id));
    let ended = step(&mut core, &cancel_answer(&entry, CancelOutcome::Confirmed, 4));
    assert!(ended.actions.is_empty(), "the exits are what was filled already: {:?}", ended.actions);
    (core, exits)
}

/// NautilusTrader's issue 2704: the entry is filled in part, cancelled, and then the stop fires.
#[test]
fn a_bracket_filled_in_part_whose_stop_fires_ends_flat() {
    let (mut core, [gain, loss]) = partly_entered(40);
    for (exit, side) in [(&gain, Side::Sell), (&loss, Side::Sell)] {
        assert_eq!((exit.side, exit.quantity), (side, Decimal::from(40)));
        let record = core.state().order(&exit.order_id).unwrap();
        assert_eq!(record.group.as_deref(), Some("b"));
    }
    assert_eq!((gain.limit_price, loss.stop_price), (Some(Decimal::from(12)), Some(Decimal::from(9))));
    // One of two can fill: the books count one.
    let sells = |core: &Core| core.state().ledger().fund(&fund_id()).unwrap().symbol_exposure(&aapl()).sells;
    assert_eq!(sells(&core), Decimal::from(40));
    let first = step(&mut core, &fill(&loss, "s1", 15, 5));
    assert_eq!(cancelled(&first), std::slice::from_ref(&gain.order_id), "what is left is 25");
    assert!(orders(&first).is_empty(), "nothing is sent before the end is confirmed");
    assert_eq!(sells(&core), Decimal::from(40), "until then the other may fill");
    let smaller = one(&step(&mut core, &cancel_answer(&gain, CancelOutcome::Confirmed, 6)));
    assert_eq!((smaller.quantity, smaller.limit_price), (Decimal::from(25), Some(Decimal::from(12))));
    assert_eq!(sells(&core), Decimal::from(25));
    accept(&mut core, &smaller, 6);
    let last = step(&mut core, &fill(&loss, "s2", 25, 7));
    assert_eq!(cancelled(&last), std::slice::from_ref(&smaller.order_id));
    let end = step(&mut core, &cancel_answer(&smaller, CancelOutcome::Confirmed, 8));
    assert!(end.actions.is_empty() && incidents(&end).is_empty());
    assert_eq!((held(&core), sells(&core)), (Decimal::ZERO, Decimal::ZERO));
}

#[test]
fn exits_grow_with_the_entry() {
    let mut core = core(true);
    open(&mut core, 0);
    let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
    accept(&mut core, &entry, 1);
    let small = two(&step(&mut core, &fill(&entry, "e1", 40, 2)));
    small.iter().for_each(|exit| drop(accept(&mut core, exit, 2)));
    let more = step(&mut core, &fill(&entry, "e2", 60, 3));
    assert_eq!(cancelled(&more).len(), 2);
    let mut sizes = Vec::new();
    for exit in &small {
        let again = one(&step(&mut core, &cancel_answer(exit, CancelOutcome::Confirmed, 4)));
        sizes.push((again.order_type, again.quantity));
    }
    assert_eq!(sizes, [(OrderType::Limit, Decimal::from(100)), (OrderType::Stop, Decimal::from(100))]);
}

/// The fill of an exit is lost and its cancellation is confirmed: what takes its place is what is left by the venue's count.
#[test]
fn what_takes_the_place_of_a_cancelled_exit_waits_for_what_that_one_filled() {
    for knows in [true, false] {
        let mut core = live_core(0);
        let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
        accept(&mut core, &entry, 1);
        let [gain, loss] = two(&step(&mut core, &fill(&entry, "e", 40, 2)));
        [&gain, &loss].into_iter().for_each(|exit| drop(accept(&mut core, exit, 2)));
        // 15 of the other fill too, and nobody hears of it.
        assert_eq!(
            cancelled(&step(&mut core, &fill(&loss, "s", 15, 3))),
            std::slice::from_ref(&gain.order_id)
        );
        let confirmed = step(&mut core, &cancel_answer(&gain, CancelOutcome::Confirmed, 4));
        assert!(
            matches!(&confirmed.actions[..], [Action::LookUp { order_id, .. }] if *order_id == gain.order_id)
        );
        let again = step(&mut core, &cancel_answer(&gain, CancelOutcome::Confirmed, 4));
        assert!(again.actions.is_empty(), "the question is under way: {:?}", again.actions);
        let answer = |minute| match knows {
            true => LookUp::Found(Box::new(report(&gain, OrderState::Canceled, 15, minute))),
            false => LookUp::NotKnown,
        };
        let mut sent = Vec::new();
        for minute in 5..9 {
            let order_id = gain.order_id.clone();
            sent.extend(orders(&step(
                &mut core,
                &Input::LookedUp { order_id, answer: answer(minute), time: at(minute) },
            )));
        }
        // One that it has forgotten filled nothing that anybody could tell.
        let wanted = Decimal::from(if knows { 10 } else { 25 });
        let exits = sent.iter().find(|order| order.order_type == OrderType::Limit);
        assert_eq!(exits.map(|exit| exit.quantity), Some(wanted));
        assert_eq!(state(&core, &gain), OrderState::Canceled);
        assert_eq!(core.state().sizes().inquiries, 0);
    }
}

#[test]
fn an_entry_without_fills_ends_its_group() {
    let mut core = core(true);
    open(&mut core, 0);
    let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
    accept(&mut core, &entry, 1);
    step(&mut core, &decide(2, vec![Command::Cancel(entry.order_id.clone())]));
    let end = step(&mut core, &cancel_answer(&entry, CancelOutcome::Confirmed, 3));
    assert!(end.actions.is_empty() && incidents(&end).is_empty());
    let late = step(&mut core, &fill(&entry, "e", 5, 4));
    assert_eq!(incidents(&late), ["FILL_AFTER_END"]);
    assert!(late.actions.is_empty(), "the group is gone");
}

#[test]
fn an_unknown_entry_sends_no_exits() {
    let mut core = core(true);
    open(&mut core, 0);
    let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
    let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
    let unknown = Input::Submitted { order_id: entry.order_id.clone(), outcome, time: at(2) };
    assert!(orders(&step(&mut core, &unknown)).is_empty());
    assert!(orders(&step(&mut core, &Input::Timer { time: at(60) })).is_empty());
    // A fill is evidence: now there is something to protect.
    assert_eq!(two(&step(&mut core, &fill(&entry, "e", 30, 61)))[0].quantity, Decimal::from(30));
}

#[test]
fn one_cancels_other() {
    let mut core = core(true);
    open(&mut core, 0);
    let position = one(&step(&mut core, &decide(1, vec![buy("k", 50)])));
    accept(&mut core, &position, 1);
    step(&mut core, &fill(&position, "p", 50, 1));
    let [gain, loss] = two(&step(&mut core, &decide(2, vec![pair(50)])));
    accept(&mut core, &gain, 2);
    accept(&mut core, &loss, 2);
    let filled = step(&mut core, &fill(&gain, "g", 50, 3));
    assert_eq!(cancelled(&filled), std::slice::from_ref(&loss.order_id));
    assert!(step(&mut core, &cancel_answer(&loss, CancelOutcome::Confirmed, 4)).actions.is_empty());
    assert_eq!(held(&core), Decimal::ZERO);
    let again = step(&mut core, &decide(5, vec![pair(50)]));
    assert_eq!(incidents(&again), ["GROUP_KEY_REUSED"]);
    assert!(again.actions.is_empty());
}

#[test]
fn both_filling_is_told_with_the_position() {
    let mut core = core(true);
    open(&mut core, 0);
    let [gain, loss] = two(&step(&mut core, &decide(2, vec![pair(50)])));
    accept(&mut core, &gain, 2);
    accept(&mut core, &loss, 2);
    step(&mut core, &fill(&gain, "g", 50, 3));
    let both = step(&mut core, &fill(&loss, "l", 20, 4));
    assert_eq!(incidents(&both)[0], "GROUP_OVERFILL");
    let text = format!("{:?}", both.events);
    assert!(text.contains("filled 70 together, for 50; fund f now holds -70 AAPL"), "{text}");
}

#[test]
fn one_triggers_other() {
    let mut core = core(true);
    open(&mut core, 0);
    let group = |key: &str| {
        let then = vec![request(Side::Sell, 10, Some(12), None), request(Side::Buy, 5, Some(8), None)];
        keyed(OrderGroup::one_triggers_other(request(Side::Buy, 10, Some(10), None), then), key)
    };
    let first = one(&step(&mut core, &decide(1, vec![group("t")])));
    accept(&mut core, &first, 1);
    assert!(step(&mut core, &fill(&first, "f1", 4, 2)).actions.is_empty(), "a part does not trigger");
    let then = two(&step(&mut core, &fill(&first, "f2", 6, 3)));
    assert_eq!(then.map(|order| order.quantity), [Decimal::TEN, Decimal::from(5)]);
    let other = one(&step(&mut core, &decide(4, vec![group("u")])));
    accept(&mut core, &other, 4);
    step(&mut core, &fill(&other, "f3", 4, 4));
    step(&mut core, &decide(5, vec![Command::Cancel(other.order_id.clone())]));
    let end = step(&mut core, &cancel_answer(&other, CancelOutcome::Confirmed, 6));
    assert_eq!(incidents(&end), ["GROUP_NOT_TRIGGERED"]);
    assert!(end.actions.is_empty());
}

#[test]
fn a_kill_cancels_all_of_it_and_a_halt_only_what_opens() {
    let halt = HaltRequest {
        scope: HaltScope::Fund(fund_id()),
        mode: HaltMode::ReduceOnly,
        reason: "drill".to_owned(),
        causes: Vec::new(),
        requested_by: ActorId::new("me").unwrap(),
        timestamp: at(3),
    };
    let kill = OperatorAct::Kill { reason: "drill".to_owned(), actor: ActorId::new("me").unwrap() };
    for (act, exits_too) in [(OperatorAct::Halt(halt), false), (kill, true)] {
        let mut core = core(true);
        open(&mut core, 0);
        let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
        accept(&mut core, &entry, 1);
        let exits = two(&step(&mut core, &fill(&entry, "e", 40, 2)));
        exits.iter().for_each(|exit| drop(accept(&mut core, exit, 2)));
        let mut asked = cancelled(&step(&mut core, &Input::Operator { act, time: at(3) }));
        asked.sort();
        asked.dedup();
        let mut wanted: Vec<OrderId> = vec![entry.order_id.clone()];
        wanted.extend(exits.iter().filter(|_| exits_too).map(|exit| exit.order_id.clone()));
        assert_eq!(asked, wanted);
        for order in std::iter::once(&entry).chain(exits.iter().filter(|_| exits_too)) {
            let answer = step(&mut core, &cancel_answer(order, CancelOutcome::Confirmed, 4));
            assert!(answer.actions.is_empty(), "nothing is sent again: {:?}", answer.actions);
        }
    }
}

#[test]
fn what_a_person_cancels_or_closes_stays_away() {
    let (mut core, [gain, loss]) = partly_entered(40);
    step(&mut core, &decide(5, vec![Command::Cancel(gain.order_id.clone())]));
    assert!(step(&mut core, &cancel_answer(&gain, CancelOutcome::Confirmed, 5)).actions.is_empty());
    assert_eq!(state(&core, &loss), OrderState::Accepted);
    let close = step(&mut core, &decide(6, vec![Command::Close(aapl())]));
    assert!(cancelled(&close).contains(&loss.order_id));
    let closing = one(&step(&mut core, &cancel_answer(&loss, CancelOutcome::Confirmed, 7)));
    assert_eq!((closing.order_type, closing.quantity), (OrderType::Market, Decimal::from(40)));
    // The last exit of another is taken away by its venue: that is told.
    let (mut core, [gain, loss]) = partly_entered(40);
    let gone = |order: &Order| cancel_answer(order, CancelOutcome::Confirmed, 6);
    assert!(incidents(&step(&mut core, &gone(&gain))).is_empty());
    assert_eq!(incidents(&step(&mut core, &gone(&loss))), ["GROUP_UNPROTECTED"]);
}

#[test]
fn a_refused_exit_is_tried_again_five_times() {
    let mut core = core(true);
    open(&mut core, 0);
    let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
    accept(&mut core, &entry, 1);
    let [gain, mut loss] = two(&step(&mut core, &fill(&entry, "e", 100, 2)));
    accept(&mut core, &gain, 2);
    let refuse = |core: &mut Core, order: &Order| {
        let outcome = SubmitOutcome::Rejected { reason: "no".into() };
        let time = core.state().now();
        step(core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time })
    };
    let mut sent = 1;
    assert_eq!(incidents(&refuse(&mut core, &loss)), ["GROUP_ORDER_REFUSED"]);
    while let Some(time) = core.next_timer() {
        loss = one(&step(&mut core, &Input::Timer { time }));
        sent += 1;
        let refused = refuse(&mut core, &loss);
        let told: &[&str] = if sent == 5 { &["GROUP_ORDER_GIVEN_UP"] } else { &[] };
        assert_eq!(incidents(&refused), told, "the first and the last are told");
    }
    assert_eq!(sent, 5);
    // The next session tries anew.
    assert_eq!(one(&open(&mut core, 1_440)).order_type, OrderType::Stop);
}

#[test]
fn groups_at_fault_do_not_begin() {
    let mut core = core(true);
    open(&mut core, 0);
    let mut entry = request(Side::Buy, 10, Some(10), None);
    entry.quantity = Decimal::ZERO;
    let group = OrderGroup::bracket(entry, Decimal::from(9), Decimal::from(12));
    let output = step(&mut core, &decide(1, vec![Command::Group(group)]));
    assert_eq!(incidents(&output), ["GROUP_INVALID"]);
    assert!(output.actions.is_empty());
    let long = keyed(
        OrderGroup::bracket(request(Side::Buy, 1, Some(10), None), 12.into(), 9.into()),
        &"k".repeat(120),
    );
    let output = step(&mut core, &decide(1, vec![long]));
    assert!(incidents(&output).is_empty() || incidents(&output) == ["GROUP_INVALID"]);
}

/// What a venue can do to an order.
fn event(core: &Core, order: &Order, what: u8, units: i64, number: usize, minute: i64) -> Option<Input> {
    let record = core.state().order(&order.order_id)?;
    let answer = |outcome| Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(minute) };
    let id = mts_foundation::BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap();
    Some(match (what, record.state) {
        (0 | 1, OrderState::Submitting) => {
            answer(SubmitOutcome::Accepted(order.clone().accepted(at(minute), id)))
        }
        (2, OrderState::Submitting) => answer(SubmitOutcome::Rejected { reason: "no".into() }),
        (3, OrderState::Submitting) => answer(SubmitOutcome::Unknown { cause: "?".into() }),
        (_, state) if state.is_terminal() || state == OrderState::Submitting => return None,
        (4, OrderState::PendingCancel) => cancel_answer(order, CancelOutcome::Confirmed, minute),
        (5, OrderState::PendingCancel) => cancel_answer(order, CancelOutcome::NotFound, minute),
        (6, _) => decide(minute, vec![Command::Cancel(order.order_id.clone())]),
        _ => {
            let units = Decimal::from(units).min(record.remaining());
            if units.is_zero() {
                return None;
            }
            fill(order, &format!("x{number}"), i64::try_from(units).unwrap(), minute)
        }
    })
}

proptest! {
    /// Whatever the venue says in whatever order, and wherever the process ends in between: an exit is never larger than
    /// what the entry has filled less what exits have, unless that shrank after it was sent and its end is asked for; the
    /// books count the larger of both exits; and a replay gives the same state.
    #[test]
    fn exits_are_never_larger_than_what_they_protect(
        steps in prop::collection::vec((0_u8..10, 0_usize..6, 1_i64..60), 1..50),
    ) {
        let mut core = core(true);
        let mut inputs: Vec<Input> = Vec::new();
        let mut known: Vec<Order> = Vec::new();
        let date = at(0).to_datetime().date_naive();
        let take = |core: &mut Core, inputs: &mut Vec<Input>, known: &mut Vec<Order>, input: Input| {
            let output = step(core, &input);
            inputs.push(input);
            for order in orders(&output) {
                let (mut entered, mut exited) = (Decimal::ZERO, Decimal::ZERO);
                for record in core.state().orders() {
                    if record.order.side == Side::Buy { entered += record.filled } else { exited += record.filled }
                }
                if order.side == Side::Sell {
                    prop_assert!(order.quantity <= entered - exited, "{} of {entered} less {exited}", order.quantity);
                }
                known.push(order);
            }
            Ok(())
        };
        take(&mut core, &mut inputs, &mut known, Input::Closes { time: at(0), marks: vec![mark(10)] })?;
        take(&mut core, &mut inputs, &mut known, Input::SessionOpen { date, time: at(0) })?;
        take(&mut core, &mut inputs, &mut known, decide(1, vec![bracket(100)]))?;
        for (number, (what, which, units)) in steps.into_iter().enumerate() {
            let minute = i64::try_from(number).unwrap() + 2;
            let from_last = known.len().saturating_sub(1 + which % known.len());
            let order = known[from_last].clone();
            let input = event(&core, &order, what, units, number, minute)
                .unwrap_or(Input::Timer { time: at(minute) });
            take(&mut core, &mut inputs, &mut known, input)?;
            let book = core.state().ledger().fund(&fund_id()).unwrap();
            let live = |side: Side| {
                let records = core.state().orders().filter(move |record| record.order.side == side);
                records.filter(|record| record.state.is_working())
            };
            for kind in [OrderType::Limit, OrderType::Stop] {
                let count = live(Side::Sell).filter(|record| record.order.order_type == kind).count();
                prop_assert!(count <= 1, "{count} {kind} exits work");
            }
            for exit in live(Side::Sell) {
                // Without the venue's id nothing can be asked yet.
                let asked =
                    exit.state == OrderState::PendingCancel || exit.order.broker_order_id.is_none();
                prop_assert!(asked || exit.remaining() <= held(&core), "{} for {}", exit.remaining(), held(&core));
            }
            let largest = live(Side::Sell).map(|record| record.remaining()).max().unwrap_or_default();
            prop_assert_eq!(book.symbol_exposure(&aapl()).sells, largest);
        }
        for cut in (0..=inputs.len()).step_by(7).chain([inputs.len()]) {
            let mut again = common::core(true);
            let mut whole = common::core(true);
            inputs[..cut].iter().for_each(|input| drop(step(&mut again, input)));
            inputs[..cut].iter().for_each(|input| drop(step(&mut whole, input)));
            prop_assert_eq!(again.state_hash(), whole.state_hash());
            inputs[cut..].iter().for_each(|input| drop(step(&mut again, input)));
            prop_assert_eq!(again.state_hash(), core.state_hash());
        }
    }
}

#[test]
fn groups_wait_for_the_open() {
    let mut core = core(true);
    open(&mut core, 0);
    let date = at(0).to_datetime().date_naive();
    step(&mut core, &Input::SessionClose { date, time: at(1) });
    assert!(step(&mut core, &decide(1, vec![bracket(100)])).actions.is_empty());
    let entry = one(&open(&mut core, 1_440));
    accept(&mut core, &entry, 1_440);
    step(&mut core, &Input::SessionClose { date, time: at(1_441) });
    assert!(step(&mut core, &fill(&entry, "e", 100, 1_441)).actions.is_empty());
    assert_eq!(orders(&open(&mut core, 2_880)).len(), 2, "and so do exits");
}

/// The connection goes while a bracket is entered, and stays away longer than refusals are tried again.
#[test]
fn exits_that_must_wait_for_the_account_leave_once_it_is_compared() {
    let mut core = live_core(0);
    let entry = one(&step(&mut core, &decide(1, vec![bracket(100)])));
    accept(&mut core, &entry, 1);
    let broker = || "paper".parse().unwrap();
    step(&mut core, &Input::Connection { broker: broker(), connected: false, time: at(2) });
    let filled = step(&mut core, &fill(&entry, "e", 100, 2));
    assert!(orders(&filled).is_empty() && incidents(&filled) == ["GROUP_WAITS"], "{:?}", filled.events);
    let waited = wait(&mut core, at(6));
    assert!(waited.iter().all(|(_, output)| orders(output).is_empty() && incidents(output).is_empty()));
    step(&mut core, &Input::Connection { broker: broker(), connected: true, time: at(7) });
    let compared = step(&mut core, &seen(&[("AAPL", 100)], &[], 7));
    assert_eq!(two(&compared).map(|exit| exit.quantity), [Decimal::from(100); 2]);
    assert_eq!(core.state().sizes().groups, 1);
}
