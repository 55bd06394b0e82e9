//! Orders that wait for an asynchronous gate: they hold their room, leave once, or give it back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod desk;
mod room;

use common::*;
use desk::Log;
use mts_engine::input::{Input, OperatorAct};
use mts_engine::shell::driver::Driver;
use mts_engine::{Action, Core, GateAnswer, GateQuestion, Output};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::risk::{Gate, HaltMode, HaltRequest, HaltScope, RejectCode};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    ActorId, Decimal, Event, IdempotencyKey, Order, OrderId, OrderState, Side, StrategyId, Symbol,
};
use proptest::prelude::*;
use room::*;

fn operator(core: &mut Core, act: OperatorAct, minute: i64) -> Output {
    step(core, &Input::Operator { act, time: at(minute) })
}

fn me() -> ActorId {
    ActorId::new("me").unwrap()
}

fn sell(key: &str, units: i64) -> Command {
    let symbol = Symbol::new("AAPL").unwrap();
    let mut request = OrderRequest::market(symbol, Side::Sell, Decimal::from(units));
    request.idempotency_key = Some(IdempotencyKey::new(key).unwrap());
    Command::Submit(request)
}

#[test]
fn an_order_waits_for_its_answer_and_then_leaves_once() {
    let mut core = asking();
    let output = step(&mut core, &decide(1, vec![buy("k", 60)]));
    let [question] = &questions(&output)[..] else { panic!("{:?}", output.actions) };
    let order = question.order.clone();
    assert_eq!((question.context.open_orders, question.context.gross), (0, Decimal::ZERO), "without itself");
    assert_eq!(question.context.price, Some(Decimal::TEN));
    assert_eq!(question.envelope.as_ref(), core.risk().envelope(&fund_id()));
    let told = output
        .events
        .iter()
        .any(|event| matches!(event, Event::OrderCreated(record) if record.state == OrderState::PendingRisk));
    assert!(told, "{:?}", output.events);
    assert_eq!((state(&core, &order), working(&core)), (OrderState::PendingRisk, Decimal::from(60)));
    // Its key is known, and its room is taken.
    assert_eq!(step(&mut core, &decide(1, vec![buy("k", 60)])).actions, []);
    let crowded = step(&mut core, &decide(1, vec![buy("l", 41)]));
    assert_eq!(code(&crowded), Some(RejectCode::MaxPositionQuantity));
    let output = pass(&mut core, &order, 2);
    assert_eq!(submitted(&output).len(), 1);
    let left = submitted(&output)[0].clone();
    assert_eq!((left.order_id.clone(), left.submitted_at), (order.order_id.clone(), Some(at(2))));
    assert_eq!((state(&core, &order), working(&core)), (OrderState::Submitting, Decimal::from(60)));
    // A second answer is of no use any more, whatever it says.
    assert_eq!(pass(&mut core, &order, 2).actions, []);
    assert_eq!(answer(&mut core, &order, veto(), 2).events, []);
    accept(&mut core, &left, 3);
    step(&mut core, &fill(&left, "x", 60, 4));
    assert_eq!((held(&core), working(&core)), (Decimal::from(60), Decimal::ZERO));
}

#[test]
fn a_refusal_gives_everything_back_and_names_gate_code_and_reason() {
    let mut core = asking();
    let order = asked(&mut core, "k", 60, 1);
    let output = answer(&mut core, &order, veto(), 2);
    assert_eq!((code(&output), output.actions.len()), (Some(RejectCode::Vetoed), 0));
    let failed = output.events.iter().find_map(|event| match event {
        Event::GateFailed(failed) => Some(&failed.rejection),
        _ => None,
    });
    assert_eq!(failed.map(|failed| (failed.gate, failed.message.as_str())), Some((Gate::Veto, "rather not")));
    assert!(output.events.iter().any(|event| matches!(event, Event::OrderRejected(_))));
    assert_eq!(core.state().counters().by_code.get(&RejectCode::Vetoed), Some(&1));
    let record = core.state().order(&order.order_id).unwrap();
    assert_eq!(
        (record.state, record.order.rejected_reason.as_deref()),
        (OrderState::Rejected, Some("VETOED"))
    );
    // The books and the machine are those of a core that was never asked for anything.
    let untouched = asking();
    let book = |core: &Core| {
        let book = core.state().ledger().fund(&fund_id()).unwrap();
        let symbol = book.symbol_exposure(&Symbol::new("AAPL").unwrap());
        let exposure = book.exposure();
        (book.cash(), exposure.gross, exposure.net_high, exposure.net_low, exposure.committed, symbol)
    };
    assert_eq!(book(&core), book(&untouched));
    assert_eq!(core.risk().snapshot(), untouched.risk().snapshot());
    assert_eq!(core.state().sizes().asked, 0);
    // The key stays used; the room is free.
    assert_eq!(step(&mut core, &decide(3, vec![buy("k", 60)])).actions, []);
    asked(&mut core, "l", 100, 3);
}

#[test]
fn what_reduces_or_closes_waits_for_nobody() {
    let mut core = asking();
    let order = asked(&mut core, "k", 60, 1);
    let left = submitted(&pass(&mut core, &order, 1))[0].clone();
    accept(&mut core, &left, 1);
    step(&mut core, &fill(&left, "x", 60, 1));
    let reducing = step(&mut core, &decide(2, vec![sell("s", 10)]));
    assert_eq!((submitted(&reducing).len(), questions(&reducing).len()), (1, 0));
    let sold = submitted(&reducing)[0].clone();
    accept(&mut core, &sold, 2);
    step(&mut core, &fill(&sold, "y", 10, 2));
    let closing = step(&mut core, &decide(3, vec![Command::Close(Symbol::new("AAPL").unwrap())]));
    assert_eq!((submitted(&closing).len(), questions(&closing).len()), (1, 0));
}

#[test]
fn whatever_stops_trading_ends_what_waits_and_a_late_answer_changes_nothing() {
    type Stop = fn(&mut Core, &Order) -> Output;
    let halt = |scope: HaltScope| {
        OperatorAct::Halt(HaltRequest {
            scope,
            mode: HaltMode::ReduceOnly,
            reason: "drill".to_owned(),
            causes: Vec::new(),
            requested_by: me(),
            timestamp: at(2),
        })
    };
    let stops: [(&str, Stop); 8] = [
        ("kill", |core, _| operator(core, OperatorAct::Kill { reason: "drill".to_owned(), actor: me() }, 2)),
        ("the strategy cancels", |core, order| {
            step(core, &decide(2, vec![Command::Cancel(order.order_id.clone())]))
        }),
        ("a person cancels", |core, order| {
            operator(core, OperatorAct::Cancel { order_id: order.order_id.clone(), actor: me() }, 2)
        }),
        ("cancel-all", |core, _| {
            operator(core, OperatorAct::CancelAll { fund_id: Some(fund_id()), actor: me() }, 2)
        }),
        ("flatten", |core, _| operator(core, OperatorAct::Flatten { fund_id: None, actor: me() }, 2)),
        ("close", |core, _| step(core, &decide(2, vec![Command::Close(Symbol::new("AAPL").unwrap())]))),
        ("the session ends", |core, _| {
            let date = at(2).to_datetime().date_naive();
            step(core, &Input::SessionClose { date, time: at(2) })
        }),
        ("the venue says so", |core, order| {
            let mut report = report(order, OrderState::Canceled, 0, 2);
            report.order_id = Some(order.order_id.clone());
            let event = mts_foundation::BrokerEvent::Order(report);
            step(core, &Input::Broker { broker: "paper".parse().unwrap(), event, time: at(2) })
        }),
    ];
    let check = |name: &str, core: &mut Core, order: &Order, output: &Output| {
        assert_eq!((state(core, order), working(core)), (OrderState::Canceled, Decimal::ZERO), "{name}");
        let told = |event: &Event| matches!(event, Event::OrderCanceled(_));
        assert_eq!(output.events.iter().filter(|event| told(event)).count(), 1, "{name}");
        assert_eq!((output.actions.len(), core.state().sizes().asked), (0, 0), "{name}");
        let late = pass(core, order, 3);
        assert_eq!((late.actions.len(), late.events.len()), (0, 0), "{name}");
    };
    for (name, stop) in stops {
        let mut core = asking();
        let order = asked(&mut core, "k", 60, 1);
        let output = stop(&mut core, &order);
        check(name, &mut core, &order, &output);
    }
    let (ours, other) = (StrategyId::new("s").unwrap(), StrategyId::new("t").unwrap());
    for scope in [HaltScope::Strategy(ours), HaltScope::Fund(fund_id()), HaltScope::Firm] {
        let mut core = asking();
        let order = asked(&mut core, "k", 60, 1);
        let name = scope.to_string();
        let output = operator(&mut core, halt(scope), 2);
        check(&name, &mut core, &order, &output);
    }
    let mut core = asking();
    let order = asked(&mut core, "k", 60, 1);
    operator(&mut core, halt(HaltScope::Strategy(other)), 2);
    assert_eq!(state(&core, &order), OrderState::PendingRisk, "somebody else's halt");
}

#[test]
fn the_pure_gates_look_again_after_the_answer() {
    let mut core = asking();
    let first = asked(&mut core, "k", 40, 1);
    let left = submitted(&pass(&mut core, &first, 1))[0].clone();
    accept(&mut core, &left, 1);
    let second = asked(&mut core, "l", 60, 2);
    // The first one's venue fills more than was ordered: what the second held is not enough any more.
    step(&mut core, &fill(&left, "x", 41, 3));
    let output = pass(&mut core, &second, 4);
    assert_eq!((code(&output), submitted(&output).len()), (Some(RejectCode::MaxPositionQuantity), 0));
    assert_eq!((state(&core, &second), working(&core)), (OrderState::Rejected, Decimal::ZERO));
    // And so do the blocks: an order whose fate is not known stops the next one of its strategy.
    let mut core = room_with(LIMIT);
    step(&mut core, &Input::Started { time: at(0) });
    step(&mut core, &seen(&[], &[], 0));
    open(&mut core, 0);
    let (first, second) = (asked(&mut core, "k", 10, 1), asked(&mut core, "l", 10, 1));
    pass(&mut core, &first, 2);
    let outcome = SubmitOutcome::Unknown { cause: "timeout".into() };
    step(&mut core, &Input::Submitted { order_id: first.order_id.clone(), outcome, time: at(3) });
    assert_eq!(code(&pass(&mut core, &second, 4)), Some(RejectCode::UnknownOrderPending));
}

#[test]
fn what_went_wrong_is_told() {
    let mut core = asking();
    let order = asked(&mut core, "k", 10, 1);
    let input = Input::GateAnswered {
        order_id: order.order_id.clone(),
        answer: GateAnswer::Passed,
        failures: vec!["no opinion".to_owned()],
        time: at(2),
    };
    let output = step(&mut core, &input);
    assert_eq!((incidents(&output), submitted(&output).len()), (vec!["GATE_FAILED_OPEN"], 1));
    let order = asked(&mut core, "l", 10, 3);
    let mut rejection = refusal(RejectCode::GateUnanswered, "no answer");
    rejection.gate = Gate::Veto;
    let output = answer(&mut core, &order, GateAnswer::Refused(rejection), 4);
    assert_eq!(incidents(&output), ["GATE_UNANSWERED"]);
    assert_eq!(code(&output), Some(RejectCode::GateUnanswered));
}

#[test]
fn no_more_than_a_thousand_wait() {
    let mut core = room_with(1_000_000);
    open(&mut core, 0);
    for number in 0..1_000 {
        asked(&mut core, &format!("k{number}"), 1, 1);
    }
    let output = step(&mut core, &decide(1, vec![buy("one too many", 1)]));
    assert_eq!((code(&output), output.actions.len()), (Some(RejectCode::OrderRate), 0));
    assert_eq!(core.state().pending_orders().count(), 1_000);
    let first = core.state().pending_orders().next().unwrap().order.clone();
    pass(&mut core, &first, 2);
    asked(&mut core, "now there is room", 1, 2);
}

/// A journal, and the driver of a process that begins with it.
fn process(log: &Log) -> Driver<Log> {
    Driver::recover(room_with(LIMIT), log.clone(), &mut |_, _| {}).unwrap().with_snapshots(1)
}

fn take(driver: &mut Driver<Log>, input: &Input) -> Vec<Action> {
    driver.take(input).unwrap();
    driver.commit().unwrap();
    driver.actions()
}

fn begin(driver: &mut Driver<Log>, minute: i64) -> Vec<Action> {
    let mut actions = take(driver, &Input::Started { time: at(minute) });
    assert!(!actions.iter().any(|action| matches!(action, Action::Ask(_))), "the account is not compared");
    actions.extend(take(driver, &seen(&[], &[], minute)));
    actions
}

fn asks(actions: &[Action]) -> Vec<&GateQuestion> {
    let asked = actions.iter().filter_map(|action| match action {
        Action::Ask(question) => Some(&**question),
        _ => None,
    });
    asked.collect()
}

fn sends(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Submit(_))).count()
}

#[test]
fn a_crash_takes_the_question_and_the_restart_asks_again() {
    for snapshot in [false, true] {
        let log = Log::begun();
        let mut first = process(&log);
        begin(&mut first, 0);
        let date = at(0).to_datetime().date_naive();
        take(&mut first, &Input::Closes { time: at(0), marks: vec![mark(10)] });
        take(&mut first, &Input::SessionOpen { date, time: at(0) });
        let actions = take(&mut first, &decide(1, vec![buy("k", 60)]));
        let question = asks(&actions)[0].clone();
        let order_id = question.order.order_id.clone();
        if snapshot {
            assert!(first.keep_snapshot().unwrap());
        }
        drop(first);
        // The same minute: the order is not too old.
        let mut second = process(&log);
        let actions = begin(&mut second, 1);
        let [again] = asks(&actions)[..] else { panic!("{actions:?}") };
        assert_eq!((&again.order, &again.context), (&question.order, &question.context));
        let answer = GateAnswer::Passed;
        let passed = Input::GateAnswered { order_id, answer, failures: Vec::new(), time: at(1) };
        assert_eq!(sends(&take(&mut second, &passed)), 1);
        assert_eq!(sends(&take(&mut second, &passed)), 0, "the first process's answer after all");
        drop(second);
        let mut third = process(&log);
        assert_eq!(asks(&begin(&mut third, 1)).len(), 0, "it has left");
        assert_eq!(third.core().unknown_orders().count(), 1, "and may be live");
    }
}

#[test]
fn an_order_that_has_grown_old_in_a_crash_is_not_asked_about_again() {
    let log = Log::begun();
    let mut first = process(&log);
    begin(&mut first, 0);
    take(&mut first, &Input::Closes { time: at(0), marks: vec![mark(10)] });
    take(&mut first, &Input::SessionOpen { date: at(0).to_datetime().date_naive(), time: at(0) });
    let actions = take(&mut first, &decide(1, vec![buy("k", 60)]));
    let order = asks(&actions)[0].order.clone();
    drop(first);
    let mut second = process(&log);
    assert_eq!(asks(&begin(&mut second, 2)).len(), 0);
    assert_eq!((state(second.core(), &order), working(second.core())), (OrderState::Canceled, Decimal::ZERO));
}

proptest! {
    /// Answers in any order, late, twice or never, between fills, cancels and new orders: no limit is passed, the books count
    /// what the records say, nothing leaves unasked and nothing leaves twice.
    #[test]
    fn no_answers_in_any_order_pass_a_limit(
        steps in prop::collection::vec((0_u8..8, 0_usize..6, 1_i64..60), 1..60),
    ) {
        let mut core = asking();
        let (mut orders, mut sent): (Vec<Order>, Vec<OrderId>) = (Vec::new(), Vec::new());
        let mut approved: Vec<OrderId> = Vec::new();
        for (number, (what, which, units)) in steps.into_iter().enumerate() {
            let minute = i64::try_from(number).unwrap() + 1;
            let order = orders.get(which % orders.len().max(1)).cloned();
            let output = match (what, order) {
                (0 | 1, _) | (_, None) => {
                    let output = step(&mut core, &decide(minute, vec![buy(&format!("k{number}"), units)]));
                    orders.extend(questions(&output).into_iter().map(|question| question.order));
                    output
                }
                (2 | 3, Some(order)) => {
                    approved.push(order.order_id.clone());
                    pass(&mut core, &order, minute)
                }
                (4, Some(order)) => answer(&mut core, &order, veto(), minute),
                (5, Some(order)) => {
                    step(&mut core, &decide(minute, vec![Command::Cancel(order.order_id.clone())]))
                }
                (6, Some(order)) if state(&core, &order) == OrderState::Submitting => {
                    accept(&mut core, &order, minute)
                }
                (_, Some(order)) if state(&core, &order) == OrderState::Accepted => {
                    let left = core.state().order(&order.order_id).unwrap().remaining();
                    let units = Decimal::from(units).min(left);
                    step(&mut core, &fill(&order, &format!("x{number}"), units.try_into().unwrap(), minute))
                }
                _ => continue,
            };
            sent.extend(submitted(&output).iter().map(|order| order.order_id.clone()));
            prop_assert!(sent.iter().all(|order_id| approved.contains(order_id)), "unasked");
            let mut once = sent.clone();
            once.sort();
            once.dedup();
            prop_assert_eq!(once.len(), sent.len(), "twice");
            prop_assert!(held(&core) + working(&core) <= Decimal::from(LIMIT));
            let book = core.state().ledger().fund(&fund_id()).unwrap();
            for record in core.state().orders() {
                let counted = book.working().find(|(id, _)| **id == record.order.order_id);
                let counts = record.state.is_working() || record.state == OrderState::PendingRisk;
                let expected = counts.then(|| record.remaining());
                prop_assert_eq!(counted.map(|(_, counted)| counted.remaining), expected, "{:?}", record.state);
            }
            let pending = core.state().orders().filter(|record| record.state == OrderState::PendingRisk).count();
            prop_assert_eq!(core.state().sizes().asked, pending);
        }
    }
}
